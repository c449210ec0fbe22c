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
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace webhooks_installs_tests {

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
    // What HighLevel would say; nothing: it does not answer.
    std::optional<bool> installed = true;
    std::vector<std::string> calls;
    // What an attempt waits for, and what HighLevel's answer does, when they are set.
    std::shared_ptr<highlevel::detail::one_shot> gate;
    std::shared_ptr<highlevel::detail::one_shot> answer;

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
    webhooks::installs_options asking_options() {
        auto made = options();
        made.still_installed = [this](auth::resource what) { return ask(std::move(what)); };
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
    asio::awaitable<bool> ask(auth::resource what) {
        calls.push_back("ask " + what.key());
        if (answer) co_await answer->async_wait(asio::use_awaitable);
        if (!installed)
            throw highlevel::error{highlevel::failure{make_error_code(errc::timeout), {}}};
        co_return *installed;
    }
};

// A clock that stands still until it is told, and wakes who sleeps by it.
class fake_clock {
public:
    using time_point = webhooks::installs_options::time_point;
    using bell = std::shared_ptr<highlevel::detail::one_shot>;

    void set(webhooks::installs_options& options) {
        options.now = [this] { return now_; };
        options.sleep_until = [this](time_point when) { return sleep(when); };
    }
    void advance(std::chrono::milliseconds by) {
        now_ += by;
        for (auto const& [when, each] : sleeping_)
            if (when <= now_) each->ring();
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

install_step follow(const webhooks::installs& by, std::string_view text) {
    webhooks::event event;
    REQUIRE(webhooks::decode_event(text, event));
    asio::io_context context;
    auto made = asio::co_spawn(context, by.follow(event), asio::use_future);
    context.run();
    return made.get();
}

install_step follow(const webhooks::installs_options& options, std::string_view text) {
    return follow(webhooks::installs{options}, text);
}

// Waits for longer than anybody does.
asio::awaitable<void> hang() {
    asio::steady_timer timer{co_await asio::this_coro::executor, 24h};
    co_await timer.async_wait(asio::use_awaitable);
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
    }
    SECTION("and may come to its end before") {
        following one{installs, install};
        clock.advance(59s);
        fake.gate->ring();
        one.poll();
        CHECK(one.result() == install_step::installed);
        CHECK(one.quiet());
    }
    SECTION("and ends when it is cancelled") {
        following one{installs, install};
        one.cancel();
        CHECK(one.error() == asio::error::operation_aborted);
        CHECK(one.quiet());
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
    }
}

TEST_CASE("a_late_repetition_of_an_uninstall_takes_no_live_token", "[webhooks]") {
    app fake;
    webhooks::installs const installs{fake.asking_options()};
    constexpr std::string_view uninstall = R"({"type":"UNINSTALL","appId":"a","locationId":"loc"})";
    fake.installed = false;
    CHECK(follow(installs, uninstall) == install_step::removed);
    CHECK(fake.calls == std::vector<std::string>{"ask location:loc", "forget location:loc"});
    fake.installed = true;
    CHECK(follow(installs, install) == install_step::installed);
    fake.calls.clear();
    CHECK(follow(installs, uninstall) == install_step::outdated);
    CHECK(
        follow(installs, R"({"type":"UNINSTALL","appId":"a","companyId":"comp"})") ==
        install_step::outdated);
    CHECK(fake.calls == std::vector<std::string>{"ask location:loc", "ask company:comp"});
}

TEST_CASE("a_token_is_kept_when_nobody_says_that_it_is_of_no_more_use", "[webhooks]") {
    app fake;
    fake.installed = std::nullopt;
    CHECK_THROWS_AS(
        follow(fake.asking_options(), R"({"type":"UNINSTALL","locationId":"loc"})"),
        highlevel::error);
    CHECK(fake.calls == std::vector<std::string>{"ask location:loc"});
}

TEST_CASE("an_uninstall_from_before_an_install_is_outdated", "[webhooks]") {
    app fake;
    webhooks::installs const installs{fake.options()};
    auto const at = [](std::string_view second, std::string_view what) {
        return R"({"timestamp":"2026-11-24T10:00:)" + std::string{second} + R"(Z",)" +
            std::string{what};
    };
    auto const* const gone = R"("type":"UNINSTALL","locationId":"loc"})";
    auto const* const all_gone = R"("type":"UNINSTALL","companyId":"comp"})";
    auto const* const here = R"("type":"INSTALL","companyId":"comp","locationId":"loc"})";
    CHECK(follow(installs, at("05", here)) == install_step::installed);
    // One that is repeated does not make it older.
    CHECK(follow(installs, at("03", here)) == install_step::installed);
    fake.calls.clear();
    CHECK(follow(installs, at("04", gone)) == install_step::outdated);
    CHECK(follow(installs, at("04", all_gone)) == install_step::outdated);
    CHECK(fake.calls.empty());
    // Other places, later times, and those that say none.
    CHECK(
        follow(installs, at("04", R"("type":"UNINSTALL","locationId":"other"})")) ==
        install_step::removed);
    CHECK(follow(installs, at("06", gone)) == install_step::removed);
    CHECK(follow(installs, at("06", all_gone)) == install_step::removed);
    CHECK(follow(installs, R"({"type":"UNINSTALL","locationId":"loc"})") == install_step::removed);
    // An INSTALL of the company alone says nothing of its locations.
    CHECK(
        follow(installs, at("20", R"("type":"INSTALL","companyId":"comp"})")) ==
        install_step::none);
    CHECK(follow(installs, at("10", gone)) == install_step::removed);
    CHECK(follow(installs, at("10", all_gone)) == install_step::outdated);
}

TEST_CASE("what_was_installed_of_very_many_places_is_forgotten_by_age", "[webhooks]") {
    app fake;
    webhooks::installs const installs{fake.options()};
    auto const event = [](std::string_view type, int second, int place) {
        return R"({"type":")" + std::string{type} + R"(","timestamp":)" +
            std::to_string(1'800'000'000 + second) + R"(,"locationId":"l)" + std::to_string(place) +
            R"("})";
    };
    for (int i = 0; i <= 4096; ++i)
        REQUIRE(follow(installs, event("INSTALL", 1000 + i, i)) == install_step::installed);
    CHECK(follow(installs, event("UNINSTALL", 0, 0)) == install_step::removed);
    CHECK(follow(installs, event("UNINSTALL", 0, 1)) == install_step::outdated);
    CHECK(follow(installs, event("UNINSTALL", 0, 4096)) == install_step::outdated);
}

TEST_CASE("an_install_that_was_overtaken_goes_by_what_highlevel_says", "[webhooks]") {
    app fake;
    fake_clock clock;
    auto options = fake.asking_options();
    options.wait = 1min;
    clock.set(options);
    webhooks::installs const installs{options};
    // The code has not come, so that nobody can say that the app is installed.
    fake.without_token = 2;
    fake.installed = false;
    following waiting{installs, install};
    following overtaking{installs, R"({"type":"UNINSTALL","locationId":"loc"})"};
    CHECK(overtaking.result() == install_step::removed);
    clock.advance(1s);
    waiting.poll();
    REQUIRE_FALSE(waiting.done());
    SECTION("it is installed") {
        fake.installed = true;
        clock.advance(1s);
        waiting.poll();
        CHECK(waiting.result() == install_step::installed);
        CHECK(fake.calls.back() == "ask location:loc");
    }
    SECTION("it is not, and what was minted goes") {
        clock.advance(1s);
        waiting.poll();
        CHECK(waiting.result() == install_step::removed);
        CHECK(fake.calls.back() == "forget location:loc");
    }
    SECTION("the code never comes") {
        fake.without_token = 1000;
        for (int i = 0; i < 120 && !waiting.done(); ++i) {
            clock.advance(500ms);
            waiting.poll();
        }
        CHECK(waiting.result() == install_step::removed);
    }
}

TEST_CASE("an_install_that_comes_while_highlevel_is_asked_is_not_overtaken", "[webhooks]") {
    app fake;
    fake_clock clock;
    auto options = fake.asking_options();
    options.wait = 1min;
    clock.set(options);
    webhooks::installs const installs{options};
    auto const* const gone = GENERATE(
        R"({"type":"UNINSTALL","locationId":"loc"})", R"({"type":"UNINSTALL","companyId":"comp"})");
    fake.installed = false;
    fake.without_token = 2;
    fake.answer = std::make_shared<highlevel::detail::one_shot>();
    // One INSTALL before the UNINSTALL, and one while HighLevel is asked about it.
    following before{installs, install};
    following removing{installs, gone};
    following after{installs, install};
    REQUIRE_FALSE(removing.done());
    fake.answer->ring();
    removing.poll();
    CHECK(removing.result() == install_step::removed);
    fake.answer.reset();
    clock.advance(1s);
    after.poll();
    CHECK(after.result() == install_step::installed);
    CHECK(fake.calls.back() == "install comp loc");
    before.poll();
    CHECK(before.result() == install_step::removed);
    CHECK(fake.calls.back() == "forget location:loc");
}

TEST_CASE("an_event_loop_that_ends_takes_along_what_is_being_followed", "[webhooks]") {
    app fake;
    auto options = fake.options();
    options.install = [](const std::string&, const std::string&) { return hang(); };
    webhooks::installs const installs{options};
    webhooks::event event;
    REQUIRE(webhooks::decode_event(install, event));
    auto const held = std::make_shared<int>();
    {
        asio::io_context context;
        asio::co_spawn(
            context, installs.follow(event), [held](const std::exception_ptr&, install_step) {});
        context.poll();
        REQUIRE(held.use_count() == 2);
    }
    CHECK(held.use_count() == 1);
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
    complains([](auto& o) { o.wait = std::chrono::milliseconds::max(); }, "wait");
    complains([](auto& o) { o.poll = 0ms; }, "poll");
    complains([](auto& o) { o.poll = std::chrono::milliseconds::max(); }, "poll");
}

} // namespace webhooks_installs_tests
