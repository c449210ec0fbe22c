// SPDX-License-Identifier: BSL-1.0
//
// What the X-RateLimit-* response headers say, read without trust: a value that cannot be right is
// treated as absent, since a limiter that believes garbage does worse than one that knows nothing.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace highlevel::quota {

namespace detail {

[[nodiscard]] constexpr char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// `lowered` must be lower case.
[[nodiscard]] constexpr bool equals_lowered(
    std::string_view text, std::string_view lowered) noexcept {
    if (text.size() != lowered.size()) return false;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (lower(text[i]) != lowered[i]) return false;
    return true;
}

[[nodiscard]] constexpr std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

/// Decimal digits only, no sign, no fraction, no overflow.
[[nodiscard]] constexpr std::optional<std::int64_t> parse_count(std::string_view text) noexcept {
    text = trim(text);
    if (text.empty()) return std::nullopt;
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    std::int64_t value = 0;
    for (char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        std::int64_t const digit = c - '0';
        if (value > (most - digit) / 10) return std::nullopt;
        value = value * 10 + digit;
    }
    return value;
}

} // namespace detail

/// The rate limit headers of one response.
///
/// Source: HighLevel's "Rate limits" page names the first five headers; the reset time was only
/// seen on the wire. Counts may be stale by the time they arrive: they are evidence, not state.
/// Thread safety: distinct objects: safe; shared objects: safe to read.
class rate_headers {
public:
    rate_headers() = default;

    /// `x-ratelimit-limit-daily`: requests per day.
    std::optional<std::int64_t> limit_daily;
    /// `x-ratelimit-daily-remaining`: requests left of the day.
    std::optional<std::int64_t> daily_remaining;
    /// `x-ratelimit-max`: requests per interval.
    std::optional<std::int64_t> max;
    /// `x-ratelimit-remaining`: requests left of the interval.
    std::optional<std::int64_t> remaining;
    /// `x-ratelimit-interval-milliseconds`: length of the interval.
    std::optional<std::int64_t> interval_ms;
    /// `x-ratelimit-daily-reset`: milliseconds from the response to the next day's budget. A
    /// duration, not a time of day.
    std::optional<std::int64_t> daily_reset_ms;

    /// Takes a header in if it is one of the six (letter case does not matter) and its value is a
    /// plain non-negative decimal number; anything else changes nothing.
    void observe(std::string_view name, std::string_view value) noexcept {
        constexpr std::string_view prefix = "x-ratelimit-";
        if (name.size() <= prefix.size() ||
            !detail::equals_lowered(name.substr(0, prefix.size()), prefix))
            return;
        name.remove_prefix(prefix.size());
        auto const take = [&](std::string_view which, std::optional<std::int64_t>& into) {
            if (!detail::equals_lowered(name, which)) return;
            if (auto const parsed = detail::parse_count(value)) into = parsed;
        };
        take("limit-daily", limit_daily);
        take("daily-remaining", daily_remaining);
        take("max", max);
        take("remaining", remaining);
        take("interval-milliseconds", interval_ms);
        take("daily-reset", daily_reset_ms);
    }

    /// True when no header was understood.
    [[nodiscard]] bool empty() const noexcept {
        return !limit_daily && !daily_remaining && !max && !remaining && !interval_ms &&
            !daily_reset_ms;
    }

    [[nodiscard]] friend bool operator==(const rate_headers&, const rate_headers&) = default;
};

namespace detail {

/// Cuts `text` at the first of `separators` and returns what stood before it.
[[nodiscard]] constexpr std::string_view cut(
    std::string_view& text, std::string_view separators) noexcept {
    auto const at = text.find_first_of(separators);
    auto const head = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    return head;
}

[[nodiscard]] constexpr std::optional<unsigned> parse_month(std::string_view text) noexcept {
    constexpr std::string_view names = "janfebmaraprmayjunjulaugsepoctnovdec";
    if (text.size() != 3) return std::nullopt;
    for (unsigned m = 0; m < 12; ++m)
        if (equals_lowered(text, names.substr(m * std::size_t{3}, 3))) return m + 1;
    return std::nullopt;
}

/// The three forms of RFC 9110 section 5.6.7: IMF-fixdate, RFC 850 and asctime.
[[nodiscard]] inline std::optional<std::chrono::sys_seconds> parse_http_date(
    std::string_view text, std::chrono::system_clock::time_point now) noexcept {
    namespace ch = std::chrono;
    text = trim(text);
    std::string_view day;
    std::string_view month;
    std::string_view year;
    std::string_view clock;
    bool short_year = false;
    if (auto const comma = text.find(','); comma != std::string_view::npos) {
        std::string_view rest = trim(text.substr(comma + 1));
        if (rest.find('-') != std::string_view::npos) {
            day = cut(rest, "-");
            month = cut(rest, "-");
            year = cut(rest, " ");
            short_year = year.size() == 2;
        } else {
            day = cut(rest, " ");
            month = cut(rest, " ");
            year = cut(rest, " ");
        }
        clock = cut(rest, " ");
        if (!equals_lowered(trim(rest), "gmt")) return std::nullopt;
    } else {
        std::string_view rest = text;
        (void)cut(rest, " ");
        month = cut(rest, " ");
        rest = trim(rest);
        day = cut(rest, " ");
        clock = cut(rest, " ");
        year = trim(rest);
    }
    auto const m = parse_month(month);
    auto const d = parse_count(day);
    auto const y = parse_count(year);
    auto const hours = parse_count(cut(clock, ":"));
    auto const minutes = parse_count(cut(clock, ":"));
    auto const seconds = parse_count(clock);
    if (!m || !d || !y || !hours || !minutes || !seconds) return std::nullopt;
    if (*d < 1 || *d > 31 || *hours > 23 || *minutes > 59 || *seconds > 60) return std::nullopt;
    if (year.size() != (short_year ? 2U : 4U)) return std::nullopt;
    std::int64_t full_year = *y;
    if (short_year) {
        // RFC 9110: a two-digit year that seems more than 50 years ahead is in the past.
        auto const this_year =
            static_cast<int>(ch::year_month_day{ch::floor<ch::days>(now)}.year());
        full_year += this_year - this_year % 100;
        if (full_year > this_year + 50) full_year -= 100;
    }
    auto const date =
        ch::year{static_cast<int>(full_year)} / ch::month{*m} / ch::day{static_cast<unsigned>(*d)};
    if (!date.ok()) return std::nullopt;
    return ch::sys_days{date} + ch::hours{*hours} + ch::minutes{*minutes} + ch::seconds{*seconds};
}

} // namespace detail

/// The delay that a `Retry-After` header asks for (RFC 9110 section 10.2.3): a number of seconds,
/// or an HTTP date, which is compared with `now`; a date in the past means zero. Garbage, and
/// delays of more than a year, give nothing.
[[nodiscard]] inline std::optional<std::chrono::milliseconds> parse_retry_after(
    std::string_view value, std::chrono::system_clock::time_point now) {
    namespace ch = std::chrono;
    constexpr ch::seconds most = ch::hours{24 * 365};
    if (auto const seconds = detail::parse_count(value)) {
        if (*seconds > most.count()) return std::nullopt;
        return ch::seconds{*seconds};
    }
    auto const date = detail::parse_http_date(value, now);
    if (!date) return std::nullopt;
    // Compared in seconds first: the difference of far dates overflows in nanoseconds.
    auto const whole = *date - ch::floor<ch::seconds>(now);
    if (whole > most) return std::nullopt;
    if (whole <= ch::seconds::zero()) return ch::milliseconds::zero();
    return ch::ceil<ch::milliseconds>(*date - now);
}

} // namespace highlevel::quota
