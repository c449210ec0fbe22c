// SPDX-License-Identifier: BSL-1.0
//
// Lookups by id, safe writes and the two-step upload against the sandbox: what they ask for, and
// what is left behind.

#include "support/catch.hpp"
#include "support/run.hpp"
#include "support/temporary_folder.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/http/http1_transport.hpp>
#include <highlevel/lookup.hpp>
#include <highlevel/media.hpp>
#include <highlevel/safe_write.hpp>
#include <highlevel/sandbox/server.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <cstddef>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace sandbox = highlevel::sandbox;
namespace v2 = highlevel::v2;
using highlevel::cause;
using highlevel::errc;

namespace {

/// A sandbox that notes what it is asked, and a client of it.
class fixture {
public:
    explicit fixture(std::size_t contacts = 5) : server(house(contacts)) {
        server.set_hook([this](const sandbox::request_view& r) {
            {
                std::lock_guard const lock{mutex_};
                asked_.push_back(std::string{r.method} + " " + std::string{r.path});
                bodies_.emplace_back(r.body);
            }
            return script ? script(r) : std::nullopt;
        });
        server.start();
        highlevel::client_options options;
        options.base_url = server.base_url();
        options.credentials = highlevel::auth::private_integration{server.token()};
        client.emplace(context.get_executor(), options);
        id = server.locations().at(0).id;
    }

    static sandbox::options house(std::size_t contacts) {
        sandbox::options o;
        o.contacts_per_location = contacts;
        o.max = 60'000;
        return o;
    }

    highlevel::account location() { return client->location(id); }

    template <class T>
    T run(asio::awaitable<T> work) {
        return test::run_until_done(context, std::move(work));
    }

    std::vector<std::string> asked() const {
        std::lock_guard const lock{mutex_};
        return asked_;
    }
    std::string text(std::size_t n) const {
        std::lock_guard const lock{mutex_};
        return bodies_.at(n);
    }
    boost::json::object body(std::size_t n) const {
        std::lock_guard const lock{mutex_};
        return boost::json::parse(bodies_.at(n)).as_object();
    }

    sandbox::response_hook script;
    sandbox::server server;
    asio::io_context context;
    std::optional<highlevel::client> client;
    std::string id;

private:
    mutable std::mutex mutex_;
    std::vector<std::string> asked_;
    std::vector<std::string> bodies_;
};

using strings = std::vector<std::string>;

} // namespace

TEST_CASE("many_contacts_come_by_id_with_a_request_per_hundred", "[e2e][lookup]") {
    fixture f{250};
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

TEST_CASE("a_lookup_that_fails_gives_its_failure", "[e2e][lookup]") {
    fixture f;
    f.script = [](const sandbox::request_view&) {
        return sandbox::scripted_response{422, R"({"message":"Invalid Operator"})"};
    };
    CHECK_THROWS_AS(f.run(highlevel::get_many(f.location(), strings{"a"})), highlevel::error);
}

TEST_CASE("tags_are_added_and_none_is_lost", "[e2e][safe_write]") {
    fixture f;
    auto const contact = f.server.contact_ids(f.id).at(0);
    auto before = f.server.find_contact(contact)->tags;
    auto const after = f.run(highlevel::add_tags(f.location(), contact, {"one", "two"}));
    before.insert(before.end(), {"one", "two"});
    CHECK(after == before);
    CHECK(f.server.find_contact(contact)->tags == before);
    CHECK(f.asked() == strings{"POST /contacts/" + contact + "/tags"});
}

TEST_CASE("an_upsert_keeps_the_tags_of_whom_it_finds", "[e2e][safe_write]") {
    fixture f;
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
    fixture f;
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
    fixture f;
    v2::contacts::types::upsert_contact bad;
    bad.email = "no address";
    CHECK_THROWS_AS(f.run(highlevel::upsert_contact(f.location(), bad)), highlevel::error);
    CHECK(f.asked().size() == 1);
}

TEST_CASE("an_appointment_keeps_its_status_when_it_is_updated", "[e2e][safe_write]") {
    fixture f;
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

namespace {

/// The API's side and the storage's side of an upload, on the same sandbox.
sandbox::scripted_response serve_upload(
    const sandbox::request_view& r, const std::string& origin, int most, unsigned status) {
    if (r.path == "/conversations/messages/upload/initiate")
        return sandbox::scripted_response{
            201,
            R"({"uploadId":"u1","filePath":"f/1","maxFileSize":)" + std::to_string(most) +
                R"(,"uploadUrl":")" + origin + R"(/bucket/f%2F1?signature=secret"})"};
    if (r.path == "/bucket/f%2F1") return sandbox::scripted_response{status, "<ok/>", "text/xml"};
    return sandbox::scripted_response{201, R"({"uploadedFiles":{"a.txt":"https://x/a.txt"}})"};
}

} // namespace

TEST_CASE("an_attachment_goes_to_the_storage_without_the_token", "[e2e][media]") {
    fixture f;
    highlevel::test::temporary_folder folder;
    auto const path = folder.write("a.txt", "from disk");
    unsigned status = 200;
    std::string put_token;
    std::string put_type;
    f.script = [&](const sandbox::request_view& r) -> std::optional<sandbox::scripted_response> {
        if (r.method == "PUT") {
            put_token = r.header("authorization").value_or("none");
            put_type = r.header("content-type").value_or("none");
            CHECK(r.query == "signature=secret");
        }
        return serve_upload(r, f.server.base_url(), 20, status);
    };
    highlevel::storage_factory const storage = [&](const highlevel::http::uri& origin) {
        return highlevel::http::make_transport(f.context.get_executor(), origin);
    };
    highlevel::attachment_upload what;
    what.conversation_id = "conv";
    what.channel = "sms";
    what.file = highlevel::file_part::of_path(path);
    what.file.content_type = "text/plain";
    auto const got = f.run(highlevel::upload_attachment(f.location(), storage, what));
    CHECK(got->uploaded_files.is_object());
    CHECK(put_token == "none");
    CHECK(put_type == "text/plain");
    CHECK(
        f.asked() ==
        strings{
            "POST /conversations/messages/upload/initiate", "PUT /bucket/f%2F1",
            "POST /conversations/messages/upload/complete"});
    CHECK(f.text(1) == "from disk");
    CHECK(f.body(0).at("fileSize") == 9);
    CHECK(f.body(2).at("uploadId") == "u1");
    CHECK(f.body(2).at("locationId").as_string() == f.id.c_str());

    // Refused by the storage: not completed, and the signed address is not told.
    status = 403;
    what.file = highlevel::file_part::of_data("b.txt", "from memory");
    try {
        (void)f.run(highlevel::upload_attachment(f.location(), storage, what));
        FAIL("it was uploaded");
    } catch (const highlevel::error& e) {
        CHECK(e.failure().status() == 403);
        CHECK(std::string{e.what()}.find("secret") == std::string::npos);
    }
    CHECK(f.text(4) == "from memory");
    CHECK(f.asked().size() == 5);

    // Too large: not a byte of it is sent.
    what.file = highlevel::file_part::of_data("c.txt", std::string(21, 'x'));
    CHECK_THROWS_WITH(
        f.run(highlevel::upload_attachment(f.location(), storage, what)), test::contains("21"));
    CHECK(f.asked().size() == 6);
    what.file = highlevel::file_part::of_path(folder / "none");
    CHECK_THROWS_AS(
        f.run(highlevel::upload_attachment(f.location(), storage, what)), highlevel::error);
    CHECK(f.asked().size() == 6);
}

TEST_CASE("a_recording_goes_to_a_file_and_is_not_in_memory", "[e2e][media]") {
    fixture f;
    highlevel::test::temporary_folder folder;
    std::string const sound(300'000, 's');
    f.script = [&](const sandbox::request_view&) {
        return sandbox::scripted_response{200, sound, "audio/x-wav"};
    };
    auto const path = folder / "call.wav";
    highlevel::http::file_sink sink{path};
    highlevel::call_options how;
    how.sink = &sink;
    v2::conversations::get_message_recording get;
    get.message_id = "m1";
    auto const got = f.run(f.location().call(get, how));
    CHECK(got.status() == 200);
    CHECK(got.body().empty());
    CHECK(std::filesystem::file_size(path) == sound.size());
}
