// SPDX-License-Identifier: BSL-1.0
//
// The tunnel through a proxy that is not ours: tinyproxy, where it is installed (tools/setup
// --dev).
#include "support/catch.hpp"
#include "support/certificates.hpp"
#include "support/fault_server.hpp"
#include "support/temporary_folder.hpp"
#include "support/transport_bench.hpp"

#include <highlevel/http/http1_transport.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <thread>

namespace http_tinyproxy_tests {

namespace {

using namespace std::chrono_literals;
using namespace highlevel::test;
using highlevel::errc;
namespace asio = boost::asio;
namespace http = highlevel::http;

constexpr const char* program = "/usr/bin/tinyproxy";

/// tinyproxy on a loopback port, which lets "ada:secret" through to one port.
class tinyproxy {
public:
    explicit tinyproxy(std::uint16_t to) : port_(closed_port()) {
        auto const config = folder_.write(
            "conf",
            "Port " + std::to_string(port_) + "\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\n" +
                "BasicAuth ada secret\nConnectPort " + std::to_string(to) + "\n" + "LogFile \"" +
                (folder_.path() / "log").string() + "\"\n");
        id_ = ::fork();
        if (id_ == 0) {
            ::execl(program, "tinyproxy", "-d", "-c", config.c_str(), nullptr);
            ::_exit(127);
        }
        // It says nothing when it is ready; it is when it accepts.
        for (int i = 0; i < 1000 && !accepts(); ++i)
            std::this_thread::sleep_for(10ms);
    }
    tinyproxy(const tinyproxy&) = delete;
    tinyproxy& operator=(const tinyproxy&) = delete;
    ~tinyproxy() {
        ::kill(id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
    }

    [[nodiscard]] std::string url(const std::string& user) const {
        return "http://" + user + "127.0.0.1:" + std::to_string(port_);
    }

private:
    [[nodiscard]] bool accepts() const {
        asio::io_context context;
        asio::ip::tcp::socket s{context};
        boost::system::error_code ec;
        s.connect({asio::ip::address_v4::loopback(), port_}, ec);
        return !ec;
    }

    temporary_folder folder_;
    std::uint16_t port_;
    ::pid_t id_ = -1;
};

} // namespace

TEST_CASE("api_is_reached_through_tinyproxy", "[http][tunnel]") {
    if (!std::filesystem::exists(program)) {
        WARN("skipped: tinyproxy is not installed (tools/setup --dev)");
        return;
    }
    // A name of this machine that is not one of loopback, which would be reached directly.
    certificate_authority const ca;
    certificate_facts facts;
    facts.names = "IP:0.0.0.0";
    fault_server server{behaviour{http_reply(std::string(100'000, 'x'))}, ca.issue(facts)};
    tinyproxy const proxy{server.port()};
    transport_bench b;
    b.tls.use_system_roots = false;
    b.tls.ca_pem = ca.pem();

    b.proxy.url = proxy.url("ada:secret@");
    b.connect(server.url("0.0.0.0"));
    for (int i = 0; i < 3; ++i) {
        auto const out = b.post(std::string(200'000, 'y'));
        CAPTURE(out.detail);
        REQUIRE(out.ok());
        CHECK(out.reply.body.size() == 100'000);
    }
    CHECK(server.accepted() == 1); // the tunnel is kept

    for (auto const* user : {"", "ada:wrong@"}) {
        b.proxy.url = proxy.url(user);
        b.connect(server.url("0.0.0.0"));
        auto const out = b.post("x");
        CHECK(out.error == errc::proxy_failed);
        CHECK(!out.may_have_been_processed);
        CHECK_THAT(out.detail, test::contains("status 40"));
        CHECK(b.settled());
    }
    CHECK(server.request_count() == 3);

    // A port that the proxy does not tunnel to.
    b.proxy.url = proxy.url("ada:secret@");
    b.connect("https://0.0.0.0:1");
    CHECK(b.post("x").error == errc::proxy_failed);

    b.proxy.no_proxy = "0.0.0.0/8";
    b.connect(server.url("0.0.0.0"));
    CHECK(b.post("x").ok());
    CHECK(server.accepted() == 2);
}

} // namespace http_tinyproxy_tests
