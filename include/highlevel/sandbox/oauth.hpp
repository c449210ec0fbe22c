// SPDX-License-Identifier: BSL-1.0
//
// The sandbox's OAuth server: codes, single-use refresh tokens with their grace, location tokens
// minted from the agency's, in the words of the live service.
#pragma once

#include <highlevel/sandbox/install_change.hpp>
#include <highlevel/sandbox/message.hpp>
#include <highlevel/sandbox/token.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::sandbox {

/// An OAuth app that the sandbox knows.
class app_settings {
public:
    app_settings() = default;

    std::string client_id;
    std::string client_secret;
    /// Where codes may be sent; empty: anywhere.
    std::string redirect_uri;
    /// Scopes that it may ask for; empty: all. A link to the chooser page that names some narrows
    /// its tokens to those.
    std::vector<std::string> scopes;
    /// The version of a private app, which a link to the chooser page has to name (`version_id`);
    /// empty: a public app, which needs none.
    std::string version_id;
    /// Life of an access token. Live: 86399 s.
    std::chrono::seconds access_lifetime{86'399};
    /// How long a used refresh token gets the same answer once more. Live: 30 s.
    std::chrono::seconds grace{30};
    /// How long a code of the chooser page can be exchanged.
    std::chrono::seconds code_lifetime{600};
    /// Whether minted location tokens have a refresh token of their own. Live: some do.
    bool minted_refresh = true;
};

/// What the OAuth server did.
class oauth_counts {
public:
    oauth_counts() = default;

    std::uint64_t exchanges = 0; ///< codes turned into tokens
    std::uint64_t refreshes = 0; ///< requests with a refresh token, whatever came of them
    std::uint64_t rotations = 0; ///< of these, those that gave a new pair
    std::uint64_t graces = 0;    ///< of these, those that got the former answer again
    std::uint64_t reuses = 0;    ///< of these, those refused because the token was used up
    std::uint64_t mints = 0;     ///< location tokens given for an agency token
};

namespace detail {

class reply;

/// The OAuth endpoints. Thread safety: shared objects: safe.
class oauth_house {
public:
    using duration = std::chrono::nanoseconds;

    /// What the house asks of the rest of the sandbox.
    class neighbours {
    public:
        std::function<void(token_grant)> add_token;
        std::function<void(std::string_view)> remove_token;
        /// The company of a location; empty for an unknown one.
        std::function<std::string(std::string_view)> company_of;
        std::string company_id;
        /// Told of installs and removals; may be empty.
        install_hook on_install;
        /// All locations that there are.
        std::function<std::vector<std::string>()> locations;
        /// A trace id that no other answer has.
        std::function<std::string()> trace_id;
    };

    oauth_house(std::uint64_t seed, neighbours others);

    void add_app(app_settings settings);
    /// The code that a user who installs the app sends back. Location empty: installed on the
    /// company and on those `chosen`.
    std::string issue_code(
        std::string_view client_id, std::string location, std::vector<std::string> chosen);
    void set_active(std::string_view location, bool active);
    /// Ends all access tokens, whatever their time.
    void end_access_tokens();
    [[nodiscard]] oauth_counts counts() const;

    /// Answers a request to an OAuth endpoint; false when it is to none. `grant`: of its bearer.
    bool answer(const request_view& request, const token_grant* grant, duration now, reply& out);

private:
    /// What the tokens of an installation are for.
    class rights {
    public:
        std::string location;
        std::vector<std::string> scopes;
    };
    class code_record {
    public:
        std::string client_id;
        rights what;
        /// Where the page sent it; the exchange must name the same.
        std::string redirect_uri;
        std::optional<duration> ends;
    };
    class access_record {
    public:
        std::string text;
        std::string client_id;
        std::string location;
    };
    class refresh_record {
    public:
        std::string client_id;
        rights what;
        std::optional<duration> used;
        std::string answer;
    };
    using pairs = std::vector<std::pair<std::string, std::string>>;

    void token(const pairs& form, bool v3, duration now, reply& out);
    void mint(const pairs& form, bool v3, const token_grant& grant, duration now, reply& out);
    void installed(const pairs& query, bool v3, reply& out) const;
    void uninstall(const request_view& request, reply& out);
    void tell(std::string_view event, std::string_view client_id, std::string location) const;
    void choose(const pairs& query, duration now, reply& out);
    std::string install(
        std::string_view client_id, std::string location, std::vector<std::string> chosen);
    void end_tokens(std::string_view client_id, std::string_view location);
    std::string issue(
        const app_settings& app, const rights& what, bool v3, bool with_refresh, duration now);
    std::string random_text(std::string_view prefix);
    static void refuse(reply& out, unsigned status, std::string_view message);
    static void unauthorized(reply& out, std::string_view description);
    void unprocessable(reply& out, const std::vector<std::string>& messages) const;

    neighbours others_;
    std::uint64_t seed_;
    mutable std::mutex mutex_;
    std::map<std::string, app_settings, std::less<>> apps_;
    std::map<std::string, code_record, std::less<>> codes_;
    std::map<std::string, refresh_record, std::less<>> refreshes_;
    std::map<std::string, std::set<std::string>, std::less<>> installed_;
    std::set<std::string, std::less<>> inactive_;
    std::vector<access_record> access_;
    oauth_counts counts_;
};

} // namespace detail

} // namespace highlevel::sandbox
