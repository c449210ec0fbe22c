// SPDX-License-Identifier: BSL-1.0
//
// Tests of quota/ledger.hpp and of how a limiter lives on leases, with a ledger that answers as the
// test says.
#include "quota/manual_time.hpp"
#include "quota/simulator.hpp"
#include "support/catch.hpp"

#include <highlevel/quota/ledger.hpp>
#include <highlevel/quota/limiter.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quota_ledger_tests {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using highlevel::quota::in_process_ledger;
using highlevel::quota::lane;
using highlevel::quota::ledger;
using highlevel::quota::limiter;
using highlevel::quota::limits;
using highlevel::quota::permit;
using highlevel::quota::rate_headers;

/// An in-process ledger whose clock the test moves, and calls that return.
class bench {
public:
    bench() : subject(30s, [this] { return now; }) {}

    ledger::lease report(
        std::string_view who,
        std::uint32_t held,
        std::uint32_t occupied,
        std::uint32_t wanted,
        std::optional<std::int64_t> day_left = {},
        std::int64_t day_held = 0) {
        ledger::claim c;
        c.resource = resource;
        c.limit = 100;
        c.interval = 10s;
        c.held = held;
        c.occupied = occupied;
        c.wanted = wanted;
        c.day_left = day_left;
        c.day_held = day_held;
        ledger::lease result;
        subject.renew(who, {c}, [&](auto ec, auto leases) {
            REQUIRE_FALSE(ec);
            result = leases.at(0);
        });
        return result;
    }

    std::string resource = "r";
    std::chrono::steady_clock::time_point now{1000s};
    in_process_ledger subject;
};

} // namespace

TEST_CASE("ledger_gives_the_first_comer_all_it_wants_at_once", "[quota]") {
    bench b;
    CHECK(b.report("a", 0, 0, 100).share == 100);
    // Also of each further bucket.
    b.resource = "s";
    CHECK(b.report("a", 0, 0, 100).share == 100);
    b.now += 1s;
    b.resource = "t";
    CHECK(b.report("b", 0, 0, 100).share == 100);
}

TEST_CASE("ledger_that_was_idle_is_not_taken_for_one_that_was_away", "[quota]") {
    bench b;
    CHECK(b.report("a", 0, 0, 100).share == 100);
    CHECK(b.report("a", 100, 0, 0).share == 0); // done with it
    b.now += 60s;
    CHECK(b.report("b", 0, 0, 100).share == 100);
    // Nor is one that somebody took leave of; only what he had still counts.
    b.subject.leave("b");
    b.now += 10s;
    CHECK(b.report("a", 0, 0, 100).share == 0);
    b.resource = "other";
    CHECK(b.report("a", 0, 0, 100).share == 100);
    CHECK(b.report("a", 100, 0, 0).share == 0);
    b.resource = "r";
    CHECK(b.report("a", 0, 0, 0).share == 0);
    b.now += 60s;
    CHECK(b.report("b", 0, 0, 100).share == 100);
    // Who did not say that it was done may hold its share still, of whatever bucket.
    b.now += 60s;
    b.resource = "s";
    CHECK(b.report("a", 0, 0, 100).share == 0);
    b.now += 2s;
    CHECK(b.report("a", 0, 0, 100).share == 100);
    // One that died in between is not waited for again.
    for (int i = 0; i < 20; ++i) {
        b.now += 2s;
        (void)b.report("a", 100, 0, 100);
    }
    (void)b.report("a", 100, 0, 0);
    b.now += 60s;
    CHECK(b.report("a", 0, 0, 100).share == 100);
}

TEST_CASE("ledger_gives_away_a_cut_share_only_when_its_holder_reported", "[quota]") {
    bench b;
    (void)b.report("a", 0, 0, 100);
    b.now += 2s;
    REQUIRE(b.report("a", 0, 0, 100).share == 100);
    CHECK(b.report("b", 0, 0, 100).share == 0);
    CHECK(b.report("a", 100, 80, 100).share == 50); // cut
    CHECK(b.report("b", 0, 0, 100).share == 0);     // not yet known to hold less
    CHECK(b.report("a", 50, 80, 100).share <= 50);
    CHECK(b.report("b", 0, 0, 100).share == 20); // its requests still occupy 80
    CHECK(b.report("a", 50, 50, 100).share == 50);
    CHECK(b.report("b", 20, 20, 100).share == 50);
}

TEST_CASE("ledger_divides_by_need", "[quota]") {
    bench b;
    for (auto const* who : {"a", "b", "c"})
        (void)b.report(who, 0, 0, 1);
    b.now += 2s;
    auto const b_share = b.report("b", 0, 0, 10).share;
    auto const c_share = b.report("c", 0, 0, 30).share;
    CHECK(b_share == 10);
    CHECK(c_share == 30);
    CHECK(b.report("a", 0, 0, 100).share == 60);
    // Who wants little still has a quarter of an even part at hand.
    CHECK(b.report("b", 10, 0, 1).share == 8);
}

TEST_CASE("ledger_forgets_the_dead_but_not_before_their_use_has_aged_out", "[quota]") {
    bench b;
    (void)b.report("a", 0, 0, 100);
    b.now += 2s;
    REQUIRE(b.report("a", 0, 0, 100).share == 100);
    std::uint32_t share = 0;
    for (int i = 0; i < 14; ++i) {
        b.now += 2s;
        share = b.report("b", share, 0, 100).share;
        CHECK(share == 0);
    }
    for (int i = 0; i < 3; ++i) {
        b.now += 2s;
        share = b.report("b", share, 0, 100).share;
    }
    CHECK(share == 100);
}

TEST_CASE("ledger_that_lost_everything_lets_nobody_grow_before_all_have_reported", "[quota]") {
    bench b;
    (void)b.report("a", 0, 0, 100);
    (void)b.report("b", 0, 0, 100);
    b.now += 2s;
    auto const a = b.report("a", 0, 0, 100).share;
    auto const c = b.report("b", 0, 0, 100).share;
    REQUIRE(a + c <= 100);
    b.subject.clear();
    b.now += 1s;
    CHECK(b.report("a", a, a, 100).share == a);
    CHECK(b.report("b", c, c, 100).share == c);
    b.now += 2s;
    CHECK(b.report("a", a, a, 100).share + b.report("b", c, c, 100).share <= 100);
}

TEST_CASE("ledger_that_was_away_lets_nobody_grow_before_all_have_reported", "[quota]") {
    bench b;
    b.subject.set_away(true);
    boost::system::error_code failed;
    ledger::claim c;
    c.resource = b.resource;
    c.limit = 100;
    c.interval = 10s;
    c.wanted = 100;
    b.subject.renew("a", {c}, [&](auto ec, auto) { failed = ec; });
    CHECK(failed == boost::system::errc::host_unreachable);
    b.subject.set_away(false);
    // It knows of nobody, but there are some.
    CHECK(b.report("a", 40, 40, 100).share == 40);
    b.now += 1s;
    CHECK(b.report("b", 40, 40, 100).share == 40);
    CHECK(b.report("a", 40, 40, 100).share == 40);
    b.now += 1s;
    CHECK(b.report("a", 40, 40, 100).share == 50);
    CHECK(b.report("b", 40, 40, 100).share == 50);
}

TEST_CASE("process_that_is_done_gives_its_share_back_but_not_what_still_counts", "[quota]") {
    bench b;
    (void)b.report("a", 0, 0, 100);
    b.now += 2s;
    REQUIRE(b.report("a", 0, 0, 100).share == 100);
    CHECK(b.report("a", 0, 30, 0).share == 0);
    CHECK(b.report("b", 0, 0, 100).share == 70);
    CHECK(b.report("a", 0, 0, 0).share == 0);
    CHECK(b.report("b", 70, 0, 100).share == 100);
    b.subject.leave("b");
    CHECK(b.report("a", 0, 0, 100).share == 0);
}

TEST_CASE("ledger_forgets_buckets_that_nobody_has_to_do_with", "[quota]") {
    bench b;
    // One after the other, as with a resource per customer.
    for (int i = 0; i < 100; ++i) {
        b.resource = std::to_string(i);
        (void)b.report("a", 0, 0, 10);
        (void)b.report("a", 10, 0, 0);
    }
    CHECK(b.subject.size() == 0);
    // Those of a process that died go as others report of whatever they use.
    for (int i = 0; i < 100; ++i) {
        b.resource = std::to_string(i);
        (void)b.report("a", 0, 0, 10);
    }
    b.resource = "r";
    for (int i = 0; i < 25; ++i) {
        (void)b.report("b", 0, 0, 10);
        b.now += 1s;
    }
    CHECK(b.subject.size() == 101);
    for (int i = 0; i < 60; ++i) {
        b.now += 1s;
        (void)b.report("b", 10, 0, 10);
    }
    CHECK(b.subject.size() == 1);
}

TEST_CASE("limiters_beyond_the_limit_take_turns", "[quota]") {
    bench b;
    class member {
    public:
        std::string name;
        std::uint32_t share = 0;
        std::uint32_t occupied = 0;
        std::chrono::steady_clock::time_point free; // from when on nothing of it counts
        int sent = 0;
    };
    std::vector<member> all(128);
    for (std::size_t i = 0; i < all.size(); ++i)
        all[i].name = std::to_string(100 + i);
    // Each reports twice a second and uses at once what it gets, for two minutes.
    for (int round = 0; round < 240; ++round) {
        for (auto& m : all) {
            b.now += 3ms;
            if (b.now >= m.free) m.occupied = 0;
            m.share = b.report(m.name, m.share, m.occupied, 10).share;
            if (m.share > m.occupied) {
                m.sent += static_cast<int>(m.share - m.occupied);
                m.occupied = m.share;
                m.free = b.now + 11s;
            }
            std::uint32_t sum = 0;
            for (auto const& each : all)
                sum += std::max(each.share, each.occupied);
            REQUIRE(sum <= 100);
        }
        b.now += 116ms;
    }
    int sum = 0;
    for (auto const& m : all) {
        INFO(m.name);
        CHECK(m.sent >= 5);
        sum += m.sent;
    }
    CHECK(sum >= 850); // of 100 per 11 seconds
}

TEST_CASE("shares_never_exceed_the_limit_whatever_the_timing", "[quota]") {
    for (std::uint64_t seed = 0; seed < (sim::slow ? 40 : 200); ++seed) {
        sim::generator g{seed};
        bench b;
        class member {
        public:
            std::uint32_t share = 0;
            std::uint32_t occupied = 0;
            std::optional<std::uint32_t> coming; // an answer on its way
            std::chrono::steady_clock::time_point due;
            bool dead = false;
            std::chrono::steady_clock::time_point died;
        };
        std::vector<member> all(5);
        auto last_flush = b.now;
        for (int step = 0; step < 3000; ++step) {
            b.now += std::chrono::milliseconds{static_cast<int>(g.exponential(0.02))};
            auto const i = g.below(all.size());
            auto& m = all[i];
            if (m.dead) {
                // Comes back as a new process once nothing of it can count.
                if (b.now - m.died > 21s) m = {};
                continue;
            }
            if (m.coming && b.now >= m.due) {
                m.share = *m.coming;
                m.coming.reset();
            }
            // Uses up to its share; what it used leaves at any pace.
            if (g.chance(0.5) && m.occupied < m.share)
                m.occupied += 1 + static_cast<std::uint32_t>(g.below(m.share - m.occupied));
            else if (m.occupied > 0)
                m.occupied -= 1 + static_cast<std::uint32_t>(g.below(m.occupied));
            if (!m.coming && g.chance(0.7)) {
                auto const lease = b.report(
                    std::to_string(i), m.share, m.occupied,
                    std::max<std::uint32_t>(1, static_cast<std::uint32_t>(g.below(101))));
                m.coming = lease.share;
                m.due = b.now + std::chrono::milliseconds{g.below(1500)};
            }
            if (g.chance(0.002)) {
                m.dead = true;
                m.died = b.now;
            }
            // What a process did that died just before is lost with the store.
            bool const mourning = std::any_of(all.begin(), all.end(), [&](auto const& each) {
                return each.dead && b.now - each.died < 20s;
            });
            if (g.chance(0.001) && b.now - last_flush > 60s && !mourning) {
                // The store was away for longer than anybody's report takes, and came back empty.
                b.subject.clear();
                b.now += 10s;
                last_flush = b.now;
                // All report within the embargo, as they do twice a second.
                for (std::size_t k = 0; k < all.size(); ++k) {
                    auto& other = all[k];
                    if (other.dead) continue;
                    if (other.coming) other.share = *std::exchange(other.coming, std::nullopt);
                    other.coming =
                        b.report(std::to_string(k), other.share, other.occupied, 50).share;
                    other.due = b.now;
                }
            }
            std::uint32_t sum = 0;
            for (auto const& each : all)
                if (!each.dead || b.now - each.died < 20s)
                    sum += std::max(
                        {each.share, each.occupied, each.dead ? 0 : each.coming.value_or(0)});
            INFO("seed " << seed << ", step " << step);
            // A dead process is forgotten 30 s after its last report.
            REQUIRE(sum <= 100);
        }
    }
}

TEST_CASE("day_is_leased_in_parts_that_do_not_exceed_it", "[quota]") {
    bench b;
    CHECK_FALSE(b.report("a", 0, 0, 10).day_added); // nobody knows of a day
    auto const a = b.report("a", 0, 0, 10, 1000).day_added;
    auto const c = b.report("b", 0, 0, 10, 1000).day_added;
    REQUIRE(a);
    REQUIRE(c);
    CHECK(*a == 200);
    CHECK(*c >= 1);
    CHECK(*a + *c <= 1000);
    // Near the end everybody gets single ones, and then hears that it is over.
    CHECK(b.report("a", 0, 0, 10, 3, 0).day_added == 0); // b holds all that is left
    (void)b.report("b", 0, 0, 10, 3, 0);
    std::int64_t left = 3;
    for (int i = 0; i < 10 && left > 0; ++i)
        for (auto const* who : {"a", "b"}) {
            auto const lease = b.report(who, 0, 0, 10, left, 0);
            left -= *lease.day_added;
        }
    CHECK(left == 0);
    CHECK(b.report("a", 0, 0, 10, 0, 0).day_over);
    // A new day.
    CHECK(*b.report("a", 0, 0, 10, 200'000, 0).day_added == 200);
}

namespace {

/// Answers when and as the test says.
class scripted_ledger final : public ledger {
public:
    class question {
    public:
        std::string process;
        std::vector<claim> claims;
        handler done;
    };

    void renew(std::string_view process, std::vector<claim> claims, handler done) override {
        if (meanwhile) std::exchange(meanwhile, {})();
        left.clear();
        ++asked;
        for (auto const& c : claims)
            if (c.wanted == 0) returned.push_back(c.resource);
        if (throws) throw std::runtime_error{"no ledger"};
        questions.push_back({std::string{process}, std::move(claims), std::move(done)});
        if (share) answer(*share);
    }
    void leave(std::string_view process) noexcept override { left = process; }

    void answer(std::uint32_t each) {
        auto q = std::move(questions.front());
        questions.pop_front();
        std::vector<lease> leases(q.claims.size());
        for (auto& l : leases) {
            l.share = each;
            l.day_added = day;
        }
        q.done({}, std::move(leases));
    }
    void fail() {
        auto q = std::move(questions.front());
        questions.pop_front();
        q.done(boost::system::errc::make_error_code(boost::system::errc::connection_refused), {});
    }

    std::deque<question> questions;
    std::optional<std::uint32_t> share; // answer at once
    std::optional<std::int64_t> day;    // added with each answer
    std::function<void()> meanwhile;    // happens while the ledger is told
    bool throws = false;
    int asked = 0;
    std::vector<std::string> returned; // buckets that somebody was done with
    std::string left;
};

class leased_bench {
public:
    explicit leased_bench(limits l = {})
        : book(std::make_shared<scripted_ledger>()),
          time(std::make_shared<manual_time>(context)) {
        l.ledger = book;
        l.exclusive = true;
        l.reserve = l.idle_reserve = 0;
        l.seed = 1;
        subject.emplace(context.get_executor(), std::move(l), time);
    }

    int take(int most = 1000) {
        int n = 0;
        while (n < most) {
            auto p = subject->try_acquire("r", lane::bulk);
            if (!p) break;
            held.push_back(std::move(*p));
            ++n;
        }
        return n;
    }
    void settle_all() {
        rate_headers h;
        h.max = 100;
        h.interval_ms = 10'000;
        for (auto& p : held)
            p.settle(h, 200);
        held.clear();
    }
    void settle_all(std::int64_t remaining) {
        rate_headers h;
        h.max = 100;
        h.interval_ms = 10'000;
        h.remaining = remaining;
        for (auto& p : held)
            p.settle(h, 200);
        held.clear();
    }

    asio::io_context context;
    std::shared_ptr<scripted_ledger> book;
    std::shared_ptr<manual_time> time;
    std::optional<limiter> subject;
    std::vector<permit> held;
};

} // namespace

TEST_CASE("new_bucket_asks_the_ledger_at_once_and_waits_for_its_share", "[quota]") {
    leased_bench b;
    CHECK(b.take() == 0);
    b.time->settle();
    REQUIRE(b.book->questions.size() == 1);
    auto const& c = b.book->questions.front().claims.at(0);
    CHECK(c.resource == "r");
    CHECK(c.limit == 100);
    CHECK(c.held == 0);
    CHECK(c.wanted >= 1);
    CHECK_FALSE(b.book->questions.front().process.empty());
    b.book->answer(20);
    CHECK(b.take() == 1);
    b.settle_all();
    CHECK(b.take() == 19);
    CHECK(b.subject->snapshot("r").allowance == 20);
    b.time->advance(600ms);
    REQUIRE(b.book->questions.size() == 1);
    CHECK(b.book->questions.front().claims.at(0).held == 20);
    CHECK(b.book->questions.front().claims.at(0).occupied == 20);
}

TEST_CASE("waiters_are_served_when_the_share_grows", "[quota]") {
    leased_bench b;
    b.book->share = 1;
    std::optional<highlevel::quota::acquire_result> got;
    CHECK(b.take() == 0);
    b.time->settle();
    CHECK(b.take() == 1);
    auto const wait = [](limiter& l, auto& into) -> asio::awaitable<void> {
        into = co_await l.acquire("r", {.lane = lane::bulk});
    };
    asio::co_spawn(b.context, wait(*b.subject, got), asio::detached);
    b.settle_all();
    b.time->settle();
    CHECK_FALSE(got);
    b.book->share = 5;
    b.time->advance(600ms);
    REQUIRE(got);
    CHECK(got->permit());
}

TEST_CASE("without_an_answer_a_new_bucket_falls_back_after_a_second", "[quota]") {
    limits l;
    l.static_share = 10;
    for (bool const throws : {false, true}) {
        leased_bench b{l};
        b.book->throws = throws;
        CHECK(b.take() == 0);
        b.time->advance(900ms);
        CHECK(b.take() == 0);
        b.time->advance(5s);
        CHECK(b.take() == 1);
        b.settle_all();
        CHECK(b.take() == 9);
        CHECK(b.book->asked >= 2); // it goes on asking
    }
    leased_bench cautious;
    CHECK(cautious.take() == 0);
    cautious.time->advance(3s);
    CHECK(cautious.take() == 1);
    cautious.settle_all(50);
    CHECK(cautious.take() == 0); // one at a time
}

TEST_CASE("lost_ledger_leaves_the_static_share_and_care", "[quota]") {
    limits l;
    l.static_share = 30;
    leased_bench b{l};
    b.book->share = 80;
    CHECK(b.take() == 0);
    b.time->settle();
    CHECK(b.take() == 1);
    b.settle_all();
    CHECK(b.subject->snapshot("r").allowance == 80);
    b.book->share.reset();
    for (int i = 0; i < 48; ++i) {
        b.time->advance(500ms);
        if (!b.book->questions.empty()) b.book->fail();
        (void)b.take(1);
        b.settle_all();
    }
    CHECK(b.subject->snapshot("r").allowance == 80); // held for 24 s
    for (int i = 0; i < 6; ++i) {
        b.time->advance(500ms);
        if (!b.book->questions.empty()) b.book->fail();
        (void)b.take(1);
        b.settle_all();
    }
    CHECK(b.subject->snapshot("r").allowance == 30);
    // Somebody uses what is left: no more without a newer response that leaves room.
    b.time->advance(20s);
    (void)b.take(1);
    b.settle_all(0);
    CHECK(b.take() == 0);
    // The ledger is back.
    b.book->share = 60;
    b.book->questions.clear();
    b.time->advance(10s);
    CHECK(b.subject->snapshot("r").allowance == 60);
}

TEST_CASE("static_share_is_grown_into_slowly_when_the_ledger_is_lost", "[quota]") {
    limits l;
    l.static_share = 30;
    leased_bench b{l};
    b.book->share = 5;
    CHECK(b.take() == 0);
    b.time->settle();
    b.book->share.reset();
    auto const use_for = [&](int halves) {
        for (int i = 0; i < halves; ++i) {
            b.time->advance(500ms);
            while (!b.book->questions.empty())
                b.book->fail();
            (void)b.take(1);
            b.settle_all();
        }
    };
    use_for(56);
    CHECK(b.subject->snapshot("r").allowance == 5); // others may still use what they had
    use_for(44);
    CHECK(b.subject->snapshot("r").allowance == 30);
}

TEST_CASE("bucket_that_held_nothing_when_the_ledger_was_lost_is_not_stuck", "[quota]") {
    limits l;
    l.static_share = 30;
    leased_bench b{l};
    b.book->share = 0;
    CHECK(b.take() == 0);
    b.time->settle();
    b.book->share.reset();
    // Longer than `limits::ledger_timeout`, and less than others may take to make room.
    for (int i = 0; i < 60; ++i) {
        b.time->advance(500ms);
        while (!b.book->questions.empty())
            b.book->fail();
        CHECK(b.take() <= 1);
        b.settle_all();
    }
    CHECK(b.subject->snapshot("r").allowance == 1);
    CHECK(b.subject->snapshot("r").granted > 0);
}

TEST_CASE("ledger_hears_of_each_of_many_buckets_in_one_report", "[quota]") {
    leased_bench b;
    std::vector<std::string> names;
    for (int i = 0; i < 200; ++i) {
        names.push_back("r" + std::to_string(i));
        CHECK_FALSE(b.subject->try_acquire(names.back(), lane::bulk));
    }
    b.time->settle();
    REQUIRE(b.book->questions.size() == 1);
    std::vector<std::string> told;
    for (auto const& c : b.book->questions.front().claims)
        told.push_back(c.resource);
    std::sort(told.begin(), told.end());
    std::sort(names.begin(), names.end());
    CHECK(told == names);
    b.book->answer(1);
    for (auto const& name : names)
        CHECK(b.subject->try_acquire(name, lane::bulk));
}

TEST_CASE("answer_is_for_those_it_was_asked_of_and_for_no_bucket_that_came_since", "[quota]") {
    limits l;
    l.ledger_hold = 2s;
    leased_bench b{l};
    b.book->share = 5;
    for (auto const* name : {"r", "s"})
        CHECK_FALSE(b.subject->try_acquire(name, lane::bulk));
    b.time->settle();
    auto const share = [&](const char* name) { return b.subject->snapshot(name).allowance; };
    CHECK(share("r") == 5);
    CHECK(share("s") == 5);
    // Until r is given back, s is in use.
    auto used = b.subject->try_acquire("s", lane::bulk);
    REQUIRE(used);
    b.book->share.reset();
    bool given_back = false;
    for (int i = 0; i < 40 && !given_back; ++i) {
        b.time->advance(100ms);
        if (b.book->questions.empty()) continue;
        for (auto const& c : b.book->questions.front().claims)
            given_back |= c.resource == "r" && c.wanted == 0;
        if (!given_back) b.book->answer(5);
    }
    REQUIRE(given_back);
    // While that answer is on its way r is needed again, and t is new.
    for (auto const* name : {"r", "t"})
        CHECK_FALSE(b.subject->try_acquire(name, lane::bulk));
    b.book->answer(7);
    CHECK(share("s") == 7);
    CHECK(share("r") == 0);
    b.time->settle();
    REQUIRE(b.book->questions.size() == 1);
    CHECK(b.book->questions.front().claims.size() == 3);
    b.book->answer(9);
    for (auto const* name : {"r", "s", "t"})
        CHECK(share(name) == 9);
}

TEST_CASE("late_answer_of_the_ledger_is_ignored", "[quota]") {
    leased_bench b;
    CHECK(b.take() == 0);
    b.time->settle();
    REQUIRE(b.book->questions.size() == 1);
    b.time->advance(1700ms); // given up; asked again
    REQUIRE(b.book->questions.size() == 2);
    b.book->answer(50);
    CHECK(b.subject->snapshot("r").allowance <= 1);
    b.book->answer(40);
    CHECK(b.subject->snapshot("r").allowance == 40);
}

TEST_CASE("ledger_that_does_not_answer_hears_of_everybody_every_two_seconds", "[quota]") {
    // Or it would give away, after it came back empty, what those hold that it did not hear of.
    limits l;
    l.ledger_interval = 900ms;
    leased_bench b{l};
    CHECK(b.take() == 0);
    b.time->settle();
    auto asked = b.book->asked;
    for (int i = 0; i < 14; ++i) { // within `limits::ledger_hold`
        b.time->advance(2s);
        CHECK(b.book->asked > asked);
        asked = b.book->asked;
    }
}

TEST_CASE("one_report_is_out_at_a_time_and_newcomers_are_in_the_next", "[quota]") {
    leased_bench b;
    CHECK(b.take() == 0);
    b.time->settle();
    CHECK_FALSE(b.subject->try_acquire("s", lane::bulk));
    b.time->advance(900ms);
    CHECK(b.book->questions.size() == 1);
    b.book->answer(10);
    b.time->settle();
    REQUIRE(b.book->questions.size() == 1);
    CHECK(b.book->questions.front().claims.size() == 2);
}

TEST_CASE("unused_bucket_gives_its_share_back_and_the_timer_rests", "[quota]") {
    leased_bench b;
    b.book->share = 20;
    CHECK(b.take() == 0);
    b.time->settle();
    CHECK(b.take(1) == 1);
    b.settle_all();
    auto const before = b.book->asked;
    b.time->advance(29s);
    CHECK(b.book->asked > before + 40);
    CHECK(b.subject->snapshot("r").allowance == 20);
    b.time->advance(2s);
    CHECK(b.subject->snapshot("r").allowance == 0);
    CHECK(b.time->armed() == manual_time::time_point::max());
    // Needed again: asked again.
    CHECK(b.take() == 0);
    b.time->settle();
    CHECK(b.take(1) == 1);
}

TEST_CASE("share_is_held_from_the_last_use_on_also_where_intervals_are_long", "[quota]") {
    leased_bench b;
    b.book->share = 20;
    rate_headers h;
    h.max = 100;
    h.interval_ms = 600'000;
    CHECK(b.take() == 0);
    b.time->settle();
    for (int i = 0; i < 2; ++i) {
        auto p = b.subject->try_acquire("r", lane::bulk);
        REQUIRE(p);
        p->settle(h, 200);
        b.time->advance(29s);
        CHECK(b.subject->snapshot("r").allowance == 20);
    }
    b.time->advance(2s);
    CHECK(b.subject->snapshot("r").allowance == 0);
}

TEST_CASE("unused_bucket_gives_its_part_of_the_day_back", "[quota]") {
    leased_bench b;
    b.book->share = 100;
    b.book->day = 50;
    CHECK(b.take() == 0);
    b.time->settle();
    CHECK(b.take(1) == 1);
    b.settle_all();
    b.book->day = 0;
    b.time->advance(32s);
    REQUIRE(b.subject->snapshot("r").allowance == 0);
    // The 49 may be somebody else's by now.
    b.book->day = 5;
    CHECK(b.take() == 0);
    b.time->settle();
    b.book->day = 0;
    CHECK(b.take() == 5);
}

TEST_CASE("bucket_that_is_forgotten_gives_its_lease_back_before", "[quota]") {
    limits l;
    // Forgotten before it is held for long enough, be it for want of room or as configured.
    bool const crowded = GENERATE(true, false);
    if (crowded)
        l.max_buckets = 2;
    else
        l.idle_eviction = 21s;
    leased_bench b{l};
    b.book->share = 20;
    auto const use = [&](std::string_view name) {
        if (auto p = b.subject->try_acquire(name, lane::bulk)) b.held.push_back(std::move(*p));
        b.settle_all();
        b.time->settle();
    };
    for (auto const* name : {"a", "a", "b", "b", "c", "c"})
        use(name);
    b.time->advance(22s);
    use("c");
    CHECK(b.book->returned.empty()); // by the next report
    // One that is used meanwhile stays.
    use("b");
    b.time->advance(1s);
    CHECK(b.book->returned == std::vector<std::string>{"a"});
    CHECK_FALSE(b.subject->snapshot("a").known);
    CHECK(b.subject->snapshot("b").allowance == 20);
    CHECK(b.subject->snapshot("c").allowance == 20);
    // Needed again: made and asked for again.
    use("a");
    CHECK(b.subject->snapshot("a").allowance == 20);
}

TEST_CASE("call_with_a_deadline_waits_for_the_first_share", "[quota]") {
    leased_bench b;
    auto const wait = [](limiter& l, auto& into, auto deadline, lane who) -> asio::awaitable<void> {
        into = co_await l.acquire("r", {.lane = who, .deadline = deadline});
    };
    std::optional<highlevel::quota::acquire_result> first;
    std::optional<highlevel::quota::acquire_result> bulk;
    std::optional<highlevel::quota::acquire_result> brief;
    auto const now = b.time->now();
    asio::co_spawn(
        b.context, wait(*b.subject, first, now + 30s, lane::interactive), asio::detached);
    asio::co_spawn(b.context, wait(*b.subject, bulk, now + 30s, lane::bulk), asio::detached);
    asio::co_spawn(
        b.context, wait(*b.subject, brief, now + 300ms, lane::interactive), asio::detached);
    b.time->settle();
    CHECK_FALSE(first);
    CHECK_FALSE(bulk);
    REQUIRE(b.book->questions.size() == 1);
    b.book->answer(0); // as a ledger does that others may still report to
    b.time->advance(400ms);
    CHECK_FALSE(first);
    REQUIRE(brief);
    CHECK(brief->error() == highlevel::quota::errc::deadline_too_soon);
    CHECK(brief->retry_in().value_or(0ms) < 1min);
    b.book->share = 8;
    b.time->advance(600ms);
    REQUIRE(first);
    REQUIRE(first->permit());
    rate_headers h;
    h.max = 100;
    h.interval_ms = 10'000;
    first->permit().settle(h, 200);
    b.time->settle();
    CHECK(bulk);
    // The share is used up; but it can grow.
    (void)b.take();
    b.settle_all();
    std::optional<highlevel::quota::acquire_result> more;
    asio::co_spawn(
        b.context, wait(*b.subject, more, b.time->now() + 3s, lane::interactive), asio::detached);
    b.time->settle();
    CHECK_FALSE(more);
    b.book->share = 50;
    b.time->advance(1s);
    REQUIRE(more);
    CHECK(more->permit());
}

TEST_CASE("limiters_with_a_new_ledger_serve_calls_with_deadlines", "[quota]") {
    asio::io_context context;
    auto time = std::make_shared<manual_time>(context);
    limits l;
    l.ledger = std::make_shared<in_process_ledger>(30s, [time] { return time->now(); });
    limiter subject{context.get_executor(), l, time};
    int granted = 0;
    auto const call = [](limiter& of, int& n, auto deadline) -> asio::awaitable<void> {
        auto got = co_await of.acquire("r", {.deadline = deadline});
        n += got ? 1 : 0;
        rate_headers h;
        h.max = 100;
        h.interval_ms = 10'000;
        if (got) got.permit().settle(h, 200);
    };
    for (int i = 0; i < 10; ++i)
        asio::co_spawn(context, call(subject, granted, time->now() + 30s), asio::detached);
    time->advance(10s);
    CHECK(granted == 10);
}

TEST_CASE("ledger_for_tests_can_be_away_and_come_back", "[quota]") {
    asio::io_context context;
    auto time = std::make_shared<manual_time>(context);
    auto const book = std::make_shared<in_process_ledger>(30s, [time] { return time->now(); });
    limits l;
    l.ledger = book;
    l.static_share = 10;
    limiter subject{context.get_executor(), l, time};
    auto const use = [&](int seconds) {
        for (int i = 0; i < seconds; ++i) {
            time->advance(1s);
            rate_headers h;
            h.max = 100;
            h.interval_ms = 10'000;
            if (auto p = subject.try_acquire("r", lane::interactive)) p->settle(h, 200);
        }
    };
    use(10);
    auto const leased = subject.snapshot("r").allowance;
    CHECK(leased > 10);
    book->set_away(true);
    use(60);
    CHECK(subject.snapshot("r").allowance == 10);
    book->set_away(false);
    use(10);
    CHECK(subject.snapshot("r").allowance > 10);
}

TEST_CASE("limiters_that_began_while_the_ledger_was_away_stay_within_the_limit", "[quota]") {
    asio::io_context context;
    auto const clock = std::make_shared<manual_time>(context);
    auto const book = std::make_shared<in_process_ledger>(30s, [clock] { return clock->now(); });
    book->set_away(true);
    limits l;
    l.ledger = book;
    l.static_share = 40;
    l.exclusive = true;
    l.seed = 1;
    std::vector<std::shared_ptr<manual_time>> times;
    std::vector<std::unique_ptr<limiter>> all;
    for (int i = 0; i < 2; ++i) {
        times.push_back(std::make_shared<manual_time>(context));
        all.push_back(std::make_unique<limiter>(context.get_executor(), l, times.back()));
    }
    rate_headers h;
    h.max = 100;
    h.interval_ms = 10'000;
    // Both want all that there is.
    auto const step = [&] {
        clock->leap(50ms);
        std::uint32_t sum = 0;
        for (std::size_t i = 0; i < all.size(); ++i) {
            times[i]->advance(50ms);
            for (int k = 0; k < 100; ++k)
                if (auto p = all[i]->try_acquire("r", lane::interactive)) p->settle(h, 200);
            sum += all[i]->snapshot("r").allowance;
        }
        return sum;
    };
    for (int i = 0; i < 100; ++i)
        (void)step();
    REQUIRE(step() == 80);
    book->set_away(false);
    std::uint32_t most = 0;
    std::uint32_t last = 0;
    for (int i = 0; i < 120; ++i) {
        last = step();
        most = std::max(most, last);
    }
    CHECK(most <= 100);
    CHECK(last > 80);
}

TEST_CASE("report_that_crosses_the_shutdown_does_not_bring_the_process_back", "[quota]") {
    leased_bench b;
    CHECK(b.take() == 0);
    b.book->meanwhile = [&] { b.subject->shutdown(); };
    b.time->settle();
    REQUIRE(b.book->questions.size() == 1);
    CHECK(b.book->left == b.book->questions.front().process);
}

TEST_CASE("limiter_takes_leave_of_its_ledger", "[quota]") {
    leased_bench b;
    CHECK(b.take() == 0);
    b.time->settle();
    auto const process = b.book->questions.front().process;
    b.subject.reset();
    CHECK(b.book->left == process);
    b.book->answer(10); // nobody is there
    b.time->settle();
}

TEST_CASE("limiters_of_one_ledger_never_use_more_than_the_limit_together", "[quota]") {
    asio::io_context context;
    auto time = std::make_shared<manual_time>(context);
    auto book = std::make_shared<in_process_ledger>(30s, [time] { return time->now(); });
    limits l;
    l.ledger = book;
    l.exclusive = true;
    l.reserve = l.idle_reserve = 0;
    std::vector<std::shared_ptr<manual_time>> times;
    std::vector<std::unique_ptr<limiter>> all;
    for (int i = 0; i < 4; ++i) {
        times.push_back(std::make_shared<manual_time>(context));
        all.push_back(std::make_unique<limiter>(context.get_executor(), l, times.back()));
    }
    auto server = sim::kind<sim::sliding_counter>("counter").make(100, 10, 3);
    int accepted = 0;
    int refused = 0;
    std::vector<std::pair<double, permit>> flying;
    for (int step = 0; step < 6000; ++step) {
        time->leap(20ms);
        for (auto& t : times)
            t->advance(20ms);
        double const now = step * 0.02;
        for (auto& [due, p] : flying) {
            if (due > now || !p) continue;
            rate_headers h;
            h.max = 100;
            h.interval_ms = 10'000;
            p.settle(h, 200);
        }
        std::erase_if(flying, [](auto const& f) { return !f.second; });
        for (auto& one : all)
            while (auto p = one->try_acquire("r", lane::bulk)) {
                (server->arrive(now).accepted ? accepted : refused)++;
                flying.emplace_back(now + 0.1, std::move(*p));
            }
    }
    CHECK(refused == 0);
    CHECK(accepted >= 900);
}

} // namespace quota_ledger_tests
