// SPDX-License-Identifier: BSL-1.0
//
// Waiting for a bell, with a time limit: the one form of it that never outlives its event loop.
#pragma once

#include <highlevel/detail/one_shot.hpp>
#include <highlevel/detail/ring_at_end.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace highlevel::detail {

/// Waits for the bell until `until`, and gives the code that it was rung with, or `late`.
///
/// Ends with operation_aborted when the waiting coroutine is cancelled, and when its event loop is
/// destroyed: whoever else holds the bell would keep the coroutine, and all that it holds, for
/// ever. Throws system_error of that code when the coroutine was cancelled before and throws then.
inline asio::awaitable<error_code> listen(
    std::shared_ptr<one_shot> bell,
    std::chrono::steady_clock::time_point until = std::chrono::steady_clock::time_point::max(),
    error_code late = {}) {
    // Also without a limit: the end of the timer is that of its event loop.
    asio::steady_timer timer{co_await asio::this_coro::executor, until};
    timer.async_wait(ring_at_end{bell, late});
    co_await bell->wait();
    co_return bell->code();
}

} // namespace highlevel::detail
