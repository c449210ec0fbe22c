// SPDX-License-Identifier: BSL-1.0
//
// The sandbox's OAuth server without sockets: what it gives, what it refuses and in which words, in
// made-up time.

#include "support/catch.hpp"

#include <highlevel/http/uri.hpp>
#include <highlevel/sandbox/api.hpp>

#include <boost/json.hpp>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sandbox_oauth_tests {

using namespace highlevel::sandbox;
using namespace std::chrono_literals;
namespace http = highlevel::http;
namespace json = boost::json;

namespace {

using pairs = std::vector<std::pair<std::string, std::string>>;

class answer {
public:
    unsigned status = 0;
    std::string location;
    json::value body;

    [[nodiscard]] std::string at(const char* name) const {
        auto const* const found = body.as_object().if_contains(name);
        return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
    }
};

/// A sandbox with one app, whose clock the test moves.
class house {
public:
    house() : api(settings(), 0ns) {
        app_settings app;
        app.client_id = "app-12345678";
        app.client_secret = "planted";
        app.redirect_uri = "https://example.com/back";
        app.access_lifetime = 100s;
        api.oauth().add_app(app);
        for (auto const& place : api.data().locations())
            ids.push_back(place->id());
    }

    static options settings() {
        options o;
        o.locations = 3;
        o.max = 10'000;
        return o;
    }

    answer send(
        std::string_view method,
        std::string target,
        std::string_view body = {},
        std::string_view token = {},
        std::string_view version = "2021-07-28") {
        request_view request;
        request.method = method;
        request.target = target;
        auto const mark = std::min(target.find('?'), target.size());
        request.path = std::string_view{target}.substr(0, mark);
        request.query = std::string_view{target}.substr(std::min(mark + 1, target.size()));
        request.body = body;
        request.token = token;
        request.headers.emplace_back("Version", version);
        detail::reply reply;
        api.handle(request, now, {}, reply);
        answer a;
        a.status = reply.status;
        a.location = reply.location;
        if (!reply.body.empty()) a.body = json::parse(reply.body);
        return a;
    }

    answer token(pairs form, std::string_view version = "2021-07-28") {
        std::string body;
        for (auto const& [name, value] : form) {
            if (!body.empty()) body += '&';
            body += name + '=';
            http::append_percent_encoded(body, value);
        }
        return send("POST", "/oauth/token", body, {}, version);
    }
    answer exchange(const std::string& code, pairs more = {}) {
        pairs form{
            {"client_id", "app-12345678"},
            {"client_secret", "planted"},
            {"grant_type", "authorization_code"},
            {"code", code}};
        form.insert(form.end(), more.begin(), more.end());
        return token(std::move(form));
    }
    answer refresh(const std::string& text) {
        return token(
            {{"client_id", "app-12345678"},
             {"client_secret", "planted"},
             {"grant_type", "refresh_token"},
             {"refresh_token", text}});
    }
    std::string choose(const std::string& more, std::string_view name = "code") {
        auto const sent = send(
            "GET",
            "/v2/oauth/chooselocation?response_type=code&client_id=app-12345678"
            "&redirect_uri=https%3A%2F%2Fexample.com%2Fback&state=abc" +
                more);
        if (sent.status != 302) return std::to_string(sent.status);
        auto const query = sent.location.substr(sent.location.find('?') + 1);
        for (auto const& [n, v] : detail::parse_query(query))
            if (n == name) return v;
        return {};
    }
    /// How many locations the app is installed on, as a token of the company sees it.
    int installed(const answer& company) {
        auto const got = send(
            "GET",
            "/oauth/installedLocations?companyId=" + std::string(api.data().company_id()) +
                "&appId=app",
            {}, company.at("access_token"));
        return got.body.at("count").to_number<int>();
    }
    answer mint(
        const std::string& company,
        const std::string& location,
        std::string_view path,
        std::string_view version) {
        return send(
            "POST", std::string(path),
            "companyId=" + std::string(api.data().company_id()) + "&locationId=" + location,
            company, version);
    }
    unsigned read(const std::string& access, const std::string& location) {
        return send("GET", "/contacts/?locationId=" + location, {}, access).status;
    }

    detail::api api;
    std::vector<std::string> ids;
    std::chrono::nanoseconds now{0};
};

} // namespace

TEST_CASE("the page installs on one location, on several, or on the whole company", "[sandbox]") {
    house h;
    CHECK(h.choose("", "state") == "abc");
    auto const one = h.exchange(h.choose("&locationId=" + h.ids[1]));
    CHECK(one.status == 200);
    CHECK(one.at("userType") == "Location");
    CHECK(one.at("locationId") == h.ids[1]);
    CHECK(h.read(one.at("access_token"), h.ids[1]) == 200);

    auto const company =
        h.exchange(h.choose("&locationId=" + h.ids[0] + "&locationId=" + h.ids[2]));
    CHECK(company.at("userType") == "Company");
    CHECK(company.at("locationId").empty());
    CHECK(h.installed(company) == 3); // with the one of before
    CHECK(h.choose("&locationId=unknown") == "400");

    house some;
    CHECK(
        some.installed(some.exchange(
            some.choose("&locationId=" + some.ids[0] + "&locationId=" + some.ids[2]))) == 2);
    house all;
    CHECK(all.installed(all.exchange(all.choose(""))) == 3);
}

TEST_CASE("a private app's link needs the app's version as well", "[sandbox]") {
    house h;
    app_settings app;
    app.client_id = "private-12345678";
    app.client_secret = "planted";
    app.version_id = "v-1";
    h.api.oauth().add_app(app);
    auto const follow = [&](const std::string& query) {
        return h.send("GET", "/v2/oauth/chooselocation?redirect_uri=https%3A%2F%2Fx%2Fy&" + query);
    };
    for (auto const* query :
         {"client_id=private-12345678", "client_id=private-12345678&version_id=v-2"}) {
        auto const refused = follow(query);
        CHECK(refused.status == 400);
        CHECK(refused.at("message") == "error.noversionid");
    }
    CHECK(follow("client_id=private-12345678&version_id=v-1").status == 302);
    CHECK(follow("client_id=nobody&version_id=v-1").at("message") == "No integration found");
    // A version alone leads to a blank page.
    auto const blank = follow("version_id=v-1");
    CHECK(blank.status == 200);
    CHECK(blank.body.is_null());
}

TEST_CASE("the link's scopes are the token's, also after a refresh", "[sandbox]") {
    house h;
    app_settings app;
    app.client_id = "app-12345678";
    app.client_secret = "planted";
    app.scopes = {"contacts.readonly", "contacts.write", "oauth.write"};
    h.api.oauth().add_app(app);
    auto const here = "&locationId=" + h.ids[0];
    CHECK(h.exchange(h.choose(here)).at("scope") == "contacts.readonly contacts.write oauth.write");
    CHECK(h.choose(here + "&scope=contacts.readonly%20calendars.readonly") == "400");

    auto const first = h.exchange(h.choose(here + "&scope=contacts.write"));
    CHECK(first.at("scope") == "contacts.write");
    auto const second = h.refresh(first.at("refresh_token"));
    CHECK(second.at("scope") == "contacts.write");
    for (auto const& token : {first, second})
        CHECK(
            h.send("GET", "/contacts/?locationId=" + h.ids[0], {}, token.at("access_token"))
                .at("message") == "The token is not authorized for this scope.");
}

TEST_CASE("a minted token can do OAuth, which nobody asked for", "[sandbox]") {
    house h;
    app_settings app;
    app.client_id = "app-12345678";
    app.client_secret = "planted";
    app.scopes = {"contacts.readonly", "oauth.write"};
    h.api.oauth().add_app(app);
    auto const company = h.exchange(h.choose("")).at("access_token");
    auto const minted = h.mint(company, h.ids[0], "/oauth/locationToken", "2021-07-28");
    CHECK(minted.status == 201);
    CHECK(minted.at("scope") == "contacts.readonly oauth.write oauth.readonly");
    CHECK(h.refresh(minted.at("refresh_token")).at("scope") == minted.at("scope"));
}

TEST_CASE("a code works once, for its own app, in its time and with its address", "[sandbox]") {
    house h;
    auto const code = h.choose("&locationId=" + h.ids[0]);
    auto const wrong = h.exchange(code, {{"redirect_uri", "https://example.com/other"}});
    CHECK(wrong.status == 400);
    CHECK(wrong.at("message") == "Invalid parameter: redirect_uri");
    CHECK(h.exchange(code, {{"redirect_uri", "https://example.com/back"}}).status == 200);
    auto const again = h.exchange(code);
    CHECK(again.status == 401);
    CHECK(again.at("error_description") == "Authorization code not found");
    auto const late = h.choose("&locationId=" + h.ids[0]);
    h.now += 601s;
    CHECK(h.exchange(late).status == 401);
    CHECK(
        h.send(
             "GET", "/v2/oauth/chooselocation?client_id=app-12345678&redirect_uri=https%3A%2F%2Fx")
            .status == 400);

    app_settings second;
    second.client_id = "other-12345678";
    second.client_secret = "theirs";
    h.api.oauth().add_app(second);
    CHECK(
        h.token({{"client_id", "other-12345678"},
                 {"client_secret", "theirs"},
                 {"grant_type", "authorization_code"},
                 {"code", h.choose("&locationId=" + h.ids[0])}})
            .status == 401);
}

TEST_CASE("the token endpoint names what is missing or wrong", "[sandbox]") {
    house h;
    pairs const good{
        {"client_id", "app-12345678"},
        {"client_secret", "planted"},
        {"grant_type", "client_credentials"},
        {"user_type", "Company"}};
    CHECK(h.token(good).status == 200);
    // The form with one pair put in the place of its namesake.
    auto const with = [&](pairs const& others) {
        auto form = good;
        for (auto const& [name, value] : others) {
            std::erase_if(form, [&](auto const& pair) { return pair.first == name; });
            form.emplace_back(name, value);
        }
        return form;
    };
    auto const camel = [](pairs form) {
        for (auto& [name, value] : form)
            for (auto at = name.find('_'); at != name.npos; at = name.find('_')) {
                name.erase(at, 1);
                name[at] = static_cast<char>(name[at] - 'a' + 'A');
            }
        return form;
    };
    CHECK(h.token(camel(good), "v3").status == 200);

    struct row {
        pairs others;
        const char* v2;
        const char* v3;
    };
    for (auto const& r : std::vector<row>{
             {{{"client_id", ""}}, "Missing parameter: client_id", "Missing parameter: clientId"},
             {{{"client_secret", ""}},
              "Missing parameter: client_secret",
              "Missing parameter: clientSecret"},
             {{{"grant_type", ""}},
              "Missing parameter: grant_type",
              "Missing parameter: grantType"},
             {{{"grant_type", "authorization_code"}},
              "Missing parameter: code",
              "Missing parameter: code"},
             {{{"grant_type", "refresh_token"}},
              "Missing parameter: refresh_token",
              "Missing parameter: refreshToken"},
             {{{"user_type", "Robot"}},
              "Invalid parameter: user_type",
              "Invalid parameter: userType"},
             {{{"grant_type", "refresh_token"}, {"refresh_token", "x"}},
              "Invalid grant: refresh token is invalid",
              "Invalid grant: refresh token is invalid"}}) {
        CAPTURE(r.v2);
        auto const old = h.token(with(r.others));
        CHECK(old.status == 400);
        CHECK(old.at("message") == r.v2);
        auto const fresh = h.token(camel(with(r.others)), "v3");
        CHECK(fresh.status == 400);
        CHECK(fresh.at("message") == r.v3);
    }

    auto const wrong_grant = with({{"grant_type", "password"}});
    auto const unprocessable = h.token(wrong_grant);
    CHECK(unprocessable.status == 422);
    CHECK(unprocessable.body.at("message") == json::array{"grant_type must be a valid enum value"});
    CHECK(unprocessable.at("traceId").size() == 36);
    CHECK(h.token(camel(wrong_grant), "v3").at("message") == "Invalid parameter: grantType");
}

TEST_CASE("a wrong code is met before a wrong secret", "[sandbox]") {
    house h;
    auto const ask = [&](const char* id, const char* word, const std::string& code) {
        auto const got = h.token(
            {{"client_id", id},
             {"client_secret", word},
             {"grant_type", "authorization_code"},
             {"code", code}});
        CHECK(got.status == (got.at("error").empty() ? 200 : 401));
        CHECK((got.at("error").empty() || got.at("error") == "UnAuthorized!"));
        return got.at("error_description");
    };
    auto const code = h.choose("&locationId=" + h.ids[0]);
    CHECK(ask("app-12345678", "wrong", "bogus") == "Authorization code not found");
    CHECK(ask("unknown-1", "wrong", "bogus") == "Authorization code not found");
    CHECK(ask("app-12345678", "wrong", code) == "Invalid client credentials!");
    CHECK(ask("unknown-1", "planted", code) == "Invalid client credentials!");
    CHECK(ask("app-12345678", "planted", code).empty());
    CHECK(
        h.token({{"client_id", "app-12345678"},
                 {"client_secret", "wrong"},
                 {"grant_type", "client_credentials"}})
            .at("error_description") == "Invalid client credentials!");
}

TEST_CASE("a refresh token works once, and repeats its answer for a while", "[sandbox]") {
    house h;
    auto const first = h.exchange(h.choose("&locationId=" + h.ids[0]));
    auto const second = h.refresh(first.at("refresh_token"));
    REQUIRE(second.status == 200);
    CHECK(second.at("refresh_token") != first.at("refresh_token"));
    h.now += 29s;
    CHECK(h.refresh(first.at("refresh_token")).body == second.body);
    h.now += 2s;
    auto const late = h.refresh(first.at("refresh_token"));
    CHECK(late.status == 400);
    CHECK(late.at("message") == "Invalid grant: refresh token is invalid");
    CHECK(h.refresh(second.at("refresh_token")).status == 200);
    auto const counts = h.api.oauth().counts();
    CHECK(counts.refreshes == 4);
    CHECK(counts.rotations == 2);
    CHECK(counts.graces == 1);
    CHECK(counts.reuses == 1);
}

TEST_CASE("an access token ends after its time", "[sandbox]") {
    house h;
    auto const first = h.exchange(h.choose("&locationId=" + h.ids[0]));
    CHECK(first.body.at("expires_in").as_int64() == 100);
    h.now += 99s;
    CHECK(h.read(first.at("access_token"), h.ids[0]) == 200);
    h.now += 1s;
    CHECK(h.read(first.at("access_token"), h.ids[0]) == 401);
}

TEST_CASE("a deactivated location's refresh token works again afterwards", "[sandbox]") {
    house h;
    auto const first = h.exchange(h.choose("&locationId=" + h.ids[0]));
    h.api.oauth().set_active(h.ids[0], false);
    CHECK(h.refresh(first.at("refresh_token")).at("message") == "Location is not active");
    h.api.oauth().set_active(h.ids[0], true);
    CHECK(h.refresh(first.at("refresh_token")).status == 200);
}

TEST_CASE("an uninstallation ends the location's tokens and leaves the others", "[sandbox]") {
    house h;
    auto const here = h.exchange(h.choose("&locationId=" + h.ids[0]));
    auto const there = h.exchange(h.choose("&locationId=" + h.ids[1]));
    json::object const body{{"locationId", h.ids[0]}};
    CHECK(
        h.send(
             "DELETE", "/marketplace/app/app/installations", json::serialize(body),
             here.at("access_token"))
            .status == 200);
    CHECK(h.read(here.at("access_token"), h.ids[0]) == 401);
    CHECK(h.refresh(here.at("refresh_token")).status == 400);
    CHECK(h.read(there.at("access_token"), h.ids[1]) == 200);
    CHECK(h.refresh(there.at("refresh_token")).status == 200);
}

TEST_CASE("path and Version belong together at the OAuth endpoints", "[sandbox]") {
    house h;
    auto const company = h.exchange(h.choose("")).at("access_token");
    struct row {
        const char* path;
        const char* version;
        unsigned status;
        const char* message;
    };
    constexpr auto removed =
        "This endpoint was removed in version v3. Please use a version before v3.";
    for (auto const& r : std::vector<row>{
             {"/oauth/locationToken", "2021-07-28", 201, ""},
             {"/oauth/location-token", "v3", 201, ""},
             {"/oauth/location-token", "2021-07-28", 404, "Cannot POST /oauth/location-token"},
             {"/oauth/locationToken", "v3", 400, removed},
             {"/oauth/locationToken", "1999-01-01", 401, "version header is invalid"},
             {"/oauth/locationToken", "x", 400, "Invalid API version segment 'x'"}}) {
        CAPTURE(r.path, r.version);
        auto const got = h.mint(company, h.ids[0], r.path, r.version);
        CHECK(got.status == r.status);
        CHECK(got.at("message") == r.message);
    }
}

TEST_CASE("only an app's company token gets at the OAuth endpoints", "[sandbox]") {
    house h;
    auto const company = h.exchange(h.choose("")).at("access_token");
    auto const minted = h.mint(company, h.ids[0], "/oauth/locationToken", "2021-07-28");
    token_grant agency("pit-agency");
    agency.companies = {h.api.data().company_id()};
    h.api.add_token(agency);
    struct row {
        std::string token;
        unsigned status;
        const char* message;
    };
    for (auto const& r : std::vector<row>{
             {minted.at("access_token"), 403, "Forbidden resource"},
             {"pit-agency", 401, "The token is not authorized for this scope."},
             {"nobody", 401, "Invalid JWT"}}) {
        CAPTURE(r.token);
        auto const mint = h.mint(r.token, h.ids[0], "/oauth/locationToken", "2021-07-28");
        CHECK(mint.status == r.status);
        CHECK(mint.at("message") == r.message);
        auto const list = h.send("GET", "/oauth/installedLocations", {}, r.token);
        CHECK(list.status == r.status);
        CHECK(list.at("message") == r.message);
    }
    auto const missing = h.send("POST", "/oauth/locationToken", {}, company);
    CHECK(missing.status == 422);
    CHECK(
        missing.body.at("message") ==
        json::array{"companyId must be a string", "locationId must be a string"});
}

TEST_CASE("lost tokens are not given back", "[sandbox]") {
    house h;
    auto const gone = h.send("POST", "/oauth/reconnect", "client_id=app-12345678");
    CHECK(gone.status == 400);
    CHECK(gone.at("message") == "API endpoint has been removed");
}

} // namespace sandbox_oauth_tests
