// SPDX-License-Identifier: BSL-1.0
//
// Tests of http/pool.hpp in made-up time: who gets, opens, waits for and loses connections.
#include "support/catch.hpp"

#include <highlevel/http/pool.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace http_pool_tests {

namespace {

using namespace std::chrono_literals;
using pool = highlevel::http::pool<int>;
using outcome = pool::outcome;

const pool::time_point start{1000h};

highlevel::http::pool_options options(std::size_t connections, std::size_t connecting = 32) {
    highlevel::http::pool_options o;
    o.max_connections = connections;
    o.max_connecting = connecting;
    o.idle_timeout = 55s;
    o.max_age = 10min;
    return o;
}

class fixture {
public:
    explicit fixture(const highlevel::http::pool_options& o) : p(o) {}

    outcome ask() {
        last = p.acquire(now, discarded);
        return last.what;
    }
    void open() {
        REQUIRE(ask() == outcome::open);
        p.opened();
    }
    void back(int connection) { p.put_back(std::move(connection), now, now, discarded); }
    pool::waiter* next() { return p.next(now, discarded); }

    pool p;
    pool::time_point now = start;
    pool::grant last;
    std::vector<int> discarded;
};

} // namespace

TEST_CASE("connection_idle_last_is_reused_first", "[http][pool]") {
    fixture f{options(3)};
    for (int i = 0; i < 3; ++i)
        f.open();
    for (int i = 0; i < 3; ++i)
        f.back(i);
    CHECK(f.p.idle() == 3);
    f.now += 2s;
    for (int expected : {2, 1, 0}) {
        REQUIRE(f.ask() == outcome::reuse);
        CHECK(f.last.connection == expected);
        CHECK(f.last.idle_since == start);
    }
    CHECK(f.p.idle() == 0);
    CHECK(f.p.in_use() == 3);
    CHECK(f.ask() == outcome::wait);
}

TEST_CASE("no_more_places_than_allowed_are_given_out", "[http][pool]") {
    fixture f{options(2)};
    CHECK(f.ask() == outcome::open);
    CHECK(f.ask() == outcome::open);
    CHECK(f.ask() == outcome::wait);
    f.p.open_failed();
    CHECK(f.ask() == outcome::open);
    f.p.opened();
    f.p.opened();
    CHECK(f.p.connecting() == 0);
    CHECK(f.p.in_use() == 2);
    f.p.drop();
    CHECK(f.ask() == outcome::open);
}

TEST_CASE("connections_in_the_opening_are_bounded_apart", "[http][pool]") {
    fixture f{options(10, 2)};
    CHECK(f.ask() == outcome::open);
    CHECK(f.ask() == outcome::open);
    CHECK(f.ask() == outcome::wait);
    f.p.opened();
    CHECK(f.ask() == outcome::open);
}

TEST_CASE("idle_connection_is_evicted_after_its_time", "[http][pool]") {
    fixture f{options(4)};
    CHECK(f.p.next_eviction() == pool::time_point::max());
    for (int i = 0; i < 2; ++i)
        f.open();
    f.back(0);
    f.now += 10s;
    f.back(1);
    CHECK(f.p.next_eviction() == start + 55s);
    f.now = start + 54s;
    f.p.evict(f.now, f.discarded);
    CHECK(f.discarded.empty());
    f.now = start + 55s;
    f.p.evict(f.now, f.discarded);
    CHECK(f.discarded == std::vector{0});
    CHECK(f.p.next_eviction() == start + 65s);
    f.now = start + 70s;
    CHECK(f.ask() == outcome::open);
    CHECK(f.discarded == std::vector{0, 1});
}

TEST_CASE("connection_past_its_age_is_not_used_again", "[http][pool]") {
    fixture f{options(4)};
    f.open();
    f.p.put_back(7, start, start + 10min, f.discarded);
    CHECK(f.discarded == std::vector{7});
    CHECK(f.p.idle() == 0);

    f.open();
    f.p.put_back(8, start, start + 10min - 1s, f.discarded);
    CHECK(f.p.idle() == 1);
    f.now = start + 10min;
    CHECK(f.ask() == outcome::open);
    CHECK(f.discarded == std::vector{7, 8});
}

TEST_CASE("zero_idle_timeout_keeps_nothing", "[http][pool]") {
    auto o = options(4);
    o.idle_timeout = 0s;
    fixture f{o};
    f.open();
    f.back(1);
    CHECK(f.discarded == std::vector{1});
    CHECK(f.p.idle() == 0);
    CHECK(f.p.in_use() == 0);
}

TEST_CASE("server_may_ask_for_a_shorter_idle_time_but_not_for_a_longer", "[http][pool]") {
    fixture f{options(4)};
    for (int i = 0; i < 3; ++i)
        f.open();
    f.p.put_back(1, start, start, f.discarded, 100s);
    f.p.put_back(2, start, start, f.discarded, 5s);
    f.p.put_back(3, start, start, f.discarded, 0s);
    CHECK(f.discarded == std::vector{3});
    f.now = start + 5s;
    // The second is past its time, although the first hides it from evict().
    CHECK(f.ask() == outcome::reuse);
    CHECK(f.last.connection == 1);
    CHECK(f.discarded == std::vector{3, 2});
    f.p.put_back(1, start, start + 5s, f.discarded, 100s);
    CHECK(f.p.next_eviction() == start + 60s);
}

TEST_CASE("without_leave_to_open_a_caller_waits_for_a_connection_in_use", "[http][pool]") {
    fixture f{options(4)};
    // Nobody to wait for: the caller is to find out for itself.
    CHECK(f.p.acquire(f.now, f.discarded, false).what == outcome::open);
    f.p.opened();
    CHECK(f.p.acquire(f.now, f.discarded, false).what == outcome::wait);
    pool::waiter w;
    f.p.enter(w, "a");
    CHECK(f.p.next(f.now, f.discarded, false) == nullptr);
    f.back(5);
    REQUIRE(f.p.next(f.now, f.discarded, false) == &w);
    CHECK(w.granted.connection == 5);
    pool::waiter last;
    f.p.enter(last, "a");
    f.p.drop();
    REQUIRE(f.p.next(f.now, f.discarded, false) == &last);
    CHECK(last.granted.what == outcome::open);
}

TEST_CASE("place_is_free_where_there_is_no_memory_to_keep_its_connection", "[http][pool]") {
    // Stands for an allocation that fails when the connection would be taken over.
    class heavy {
    public:
        heavy() = default;
        explicit heavy(bool immovable) : immovable_(immovable) {}
        heavy(heavy&& other) : immovable_(other.immovable_) {
            if (immovable_) throw std::bad_alloc{};
        }
        heavy& operator=(heavy&&) = default;

    private:
        bool immovable_ = false;
    };
    using heavy_pool = highlevel::http::pool<heavy>;
    for (bool too_old : {false, true}) {
        CAPTURE(too_old);
        heavy_pool p{options(1)};
        std::vector<heavy> discarded;
        REQUIRE(p.acquire(start, discarded).what == heavy_pool::outcome::open);
        p.opened();
        heavy_pool::waiter w;
        p.enter(w, "a");
        heavy one{true};
        CHECK_NOTHROW(p.put_back(std::move(one), too_old ? start - 1h : start, start, discarded));
        CHECK(p.in_use() == 0);
        CHECK(p.idle() == 0);
        CHECK(discarded.empty());
        CHECK(p.next(start, discarded) == &w);
        CHECK(w.granted.what == heavy_pool::outcome::open);
        p.leave(w);
    }
}

TEST_CASE("limits_of_any_length_are_taken", "[http][pool]") {
    auto o = options(4);
    o.idle_timeout = o.max_age = std::chrono::milliseconds::max();
    fixture f{o};
    f.open();
    f.back(1);
    f.now += 24h * 365;
    CHECK(f.ask() == outcome::reuse);
}

TEST_CASE("newcomers_do_not_overtake_waiters", "[http][pool]") {
    fixture f{options(1)};
    f.open();
    pool::waiter first;
    f.p.enter(first, "a");
    f.back(5);
    CHECK(f.ask() == outcome::wait);
    REQUIRE(f.next() == &first);
    CHECK(first.granted.what == outcome::reuse);
    CHECK(first.granted.connection == 5);
    CHECK(!first.queued());
    CHECK(f.next() == nullptr);
}

TEST_CASE("waiters_are_served_round_robin_by_group_and_in_order_inside", "[http][pool]") {
    fixture f{options(1)};
    f.open();
    std::vector<pool::waiter> w(7);
    // One busy group with four waiters, then two others with fewer.
    f.p.enter(w[0], "busy");
    f.p.enter(w[1], "busy");
    f.p.enter(w[2], "busy");
    f.p.enter(w[3], "busy");
    f.p.enter(w[4], "b");
    f.p.enter(w[5], "c");
    f.p.enter(w[6], "b");
    std::vector<std::size_t> served;
    for (int i = 0; i < 7; ++i) {
        f.back(1);
        auto* const next = f.next();
        REQUIRE(next);
        served.push_back(static_cast<std::size_t>(next - w.data()));
    }
    CHECK(served == std::vector<std::size_t>{0, 4, 5, 1, 6, 2, 3});
    CHECK(f.p.waiting() == 0);
}

TEST_CASE("waiter_that_leaves_is_not_served", "[http][pool]") {
    fixture f{options(1)};
    f.open();
    pool::waiter a;
    pool::waiter b;
    pool::waiter c;
    f.p.enter(a, "x");
    f.p.enter(b, "x");
    f.p.enter(c, "x");
    f.p.leave(b);
    f.p.leave(b);
    CHECK(f.p.waiting() == 2);
    f.p.drop();
    REQUIRE(f.next() == &a);
    CHECK(a.granted.what == outcome::open);
    CHECK(f.next() == nullptr);
    f.p.open_failed();
    REQUIRE(f.next() == &c);
    CHECK(f.p.waiting() == 0);
}

TEST_CASE("drain_takes_out_every_waiter", "[http][pool]") {
    fixture f{options(1)};
    f.open();
    std::vector<pool::waiter> w(5);
    for (auto& one : w)
        f.p.enter(one, &one - w.data() < 2 ? "a" : "b");
    int drained = 0;
    while (auto* one = f.p.drain()) {
        CHECK(one->granted.what == outcome::wait);
        ++drained;
    }
    CHECK(drained == 5);
    CHECK(f.p.waiting() == 0);
}

TEST_CASE("books_balance_over_random_events", "[http][pool]") {
    std::mt19937 random{42};
    fixture f{options(5, 2)};
    std::vector<std::unique_ptr<pool::waiter>> queue;
    std::size_t connecting = 0;
    std::vector<int> in_use;
    int made = 0;
    std::size_t served = 0;
    auto take = [&](pool::grant& g) {
        if (g.what == outcome::open) ++connecting;
        if (g.what == outcome::reuse) in_use.push_back(g.connection);
    };
    for (int step = 0; step < 20000; ++step) {
        f.now += std::chrono::milliseconds{random() % 3000};
        switch (random() % 6) {
        case 0:
        case 1:
            if (f.ask() != outcome::wait) {
                take(f.last);
            } else {
                queue.push_back(std::make_unique<pool::waiter>());
                f.p.enter(*queue.back(), std::string(1, static_cast<char>('a' + random() % 3)));
            }
            break;
        case 2:
            if (connecting == 0) break;
            --connecting;
            if (random() % 4 == 0) {
                f.p.open_failed();
            } else {
                f.p.opened();
                in_use.push_back(made++);
            }
            break;
        case 3:
            if (in_use.empty()) break;
            if (random() % 3 == 0)
                f.p.drop();
            else
                f.back(in_use.back());
            in_use.pop_back();
            break;
        case 4:
            if (queue.empty()) break;
            f.p.leave(*queue.back());
            queue.pop_back();
            break;
        default: f.p.evict(f.now, f.discarded); break;
        }
        while (auto* w = f.next()) {
            take(w->granted);
            ++served;
            std::erase_if(queue, [&](auto const& q) { return q.get() == w; });
        }
        REQUIRE(f.p.connecting() == connecting);
        REQUIRE(f.p.in_use() == in_use.size());
        REQUIRE(f.p.waiting() == queue.size());
        REQUIRE(connecting <= 2);
        REQUIRE(in_use.size() + connecting <= 5);
        // Nobody waits while something is free.
        if (!queue.empty())
            REQUIRE((f.p.idle() == 0 && (connecting == 2 || in_use.size() + connecting == 5)));
    }
    CHECK(served > 100);
    for (auto& w : queue)
        f.p.leave(*w);
}

} // namespace http_pool_tests
