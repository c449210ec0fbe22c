// SPDX-License-Identifier: BSL-1.0
//
// Tests of http/connector.hpp: the order of addresses, and the race between them.
#include "support/catch.hpp"
#include "support/fault_server.hpp"

#include <highlevel/http/connector.hpp>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <pthread.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace http_connector_tests {

namespace {

using namespace std::chrono_literals;
using namespace highlevel::test;
namespace asio = boost::asio;
namespace http = highlevel::http;

#if defined(__GLIBC__)
/// While it lives no thread can be made: none has room for its stack.
class no_more_threads {
public:
    no_more_threads() {
        REQUIRE(::pthread_getattr_default_np(&usual_) == 0);
        ::pthread_attr_t huge;
        ::pthread_attr_init(&huge);
        ::pthread_attr_setstacksize(&huge, std::size_t{1} << 47);
        int const failed = ::pthread_setattr_default_np(&huge);
        ::pthread_attr_destroy(&huge);
        REQUIRE(failed == 0);
    }
    no_more_threads(const no_more_threads&) = delete;
    no_more_threads& operator=(const no_more_threads&) = delete;
    ~no_more_threads() {
        ::pthread_setattr_default_np(&usual_);
        ::pthread_attr_destroy(&usual_);
    }

private:
    ::pthread_attr_t usual_;
};
#endif

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

TEST_CASE("host_is_looked_up_once_until_its_time_is_up_or_it_is_doubted", "[http][connector]") {
    using highlevel::detail::one_shot;
    using http::detail::host_addresses;
    using answer = std::optional<host_addresses::answer>;
    asio::io_context context;
    auto const ask = [&](host_addresses& h, host_addresses::clock::time_point now) {
        auto got = h.ask(now, std::make_shared<one_shot>());
        bool const known = got.has_value();
        context.restart();
        context.run(); // to the end of the look-up, where one was begun
        return known;
    };
    auto const host = std::make_shared<host_addresses>(
        context.get_executor(), "localhost", std::uint16_t{443}, 1h);
    auto const now = host_addresses::clock::now();
    CHECK(!ask(*host, now));
    REQUIRE(!host->latest().error);
    REQUIRE(!host->latest().addresses.empty());
    CHECK(host->latest().addresses.front().address().is_loopback());
    CHECK(host->latest().addresses.front().port() == 443);
    CHECK(ask(*host, now + 59min));
    CHECK(!ask(*host, now + 61min));
    host->doubt();
    CHECK(!ask(*host, now));
    CHECK(ask(*host, now));

    auto const always = std::make_shared<host_addresses>(
        context.get_executor(), "localhost", std::uint16_t{443}, 0ms);
    CHECK(!ask(*always, now));
    CHECK(!ask(*always, host_addresses::clock::now()));

    auto const literal =
        std::make_shared<host_addresses>(context.get_executor(), "::1", std::uint16_t{1}, 1h);
    CHECK(ask(*literal, now));

    // What is known serves while a look-up cannot be made, and a look-up that ends tells all.
    auto const two = std::make_shared<host_addresses>(
        context.get_executor(), "localhost", std::uint16_t{443}, 1h);
    auto const one_bell = std::make_shared<one_shot>();
    auto const other_bell = std::make_shared<one_shot>();
    CHECK(!two->ask(now, one_bell));
    CHECK(!two->ask(now, other_bell));
    int rung = 0;
    for (auto const& bell : {one_bell, other_bell})
        bell->async_wait(asio::bind_executor(
            context.get_executor(), [&](boost::system::error_code) { ++rung; }));
    context.restart();
    context.run();
    CHECK(rung == 2);

    // The end takes the resolver away; what lives on can be asked without its context.
    host->end();
    host->doubt();
    answer const ended = host->ask(now, std::make_shared<one_shot>());
    REQUIRE(ended);
    CHECK((ended->error == asio::error::operation_aborted));
}

#if defined(__GLIBC__)
TEST_CASE("look_up_that_cannot_begin_fails_and_the_next_begins", "[http][connector]") {
    using highlevel::detail::one_shot;
    using http::detail::host_addresses;
    asio::io_context context; // a new one: Asio keeps the thread of its look-ups
    auto const host = std::make_shared<host_addresses>(
        context.get_executor(), "localhost", std::uint16_t{443}, 1h);
    auto const now = host_addresses::clock::now();
    std::optional<host_addresses::answer> failed;
    {
        no_more_threads const none;
        CHECK_NOTHROW(failed = host->ask(now, std::make_shared<one_shot>()));
    }
    CHECK((failed && failed->error == asio::error::try_again));
    auto const bell = std::make_shared<one_shot>();
    CHECK(!host->ask(now, bell));
    bool rung = false;
    bell->async_wait(asio::bind_executor(
        context.get_executor(), [&](boost::system::error_code) { rung = true; }));
    // Ends when there is nothing to wait for any more.
    context.run();
    CHECK(rung);
    CHECK(!host->latest().addresses.empty());
}
#endif

TEST_CASE("failed_look_up_leaves_what_an_earlier_one_found", "[http][connector]") {
    http::detail::endpoints const found{{asio::ip::address_v4::loopback(), 1}};
    http::detail::known_addresses::time_point const now{24h};
    auto const failed = make_error_code(asio::error::host_not_found_try_again);
    http::detail::known_addresses known{1h};
    CHECK(!known.fresh(now));
    known.learn(failed, {}, now);
    CHECK((known.latest().error == failed));
    CHECK(!known.fresh(now)); // a failure is not kept
    known.learn({}, {}, now);
    CHECK((known.latest().error == asio::error::host_not_found));

    known.learn({}, found, now);
    CHECK(!known.latest().error);
    CHECK(known.fresh(now + 59min));
    CHECK(!known.fresh(now + 1h));
    known.learn(failed, {}, now + 2h);
    CHECK(!known.latest().error);
    CHECK(known.latest().addresses == found);
    CHECK(known.fresh(now + 2h + 59min));
    known.doubt();
    CHECK(!known.fresh(now + 2h));
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
    auto const bell = std::make_shared<highlevel::detail::one_shot>();
    auto const racing =
        std::make_shared<http::detail::connector>(context.get_executor(), race, 10ms, bell);
    racing->start();
    context.run_for(20s);
    REQUIRE(context.stopped()); // the loser was given up
    auto const won = racing->take();
    REQUIRE(won);
    CHECK(won->remote_endpoint().port() == server.port());
}

} // namespace http_connector_tests
