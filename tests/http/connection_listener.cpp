// SPDX-License-Identifier: BSL-1.0
//
// What a transport tells of its connections: how each was opened, why it was closed, and that what
// was opened is closed once.

#include "support/catch.hpp"
#include "support/certificates.hpp"
#include "support/fault_server.hpp"
#include "support/transport_bench.hpp"

#include <highlevel/http/connection_listener.hpp>
#include <highlevel/http/http1_transport.hpp>

#include <boost/asio/cancellation_type.hpp>

#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace http_connection_listener_tests {

namespace {

using namespace highlevel::test;
using highlevel::errc;
namespace asio = boost::asio;
namespace http = highlevel::http;

class recorder final : public http::connection_listener {
public:
    void on_connection_open(const http::connection_open_event& event) noexcept override {
        std::string line{"open"};
        if (event.secure) line += event.resumed ? " resumed" : " full";
        if (event.error) line += ' ' + event.error.message();
        add(std::move(line));
        std::scoped_lock const lock{mutex_};
        peer_ = event.peer;
    }
    void on_connection_close(const http::connection_close_event& event) noexcept override {
        add("close " + std::string{to_string(event.reason)} + " x" +
            std::to_string(event.requests));
    }

    /// What was told since the last time.
    [[nodiscard]] std::vector<std::string> take() {
        std::scoped_lock const lock{mutex_};
        return std::exchange(lines_, {});
    }
    [[nodiscard]] std::string peer() const {
        std::scoped_lock const lock{mutex_};
        return peer_;
    }

private:
    void add(std::string line) {
        std::scoped_lock const lock{mutex_};
        lines_.push_back(std::move(line));
    }

    mutable std::mutex mutex_;
    std::vector<std::string> lines_;
    std::string peer_;
};

using lines = std::vector<std::string>;

/// A bench whose connections are heard of.
class heard_bench : public transport_bench {
public:
    void listen(const std::string& url) {
        transport = http::make_transport(
            context.get_executor(), http::uri{url}, tls, pool, limits, proxy, heard);
    }
    std::shared_ptr<recorder> heard = std::make_shared<recorder>();
};

} // namespace

TEST_CASE("a_kept_connection_is_told_of_once", "[http][connection_listener]") {
    fault_server server;
    heard_bench b;
    b.listen(server.url());
    REQUIRE(b.get().ok());
    REQUIRE(b.get().ok());
    CHECK(b.heard->take() == lines{"open"});
    CHECK(b.heard->peer() == "127.0.0.1:" + std::to_string(server.port()));
    b.transport->close();
    CHECK(b.heard->take() == lines{"close shutdown x2"});
}

TEST_CASE("the_reason_of_a_close_is_told", "[http][connection_listener]") {
    heard_bench b;
    SECTION("the server does not keep it") {
        fault_server server{behaviour{http_reply("ok", "200 OK", "Connection: close\r\n")}};
        b.listen(server.url());
        REQUIRE(b.get().ok());
        CHECK(b.heard->take() == lines{"open", "close server x1"});
    }
    SECTION("we do not keep it") {
        fault_server server;
        b.pool.idle_timeout = std::chrono::milliseconds{0};
        b.listen(server.url());
        REQUIRE(b.get().ok());
        CHECK(b.heard->take() == lines{"open", "close retired x1"});
    }
    SECTION("the server closed it while it was kept") {
        fault_server server;
        b.listen(server.url());
        REQUIRE(b.get().ok());
        server.close_connections();
        REQUIRE(server.wait_for_open(0));
        REQUIRE(b.get().ok());
        CHECK(b.heard->take() == lines{"open", "close stale x1", "open"});
    }
    SECTION("an exchange failed on it") {
        fault_server server{behaviour{"", act::reset}};
        b.listen(server.url());
        CHECK(b.get().error == errc::connection_lost);
        CHECK(b.heard->take() == lines{"open", "close failed x1"});
    }
    SECTION("its exchange was cancelled") {
        behaviour gated;
        gated.gated = true;
        fault_server server{gated};
        b.listen(server.url());
        auto const call = b.begin({highlevel::method::get, "/"});
        b.run_until([&] { return server.request_count() == 1; });
        call->signal.emit(asio::cancellation_type::terminal);
        b.run_until([&] { return call->done(); });
        CHECK(b.heard->take() == lines{"open", "close cancelled x1"});
        server.open_gate();
    }
}

TEST_CASE("a_connection_that_cannot_be_opened_is_told_of", "[http][connection_listener]") {
    fault_server server;
    server.stop_listening();
    heard_bench b;
    b.listen(server.url());
    auto const out = b.get();
    CHECK(out.error == errc::connect_failed);
    CHECK(b.heard->take() == lines{"open " + out.error.message()});
}

TEST_CASE("a_resumed_session_is_told_of", "[http][connection_listener]") {
    certificate_authority const ca;
    fault_server server{behaviour{http_reply("ok", "200 OK", "Connection: close\r\n")}, ca.issue()};
    heard_bench b;
    b.tls.use_system_roots = false;
    b.tls.ca_pem = ca.pem();
    b.listen(server.url("localhost"));
    REQUIRE(b.get().ok());
    REQUIRE(b.get().ok());
    CHECK(
        b.heard->take() ==
        lines{"open full", "close server x1", "open resumed", "close server x1"});
}

} // namespace http_connection_listener_tests
