// SPDX-License-Identifier: BSL-1.0
//
// Where bearer tokens come from. One interface, so that the client treats a fixed Private
// Integration token and a rotating OAuth token alike; and the fixed kind itself.
#pragma once

#include <highlevel/auth/resource.hpp>
#include <highlevel/auth/secret.hpp>
#include <highlevel/auth/token_problem.hpp>
#include <highlevel/detail/brief_lock.hpp>
#include <highlevel/detail/share.hpp>
#include <highlevel/operation.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::http {
class transport;
}

namespace highlevel::auth {

class renewal_listener;
class token_store;

/// What a token is wanted for.
class token_request {
public:
    token_request() = default;
    token_request(resource_kind k, std::string_view resource_id, token_kinds kinds)
        : kind(k),
          id(resource_id),
          accepted(kinds) {}

    resource_kind kind = resource_kind::location;
    /// The location's or company's id; must live as long as the request is worked on.
    std::string_view id;
    /// The kinds that the operation accepts.
    token_kinds accepted = token_kinds::any;
    /// When to give up waiting for a token, with errc::timeout.
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
    /// Who asks, by the transport that it lent: detach() of that ends the wait with
    /// operation_aborted. Null: nobody that was attached.
    const http::transport* asker = nullptr;
};

/// A token for one attempt, or why there is none. Never printed.
class grant {
public:
    grant() = default;
    grant(std::shared_ptr<const secret> t, token_kinds k) : token(std::move(t)), kind(k) {}
    grant(boost::system::error_code e, std::string why) : error(e), detail(std::move(why)) {}

    boost::system::error_code error;
    /// Why there is no token, in words; holds no secret.
    std::string detail;
    std::shared_ptr<const secret> token;
    token_kinds kind = token_kinds::none;
    /// Where fetching a token was refused: what the server said, as token_problem has it.
    std::shared_ptr<const token_problem> refusal;
};

/// What a client lends to the source of its tokens.
class attachment {
public:
    attachment() = default;

    boost::asio::any_io_executor executor;
    /// Sends to the API's origin. A request whose `exchange_options::group` is a resource's key()
    /// first waits for a permit of that resource.
    std::shared_ptr<http::transport> transport;
    /// `client_options::token_store`; null when that is not set.
    std::shared_ptr<token_store> store;
    std::string user_agent;
    /// Told of renewals; null: nobody.
    std::shared_ptr<renewal_listener> listener;
};

/// A source of bearer tokens.
///
/// Thread safety: shared objects: safe.
class provider {
public:
    provider() = default;
    provider(const provider&) = delete;
    provider& operator=(const provider&) = delete;
    virtual ~provider() = default;

    /// Gives the token to send now. Errors: errc::no_token, errc::wrong_token_kind, or what
    /// fetching a token met. Cancellation: terminal. Does not throw.
    [[nodiscard]] virtual boost::asio::awaitable<grant> authorize(token_request request) = 0;

    /// What authorize() would give, where that takes no wait and no work; else a grant with neither
    /// a token nor an error, and the client asks authorize(), as it does for an error. Spares most
    /// calls a coroutine. What it throws counts as nothing at hand.
    [[nodiscard]] virtual grant try_authorize(const token_request& /*request*/) { return {}; }

    /// Told that the server refused `refused` as invalid. True when another token is at hand now,
    /// so that the call is worth repeating once. Fixed tokens have nothing to renew.
    [[nodiscard]] virtual boost::asio::awaitable<bool> renew(
        token_request request, std::shared_ptr<const secret> refused) = 0;

    /// Whether authorize() and renew() end by themselves at the request's deadline and soon after
    /// detach(). Those of a source that does not say so when it becomes `credentials` run beside
    /// the call, on a strand of the call's executor, and are cancelled and left when the call ends;
    /// that costs a coroutine each time. What they use must therefore be kept alive by the source
    /// itself.
    [[nodiscard]] virtual bool keeps_deadlines() const noexcept { return false; }

    /// A client begins to use this source.
    virtual void attach(const attachment& /*client*/) {}

    /// The client of that transport ends: what it lent must no longer be used.
    virtual void detach(const http::transport& /*client*/) noexcept {}
};

/// Fixed tokens: Private Integrations (`pit-...`). One for every account, or one per location or
/// company; the more exact one wins.
///
/// A copy shares the tokens, so one that the caller keeps can rotate them while a client runs.
/// Source: HighLevel's Private Integrations are static until rotated; for seven days after "rotate,
/// expire later" the old and the new token both work.
///
/// Thread safety: shared objects: safe.
class private_integration {
public:
    private_integration() : table_(highlevel::detail::share<table>()) {}
    /// One token for every account.
    explicit private_integration(secret token) : private_integration() { all(std::move(token)); }
    explicit private_integration(std::string token)
        : private_integration(secret{std::move(token)}) {}
    explicit private_integration(const char* token) : private_integration(secret{token}) {}

    /// Sets the token for accounts that have none of their own.
    private_integration& all(secret token) {
        // All copies first: there may be no memory for one.
        std::shared_ptr<const secret> copies[part_count];
        for (auto& copy : copies)
            copy = highlevel::detail::share<const secret>(token);
        for (std::size_t i = 0; i < part_count; ++i) {
            std::lock_guard const lock{table_->parts[i].mutex};
            table_->parts[i].fallback.swap(copies[i]);
        }
        return *this;
    }
    /// Sets or rotates a location's token. Calls that begin from then on send the new one, and so
    /// do those that have waited for a permit for more than a second.
    private_integration& location(std::string id, secret token) {
        return put(resource_kind::location, std::move(id), std::move(token));
    }
    /// Sets or rotates a company's token (an agency-level Private Integration).
    private_integration& company(std::string id, secret token) {
        return put(resource_kind::company, std::move(id), std::move(token));
    }

    /// The token for that account, or null.
    [[nodiscard]] std::shared_ptr<const secret> find(
        resource_kind kind, std::string_view id) const {
        auto& mine = part_of(id);
        highlevel::detail::brief_lock const lock{mine.mutex};
        auto const& map = mine.of(kind);
        auto const it = map.find(id);
        return it == map.end() ? mine.fallback : it->second;
    }

private:
    using map_type = std::map<std::string, std::shared_ptr<const secret>, std::less<>>;

    /// The tokens of some accounts, with a copy of the one for all: a lock, or a count of owners,
    /// that all calls share would go from processor to processor with each of them.
    class alignas(64) part {
    public:
        [[nodiscard]] map_type& of(resource_kind kind) noexcept {
            return kind == resource_kind::location ? locations : companies;
        }

        std::mutex mutex;
        std::shared_ptr<const secret> fallback;
        map_type locations;
        map_type companies;
    };
    static constexpr std::size_t part_count = 16;
    class table {
    public:
        part parts[part_count];
    };

    [[nodiscard]] part& part_of(std::string_view id) const noexcept {
        return table_->parts[std::hash<std::string_view>{}(id) % part_count];
    }

    private_integration& put(resource_kind kind, std::string id, secret token) {
        auto& mine = part_of(id);
        std::lock_guard const lock{mine.mutex};
        mine.of(kind).insert_or_assign(
            std::move(id), highlevel::detail::share<const secret>(std::move(token)));
        return *this;
    }

    std::shared_ptr<table> table_;
};

/// One OAuth access token that something else renews: it is sent as it is, until it ends.
///
/// A Private Integration's token is no such token: operations tell the two apart. A location's
/// access token serves location handles only, and a company's company handles only; which one it is
/// for is not looked at further.
class access_token {
public:
    access_token(secret text, resource_kind kind)
        : text_(highlevel::detail::share<const secret>(std::move(text))),
          kind_(kind) {}

    [[nodiscard]] static access_token of_location(secret text) {
        return {std::move(text), resource_kind::location};
    }
    [[nodiscard]] static access_token of_company(secret text) {
        return {std::move(text), resource_kind::company};
    }

    [[nodiscard]] const std::shared_ptr<const secret>& text() const noexcept { return text_; }
    [[nodiscard]] resource_kind kind() const noexcept { return kind_; }

private:
    std::shared_ptr<const secret> text_;
    resource_kind kind_;
};

namespace detail {

/// A source that keeps deadlines: the same, or one that asks it. `Provider` is provider. In
/// impl/timed_source.ipp.
template <class Provider>
[[nodiscard]] std::shared_ptr<Provider> in_time(std::shared_ptr<Provider> source);

} // namespace detail

/// What `client_options::credentials` holds: any source of tokens, or none.
class credentials {
public:
    credentials() noexcept = default;
    credentials(private_integration tokens);
    credentials(access_token token);
    /// A source of the caller's own. Include <highlevel/highlevel.hpp> where this is used. Throws
    /// `std::bad_alloc`.
    template <std::derived_from<provider> Source>
    credentials(std::shared_ptr<Source> source)
        : provider_(detail::in_time<provider>(std::move(source))) {}

    [[nodiscard]] explicit operator bool() const noexcept { return provider_ != nullptr; }
    /// Keeps deadlines: where the caller's own does not, one that asks it.
    [[nodiscard]] const std::shared_ptr<provider>& source() const noexcept { return provider_; }

private:
    template <class>
    friend class basic_oauth_app;
    class as_it_is {};
    credentials(as_it_is /*tag*/, std::shared_ptr<provider> source) noexcept
        : provider_(std::move(source)) {}

    std::shared_ptr<provider> provider_;
};

} // namespace highlevel::auth

#include <highlevel/auth/impl/credentials.ipp>
