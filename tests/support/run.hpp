// SPDX-License-Identifier: BSL-1.0
//
// Runs a coroutine on a context until it has ended. Spawning is compiled once, in run.cpp: each
// further type that is spawned costs a test file seconds.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <optional>
#include <utility>

namespace test {

/// Runs until nothing is left to do; throws what the coroutine threw.
void run(boost::asio::io_context& context, boost::asio::awaitable<void> work);

/// Runs until the coroutine has ended, whatever else the context still holds (idle connections keep
/// timers).
void run_until_done(boost::asio::io_context& context, boost::asio::awaitable<void> work);

/// As `run`, for a coroutine that `stop` cancels. Gives whether it ended by an exception.
bool run_cancellable(
    boost::asio::io_context& context,
    boost::asio::awaitable<void> work,
    boost::asio::cancellation_signal& stop);

/// Runs until `met` is true, which is asked after each step; fails the test, instead of hanging,
/// when that takes too long.
void run_until(boost::asio::io_context& context, const std::function<bool()>& met);

template <class T>
boost::asio::awaitable<void> keep(boost::asio::awaitable<T> work, std::optional<T>& into) {
    into.emplace(co_await std::move(work));
}

template <class T>
T run(boost::asio::io_context& context, boost::asio::awaitable<T> work) {
    std::optional<T> made;
    run(context, keep(std::move(work), made));
    return std::move(made.value());
}

template <class T>
T run_until_done(boost::asio::io_context& context, boost::asio::awaitable<T> work) {
    std::optional<T> made;
    run_until_done(context, keep(std::move(work), made));
    return std::move(made.value());
}

} // namespace test
