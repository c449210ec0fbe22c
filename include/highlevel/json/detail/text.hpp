// SPDX-License-Identifier: BSL-1.0
//
// Numbers to text and back, escaping, and JSON pointers: what reading and writing share.
#pragma once

#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

namespace highlevel::json::detail {

// Whether two texts are the same: for names, most of which are so short that a call of memcmp costs
// more than the comparison.
inline bool same_text(std::string_view a, std::string_view b) noexcept {
    std::size_t const size = a.size();
    if (size != b.size()) return false;
    // The first and the last bytes, which overlap.
    auto const ends_differ = [&]<class Word>(Word /*size*/) {
        auto const load = [](const char* at) {
            Word word;
            std::memcpy(&word, at, sizeof word);
            return word;
        };
        std::size_t const last = size - sizeof(Word);
        return ((load(a.data()) ^ load(b.data())) |
                (load(a.data() + last) ^ load(b.data() + last))) != 0;
    };
    if (size > 16) return std::memcmp(a.data(), b.data(), size) == 0;
    if (size >= 8) return !ends_differ(std::uint64_t{});
    if (size >= 4) return !ends_differ(std::uint32_t{});
    if (size >= 2) return !ends_differ(std::uint16_t{});
    return size == 0 || a[0] == b[0];
}

inline void append_number(std::string& out, std::int64_t number) {
    char buffer[24];
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
}

inline void append_number(std::string& out, std::uint64_t number) {
    char buffer[24];
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
}

// The shortest text that reads back as the same number. Precondition: finite.
inline void append_number(std::string& out, double number) {
    char buffer[40];
    out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, number).ptr);
}

// The same without an exponent, for texts outside of JSON: few servers read 1e+05 there.
inline void append_decimal(std::string& out, double number) {
    // The smallest double takes "0." and 324 digits, the largest 309.
    char buffer[400];
    auto const end =
        std::to_chars(buffer, buffer + sizeof buffer, number, std::chars_format::fixed);
    out.append(buffer, end.ptr);
}

// The integer that a double is, unless it has a fraction or does not fit.
inline std::optional<std::int64_t> to_integer(double number) noexcept {
    // 2^63 is the first double that does not fit; -2^63 fits.
    constexpr double limit = 9223372036854775808.0;
    if (!(number >= -limit && number < limit) || std::trunc(number) != number) return std::nullopt;
    return static_cast<std::int64_t>(number);
}

// The number that a text is, all of it. Not "inf", "nan" or what overflows.
inline std::optional<double> read_double(std::string_view text) noexcept {
    double number = 0;
    auto const end = text.data() + text.size();
    auto const got = std::from_chars(text.data(), end, number);
    if (got.ec != std::errc{} || got.ptr != end || !std::isfinite(number)) return std::nullopt;
    return number;
}

inline std::optional<std::int64_t> read_integer(std::string_view text) noexcept {
    std::int64_t number = 0;
    auto const end = text.data() + text.size();
    auto const got = std::from_chars(text.data(), end, number);
    if (got.ec != std::errc{} || got.ptr != end) return std::nullopt;
    return number;
}

inline std::string_view trimmed(std::string_view text) noexcept {
    constexpr std::string_view blanks = " \t\r\n";
    auto const first = text.find_first_not_of(blanks);
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

inline bool equal_ignoring_case(std::string_view text, std::string_view lower) noexcept {
    if (text.size() != lower.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char const c = text[i];
        if ((c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c) != lower[i])
            return false;
    }
    return true;
}

// One step of a JSON pointer (RFC 6901 section 3).
inline void append_step(std::string& pointer, std::string_view name) {
    pointer += '/';
    for (char const c : name) {
        if (c == '~')
            pointer += "~0";
        else if (c == '/')
            pointer += "~1";
        else
            pointer += c;
    }
}

inline void append_step(std::string& pointer, std::size_t index) {
    pointer += '/';
    append_number(pointer, std::uint64_t{index});
}

// The value of a hexadecimal digit; more than 15 when it is none.
inline unsigned hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
    auto const lower = static_cast<unsigned char>(c) | 0x20U;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : 16;
}

// Appends a code point, which must be no surrogate.
inline void append_utf8(std::string& out, std::uint32_t point) {
    auto const tail = [&](unsigned shift) {
        return static_cast<char>(0x80U | (point >> shift & 0x3fU));
    };
    if (point < 0x80) {
        out += static_cast<char>(point);
    } else if (point < 0x800) {
        out += static_cast<char>(0xc0U | point >> 6U);
        out += tail(0);
    } else if (point < 0x10000) {
        out += static_cast<char>(0xe0U | point >> 12U);
        out += tail(6);
        out += tail(0);
    } else {
        out += static_cast<char>(0xf0U | point >> 18U);
        out += tail(12);
        out += tail(6);
        out += tail(0);
    }
}

// Length of the valid UTF-8 sequence (RFC 3629) at the start of the text; 0 when there is none.
inline std::size_t utf8_length(std::string_view text) noexcept {
    auto const at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    auto const tail = [&](std::size_t i) { return (at(i) & 0xc0U) == 0x80U; };
    unsigned char const lead = at(0);
    if (lead < 0x80) return 1;
    if (lead < 0xc2 || lead > 0xf4) return 0;
    if (lead < 0xe0) return text.size() >= 2 && tail(1) ? 2 : 0;
    if (lead < 0xf0) {
        if (text.size() < 3 || !tail(1) || !tail(2)) return 0;
        if (lead == 0xe0 && at(1) < 0xa0) return 0; // overlong
        if (lead == 0xed && at(1) > 0x9f) return 0; // a surrogate
        return 3;
    }
    if (text.size() < 4 || !tail(1) || !tail(2) || !tail(3)) return 0;
    if (lead == 0xf0 && at(1) < 0x90) return 0; // overlong
    if (lead == 0xf4 && at(1) > 0x8f) return 0; // beyond U+10FFFF
    return 4;
}

// Appends a JSON string with its quotes; false when the text is not UTF-8. With `replace`, U+FFFD
// stands for each byte that is not.
inline bool append_string(std::string& out, std::string_view text, bool replace) {
    out += '"';
    std::size_t done = 0;
    std::size_t at = 0;
    while (at < text.size()) {
        auto const c = static_cast<unsigned char>(text[at]);
        if (c >= 0x80) {
            auto const length = utf8_length(text.substr(at));
            if (length == 0) {
                if (!replace) return false;
                out.append(text, done, at - done);
                out += "\xef\xbf\xbd";
                done = ++at;
                continue;
            }
            at += length;
            continue;
        }
        if (c >= 0x20 && c != '"' && c != '\\') {
            ++at;
            continue;
        }
        out.append(text, done, at - done);
        done = ++at;
        switch (c) {
        case '"': out += "\\\""; break;
        case '\\': out += "\\\\"; break;
        case '\b': out += "\\b"; break;
        case '\f': out += "\\f"; break;
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        default: {
            constexpr char digits[] = "0123456789abcdef";
            out += "\\u00";
            out += digits[c >> 4U];
            out += digits[c & 15U];
        }
        }
    }
    out.append(text, done);
    out += '"';
    return true;
}

} // namespace highlevel::json::detail
