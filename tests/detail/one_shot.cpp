// SPDX-License-Identifier: BSL-1.0
//
// Tests of detail/one_shot.hpp: a bell wakes its waiter once, whoever rings.
#include "support/catch.hpp"

#include <highlevel/detail/one_shot.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution/blocking.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <optional>
#include <vector>

namespace detail_one_shot_tests {

namespace asio = boost::asio;
using boost::system::error_code;
using highlevel::detail::one_shot;

TEST_CASE("bell_wakes_its_waiter_once_whoever_rings_first", "[detail]") {
    asio::io_context context;
    auto const wait = [&](const std::shared_ptr<one_shot>& bell, std::vector<error_code>& got) {
        bell->async_wait(
            asio::bind_executor(context.get_executor(), [&](error_code ec) { got.push_back(ec); }));
    };
    std::vector<error_code> got;
    auto bell = std::make_shared<one_shot>();
    wait(bell, got);
    bell->ring(asio::error::timed_out);
    bell->ring();
    CHECK(got.empty()); // never inside ring()
    context.run();
    REQUIRE(got.size() == 1);
    CHECK((got[0] == asio::error::timed_out));

    bell = std::make_shared<one_shot>();
    bell->ring();
    got.clear();
    wait(bell, got);
    CHECK(got.empty());
    context.restart();
    context.run();
    REQUIRE(got.size() == 1);
    CHECK(!got[0]);
}

TEST_CASE("coroutine_waits_for_a_bell_in_its_own_frame", "[detail]") {
    asio::io_context context;
    auto const bell = std::make_shared<one_shot>();
    auto const late = std::make_shared<one_shot>();
    late->ring(asio::error::eof);
    std::vector<error_code> got;
    auto const wait = [&]() -> asio::awaitable<void> {
        co_await bell->wait();
        got.push_back(bell->code());
        co_await late->wait();
        got.push_back(late->code());
    };
    asio::co_spawn(context, wait(), asio::detached);
    context.poll();
    CHECK(got.empty());
    bell->ring(asio::error::timed_out);
    bell->ring();
    context.run();
    REQUIRE(got.size() == 2);
    CHECK((got[0] == asio::error::timed_out));
    CHECK((got[1] == asio::error::eof));
}

/// Runs what is posted before post() returns, as another thread may.
class at_once {
public:
    explicit at_once(asio::execution_context& context) : context_(&context) {}

    [[nodiscard]] asio::execution_context& query(asio::execution::context_t) const noexcept {
        return *context_;
    }
    [[nodiscard]] static constexpr asio::execution::blocking_t query(
        asio::execution::blocking_t) noexcept {
        return asio::execution::blocking.never;
    }
    template <class Work>
    void execute(Work work) const {
        work();
    }
    friend bool operator==(const at_once& a, const at_once& b) noexcept {
        return a.context_ == b.context_;
    }
    friend bool operator!=(const at_once& a, const at_once& b) noexcept { return !(a == b); }

private:
    asio::execution_context* context_;
};

TEST_CASE("bell_lives_until_its_wait_has_begun", "[detail]") {
    asio::io_context context;
    auto bell = std::make_shared<one_shot>();
    std::weak_ptr<one_shot> const watch = bell;
    bell->ring();
    bool woken = false;
    bell->wait()(asio::bind_executor(at_once{context}, [&] {
        bell.reset(); // who rang has let go before
        woken = true;
        CHECK(!watch.expired()); // its lock is still held
    }));
    CHECK(woken);
    CHECK(watch.expired());
}

TEST_CASE("terminal_cancellation_rings_the_bell", "[detail]") {
    asio::io_context context;
    asio::cancellation_signal signal;
    auto const bell = std::make_shared<one_shot>();
    std::optional<error_code> got;
    bell->async_wait(asio::bind_cancellation_slot(
        signal.slot(),
        asio::bind_executor(context.get_executor(), [&](error_code ec) { got = ec; })));
    signal.emit(asio::cancellation_type::total);
    context.run();
    CHECK(!got);
    signal.emit(asio::cancellation_type::terminal);
    CHECK(!got);
    context.restart();
    context.run();
    REQUIRE(got);
    CHECK((*got == asio::error::operation_aborted));
    bell->ring();
}

} // namespace detail_one_shot_tests
