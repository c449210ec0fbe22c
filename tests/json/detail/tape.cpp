// SPDX-License-Identifier: BSL-1.0
//
// Tests of json/detail/tape.hpp: what is recorded is read again, pieces are cut off its end, and a
// text is found without a tree.
#include "support/catch.hpp"

#include <highlevel/json/detail/tape.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>

namespace json_detail_tape_tests {

namespace json = boost::json;
using highlevel::json::detail::tape;
using highlevel::json::detail::tape_writer;

namespace {

// Every event, with trees in trees.
tape everything(const std::string& filling) {
    tape_writer to;
    to.push_key("integer");
    to.push_int64(std::numeric_limits<std::int64_t>::min());
    to.push_key("natural");
    to.push_uint64(std::numeric_limits<std::uint64_t>::max());
    to.push_key("number");
    to.push_double(-0.5);
    to.push_key("yes");
    to.push_bool(true);
    to.push_key("no");
    to.push_bool(false);
    to.push_key("null");
    to.push_null();
    to.push_key("tree");
    to.begin();
    to.push_key("text");
    to.push_string(filling);
    to.push_key("list");
    to.begin();
    to.push_string("within");
    to.begin();
    to.push_array(0);
    to.begin();
    to.push_object(0);
    to.push_array(3);
    to.push_object(2);
    to.push_key("");
    to.push_string("");
    to.push_key("text");
    to.push_string(filling);
    return to.cut(0, 9);
}

} // namespace

TEST_CASE("tape_gives_what_was_recorded", "[json]") {
    // Lengths of one byte, two and three; the last does not fit the first piece of memory.
    for (std::size_t const size : {0U, 1U, 127U, 128U, 16383U, 16384U, 100000U}) {
        std::string const filling(size, 'x');
        json::value expected = json::parse(
            R"({"integer":-9223372036854775808,"natural":18446744073709551615,"number":-0.5,)"
            R"("yes":true,"no":false,"null":null,"tree":{"list":["within",[],{}]},"":""})");
        expected.at("tree").as_object()["text"] = filling;
        expected.as_object()["text"] = filling;
        auto const made = everything(filling);
        REQUIRE_FALSE(made.empty());
        CHECK(made.read() == expected.as_object());
        CHECK(made.find("text") == filling);
        CHECK(made.find("").empty());
    }
}

TEST_CASE("tape_finds_only_texts_of_the_outermost_object", "[json]") {
    auto const made = everything("found");
    CHECK(made.find("text") == "found");
    for (auto const* name : {"list", "within", "tree", "integer", "yes", "null", "absent"})
        CHECK(made.find(name).empty());

    tape_writer to;
    to.push_key("text");
    to.push_string("before");
    to.push_key("tree");
    to.begin();
    to.push_key("text");
    to.push_string("within");
    to.push_object(1);
    CHECK(to.cut(0, 2).find("text") == "before");
    to.push_key("text");
    to.push_string("first");
    to.push_key("text");
    to.push_string("last");
    CHECK(to.cut(0, 2).find("text") == "last");
    to.push_key("text");
    to.push_string("first");
    to.push_key("text");
    to.push_null();
    CHECK(to.cut(0, 2).find("text").empty());
}

TEST_CASE("tape_keeps_the_last_of_members_with_one_name", "[json]") {
    tape_writer to;
    to.push_key("a");
    to.push_int64(1);
    to.push_key("b");
    to.push_int64(2);
    to.push_key("a");
    to.push_string("last");
    CHECK(json::serialize(to.cut(0, 3).read()) == R"({"a":"last","b":2})");
}

TEST_CASE("pieces_are_cut_off_the_end_of_a_tape", "[json]") {
    tape_writer to;
    to.push_key("outer");
    to.push_int64(1);
    auto const before = to.size();
    to.push_key("inner");
    to.push_int64(2);
    auto const inner = to.cut(before, 1);
    CHECK(to.size() == before);
    to.push_key("outer too");
    to.push_int64(3);
    CHECK(json::serialize(inner.read()) == R"({"inner":2})");
    CHECK(json::serialize(to.cut(0, 2).read()) == R"({"outer":1,"outer too":3})");
    CHECK(to.size() == 0);
}

TEST_CASE("tapes_are_copied_and_moved", "[json]") {
    tape const none;
    CHECK(none.empty());
    CHECK(none.read().empty());
    CHECK(none.find("text").empty());
    CHECK(tape(none).empty());

    auto made = everything("x");
    tape copy = made;
    CHECK(copy.read() == made.read());
    tape const moved = std::move(made);
    CHECK(moved.read() == copy.read());
    copy = none;
    CHECK(copy.empty());
    copy = moved;
    CHECK(copy.read() == moved.read());
}

} // namespace json_detail_tape_tests
