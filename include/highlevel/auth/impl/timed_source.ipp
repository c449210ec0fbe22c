// SPDX-License-Identifier: BSL-1.0
//
// Makes a source of tokens that may take as long as it likes one that keeps deadlines. Templates of
// one type, so that a program with another source need not compile it.
#pragma once

#include <highlevel/auth/credentials.hpp>
#include <highlevel/detail/beside.hpp>
#include <highlevel/detail/share.hpp>
#include <highlevel/detail/sleepers.hpp>
#include <highlevel/detail/what_of.hpp>
#include <highlevel/error.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace highlevel::auth::detail {

/// A question to a source of tokens that may not end by itself, and what the source said. It keeps
/// what it needs until the source lets go, however long after the call that may be.
template <class Provider>
class inquiry {
public:
    /// Asks for a token, or with `refused` to renew that one.
    inquiry(
        std::shared_ptr<Provider> source,
        const token_request& wanted,
        std::shared_ptr<const secret> refused)
        : source_(std::move(source)),
          request_(wanted),
          id_(wanted.id),
          refused_(std::move(refused)) {
        request_.id = id_;
    }
    inquiry(const inquiry&) = delete;
    inquiry& operator=(const inquiry&) = delete;

    [[nodiscard]] static boost::asio::awaitable<void> ask(std::shared_ptr<inquiry> self) {
        if (self->refused_)
            self->renewed = co_await self->source_->renew(self->request_, self->refused_);
        else
            self->granted = co_await self->source_->authorize(self->request_);
    }

    grant granted;
    bool renewed = false;

private:
    std::shared_ptr<Provider> source_;
    token_request request_;
    std::string id_;
    std::shared_ptr<const secret> refused_;
};

/// Asks another source beside the caller, and leaves it, cancelled, when the caller must end.
///
/// Thread safety: shared objects: safe.
template <class Provider>
class timed_source final : public Provider {
public:
    explicit timed_source(std::shared_ptr<Provider> source) : source_(std::move(source)) {}

    boost::asio::awaitable<grant> authorize(token_request request) override {
        auto const question =
            highlevel::detail::share<inquiry<Provider>>(source_, request, nullptr);
        auto const ec = co_await answer(question, request);
        if (ec)
            co_return grant{
                ec, ec == errc::timeout ? "the source of tokens did not answer in time" : ""};
        co_return std::move(question->granted);
    }

    [[nodiscard]] grant try_authorize(const token_request& request) override {
        return source_->try_authorize(request);
    }

    boost::asio::awaitable<bool> renew(
        token_request request, std::shared_ptr<const secret> refused) override {
        auto const question =
            highlevel::detail::share<inquiry<Provider>>(source_, request, std::move(refused));
        auto const ec = co_await answer(question, request);
        co_return !ec && question->renewed;
    }

    [[nodiscard]] bool keeps_deadlines() const noexcept override { return true; }

    void attach(const attachment& client) override {
        {
            std::lock_guard const lock{mutex_};
            clients_.insert_or_assign(
                client.transport.get(), highlevel::detail::share<highlevel::detail::sleepers>());
        }
        try {
            source_->attach(client);
        } catch (...) {
            let_go(*client.transport);
            throw;
        }
    }

    void detach(const http::transport& client) noexcept override {
        let_go(client);
        source_->detach(client);
    }

private:
    /// Ends the waits of a client's calls, and those to come.
    void let_go(const http::transport& client) noexcept {
        std::shared_ptr<highlevel::detail::sleepers> left;
        {
            std::lock_guard const lock{mutex_};
            auto const found = clients_.find(&client);
            if (found == clients_.end()) return;
            left = std::move(found->second);
            clients_.erase(found);
        }
        left->end();
    }

    /// Those who wait for whoever asks; null where that was a client and has ended.
    [[nodiscard]] std::shared_ptr<highlevel::detail::sleepers> waiting(
        const http::transport* asker) {
        if (asker == nullptr) return highlevel::detail::share<highlevel::detail::sleepers>();
        std::lock_guard const lock{mutex_};
        auto const found = clients_.find(asker);
        return found != clients_.end() ? found->second : nullptr;
    }

    /// Success when the answer is there; errc::timeout or operation_aborted when whoever asks ends
    /// before.
    boost::asio::awaitable<boost::system::error_code> answer(
        std::shared_ptr<inquiry<Provider>> question, token_request request) {
        auto const others = waiting(request.asker);
        if (!others) co_return boost::asio::error::operation_aborted;
        auto const work = highlevel::detail::share<highlevel::detail::side_work>();
        highlevel::detail::sleepers::entry const mine{*others, work->bell()};
        auto const executor = co_await boost::asio::this_coro::executor;
        work->start(executor, inquiry<Provider>::ask(question));
        auto const ec = co_await work->wait(request.deadline);
        if (!ec && work->thrown())
            question->granted = {
                make_error_code(errc::no_token), highlevel::detail::what_of(work->thrown())};
        co_return ec;
    }

    std::shared_ptr<Provider> source_;
    std::mutex mutex_;
    std::map<const http::transport*, std::shared_ptr<highlevel::detail::sleepers>> clients_;
};

template <class Provider>
std::shared_ptr<Provider> in_time(std::shared_ptr<Provider> source) {
    if (!source || source->keeps_deadlines()) return source;
    return highlevel::detail::share<timed_source<Provider>>(std::move(source));
}

#if defined(HIGHLEVEL_SEPARATE_COMPILATION)
template std::shared_ptr<provider> in_time(std::shared_ptr<provider> source);
#endif

} // namespace highlevel::auth::detail
