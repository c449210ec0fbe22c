// SPDX-License-Identifier: BSL-1.0
//
// The server-side limiters in virtual time: each against its own definition, and all of them
// against the sequences that the simulator of the client's algorithm produced.
#include "support/catch.hpp"

#include <highlevel/sandbox/limiter.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace sandbox_limiter_tests {

using namespace highlevel::sandbox;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

namespace {

// Knuth's 64-bit linear congruential generator, which the simulator's script uses as well.
class lcg {
public:
    explicit lcg(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        state_ = state_ * 6364136223846793005U + 1442695040888963407U;
        return state_ >> 33;
    }

private:
    std::uint64_t state_;
};

constexpr limiter_kind every_kind[] = {limiter_kind::fixed,  limiter_kind::first,
                                       limiter_kind::log,    limiter_kind::counter,
                                       limiter_kind::bucket, limiter_kind::gcra};

// Twenty thousand arrivals with bursts and silences; returns the times of those accepted.
std::vector<nanoseconds> accepted_of(limiter& l, nanoseconds interval, std::uint64_t top) {
    lcg random(42);
    std::vector<nanoseconds> accepted;
    nanoseconds now{0};
    for (int i = 0; i < 20'000; ++i) {
        auto const r = random.next();
        if (r % 97 == 0) {
            now += static_cast<int>(random.next() % 4) * interval;
        } else if (r % 5 != 0) {
            now += nanoseconds(random.next() % top);
        }
        if (l.arrive(now).accepted) accepted.push_back(now);
    }
    return accepted;
}

// The most of these times that lie within any half-open span of that length.
std::size_t most_within(const std::vector<nanoseconds>& times, nanoseconds span) {
    std::size_t most = 0;
    for (std::size_t begin = 0, end = 0; end < times.size(); ++end) {
        while (times[begin] <= times[end] - span)
            ++begin;
        most = std::max(most, end - begin + 1);
    }
    return most;
}

} // namespace

TEST_CASE("limiter_kind_names_round_trip", "[sandbox]") {
    for (auto kind : every_kind)
        CHECK(limiter_kind_from(to_string(kind)) == kind);
    CHECK_FALSE(limiter_kind_from("sliding"));
    CHECK_FALSE(limiter_kind_from(""));
}

TEST_CASE("limiters_agree_with_the_simulator_request_by_request", "[sandbox]") {
    class sequence {
    public:
        limiter_kind kind;
        std::uint32_t max;
        int interval_ms;
        std::uint64_t top; // largest gap between two arrivals of a run, in nanoseconds
        int accepted;
        std::uint64_t digest; // FNV-1a over (used * 2 + accepted) of each request
    };
    // Made by running the simulator's servers over the same arrivals, phase 1234.567 s.
    constexpr sequence sequences[] = {
        {limiter_kind::fixed, 100, 10000, 153846153, 16315, 0xa924464493518fa4U},
        {limiter_kind::fixed, 100, 10000, 285714285, 19956, 0xbfca29471720b837U},
        {limiter_kind::fixed, 25, 10000, 266666666, 7865, 0x95c94a5db0eddf5eU},
        {limiter_kind::fixed, 7, 1000, 285714285, 15179, 0x718394a35b9a8fdcU},
        {limiter_kind::first, 100, 10000, 153846153, 15142, 0x3baa1bd59f3316a7U},
        {limiter_kind::first, 100, 10000, 285714285, 19945, 0x27125c662dc7fc76U},
        {limiter_kind::first, 25, 10000, 266666666, 6640, 0x86085f630d2e2ed1U},
        {limiter_kind::first, 7, 1000, 285714285, 14125, 0x51d96249ebb1845eU},
        {limiter_kind::log, 100, 10000, 153846153, 14984, 0x2328e5b6281ab4bbU},
        {limiter_kind::log, 100, 10000, 285714285, 19771, 0x3c46b8329b4ba020U},
        {limiter_kind::log, 25, 10000, 266666666, 6564, 0xf64ba43295b150cbU},
        {limiter_kind::log, 7, 1000, 285714285, 13391, 0x60b71d7295d197dcU},
        {limiter_kind::counter, 100, 10000, 153846153, 15376, 0x2a6c31445bfcc60bU},
        {limiter_kind::counter, 100, 10000, 285714285, 19868, 0x7900b9608f7b8819U},
        {limiter_kind::counter, 25, 10000, 266666666, 6734, 0xcbf0cd12699a1c8bU},
        {limiter_kind::counter, 7, 1000, 285714285, 12821, 0xcb76ce03f347a272U},
        {limiter_kind::bucket, 100, 10000, 153846153, 18549, 0x42ca2b0664423f5eU},
        {limiter_kind::bucket, 100, 10000, 285714285, 20000, 0xf5a0dcab66a5bc6dU},
        {limiter_kind::bucket, 25, 10000, 266666666, 8548, 0x2f388b39a1021731U},
        {limiter_kind::bucket, 7, 1000, 285714285, 16010, 0x51d2f1b67ef786d1U},
        {limiter_kind::gcra, 100, 10000, 153846153, 18549, 0x42ca2b0664423f5eU},
        {limiter_kind::gcra, 100, 10000, 285714285, 20000, 0xf5a0dcab66a5bc6dU},
        {limiter_kind::gcra, 25, 10000, 266666666, 8548, 0x2f388b39a1021731U},
        {limiter_kind::gcra, 7, 1000, 285714285, 16010, 0x51d2f1b67ef786d1U},
    };
    for (auto const& s : sequences) {
        CAPTURE(std::string(to_string(s.kind)), s.max, s.top);
        auto const interval = nanoseconds(std::chrono::milliseconds(s.interval_ms));
        limiter l(s.kind, s.max, interval, 1234567ms);
        lcg random(42);
        nanoseconds now{0};
        int accepted = 0;
        std::uint64_t digest = 0xcbf29ce484222325U;
        for (int i = 0; i < 20'000; ++i) {
            auto const r = random.next();
            if (r % 97 == 0) {
                now += static_cast<int>(random.next() % 4) * interval;
            } else if (r % 5 != 0) {
                now += nanoseconds(random.next() % s.top);
            }
            auto const v = l.arrive(now);
            accepted += v.accepted;
            digest = (digest ^ (v.used * 2U + v.accepted)) * 0x100000001b3U;
        }
        CHECK(accepted == s.accepted);
        CHECK(digest == s.digest);
    }
}

TEST_CASE("fixed_window_turns_on_the_clock_and_not_on_the_first_request", "[sandbox]") {
    limiter l(limiter_kind::fixed, 2, 10s, 3s);
    CHECK(l.arrive(6s).accepted);
    CHECK(l.arrive(6s).accepted);
    CHECK_FALSE(l.arrive(6999ms).accepted);
    CHECK(l.arrive(7s).accepted); // 7 s + 3 s begins the window
}

TEST_CASE("first_window_turns_one_interval_after_its_first_request", "[sandbox]") {
    limiter l(limiter_kind::first, 2, 10s);
    CHECK(l.arrive(6s).accepted);
    CHECK(l.arrive(7s).accepted);
    CHECK_FALSE(l.arrive(15999ms).accepted);
    CHECK(l.arrive(16s).accepted);
}

TEST_CASE("log_never_accepts_more_than_max_within_any_interval", "[sandbox]") {
    limiter l(limiter_kind::log, 20, 1s);
    CHECK(most_within(accepted_of(l, 1s, 60'000'000), 1s) == 20);
}

TEST_CASE("counter_refuses_early_after_a_full_window", "[sandbox]") {
    limiter l(limiter_kind::counter, 10, 10s);
    for (int i = 0; i < 10; ++i)
        CHECK(l.arrive(9s).accepted);
    // A tenth of the window later nine tenths of the previous ten still weigh.
    CHECK(l.arrive(11s).accepted);
    CHECK_FALSE(l.arrive(11s).accepted);
    CHECK(l.arrive(15s).accepted);
}

TEST_CASE("bucket_and_gcra_refill_evenly", "[sandbox]") {
    for (auto kind : {limiter_kind::bucket, limiter_kind::gcra}) {
        CAPTURE(std::string(to_string(kind)));
        limiter l(kind, 10, 10s);
        for (std::uint32_t i = 1; i <= 10; ++i) {
            auto const v = l.arrive(0s);
            CHECK(v.accepted);
            CHECK(v.used == i);
        }
        CHECK_FALSE(l.arrive(999ms).accepted);
        CHECK(l.arrive(1s).accepted);
        CHECK_FALSE(l.arrive(1500ms).accepted);
        CHECK(l.arrive(2s).accepted);
    }
}

TEST_CASE("refused_requests_are_not_counted", "[sandbox]") {
    for (auto kind : every_kind) {
        CAPTURE(std::string(to_string(kind)));
        limiter quiet(kind, 5, 1s);
        limiter hammered(kind, 5, 1s);
        int passed_quietly = 0;
        int passed_hammered = 0;
        for (int i = 0; i < 5; ++i) {
            passed_quietly += quiet.arrive(0s).accepted;
            passed_hammered += hammered.arrive(0s).accepted;
        }
        for (int i = 1; i < 200; ++i)
            CHECK_FALSE(hammered.arrive(i * 100us).accepted);
        for (int i = 0; i < 5; ++i) {
            passed_quietly += quiet.arrive(2s).accepted;
            passed_hammered += hammered.arrive(2s).accepted;
        }
        CHECK(passed_quietly == 10);
        CHECK(passed_hammered == 10);
    }
}

TEST_CASE("smaller_limit_takes_effect_at_once", "[sandbox]") {
    for (auto kind : every_kind) {
        CAPTURE(std::string(to_string(kind)));
        limiter l(kind, 100, 10s);
        CHECK(l.arrive(0s).accepted);
        l.reconfigure(3, 10s);
        CHECK(l.max() == 3);
        int accepted = 0;
        for (int i = 0; i < 50; ++i)
            accepted += l.arrive(20s).accepted;
        CHECK(accepted == 3);
    }
}

} // namespace sandbox_limiter_tests
