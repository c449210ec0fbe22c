// SPDX-License-Identifier: BSL-1.0
//
// The browser's part of an installation: the address to send a user to, and what comes back to the
// redirect URI, with the `state` that ties the two together.
#pragma once

#include <highlevel/auth/secret.hpp>
#include <highlevel/detail/random.hpp>
#include <highlevel/http/uri.hpp>

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::auth {

/// Where users choose what an app is installed on.
///
/// The host must be the one that the app was made for: with the other one HighLevel says that it
/// finds no integration.
inline constexpr std::string_view standard_authorize_host = "https://marketplace.gohighlevel.com";
/// The same for white-label apps.
inline constexpr std::string_view white_label_authorize_host =
    "https://marketplace.leadconnectorhq.com";

/// What an authorization URL is made of.
class authorize_options {
public:
    authorize_options() = default;

    /// Scheme and host, with a path prefix if there is one.
    std::string host{standard_authorize_host};
    std::string client_id;
    /// Exactly as registered with the app; https.
    std::string redirect_uri;
    std::vector<std::string> scopes;
    /// Opens the login in the same window instead of a new one (`loginWindowOpenMode=self`).
    bool same_window = false;
    /// The app's version; private apps are found only with it. Empty: not sent.
    std::string version_id;
    /// Sent as they are, after the others.
    std::vector<std::pair<std::string, std::string>> extra;
};

/// An address to send one user to, and what proves that the answer belongs to it.
class authorize_link {
public:
    authorize_link() = default;

    std::string url;
    /// Keep it with the user's session, and give it to read_callback(). 32 random bytes in
    /// hexadecimal digits.
    std::string state;
};

/// Makes a link with a fresh `state`. Throws std::invalid_argument when client_id or redirect_uri
/// is empty, and std::runtime_error when OpenSSL has no random numbers.
[[nodiscard]] inline authorize_link make_authorize_link(const authorize_options& options) {
    if (options.client_id.empty()) throw std::invalid_argument{"client_id: must not be empty"};
    if (options.redirect_uri.empty())
        throw std::invalid_argument{"redirect_uri: must not be empty"};
    authorize_link made;
    made.state = highlevel::detail::random_hex<32>();
    made.url = options.host + "/v2/oauth/chooselocation";
    http::append_query(made.url, "response_type", "code");
    http::append_query(made.url, "redirect_uri", options.redirect_uri);
    http::append_query(made.url, "client_id", options.client_id);
    std::string scopes;
    for (auto const& scope : options.scopes) {
        if (!scopes.empty()) scopes += ' ';
        scopes += scope;
    }
    if (!scopes.empty()) http::append_query(made.url, "scope", scopes);
    if (options.same_window) http::append_query(made.url, "loginWindowOpenMode", "self");
    if (!options.version_id.empty()) http::append_query(made.url, "version_id", options.version_id);
    for (auto const& [name, value] : options.extra)
        http::append_query(made.url, name, value);
    http::append_query(made.url, "state", made.state);
    return made;
}

/// What the browser brought to the redirect URI.
class authorize_callback {
public:
    authorize_callback() = default;

    /// Whether there is a code, and `state` is the one that was sent.
    [[nodiscard]] bool ok() const noexcept { return problem.empty() && !code.empty(); }

    /// Good for one oauth_app::exchange_code(), soon.
    secret code;
    /// Why there is no code that may be used, in words. May hold untrusted text.
    std::string problem;
};

/// Takes the request target of the redirect URI apart ("/callback?code=...&state=...") and compares
/// its `state` with that of the link, without an early end. A code that came without the right
/// state is not given: it may be another's, slipped in to have your user work on their account.
[[nodiscard]] inline authorize_callback read_callback(
    std::string_view target, std::string_view expected_state) {
    authorize_callback out;
    auto const mark = target.find('?');
    auto query = mark == std::string_view::npos ? std::string_view{} : target.substr(mark + 1);
    query = query.substr(0, query.find('#'));
    secret code;
    secret state;
    std::string error;
    std::string description;
    while (!query.empty()) {
        auto const item = query.substr(0, query.find('&'));
        query.remove_prefix(item.size() < query.size() ? item.size() + 1 : query.size());
        auto const name = item.substr(0, item.find('='));
        std::string text{item.substr(name.size() < item.size() ? name.size() + 1 : item.size())};
        for (char& c : text)
            if (c == '+') c = ' ';
        auto value = http::percent_decoded(text);
        secret::wipe(text.data(), text.size());
        if (!value) continue;
        if (name == "code")
            code = secret{std::move(*value)};
        else if (name == "state")
            state = secret{std::move(*value)};
        else if (name == "error")
            error = std::move(*value);
        else if (name == "error_description")
            description = std::move(*value);
    }
    if (!error.empty()) {
        out.problem = "refused: " + error;
        if (!description.empty()) out.problem += ": " + description;
    } else if (expected_state.empty() || !(state == secret{expected_state})) {
        out.problem = "the state is not the one that was sent";
    } else if (code.empty()) {
        out.problem = "there is no code";
    } else {
        out.code = std::move(code);
    }
    return out;
}

} // namespace highlevel::auth
