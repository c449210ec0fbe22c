// SPDX-License-Identifier: BSL-1.0
//
// Tests of auth/impl/timed_source.ipp: who asks a source that may take as long as it likes is let
// go in time, and nobody else.
#include "support/catch.hpp"
#include "support/run.hpp"
#include "support/scripted_transport.hpp"

#include <highlevel/auth/credentials.hpp>
#include <highlevel/detail/one_shot.hpp>
#include <highlevel/highlevel.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace auth_timed_source_tests {

namespace {

namespace asio = boost::asio;
using highlevel::errc;
using highlevel::auth::attachment;
using highlevel::auth::credentials;
using highlevel::auth::grant;
using highlevel::auth::provider;
using highlevel::auth::resource_kind;
using highlevel::auth::secret;
using highlevel::auth::token_request;
using highlevel::detail::one_shot;

/// Answers each question when its bell is rung.
class slow_source final : public provider {
public:
    asio::awaitable<grant> authorize(token_request request) override {
        asked.emplace_back(request.id);
        auto const bell = bells.emplace_back(std::make_shared<one_shot>());
        boost::system::error_code ec;
        co_await bell->async_wait(asio::redirect_error(asio::use_awaitable, ec));
        if (ec == asio::error::operation_aborted) ++cancelled;
        co_return grant{
            std::make_shared<const secret>("slow"), highlevel::token_kinds::location_private};
    }
    [[nodiscard]] grant try_authorize(const token_request& /*request*/) override { return at_hand; }
    asio::awaitable<bool> renew(
        token_request /*request*/, std::shared_ptr<const secret> refused) override {
        co_return refused != nullptr;
    }
    [[nodiscard]] bool keeps_deadlines() const noexcept override { return keeps; }
    void attach(const attachment& client) override {
        if (broken) throw std::runtime_error{"broken"};
        attached.push_back(client.transport.get());
    }
    void detach(const highlevel::http::transport& client) noexcept override {
        detached.push_back(&client);
    }

    std::vector<std::shared_ptr<one_shot>> bells;
    grant at_hand;
    bool keeps = false;
    bool broken = false; // attach() throws
    std::vector<std::string> asked;
    int cancelled = 0;
    std::vector<const highlevel::http::transport*> attached;
    std::vector<const highlevel::http::transport*> detached;
};

class fixture {
public:
    /// Asks as a client of that transport would; without one as nobody's.
    std::shared_ptr<std::optional<grant>> ask(const highlevel::http::transport* asker) {
        auto const out = std::make_shared<std::optional<grant>>();
        token_request wanted{
            resource_kind::location, "loc1", highlevel::token_kinds::location_private};
        wanted.asker = asker;
        asio::co_spawn(
            context, subject->authorize(wanted), [out](std::exception_ptr thrown, grant got) {
                if (thrown) std::rethrow_exception(thrown);
                *out = std::move(got);
            });
        return out;
    }

    void attach(const std::shared_ptr<test::scripted_transport>& to) {
        attachment client;
        client.executor = context.get_executor();
        client.transport = to;
        subject->attach(client);
    }

    asio::io_context context;
    std::shared_ptr<slow_source> source = std::make_shared<slow_source>();
    std::shared_ptr<provider> subject = credentials{source}.source();
    std::shared_ptr<test::scripted_transport> first = std::make_shared<test::scripted_transport>();
    std::shared_ptr<test::scripted_transport> second = std::make_shared<test::scripted_transport>();
};

} // namespace

TEST_CASE("a_source_that_keeps_deadlines_is_asked_itself", "[auth]") {
    auto const source = std::make_shared<slow_source>();
    CHECK(credentials{source}.source() != source);
    CHECK(credentials{source}.source()->keeps_deadlines());
    source->keeps = true;
    CHECK(credentials{source}.source() == source);
    CHECK_FALSE(credentials{std::shared_ptr<provider>{}});
}

TEST_CASE("a_source_that_takes_its_time_gives_what_it_has", "[auth]") {
    fixture f;
    auto const got = f.ask(nullptr);
    test::run_until(f.context, [&] { return !f.source->asked.empty(); });
    CHECK(f.source->asked == std::vector<std::string>{"loc1"});
    f.source->bells.at(0)->ring();
    test::run_until(f.context, [&] { return got->has_value(); });
    CHECK_FALSE((*got)->error);
    REQUIRE((*got)->token);
    CHECK((*got)->token->reveal() == "slow");
    // What takes no time is not asked beside.
    CHECK_FALSE(f.subject->try_authorize(token_request{}).token);
    f.source->at_hand.token = std::make_shared<const secret>("quick");
    CHECK(f.subject->try_authorize(token_request{}).token->reveal() == "quick");
    bool renewed = false;
    auto const work = [&]() -> asio::awaitable<void> {
        auto const refused = std::make_shared<const secret>("old");
        renewed = co_await f.subject->renew(token_request{}, refused);
    };
    test::run(f.context, work());
    CHECK(renewed);
}

TEST_CASE("the_end_of_a_client_lets_those_go_who_ask_for_it", "[auth]") {
    fixture f;
    f.attach(f.first);
    f.attach(f.second);
    CHECK(f.source->attached.size() == 2);
    auto const of_first = f.ask(f.first.get());
    auto const of_second = f.ask(f.second.get());
    auto const of_nobody = f.ask(nullptr);
    test::run_until(f.context, [&] { return f.source->asked.size() == 3; });

    f.subject->detach(*f.first);
    CHECK(f.source->detached.size() == 1);
    test::run_until(f.context, [&] { return of_first->has_value() && f.source->cancelled == 1; });
    CHECK(((*of_first)->error == asio::error::operation_aborted));
    CHECK_FALSE((*of_first)->token);
    // For those who come later it is not asked at all: what its client lent must not be used.
    auto const late = f.ask(f.first.get());
    test::run_until(f.context, [&] { return late->has_value(); });
    CHECK(((*late)->error == asio::error::operation_aborted));
    CHECK(f.source->asked.size() == 3);
    CHECK_FALSE(of_second->has_value());
    CHECK_FALSE(of_nobody->has_value());

    f.subject->detach(*f.second);
    test::run_until(f.context, [&] { return of_second->has_value(); });
    CHECK(((*of_second)->error == asio::error::operation_aborted));
    CHECK_FALSE(of_nobody->has_value());

    for (auto const& bell : f.source->bells)
        bell->ring();
    test::run_until(f.context, [&] { return of_nobody->has_value(); });
    CHECK((*of_nobody)->token);
    f.context.run();
}

TEST_CASE("a_client_that_a_source_does_not_take_is_none_of_its_clients", "[auth]") {
    fixture f;
    f.source->broken = true;
    CHECK_THROWS_WITH(f.attach(f.first), "broken");
    auto const got = f.ask(f.first.get());
    test::run_until(f.context, [&] { return got->has_value(); });
    CHECK(((*got)->error == asio::error::operation_aborted));
    CHECK(f.source->asked.empty());
}

} // namespace auth_timed_source_tests
