// SPDX-License-Identifier: BSL-1.0
//
// Tests of json/detail/slab.hpp: what it hands out, what it leaves to the heap, and what becomes of
// the unknown members of a record that go their own way.
#include "json/model.hpp"
#include "support/catch.hpp"

#include <highlevel/json/decode.hpp>
#include <highlevel/json/detail/slab.hpp>

#include <boost/json/serialize.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace json_detail_slab_tests {

namespace json = highlevel::json;
using json::detail::make_slab;
using json::detail::slab;
using model::record;

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

TEST_CASE("slab_hands_out_aligned_memory_that_does_not_overlap", "[json]") {
    slab* where = nullptr;
    auto const storage = make_slab(256, where);
    REQUIRE(where != nullptr);
    struct piece {
        std::byte* at;
        std::size_t size;
        std::size_t align;
    };
    std::vector<piece> pieces;
    // Also more than there is: the rest comes from the heap.
    for (std::size_t i = 0; i < 40; ++i) {
        std::size_t const size = 1 + i * 7 % 23;
        std::size_t const align = std::size_t{1} << (i % 5);
        auto* const at = static_cast<std::byte*>(storage->allocate(size, align));
        CHECK(reinterpret_cast<std::uintptr_t>(at) % align == 0);
        for (std::size_t k = 0; k < size; ++k)
            at[k] = static_cast<std::byte>(i);
        pieces.push_back({at, size, align});
    }
    std::size_t asked = 0;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
        for (std::size_t k = 0; k < pieces[i].size; ++k)
            CHECK(pieces[i].at[k] == static_cast<std::byte>(i));
        asked += pieces[i].size;
    }
    for (auto const& p : pieces)
        storage->deallocate(p.at, p.size, p.align);
    CHECK(where->seal() == asked);
}

TEST_CASE("slab_leaves_large_pieces_and_what_comes_after_its_seal_to_the_heap", "[json]") {
    slab* where = nullptr;
    auto const storage = make_slab(4096, where);
    auto* const first = static_cast<std::byte*>(storage->allocate(8, 8));
    auto* const large = static_cast<std::byte*>(storage->allocate(500, 8));
    auto* const second = static_cast<std::byte*>(storage->allocate(8, 8));
    CHECK(second == first + 8);
    CHECK(where->seal() == 16);
    auto* const late = static_cast<std::byte*>(storage->allocate(8, 8));
    CHECK(late != second + 8);
    CHECK(where->seal() == 16);
    storage->deallocate(late, 8, 8);
    storage->deallocate(large, 500, 8);
}

TEST_CASE("records_keep_their_unknown_members_whatever_becomes_of_the_list", "[json]") {
    record moved;
    record copied;
    json::value taken;
    {
        auto list = read(20);
        for (int i = 0; i < 20; ++i)
            CHECK(
                boost::json::serialize(list[static_cast<std::size_t>(i)].unknown_fields) ==
                expected_unknown(i));
        moved = std::move(list[7]);
        copied = list[8];
        taken = std::move(list[9].unknown_fields.at("xx"));
    }
    CHECK(boost::json::serialize(moved.unknown_fields) == expected_unknown(7));
    CHECK(boost::json::serialize(copied.unknown_fields) == expected_unknown(8));
    CHECK(boost::json::serialize(taken) == R"({"list":["long enough to be allocated",9]})");
}

TEST_CASE("a_record_is_read_into_again", "[json]") {
    auto list = read(3);
    REQUIRE(json::decode(R"({"a":"1","b":2})", list[2]));
    CHECK(boost::json::serialize(list[2].unknown_fields) == R"({"a":"1","b":2})");
    list[2].unknown_fields["c"] = "a text that does not fit where the record was read";
    CHECK(list[2].unknown_fields.size() == 3);
}

TEST_CASE("unknown_members_that_occur_twice_are_kept_once", "[json]") {
    std::vector<record> list;
    REQUIRE(json::decode(
        R"([{"a":"first","b":1},{"a":"first","b":1,"a":"second, which is longer","b":[2]}])",
        list));
    CHECK(
        boost::json::serialize(list.at(1).unknown_fields) ==
        R"({"a":"second, which is longer","b":[2]})");
}

TEST_CASE("a_strict_read_that_stops_leaves_records_that_can_be_changed", "[json]") {
    json::decode_options strict;
    strict.strict = true;
    std::vector<record> list;
    CHECK_FALSE(json::decode(
        R"([{"a":"1","b":"2"},{"a":"one","b":"two","count":"not a number"}])", list, strict));
    REQUIRE(list.size() == 2);
    auto& last = list.back().unknown_fields;
    last["c"] = "three, in memory that the reader no longer hands out";
    CHECK(last.at("a") == "one");
}

TEST_CASE("copies_of_a_record_are_changed_in_several_threads", "[json]") {
    auto list = read(4);
    std::vector<std::thread> threads;
    std::vector<std::string> made(4);
    for (std::size_t t = 0; t < made.size(); ++t)
        threads.emplace_back([mine = list[3], t, &made]() mutable {
            for (int i = 0; i < 50; ++i)
                mine.unknown_fields[std::to_string(i)] =
                    std::string(static_cast<std::size_t>(i), 'x');
            mine.unknown_fields.erase("xx");
            made[t] = boost::json::serialize(mine.unknown_fields);
        });
    for (auto& t : threads)
        t.join();
    for (auto const& m : made)
        CHECK(m == made.front());
    CHECK(boost::json::serialize(list[3].unknown_fields) == expected_unknown(3));
}

} // namespace json_detail_slab_tests
