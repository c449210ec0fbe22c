// SPDX-License-Identifier: BSL-1.0
//
// Tests of quota/headers.hpp: what is understood, and above all what is not believed.
#include "support/catch.hpp"

#include <highlevel/quota/headers.hpp>

#include <chrono>
#include <string>

namespace quota_headers_tests {

using highlevel::quota::parse_retry_after;
using highlevel::quota::rate_headers;
namespace ch = std::chrono;

TEST_CASE("rate_headers_are_read_whatever_their_letter_case", "[quota]") {
    rate_headers h;
    CHECK(h.empty());
    h.observe("X-RateLimit-Limit-Daily", "200000");
    h.observe("x-ratelimit-daily-remaining", "199999");
    h.observe("X-RATELIMIT-MAX", "100");
    h.observe("X-RateLimit-Remaining", " 99 ");
    h.observe("X-RateLimit-Interval-Milliseconds", "10000");
    h.observe("x-ratelimit-daily-reset", "49013000");
    CHECK_FALSE(h.empty());
    CHECK(h.limit_daily == 200000);
    CHECK(h.daily_remaining == 199999);
    CHECK(h.max == 100);
    CHECK(h.remaining == 99);
    CHECK(h.interval_ms == 10000);
    CHECK(h.daily_reset_ms == 49013000);
}

TEST_CASE("rate_headers_that_cannot_be_right_are_absent", "[quota]") {
    for (std::string const value :
         {"", " ", "-1", "+1", "1.5", "1e3", "ten", "100,", "100;w=10", "0x10",
          "9223372036854775808", "99999999999999999999999", "1 2"}) {
        rate_headers h;
        h.observe("x-ratelimit-max", value);
        INFO('"' << value << '"');
        CHECK(h.empty());
    }
    rate_headers h;
    h.observe("x-ratelimit-remaining", "9223372036854775807");
    CHECK(h.remaining == INT64_MAX);
}

TEST_CASE("other_headers_are_not_taken_for_rate_headers", "[quota]") {
    rate_headers h;
    for (auto const* name :
         {"", "x-ratelimit", "x-ratelimit-", "x-ratelimit-maximum", "x-ratelimit-ma",
          "ratelimit-max", "xx-ratelimit-max", "x-ratelimit-reset"})
        h.observe(name, "5");
    CHECK(h.empty());
}

TEST_CASE("garbage_after_a_good_value_keeps_the_good_one", "[quota]") {
    rate_headers h;
    h.observe("x-ratelimit-max", "100");
    h.observe("x-ratelimit-max", "many");
    CHECK(h.max == 100);
}

TEST_CASE("retry_after_is_seconds_or_any_http_date", "[quota]") {
    auto const now =
        ch::sys_days{ch::year{1994} / 11 / 6} + ch::hours{8} + ch::minutes{49} + ch::seconds{7};
    CHECK(parse_retry_after("120", now) == ch::seconds{120});
    CHECK(parse_retry_after(" 0 ", now) == ch::seconds{0});
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:37 GMT", now) == ch::seconds{30});
    CHECK(parse_retry_after("Sunday, 06-Nov-94 08:49:37 GMT", now) == ch::seconds{30});
    CHECK(parse_retry_after("Sun Nov  6 08:49:37 1994", now) == ch::seconds{30});
    // The past means now.
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now) == ch::seconds{0});
    CHECK(parse_retry_after("Thu, 01 Jan 1970 00:00:00 GMT", now) == ch::seconds{0});
    // A fraction of a second is waited out.
    CHECK(
        parse_retry_after("Sun, 06 Nov 1994 08:49:08 GMT", now + ch::milliseconds{250}) ==
        ch::milliseconds{750});
}

TEST_CASE("two_digit_year_far_ahead_is_in_the_past", "[quota]") {
    auto const now = ch::sys_days{ch::year{2026} / 1 / 1};
    CHECK(parse_retry_after("Sunday, 06-Nov-94 08:49:37 GMT", now) == ch::seconds{0});
    CHECK(parse_retry_after("Thursday, 01-Jan-26 00:01:00 GMT", now) == ch::seconds{60});
}

TEST_CASE("retry_after_that_cannot_be_right_is_absent", "[quota]") {
    auto const now = ch::sys_days{ch::year{2026} / 1 / 1};
    for (std::string const value :
         {"", "-1", "1.5", "soon", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
          "Sun, 31 Feb 2026 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT",
          "Sun, 06 Xyz 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49 GMT",
          "Sun, 6 Nov 994 08:49:37 GMT", ",", "GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "99999999999",
          "99999999999999999999"}) {
        INFO('"' << value << '"');
        CHECK_FALSE(parse_retry_after(value, now));
    }
}

} // namespace quota_headers_tests
