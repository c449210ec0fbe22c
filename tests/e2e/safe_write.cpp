// SPDX-License-Identifier: BSL-1.0
//
// Safe writes against the sandbox: what they ask for, and what is left behind.

#include "support/catch.hpp"
#include "support/sandbox_bench.hpp"

#include <highlevel/safe_write.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <optional>
#include <string>
#include <vector>

namespace e2e_safe_write_tests {

namespace sandbox = highlevel::sandbox;
namespace v2 = highlevel::v2;
using highlevel::cause;
using highlevel::errc;

namespace {

using strings = std::vector<std::string>;

} // namespace

TEST_CASE("tags_are_added_and_none_is_lost", "[e2e][safe_write]") {
    test::sandbox_bench f;
    auto const contact = f.server.contact_ids(f.id).at(0);
    auto before = f.server.find_contact(contact)->tags;
    auto const after = f.run(highlevel::add_tags(f.location(), contact, {"one", "two"}));
    before.insert(before.end(), {"one", "two"});
    CHECK(after == before);
    CHECK(f.server.find_contact(contact)->tags == before);
    CHECK(f.asked() == strings{"POST /contacts/" + contact + "/tags"});
}

TEST_CASE("an_upsert_keeps_the_tags_of_whom_it_finds", "[e2e][safe_write]") {
    test::sandbox_bench f;
    v2::contacts::types::upsert_contact ada;
    ada.email = "ada@example.com";
    ada.first_name = "Ada";
    ada.tags = {"old"};
    auto const made = f.run(highlevel::upsert_contact(f.location(), ada));
    CHECK(made.created);
    CHECK_FALSE(made.recovered);
    ada.first_name = "Augusta";
    ada.tags = {"new"};
    auto const again = f.run(highlevel::upsert_contact(f.location(), ada));
    CHECK_FALSE(again.created);
    CHECK(again.id == made.id);
    auto const kept = f.server.find_contact(made.id);
    CHECK(kept->first_name == "Augusta");
    CHECK(kept->tags == strings{"old", "new"});
    ada.tags.reset();
    (void)f.run(highlevel::upsert_contact(f.location(), ada));
    CHECK(f.asked().size() == 5);
    CHECK(f.server.find_contact(made.id)->tags == strings{"old", "new"});
}

TEST_CASE(
    "an_upsert_that_is_refused_as_a_duplicate_updates_the_one_in_the_way", "[e2e][safe_write]") {
    test::sandbox_bench f;
    auto const other = f.server.contact_ids(f.id).at(2);
    auto const before = f.server.find_contact(other)->tags;
    f.script = [&](const sandbox::request_view& r) -> std::optional<sandbox::scripted_response> {
        if (r.path != "/contacts/upsert") return std::nullopt;
        return sandbox::scripted_response{
            400,
            R"({"statusCode":400,"message":"This location does not allow duplicated contacts.",)"
            R"("meta":{"contactId":")" +
                other + R"(","matchingField":"phone"}})"};
    };
    v2::contacts::types::upsert_contact ada;
    ada.first_name = "Ada";
    ada.company_name = "Analytical";
    ada.gender = "f";
    ada.tags = {"vip"};
    auto const got = f.run(highlevel::upsert_contact(f.location(), ada));
    CHECK(got.recovered);
    CHECK(got.id == other);
    auto const kept = f.server.find_contact(other);
    CHECK(kept->first_name == "Ada");
    CHECK(kept->tags.size() == before.size() + 1);
    CHECK(
        f.asked() ==
        strings{
            "POST /contacts/upsert", "PUT /contacts/" + other,
            "POST /contacts/" + other + "/tags"});
    CHECK(boost::json::serialize(f.body(1)) == R"({"firstName":"Ada"})");
    CHECK_FALSE(f.body(0).contains("tags"));
}

TEST_CASE("an_upsert_refused_for_another_reason_is_not_recovered", "[e2e][safe_write]") {
    test::sandbox_bench f;
    v2::contacts::types::upsert_contact bad;
    bad.email = "no address";
    CHECK_THROWS_AS(f.run(highlevel::upsert_contact(f.location(), bad)), highlevel::error);
    CHECK(f.asked().size() == 1);
}

TEST_CASE("an_appointment_keeps_its_status_when_it_is_updated", "[e2e][safe_write]") {
    test::sandbox_bench f;
    std::string status = "showed";
    std::string member = "appointmentStatus";
    f.script = [&](const sandbox::request_view& r) -> std::optional<sandbox::scripted_response> {
        if (r.method == "GET")
            return sandbox::scripted_response{
                200, R"({"appointment":{"id":"a",")" + member + R"(":")" + status + R"("}})"};
        // As the live API: without a status it becomes confirmed.
        auto const sent = boost::json::parse(r.body).as_object();
        auto const* const given = sent.if_contains("appointmentStatus");
        status = given != nullptr ? std::string(given->as_string()) : "confirmed";
        return sandbox::scripted_response{
            200, R"({"id":"a","appointmentStatus":")" + status + "\"}"};
    };
    v2::calendars::edit_appointment update{"a"};
    update.body.title = "Later";
    (void)f.run(highlevel::update_appointment(f.location(), update));
    CHECK(status == "showed");
    CHECK(f.asked().size() == 2);
    member = "appoinmentStatus";
    (void)f.run(highlevel::update_appointment(f.location(), update));
    CHECK(status == "showed");

    // With a status of its own nothing is read.
    update.body.appointment_status = "cancelled";
    (void)f.run(highlevel::update_appointment(f.location(), update));
    CHECK(status == "cancelled");
    CHECK(f.asked().size() == 5);

    // Without any to keep, nothing is written.
    status.clear();
    update.body.appointment_status.reset();
    try {
        (void)f.run(highlevel::update_appointment(f.location(), update));
        FAIL("it was updated");
    } catch (const highlevel::error& e) {
        CHECK(e.code() == errc::unexpected_content);
        CHECK(e.cause() == cause::bad_response);
    }
    CHECK(f.asked().size() == 6);
}

} // namespace e2e_safe_write_tests
