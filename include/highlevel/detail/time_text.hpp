// SPDX-License-Identifier: BSL-1.0
//
// Points in time as the API writes them, "2021-07-02T05:18:26.704Z", and back.
#pragma once

#include <charconv>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace highlevel::detail {

/// A point in time as the API knows it.
using timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

[[nodiscard]] inline std::int64_t milliseconds_of(timestamp t) noexcept {
    return t.time_since_epoch().count();
}

/// ISO 8601 in UTC with milliseconds.
[[nodiscard]] inline std::string iso_text(timestamp t) {
    auto const day = std::chrono::floor<std::chrono::days>(t);
    std::chrono::year_month_day const date(day);
    std::chrono::hh_mm_ss const time(t - day);
    std::string out(24, '0');
    auto const put = [&](std::size_t at, std::size_t width, std::int64_t number) {
        for (auto i = width; i-- > 0; number /= 10)
            out[at + i] = static_cast<char>('0' + number % 10);
    };
    put(0, 4, static_cast<int>(date.year()));
    put(5, 2, static_cast<unsigned>(date.month()));
    put(8, 2, static_cast<unsigned>(date.day()));
    put(11, 2, time.hours().count());
    put(14, 2, time.minutes().count());
    put(17, 2, time.seconds().count());
    put(20, 3, time.subseconds().count());
    out[4] = out[7] = '-';
    out[10] = 'T';
    out[13] = out[16] = ':';
    out[19] = '.';
    out[23] = 'Z';
    return out;
}

/// Reads `iso_text`'s form, also without the fraction, without the time and with an offset instead
/// of the Z; or milliseconds since 1970 as digits only.
[[nodiscard]] inline std::optional<timestamp> parse_time(std::string_view text) {
    auto const number = [](std::string_view digits) -> std::optional<std::int64_t> {
        std::int64_t n = 0;
        auto const [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), n);
        if (ec != std::errc() || end != digits.data() + digits.size() || digits.empty())
            return std::nullopt;
        return n;
    };
    if (text.find('-') == std::string_view::npos) {
        auto const n = number(text);
        if (!n) return std::nullopt;
        return timestamp(std::chrono::milliseconds(*n));
    }
    if (text.size() < 10 || text[4] != '-' || text[7] != '-') return std::nullopt;
    auto const year = number(text.substr(0, 4));
    auto const month = number(text.substr(5, 2));
    auto const day = number(text.substr(8, 2));
    if (!year || !month || !day) return std::nullopt;
    std::chrono::year_month_day const date(
        std::chrono::year(static_cast<int>(*year)),
        std::chrono::month(static_cast<unsigned>(*month)),
        std::chrono::day(static_cast<unsigned>(*day)));
    if (!date.ok()) return std::nullopt;
    timestamp result = std::chrono::sys_days(date);
    if (text.size() == 10) return result;
    if (text.size() < 19 || text[10] != 'T' || text[13] != ':' || text[16] != ':')
        return std::nullopt;
    auto const hour = number(text.substr(11, 2));
    auto const minute = number(text.substr(14, 2));
    auto const second = number(text.substr(17, 2));
    if (!hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60)
        return std::nullopt;
    result +=
        std::chrono::hours(*hour) + std::chrono::minutes(*minute) + std::chrono::seconds(*second);
    text.remove_prefix(19);
    if (text.starts_with('.')) {
        text.remove_prefix(1);
        std::int64_t scale = 100;
        while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
            result += std::chrono::milliseconds((text.front() - '0') * scale);
            scale /= 10;
            text.remove_prefix(1);
        }
    }
    if (text.empty() || text == "Z") return result;
    if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':')
        return std::nullopt;
    auto const hours = number(text.substr(1, 2));
    auto const minutes = number(text.substr(4, 2));
    if (!hours || !minutes) return std::nullopt;
    auto const offset = std::chrono::hours(*hours) + std::chrono::minutes(*minutes);
    return text[0] == '+' ? result - offset : result + offset;
}

} // namespace highlevel::detail
