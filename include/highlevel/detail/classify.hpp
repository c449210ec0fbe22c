// SPDX-License-Identifier: BSL-1.0
//
// Reads a refusal: what the server's status, message and body mean for this API. Pure functions
// over the response, so that each row of the table is a test.
#pragma once

#include <highlevel/error.hpp>
#include <highlevel/http/message.hpp>
#include <highlevel/operation.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::detail {

/// The response's `Content-Type` without parameters names JSON, or there is none.
[[nodiscard]] inline bool may_be_json(const http::response& reply) noexcept {
    auto const type = reply.fields.find("content-type");
    return !type || type->find("json") != std::string_view::npos;
}

/// Whether a body begins like an HTML page; gateways answer with those.
[[nodiscard]] inline bool looks_like_html(std::string_view body) noexcept {
    auto const start = body.find_first_not_of(" \t\r\n");
    return start != std::string_view::npos && body[start] == '<';
}

[[nodiscard]] inline bool contains_text(std::string_view text, std::string_view part) noexcept {
    auto const lower = [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    };
    return std::search(text.begin(), text.end(), part.begin(), part.end(), [&](char a, char b) {
               return lower(a) == lower(b);
           }) != text.end();
}

[[nodiscard]] inline std::string string_member(const boost::json::object& o, std::string_view key) {
    auto const* const v = o.if_contains(key);
    if (v == nullptr || !v->is_string()) return {};
    return std::string{v->get_string()};
}

/// The parts of an error body, whichever of the API's shapes it has.
class error_body {
public:
    error_body() = default;

    std::vector<std::string> messages;
    std::string trace_id;
    std::string canonical_code;
    std::string contact_id;
    std::string conversation_id;
    std::string matching_field;

    [[nodiscard]] bool says(std::string_view part) const noexcept {
        return std::any_of(messages.begin(), messages.end(), [&](const std::string& m) {
            return contains_text(m, part);
        });
    }
};

/// Collects texts from a member that is a string, a list of strings, or a nested error object.
inline void collect_messages(
    const boost::json::value& v, std::vector<std::string>& into, int depth) {
    constexpr std::size_t enough = 32;
    if (into.size() >= enough || depth > 3) return;
    if (v.is_string()) {
        if (!v.get_string().empty()) into.emplace_back(v.get_string());
    } else if (v.is_array()) {
        for (auto const& item : v.get_array())
            collect_messages(item, into, depth + 1);
    } else if (v.is_object()) {
        auto const& o = v.get_object();
        for (auto const* key : {"message", "msg", "error", "error_description", "detail"})
            if (auto const* const inner = o.if_contains(key))
                collect_messages(*inner, into, depth + 1);
    }
}

/// Takes an error body apart; one that is not a JSON object has no parts.
[[nodiscard]] inline error_body read_error_body(std::string_view text) {
    error_body out;
    boost::system::error_code ec;
    boost::json::parse_options options;
    options.allow_invalid_utf8 = true;
    auto const root =
        boost::json::parse(boost::json::string_view{text.data(), text.size()}, ec, {}, options);
    if (ec) return out;
    if (root.is_string()) collect_messages(root, out.messages, 0);
    if (!root.is_object()) return out;
    auto const& o = root.get_object();
    for (auto const* key : {"message", "msg", "error_description"})
        if (auto const* const v = o.if_contains(key)) collect_messages(*v, out.messages, 0);
    // `error` is only the status in words when there is a message beside it.
    if (auto const* const v = o.if_contains("error"); v != nullptr && out.messages.empty())
        collect_messages(*v, out.messages, 0);
    out.trace_id = string_member(o, "traceId");
    out.canonical_code = string_member(o, "canonicalCode");
    out.conversation_id = string_member(o, "conversationId");
    auto const* const meta = o.if_contains("meta");
    if (meta != nullptr && meta->is_object()) {
        out.contact_id = string_member(meta->get_object(), "contactId");
        out.matching_field = string_member(meta->get_object(), "matchingField");
    }
    if (out.contact_id.empty()) out.contact_id = string_member(o, "contactId");
    return out;
}

/// What a refusal means, and one line of advice.
class reading {
public:
    reading() = default;
    reading(highlevel::cause c, std::string advice) : cause(c), hint(std::move(advice)) {}

    highlevel::cause cause = highlevel::cause::unknown;
    std::string hint;
};

[[nodiscard]] inline std::string scopes_hint(
    std::string_view lead, std::span<const std::string_view> scopes) {
    std::string text{lead};
    for (std::size_t i = 0; i < scopes.size(); ++i) {
        text += i == 0 ? " " : ", ";
        text += scopes[i];
    }
    return text;
}

/// Reads a refusal.
///
/// The rows are what integrators report of the live API; HighLevel documents few of them. The HTTP
/// status decides where a body's own status contradicts it.
[[nodiscard]] inline reading read_refusal(
    const http::response& reply, const error_body& body, std::span<const std::string_view> scopes) {
    auto const status = reply.status;

    if (status == 429) {
        auto const left = reply.fields.find("x-ratelimit-daily-remaining");
        if (left && *left == "0")
            return {cause::daily_limit, "the resource's requests of the day are used up"};
        return {cause::burst_limit, {}};
    }
    if ((status == 403 || status == 503) && looks_like_html(reply.body)) {
        std::string hint{"a gateway refused the client, not the API"};
        if (auto const ray = reply.fields.find("cf-ray")) {
            hint += "; ray id ";
            hint += *ray;
        }
        return {cause::blocked, std::move(hint)};
    }
    if (body.says("command timed out"))
        return {cause::server_error, "a gateway's time-out, not a matter of the token"};
    if (status >= 500) return {cause::server_error, {}};

    if (body.says("version header") || body.says("invalid api version"))
        return {cause::wrong_version, "the path exists only under another Version header"};
    if (body.says("not yet supported by the iam service"))
        return {
            cause::unknown_route, "no such path or method; letter case and trailing slash count"};
    if (body.says("not authorized for this scope"))
        return {
            cause::scope_missing,
            scopes.empty() ? "the token lacks the operation's scope, or is an agency token"
                           : scopes_hint("the token needs the scope", scopes)};
    if (body.says("user type mismatch") || body.says("authclass type is not allowed"))
        return {
            cause::wrong_token_kind,
            "an agency token cannot be used for a location's data, nor the other way round"};
    if (body.says("does not have access to this location") ||
        body.says("location is not accessible"))
        return {cause::wrong_location, "the token is another location's, or locationId is missing"};
    if (body.says("invalid jwt"))
        return {cause::v1_key, "API 1.0 keys do not work here; use a Private Integration or OAuth"};
    if (status == 401) {
        if (body.says("e01 - unauthorized request"))
            return {cause::invalid_request, "a required parameter is missing"};
        return {cause::invalid_token, "the token is mistyped, rotated, revoked or expired"};
    }
    if (body.says("duplicated contacts") || !body.matching_field.empty())
        return {cause::duplicate, "the existing record's id is in recovery_id()"};
    if (!body.conversation_id.empty() && contains_text(body.canonical_code, "already_exists"))
        return {cause::duplicate, "the existing conversation's id is in recovery_id()"};
    if (status == 404 &&
        (body.says("cannot get") || body.says("cannot post") || body.says("cannot put") ||
         body.says("cannot delete") || body.says("cannot patch")))
        return {cause::unknown_route, "the path does not exist under this Version header"};
    if (status == 404) return {cause::not_found, {}};
    if (status == 403) {
        if (body.says("plan"))
            return {cause::plan_level, "the account's plan does not include this"};
        if (body.says("forbidden resource"))
            return {cause::wrong_token_kind, "this takes an agency token"};
        return {cause::forbidden, {}};
    }
    if (body.says("not found")) return {cause::not_found, {}};
    if (status >= 400) return {cause::invalid_request, {}};
    return {};
}

} // namespace highlevel::detail
