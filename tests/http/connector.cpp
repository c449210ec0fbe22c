// SPDX-License-Identifier: BSL-1.0
//
// Tests of http/connector.hpp: the order of addresses, and the race between them.
#include "support/catch.hpp"
#include "support/fault_server.hpp"

#include <highlevel/http/connector.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

namespace {

using namespace std::chrono_literals;
using namespace highlevel::test;
namespace asio = boost::asio;
namespace http = highlevel::http;

} // namespace

TEST_CASE("addresses_alternate_between_families", "[http][connector]") {
    using http::detail::endpoints;
    auto const at = [](const char* a) {
        return asio::ip::tcp::endpoint{asio::ip::make_address(a), 1};
    };
    endpoints const in{at("::1"), at("::2"), at("::3"), at("127.0.0.1"), at("127.0.0.2")};
    endpoints const out{at("::1"), at("127.0.0.1"), at("::2"), at("127.0.0.2"), at("::3")};
    CHECK(http::detail::interleaved(in) == out);
    CHECK(http::detail::interleaved({}).empty());
    CHECK(http::detail::to_text(at("::1")) == "[::1]:1");
}

TEST_CASE("address_that_does_not_answer_is_overtaken_by_the_next", "[http][connector]") {
    full_listener silent;
    fault_server server;
    asio::io_context context;
    auto const port = static_cast<std::uint16_t>(std::stoi(silent.url().substr(17)));
    http::detail::endpoints const race{
        {asio::ip::address_v4::loopback(), port},
        {asio::ip::address_v4::loopback(), server.port()},
    };
    auto const bell = std::make_shared<http::detail::one_shot>();
    auto const racing =
        std::make_shared<http::detail::connector>(context.get_executor(), race, 10ms, bell);
    racing->start();
    context.run_for(20s);
    REQUIRE(context.stopped()); // the loser was given up
    auto const won = racing->take();
    REQUIRE(won);
    CHECK(won->remote_endpoint().port() == server.port());
}
