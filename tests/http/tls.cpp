// SPDX-License-Identifier: BSL-1.0
//
// Tests of TLS through the transport: whom it trusts, what each bad certificate is called, pins,
// client certificates and resumption.
#include "support/catch.hpp"
#include "support/certificates.hpp"
#include "support/fault_server.hpp"
#include "support/transport_bench.hpp"

#include <highlevel/http/http1_transport.hpp>
#include <highlevel/http/tls_context.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <openssl/ssl.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace http_tls_tests {

namespace {

using namespace std::chrono_literals;
using namespace highlevel::test;
using highlevel::errc;
using http_phase = highlevel::http::phase;
namespace asio = boost::asio;
namespace http = highlevel::http;

/// A bench that trusts the test's authority only.
transport_bench& trusting(transport_bench& b, const certificate_authority& ca) {
    b.tls.use_system_roots = false;
    b.tls.ca_pem = ca.pem();
    return b;
}

class temporary_file {
public:
    temporary_file(const std::string& name, const std::string& text)
        : path_(
              std::filesystem::temp_directory_path() /
              ("highlevel_tls_" + std::to_string(std::random_device{}()) + '_' + name)) {
        std::ofstream{path_} << text;
    }
    temporary_file(const temporary_file&) = delete;
    temporary_file& operator=(const temporary_file&) = delete;
    ~temporary_file() { std::filesystem::remove(path_); }

    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

http::exchange_result first_result(
    const certificate_authority& ca, const certificate& cert, const char* host = "localhost") {
    fault_server server{behaviour{}, cert};
    transport_bench b;
    trusting(b, ca).connect(server.url(host));
    auto out = b.get();
    CHECK(b.settled());
    CHECK(server.request_count() == (out.ok() ? 1 : 0));
    return out;
}

} // namespace

TEST_CASE("trusted_server_is_talked_to", "[http][tls]") {
    certificate_authority const ca;
    auto const good = ca.issue();
    CHECK(first_result(ca, good).ok());
    CHECK(first_result(ca, good, "127.0.0.1").ok());
}

TEST_CASE("kept_tls_connection_is_reused_and_a_dead_one_noticed", "[http][tls]") {
    certificate_authority const ca;
    fault_server server{behaviour{http_reply(std::string(50000, 'x'))}, ca.issue()};
    transport_bench b;
    trusting(b, ca).connect(server.url("localhost"));
    for (int i = 0; i < 4; ++i) {
        auto const out = b.post("{}");
        REQUIRE(out.ok());
        CHECK(out.reply.body.size() == 50000);
    }
    CHECK(server.accepted() == 1);
    server.close_connections();
    REQUIRE(server.wait_for_open(0));
    CHECK(b.post("{}").ok());
    CHECK(server.accepted() == 2);
    CHECK(b.transport->stats().stale == 1);
}

TEST_CASE("tls_connection_that_is_trusted_and_dead_is_stale", "[http][tls]") {
    certificate_authority const ca;
    fault_server server{behaviour{}, ca.issue()};
    transport_bench b;
    b.pool.trusted_for = 1h;
    trusting(b, ca).connect(server.url("localhost"));
    REQUIRE(b.get().ok());
    server.close_connections();
    REQUIRE(server.wait_for_open(0));
    http::exchange_options options;
    options.repeatable = true;
    auto const out = b.get("/", options);
    CHECK((out.error == errc::connection_lost));
    CHECK(out.stale);
    CHECK(server.request_count() == 1);
    CHECK(b.get("/", options).ok());
    CHECK(server.accepted() == 2);
    CHECK(b.settled());
}

TEST_CASE("bad_certificates_are_refused_by_name_before_a_request_is_sent", "[http][tls]") {
    certificate_authority const ca;
    certificate_authority const stranger;
    certificate_facts other_name;
    other_name.names = "DNS:example.com";
    certificate_facts expired;
    expired.valid_from = -7200;
    expired.valid_to = -3600;
    certificate_facts early;
    early.valid_from = 3600;
    early.valid_to = 7200;
    certificate_facts purpose;
    purpose.purpose = "clientAuth";
    certificate_facts wildcard;
    wildcard.names = "DNS:local*";

    class row {
    public:
        const char* name;
        certificate cert;
        highlevel::errc expected;
        const char* says;
        const char* host = "localhost";
    };
    std::vector<row> const rows{
        {"self-signed", certificate_authority::self_signed(), errc::certificate_untrusted, "self"},
        {"unknown authority", stranger.issue(), errc::certificate_untrusted, "certificate"},
        {"wrong host", ca.issue(other_name), errc::hostname_mismatch, "ostname"},
        {"partial wildcard", ca.issue(wildcard), errc::hostname_mismatch, "ostname"},
        {"wrong address", ca.issue(other_name), errc::hostname_mismatch, "IP", "127.0.0.1"},
        {"expired", ca.issue(expired), errc::certificate_untrusted, "expired"},
        {"not yet valid", ca.issue(early), errc::certificate_untrusted, "not yet"},
        {"wrong purpose", ca.issue(purpose), errc::certificate_untrusted, "purpose"},
    };
    for (auto const& r : rows) {
        CAPTURE(r.name);
        auto const out = first_result(ca, r.cert, r.host);
        CHECK((out.error == r.expected));
        CHECK(out.reached == http_phase::tls);
        CHECK(!out.may_have_been_processed);
        CAPTURE(out.detail);
        CHECK(out.detail.find(r.says) != std::string::npos);
        CHECK(out.detail.find(r.host) == 0);
    }
}

TEST_CASE("server_that_does_not_speak_tls_is_reported", "[http][tls]") {
    certificate_authority const ca;
    fault_server server{behaviour{"HTTP/1.1 400 Bad Request\r\n\r\n", act::close}};
    transport_bench b;
    // The server waits for the end of a request that TLS never sends; a limit ends it.
    b.limits.tls = 50ms;
    trusting(b, ca).connect("https://localhost:" + std::to_string(server.port()));
    auto const out = b.get();
    CHECK(out.error == errc::timeout);
    CHECK(out.reached == http_phase::tls);

    behaviour closes;
    closes.at_accept = act::close;
    fault_server closing{closes, ca.issue()};
    b.limits.tls = 20s;
    b.connect(closing.url("localhost"));
    auto const cut = b.get();
    CHECK((cut.error == errc::tls_failed || cut.error == errc::connect_failed));
    CHECK(!cut.may_have_been_processed);
    CHECK(b.settled());
}

TEST_CASE("records_behind_the_response_do_not_answer_the_next_request", "[http][tls]") {
    // In one segment with the response, so that the socket is silent when the connection is looked
    // at: what is left lies in the buffers of TLS.
    certificate_authority const ca;
    for (int turn = 0; turn != 4; ++turn) {
        bool const farewell = turn % 2 != 0;
        bool const repeatable = turn >= 2;
        CAPTURE(farewell, repeatable);
        // Also where the kernel is not asked.
        http::exchange_options options;
        options.repeatable = repeatable;
        fault_server server{
            [&](std::size_t c, std::size_t) {
                behaviour one{http_reply("good")};
                if (c != 0) return one;
                one.together = true;
                one.farewell = farewell;
                one.piece = one.reply.size();
                if (!farewell) one.reply += http_reply("evil");
                return one;
            },
            ca.issue()};
        transport_bench b;
        b.pool.trusted_for = 1h;
        trusting(b, ca).connect(server.url("localhost"));
        auto const first = b.post("1");
        REQUIRE(first.ok());
        CHECK(first.reply.body == "good");
        auto const second = b.post("2", options);
        CAPTURE(second.detail);
        REQUIRE(second.ok());
        CHECK(second.reply.body == "good");
        CHECK(server.accepted() == 2);
        CHECK(b.transport->stats().stale == 1);
        CHECK(b.settled());
    }
}

TEST_CASE("client_hello_offers_http_1_1_and_nothing_older_than_tls_1_2", "[http][tls]") {
    http::tls_context tls{{}, http::uri{"https://localhost"}};
    std::unique_ptr<::SSL, void (*)(::SSL*)> const ssl{
        ::SSL_new(tls.native().native_handle()), &::SSL_free};
    REQUIRE(!tls.prepare(ssl.get()));
    ::BIO* const sent = ::BIO_new(::BIO_s_mem());
    ::SSL_set_bio(ssl.get(), ::BIO_new(::BIO_s_mem()), sent);
    CHECK(::SSL_connect(ssl.get()) != 1); // nobody answers
    std::string hello(8192, '\0');
    hello.resize(static_cast<std::size_t>(
        std::max(0, ::BIO_read(sent, hello.data(), static_cast<int>(hello.size())))));
    // RFC 7301: one protocol. RFC 8446 section 4.2.1: two versions, 1.3 and 1.2.
    CHECK(hello.find(std::string{"\0\x10\0\x0b\0\x09\x08http/1.1", 15}) != std::string::npos);
    CHECK(hello.find(std::string{"\0\x2b\0\x05\x04\x03\x04\x03\x03", 9}) != std::string::npos);
}

TEST_CASE("handshake_has_its_own_limit", "[http][tls]") {
    certificate_authority const ca;
    behaviour silent;
    silent.at_accept = act::stall;
    fault_server server{silent, ca.issue()};
    transport_bench b;
    b.limits.tls = 50ms;
    trusting(b, ca).connect(server.url("localhost"));
    auto const out = b.post("x");
    CHECK(out.error == errc::timeout);
    CHECK(out.reached == http_phase::tls);
    CHECK(!out.may_have_been_processed);
    CHECK(out.detail.find("localhost:" + std::to_string(server.port())) != std::string::npos);
    CHECK(out.detail.find("127.0.0.1:") != std::string::npos);
    CHECK(server.wait_for_open(0));
    CHECK(b.settled());
}

TEST_CASE("verification_is_skipped_on_loopback_only", "[http][tls]") {
    fault_server server{behaviour{}, certificate_authority::self_signed()};
    transport_bench b;
    b.tls.insecure_skip_verification_on_loopback_only = true;
    b.connect(server.url());
    CHECK(b.get().ok());
    CHECK_THROWS_AS(b.connect("https://services.leadconnectorhq.com"), std::invalid_argument);
    CHECK_THROWS_AS(b.connect("https://10.0.0.1"), std::invalid_argument);
}

TEST_CASE("pinned_key_is_demanded_on_top_of_trust", "[http][tls]") {
    certificate_authority const ca;
    auto const good = ca.issue();
    fault_server server{behaviour{}, good};
    transport_bench b;
    trusting(b, ca);

    b.tls.pinned_spki_sha256 = {"sha256//" + ca.issue().pin, good.pin};
    b.connect(server.url("localhost"));
    CHECK(b.get().ok());

    b.tls.pinned_spki_sha256 = {ca.issue().pin};
    b.connect(server.url("localhost"));
    auto const out = b.get();
    CHECK(out.error == errc::certificate_untrusted);
    CHECK(out.detail.find("pinned") != std::string::npos);
    CHECK(server.request_count() == 1);

    // A right key does not make up for missing trust.
    fault_server stranger{behaviour{}, certificate_authority::self_signed()};
    b.connect(stranger.url("localhost"));
    CHECK(b.get().error == errc::certificate_untrusted);
}

TEST_CASE("client_certificate_is_shown_to_a_server_that_asks", "[http][tls]") {
    certificate_authority const ca;
    certificate_authority const customers;
    fault_server server{behaviour{}, ca.issue(), customers.pem()};
    transport_bench b;
    trusting(b, ca).connect(server.url("localhost"));
    auto const refused = b.get();
    CHECK(refused.error == errc::tls_failed);
    CHECK(server.request_count() == 0);

    certificate_facts facts;
    facts.purpose = "clientAuth";
    auto const ours = customers.issue(facts);
    temporary_file const certificate_file{"certificate.pem", ours.pem};
    temporary_file const key_file{"key.pem", ours.key_pem};
    b.tls.client_certificate_file = certificate_file.path();
    b.tls.client_key_file = key_file.path();
    b.connect(server.url("localhost"));
    CHECK(b.get().ok());

    b.tls.client_key_file = certificate_file.path();
    CHECK_THROWS_AS(b.connect(server.url("localhost")), std::invalid_argument);
}

TEST_CASE("authorities_can_come_from_a_file", "[http][tls]") {
    certificate_authority const ca;
    fault_server server{behaviour{}, ca.issue()};
    temporary_file const file{"ca.pem", ca.pem()};
    transport_bench b;
    b.tls.use_system_roots = false;
    b.tls.ca_file = file.path();
    b.connect(server.url("localhost"));
    CHECK(b.get().ok());
}

TEST_CASE("sessions_are_resumed", "[http][tls]") {
    certificate_authority const ca;
    behaviour closing{
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", act::proceed};
    for (int const newest : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(newest);
        fault_server server{closing, ca.issue()};
        server.limit_tls(newest);
        transport_bench b;
        trusting(b, ca).connect(server.url("localhost"));
        for (int i = 0; i < 6; ++i)
            REQUIRE(b.get().ok());
        CHECK(server.accepted() == 6);
        CHECK(server.resumed() == 5);
        CHECK(b.transport->stats().resumed == 5);
    }
}

TEST_CASE("unusable_tls_options_are_refused_by_name", "[http][tls]") {
    transport_bench b;
    auto const refused = [&](const char* field) {
        try {
            b.connect("https://localhost");
            return false;
        } catch (const std::invalid_argument& e) {
            return std::string{e.what()}.find(field) == 0;
        }
    };
    b.tls.ca_file = "/nonexistent/ca.pem";
    CHECK(refused("tls.ca_file"));
    b.tls = {};
    b.tls.ca_pem = "not a certificate";
    CHECK(refused("tls.ca_pem"));
    b.tls = {};
    b.tls.use_system_roots = false;
    CHECK(refused("tls.use_system_roots"));
    b.tls = {};
    b.tls.client_key_file = "key.pem";
    CHECK(refused("tls.client_certificate_file"));
    b.tls.client_certificate_file = "/nonexistent/cert.pem";
    CHECK(refused("tls.client_certificate_file"));
    b.tls = {};
    b.tls.pinned_spki_sha256 = {"abc"};
    CHECK(refused("tls.pinned_spki_sha256"));
    b.tls = {};
    b.pool.max_connections = 0;
    CHECK(refused("pool.max_connections"));
    b.pool = {};
    b.limits.tls = -1ms;
    CHECK(refused("timeouts.tls"));
    b.limits = {};
    CHECK(!refused(""));
}

TEST_CASE("tls_works_on_many_threads", "[http][tls][threads]") {
    certificate_authority const ca;
    fault_server server{behaviour{http_reply(std::string(20000, 'y'))}, ca.issue()};
    asio::io_context context;
    http::tls_options tls;
    tls.use_system_roots = false;
    tls.ca_pem = ca.pem();
    http::pool_options pool;
    pool.max_connections = 8;
    auto const transport =
        http::make_transport(context.get_executor(), http::uri{server.url("localhost")}, tls, pool);
    std::atomic<int> good{0};
    class worker {
    public:
        static asio::awaitable<void> run(http::transport& t, std::atomic<int>& good) {
            http::request r{highlevel::method::get, "/"};
            for (int i = 0; i < 15; ++i) {
                auto const out = co_await t.exchange(r, {});
                if (out.ok() && out.reply.body.size() == 20000) ++good;
            }
        }
    };
    for (int i = 0; i < 20; ++i)
        asio::co_spawn(context, worker::run(*transport, good), asio::detached);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] { context.run(); });
    for (auto& t : threads)
        t.join();
    CHECK(good == 300);
    CHECK(transport->stats().in_use == 0);
}

} // namespace http_tls_tests
