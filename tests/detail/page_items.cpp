// SPDX-License-Identifier: BSL-1.0
//
// Where the items of a page are found: at the described place, around it, or wherever there is only
// one list; and the same in the raw JSON and in a json::value.

#include "support/catch.hpp"

#include <highlevel/detail/page_items.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace detail_page_items_tests {

namespace json = highlevel::json;
using highlevel::paging;
using highlevel::detail::find_items;
using highlevel::detail::raw_items;

namespace {

/// The items as text; "null" and "none" for what is no list.
std::string found(
    std::string_view body, std::optional<std::string_view> pointer, std::string_view name = {}) {
    auto root = boost::json::parse(boost::json::string_view(body.data(), body.size()));
    paging how;
    how.items = pointer.value_or("");
    how.items_known = pointer.has_value();
    auto const* const raw = raw_items(root, how, name);
    auto const typed =
        find_items(json::type_of<json::value>, &root, &how, json::type_of<json::value>, name);
    CHECK(typed.size() == (raw != nullptr && raw->is_array() ? raw->get_array().size() : 0));
    if (typed.size() != 0) CHECK(typed.at(0) == &raw->get_array().front());
    return raw != nullptr ? boost::json::serialize(*raw) : "none";
}

} // namespace

TEST_CASE("items_are_found_at_their_place_and_one_object_around_it", "[page_items]") {
    CHECK(found(R"({"a":[1,2]})", "/a") == "[1,2]");
    CHECK(found(R"({"a":{"a":[1]}})", "/a") == "[1]");
    CHECK(found(R"({"b":[1]})", "/a/b") == "[1]");
    CHECK(found(R"({"a":null})", "/a") == "null");
    CHECK(found(R"({"b":[1]})", "/a") == "none");
    CHECK(found(R"({"a":"x"})", "/a") == "none");
    CHECK(found("[1]", "/a") == "[1]");
}

TEST_CASE("an_undescribed_list_is_found_only_when_there_is_one", "[page_items]") {
    CHECK(found(R"({"n":5,"a":[1]})", std::nullopt) == "[1]");
    CHECK(found(R"({"b":[2],"a":[1]})", std::nullopt) == "none");
    CHECK(found(R"({"b":[],"a":[1]})", std::nullopt) == "[1]");
    CHECK(found(R"({"b":[1],"a":[],"c":[]})", std::nullopt) == "[1]");
    CHECK(found(R"({"b":[],"a":[1],"c":[2]})", std::nullopt) == "none");
    CHECK(found(R"({"b":[],"a":[]})", std::nullopt) == "[]");
    CHECK(found("[1]", std::nullopt) == "[1]");
    CHECK(found("5", std::nullopt) == "none");
}

TEST_CASE("a_list_at_the_root_is_nowhere_else", "[page_items]") {
    CHECK(found("[1]", "") == "[1]");
    CHECK(found(R"({"errors":[1]})", "") == "none");
}

TEST_CASE("an_undescribed_list_with_a_name_is_that_member", "[page_items]") {
    CHECK(found(R"({"a":[],"b":[2]})", std::nullopt, "a") == "[]");
    CHECK(found(R"({"a":[1],"b":[2]})", std::nullopt, "a") == "[1]");
    CHECK(found(R"({"a":null,"b":[2]})", std::nullopt, "a") == "null");
    CHECK(found(R"({"b":[2]})", std::nullopt, "a") == "none");
    CHECK(found(R"({"a":"x","b":[2]})", std::nullopt, "a") == "none");
    CHECK(found("[1]", std::nullopt, "a") == "[1]");
    CHECK(found(R"({"a":[1],"b":[2]})", "/a", "b") == "[1]");
}

} // namespace detail_page_items_tests
