// SPDX-License-Identifier: BSL-1.0
//
// The sandbox's behaviour without sockets: every refusal and every endpoint, in made-up time.
#include "support/catch.hpp"

#include <highlevel/sandbox/api.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sandbox_api_tests {

using namespace highlevel::sandbox;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

class answer {
public:
    unsigned status = 0;
    std::string text;
    json::value body;
    std::optional<quota_reading> quota;
    std::optional<std::chrono::seconds> retry_after;

    [[nodiscard]] std::string message() const {
        auto const& m = body.at("message");
        return std::string(m.is_array() ? m.at(0).as_string() : m.as_string());
    }
    [[nodiscard]] std::string at(const char* pointer) const {
        return std::string(body.at_pointer(pointer).as_string());
    }
};

// An API whose clock the test moves, with one token for everything.
class house {
public:
    explicit house(options o = defaults()) : api(o, 0ns) {
        token_grant all("pit-all");
        all.all_locations = true;
        all.companies = {api.data().company_id()};
        api.add_token(std::move(all));
        place = api.data().locations().front()->id();
    }

    static options defaults() {
        options o;
        o.max = 10'000;
        o.contacts_per_location = 25;
        return o;
    }

    answer send(std::string_view method, std::string_view target, std::string_view body = {}) {
        request_view request;
        request.method = method;
        request.target = target;
        auto const mark = std::min(target.find('?'), target.size());
        request.path = target.substr(0, mark);
        request.query = target.substr(std::min(mark + 1, target.size()));
        request.body = body;
        request.token = token;
        if (!version.empty()) request.headers.emplace_back("Version", version);
        if (!body.empty()) request.headers.emplace_back("Content-Type", "application/json");
        detail::reply reply;
        api.handle(request, now, date, reply);
        answer a;
        a.status = reply.status;
        a.text = reply.body;
        a.body = json::parse(reply.body);
        a.quota = reply.quota;
        a.retry_after = reply.retry_after;
        return a;
    }
    answer get(const std::string& target) { return send("GET", target); }
    answer post(const std::string& target, const json::value& body) {
        return send("POST", target, json::serialize(body));
    }
    answer put(const std::string& target, const json::value& body) {
        return send("PUT", target, json::serialize(body));
    }
    answer search(json::object body) {
        body.emplace("locationId", place);
        body.emplace("pageLimit", 100);
        return post("/contacts/search", body);
    }

    // The id of the made-up contact of that rank, newest first.
    std::string contact_id(std::size_t rank) {
        auto const page = get("/contacts/?locationId=" + place + "&limit=100");
        return std::string(page.body.at("contacts").at(rank).at("id").as_string());
    }

    detail::api api;
    std::chrono::nanoseconds now{0};
    timestamp date = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
    std::string token = "pit-all";
    std::string version = "2021-07-28";
    std::string place;
};

std::vector<std::string> ids_of(const answer& a) {
    std::vector<std::string> ids;
    for (auto const& record : a.body.at("contacts").as_array())
        ids.emplace_back(record.at("id").as_string());
    return ids;
}

} // namespace

// ---- refusals ----------------------------------------------------------------------------------

TEST_CASE("unknown_tokens_are_refused_by_their_kind", "[sandbox]") {
    house h;
    h.token = "pit-nobody";
    auto const pit = h.get("/contacts/x");
    CHECK(pit.status == 401);
    CHECK(pit.message() == "Invalid Private Integration token");
    h.token = "eyJhbGciOi";
    CHECK(h.get("/contacts/x").message() == "Invalid JWT");
    h.token = "";
    CHECK(h.get("/contacts/x").status == 401);
}

TEST_CASE("forgotten_token_is_refused", "[sandbox]") {
    house h;
    h.api.remove_token("pit-all");
    CHECK(h.get("/locations/" + h.place).status == 401);
}

TEST_CASE("version_header_must_be_there_and_known", "[sandbox]") {
    house h;
    auto const path = "/locations/" + h.place;
    for (auto known : {"2021-04-15", "2021-07-28", "2023-02-21", "v3"}) {
        h.version = known;
        CHECK(h.get(path).status == 200);
    }
    h.version = "2020-01-01";
    auto const invalid = h.get(path);
    CHECK(invalid.status == 401);
    CHECK(invalid.message() == "version header is invalid");
    h.version = "";
    CHECK(h.get(path).message() == "version header was not found.");
    h.version = "latest";
    auto const malformed = h.get(path);
    CHECK(malformed.status == 400);
    CHECK(malformed.message() == "Invalid API version segment 'latest'");
}

TEST_CASE("unknown_route_wrong_verb_and_wrong_case_are_unknown_to_the_gateway", "[sandbox]") {
    house h;
    for (auto const& [method, path] :
         {std::pair{"GET", "/nowhere/at/all?x=1"}, std::pair{"PATCH", "/contacts/"},
          std::pair{"GET", "/Contacts/abc"}, std::pair{"GET", "/a/b/c/d/e/f/g/h/i/j"},
          std::pair{"GET", "/"}}) {
        CAPTURE(method, path);
        auto const refused = h.send(method, path);
        CHECK(refused.status == 401);
        CHECK(
            refused.message() ==
            "This route is not yet supported by the IAM Service. Please update your IAM config.");
    }
}

TEST_CASE("trailing_slash_counts", "[sandbox]") {
    house h;
    CHECK(h.get("/contacts/?locationId=" + h.place).status == 200);
    CHECK(h.get("/contacts?locationId=" + h.place).status == 401);
    CHECK(h.get("/locations/" + h.place + "/").status == 401);
}

TEST_CASE("scope_that_a_token_lacks_is_refused", "[sandbox]") {
    house h;
    token_grant reader("pit-reader");
    reader.locations = {h.place};
    reader.scopes = {"contacts.readonly"};
    h.api.add_token(reader);
    h.token = "pit-reader";
    CHECK(h.get("/contacts/?locationId=" + h.place).status == 200);
    auto const refused = h.post("/contacts/", {{"locationId", h.place}});
    CHECK(refused.status == 401);
    CHECK(refused.message() == "The token is not authorized for this scope.");
}

TEST_CASE("refusal_depends_on_the_kind_of_token_and_of_endpoint", "[sandbox]") {
    house h;
    constexpr auto scope = "The token is not authorized for this scope.";
    constexpr auto auth_class = "This authClass type is not allowed to access this scope.";
    auto const contacts = "/contacts/?locationId=" + h.place;
    auto const locations = std::string("/locations/search");
    auto const users = "/users/search?companyId=" + h.api.data().company_id();
    struct row {
        bool agency;
        bool oauth;
        std::vector<std::string> scopes;
        std::string target;
        const char* message; // null: allowed
    };
    for (auto const& r : std::vector<row>{
             {true, false, {}, contacts, scope},
             {true, false, {}, users, "Token's user type mismatch!"},
             {true, false, {}, locations, nullptr},
             {true, false, {"users.readonly"}, locations, scope},
             {true, true, {}, contacts, auth_class},
             {true, true, {"users.readonly"}, contacts, auth_class},
             {true, true, {}, users, nullptr},
             {true, true, {"contacts.readonly"}, users, scope},
             {true, true, {"contacts.readonly"}, locations, scope},
             {false, false, {}, users, nullptr},
             {false, false, {"contacts.readonly"}, users, scope},
             {false, true, {"users.readonly"}, contacts, scope},
             {false, true, {"contacts.readonly"}, contacts, nullptr}}) {
        CAPTURE(r.agency, r.oauth, r.target);
        token_grant grant(r.oauth ? "access" : "pit-one");
        (r.agency ? grant.companies : grant.locations)
            .push_back(r.agency ? h.api.data().company_id() : h.place);
        grant.oauth = r.oauth;
        grant.scopes = r.scopes;
        h.api.add_token(grant);
        h.token = grant.text;
        auto const got = h.get(r.target);
        CHECK(got.status == (r.message == nullptr ? 200 : 401));
        if (r.message != nullptr) CHECK(got.message() == r.message);
    }
}

TEST_CASE("other_location_and_missing_location_look_alike", "[sandbox]") {
    auto o = house::defaults();
    o.locations = 2;
    house h(o);
    auto const other = h.api.data().locations()[1]->id();
    auto const foreign = [&] {
        h.place = other;
        auto id = h.contact_id(0);
        h.place = h.api.data().locations()[0]->id();
        return id;
    }();
    token_grant mine("pit-mine");
    mine.locations = {h.place};
    h.api.add_token(mine);
    h.token = "pit-mine";
    for (auto const& target :
         {"/contacts/?locationId=" + other, std::string("/contacts/"), "/contacts/" + foreign,
          "/locations/" + other, "/contacts/?locationId=" + h.place + "x"}) {
        CAPTURE(target);
        auto const refused = h.get(target);
        CHECK(refused.status == 403);
        CHECK(refused.message() == "The token does not have access to this location.");
    }
}

TEST_CASE("unknown_parameters_are_refused_but_foreign_paging_is_ignored", "[sandbox]") {
    house h;
    auto const refused = h.get("/contacts/?locationId=" + h.place + "&colour=red");
    CHECK(refused.status == 422);
    CHECK(refused.message() == "property colour should not exist");
    CHECK(refused.body.at("error") == "Unprocessable Entity");
    auto const first = h.get("/contacts/?locationId=" + h.place + "&limit=3");
    auto const second = h.get("/contacts/?locationId=" + h.place + "&limit=3&page=2&skip=3");
    CHECK(ids_of(first) == ids_of(second));
    auto const body = h.post("/contacts/", {{"locationId", h.place}, {"colour", "red"}});
    CHECK(body.status == 422);
    CHECK(body.message() == "property colour should not exist");
}

TEST_CASE("malformed_json_is_refused", "[sandbox]") {
    house h;
    CHECK(h.send("POST", "/contacts/", "{\"locationId\":").status == 400);
    CHECK(h.send("POST", "/contacts/", "[1]").status == 400);
}

TEST_CASE("bodies_carry_a_trace_id_but_429_does_not", "[sandbox]") {
    auto o = house::defaults();
    o.max = 1;
    o.retry_after = 7s;
    house h(o);
    auto const good = h.get("/locations/" + h.place);
    CHECK(good.at("/traceId").size() == 36);
    auto const refused = h.get("/locations/" + h.place);
    CHECK(refused.status == 429);
    CHECK(refused.text == R"({"statusCode":429,"message":"Too Many Requests"})");
    CHECK(refused.retry_after == 7s);
}

// ---- buckets -----------------------------------------------------------------------------------

TEST_CASE("each_token_and_location_has_a_bucket_of_its_own", "[sandbox]") {
    auto o = house::defaults();
    o.max = 2;
    o.locations = 2;
    o.contacts_per_location = 1;
    house h(o);
    auto const first = h.place;
    auto const second = h.api.data().locations()[1]->id();
    auto const list = [&](const std::string& id) { return h.get("/contacts/?locationId=" + id); };
    // The location is found in the path, the query, the body and by the contact's owner.
    auto const id = ids_of(list(first)).at(0);
    CHECK(h.get("/contacts/" + id).quota->remaining == 0);
    CHECK(h.get("/locations/" + first).status == 429);
    CHECK(h.post("/contacts/search", {{"locationId", first}, {"pageLimit", 1}}).status == 429);
    CHECK(list(second).quota->remaining == 1);
    token_grant other("pit-other");
    other.locations = {first};
    h.api.add_token(other);
    h.token = "pit-other";
    CHECK(list(first).quota->remaining == 1);
}

TEST_CASE("tokens_of_one_app_share_a_bucket", "[sandbox]") {
    auto o = house::defaults();
    o.max = 2;
    house h(o);
    for (auto text : {"pit-a", "pit-b", "pit-c"}) {
        token_grant grant(text);
        grant.locations = {h.place};
        grant.app = "app";
        h.api.add_token(grant);
        h.token = text;
        CHECK(h.get("/locations/" + h.place).status == (grant.text == "pit-c" ? 429 : 200));
    }
}

TEST_CASE("refusals_of_a_known_token_count_and_carry_the_headers", "[sandbox]") {
    house h;
    auto const before = h.get("/locations/" + h.place).quota->remaining;
    h.version = "";
    CHECK(h.get("/locations/" + h.place).quota->remaining == before - 1);
    h.version = "v3";
    CHECK(h.get("/contacts/?locationId=" + h.place + "&x=1").quota->remaining == before - 2);
    CHECK(h.get("/contacts/" + h.contact_id(0)).quota.has_value());
    h.token = "nobody";
    CHECK(h.get("/locations/" + h.place).quota.has_value());
}

TEST_CASE("limits_can_change_in_mid_run", "[sandbox]") {
    house h;
    CHECK(h.get("/locations/" + h.place).quota->max == 10'000);
    h.api.set_limits(25, 5s);
    auto const after = h.get("/locations/" + h.place);
    CHECK(after.quota->max == 25);
    CHECK(after.quota->interval == 5s);
    h.api.with_bucket("pit-all", h.place, [](meter& m) { m.reconfigure(3, 1s); });
    CHECK(h.get("/locations/" + h.place).quota->max == 3);
}

// ---- contacts ----------------------------------------------------------------------------------

TEST_CASE("made_up_data_follows_from_the_seed_alone", "[sandbox]") {
    house a;
    house b;
    auto o = house::defaults();
    o.seed = 2;
    house c(o);
    CHECK(a.place == b.place);
    CHECK(a.place != c.place);
    auto const id = a.contact_id(7);
    CHECK(
        a.get("/contacts/" + id).body.at("contact") == b.get("/contacts/" + id).body.at("contact"));
    CHECK(c.get("/contacts/" + id).status == 400);
}

TEST_CASE("made_up_contacts_are_distinct_and_ordered", "[sandbox]") {
    auto o = house::defaults();
    o.contacts_per_location = 2'000;
    house h(o);
    auto const place = h.api.data().find_location(h.place);
    std::set<std::string> ids;
    std::set<std::string> emails;
    std::set<std::string> phones;
    contact scratch;
    timestamp last;
    for (auto const& e : place->entries()) {
        auto const& c = place->load(e, scratch);
        CHECK(c.id.size() == 20);
        ids.insert(c.id);
        emails.insert(c.email);
        phones.insert(c.phone);
        CHECK(last <= *c.date_added);
        CHECK(*c.date_added <= *c.date_updated);
        last = *c.date_added;
    }
    CHECK(ids.size() == 2'000);
    CHECK(emails.size() == 2'000);
    CHECK(phones.size() == 2'000);
}

TEST_CASE("contact_can_be_created_read_updated_and_deleted", "[sandbox]") {
    house h;
    auto const created = h.post(
        "/contacts/",
        {{"locationId", h.place},
         {"firstName", "Ada"},
         {"lastName", "Lovelace"},
         {"email", "Ada@Example.com"},
         {"phone", "+1 (555) 000-1111"},
         {"tags", {"vip", "vip", "new one"}},
         {"customFields", {{{"key", "plan"}, {"field_value", "Plus"}}}}});
    REQUIRE(created.status == 201);
    auto const id = created.at("/contact/id");
    CHECK(id.size() == 20);
    CHECK(created.at("/contact/phone") == "+15550001111");
    CHECK(created.at("/contact/emailLowerCase") == "ada@example.com");
    CHECK(created.at("/contact/dateAdded") == "2026-01-01T00:00:00.000Z");
    CHECK(created.body.at_pointer("/contact/tags") == json::array{"vip", "new one"});
    CHECK(created.at("/contact/customFields/0/value") == "Plus");

    h.date += 5s;
    auto const updated = h.put(
        "/contacts/" + id,
        {{"firstName", "Augusta"}, {"email", nullptr}, {"tags", json::array{"x"}}});
    CHECK(updated.status == 200);
    CHECK(updated.body.at("succeded") == true);
    auto const read = h.get("/contacts/" + id);
    CHECK(read.at("/contact/firstName") == "Augusta");
    CHECK(read.at("/contact/lastName") == "Lovelace");
    CHECK_FALSE(read.body.at("contact").as_object().contains("email"));
    CHECK(read.body.at_pointer("/contact/tags") == json::array{"x"});
    CHECK(read.at("/contact/dateUpdated") == "2026-01-01T00:00:05.000Z");

    CHECK(h.send("DELETE", "/contacts/" + id).body.at("succeded") == true);
    for (auto const* method : {"GET", "DELETE"}) {
        auto const gone = h.send(method, "/contacts/" + id);
        CHECK(gone.status == 400);
        CHECK(gone.message() == "Contact not found for id:" + id);
    }
    CHECK(h.put("/contacts/" + id, {{"firstName", "X"}}).status == 400);
}

TEST_CASE("made_up_contact_can_be_changed_and_deleted_too", "[sandbox]") {
    house h;
    auto const id = h.contact_id(3);
    auto const before = h.get("/contacts/" + id);
    h.put("/contacts/" + id, {{"city", "Turin"}});
    auto const after = h.get("/contacts/" + id);
    CHECK(after.at("/contact/city") == "Turin");
    CHECK(after.at("/contact/email") == before.at("/contact/email"));
    CHECK(after.at("/contact/dateAdded") == before.at("/contact/dateAdded"));
    h.send("DELETE", "/contacts/" + id);
    auto const listed = h.get("/contacts/?locationId=" + h.place + "&limit=100");
    CHECK(listed.body.at_pointer("/meta/total") == 24);
    auto const ids = ids_of(listed);
    CHECK(std::find(ids.begin(), ids.end(), id) == ids.end());
}

TEST_CASE("duplicate_contact_is_refused_and_named", "[sandbox]") {
    house h;
    auto const existing = h.get("/contacts/" + h.contact_id(4));
    auto const id = existing.at("/contact/id");
    auto email = existing.at("/contact/email");
    email[0] = static_cast<char>(email[0] - 'a' + 'A');
    for (auto const& [field, value] :
         {std::pair<std::string, std::string>{"email", email},
          {"phone", existing.at("/contact/phone")}}) {
        auto const refused = h.post("/contacts/", {{"locationId", h.place}, {field, value}});
        CHECK(refused.status == 400);
        CHECK(refused.message() == "This location does not allow duplicated contacts.");
        CHECK(refused.at("/meta/contactId") == id);
        CHECK(refused.at("/meta/matchingField") == field);
        auto const update = h.put("/contacts/" + h.contact_id(5), {{field, value}});
        CHECK(update.at("/meta/contactId") == id);
        CHECK(h.put("/contacts/" + id, {{field, value}}).status == 200); // its own
    }
    // Once it is gone, or has another address, the address is free.
    h.put("/contacts/" + id, {{"email", "other@example.com"}});
    CHECK(h.post("/contacts/", {{"locationId", h.place}, {"email", email}}).status == 201);
    h.send("DELETE", "/contacts/" + id);
    CHECK(
        h.post("/contacts/", {{"locationId", h.place}, {"phone", existing.at("/contact/phone")}})
            .status == 201);
}

TEST_CASE("create_without_location_contradicts_itself_as_live", "[sandbox]") {
    house h;
    auto const refused = h.post("/contacts/", json::object());
    CHECK(refused.status == 400);
    CHECK(refused.body.at("statusCode") == 422);
    CHECK(refused.body.at("message").is_array());
}

TEST_CASE("wrongly_typed_members_are_listed", "[sandbox]") {
    house h;
    auto const refused = h.post(
        "/contacts/",
        {{"locationId", h.place},
         {"firstName", 1},
         {"dnd", "yes"},
         {"tags", "vip"},
         {"email", "nonsense"}});
    CHECK(refused.status == 422);
    CHECK(refused.body.at("message").as_array().size() == 4);
}

TEST_CASE("upsert_creates_once_and_updates_afterwards", "[sandbox]") {
    house h;
    json::value const body{
        {"locationId", h.place}, {"email", "grace@example.com"}, {"firstName", "Grace"}};
    auto const first = h.post("/contacts/upsert", body);
    CHECK(first.status == 201);
    CHECK(first.body.at("new") == true);
    auto const second = h.post(
        "/contacts/upsert",
        {{"locationId", h.place}, {"email", "grace@example.com"}, {"lastName", "Hopper"}});
    CHECK(second.status == 200);
    CHECK(second.body.at("new") == false);
    CHECK(second.at("/contact/id") == first.at("/contact/id"));
    CHECK(second.at("/contact/firstName") == "Grace");
    CHECK(second.at("/contact/lastName") == "Hopper");
    CHECK(h.post("/contacts/upsert", json::object()).status == 422);
}

TEST_CASE("tags_are_added_and_removed_and_become_the_locations", "[sandbox]") {
    house h;
    auto const id = h.contact_id(0);
    h.put("/contacts/" + id, {{"tags", json::array{"one"}}});
    auto const added = h.post("/contacts/" + id + "/tags", {{"tags", {"one", "two"}}});
    CHECK(added.status == 201);
    CHECK(added.body.at("tags") == json::array{"one", "two"});
    CHECK(added.body.at("tagsAdded") == json::array{"two"});
    auto const removed = h.send("DELETE", "/contacts/" + id + "/tags", R"({"tags":["one"]})");
    CHECK(removed.status == 200);
    CHECK(removed.body.at("tags") == json::array{"two"});
    CHECK(h.post("/contacts/" + id + "/tags", {{"tags", 1}}).status == 422);
    std::set<std::string> names;
    auto const known = h.get("/locations/" + h.place + "/tags");
    for (auto const& tag : known.body.at("tags").as_array())
        names.emplace(tag.at("name").as_string());
    CHECK(names.contains("two"));
}

TEST_CASE("duplicate_lookup_finds_by_address_or_number", "[sandbox]") {
    house h;
    auto const existing = h.get("/contacts/" + h.contact_id(2));
    auto const base = "/contacts/search/duplicate?locationId=" + h.place;
    CHECK(
        h.get(base + "&email=" + existing.at("/contact/email")).at("/contact/id") ==
        existing.at("/contact/id"));
    CHECK(
        h.get(base + "&number=%2B" + existing.at("/contact/phone").substr(1)).at("/contact/id") ==
        existing.at("/contact/id"));
    CHECK(h.get(base + "&email=nobody@example.com").body.at("contact").is_null());
}

// ---- listing -----------------------------------------------------------------------------------

TEST_CASE("listing_pages_through_every_contact_once", "[sandbox]") {
    house h;
    std::vector<std::string> seen;
    auto const first = "/contacts/?locationId=" + h.place + "&limit=10";
    auto target = first;
    std::int64_t page = 1;
    for (;; ++page) {
        auto const a = h.get(target);
        REQUIRE(a.status == 200);
        auto const ids = ids_of(a);
        seen.insert(seen.end(), ids.begin(), ids.end());
        auto const& meta = a.body.at("meta");
        CHECK(meta.at("total") == 25);
        CHECK(meta.at("currentPage") == page);
        if (ids.size() < 10) {
            CHECK(meta.at("nextPageUrl").is_null());
            CHECK(meta.at("nextPage").is_null());
            CHECK(
                meta.at("startAfterId").as_string() ==
                ids.back()); // cursors are on the last page too
            break;
        }
        auto const& last = a.body.at("contacts").as_array().back();
        CHECK(meta.at("startAfterId") == last.at("id"));
        CHECK(meta.at("startAfter") == last.at("startAfter").at(0));
        CHECK(last.at("startAfter").at(1) == last.at("id"));
        target = first + "&startAfter=" + json::serialize(meta.at("startAfter")) +
            "&startAfterId=" + std::string(meta.at("startAfterId").as_string());
    }
    CHECK(page == 3);
    CHECK(seen.size() == 25);
    CHECK(std::set<std::string>(seen.begin(), seen.end()).size() == 25);
}

TEST_CASE("half_a_cursor_repeats_the_first_page", "[sandbox]") {
    house h;
    auto const base = "/contacts/?locationId=" + h.place + "&limit=5";
    auto const first = h.get(base);
    auto const& meta = first.body.at("meta");
    CHECK(
        ids_of(h.get(base + "&startAfter=" + json::serialize(meta.at("startAfter")))) ==
        ids_of(first));
    CHECK(
        ids_of(h.get(base + "&startAfterId=" + std::string(meta.at("startAfterId").as_string()))) ==
        ids_of(first));
}

TEST_CASE("listing_limit_is_refused_above_100_and_not_clamped", "[sandbox]") {
    house h;
    auto const base = "/contacts/?locationId=" + h.place;
    CHECK(h.get(base + "&limit=101").status == 400);
    CHECK(h.get(base + "&limit=0").status == 422);
    CHECK(h.get(base + "&limit=many").status == 422);
    CHECK(ids_of(h.get(base)).size() == 20);
}

TEST_CASE("listing_names_are_lower_case_beside_the_raw_ones", "[sandbox]") {
    house h;
    h.put("/contacts/" + h.contact_id(0), {{"firstName", "Ada"}, {"lastName", "King"}});
    auto const a = h.get("/contacts/?locationId=" + h.place + "&limit=1");
    CHECK(a.at("/contacts/0/firstName") == "ada");
    CHECK(a.at("/contacts/0/firstNameRaw") == "Ada");
    CHECK(a.at("/contacts/0/contactName") == "ada king");
}

TEST_CASE("listing_query_filters_and_counts", "[sandbox]") {
    house h;
    h.put("/contacts/" + h.contact_id(3), {{"lastName", "Babbage"}});
    h.put("/contacts/" + h.contact_id(20), {{"lastName", "Babbage-Ltd"}});
    auto const base = "/contacts/?locationId=" + h.place + "&query=BABBAGE&limit=1";
    auto const first = h.get(base);
    CHECK(first.body.at_pointer("/meta/total") == 2);
    auto const second = h.get(
        base + "&startAfter=" + json::serialize(first.body.at_pointer("/meta/startAfter")) +
        "&startAfterId=" + first.at("/meta/startAfterId"));
    CHECK(second.body.at_pointer("/meta/total") == 2);
    CHECK(second.body.at_pointer("/meta/currentPage") == 2);
    CHECK(second.at("/contacts/0/lastNameRaw") == "Babbage-Ltd");
}

// ---- search ------------------------------------------------------------------------------------

TEST_CASE("search_needs_location_and_page_limit", "[sandbox]") {
    house h;
    auto const refused = h.post("/contacts/search", json::object());
    CHECK(refused.status == 422);
    CHECK(refused.body.at("message").as_array().size() == 2);
    CHECK(h.post("/contacts/search", {{"locationId", h.place}, {"pageLimit", 501}}).status == 400);
    CHECK(h.post("/contacts/search", {{"locationId", h.place}, {"pageLimit", "x"}}).status == 422);
    CHECK(
        h.post("/contacts/search", {{"locationId", h.place}, {"pageLimit", 1}, {"limit", 1}})
            .status == 422);
}

TEST_CASE("search_pages_by_number_and_by_cursor_alike", "[sandbox]") {
    house h;
    std::vector<std::string> by_page;
    for (int page = 1; page <= 3; ++page) {
        auto const a = h.post(
            "/contacts/search", {{"locationId", h.place}, {"pageLimit", 10}, {"page", page}});
        CHECK(a.body.at("total") == 25);
        for (auto const& id : ids_of(a))
            by_page.push_back(id);
    }
    std::vector<std::string> by_cursor;
    json::value after = json::array();
    for (int page = 1; page <= 3; ++page) {
        auto const a = h.post(
            "/contacts/search",
            {{"locationId", h.place}, {"pageLimit", 10}, {"searchAfter", after}});
        for (auto const& id : ids_of(a))
            by_cursor.push_back(id);
        after = a.body.at("contacts").as_array().back().at("searchAfter");
    }
    CHECK(by_page.size() == 25);
    CHECK(by_page == by_cursor);
    auto const end = h.post(
        "/contacts/search", {{"locationId", h.place}, {"pageLimit", 10}, {"searchAfter", after}});
    CHECK(ids_of(end).empty());
}

TEST_CASE("search_pages_end_at_ten_thousand_and_cursors_do_not", "[sandbox]") {
    auto o = house::defaults();
    o.contacts_per_location = 10'050;
    house h(o);
    auto const at = [&](int page) {
        return h.post(
            "/contacts/search", {{"locationId", h.place}, {"pageLimit", 500}, {"page", page}});
    };
    auto const last = at(20);
    CHECK(ids_of(last).size() == 500);
    CHECK(at(21).status == 400);
    auto const beyond = h.post(
        "/contacts/search",
        {{"locationId", h.place},
         {"pageLimit", 500},
         {"searchAfter", last.body.at("contacts").as_array().back().at("searchAfter")}});
    CHECK(ids_of(beyond).size() == 50);
}

TEST_CASE("cursor_survives_the_deletion_of_its_record", "[sandbox]") {
    house h;
    auto const first = h.post("/contacts/search", {{"locationId", h.place}, {"pageLimit", 5}});
    auto const all = ids_of(h.search({}));
    h.send("DELETE", "/contacts/" + all[4]);
    auto const second = h.post(
        "/contacts/search",
        {{"locationId", h.place},
         {"pageLimit", 5},
         {"searchAfter", first.body.at("contacts").as_array().back().at("searchAfter")}});
    CHECK(ids_of(second) == std::vector<std::string>(all.begin() + 5, all.begin() + 10));
}

TEST_CASE("search_filters_select", "[sandbox]") {
    house h;
    auto const ada = h.post(
        "/contacts/",
        {{"locationId", h.place},
         {"firstName", "Ada"},
         {"lastName", "King"},
         {"email", "ada.king@example.org"},
         {"tags", json::array{"Countess"}},
         {"customFields", {{{"key", "contact.plan"}, {"field_value", "Premium"}}}}});
    auto const id = ada.at("/contact/id");
    auto const plan = ada.at("/contact/customFields/0/id");
    auto const other = h.contact_id(10);
    using ids = std::vector<std::string>;
    auto const filter = [&](json::value f) {
        return h.search({{"filters", json::array{std::move(f)}}});
    };
    auto const one = [](std::string field, std::string op, auto value) {
        return json::object{{"field", field}, {"operator", op}, {"value", value}};
    };
    CHECK(ids_of(filter(one("email", "eq", "ADA.KING@example.org"))) == ids{id});
    CHECK(ids_of(filter(one("email", "contains", "@example.org"))) == ids{id});
    CHECK(ids_of(filter(one("email", "not_contains", "@example.com"))) == ids{id});
    CHECK(ids_of(filter(one("tags", "eq", "countess"))) == ids{id});
    CHECK(ids_of(filter(one("id", "eq", json::array{id, other}))) == ids{id, other});
    CHECK(filter(one("id", "not_eq", id)).body.at("total") == 25);
    CHECK(ids_of(filter(one("customFields." + plan, "eq", "premium"))) == ids{id});
    CHECK(
        ids_of(filter(
            one("dateAdded", "range",
                json::object{{"gte", "2025-12-31T00:00:00Z"}, {"lte", "2026-01-02"}}))) == ids{id});
    CHECK(filter(one("dateUpdated", "range", json::object{{"lt", 1}})).body.at("total") == 0);
    CHECK(ids_of(filter({{"field", "phone"}, {"operator", "not_exists"}})) == ids{id});
    CHECK(filter({{"field", "phone"}, {"operator", "exists"}}).body.at("total") == 25);
    json::object const inner{{"group", "AND"}, {"filters", json::array{one("id", "eq", other)}}};
    json::object const outer{
        {"group", "OR"},
        {"filters", json::array{one("email", "eq", "ada.king@example.org"), inner}}};
    CHECK(ids_of(filter(outer)) == ids{id, other});
    CHECK(ids_of(h.search({{"query", "ada king"}})) == ids{id});
    CHECK(filter(one("dateAdded", "gte", 1)).message() == "Invalid Operator");
    CHECK(filter(one("shoeSize", "eq", 1)).message() == "Invalid Field");
    CHECK(filter(one("firstName", "range", json::object{{"gte", 1}})).status == 422);
    CHECK(filter({{"group", "XOR"}, {"filters", json::array()}}).status == 422);
}

TEST_CASE("filtered_search_pages_and_keeps_its_total", "[sandbox]") {
    auto o = house::defaults();
    o.contacts_per_location = 200;
    house h(o);
    json::value const vip =
        json::array{{{"field", "tags"}, {"operator", "contains"}, {"value", "vip"}}};
    auto const all =
        h.post("/contacts/search", {{"locationId", h.place}, {"pageLimit", 500}, {"filters", vip}});
    auto const total = all.body.at("total").as_int64();
    REQUIRE(total > 10);
    std::vector<std::string> seen;
    json::value after = json::array();
    for (;;) {
        auto const a = h.post(
            "/contacts/search",
            {{"locationId", h.place}, {"pageLimit", 7}, {"filters", vip}, {"searchAfter", after}});
        CHECK(a.body.at("total") == total);
        auto const ids = ids_of(a);
        seen.insert(seen.end(), ids.begin(), ids.end());
        if (ids.size() < 7) break;
        after = a.body.at("contacts").as_array().back().at("searchAfter");
    }
    CHECK(seen == ids_of(all));
}

TEST_CASE("search_sorts_by_any_field_and_pages_on", "[sandbox]") {
    house h;
    for (auto const* field : {"dateUpdated", "dateAdded", "firstName", "email"})
        for (auto const* direction : {"asc", "desc"}) {
            CAPTURE(field, direction);
            json::value const sort = json::array{{{"field", field}, {"direction", direction}}};
            std::vector<std::string> keys;
            std::set<std::string> ids;
            json::value after = json::array();
            for (int page = 0; page < 3; ++page) {
                auto const a = h.post(
                    "/contacts/search",
                    {{"locationId", h.place},
                     {"pageLimit", 10},
                     {"sort", sort},
                     {"searchAfter", after}});
                REQUIRE(a.status == 200);
                for (auto const& c : a.body.at("contacts").as_array()) {
                    keys.push_back(detail::lower_case(c.at(field).as_string()));
                    ids.emplace(c.at("id").as_string());
                }
                after = a.body.at("contacts").as_array().back().at("searchAfter");
            }
            CHECK(ids.size() == 25);
            if (std::string_view(direction) == "desc") std::reverse(keys.begin(), keys.end());
            CHECK(std::is_sorted(keys.begin(), keys.end()));
        }
    CHECK(h.search({{"sort", {{{"field", "shoeSize"}}}}}).status == 422);
}

TEST_CASE("found_contact_spells_some_fields_differently", "[sandbox]") {
    house h;
    h.put(
        "/contacts/" + h.contact_id(0),
        {{"firstName", "Ada"},
         {"address1", "12 St James's Square"},
         {"dateOfBirth", "1990-09-25"}});
    auto const found = h.search({}).body.at("contacts").at(0);
    CHECK(found.at("address") == "12 St James's Square");
    CHECK_FALSE(found.as_object().contains("address1"));
    CHECK(found.at("firstNameLowerCase") == "ada");
    CHECK(found.at("dateOfBirth") == 654220800000);
    CHECK(found.at("searchAfter").at(1) == found.at("id"));
}

TEST_CASE("search_index_lags_behind_writes_when_asked_to", "[sandbox]") {
    auto o = house::defaults();
    o.contacts_per_location = 3;
    o.search_lag = 10s;
    house h(o);
    auto const before = ids_of(h.search({}));
    auto const created = h.post("/contacts/", {{"locationId", h.place}, {"firstName", "Late"}});
    auto const id = created.at("/contact/id");
    h.put("/contacts/" + before[0], {{"firstName", "Changed"}});
    h.send("DELETE", "/contacts/" + before[2]);
    CHECK(h.get("/contacts/" + id).status == 200); // by id it is there at once
    auto const stale = h.search({});
    CHECK(ids_of(stale) == before);
    CHECK(stale.body.at("total") == 3);
    CHECK(stale.at("/contacts/0/firstName") != "Changed");
    CHECK(ids_of(h.get("/contacts/?locationId=" + h.place)) == before);
    h.date += 10s;
    auto const fresh = h.search({});
    CHECK(ids_of(fresh) == std::vector<std::string>{id, before[0], before[1]});
    CHECK(fresh.at("/contacts/1/firstName") == "Changed");
}

// ---- locations ---------------------------------------------------------------------------------

TEST_CASE("locations_are_found_within_what_the_token_may_see", "[sandbox]") {
    auto o = house::defaults();
    o.locations = 15;
    house h(o);
    CHECK(h.get("/locations/search").body.at("locations").as_array().size() == 10);
    CHECK(h.get("/locations/search?limit=100").body.at("locations").as_array().size() == 15);
    auto const page = h.get("/locations/search?limit=2&skip=14");
    CHECK(page.body.at("locations").as_array().size() == 1);
    CHECK(page.at("/locations/0/id") == h.api.data().locations()[14]->id());
    CHECK(h.get("/locations/search?companyId=other").body.at("locations").as_array().empty());
    token_grant one("pit-one");
    one.locations = {h.place};
    h.api.add_token(one);
    h.token = "pit-one";
    auto const mine = h.get("/locations/search");
    CHECK(mine.body.at("locations").as_array().size() == 1);
    CHECK(mine.at("/locations/0/id") == h.place);
    CHECK(h.get("/locations/search?companyId=" + h.api.data().company_id()).status == 403);
}

TEST_CASE("location_has_tags_custom_fields_and_values", "[sandbox]") {
    house h;
    auto const base = "/locations/" + h.place;
    CHECK(h.get(base).at("/location/companyId") == h.api.data().company_id());
    CHECK(h.get(base + "/customFields").body.at("customFields").as_array().size() == 4);
    CHECK(
        h.get(base + "/customFields?model=opportunity").body.at("customFields").as_array().empty());
    CHECK(h.post(base + "/tags", {{"name", "brand new"}}).status == 201);
    CHECK(h.post(base + "/tags", {{"name", "brand new"}}).status == 400);
    auto const made = h.post(base + "/customValues", {{"name", "Fax number"}, {"value", "12"}});
    CHECK(made.status == 201);
    CHECK(made.at("/customValue/fieldKey") == "{{ custom_values.fax_number }}");
    auto const path = base + "/customValues/" + made.at("/customValue/id");
    h.put(path, {{"name", "Fax number"}, {"value", "13"}});
    CHECK(h.get(path).at("/customValue/value") == "13");
    CHECK(h.get(base + "/customValues").body.at("customValues").as_array().size() == 3);
    CHECK(h.send("DELETE", path).body.at("succeded") == true);
    CHECK(h.get(path).status == 400);
}

// ---- users and custom objects ------------------------------------------------------------------

TEST_CASE("users_are_found_within_what_the_token_may_see", "[sandbox]") {
    auto o = house::defaults();
    o.locations = 30;
    house h(o);
    auto const base = "/users/search?companyId=" + h.api.data().company_id();
    auto const count = [&](const std::string& more) {
        auto const got = h.get(base + more);
        CHECK(got.status == 200);
        return std::pair{
            got.body.at("users").as_array().size(), got.body.at("count").to_number<std::size_t>()};
    };
    using counts = std::pair<std::size_t, std::size_t>;
    CHECK(count("") == counts{25, 30});
    CHECK(count("&limit=4&skip=28") == counts{2, 30});
    CHECK(count("&locationId=" + h.place) == counts{1, 1});
    CHECK(count("&type=agency") == counts{0, 0});
    CHECK(count("&role=user") == counts{0, 0});
    CHECK(count("&sort=dateAdded&type=account&role=admin").second == 30);
    auto const owner = h.get(base).body.at("users").at(3);
    auto const text = [&](const char* name) { return std::string(owner.at(name).as_string()); };
    CHECK(count("&ids=nobody," + text("id")) == counts{1, 1});
    CHECK(count("&query=" + text("email")).second >= 1);
    CHECK(count("&query=nobody@at.all") == counts{0, 0});
    CHECK(text("name") == text("firstName") + ' ' + text("lastName"));
    CHECK(h.get(base + "&limit=many").status == 422);
    CHECK(h.get(base + "&colour=red").message() == "property colour should not exist");

    token_grant one("pit-one");
    one.locations = {h.place};
    h.api.add_token(one);
    h.token = "pit-one";
    CHECK(count("") == counts{1, 1});
    auto const other = h.api.data().locations()[1]->id();
    for (auto const& target :
         {base + "&locationId=" + other, std::string("/users/search?companyId=other")}) {
        auto const refused = h.get(target);
        CHECK(refused.status == 403);
        CHECK(refused.message() == "The token does not have access to this location.");
    }
}

TEST_CASE("users_of_no_company_are_refused_in_words_of_their_own", "[sandbox]") {
    house h;
    auto const refused = h.get("/users/search?locationId=" + h.place);
    CHECK(refused.status == 401);
    CHECK(refused.message() == "E01 - Unauthorized request");
}

TEST_CASE("record_is_created_for_an_app_and_for_no_private_integration", "[sandbox]") {
    house h;
    auto const path = std::string("/objects/custom_objects.pet/records");
    json::object const body{
        {"locationId", h.place}, {"properties", {{"name", "Rex"}}}, {"owner", json::array{"ada"}}};
    auto const refused = h.post(path, body);
    CHECK(refused.status == 401);
    CHECK(refused.message() == "This location is not accessible from this token.");
    token_grant app("access");
    app.oauth = true;
    app.locations = {h.place};
    h.api.add_token(app);
    h.token = "access";
    auto const made = h.post(path, body);
    CHECK(made.status == 201);
    CHECK(made.at("/record/properties/name") == "Rex");
    CHECK(made.at("/record/owner/0") == "ada");
    CHECK(made.at("/record/dateAdded") == "2026-01-01T00:00:00.000Z");
    CHECK(made.at("/record/id") != h.post(path, body).at("/record/id"));
    CHECK(h.post(path, {{"properties", json::object{}}}).status == 422);
    CHECK(h.post(path, {{"locationId", h.place}}).message() == "properties must be an object");
    CHECK(h.post(path, {{"locationId", "elsewhere"}, {"properties", {}}}).status == 403);
    CHECK(h.post(path, {{"locationId", h.place}, {"colour", "red"}}).status == 422);
}

TEST_CASE("text_is_escaped", "[sandbox]") {
    house h;
    std::string const nasty = "q\"b\\n\nt\t\x01 é 漢";
    auto const created = h.post("/contacts/", {{"locationId", h.place}, {"firstName", nasty}});
    CHECK(created.at("/contact/firstName") == nasty);
    CHECK(h.search({{"query", nasty}}).at("/contacts/0/firstName") == nasty);
}

} // namespace sandbox_api_tests
