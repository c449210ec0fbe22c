// SPDX-License-Identifier: BSL-1.0
//
// A bucket of the sandbox in virtual time: the day on top of the window, the header values, and
// what is counted.
#include "support/catch.hpp"

#include <highlevel/sandbox/meter.hpp>

#include <chrono>

namespace sandbox_meter_tests {

using namespace highlevel::sandbox;
using namespace std::chrono_literals;

TEST_CASE("meter_tells_what_the_headers_say", "[sandbox]") {
    meter m(limiter_kind::log, 100, 10s, 0s, 200'000, 24h);
    auto const first = m.charge(5s);
    CHECK(first.accepted);
    CHECK(first.max == 100);
    CHECK(first.remaining == 99);
    CHECK(first.interval == 10s);
    CHECK(first.daily_limit == 200'000);
    CHECK(first.daily_remaining == 199'999);
    CHECK(first.daily_reset == 24h);
    CHECK(m.charge(65s).daily_reset == 24h - 1min);
}

TEST_CASE("meter_refuses_when_the_day_is_used_up_and_forgives_the_next_day", "[sandbox]") {
    meter m(limiter_kind::log, 100, 10s, 0s, 3, 1h);
    for (int i = 0; i < 3; ++i)
        CHECK(m.charge(0s).accepted);
    auto const refused = m.charge(1min);
    CHECK_FALSE(refused.accepted);
    CHECK(refused.daily);
    CHECK(refused.daily_remaining == 0);
    CHECK(refused.daily_reset == 59min);
    CHECK(m.charge(1h).accepted); // the day began with the first request, not at midnight
    auto const s = m.stats();
    CHECK(s.accepted == 4);
    CHECK(s.refused == 1);
    CHECK(s.refused_daily == 1);
}

TEST_CASE("meter_does_not_charge_the_day_for_a_burst_refusal", "[sandbox]") {
    meter m(limiter_kind::log, 2, 10s, 0s, 100, 24h);
    for (int i = 0; i < 10; ++i)
        (void)m.charge(0s);
    auto const reading = m.look(0s);
    CHECK(reading.remaining == 0);
    CHECK(reading.daily_remaining == 98);
    CHECK(m.stats().refused == 8);
    CHECK(m.stats().refused_daily == 0);
}

TEST_CASE("meter_counts_the_fullest_interval_whatever_the_window", "[sandbox]") {
    meter m(limiter_kind::fixed, 10, 10s, 0s, 1000, 24h);
    for (int i = 0; i < 10; ++i)
        CHECK(m.charge(9s).accepted);
    for (int i = 0; i < 10; ++i)
        CHECK(m.charge(11s).accepted);
    CHECK(m.stats().max_in_window == 20); // what a fixed window lets pass at its edge
    CHECK(m.stats().elapsed == 2s);
    m.reset_stats();
    CHECK(m.stats().accepted == 0);
    CHECK(m.stats().max_in_window == 0);
}

TEST_CASE("meter_daily_remaining_can_be_set", "[sandbox]") {
    meter m(limiter_kind::log, 100, 10s, 0s, 1000, 24h);
    m.set_daily_remaining(1, 0s);
    CHECK(m.charge(0s).accepted);
    CHECK(m.charge(0s).daily);
}

TEST_CASE("quota_used_is_accepted_requests_over_what_the_time_allowed", "[sandbox]") {
    bucket_stats s;
    CHECK(s.quota_used() == 0);
    s.max = 100;
    s.interval = 10s;
    s.accepted = 570;
    s.elapsed = 60s;
    CHECK(s.quota_used() == Approx(0.95));
    s.accepted = 50;
    s.elapsed = 1s;
    CHECK(s.quota_used() == Approx(0.5));
}

} // namespace sandbox_meter_tests
