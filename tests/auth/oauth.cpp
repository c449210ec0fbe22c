// SPDX-License-Identifier: BSL-1.0
//
// An OAuth app over a network that answers when the test says so, and a store that fails when the
// test says so.

#include "support/catch.hpp"
#include "support/scripted_transport.hpp"

#include <highlevel/auth/memory_token_store.hpp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/detail/one_shot.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace auth = highlevel::auth;
namespace http = highlevel::http;
using highlevel::errc;

namespace {

/// Holds each exchange back until the test lets it go.
class gated_transport final : public http::transport {
public:
    asio::awaitable<http::exchange_result> exchange(
        const http::request& r, http::exchange_options /*options*/) override {
        targets.push_back(r.target);
        bodies.push_back(r.body);
        auto const gate = std::make_shared<highlevel::detail::one_shot>();
        if (open) gate->ring();
        waiting.push_back(gate);
        co_await gate->async_wait(asio::use_awaitable);
        if (answers.empty()) co_return test::scripted_transport::reply(500);
        auto next = answers.front();
        if (answers.size() > 1) answers.erase(answers.begin());
        co_return next;
    }
    void close() noexcept override {}

    bool open = true;
    std::vector<std::string> targets;
    std::vector<std::string> bodies;
    std::vector<http::exchange_result> answers;
    std::vector<std::shared_ptr<highlevel::detail::one_shot>> waiting;
};

/// A store in memory that fails or hangs.
class troubled_store final : public auth::token_store {
public:
    asio::awaitable<std::optional<auth::token>> load(auth::resource what) override {
        if (hanging) {
            asio::steady_timer never{
                co_await asio::this_coro::executor, asio::steady_timer::time_point::max()};
            co_await never.async_wait(asio::use_awaitable);
        }
        co_return co_await inner.load(std::move(what));
    }
    asio::awaitable<std::optional<std::uint64_t>> replace(
        auth::resource what, std::uint64_t expected, auth::token value) override {
        ++writes;
        if (failures != 0) {
            --failures;
            throw std::runtime_error{"disk full"};
        }
        co_return co_await inner.replace(std::move(what), expected, std::move(value));
    }
    asio::awaitable<void> erase(auth::resource what) override {
        co_await inner.erase(std::move(what));
    }
    asio::awaitable<std::optional<auth::lease>> try_lock(
        auth::resource what, std::chrono::milliseconds ttl) override {
        co_return co_await inner.try_lock(std::move(what), ttl);
    }
    asio::awaitable<void> unlock(auth::lease held) override {
        co_await inner.unlock(std::move(held));
    }
    asio::awaitable<std::vector<auth::resource>> list() override {
        co_return co_await inner.list();
    }

    auth::memory_token_store inner;
    int failures = 0;
    int writes = 0;
    bool hanging = false;
};

http::exchange_result pair_of(const std::string& name) {
    return test::scripted_transport::reply(
        200,
        R"({"access_token":")" + name + R"(","refresh_token":"refresh of )" + name +
            R"(","expires_in":86399,"userType":"Location","locationId":"loc","companyId":"com"})");
}

/// An app that is attached as a client would attach it.
class bench {
public:
    bench() : app(settings(store)) {
        auth::attachment lent;
        lent.executor = context.get_executor();
        lent.transport = network;
        source()->attach(lent);
    }

    static auth::oauth_options settings(std::shared_ptr<auth::token_store> store) {
        auth::oauth_options o;
        o.client_id = "app-12345678";
        o.client_secret = auth::secret{"made-up"};
        o.store = std::move(store);
        o.refresh.base_delay = 1ms;
        o.refresh.max_delay = 5ms;
        o.refresh.store_timeout = 50ms;
        return o;
    }

    std::shared_ptr<auth::provider> source() const {
        return static_cast<auth::credentials>(app).source();
    }

    /// Puts a token into the store that has ended.
    void hold_ended() {
        auth::token t;
        t.access = auth::secret{"old"};
        t.refresh = auth::secret{"refresh of old"};
        t.issued_at = auth::timestamp{1000ms};
        t.expires_at = auth::timestamp{2000ms};
        t.location_id = "loc";
        t.company_id = "com";
        (void)run(store->inner.replace(what, 0, t));
    }

    template <class T>
    T run(asio::awaitable<T> work) {
        std::optional<T> made;
        std::exception_ptr thrown;
        asio::co_spawn(context, std::move(work), [&](std::exception_ptr e, T value) {
            thrown = e;
            made.emplace(std::move(value));
        });
        run_until([&] { return made.has_value(); });
        if (thrown) std::rethrow_exception(thrown);
        return *std::move(made);
    }
    void run_until(const std::function<bool()>& met) {
        context.restart();
        while (!met())
            REQUIRE(context.run_one_for(20s) == 1);
    }

    auth::grant ask(
        std::chrono::steady_clock::time_point until =
            std::chrono::steady_clock::time_point::max()) {
        return run(source()->authorize(wanted(until)));
    }
    static auth::token_request wanted(
        std::chrono::steady_clock::time_point until =
            std::chrono::steady_clock::time_point::max()) {
        auth::token_request r{auth::resource_kind::location, "loc", highlevel::token_kinds::any};
        r.deadline = until;
        return r;
    }

    /// Asks until there is that token: a failure is remembered for some milliseconds.
    bool comes(const std::string& name) {
        auto const until = std::chrono::steady_clock::now() + 20s;
        while (std::chrono::steady_clock::now() < until) {
            auto const got = ask();
            if (got.token && got.token->reveal() == name) return true;
        }
        return false;
    }

    auth::resource const what = auth::resource::location("loc");
    asio::io_context context;
    std::shared_ptr<gated_transport> network = std::make_shared<gated_transport>();
    std::shared_ptr<troubled_store> store = std::make_shared<troubled_store>();
    auth::oauth_app app;
};

std::string text(const auth::grant& g) {
    return g.token ? std::string{g.token->reveal()} : std::string{};
}

} // namespace

TEST_CASE("a_code_is_not_lost_to_a_store_that_fails", "[auth]") {
    bench b;
    b.network->answers = {pair_of("bought")};
    b.store->failures = 20;
    try {
        (void)b.run(b.app.exchange_code(auth::secret{"code"}));
        FAIL("an exchange was reported as done that is not stored");
    } catch (const highlevel::error& e) {
        CHECK(std::string{e.what()}.find("disk full") != std::string::npos);
        CHECK(std::string{e.what()}.find("kept in memory") != std::string::npos);
    }
    // It goes on by itself, and asks the server for nothing more.
    CHECK(b.run(b.app.finish()));
    CHECK(text(b.ask()) == "bought");
    CHECK(b.network->targets == std::vector<std::string>{"/oauth/token"});
    CHECK(b.run(b.store->inner.load(b.what))->access == auth::secret{"bought"});
}

TEST_CASE("a_pair_that_the_end_of_a_client_left_unstored_is_stored_by_the_next", "[auth]") {
    bench b;
    b.hold_ended();
    b.network->answers = {pair_of("new")};
    b.store->failures = 1'000'000;
    auto const got = b.ask();
    CHECK(got.detail.find("disk full") != std::string::npos);
    b.source()->detach(*b.network);
    CHECK_FALSE(b.run(b.app.finish()));
    b.store->failures = 0;
    auth::attachment lent;
    lent.executor = b.context.get_executor();
    lent.transport = b.network;
    b.source()->attach(lent);
    CHECK(b.comes("new"));
    CHECK(b.network->targets.size() == 1);
}

TEST_CASE("a_caller_that_is_cancelled_leaves_the_flight_to_the_others", "[auth]") {
    bench b;
    b.hold_ended();
    b.network->open = false;
    b.network->answers = {pair_of("new")};
    asio::cancellation_signal stop;
    std::optional<auth::grant> first;
    std::optional<auth::grant> second;
    asio::co_spawn(
        b.context, b.source()->authorize(bench::wanted()),
        asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr e, auth::grant g) {
            first = e ? auth::grant{asio::error::operation_aborted, {}} : std::move(g);
        }));
    asio::co_spawn(
        b.context, b.source()->authorize(bench::wanted()),
        [&](std::exception_ptr, auth::grant g) { second = std::move(g); });
    b.run_until([&] { return !b.network->waiting.empty(); });
    stop.emit(asio::cancellation_type::terminal);
    b.run_until([&] { return first.has_value(); });
    CHECK(first->error == asio::error::operation_aborted);
    CHECK_FALSE(second);
    b.network->waiting.front()->ring();
    b.run_until([&] { return second.has_value(); });
    CHECK(text(*second) == "new");
    CHECK(b.network->targets.size() == 1);
}

TEST_CASE("a_caller_waits_for_a_token_no_longer_than_its_deadline", "[auth]") {
    bench b;
    b.hold_ended();
    b.network->open = false;
    b.network->answers = {pair_of("new")};
    CHECK(b.ask(std::chrono::steady_clock::now() + 10ms).error == errc::timeout);
    b.network->waiting.front()->ring();
    CHECK(text(b.ask()) == "new");
}

TEST_CASE("a_refresh_that_is_under_way_is_stored_though_its_client_has_ended", "[auth]") {
    bench b;
    b.hold_ended();
    b.network->open = false;
    b.network->answers = {pair_of("new")};
    std::optional<auth::grant> got;
    asio::co_spawn(
        b.context, b.source()->authorize(bench::wanted()),
        [&](std::exception_ptr, auth::grant g) { got = std::move(g); });
    b.run_until([&] { return !b.network->waiting.empty(); });
    b.source()->detach(*b.network);
    b.network->waiting.front()->ring();
    b.run_until([&] { return got.has_value(); });
    CHECK(b.run(b.store->inner.load(b.what))->access == auth::secret{"new"});
}

TEST_CASE("a_store_that_never_answers_fails_the_call_and_not_the_app", "[auth]") {
    bench b;
    b.hold_ended();
    b.store->hanging = true;
    auto const got = b.ask();
    CHECK(got.error == errc::timeout);
    CHECK(got.detail.find("the token store") != std::string::npos);
    b.store->hanging = false;
    b.network->answers = {pair_of("new")};
    CHECK(b.comes("new"));
}

TEST_CASE("a_removal_is_not_undone_by_a_refresh_that_is_under_way", "[auth]") {
    bench b;
    b.hold_ended();
    b.network->open = false;
    b.network->answers = {pair_of("new")};
    std::optional<auth::grant> got;
    bool gone = false;
    asio::co_spawn(
        b.context, b.source()->authorize(bench::wanted()),
        [&](std::exception_ptr, auth::grant g) { got = std::move(g); });
    b.run_until([&] { return !b.network->waiting.empty(); });
    asio::co_spawn(b.context, b.app.forget(b.what), [&](std::exception_ptr) { gone = true; });
    b.context.restart();
    b.context.poll();
    b.network->waiting.front()->ring();
    b.run_until([&] { return got && gone; });
    CHECK(got->error == errc::no_token);
    CHECK_FALSE(b.run(b.store->inner.load(b.what)));
}

TEST_CASE("a_call_of_the_app_does_not_sleep_as_long_as_a_server_likes", "[auth]") {
    bench b;
    b.network->answers = {pair_of("company")};
    b.network->answers.front().reply.body =
        R"({"access_token":"c","refresh_token":"r","expires_in":86399,"userType":"Company","companyId":"com"})";
    (void)b.run(b.app.exchange_code(auth::secret{"code"}));
    auto busy = test::scripted_transport::reply(429, R"({"message":"Too Many Requests"})");
    busy.reply.fields.add("retry-after", "3600");
    b.network->answers = {busy};
    CHECK_THROWS_AS(b.run(b.app.installed_locations("com")), highlevel::error);
    CHECK(b.network->targets.size() == 2);
}

TEST_CASE("why_a_refresh_was_refused_reaches_the_grant", "[auth]") {
    bench b;
    b.hold_ended();
    b.network->answers = {
        test::scripted_transport::reply(400, R"({"message":"Location is not active"})")};
    auto const got = b.ask();
    REQUIRE(got.refusal);
    CHECK(got.refusal->status == 400);
    CHECK(got.refusal->cause == highlevel::cause::forbidden);
    CHECK(got.refusal->messages == std::vector<std::string>{"Location is not active"});
    CHECK_FALSE(got.refusal->hint.empty());
}
