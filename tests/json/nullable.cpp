// SPDX-License-Identifier: BSL-1.0
//
// Tests of json/nullable.hpp.
#include "support/catch.hpp"

#include <highlevel/json/nullable.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace json_nullable_tests {

namespace json = highlevel::json;

namespace {

using text = json::nullable<std::string>;

// What does not compile must not start to.
static_assert(!std::is_aggregate_v<text>);
static_assert(std::is_standard_layout_v<text>);
static_assert(std::is_standard_layout_v<json::nullable<std::int64_t>>);
static_assert(!std::is_assignable_v<json::nullable<bool>&, const char*>);
static_assert(!std::is_assignable_v<text&, std::vector<int>>);
static_assert(std::is_nothrow_move_constructible_v<text>);

} // namespace

TEST_CASE("nullable_is_absent_until_it_is_set", "[json]") {
    text n;
    CHECK(n.is_absent());
    CHECK_FALSE(n.is_null());
    CHECK_FALSE(n.has_value());
    CHECK_THROWS_AS(n.value(), std::bad_optional_access);
}

TEST_CASE("nullable_takes_null_in_two_spellings", "[json]") {
    text n = "x";
    n = nullptr;
    CHECK(n.is_null());
    CHECK_FALSE(n.has_value());
    CHECK_FALSE(n.is_absent());
    n = "y";
    n = json::null;
    CHECK(n.is_null());
    CHECK(n == nullptr);
    CHECK(n == json::null);
    CHECK(text(nullptr).is_null());
    CHECK(text(json::null) == text(nullptr));
}

TEST_CASE("nullable_takes_what_its_value_takes", "[json]") {
    text n;
    n = "literal";
    CHECK(*n == "literal");
    n = std::string_view("view");
    CHECK(*n == "view");
    n = std::string("string");
    CHECK(n == "string");
    n = {"braces"};
    CHECK(n == "braces");
    CHECK(n->size() == 6);

    json::nullable<std::int64_t> number;
    number = 0;
    CHECK(number == 0);
    CHECK_FALSE(number.is_null());
    number = std::int64_t{7};
    CHECK(number.value() == 7);

    json::nullable<std::vector<std::string>> list;
    list = {"a", "b"};
    CHECK(list == std::vector<std::string>{"a", "b"});
    list = {"one"};
    CHECK(list->size() == 1);

    json::nullable<bool> flag;
    flag = false;
    CHECK(flag.has_value());
    CHECK(flag == false);
}

TEST_CASE("nullable_assigned_empty_braces_is_absent", "[json]") {
    text n = "x";
    n = {};
    CHECK(n.is_absent());
    json::nullable<std::int64_t> number = 5;
    number = {};
    CHECK(number.is_absent());
}

TEST_CASE("nullable_forgets_null_when_it_gets_a_value", "[json]") {
    text n = nullptr;
    n = "x";
    CHECK_FALSE(n.is_null());
    n = nullptr;
    CHECK(n.emplace(3, 'a') == "aaa");
    CHECK_FALSE(n.is_null());
    n.reset();
    CHECK(n.is_absent());
    n.set_null();
    n.reset();
    CHECK(n.is_absent());
}

TEST_CASE("nullable_copies_and_moves_all_three_states", "[json]") {
    text const value = "x";
    text const null = nullptr;
    text const absent;
    for (text const& from : {value, null, absent}) {
        text copy = from;
        CHECK(copy == from);
        text moved = std::move(copy);
        CHECK(moved == from);
        copy = from;
        CHECK(copy == from);
    }
    CHECK_FALSE(value == null);
    CHECK_FALSE(null == absent);
    CHECK_FALSE(absent == value);
    CHECK_FALSE(null == "x");
    CHECK(value.value_or("y") == "x");
    CHECK(null.value_or("y") == "y");
}

} // namespace json_nullable_tests
