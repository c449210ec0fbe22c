// SPDX-License-Identifier: BSL-1.0
//
// Tests of detail/listen.hpp: whichever comes first of the ring, the limit and the end of the event
// loop ends the wait.
#include "support/catch.hpp"

#include <highlevel/detail/listen.hpp>
#include <highlevel/detail/one_shot.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>

namespace detail_listen_tests {

namespace asio = boost::asio;
using boost::system::error_code;
using highlevel::detail::listen;
using highlevel::detail::one_shot;
using time_point = std::chrono::steady_clock::time_point;

namespace {

/// Waits on a loop of its own; `held` goes with the coroutine.
class listener {
public:
    explicit listener(time_point until = time_point::max()) {
        auto const wait = [](std::shared_ptr<one_shot> b, time_point limit,
                             std::shared_ptr<int>) -> asio::awaitable<error_code> {
            co_return co_await listen(b, limit, asio::error::timed_out);
        };
        auto const kept = std::make_shared<int>();
        held = kept;
        asio::co_spawn(
            *context, wait(bell, until, kept),
            [this](std::exception_ptr, error_code ec) { heard = ec; });
        context->poll();
    }

    std::unique_ptr<asio::io_context> context = std::make_unique<asio::io_context>();
    std::shared_ptr<one_shot> bell = std::make_shared<one_shot>();
    std::optional<error_code> heard;
    std::weak_ptr<int> held;
};

} // namespace

TEST_CASE("the_code_of_the_ring_is_heard", "[detail]") {
    listener l;
    CHECK(!l.heard);
    l.bell->ring(asio::error::eof);
    l.context->restart();
    l.context->run();
    REQUIRE(l.heard);
    CHECK((*l.heard == asio::error::eof));
}

TEST_CASE("the_limit_ends_the_wait", "[detail]") {
    listener l{time_point{}};
    l.context->restart();
    l.context->run();
    REQUIRE(l.heard);
    CHECK((*l.heard == asio::error::timed_out));
}

TEST_CASE("an_event_loop_that_is_destroyed_takes_who_listens_along", "[detail]") {
    // Somebody else holds the bell.
    listener l;
    REQUIRE_FALSE(l.held.expired());
    l.context.reset();
    CHECK(l.held.expired());
    CHECK_FALSE(l.heard);
}

} // namespace detail_listen_tests
