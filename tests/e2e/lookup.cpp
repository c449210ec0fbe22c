// SPDX-License-Identifier: BSL-1.0
//
// Lookups by id against the sandbox: how many requests they take, and what they find.

#include "support/catch.hpp"
#include "support/sandbox_bench.hpp"

#include <highlevel/lookup.hpp>

#include <string>
#include <vector>

namespace e2e_lookup_tests {

namespace sandbox = highlevel::sandbox;

namespace {

using strings = std::vector<std::string>;

} // namespace

TEST_CASE("many_contacts_come_by_id_with_a_request_per_hundred", "[e2e][lookup]") {
    test::sandbox_bench f{250};
    auto ids = f.server.contact_ids(f.id);
    // Asked for twice, unknown, and nothing.
    auto asked = ids;
    asked.insert(asked.begin(), {ids.back(), "nobody", ""});
    asked.push_back(ids.front());
    asked.emplace_back("nobody");
    auto const got = f.run(highlevel::get_many(f.location(), asked));
    CHECK(got.missing == strings{"nobody"});
    strings found;
    for (auto const& contact : got.found)
        found.push_back(contact.id.value());
    strings expected{ids.back()};
    expected.insert(expected.end(), ids.begin(), ids.end() - 1);
    CHECK(found == expected);
    CHECK(f.asked() == strings(3, "POST /contacts/search"));

    auto const none = f.run(highlevel::get_many(f.location(), {}));
    CHECK(none.found.empty());
    CHECK(f.asked().size() == 3);
}

TEST_CASE("an_id_that_is_too_long_for_the_search_is_missing", "[e2e][lookup]") {
    test::sandbox_bench f{3};
    auto const ids = f.server.contact_ids(f.id);
    std::string const longest(75, 'x');
    std::string const too_long(76, 'x');
    auto const got =
        f.run(highlevel::get_many(f.location(), strings{too_long, ids.at(0), longest, ids.at(1)}));
    CHECK(got.missing == strings{too_long, longest});
    CHECK(got.found.size() == 2);
    CHECK(f.asked().size() == 1);
    CHECK(f.text(0).find(longest) != std::string::npos);
    CHECK(f.text(0).find(too_long) == std::string::npos);

    auto const none = f.run(highlevel::get_many(f.location(), strings{too_long}));
    CHECK(none.missing == strings{too_long});
    CHECK(f.asked().size() == 1);
}

TEST_CASE("a_lookup_that_fails_gives_its_failure", "[e2e][lookup]") {
    test::sandbox_bench f;
    f.script = [](const sandbox::request_view&) {
        return sandbox::scripted_response{422, R"({"message":"Invalid Operator"})"};
    };
    CHECK_THROWS_AS(f.run(highlevel::get_many(f.location(), strings{"a"})), highlevel::error);
}

} // namespace e2e_lookup_tests
