// SPDX-License-Identifier: BSL-1.0
#include "support/catch.hpp"

#include <highlevel/sandbox/detail/contact_search.hpp>
#include <highlevel/search.hpp>
#include <highlevel/v2/contacts.hpp>
#include <highlevel/v2/objects.hpp>
#include <highlevel/v2/opportunities.hpp>

#include <boost/json/serialize.hpp>
#include <boost/json/string.hpp>

#include <stdexcept>
#include <string>

namespace search_tests {

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

TEST_CASE("ranges_of_numbers_have_their_bounds", "[search]") {
    search::number_bounds bounds;
    bounds.gt = 5;
    bounds.lte = 10;
    CHECK(
        text(search::within("monetary_value", bounds)) ==
        R"({"field":"monetary_value","operator":"range","value":{"gt":5,"lte":10}})");
    CHECK(
        text(search::between("properties.price", 1, 2)) ==
        R"({"field":"properties.price","operator":"range","value":{"gte":1,"lte":2}})");
    CHECK(
        text(search::until("dateAdded", day)) ==
        R"({"field":"dateAdded","operator":"range","value":{"lte":"2021-07-02T00:00:00.000Z"}})");
    CHECK_THROWS_WITH(search::within("x", search::number_bounds()), test::contains("no bound"));
    CHECK_THROWS_WITH(search::between("x", 2, 1), test::contains("ends before"));
    CHECK_THROWS_WITH(search::between("x", "a", 1), test::contains("no number"));
}

TEST_CASE("texts_have_at_most_75_characters", "[search]") {
    CHECK_NOTHROW(search::eq("email", boost::json::string(75, 'a')));
    CHECK_THROWS_WITH(search::eq("email", boost::json::string(76, 'a')), test::contains("75"));
    CHECK_THROWS_WITH(
        search::eq("tags", json::array{"a", boost::json::string(76, 'a')}), test::contains("tags"));
    // Counted as characters, not bytes.
    boost::json::string umlauts;
    for (int i = 0; i < 75; ++i)
        umlauts += "\xc3\xa4";
    CHECK_NOTHROW(search::eq("email", umlauts));
}

TEST_CASE("fields_and_operators_go_together", "[search]") {
    using search::subject;
    auto const takes = [](subject of, const search::filter& f) {
        try {
            search::check(of, {search::any_of({f})});
            return std::string{"yes"};
        } catch (const std::invalid_argument& e) {
            return std::string{e.what()};
        }
    };
    CHECK(takes(subject::contacts, search::contains("email", "@")) == "yes");
    CHECK(takes(subject::contacts, search::eq("customFields.abc", 7)) == "yes");
    CHECK(takes(subject::opportunities, search::eq("custom_fields.abc", 7)) == "yes");
    CHECK(takes(subject::opportunities, search::between("monetary_value", 1, 2)) == "yes");
    CHECK(takes(subject::objects, search::between("properties.price", 1, 2)) == "yes");
    CHECK(takes(subject::objects, search::related_to({"a", "b"})) == "yes");
    CHECK(
        takes(subject::opportunities, search::contains("status", "o")) ==
        "a search of opportunities does not take contains for status, but: eq not_eq exists "
        "not_exists");
    CHECK_THAT(takes(subject::contacts, search::eq("dateAdded", "x")), test::contains("dateAdded"));
    CHECK_THAT(
        takes(subject::contacts, search::eq("pipeline_id", "x")), test::contains("no field"));
    CHECK_THAT(takes(subject::contacts, search::exists("id")), test::contains("exists for id"));
    CHECK_THAT(takes(subject::objects, search::exists("price")), test::contains("no field"));
    CHECK_NOTHROW(search::check(
        subject::contacts, {search::eq("lastAppointmentAt", "x")}, search::unknown_fields::allow));
}

TEST_CASE("filters_are_put_where_the_operation_takes_them", "[search]") {
    highlevel::v2::contacts::search_contacts_advanced contacts;
    search::apply(contacts, {search::exists("phone")}, {search::ascending("dateAdded")});
    CHECK(contacts.body.filters->size() == 1);
    CHECK(contacts.body.sort->size() == 1);
    highlevel::v2::opportunities::search_opportunities_advanced opportunities;
    search::apply(opportunities, {search::eq("status", "open")});
    CHECK(
        boost::json::serialize(opportunities.extra_body) ==
        R"({"filters":[{"field":"status","operator":"eq","value":"open"}]})");
    highlevel::v2::objects::search_object_records records{"custom_objects.pets"};
    search::apply(records, {}, {search::descending("properties.age")});
    CHECK(
        boost::json::serialize(records.extra_body) ==
        R"({"sort":[{"field":"properties.age","direction":"desc"}]})");
    CHECK_THROWS_AS(search::apply(contacts, {search::eq("nonsense", 1)}), std::invalid_argument);
    highlevel::v2::contacts::get_contact none;
    CHECK_THROWS_AS(search::apply(none, {}), std::invalid_argument);
}

} // namespace search_tests
