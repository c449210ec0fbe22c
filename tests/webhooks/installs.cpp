// SPDX-License-Identifier: BSL-1.0
//
// Tokens follow installs: minted on INSTALL, also when it comes before the code exchange, and
// forgotten on UNINSTALL.
#include "support/catch.hpp"

#include <highlevel/webhooks/installs.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <chrono>
#include <string>
#include <string_view>
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
    std::vector<std::string> calls;

    webhooks::installs_options options() {
        webhooks::installs_options made;
        made.install = [this](std::string company, std::string location) {
            return install(std::move(company), std::move(location));
        };
        made.forget = [this](auth::resource what) { return forget(std::move(what)); };
        made.wait = 1h;
        made.poll = 1ms;
        return made;
    }

private:
    asio::awaitable<void> install(std::string company, std::string location) {
        calls.push_back("install " + company + " " + location);
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
         {R"({"type":"INSTALL","companyId":"comp"})", R"({"type":"INSTALL","locationId":"loc"})",
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
