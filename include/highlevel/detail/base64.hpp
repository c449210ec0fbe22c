// SPDX-License-Identifier: BSL-1.0
//
// Base64 (RFC 4648 section 4). It is read strictly: what is signed or encrypted has one spelling.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace highlevel::detail {

/// The text for the bytes, padded to whole groups of four. `String` may be one that wipes itself.
template <class String = std::string>
[[nodiscard]] String encode_base64(std::string_view bytes) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    String out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::size_t const n = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t j = 0; j < 3; ++j)
            group = group << 8 | (j < n ? static_cast<unsigned char>(bytes[i + j]) : 0U);
        for (std::size_t j = 0; j < 4; ++j)
            out.push_back(j <= n ? digits[group >> (18 - 6 * j) & 63] : '=');
    }
    return out;
}

/// The bytes, or nothing when the text is not whole groups of four, has a foreign character (white
/// space included), or bits set that no byte takes up.
[[nodiscard]] inline std::optional<std::string> decode_base64(std::string_view text) {
    constexpr std::uint32_t foreign = 64;
    auto const digit = [](char c) -> std::uint32_t {
        if (c >= 'A' && c <= 'Z') return static_cast<std::uint32_t>(c - 'A');
        if (c >= 'a' && c <= 'z') return static_cast<std::uint32_t>(c - 'a') + 26;
        if (c >= '0' && c <= '9') return static_cast<std::uint32_t>(c - '0') + 52;
        if (c == '+') return 62;
        return c == '/' ? 63 : foreign;
    };
    if (text.size() % 4 != 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && text.ends_with('=')) {
        text.remove_suffix(1);
        ++padding;
    }
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    unsigned held = 0;
    for (char const c : text) {
        auto const value = digit(c);
        if (value == foreign) return std::nullopt;
        bits = bits << 6U | value;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        bytes.push_back(static_cast<char>(bits >> held & 0xffU));
        bits &= (1U << held) - 1;
    }
    if (bits != 0) return std::nullopt;
    return bytes;
}

} // namespace highlevel::detail
