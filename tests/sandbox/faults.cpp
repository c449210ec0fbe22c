// SPDX-License-Identifier: BSL-1.0
//
// Tests of the faults that the sandbox makes up: drawn from the seed, counted exactly, and seen by
// a client as what they are.
#include "support/catch.hpp"

#include <highlevel/sandbox/detail/faults.hpp>
#include <highlevel/sandbox/server.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>

namespace sandbox_faults_tests {

namespace asio = boost::asio;
namespace sandbox = highlevel::sandbox;
using namespace std::chrono_literals;
using sandbox::detail::draw_fault;
using sandbox::detail::fault;

namespace {

/// What came of one request on a connection of its own.
class outcome {
public:
    std::string received;
    boost::system::error_code end;
};

/// Sends a request and reads until the server ends the connection.
outcome ask(const sandbox::server& server, std::string_view request) {
    asio::io_context context;
    asio::ip::tcp::socket socket{context};
    socket.connect({asio::ip::address_v4::loopback(), server.port()});
    asio::write(socket, asio::buffer(request.data(), request.size()));
    outcome seen;
    std::array<char, 4096> room;
    while (!seen.end)
        seen.received.append(room.data(), socket.read_some(asio::buffer(room), seen.end));
    return seen;
}

std::string request(const std::string& token, std::string_view line, const std::string& body = {}) {
    std::string text{line};
    text += " HTTP/1.1\r\nhost: x\r\nversion: 2021-07-28\r\nconnection: close\r\n";
    text += "authorization: Bearer " + token + "\r\n";
    if (!body.empty())
        text += "content-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
            "\r\n";
    return text + "\r\n" + body;
}

/// A POST that tells itself apart by its source.
std::string post(const sandbox::server& server, const std::string& id) {
    return request(
        server.token(), "POST /contacts/upsert",
        R"({"locationId":")" + server.locations().at(0).id +
            R"(","email":"soak@example.com","source":")" + id + R"("})");
}

} // namespace

TEST_CASE("faults_follow_from_seed_and_number_in_their_shares", "[sandbox][faults]") {
    sandbox::fault_options rates;
    rates.reset_rate = 0.05;
    rates.server_error_rate = 0.02;
    rates.gateway_timeout_rate = 0.03;
    rates.stall_rate = 0.01;
    constexpr std::uint64_t all = 100'000;
    std::array<std::uint64_t, 5> counts{};
    std::array<std::uint64_t, 5> processed{};
    std::uint64_t differ = 0;
    for (std::uint64_t number = 1; number <= all; ++number) {
        auto const drawn = draw_fault(rates, 1, number);
        auto const again = draw_fault(rates, 1, number);
        CHECK((drawn.what == again.what && drawn.processed == again.processed));
        ++counts[static_cast<std::size_t>(drawn.what)];
        processed[static_cast<std::size_t>(drawn.what)] += drawn.processed;
        differ += drawn.what != draw_fault(rates, 2, number).what;
    }
    auto const near = [](std::uint64_t count, double share) {
        return std::abs(static_cast<double>(count) / all - share) < 0.003;
    };
    CHECK(near(counts[static_cast<std::size_t>(fault::kind::reset)], 0.05));
    CHECK(near(counts[static_cast<std::size_t>(fault::kind::server_error)], 0.02));
    CHECK(near(counts[static_cast<std::size_t>(fault::kind::gateway_timeout)], 0.03));
    CHECK(near(counts[static_cast<std::size_t>(fault::kind::stall)], 0.01));
    CHECK(near(processed[static_cast<std::size_t>(fault::kind::reset)], 0.0375));
    CHECK(near(processed[static_cast<std::size_t>(fault::kind::server_error)], 0.01));
    CHECK(near(processed[static_cast<std::size_t>(fault::kind::gateway_timeout)], 0.015));
    CHECK(near(processed[static_cast<std::size_t>(fault::kind::stall)], 0.005));
    CHECK(differ > all / 10);
}

TEST_CASE("no_rates_mean_no_faults", "[sandbox][faults]") {
    for (std::uint64_t number = 1; number <= 1000; ++number) {
        auto const drawn = draw_fault({}, 1, number);
        CHECK((drawn.what == fault::kind::none && drawn.processed));
    }
}

TEST_CASE("each_fault_is_what_was_drawn_and_counted_once", "[sandbox][faults]") {
    sandbox::options how;
    how.faults.reset_rate = 0.5;
    how.faults.server_error_rate = 0.2;
    how.faults.gateway_timeout_rate = 0.2;
    how.post_id_member = "source";
    sandbox::server server{how};
    server.start();
    sandbox::counters expected;
    for (std::uint64_t number = 1; number <= 60; ++number) {
        auto const drawn = draw_fault(how.faults, how.seed, number);
        auto const id = "post-" + std::to_string(number);
        auto const seen = ask(server, post(server, id));
        CAPTURE(number, seen.received.substr(0, 40), seen.end.message());
        switch (drawn.what) {
        case fault::kind::none: CHECK(seen.received.starts_with("HTTP/1.1 20")); break;
        case fault::kind::reset:
            ++expected.resets;
            CHECK(seen.end == asio::error::connection_reset);
            // Whole behind the answer, cut within it, and nothing before it.
            if (drawn.bytes <= 100) CHECK(seen.received.size() == drawn.bytes);
            break;
        case fault::kind::server_error:
            ++expected.server_errors;
            CHECK(seen.received.starts_with("HTTP/1.1 " + std::to_string(drawn.status)));
            break;
        case fault::kind::gateway_timeout:
            ++expected.gateway_timeouts;
            CHECK(seen.received.starts_with("HTTP/1.1 401 "));
            CHECK(seen.received.ends_with(R"({"statusCode":401,"message":"Command timed out"})"));
            break;
        case fault::kind::stall: FAIL("none was asked for"); break;
        }
        auto const processed = server.stats().processed;
        CHECK(processed.count(id) == (drawn.processed ? 1 : 0));
        if (drawn.processed) CHECK(processed.at(id) == 1);
    }
    auto const counted = server.totals();
    CHECK(counted.requests == 60);
    CHECK(counted.accepted == 60);
    CHECK(expected.resets > 0);
    CHECK(expected.server_errors > 0);
    CHECK(expected.gateway_timeouts > 0);
    CHECK(counted.resets == expected.resets);
    CHECK(counted.server_errors == expected.server_errors);
    CHECK(counted.gateway_timeouts == expected.gateway_timeouts);
    CHECK(counted.stalls == 0);
    CHECK(counted.scripted == 0);
    server.reset_stats();
    CHECK(server.stats().processed.empty());
}

TEST_CASE("stalled_request_is_counted_and_ends_with_the_server", "[sandbox][faults]") {
    sandbox::options how;
    how.faults.stall_rate = 1;
    sandbox::server server{how};
    asio::io_context context;
    asio::ip::tcp::socket socket{context};
    server.start();
    socket.connect({asio::ip::address_v4::loopback(), server.port()});
    asio::write(socket, asio::buffer(post(server, "a")));
    while (server.totals().stalls == 0) {
    }
    CHECK(socket.available() == 0);
    server.stop();
    boost::system::error_code ec;
    std::array<char, 16> room;
    CHECK(socket.read_some(asio::buffer(room), ec) == 0);
    CHECK(ec);
}

TEST_CASE("same_post_twice_is_processed_twice_and_counted_so", "[sandbox][faults]") {
    sandbox::options how;
    how.post_id_member = "source";
    sandbox::server server{how};
    server.start();
    (void)ask(server, post(server, "a"));
    (void)ask(server, post(server, "a"));
    (void)ask(server, post(server, "b"));
    auto const processed = server.stats().processed;
    CHECK(processed.at("a") == 2);
    CHECK(processed.at("b") == 1);
}

TEST_CASE("request_that_is_refused_is_refused_whatever_was_drawn", "[sandbox][faults]") {
    sandbox::options how;
    how.faults.server_error_rate = 1;
    how.max = 1;
    how.interval = 1h;
    how.post_id_member = "source";
    sandbox::server server{how};
    server.start();
    CHECK(ask(server, post(server, "a")).received.starts_with("HTTP/1.1 50"));
    CHECK(ask(server, post(server, "b")).received.starts_with("HTTP/1.1 429"));
    CHECK(
        ask(server, request("pit-nobody", "GET /contacts/x")).received.starts_with("HTTP/1.1 401"));
    CHECK(server.totals().server_errors == 1);
    CHECK(server.stats().processed.count("b") == 0);
}

TEST_CASE("token_expires_after_its_first_use_until_it_is_made_known_again", "[sandbox][faults]") {
    sandbox::options how;
    how.faults.token_lifetime = 1ms;
    how.max = 60'000;
    sandbox::server server{how};
    server.start();
    auto const place = server.locations().at(0);
    auto const line = "GET /contacts/" + server.contact_ids(place.id).at(0);
    auto const status = [&](const std::string& token) {
        return ask(server, request(token, line)).received.substr(9, 3);
    };
    CHECK(status(place.token) == "200");
    std::string now;
    while ((now = status(place.token)) == "200") {
    }
    CHECK(now == "401");
    CHECK(server.totals().expired == 1);
    CHECK(
        ask(server, request(place.token, line))
            .received.find("Invalid Private Integration token") != std::string::npos);
    CHECK(server.totals().expired == 2);
    // The token for everything lasts.
    CHECK(status(server.token()) == "200");
    server.add_token(place.token, {place.id});
    CHECK(status(place.token) == "200");
}

TEST_CASE("rates_that_cannot_be_are_named", "[sandbox][faults]") {
    for (double const bad : {-0.1, 0.6}) {
        sandbox::options how;
        how.faults.reset_rate = bad;
        how.faults.gateway_timeout_rate = 0.5;
        CHECK_THROWS_WITH(sandbox::server{how}, test::contains("faults"));
    }
    sandbox::options how;
    how.faults.token_lifetime = -1ms;
    CHECK_THROWS_WITH(sandbox::server{how}, test::contains("token_lifetime"));
}

} // namespace sandbox_faults_tests
