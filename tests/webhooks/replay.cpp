// SPDX-License-Identifier: BSL-1.0
//
// The memory of webhooks that were seen: bounded, exact while there is room, oldest out first.
#include "support/catch.hpp"

#include <highlevel/webhooks/replay.hpp>

#include <chrono>
#include <cstddef>
#include <map>
#include <random>
#include <stdexcept>
#include <string>

namespace webhooks = highlevel::webhooks;
using webhooks::make_replay_key;
using webhooks::memory_replay_store;
using namespace std::chrono_literals;

namespace {

const std::chrono::system_clock::time_point start{std::chrono::hours{24 * 20000}};

webhooks::replay_key key(std::size_t n) {
    return make_replay_key('w', std::to_string(n));
}

} // namespace

TEST_CASE("a_key_is_remembered_until_its_time_is_over", "[webhooks]") {
    memory_replay_store store{4};
    CHECK(store.insert(key(1), start, start + 10s));
    CHECK_FALSE(store.insert(key(1), start, start + 10s));
    CHECK_FALSE(store.insert(key(1), start + 9s, start + 20s));
    CHECK(store.insert(key(1), start + 10s, start + 20s));
    CHECK_FALSE(store.insert(key(1), start + 19s, start + 30s));
    CHECK(store.size() == 1);
}

TEST_CASE("what_is_forgotten_is_new_again", "[webhooks]") {
    memory_replay_store store{4};
    CHECK(store.insert(key(1), start, start + 10s));
    store.erase(key(1));
    store.erase(key(2));
    CHECK(store.size() == 0);
    CHECK(store.insert(key(1), start, start + 10s));
    CHECK_FALSE(store.insert(key(1), start, start + 10s));
}

TEST_CASE("the_oldest_makes_room_and_it_is_counted_when_it_was_too_early", "[webhooks]") {
    memory_replay_store store{100};
    for (std::size_t i = 0; i < 100; ++i)
        CHECK(store.insert(key(i), start, start + 10s));
    CHECK(store.forced_out() == 0);
    CHECK(store.insert(key(100), start, start + 10s));
    CHECK(store.forced_out() == 1);
    CHECK(store.size() == 100);
    CHECK_FALSE(store.insert(key(1), start, start + 10s));
    CHECK(store.insert(key(0), start, start + 10s));
    for (std::size_t i = 0; i < 1000; ++i)
        CHECK(store.insert(key(1000 + i), start + 60s, start + 70s));
    CHECK(store.size() == 100);
    CHECK_THROWS_AS(memory_replay_store{0}, std::invalid_argument);
}

TEST_CASE("ids_and_bodies_have_keys_of_their_own", "[webhooks]") {
    CHECK(make_replay_key('w', "x") == make_replay_key('w', "x"));
    CHECK(make_replay_key('w', "x") != make_replay_key('b', "x"));
    CHECK(make_replay_key('w', "x") != make_replay_key('w', "y"));
}

TEST_CASE("the_store_agrees_with_a_plain_model", "[webhooks]") {
    memory_replay_store store{1000};
    std::map<std::size_t, std::chrono::system_clock::time_point> model;
    std::mt19937 random{7};
    auto now = start;
    for (int step = 0; step < 20000; ++step) {
        now += std::chrono::milliseconds{random() % 50};
        auto const id = random() % 300;
        if (random() % 10 == 0) {
            store.erase(key(id));
            model.erase(id);
            continue;
        }
        auto const known = model.find(id);
        auto const fresh = known == model.end() || now >= known->second;
        auto const until = now + std::chrono::milliseconds{random() % 3000};
        REQUIRE(store.insert(key(id), now, until) == fresh);
        if (fresh) model[id] = until;
    }
    CHECK(store.forced_out() == 0);
    CHECK(store.size() <= 300);
}
