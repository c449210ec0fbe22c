// SPDX-License-Identifier: BSL-1.0
//
// What a client tells its observer: which events there are, in which order, and that each beginning
// has its end.

#include "support/catch.hpp"
#include "support/fault_server.hpp"
#include "support/run.hpp"
#include "support/scripted_transport.hpp"

#include <highlevel/auth/memory_token_store.hpp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/json/diagnostics.hpp>
#include <highlevel/observers.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace observer_tests {

namespace asio = boost::asio;
namespace auth = highlevel::auth;
namespace contacts = highlevel::v2::contacts;
namespace http = highlevel::http;
using highlevel::call_info;
using highlevel::errc;
using test::scripted_transport;

namespace {

/// Writes a line for each event, without what differs from run to run.
class recorder final : public highlevel::observer {
public:
    void on_call_start(const call_info& call) noexcept override {
        add("start " + std::to_string(call.id) + ' ' + std::string{call.operation} + ' ' +
            std::string{call.verb} + ' ' + std::string{call.path} + ' ' +
            std::string{call.resource});
    }
    void on_call_end(
        const call_info& call, const highlevel::call_end_event& event) noexcept override {
        auto text = "end " + std::to_string(call.id) + ' ' + std::to_string(event.status) + " x" +
            std::to_string(event.attempts);
        if (event.error)
            text += ' ' + event.error.message() + ", " + std::string{to_string(event.cause)};
        add(std::move(text));
        ended = event;
    }
    void on_throttled(const call_info& call) noexcept override {
        add("throttled " + std::to_string(call.id));
    }
    void on_permit(const call_info& call, const highlevel::permit_event& event) noexcept override {
        add("permit " + std::to_string(call.id) + (event.queued ? " queued" : "") +
            (event.error ? ' ' + event.error.message() : std::string{}));
    }
    void on_permit_settled(
        const call_info&, const highlevel::permit_settled_event& event) noexcept override {
        add("settled " + std::string{to_string(event.how)} + ' ' + std::to_string(event.status) +
            ' ' + std::to_string(event.remaining.value_or(-1)));
    }
    void on_retry(const call_info&, const highlevel::retry_event& event) noexcept override {
        add("retry " + std::to_string(event.attempts) + ' ' + std::string{to_string(event.reason)} +
            ' ' + std::to_string(event.status));
    }
    void on_attempt(const call_info&, const highlevel::attempt_event& event) noexcept override {
        add("attempt " + std::to_string(event.number) + ' ' + std::to_string(event.status) +
            (event.retried ? " again" : ""));
    }
    void on_diagnostics(
        const call_info& call, const highlevel::json::diagnostics& bent) noexcept override {
        add("bent " + std::string{call.operation} + ' ' + std::to_string(bent.total()));
    }
    void on_token_refresh(const auth::token_refresh_event& event) noexcept override {
        add("token " + std::string{event.resource} + ' ' + std::string{to_string(event.how)} + ' ' +
            std::to_string(event.status) + (event.error ? " failed" : ""));
    }
    void on_connection_open(const http::connection_open_event& event) noexcept override {
        add(std::string{"open"} + (event.secure ? " tls" : "") + (event.resumed ? " resumed" : "") +
            (event.error ? ' ' + event.error.message() : std::string{}));
    }
    void on_connection_close(const http::connection_close_event& event) noexcept override {
        add("close " + std::string{to_string(event.reason)} + " x" +
            std::to_string(event.requests));
    }

    [[nodiscard]] std::vector<std::string> lines() const {
        std::scoped_lock const lock{mutex_};
        return lines_;
    }
    /// Those that begin with a word.
    [[nodiscard]] std::vector<std::string> lines(std::string_view word) const {
        auto all = lines();
        std::erase_if(all, [&](const std::string& l) { return !l.starts_with(word); });
        return all;
    }

    highlevel::call_end_event ended;

private:
    void add(std::string line) {
        std::scoped_lock const lock{mutex_};
        lines_.push_back(std::move(line));
    }

    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
};

using lines = std::vector<std::string>;

/// Never answers, not even when it is closed.
class silent_transport final : public http::transport {
public:
    asio::awaitable<http::exchange_result> exchange(
        const http::request& /*r*/, http::exchange_options /*options*/) override {
        asio::steady_timer timer{
            co_await asio::this_coro::executor, std::chrono::steady_clock::time_point::max()};
        co_await timer.async_wait(asio::use_awaitable);
        co_return http::exchange_result{};
    }
    void close() noexcept override {}
};

/// Answers after a turn of the event loop.
class later_transport final : public http::transport {
public:
    asio::awaitable<http::exchange_result> exchange(
        const http::request& /*r*/, http::exchange_options /*options*/) override {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
        co_return scripted_transport::reply(200, "{}");
    }
    void close() noexcept override {}
};

/// A client that is watched, over a scripted network.
class fixture {
public:
    fixture() {
        options.credentials = auth::private_integration{"pit-secret"};
        options.transport = network;
        options.observer = seen;
        options.retry.base_delay = options.retry.max_delay = std::chrono::milliseconds{0};
    }

    highlevel::client& client() {
        if (!client_) client_.emplace(context.get_executor(), options);
        return *client_;
    }

    /// Whether a call of loc1 succeeds.
    bool get() {
        bool good = false;
        test::run(context, get(client(), good));
        return good;
    }

    static asio::awaitable<void> get(highlevel::client& client, bool& good) {
        contacts::get_contact const op{"c1"};
        auto const got = co_await client.location("loc1").try_call(op);
        good = got.has_value();
    }

    std::shared_ptr<scripted_transport> network = std::make_shared<scripted_transport>();
    std::shared_ptr<recorder> seen = std::make_shared<recorder>();
    highlevel::client_options options;
    asio::io_context context;

private:
    std::optional<highlevel::client> client_;
};

} // namespace

TEST_CASE("a_call_is_told_from_its_start_to_its_end", "[client][observer]") {
    fixture f;
    f.network->then(scripted_transport::reply(500)).then(scripted_transport::reply(200, "{}"));
    CHECK(f.get());
    CHECK(
        f.seen->lines() ==
        lines{
            "start 1 contacts.get_contact GET /contacts/{contactId} location:loc1", "permit 1",
            "settled settled 500 99", "attempt 1 500 again", "retry 1 transient 500", "permit 1",
            "settled settled 200 99", "attempt 2 200", "end 1 200 x2"});
    CHECK(f.get());
    CHECK(f.seen->lines("start").back().starts_with("start 2 "));
}

TEST_CASE("a_call_that_fails_ends_with_its_failure", "[client][observer]") {
    fixture f;
    SECTION("refused by the server") {
        f.network->then(scripted_transport::reply(404, R"({"message":"Contact not found"})"));
        CHECK_FALSE(f.get());
        CHECK(f.seen->lines("end").back().ends_with("not_found"));
        CHECK(f.seen->ended.status == 404);
        CHECK(f.seen->ended.attempts == 1);
    }
    SECTION("not decoded") {
        f.network->then(scripted_transport::reply(200, "<html>oops</html>"));
        CHECK_FALSE(f.get());
        CHECK(f.seen->ended.error == errc::unexpected_content);
        CHECK(f.seen->ended.cause == highlevel::cause::bad_response);
    }
    SECTION("without a token") {
        f.options.credentials = {};
        CHECK_FALSE(f.get());
        CHECK(f.seen->ended.error == errc::no_token);
        CHECK(f.seen->ended.attempts == 0);
    }
    SECTION("incomplete") {
        bool failed = false;
        test::run(f.context, [](highlevel::client& client, bool& out) -> asio::awaitable<void> {
            contacts::get_contact const nothing;
            auto const got = co_await client.location("loc1").try_call(nothing);
            out = got.has_error();
        }(f.client(), failed));
        CHECK(failed);
        CHECK(f.seen->ended.error == errc::missing_parameter);
    }
    SECTION("the response is lost") {
        f.network->then(
            scripted_transport::lost(errc::connection_lost, http::phase::first_byte, true));
        f.options.retry.max_attempts = 1;
        CHECK_FALSE(f.get());
        CHECK(f.seen->lines("settled") == lines{"settled lost 0 -1"});
    }
    CHECK(f.seen->lines("start").size() == 1);
    CHECK(f.seen->lines("end").size() == 1);
}

TEST_CASE("each_reason_to_send_again_is_told", "[client][observer]") {
    fixture f;
    SECTION("429") {
        f.options.limits.interval = std::chrono::milliseconds{100};
        auto limited = scripted_transport::reply(429);
        auto passed = scripted_transport::reply(200, "{}");
        for (auto* const r : {&limited, &passed})
            r->reply.fields.set("x-ratelimit-interval-milliseconds", "100");
        limited.reply.fields.set("x-ratelimit-remaining", "0");
        f.network->then(limited).then(passed);
        CHECK(f.get());
        CHECK(f.seen->lines("retry") == lines{"retry 1 rate_limited 429"});
        CHECK(f.seen->lines("throttled") == lines{"throttled 1"});
        CHECK(f.seen->lines("permit") == lines{"permit 1", "permit 1 queued"});
    }
    SECTION("a refused token that was rotated meanwhile") {
        auth::private_integration tokens{"pit-old"};
        f.options.credentials = tokens;
        f.network->then([tokens](const http::request&) mutable {
            tokens.all(auth::secret{"pit-new"});
            return scripted_transport::reply(
                401, R"({"message":"Invalid Private Integration token"})");
        });
        f.network->then(scripted_transport::reply(200, "{}"));
        CHECK(f.get());
        CHECK(f.seen->lines("retry") == lines{"retry 1 token_renewed 401"});
    }
}

TEST_CASE("a_wait_for_a_permit_that_fails_is_told", "[client][observer]") {
    fixture f;
    f.network->then([](const http::request&) {
        auto r = scripted_transport::reply(200, "{}");
        r.reply.fields.set("x-ratelimit-daily-remaining", "0");
        return r;
    });
    CHECK(f.get());
    CHECK_FALSE(f.get());
    CHECK(f.seen->lines("throttled") == lines{"throttled 2"});
    REQUIRE(f.seen->lines("permit 2").size() == 1);
    CHECK(f.seen->lines("permit 2").front().starts_with("permit 2 queued "));
    CHECK(f.seen->ended.error == errc::daily_exhausted);
}

TEST_CASE("what_was_begun_is_ended_when_the_event_loop_is_destroyed", "[client][observer]") {
    auto const seen = std::make_shared<recorder>();
    bool good = false;
    auto context = std::make_unique<asio::io_context>();
    {
        highlevel::client_options options;
        options.credentials = auth::private_integration{"pit-secret"};
        options.transport = std::make_shared<silent_transport>();
        options.observer = seen;
        highlevel::client client{context->get_executor(), options};
        // The first one waits for its response, the second one for its permit.
        asio::co_spawn(*context, fixture::get(client, good), asio::detached);
        asio::co_spawn(*context, fixture::get(client, good), asio::detached);
        (void)context->poll();
        CHECK(seen->lines("throttled") == lines{"throttled 2"});
        CHECK(seen->lines("end").empty());
    }
    context.reset();
    CHECK(seen->lines("start").size() == 2);
    CHECK(seen->lines("end").size() == 2);
    CHECK(seen->lines("permit 2").size() == 1);
    CHECK(seen->lines("settled") == lines{"settled lost 0 -1"});
    CHECK(seen->ended.error == asio::error::operation_aborted);
}

TEST_CASE(
    "a_permit_that_comes_when_its_call_is_no_more_is_not_told_as_taken", "[client][observer]") {
    // The event loop is destroyed after the permit was granted and before its call has run.
    auto const seen = std::make_shared<recorder>();
    bool good = false;
    auto context = std::make_unique<asio::io_context>();
    {
        highlevel::client_options options;
        options.credentials = auth::private_integration{"pit-secret"};
        options.transport = std::make_shared<later_transport>();
        options.observer = seen;
        highlevel::client client{context->get_executor(), options};
        asio::co_spawn(*context, fixture::get(client, good), asio::detached);
        asio::co_spawn(*context, fixture::get(client, good), asio::detached);
        while (seen->lines("settled").empty())
            REQUIRE(context->poll_one() == 1);
        CHECK(seen->lines("throttled") == lines{"throttled 2"});
        CHECK(seen->lines("permit 2").empty());
        context.reset();
    }
    REQUIRE(seen->lines("permit 2").size() == 1);
    CHECK(seen->lines("permit 2").front().starts_with("permit 2 queued "));
    CHECK(seen->lines("settled") == lines{"settled settled 200 99"});
    CHECK(seen->ended.error == asio::error::operation_aborted);
}

TEST_CASE("what_did_not_match_its_type_is_told_before_the_end", "[client][observer]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, R"({"contact":{"id":7}})"));
    CHECK(f.get());
    auto const all = f.seen->lines();
    REQUIRE(all.size() >= 2);
    CHECK(all[all.size() - 2] == "bent contacts.get_contact 1");
    CHECK(all.back() == "end 1 200 x1");
}

TEST_CASE("a_traceparent_is_sent_and_told", "[client][observer]") {
    constexpr std::string_view good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    fixture f;
    f.network->then(scripted_transport::reply(200, "{}"));
    std::string header{good};
    std::string asked;
    f.options.traceparent = [&](const call_info& call) {
        asked = std::string{call.operation} + ' ' + std::string{call.resource};
        return header;
    };
    CHECK(f.get());
    CHECK(asked == "contacts.get_contact location:loc1");
    CHECK(f.network->requests().back().fields.find("traceparent") == good);
    SECTION("what follows in a later version is not passed on") {
        header = "01" + std::string{good.substr(2)} + "-\r\nx-evil: 1";
        f.network->then(scripted_transport::reply(200, "{}"));
        CHECK(f.get());
        CHECK(f.network->requests().back().fields.find("traceparent") == good);
    }

    SECTION("an invalid one is not sent") {
        header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX: y";
        CHECK(f.get());
        CHECK_FALSE(f.network->requests().back().fields.contains("traceparent"));
    }
    SECTION("none is sent when it throws") {
        f.options.traceparent = [](const call_info&) -> std::string {
            throw std::runtime_error{"no span"};
        };
        highlevel::client other{f.context.get_executor(), f.options};
        bool passed = false;
        test::run(f.context, fixture::get(other, passed));
        CHECK(passed);
        CHECK_FALSE(f.network->requests().back().fields.contains("traceparent"));
    }
    SECTION("a raw request keeps its own") {
        test::run(f.context, [](highlevel::client& client) -> asio::awaitable<void> {
            http::request r{highlevel::method::get, "/x"};
            r.fields.add("traceparent", "mine");
            (void)co_await client.location("loc1").try_send(std::move(r));
        }(f.client()));
        CHECK(f.network->requests().back().fields.find("traceparent") == "mine");
    }
}

TEST_CASE("renewals_of_tokens_are_told", "[client][observer]") {
    fixture f;
    auth::oauth_options settings;
    settings.client_id = "app-12345678";
    settings.client_secret = auth::secret{"s"};
    settings.refresh.base_delay = std::chrono::milliseconds{1};
    auth::oauth_app app{settings};
    f.options.credentials = app;
    f.network
        ->then(scripted_transport::reply(
            200,
            R"({"access_token":"a","refresh_token":"r","expires_in":86399,"userType":"Company","companyId":"com"})"))
        .then(scripted_transport::reply(
            200,
            R"({"access_token":"b","refresh_token":"q","expires_in":86399,"userType":"Company","companyId":"com"})"))
        .then(scripted_transport::reply(400, R"({"error":"invalid_grant"})"));
    (void)f.client();
    bool failed = false;
    auto const work = [&]() -> asio::awaitable<void> {
        auth::secret code{"code"};
        (void)co_await app.exchange_code(std::move(code));
        co_await app.renew(auth::resource::company("com"));
        try {
            co_await app.install_location("com", "loc1");
        } catch (const highlevel::error&) {
            failed = true;
        }
    };
    test::run(f.context, work());
    CHECK(failed);
    auto const told = f.seen->lines("token");
    REQUIRE(told.size() >= 2);
    CHECK(told[0] == "token company:com refresh 0");
    CHECK(told[1] == "token location:loc1 mint 400 failed");
}

TEST_CASE("connections_of_the_built_in_transport_are_told", "[client][observer]") {
    highlevel::test::fault_server server{
        highlevel::test::behaviour{highlevel::test::http_reply("{}")}};
    fixture f;
    f.options.transport = nullptr;
    f.options.base_url = server.url();
    {
        highlevel::client client{f.context.get_executor(), f.options};
        bool good = false;
        test::run(f.context, fixture::get(client, good));
        CHECK(good);
        test::run(f.context, fixture::get(client, good));
        CHECK(f.seen->lines("open") == lines{"open"});
        CHECK(f.seen->lines("close").empty());
    }
    CHECK(f.seen->lines("close") == lines{"close shutdown x2"});
}

TEST_CASE("several_observers_hear_the_same", "[client][observer]") {
    auto const first = std::make_shared<recorder>();
    auto const second = std::make_shared<recorder>();
    highlevel::observers all{first, std::shared_ptr<recorder>{}, second};
    call_info const call;
    all.on_call_start(call);
    all.on_throttled(call);
    all.on_permit(call, {});
    all.on_permit_settled(call, {});
    all.on_retry(call, {});
    all.on_attempt(call, {});
    all.on_diagnostics(call, {});
    all.on_token_refresh({});
    all.on_connection_open({});
    all.on_connection_close({});
    all.on_call_end(call, {});
    CHECK(first->lines().size() == 11);
    CHECK(first->lines() == second->lines());
}

} // namespace observer_tests
