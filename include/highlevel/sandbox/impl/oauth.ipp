// SPDX-License-Identifier: BSL-1.0
//
// The endpoints of the sandbox's OAuth server.
#pragma once

#include <highlevel/http/uri.hpp>
#include <highlevel/sandbox/api.hpp>
#include <highlevel/sandbox/detail/json_writer.hpp>
#include <highlevel/sandbox/detail/version_header.hpp>
#include <highlevel/sandbox/oauth.hpp>

#include <boost/json/parse.hpp>

#include <algorithm>
#include <charconv>

namespace highlevel::sandbox::detail {

inline oauth_house::oauth_house(std::uint64_t seed, neighbours others)
    : others_(std::move(others)),
      seed_(scatter(seed ^ 0x0a7)) {}

inline void oauth_house::add_app(app_settings settings) {
    std::lock_guard const lock(mutex_);
    apps_.insert_or_assign(settings.client_id, std::move(settings));
}

inline std::string oauth_house::issue_code(
    std::string_view client_id, std::string location, std::vector<std::string> chosen) {
    std::lock_guard const lock(mutex_);
    return install(client_id, std::move(location), std::move(chosen));
}

inline std::string oauth_house::install(
    std::string_view client_id, std::string location, std::vector<std::string> chosen) {
    auto text = random_text("code");
    auto& on = installed_[std::string(client_id)];
    if (location.empty())
        tell("INSTALL", client_id, {});
    else
        chosen.push_back(location);
    for (auto& id : chosen)
        if (on.insert(id).second) tell("INSTALL", client_id, std::move(id));
    code_record made;
    made.client_id = client_id;
    made.what.location = std::move(location);
    if (auto const app = apps_.find(client_id); app != apps_.end())
        made.what.scopes = app->second.scopes;
    codes_.insert_or_assign(text, std::move(made));
    return text;
}

inline void oauth_house::tell(
    std::string_view event, std::string_view client_id, std::string location) const {
    if (!others_.on_install) return;
    install_change made;
    made.event = event;
    made.app_id = client_id.substr(0, client_id.rfind('-'));
    made.company_id = location.empty() ? others_.company_id : others_.company_of(location);
    made.location_id = std::move(location);
    others_.on_install(made);
}

inline void oauth_house::set_active(std::string_view location, bool active) {
    std::lock_guard const lock(mutex_);
    if (active)
        inactive_.erase(std::string(location));
    else
        inactive_.emplace(location);
}

inline void oauth_house::end_access_tokens() {
    std::lock_guard const lock(mutex_);
    for (auto const& given : access_)
        others_.remove_token(given.text);
    access_.clear();
}

inline oauth_counts oauth_house::counts() const {
    std::lock_guard const lock(mutex_);
    return counts_;
}

inline std::string oauth_house::random_text(std::string_view prefix) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    std::string text(prefix);
    text += '.';
    for (int i = 0; i < 48; ++i) {
        seed_ = scatter(seed_);
        text += alphabet[seed_ % alphabet.size()];
    }
    return text;
}

inline void oauth_house::refuse(reply& out, unsigned status, std::string_view message) {
    out.status = status;
    out.body.clear();
    json_writer(out.body)
        .begin_object()
        .member("statusCode", status)
        .member("message", message)
        .end_object();
}

/// As the token endpoint says that it does not know somebody.
inline void oauth_house::unauthorized(reply& out, std::string_view description) {
    out.status = 401;
    out.body.clear();
    json_writer(out.body)
        .begin_object()
        .member("error", "UnAuthorized!")
        .member("error_description", description)
        .end_object();
}

inline void oauth_house::unprocessable(reply& out, const std::vector<std::string>& messages) const {
    out.status = 422;
    out.body.clear();
    json_writer(out.body)
        .begin_object()
        .member("statusCode", out.status)
        .strings("message", messages)
        .member("error", "Unprocessable Entity")
        .member("traceId", others_.trace_id())
        .end_object();
}

inline bool oauth_house::answer(
    const request_view& request, const token_grant* grant, duration now, reply& out) {
    auto const is = [&](std::string_view method, std::string_view path) {
        return request.method == method && request.path == path;
    };
    auto const version = request.header("version");
    bool const v3 = version && *version == "v3";
    if (is("GET", "/v2/oauth/chooselocation")) {
        std::lock_guard const lock(mutex_);
        choose(parse_query(request.query), now, out);
        return true;
    }
    if (is("POST", "/oauth/token")) {
        std::lock_guard const lock(mutex_);
        token(parse_query(request.body), v3, now, out);
        return true;
    }
    if (is("POST", "/oauth/reconnect")) {
        refuse(out, 400, "API endpoint has been removed");
        return true;
    }
    bool const old_mint = is("POST", "/oauth/locationToken");
    bool const new_mint = is("POST", "/oauth/location-token");
    bool const old_list = is("GET", "/oauth/installedLocations");
    bool const new_list = is("GET", "/oauth/installed-locations");
    bool const leave = request.method == "DELETE" &&
        request.path.starts_with("/marketplace/app/") && request.path.ends_with("/installations");
    if (grant == nullptr || !(old_mint || new_mint || old_list || new_list || leave)) return false;
    if (auto const refused = refuse_version(version)) {
        refuse(out, refused->status, refused->message);
        return true;
    }
    if ((new_mint || new_list) && !v3) {
        refuse(out, 404, "Cannot " + std::string(request.method) + ' ' + std::string(request.path));
        return true;
    }
    if ((old_mint || old_list) && v3) {
        refuse(
            out, 400, "This endpoint was removed in version v3. Please use a version before v3.");
        return true;
    }
    std::string_view const scope = old_list || new_list ? "oauth.readonly" : "oauth.write";
    if (!grant->oauth || !grant->has_scope(scope)) {
        refuse(out, 401, "The token is not authorized for this scope.");
        return true;
    }
    if (!leave && !grant->agency_class()) {
        refuse(out, 403, "Forbidden resource");
        return true;
    }
    std::lock_guard const lock(mutex_);
    if (old_mint || new_mint)
        mint(parse_query(request.body), v3, *grant, now, out);
    else if (leave)
        uninstall(request, out);
    else
        installed(parse_query(request.query), v3, out);
    return true;
}

/// The value of a pair, or an empty text.
[[nodiscard]] inline std::string_view value_of(
    const std::vector<std::pair<std::string, std::string>>& in, std::string_view name) {
    for (auto const& [n, v] : in)
        if (n == name) return v;
    return {};
}

/// The words of a text that spaces separate.
[[nodiscard]] inline std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        auto const end = std::min(text.find(' '), text.size());
        if (end > 0) words.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

/// The page on which the user chooses, with the choice already made: `locationId`, any number of
/// times (an addition of the sandbox), says where. One is an installation on that location, several
/// are one on the company; none is one on the company with all its locations.
inline void oauth_house::choose(const pairs& query, duration now, reply& out) {
    auto const client = value_of(query, "client_id");
    auto const version = value_of(query, "version_id");
    if (client.empty() && !version.empty()) {
        out.content_type = "text/html; charset=utf-8"; // a blank page
        return;
    }
    std::string const back(value_of(query, "redirect_uri"));
    auto const app = apps_.find(client);
    if (app == apps_.end() || back.empty() ||
        (!app->second.redirect_uri.empty() && app->second.redirect_uri != back))
        return refuse(out, 400, "No integration found");
    if (!app->second.version_id.empty() && app->second.version_id != version)
        return refuse(out, 400, "error.noversionid");
    auto const& allowed = app->second.scopes;
    auto scopes = words_of(value_of(query, "scope"));
    for (auto const& scope : scopes)
        if (!allowed.empty() && std::ranges::find(allowed, scope) == allowed.end())
            return refuse(out, 400, "The app does not have the scope " + scope);
    std::vector<std::string> chosen;
    for (auto const& [name, value] : query)
        if (name == "locationId") chosen.push_back(value);
    for (auto const& id : chosen)
        if (others_.company_of(id).empty()) return refuse(out, 400, "Location not found");
    std::string location;
    if (chosen.size() == 1) location = chosen.front();
    if (chosen.empty()) chosen = others_.locations();
    auto const text = install(client, std::move(location), std::move(chosen));
    auto& made = codes_.find(text)->second;
    if (!scopes.empty()) made.what.scopes = std::move(scopes);
    made.redirect_uri = back;
    made.ends = now + app->second.code_lifetime;
    out.status = 302;
    out.location = back;
    http::append_query(out.location, "code", text);
    if (auto const state = value_of(query, "state"); !state.empty())
        http::append_query(out.location, "state", state);
}

inline void oauth_house::token(const pairs& form, bool v3, duration now, reply& out) {
    auto const get = [&](std::string_view snake, std::string_view camel) {
        return value_of(form, v3 ? camel : snake);
    };
    auto const lacks = [&](std::string_view snake, std::string_view camel) {
        if (!get(snake, camel).empty()) return false;
        refuse(out, 400, "Missing parameter: " + std::string(v3 ? camel : snake));
        return true;
    };
    if (lacks("client_id", "clientId") || lacks("client_secret", "clientSecret") ||
        lacks("grant_type", "grantType"))
        return;
    auto const grant_type = get("grant_type", "grantType");
    bool const with_code = grant_type == "authorization_code";
    bool const with_refresh = grant_type == "refresh_token";
    if (!with_code && !with_refresh && grant_type != "client_credentials") {
        if (v3) return refuse(out, 400, "Invalid parameter: grantType");
        return unprocessable(out, {"grant_type must be a valid enum value"});
    }
    auto const user_type = get("user_type", "userType");
    if (!user_type.empty() && user_type != "Company" && user_type != "Location")
        return refuse(
            out, 400, v3 ? "Invalid parameter: userType" : "Invalid parameter: user_type");
    if ((with_code && lacks("code", "code")) ||
        (with_refresh && lacks("refresh_token", "refreshToken")))
        return;

    // The code is looked up before the app: whoever has none learns nothing of the credentials.
    auto const code = with_code ? codes_.find(get("code", "code")) : codes_.end();
    constexpr std::string_view no_code = "Authorization code not found";
    if (with_code && (code == codes_.end() || (code->second.ends && now >= *code->second.ends)))
        return unauthorized(out, no_code);
    auto const app = apps_.find(get("client_id", "clientId"));
    if (app == apps_.end() || get("client_secret", "clientSecret") != app->second.client_secret)
        return unauthorized(out, "Invalid client credentials!");

    if (with_code) {
        if (code->second.client_id != app->first) return unauthorized(out, no_code);
        auto const back = get("redirect_uri", "redirectUri");
        auto const& sent = code->second.redirect_uri;
        if (!back.empty() && !sent.empty() && back != sent)
            return refuse(
                out, 400,
                v3 ? "Invalid parameter: redirectUri" : "Invalid parameter: redirect_uri");
        auto const what = code->second.what;
        codes_.erase(code);
        ++counts_.exchanges;
        out.body = issue(app->second, what, v3, true, now);
        return;
    }
    if (!with_refresh) {
        ++counts_.exchanges;
        rights what;
        what.scopes = app->second.scopes;
        out.body = issue(app->second, what, v3, true, now);
        return;
    }
    ++counts_.refreshes;
    auto const found = refreshes_.find(get("refresh_token", "refreshToken"));
    if (found == refreshes_.end() || found->second.client_id != app->first)
        return refuse(out, 400, "Invalid grant: refresh token is invalid");
    auto& record = found->second;
    if (inactive_.contains(record.what.location)) return refuse(out, 400, "Location is not active");
    if (!record.used) {
        ++counts_.rotations;
        record.used = now;
        record.answer = issue(app->second, record.what, v3, true, now);
        out.body = record.answer;
        return;
    }
    if (now - *record.used < app->second.grace) {
        ++counts_.graces;
        out.body = record.answer;
        return;
    }
    ++counts_.reuses;
    refuse(out, 400, "Invalid grant: refresh token is invalid");
}

inline void oauth_house::mint(
    const pairs& form, bool v3, const token_grant& grant, duration now, reply& out) {
    std::vector<std::string> messages;
    for (std::string const name : {"companyId", "locationId"})
        if (value_of(form, name).empty()) messages.push_back(name + " must be a string");
    if (!messages.empty()) return unprocessable(out, messages);
    std::string const location(value_of(form, "locationId"));
    auto const company = value_of(form, "companyId");
    auto const app = apps_.find(grant.app);
    if (inactive_.contains(location)) return refuse(out, 400, "Location is not active");
    if (app == apps_.end() || !grant.may_use_company(company) ||
        others_.company_of(location) != company || !installed_[app->first].contains(location))
        return refuse(out, 400, "Location not found");
    ++counts_.mints;
    out.status = 201;
    rights what;
    what.location = location;
    what.scopes = grant.scopes;
    // Nobody asked for these, but the live service adds them.
    if (!what.scopes.empty())
        for (auto const* added : {"oauth.readonly", "oauth.write"})
            if (!grant.has_scope(added)) what.scopes.emplace_back(added);
    out.body = issue(app->second, what, v3, app->second.minted_refresh, now);
}

inline void oauth_house::installed(const pairs& query, bool v3, reply& out) const {
    std::vector<std::string> ids;
    for (auto const& [client, on] : installed_)
        if (client.substr(0, client.rfind('-')) == value_of(query, "appId"))
            ids.assign(on.begin(), on.end());
    auto const number = [&](std::string_view name, std::size_t otherwise) {
        auto const text = value_of(query, name);
        std::size_t value = otherwise;
        std::from_chars(text.data(), text.data() + text.size(), value);
        return value;
    };
    auto const size = number(v3 ? "pageSize" : "limit", 20);
    auto const first = std::min(number(v3 ? "pageToken" : "skip", 0), ids.size());
    auto const last = std::min(first + size, ids.size());
    json_writer w(out.body);
    w.begin_object().key(v3 ? "items" : "locations").begin_array();
    for (auto i = first; i < last; ++i)
        w.begin_object().member("_id", ids[i]).member("isInstalled", true).end_object();
    w.end_array();
    if (v3) {
        w.key("pagination").begin_object().member("hasNextPage", last < ids.size());
        if (last < ids.size()) w.member("nextPageToken", std::to_string(last));
        w.end_object();
    } else {
        w.member("count", ids.size());
    }
    w.end_object();
}

inline void oauth_house::uninstall(const request_view& request, reply& out) {
    boost::system::error_code ec;
    auto const body = boost::json::parse(request.body, ec);
    auto const* const object = body.if_object();
    auto const* const id = object != nullptr ? object->if_contains("locationId") : nullptr;
    constexpr std::string_view before = "/marketplace/app/";
    auto const rest = request.path.substr(before.size());
    auto const app = rest.substr(0, rest.find('/'));
    for (auto& [client, on] : installed_) {
        if (client.substr(0, client.rfind('-')) != app) continue;
        if (id != nullptr && id->is_string()) {
            std::string location(id->get_string());
            end_tokens(client, location);
            if (on.erase(location) > 0) tell("UNINSTALL", client, std::move(location));
        } else {
            on.clear();
            end_tokens(client, {});
            tell("UNINSTALL", client, {});
        }
    }
    out.body = R"({"success":true})";
}

/// Ends an app's tokens of a location; with an empty id all that it has.
inline void oauth_house::end_tokens(std::string_view client_id, std::string_view location) {
    auto const gone = [&](const std::string& client, const std::string& where) {
        return client == client_id && (location.empty() || where == location);
    };
    std::erase_if(refreshes_, [&](auto const& entry) {
        return gone(entry.second.client_id, entry.second.what.location);
    });
    std::erase_if(access_, [&](const access_record& given) {
        if (!gone(given.client_id, given.location)) return false;
        others_.remove_token(given.text);
        return true;
    });
}

inline std::string oauth_house::issue(
    const app_settings& app, const rights& what, bool v3, bool with_refresh, duration now) {
    token_grant grant(random_text("access"));
    grant.oauth = true;
    grant.app = app.client_id;
    grant.scopes = what.scopes;
    grant.ends = now + app.access_lifetime;
    if (what.location.empty())
        grant.companies = {others_.company_id};
    else
        grant.locations = {what.location};
    std::string body;
    json_writer w(body);
    auto const name = [&](std::string_view snake, std::string_view camel) {
        return v3 ? camel : snake;
    };
    w.begin_object()
        .member(name("access_token", "accessToken"), grant.text)
        .member(name("token_type", "tokenType"), "Bearer")
        .member(name("expires_in", "expiresIn"), app.access_lifetime.count());
    if (with_refresh) {
        auto const text = random_text("refresh");
        refresh_record record;
        record.client_id = app.client_id;
        record.what = what;
        refreshes_.insert_or_assign(text, std::move(record));
        w.member(name("refresh_token", "refreshToken"), text);
    }
    std::string scopes;
    for (auto const& scope : what.scopes)
        scopes += (scopes.empty() ? "" : " ") + scope;
    w.member("scope", scopes)
        .member("userType", what.location.empty() ? "Company" : "Location")
        .member_if("locationId", what.location)
        .member("companyId", others_.company_id)
        .member("userId", "sandboxUser")
        .end_object();
    access_record given;
    given.text = grant.text;
    given.client_id = app.client_id;
    given.location = what.location;
    access_.push_back(std::move(given));
    others_.add_token(std::move(grant));
    return body;
}

} // namespace highlevel::sandbox::detail
