// SPDX-License-Identifier: BSL-1.0
//
// How the OAuth endpoints spell things: forms, answers, refusals and pages.

#include "support/catch.hpp"
#include "support/scripted_transport.hpp"

#include <highlevel/auth/detail/oauth_wire.hpp>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace auth_detail_oauth_wire_tests {

using namespace std::chrono_literals;
using namespace highlevel::auth;
using namespace highlevel::auth::detail;
using highlevel::cause;
using highlevel::errc;
using highlevel::generation;
namespace http = highlevel::http;

namespace {

constexpr timestamp now{std::chrono::hours{400'000}};

http::exchange_result reply(unsigned status, std::string body) {
    return test::scripted_transport::reply(status, std::move(body));
}
std::string message(const std::string& text) {
    return R"({"statusCode":400,"message":")" + text + R"("})";
}

} // namespace

TEST_CASE("a_form_is_spelled_as_the_generation_wants", "[auth]") {
    for (auto const wire : {generation::v2, generation::v3}) {
        wire_form form{wire};
        form.app("id-1", secret{"a b&c"});
        form.add("grant_type", "refresh_token");
        http::request r;
        std::move(form).into(r);
        CHECK(
            r.body ==
            (wire == generation::v2
                 ? "client_id=id-1&client_secret=a%20b%26c&grant_type=refresh_token"
                 : "clientId=id-1&clientSecret=a%20b%26c&grantType=refresh_token"));
        CHECK(r.fields.find("content-type") == "application/x-www-form-urlencoded");
    }
}

TEST_CASE("a_token_answer_of_either_spelling_is_read", "[auth]") {
    auto const snake = read_token_answer(
        R"({"access_token":"a","refresh_token":"r","expires_in":100,"scope":"x  y","userType":)"
        R"("Location","locationId":"l","companyId":"c","userId":"u","isBulkInstallation":true,)"
        R"("approvedLocations":["1","2"]})",
        now);
    auto const camel = read_token_answer(
        R"({"accessToken":"a","refreshToken":"r","expiresIn":"100","scope":"x y","userType":)"
        R"("Location","locationId":"l","companyId":"c","userId":"u","isBulkInstallation":true,)"
        R"("approvedLocations":["1","2"]})",
        now);
    REQUIRE(snake);
    REQUIRE(camel);
    CHECK(snake->value == camel->value);
    CHECK(snake->value.expires_at == now + 100s);
    CHECK(snake->value.scopes == std::vector<std::string>{"x", "y"});
    CHECK(snake->info.what == resource::location("l"));
    CHECK(snake->info.bulk);
    CHECK(snake->info.approved_locations.size() == 2);
}

TEST_CASE("an_odd_token_answer_is_borne", "[auth]") {
    for (auto const* body :
         {"", "<html>", "[]", "{}", R"({"access_token":7})", "{\"access_token\""})
        CHECK_FALSE(read_token_answer(body, now));
    CHECK(read_token_answer(R"({"access_token":"a"})", now)->value.expires_at == timestamp::max());
    for (auto const* life : {"-5", "1e300", "9223372036854775807", "null"}) {
        CAPTURE(life);
        auto const got = read_token_answer(
            std::string{R"({"access_token":"a","expires_in":)"} + life + "}", now);
        REQUIRE(got);
        CHECK(got->value.expires_at > now);
    }
}

TEST_CASE("each_refusal_is_final_lasting_transient_or_lost", "[auth]") {
    struct row {
        unsigned status;
        std::string body;
        std::string bearer;
        refusal how;
        cause why;
        bool token_refused;
    };
    std::vector<row> const rows{
        {400,
         message("Invalid grant: refresh token is invalid"),
         {},
         refusal::final,
         cause::invalid_token,
         false},
        {400, R"({"error":"invalid_grant"})", {}, refusal::final, cause::invalid_request, false},
        {400, message("Location is not active"), {}, refusal::lasting, cause::forbidden, false},
        {400,
         message("Missing parameter: client_id"),
         {},
         refusal::lasting,
         cause::invalid_request,
         false},
        {401,
         R"({"error":"UnAuthorized!","error_description":"Invalid client credentials!"})",
         {},
         refusal::lasting,
         cause::forbidden,
         false},
        {429, message("Too Many Requests"), {}, refusal::transient, cause::burst_limit, false},
        {403, "<html>Error 1010</html>", {}, refusal::transient, cause::blocked, false},
        {502, "<html>Bad gateway</html>", {}, refusal::lost, cause::server_error, false},
        {500, message("oops"), {}, refusal::lost, cause::server_error, false},
        {401, message("Command timed out"), {}, refusal::lost, cause::server_error, false},
        {401, message("Unauthorized"), "pit-1", refusal::final, cause::invalid_token, true},
        {401, message("The token is not authorized for this scope."), "pit-1", refusal::final,
         cause::scope_missing, false},
        {401, message("Invalid JWT"), "eyJh.eyJhdXRoQ2xhc3MiOiJDb21wYW55In0.c2ln", refusal::final,
         cause::invalid_token, true},
        {401, message("Invalid JWT"), "eyJh.eyJsb2NhdGlvbl9pZCI6IjEifQ.c2ln", refusal::final,
         cause::v1_key, false},
        {400, message("Location not found"), "pit-1", refusal::final, cause::not_found, false},
    };
    for (auto const& r : rows) {
        CAPTURE(r.status, r.body, r.bearer);
        auto const got = judge_refusal(reply(r.status, r.body), "what", r.bearer, now);
        CHECK(static_cast<int>(got.how) == static_cast<int>(r.how));
        CHECK(to_string(got.problem.cause) == to_string(r.why));
        CHECK(got.problem.status == r.status);
        CHECK(got.token_refused == r.token_refused);
    }
}

TEST_CASE("no_answer_is_lost_only_where_it_may_have_been_done", "[auth]") {
    auto const code = make_error_code(errc::connection_lost);
    auto const sent = test::scripted_transport::lost(code, http::phase::first_byte, true);
    auto const unsent = test::scripted_transport::lost(code, http::phase::connect, false);
    CHECK(judge_refusal(sent, "x", {}, now).how == refusal::lost);
    CHECK(judge_refusal(unsent, "x", {}, now).how == refusal::transient);
    CHECK(judge_refusal(unsent, "x", {}, now).problem.cause == cause::network);
    // A success without a token in it may have spent the refresh token.
    CHECK(judge_refusal(reply(200, "{}"), "x", {}, now).how == refusal::lost);
}

TEST_CASE("retry_after_is_seconds_or_a_date_and_never_beyond_an_hour", "[auth]") {
    CHECK(retry_after_of("7", now) == 7s);
    CHECK(retry_after_of("99999999999999999999", now) == 1h);
    CHECK(retry_after_of("86400", now) == 1h);
    CHECK(retry_after_of("-5", now) == 0s);
    CHECK(retry_after_of("soon", now) == 0s);
    timestamp const then{std::chrono::sys_days{std::chrono::year{1994} / 11 / 6} + 8h + 49min};
    CHECK(retry_after_of("Sun, 06 Nov 1994 08:49:37 GMT", then) == 37s);
    CHECK(retry_after_of("Sun, 06 Nov 1994 08:49:37 GMT", now) == 0s);
    CHECK(retry_after_of("Sun, 99 Nov 1994 08:49:37 GMT", then) == 0s);
    CHECK(retry_after_of("Sun, 06 Xyz 1994 08:49:37 GMT", then) == 0s);
}

TEST_CASE("pages_of_installed_locations_are_read_in_both_spellings", "[auth]") {
    auto const old = read_installed(
        R"({"locations":[{"_id":"1","name":"n","isInstalled":true},{"name":"no id"},7],"count":9})");
    REQUIRE(old);
    REQUIRE(old->locations.size() == 1);
    CHECK(old->locations[0].id == "1");
    CHECK(old->count == 9);
    auto const v3 = read_installed(
        R"({"items":[{"id":"2","isInstalled":false}],"pagination":{"nextPageToken":"t"}})");
    REQUIRE(v3);
    REQUIRE(v3->locations.size() == 1);
    CHECK_FALSE(v3->locations[0].installed);
    CHECK(v3->next == "t");
    CHECK_FALSE(v3->count);
    // What is no page is not taken for the last one.
    for (auto const* body : {"", "<html>", "[]", "{}", R"({"locations":7})", R"({"count":3})"})
        CHECK_FALSE(read_installed(body));
    for (auto const* body : {R"({"locations":[]})", R"({"items":null,"count":0})"}) {
        auto const none = read_installed(body);
        REQUIRE(none);
        CHECK(none->locations.empty());
    }
    CHECK(
        installed_target(generation::v2, "c", "a", 100, {}) ==
        "/oauth/installedLocations?companyId=c&appId=a&isInstalled=true&limit=100&skip=100");
}

} // namespace auth_detail_oauth_wire_tests
