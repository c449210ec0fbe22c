// SPDX-License-Identifier: BSL-1.0
//
// Whether a webhook comes from HighLevel: its signatures are checked over the bytes that arrived,
// never over JSON that was read and written again, with HighLevel's public keys or others.
#pragma once

#include <highlevel/detail/base64.hpp>

#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <boost/system/system_error.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <chrono>
#include <climits>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace highlevel::webhooks {

/// How a webhook is signed.
enum class scheme : std::uint8_t {
    /// Not at all, or by nobody we know.
    none,
    /// Ed25519 over the body (RFC 8032): the present scheme.
    ed25519,
    /// RSASSA-PKCS1-v1_5 with SHA-256 over the body: the former scheme.
    rsa_sha256,
};

/// The name, for example "ed25519".
[[nodiscard]] constexpr std::string_view to_string(scheme s) noexcept {
    switch (s) {
    case scheme::none: return "none";
    case scheme::ed25519: return "ed25519";
    case scheme::rsa_sha256: return "rsa_sha256";
    }
    return "unknown";
}

/// Header field of the present scheme.
inline constexpr std::string_view signature_field = "X-GHL-Signature";
/// Header field of the former scheme.
inline constexpr std::string_view legacy_signature_field = "X-WH-Signature";

/// Why a key cannot be used.
enum class key_errc : int {
    /// The text is not one PEM block of type `PUBLIC KEY`, or something follows the block.
    not_a_public_key = 1,
    /// The key is neither Ed25519 nor RSA.
    wrong_algorithm,
    /// An RSA key of fewer than 2048 bits or more than 16384.
    wrong_size,
};

namespace detail {

class key_category final : public boost::system::error_category {
public:
    constexpr key_category() noexcept : error_category(0x6b1d0a35c92fe874ULL) {}

    [[nodiscard]] const char* name() const noexcept override { return "highlevel.webhook_key"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<key_errc>(value)) {
        case key_errc::not_a_public_key: return "the text is not one public key in PEM form";
        case key_errc::wrong_algorithm: return "the public key is neither Ed25519 nor RSA";
        case key_errc::wrong_size:
            return "the RSA key is shorter than 2048 or longer than 16384 bits";
        }
        return "unknown error";
    }
};

inline constexpr key_category key_category_instance{};

template <auto Free>
class release {
public:
    template <class T>
    void operator()(T* p) const noexcept {
        Free(p);
    }
};

using bio_pointer = std::unique_ptr<BIO, release<&BIO_free_all>>;
using key_pointer = std::unique_ptr<EVP_PKEY, release<&EVP_PKEY_free>>;
using digest_pointer = std::unique_ptr<EVP_MD_CTX, release<&EVP_MD_CTX_free>>;

[[nodiscard]] inline const unsigned char* octets(std::string_view text) noexcept {
    return reinterpret_cast<const unsigned char*>(text.data());
}

} // namespace detail

[[nodiscard]] inline boost::system::error_code make_error_code(key_errc e) noexcept {
    return {static_cast<int>(e), detail::key_category_instance};
}

/// A public key that webhooks are verified with. A copy shares the key.
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
class public_key {
public:
    /// Reads a key in PEM form (SubjectPublicKeyInfo, `-----BEGIN PUBLIC KEY-----`). A second key
    /// in the text is an error, not overlooked. Errors: key_errc.
    [[nodiscard]] static boost::system::result<public_key> try_from_pem(std::string_view pem) {
        if (pem.size() > INT_MAX) return make_error_code(key_errc::not_a_public_key);
        detail::bio_pointer const memory{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
        detail::key_pointer parsed{
            memory ? PEM_read_bio_PUBKEY(memory.get(), nullptr, nullptr, nullptr) : nullptr};
        ERR_clear_error();
        if (!parsed || !only_blanks_left(memory.get()))
            return make_error_code(key_errc::not_a_public_key);
        scheme kind = scheme::none;
        if (EVP_PKEY_base_id(parsed.get()) == EVP_PKEY_ED25519) kind = scheme::ed25519;
        if (EVP_PKEY_base_id(parsed.get()) == EVP_PKEY_RSA) kind = scheme::rsa_sha256;
        if (kind == scheme::none) return make_error_code(key_errc::wrong_algorithm);
        auto const bits = EVP_PKEY_bits(parsed.get());
        if (kind == scheme::rsa_sha256 && (bits < 2048 || bits > 16384))
            return make_error_code(key_errc::wrong_size);

        unsigned char* der = nullptr;
        int const size = i2d_PUBKEY(parsed.get(), &der);
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned int length = 0;
        bool const digested = size > 0 &&
            EVP_Digest(
                der, static_cast<std::size_t>(size), digest, &length, EVP_sha256(), nullptr) == 1;
        OPENSSL_free(der);
        if (!digested) return make_error_code(key_errc::not_a_public_key);
        constexpr std::string_view digits = "0123456789abcdef";
        std::string fingerprint;
        for (unsigned int i = 0; i < length; ++i) {
            fingerprint += digits[digest[i] >> 4U];
            fingerprint += digits[digest[i] & 15U];
        }
        return public_key{std::move(parsed), kind, std::move(fingerprint)};
    }

    /// As try_from_pem(), but throws boost::system::system_error.
    [[nodiscard]] static public_key from_pem(std::string_view pem) {
        auto made = try_from_pem(pem);
        if (!made) throw boost::system::system_error{made.error()};
        return std::move(*made);
    }

    /// Which signatures the key checks.
    [[nodiscard]] scheme kind() const noexcept { return kind_; }
    /// SHA-256 of the key's DER form (SubjectPublicKeyInfo), in lower case hexadecimal.
    [[nodiscard]] const std::string& fingerprint() const noexcept { return fingerprint_; }
    /// Length of the key's signatures in bytes.
    [[nodiscard]] std::size_t signature_size() const noexcept {
        return static_cast<std::size_t>(EVP_PKEY_size(key_.get()));
    }

    /// Whether `signature` (raw bytes, not base64) is this key's over `body`.
    [[nodiscard]] bool verify(std::string_view body, std::string_view signature) const {
        detail::digest_pointer const context{EVP_MD_CTX_new()};
        auto const* const hash = kind_ == scheme::rsa_sha256 ? EVP_sha256() : nullptr;
        bool const good = context &&
            EVP_DigestVerifyInit(context.get(), nullptr, hash, nullptr, key_.get()) == 1 &&
            EVP_DigestVerify(
                context.get(), detail::octets(signature), signature.size(), detail::octets(body),
                body.size()) == 1;
        // A failure leaves its reason in the thread's queue, where TLS would take it for its own.
        if (!good) ERR_clear_error();
        return good;
    }

private:
    static bool only_blanks_left(BIO* from) {
        char* rest = nullptr;
        auto const size = BIO_get_mem_data(from, &rest);
        std::string_view const left{rest, static_cast<std::size_t>(size)};
        return left.find_first_not_of(" \t\r\n") == left.npos;
    }

    public_key(detail::key_pointer key, scheme kind, std::string fingerprint)
        : key_(std::move(key)),
          kind_(kind),
          fingerprint_(std::move(fingerprint)) {}

    std::shared_ptr<EVP_PKEY> key_;
    scheme kind_;
    std::string fingerprint_;
};

/// HighLevel's Ed25519 key; SHA-256 of its DER form
/// 5a2c1b2749d3efcc233fb27d4ab43d56b8d20818c42cd226f6c9a3ff20d3097c. Source: HighLevel's webhook
/// integration guide.
inline constexpr std::string_view highlevel_ed25519_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAi2HR1srL4o18O8BRa7gVJY7G7bupbN3H9AwJrHCDiOg=\n"
    "-----END PUBLIC KEY-----\n";

/// HighLevel's RSA key (4096 bits); SHA-256 of its DER form
/// 2f62045d413b1b7747e26770ce7f57840cbf86288cd20ceb90d299a62501fd25. Source: HighLevel's page on
/// webhook authentication.
inline constexpr std::string_view highlevel_rsa_key =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAokvo/r9tVgcfZ5DysOSC\n"
    "Frm602qYV0MaAiNnX9O8KxMbiyRKWeL9JpCpVpt4XHIcBOK4u3cLSqJGOLaPuXw6\n"
    "dO0t6Q/ZVdAV5Phz+ZtzPL16iCGeK9po6D6JHBpbi989mmzMryUnQJezlYJ3DVfB\n"
    "csedpinheNnyYeFXolrJvcsjDtfAeRx5ByHQmTnSdFUzuAnC9/GepgLT9SM4nCpv\n"
    "uxmZMxrJt5Rw+VUaQ9B8JSvbMPpez4peKaJPZHBbU3OdeCVx5klVXXZQGNHOs8gF\n"
    "3kvoV5rTnXV0IknLBXlcKKAQLZcY/Q9rG6Ifi9c+5vqlvHPCUJFT5XUGG5RKgOKU\n"
    "J062fRtN+rLYZUV+BjafxQauvC8wSWeYja63VSUruvmNj8xkx2zE/Juc+yjLjTXp\n"
    "IocmaiFeAO6fUtNjDeFVkhf5LNb59vECyrHD2SQIrhgXpO4Q3dVNA5rw576PwTzN\n"
    "h/AMfHKIjE4xQA1SZuYJmNnmVZLIZBlQAF9Ntd03rfadZ+yDiOXCCs9FkHibELhC\n"
    "HULgCsnuDJHcrGNd5/Ddm5hxGQ0ASitgHeMZ0kcIOwKDOzOU53lDza6/Y09T7sYJ\n"
    "PQe7z0cvj7aE4B+Ax1ZoZGPzpJlZtGXCsu9aTEGEnKzmsFqwcSsnw3JB31IGKAyk\n"
    "T1hhTiaCeIY/OwwwNUY2yvcCAwEAAQ==\n"
    "-----END PUBLIC KEY-----\n";

/// The day on which HighLevel ends RSA signatures. Source: HighLevel's webhook integration guide as
/// quoted in August 2026; it named 2026-07-01 before.
inline constexpr std::chrono::sys_days legacy_end{
    std::chrono::year{2026} / std::chrono::September / 1};

/// When RSA signatures are taken.
enum class legacy_rule : std::uint8_t {
    /// Until `legacy_end`: the default.
    until_end,
    always,
    never,
};

/// How signatures are checked.
class signature_options {
public:
    signature_options() = default;

    /// Keys of either scheme; a signature by any one of its scheme is good, so that an old and a
    /// new key can stand side by side while keys change. Empty: HighLevel's two.
    std::vector<public_key> keys;
    /// When RSA signatures are taken.
    legacy_rule legacy = legacy_rule::until_end;
};

/// What the two header fields of a delivery say; absent when there is no such field.
class signatures {
public:
    constexpr signatures() noexcept = default;
    constexpr signatures(
        std::optional<std::string_view> present_, std::optional<std::string_view> legacy_) noexcept
        : present(present_),
          legacy(legacy_) {}

    /// Value of `X-GHL-Signature`.
    std::optional<std::string_view> present;
    /// Value of `X-WH-Signature`.
    std::optional<std::string_view> legacy;
    /// A field occurred twice, so that nobody can say which one was meant: never good.
    bool ambiguous = false;
};

/// Whether a delivery is signed.
enum class signature_status : std::uint8_t {
    valid,
    /// There is no signature that counts: no field, an empty one, the text `N/A`, or an RSA
    /// signature only when these are not taken.
    not_signed,
    /// There is one and it is wrong.
    bad,
};

/// The name, for example "valid".
[[nodiscard]] constexpr std::string_view to_string(signature_status s) noexcept {
    switch (s) {
    case signature_status::valid: return "valid";
    case signature_status::not_signed: return "unsigned";
    case signature_status::bad: return "bad";
    }
    return "unknown";
}

/// What checking a delivery's signatures found.
class signature_result {
public:
    signature_result() = default;

    signature_status status = signature_status::not_signed;
    /// The scheme of the signature that decided; `none` for an unsigned delivery.
    scheme matched = scheme::none;
    /// Which key it was: index into `verifier::keys()`. Meaningful when the status is `valid`.
    std::size_t key = 0;
    /// Whether it stood in `X-WH-Signature`.
    bool legacy_field = false;

    [[nodiscard]] explicit operator bool() const noexcept {
        return status == signature_status::valid;
    }
};

/// Checks signatures.
///
/// A signature in `X-GHL-Signature` decides alone: when it is wrong, no other one is looked at.
/// Without it one in `X-WH-Signature` decides, if RSA is taken at that time. One there of 64 bytes
/// is an Ed25519 signature, as some deliveries of ProviderOutboundMessage were seen to have, and is
/// taken at all times. A failure costs as many verifications as there are keys of the scheme,
/// whatever is wrong with the signature.
///
/// Thread safety: distinct objects: safe; shared objects: safe.
class verifier {
public:
    /// With HighLevel's keys.
    verifier() : verifier(signature_options{}) {}
    explicit verifier(signature_options options)
        : keys_(std::move(options.keys)),
          legacy_(options.legacy) {
        if (!keys_.empty()) return;
        keys_.push_back(public_key::from_pem(highlevel_ed25519_key));
        keys_.push_back(public_key::from_pem(highlevel_rsa_key));
    }

    [[nodiscard]] const std::vector<public_key>& keys() const noexcept { return keys_; }

    /// Whether RSA signatures are taken at that time.
    [[nodiscard]] bool takes_rsa(std::chrono::system_clock::time_point now) const noexcept {
        return legacy_ == legacy_rule::always ||
            (legacy_ == legacy_rule::until_end && now < legacy_end);
    }

    /// Checks a delivery whose body is exactly the bytes received.
    [[nodiscard]] signature_result check(
        std::string_view body,
        const signatures& fields,
        std::chrono::system_clock::time_point now) const {
        signature_result made;
        if (fields.ambiguous) {
            made.status = signature_status::bad;
            return made;
        }
        if (is_signature(fields.present)) return judge(body, *fields.present, scheme::ed25519);
        if (!is_signature(fields.legacy)) return made;
        // 64 bytes are 88 characters; an RSA signature has at least 344.
        auto const as_ed25519 = fields.legacy->size() == ed25519_text;
        if (!as_ed25519 && !takes_rsa(now)) return made;
        made = judge(body, *fields.legacy, as_ed25519 ? scheme::ed25519 : scheme::rsa_sha256);
        made.legacy_field = true;
        return made;
    }

private:
    static constexpr std::size_t ed25519_text = 88;

    static bool is_signature(const std::optional<std::string_view>& field) noexcept {
        return field && !field->empty() && *field != "N/A";
    }

    [[nodiscard]] signature_result judge(
        std::string_view body, std::string_view text, scheme by) const {
        signature_result made;
        made.status = signature_status::bad;
        made.matched = by;
        // No key makes longer ones.
        constexpr std::size_t longest = 2732;
        std::optional<std::string> bytes;
        if (text.size() <= longest) bytes = highlevel::detail::decode_base64(text);
        for (std::size_t i = 0; i < keys_.size(); ++i) {
            auto const& key = keys_[i];
            if (key.kind() != by) continue;
            bool const fits = bytes && bytes->size() == key.signature_size();
            // What cannot be right is still verified, as zeros, so that it takes as long.
            auto const zeros = fits ? std::string{} : std::string(key.signature_size(), '\0');
            if (!key.verify(body, fits ? *bytes : zeros) || !fits) continue;
            made.status = signature_status::valid;
            made.key = i;
            break;
        }
        return made;
    }

    std::vector<public_key> keys_;
    legacy_rule legacy_;
};

} // namespace highlevel::webhooks

template <>
struct boost::system::is_error_code_enum<highlevel::webhooks::key_errc> : std::true_type {};
