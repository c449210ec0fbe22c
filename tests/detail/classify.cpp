// SPDX-License-Identifier: BSL-1.0
//
// Each refusal that integrators report of the live API, and what it means.

#include "support/catch.hpp"

#include <highlevel/detail/classify.hpp>

#include <string>
#include <string_view>
#include <vector>

using highlevel::cause;
using highlevel::detail::error_body;
using highlevel::detail::read_error_body;
using highlevel::detail::read_refusal;

namespace {

highlevel::http::response reply(unsigned status, std::string body) {
    highlevel::http::response r;
    r.status = status;
    r.body = std::move(body);
    return r;
}

cause cause_of(const highlevel::http::response& r) {
    return read_refusal(r, read_error_body(r.body), {}).cause;
}

cause cause_of(unsigned status, std::string body) {
    return cause_of(reply(status, std::move(body)));
}

std::string message(std::string_view text) {
    return R"({"statusCode":400,"message":")" + std::string{text} + R"("})";
}

} // namespace

TEST_CASE("refusals_of_the_live_api_have_causes", "[client]") {
    struct row {
        unsigned status;
        const char* message;
        cause expected;
    };
    std::vector<row> const rows{
        {401, "version header was not found.", cause::wrong_version},
        {401, "version header is invalid", cause::wrong_version},
        {400, "Invalid API version segment 'x'", cause::wrong_version},
        {401, "The token is not authorized for this scope.", cause::scope_missing},
        {401, "Token's user type mismatch!", cause::wrong_token_kind},
        {401, "This authClass type is not allowed to access this scope. x",
         cause::wrong_token_kind},
        {403, "The token does not have access to this location.", cause::wrong_location},
        {401, "This location is not accessible from this token.", cause::wrong_location},
        {403, "Forbidden resource", cause::wrong_token_kind},
        {401, "This route is not yet supported by the IAM Service. Please update your IAM config.",
         cause::unknown_route},
        {403, "This route is not yet supported by the IAM Service. Please update your IAM config.",
         cause::unknown_route},
        {401, "Invalid JWT", cause::v1_key},
        {401, "Invalid Private Integration token", cause::invalid_token},
        {401, "E01 - Unauthorized request", cause::invalid_request},
        {401, "Command timed out", cause::server_error},
        {404, "Cannot GET /contacts/x/y", cause::unknown_route},
        {404, "", cause::not_found},
        {400, "Contact not found for id:abc", cause::not_found},
        {422, "limit must be a number", cause::invalid_request},
        {400, "Bad Request", cause::invalid_request},
        {500, "Internal server error", cause::server_error},
        {503, "", cause::server_error},
        {403, "Your plan does not include this", cause::plan_level},
        {403, "no", cause::forbidden},
    };
    for (auto const& r : rows) {
        CAPTURE(r.status, r.message);
        CHECK(to_string(cause_of(r.status, message(r.message))) == to_string(r.expected));
    }
}

TEST_CASE("a_duplicate_contact_gives_the_way_back", "[client]") {
    auto const r = reply(
        400,
        R"({"statusCode":400,"message":"This location does not allow duplicated contacts.",)"
        R"("meta":{"contactId":"abc","matchingField":"email"},"traceId":"t"})");
    auto const body = read_error_body(r.body);
    CHECK(read_refusal(r, body, {}).cause == cause::duplicate);
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
    r.fields.add("x-ratelimit-daily-remaining", "12");
    CHECK(cause_of(r) == cause::burst_limit);
    r.fields.set("X-RateLimit-Daily-Remaining", "0");
    CHECK(cause_of(r) == cause::daily_limit);
}

TEST_CASE("a_gateway_page_is_told_apart_from_the_api", "[client]") {
    auto r = reply(403, "<!DOCTYPE html><html>Error 1010</html>");
    r.fields.add("cf-ray", "8f1-AMS");
    auto const read = read_refusal(r, read_error_body(r.body), {});
    CHECK(read.cause == cause::blocked);
    CHECK(read.hint == "a gateway refused the client, not the API; ray id 8f1-AMS");
    CHECK(cause_of(502, "<html></html>") == cause::server_error);
}

TEST_CASE("a_missing_scope_is_named", "[client]") {
    auto const r = reply(401, message("The token is not authorized for this scope."));
    std::string_view const scopes[] = {"contacts.readonly"};
    CHECK(
        read_refusal(r, read_error_body(r.body), scopes).hint ==
        "the token needs the scope contacts.readonly");
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
