// SPDX-License-Identifier: BSL-1.0
//
// What the stores on disk complain of, beside the operating system's own errors.
#pragma once

#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <string>
#include <type_traits>

namespace highlevel::auth {

/// Why a store cannot do its work. Thrown in a boost::system::system_error whose text names the
/// file, and holds no secret.
enum class token_store_errc : int {
    /// What is stored is cut short or changed; it was left as it is.
    damaged = 1,
    /// It was encrypted with another key.
    wrong_key,
    /// It is encrypted, and the store was given no key.
    no_key,
    /// The key is not 32 bytes long, or not spelled in hexadecimal digits or base64.
    bad_key,
    /// Others than the owner may read or change it.
    insecure_permissions,
    /// The resource's id is empty, or too long to be stored.
    bad_id,
    /// Another process works on the same data and does not end within seconds.
    busy,
    /// Random numbers or the cipher are not to be had.
    cipher_unavailable,
};

namespace detail {

class token_store_category final : public boost::system::error_category {
public:
    constexpr token_store_category() noexcept : error_category(0x7be3509d2f61c48aULL) {}

    [[nodiscard]] const char* name() const noexcept override { return "highlevel.token_store"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<token_store_errc>(value)) {
        case token_store_errc::damaged: return "the stored token is damaged";
        case token_store_errc::wrong_key: return "the stored token was encrypted with another key";
        case token_store_errc::no_key: return "the stored token is encrypted, and there is no key";
        case token_store_errc::bad_key:
            return "the key is not 32 bytes in hexadecimal digits or base64";
        case token_store_errc::insecure_permissions:
            return "others than the owner may read or change it";
        case token_store_errc::bad_id: return "the resource's id is empty or too long";
        case token_store_errc::busy: return "another process does not let go of the store";
        case token_store_errc::cipher_unavailable: return "this OpenSSL has no AES-256-GCM";
        }
        return "unknown error";
    }
};

inline constexpr token_store_category token_store_category_instance{};

} // namespace detail

[[nodiscard]] inline boost::system::error_code make_error_code(token_store_errc e) noexcept {
    return {static_cast<int>(e), detail::token_store_category_instance};
}

} // namespace highlevel::auth

template <>
struct boost::system::is_error_code_enum<highlevel::auth::token_store_errc> : std::true_type {};
