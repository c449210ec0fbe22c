// SPDX-License-Identifier: BSL-1.0
//
// JSON text (RFC 8259) in one piece to the reader. Boost.JSON's parser can go on after a part of
// the text, which nothing here needs, and for that has each function several times: it took a
// compiler longer than the rest of the codec.
#pragma once

#include <highlevel/error.hpp>
#include <highlevel/json/decode_options.hpp>
#include <highlevel/json/detail/reader.hpp>
#include <highlevel/json/detail/text.hpp>
#include <highlevel/json/diagnostics.hpp>

#include <boost/json/error.hpp>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#if defined(__SSE2__)
#    include <emmintrin.h>
#endif

namespace highlevel::json::detail {

// Reads one text, which must outlive it. Its functions take the place where they begin and give the
// one behind what they read, or null. A place kept in a member would be written by each of them and
// waited for by the next.
class parser {
public:
    parser(std::string_view text, const decode_options& options, reader& to)
        : begin_(text.data()),
          end_(begin_ + text.size()),
          depth_left_(options.max_depth),
          strict_(options.strict),
          to_(to) {
        to.text(text);
    }
    parser(const parser&) = delete;
    parser& operator=(const parser&) = delete;

    // False when the text is not JSON or the reader refused something: then failure() says what,
    // and offset() where.
    [[nodiscard]] bool run() {
        const char* at = value(begin_);
        if (at == nullptr) return false;
        at = skip_blanks(at);
        return at == end_ || fail(error::extra_data, at) != nullptr;
    }

    [[nodiscard]] const error_code& failure() const noexcept { return failure_; }
    [[nodiscard]] std::size_t offset() const noexcept {
        return failure_ ? static_cast<std::size_t>(failed_at_ - begin_) : 0;
    }

private:
    using error = boost::json::error;

    const char* fail(error why, const char* at) {
        failure_ = why;
        failed_at_ = at;
        return nullptr;
    }
    // A character that cannot stand here, or none where one must.
    const char* fail_here(const char* at) {
        return fail(at == end_ ? error::incomplete : error::syntax, at);
    }

    // The same place, unless the reader does not want what it was told.
    const char* told(bool good, const char* at) {
        if (good) return at;
        failure_ = errc::decode_failed;
        failed_at_ = at;
        return nullptr;
    }

    [[nodiscard]] bool is(const char* at, char c) const noexcept { return at != end_ && *at == c; }
    [[nodiscard]] static bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

    [[nodiscard]] const char* skip_blanks(const char* at) const noexcept {
        while (at != end_ && (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r'))
            ++at;
        return at;
    }
    // The place where `c` is, if only blanks are before it. Servers write none.
    [[nodiscard]] const char* seek(const char* at, char c) const noexcept {
        return is(at, c) ? at : skip_blanks(at);
    }

    // Recurses once for each level, of which there are not too many.
    const char* value(const char* at) {
        for (;;) {
            switch (at == end_ ? '\0' : *at) {
            case '"': {
                std::string_view text;
                at = string(at, text);
                return at != nullptr ? told(to_.on_string(text), at) : at;
            }
            case '{': return object(at);
            case '[': return array(at);
            case 't': return literal(at, "true") ? told(to_.on_bool(true), at + 4) : nullptr;
            case 'f': return literal(at, "false") ? told(to_.on_bool(false), at + 5) : nullptr;
            case 'n': return literal(at, "null") ? told(to_.on_null(), at + 4) : nullptr;
            case '-':
            case '0':
            case '1':
            case '2':
            case '3':
            case '4':
            case '5':
            case '6':
            case '7':
            case '8':
            case '9': return number(at);
            case ' ':
            case '\n':
            case '\t':
            case '\r': at = skip_blanks(at); break;
            default: return fail_here(at);
            }
        }
    }

    const char* object(const char* at) {
        if (depth_left_ == 0) return fail(error::too_deep, at);
        --depth_left_;
        if (!told(to_.on_object_begin(), at)) return nullptr;
        std::size_t size = 0;
        at = seek(at + 1, '"');
        if (!is(at, '}')) {
            for (;; at = seek(at + 1, '"')) {
                std::string_view key;
                if (!is(at, '"')) return fail_here(at);
                at = string(at, key);
                if (at == nullptr || !told(to_.on_key(key), at)) return nullptr;
                at = seek(at, ':');
                if (!is(at, ':')) return fail_here(at);
                at = value(at + 1);
                if (at == nullptr) return at;
                ++size;
                at = seek(at, ',');
                if (!is(at, ',')) break;
            }
            if (!is(at, '}')) return fail_here(at);
        }
        ++depth_left_;
        return told(to_.on_object_end(size), at + 1);
    }

    const char* array(const char* at) {
        if (depth_left_ == 0) return fail(error::too_deep, at);
        --depth_left_;
        if (!told(to_.on_array_begin(), at)) return nullptr;
        std::size_t size = 0;
        at = skip_blanks(at + 1);
        if (!is(at, ']')) {
            for (;; ++at) {
                at = value(at);
                if (at == nullptr) return at;
                ++size;
                at = seek(at, ',');
                if (!is(at, ',')) break;
            }
            if (!is(at, ']')) return fail_here(at);
        }
        ++depth_left_;
        return told(to_.on_array_end(size), at + 1);
    }

    bool literal(const char* at, std::string_view word) {
        for (char const c : word) {
            if (!is(at, c)) return fail_here(at) != nullptr;
            ++at;
        }
        return true;
    }

    // The first character from `at` on that does not stand for itself in a string.
    [[nodiscard]] const char* plain_until(const char* at) const noexcept {
#if defined(__SSE2__)
        for (; end_ - at >= 16; at += 16) {
            auto const bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
            auto const quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
            auto const backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
            auto const control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
            auto const found = static_cast<unsigned>(
                _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(quote, backslash), control)));
            if (found != 0) return at + std::countr_zero(found);
        }
#endif
        if constexpr (std::endian::native == std::endian::little) {
            constexpr std::uint64_t ones = 0x0101'0101'0101'0101;
            constexpr std::uint64_t highs = ones * 0x80;
            for (; end_ - at >= 8; at += 8) {
                std::uint64_t word = 0;
                std::memcpy(&word, at, sizeof word);
                auto const quote = word ^ ones * '"';
                auto const backslash = word ^ ones * '\\';
                // The lowest bit that is left is right; those above it may be wrong.
                auto const found = (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) |
                                    ((word - ones * 0x20) & ~word)) &
                    highs;
                if (found != 0) return at + (std::countr_zero(found) >> 3);
            }
        }
        while (at != end_ && *at != '"' && *at != '\\' && static_cast<unsigned char>(*at) >= 0x20)
            ++at;
        return at;
    }

    // Gives the text between quotes: a part of the whole, or when it has escapes, of `unescaped_`.
    const char* string(const char* at, std::string_view& text) {
        const char* const from = at + 1;
        at = plain_until(from);
        if (is(at, '"'))
            text = {from, static_cast<std::size_t>(at - from)};
        else
            at = unescape(from, at, text);
        if (at == nullptr) return at;
        if (strict_ && !is_utf8(text)) return fail(error::syntax, at);
        if (std::exchange(halved_, false))
            to_.note(bend::lone_surrogate, "half of a surrogate pair was replaced");
        return at + 1;
    }

    // The rest of a string that began at `from` and has something special at `at`. Gives its end.
    const char* unescape(const char* from, const char* at, std::string_view& text) {
        unescaped_.clear();
        while (is(at, '\\')) {
            unescaped_.append(from, at);
            from = escape(at + 1);
            if (from == nullptr) return from;
            at = plain_until(from);
        }
        if (!is(at, '"')) return fail_here(at);
        unescaped_.append(from, at);
        text = unescaped_;
        return at;
    }

    [[nodiscard]] static bool is_utf8(std::string_view text) noexcept {
        while (!text.empty()) {
            auto const length = utf8_length(text);
            if (length == 0) return false;
            text.remove_prefix(length);
        }
        return true;
    }

    // What a backslash began.
    const char* escape(const char* at) {
        char c = 0;
        switch (at == end_ ? '\0' : *at) {
        case '"':
        case '\\':
        case '/': c = *at; break;
        case 'b': c = '\b'; break;
        case 'f': c = '\f'; break;
        case 'n': c = '\n'; break;
        case 'r': c = '\r'; break;
        case 't': c = '\t'; break;
        case 'u': return code_point(at + 1);
        default: return fail_here(at);
        }
        unescaped_ += c;
        return at + 1;
    }

    // Four hexadecimal digits.
    const char* unit(const char* at, std::uint32_t& made) {
        made = 0;
        for (int i = 0; i < 4; ++i, ++at) {
            if (at == end_) return fail(error::incomplete, at);
            auto const digit = hex_digit(*at);
            if (digit > 15) return fail(error::expected_hex_digit, at);
            made = made * 16 + digit;
        }
        return at;
    }

    // What follows \u, with the other half of a surrogate pair (RFC 8259 section 7).
    const char* code_point(const char* at) {
        std::uint32_t point = 0;
        at = unit(at, point);
        if (at == nullptr) return at;
        if (point >= 0xdc00 && point < 0xe000) return half(error::illegal_trailing_surrogate, at);
        if (point >= 0xd800 && point < 0xdc00) {
            if (end_ - at < 2 || at[0] != '\\' || at[1] != 'u')
                return half(error::expected_utf16_escape, at);
            std::uint32_t second = 0;
            const char* const behind = unit(at + 2, second);
            if (behind == nullptr) return behind;
            if (second < 0xdc00 || second >= 0xe000)
                return half(error::illegal_leading_surrogate, at);
            at = behind;
            point = 0x10000 + ((point - 0xd800) << 10U) + (second - 0xdc00);
        }
        append_utf8(unescaped_, point);
        return at;
    }

    // Half of a surrogate pair, which JavaScript servers write where they cut a text in the middle
    // of an emoji: U+FFFD stands for it unless that is an error.
    const char* half(error why, const char* at) {
        if (strict_) return fail(why, at);
        append_utf8(unescaped_, 0xfffd);
        halved_ = true;
        return at;
    }

    const char* digits(const char* at) {
        if (at == end_ || !is_digit(*at)) return fail_here(at);
        while (at != end_ && is_digit(*at))
            ++at;
        return at;
    }

    // An integer if it is written as one and fits, otherwise a double.
    const char* number(const char* const from) {
        bool const negative = *from == '-';
        const char* const whole = negative ? from + 1 : from;
        const char* const whole_end = is(whole, '0') ? whole + 1 : digits(whole);
        const char* at = whole_end;
        if (at != nullptr && is(at, '.')) at = digits(at + 1);
        if (at != nullptr && (is(at, 'e') || is(at, 'E'))) {
            ++at;
            at = digits(is(at, '+') || is(at, '-') ? at + 1 : at);
        }
        if (at == nullptr) return at;
        std::string_view const text(from, static_cast<std::size_t>(at - from));
        std::uint64_t magnitude = 0;
        if (whole_end == at && std::from_chars(whole, whole_end, magnitude).ec == std::errc{}) {
            constexpr std::uint64_t limit = std::numeric_limits<std::int64_t>::max();
            if (negative && magnitude <= limit + 1)
                return told(to_.on_int64(static_cast<std::int64_t>(0 - magnitude), text), at);
            if (!negative && magnitude <= limit)
                return told(to_.on_int64(static_cast<std::int64_t>(magnitude), text), at);
            if (!negative) return told(to_.on_uint64(magnitude, text), at);
        }
        double made = 0;
        if (std::from_chars(from, at, made).ec != std::errc{}) {
            // Beyond what a double holds, or so near to 0 that nothing is left.
            bool const large = decimal_exponent(text) > 0;
            made = large ? std::numeric_limits<double>::infinity() : 0.0;
            if (negative) made = -made;
        }
        return told(to_.on_double(made, text), at);
    }

    // Of a number that is out of range: about the power of ten of its first digit that is not 0.
    [[nodiscard]] static std::int64_t decimal_exponent(std::string_view text) noexcept {
        std::int64_t power = -1;
        bool behind_point = false;
        bool found = false;
        std::size_t at = text.front() == '-' ? 1 : 0;
        for (; at < text.size() && text[at] != 'e' && text[at] != 'E'; ++at) {
            if (text[at] == '.') {
                behind_point = true;
                continue;
            }
            if (behind_point && !found) --power;
            found = found || text[at] != '0';
            if (!behind_point && found) ++power;
        }
        std::int64_t shift = 0;
        if (at < text.size()) {
            ++at;
            bool const down = text[at] == '-';
            if (down || text[at] == '+') ++at;
            auto const read = std::from_chars(text.data() + at, text.data() + text.size(), shift);
            // More than any text has digits, and far from an overflow of the sum.
            constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / 2;
            shift = read.ec == std::errc{} ? std::min(shift, most) : most;
            if (down) shift = -shift;
        }
        return power + shift;
    }

    const char* begin_;
    const char* end_;
    const char* failed_at_ = nullptr;
    std::size_t depth_left_;
    bool strict_;
    // Whether the string that is read has lost half of a surrogate pair.
    bool halved_ = false;
    reader& to_;
    error_code failure_;
    std::string unescaped_;
};

} // namespace highlevel::json::detail
