// SPDX-License-Identifier: BSL-1.0
//
// Tests of detail/beside.hpp: who waits for work hears of its end, or leaves it in time; nothing
// stays behind when the event loop goes.
#include "support/catch.hpp"
#include "support/run.hpp"

#include <highlevel/detail/beside.hpp>

#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>

namespace detail_beside_tests {

namespace {

namespace asio = boost::asio;
using highlevel::errc;
using highlevel::detail::error_code;
using highlevel::detail::one_shot;
using highlevel::detail::side_work;
using clock_type = std::chrono::steady_clock;

constexpr auto never = clock_type::time_point::max();

/// What a test sees of work that waits for a bell.
class seen {
public:
    std::shared_ptr<one_shot> bell = std::make_shared<one_shot>();
    bool begun = false;
    std::optional<error_code> ended;
};

asio::awaitable<void> sleep(std::shared_ptr<seen> what) {
    what->begun = true;
    error_code ec;
    co_await what->bell->async_wait(asio::redirect_error(asio::use_awaitable, ec));
    what->ended = ec;
}

asio::awaitable<error_code> run(
    std::shared_ptr<side_work> work, asio::awaitable<void> what, clock_type::time_point deadline) {
    auto const executor = co_await asio::this_coro::executor;
    work->start(executor, std::move(what));
    co_return co_await work->wait(deadline);
}

asio::awaitable<void> ends_with(std::exception_ptr thrown) {
    if (thrown) std::rethrow_exception(thrown);
    co_return;
}

} // namespace

TEST_CASE("the_end_of_side_work_is_heard_and_what_it_threw_kept", "[detail]") {
    asio::io_context context;
    auto work = std::make_shared<side_work>();
    CHECK(!test::run(context, run(work, ends_with(nullptr), never)));
    CHECK(!work->thrown());

    work = std::make_shared<side_work>();
    auto const broken = std::make_exception_ptr(std::runtime_error{"broken"});
    CHECK(!test::run(context, run(work, ends_with(broken), never)));
    REQUIRE(work->thrown());
    CHECK_THROWS_WITH(std::rethrow_exception(work->thrown()), "broken");
}

TEST_CASE("side_work_is_left_cancelled_at_the_deadline", "[detail]") {
    asio::io_context context;
    auto const work = std::make_shared<side_work>();
    auto const what = std::make_shared<seen>();
    std::optional<error_code> ec;
    auto const wait = [&]() -> asio::awaitable<void> {
        ec = co_await run(work, sleep(what), clock_type::time_point{});
    };
    test::run_until_done(context, wait());
    REQUIRE(ec);
    CHECK((*ec == errc::timeout));
    test::run_until(context, [&] { return what->ended.has_value(); });
    CHECK((*what->ended == asio::error::operation_aborted));
}

TEST_CASE("side_work_is_left_when_its_bell_is_rung_or_its_waiter_cancelled", "[detail]") {
    for (bool const by_bell : {true, false}) {
        asio::io_context context;
        auto const work = std::make_shared<side_work>();
        auto const what = std::make_shared<seen>();
        asio::cancellation_signal stop;
        std::optional<error_code> ec;
        auto const wait = [&]() -> asio::awaitable<void> {
            ec = co_await run(work, sleep(what), never);
        };
        asio::co_spawn(
            context, wait(), asio::bind_cancellation_slot(stop.slot(), [](std::exception_ptr) {}));
        test::run_until(context, [&] { return what->begun; });
        if (by_bell)
            work->bell()->ring(asio::error::timed_out);
        else
            stop.emit(asio::cancellation_type::terminal);
        test::run_until(context, [&] { return what->ended.has_value(); });
        REQUIRE(ec);
        if (by_bell)
            CHECK((*ec == asio::error::timed_out));
        else
            CHECK((*ec == asio::error::operation_aborted));
        CHECK((*what->ended == asio::error::operation_aborted));
    }
}

TEST_CASE("who_waits_for_side_work_goes_with_the_event_loop", "[detail]") {
    auto context = std::make_unique<asio::io_context>();
    auto const what = std::make_shared<seen>();
    std::weak_ptr<side_work> left;
    {
        auto const work = std::make_shared<side_work>();
        left = work;
        // Work that rings no bell: it is destroyed with the loop.
        auto const wait = [](std::shared_ptr<side_work> w,
                             std::shared_ptr<seen> s) -> asio::awaitable<void> {
            auto stuck = [](std::shared_ptr<seen> begun) -> asio::awaitable<void> {
                begun->begun = true;
                asio::steady_timer timer{co_await asio::this_coro::executor, never};
                co_await timer.async_wait(asio::use_awaitable);
            };
            (void)co_await run(w, stuck(s), never);
        };
        asio::co_spawn(*context, wait(work, what), asio::detached);
    }
    test::run_until(*context, [&] { return what->begun; });
    for (int i = 0; i < 5; ++i)
        context->poll();
    context.reset();
    CHECK(left.expired());
}

} // namespace detail_beside_tests
