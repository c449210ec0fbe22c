// SPDX-License-Identifier: BSL-1.0
//
// The API writes time in five ways, often two of them in one record. All become one type here, and
// go back in the form that an endpoint wants.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Points in time as the API writes them.
///
/// Parsers take the whole text or nothing: what is not exactly the form gives nothing, a date that
/// no calendar has included. Formats are of UTC.
///
/// Thread safety: all functions: safe.
namespace highlevel::time {

/// Milliseconds since 1970 in UTC, without leap seconds.
using point = std::chrono::sys_time<std::chrono::milliseconds>;

namespace detail {

/// Reads a text from left to right; once something did not fit, everything fails.
class scanner {
public:
    constexpr explicit scanner(std::string_view text) noexcept : text_(text) {}

    [[nodiscard]] constexpr bool good() const noexcept { return good_; }
    [[nodiscard]] constexpr bool done() const noexcept { return good_ && text_.empty(); }

    [[nodiscard]] constexpr char peek() const noexcept { return text_.empty() ? '\0' : text_[0]; }

    constexpr bool take(char c) noexcept {
        if (peek() != c || text_.empty()) return false;
        text_.remove_prefix(1);
        return true;
    }
    constexpr void expect(char c) noexcept {
        if (!take(c)) good_ = false;
    }

    /// A number of `least` to `most` digits.
    constexpr int digits(std::size_t least, std::size_t most) noexcept {
        int made = 0;
        std::size_t n = 0;
        for (; n < most && peek() >= '0' && peek() <= '9'; ++n) {
            made = made * 10 + (peek() - '0');
            text_.remove_prefix(1);
        }
        if (n < least) good_ = false;
        return made;
    }

    /// One or more digits after the decimal point, as milliseconds; what is finer is cut off.
    constexpr std::chrono::milliseconds fraction() noexcept {
        std::int64_t made = 0;
        std::int64_t scale = 100;
        if (peek() < '0' || peek() > '9') good_ = false;
        while (peek() >= '0' && peek() <= '9') {
            made += (peek() - '0') * scale;
            scale /= 10;
            text_.remove_prefix(1);
        }
        return std::chrono::milliseconds{made};
    }

private:
    std::string_view text_;
    bool good_ = true;
};

[[nodiscard]] constexpr std::optional<point> midnight(int year, int month, int day) noexcept {
    std::chrono::year_month_day const date{
        std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
        std::chrono::day{static_cast<unsigned>(day)}};
    if (year < 1 || !date.ok()) return std::nullopt;
    return point{std::chrono::sys_days{date}};
}

[[nodiscard]] constexpr std::chrono::milliseconds clock_time(
    int hour, int minute, int second) noexcept {
    return std::chrono::hours{hour} + std::chrono::minutes{minute} + std::chrono::seconds{second};
}

/// Appends a number with at least `width` digits.
inline void put(std::string& out, std::int64_t number, std::size_t width) {
    auto const text = std::to_string(number);
    if (text.size() < width) out.append(width - text.size(), '0');
    out += text;
}

/// The parts of a point that the formats are made of.
class parts {
public:
    explicit parts(point at)
        : date(std::chrono::floor<std::chrono::days>(at)),
          of_day(at - std::chrono::floor<std::chrono::days>(at)) {}

    [[nodiscard]] std::int64_t year() const { return static_cast<int>(date.year()); }
    [[nodiscard]] std::int64_t month() const { return static_cast<unsigned>(date.month()); }
    [[nodiscard]] std::int64_t day() const { return static_cast<unsigned>(date.day()); }

    std::chrono::year_month_day date;
    std::chrono::hh_mm_ss<std::chrono::milliseconds> of_day;
};

} // namespace detail

/// From milliseconds since 1970: most numbers of the API (`startAfter`, calendar events,
/// conversations).
[[nodiscard]] constexpr point from_milliseconds(std::int64_t count) noexcept {
    return point{std::chrono::milliseconds{count}};
}
[[nodiscard]] constexpr std::int64_t to_milliseconds(point at) noexcept {
    return at.time_since_epoch().count();
}

/// From seconds since 1970: `scheduledTimestamp` of messages. Nothing when out of range.
[[nodiscard]] constexpr std::optional<point> from_seconds(std::int64_t count) noexcept {
    constexpr std::int64_t bound = std::int64_t{1} << 52U;
    if (count > bound || count < -bound) return std::nullopt;
    return point{std::chrono::seconds{count}};
}
/// Rounds down.
[[nodiscard]] constexpr std::int64_t to_seconds(point at) noexcept {
    return std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
}

/// Reads ISO 8601: `2021-07-02T05:18:26.704Z`, `2021-07-02T10:48:26+05:30`, `2021-07-02 05:18`,
/// `2021-07-02`. Seconds, fraction and zone may be missing; without a zone it is UTC, as the API
/// means it. What is finer than a millisecond is cut off.
[[nodiscard]] constexpr std::optional<point> parse_iso(std::string_view text) noexcept {
    detail::scanner in{text};
    int const year = in.digits(4, 4);
    in.expect('-');
    int const month = in.digits(2, 2);
    in.expect('-');
    int const day = in.digits(2, 2);
    if (!in.good()) return std::nullopt;
    auto const date = detail::midnight(year, month, day);
    if (!date || in.done()) return date;

    if (!in.take('T') && !in.take('t') && !in.take(' ')) return std::nullopt;
    int const hour = in.digits(2, 2);
    in.expect(':');
    int const minute = in.digits(2, 2);
    int const second = in.take(':') ? in.digits(2, 2) : 0;
    std::chrono::milliseconds const fraction =
        in.take('.') ? in.fraction() : std::chrono::milliseconds{0};
    if (!in.good() || hour > 23 || minute > 59 || second > 59) return std::nullopt;
    auto const local = *date + detail::clock_time(hour, minute, second) + fraction;
    if (in.done() || ((in.take('Z') || in.take('z')) && in.done())) return local;

    bool const east = in.take('+');
    if (!east) in.expect('-');
    int const hours = in.digits(2, 2);
    bool const colon = in.take(':');
    int const minutes = in.done() && !colon ? 0 : in.digits(2, 2);
    if (!in.done() || hours > 23 || minutes > 59) return std::nullopt;
    auto const offset = detail::clock_time(hours, minutes, 0);
    return east ? local - offset : local + offset;
}

/// Reads `MM-DD-YYYY`, the `date` and `endDate` of opportunities; the start of that day.
[[nodiscard]] constexpr std::optional<point> parse_month_day_year(std::string_view text) noexcept {
    detail::scanner in{text};
    int const month = in.digits(2, 2);
    in.expect('-');
    int const day = in.digits(2, 2);
    in.expect('-');
    int const year = in.digits(4, 4);
    if (!in.done()) return std::nullopt;
    return detail::midnight(year, month, day);
}

/// Reads the text that JavaScript's `toLocaleString("en-US")` makes, `10/28/2022, 6:24:54 PM`, or
/// its date alone. The space before AM or PM may be the narrow no-break space of newer servers.
///
/// The text has no zone: `zone` is how far its clock is ahead of UTC, by default not at all.
[[nodiscard]] constexpr std::optional<point> parse_en_us(
    std::string_view text, std::chrono::minutes zone = std::chrono::minutes{0}) noexcept {
    detail::scanner in{text};
    int const month = in.digits(1, 2);
    in.expect('/');
    int const day = in.digits(1, 2);
    in.expect('/');
    int const year = in.digits(4, 4);
    if (!in.good()) return std::nullopt;
    auto const date = detail::midnight(year, month, day);
    if (!date) return std::nullopt;
    if (in.done()) return *date - zone;

    in.expect(',');
    in.expect(' ');
    int const hour = in.digits(1, 2);
    in.expect(':');
    int const minute = in.digits(2, 2);
    int const second = in.take(':') ? in.digits(2, 2) : 0;
    if (!in.take(' ')) {
        for (char const c : std::string_view{"\xe2\x80\xaf"})
            in.expect(c);
    }
    bool const afternoon = in.take('P');
    if (!afternoon) in.expect('A');
    in.expect('M');
    if (!in.done() || hour < 1 || hour > 12 || minute > 59 || second > 59) return std::nullopt;
    return *date + detail::clock_time(hour % 12 + (afternoon ? 12 : 0), minute, second) - zone;
}

/// Reads any of the forms: ISO 8601, `MM-DD-YYYY`, en-US text, or digits (with a sign or without)
/// as milliseconds since 1970. Seconds cannot be told from milliseconds and are never guessed: use
/// `from_seconds` where an endpoint sends them.
[[nodiscard]] constexpr std::optional<point> parse(std::string_view text) noexcept {
    if (auto const iso = parse_iso(text)) return iso;
    if (auto const date = parse_month_day_year(text)) return date;
    if (auto const local = parse_en_us(text)) return local;
    bool const negative = text.starts_with('-');
    if (negative) text.remove_prefix(1);
    // 18 digits fit into 64 bits.
    if (text.empty() || text.size() > 18) return std::nullopt;
    std::int64_t made = 0;
    for (char const c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        made = made * 10 + (c - '0');
    }
    return from_milliseconds(negative ? -made : made);
}

/// `2021-07-02T05:18:26.704Z`; always with milliseconds. For years 1 to 9999.
[[nodiscard]] inline std::string to_iso(point at) {
    detail::parts const p{at};
    std::string out;
    detail::put(out, p.year(), 4);
    out += '-';
    detail::put(out, p.month(), 2);
    out += '-';
    detail::put(out, p.day(), 2);
    out += 'T';
    detail::put(out, p.of_day.hours().count(), 2);
    out += ':';
    detail::put(out, p.of_day.minutes().count(), 2);
    out += ':';
    detail::put(out, p.of_day.seconds().count(), 2);
    out += '.';
    detail::put(out, p.of_day.subseconds().count(), 3);
    out += 'Z';
    return out;
}

/// `2021-07-02`, as DATE custom fields keep it; they drop the time of day without saying so.
[[nodiscard]] inline std::string to_iso_date(point at) {
    return to_iso(at).substr(0, 10);
}

/// `07-02-2021`.
[[nodiscard]] inline std::string to_month_day_year(point at) {
    detail::parts const p{at};
    std::string out;
    detail::put(out, p.month(), 2);
    out += '-';
    detail::put(out, p.day(), 2);
    out += '-';
    detail::put(out, p.year(), 4);
    return out;
}

/// `7/2/2021, 5:18:26 AM`. Drops the milliseconds.
[[nodiscard]] inline std::string to_en_us(point at) {
    detail::parts const p{at};
    auto const hour = p.of_day.hours().count();
    std::string out;
    detail::put(out, p.month(), 1);
    out += '/';
    detail::put(out, p.day(), 1);
    out += '/';
    detail::put(out, p.year(), 4);
    out += ", ";
    detail::put(out, hour % 12 == 0 ? 12 : hour % 12, 1);
    out += ':';
    detail::put(out, p.of_day.minutes().count(), 2);
    out += ':';
    detail::put(out, p.of_day.seconds().count(), 2);
    out += hour < 12 ? " AM" : " PM";
    return out;
}

} // namespace highlevel::time
