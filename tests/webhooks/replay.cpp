// SPDX-License-Identifier: BSL-1.0
//
// The memory of webhooks that were seen or are owed: bounded, exact while there is room, oldest out
// first.
#include "support/catch.hpp"

#include <highlevel/webhooks/replay.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <random>
#include <stdexcept>
#include <string>

namespace webhooks_replay_tests {

namespace webhooks = highlevel::webhooks;
using webhooks::claim_state;
using webhooks::make_replay_key;
using webhooks::memory_replay_store;
using namespace std::chrono_literals;

namespace {

using wall_time = std::chrono::system_clock::time_point;

const wall_time start{std::chrono::hours{24 * 20000}};

webhooks::replay_key key(std::size_t n) {
    return make_replay_key('w', std::to_string(n));
}

claim_state claim(memory_replay_store& store, std::size_t n, wall_time now = start) {
    return store.claim(key(n), now, now + 5s, now + 1h);
}

// Claims and commits; true when it was new.
bool insert(memory_replay_store& store, std::size_t n, wall_time now, wall_time until) {
    if (claim(store, n, now) != claim_state::taken) return false;
    store.commit(key(n), now, until);
    return true;
}

} // namespace

TEST_CASE("a_key_is_remembered_until_its_time_is_over", "[webhooks]") {
    memory_replay_store store{4};
    CHECK(insert(store, 1, start, start + 10s));
    CHECK_FALSE(insert(store, 1, start, start + 10s));
    CHECK_FALSE(insert(store, 1, start + 9s, start + 20s));
    CHECK(store.knows(key(1), start + 9s));
    CHECK_FALSE(store.knows(key(1), start + 10s));
    CHECK(insert(store, 1, start + 10s, start + 20s));
    CHECK_FALSE(insert(store, 1, start + 19s, start + 30s));
    CHECK(store.size() == 1);
    CHECK(store.owed() == 0);
}

TEST_CASE("a_claim_is_open_until_it_is_committed_or_released_or_lapses", "[webhooks]") {
    memory_replay_store store{4};
    CHECK(claim(store, 1) == claim_state::taken);
    CHECK(claim(store, 1) == claim_state::open);
    CHECK(claim(store, 1, start + 4s) == claim_state::open);
    CHECK(claim(store, 1, start + 5s) == claim_state::taken);
    // The claim that lapsed is not this one, and its end changes nothing.
    store.release(key(1), start + 5s);
    CHECK(claim(store, 1, start + 6s) == claim_state::open);
    store.release(key(1), start + 10s);
    CHECK(claim(store, 1, start + 6s) == claim_state::taken);
    store.commit(key(1), start + 7s, start + 1min);
    CHECK(claim(store, 1, start + 8s) == claim_state::seen);
    // Too late.
    store.release(key(1), start + 11s);
    CHECK(claim(store, 1, start + 8s) == claim_state::seen);
    CHECK(claim(store, 1, start + 1min) == claim_state::taken);
    // A commit without a claim counts as well.
    store.commit(key(2), start, start + 10s);
    CHECK(claim(store, 2) == claim_state::seen);
    store.release(key(3), start);
    CHECK_FALSE(store.knows(key(3), start));
}

TEST_CASE("what_is_owed_is_known_for_its_time_from_the_first_claim_on", "[webhooks]") {
    memory_replay_store store{4};
    CHECK(claim(store, 1) == claim_state::taken);
    store.release(key(1), start + 5s);
    CHECK(store.knows(key(1), start + 59min));
    CHECK(claim(store, 1, start + 59min) == claim_state::taken);
    store.release(key(1), start + 59min + 5s);
    CHECK_FALSE(store.knows(key(1), start + 1h));
}

TEST_CASE("claims_that_come_to_nothing_cost_no_one_their_place", "[webhooks]") {
    memory_replay_store store{8};
    for (std::size_t i = 0; i < 8; ++i)
        REQUIRE(insert(store, i, start, start + 10min));
    // As an inbox does that pushes back, over and over.
    for (std::size_t i = 0; i < 100; ++i) {
        REQUIRE(claim(store, 100 + i) == claim_state::taken);
        store.release(key(100 + i), start + 5s);
    }
    for (std::size_t i = 0; i < 8; ++i)
        CHECK(claim(store, i) == claim_state::seen);
    CHECK(store.size() == 8);
    CHECK(store.owed() == 8);
}

TEST_CASE("the_oldest_makes_room_and_it_is_counted_when_it_was_too_early", "[webhooks]") {
    memory_replay_store store{100};
    for (std::size_t i = 0; i < 100; ++i)
        CHECK(insert(store, i, start, start + 10s));
    CHECK(store.forced_out() == 0);
    CHECK(insert(store, 100, start, start + 10s));
    CHECK(store.forced_out() == 1);
    CHECK(store.size() == 100);
    CHECK_FALSE(insert(store, 1, start, start + 10s));
    CHECK(insert(store, 0, start, start + 10s));
    CHECK(store.forced_out() == 2);
    for (std::size_t i = 0; i < 1000; ++i)
        CHECK(insert(store, 1000 + i, start + 60s, start + 70s));
    CHECK(store.size() == 100);
    CHECK(insert(store, 5000, start + 2min, start + 3min));
    CHECK(store.size() < 100); // what is over goes by and by
    CHECK_THROWS_AS(memory_replay_store{0}, std::invalid_argument);
}

TEST_CASE("what_is_over_makes_room_whenever_it_came", "[webhooks]") {
    memory_replay_store store{4};
    // Kept for long, and before those that are kept for a moment.
    CHECK(insert(store, 0, start, start + 24h));
    for (std::size_t i = 1; i < 4; ++i)
        CHECK(insert(store, i, start, start + 1min));
    for (std::size_t i = 10; i < 13; ++i)
        CHECK(insert(store, i, start + 1min, start + 1h));
    CHECK(store.forced_out() == 0);
    CHECK(store.size() == 4);
    for (auto const id : {0, 10, 11, 12})
        CHECK(claim(store, static_cast<std::size_t>(id), start + 61s) == claim_state::seen);
    // When nothing is over the oldest goes, though it would be kept for longest.
    CHECK(insert(store, 13, start + 61s, start + 62s));
    CHECK(store.forced_out() == 1);
    CHECK_FALSE(store.knows(key(0), start + 61s));
    CHECK(store.knows(key(13), start + 61s));
}

TEST_CASE("what_is_over_keeps_its_place_to_the_end_of_its_minute", "[webhooks]") {
    memory_replay_store store{4};
    CHECK(insert(store, 1, start, start + 1s));
    CHECK(insert(store, 2, start, start + 59s));
    CHECK(insert(store, 3, start, start + 61s));
    CHECK_FALSE(store.knows(key(1), start + 1s));
    CHECK(insert(store, 4, start + 59s, start + 10min));
    CHECK(store.size() == 4);
    // One that is over and makes room by its age was not forced out.
    CHECK(insert(store, 5, start + 59s, start + 10min));
    CHECK(store.size() == 4);
    CHECK(store.forced_out() == 0);
    CHECK(insert(store, 6, start + 1min, start + 10min));
    CHECK_FALSE(store.knows(key(2), start + 58s));
    CHECK(store.knows(key(3), start + 1min));
    CHECK(store.size() == 4);
    CHECK(store.forced_out() == 0);
}

TEST_CASE("ends_of_any_order_and_at_the_ends_of_time_are_kept", "[webhooks]") {
    memory_replay_store store{8};
    store.commit(key(1), start, wall_time::max());
    store.commit(key(2), start, start + 5min);
    store.commit(key(3), start, start - 24h);
    store.commit(key(4), start, wall_time{});
    store.commit(key(5), start, start + 5min);
    store.commit(key(6), start, start + 3min);
    CHECK(store.size() == 6);
    for (auto const id : {1, 2, 5, 6})
        CHECK(store.knows(key(static_cast<std::size_t>(id)), start));
    CHECK_FALSE(store.knows(key(3), start));
    // Those that are over go first, the earliest before others.
    CHECK(claim(store, 7) == claim_state::taken);
    CHECK(store.size() == 4);
    CHECK(claim(store, 8, start + 3min) == claim_state::taken);
    CHECK(store.size() == 3);
    // What moves to another minute is over with that one.
    store.commit(key(2), start + 3min, start + 20min);
    CHECK(claim(store, 9, start + 5min) == claim_state::taken);
    CHECK(store.size() == 2);
    CHECK(store.knows(key(2), start + 5min));
    CHECK(store.knows(key(1), start + 5min));
    auto const last = wall_time::max();
    CHECK(store.claim(key(1), last - 1s, last, last) == claim_state::seen);
    CHECK(store.size() + store.owed() < 5);
}

TEST_CASE("what_is_committed_late_makes_no_room_by_its_own_end", "[webhooks]") {
    memory_replay_store store{1};
    REQUIRE(insert(store, 1, start, start + 24h));
    // Owed until an hour later, and committed after that for no time at all.
    REQUIRE(claim(store, 2) == claim_state::taken);
    store.commit(key(2), start + 2h, start + 2h);
    CHECK(store.size() == 1);
    CHECK(store.owed() == 0);
    CHECK_FALSE(store.knows(key(1), start + 2h));
    CHECK_FALSE(store.knows(key(2), start + 2h));
    CHECK(claim(store, 2, start + 2h) == claim_state::taken);
    CHECK(store.size() == 0);
}

TEST_CASE("ids_and_bodies_have_keys_of_their_own", "[webhooks]") {
    CHECK(make_replay_key('w', "x") == make_replay_key('w', "x"));
    CHECK(make_replay_key('w', "x") != make_replay_key('b', "x"));
    CHECK(make_replay_key('w', "x") != make_replay_key('w', "y"));
}

TEST_CASE("the_store_agrees_with_a_plain_model", "[webhooks]") {
    class known {
    public:
        bool seen = false;
        wall_time until{};
        wall_time lapses{};
    };
    memory_replay_store store{1000};
    std::map<std::size_t, known> model;
    std::mt19937 random{7};
    auto now = start;
    for (int step = 0; step < 20000; ++step) {
        now += std::chrono::milliseconds{random() % 50};
        auto const id = random() % 300;
        auto const lives = [&] { return model.contains(id) && now < model[id].until; };
        REQUIRE(store.knows(key(id), now) == lives());
        auto const choice = random() % 10;
        if (choice == 0) {
            auto const lapses = lives() ? model[id].lapses : now;
            store.release(key(id), lapses);
            if (lives() && !model[id].seen) model[id].lapses = wall_time::min();
        } else if (choice < 4) {
            auto const until = now + std::chrono::milliseconds{random() % 3000};
            store.commit(key(id), now, until);
            model[id].seen = true;
            model[id].until = until;
        } else {
            auto const lapses = now + std::chrono::milliseconds{random() % 1000};
            auto const owed = lapses + std::chrono::milliseconds{random() % 3000};
            auto const expected = lives() && model[id].seen ? claim_state::seen
                : lives() && now < model[id].lapses         ? claim_state::open
                                                            : claim_state::taken;
            REQUIRE(store.claim(key(id), now, lapses, owed) == expected);
            if (expected != claim_state::taken) continue;
            if (!lives() || model[id].seen) model[id].until = owed;
            model[id].until = std::max(model[id].until, lapses);
            model[id].seen = false;
            model[id].lapses = lapses;
        }
    }
    CHECK(store.forced_out() == 0);
    CHECK(store.size() + store.owed() <= 300);
}

} // namespace webhooks_replay_tests
