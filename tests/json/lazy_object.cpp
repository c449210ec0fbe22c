// SPDX-License-Identifier: BSL-1.0
//
// Tests of json/lazy_object.hpp: what a decoder leaves in one, its use as an object, and threads
// that look at one together.
#include "json/model.hpp"
#include "support/catch.hpp"

#include <highlevel/json/decode.hpp>
#include <highlevel/json/lazy_object.hpp>

#include <boost/json/serialize.hpp>

#include <atomic>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace json_lazy_object_tests {

namespace json = highlevel::json;
using boost::json::serialize;
using json::lazy_object;
using model::record;

// Members of the structs around it are found by offsetof.
static_assert(std::is_standard_layout_v<lazy_object>);
static_assert(std::is_nothrow_move_constructible_v<lazy_object>);

namespace {

// Records with four unknown members each, one of them a tree.
std::string records(int count) {
    std::string text = "[";
    for (int i = 0; i < count; ++i) {
        auto const n = std::to_string(i);
        text += i == 0 ? "" : ",";
        text += R"({"name":"n)" + n + R"(","zz":"the text of record )" + n + R"(","yy":)" + n +
            R"(,"xx":{"list":["long enough to be allocated",)" + n + R"(]},"ww":null})";
    }
    return text + "]";
}

std::string expected_unknown(int i) {
    auto const n = std::to_string(i);
    return R"({"zz":"the text of record )" + n + R"(","yy":)" + n +
        R"(,"xx":{"list":["long enough to be allocated",)" + n + R"(]},"ww":null})";
}

std::vector<record> read(int count) {
    std::vector<record> list;
    REQUIRE(json::decode(records(count), list));
    REQUIRE(list.size() == static_cast<std::size_t>(count));
    return list;
}

} // namespace

TEST_CASE("records_keep_their_unknown_members_whatever_becomes_of_the_list", "[json]") {
    record moved;
    record copied;
    json::value taken;
    {
        auto list = read(20);
        moved = std::move(list[7]);
        copied = list[8];
        taken = std::move(list[9].unknown_fields.at("xx"));
        for (int i = 10; i < 20; ++i) {
            auto const& unknown = list[static_cast<std::size_t>(i)].unknown_fields;
            CHECK_FALSE(unknown.empty());
            CHECK(serialize(unknown) == expected_unknown(i));
        }
    }
    CHECK(serialize(moved.unknown_fields) == expected_unknown(7));
    CHECK(serialize(copied.unknown_fields) == expected_unknown(8));
    CHECK(serialize(taken) == R"({"list":["long enough to be allocated",9]})");
}

TEST_CASE("a_record_is_read_into_again", "[json]") {
    auto list = read(3);
    CHECK(list[1].unknown_fields.size() == 4);
    for (std::size_t i : {1U, 2U}) {
        REQUIRE(json::decode(R"({"a":"1","b":2})", list[i]));
        CHECK(serialize(list[i].unknown_fields) == R"({"a":"1","b":2})");
    }
    REQUIRE(json::decode(R"({"name":"x"})", list[1]));
    CHECK(list[1].unknown_fields.empty());
}

TEST_CASE("unknown_members_that_occur_twice_are_kept_once", "[json]") {
    std::vector<record> list;
    REQUIRE(json::decode(
        R"([{"a":"first","b":1},{"a":"first","b":1,"a":"second, which is longer","b":[2]}])",
        list));
    CHECK(list.at(1).unknown_fields.text_of("a") == "second, which is longer");
    CHECK(serialize(list.at(1).unknown_fields) == R"({"a":"second, which is longer","b":[2]})");
}

TEST_CASE("a_read_that_stops_leaves_records_that_can_be_changed", "[json]") {
    json::decode_options strict;
    strict.strict = true;
    std::vector<record> list;
    for (auto const* text :
         {R"([{"a":"1","b":"2"},{"a":"one","count":"not a number"}])",
          R"([{"a":"1","b":"2"},{"a":"one","b":[{"c":1},{)"}) {
        CHECK_FALSE(json::decode(text, list, strict));
        REQUIRE(list.size() == 2);
        CHECK(serialize(list.front().unknown_fields) == R"({"a":"1","b":"2"})");
        auto& last = list.back().unknown_fields;
        last["c"] = "three";
        CHECK(last.at("c") == "three");
    }
}

TEST_CASE("lazy_object_is_used_like_an_object", "[json]") {
    auto list = read(2);
    auto& full = list[0].unknown_fields;
    auto const& constant = list[1].unknown_fields;

    CHECK(constant.text_of("zz") == "the text of record 1");
    CHECK(constant.text_of("yy").empty());
    CHECK(constant.text_of("absent").empty());
    CHECK(constant.size() == 4);
    CHECK(constant.contains("ww"));
    CHECK_FALSE(constant.contains("absent"));
    CHECK(constant.at("yy") == 1);
    CHECK_THROWS_AS(constant.at("absent"), std::out_of_range);
    REQUIRE(constant.if_contains("yy") != nullptr);
    CHECK(constant.if_contains("absent") == nullptr);
    CHECK(constant.find("yy")->value() == 1);
    CHECK(constant.find("absent") == constant.end());
    std::string keys;
    for (auto const& member : constant)
        keys += member.key();
    CHECK(keys == "zzyyxxww");
    json::object const& converted = constant;
    CHECK(&converted == &constant.get());
    // The same when there is an object.
    CHECK(constant.text_of("zz") == "the text of record 1");
    CHECK(constant.text_of("yy").empty());
    CHECK(constant.text_of("absent").empty());

    CHECK(full.erase("xx") == 1);
    CHECK(full.erase("xx") == 0);
    full.at("yy") = 7;
    CHECK(full.insert_or_assign("yy", 8).second == false);
    CHECK(full.emplace("zz", "there already").second == false);
    CHECK(full.emplace("vv", 9).second);
    *full.if_contains("vv") = 10;
    full.find("ww")->value() = true;
    for (auto& member : full)
        if (member.key() == "zz") member.value() = "z";
    CHECK(serialize(full) == R"({"zz":"z","yy":8,"ww":true,"vv":10})");
    full.clear();
    CHECK(full.empty());
    CHECK(full.size() == 0);
    CHECK(full.begin() == full.end());
    CHECK(full.erase("zz") == 0);
}

TEST_CASE("lazy_object_holds_what_it_is_given", "[json]") {
    lazy_object made = {{"a", 1}, {"b", "x"}};
    CHECK(serialize(made) == R"({"a":1,"b":"x"})");
    CHECK(made == json::object{{"b", "x"}, {"a", 1}});
    made = json::object{{"c", 2}};
    CHECK(made.at("c") == 2);
    CHECK(made.size() == 1);
    made = {};
    CHECK(made.empty());
    made["d"] = 3;
    auto const copy = made;
    made["d"] = 4;
    CHECK(copy.at("d") == 3);
    auto& same = made;
    made = same;
    CHECK(made.at("d") == 4);
}

TEST_CASE("lazy_objects_are_equal_when_their_members_are", "[json]") {
    auto const list = read(2);
    auto const again = read(2);
    CHECK(list[0].unknown_fields == again[0].unknown_fields);
    CHECK_FALSE(list[0].unknown_fields == list[1].unknown_fields);
    lazy_object const empty;
    CHECK(empty == lazy_object{});
    CHECK(empty == lazy_object{json::object{}});
    CHECK_FALSE(empty == list[0].unknown_fields);
    CHECK_FALSE(list[0].unknown_fields == empty);
}

TEST_CASE("lazy_object_is_empty_after_it_was_moved_from", "[json]") {
    auto list = read(2);
    (void)list[1].unknown_fields.get();
    for (auto& r : list) {
        lazy_object const taken = std::move(r.unknown_fields);
        CHECK(taken.size() == 4);
        CHECK(r.unknown_fields.empty());
        r.unknown_fields["a"] = 1;
        CHECK(r.unknown_fields.size() == 1);
    }
}

TEST_CASE("threads_look_at_one_lazy_object_together", "[json]") {
    auto const expected = expected_unknown(3);
    for (int round = 0; round < 50; ++round) {
        auto const list = read(4);
        auto const& shared = list[3].unknown_fields;
        constexpr std::size_t count = 4;
        std::atomic<std::size_t> waiting{count};
        std::vector<std::thread> threads;
        std::vector<std::string> made(count);
        std::vector<const json::object*> where(count);
        for (std::size_t t = 0; t < count; ++t)
            threads.emplace_back([&, t] {
                --waiting;
                while (waiting != 0)
                    std::this_thread::yield();
                // One copies, one searches, and all look.
                lazy_object mine;
                if (t == 0) mine = shared;
                bool const found = t != 1 || shared.text_of("zz") == "the text of record 3";
                where[t] = &shared.get();
                made[t] = found ? serialize(t == 0 ? mine.get() : *where[t]) : "";
                mine["of its own"] = t;
            });
        for (auto& t : threads)
            t.join();
        for (std::size_t t = 0; t < count; ++t) {
            CHECK(made[t] == expected);
            CHECK(where[t] == where[0]);
        }
    }
}

} // namespace json_lazy_object_tests
