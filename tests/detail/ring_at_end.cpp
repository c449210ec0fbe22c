// SPDX-License-Identifier: BSL-1.0
//
// Tests of detail/ring_at_end.hpp: an end of whatever kind is heard, once.
#include "support/catch.hpp"

#include <highlevel/detail/one_shot.hpp>
#include <highlevel/detail/ring_at_end.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

namespace detail_ring_at_end_tests {

namespace asio = boost::asio;
using boost::system::error_code;
using highlevel::detail::one_shot;
using highlevel::detail::ring_at_end;

namespace {

const error_code code = asio::error::eof;

/// A bell at which somebody waits.
class waited_for {
public:
    waited_for() {
        bell->async_wait(asio::bind_executor(context, [this](error_code ec) { heard = ec; }));
    }
    std::optional<error_code> hear() {
        context.restart();
        context.poll();
        return heard;
    }

    asio::io_context context;
    std::shared_ptr<one_shot> bell = std::make_shared<one_shot>();
    std::optional<error_code> heard;
};

} // namespace

TEST_CASE("an_end_without_an_error_rings_with_the_code", "[detail]") {
    waited_for w;
    ring_at_end end{w.bell, code};
    CHECK_FALSE(w.hear());
    auto moved = std::move(end);
    moved({});
    CHECK(w.hear() == code);
}

TEST_CASE("a_failure_does_not_ring", "[detail]") {
    waited_for w;
    {
        ring_at_end end{w.bell, code};
        end(asio::error::operation_aborted);
    }
    CHECK_FALSE(w.hear());
    w.bell->ring();
    CHECK(w.hear() == error_code{});
}

TEST_CASE("an_event_loop_that_ends_rings_for_what_it_takes_along", "[detail]") {
    waited_for w;
    {
        asio::io_context other;
        asio::steady_timer timer{other, std::chrono::hours{1}};
        timer.async_wait(ring_at_end{w.bell, code});
        other.poll();
        CHECK_FALSE(w.hear());
    }
    CHECK(w.hear() == asio::error::operation_aborted);
}

} // namespace detail_ring_at_end_tests
