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
    auto const listed = [&](const answer& by) {
        return h
            .send(
                "GET",
                "/oauth/installedLocations?companyId=" + std::string(h.api.data().company_id()) +
                    "&appId=app",
                {}, by.at("access_token"))
            .body.at("count")
            .to_number<int>();
    };
    CHECK(listed(company) == 3);

    house other;
    (void)other.exchange(other.choose(""));
    CHECK(h.choose("&locationId=unknown") == "400");
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

TEST_CASE("a wrong secret, a wrong app and a wrong grant are refused", "[sandbox]") {
    house h;
    auto const ask = [&](const char* id, const char* word, const char* grant) {
        return h.token({{"client_id", id}, {"client_secret", word}, {"grant_type", grant}}).status;
    };
    CHECK(ask("app-12345678", "wrong", "client_credentials") == 401);
    CHECK(ask("unknown-1", "planted", "client_credentials") == 401);
    CHECK(ask("app-12345678", "planted", "password") == 422);
    CHECK(ask("app-12345678", "planted", "client_credentials") == 200);
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
    auto const form =
        "companyId=" + std::string(h.api.data().company_id()) + "&locationId=" + h.ids[0];
    CHECK(h.send("POST", "/oauth/locationToken", form, company).status == 201);
    CHECK(h.send("POST", "/oauth/location-token", form, company, "v3").status == 201);
    CHECK(h.send("POST", "/oauth/location-token", form, company).status == 404);
    CHECK(h.send("POST", "/oauth/locationToken", form, company, "v3").status == 400);
    // A location's token mints nothing.
    auto const location = h.exchange(h.choose("&locationId=" + h.ids[0])).at("access_token");
    CHECK(
        h.send("POST", "/oauth/locationToken", form, location).at("message") ==
        "The token is not authorized for this scope.");
}
