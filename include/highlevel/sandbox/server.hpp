// SPDX-License-Identifier: BSL-1.0
//
// A stand-in for the HighLevel API on the loopback interface: tokens, versions, rate limits, error
// bodies and contacts as the live service has them, so that programs, demos and users' own tests
// run without an account. Include this header to use the sandbox.
#pragma once

#include <highlevel/sandbox/contact.hpp>
#include <highlevel/sandbox/oauth.hpp>
#include <highlevel/sandbox/options.hpp>
#include <highlevel/sandbox/stats.hpp>
#include <highlevel/sandbox/token.hpp>

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace highlevel::sandbox {

namespace detail {
class server_core;
}

/// A location of the sandbox and a token that works on it, and on nothing else.
class location_info {
public:
    location_info() = default;

    std::string id;
    std::string name;
    std::string company_id;
    /// A Private Integration token with all scopes for this location only.
    std::string token;
};

/// The sandbox. Constructing one fills its store; `start` opens the port.
///
/// Data, tokens and statistics live as long as the object and survive `stop` and a second `start`.
/// Thread safety: distinct objects: safe; shared objects: safe, except that construction,
/// `start`, `stop` and destruction must not overlap with each other.
class server {
public:
    /// A server that runs on `options.threads` threads of its own.
    /// Throws std::invalid_argument naming an option that makes no sense, and
    /// boost::system::system_error when OpenSSL cannot make a certificate.
    explicit server(options settings = options());

    /// A server that serves on the given executor; whoever runs it makes the server run. It may be
    /// destroyed at any time: what is still pending on the executor keeps its own state alive.
    server(boost::asio::any_io_executor executor, options settings);

    server(const server&) = delete;
    server& operator=(const server&) = delete;

    /// Stops as `stop` does.
    ~server();

    /// Opens the port; once it returns, connections are taken. Throws boost::system::system_error
    /// when the address or port cannot be had. Does nothing when the server runs already. A second
    /// start after `stop` takes the port that the first one got, if it is still free.
    void start();

    /// Closes the port and all connections in the middle of whatever they do, and joins the threads
    /// (on a given executor: returns at once, the rest happens there). Must not be called from a
    /// hook. Does nothing when the server does not run.
    void stop();

    /// The port that is or was listened on; 0 before the first start unless one was asked for.
    [[nodiscard]] std::uint16_t port() const noexcept;
    /// "https://127.0.0.1:PORT" or "http://127.0.0.1:PORT".
    [[nodiscard]] std::string base_url() const;
    /// The authority that signed the server's certificate, PEM; empty without TLS. It was made for
    /// this object, and its private key is forgotten.
    [[nodiscard]] const std::string& ca_certificate_pem() const noexcept;

    /// A token for every location, present and future, and the company, with all scopes. The live
    /// service has none like it: there an agency token is refused by contacts.
    [[nodiscard]] const std::string& token() const noexcept;
    /// The company that every location belongs to.
    [[nodiscard]] const std::string& company_id() const noexcept;

    /// All locations in the order in which they were added.
    [[nodiscard]] std::vector<location_info> locations() const;
    /// Adds a location with these contacts; an empty id makes one up. Contacts without an id get
    /// one, and those without dates are added now. Throws std::invalid_argument when the location
    /// exists.
    location_info add_location(std::string id, std::vector<contact> contacts = {});
    /// Adds a location with so many made-up contacts.
    location_info add_location(std::string id, std::size_t contacts);

    /// The contact of that id in whatever location, as stored.
    [[nodiscard]] std::optional<contact> find_contact(std::string_view id) const;
    /// Ids of a location's contacts, oldest first; empty for an unknown location.
    [[nodiscard]] std::vector<std::string> contact_ids(std::string_view location_id) const;
    /// How many contacts a location has; 0 for an unknown one.
    [[nodiscard]] std::size_t contact_count(std::string_view location_id) const;

    /// Makes a token known, in place of one of the same text.
    void add_token(token_grant grant);
    /// A token for these locations and companies; no scopes means all scopes.
    void add_token(
        std::string text, std::vector<std::string> resources, std::vector<std::string> scopes = {});
    /// Forgets a token: requests with it get 401 from now on.
    void remove_token(std::string_view text);

    /// Makes an OAuth app known.
    void add_app(app_settings settings);
    /// The code that the browser of a user who installs the app brings back: of a location, or,
    /// with an empty id, of the company with the `chosen` locations.
    std::string issue_code(
        std::string_view client_id, std::string location_id, std::vector<std::string> chosen = {});
    /// Deactivates a location, or activates it again: its tokens cannot be renewed meanwhile.
    void set_location_active(std::string_view location_id, bool active);
    /// Ends every access token that the OAuth server gave; refresh tokens stay.
    void end_access_tokens();
    /// What the OAuth server did.
    [[nodiscard]] oauth_counts oauth_totals() const;

    /// Changes the limits of all buckets, those to come included.
    void set_limits(std::uint32_t max, std::chrono::milliseconds interval);
    /// Changes the limits of one bucket, as a change of plan of one account does.
    void set_limits(
        std::string_view token,
        std::string_view resource,
        std::uint32_t max,
        std::chrono::milliseconds interval);
    /// Sets how much of the day one bucket has left.
    void set_daily_remaining(
        std::string_view token, std::string_view resource, std::uint64_t remaining);
    /// Uses up quota of a bucket as another program with the same app would. Returns how many of
    /// the requests passed.
    std::uint32_t spend(std::string_view token, std::string_view resource, std::uint32_t requests);

    /// Replaces the hook; an empty one removes it. Requests that the old one is looking at are not
    /// waited for.
    void set_hook(response_hook hook);
    /// Replaces the latency range.
    void set_latency(std::chrono::milliseconds min, std::chrono::milliseconds max);
    /// Closes every open connection without a word, as a restarting gateway does.
    void drop_connections();

    /// Totals; cheap.
    [[nodiscard]] counters totals() const;
    /// Everything that was counted.
    [[nodiscard]] statistics stats() const;
    /// Forgets what was counted (not what is used up).
    void reset_stats();

private:
    std::shared_ptr<detail::server_core> core_;
};

} // namespace highlevel::sandbox

#if !defined(HIGHLEVEL_SEPARATE_COMPILATION)
#    include <highlevel/sandbox/impl/server.ipp>
#endif
