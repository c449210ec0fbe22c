// SPDX-License-Identifier: BSL-1.0
//
// Tests of http/circuit_breaker.hpp with made-up time, and of what callers see of it.
#include "support/catch.hpp"
#include "support/client_bench.hpp"
#include "support/fault_server.hpp"
#include "support/transport_bench.hpp"

#include <highlevel/http/circuit_breaker.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace http_circuit_breaker_tests {

namespace {

using namespace std::chrono_literals;
using namespace highlevel::test;
using highlevel::errc;
using highlevel::method;
using breaker = highlevel::http::circuit_breaker;
using ticket = breaker::ticket;
namespace asio = boost::asio;
namespace http = highlevel::http;

const breaker::time_point start{1h};

/// A breaker that has just opened.
breaker opened(unsigned threshold = 3) {
    breaker b{threshold, 1s, 5s};
    for (unsigned i = 0; i < threshold; ++i)
        b.failed(b.admit(start), start);
    return b;
}

} // namespace

TEST_CASE("circuit_opens_after_failures_in_a_row", "[http][circuit]") {
    breaker b{3, 1s, 5s};
    b.failed(b.admit(start), start);
    b.failed(b.admit(start), start);
    b.succeeded();
    b.failed(b.admit(start), start);
    b.failed(b.admit(start), start);
    CHECK(!b.open());
    CHECK(b.admit(start) == ticket::ordinary);
    CHECK(b.retry_in(start) == 0ms);
    b.failed(ticket::ordinary, start);
    CHECK(b.open());
    CHECK(b.failures() == 3);
    CHECK(b.admit(start) == ticket::refused);
    CHECK(b.admit(start + 999ms) == ticket::refused);
    CHECK(b.retry_in(start + 400ms) == 600ms);
}

TEST_CASE("one_probe_goes_ahead_after_the_pause", "[http][circuit]") {
    auto b = opened();
    CHECK(b.admit(start + 1s) == ticket::probe);
    CHECK(b.admit(start + 1s) == ticket::refused);
    CHECK(b.retry_in(start + 1s) == 1s);
    b.succeeded();
    CHECK(!b.open());
    CHECK(b.failures() == 0);
    CHECK(b.admit(start + 1s) == ticket::ordinary);
}

TEST_CASE("probe_that_fails_doubles_the_pause_up_to_its_bound", "[http][circuit]") {
    auto b = opened();
    auto now = start + 1s;
    for (auto pause : {2s, 4s, 5s, 5s}) {
        REQUIRE(b.admit(now) == ticket::probe);
        b.failed(ticket::probe, now);
        CHECK(b.retry_in(now) == pause);
        CHECK(b.admit(now + pause - 1ms) == ticket::refused);
        now += pause;
    }
    REQUIRE(b.admit(now) == ticket::probe);
    b.succeeded();
    for (int i = 0; i < 3; ++i)
        b.failed(ticket::ordinary, now);
    CHECK(b.retry_in(now) == 1s); // the pause begins small again
}

TEST_CASE("probe_that_was_broken_off_leaves_room_for_another", "[http][circuit]") {
    auto b = opened();
    REQUIRE(b.admit(start + 1s) == ticket::probe);
    b.abandoned(ticket::ordinary);
    CHECK(b.admit(start + 1s) == ticket::refused);
    b.abandoned(ticket::probe);
    CHECK(b.admit(start + 1s) == ticket::probe);
}

TEST_CASE("failures_that_come_late_do_not_lengthen_the_pause", "[http][circuit]") {
    auto b = opened();
    b.failed(ticket::ordinary, start + 900ms); // began before the circuit opened
    CHECK(b.admit(start + 1s) == ticket::probe);
    // A connection that was under way all the while shows that the server is back.
    b.succeeded();
    CHECK(!b.open());
}

TEST_CASE("threshold_of_zero_never_opens", "[http][circuit]") {
    breaker b{0, 1s, 5s};
    for (int i = 0; i < 1000; ++i)
        b.failed(b.admit(start), start);
    CHECK(b.admit(start) == ticket::ordinary);
}

TEST_CASE("unreachable_server_is_left_alone_and_the_error_says_why", "[http][circuit]") {
    auto const port = closed_port();
    transport_bench b;
    b.pool.circuit_threshold = 3;
    b.pool.circuit_pause = b.pool.circuit_max_pause = 1h;
    b.connect("http://127.0.0.1:" + std::to_string(port));
    for (int i = 0; i < 3; ++i)
        CHECK(b.post("x").error == errc::connect_failed);
    CHECK(b.transport->stats().circuit_open);
    auto const out = b.post("x");
    CHECK(out.error == errc::circuit_open);
    CHECK(out.error == highlevel::condition::retryable);
    CHECK(!out.may_have_been_processed);
    REQUIRE(out.retry_in);
    CHECK(*out.retry_in > 59min);
    CHECK(out.detail.find("3 failures in a row") == 0);
    CHECK(out.detail.find("127.0.0.1:" + std::to_string(port)) != std::string::npos);
    CHECK(b.transport->stats().open_failures == 3);
    CHECK(b.transport->stats().refused == 1);
    CHECK(b.settled());
}

TEST_CASE("circuit_closes_when_the_probe_gets_through", "[http][circuit]") {
    // The server hangs up on the first three TLS handshakes.
    certificate_authority const ca;
    behaviour rude;
    rude.at_accept = act::close;
    fault_server server{
        [&](std::size_t c, std::size_t) { return c < 3 ? rude : behaviour{}; }, ca.issue()};
    transport_bench b;
    b.tls.ca_pem = ca.pem();
    b.pool.circuit_threshold = 3;
    b.pool.circuit_pause = b.pool.circuit_max_pause = 20ms;
    b.connect(server.url("localhost"));
    for (int i = 0; i < 3; ++i)
        CHECK(!b.get().ok());
    CHECK(b.transport->stats().circuit_open);
    b.run_until([&] { return b.get().ok(); });
    CHECK(!b.transport->stats().circuit_open);
    CHECK(server.accepted() == 4);
    CHECK(b.get().ok());
    CHECK(b.settled());
}

TEST_CASE("haste_cancellation_and_bad_certificates_do_not_open_the_circuit", "[http][circuit]") {
    certificate_authority const ca;
    SECTION("certificate") {
        fault_server server{behaviour{}, certificate_authority::self_signed()};
        transport_bench b;
        b.tls.ca_pem = ca.pem();
        b.pool.circuit_threshold = 1;
        b.connect(server.url("localhost"));
        for (int i = 0; i < 3; ++i)
            CHECK(b.get().error == errc::certificate_untrusted);
    }
    SECTION("one call's own limits, and cancellation") {
        full_listener silent;
        transport_bench b;
        b.pool.circuit_threshold = 1;
        b.connect(silent.url());
        http::exchange_options hasty;
        hasty.limits.connect = 20ms;
        CHECK(b.get("/", hasty).error == errc::timeout);
        hasty = {};
        hasty.deadline = std::chrono::steady_clock::now() + 20ms;
        CHECK(b.get("/", hasty).error == errc::timeout);
        auto const one = b.begin({method::get, "/"});
        b.run_until([&] { return b.transport->stats().connecting == 1; });
        one->signal.emit(asio::cancellation_type::terminal);
        b.run_until([&] { return one->done(); });
        CHECK(!b.transport->stats().circuit_open);
        CHECK(b.settled());
    }
}

TEST_CASE("while_the_circuit_is_open_a_busy_kept_connection_is_waited_for", "[http][circuit]") {
    behaviour slow;
    slow.gated = true;
    fault_server server{slow};
    transport_bench b;
    b.pool.circuit_threshold = 1;
    b.pool.circuit_pause = b.pool.circuit_max_pause = 1h;
    b.connect(server.url());
    auto const holder = b.begin({method::get, "/"});
    b.run_until([&] { return server.request_count() == 1; });
    server.stop_listening();
    CHECK(b.get().error == errc::connect_failed);
    REQUIRE(b.transport->stats().circuit_open);
    auto const waiter = b.begin({method::post, "/"});
    b.run_until([&] { return b.transport->stats().waiting == 1 || waiter->done(); });
    CHECK(!waiter->done());
    server.open_gate();
    b.run_until([&] { return holder->done() && waiter->done(); });
    CHECK(holder->result->ok());
    CHECK(waiter->result->ok());
    CHECK(server.accepted() == 1);
    // With the last connection gone there is nothing to wait for.
    server.close_connections();
    REQUIRE(server.wait_for_open(0));
    CHECK(b.get().error == errc::circuit_open);
    CHECK(b.settled());
}

TEST_CASE("call_waits_for_the_probe_instead_of_failing", "[http][circuit]") {
    certificate_authority const ca;
    behaviour rude;
    rude.at_accept = act::close;
    fault_server server{
        [&](std::size_t c, std::size_t) { return c < 2 ? rude : behaviour{http_reply("{}")}; },
        ca.issue()};
    client_bench b{server.url("localhost")};
    b.options.tls.ca_pem = ca.pem();
    b.options.pool.circuit_threshold = 2;
    b.options.pool.circuit_pause = 100ms;
    // Two attempts fail and open the circuit. The next meets it open and waits for the probe,
    // unless the machine was so slow that it is the probe.
    http::request r{method::post, "/x"};
    auto const out = b.call(r);
    REQUIRE(out.has_value());
    CHECK(server.request_count() == 1);
    CHECK(b.transport->stats().refused <= 1);
    CHECK(out->attempts() == 3 + static_cast<int>(b.transport->stats().refused));
    CHECK(b.balanced());
}

} // namespace http_circuit_breaker_tests
