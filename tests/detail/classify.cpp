// SPDX-License-Identifier: BSL-1.0
//
// Each refusal that integrators report of the live API, and what it means.

#include "support/catch.hpp"

#include <highlevel/detail/classify.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace detail_classify_tests {

using highlevel::cause;
using highlevel::detail::error_body;
using highlevel::detail::read_error_body;
using highlevel::detail::read_refusal;

namespace {

using highlevel::detail::reading;

highlevel::http::response reply(unsigned status, std::string body) {
    highlevel::http::response r;
    r.status = status;
    r.body = std::move(body);
    return r;
}

cause cause_of(const highlevel::http::response& r) {
    return read_refusal(r, read_error_body(r.body), {}).cause;
}

std::string hint_of(const highlevel::http::response& r) {
    return read_refusal(r, read_error_body(r.body), {}).hint;
}

cause cause_of(unsigned status, std::string body) {
    return cause_of(reply(status, std::move(body)));
}

std::string message(std::string_view text) {
    return R"({"statusCode":400,"message":")" + std::string{text} + R"("})";
}

reading read(
    unsigned status,
    std::string_view text,
    std::string_view token = {},
    std::vector<std::string_view> scopes = {}) {
    auto const r = reply(status, message(text));
    return read_refusal(r, read_error_body(r.body), scopes, token);
}

// {"alg":"HS256","typ":"JWT"}.{"location_id":"a","company_id":"b","version":1}, unsigned.
constexpr std::string_view v1_key =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJsb2NhdGlvbl9pZCI6ImEiLCJjb21wYW55X2lkIjoiYiIsInZlcnNpb24iOjF9.c2lnbg";
// {"alg":"RS256","typ":"JWT"}.{"authClass":"Location","authClassId":"a","source":"INTEGRATION"}
constexpr std::string_view oauth_token =
    "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJhdXRoQ2xhc3MiOiJMb2NhdGlvbiIsImF1dGhDbGFzc0lkIjoiYSIsInNvdXJjZSI6IklOVEVHUkFUSU9OIn0."
    "c2lnbg";

} // namespace

TEST_CASE("refusals_of_the_live_api_have_causes_and_hints", "[client]") {
    struct row {
        unsigned status;
        const char* message;
        cause expected;
        const char* in_hint;
    };
    std::vector<row> const rows{
        {401, "version header was not found.", cause::wrong_version, "Version"},
        {401, "version header is invalid", cause::wrong_version, "Version"},
        {400, "Invalid API version segment 'x'", cause::wrong_version, "Version"},
        {400, "This endpoint was removed in version v3. Please use a version before v3.",
         cause::wrong_version, "Version"},
        {401, "The token is not authorized for this scope.", cause::scope_missing, "a.readonly"},
        {401, "Token's user type mismatch!", cause::wrong_token_kind, "agency"},
        {401, "This authClass type is not allowed to access this scope. x", cause::wrong_token_kind,
         "a.readonly"},
        {403, "The token does not have access to this location.", cause::wrong_location,
         "locationId"},
        {401, "This location is not accessible from this token.", cause::wrong_location,
         "locationId"},
        {403, "Forbidden resource", cause::wrong_token_kind, "agency"},
        {401, "This route is not yet supported by the IAM Service. Please update your IAM config.",
         cause::unknown_route, "letter case"},
        {403, "This route is not yet supported by the IAM Service. Please update your IAM config.",
         cause::unknown_route, "letter case"},
        {400, "API endpoint has been removed", cause::unknown_route, "taken"},
        {401, "Invalid JWT", cause::v1_key, "docs/migrate-from-v1.md"},
        {401, "Invalid Private Integration token", cause::invalid_token, "rotated"},
        {401, "Unauthorized", cause::invalid_token, "expired"},
        {401, "jwt expired", cause::invalid_token, "expired"},
        {401, "", cause::forbidden, "without a word"},
        {401, "You shall not pass", cause::forbidden, "another reason"},
        {401, "E01 - Unauthorized request", cause::invalid_request, "companyId"},
        {401, "Command timed out", cause::server_error, "time-out"},
        {400, "Invalid grant: refresh token is invalid", cause::invalid_token, "installed again"},
        {401, "Authorization code not found", cause::invalid_token, "code"},
        {400, "Location is not active", cause::forbidden, "deactivated"},
        {404, "Cannot GET /contacts/x/y", cause::unknown_route, "Version"},
        {404, "", cause::not_found, ""},
        {400, "Contact not found for id:abc", cause::not_found, ""},
        {422, "property location_id should not exist", cause::invalid_request, "location_id"},
        {422, "limit must be a number", cause::invalid_request, ""},
        {400, "Bad Request", cause::invalid_request, ""},
        {500, "Internal server error", cause::server_error, ""},
        {503, "", cause::server_error, ""},
        {402, "pay", cause::plan_level, "plan"},
        {403, "Your plan does not include this", cause::plan_level, "plan"},
        {403, "Please upgrade", cause::plan_level, "plan"},
        {403, "no", cause::forbidden, "a.readonly"},
    };
    for (auto const& r : rows) {
        CAPTURE(r.status, r.message);
        auto const got = read(r.status, r.message, {}, {"a.readonly"});
        CHECK(to_string(got.cause) == to_string(r.expected));
        CHECK_THAT(got.hint, test::contains(r.in_hint));
        CHECK(got.hint.find('\n') == std::string::npos);
    }
}

TEST_CASE("invalid_jwt_means_a_v1_key_only_for_what_may_be_one", "[client]") {
    CHECK(read(401, "Invalid JWT", v1_key).cause == cause::v1_key);
    CHECK(read(401, "Invalid JWT", oauth_token).cause == cause::invalid_token);
    CHECK(read(401, "Invalid JWT", "pit-0c4e").cause == cause::invalid_token);
    CHECK(read(401, "Invalid JWT", "eyJ.???.c2lnbg").cause == cause::invalid_token);
    CHECK(read(401, "Invalid JWT", "eyJhbGciOiJIUzI1NiJ9").cause == cause::invalid_token);
}

TEST_CASE("a_refusal_about_anything_but_the_token_asks_for_no_other_token", "[client]") {
    for (auto const* other :
         {"The token is not authorized for this scope.", "Token's user type mismatch!",
          "This authClass type is not allowed to access this scope. x",
          "The token does not have access to this location.", "E01 - Unauthorized request",
          "This route is not yet supported by the IAM Service. Please update your IAM config.",
          "version header was not found.", "Command timed out", "You shall not pass"}) {
        CAPTURE(other);
        CHECK(read(401, other, oauth_token).cause != cause::invalid_token);
    }
}

TEST_CASE("a_duplicate_contact_gives_the_way_back", "[client]") {
    auto const r = reply(
        400,
        R"({"statusCode":400,"message":"This location does not allow duplicated contacts.",)"
        R"("meta":{"contactId":"abc","matchingField":"email"},"traceId":"t"})");
    auto const body = read_error_body(r.body);
    CHECK(read_refusal(r, body, {}).cause == cause::duplicate);
    CHECK(hint_of(r) == "a contact with the same email exists; recovery_id() is its id");
    CHECK(body.contact_id == "abc");
    CHECK(body.matching_field == "email");
    CHECK(body.trace_id == "t");
}

TEST_CASE("an_existing_conversation_gives_the_way_back", "[client]") {
    auto const r = reply(
        400,
        R"({"message":"exists","canonicalCode":"CONVERSATIONS_CONVERSATION_ALREADY_EXISTS",)"
        R"("conversationId":"c1"})");
    auto const body = read_error_body(r.body);
    CHECK(read_refusal(r, body, {}).cause == cause::duplicate);
    CHECK(body.conversation_id == "c1");
}

TEST_CASE("burst_and_daily_429_differ_by_the_daily_header", "[client]") {
    auto r = reply(429, R"({"statusCode":429,"message":"Too Many Requests"})");
    CHECK(cause_of(r) == cause::burst_limit);
    CHECK_THAT(hint_of(r), test::contains("so many requests at once"));
    r.fields.add("x-ratelimit-max", "100");
    r.fields.add("x-ratelimit-interval-milliseconds", "10000");
    r.fields.add("x-ratelimit-limit-daily", "200000");
    r.fields.add("x-ratelimit-daily-remaining", "12");
    CHECK(cause_of(r) == cause::burst_limit);
    CHECK_THAT(hint_of(r), test::contains("100 requests within 10000 ms"));
    r.fields.set("X-RateLimit-Daily-Remaining", "0");
    CHECK(cause_of(r) == cause::daily_limit);
    CHECK_THAT(hint_of(r), test::contains("200000 requests of the day"));
}

TEST_CASE("a_gateway_page_is_told_apart_from_the_api", "[client]") {
    auto r = reply(403, "<!DOCTYPE html><html>Access denied</html>");
    r.fields.add("cf-ray", "8f1-AMS");
    CHECK(cause_of(r) == cause::blocked);
    CHECK(hint_of(r) == "a gateway refused the client, not the API; ray id 8f1-AMS");
    for (unsigned const status : {403U, 429U, 503U, 530U}) {
        CHECK(cause_of(status, "<html></html>") == cause::blocked);
        CHECK(hint_of(reply(status, "<html></html>")).starts_with("a gateway refused"));
    }
    for (unsigned const status : {500U, 502U, 504U, 520U, 522U, 524U, 527U}) {
        CHECK(cause_of(status, "<html></html>") == cause::server_error);
        CHECK(hint_of(reply(status, "<html></html>")).starts_with("a gateway could not reach"));
    }
    CHECK(cause_of(404, "<html></html>") == cause::not_found);
    CHECK(cause_of(400, "<html>400 Bad Request<hr>cloudflare</html>") == cause::blocked);
    CHECK(cause_of(404, "<html>gone <b>Ray ID:</b> 8f1-AMS</html>") == cause::blocked);
    // An answer of the API comes through the gateway, and has its number, too.
    auto passed = reply(404, "<html><pre>Cannot GET /contacts/x</pre></html>");
    passed.fields.add("cf-ray", "8f1-AMS");
    CHECK(cause_of(passed) == cause::not_found);
    auto refused = reply(401, "<html>Sign in</html>");
    CHECK(cause_of(refused) == cause::forbidden);
    refused.fields.add("cf-ray", "8f1-AMS");
    CHECK(cause_of(refused) == cause::blocked);
    CHECK_THAT(hint_of(refused), test::contains("8f1-AMS"));
}

TEST_CASE("the_ray_id_and_the_number_are_read_from_a_gateways_page", "[client]") {
    CHECK(
        hint_of(reply(
            403,
            "<html><h1>Error 1010</h1> Ray ID: <strong class=\"x\">8f1c2d-AMS</strong></html>")) ==
        "a gateway refused the client, not the API (error 1010); ray id 8f1c2d-AMS");
    // A cut or hostile page adds nothing.
    for (std::string const page :
         {"<html>Ray ID: <strong", "<html>Ray ID:", "<html>Ray ID: <b></b>",
          "<html>Error </html>"}) {
        CAPTURE(page);
        CHECK(hint_of(reply(403, page)) == "a gateway refused the client, not the API");
    }
    CHECK(
        hint_of(reply(403, "<html>Ray ID: " + std::string(100000, 'a'))) ==
        "a gateway refused the client, not the API");
}

TEST_CASE("a_missing_scope_is_named", "[client]") {
    auto const r = reply(401, message("The token is not authorized for this scope."));
    std::string_view const scopes[] = {"contacts.readonly"};
    CHECK_THAT(
        read_refusal(r, read_error_body(r.body), scopes).hint,
        test::contains("the token needs the scope contacts.readonly"));
}

TEST_CASE("messages_come_in_many_shapes", "[client]") {
    using texts = std::vector<std::string>;
    CHECK(read_error_body(R"({"message":["a","b"]})").messages == texts{"a", "b"});
    CHECK(read_error_body(R"({"message":"a","error":"Bad Request"})").messages == texts{"a"});
    CHECK(read_error_body(R"({"error":"only"})").messages == texts{"only"});
    CHECK(read_error_body(R"({"error":{"code":3,"message":"deep"}})").messages == texts{"deep"});
    CHECK(
        read_error_body(R"({"error":"UnAuthorized!","error_description":"no code"})").messages ==
        texts{"no code"});
    CHECK(read_error_body(R"({"msg":"Not found"})").messages == texts{"Not found"});
    CHECK(read_error_body(R"("text")").messages == texts{"text"});
    CHECK(read_error_body("").messages.empty());
    CHECK(read_error_body("<html>").messages.empty());
    CHECK(read_error_body("[1,2]").messages.empty());
    CHECK(read_error_body("{\"message\":\"cut").messages.empty());
}

TEST_CASE("a_hostile_error_body_stays_bounded", "[client]") {
    std::string many = R"({"message":[)";
    for (int i = 0; i < 1000; ++i)
        many += "\"x\",";
    many += "\"x\"]}";
    CHECK(read_error_body(many).messages.size() == 32);
    std::string deep = R"({"message":)";
    for (int i = 0; i < 20; ++i)
        deep += R"({"message":)";
    deep += "\"x\"";
    for (int i = 0; i < 20; ++i)
        deep += "}";
    deep += "}";
    CHECK(read_error_body(deep).messages.empty());
}

} // namespace detail_classify_tests
