// SPDX-License-Identifier: BSL-1.0
//
// Tests of quota/envelope.hpp against counting by hand: never less than any server counts, never
// much more, and open again when it says.
#include "quota/simulator.hpp"
#include "support/catch.hpp"

#include <highlevel/quota/envelope.hpp>

#include <algorithm>
#include <vector>

namespace quota_envelope_tests {

using highlevel::quota::envelope;
using highlevel::quota::detail::nanos;

namespace {

constexpr nanos interval = 10'000'000'000;
constexpr nanos slice = interval / envelope::slices;

/// What a server with two counters holds whose window began at `begin`; arrivals in order.
double weighted(const std::vector<nanos>& arrivals, nanos begin, nanos now) {
    auto const from = [&](nanos t) {
        return std::lower_bound(arrivals.begin(), arrivals.end(), t);
    };
    auto const current = from(now + 1) - from(begin);
    auto const previous = from(begin) - from(begin - interval);
    return static_cast<double>(current) +
        static_cast<double>(previous) *
        (1 - static_cast<double>(now - begin) / static_cast<double>(interval));
}

/// The most that any phase holds; looks where it can change: at arrivals and just after.
double most(const std::vector<nanos>& arrivals, nanos now) {
    double result = 0;
    for (nanos const a : arrivals)
        for (nanos const b : {a, a + 1, a + interval, a + interval + 1, now})
            if (b > now - interval && b <= now)
                result = std::max(result, weighted(arrivals, b, now));
    return result;
}

} // namespace

TEST_CASE("envelope_bounds_every_phase_and_not_by_much", "[quota]") {
    for (std::uint64_t seed = 0; seed < (sim::slow ? 12 : 60); ++seed) {
        sim::generator g{seed};
        envelope e{interval};
        std::vector<nanos> arrivals;
        nanos now = 1'000'000'000'000;
        double const rate = g.uniform(0.5, 30);
        for (int i = 0; i < 150; ++i) {
            now += static_cast<nanos>(g.exponential(rate) * 1e9);
            if (g.chance(0.02)) now += static_cast<nanos>(g.uniform(0, 2) * interval);
            arrivals.push_back(now);
            e.add(now);
            auto const later = now + static_cast<nanos>(g.uniform(0, 0.3) * interval);
            double const exact = most(arrivals, now);
            INFO("seed " << seed << ", arrival " << i);
            REQUIRE(e.bound(now) >= exact - 1e-6);
            // Rounding up to slices makes what a slice holds seem new.
            std::vector<nanos> rounded;
            for (auto const a : arrivals)
                rounded.push_back((a + slice - 1) / slice * slice);
            REQUIRE(e.bound(now) <= most(rounded, (now + slice - 1) / slice * slice) + 3.5);
            envelope copy = e;
            REQUIRE(copy.bound(later) >= most(arrivals, later) - 1e-6);
        }
    }
}

TEST_CASE("plain_envelope_counts_the_last_interval", "[quota]") {
    envelope e{interval, false};
    nanos const start = 5 * interval;
    for (int i = 0; i < 50; ++i)
        e.add(start + i * slice);
    CHECK(e.bound(start + 49 * slice) == 50);
    CHECK(e.bound(start + interval) == 49);
    CHECK(e.bound(start + interval + 48 * slice) == 1);
    CHECK(e.bound(start + interval + 49 * slice) == 0);
}

TEST_CASE("release_time_is_when_the_room_is_there", "[quota]") {
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        sim::generator g{seed};
        envelope e{interval, seed % 3 != 0};
        nanos now = 1'000'000'000'000;
        for (int i = 0; i < 200; ++i) {
            now += static_cast<nanos>(g.exponential(12) * 1e9);
            e.add(now);
        }
        double const bound = e.bound(now);
        double const room = std::floor(g.uniform(0, bound - 1));
        REQUIRE_FALSE(e.fits(now, room));
        // Asked again and again at the time it names, it opens in the end, and not before.
        nanos at = now;
        for (int i = 0; i < 2000 && !e.fits(at, room); ++i) {
            auto const next = e.release();
            REQUIRE(next > at);
            envelope before = e;
            REQUIRE(before.bound(std::max(at, next - 2 * slice)) > room - 2.5);
            at = next;
        }
        REQUIRE(e.bound(at) <= room + 1e-6);
        REQUIRE(at <= now + 2 * interval + slice);
    }
}

TEST_CASE("release_waits_for_a_window_that_begins_in_an_empty_slice", "[quota]") {
    envelope e{interval};
    nanos const start = 5 * interval;
    e.add(start, 10);
    // A window that has just begun holds ten in its counter of the one before for half of its time.
    nanos const now = start + 120 * slice;
    REQUIRE_FALSE(e.fits(now, 5));
    CHECK(e.release() > now + interval / 2 - slice);
    CHECK(e.release() <= now + interval / 2 + slice);
    // A log forgets them sooner.
    envelope log{interval, false};
    log.add(start, 10);
    REQUIRE_FALSE(log.fits(now, 5));
    CHECK(log.release() <= start + interval + slice);
}

TEST_CASE("remembered_refusal_equals_a_fresh_look", "[quota]") {
    for (std::uint64_t seed = 0; seed < (sim::slow ? 20 : 100); ++seed) {
        sim::generator g{seed};
        envelope remembering{interval};
        nanos now = 1'000'000'000'000;
        int room = 40;
        for (int i = 0; i < 600; ++i) {
            now += static_cast<nanos>(g.exponential(20) * 1e9);
            if (g.chance(0.5)) {
                remembering.add(now + 5'000'000);
                ++room; // as a settled request does: one less in flight
            }
            if (g.chance(0.3)) room -= 2;
            room = std::clamp(room, 5, 120);
            envelope fresh{interval};
            fresh = remembering;
            fresh.rescale(interval, now + interval, 0); // forgets what it had looked up
            INFO("seed " << seed << ", step " << i);
            REQUIRE(remembering.fits(now, room) == fresh.fits(now, room));
        }
    }
}

TEST_CASE("envelope_holds_counts_beyond_a_byte", "[quota]") {
    envelope e{interval};
    nanos const now = 3 * interval;
    for (int i = 0; i < 1000; ++i)
        e.add(now);
    e.add(now, 40'000);
    CHECK(e.bound(now) == 41'000);
    CHECK_FALSE(e.fits(now, 40'999));
    CHECK(e.fits(now, 41'000));
    envelope const copy = e;
    e.add(now + 1, 70'000);
    CHECK(e.bound(now + slice) >= 60'000);
    CHECK(e.bound(now + 3 * interval) == 0);
    CHECK(e.idle(now + 3 * interval));
    CHECK_FALSE(copy.idle(now));
}

TEST_CASE("rescaling_keeps_what_may_still_count", "[quota]") {
    envelope e{interval};
    nanos const now = 7 * interval;
    for (int i = 0; i < 30; ++i)
        e.add(now - i * interval / 10);
    // 10 s to 5 s: those of the last 5 s count whole, and the ones before by weight.
    e.rescale(interval / 2, now + 5'000'000, 30);
    CHECK(e.interval() == interval / 2);
    CHECK(e.bound(now) >= 6);
    CHECK(e.bound(now) <= 10);
    e.rescale(6 * interval, now + 5'000'000, 30);
    // All, since those that were let go come back.
    CHECK(e.bound(now) >= 30 - 1e-6);
    CHECK(e.bound(now) <= 30 + 1e-6);
}

TEST_CASE("times_before_the_clocks_epoch_are_as_good", "[quota]") {
    envelope e{interval};
    nanos const now = -7 * interval - 12'345;
    for (int i = 0; i < 20; ++i)
        e.add(now);
    CHECK(e.bound(now) == 20);
    CHECK_FALSE(e.fits(now, 19));
    CHECK(e.fits(now + 2 * interval + slice, 0));
}

} // namespace quota_envelope_tests
