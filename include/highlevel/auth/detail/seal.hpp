// SPDX-License-Identifier: BSL-1.0
//
// AES-256-GCM over a text, and SHA-256 for where there is no key: both notice any change.
#pragma once

#include <highlevel/auth/secret.hpp>
#include <highlevel/auth/token_store_error.hpp>

#include <boost/system/system_error.hpp>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace highlevel::auth::detail {

inline constexpr std::size_t seal_key_size = 32;
inline constexpr std::size_t seal_nonce_size = 12;
inline constexpr std::size_t seal_tag_size = 16;

[[nodiscard]] inline const unsigned char* raw(std::string_view bytes) noexcept {
    return reinterpret_cast<const unsigned char*>(bytes.data());
}

[[noreturn]] inline void throw_no_cipher() {
    throw boost::system::system_error{make_error_code(token_store_errc::cipher_unavailable)};
}

/// The digest of some texts after another, in hexadecimal digits.
[[nodiscard]] inline std::string sha256_hex(std::initializer_list<std::string_view> texts) {
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> const context{
        EVP_MD_CTX_new(), &EVP_MD_CTX_free};
    bool good = context && EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) == 1;
    for (auto const text : texts)
        good = good && EVP_DigestUpdate(context.get(), text.data(), text.size()) == 1;
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    if (!good || EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1) throw_no_cipher();
    constexpr std::string_view digits = "0123456789abcdef";
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        hex.push_back(digits[digest[i] >> 4U]);
        hex.push_back(digits[digest[i] & 15U]);
    }
    return hex;
}

using cipher_context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

/// Encrypts: nonce, encrypted text, tag. `head` is not encrypted, but must be the same to open.
[[nodiscard]] inline std::string seal(
    std::string_view text, std::string_view head, const secret& key) {
    std::string out(seal_nonce_size + text.size() + seal_tag_size, '\0');
    auto* const bytes = reinterpret_cast<unsigned char*>(out.data());
    cipher_context const context{EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free};
    int size = 0;
    if (!context || RAND_bytes(bytes, seal_nonce_size) != 1 ||
        EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, raw(key.reveal()), bytes) !=
            1 ||
        EVP_EncryptUpdate(
            context.get(), nullptr, &size, raw(head), static_cast<int>(head.size())) != 1 ||
        EVP_EncryptUpdate(
            context.get(), bytes + seal_nonce_size, &size, raw(text),
            static_cast<int>(text.size())) != 1 ||
        EVP_EncryptFinal_ex(context.get(), bytes + seal_nonce_size + size, &size) != 1 ||
        EVP_CIPHER_CTX_ctrl(
            context.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(seal_tag_size),
            bytes + seal_nonce_size + text.size()) != 1)
        throw_no_cipher();
    return out;
}

/// The reverse of seal(); nothing when sealed text or head were changed, or the key is another.
[[nodiscard]] inline std::optional<secret> unseal(
    std::string_view sealed, std::string_view head, const secret& key) {
    if (sealed.size() < seal_nonce_size + seal_tag_size) return std::nullopt;
    auto const nonce = sealed.substr(0, seal_nonce_size);
    std::string tag{sealed.substr(sealed.size() - seal_tag_size)};
    auto const body =
        sealed.substr(seal_nonce_size, sealed.size() - seal_nonce_size - seal_tag_size);
    std::string text(body.size() + seal_tag_size, '\0');
    auto* const out = reinterpret_cast<unsigned char*>(text.data());
    cipher_context const context{EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free};
    int size = 0;
    int rest = 0;
    if (!context ||
        EVP_DecryptInit_ex(
            context.get(), EVP_aes_256_gcm(), nullptr, raw(key.reveal()), raw(nonce)) != 1 ||
        EVP_DecryptUpdate(
            context.get(), nullptr, &size, raw(head), static_cast<int>(head.size())) != 1)
        throw_no_cipher();
    bool const good =
        EVP_DecryptUpdate(context.get(), out, &size, raw(body), static_cast<int>(body.size())) ==
            1 &&
        EVP_CIPHER_CTX_ctrl(
            context.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(seal_tag_size), tag.data()) ==
            1 &&
        EVP_DecryptFinal_ex(context.get(), out + size, &rest) == 1;
    std::optional<secret> opened;
    if (good) opened.emplace(std::string_view{text.data(), body.size()});
    secret::wipe(text.data(), text.size());
    return opened;
}

} // namespace highlevel::auth::detail
