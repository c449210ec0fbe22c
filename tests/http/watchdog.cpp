// SPDX-License-Identifier: BSL-1.0
//
// Tests of http/watchdog.hpp: limits strike once and only when due, and nothing keeps an idle loop
// alive.
#include "support/catch.hpp"

#include <highlevel/detail/one_shot.hpp>
#include <highlevel/http/watchdog.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace http_watchdog_tests {

namespace {

using namespace std::chrono_literals;
using namespace highlevel::http::detail;

class patient : public watched {
public:
    int strikes = 0;
    int abandoned = 0;

private:
    void strike() noexcept override { ++strikes; }
    void abandon() noexcept override { ++abandoned; }
};

class fixture {
public:
    fixture() { dog->add(*p); }

    boost::asio::io_context context;
    std::shared_ptr<watchdog> dog = std::make_shared<watchdog>(context.get_executor());
    std::shared_ptr<patient> p = std::make_shared<patient>();
};

} // namespace

TEST_CASE("limit_strikes_once_when_it_is_due", "[http][watchdog]") {
    fixture f;
    f.dog->enter();
    REQUIRE(f.dog->set(*f.p, clock::now() + 5ms));
    f.context.run();
    CHECK(f.p->strikes == 1);
    CHECK(f.p->expired());
    CHECK(!f.dog->set(*f.p, time_point::max()));
    CHECK(f.p->expired());
    f.dog->leave();
}

TEST_CASE("limit_that_moved_on_does_not_strike", "[http][watchdog]") {
    fixture f;
    f.dog->enter();
    REQUIRE(f.dog->set(*f.p, clock::now() + 5ms));
    REQUIRE(f.dog->set(*f.p, time_point::max()));
    f.context.run();
    CHECK(f.p->strikes == 0);
    // An earlier limit than the one the timer is set for counts as well.
    REQUIRE(f.dog->set(*f.p, clock::now() + 1h));
    REQUIRE(f.dog->set(*f.p, clock::now() + 5ms));
    f.context.restart();
    f.context.run();
    CHECK(f.p->strikes == 1);
    f.dog->leave();
}

TEST_CASE("no_timer_is_pending_while_nothing_is_under_way", "[http][watchdog]") {
    fixture f;
    REQUIRE(f.dog->set(*f.p, clock::now() + 1h));
    CHECK(f.context.run_for(20s) == 0); // returned at once: nothing was pending
    CHECK(f.context.stopped());
    f.dog->enter();
    REQUIRE(f.dog->set(*f.p, clock::now() + 30min));
    f.dog->leave();
    f.context.restart();
    f.context.run_for(20s);
    CHECK(f.context.stopped());
    CHECK(f.p->strikes == 0);
}

TEST_CASE("housekeeping_is_called_when_it_asked_to_be", "[http][watchdog]") {
    fixture f;
    int calls = 0;
    f.dog->on_tick([&](time_point now) { return ++calls < 3 ? now + 2ms : time_point::max(); });
    f.dog->enter();
    f.dog->look_at(clock::now() + 2ms);
    f.context.run();
    CHECK(calls == 3);
    f.dog->leave();
}

TEST_CASE("waits_are_rung_at_their_time_and_can_be_taken_back", "[http][watchdog]") {
    fixture f;
    f.dog->enter();
    auto const early = std::make_shared<one_shot>();
    auto const gone = std::make_shared<one_shot>();
    std::optional<error_code> early_code;
    std::optional<error_code> gone_code;
    auto const into = [&](std::optional<error_code>& code) {
        return boost::asio::bind_executor(
            f.context.get_executor(), [&code](error_code ec) { code = ec; });
    };
    early->async_wait(into(early_code));
    gone->async_wait(into(gone_code));
    auto const first = f.dog->add_wait(clock::now() + 3ms, early);
    auto const second = f.dog->add_wait(clock::now() + 2ms, gone);
    f.dog->remove_wait(second);
    f.context.run();
    REQUIRE(early_code);
    CHECK((*early_code == boost::asio::error::timed_out));
    CHECK(!gone_code);
    f.dog->remove_wait(first);
    f.dog->leave();
}

TEST_CASE("event_loop_that_goes_wakes_what_waits", "[http][watchdog]") {
    auto context = std::make_unique<boost::asio::io_context>();
    boost::asio::io_context other;
    auto const dog = std::make_shared<watchdog>(context->get_executor());
    auto const p = std::make_shared<patient>();
    dog->add(*p);
    dog->enter();
    REQUIRE(dog->set(*p, watchdog::end_of_loop));
    auto const bell = std::make_shared<one_shot>();
    std::optional<error_code> got;
    bell->async_wait(
        boost::asio::bind_executor(other.get_executor(), [&](error_code ec) { got = ec; }));
    auto const place = dog->add_wait(time_point::max(), bell);
    context.reset();
    CHECK(p->abandoned == 1);
    CHECK(p->strikes == 0);
    other.run();
    REQUIRE(got);
    CHECK((*got == boost::asio::error::operation_aborted));
    // It may live on, without a timer.
    CHECK(dog->set(*p, clock::now()));
    dog->remove_wait(place);
    dog->leave();
}

TEST_CASE("limits_race_the_timer_on_many_threads", "[http][watchdog][threads]") {
    boost::asio::io_context context;
    auto const dog = std::make_shared<watchdog>(context.get_executor());
    auto guard = boost::asio::make_work_guard(context);
    std::thread loop{[&] { context.run(); }};
    std::vector<std::thread> users;
    std::atomic<int> missed{0};
    for (int t = 0; t < 3; ++t) {
        users.emplace_back([&] {
            for (int i = 0; i < 300; ++i) {
                auto const p = std::make_shared<patient>();
                dog->enter();
                dog->add(*p);
                // Either the limit strikes or we move it away; it must do one of the two.
                if (dog->set(*p, clock::now() + std::chrono::microseconds{i % 40})) {
                    if (i % 3 == 0) {
                        auto const patience = clock::now() + 20s;
                        while (!p->expired() && clock::now() < patience)
                            std::this_thread::yield();
                        if (!p->expired()) ++missed;
                    } else if (!dog->set(*p, time_point::max()) && !p->expired()) {
                        ++missed;
                    }
                }
                dog->leave();
            }
        });
    }
    for (auto& u : users)
        u.join();
    guard.reset();
    loop.join();
    CHECK(missed == 0);
}

} // namespace http_watchdog_tests
