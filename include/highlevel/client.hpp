// SPDX-License-Identifier: BSL-1.0
//
// The client and its accounts: all that is needed to make calls. Building a client takes
// <highlevel/highlevel.hpp>, which alone pulls the network and TLS in.
#pragma once

#include <highlevel/auth/resource.hpp>
#include <highlevel/call_options.hpp>
#include <highlevel/detail/core.hpp>
#include <highlevel/error.hpp>
#include <highlevel/operation.hpp>
#include <highlevel/response.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace highlevel {

namespace asio = boost::asio;

/// In <highlevel/client_options.hpp>, which a file that only makes calls need not compile.
class client_options;
class page_options;
template <operation Op>
class pages;
template <operation Op>
class items;

/// One location (sub-account) or company (agency): where calls are made. A cheap handle; copies
/// stand for the same account, and share its token, its rate limit and its queue.
///
/// Each call is encoded before it first suspends, so that the operation need not outlive the call
/// expression. It then takes a token, waits for a permit of this account's rate limit, sends the
/// request, repeats it where that is safe, and decodes the response.
///
/// - Executor: a call runs on the executor of the coroutine that awaits it.
/// - Cancellation: terminal, at every suspension point. The call then fails with
///   boost::asio::error::operation_aborted; permit and connection are given back.
/// - Lifetime: calls still under way when the client is destroyed end with operation_aborted.
///   A handle may outlive its client; its calls then end the same way.
/// - Thread safety: shared objects: safe.
class account {
public:
    /// The location's or company's id.
    [[nodiscard]] const std::string& id() const noexcept { return ref_->id; }
    [[nodiscard]] auth::resource_kind kind() const noexcept { return ref_->kind; }

    /// Makes the call. Throws `highlevel::error` for every failure, refusals and network included;
    /// a required member that is empty fails before a byte is sent.
    template <operation Op>
    [[nodiscard]] asio::awaitable<response<typename Op::response_type>> call(
        const Op& op, const call_options& options = detail::default_call_options) const {
        return detail::finish<typename Op::response_type>(
            core().prepare(Op::meta, &op, ref_, options));
    }

    /// Makes a call whose operation `fill` completes in place:
    /// `co_await location.call<contacts::get_contacts>([](auto& op) { op.limit = 100; })`.
    template <operation Op, std::invocable<Op&> Fill>
    [[nodiscard]] asio::awaitable<response<typename Op::response_type>> call(
        Fill&& fill, const call_options& options = detail::default_call_options) const {
        Op op;
        std::forward<Fill>(fill)(op);
        return call(std::as_const(op), options);
    }

    /// Makes the call and gives a `result`; never throws for API or network failures.
    template <operation Op>
    [[nodiscard]] asio::awaitable<result<response<typename Op::response_type>>> try_call(
        const Op& op, const call_options& options = detail::default_call_options) const {
        return detail::try_finish<typename Op::response_type>(
            core().prepare(Op::meta, &op, ref_, options));
    }

    /// As the filling `call`, with a `result`.
    template <operation Op, std::invocable<Op&> Fill>
    [[nodiscard]] asio::awaitable<result<response<typename Op::response_type>>> try_call(
        Fill&& fill, const call_options& options = detail::default_call_options) const {
        Op op;
        std::forward<Fill>(fill)(op);
        return try_call(std::as_const(op), options);
    }

    /// Makes the call for any completion token. Signature:
    /// `void(std::exception_ptr, response<Op::response_type>)`; the exception is
    /// `highlevel::error`. The call runs on the client's executor; the handler on its own, never
    /// inline.
    template <operation Op, class CompletionToken>
    auto async_call(const Op& op, CompletionToken&& token) const {
        return async_call(op, detail::default_call_options, std::forward<CompletionToken>(token));
    }

    template <operation Op, class CompletionToken>
    auto async_call(const Op& op, const call_options& options, CompletionToken&& token) const {
        return asio::co_spawn(
            core().executor(), call(op, options), std::forward<CompletionToken>(token));
    }

    /// Sends any request with this account's token, rate limit and retries: the way to what the
    /// typed operations do not cover. `Version` defaults to 2021-07-28. The value is the body's
    /// JSON, or null when it is not JSON; `body()` always has the text. (A template of one type, so
    /// that files which do not use it need not compile it.)
    template <std::same_as<http::request> Request = http::request>
    [[nodiscard]] asio::awaitable<response<json::value>> send(
        Request request, const call_options& options = detail::default_call_options) const {
        return detail::finish<json::value>(core().prepare_raw(std::move(request), ref_, options));
    }

    /// As `send`, with a `result`.
    template <std::same_as<http::request> Request = http::request>
    [[nodiscard]] asio::awaitable<result<response<json::value>>> try_send(
        Request request, const call_options& options = detail::default_call_options) const {
        return detail::try_finish<json::value>(
            core().prepare_raw(std::move(request), ref_, options));
    }

    /// The pages of a list, beginning where the operation says; see <highlevel/pages.hpp>, which
    /// must be included for this.
    template <operation Op>
    [[nodiscard]] highlevel::pages<Op> pages(Op op) const;
    template <operation Op>
    [[nodiscard]] highlevel::pages<Op> pages(Op op, page_options options) const;
    /// The items of a list, one by one; see <highlevel/pages.hpp>, which must be included for this.
    template <operation Op>
    [[nodiscard]] highlevel::items<Op> items(Op op) const;
    template <operation Op>
    [[nodiscard]] highlevel::items<Op> items(Op op, page_options options) const;

    /// Where this account's rate limit stands now.
    [[nodiscard]] quota::bucket_snapshot quota() const { return core().snapshot(*ref_); }

private:
    friend class client;
    template <operation Op>
    friend class highlevel::pages;
    account(std::shared_ptr<detail::core> core, auth::resource_kind kind, std::string id)
        : ref_(std::make_shared<const detail::account_ref>(kind, std::move(id), std::move(core))) {}

    [[nodiscard]] detail::core& core() const noexcept { return *ref_->owner; }

    std::shared_ptr<const detail::account_ref> ref_;
};

/// A client of the HighLevel API: connections, tokens and rate limits of one app.
///
/// Destroying it ends the calls that are under way with operation_aborted, without waiting for
/// them; the machinery goes when the last of them has ended.
///
/// Thread safety: shared objects: safe, but for construction, moving and destruction.
class client {
public:
    /// Builds a client whose work runs on `executor` (of an io_context with one or many threads).
    ///
    /// Include <highlevel/highlevel.hpp> where this is used. Throws std::invalid_argument naming
    /// the option that cannot be used, and boost::system::system_error (errc::insecure_url, or what
    /// OpenSSL says of the certificates).
    client(asio::any_io_executor executor, client_options options);
    /// As above, with the default options.
    explicit client(asio::any_io_executor executor);

    client(client&&) noexcept = default;
    client& operator=(client&& other) noexcept {
        if (this != &other) {
            end();
            core_ = std::move(other.core_);
        }
        return *this;
    }
    ~client() { end(); }

    /// The handle of a location (sub-account).
    [[nodiscard]] account location(std::string id) const {
        return {core_, auth::resource_kind::location, std::move(id)};
    }
    /// The handle of a company (agency).
    [[nodiscard]] account company(std::string id) const {
        return {core_, auth::resource_kind::company, std::move(id)};
    }

    /// Where a location's rate limit stands: limit, interval, in flight, waiting, next release.
    [[nodiscard]] quota::bucket_snapshot quota(std::string location_id) const {
        return location(std::move(location_id)).quota();
    }

    [[nodiscard]] asio::any_io_executor get_executor() const noexcept { return core_->executor(); }

private:
    void end() noexcept {
        if (core_) core_->shutdown();
    }

    std::shared_ptr<detail::core> core_;
};

} // namespace highlevel
