// SPDX-License-Identifier: BSL-1.0
//
// Tests of quota/limiter.hpp: queues, deadlines, cancellation, ends, with a real io_context and
// made-up time; and many threads at once in real time.
#include "quota/manual_time.hpp"
#include "support/catch.hpp"

#include <highlevel/quota/limiter.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace quota_limiter_tests {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using highlevel::quota::acquire_options;
using highlevel::quota::acquire_result;
using highlevel::quota::errc;
using highlevel::quota::lane;
using highlevel::quota::limiter;
using highlevel::quota::limits;
using highlevel::quota::permit;
using highlevel::quota::rate_headers;
using std::chrono::milliseconds;

rate_headers says(
    std::optional<std::int64_t> remaining = {},
    std::int64_t max = 10,
    std::int64_t interval_ms = 10'000) {
    rate_headers h;
    h.max = max;
    h.interval_ms = interval_ms;
    h.remaining = remaining;
    return h;
}

/// Ten per ten seconds, no reserve, so that counting is easy.
limits ten() {
    limits l;
    l.max = 10;
    l.exclusive = true;
    l.reserve = l.idle_reserve = 0;
    l.seed = 1;
    return l;
}

/// A limiter in made-up time, and calls on it that leave their results in order.
class bench {
public:
    explicit bench(limits l = ten())
        : time(std::make_shared<manual_time>(context)),
          subject(std::in_place, context.get_executor(), std::move(l), time) {}

    class call {
    public:
        int name = 0;
        bool done = false;
        acquire_result result;
        asio::cancellation_signal cancel;
    };

    call& acquire(int name, acquire_options options = {}, std::string resource = "r") {
        auto& c = calls.emplace_back();
        c.name = name;
        asio::co_spawn(
            context, wait(*this, c, options, std::move(resource)),
            asio::bind_cancellation_slot(c.cancel.slot(), asio::detached));
        return c;
    }
    static asio::awaitable<void> wait(
        bench& b, call& c, acquire_options options, std::string resource) {
        c.result = co_await b.subject->acquire(resource, options);
        c.done = true;
        b.order.push_back(c.name);
    }

    /// Learns the limits and takes all that can be had, so that others must wait.
    std::vector<permit> use_up(std::string_view resource = "r", std::size_t all = 10) {
        std::vector<permit> taken;
        auto first = subject->try_acquire(resource, lane::interactive);
        REQUIRE(first);
        first->settle(says({}, static_cast<std::int64_t>(all)), 200);
        while (auto p = subject->try_acquire(resource, lane::interactive))
            taken.push_back(std::move(*p));
        REQUIRE(taken.size() == all - 1);
        return taken;
    }

    asio::io_context context;
    std::shared_ptr<manual_time> time;
    std::optional<limiter> subject;
    std::deque<call> calls;
    std::vector<int> order;
};

} // namespace

TEST_CASE("limiter_grants_at_once_while_there_is_room", "[quota]") {
    bench b;
    auto& first = b.acquire(1);
    b.time->settle();
    REQUIRE(first.done);
    REQUIRE(first.result);
    CHECK(first.result.permit());
    CHECK_FALSE(b.subject->try_acquire("r", lane::interactive)); // not verified yet
    CHECK(b.subject->try_acquire("other", lane::bulk));
    first.result.permit().settle(says(9), 200);
    CHECK_FALSE(first.result.permit());
    for (int i = 2; i <= 10; ++i)
        b.acquire(i);
    b.time->settle();
    CHECK(b.order == std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
}

TEST_CASE("waiters_of_a_lane_are_served_in_order_and_interactive_first", "[quota]") {
    bench b;
    auto held = b.use_up();
    for (int i = 0; i < 3; ++i)
        b.acquire(100 + i, {.lane = lane::bulk});
    for (int i = 0; i < 3; ++i)
        b.acquire(i);
    b.time->settle();
    CHECK(b.order.empty());
    CHECK(b.subject->snapshot("r").waiting_in(lane::interactive) == 3);
    CHECK(b.subject->snapshot("r").waiting_in(lane::bulk) == 3);
    for (auto& p : held)
        p.settle(says(), 200);
    b.time->advance(30s);
    CHECK(b.order == std::vector<int>{0, 1, 2, 100, 101, 102});
    CHECK(b.time->armed() == manual_time::time_point::max());
}

TEST_CASE("newcomer_does_not_overtake_who_waits", "[quota]") {
    bench b;
    auto held = b.use_up();
    b.acquire(1);
    b.time->settle();
    held.back().unsent(); // free at once: number 1 gets it
    CHECK_FALSE(b.subject->try_acquire("r", lane::interactive));
    b.time->settle();
    CHECK(b.order == std::vector<int>{1});
    b.acquire(2, {.lane = lane::bulk});
    b.time->settle();
    b.calls.front().result.permit().unsent();
    CHECK_FALSE(b.subject->try_acquire("r", lane::bulk));
    b.time->settle();
    CHECK(b.order == std::vector<int>{1, 2});
}

TEST_CASE("bulk_gets_every_seventeenth_permit_under_interactive_load", "[quota]") {
    auto l = ten();
    l.max = 100;
    l.reserve = 20;
    l.idle_reserve = 20;
    bench b{l};
    auto held = b.use_up("r", 100);
    for (int i = 0; i < 10; ++i)
        b.acquire(1000 + i, {.lane = lane::bulk});
    for (int i = 0; i < 200; ++i)
        b.acquire(i);
    b.time->settle();
    for (auto& p : held)
        p.settle(says({}, 100), 200);
    for (int i = 0; i < 60 && b.order.size() < 170; ++i) {
        b.time->advance(1s);
        for (auto& c : b.calls)
            if (c.done) c.result.permit().settle(says({}, 100), 200);
    }
    REQUIRE(b.order.size() >= 170);
    std::vector<std::size_t> bulk;
    for (std::size_t i = 0; i < 170; ++i)
        if (b.order[i] >= 1000) bulk.push_back(i);
    CHECK(bulk == std::vector<std::size_t>{16, 33, 50, 67, 84, 101, 118, 135, 152, 169});
}

TEST_CASE("full_queue_refuses_at_once", "[quota]") {
    auto l = ten();
    l.queue_interactive = 2;
    l.queue_bulk = 1;
    bench b{l};
    auto held = b.use_up();
    b.acquire(1);
    b.acquire(2);
    auto& third = b.acquire(3);
    b.acquire(4, {.lane = lane::bulk});
    auto& fifth = b.acquire(5, {.lane = lane::bulk});
    b.time->settle();
    REQUIRE(third.done);
    CHECK(third.result.error() == errc::queue_full);
    CHECK_FALSE(third.result);
    CHECK_FALSE(third.result.permit());
    CHECK(third.result.retry_in());
    CHECK(fifth.result.error() == errc::queue_full);
    CHECK(b.subject->snapshot("r").rejected == 2);
    // One that was refused by the server before has its place all the same, and the first.
    b.acquire(6, {.retry = true});
    b.time->settle();
    CHECK(b.subject->snapshot("r").waiting_in(lane::interactive) == 3);
    held.back().unsent();
    b.time->settle();
    CHECK(b.order == std::vector<int>{3, 5, 6});
}

TEST_CASE("call_that_cannot_make_its_deadline_fails_at_once_and_says_when", "[quota]") {
    bench b;
    auto held = b.use_up();
    for (auto& p : held)
        p.settle(says(), 200);
    auto& soon = b.acquire(1, {.deadline = b.time->now() + 5s});
    auto& later = b.acquire(2, {.deadline = b.time->now() + 25s});
    b.time->settle();
    REQUIRE(soon.done);
    CHECK(soon.result.error() == errc::deadline_too_soon);
    REQUIRE(soon.result.retry_in());
    CHECK(*soon.result.retry_in() >= 9s);
    CHECK(*soon.result.retry_in() <= 11s);
    CHECK_FALSE(later.done);
    b.time->advance(21s);
    CHECK(later.result.permit());
}

TEST_CASE("place_in_the_queue_tells_that_a_deadline_is_missed", "[quota]") {
    bench b;
    auto held = b.use_up();
    for (int i = 0; i < 100; ++i)
        b.acquire(i);
    b.time->settle();
    // A hundred go before it, at ten per ten seconds; even if the windows are fixed.
    auto& c = b.acquire(100, {.deadline = b.time->now() + 60s});
    b.time->settle();
    REQUIRE(c.done);
    CHECK(c.result.error() == errc::deadline_too_soon);
    CHECK(*c.result.retry_in() >= 90s);
}

TEST_CASE("those_who_leave_before_do_not_tell_that_a_deadline_is_missed", "[quota]") {
    bench b;
    auto held = b.use_up();
    for (int i = 0; i < 50; ++i)
        b.acquire(i, {.deadline = b.time->now() + 45s});
    b.time->advance(40s); // the first request of all is out of view, and one is served
    REQUIRE(b.subject->snapshot("r").waiting_in(lane::interactive) == 49);
    // Twenty can be served before they leave, so the next may be within ten seconds.
    auto& c = b.acquire(100, {.deadline = b.time->now() + 15s});
    auto& late = b.acquire(101, {.deadline = b.time->now() + 7s});
    auto& bulk = b.acquire(102, {.lane = lane::bulk, .deadline = b.time->now() + 15s});
    b.time->settle();
    CHECK_FALSE(c.done);
    CHECK_FALSE(bulk.done);
    CHECK(late.done);
    CHECK(late.result.error() == errc::deadline_too_soon);
    b.time->advance(6s);
    for (auto& p : held)
        p.unsent();
    b.time->settle();
    CHECK(c.result.permit());
    CHECK(bulk.result.permit());
}

TEST_CASE("deadline_ends_a_wait_that_could_have_succeeded", "[quota]") {
    bench b;
    auto held = b.use_up(); // in flight: any answer might open the bucket
    auto& c = b.acquire(1, {.deadline = b.time->now() + 5s});
    auto& patient = b.acquire(2, {.deadline = b.time->now() + 5s, .wait_past_deadline = true});
    b.time->advance(4999ms);
    CHECK_FALSE(c.done);
    b.time->advance(1ms);
    REQUIRE(c.done);
    CHECK(c.result.error() == errc::deadline_too_soon);
    CHECK(b.subject->snapshot("r").waiting_in(lane::interactive) == 1);
    for (auto& p : held)
        p.settle(says(), 200);
    b.time->advance(20s);
    REQUIRE(patient.done);
    CHECK(patient.result.permit());
}

TEST_CASE("waiter_fails_as_soon_as_its_deadline_cannot_be_met_any_more", "[quota]") {
    bench b;
    auto held = b.use_up();
    auto& c = b.acquire(1, {.deadline = b.time->now() + 60s});
    auto& longer = b.acquire(2, {.deadline = b.time->now() + 1h});
    b.time->settle();
    for (std::size_t i = 1; i < held.size(); ++i)
        held[i].settle(says(), 200);
    held[0].settle(says(0), 429, 10min);
    b.time->settle();
    REQUIRE(c.done);
    CHECK(c.result.error() == errc::deadline_too_soon);
    CHECK(*c.result.retry_in() >= 9min);
    CHECK_FALSE(longer.done);
    b.time->advance(11min);
    CHECK(longer.result.permit());
}

TEST_CASE("spent_day_fails_all_who_did_not_ask_to_wait", "[quota]") {
    bench b;
    auto held = b.use_up();
    auto& a = b.acquire(1);
    auto& patient = b.acquire(2, {.wait_past_deadline = true});
    auto& c = b.acquire(3, {.lane = lane::bulk});
    b.time->settle();
    CHECK_FALSE(a.done);
    auto h = says(5);
    h.limit_daily = 100;
    h.daily_remaining = 0;
    h.daily_reset_ms = 3'600'000;
    for (auto& p : held)
        p.settle(h, 200);
    b.time->settle();
    REQUIRE(a.done);
    CHECK(a.result.error() == errc::daily_exhausted);
    CHECK(*a.result.retry_in() >= 59min);
    REQUIRE(c.done);
    CHECK(c.result.error() == errc::daily_exhausted);
    CHECK_FALSE(patient.done);
    auto& late = b.acquire(4);
    b.time->settle();
    REQUIRE(late.done);
    CHECK(late.result.error() == errc::daily_exhausted);
    b.time->advance(61min);
    REQUIRE(patient.done);
    CHECK(patient.result.permit());
}

TEST_CASE("bulk_work_at_the_daily_reserve_does_not_hold_up_interactive_calls", "[quota]") {
    auto l = ten();
    l.max = 1'000;
    l.daily_reserve = 0.5;
    bench b{l};
    auto h = says({}, 1'000);
    h.limit_daily = 200;
    h.daily_reset_ms = 3'600'000;
    std::int64_t left = 100;
    auto first = b.subject->try_acquire("r", lane::interactive);
    h.daily_remaining = left;
    first->settle(h, 200);
    auto& patient = b.acquire(0, {.lane = lane::bulk, .wait_past_deadline = true});
    b.time->settle();
    REQUIRE_FALSE(patient.done);
    for (int i = 1; i <= 60; ++i) {
        auto& c = b.acquire(i, {.deadline = b.time->now() + 1s});
        b.time->settle();
        INFO(i);
        REQUIRE(c.done);
        REQUIRE(c.result);
        h.daily_remaining = --left;
        c.result.permit().settle(h, 200);
    }
    // Who is not patient hears of it, whoever else waits.
    auto& bulk = b.acquire(61, {.lane = lane::bulk, .deadline = b.time->now() + 2h});
    b.time->settle();
    CHECK(bulk.result.error() == errc::daily_exhausted);
    CHECK_FALSE(patient.done);
    b.time->advance(61min);
    CHECK(patient.result.permit());
}

TEST_CASE("bulk_calls_that_wait_hear_of_the_end_of_their_day_under_interactive_load", "[quota]") {
    auto l = ten();
    l.daily_reserve = 0.5;
    l.bulk_turn = 3;
    bench b{l};
    auto held = b.use_up();
    for (int i = 0; i < 9; ++i)
        b.acquire(i);
    auto& bulk = b.acquire(100, {.lane = lane::bulk});
    b.time->settle();
    auto h = says();
    h.limit_daily = 1'000;
    h.daily_remaining = 500;
    for (auto& p : held)
        p.settle(h, 200);
    b.time->advance(30s);
    CHECK(bulk.done);
    CHECK(bulk.result.error() == errc::daily_exhausted);
    CHECK(b.order.size() == 10);
}

TEST_CASE("bulk_work_that_is_paced_over_the_day_does_not_hold_up_interactive_calls", "[quota]") {
    auto l = ten();
    l.max = 100;
    l.daily_pacing = true;
    l.daily_reserve = 0;
    l.queue_interactive = 0;
    bench b{l};
    auto h = says({}, 100);
    h.daily_reset_ms = 4 * 3'600'000;
    std::int64_t left = 400; // one per 36 seconds
    auto const settle = [&](permit& p) {
        h.daily_remaining = --left;
        p.settle(h, 200);
    };
    auto first = b.subject->try_acquire("r", lane::interactive);
    settle(*first);
    // A burst, and as it opens again: then it is only the day that bulk work waits for.
    for (int round = 0; round < 2; ++round) {
        std::vector<permit> burst;
        while (auto p = b.subject->try_acquire("r", lane::bulk))
            burst.push_back(std::move(*p));
        for (auto& p : burst)
            settle(p);
        if (round == 0) b.time->advance(1min);
    }
    auto& bulk = b.acquire(0, {.lane = lane::bulk});
    b.time->settle();
    REQUIRE_FALSE(bulk.done);
    for (int i = 1; i <= 40; ++i) {
        INFO(i);
        CHECK(b.subject->snapshot("r").available > 0);
        auto& c = b.acquire(i);
        b.time->settle();
        REQUIRE(c.result);
        settle(c.result.permit());
    }
    CHECK_FALSE(bulk.done);
    // Its turn comes with its pace.
    b.time->advance(2min);
    CHECK(bulk.result.permit());
}

TEST_CASE("day_that_turned_is_open_to_bulk_calls_behind_interactive_ones", "[quota]") {
    auto l = ten();
    l.daily_reserve = 0.5;
    bench b{l};
    auto h = says();
    h.limit_daily = 100;
    h.daily_remaining = 50;
    h.daily_reset_ms = 30'000;
    b.subject->try_acquire("r", lane::interactive)->settle(h, 200);
    auto& early = b.acquire(1, {.lane = lane::bulk});
    b.time->settle();
    CHECK(early.result.error() == errc::daily_exhausted);
    b.time->advance(31s);
    auto& asks = b.acquire(2);  // how much the new day brings
    auto& waits = b.acquire(3); // for the answer
    auto& bulk = b.acquire(4, {.lane = lane::bulk});
    b.time->settle();
    REQUIRE(asks.done);
    CHECK_FALSE(waits.done);
    CHECK_FALSE(bulk.done);
    h.daily_remaining = 99;
    asks.result.permit().settle(h, 200);
    b.time->settle();
    CHECK(waits.result.permit());
    CHECK(bulk.result.permit());
}

TEST_CASE("cancelled_waiter_leaves_the_queue_at_once", "[quota]") {
    bench b;
    auto held = b.use_up();
    auto& first = b.acquire(1);
    auto& second = b.acquire(2, {.deadline = b.time->now() + 1h});
    b.acquire(3);
    b.time->settle();
    second.cancel.emit(asio::cancellation_type::terminal);
    b.time->settle();
    REQUIRE(second.done);
    CHECK(second.result.error() == asio::error::operation_aborted);
    CHECK(b.subject->snapshot("r").cancelled == 1);
    first.cancel.emit(asio::cancellation_type::terminal);
    held.back().unsent();
    b.time->settle();
    CHECK(b.order == std::vector<int>{2, 1, 3});
    CHECK(first.result.error() == asio::error::operation_aborted);
    CHECK(b.subject->snapshot("r").waiting_in(lane::interactive) == 0);
}

TEST_CASE("permit_granted_to_a_cancelled_call_is_given_back", "[quota]") {
    bench b;
    auto held = b.use_up();
    auto& first = b.acquire(1);
    b.acquire(2);
    b.time->settle();
    asio::post(b.context, [&] {
        held.back().unsent(); // granted to 1: its handler is posted,
        first.cancel.emit(asio::cancellation_type::terminal); // and this comes before it runs
    });
    b.time->settle();
    CHECK(b.order == std::vector<int>{1, 2});
    CHECK(first.result.error() == asio::error::operation_aborted);
    CHECK_FALSE(first.result.permit());
    CHECK(b.subject->snapshot("r").unsent == 2);
}

TEST_CASE("permit_that_is_not_taken_from_an_acquisition_is_given_back", "[quota]") {
    bench b;
    for (auto& p : b.use_up())
        p.unsent();
    {
        limiter::acquisition const asked{*b.subject, "r", acquire_options{}};
        CHECK(asked.ready());
        CHECK(b.subject->snapshot("r").in_flight == 1);
    }
    CHECK(b.subject->snapshot("r").in_flight == 0);
    limiter::acquisition taken{*b.subject, "r", acquire_options{}};
    auto got = taken.result();
    REQUIRE(got);
    got.permit().unsent();
}

TEST_CASE("acquisition_keeps_its_bucket_until_it_waits_or_goes", "[quota]") {
    bench b;
    auto held = b.use_up();
    std::optional<limiter::acquisition> asked;
    asked.emplace(*b.subject, "r", acquire_options{});
    REQUIRE_FALSE(asked->ready());
    for (auto& p : held)
        p.settle(says(0), 200);
    auto const others = [&] {
        b.time->advance(6min);
        for (int i = 0; i < 4; ++i)
            (void)b.subject->try_acquire("other", lane::interactive);
    };
    others();
    CHECK(b.subject->snapshot("r").known);
    asked.reset();
    others();
    CHECK_FALSE(b.subject->snapshot("r").known);
}

TEST_CASE("calls_that_come_to_wait_together_do_not_overfill_the_queue", "[quota]") {
    auto l = ten();
    l.queue_interactive = 1;
    bench b{l};
    auto held = b.use_up();
    // Each is told to wait before any of them does.
    std::deque<limiter::acquisition> asked;
    for (int i = 0; i < 3; ++i)
        REQUIRE_FALSE(asked.emplace_back(*b.subject, "r", acquire_options{}).ready());
    std::vector<boost::system::error_code> ended;
    for (auto& a : asked)
        asio::co_spawn(
            b.context,
            [](limiter::acquisition& waits,
               std::vector<boost::system::error_code>& into) -> asio::awaitable<void> {
                co_await waits.wait();
                into.push_back(waits.result().error());
            }(a, ended),
            asio::detached);
    b.context.poll();
    CHECK(ended == std::vector<boost::system::error_code>(2, errc::queue_full));
    CHECK(b.subject->snapshot("r").waiting_in(lane::interactive) == 1);
    b.subject->shutdown();
    b.context.restart();
    b.context.poll();
    CHECK(ended.size() == 3);
}

TEST_CASE("permit_that_came_free_before_the_call_waits_is_its_own", "[quota]") {
    bench b;
    auto held = b.use_up();
    limiter::acquisition asked{*b.subject, "r", acquire_options{}};
    REQUIRE_FALSE(asked.ready());
    held.back().unsent();
    bool granted = false;
    asio::co_spawn(
        b.context,
        [](limiter::acquisition& waits, bool& into) -> asio::awaitable<void> {
            co_await waits.wait();
            into = static_cast<bool>(waits.result());
        }(asked, granted),
        asio::detached);
    b.context.poll();
    CHECK(granted);
}

TEST_CASE("cancelled_leader_does_not_hold_up_those_behind_it", "[quota]") {
    bench b;
    auto held = b.use_up();
    for (auto& p : held)
        p.settle(says(), 200);
    auto& leader = b.acquire(1);
    b.acquire(2);
    b.time->settle();
    leader.cancel.emit(asio::cancellation_type::terminal);
    b.time->advance(30s);
    CHECK(b.order == std::vector<int>{1, 2});
}

TEST_CASE("no_timer_stays_behind_when_nobody_waits", "[quota]") {
    bench b;
    auto held = b.use_up();
    for (auto& p : held)
        p.settle(says(), 200);
    auto& c = b.acquire(1);
    b.time->settle();
    CHECK(b.time->armed() != manual_time::time_point::max());
    c.cancel.emit(asio::cancellation_type::terminal);
    b.time->settle();
    CHECK(b.time->armed() == manual_time::time_point::max());
}

TEST_CASE("late_wake_that_serves_the_last_waiter_leaves_no_timer_behind", "[quota]") {
    auto l = ten();
    l.max = 40;
    bench b{l};
    auto first = b.subject->try_acquire("r", lane::interactive);
    // More than one turn's worth, each with a deadline.
    for (int i = 0; i < 20; ++i)
        b.acquire(i, {.deadline = b.time->now() + 1h});
    b.time->settle();
    REQUIRE(b.time->armed() != manual_time::time_point::max());
    // The first turn's grants are made; a wake that was on its way comes before the second turn,
    // and makes the rest.
    asio::post(b.context, [&] { first->settle(says({}, 40), 200); });
    b.time->fire();
    b.time->settle();
    REQUIRE(b.order.size() == 20);
    CHECK(b.time->armed() == manual_time::time_point::max());
}

TEST_CASE("time_that_could_not_be_asked_for_is_asked_for_again", "[quota]") {
    bench b;
    auto held = b.use_up("a");
    auto others = b.use_up("b");
    auto const begin = b.time->now();
    auto& first = b.acquire(1, {.deadline = begin + 5s}, "a");
    b.time->settle();
    REQUIRE(b.time->armed() == begin + 5s);
    b.time->fails = true;
    auto& second = b.acquire(2, {.deadline = begin + 3s}, "b");
    b.time->settle();
    REQUIRE_FALSE(b.time->fails);
    REQUIRE(b.time->armed() == manual_time::time_point::max()); // nor what was asked for before
    // Anything that happens is an occasion, also where the time needed is the one from before.
    second.cancel.emit(asio::cancellation_type::terminal);
    b.time->settle();
    CHECK(b.time->armed() == begin + 5s);
    b.time->advance(1min);
    CHECK(first.result.error() == errc::deadline_too_soon);
}

TEST_CASE("shutdown_ends_all_waits_through_the_executor", "[quota]") {
    bench b;
    auto held = b.use_up();
    auto& a = b.acquire(1);
    auto& c = b.acquire(2, {.lane = lane::bulk, .deadline = b.time->now() + 1h});
    b.time->settle();
    b.subject->shutdown();
    CHECK_FALSE(a.done);
    b.subject->shutdown();
    b.time->settle();
    CHECK(a.result.error() == asio::error::operation_aborted);
    CHECK(c.result.error() == asio::error::operation_aborted);
    auto& late = b.acquire(3);
    b.time->settle();
    CHECK(late.result.error() == asio::error::operation_aborted);
    CHECK_FALSE(b.subject->try_acquire("r", lane::bulk));
    held.back().settle(says(), 200);
    CHECK(b.subject->snapshot("r").settled == 2);
}

TEST_CASE("permits_and_waiters_may_outlive_the_limiter", "[quota]") {
    bench b;
    auto held = b.use_up();
    auto& a = b.acquire(1);
    b.time->settle();
    b.subject.reset();
    held[0].settle(says(), 200);
    held[1].unsent();
    held[2].lost();
    held.clear();
    b.time->settle();
    REQUIRE(a.done);
    CHECK(a.result.error() == asio::error::operation_aborted);
}

TEST_CASE("permit_may_outlive_the_execution_context", "[quota]") {
    std::optional<permit> kept;
    {
        asio::io_context context;
        limiter l{context.get_executor(), ten()};
        kept = l.try_acquire("r", lane::interactive);
    }
    REQUIRE(kept);
    kept->settle(says(), 200);
}

TEST_CASE("permit_may_outlive_the_execution_context_of_a_strand", "[quota]") {
    std::optional<permit> kept;
    {
        asio::io_context context;
        limiter l{asio::make_strand(context), ten()};
        kept = l.try_acquire("r", lane::interactive);
    }
    REQUIRE(kept);
    kept->settle(says(), 200);
}

TEST_CASE("coroutines_destroyed_with_their_context_give_their_permits_back", "[quota]") {
    auto context = std::make_unique<asio::io_context>();
    auto time = std::make_shared<manual_time>(*context);
    std::optional<limiter> l{std::in_place, context->get_executor(), ten(), time};
    auto first = l->try_acquire("r", lane::interactive);
    bench::call granted;
    bench::call waiting;
    auto const wait = [](limiter& of, bench::call& c) -> asio::awaitable<void> {
        c.result = co_await of.acquire("r", {});
        c.done = true;
    };
    asio::co_spawn(*context, wait(*l, granted), asio::detached);
    asio::co_spawn(*context, wait(*l, waiting), asio::detached);
    context->poll();
    first->unsent(); // the next is granted; its handler never runs
    l.reset();
    context.reset();
    CHECK_FALSE(granted.done);
    CHECK_FALSE(waiting.done);
}

TEST_CASE("coroutine_that_ends_with_its_own_context_gives_its_permit_to_the_next", "[quota]") {
    bench b;
    auto first = b.subject->try_acquire("r", lane::interactive);
    auto other = std::make_unique<asio::io_context>();
    bench::call never_resumed;
    auto const wait = [](limiter& of, bench::call& c) -> asio::awaitable<void> {
        c.result = co_await of.acquire("r", {});
        c.done = true;
    };
    asio::co_spawn(*other, wait(*b.subject, never_resumed), asio::detached);
    other->poll();
    auto& next = b.acquire(1);
    b.time->settle();
    first->unsent(); // granted to the other context's coroutine, which does not run any more
    b.time->settle();
    CHECK_FALSE(next.done);
    other.reset();
    b.time->settle();
    CHECK_FALSE(never_resumed.done);
    CHECK(next.done);
    CHECK(next.result.permit());
    CHECK(b.subject->snapshot("r").unsent == 2);
}

TEST_CASE("deadlines_at_the_ends_of_time_are_harmless", "[quota]") {
    bench b;
    auto held = b.use_up();
    auto& past = b.acquire(1, {.deadline = manual_time::time_point::min()});
    auto& future = b.acquire(2, {.deadline = manual_time::time_point::max() - 1ns});
    b.time->settle();
    REQUIRE(past.done);
    CHECK(past.result.error() == errc::deadline_too_soon);
    CHECK_FALSE(future.done);
    held.back().unsent();
    b.time->settle();
    CHECK(future.result.permit());
}

TEST_CASE("permit_that_is_dropped_counts_as_lost", "[quota]") {
    bench b;
    {
        auto p = b.subject->try_acquire("r", lane::interactive);
        REQUIRE(p);
        permit moved = std::move(*p);
        CHECK_FALSE(*p);
        CHECK(moved);
        p->settle(says(), 200); // a moved-from permit does nothing
    }
    auto const s = b.subject->snapshot("r");
    CHECK(s.lost == 1);
    CHECK(s.settled == 0);
    CHECK(s.in_flight == 1);
    b.time->advance(2s);
    CHECK(b.subject->snapshot("r").in_flight == 0);
    // Assignment ends what was held before.
    auto p = b.subject->try_acquire("r", lane::interactive);
    auto q = b.subject->try_acquire("q", lane::interactive);
    *p = std::move(*q);
    CHECK(b.subject->snapshot("r").lost == 2);
    p->unsent();
    CHECK(b.subject->snapshot("q").unsent == 1);
}

TEST_CASE("refused_request_goes_before_others_of_its_lane", "[quota]") {
    bench b;
    auto held = b.use_up();
    b.acquire(1);
    b.acquire(2);
    b.time->settle();
    held[0].settle(says(0), 429);
    b.acquire(3, {.retry = true});
    b.time->settle();
    for (std::size_t i = 1; i < held.size(); ++i)
        held[i].settle(says(), 200);
    b.time->advance(60s);
    CHECK(b.order == std::vector<int>{3, 1, 2});
}

TEST_CASE("refused_requests_keep_their_order_among_themselves", "[quota]") {
    bench b;
    auto held = b.use_up();
    b.acquire(1);
    b.acquire(10, {.lane = lane::bulk});
    for (int i = 2; i <= 5; ++i)
        b.acquire(i, {.retry = true});
    b.acquire(11, {.lane = lane::bulk, .retry = true});
    b.acquire(12, {.lane = lane::bulk, .retry = true});
    b.time->settle();
    // The last and the first of them leave; another comes.
    b.calls[5].cancel.emit(asio::cancellation_type::terminal);
    b.calls[2].cancel.emit(asio::cancellation_type::terminal);
    b.acquire(6, {.retry = true});
    b.time->settle();
    b.order.clear();
    for (auto& p : held)
        p.settle(says(), 200);
    // One that is free does not go to a retry that comes now.
    b.time->leap(60s);
    b.time->settle();
    CHECK(b.order == std::vector<int>{3, 4, 6, 1, 11, 12, 10});
}

TEST_CASE("unknown_bucket_is_described_by_what_is_assumed", "[quota]") {
    bench b;
    auto const s = b.subject->snapshot("nobody");
    CHECK_FALSE(s.known);
    CHECK(s.resource == "nobody");
    CHECK(s.limit == 10);
    CHECK(s.available == 1);
    CHECK(b.subject->snapshots().empty());
    auto held = b.use_up("somebody");
    REQUIRE(b.subject->snapshots().size() == 1);
    CHECK(b.subject->snapshots()[0].resource == "somebody");
    CHECK(b.subject->snapshots()[0].known);
    CHECK(b.subject->snapshots()[0].in_flight == 9);
}

TEST_CASE("what_bulk_work_waits_for_is_not_what_interactive_calls_have_at_once", "[quota]") {
    auto l = ten();
    l.reserve = l.idle_reserve = 2;
    l.bulk_turn = GENERATE(17U, 2U);
    bench b{l};
    auto first = b.subject->try_acquire("r", lane::interactive);
    REQUIRE(first);
    first->settle(says(), 200);
    std::vector<permit> held;
    while (auto p = b.subject->try_acquire("r", lane::bulk))
        held.push_back(std::move(*p));
    auto& waiting = b.acquire(1, {.lane = lane::bulk});
    b.time->settle();
    REQUIRE_FALSE(waiting.done);
    auto const free = b.subject->snapshot("r").available;
    CHECK(b.subject->snapshot("r").waiting_in(lane::bulk) == 1);
    CHECK(b.subject->snapshot("r").next_release == 0ms);
    REQUIRE(free == 2);
    held.push_back(*b.subject->try_acquire("r", lane::interactive));
    if (l.bulk_turn == 2) {
        // It is bulk work's turn.
        CHECK(b.subject->snapshot("r").available == 0);
        CHECK_FALSE(b.subject->try_acquire("r", lane::interactive));
        b.time->settle();
        CHECK(waiting.done);
    } else {
        CHECK(b.subject->snapshot("r").available == 1);
        CHECK(b.subject->try_acquire("r", lane::interactive));
        CHECK(b.subject->snapshot("r").available == 0);
        CHECK_FALSE(waiting.done);
    }
}

TEST_CASE("what_is_free_is_not_for_a_call_behind_others", "[quota]") {
    bench b;
    auto held = b.use_up();
    auto& waiting = b.acquire(1);
    b.time->settle();
    REQUIRE_FALSE(waiting.done);
    // A permit comes back, and is the waiting call's.
    held.back().unsent();
    CHECK(b.subject->snapshot("r").available == 0);
    b.time->settle();
    CHECK(waiting.done);
}

TEST_CASE("idle_buckets_are_forgotten_once_they_cannot_matter", "[quota]") {
    bench b;
    auto held = b.use_up("busy");
    for (int i = 0; i < 100; ++i) {
        auto p = b.subject->try_acquire("idle" + std::to_string(i), lane::interactive);
        p->settle(says(9), 200);
    }
    CHECK(b.subject->snapshots().size() == 101);
    b.time->advance(4min);
    (void)b.subject->try_acquire("busy", lane::interactive);
    CHECK(b.subject->snapshots().size() == 101);
    b.time->advance(2min);
    for (int i = 0; i < 60; ++i)
        (void)b.subject->try_acquire("busy", lane::interactive);
    CHECK(b.subject->snapshots().size() == 1);
}

TEST_CASE("buckets_that_are_used_again_do_not_keep_those_behind_them", "[quota]") {
    bench b;
    std::vector<permit> again;
    for (auto const* name : {"a", "b", "c", "d", "e", "f"})
        b.subject->try_acquire(name, lane::interactive)->settle(says(9), 200);
    // The longest unused are in use once more, and stay so.
    for (auto const* name : {"a", "b", "c"})
        again.push_back(*b.subject->try_acquire(name, lane::interactive));
    b.time->advance(6min);
    for (int i = 0; i < 6; ++i)
        (void)b.subject->try_acquire("other", lane::interactive);
    for (auto const* name : {"a", "b", "c"})
        CHECK(b.subject->snapshot(name).known);
    for (auto const* name : {"d", "e", "f"})
        CHECK_FALSE(b.subject->snapshot(name).known);
    again.clear();
    b.time->advance(6min);
    for (int i = 0; i < 6; ++i)
        (void)b.subject->try_acquire("other", lane::interactive);
    CHECK_FALSE(b.subject->snapshot("a").known);
}

TEST_CASE("a_bucket_that_is_used_all_the_time_is_not_forgotten", "[quota]") {
    bench b;
    auto const use = [&](std::string_view name) {
        if (auto p = b.subject->try_acquire(name, lane::interactive)) p->settle(says(9), 200);
    };
    use("busy");
    use("idle");
    // Each time so soon after the last that its place in the list stays.
    for (int i = 0; i < 6 * 60 * 2; ++i) {
        b.time->advance(500ms);
        use("busy");
        REQUIRE(b.subject->snapshot("busy").known);
    }
    CHECK_FALSE(b.subject->snapshot("idle").known);
}

TEST_CASE("number_of_buckets_is_bounded_but_busy_ones_stay", "[quota]") {
    auto l = ten();
    l.max_buckets = 50;
    bench b{l};
    std::vector<permit> busy;
    for (int i = 0; i < 20; ++i)
        busy.push_back(*b.subject->try_acquire("busy" + std::to_string(i), lane::interactive));
    for (int i = 0; i < 500; ++i) {
        auto p = b.subject->try_acquire("idle" + std::to_string(i), lane::interactive);
        p->settle(says(9), 200);
        // Those of the last two intervals may still matter to their next request.
        REQUIRE(b.subject->snapshots().size() <= 51);
        b.time->advance(1s);
    }
    for (int i = 0; i < 20; ++i)
        CHECK(b.subject->snapshot("busy" + std::to_string(i)).in_flight == 1);
    // The longest idle went first.
    CHECK(b.subject->snapshot("idle499").known);
    CHECK_FALSE(b.subject->snapshot("idle0").known);
}

TEST_CASE("buckets_that_open_together_take_turns_and_let_others_run", "[quota]") {
    constexpr int buckets = 1000;
    constexpr int each = 9;
    bench b;
    std::vector<std::vector<permit>> held;
    for (int i = 0; i < buckets; ++i) {
        held.push_back(b.use_up("r" + std::to_string(i)));
        for (auto& p : held.back())
            p.settle(says(), 200);
    }
    for (int i = 0; i < buckets; ++i)
        for (int k = 0; k < each; ++k)
            b.acquire(i, {}, "r" + std::to_string(i));
    b.time->settle();
    REQUIRE(b.order.empty());
    // What else is to be done gets its turn between the grants.
    std::size_t turns = 0;
    std::size_t longest = 0;
    std::size_t seen = 0;
    std::function<void()> other = [&] {
        ++turns;
        longest = std::max(longest, b.order.size() - seen);
        seen = b.order.size();
        if (seen < static_cast<std::size_t>(buckets * each)) asio::post(b.context, other);
    };
    asio::post(b.context, other);
    // Past two intervals everything is free at once.
    b.time->leap(25s);
    CHECK(b.order.size() == static_cast<std::size_t>(buckets * each));
    CHECK(longest <= 64);
    CHECK(turns >= 200);
    // Every bucket had its first few before any had its last.
    std::vector<int> had(buckets);
    std::size_t first_complete = 0;
    int begun = 0;
    for (std::size_t i = 0; i < b.order.size(); ++i) {
        auto& n = had[static_cast<std::size_t>(b.order[i])];
        if (n++ == 0) ++begun;
        if (n == each && first_complete == 0) first_complete = i;
        if (first_complete == 0 && begun == buckets) break;
    }
    CHECK(begun == buckets);
    CHECK(first_complete == 0);
}

TEST_CASE("permit_that_ends_serves_its_own_bucket_and_leaves_others_their_turn", "[quota]") {
    constexpr int buckets = 100;
    bench b;
    for (int i = 0; i < buckets; ++i) {
        for (auto& p : b.use_up("r" + std::to_string(i)))
            p.settle(says(), 200);
        b.acquire(i, {}, "r" + std::to_string(i));
    }
    // Nothing is known of this one before its first request has an answer.
    auto first = b.subject->try_acquire("new", lane::interactive);
    auto const& next = b.acquire(buckets, {}, "new");
    b.time->settle();
    REQUIRE(b.order.empty());
    auto const out = [&] {
        std::uint32_t n = 0;
        for (auto const& each : b.subject->snapshots())
            n += each.in_flight;
        return n;
    };
    std::function<void()> between = [&] {
        auto const before = out();
        if (before == 1) return asio::post(b.context, between);
        REQUIRE(before < buckets); // some have their permits, others are ready
        first->settle(says(), 200);
        CHECK(b.subject->snapshot("new").in_flight == 1);
        CHECK(out() == before);
    };
    asio::post(b.context, between);
    b.time->leap(25s);
    CHECK(next.done);
    CHECK(b.order.size() == buckets + 1);
}

TEST_CASE("waits_end_in_real_time_too", "[quota]") {
    asio::io_context context;
    auto l = ten();
    l.interval = 100ms;
    limiter subject{context.get_executor(), l};
    int granted = 0;
    auto const work = [](limiter& of, int& n) -> asio::awaitable<void> {
        auto r = co_await of.acquire("r", {.lane = lane::bulk});
        REQUIRE(r);
        r.permit().settle(says({}, 10, 100), 200);
        ++n;
    };
    for (int i = 0; i < 35; ++i)
        asio::co_spawn(context, work(subject, granted), asio::detached);
    context.run(); // returns: no timer is left
    CHECK(granted == 35);
    CHECK(subject.snapshot("r").settled == 35);
}

TEST_CASE("many_threads_may_use_one_limiter", "[quota]") {
    // Everything at once: waits, cancellation, every end of a permit, snapshots, eviction.
    constexpr int workers = 64;
    constexpr int rounds = 60;
    asio::thread_pool pool{4};
    auto l = ten();
    l.max = 40;
    l.interval = 100ms;
    l.lost_grace = 1ms;
    l.max_buckets = 6;
    l.idle_eviction = 0ms;
    limiter subject{pool.get_executor(), l};
    std::atomic<int> finished = 0;
    std::atomic<int> granted = 0;
    std::deque<asio::cancellation_signal> signals(workers);
    auto const work = [](limiter& of, int id, std::atomic<int>& got,
                         std::atomic<int>& ended) -> asio::awaitable<void> {
        std::mt19937 random(static_cast<unsigned>(id));
        for (int i = 0; i < rounds; ++i) {
            auto const resource = "r" + std::to_string(random() % 8);
            auto const deadline = std::chrono::steady_clock::now() + milliseconds{random() % 300};
            auto r = co_await of.acquire(
                resource,
                {.lane = random() % 2 == 0 ? lane::bulk : lane::interactive, .deadline = deadline});
            if (r) {
                ++got;
                switch (random() % 5) {
                case 0: r.permit().lost(); break;
                case 1: r.permit().unsent(); break;
                case 2: break; // dropped
                default: r.permit().settle(says({}, 40, 100), random() % 50 == 0 ? 429 : 200);
                }
            }
            if (random() % 8 == 0) (void)of.snapshots();
            if (random() % 4 == 0) {
                if (auto p = of.try_acquire(resource, lane::bulk))
                    p->settle(says({}, 40, 100), 200);
            }
        }
        ++ended;
    };
    for (int i = 0; i < workers; ++i) {
        auto strand = asio::make_strand(pool);
        auto& signal = signals[static_cast<std::size_t>(i)];
        asio::co_spawn(
            strand, work(subject, i, granted, finished),
            asio::bind_cancellation_slot(signal.slot(), [&finished](const std::exception_ptr& e) {
                if (e) ++finished; // a cancelled coroutine throws at its next wait
            }));
        if (i % 4 == 0)
            asio::post(strand, [&signal] { signal.emit(asio::cancellation_type::terminal); });
    }
    pool.join();
    CHECK(finished == workers);
    CHECK(granted > 0);
    for (auto const& s : subject.snapshots()) {
        CHECK(s.waiting_in(lane::interactive) == 0);
        CHECK(s.waiting_in(lane::bulk) == 0);
    }
}

TEST_CASE("shutdown_from_another_thread_ends_all_waits", "[quota]") {
    for (int round = 0; round < 20; ++round) {
        asio::thread_pool pool{3};
        limiter subject{pool.get_executor(), ten()};
        auto held = subject.try_acquire("r", lane::interactive);
        std::atomic<int> aborted = 0;
        auto const wait = [](limiter& of, std::atomic<int>& n) -> asio::awaitable<void> {
            auto r = co_await of.acquire("r", {});
            if (r.error() == asio::error::operation_aborted) ++n;
        };
        for (int i = 0; i < 50; ++i)
            asio::co_spawn(pool, wait(subject, aborted), asio::detached);
        std::thread other{[&] { subject.shutdown(); }};
        other.join();
        pool.join();
        CHECK(aborted == 50);
        held->lost();
    }
}

} // namespace quota_limiter_tests
