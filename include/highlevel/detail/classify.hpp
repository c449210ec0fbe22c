// SPDX-License-Identifier: BSL-1.0
//
// Reads a refusal: what the server's status, message and body mean for this API. Pure functions
// over the response, so that each row of the table is a test.
#pragma once

#include <highlevel/detail/base64.hpp>
#include <highlevel/detail/wiping_allocator.hpp>
#include <highlevel/error.hpp>
#include <highlevel/http/message.hpp>
#include <highlevel/operation.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

/// Whether a token is one of API 1.0: a JSON Web Token without the claim `authClass`, which every
/// OAuth token of API 2.0 has; Private Integrations (`pit-...`) are no such tokens at all.
[[nodiscard]] inline bool is_v1_key(std::string_view token) {
    auto const first = token.find('.');
    auto const second = first == token.npos ? token.npos : token.find('.', first + 1);
    if (!token.starts_with("eyJ") || second == token.npos) return false;
    // A token's own bytes: nothing of them is left behind.
    wiping_string claims{token.substr(first + 1, second - first - 1)};
    std::replace(claims.begin(), claims.end(), '-', '+');
    std::replace(claims.begin(), claims.end(), '_', '/');
    claims.resize((claims.size() + 3) / 4 * 4, '=');
    auto text = decode_base64(claims);
    if (!text) return false;
    bool const v1 = text->starts_with('{') && text->find("\"authClass\"") == text->npos;
    for (volatile char& c : *text)
        c = 0;
    return v1;
}

/// The number that a gateway's page gives itself ("Error 1010"), its "Ray ID", and so on: the word
/// of letters, digits and '-' after `name`, with any mark-up skipped. Empty when it is not there.
[[nodiscard]] inline std::string_view word_after(
    std::string_view page, std::string_view name) noexcept {
    constexpr std::size_t longest = 40;
    auto const letter = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
            c == '-';
    };
    auto const found = page.find(name);
    if (found == page.npos) return {};
    page.remove_prefix(found + name.size());
    while (!page.empty() && !letter(page.front())) {
        auto const skip = page.front() == '<' ? page.find('>') : 0;
        if (skip == page.npos) return {};
        page.remove_prefix(skip + 1);
    }
    std::size_t length = 0;
    while (length < page.size() && length <= longest && letter(page[length]))
        ++length;
    return length > longest ? std::string_view{} : page.substr(0, length);
}

/// Whether the answer is a page of the gateway before the API (Cloudflare), which numbers its
/// answers. The API itself answers an unknown route with a page, too: "Cannot GET /path".
[[nodiscard]] inline bool is_gateway_page(const http::response& reply) noexcept {
    if (reply.status < 400 || !looks_like_html(reply.body)) return false;
    if (reply.status == 403 || reply.status == 429 || reply.status >= 500) return true;
    if (contains_text(reply.body, "cloudflare") || contains_text(reply.body, "ray id")) return true;
    return reply.fields.contains("cf-ray") && !contains_text(reply.body, "cannot ");
}

/// Reads a page of the gateway before the API (Cloudflare).
[[nodiscard]] inline reading read_gateway_page(const http::response& reply) {
    // Of Cloudflare's own statuses 520 to 527 say that the API failed it; 530 comes with an error
    // of the 1000s, as refusals do, and 503 with a challenge.
    bool const failed = reply.status >= 500 && reply.status != 503 && reply.status != 530;
    std::string hint{
        failed ? "a gateway could not reach the API" : "a gateway refused the client, not the API"};
    if (auto const number = word_after(reply.body, "Error "); number.starts_with('1')) {
        hint += " (error ";
        hint += number;
        hint += ')';
    }
    auto const field = reply.fields.find("cf-ray");
    auto const ray = field ? *field : word_after(reply.body, "Ray ID:");
    if (!ray.empty()) {
        hint += "; ray id ";
        hint += ray;
    }
    return {failed ? cause::server_error : cause::blocked, std::move(hint)};
}

/// The quota that a 429 is about, in words.
[[nodiscard]] inline reading read_limit(const http::response& reply) {
    auto const field = [&](std::string_view name) {
        auto const value = reply.fields.find(name);
        return value ? std::string{*value} : std::string{};
    };
    if (field("x-ratelimit-daily-remaining") == "0") {
        auto const limit = field("x-ratelimit-limit-daily");
        std::string hint{"the resource's "};
        if (!limit.empty()) hint += limit + ' ';
        return {cause::daily_limit, hint + "requests of the day are used up"};
    }
    auto const limit = field("x-ratelimit-max");
    auto const interval = field("x-ratelimit-interval-milliseconds");
    std::string hint{"the resource may not send "};
    if (!limit.empty() && !interval.empty())
        hint += "more than " + limit + " requests within " + interval + " ms";
    else
        hint += "so many requests at once";
    return {cause::burst_limit, hint + "; others may share its quota"};
}

/// The name in "property NAME should not exist", as the API's validation words it; else empty.
[[nodiscard]] inline std::string_view unwanted_property(const error_body& body) noexcept {
    constexpr std::string_view before = "property ";
    constexpr std::string_view after = " should not exist";
    for (std::string_view const m : body.messages) {
        auto const start = m.find(before);
        auto const end = m.find(after);
        if (start == m.npos || end == m.npos || end < start + before.size()) continue;
        return m.substr(start + before.size(), end - start - before.size());
    }
    return {};
}

/// Reads a 401 or 403, which this API gives for far more than tokens.
///
/// Only `cause::invalid_token` says that another token may help: refreshing for any other would use
/// up refresh tokens because of a mistyped path.
[[nodiscard]] inline reading read_denial(
    const http::response& reply,
    const error_body& body,
    std::span<const std::string_view> scopes,
    std::string_view token) {
    if (body.says("not authorized for this scope")) {
        std::string const agency =
            "; an agency's Private Integration gets this answer for a location's data, too";
        if (scopes.empty()) return {cause::scope_missing, "the token lacks a scope" + agency};
        return {cause::scope_missing, scopes_hint("the token needs the scope", scopes) + agency};
    }
    if (body.says("authclass type is not allowed"))
        return {
            cause::wrong_token_kind,
            scopes.empty()
                ? "the scope wants the other class of token: mint a location's from the agency's"
                : scopes_hint(
                      "mint a location's token from the agency's; this class may not use", scopes)};
    if (body.says("user type mismatch"))
        return {
            cause::wrong_token_kind,
            "an agency's token cannot be used for a location's data, nor the other way round"};
    if (body.says("does not have access to this location"))
        return {cause::wrong_location, "the token is another location's, or locationId is missing"};
    if (body.says("location is not accessible"))
        return {
            cause::wrong_location,
            "the token does not cover locationId; custom objects answer so to Private "
            "Integrations"};
    if (body.says("forbidden resource"))
        return {cause::wrong_token_kind, "this takes an agency's token, not a location's"};
    if (body.says("e01 - unauthorized request"))
        return {
            cause::invalid_request,
            "a required parameter is missing; look for companyId and locationId"};
    if (body.says("invalid jwt") && (token.empty() || is_v1_key(token)))
        return {
            cause::v1_key,
            "API 1.0 keys do not work with API 2.0: use a Private Integration or OAuth; "
            "docs/migrate-from-v1.md shows the way"};
    if (reply.status == 403) {
        if (body.says(" plan") || body.says("upgrade"))
            return {cause::plan_level, "the account's plan does not include this"};
        return {
            cause::forbidden,
            scopes.empty() ? std::string{} : scopes_hint("the operation's scopes:", scopes)};
    }
    if (body.says("invalid private integration token"))
        return {
            cause::invalid_token,
            "the Private Integration's token is mistyped, or was rotated: take the new one over"};
    for (auto const* about : {"token", "jwt", "unauthor", "expired", "authentic", "authorization"})
        if (body.says(about))
            return {cause::invalid_token, "the token is mistyped, rotated, revoked or expired"};
    // Silence is not about the token: a refresh token is not spent on a guess.
    return {
        cause::forbidden,
        body.messages.empty() ? "refused with status 401 and without a word"
                              : "refused with status 401 for another reason than the token"};
}

/// Reads a refusal. `scopes` are the operation's; `token` is what the request carried, as far as
/// it is at hand.
///
/// The rows are what integrators report of the live API; HighLevel documents few of them. The HTTP
/// status decides where a body's own status contradicts it.
[[nodiscard]] inline reading read_refusal(
    const http::response& reply,
    const error_body& body,
    std::span<const std::string_view> scopes,
    std::string_view token = {}) {
    auto const status = reply.status;

    if (is_gateway_page(reply)) return read_gateway_page(reply);
    if (status == 429) return read_limit(reply);
    if (body.says("command timed out"))
        return {cause::server_error, "a gateway's time-out, not a matter of the token: try again"};
    if (status >= 500) return {cause::server_error, {}};

    if (body.says("version header") || body.says("invalid api version") ||
        body.says("removed in version"))
        return {cause::wrong_version, "the path exists only under another Version header"};
    if (body.says("not yet supported by the iam service"))
        return {
            cause::unknown_route, "no such path or method; letter case and trailing slash count"};
    if (body.says("endpoint has been removed"))
        return {cause::unknown_route, "HighLevel has taken this operation away"};
    if (body.says("invalid grant"))
        return {
            cause::invalid_token,
            "the refresh token was used up or revoked: the app must be installed again"};
    if (body.says("authorization code not found"))
        return {cause::invalid_token, "the code was used before, has expired, or is another app's"};
    if (body.says("location is not active"))
        return {
            cause::forbidden, "the location is deactivated; its tokens work again when it is not"};
    if (status == 402) return {cause::plan_level, "the account's plan does not include this"};
    if (body.says("duplicated contacts") || !body.matching_field.empty()) {
        if (body.matching_field.empty())
            return {cause::duplicate, "the existing contact's id is in recovery_id()"};
        return {
            cause::duplicate,
            "a contact with the same " + body.matching_field + " exists; recovery_id() is its id"};
    }
    if (!body.conversation_id.empty() && contains_text(body.canonical_code, "already_exists"))
        return {cause::duplicate, "the existing conversation's id is in recovery_id()"};
    if (status == 401 || status == 403) return read_denial(reply, body, scopes, token);
    if (status == 404 &&
        (body.says("cannot get") || body.says("cannot post") || body.says("cannot put") ||
         body.says("cannot delete") || body.says("cannot patch")))
        return {cause::unknown_route, "the path does not exist under this Version header"};
    if (status == 404) return {cause::not_found, {}};
    if (body.says("not found")) return {cause::not_found, {}};
    if (auto const name = unwanted_property(body); !name.empty())
        return {
            cause::invalid_request,
            "leave out " + std::string{name} +
                "; under another Version header the parameter may have another spelling"};
    if (status >= 400) return {cause::invalid_request, {}};
    return {};
}

} // namespace highlevel::detail
