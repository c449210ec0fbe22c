// SPDX-License-Identifier: BSL-1.0
//
// Signs webhooks as HighLevel does, with keys made on the spot, so that receivers can be tested
// with signatures that are real.
#pragma once

#include <highlevel/sandbox/certificate.hpp>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace highlevel::sandbox {

/// A pair of private keys, Ed25519 and RSA, that signs bodies of webhooks. A copy
/// shares the keys.
///
/// Thread safety: distinct objects: safe; shared objects: safe.
class webhook_signer {
public:
    /// Makes the keys. HighLevel's own RSA key has 4096 bits, which takes a second or so to make.
    /// Throws boost::system::system_error when OpenSSL cannot.
    webhook_signer() : webhook_signer(2048) {}
    explicit webhook_signer(int rsa_bits)
        : ed25519_(make(EVP_PKEY_ED25519, 0)),
          rsa_(make(EVP_PKEY_RSA, rsa_bits)) {}

    /// The public keys, PEM, as webhooks::public_key reads them.
    [[nodiscard]] std::string ed25519_key_pem() const { return pem(ed25519_.get()); }
    [[nodiscard]] std::string rsa_key_pem() const { return pem(rsa_.get()); }

    /// Value of `X-GHL-Signature` for that body.
    [[nodiscard]] std::string sign_ed25519(std::string_view body) const {
        return sign(ed25519_.get(), nullptr, body);
    }
    /// Value of `X-WH-Signature` for that body.
    [[nodiscard]] std::string sign_rsa(std::string_view body) const {
        return sign(rsa_.get(), EVP_sha256(), body);
    }

private:
    static detail::key_pointer make(int type, int rsa_bits) {
        detail::key_context_pointer const context(EVP_PKEY_CTX_new_id(type, nullptr));
        EVP_PKEY* key = nullptr;
        detail::require(
            context && EVP_PKEY_keygen_init(context.get()) > 0 &&
                (type != EVP_PKEY_RSA ||
                 EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), rsa_bits) > 0) &&
                EVP_PKEY_keygen(context.get(), &key) > 0,
            "sandbox: make a key for webhooks");
        return detail::key_pointer(key);
    }

    static std::string pem(EVP_PKEY* key) {
        return detail::to_pem([&](BIO* out) { return PEM_write_bio_PUBKEY(out, key); });
    }

    static std::string sign(EVP_PKEY* key, const EVP_MD* hash, std::string_view body) {
        std::unique_ptr<EVP_MD_CTX, detail::openssl_delete<EVP_MD_CTX_free>> const context(
            EVP_MD_CTX_new());
        std::string raw(static_cast<std::size_t>(EVP_PKEY_size(key)), '\0');
        auto size = raw.size();
        detail::require(
            context && EVP_DigestSignInit(context.get(), nullptr, hash, nullptr, key) == 1 &&
                EVP_DigestSign(
                    context.get(), reinterpret_cast<unsigned char*>(raw.data()), &size,
                    reinterpret_cast<const unsigned char*>(body.data()), body.size()) == 1,
            "sandbox: sign a webhook");
        // EVP_EncodeBlock ends its text with a zero.
        std::string text((size + 2) / 3 * 4 + 1, '\0');
        EVP_EncodeBlock(
            reinterpret_cast<unsigned char*>(text.data()),
            reinterpret_cast<const unsigned char*>(raw.data()), static_cast<int>(size));
        text.pop_back();
        return text;
    }

    std::shared_ptr<EVP_PKEY> ed25519_;
    std::shared_ptr<EVP_PKEY> rsa_;
};

} // namespace highlevel::sandbox
