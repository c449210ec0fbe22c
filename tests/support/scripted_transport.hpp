// SPDX-License-Identifier: BSL-1.0
//
// A transport that answers from a script and remembers what it was asked, so that the client's own
// decisions are tested without a network.
#pragma once

#include <highlevel/http/transport.hpp>

#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>

#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace test {

/// Answers each exchange with the next step; the last step serves all that follow.
///
/// Thread safety: shared objects: safe.
class scripted_transport final : public highlevel::http::transport {
public:
    using step = std::function<highlevel::http::exchange_result(const highlevel::http::request&)>;

    /// A response with the five limit headers, as the live API sends them.
    static highlevel::http::exchange_result reply(unsigned status, std::string body = {}) {
        highlevel::http::exchange_result r;
        r.reached = highlevel::http::phase::done;
        r.may_have_been_processed = true;
        r.reply.status = status;
        r.reply.body = std::move(body);
        r.reply.fields.add("content-type", "application/json; charset=utf-8");
        r.reply.fields.add("x-ratelimit-limit-daily", "200000");
        r.reply.fields.add("x-ratelimit-daily-remaining", "199000");
        r.reply.fields.add("x-ratelimit-interval-milliseconds", "10000");
        r.reply.fields.add("x-ratelimit-max", "100");
        r.reply.fields.add("x-ratelimit-remaining", "99");
        return r;
    }

    static highlevel::http::exchange_result lost(
        boost::system::error_code error,
        highlevel::http::phase reached,
        bool may_have_been_processed) {
        highlevel::http::exchange_result r;
        r.error = error;
        r.detail = "scripted";
        r.reached = reached;
        r.may_have_been_processed = may_have_been_processed;
        return r;
    }

    scripted_transport& then(step s) {
        std::scoped_lock const lock{mutex_};
        steps_.push_back(std::move(s));
        return *this;
    }
    scripted_transport& then(highlevel::http::exchange_result r) {
        return then([r = std::move(r)](const highlevel::http::request&) { return r; });
    }

    [[nodiscard]] std::vector<highlevel::http::request> requests() const {
        std::scoped_lock const lock{mutex_};
        return requests_;
    }
    /// With which bounds each was asked.
    [[nodiscard]] std::vector<highlevel::http::exchange_options> bounds() const {
        std::scoped_lock const lock{mutex_};
        return bounds_;
    }
    [[nodiscard]] bool closed() const {
        std::scoped_lock const lock{mutex_};
        return closed_;
    }

    boost::asio::awaitable<highlevel::http::exchange_result> exchange(
        const highlevel::http::request& r, highlevel::http::exchange_options options) override {
        step s;
        {
            std::scoped_lock const lock{mutex_};
            requests_.push_back(r);
            bounds_.push_back(options);
            if (closed_ || steps_.empty()) {
                highlevel::http::exchange_result ended;
                ended.error = boost::asio::error::operation_aborted;
                co_return ended;
            }
            s = steps_.front();
            if (steps_.size() > 1) steps_.pop_front();
        }
        co_return s(r);
    }

    void close() noexcept override {
        std::scoped_lock const lock{mutex_};
        closed_ = true;
    }

private:
    mutable std::mutex mutex_;
    std::deque<step> steps_;
    std::vector<highlevel::http::request> requests_;
    std::vector<highlevel::http::exchange_options> bounds_;
    bool closed_ = false;
};

} // namespace test
