// SPDX-License-Identifier: BSL-1.0
//
// A clock for limiters that only moves when a test says so.
#pragma once

#include <highlevel/quota/limiter.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <new>
#include <utility>

class manual_time final : public highlevel::quota::time_source {
public:
    using time_point = std::chrono::steady_clock::time_point;

    explicit manual_time(boost::asio::io_context& context) : context_(context) {}

    [[nodiscard]] time_point now() const noexcept override { return now_; }
    void start(std::function<void()> wake) override { wake_ = std::move(wake); }
    void wake_at(time_point when) override {
        armed_ = time_point::max();
        if (std::exchange(fails, false)) throw std::bad_alloc{};
        armed_ = when;
    }
    void cancel() noexcept override { armed_ = time_point::max(); }

    /// When the limiter wants to be called; time_point::max(): not at all.
    [[nodiscard]] time_point armed() const noexcept { return armed_; }

    /// Runs what is ready, without the time passing.
    void settle() {
        for (;;) {
            if (armed_ <= now_) {
                armed_ = time_point::max();
                boost::asio::post(context_, wake_);
            }
            context_.restart();
            if (context_.poll() == 0 && armed_ > now_) return;
        }
    }
    /// Calls the limiter although it did not ask for that now: a timer that had expired when the
    /// limiter asked for another time.
    void fire() {
        boost::asio::post(context_, wake_);
        context_.restart();
        context_.poll();
    }
    /// Lets time pass, with a stop wherever the limiter wants to be called.
    void advance(std::chrono::nanoseconds by) {
        auto const until = now_ + by;
        settle();
        while (armed_ <= until) {
            now_ = std::max(now_, armed_);
            settle();
        }
        now_ = until;
        settle();
    }

    /// Lets time pass without a stop, as when the process was not running.
    void leap(std::chrono::nanoseconds by) {
        now_ += by;
        settle();
    }

    bool fails = false; // the next time that is asked for, there is no memory

private:
    boost::asio::io_context& context_;
    std::function<void()> wake_;
    time_point now_{std::chrono::seconds{1000}};
    time_point armed_ = time_point::max();
};
