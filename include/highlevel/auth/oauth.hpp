// SPDX-License-Identifier: BSL-1.0
//
// An OAuth app as a source of tokens: it exchanges codes, renews what ends, mints location tokens
// from the agency's, and keeps all of them in a store that other processes may share.
#pragma once

#include <highlevel/auth/credentials.hpp>
#include <highlevel/auth/installation.hpp>
#include <highlevel/auth/refresh_machine.hpp>
#include <highlevel/auth/token.hpp>
#include <highlevel/auth/token_store.hpp>
#include <highlevel/error.hpp>
#include <highlevel/operation.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace highlevel::auth {

namespace detail {
template <class Provider>
class basic_oauth_service;
using oauth_service = basic_oauth_service<provider>;
} // namespace detail

/// How an OAuth app is set up. Every member but the first two has a working default.
class oauth_options {
public:
    oauth_options() = default;

    /// The app's id, `<app id>-<8 characters>`.
    std::string client_id;
    secret client_secret;
    /// Where tokens are kept. Null: the client's `token_store`; without that, in memory.
    std::shared_ptr<token_store> store;
    /// Which spelling of the OAuth endpoints is used: `/oauth/locationToken` and snake_case, or
    /// `/oauth/location-token` and camelCase. The answers of both are understood.
    generation wire = generation::v2;
    refresh_options refresh;
    /// Time of day; what tokens' ends are compared with. Called by one thread at a time. Must not
    /// throw: a renewal that has just been answered would be lost with it.
    std::function<timestamp()> now = [] {
        return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    };

    /// Throws std::invalid_argument that names the member that cannot be used.
    void validate() const;
};

/// How install_locations() went.
class bulk_install_report {
public:
    bulk_install_report() = default;

    /// Locations that have a token now.
    std::vector<std::string> ready;
    /// Those that have none, and why.
    std::vector<std::pair<std::string, token_problem>> failed;
};

/// An OAuth app (a Marketplace app) as credentials of a client. A copy stands for the same app.
///
///     highlevel::auth::oauth_app app{client_id, client_secret, store};
///     options.credentials = app;
///     highlevel::client client{executor, options};
///     auto installed = co_await app.exchange_code(code, redirect_uri);
///     co_await client.location(installed.what.id).call(...);
///
/// Tokens are renewed ahead of their end, once for all callers, and once for all processes that
/// share the store; a new pair is stored before it is used. refresh_machine.hpp has the rules.
///
/// An app works through the client that it was given to: construct the client before calling any of
/// the awaitable functions. Given to several clients, it works through the latest that lives on the
/// caller's event loop; where none does, through the latest at all.
///
/// - Errors: awaitable functions throw `highlevel::error`.
/// - Executor: those of the awaiting coroutine; renewals run on that of the client that the app
///   works through.
/// - Cancellation: terminal, but for what would lose a token: an exchange or a renewal that has
///   begun goes on. Calls of a client that wait for a token end with that client.
/// - Thread safety: shared objects: safe.
///
/// A template, and always of one service (auth::oauth_app), so that a file compiles those functions
/// only that it calls: g++ without optimisation emits every coroutine of a header otherwise.
template <class Service>
class basic_oauth_app {
public:
    /// Throws std::invalid_argument that names the option that cannot be used.
    explicit basic_oauth_app(oauth_options options);
    basic_oauth_app(
        std::string client_id, secret client_secret, std::shared_ptr<token_store> store = nullptr);
    basic_oauth_app(
        std::string client_id, const char* client_secret, std::shared_ptr<token_store> store = {})
        : basic_oauth_app(std::move(client_id), secret{client_secret}, std::move(store)) {}

    /// The app as `client_options::credentials`.
    operator credentials() const;

    /// What webhooks name the app by: `client_id` without its last part.
    [[nodiscard]] std::string app_id() const;
    /// Whether a client that it was given to lives; without one nothing can be asked.
    [[nodiscard]] bool attached() const;

    /// Turns the code that the redirect URI received into a stored token.
    ///
    /// `redirect_uri`: as in the authorization URL; may be empty where the app has only one.
    ///
    /// Fails when the store does not take the token; it is then kept in memory and stored later,
    /// since the code works once only.
    [[nodiscard]] boost::asio::awaitable<installation> exchange_code(
        secret code, std::string redirect_uri = {});

    /// As exchange_code(), saying which class of token is wanted (`user_type`).
    [[nodiscard]] boost::asio::awaitable<installation> exchange_code(
        secret code, std::string redirect_uri, resource_kind user_type);

    /// Gets a token by the app's own id and secret (`grant_type=client_credentials`); the API
    /// describes it, but not which apps may.
    [[nodiscard]] boost::asio::awaitable<installation> client_credentials();

    /// Puts a token that was got elsewhere into the store, in place of what is there: how an
    /// existing connection moves in. Its `version` is not looked at.
    [[nodiscard]] boost::asio::awaitable<void> adopt(token value);

    /// Renews the token now, for example after the app's scopes were changed. Calls go on with the
    /// old one meanwhile.
    [[nodiscard]] boost::asio::awaitable<void> renew(resource what);

    /// Makes sure that the location has a token: the stored one, or one minted from the company's.
    [[nodiscard]] boost::asio::awaitable<void> install_location(
        std::string company_id, std::string location_id);

    /// Does that for each location that the app is installed on, `concurrency` at a time (at least
    /// 1). Where one fails, the others go on.
    [[nodiscard]] boost::asio::awaitable<bulk_install_report> install_locations(
        std::string company_id, std::size_t concurrency = 8);

    /// All locations of a company that the app is installed on, from all pages. Fails with
    /// errc::unexpected_content when a page cannot be read.
    [[nodiscard]] boost::asio::awaitable<std::vector<installed_location>> installed_locations(
        std::string company_id);

    /// Uninstalls the app at HighLevel and forgets the token; of a company, also the tokens of its
    /// locations. Where an answer is lost, and the tokens turn out to be no good any more, it is
    /// taken as done.
    [[nodiscard]] boost::asio::awaitable<void> uninstall(resource what);

    /// Whether the app is still installed there, as HighLevel says it now: what to ask on an
    /// UNINSTALL webhook, which may be the repetition of an old one.
    ///
    /// Of a location the list of its company's installations tells, where the company has a token
    /// that may ask for it and the list is whole; otherwise a renewal of the token, which then is a
    /// new one. Of a company without a token the tokens of its locations tell, in the same way.
    /// False also when there is no token, or one that is of no more use. Throws what keeps it from
    /// being known, and while the token is kept in memory because the store has not taken it.
    [[nodiscard]] boost::asio::awaitable<bool> still_installed(resource what);

    /// Forgets a token, here and in the store: what to do when the app is no longer installed. An
    /// installation of this process that comes meanwhile stays.
    [[nodiscard]] boost::asio::awaitable<void> forget(resource what);

    /// Waits until no renewal and no exchange of a code is under way and every token is stored; for
    /// `patience` at most. False when something was still to be done then.
    ///
    /// For the end of a program: a refresh or an exchange that has begun goes on when the client
    /// ends, for 9 s at most and the time that the store takes, but only as long as the client's
    /// event loop is run. The minting of a location's token ends with the client.
    [[nodiscard]] boost::asio::awaitable<bool> finish(
        std::chrono::milliseconds patience = std::chrono::seconds{30});

    /// Everything that the store has a token for; fails when that takes longer than
    /// `refresh.store_timeout`.
    [[nodiscard]] boost::asio::awaitable<std::vector<resource>> resources();

private:
    std::shared_ptr<Service> service_;
};

/// The name to use; basic_oauth_app says what it is.
using oauth_app = basic_oauth_app<detail::oauth_service>;

} // namespace highlevel::auth

#if defined(HIGHLEVEL_SEPARATE_COMPILATION)
extern template class highlevel::auth::basic_oauth_app<highlevel::auth::detail::oauth_service>;
#else
#    include <highlevel/auth/impl/oauth.ipp>
#endif
