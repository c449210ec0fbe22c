// SPDX-License-Identifier: BSL-1.0
//
// Where a limiter has the time from, and its one timer: the seam by which tests make time up.
#pragma once

#include <highlevel/detail/share.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <utility>

namespace highlevel::quota {

/// A clock that can be asked for one call at a later time.
///
/// A limiter calls all functions under its lock, so they need no protection of their own.
class time_source {
public:
    virtual ~time_source() = default;
    [[nodiscard]] virtual std::chrono::steady_clock::time_point now() const noexcept = 0;
    /// Told once what to call when the time asked for has come: from the executor, never from
    /// within a function of this class.
    virtual void start(std::function<void()> wake) = 0;
    /// Asks for one call of `wake` at that time; takes the place of what was asked for before,
    /// also where it throws.
    virtual void wake_at(std::chrono::steady_clock::time_point when) = 0;
    /// Takes back what was asked for.
    virtual void cancel() noexcept = 0;
};

namespace detail {

/// The steady clock and a timer of the executor.
class steady_time final : public time_source {
public:
    explicit steady_time(const boost::asio::any_io_executor& executor) : timer_(executor) {}

    [[nodiscard]] std::chrono::steady_clock::time_point now() const noexcept override {
        return std::chrono::steady_clock::now();
    }
    void start(std::function<void()> wake) override {
        wake_ = highlevel::detail::share<std::function<void()>>(std::move(wake));
    }
    void wake_at(std::chrono::steady_clock::time_point when) override {
        timer_.expires_at(when);
        timer_.async_wait([wake = wake_](const boost::system::error_code& ec) {
            if (!ec) (*wake)();
        });
    }
    void cancel() noexcept override {
        try {
            timer_.cancel();
        } catch (...) { // nothing to do: the call will come too early and find nothing
        }
    }

private:
    boost::asio::steady_timer timer_;
    std::shared_ptr<std::function<void()>> wake_;
};

} // namespace detail

} // namespace highlevel::quota
