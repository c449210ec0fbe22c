// SPDX-License-Identifier: BSL-1.0
//
// Tests of the transport through an HTTP proxy: the tunnel, its authentication, and a proxy that
// refuses, breaks off or does not answer.
#include "support/catch.hpp"
#include "support/certificates.hpp"
#include "support/fault_server.hpp"
#include "support/transport_bench.hpp"

#include <highlevel/http/http1_transport.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace http_tunnel_tests {

namespace {

using namespace std::chrono_literals;
using namespace highlevel::test;
using highlevel::errc;
using http_phase = highlevel::http::phase;
namespace asio = boost::asio;
namespace http = highlevel::http;

/// A proxy that connects every tunnel to one loopback port, whatever host was asked for.
class tunnel_proxy {
public:
    explicit tunnel_proxy(std::uint16_t target)
        : target_(target),
          acceptor_(context_, {asio::ip::address_v4::loopback(), 0}) {
        asio::co_spawn(context_, accept(), asio::detached);
        thread_ = std::thread{[this] { context_.run(); }};
    }
    tunnel_proxy(const tunnel_proxy&) = delete;
    tunnel_proxy& operator=(const tunnel_proxy&) = delete;
    ~tunnel_proxy() {
        context_.stop();
        thread_.join();
    }

    [[nodiscard]] std::string address() const {
        return "127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    }
    [[nodiscard]] std::vector<std::string> heads() const {
        std::lock_guard const lock{mutex_};
        return heads_;
    }

private:
    using socket = asio::ip::tcp::socket;

    asio::awaitable<void> accept() {
        for (;;) {
            auto client =
                std::make_shared<socket>(co_await acceptor_.async_accept(asio::use_awaitable));
            asio::co_spawn(context_, serve(std::move(client)), asio::detached);
        }
    }

    asio::awaitable<void> serve(std::shared_ptr<socket> client) {
        std::string head;
        boost::system::error_code ec;
        char byte = 0;
        while (!head.ends_with("\r\n\r\n")) {
            co_await client->async_read_some(
                asio::buffer(&byte, 1), asio::redirect_error(asio::use_awaitable, ec));
            if (ec) co_return;
            head.push_back(byte);
        }
        {
            std::lock_guard const lock{mutex_};
            heads_.push_back(head);
        }
        auto server = std::make_shared<socket>(context_);
        asio::ip::tcp::endpoint const to{asio::ip::address_v4::loopback(), target_};
        co_await server->async_connect(to, asio::redirect_error(asio::use_awaitable, ec));
        if (ec) co_return;
        static const std::string yes = "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n";
        co_await asio::async_write(
            *client, asio::buffer(yes), asio::redirect_error(asio::use_awaitable, ec));
        asio::co_spawn(context_, pump(client, server), asio::detached);
        asio::co_spawn(context_, pump(server, client), asio::detached);
    }

    static asio::awaitable<void> pump(std::shared_ptr<socket> from, std::shared_ptr<socket> to) {
        boost::system::error_code ec;
        std::vector<char> room(16384);
        while (!ec) {
            auto const n = co_await from->async_read_some(
                asio::buffer(room), asio::redirect_error(asio::use_awaitable, ec));
            if (ec) break;
            co_await asio::async_write(
                *to, asio::buffer(room.data(), n), asio::redirect_error(asio::use_awaitable, ec));
        }
        to->close(ec);
    }

    std::uint16_t target_;
    asio::io_context context_{1};
    asio::ip::tcp::acceptor acceptor_;
    std::thread thread_;
    mutable std::mutex mutex_;
    std::vector<std::string> heads_;
};

certificate_facts for_api() {
    certificate_facts facts;
    facts.names = "DNS:api.test";
    return facts;
}

} // namespace

TEST_CASE("api_is_reached_through_a_tunnel", "[http][tunnel]") {
    certificate_authority const ca;
    fault_server server{behaviour{}, ca.issue(for_api())};
    tunnel_proxy proxy{server.port()};
    transport_bench b;
    b.tls.use_system_roots = false;
    b.tls.ca_pem = ca.pem();
    b.proxy.url = "http://ada:s3cret@" + proxy.address();
    b.connect("https://api.test");
    for (int i = 0; i < 3; ++i) {
        auto const out = b.get();
        CAPTURE(out.detail);
        REQUIRE(out.ok());
        CHECK(out.reply.body == "ok");
    }
    // One tunnel, kept; the name went to the proxy unresolved, the password to nobody else.
    REQUIRE(proxy.heads().size() == 1);
    CHECK(
        proxy.heads().front() ==
        "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n"
        "Proxy-Authorization: Basic YWRhOnMzY3JldA==\r\n\r\n");
    CHECK(server.requests().front().head.find("Proxy-") == std::string::npos);
    CHECK(server.requests().front().head.find("Host: api.test\r\n") != std::string::npos);

    // The tunnel's end is verified like any other server.
    b.connect("https://other.test");
    auto const other = b.get();
    CHECK(other.error == errc::hostname_mismatch);
    CHECK(b.settled());
}

TEST_CASE("proxy_failures_are_told_from_the_servers", "[http][tunnel]") {
    class row {
    public:
        std::string name;
        behaviour does;
        highlevel::errc expected;
        std::string says;
    };
    std::vector<row> const rows{
        {"authentication", behaviour{http_reply("", "407 Proxy Authentication Required")},
         errc::proxy_failed, "407"},
        {"forbidden", behaviour{http_reply("no", "403 Forbidden")}, errc::proxy_failed, "403"},
        {"not http", behaviour{"SOCKS?\r\n\r\n", act::close}, errc::proxy_failed, "127.0.0.1"},
        {"cut", behaviour{"HTTP/1.1 200", act::close}, errc::proxy_failed, ""},
        {"silent", behaviour{"", act::stall}, errc::timeout, "no progress for 50 ms (127.0.0.1:"},
        {"endless", behaviour{"HTTP/1.1 200 " + std::string(100'000, 'x'), act::stall},
         errc::proxy_failed, "does not end"},
    };
    for (auto const& r : rows) {
        CAPTURE(r.name);
        fault_server proxy{r.does};
        transport_bench b;
        b.limits.connect = r.expected == errc::timeout ? 50ms : 20000ms;
        b.proxy.url = "http://user:hunter2@127.0.0.1:" + std::to_string(proxy.port());
        b.connect("https://api.test");
        auto const out = b.post("x");
        CHECK((out.error == r.expected));
        CHECK(out.reached == http_phase::connect);
        CHECK(!out.may_have_been_processed);
        // Who is refused once is refused again.
        CHECK(out.final == (r.name == "authentication" || r.name == "forbidden"));
        CHECK(out.detail.find(r.says) != std::string::npos);
        CHECK(out.detail.find("hunter2") == std::string::npos);
        CHECK(b.settled());
        CHECK(proxy.wait_for_open(0));
    }
}

TEST_CASE("unreachable_proxy_is_named", "[http][tunnel]") {
    auto const port = closed_port();
    transport_bench b;
    b.proxy.url = "http://127.0.0.1:" + std::to_string(port);
    b.connect("https://api.test");
    auto const out = b.get();
    CHECK(out.error == errc::connect_failed);
    CHECK(out.detail.find(std::to_string(port)) != std::string::npos);

    b.proxy.no_proxy = "api.test";
    b.connect("https://api.test");
    CHECK(b.get().error == errc::resolve_failed); // asked directly
}

} // namespace http_tunnel_tests
