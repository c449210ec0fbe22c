// SPDX-License-Identifier: BSL-1.0
//
// Tests of json/map.hpp.
#include "support/catch.hpp"

#include <highlevel/json/map.hpp>

#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace json_map_tests {

namespace json = highlevel::json;

namespace {

struct tree {
    tree() = default;
    json::map<tree> branches;
};

} // namespace

TEST_CASE("map_keeps_the_order_of_insertion", "[json]") {
    json::map<int> m;
    m["z"] = 1;
    m["a"] = 2;
    m["m"] = 3;
    m["z"] = 4;
    std::vector<std::string> keys;
    for (auto const& [key, value] : m)
        keys.push_back(key + std::to_string(value));
    CHECK(keys == std::vector<std::string>{"z4", "a2", "m3"});
}

TEST_CASE("map_finds_what_it_holds_and_nothing_else", "[json]") {
    json::map<int> const m{{"one", 1}, {"two", 2}};
    CHECK(m.size() == 2);
    CHECK(m.contains("one"));
    CHECK_FALSE(m.contains("on"));
    REQUIRE(m.find("two") != nullptr);
    CHECK(*m.find("two") == 2);
    CHECK(m.find("three") == nullptr);
    CHECK(m.at("one") == 1);
    CHECK_THROWS_AS(m.at("three"), std::out_of_range);
}

TEST_CASE("map_with_a_key_twice_keeps_first_place_and_last_value", "[json]") {
    json::map<int> const m{{"a", 1}, {"b", 2}, {"a", 3}};
    REQUIRE(m.size() == 2);
    CHECK(m.begin()->first == "a");
    CHECK(m.begin()->second == 3);
}

TEST_CASE("map_erases_one_key", "[json]") {
    json::map<int> m{{"a", 1}, {"b", 2}, {"c", 3}};
    CHECK(m.erase("b"));
    CHECK_FALSE(m.erase("b"));
    CHECK(m == json::map<int>{{"a", 1}, {"c", 3}});
    m.clear();
    CHECK(m.empty());
}

TEST_CASE("large_map_finds_all_its_keys_through_insertion_and_erasure", "[json]") {
    json::map<int> m;
    for (int i = 0; i < 5000; ++i) {
        m["key" + std::to_string(i)] = i;
        m["key" + std::to_string(i / 2)] = -1;
    }
    CHECK(m.size() == 5000);
    CHECK(m.at("key4999") == 4999);
    CHECK(m.at("key2499") == -1);
    CHECK_FALSE(m.contains("key5000"));
    for (int i = 0; i < 5000; i += 100)
        CHECK(m.erase("key" + std::to_string(i)));
    CHECK(m.size() == 4950);
    CHECK_FALSE(m.contains("key100"));
    CHECK(m.at("key101") == -1);
    m["key100"] = 7;
    CHECK(m.at("key100") == 7);
    json::map<int> const copy = m;
    CHECK(copy == m);
    CHECK(copy.at("key4999") == 4999);
    m.clear();
    CHECK_FALSE(m.contains("key4999"));
    m["new"] = 1;
    CHECK(m.size() == 1);
}

TEST_CASE("maps_compare_without_regard_to_order", "[json]") {
    json::map<int> const one{{"a", 1}, {"b", 2}};
    CHECK(one == json::map<int>{{"b", 2}, {"a", 1}});
    CHECK_FALSE(one == json::map<int>{{"b", 2}, {"a", 3}});
    CHECK_FALSE(one == json::map<int>{{"b", 2}, {"c", 1}});
    CHECK_FALSE(one == json::map<int>{{"a", 1}});
}

TEST_CASE("map_may_hold_the_type_that_holds_it", "[json]") {
    tree root;
    root.branches["left"].branches["leaf"];
    CHECK(root.branches.at("left").branches.contains("leaf"));
    STATIC_REQUIRE(std::is_standard_layout_v<json::map<tree>>);
    STATIC_REQUIRE(std::is_standard_layout_v<json::map<std::string>>);
}

} // namespace json_map_tests
