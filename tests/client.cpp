// SPDX-License-Identifier: BSL-1.0
//
// The way of one call, with a scripted network: what is sent, what is repeated, what each failure
// says, and that permits come back.

#include "support/catch.hpp"
#include "support/run.hpp"
#include "support/scripted_transport.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/v2/calendars.hpp>
#include <highlevel/v2/contacts.hpp>
#include <highlevel/v2/conversations.hpp>
#include <highlevel/v2/oauth.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json/parse.hpp>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace client_tests {

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
using highlevel::cause;
using highlevel::errc;
using highlevel::http::phase;
using test::scripted_transport;

namespace {

/// A client over a scripted transport, and a way to run one coroutine to its end.
class fixture {
public:
    fixture() {
        options.credentials = highlevel::auth::private_integration{"pit-secret"};
        options.transport = network;
        options.retry.base_delay = std::chrono::milliseconds{0};
        options.retry.max_delay = std::chrono::milliseconds{0};
    }

    highlevel::client& client() {
        if (!client_) client_.emplace(context.get_executor(), options);
        return *client_;
    }
    highlevel::account location() { return client().location("loc1"); }
    void end() { client_.reset(); }

    /// Runs a call to its end.
    template <class T>
    T run(asio::awaitable<T> work) {
        return test::run(context, std::move(work));
    }

    highlevel::failure failed(const std::string& id = "c1") {
        auto const r = run(location().try_call(contacts::get_contact{id}));
        REQUIRE(r.has_error());
        return r.error();
    }

    std::shared_ptr<scripted_transport> network = std::make_shared<scripted_transport>();
    highlevel::client_options options;
    asio::io_context context;

private:
    std::optional<highlevel::client> client_;
};

/// Has the same answer ready each time, after what is to happen before.
class scripted_provider final : public highlevel::auth::provider {
public:
    asio::awaitable<highlevel::auth::grant> authorize(
        highlevel::auth::token_request /*request*/) override {
        ++asked;
        if (each) co_await each();
        co_return answer;
    }
    [[nodiscard]] highlevel::auth::grant try_authorize(
        const highlevel::auth::token_request& /*request*/) override {
        if (broken) throw std::runtime_error{"broken"};
        return at_hand;
    }
    asio::awaitable<bool> renew(
        highlevel::auth::token_request /*request*/,
        std::shared_ptr<const highlevel::auth::secret> /*refused*/) override {
        if (!renewal) co_return false;
        co_return co_await renewal();
    }
    [[nodiscard]] bool keeps_deadlines() const noexcept override { return keeps; }

    highlevel::auth::grant answer{
        std::make_shared<const highlevel::auth::secret>("t"),
        highlevel::token_kinds::location_private};
    highlevel::auth::grant at_hand;
    std::function<asio::awaitable<void>()> each;
    std::function<asio::awaitable<bool>()> renewal;
    bool keeps = false;
    bool broken = false; // try_authorize() throws
    int asked = 0;       // by authorize()
};

/// Remembers each attempt as a line, and what was told of attempts to come and of the end.
class recorder final : public highlevel::observer {
public:
    void on_attempt(
        const highlevel::call_info& call, const highlevel::attempt_event& event) noexcept override {
        lines.push_back(
            std::string{call.operation} + ' ' + std::string{call.resource} + ' ' +
            std::to_string(event.number) + ' ' + std::to_string(event.status) +
            (event.retried ? " again" : ""));
    }
    void on_retry(
        const highlevel::call_info& /*call*/,
        const highlevel::retry_event& /*event*/) noexcept override {
        ++retries;
    }
    void on_call_end(
        const highlevel::call_info& /*call*/,
        const highlevel::call_end_event& event) noexcept override {
        last_status = event.status;
    }
    std::vector<std::string> lines;
    int retries = 0;
    unsigned last_status = 0;
};

std::string_view field(const highlevel::http::request& r, std::string_view name) {
    return r.fields.find(name).value_or("");
}

constexpr auto contact_body =
    R"({"contact":{"id":"c1","firstName":"Ada","newField":7},"traceId":"t-9"})";

} // namespace

TEST_CASE("a_typed_call_sends_the_request_and_decodes_the_response", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, contact_body));
    auto const got = f.run(f.location().call(contacts::get_contact{"c1"}));
    REQUIRE(got->contact.has_value());
    CHECK(got->contact->first_name == "Ada");
    CHECK(got->contact->unknown_fields.at("newField").as_int64() == 7);
    CHECK(got.status() == 200);
    CHECK(got.trace_id() == "t-9");
    CHECK(got.body() == contact_body);
    CHECK(got.quota().max == 100);
    CHECK(got.quota().daily_remaining == 199000);
    CHECK(got.headers().find("X-RateLimit-Max") == "100");
    CHECK(got.attempts() == 1);

    auto const sent = f.network->requests();
    REQUIRE(sent.size() == 1);
    CHECK(sent[0].verb == highlevel::method::get);
    CHECK(sent[0].target == "/contacts/c1");
    CHECK(field(sent[0], "authorization") == "Bearer pit-secret");
    CHECK(field(sent[0], "version") == "2021-07-28");
    CHECK(field(sent[0], "accept") == "application/json");
    CHECK_FALSE(field(sent[0], "user-agent").empty());
    CHECK(sent[0].body.empty());
    CHECK_FALSE(sent[0].fields.contains("content-type"));
}

TEST_CASE("a_path_parameter_is_percent_encoded", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, contact_body));
    (void)f.run(f.location().call(contacts::get_contact{"a/b?c d"}));
    CHECK(f.network->requests().at(0).target == "/contacts/a%2Fb%3Fc%20d");
}

TEST_CASE("a_body_is_encoded_and_the_location_filled_in", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(201, R"({"contact":{"id":"c2"}})"));
    contacts::create_contact create;
    create.body.email = "ada@example.com";
    create.body.tags = {"vip"};
    create.extra_body["beta"] = true;
    auto const created = f.run(f.location().call(create));
    CHECK(created.status() == 201);
    auto const sent = f.network->requests().at(0);
    CHECK(sent.verb == highlevel::method::post);
    CHECK(sent.target == "/contacts/");
    CHECK(field(sent, "content-type") == "application/json");
    auto const body = boost::json::parse(sent.body);
    CHECK(body.at("email") == "ada@example.com");
    CHECK(body.at("tags").as_array().size() == 1);
    CHECK(body.at("locationId") == "loc1");
    CHECK(body.at("beta") == true);
}

TEST_CASE("a_location_that_the_caller_gave_is_kept", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(201, "{}"));
    contacts::create_contact create;
    create.body.location_id = "other";
    (void)f.run(f.location().call(create));
    auto const body = boost::json::parse(f.network->requests().at(0).body);
    CHECK(body.at("locationId") == "other");
}

TEST_CASE("a_fill_function_completes_the_operation_in_place", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, R"({"contacts":[],"count":0})"));
    auto const listed = f.run(f.location().call<contacts::get_contacts>([](auto& op) {
        op.limit = 100;
        op.query = "ada & co";
        op.extra_query.emplace_back("beta", "1");
    }));
    CHECK(listed->contacts.empty());
    auto const target = f.network->requests().at(0).target;
    CHECK(target.rfind("/contacts/?", 0) == 0);
    CHECK(target.find("locationId=loc1") != std::string::npos);
    CHECK(target.find("limit=100") != std::string::npos);
    CHECK(target.find("query=ada%20%26%20co") != std::string::npos);
    CHECK(target.find("beta=1") != std::string::npos);
}

TEST_CASE("the_operation_need_not_outlive_the_call_expression", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, contact_body));
    auto work = [&] {
        contacts::get_contact op{std::string(100, 'x')};
        return f.location().call(op);
    }();
    (void)f.run(std::move(work));
    CHECK(f.network->requests().at(0).target == "/contacts/" + std::string(100, 'x'));
}

TEST_CASE("a_missing_parameter_fails_before_anything_is_sent", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, contact_body));
    auto const r = f.run(f.location().try_call(contacts::get_contact{}));
    REQUIRE(r.has_error());
    CHECK(r.error().code() == errc::missing_parameter);
    CHECK(r.error().cause() == cause::invalid_request);
    CHECK_THAT(r.error().detail(), test::contains("contact_id") || test::contains("contactId"));
    CHECK(r.error().operation() == "contacts.get_contact");
    CHECK_FALSE(r.error().may_have_been_processed());
    CHECK(f.network->requests().empty());
    CHECK(f.client().quota("loc1").in_flight == 0);
}

TEST_CASE("call_throws_what_try_call_returns", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(
        401, R"({"statusCode":401,"message":"The token is not authorized for this scope."})"));
    try {
        (void)f.run(f.location().call(contacts::get_contact{"c1"}));
        FAIL("call did not throw");
    } catch (const highlevel::error& e) {
        CHECK(e.cause() == cause::scope_missing);
        CHECK(e.failure().status() == 401);
        CHECK(e.code() == highlevel::condition::client_error);
        CHECK(e.failure().scopes() == std::vector<std::string>{"contacts.readonly"});
        CHECK_THAT(std::string{e.what()}, test::contains("contacts.readonly"));
        CHECK(std::string{e.what()}.find("pit-secret") == std::string::npos);
    }
    CHECK(f.network->requests().size() == 1);
    CHECK(f.client().quota("loc1").in_flight == 0);
}

TEST_CASE("429_is_repeated_for_any_method_until_it_passes", "[client]") {
    fixture f;
    f.options.limits.interval = std::chrono::milliseconds{100};
    auto limited =
        scripted_transport::reply(429, R"({"statusCode":429,"message":"Too Many Requests"})");
    limited.reply.fields.set("x-ratelimit-interval-milliseconds", "100");
    limited.reply.fields.set("x-ratelimit-remaining", "0");
    auto passed = scripted_transport::reply(201, "{}");
    passed.reply.fields.set("x-ratelimit-interval-milliseconds", "100");
    f.network->then(limited).then(limited).then(passed);
    auto const created = f.run(f.location().call(contacts::create_contact{}));
    CHECK(created.attempts() == 3);
    CHECK(f.network->requests().size() == 3);
    CHECK(f.client().quota("loc1").refused == 2);
}

TEST_CASE("the_daily_limit_ends_the_call_at_once", "[client]") {
    fixture f;
    auto limited =
        scripted_transport::reply(429, R"({"statusCode":429,"message":"Too Many Requests"})");
    limited.reply.fields.set("x-ratelimit-daily-remaining", "0");
    f.network->then(limited);
    auto const failure = f.failed();
    CHECK(failure.cause() == cause::daily_limit);
    CHECK(failure.status() == 429);
    CHECK(f.network->requests().size() == 1);
    // The bucket knows by now: the next call fails without a request.
    auto const next = f.failed();
    CHECK(next.code() == errc::daily_exhausted);
    CHECK(next.cause() == cause::daily_limit);
    CHECK(next.retry_in().has_value());
    CHECK(f.network->requests().size() == 1);
}

TEST_CASE("a_get_survives_a_server_error_and_a_lost_connection", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(502, "<html>Bad gateway</html>"))
        .then(scripted_transport::lost(errc::connection_lost, phase::first_byte, true))
        .then(scripted_transport::reply(200, contact_body));
    auto const got = f.run(f.location().call(contacts::get_contact{"c1"}));
    CHECK(got.attempts() == 3);
    CHECK(f.client().quota("loc1").lost == 1);
}

TEST_CASE("a_get_on_a_closed_connection_goes_on_another_that_is_looked_at", "[client]") {
    fixture f;
    // A pause would outlast the call.
    f.options.retry.base_delay = f.options.retry.max_delay = std::chrono::hours{1};
    auto stale = scripted_transport::lost(errc::connection_lost, phase::first_byte, true);
    stale.stale = true;
    f.network->then(stale).then(scripted_transport::reply(200, contact_body));
    auto const got = f.run(f.location().call(contacts::get_contact{"c1"}));
    CHECK(got.attempts() == 2);
    // Each had a permit of its own: the server may have counted both.
    CHECK(f.client().quota("loc1").lost == 1);
    auto const bounds = f.network->bounds();
    REQUIRE(bounds.size() == 2);
    CHECK(bounds[0].repeatable);
    CHECK_FALSE(bounds[1].repeatable);
}

TEST_CASE("only_a_get_that_may_be_repeated_trusts_a_kept_connection", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, "{}"));
    (void)f.run(f.location().try_call(contacts::create_contact{}));
    (void)f.run(f.location().try_call(contacts::delete_contact{"c1"}));
    (void)f.run(f.location().try_call(
        contacts::get_contact{"c1"}, {.retry = highlevel::retry_mode::never}));
    (void)f.run(f.location().try_call(contacts::get_contact{"c1"}, {.max_attempts = 1}));
    // Sent twice on the caller's word, it is a message of two all the same.
    (void)f.run(f.location().try_call(
        contacts::create_contact{}, {.retry = highlevel::retry_mode::always}));
    for (auto const& b : f.network->bounds())
        CHECK_FALSE(b.repeatable);
    CHECK(f.network->bounds().size() == 5);
    (void)f.run(f.location().try_call(contacts::get_contact{"c1"}));
    CHECK(f.network->bounds().back().repeatable);
}

/// Has no memory for results.
class exhausted_transport final : public highlevel::http::transport {
public:
    asio::awaitable<highlevel::http::exchange_result> exchange(
        const highlevel::http::request&, highlevel::http::exchange_options) override {
        throw std::logic_error{"the client calls the other one"};
        co_return highlevel::http::exchange_result{};
    }
    asio::awaitable<std::shared_ptr<highlevel::http::exchange_result>> exchange_on_heap(
        const highlevel::http::request&, highlevel::http::exchange_options) override {
        co_return nullptr;
    }
    void close() noexcept override {}
};

TEST_CASE("an_exchange_without_memory_for_its_result_was_not_sent", "[client]") {
    fixture f;
    f.options.transport = std::make_shared<exhausted_transport>();
    auto const r = f.run(f.location().try_call(contacts::create_contact{}));
    REQUIRE(r.has_error());
    CHECK(r.error().code() == boost::system::errc::not_enough_memory);
    CHECK(!r.error().may_have_been_processed());
    auto const rate = f.location().quota();
    CHECK(rate.unsent == 1);
    CHECK(rate.in_flight == 0);
}

TEST_CASE("a_post_is_never_sent_twice_when_it_may_have_been_processed", "[client]") {
    fixture f;
    f.network->then(scripted_transport::lost(errc::connection_lost, phase::first_byte, true));
    auto const r = f.run(f.location().try_call(contacts::create_contact{}));
    REQUIRE(r.has_error());
    CHECK(r.error().code() == errc::connection_lost);
    CHECK(r.error().cause() == cause::network);
    CHECK(r.error().reached() == "first_byte");
    CHECK(r.error().may_have_been_processed());
    CHECK(r.error().attempts() == 1);
    CHECK(f.network->requests().size() == 1);
}

TEST_CASE("a_post_that_surely_was_not_processed_is_sent_again", "[client]") {
    fixture f;
    f.network->then(scripted_transport::lost(errc::connect_failed, phase::connect, false))
        .then(scripted_transport::reply(201, "{}"));
    auto const created = f.run(f.location().call(contacts::create_contact{}));
    CHECK(created.attempts() == 2);
    CHECK(f.client().quota("loc1").unsent == 1);
}

TEST_CASE("retry_never_means_one_attempt", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(503));
    auto const r = f.run(f.location().try_call(
        contacts::get_contact{"c1"}, {.retry = highlevel::retry_mode::never}));
    REQUIRE(r.has_error());
    CHECK(r.error().status() == 503);
    CHECK(r.error().attempts() == 1);
    CHECK(f.network->requests().size() == 1);
}

TEST_CASE("retry_never_also_holds_after_a_token_was_renewed", "[client]") {
    fixture f;
    highlevel::auth::private_integration tokens{"pit-old"};
    f.options.credentials = tokens;
    f.network
        ->then([&](const highlevel::http::request&) {
            tokens.all(highlevel::auth::secret{"pit-new"});
            return scripted_transport::reply(
                401, R"({"message":"Invalid Private Integration token"})");
        })
        .then(scripted_transport::reply(200, contact_body));
    auto const r = f.run(f.location().try_call(
        contacts::get_contact{"c1"}, {.retry = highlevel::retry_mode::never}));
    REQUIRE(r.has_error());
    CHECK(r.error().status() == 401);
    CHECK(f.network->requests().size() == 1);
}

TEST_CASE("what_is_refused_at_the_gate_was_not_processed", "[client]") {
    for (auto const& [status, body, processed] :
         {std::tuple{429U, R"({"message":"Too many requests"})", false},
          std::tuple{401U, R"({"message":"Invalid Private Integration token"})", false},
          std::tuple{500U, R"({"message":"oh"})", true}}) {
        CAPTURE(status);
        fixture f;
        f.network->then(scripted_transport::reply(status, body));
        auto const r = f.run(f.location().try_call(
            contacts::create_contact{}, {.retry = highlevel::retry_mode::never}));
        REQUIRE(r.has_error());
        CHECK(r.error().may_have_been_processed() == processed);
    }
}

TEST_CASE("a_refused_call_stays_perhaps_processed_when_an_earlier_attempt_was", "[client]") {
    fixture f;
    f.options.retry.max_rate_limited = 1;
    f.network->then(scripted_transport::lost(errc::connection_lost, phase::first_byte, true))
        .then(scripted_transport::reply(429));
    auto const failure = f.failed();
    CHECK(failure.status() == 429);
    CHECK(failure.attempts() == 2);
    CHECK(failure.may_have_been_processed());
}

TEST_CASE("a_timeout_of_zero_is_none_and_a_negative_one_has_passed", "[client]") {
    using std::chrono::milliseconds;
    fixture f;
    f.network->then(scripted_transport::reply(200, contact_body));
    auto const call = [&](milliseconds timeout) {
        return f.run(f.location().try_call(contacts::get_contact{"c1"}, {.timeout = timeout}));
    };
    REQUIRE(call(milliseconds{0}).has_value());
    REQUIRE(call(milliseconds::max()).has_value());
    for (auto const& b : f.network->bounds())
        CHECK((b.deadline == std::chrono::steady_clock::time_point::max()));
    for (auto const passed : {milliseconds{-1}, milliseconds::min()}) {
        auto const late = call(passed);
        REQUIRE(late.has_error());
        CHECK(late.error().code() == errc::timeout);
        CHECK_FALSE(late.error().may_have_been_processed());
    }
    CHECK(f.network->requests().size() == 2);
}

TEST_CASE("a_pause_that_the_server_asks_for_beyond_the_deadline_leaves_its_words", "[client]") {
    fixture f;
    auto busy = scripted_transport::reply(429, R"({"message":"slow down","traceId":"t-1"})");
    busy.reply.fields.add("retry-after", "7200");
    f.network->then(busy).then(scripted_transport::reply(200, contact_body));
    auto const r = f.run(
        f.location().try_call(contacts::get_contact{"c1"}, {.timeout = std::chrono::hours{1}}));
    REQUIRE(r.has_error());
    CHECK(r.error().status() == 429);
    CHECK(r.error().trace_id() == "t-1");
    CHECK(r.error().messages() == std::vector<std::string>{"slow down"});
    CHECK(r.error().reached() == "permit");
    CHECK(r.error().retry_in().has_value());
    CHECK(f.network->requests().size() == 1);
}

TEST_CASE("who_waits_past_the_deadline_has_the_rest_of_it_after_the_permit", "[client]") {
    fixture f;
    f.options.limits.interval = std::chrono::milliseconds{100};
    auto busy = scripted_transport::reply(429);
    busy.reply.fields.set("x-ratelimit-interval-milliseconds", "100");
    busy.reply.fields.set("x-ratelimit-remaining", "0");
    f.network->then(busy).then(scripted_transport::reply(200, contact_body));
    auto const r = f.run(f.location().try_call(
        contacts::get_contact{"c1"},
        {.timeout = std::chrono::hours{1}, .wait_past_deadline = true}));
    REQUIRE(r.has_value());
    CHECK(r->attempts() == 2);
    REQUIRE(f.network->bounds().size() == 2);
    // The time in the queue, most of an interval, is not counted.
    auto const gained = *f.network->bounds()[1].deadline - *f.network->bounds()[0].deadline;
    CHECK((gained >= std::chrono::milliseconds{50}));
}

TEST_CASE("a_proxy_that_refuses_us_is_not_asked_again", "[client]") {
    fixture f;
    auto refused = scripted_transport::lost(errc::proxy_failed, phase::connect, false);
    refused.final = true;
    f.network->then(refused);
    CHECK(f.failed().code() == errc::proxy_failed);
    CHECK(f.network->requests().size() == 1);
}

TEST_CASE("an_exception_from_below_is_a_failure", "[client]") {
    fixture f;
    f.network->then([](const highlevel::http::request&) -> highlevel::http::exchange_result {
        throw std::runtime_error{"broken"};
    });
    auto const seen = std::make_shared<recorder>();
    f.options.observer = seen;
    auto const failure = f.failed();
    CHECK((failure.code() == boost::system::errc::io_error));
    CHECK(failure.detail() == "broken");
    // Nobody knows how far the request came.
    CHECK(failure.may_have_been_processed());
    CHECK(failure.attempts() == 1);
    CHECK(failure.reached().empty());
    CHECK(f.network->requests().size() == 1);
    CHECK(f.client().quota("loc1").lost == 1);
    CHECK(seen->lines == std::vector<std::string>{"contacts.get_contact location:loc1 1 0"});
}

TEST_CASE("a_renewal_that_throws_leaves_the_servers_refusal", "[client]") {
    for (bool const own_time : {true, false}) {
        CAPTURE(own_time);
        fixture f;
        auto const source = std::make_shared<scripted_provider>();
        source->keeps = own_time;
        source->renewal = []() -> asio::awaitable<bool> {
            throw std::runtime_error{"broken"};
            co_return true;
        };
        f.options.credentials = std::shared_ptr<highlevel::auth::provider>{source};
        f.network->then(scripted_transport::reply(
            401, R"({"message":"Invalid Private Integration token","traceId":"t-2"})"));
        auto const failure = f.failed();
        CHECK(failure.status() == 401);
        CHECK(failure.trace_id() == "t-2");
        CHECK(failure.attempts() == 1);
        CHECK_FALSE(failure.may_have_been_processed());
    }
}

TEST_CASE("a_token_at_hand_spares_the_coroutine_and_an_error_is_told_by_it", "[client]") {
    fixture f;
    auto const source = std::make_shared<scripted_provider>();
    f.options.credentials = std::shared_ptr<highlevel::auth::provider>{source};
    f.network->then(scripted_transport::reply(200, contact_body));
    f.network->then(scripted_transport::reply(200, contact_body));

    (void)f.run(f.location().call(contacts::get_contact{"c1"}));
    CHECK(source->asked == 1);
    source->at_hand = source->answer;
    source->at_hand.token = std::make_shared<const highlevel::auth::secret>("quick");
    (void)f.run(f.location().call(contacts::get_contact{"c1"}));
    CHECK(source->asked == 1);
    auto const sent = f.network->requests();
    REQUIRE(sent.size() == 2);
    CHECK(field(sent[0], "Authorization") == "Bearer t");
    CHECK(field(sent[1], "Authorization") == "Bearer quick");

    source->at_hand = highlevel::auth::grant{make_error_code(errc::no_token), "at a glance"};
    source->answer = highlevel::auth::grant{make_error_code(errc::no_token), "after a look"};
    CHECK(f.failed().detail() == "after a look");
    CHECK(source->asked == 2);
    source->broken = true;
    CHECK(f.failed().detail() == "after a look");
    CHECK(source->asked == 3);
    CHECK(f.client().quota("loc1").in_flight == 0);
}

TEST_CASE("an_exception_of_a_source_of_tokens_is_a_failure_before_anything_is_sent", "[client]") {
    for (bool const own_time : {true, false}) {
        CAPTURE(own_time);
        fixture f;
        auto const source = std::make_shared<scripted_provider>();
        source->keeps = own_time;
        source->each = []() -> asio::awaitable<void> {
            throw std::runtime_error{"broken"};
            co_return;
        };
        f.options.credentials = std::shared_ptr<highlevel::auth::provider>{source};
        auto const failure = f.failed();
        CHECK(failure.code() == errc::no_token);
        CHECK(failure.detail() == "broken");
        CHECK_FALSE(failure.may_have_been_processed());
        CHECK(f.network->requests().empty());
    }
}

TEST_CASE("a_source_of_tokens_that_answers_too_late_is_named_and_left", "[client]") {
    fixture f;
    auto const source = std::make_shared<scripted_provider>();
    bool cancelled = false;
    source->each = [&]() -> asio::awaitable<void> {
        asio::steady_timer timer{
            co_await asio::this_coro::executor, std::chrono::steady_clock::time_point::max()};
        boost::system::error_code ec;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        cancelled = ec == asio::error::operation_aborted;
    };
    f.options.credentials = std::shared_ptr<highlevel::auth::provider>{source};
    auto const r = f.run(f.location().try_call(
        contacts::get_contact{"c1"}, {.timeout = std::chrono::milliseconds{100}}));
    REQUIRE(r.has_error());
    CHECK(r.error().code() == errc::timeout);
    CHECK(r.error().reached() == "token");
    CHECK(r.error().detail() == "the source of tokens did not answer in time");
    CHECK(cancelled);
}

TEST_CASE("a_call_ends_with_its_client_whatever_the_source_of_tokens_says", "[client]") {
    // As a source does that keeps deadlines: it lets go of those who wait when its client goes.
    for (bool const has_one : {true, false}) {
        CAPTURE(has_one);
        fixture f;
        auto const source = std::make_shared<scripted_provider>();
        source->keeps = true;
        source->each = [&]() -> asio::awaitable<void> {
            f.end();
            co_return;
        };
        if (!has_one) source->answer = {make_error_code(errc::no_token), "nobody there"};
        f.options.credentials = std::shared_ptr<highlevel::auth::provider>{source};
        auto const failure = f.failed();
        CHECK((failure.code() == asio::error::operation_aborted));
        CHECK(failure.cause() == cause::cancelled);
        CHECK(failure.reached() == "token");
        CHECK(f.network->requests().empty());
    }
}

TEST_CASE("a_cancellation_is_seen_after_a_callers_code_replaced_the_state", "[client]") {
    // Of another size than the state that was there before, so that its memory is another, too.
    class filter {
    public:
        asio::cancellation_type operator()(asio::cancellation_type type) const noexcept {
            return type;
        }
        char room[512] = {};
    };
    fixture f;
    auto const source = std::make_shared<scripted_provider>();
    source->keeps = true;
    source->each = []() -> asio::awaitable<void> {
        filter const all;
        co_await asio::this_coro::reset_cancellation_state(all, all);
        co_await asio::this_coro::throw_if_cancelled(false);
    };
    f.options.credentials = std::shared_ptr<highlevel::auth::provider>{source};
    asio::cancellation_signal signal;
    f.network
        ->then([&](const highlevel::http::request&) {
            signal.emit(asio::cancellation_type::terminal); // nothing is under way that hears it
            return scripted_transport::reply(503);
        })
        .then(scripted_transport::reply(200, contact_body));
    std::optional<highlevel::failure> failure;
    auto const work = [&]() -> asio::awaitable<void> {
        contacts::get_contact const get{"c1"};
        auto const r = co_await f.location().try_call(get);
        if (r.has_error()) failure = r.error();
    };
    test::run_cancellable(f.context, work(), signal);
    REQUIRE(failure.has_value());
    CHECK(failure->cause() == cause::cancelled);
    CHECK(f.network->requests().size() == 1);
}

TEST_CASE("a_call_that_was_cancelled_while_it_was_refused_ends_where_it_stands", "[client]") {
    // Nothing is under way that hears of the cancellation: what would come next must see it.
    class refusal {
    public:
        unsigned status;
        std::string_view body;
        std::string_view reached;
    };
    refusal const cases[] = {
        {503, "", "pause"},
        {401, R"({"message":"Invalid Private Integration token"})", "token"},
        {429, "", ""},
    };
    for (bool const throws : {true, false}) {
        for (auto const& each : cases) {
            CAPTURE(throws, each.status);
            fixture f;
            auto const seen = std::make_shared<recorder>();
            f.options.observer = seen;
            f.options.retry.budget = 1;
            asio::cancellation_signal signal;
            f.network
                ->then([&](const highlevel::http::request&) {
                    signal.emit(asio::cancellation_type::terminal);
                    return scripted_transport::reply(each.status, std::string{each.body});
                })
                .then(scripted_transport::reply(200, contact_body));
            std::optional<highlevel::failure> failure;
            auto const work = [&]() -> asio::awaitable<void> {
                co_await asio::this_coro::throw_if_cancelled(throws);
                contacts::get_contact const get{"c1"};
                auto const r = co_await f.location().try_call(get);
                if (r.has_error()) failure = r.error();
                co_await asio::this_coro::throw_if_cancelled(false);
            };
            test::run_cancellable(f.context, work(), signal);
            REQUIRE(failure.has_value());
            CHECK(failure->cause() == cause::cancelled);
            CHECK(failure->reached() == each.reached);
            CHECK(failure->attempts() == 1);
            CHECK(failure->status() == each.status);
            CHECK(f.network->requests().size() == 1);
            // What is told is what was: no other attempt.
            CHECK(seen->lines.size() == 1);
            CHECK(seen->lines.front().ends_with(std::to_string(each.status)));
            CHECK(seen->retries == 0);
            CHECK(seen->last_status == each.status);
            CHECK(f.client().quota("loc1").in_flight == 0);
            CHECK(f.client().quota("loc1").waiting_in(highlevel::quota::lane::interactive) == 0);
            // Nor did it take anything of the budget.
            if (each.status != 503) continue;
            f.network->then(scripted_transport::reply(503))
                .then(scripted_transport::reply(200, contact_body));
            contacts::get_contact const next{"c2"};
            CHECK(f.run(f.location().try_call(next)).has_value());
        }
    }
}

TEST_CASE("what_is_known_of_an_attempt_outlives_any_cancellation_that_is_let_through", "[client]") {
    // Total cancellation, which a coroutine hears only when it asks for it.
    for (bool const throws : {true, false}) {
        CAPTURE(throws);
        fixture f;
        auto const seen = std::make_shared<recorder>();
        f.options.observer = seen;
        asio::cancellation_signal signal;
        f.network->then([&](const highlevel::http::request&) {
            signal.emit(asio::cancellation_type::total);
            highlevel::http::exchange_result cut;
            cut.error = asio::error::operation_aborted;
            cut.reached = phase::first_byte;
            cut.may_have_been_processed = true;
            return cut;
        });
        std::optional<highlevel::failure> failure;
        auto const work = [&]() -> asio::awaitable<void> {
            co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
            co_await asio::this_coro::throw_if_cancelled(throws);
            contacts::create_contact const create;
            auto const r = co_await f.location().try_call(create);
            if (r.has_error()) failure = r.error();
            co_await asio::this_coro::throw_if_cancelled(false);
        };
        test::run_cancellable(f.context, work(), signal);
        REQUIRE(failure.has_value());
        CHECK(failure->cause() == cause::cancelled);
        CHECK(failure->may_have_been_processed());
        CHECK(failure->attempts() == 1);
        CHECK(failure->reached() == "first_byte");
        CHECK(seen->lines.size() == 1);
    }
}

TEST_CASE("a_coroutine_that_is_cancelled_already_does_not_queue_for_a_permit", "[client]") {
    fixture f;
    auto busy = scripted_transport::reply(429);
    busy.reply.fields.add("retry-after", "60");
    f.network->then(busy);
    contacts::get_contact const get{"c1"};
    highlevel::call_options soon;
    soon.timeout = std::chrono::seconds{5}; // too soon for a permit
    highlevel::call_options once;
    once.retry = highlevel::retry_mode::never;
    REQUIRE(f.run(f.location().try_call(get, once)).has_error());
    asio::cancellation_signal signal;
    std::optional<highlevel::failure> failure;
    auto const work = [&]() -> asio::awaitable<void> {
        co_await asio::this_coro::throw_if_cancelled(false);
        signal.emit(asio::cancellation_type::terminal); // nothing is under way that hears it
        auto const r = co_await f.location().try_call(get, soon);
        if (r.has_error()) failure = r.error();
    };
    test::run_cancellable(f.context, work(), signal);
    REQUIRE(failure.has_value());
    // The queue would have told that a permit can be had in a minute.
    CHECK(failure->cause() == cause::cancelled);
    CHECK_FALSE(failure->retry_in());
    CHECK(f.network->requests().size() == 1);
}

TEST_CASE(
    "a_call_that_is_cancelled_in_the_queue_after_a_429_keeps_what_the_server_said", "[client]") {
    fixture f;
    auto const seen = std::make_shared<recorder>();
    f.options.observer = seen;
    auto busy =
        scripted_transport::reply(429, R"({"message":"Too many requests","traceId":"t-4"})");
    busy.reply.fields.add("retry-after", "60");
    f.network->then(busy);
    asio::cancellation_signal signal;
    std::optional<highlevel::failure> failure;
    auto const work = [&]() -> asio::awaitable<void> {
        contacts::get_contact const get{"c1"};
        auto const r = co_await f.location().try_call(get);
        if (r.has_error()) failure = r.error();
        co_await asio::this_coro::throw_if_cancelled(false);
    };
    bool ended = false;
    asio::co_spawn(
        f.context, work(),
        asio::bind_cancellation_slot(signal.slot(), [&](const std::exception_ptr& e) {
            ended = true;
            if (e) std::rethrow_exception(e);
        }));
    test::run_until(f.context, [&] {
        return f.client().quota("loc1").waiting_in(highlevel::quota::lane::interactive) == 1;
    });
    signal.emit(asio::cancellation_type::terminal);
    test::run_until(f.context, [&] { return ended; });
    REQUIRE(failure.has_value());
    CHECK(failure->cause() == cause::cancelled);
    CHECK(failure->reached() == "permit");
    CHECK(failure->status() == 429);
    CHECK(failure->trace_id() == "t-4");
    CHECK(seen->last_status == 429);
    CHECK(
        seen->lines == std::vector<std::string>{"contacts.get_contact location:loc1 1 429 again"});
}

TEST_CASE("a_permit_of_a_call_that_ends_before_it_is_sent_is_given_back_unused", "[client]") {
    // Asked a third time after the long wait for the second permit, when the call is cancelled.
    fixture f;
    auto const source = std::make_shared<scripted_provider>();
    source->keeps = true;
    f.options.credentials = std::shared_ptr<highlevel::auth::provider>{source};
    asio::cancellation_signal signal;
    int asked = 0;
    source->each = [&]() -> asio::awaitable<void> {
        if (++asked == 3) signal.emit(asio::cancellation_type::terminal);
        co_return;
    };
    auto busy = scripted_transport::reply(429);
    busy.reply.fields.add("retry-after", "2");
    f.network->then(busy).then(scripted_transport::reply(200, contact_body));
    std::optional<cause> ended;
    contacts::get_contact const get{"c1"};
    auto const location = f.location();
    asio::co_spawn(
        f.context, location.try_call(get),
        asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr e, const auto& r) {
            if (e) std::rethrow_exception(e);
            if (r.has_error()) ended = r.error().cause();
        }));
    f.context.run();
    CHECK(ended == cause::cancelled);
    CHECK(f.network->requests().size() == 1);
    CHECK(f.client().quota("loc1").unsent == 1);
    CHECK(f.client().quota("loc1").lost == 0);
}

TEST_CASE("options_come_from_the_environment", "[client]") {
    class variables {
    public:
        variables() {
            for (auto const* name :
                 {"HIGHLEVEL_TOKEN", "HIGHLEVEL_CLIENT_ID", "HIGHLEVEL_CLIENT_SECRET",
                  "HIGHLEVEL_BASE_URL", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy",
                  "SSL_CERT_FILE"}) {
                auto const* const value = std::getenv(name);
                before_.emplace_back(
                    name, value != nullptr ? std::optional<std::string>{value} : std::nullopt);
                ::unsetenv(name);
            }
        }
        variables(const variables&) = delete;
        variables& operator=(const variables&) = delete;
        ~variables() {
            for (auto const& [name, value] : before_) {
                ::unsetenv(name);
                if (value) ::setenv(name, value->c_str(), 1);
            }
        }
        void set(const char* name, const char* value) { ::setenv(name, value, 1); }

    private:
        std::vector<std::pair<const char*, std::optional<std::string>>> before_;
    };
    variables env;
    auto const none = highlevel::client_options::from_environment();
    CHECK_FALSE(static_cast<bool>(none.credentials));
    CHECK(none.base_url == highlevel::client_options{}.base_url);
    CHECK(none.proxy.url.empty());

    env.set("HIGHLEVEL_TOKEN", "pit-env");
    env.set("HIGHLEVEL_BASE_URL", "http://127.0.0.1:9");
    env.set("HTTPS_PROXY", "proxy.example:3128");
    env.set("NO_PROXY", "a.example");
    auto const upper = highlevel::client_options::from_environment();
    CHECK(static_cast<bool>(upper.credentials));
    CHECK(upper.base_url == "http://127.0.0.1:9");
    CHECK(upper.proxy.url == "http://proxy.example:3128");
    CHECK(upper.proxy.no_proxy == "a.example");
    CHECK_NOTHROW(upper.validate());

    env.set("https_proxy", "http://me:pw@small.example:1");
    env.set("no_proxy", "*");
    auto const lower = highlevel::client_options::from_environment();
    CHECK(lower.proxy.url == "http://me:pw@small.example:1");
    CHECK(lower.proxy.no_proxy == "*");
}

TEST_CASE("an_account_may_outlive_client_and_context", "[client]") {
    std::optional<highlevel::account> kept;
    {
        asio::io_context context;
        highlevel::client_options options;
        options.credentials = highlevel::auth::private_integration{"pit-secret"};
        highlevel::client const client{context.get_executor(), options};
        kept = client.location("loc1");
    }
    CHECK(kept->id() == "loc1");
}

TEST_CASE("a_certificate_that_is_not_trusted_is_not_tried_again", "[client]") {
    fixture f;
    f.network->then(scripted_transport::lost(errc::certificate_untrusted, phase::tls, false));
    auto const failure = f.failed();
    CHECK(failure.code() == errc::certificate_untrusted);
    CHECK(failure.cause() == cause::tls);
    CHECK(f.network->requests().size() == 1);
}

TEST_CASE("an_html_page_in_a_success_is_an_error_and_an_empty_body_is_not", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, "<html>hello</html>"))
        .then(scripted_transport::reply(200, ""))
        .then(scripted_transport::reply(200, R"({"contact":{"id":"c1")"));
    auto const page = f.failed();
    CHECK(page.code() == errc::unexpected_content);
    CHECK(page.cause() == cause::bad_response);
    CHECK(page.body() == "<html>hello</html>");
    auto const empty = f.run(f.location().call(contacts::get_contact{"c1"}));
    CHECK_FALSE(empty->contact.has_value());
    CHECK(f.failed().code() == errc::unexpected_content);
}

TEST_CASE("a_success_whose_body_reports_an_error_is_one", "[client]") {
    fixture f;
    f.network->then(
        scripted_transport::reply(200, R"({"status":404,"message":"Not found","traceId":"t"})"));
    auto const failure = f.failed();
    CHECK(failure.code() == errc::refused_in_body);
    CHECK(failure.cause() == cause::not_found);
    CHECK(failure.status() == 200);
    CHECK(failure.trace_id() == "t");
}

TEST_CASE("strict_decoding_refuses_what_lenient_decoding_bends", "[client]") {
    constexpr auto bent = R"({"contact":{"id":7}})";
    {
        fixture f;
        f.network->then(scripted_transport::reply(200, bent));
        auto const got = f.run(f.location().call(contacts::get_contact{"c1"}));
        CHECK(got->contact->id == "7");
        CHECK_FALSE(got.diagnostics().empty());
    }
    fixture f;
    f.options.strict_decoding = true;
    f.network->then(scripted_transport::reply(200, bent));
    CHECK(f.failed().code() == errc::decode_failed);
}

TEST_CASE("a_rotated_token_is_sent_once_more", "[client]") {
    fixture f;
    highlevel::auth::private_integration tokens{"pit-old"};
    f.options.credentials = tokens;
    f.network
        ->then([&](const highlevel::http::request&) {
            tokens.all(highlevel::auth::secret{"pit-new"});
            return scripted_transport::reply(
                401, R"({"message":"Invalid Private Integration token"})");
        })
        .then(scripted_transport::reply(200, contact_body));
    auto const got = f.run(f.location().call(contacts::get_contact{"c1"}));
    CHECK(got.attempts() == 2);
    CHECK(field(f.network->requests().at(1), "authorization") == "Bearer pit-new");
}

TEST_CASE("an_account_without_a_token_sends_nothing", "[client]") {
    fixture f;
    f.options.credentials = {};
    f.network->then(scripted_transport::reply(200, contact_body));
    CHECK(f.failed().code() == errc::no_token);
    CHECK(f.network->requests().empty());
    CHECK(f.client().quota("loc1").in_flight == 0);
}

TEST_CASE("an_operation_for_agencies_fails_on_a_location_before_a_byte_is_sent", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, "{}"));
    highlevel::v2::oauth::get_installed_location op;
    op.company_id = "co";
    op.app_id = "app";
    auto const r = f.run(f.location().try_call(op));
    REQUIRE(r.has_error());
    CHECK(r.error().cause() == cause::wrong_token_kind);
    CHECK(r.error().scopes() == std::vector<std::string>{"oauth.readonly"});
    CHECK(f.network->requests().empty());
}

TEST_CASE("the_wrong_kind_of_account_is_named_before_what_is_missing_for_it", "[client]") {
    fixture f;
    // No company_id and no credentials: both come second.
    f.options.credentials = {};
    auto const r = f.run(f.location().try_call(highlevel::v2::oauth::get_installed_location{}));
    REQUIRE(r.has_error());
    CHECK(r.error().code() == errc::wrong_token_kind);
    CHECK(r.error().cause() == cause::wrong_token_kind);
    CHECK(r.error().scopes() == std::vector<std::string>{"oauth.readonly"});
    CHECK(r.error().hint() == "the operation's scopes: oauth.readonly");
    CHECK_FALSE(r.error().may_have_been_processed());

    auto const other = f.run(f.client().company("co").try_call(contacts::get_contact{}));
    REQUIRE(other.has_error());
    CHECK(other.error().code() == errc::wrong_token_kind);
    CHECK(f.network->requests().empty());
}

TEST_CASE("an_operation_with_a_raw_answer_accepts_any_content", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, "RIFF"))
        .then(scripted_transport::reply(200, "{}"));
    auto const r =
        f.run(f.location().call(highlevel::v2::conversations::get_message_recording{"m1", "loc1"}));
    CHECK(*r == "RIFF");
    CHECK(field(f.network->requests().at(0), "accept") == "*/*");
    f.run(f.location().call(contacts::get_contact{"c1"}));
    CHECK(field(f.network->requests().at(1), "accept") == "application/json");
}

TEST_CASE("a_search_that_is_a_post_is_repeated_like_a_get", "[client]") {
    fixture f;
    f.network->then(scripted_transport::lost(errc::connection_lost, phase::first_byte, true))
        .then(scripted_transport::reply(200, R"({"contacts":[],"total":0})"));
    contacts::search_contacts_advanced op;
    auto const r = f.run(f.location().call(op));
    CHECK(r->total == 0);
    CHECK(f.network->requests().size() == 2);
}

TEST_CASE("records_by_free_keys_may_have_a_trace_id_among_them", "[client]") {
    for (bool const strict : {false, true}) {
        fixture f;
        f.options.strict_decoding = strict;
        f.network->then(scripted_transport::reply(
            200, R"({"2026-01-02":{"slots":["2026-01-02T09:00:00Z"]},"traceId":"t-1"})"));
        highlevel::v2::calendars::get_slots op{"cal1"};
        op.start_date = 1;
        op.end_date = 2;
        auto const r = f.run(f.location().call(op));
        CHECK(r->at("2026-01-02").slots.size() == 1);
        CHECK(r->size() == 1);
        CHECK(r.trace_id() == "t-1");
    }
}

TEST_CASE("a_raw_request_gets_the_same_token_and_version", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, R"({"x":1})"))
        .then(scripted_transport::reply(200, "plain text"));
    highlevel::http::request request{highlevel::method::get, "/anything?x=1"};
    auto const got = f.run(f.location().send(request));
    CHECK(got->at("x").as_int64() == 1);
    auto const sent = f.network->requests().at(0);
    CHECK(sent.target == "/anything?x=1");
    CHECK(field(sent, "authorization") == "Bearer pit-secret");
    CHECK(field(sent, "version") == "2021-07-28");
    auto const text = f.run(f.location().send(request));
    CHECK(text->is_null());
    CHECK(text.body() == "plain text");
}

TEST_CASE("the_version_can_be_chosen_per_call", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, contact_body));
    (void)f.run(f.location().call(contacts::get_contact{"c1"}, {.version = "v3"}));
    CHECK(field(f.network->requests().at(0), "version") == "v3");
}

TEST_CASE("async_call_takes_completion_tokens", "[client]") {
    fixture f;
    f.network->then(scripted_transport::reply(200, contact_body));
    auto future = f.location().async_call(contacts::get_contact{"c1"}, asio::use_future);
    std::string name;
    f.location().async_call(
        contacts::get_contact{"c1"},
        [&](std::exception_ptr thrown,
            highlevel::response<contacts::get_contact::response_type> r) {
            REQUIRE_FALSE(thrown);
            name = r->contact->first_name.value_or("");
        });
    CHECK(name.empty());
    f.context.run();
    CHECK(future.get()->contact->first_name == "Ada");
    CHECK(name == "Ada");
}

TEST_CASE("destroying_the_client_ends_calls_with_operation_aborted", "[client]") {
    asio::io_context context;
    auto const network = std::make_shared<scripted_transport>();
    // One request is let through and answered; all others wait for it in the limiter.
    network->then(scripted_transport::reply(200, contact_body));
    highlevel::client_options options;
    options.credentials = highlevel::auth::private_integration{"pit-secret"};
    options.transport = network;
    int aborted = 0;
    std::optional<highlevel::client> client{std::in_place, context.get_executor(), options};
    auto const location = client->location("loc1");
    for (int i = 0; i < 5; ++i)
        location.async_call(
            contacts::get_contact{"c1"}, [&](std::exception_ptr thrown, const auto&) {
                try {
                    if (thrown) std::rethrow_exception(thrown);
                } catch (const highlevel::error& e) {
                    if (e.code() == asio::error::operation_aborted && e.cause() == cause::cancelled)
                        ++aborted;
                }
            });
    client.reset();
    context.run();
    CHECK(aborted == 5);
    CHECK(network->closed());
}

TEST_CASE("an_observer_is_told_of_each_attempt", "[client]") {
    fixture f;
    auto const seen = std::make_shared<recorder>();
    f.options.observer = seen;
    f.network->then(scripted_transport::reply(500)).then(scripted_transport::reply(200, "{}"));
    (void)f.run(f.location().call(contacts::get_contact{"c1"}));
    CHECK(
        seen->lines ==
        std::vector<std::string>{
            "contacts.get_contact location:loc1 1 500 again",
            "contacts.get_contact location:loc1 2 200"});
}

TEST_CASE("options_that_cannot_be_used_are_named", "[client]") {
    asio::io_context context;
    highlevel::client_options options;
    options.user_agent = "a\r\nb";
    CHECK_THROWS_WITH(
        highlevel::client(context.get_executor(), options), test::contains("user_agent"));
    options = {};
    options.base_url = "http://services.leadconnectorhq.com";
    CHECK_THROWS_AS(
        highlevel::client(context.get_executor(), options), boost::system::system_error);
}

} // namespace client_tests
