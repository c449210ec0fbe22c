// SPDX-License-Identifier: BSL-1.0
//
// Those who wait for something that need not come, and whoever wakes all of them.
#pragma once

#include <highlevel/detail/deadline.hpp>
#include <highlevel/detail/listen.hpp>
#include <highlevel/detail/one_shot.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>

#include <chrono>
#include <list>
#include <memory>
#include <mutex>

namespace highlevel::detail {

/// What coroutines wait for that does not end by itself when it must: pauses, and questions to
/// sources of tokens.
///
/// Thread safety: shared objects: safe.
class sleepers {
public:
    /// Gives success after that time, operation_aborted after end() or terminal cancellation.
    [[nodiscard]] asio::awaitable<error_code> sleep(std::chrono::milliseconds time) {
        auto const bell = std::make_shared<one_shot>();
        entry const mine{*this, bell};
        co_return co_await listen(bell, after(std::chrono::steady_clock::now(), time));
    }

    /// Wakes all that sleep, and those that fall asleep later.
    void end() {
        std::lock_guard const lock{mutex_};
        ended_ = true;
        for (auto const& bell : bells_)
            bell->ring(asio::error::operation_aborted);
    }

    using bell_list = std::list<std::shared_ptr<one_shot>>;

    /// Has end() ring a bell with operation_aborted.
    class entry {
    public:
        entry(sleepers& owner, const std::shared_ptr<one_shot>& bell) : owner_(owner) {
            std::lock_guard const lock{owner_.mutex_};
            place_ = owner_.bells_.insert(owner_.bells_.end(), bell);
            if (owner_.ended_) bell->ring(asio::error::operation_aborted);
        }
        entry(const entry&) = delete;
        entry& operator=(const entry&) = delete;
        ~entry() {
            std::lock_guard const lock{owner_.mutex_};
            owner_.bells_.erase(place_);
        }

    private:
        sleepers& owner_;
        bell_list::iterator place_;
    };

private:
    std::mutex mutex_;
    bell_list bells_;
    bool ended_ = false;
};

} // namespace highlevel::detail
