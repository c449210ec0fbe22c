// SPDX-License-Identifier: BSL-1.0
#include "support/catch.hpp"

#include <highlevel/sandbox/detail/contact_search.hpp>
#include <highlevel/search.hpp>

#include <boost/json/serialize.hpp>

#include <stdexcept>
#include <string>

namespace json = highlevel::json;
namespace search = highlevel::search;

namespace {

std::string text(const search::filter& f) {
    return boost::json::serialize(f);
}

constexpr auto day = highlevel::time::from_milliseconds(1'625'184'000'000);

} // namespace

TEST_CASE("filters_are_the_json_that_the_search_takes", "[search]") {
    CHECK(text(search::eq("tags", "vip")) == R"({"field":"tags","operator":"eq","value":"vip"})");
    CHECK(
        text(search::not_equal("dnd", true)) ==
        R"({"field":"dnd","operator":"not_eq","value":true})");
    CHECK(
        text(search::contains("email", "@example.com")) ==
        R"({"field":"email","operator":"contains","value":"@example.com"})");
    CHECK(
        text(search::eq("tags", json::array{"a", "b"})) ==
        R"({"field":"tags","operator":"eq","value":["a","b"]})");
    CHECK(text(search::exists("phone")) == R"({"field":"phone","operator":"exists"})");
    CHECK(text(search::not_exists("phone")) == R"({"field":"phone","operator":"not_exists"})");
    CHECK(
        text(search::since("dateUpdated", day)) ==
        R"({"field":"dateUpdated","operator":"range","value":{"gte":"2021-07-02T00:00:00.000Z"}})");
    CHECK(
        text(search::any_of({search::exists("phone"), search::exists("email")})) ==
        R"({"group":"OR","filters":[{"field":"phone","operator":"exists"},)"
        R"({"field":"email","operator":"exists"}]})");
    CHECK(text(search::descending("dateAdded")) == R"({"field":"dateAdded","direction":"desc"})");
}

TEST_CASE("every_filter_is_understood_by_the_sandbox", "[search]") {
    auto const all = search::all_of(
        {search::eq("tags", "vip"), search::not_equal("city", "Paris"),
         search::any_of({search::contains("email", "@"), search::not_contains("phone", "1")}),
         search::exists("firstName"), search::not_exists("source"),
         search::between("dateAdded", day, day), search::since("dateUpdated", day),
         search::eq("customFields.abc", 7)});
    std::string problem;
    CHECK(highlevel::sandbox::detail::contact_filter::parse(all, problem));
    CHECK(problem.empty());
}

TEST_CASE("what_no_search_takes_is_refused_with_the_field", "[search]") {
    CHECK_THROWS_AS(search::exists(""), std::invalid_argument);
    CHECK_THROWS_AS(search::any_of({}), std::invalid_argument);
    CHECK_THROWS_WITH(search::eq("email", ""), test::contains("email"));
    CHECK_THROWS_WITH(search::eq("email", json::value()), test::contains("email"));
    CHECK_THROWS_WITH(search::eq("tags", json::array()), test::contains("tags"));
    CHECK_THROWS_WITH(search::eq("tags", json::object()), test::contains("tags"));
    CHECK_THROWS_WITH(
        search::between("dateAdded", day, day - std::chrono::milliseconds{1}),
        test::contains("dateAdded"));
}
