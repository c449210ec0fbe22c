// SPDX-License-Identifier: BSL-1.0
//
// Spawning and running, compiled once for all tests.
#include "support/run.hpp"

#include "support/catch.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include <chrono>
#include <exception>

namespace asio = boost::asio;

namespace test {

namespace {

/// How a coroutine ended, if it has.
class ending {
public:
    bool done = false;
    std::exception_ptr thrown;
};

void start(
    asio::io_context& context,
    asio::awaitable<void> work,
    asio::cancellation_slot stop,
    ending& into) {
    asio::co_spawn(
        context, std::move(work),
        asio::bind_cancellation_slot(stop, [&into](std::exception_ptr thrown) {
            into.done = true;
            into.thrown = std::move(thrown);
        }));
    context.restart();
}

} // namespace

void run(asio::io_context& context, asio::awaitable<void> work) {
    ending how;
    start(context, std::move(work), {}, how);
    context.run();
    if (how.thrown) std::rethrow_exception(how.thrown);
}

void run_until_done(asio::io_context& context, asio::awaitable<void> work) {
    ending how;
    start(context, std::move(work), {}, how);
    while (!how.done && context.run_one() != 0) {
    }
    if (how.thrown) std::rethrow_exception(how.thrown);
}

bool run_cancellable(
    asio::io_context& context, asio::awaitable<void> work, asio::cancellation_signal& stop) {
    ending how;
    start(context, std::move(work), stop.slot(), how);
    context.run();
    return how.thrown != nullptr;
}

void run_until(asio::io_context& context, const std::function<bool()>& met) {
    context.restart();
    auto const limit = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (!met()) {
        REQUIRE(std::chrono::steady_clock::now() < limit);
        context.run_one_for(std::chrono::milliseconds{20});
        if (context.stopped()) context.restart();
    }
}

} // namespace test
