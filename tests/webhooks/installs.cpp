// SPDX-License-Identifier: BSL-1.0
//
// Tokens follow installs: minted on INSTALL, also when it comes before the code exchange, and
// forgotten on UNINSTALL.
#include "support/catch.hpp"

#include <highlevel/webhooks/installs.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace auth = highlevel::auth;
namespace webhooks = highlevel::webhooks;
using namespace std::chrono_literals;
using highlevel::errc;
using webhooks::install_step;

namespace {

// An app of which the test sees what is asked; it has no token for the first calls.
class app {
public:
    int without_token = 0;
    errc refusal = errc::no_token;
    bool attached = true;
    std::vector<std::string> calls;
    // What an attempt waits for, when it is set.
    std::shared_ptr<highlevel::detail::one_shot> gate;

    webhooks::installs_options options() {
        webhooks::installs_options made;
        made.install = [this](std::string company, std::string location) {
            return install(std::move(company), std::move(location));
        };
        made.forget = [this](auth::resource what) { return forget(std::move(what)); };
        made.connected = [this] { return attached; };
        made.wait = 1h;
        made.poll = 1ms;
        return made;
    }

private:
    asio::awaitable<void> install(std::string company, std::string location) {
        calls.push_back("install " + company + " " + location);
        if (gate) co_await gate->async_wait(asio::use_awaitable);
        if (without_token-- > 0) {
            throw highlevel::error{highlevel::failure{make_error_code(refusal), {}}};
        }
        co_return;
    }
    asio::awaitable<void> forget(auth::resource what) {
        calls.push_back("forget " + what.key());
        co_return;
    }
};

// A clock that stands still until it is told, and wakes who sleeps by it.
class fake_clock {
public:
    using time_point = webhooks::installs_options::time_point;
    // Weak: a bell must not outlive the context whose coroutine waits at it.
    using bell = std::weak_ptr<highlevel::detail::one_shot>;

    void set(webhooks::installs_options& options) {
        options.now = [this] { return now_; };
        options.sleep_until = [this](time_point when) { return sleep(when); };
    }
    void advance(std::chrono::milliseconds by) {
        now_ += by;
        for (auto const& [when, each] : sleeping_)
            if (auto const waking = each.lock(); waking && when <= now_) waking->ring();
    }

private:
    asio::awaitable<void> sleep(time_point when) {
        auto const mine = std::make_shared<highlevel::detail::one_shot>();
        sleeping_.emplace(when, mine);
        if (when <= now_) mine->ring();
        co_await mine->async_wait(asio::use_awaitable);
    }

    time_point now_{};
    std::multimap<time_point, bell> sleeping_;
};

// An event that is being followed, step by step.
class following {
public:
    following(const webhooks::installs& by, std::string_view text) {
        REQUIRE(webhooks::decode_event(text, event_));
        asio::co_spawn(
            context_, by.follow(event_),
            asio::bind_cancellation_slot(
                signal_.slot(), [this](std::exception_ptr thrown, install_step step) {
                    thrown_ = std::move(thrown);
                    step_ = step;
                    done_ = true;
                }));
        poll();
    }
    void poll() {
        context_.restart();
        context_.poll();
    }
    void cancel() {
        signal_.emit(asio::cancellation_type::terminal);
        poll();
    }
    [[nodiscard]] bool done() const { return done_; }
    // Nothing is left that runs or waits.
    [[nodiscard]] bool quiet() {
        poll();
        return context_.stopped();
    }
    install_step result() {
        REQUIRE(done_);
        if (thrown_) std::rethrow_exception(thrown_);
        return step_;
    }
    boost::system::error_code error() {
        try {
            (void)result();
        } catch (const boost::system::system_error& e) {
            return e.code();
        }
        return {};
    }

private:
    asio::io_context context_;
    asio::cancellation_signal signal_;
    webhooks::event event_;
    std::exception_ptr thrown_;
    install_step step_ = install_step::none;
    bool done_ = false;
};

install_step follow(const webhooks::installs_options& options, std::string_view text) {
    webhooks::event event;
    REQUIRE(webhooks::decode_event(text, event));
    webhooks::installs const installs{options};
    asio::io_context context;
    auto made = asio::co_spawn(context, installs.follow(event), asio::use_future);
    context.run();
    return made.get();
}

constexpr std::string_view install =
    R"({"type":"INSTALL","appId":"a","companyId":"comp","locationId":"loc"})";

} // namespace

TEST_CASE("an_install_gets_its_location_a_token", "[webhooks]") {
    app fake;
    CHECK(follow(fake.options(), install) == install_step::installed);
    CHECK(fake.calls == std::vector<std::string>{"install comp loc"});
}

TEST_CASE("an_install_may_leave_the_company_out", "[webhooks]") {
    app fake;
    CHECK(
        follow(fake.options(), R"({"type":"INSTALL","locationId":"loc"})") ==
        install_step::installed);
    CHECK(fake.calls == std::vector<std::string>{"install  loc"});
}

TEST_CASE("an_install_that_comes_before_the_code_waits_for_it", "[webhooks]") {
    app fake;
    fake.without_token = 3;
    CHECK(follow(fake.options(), install) == install_step::installed);
    CHECK(fake.calls.size() == 4);
}

TEST_CASE("an_install_does_not_wait_for_ever", "[webhooks]") {
    app fake;
    fake.without_token = 1000;
    auto options = fake.options();
    options.wait = 0ms;
    CHECK_THROWS_AS(follow(options, install), highlevel::error);
    CHECK(fake.calls.size() == 1);
    // Nor does it wait for what does not change.
    app refused;
    refused.without_token = 1000;
    refused.refusal = errc::wrong_token_kind;
    CHECK_THROWS_AS(follow(refused.options(), install), highlevel::error);
    CHECK(refused.calls.size() == 1);
}

TEST_CASE("a_company_s_token_that_is_of_no_more_use_is_waited_for_as_well", "[webhooks]") {
    app fake;
    fake.without_token = 3;
    fake.refusal = errc::reinstall_required;
    CHECK(follow(fake.options(), install) == install_step::installed);
    CHECK(fake.calls.size() == 4);
}

TEST_CASE("an_app_without_a_client_is_not_waited_for", "[webhooks]") {
    app fake;
    fake.without_token = 1000;
    fake.attached = false;
    CHECK_THROWS_AS(follow(fake.options(), install), highlevel::error);
    CHECK(fake.calls.size() == 1);
}

TEST_CASE("a_wait_ends_at_its_time_and_not_before", "[webhooks]") {
    app fake;
    fake.without_token = 1000;
    fake_clock clock;
    auto options = fake.options();
    options.wait = 1min;
    options.poll = 500ms;
    clock.set(options);
    webhooks::installs const installs{options};
    following one{installs, install};
    for (int i = 1; i < 120; ++i) {
        REQUIRE_FALSE(one.done());
        REQUIRE(fake.calls.size() == static_cast<std::size_t>(i));
        clock.advance(500ms);
        one.poll();
    }
    CHECK(one.error() == errc::no_token);
    CHECK(fake.calls.size() == 120);
    CHECK(one.quiet());
}

TEST_CASE("an_attempt_that_hangs_is_within_the_wait_too", "[webhooks]") {
    app fake;
    fake.gate = std::make_shared<highlevel::detail::one_shot>();
    fake_clock clock;
    auto options = fake.options();
    options.wait = 1min;
    clock.set(options);
    webhooks::installs const installs{options};
    SECTION("and is ended") {
        following one{installs, install};
        clock.advance(59s);
        one.poll();
        CHECK_FALSE(one.done());
        clock.advance(1s);
        one.poll();
        CHECK(one.error() == errc::timeout);
        CHECK(one.quiet());
        fake.gate.reset(); // it knows the executor of whom it woke
    }
    SECTION("and may come to its end before") {
        following one{installs, install};
        clock.advance(59s);
        fake.gate->ring();
        one.poll();
        CHECK(one.result() == install_step::installed);
        CHECK(one.quiet());
        fake.gate.reset(); // it knows the executor of whom it woke
    }
    SECTION("and ends when it is cancelled") {
        following one{installs, install};
        one.cancel();
        CHECK(one.error() == asio::error::operation_aborted);
        CHECK(one.quiet());
        fake.gate.reset(); // it knows the executor of whom it woke
    }
}

TEST_CASE("an_uninstall_overtakes_an_install_that_waits", "[webhooks]") {
    app fake;
    fake_clock clock;
    auto options = fake.options();
    options.wait = 1min;
    clock.set(options);
    webhooks::installs const installs{options};
    auto const* const gone = GENERATE(
        R"({"type":"UNINSTALL","locationId":"loc"})", R"({"type":"UNINSTALL","companyId":"comp"})");
    SECTION("between two attempts") {
        fake.without_token = 1;
        following waiting{installs, install};
        following overtaking{installs, gone};
        CHECK(overtaking.result() == install_step::removed);
        clock.advance(1s);
        waiting.poll();
        CHECK(waiting.result() == install_step::removed);
        // Should it have got a token after all, that is gone too.
        CHECK(fake.calls.back() == "forget location:loc");
    }
    SECTION("within one") {
        fake.gate = std::make_shared<highlevel::detail::one_shot>();
        following waiting{installs, install};
        following overtaking{installs, gone};
        CHECK(overtaking.result() == install_step::removed);
        fake.gate->ring();
        waiting.poll();
        CHECK(waiting.result() == install_step::removed);
        CHECK(fake.calls.back() == "forget location:loc");
        fake.gate.reset(); // it knows the executor of whom it woke
    }
}

TEST_CASE("events_of_another_app_change_nothing", "[webhooks]") {
    app fake;
    auto options = fake.options();
    options.app_id = "ours";
    for (auto const* text :
         {R"({"type":"UNINSTALL","appId":"theirs","locationId":"loc"})",
          R"({"type":"UNINSTALL","locationId":"loc"})",
          R"({"type":"INSTALL","appId":"theirs","companyId":"comp","locationId":"loc"})",
          R"({"type":"PLAN_CHANGE","appId":"theirs"})"})
        CHECK(follow(options, text) == install_step::none);
    CHECK(fake.calls.empty());
    CHECK(
        follow(options, R"({"type":"UNINSTALL","appId":"ours","locationId":"loc"})") ==
        install_step::removed);
}

TEST_CASE("an_app_brings_its_id_along", "[webhooks]") {
    auth::oauth_app const real{"64f0aa-l1x2", "secret"};
    CHECK(real.app_id() == "64f0aa");
    CHECK_FALSE(real.attached());
    webhooks::installs_options const options{real};
    CHECK(options.app_id == "64f0aa");
    CHECK_FALSE(options.connected());
    // Without a client nothing can be asked, however long it is waited.
    CHECK_THROWS_AS(
        follow(options, R"({"type":"INSTALL","appId":"64f0aa","locationId":"loc"})"),
        highlevel::error);
}

TEST_CASE("an_uninstall_forgets_the_token", "[webhooks]") {
    app fake;
    CHECK(
        follow(fake.options(), R"({"type":"UNINSTALL","companyId":"comp","locationId":"loc"})") ==
        install_step::removed);
    CHECK(
        follow(fake.options(), R"({"type":"UNINSTALL","companyId":"comp"})") ==
        install_step::removed);
    CHECK(fake.calls == std::vector<std::string>{"forget location:loc", "forget company:comp"});
}

TEST_CASE("other_events_leave_the_tokens_alone", "[webhooks]") {
    app fake;
    for (auto const* text :
         {R"({"type":"INSTALL","companyId":"comp"})", R"({"type":"INSTALL"})",
          R"({"type":"UNINSTALL"})", R"({"type":"ContactCreate","locationId":"loc"})"})
        CHECK(follow(fake.options(), text) == install_step::none);
    CHECK(
        follow(fake.options(), R"({"type":"PLAN_CHANGE","newPlanId":"p"})") ==
        install_step::plan_changed);
    CHECK(fake.calls.empty());
}

TEST_CASE("options_of_installs_are_checked", "[webhooks]") {
    app fake;
    auto const complains = [&](auto change, const char* field) {
        auto options = fake.options();
        change(options);
        CHECK_THROWS_WITH(webhooks::installs{options}, test::contains(field));
    };
    complains([](auto& o) { o.install = nullptr; }, "install");
    complains([](auto& o) { o.forget = nullptr; }, "forget");
    complains([](auto& o) { o.wait = -1ms; }, "wait");
    complains([](auto& o) { o.poll = 0ms; }, "poll");
}
