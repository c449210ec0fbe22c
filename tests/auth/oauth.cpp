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
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace auth_oauth_tests {

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
        if (on_exchange) on_exchange(r.target);
        // Only the list has the bell, so that clearing it lets go of who waits.
        waiting.push_back(std::make_shared<highlevel::detail::one_shot>());
        if (open) waiting.back()->ring();
        co_await waiting.back()->async_wait(asio::use_awaitable);
        if (answers.empty()) co_return test::scripted_transport::reply(500);
        auto next = answers.front();
        if (answers.size() > 1) answers.erase(answers.begin());
        co_return next;
    }
    void close() noexcept override {}

    bool open = true;
    std::function<void(const std::string& target)> on_exchange;
    std::vector<std::string> targets;
    std::vector<std::string> bodies;
    std::vector<http::exchange_result> answers;
    std::vector<std::shared_ptr<highlevel::detail::one_shot>> waiting;
};

/// Holds functions of a store back until the test lets them go.
class gate {
public:
    bool closed = false;

    asio::awaitable<void> pass() {
        if (!closed) co_return;
        waiting_.push_back(std::make_shared<highlevel::detail::one_shot>());
        auto const mine = waiting_.back();
        co_await mine->async_wait(asio::use_awaitable);
    }
    void open() {
        closed = false;
        for (auto const& w : std::exchange(waiting_, {}))
            w->ring();
    }
    [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

private:
    std::vector<std::shared_ptr<highlevel::detail::one_shot>> waiting_;
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
        co_await loads.pass();
        co_return co_await inner.load(std::move(what));
    }
    asio::awaitable<std::optional<std::uint64_t>> replace(
        auth::resource what, std::uint64_t expected, auth::token value) override {
        ++writes;
        if (failures != 0) {
            --failures;
            if (says_nothing) throw boost::system::system_error{{}};
            throw std::runtime_error{"disk full"};
        }
        co_return co_await inner.replace(std::move(what), expected, std::move(value));
    }
    asio::awaitable<void> erase(auth::resource what) override {
        co_await erasures.pass();
        co_await inner.erase(std::move(what));
    }
    asio::awaitable<std::optional<auth::lease>> try_lock(
        auth::resource what, std::chrono::milliseconds ttl) override {
        co_await leases.pass();
        co_return co_await inner.try_lock(std::move(what), ttl);
    }
    asio::awaitable<void> unlock(auth::lease held) override {
        co_await inner.unlock(std::move(held));
    }
    asio::awaitable<std::vector<auth::resource>> list() override {
        co_return co_await inner.list();
    }

    /// What leases are timed by.
    std::shared_ptr<std::chrono::steady_clock::time_point> time =
        std::make_shared<std::chrono::steady_clock::time_point>();
    auth::memory_token_store inner{[now = time] { return *now; }};
    int failures = 0;
    int writes = 0;
    bool says_nothing = false; // the exception of a failure has no error code
    bool hanging = false;
    gate loads;
    gate leases;
    gate erasures;
};

http::exchange_result company_pair_of(const std::string& name) {
    return test::scripted_transport::reply(
        200,
        R"({"access_token":")" + name + R"(","refresh_token":"refresh of )" + name +
            R"(","expires_in":86399,"userType":"Company","companyId":"com"})");
}
http::exchange_result pair_of(const std::string& name) {
    return test::scripted_transport::reply(
        200,
        R"({"access_token":")" + name + R"(","refresh_token":"refresh of )" + name +
            R"(","expires_in":86399,"userType":"Location","locationId":"loc","companyId":"com"})");
}

/// An app that is attached as a client would attach it.
class bench {
public:
    explicit bench(const std::function<void(auth::oauth_options&)>& adjust = {})
        : app(adjusted(settings(store), adjust)) {
        attach(context, network);
    }

    /// A client on that context begins.
    void attach(asio::io_context& on, std::shared_ptr<http::transport> through) const {
        auth::attachment lent;
        lent.executor = on.get_executor();
        lent.transport = std::move(through);
        source()->attach(lent);
    }

    static auth::oauth_options adjusted(
        auth::oauth_options o, const std::function<void(auth::oauth_options&)>& adjust) {
        if (adjust) adjust(o);
        return o;
    }

    static auth::oauth_options settings(std::shared_ptr<auth::token_store> store) {
        auth::oauth_options o;
        o.client_id = "app-12345678";
        o.client_secret = auth::secret{"made-up"};
        o.store = std::move(store);
        o.refresh.base_delay = 1ms;
        o.refresh.max_delay = 5ms;
        // No test gets there but those that are about it.
        o.refresh.store_timeout = 20s;
        return o;
    }

    std::shared_ptr<auth::provider> source() const {
        return static_cast<auth::credentials>(app).source();
    }

    /// Puts a token of the location into the store that has ended.
    void hold_ended(const std::string& id = "loc") {
        auth::token t;
        t.access = auth::secret{"old"};
        t.refresh = auth::secret{"refresh of old"};
        t.issued_at = auth::timestamp{1000ms};
        t.expires_at = auth::timestamp{2000ms};
        t.location_id = id;
        t.company_id = "com";
        (void)run(store->inner.replace(auth::resource::location(id), 0, t));
    }

    /// Installs the app on what the answer names.
    void install(http::exchange_result answer) {
        network->answers = {std::move(answer)};
        (void)run(app.exchange_code(auth::secret{"code"}));
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

TEST_CASE("a_token_is_at_hand_once_it_was_fetched_and_while_it_is_good", "[auth]") {
    bench b;
    auto const source = b.source();
    auto const at_hand = [&] { return source->try_authorize(bench::wanted()); };
    CHECK_FALSE(at_hand().token);
    CHECK_FALSE(at_hand().error);
    b.install(pair_of("new"));
    REQUIRE(text(b.ask()) == "new");
    CHECK(text(at_hand()) == "new");
    CHECK(at_hand().kind == highlevel::token_kinds::location_oauth);
    // Neither for another account, nor for an operation that takes none of its kind.
    auto other = bench::wanted();
    other.id = "other";
    CHECK_FALSE(source->try_authorize(other).token);
    other = bench::wanted();
    other.accepted = highlevel::token_kinds::location_private;
    CHECK(source->try_authorize(other).error == errc::wrong_token_kind);
    // A refused one is to be renewed first.
    b.network->answers = {pair_of("renewed")};
    CHECK(b.run(source->renew(bench::wanted(), at_hand().token)));
    CHECK(b.comes("renewed"));
    CHECK(text(at_hand()) == "renewed");
}

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
    b.attach(b.context, b.network);
    // Nobody asks for the token.
    auto const writes = b.store->writes;
    b.run_until([&] { return b.store->writes > writes; });
    CHECK(b.run(b.app.finish()));
    CHECK(b.run(b.store->inner.load(b.what))->access == auth::secret{"new"});
    CHECK(b.network->targets.size() == 1);
}

TEST_CASE("a_pair_that_comes_while_its_client_ends_survives_a_store_that_fails_once", "[auth]") {
    bench b;
    b.hold_ended();
    b.network->open = false;
    b.network->answers = {pair_of("new")};
    asio::co_spawn(
        b.context, b.source()->authorize(bench::wanted()), [](std::exception_ptr, auth::grant) {});
    b.run_until([&] { return !b.network->waiting.empty(); });
    b.source()->detach(*b.network);
    b.store->failures = 1;
    b.network->waiting.front()->ring();
    CHECK(b.run(b.app.finish()));
    CHECK(b.store->writes == 2);
    CHECK(b.run(b.store->inner.load(b.what))->access == auth::secret{"new"});
}

TEST_CASE("an_error_without_a_code_is_an_error_all_the_same", "[auth]") {
    // Taken for success, it would say that another process had stored another pair.
    bench b;
    b.hold_ended();
    b.network->answers = {pair_of("new")};
    b.store->failures = 1;
    b.store->says_nothing = true;
    CHECK(text(b.ask()) == "new");
    CHECK(b.store->writes == 2);
    CHECK(b.network->targets.size() == 1);
}

TEST_CASE("a_token_that_names_nobody_is_not_adopted", "[auth]") {
    bench b;
    auth::token t;
    t.access = auth::secret{"a"};
    t.company_id = "com"; // but its kind is that of a location
    auto const adopting = [&]() -> asio::awaitable<bool> {
        try {
            co_await b.app.adopt(t);
        } catch (const highlevel::error& e) {
            co_return e.code() == boost::system::errc::invalid_argument;
        }
        co_return false;
    };
    CHECK(b.run(adopting()));
    CHECK(b.store->writes == 0);
    CHECK(b.run(b.app.finish()));
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
    bench b{[](auth::oauth_options& o) { o.refresh.store_timeout = 50ms; }};
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

TEST_CASE("an_agency_token_that_has_ended_is_renewed_to_mint_a_locations", "[auth]") {
    bench b;
    b.network->answers = {company_pair_of("agency")};
    (void)b.run(b.app.exchange_code(auth::secret{"code"}));
    b.network->answers = {
        test::scripted_transport::reply(401, R"({"statusCode":401,"message":"Invalid JWT"})"),
        company_pair_of("renewed"), pair_of("minted")};
    CHECK(text(b.ask()) == "minted");
    CHECK(
        b.network->targets ==
        std::vector<std::string>{
            "/oauth/token", "/oauth/locationToken", "/oauth/token", "/oauth/locationToken"});
}

TEST_CASE("a_code_is_not_lost_to_the_end_of_its_client", "[auth]") {
    bench b;
    b.network->open = false;
    b.network->answers = {pair_of("bought")};
    bool bought = false;
    std::optional<bool> finished;
    asio::co_spawn(
        b.context, b.app.exchange_code(auth::secret{"code"}),
        [&](std::exception_ptr e, auth::installation) { bought = !e; });
    b.run_until([&] { return !b.network->waiting.empty(); });
    b.source()->detach(*b.network);
    asio::co_spawn(
        b.context, b.app.finish(), [&](std::exception_ptr, bool all) { finished = all; });
    b.context.restart();
    b.context.poll();
    CHECK_FALSE(finished);
    b.network->waiting.front()->ring();
    b.run_until([&] { return finished.has_value(); });
    CHECK(*finished);
    b.run_until([&] { return bought; });
    CHECK(b.run(b.store->inner.load(b.what))->access == auth::secret{"bought"});
}

TEST_CASE("a_code_is_stored_after_a_flight_of_the_client_that_has_ended", "[auth]") {
    bench b;
    b.hold_ended();
    b.network->open = false;
    b.network->answers = {pair_of("bought"), pair_of("refreshed")};
    std::optional<bool> bought;
    asio::co_spawn(
        b.context, b.app.exchange_code(auth::secret{"code"}),
        [&](std::exception_ptr e, auth::installation) { bought = !e; });
    b.run_until([&] { return b.network->waiting.size() == 1; });
    std::optional<auth::grant> got;
    asio::co_spawn(
        b.context, b.source()->authorize(bench::wanted()),
        [&](std::exception_ptr, auth::grant g) { got = std::move(g); });
    b.run_until([&] { return b.network->waiting.size() == 2; });
    b.source()->detach(*b.network);
    b.network->waiting[0]->ring();
    b.context.restart();
    b.context.poll();
    b.network->waiting[1]->ring();
    b.run_until([&] { return bought.has_value(); });
    CHECK(*bought);
    CHECK(b.run(b.store->inner.load(b.what))->access == auth::secret{"bought"});
}

TEST_CASE("an_exchange_goes_through_the_client_of_the_callers_event_loop", "[auth]") {
    bench b;
    asio::io_context never_run;
    auto const other = std::make_shared<gated_transport>();
    b.attach(never_run, other); // the latest
    b.network->answers = {pair_of("bought")};
    (void)b.run(b.app.exchange_code(auth::secret{"code"}));
    CHECK(b.network->targets.size() == 1);
    CHECK(other->targets.empty());
    CHECK(b.run(b.app.resources()).size() == 1);
}

TEST_CASE("a_client_that_ends_takes_its_callers_with_it_and_not_the_flight", "[auth]") {
    bench b;
    b.hold_ended();
    b.network->open = false;
    b.network->answers = {pair_of("new")};
    auto const other = std::make_shared<gated_transport>();
    b.attach(b.context, other);
    std::optional<auth::grant> mine;
    std::optional<auth::grant> others;
    auto const ask = [&](const http::transport& who, std::optional<auth::grant>& into) {
        auto request = bench::wanted();
        request.asker = &who;
        asio::co_spawn(
            b.context, b.source()->authorize(request),
            [&into](std::exception_ptr, auth::grant g) { into = std::move(g); });
    };
    ask(*b.network, mine);
    ask(*other, others);
    // The latest client is the one to work through.
    b.run_until([&] { return !other->waiting.empty() || !b.network->waiting.empty(); });
    b.source()->detach(*b.network);
    b.run_until([&] { return mine.has_value(); });
    CHECK(mine->error == asio::error::operation_aborted);
    CHECK_FALSE(others);
    // One that comes after the end is told at once.
    std::optional<auth::grant> late;
    ask(*b.network, late);
    b.run_until([&] { return late.has_value(); });
    CHECK(late->error == asio::error::operation_aborted);
    other->answers = b.network->answers;
    for (auto const& network : {b.network, other}) {
        for (auto const& held : network->waiting)
            held->ring();
        network->open = true;
    }
    b.run_until([&] { return others.has_value(); });
    CHECK(text(*others) == "new");
}

namespace {

asio::awaitable<void> ask_later(std::shared_ptr<auth::provider> source) {
    // Boost 1.81: what is cancelled and throws before it first suspends throws out of the context.
    co_await asio::post(asio::use_awaitable);
    (void)co_await source->authorize(bench::wanted());
}

} // namespace

TEST_CASE("a_caller_that_is_cancelled_as_it_asks_leaves_no_flight_that_never_begins", "[auth]") {
    asio::cancellation_signal stop;
    bool armed = false;
    bench b{[&](auth::oauth_options& o) {
        o.now = [&stop, &armed, now = o.now] {
            if (std::exchange(armed, false)) stop.emit(asio::cancellation_type::terminal);
            return now();
        };
    }};
    b.hold_ended();
    b.network->answers = {pair_of("new")};
    armed = true;
    bool ended = false;
    asio::co_spawn(
        b.context, ask_later(b.source()),
        asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr) { ended = true; }));
    b.run_until([&] { return ended; });
    CHECK_FALSE(armed);
    CHECK(text(b.ask()) == "new");
}

TEST_CASE("a_store_lives_as_long_as_a_function_of_it_that_took_too_long", "[auth]") {
    bench b{[](auth::oauth_options& o) {
        o.refresh.attempts = 1;
        o.refresh.store_timeout = 50ms;
    }};
    b.hold_ended();
    b.store->loads.closed = true;
    CHECK(b.ask().error == errc::timeout);
    auto& loads = b.store->loads;
    REQUIRE(loads.waiting() == 1);
    std::weak_ptr<troubled_store> const watched = b.store;
    b.app = auth::oauth_app{bench::settings(nullptr)};
    b.store.reset();
    REQUIRE_FALSE(watched.expired());
    loads.open();
    b.run_until([&] { return watched.expired(); });
}

TEST_CASE("a_lease_that_comes_too_late_is_given_back", "[auth]") {
    bench b{[](auth::oauth_options& o) {
        o.refresh.attempts = 1;
        o.refresh.store_timeout = 50ms;
    }};
    b.hold_ended();
    b.store->leases.closed = true;
    CHECK(b.ask().error == errc::timeout);
    REQUIRE(b.store->leases.waiting() == 1);
    b.store->leases.open();
    b.context.restart();
    b.context.poll();
    CHECK(b.run(b.store->inner.try_lock(b.what, 1min)));
}

TEST_CASE("a_flight_that_breaks_off_gives_its_lease_back", "[auth]") {
    bool broken = false;
    bench b{[&](auth::oauth_options& o) {
        o.now = [&broken, now = o.now] {
            if (std::exchange(broken, false)) throw std::runtime_error{"no clock"};
            return now();
        };
    }};
    b.hold_ended();
    b.network->on_exchange = [&](const std::string&) { broken = true; };
    auto const got = b.ask();
    CHECK(got.detail.find("broke off: no clock") != std::string::npos);
    CHECK(b.run(b.store->inner.try_lock(b.what, 1min)));
}

TEST_CASE("a_token_that_was_read_while_it_was_removed_is_not_handed_out_after_it", "[auth]") {
    bench b;
    b.network->answers = {pair_of("bought")};
    (void)b.run(b.app.exchange_code(auth::secret{"code"}));
    b.network->answers = {test::scripted_transport::reply(400, R"({"message":"gone"})")};
    b.store->erasures.closed = true;
    bool gone = false;
    asio::co_spawn(b.context, b.app.forget(b.what), [&](std::exception_ptr) { gone = true; });
    b.run_until([&] { return b.store->erasures.waiting() == 1; });
    CHECK(text(b.ask()) == "bought");
    b.store->erasures.open();
    b.run_until([&] { return gone; });
    CHECK(text(b.ask()).empty());
}

TEST_CASE("an_installation_that_comes_while_a_token_is_removed_stays", "[auth]") {
    bench b;
    b.network->answers = {pair_of("first")};
    (void)b.run(b.app.exchange_code(auth::secret{"code"}));
    b.store->erasures.closed = true;
    std::optional<bool> gone;
    asio::co_spawn(b.context, b.app.forget(b.what), [&](std::exception_ptr e) { gone = !e; });
    b.run_until([&] { return b.store->erasures.waiting() == 1; });
    b.network->answers = {pair_of("second")};
    (void)b.run(b.app.exchange_code(auth::secret{"another code"}));
    b.store->erasures.open();
    b.run_until([&] { return gone.has_value(); });
    CHECK(*gone);
    CHECK(text(b.ask()) == "second");
    auto const stored = b.run(b.store->inner.load(b.what));
    REQUIRE(stored);
    CHECK(stored->access == auth::secret{"second"});
}

TEST_CASE("a_list_of_locations_that_cannot_be_read_is_told_as_such", "[auth]") {
    bench b;
    b.network->answers = {company_pair_of("agency")};
    (void)b.run(b.app.exchange_code(auth::secret{"code"}));
    b.network->answers = {test::scripted_transport::reply(200, "<html>Sign in</html>")};
    try {
        (void)b.run(b.app.installed_locations("com"));
        FAIL("a page of a gateway was taken for a list");
    } catch (const highlevel::error& e) {
        CHECK(e.code() == errc::unexpected_content);
        CHECK(e.failure().cause() == highlevel::cause::bad_response);
        CHECK(e.failure().status() == 200);
    }
}

TEST_CASE("times_without_end_do_not_end_at_once", "[auth]") {
    bench b{
        [](auth::oauth_options& o) { o.refresh.store_timeout = std::chrono::milliseconds::max(); }};
    b.hold_ended();
    b.store->loads.closed = true;
    b.network->answers = {pair_of("new")};
    std::optional<auth::grant> got;
    std::optional<bool> finished;
    asio::co_spawn(
        b.context, b.source()->authorize(bench::wanted()),
        [&](std::exception_ptr, auth::grant g) { got = std::move(g); });
    b.run_until([&] { return b.store->loads.waiting() == 1; });
    asio::co_spawn(
        b.context, b.app.finish(std::chrono::milliseconds::max()),
        [&](std::exception_ptr, bool all) { finished = all; });
    b.context.restart();
    b.context.poll();
    CHECK_FALSE(got);
    CHECK_FALSE(finished);
    b.store->loads.open();
    b.run_until([&] { return got && finished; });
    CHECK(text(*got) == "new");
    CHECK(*finished);
}

namespace {

http::exchange_result list_of(const std::string& locations, int count) {
    return test::scripted_transport::reply(
        200, R"({"locations":[)" + locations + R"(],"count":)" + std::to_string(count) + '}');
}

http::exchange_result used_up() {
    return test::scripted_transport::reply(
        400, R"({"message":"Invalid grant: refresh token is invalid"})");
}

} // namespace

TEST_CASE("a_locations_own_token_tells_where_its_companys_list_does_not", "[auth]") {
    bool const lives = GENERATE(true, false);
    CAPTURE(lives);
    bench b;
    b.hold_ended();
    std::vector<http::exchange_result> answers;
    SECTION("since the company has no token") {}
    SECTION("since that may not ask") {
        b.install(company_pair_of("agency"));
        answers = {test::scripted_transport::reply(403, R"({"message":"Forbidden resource"})")};
    }
    SECTION("since it is short of its own count") {
        b.install(company_pair_of("agency"));
        answers = {list_of(R"({"_id":"other"})", 2), list_of({}, 2)};
    }
    answers.push_back(lives ? pair_of("new") : used_up());
    b.network->answers = answers;
    CHECK(b.run(b.app.still_installed(b.what)) == lives);
    auto const stored = b.run(b.store->inner.load(b.what));
    REQUIRE(stored);
    CHECK(stored->access == auth::secret{lives ? "new" : "old"});
}

TEST_CASE("a_list_tells_of_a_location_whether_the_app_is_installed_there", "[auth]") {
    bench b;
    b.hold_ended();
    b.install(company_pair_of("agency"));
    b.network->answers = {
        list_of(R"({"_id":"loc"})", 1), list_of(R"({"_id":"loc","isInstalled":false})", 1),
        list_of(R"({"_id":"other"})", 1)};
    CHECK(b.run(b.app.still_installed(b.what)));
    CHECK_FALSE(b.run(b.app.still_installed(b.what)));
    CHECK_FALSE(b.run(b.app.still_installed(b.what)));
    CHECK(b.network->targets.size() == 4); // nothing was renewed
}

TEST_CASE("an_installation_that_is_not_stored_yet_is_not_taken_for_gone", "[auth]") {
    bench b;
    b.network->answers = {pair_of("bought")};
    b.store->failures = 1'000'000;
    CHECK_THROWS_AS(b.run(b.app.exchange_code(auth::secret{"code"})), highlevel::error);
    try {
        (void)b.run(b.app.still_installed(b.what));
        FAIL("a token that is only in memory was told of as if it were stored, or not there");
    } catch (const highlevel::error& e) {
        CHECK(e.code() == boost::system::errc::operation_in_progress);
    }
    b.store->failures = 0;
    CHECK(b.run(b.app.finish()));
    b.network->answers = {pair_of("renewed")};
    CHECK(b.run(b.app.still_installed(b.what)));
}

TEST_CASE("a_token_that_only_the_store_has_lost_says_which_company_to_ask", "[auth]") {
    bool const lives = GENERATE(true, false);
    bench b;
    b.install(company_pair_of("agency"));
    b.install(pair_of("bought"));
    bool erased = false;
    asio::co_spawn(
        b.context, b.store->inner.erase(b.what), [&](std::exception_ptr) { erased = true; });
    b.run_until([&] { return erased; });
    b.network->answers = {list_of(lives ? R"({"_id":"loc"})" : R"({"_id":"other"})", 1)};
    CHECK(b.run(b.app.still_installed(b.what)) == lives);
}

TEST_CASE("a_company_without_a_token_is_installed_where_a_location_of_its_is_renewed", "[auth]") {
    bool const lives = GENERATE(true, false);
    bench b;
    b.hold_ended();
    b.network->answers = {lives ? pair_of("new") : used_up()};
    CHECK_FALSE(b.run(b.app.still_installed(auth::resource::company("another"))));
    CHECK(b.network->targets.empty());
    CHECK(b.run(b.app.still_installed(auth::resource::company("com"))) == lives);
    CHECK(b.network->targets == std::vector<std::string>{"/oauth/token"});
}

TEST_CASE("a_location_that_cannot_tell_of_its_company_leaves_it_to_another", "[auth]") {
    bench b;
    b.hold_ended();
    auto const company = auth::resource::company("com");
    auto const inactive =
        test::scripted_transport::reply(400, R"({"message":"Location is not active"})");
    b.network->answers = {inactive};
    CHECK_THROWS_AS(b.run(b.app.still_installed(company)), highlevel::error);
    b.hold_ended("loc2");
    b.network->answers = {inactive, pair_of("new")};
    CHECK(b.run(b.app.still_installed(company)));
}

TEST_CASE("a_bulk_installation_ends_though_one_of_its_parts_throws", "[auth]") {
    bool broken = false;
    bench b{[&](auth::oauth_options& o) {
        o.now = [&broken, now = o.now] {
            if (std::exchange(broken, false)) throw std::runtime_error{"no clock"};
            return now();
        };
    }};
    b.network->answers = {company_pair_of("agency")};
    (void)b.run(b.app.exchange_code(auth::secret{"code"}));
    b.network->answers = {
        test::scripted_transport::reply(200, R"({"locations":[{"_id":"loc"}],"count":1})")};
    b.network->on_exchange = [&](const std::string&) { broken = true; };
    auto const report = b.run(b.app.install_locations("com"));
    CHECK(report.ready.empty());
    REQUIRE(report.failed.size() == 1);
    CHECK(report.failed[0].first == "loc");
    CHECK(report.failed[0].second.detail.find("no clock") != std::string::npos);
}

TEST_CASE("an_uninstallation_whose_answer_was_lost_is_done_when_its_tokens_are_gone", "[auth]") {
    bench b;
    b.network->answers = {pair_of("bought")};
    (void)b.run(b.app.exchange_code(auth::secret{"code"}));
    auto const unauthorized =
        test::scripted_transport::reply(401, R"({"statusCode":401,"message":"Unauthorized"})");
    auto const used_up = test::scripted_transport::reply(
        400, R"({"message":"Invalid grant: refresh token is invalid"})");
    bool const lost = GENERATE(true, false);
    b.network->answers = {unauthorized, used_up};
    if (lost)
        b.network->answers.insert(
            b.network->answers.begin(), test::scripted_transport::reply(502, "<html>oops</html>"));
    std::optional<bool> done;
    asio::co_spawn(b.context, b.app.uninstall(b.what), [&](std::exception_ptr e) { done = !e; });
    b.run_until([&] { return done.has_value(); });
    // A token that was no good from the beginning says nothing of the installation.
    CHECK(*done == lost);
    CHECK(b.run(b.store->inner.load(b.what)).has_value() == !lost);
}

TEST_CASE("what_the_server_said_of_a_used_up_refresh_token_reaches_the_grant", "[auth]") {
    bench b;
    b.hold_ended();
    b.network->answers = {test::scripted_transport::reply(
        400, R"({"message":"Invalid grant: refresh token is invalid"})")};
    auto const got = b.ask();
    CHECK(got.error == errc::reinstall_required);
    REQUIRE(got.refusal);
    CHECK(got.refusal->cause == highlevel::cause::reinstall_required);
    CHECK(got.refusal->status == 400);
    CHECK(
        got.refusal->messages ==
        std::vector<std::string>{"Invalid grant: refresh token is invalid"});
}

namespace {

/// An event loop that can end before its memory goes.
class ending_context : public asio::io_context {
public:
    void end() { shutdown(); }
};

} // namespace

TEST_CASE("an_event_loop_that_ends_takes_its_flights_with_it", "[auth]") {
    ending_context ending;
    auto const stuck = std::make_shared<gated_transport>();
    stuck->open = false;
    bench b;
    b.hold_ended();
    b.attach(ending, stuck);
    // On another event loop than the flight's.
    std::optional<auth::grant> got;
    b.source()->detach(*b.network);
    asio::co_spawn(
        b.context, b.source()->authorize(bench::wanted()),
        [&](std::exception_ptr, auth::grant g) { got = std::move(g); });
    b.context.restart();
    b.context.poll();
    while (stuck->waiting.empty())
        REQUIRE(ending.run_one_for(20s) == 1);
    b.source()->detach(*stuck);
    // The transport keeps its exchange.
    ending.end();
    b.run_until([&] { return got.has_value(); });
    CHECK(got->error == asio::error::operation_aborted);
    // The lease was lost with the flight, and is another's now until it ends.
    b.attach(b.context, b.network);
    *b.store->time += 1min;
    b.network->answers = {pair_of("new")};
    CHECK(text(b.ask()) == "new");
    CHECK(b.run(b.app.finish()));
    std::weak_ptr<troubled_store> const watched = b.store;
    b.app = auth::oauth_app{bench::settings(nullptr)};
    b.store.reset();
    CHECK(watched.expired());
    stuck->waiting.clear();
}

TEST_CASE("an_event_loop_that_ends_takes_the_callers_with_it_that_wait_for_another", "[auth]") {
    bench b;
    b.hold_ended();
    b.network->open = false;
    std::weak_ptr<int> watched;
    {
        asio::io_context ending;
        auto const kept = std::make_shared<int>();
        watched = kept;
        asio::co_spawn(
            ending, b.source()->authorize(bench::wanted()),
            [kept](std::exception_ptr, const auth::grant&) {});
        ending.poll();
    }
    CHECK(watched.expired());
    b.run_until([&] { return !b.network->waiting.empty(); });
    b.network->answers = {pair_of("new")};
    b.network->waiting.front()->ring();
    CHECK(text(b.ask()) == "new");
}

} // namespace auth_oauth_tests
