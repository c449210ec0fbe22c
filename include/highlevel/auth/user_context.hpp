// SPDX-License-Identifier: BSL-1.0
//
// Who is looking at an app's custom page: HighLevel hands the page an encrypted text, which the
// app's server decrypts with the app's Shared Secret.
#pragma once

#include <highlevel/auth/secret.hpp>
#include <highlevel/detail/base64.hpp>
#include <highlevel/json/decode.hpp>
#include <highlevel/json/open_enum.hpp>
#include <highlevel/json/type.hpp>

#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/result.hpp>
#include <boost/system/system_error.hpp>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace highlevel::auth {

/// Why a user context cannot be read.
enum class user_context_errc : int {
    /// The text is longer than any user context (64 KiB).
    too_long = 1,
    /// The text is not base64. A `+` that a form turned into a space has this effect.
    not_base64,
    /// The bytes are not OpenSSL's salted format: `Salted__`, 8 bytes of salt, whole blocks.
    not_encrypted,
    /// It does not decrypt: another Shared Secret, or the text was changed. Which of the two cannot
    /// be told.
    wrong_secret,
    /// It decrypts to JSON that does not name a user and a company.
    not_a_user_context,
    /// OpenSSL gives no MD5 or AES here (a FIPS build).
    cipher_unavailable,
};

namespace detail {

class user_context_category final : public boost::system::error_category {
public:
    constexpr user_context_category() noexcept : error_category(0x2c94e0f1b7a86d35ULL) {}

    [[nodiscard]] const char* name() const noexcept override { return "highlevel.user_context"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<user_context_errc>(value)) {
        case user_context_errc::too_long: return "the user context is too long";
        case user_context_errc::not_base64: return "the user context is not base64";
        case user_context_errc::not_encrypted:
            return "the user context is not OpenSSL's salted format";
        case user_context_errc::wrong_secret:
            return "the user context does not decrypt: another Shared Secret, or it was changed";
        case user_context_errc::not_a_user_context:
            return "what was decrypted does not name a user and a company";
        case user_context_errc::cipher_unavailable:
            return "this OpenSSL has no MD5 or no AES-256-CBC";
        }
        return "unknown error";
    }
};

inline constexpr user_context_category user_context_category_instance{};

} // namespace detail

[[nodiscard]] inline boost::system::error_code make_error_code(user_context_errc e) noexcept {
    return {static_cast<int>(e), detail::user_context_category_instance};
}

/// What a user may do.
enum class user_role : std::uint8_t { admin, user };
/// Whether the user belongs to the agency or to a sub-account.
enum class user_type : std::uint8_t { agency, account };

namespace detail {
inline constexpr std::string_view user_role_names[] = {"admin", "user"};
inline constexpr std::string_view user_type_names[] = {"agency", "account"};
} // namespace detail

constexpr std::span<const std::string_view> wire_names(const user_role*) noexcept {
    return detail::user_role_names;
}
constexpr std::span<const std::string_view> wire_names(const user_type*) noexcept {
    return detail::user_type_names;
}

/// The user who opened an app's page, as the page says it.
///
/// **Not authenticated.** The encryption has no integrity check: whoever can alter the text on its
/// way can alter what it decrypts to without knowing the secret, and an old text stays valid for
/// ever. Treat it as a hint at who asks. Before anything is given away, ask the API with a token of
/// the app's own whether that user exists in that company.
///
/// Source: HighLevel's page on user context in marketplace apps; the members that its examples
/// show. Others are kept in `unknown_fields`.
struct user_context {
    user_context() = default;

    /// Never empty.
    std::string user_id;
    /// The agency; never empty.
    std::string company_id;
    json::open_enum<user_role> role;
    json::open_enum<user_type> type;
    /// The location that the page was opened in; absent on the agency's level.
    std::optional<std::string> active_location;
    std::optional<std::string> user_name;
    std::optional<std::string> email;
    json::lazy_object unknown_fields;
};

namespace detail {

inline constexpr json::field user_context_fields[] = {
    {"userId", offsetof(user_context, user_id), &json::type_of<std::string>,
     json::presence::required},
    {"companyId", offsetof(user_context, company_id), &json::type_of<std::string>,
     json::presence::required},
    {"role", offsetof(user_context, role), &json::type_of<json::open_enum<user_role>>},
    {"type", offsetof(user_context, type), &json::type_of<json::open_enum<user_type>>},
    {"activeLocation", offsetof(user_context, active_location),
     &json::type_of<std::optional<std::string>>},
    {"userName", offsetof(user_context, user_name), &json::type_of<std::optional<std::string>>},
    {"email", offsetof(user_context, email), &json::type_of<std::optional<std::string>>},
};

/// Decrypts what follows `Salted__` and the salt. Key and initialisation vector are derived as
/// `openssl enc -md md5` does without -pbkdf2, which is what CryptoJS does with a passphrase.
[[nodiscard]] inline boost::system::result<std::string> decrypt_salted(
    std::string_view bytes, const secret& passphrase) {
    constexpr std::string_view magic = "Salted__";
    constexpr std::size_t salt_size = 8;
    constexpr std::size_t block = 16;
    auto const head = magic.size() + salt_size;
    if (!bytes.starts_with(magic) || bytes.size() < head + block ||
        (bytes.size() - head) % block != 0)
        return make_error_code(user_context_errc::not_encrypted);

    auto const* const raw = reinterpret_cast<const unsigned char*>(bytes.data());
    auto const word = passphrase.reveal();
    auto const* const cipher = EVP_aes_256_cbc();
    std::array<unsigned char, EVP_MAX_KEY_LENGTH> key{};
    std::array<unsigned char, EVP_MAX_IV_LENGTH> iv{};
    int const derived = EVP_BytesToKey(
        cipher, EVP_md5(), raw + magic.size(), reinterpret_cast<const unsigned char*>(word.data()),
        static_cast<int>(word.size()), 1, key.data(), iv.data());
    std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> const context{
        EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free};
    bool const ready = derived > 0 && context &&
        EVP_DecryptInit_ex(context.get(), cipher, nullptr, key.data(), iv.data()) == 1;
    OPENSSL_cleanse(key.data(), key.size());
    OPENSSL_cleanse(iv.data(), iv.size());
    if (!ready) return make_error_code(user_context_errc::cipher_unavailable);

    std::string text(bytes.size() - head + block, '\0');
    auto* const out = reinterpret_cast<unsigned char*>(text.data());
    int written = 0;
    int last = 0;
    if (EVP_DecryptUpdate(
            context.get(), out, &written, raw + head, static_cast<int>(bytes.size() - head)) != 1 ||
        EVP_DecryptFinal_ex(context.get(), out + written, &last) != 1)
        return make_error_code(user_context_errc::wrong_secret);
    text.resize(static_cast<std::size_t>(written + last));
    return text;
}

} // namespace detail

constexpr std::span<const json::field> json_fields(const user_context*) noexcept {
    return detail::user_context_fields;
}

/// Decrypts the text that a page got from `REQUEST_USER_DATA` or `exposeSessionDetails`, with the
/// app's Shared Secret. The result is not authenticated: see user_context.
///
/// The text is base64 of OpenSSL's salted format: AES-256-CBC, key and vector by EVP_BytesToKey
/// with one round of MD5. Errors: user_context_errc. Does not throw but for memory.
///
/// Thread safety: safe.
[[nodiscard]] inline boost::system::result<user_context> try_decrypt_user_context(
    std::string_view text, const secret& shared_secret) {
    constexpr std::size_t longest = 65536;
    if (text.size() > longest || shared_secret.reveal().size() > longest)
        return make_error_code(user_context_errc::too_long);
    auto const bytes = highlevel::detail::decode_base64(text);
    if (!bytes) return make_error_code(user_context_errc::not_base64);
    auto const plain = detail::decrypt_salted(*bytes, shared_secret);
    if (!plain) return plain.error();

    user_context context;
    // One wrong secret in 256 leaves a padding that looks right, and noise before it.
    if (!json::decode(std::string_view{*plain}, context))
        return make_error_code(user_context_errc::wrong_secret);
    if (context.user_id.empty() || context.company_id.empty())
        return make_error_code(user_context_errc::not_a_user_context);
    return context;
}

/// As try_decrypt_user_context(), but throws boost::system::system_error.
[[nodiscard]] inline user_context decrypt_user_context(
    std::string_view text, const secret& shared_secret) {
    auto made = try_decrypt_user_context(text, shared_secret);
    if (!made) throw boost::system::system_error{made.error()};
    return std::move(*made);
}

} // namespace highlevel::auth

template <>
struct boost::system::is_error_code_enum<highlevel::auth::user_context_errc> : std::true_type {};
