// SPDX-License-Identifier: BSL-1.0
//
// The `traceparent` header of W3C Trace Context: which trace a request belongs to, and which span
// of it sent the request. Read strictly, made from random numbers, derived for a child.
#pragma once

#include <highlevel/detail/random.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace highlevel {

/// A trace, a span of it, and whether it is recorded.
/// Source: https://www.w3.org/TR/trace-context/#traceparent-header
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
class trace_parent {
public:
    /// A new trace with random ids, from OpenSSL; throws std::runtime_error when it has none.
    [[nodiscard]] static trace_parent random(bool sampled = true) {
        trace_parent made;
        made.flags_ = sampled ? 1 : 0;
        fill(made.trace_);
        fill(made.span_);
        return made;
    }

    /// Reads a header; nothing when it is not exactly what the standard says. Of a version that
    /// is not known yet the part that is known counts, as the standard has it.
    [[nodiscard]] static std::optional<trace_parent> parse(std::string_view text) noexcept {
        constexpr std::size_t length = 55;
        if (text.size() < length || text[2] != '-' || text[35] != '-' || text[52] != '-')
            return std::nullopt;
        std::array<std::uint8_t, 1> version{};
        std::array<std::uint8_t, 1> flags{};
        trace_parent made;
        if (!read(text.substr(0, 2), version) || !read(text.substr(3, 32), made.trace_) ||
            !read(text.substr(36, 16), made.span_) || !read(text.substr(53, 2), flags))
            return std::nullopt;
        if (version[0] == 0xff || is_zero(made.trace_) || is_zero(made.span_)) return std::nullopt;
        bool const longer = text.size() > length;
        if (longer && (version[0] == 0 || text[length] != '-')) return std::nullopt;
        made.flags_ = flags[0] & known_flags;
        return made;
    }

    /// The same trace with a new, random span.
    [[nodiscard]] trace_parent child() const {
        auto made = *this;
        fill(made.span_);
        return made;
    }

    /// Whether the trace is recorded.
    [[nodiscard]] bool sampled() const noexcept { return (flags_ & 1U) != 0; }
    /// 32 hexadecimal digits.
    [[nodiscard]] std::string trace_id() const { return write(trace_); }
    /// 16 hexadecimal digits; the standard calls it parent-id.
    [[nodiscard]] std::string span_id() const { return write(span_); }

    /// The header's value, in version 00.
    [[nodiscard]] std::string text() const {
        std::array<std::uint8_t, 1> const flags{flags_};
        return "00-" + trace_id() + '-' + span_id() + '-' + write(flags);
    }

    friend bool operator==(const trace_parent&, const trace_parent&) = default;

private:
    /// Sampled, and random trace id; the others are to be sent as zero.
    static constexpr std::uint8_t known_flags = 0x03;

    trace_parent() = default;

    template <std::size_t N>
    [[nodiscard]] static bool is_zero(const std::array<std::uint8_t, N>& bytes) noexcept {
        return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
    }

    template <std::size_t N>
    static void fill(std::array<std::uint8_t, N>& bytes) {
        // All zeros would say that there is no id.
        do
            detail::random_bytes(bytes.data(), N);
        while (is_zero(bytes));
    }

    /// Lower case only, as the standard has it.
    template <std::size_t N>
    [[nodiscard]] static bool read(
        std::string_view text, std::array<std::uint8_t, N>& into) noexcept {
        auto const digit = [](char c) {
            if (c >= '0' && c <= '9') return c - '0';
            if (c >= 'a' && c <= 'f') return c - 'a' + 10;
            return -1;
        };
        for (std::size_t i = 0; i < N; ++i) {
            int const high = digit(text[2 * i]);
            int const low = digit(text[2 * i + 1]);
            if (high < 0 || low < 0) return false;
            into[i] = static_cast<std::uint8_t>(high * 16 + low);
        }
        return true;
    }

    template <std::size_t N>
    [[nodiscard]] static std::string write(const std::array<std::uint8_t, N>& bytes) {
        constexpr std::string_view digits = "0123456789abcdef";
        std::string out;
        out.reserve(2 * N);
        for (auto const b : bytes) {
            out += digits[b / 16U];
            out += digits[b % 16U];
        }
        return out;
    }

    std::array<std::uint8_t, 16> trace_{};
    std::array<std::uint8_t, 8> span_{};
    std::uint8_t flags_ = 0;
};

} // namespace highlevel
