// SPDX-License-Identifier: BSL-1.0
//
// Tests of http/http1_transport.hpp over real loopback sockets: reuse, limits, faults, cancellation
// and closing. Every test ends by checking that connections and counts came back.
#include "support/catch.hpp"
#include "support/fault_server.hpp"
#include "support/run.hpp"
#include "support/transport_bench.hpp"

#include <highlevel/http/body.hpp>
#include <highlevel/http/http1_transport.hpp>
#include <highlevel/http/inflater.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#    include <netinet/in.h>
#    include <sys/socket.h>
#endif

namespace http_http1_transport_tests {

namespace {

using namespace std::chrono_literals;
using namespace highlevel::test;
using highlevel::errc;
using highlevel::method;
using http_phase = highlevel::http::phase;
namespace asio = boost::asio;
namespace http = highlevel::http;

const http::request get_root{method::get, "/"};

#if defined(__linux__)
/// Shuts our end of the connection to that loopback port for writing; false when there is none.
bool shut_for_writing(std::uint16_t port) {
    for (int fd = 3; fd < 1024; ++fd) {
        ::sockaddr_in peer{};
        ::socklen_t size = sizeof peer;
        if (::getpeername(fd, reinterpret_cast<::sockaddr*>(&peer), &size) == 0 &&
            peer.sin_family == AF_INET && peer.sin_port == htons(port))
            return ::shutdown(fd, SHUT_WR) == 0;
    }
    return false;
}
#endif

} // namespace

TEST_CASE("exchange_brings_the_response", "[http][transport]") {
    fault_server server{behaviour{http_reply(R"({"a":1})", "201 Created", "X-Trace: t\r\n")}};
    transport_bench b{server.url()};
    auto const out = b.get("/contacts/?limit=1");
    REQUIRE(out.ok());
    CHECK(out.reply.status == 201);
    CHECK(out.reply.body == R"({"a":1})");
    CHECK(out.reply.fields.find("x-trace") == "t");
    CHECK(out.reached == http_phase::done);
    CHECK(out.may_have_been_processed);
    CHECK(out.detail.empty());
    CHECK(b.settled());
}

TEST_CASE("request_is_written_as_it_is", "[http][transport]") {
    fault_server server;
    transport_bench b{server.url() + "/base/path/"};
    http::request r{method::post, "/x?y=1"};
    r.fields.add("Authorization", "Bearer t");
    r.fields.add("Version", "2021-07-28");
    r.body = R"({"a":"b"})";
    REQUIRE(b.exchange(r).ok());
    auto const seen = server.requests().at(0);
    CHECK(
        seen.head ==
        "POST /base/path/x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
            "\r\nAuthorization: Bearer t\r\nVersion: 2021-07-28\r\n" +
            (http::can_inflate ? "Accept-Encoding: gzip\r\n" : "") + "Content-Length: 9\r\n\r\n");
    CHECK(seen.body == r.body);

    REQUIRE(b.get("/").ok());
    CHECK(server.requests().at(1).head.find("Content-Length") == std::string::npos);
    REQUIRE(b.post("").ok());
    CHECK(server.requests().at(2).head.find("Content-Length: 0\r\n") != std::string::npos);

    http::request named{method::get, "/"};
    named.fields.add("host", "api.example");
    REQUIRE(b.exchange(named).ok());
    CHECK(server.requests().at(3).head.find("127.0.0.1") == std::string::npos);
}

TEST_CASE("large_bodies_pass_both_ways", "[http][transport]") {
    std::string big(3 * 1024 * 1024 + 17, '\0');
    for (std::size_t i = 0; i < big.size(); ++i)
        big[i] = static_cast<char>('a' + i % 23);
    fault_server server{behaviour{http_reply(big)}};
    transport_bench b{server.url()};
    auto const out = b.post(big);
    REQUIRE(out.ok());
    CHECK(out.reply.body == big);
    CHECK(server.requests().at(0).body == big);
}

TEST_CASE("connection_is_reused", "[http][transport]") {
    fault_server server;
    transport_bench b{server.url()};
    for (int i = 0; i < 5; ++i)
        REQUIRE(b.get().ok());
    CHECK(server.accepted() == 1);
    auto const s = b.transport->stats();
    CHECK(s.opened == 1);
    CHECK(s.reused == 4);
    CHECK(s.idle == 1);
}

TEST_CASE("loop_ends_while_connections_are_idle", "[http][transport]") {
    fault_server server;
    transport_bench b{server.url()};
    auto const one = b.begin(get_root);
    b.run(); // returns: no timer keeps the loop alive
    REQUIRE(one->done());
    CHECK(b.transport->stats().idle == 1);
}

TEST_CASE("connection_is_not_reused_when_the_response_forbids_it", "[http][transport]") {
    for (std::string const& reply : {
             std::string{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"},
             std::string{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
             std::string{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"},
             std::string{"HTTP/1.1 204 No Content\r\n\r\nbody all the same"},
         }) {
        CAPTURE(reply);
        fault_server server{behaviour{reply}};
        transport_bench b{server.url()};
        REQUIRE(b.get().ok());
        CHECK(b.transport->stats().idle == 0);
        CHECK(b.settled());
        REQUIRE(b.get().ok());
        CHECK(server.accepted() == 2);
    }
}

TEST_CASE("bytes_that_come_late_do_not_answer_the_next_request", "[http][transport]") {
    // The extra bytes arrive with the response or after it; either way they must not be believed.
    std::string const sneaky = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad";
    for (bool late : {false, true}) {
        fault_server server{[&](std::size_t c, std::size_t) {
            behaviour one{http_reply("good") + (c == 0 ? sneaky : "")};
            if (late && c == 0) one.piece = http_reply("good").size();
            return one;
        }};
        transport_bench b{server.url()};
        auto const first = b.post("1");
        REQUIRE(first.ok());
        CHECK(first.reply.body == "good");
        if (late) std::this_thread::sleep_for(50ms);
        auto const second = b.post("2");
        REQUIRE(second.ok());
        CHECK(second.reply.body == "good");
        CHECK(server.accepted() == 2);
    }
}

TEST_CASE("response_framings_are_understood", "[http][transport]") {
    class row {
    public:
        std::string reply;
        act after = act::proceed;
        std::string body;
        unsigned status = 200;
        bool kept = true;
    };
    std::vector<row> const rows{
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: 1\r\n\r\n",
         act::proceed, "ok"},
        {"HTTP/1.1 200 OK\r\n\r\nuntil the end", act::close, "until the end", 200, false},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + http_reply("ok"),
         act::proceed, "ok"},
        {"HTTP/1.1 204 No Content\r\n\r\n", act::proceed, "", 204},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", act::proceed, "", 304},
        {http_reply("<html>down</html>", "520 Origin Error"), act::proceed, "<html>down</html>",
         520},
        {http_reply(""), act::proceed, ""},
        {"http/1.1 200 ok\r\n\r\n", act::close, "", 0, false},
    };
    for (auto const& r : rows) {
        for (std::size_t piece : {0U, 1U}) {
            CAPTURE(r.reply, piece);
            behaviour todo{r.reply, r.after};
            todo.piece = piece;
            fault_server server{todo};
            transport_bench b{server.url()};
            auto const out = b.get();
            if (r.status == 0) {
                CHECK(out.error == errc::malformed_response);
            } else {
                REQUIRE(out.ok());
                CHECK(out.reply.status == r.status);
                CHECK(out.reply.body == r.body);
            }
            CHECK(b.transport->stats().idle == (r.kept ? 1 : 0));
            CHECK(b.settled());
        }
    }
}

TEST_CASE("head_has_no_body_whatever_its_length_says", "[http][transport]") {
    fault_server server{behaviour{"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"}};
    transport_bench b{server.url()};
    for (int i = 0; i < 2; ++i) {
        auto const out = b.exchange({method::head, "/"});
        REQUIRE(out.ok());
        CHECK(out.reply.body.empty());
    }
    CHECK(server.accepted() == 1);
}

TEST_CASE("request_that_could_be_read_as_another_is_refused_unsent", "[http][transport]") {
    fault_server server;
    transport_bench b{server.url()};
    std::vector<http::request> bad;
    for (std::string const target : {"", "x", "/a b", "/a\r\nX: y", "/a#b", "/\xc3\xa9", "/\x7f"})
        bad.push_back({method::get, target});
    auto const with = [&](std::string_view name, std::string_view value) {
        http::request r{method::get, "/"};
        r.fields.add(name, value);
        bad.push_back(r);
    };
    with("X-A", "b\r\nX-C: d");
    with("X-A", std::string_view{"b\0c", 3});
    with("X-A", "b\n");
    with("X A", "b");
    with("X-A:", "b");
    with("", "b");
    with("X\r\nY", "b");
    with("Transfer-Encoding", "chunked");
    with("connection", "keep-alive");
    with("Content-Length", "5");
    for (auto const& r : bad) {
        auto const out = b.exchange(r);
        CHECK(out.error == errc::invalid_argument);
        CHECK(!out.may_have_been_processed);
        CHECK(!out.detail.empty());
    }
    CHECK(server.accepted() == 0);
    CHECK(b.settled());
}

TEST_CASE("plain_http_is_for_this_machine_only", "[http][transport]") {
    asio::io_context context;
    auto const refused = [&](const char* url) {
        try {
            static_cast<void>(http::make_transport(context.get_executor(), http::uri{url}));
            return false;
        } catch (const boost::system::system_error& e) {
            return e.code() == errc::insecure_url;
        }
    };
    CHECK(refused("http://services.leadconnectorhq.com"));
    CHECK(refused("http://10.0.0.1"));
    CHECK(refused("http://localhost.example.com"));
    CHECK(!refused("http://localhost"));
    CHECK(!refused("http://127.0.0.1:1"));
    CHECK(!refused("http://[::1]"));
    CHECK(!refused("https://services.leadconnectorhq.com"));
}

TEST_CASE("connect_failure_names_every_address", "[http][transport]") {
    auto const port = closed_port();
    transport_bench b{"http://localhost:" + std::to_string(port)};
    auto const out = b.post("x");
    CHECK(out.error == errc::connect_failed);
    CHECK(out.reached == http_phase::connect);
    CHECK(!out.may_have_been_processed);
    CHECK(out.detail.find("127.0.0.1:" + std::to_string(port) + ": ") != std::string::npos);
    CHECK(b.transport->stats().open_failures == 1);
    CHECK(b.settled());
}

TEST_CASE("unknown_host_is_reported", "[http][transport]") {
    transport_bench b{"https://does-not-exist.invalid"};
    auto const out = b.get();
    CHECK(out.error == errc::resolve_failed);
    CHECK(out.reached == http_phase::resolve);
    CHECK(out.detail.find("does-not-exist.invalid") != std::string::npos);
    CHECK(b.settled());
}

// The table: what the server does to a request, on a fresh connection and on a kept one.
TEST_CASE("faults_end_in_the_right_error_and_leak_nothing", "[http][transport][faults]") {
    class row {
    public:
        std::string name;
        behaviour fault;
        highlevel::errc expected;
        http_phase reached;
    };
    auto const at_accept = [](act what) {
        behaviour f;
        f.at_accept = what;
        return f;
    };
    auto const before = [](act what) {
        behaviour f;
        f.before = what;
        return f;
    };
    auto const lost = errc::connection_lost;
    auto const malformed = errc::malformed_response;
    std::string const ok = "HTTP/1.1 200 OK\r\n";
    std::vector<row> const rows{
        {"close after accept", at_accept(act::close), lost, http_phase::first_byte},
        {"reset after accept", at_accept(act::reset), lost, http_phase::first_byte},
        {"close after request", before(act::close), lost, http_phase::first_byte},
        {"reset after request", before(act::reset), lost, http_phase::first_byte},
        {"stall after request", before(act::stall), errc::timeout, http_phase::first_byte},
        {"close mid header", behaviour{ok + "Content-Le", act::close}, lost, http_phase::read},
        {"reset mid header", behaviour{ok + "Content-Le", act::reset}, lost, http_phase::read},
        {"stall mid header", behaviour{ok + "Content-Le", act::stall}, errc::timeout,
         http_phase::read},
        {"close mid body", behaviour{ok + "Content-Length: 9\r\n\r\nhel", act::close}, lost,
         http_phase::read},
        {"stall mid body", behaviour{ok + "Content-Length: 9\r\n\r\nhel", act::stall},
         errc::timeout, http_phase::read},
        {"close mid chunk", behaviour{ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhe", act::close},
         lost, http_phase::read},
        {"close after interim", behaviour{"HTTP/1.1 100 Continue\r\n\r\n", act::close}, lost,
         http_phase::first_byte},
        {"bad chunk", behaviour{ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", act::stall},
         malformed, http_phase::read},
        {"two lengths", behaviour{ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
         malformed, http_phase::read},
        {"length and chunked",
         behaviour{ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
         malformed, http_phase::read},
        {"not http", behaviour{"SSH-2.0-OpenSSH_9.2\r\n"}, malformed, http_phase::read},
        {"tls alert", behaviour{std::string{"\x15\x03\x01\x00\x02\x02\x46", 7}, act::close},
         malformed, http_phase::read},
        {"giant header", behaviour{ok + "X: " + std::string(100000, 'x') + "\r\n\r\n"}, malformed,
         http_phase::read},
        {"endless header", behaviour{ok + std::string(100000, 'x')}, malformed, http_phase::read},
        {"header injection", behaviour{ok + std::string{"X: a\0b\r\n\r\n", 10}}, malformed,
         http_phase::read},
        {"oversized body", behaviour{http_reply(std::string(2000, 'x'))}, errc::response_too_large,
         http_phase::read},
        {"oversized chunked",
         behaviour{
             ok + "Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + std::string(2000, 'x') +
             "\r\n0\r\n\r\n"},
         errc::response_too_large, http_phase::read},
    };
    for (auto const& r : rows) {
        for (auto verb : {method::get, method::post, method::delete_}) {
            for (bool pooled : {false, true}) {
                CAPTURE(r.name, to_string(verb), pooled);
                bool const accept_fault = r.fault.at_accept != act::proceed;
                if (accept_fault && pooled) continue;
                // Pooled: the first request on the first connection is answered well.
                fault_server server{[&](std::size_t c, std::size_t n) {
                    return pooled && c == 0 && n == 0 ? behaviour{} : r.fault;
                }};
                transport_bench b;
                b.limits.first_byte = b.limits.idle = r.expected == errc::timeout ? 50ms : 20000ms;
                b.connect(server.url());
                http::exchange_options options;
                options.max_body = 1000;
                auto patient = options;
                patient.limits = {.first_byte = 20s, .idle = 20s};
                if (pooled) REQUIRE(b.get("/", patient).ok());

                http::request request{verb, "/"};
                if (verb == method::post) request.body = "{}";
                auto const out = b.exchange(request, options);
                // What happens right after accepting may show as early as while connecting.
                bool const refused = accept_fault && out.reached < http_phase::first_byte;
                if (!refused) {
                    CHECK((out.error == r.expected));
                    CHECK(to_string(out.reached) == to_string(r.reached));
                    CHECK(out.may_have_been_processed);
                } else {
                    CHECK((out.error == lost || out.error == errc::connect_failed));
                }
                CHECK(!out.detail.empty());
                CHECK(out.reply.status == 0);
                CHECK(out.reply.body.empty());

                // What a server has read it may have counted: another try is the caller's to make.
                CHECK(b.transport->stats().moved == 0);
                if (!accept_fault) CHECK(server.request_count() == 1U + (pooled ? 1U : 0U));
                CHECK(b.transport->stats().idle == 0);
                CHECK(b.settled());
                b.transport.reset();
                CHECK(server.wait_for_open(0));
            }
        }
    }
}

TEST_CASE("kept_connection_closed_by_the_server_costs_no_request", "[http][transport]") {
    for (bool with_reset : {false, true}) {
        for (auto verb : {method::get, method::post}) {
            CAPTURE(with_reset, to_string(verb));
            fault_server server;
            transport_bench b{server.url()};
            auto const first = b.begin(get_root);
            auto const second = b.begin(get_root);
            b.run_until([&] { return first->done() && second->done(); });
            auto const before = server.accepted();
            server.close_connections(with_reset);
            REQUIRE(server.wait_for_open(0));

            http::request r{verb, "/"};
            auto const out = b.exchange(r);
            REQUIRE(out.ok());
            CHECK(server.accepted() == before + 1);
            CHECK(server.request_count() == 3);
            CHECK(b.settled());
        }
    }
}

TEST_CASE(
    "repeatable_request_trusts_a_connection_that_was_in_use_a_moment_ago", "[http][transport]") {
    http::exchange_options repeatable;
    repeatable.repeatable = true;
    for (bool with_reset : {false, true}) {
        CAPTURE(with_reset);
        fault_server server;
        transport_bench b;
        b.pool.trusted_for = 1h;
        b.connect(server.url());
        REQUIRE(b.get().ok());
        server.close_connections(with_reset);
        REQUIRE(server.wait_for_open(0));

        // Trusted, it is found dead by being used: when it was closed in good order the request
        // can still be written, and whether the server counted it nobody knows.
        auto const out = b.get("/", repeatable);
        if (with_reset) {
            CHECK(out.ok());
            CHECK(b.transport->stats().moved == 1);
        } else {
            CHECK((out.error == errc::connection_lost));
            CHECK(out.stale);
            CHECK(out.may_have_been_processed);
            CHECK(b.transport->stats().stale == 1);
            CHECK(b.transport->stats().moved == 0);
            CHECK(server.request_count() == 1);
        }
        CHECK(b.get("/", repeatable).ok());
        CHECK(server.accepted() == 2);
        CHECK(b.settled());
    }
}

TEST_CASE("connection_that_was_idle_for_longer_is_looked_at", "[http][transport]") {
    http::exchange_options repeatable;
    repeatable.repeatable = true;
    fault_server server;
    transport_bench b;
    b.pool.trusted_for = 0ms;
    b.connect(server.url());
    REQUIRE(b.get().ok());
    server.close_connections();
    REQUIRE(server.wait_for_open(0));
    CHECK(b.get("/", repeatable).ok());
    CHECK(b.transport->stats().stale == 1);
    CHECK(server.request_count() == 2);
}

TEST_CASE("answer_that_breaks_off_on_a_trusted_connection_is_not_stale", "[http][transport]") {
    http::exchange_options repeatable;
    repeatable.repeatable = true;
    for (std::string const begun : {"H", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 200 OK\r\nA"}) {
        CAPTURE(begun);
        fault_server server{[&](std::size_t, std::size_t r) {
            return r == 0 ? behaviour{} : behaviour{begun, act::close};
        }};
        transport_bench b;
        b.pool.trusted_for = 1h;
        b.connect(server.url());
        REQUIRE(b.get().ok());
        auto const out = b.get("/", repeatable);
        CHECK((out.error == errc::connection_lost));
        CHECK_FALSE(out.stale);
        CHECK(server.request_count() == 2);
    }
}

#if defined(__linux__)
TEST_CASE("request_moves_to_a_fresh_connection_when_its_first_write_fails", "[http][transport]") {
    // Shut for writing only, the connection looks alive, and nothing of the request gets out. The
    // server must not see that before: it is kept busy.
    for (auto verb : {method::get, method::post}) {
        CAPTURE(to_string(verb));
        std::promise<void> made;
        auto const free = made.get_future().share();
        std::atomic<bool> asleep{false};
        fault_server server{[&, free](std::size_t c, std::size_t r) {
            if (c == 0 && r == 1) {
                asleep = true;
                free.wait();
            }
            return behaviour{};
        }};
        // Gone before the server when a check fails, which wakes it as well.
        auto released = std::move(made);
        transport_bench b{server.url()};
        REQUIRE(b.get().ok());
        b.run_until([&] { return asleep.load(); });
        REQUIRE(shut_for_writing(server.port()));
        http::request r{verb, "/"};
        if (verb == method::post) r.body = "once";
        auto const one = b.begin(std::move(r));
        bool freed = false;
        b.run_until([&] {
            if (!freed && b.transport->stats().moved == 1) {
                released.set_value();
                freed = true;
            }
            return one->done();
        });
        CAPTURE(one->result->detail);
        CHECK(one->result->ok());
        CHECK(server.request_count() == 2);
        CHECK(server.accepted() == 2);
        CHECK(b.settled());
    }
}
#endif

TEST_CASE("place_is_passed_on_when_a_sink_or_a_source_throws", "[http][transport]") {
    class throwing_sink final : public http::body_sink {
    public:
        explicit throwing_sink(std::function<void()> f) : fail(std::move(f)) {}

        std::string begin(const http::response& /*head*/) override { return {}; }
        std::string write(std::string_view /*bytes*/) override {
            fail();
            return {};
        }
        std::string finish() override { return {}; }

        std::function<void()> fail;
    };
    class throwing_source final : public http::body_source {
    public:
        [[nodiscard]] std::uint64_t size() const noexcept override { return 10; }
        [[nodiscard]] std::unique_ptr<http::body_reader> open() const override {
            throw std::bad_alloc{};
        }
    };
    fault_server server;
    transport_bench b;
    b.pool.max_connections = 1;
    b.connect(server.url());
    throwing_sink sink{[] { throw std::runtime_error{"the sink broke"}; }};
    http::exchange_options to_sink;
    to_sink.sink = &sink;
    // A code of another library says nothing about the connection.
    throwing_sink coded{[] {
        throw boost::system::system_error{asio::error::connection_reset, "the other sink"};
    }};
    http::exchange_options to_coded;
    to_coded.sink = &coded;
    http::request upload{method::post, "/"};
    upload.source = std::make_shared<throwing_source>();
    auto const first = b.begin(get_root, to_sink);
    auto const second = b.begin(std::move(upload));
    auto const third = b.begin(get_root, to_coded);
    auto const fourth = b.begin(get_root);
    // Each waits for the place of the one before.
    b.run_until([&] { return first->done() && second->done() && third->done() && fourth->done(); });
    CHECK(first->result->error == errc::file_failed);
    CHECK(first->result->detail == "the sink broke");
    CHECK((second->result->error == boost::system::errc::not_enough_memory));
    CHECK(third->result->error == errc::file_failed);
    CHECK(third->result->detail.find("the other sink") == 0);
    CHECK(third->result->may_have_been_processed);
    CHECK(fourth->result->ok());
    CHECK(b.settled());
}

TEST_CASE("patience_for_an_answer_begins_anew_after_an_interim_one", "[http][transport][limits]") {
    behaviour slow;
    slow.interim = "HTTP/1.1 102 Processing\r\n\r\n";
    slow.gated = true;
    fault_server server{slow};
    transport_bench b;
    b.limits.idle = 20ms;
    b.connect(server.url());
    auto const one = b.begin(get_root);
    b.run_until([&] { return server.request_count() == 1; });
    auto const later = std::chrono::steady_clock::now() + 100ms;
    b.run_until([&] { return one->done() || std::chrono::steady_clock::now() > later; });
    CHECK(!one->done()); // the limit between two pieces of one response does not apply yet
    server.open_gate();
    b.run_until([&] { return one->done(); });
    CHECK(one->result->ok());
    CHECK(b.settled());
}

TEST_CASE("idle_connections_go_while_other_exchanges_are_under_way", "[http][transport]") {
    fault_server server{[](std::size_t c, std::size_t) {
        behaviour one;
        one.gated = c == 0;
        return one;
    }};
    transport_bench b;
    b.pool.idle_timeout = 20ms;
    b.connect(server.url());
    auto const slow = b.begin(get_root);
    b.run_until([&] { return server.request_count() == 1; });
    REQUIRE(b.get().ok());
    b.run_until([&] { return b.transport->stats().idle == 0; });
    CHECK(!slow->done());
    REQUIRE(server.wait_for_open(1));
    server.open_gate();
    b.run_until([&] { return slow->done(); });
    CHECK(slow->result->ok());
    CHECK(b.settled());
}

TEST_CASE("connection_past_its_age_is_replaced", "[http][transport]") {
    fault_server server;
    transport_bench b;
    b.pool.max_age = 20ms;
    b.connect(server.url());
    REQUIRE(b.get().ok());
    auto const later = std::chrono::steady_clock::now() + 25ms;
    b.run_until([&] { return std::chrono::steady_clock::now() > later; });
    REQUIRE(b.get().ok());
    CHECK(server.accepted() == 2);
    CHECK(b.settled());
}

TEST_CASE("connection_is_kept_no_longer_than_the_server_says", "[http][transport]") {
    class row {
    public:
        std::string field;
        std::size_t idle;
    };
    for (auto const& r : std::vector<row>{
             {"timeout=0", 0},
             {"max=5, Timeout=60 ", 1},
             {"timeout=soon", 1},
             {"timeout=0, max=100", 0}}) {
        CAPTURE(r.field);
        fault_server server{
            behaviour{http_reply("ok", "200 OK", "Keep-Alive: " + r.field + "\r\n")}};
        transport_bench b{server.url()};
        REQUIRE(b.get().ok());
        CHECK(b.transport->stats().idle == r.idle);
        CHECK(b.settled());
    }
}

TEST_CASE("limits_of_any_length_are_taken_by_exchanges", "[http][transport][limits]") {
    fault_server server;
    transport_bench b;
    auto const longest = std::chrono::milliseconds::max();
    b.limits.connect = b.limits.write = b.limits.first_byte = b.limits.idle = longest;
    b.limits.total = longest;
    b.pool.idle_timeout = b.pool.max_age = b.pool.dns_ttl = longest;
    b.pool.circuit_pause = b.pool.circuit_max_pause = longest;
    b.pool.happy_eyeballs_delay = longest;
    b.connect(server.url("localhost"));
    for (int i = 0; i < 3; ++i)
        REQUIRE(b.get().ok());
    http::exchange_options wrong;
    wrong.limits.write = -1ms;
    CHECK(b.get("/", wrong).error == errc::invalid_argument);
    http::exchange_options past;
    past.deadline = std::chrono::steady_clock::time_point::min();
    CHECK(b.get("/", past).error == errc::timeout);
    CHECK(server.accepted() == 1);
}

TEST_CASE("transport_may_outlive_its_context_once_closed", "[http][transport]") {
    fault_server server;
    std::shared_ptr<http::http1_transport> kept;
    {
        transport_bench b{server.url("localhost")};
        REQUIRE(b.get().ok());
        kept = b.transport;
        kept->close();
    }
    kept->close();
    CHECK(kept->stats().idle == 0);
}

TEST_CASE("post_is_not_repeated_when_it_may_have_been_processed", "[http][transport]") {
    // The kept connection is alive when it is looked at and dies under the request.
    behaviour dies;
    dies.before = act::close;
    fault_server server{
        [&](std::size_t c, std::size_t r) { return c == 0 && r == 1 ? dies : behaviour{}; }};
    transport_bench b{server.url()};
    REQUIRE(b.post("1").ok());
    auto const out = b.post("2");
    CHECK(out.error == errc::connection_lost);
    CHECK(out.may_have_been_processed);
    CHECK(server.request_count() == 2);
    CHECK(b.post("3").ok());
    CHECK(b.settled());
}

TEST_CASE("early_refusal_of_a_large_upload_is_read", "[http][transport]") {
    behaviour early{http_reply("too large", "413 Content Too Large", "Connection: close\r\n")};
    early.early = true;
    early.after = act::stall;
    fault_server server{early};
    transport_bench b{server.url()};
    auto const out = b.post(std::string(200000, 'x'));
    REQUIRE(out.ok());
    CHECK(out.reply.status == 413);
    CHECK(b.settled());
}

TEST_CASE("limits_of_one_exchange_take_the_place_of_the_transports", "[http][transport][limits]") {
    behaviour stall;
    stall.before = act::stall;
    fault_server stuck{stall};
    full_listener silent;
    transport_bench b{stuck.url()};
    http::exchange_options own;
    own.limits.first_byte = 40ms;
    auto out = b.get("/", own);
    CHECK(out.error == errc::timeout);
    CHECK(out.reached == http_phase::first_byte);
    CHECK(out.detail == "no progress for 40 ms");
    b.connect(silent.url());
    own = {};
    own.limits.connect = 40ms;
    out = b.get("/", own);
    CHECK(out.error == errc::timeout);
    CHECK(out.reached == http_phase::connect);
    b.connect(silent.url("https"));
    CHECK(b.get("/", own).reached == http_phase::connect);
    behaviour deaf;
    deaf.early = deaf.gated = true;
    fault_server full{deaf};
    b.connect(full.url());
    own = {};
    own.limits.write = 40ms;
    out = b.post(std::string(64 * 1024 * 1024, 'x'), own);
    CHECK(out.error == errc::timeout);
    CHECK(out.reached == http_phase::write);
    CHECK(out.detail == "no progress for 40 ms");
    // Longer than the transport's own, or none at all, is possible as well.
    behaviour slow{http_reply("ok")};
    slow.gated = true;
    fault_server late{slow};
    b.limits.first_byte = 30ms;
    b.connect(late.url());
    own = {};
    own.limits.first_byte = 0ms;
    auto const patient = b.begin(get_root, own);
    auto const hasty = b.begin(get_root);
    b.run_until([&] { return hasty->done(); });
    CHECK(hasty->result->error == errc::timeout);
    CHECK(!patient->done());
    late.open_gate();
    b.run_until([&] { return patient->done(); });
    CHECK(patient->result->ok());
    CHECK(b.settled());
}

TEST_CASE("each_phase_has_its_own_limit", "[http][transport][limits]") {
    SECTION("deadline passed before") {
        fault_server server;
        transport_bench b{server.url()};
        http::exchange_options past;
        past.deadline = std::chrono::steady_clock::now() - 1s;
        auto const out = b.get("/", past);
        CHECK(out.error == errc::timeout);
        CHECK(out.reached == http_phase::queued);
        CHECK(server.accepted() == 0);
    }
    SECTION("queued") {
        behaviour stuck;
        stuck.gated = true;
        fault_server server{stuck};
        transport_bench b;
        b.pool.max_connections = 1;
        b.connect(server.url());
        auto const holder = b.begin(get_root);
        b.run_until([&] { return server.request_count() == 1; });
        http::exchange_options soon;
        soon.deadline = std::chrono::steady_clock::now() + 50ms;
        auto const out = b.get("/", soon);
        CHECK(out.error == errc::timeout);
        CHECK(out.reached == http_phase::queued);
        CHECK(!out.may_have_been_processed);
        CHECK(!out.detail.empty());
        server.open_gate();
        b.run_until([&] { return holder->done(); });
        CHECK(holder->result->ok());
        CHECK(b.settled());
    }
    SECTION("write") {
        // A server that never reads lets the kernel's buffers fill.
        behaviour deaf;
        deaf.early = true;
        deaf.gated = true;
        fault_server server{deaf};
        transport_bench b;
        b.limits.write = 100ms;
        b.connect(server.url());
        auto const out = b.post(std::string(64 * 1024 * 1024, 'x'));
        CHECK(out.error == errc::timeout);
        CHECK(out.reached == http_phase::write);
        CHECK(out.may_have_been_processed);
        CHECK(b.settled());
    }
    SECTION("first byte, by the deadline") {
        behaviour stuck;
        stuck.before = act::stall;
        fault_server server{stuck};
        transport_bench b{server.url()};
        http::exchange_options soon;
        soon.deadline = std::chrono::steady_clock::now() + 50ms;
        auto const out = b.get("/", soon);
        CHECK(out.error == errc::timeout);
        CHECK(out.reached == http_phase::first_byte);
        CHECK(out.detail == "the deadline of the call passed");
        CHECK(out.times[http_phase::connect] > 0ns);
        CHECK(out.times[http_phase::first_byte] >= 20ms);
        CHECK(out.times[http_phase::read] == 0ns);
        CHECK(out.times.text().find("first_byte ") != std::string::npos);
        CHECK(b.settled());
    }
    SECTION("total without a deadline") {
        behaviour stuck;
        stuck.before = act::stall;
        fault_server server{stuck};
        transport_bench b;
        b.limits.total = 50ms;
        b.connect(server.url());
        CHECK(b.get().error == errc::timeout);
        CHECK(b.settled());
    }
    SECTION("a response that trickles is not idle") {
        behaviour slow{http_reply("ok")};
        slow.piece = 1;
        fault_server server{slow};
        transport_bench b;
        b.limits.idle = 10s;
        b.connect(server.url());
        CHECK(b.get().ok());
    }
}

TEST_CASE("connect_limit_names_the_address_that_did_not_answer", "[http][transport][limits]") {
    full_listener silent;
    transport_bench b;
    b.limits.connect = 100ms;
    b.connect(silent.url());
    auto const out = b.post("x");
    CHECK(out.error == errc::timeout);
    CHECK(out.reached == http_phase::connect);
    CHECK(!out.may_have_been_processed);
    CHECK(out.detail.find("127.0.0.1") != std::string::npos);
    CHECK(b.settled());
}

TEST_CASE("waiter_learns_why_no_connection_could_be_had", "[http][transport][limits]") {
    full_listener silent;
    transport_bench b;
    b.pool.max_connections = 1;
    b.limits.connect = 50ms;
    b.connect(silent.url());
    http::exchange_options soon;
    soon.deadline = std::chrono::steady_clock::now() + 20s;
    auto const first = b.begin(get_root);
    auto const second = b.begin(get_root, soon);
    b.run_until([&] { return first->done() && second->done(); });
    // Each had the place for the time of one attempt.
    CHECK(first->result->error == errc::timeout);
    CHECK(second->result->error == errc::timeout);
    CHECK(second->result->reached == http_phase::connect);

    // Both attempts hold the place while the third waits and runs out of time.
    b.limits.connect = 300ms;
    b.connect(silent.url());
    auto const failed = b.begin(get_root);
    b.run_until([&] { return failed->done(); });
    auto const holder = b.begin(get_root);
    b.run_until([&] { return b.transport->stats().connecting == 1; });
    soon.deadline = std::chrono::steady_clock::now() + 50ms;
    auto const waiter = b.get("/", soon);
    CHECK(waiter.reached == http_phase::queued);
    CHECK(waiter.detail.find("127.0.0.1") != std::string::npos);
    b.run_until([&] { return holder->done(); });
    CHECK(b.settled());
}

TEST_CASE("exchange_can_be_cancelled_at_every_point", "[http][transport][cancellation]") {
    auto const expect_cancelled = [](transport_bench& b, running& one) {
        one.signal.emit(asio::cancellation_type::terminal);
        CHECK(!one.done()); // nothing completes inside emit()
        b.run_until([&] { return one.done(); });
        CHECK((one.result->error == asio::error::operation_aborted));
    };
    SECTION("resolve") {
        transport_bench b{"https://does-not-exist.invalid"};
        auto const one = b.begin(get_root);
        b.run_until([&] { return b.transport->stats().connecting == 1; });
        expect_cancelled(b, *one);
        b.run();
        CHECK(b.settled());
    }
    SECTION("connect") {
        full_listener silent;
        transport_bench b{silent.url()};
        auto const one = b.begin(get_root);
        b.run_until([&] { return b.transport->stats().connecting == 1; });
        for (int i = 0; i < 5; ++i)
            b.context.poll();
        expect_cancelled(b, *one);
        CHECK(!one->result->may_have_been_processed);
        b.run(); // the attempt itself has ended, too
        CHECK(b.settled());
    }
    SECTION("tls") {
        behaviour silent;
        silent.at_accept = act::stall;
        fault_server server{silent};
        transport_bench b{"https://127.0.0.1:" + std::to_string(server.port())};
        auto const one = b.begin(get_root);
        b.run_until([&] { return server.accepted() == 1; });
        for (int i = 0; i < 5; ++i)
            b.context.poll();
        expect_cancelled(b, *one);
        CHECK(one->result->reached == http_phase::tls);
        CHECK(server.wait_for_open(0));
        CHECK(b.settled());
    }
    SECTION("write") {
        behaviour deaf;
        deaf.early = true;
        deaf.gated = true;
        fault_server server{deaf};
        transport_bench b{server.url()};
        http::request r{method::post, "/"};
        r.body.assign(64 * 1024 * 1024, 'x');
        auto const one = b.begin(std::move(r));
        b.run_until([&] { return server.request_count() == 1; });
        for (int i = 0; i < 50; ++i)
            b.context.poll();
        expect_cancelled(b, *one);
        CHECK(one->result->reached == http_phase::write);
        CHECK(one->result->may_have_been_processed);
        CHECK(b.settled());
    }
    SECTION("first byte") {
        behaviour stuck;
        stuck.before = act::stall;
        fault_server server{stuck};
        transport_bench b{server.url()};
        auto const one = b.begin(get_root);
        b.run_until([&] { return server.request_count() == 1; });
        for (int i = 0; i < 5; ++i)
            b.context.poll();
        expect_cancelled(b, *one);
        CHECK(one->result->reached == http_phase::first_byte);
        CHECK(one->result->may_have_been_processed);
        CHECK(server.wait_for_open(0));
        CHECK(b.settled());
    }
    SECTION("read") {
        fault_server server{
            behaviour{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel", act::stall}};
        transport_bench b{server.url()};
        auto const one = b.begin(get_root);
        b.run_until([&] { return server.request_count() == 1; });
        std::this_thread::sleep_for(20ms); // lets the reply arrive; either phase is right without
        for (int i = 0; i < 5; ++i)
            b.context.poll();
        expect_cancelled(b, *one);
        CHECK(one->result->reply.status == 0);
        CHECK(server.wait_for_open(0));
        CHECK(b.settled());
    }
    SECTION("queued") {
        behaviour gated;
        gated.gated = true;
        fault_server server{gated};
        transport_bench b;
        b.pool.max_connections = 1;
        b.connect(server.url());
        auto const holder = b.begin(get_root);
        b.run_until([&] { return server.request_count() == 1; });
        auto const one = b.begin(get_root);
        auto const other = b.begin(get_root);
        b.run_until([&] { return b.transport->stats().waiting == 2; });
        expect_cancelled(b, *one);
        CHECK(one->result->reached == http_phase::queued);
        CHECK(!one->result->may_have_been_processed);
        CHECK(b.transport->stats().waiting == 1);
        server.open_gate();
        b.run_until([&] { return holder->done() && other->done(); });
        CHECK(holder->result->ok());
        CHECK(other->result->ok());
        CHECK(b.settled());
    }
    SECTION("granted and cancelled in the same moment") {
        behaviour gated;
        gated.gated = true;
        fault_server server{gated};
        transport_bench b;
        b.pool.max_connections = 1;
        b.connect(server.url());
        std::shared_ptr<running> one;
        bool granted = false;
        // Emitted on the loop it is heard at once, before the waiter that was granted the place
        // has run.
        auto const hold = [&]() -> asio::awaitable<void> {
            (void)co_await b.transport->exchange(get_root, {});
            granted = b.transport->stats().waiting == 1 && !one->done();
            one->signal.emit(asio::cancellation_type::terminal);
        };
        asio::co_spawn(b.context, hold(), asio::detached);
        b.run_until([&] { return server.request_count() == 1; });
        one = b.begin(get_root);
        auto const other = b.begin(get_root);
        b.run_until([&] { return b.transport->stats().waiting == 2; });
        server.open_gate();
        b.run_until([&] { return one->done() && other->done(); });
        CHECK(granted);
        CHECK((one->result->error == asio::error::operation_aborted));
        CHECK(!one->result->may_have_been_processed);
        CHECK(other->result->ok());
        CHECK(server.accepted() == 1); // on the connection that was granted in vain
        CHECK(b.settled());
    }
}

TEST_CASE("many_exchanges_share_few_connections", "[http][transport]") {
    fault_server server;
    transport_bench b;
    b.pool.max_connections = 8;
    b.connect(server.url());
    std::vector<std::shared_ptr<running>> all;
    for (int i = 0; i < 200; ++i)
        all.push_back(b.begin({method::get, "/" + std::to_string(i)}));
    b.run();
    for (auto const& one : all) {
        REQUIRE(one->done());
        CHECK(one->result->ok());
    }
    CHECK(server.request_count() == 200);
    CHECK(server.peak() <= 8);
    CHECK(b.transport->stats().idle <= 8);
    CHECK(b.settled());
}

TEST_CASE("opening_one_by_one_still_opens_as_many_as_are_needed", "[http][transport]") {
    behaviour gated;
    gated.gated = true;
    fault_server server{gated};
    transport_bench b;
    b.pool.max_connecting = 1;
    b.connect(server.url());
    std::vector<std::shared_ptr<running>> all;
    for (int i = 0; i < 5; ++i)
        all.push_back(b.begin(get_root));
    b.run_until([&] { return server.request_count() == 5; }); // none has ended yet
    CHECK(b.transport->stats().in_use == 5);
    server.open_gate();
    b.run();
    for (auto const& one : all)
        CHECK((one->done() && one->result->ok()));
    CHECK(b.settled());
}

TEST_CASE("busy_group_does_not_starve_the_others", "[http][transport]") {
    fault_server server;
    transport_bench b;
    b.pool.max_connections = 1;
    b.connect(server.url());
    std::vector<std::shared_ptr<running>> all;
    http::exchange_options busy;
    busy.group = "busy";
    http::exchange_options quiet;
    quiet.group = "quiet";
    for (int i = 0; i < 20; ++i)
        all.push_back(b.begin({method::get, "/busy/" + std::to_string(i)}, busy));
    all.push_back(b.begin({method::get, "/quiet"}, quiet));
    b.run();
    auto const seen = server.requests();
    REQUIRE(seen.size() == 21);
    auto const place = std::find_if(seen.begin(), seen.end(), [](auto const& s) {
        return s.line().find("/quiet") != std::string::npos;
    });
    CHECK(place - seen.begin() <= 2);
}

TEST_CASE("close_ends_everything_that_is_under_way", "[http][transport]") {
    behaviour stuck;
    stuck.before = act::stall;
    fault_server server{
        [&](std::size_t c, std::size_t r) { return c == 0 && r == 0 ? behaviour{} : stuck; }};
    transport_bench b;
    b.pool.max_connections = 4;
    b.connect(server.url());
    REQUIRE(b.get().ok());
    std::vector<std::shared_ptr<running>> all;
    for (int i = 0; i < 9; ++i)
        all.push_back(b.begin({method::post, "/"}));
    b.run_until([&] { return b.transport->stats().waiting == 5 && server.request_count() == 5; });
    SECTION("close") {
        b.transport->close();
    }
    SECTION("destruction") {
        b.transport.reset();
    }
    b.run();
    for (auto const& one : all) {
        REQUIRE(one->done());
        CHECK((one->result->error == asio::error::operation_aborted));
    }
    if (b.transport) {
        CHECK(b.settled());
        CHECK(b.transport->stats().idle == 0);
        b.transport->close();
        auto const later = b.get();
        CHECK((later.error == asio::error::operation_aborted));
        CHECK(!later.may_have_been_processed);
    }
    CHECK(server.wait_for_open(0));
}

TEST_CASE("context_can_be_destroyed_with_exchanges_under_way", "[http][transport]") {
    behaviour stuck;
    stuck.before = act::stall;
    fault_server server{stuck};
    auto b = std::make_unique<transport_bench>();
    b->pool.max_connections = 2;
    b->connect(server.url());
    std::vector<std::shared_ptr<running>> all;
    for (int i = 0; i < 5; ++i)
        all.push_back(b->begin(get_root));
    b->run_until([&] { return server.request_count() == 2; });
    b.reset(); // destroys the sleeping coroutines
    CHECK(server.wait_for_open(0));
    for (auto const& one : all)
        CHECK(!one->done());
}

TEST_CASE("context_can_be_destroyed_while_connecting", "[http][transport]") {
    full_listener silent;
    auto b = std::make_unique<transport_bench>();
    b->pool.max_connections = 2;
    b->connect(silent.url());
    std::vector<std::shared_ptr<running>> all;
    for (int i = 0; i < 4; ++i)
        all.push_back(b->begin(get_root));
    b->run_until([&] { return b->transport->stats().connecting == 2; });
    for (int i = 0; i < 5; ++i)
        b->context.poll();
    b.reset();
    for (auto const& one : all)
        CHECK(!one->done());

    // The same while the host is being looked up.
    b = std::make_unique<transport_bench>("https://does-not-exist.invalid");
    all.push_back(b->begin(get_root));
    b->run_until([&] { return b->transport->stats().connecting == 1; });
    b.reset();
}

TEST_CASE("exchanges_without_any_limit_go_with_their_context", "[http][transport]") {
    // They hold their transport, as the renewal of a token does that outlives its client.
    full_listener silent;
    http::pool_options pool;
    pool.max_connections = 1;
    http::timeouts none;
    none.connect = none.tls = none.write = none.first_byte = none.idle = none.total = 0ms;
    auto context = std::make_unique<asio::io_context>();
    auto transport =
        http::make_transport(context->get_executor(), http::uri{silent.url()}, {}, pool, none, {});
    std::weak_ptr<http::http1_transport> const left = transport;
    auto const work = [](std::shared_ptr<http::http1_transport> over) -> asio::awaitable<void> {
        (void)co_await over->exchange(get_root, {});
    };
    // One connects, the other waits for its connection.
    for (int i = 0; i < 2; ++i)
        asio::co_spawn(*context, work(transport), asio::detached);
    ::test::run_until(*context, [&] {
        auto const s = transport->stats();
        return s.connecting == 1 && s.waiting == 1;
    });
    for (int i = 0; i < 5; ++i)
        context->poll();
    transport.reset();
    REQUIRE(!left.expired());
    context.reset();
    CHECK(left.expired());
}

TEST_CASE("transport_works_on_many_threads", "[http][transport][threads]") {
    fault_server server;
    asio::io_context context;
    http::pool_options pool;
    pool.max_connections = 16;
    auto const transport =
        http::make_transport(context.get_executor(), http::uri{server.url()}, {}, pool);
    std::atomic<int> good{0};
    std::atomic<int> bad{0};
    class worker {
    public:
        static asio::awaitable<void> run(
            http::transport& t, std::string group, std::atomic<int>& good, std::atomic<int>& bad) {
            http::request r{method::get, "/" + group};
            http::exchange_options options;
            options.group = group;
            for (int i = 0; i < 25; ++i) {
                auto const out = co_await t.exchange(r, options);
                ++(out.ok() && out.reply.body == "ok" ? good : bad);
            }
        }
    };
    for (int i = 0; i < 40; ++i)
        asio::co_spawn(
            context, worker::run(*transport, "g" + std::to_string(i % 7), good, bad),
            asio::detached);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] { context.run(); });
    for (auto& t : threads)
        t.join();
    CHECK(good == 1000);
    CHECK(bad == 0);
    auto const s = transport->stats();
    CHECK(s.in_use == 0);
    CHECK(s.active == 0);
    CHECK(server.peak() <= 16);
}

TEST_CASE("close_races_exchanges_on_many_threads", "[http][transport][threads]") {
    fault_server server;
    for (int round = 0; round < 10; ++round) {
        asio::io_context context;
        http::pool_options pool;
        pool.max_connections = 4;
        auto const transport =
            http::make_transport(context.get_executor(), http::uri{server.url()}, {}, pool);
        std::atomic<int> ended{0};
        class worker {
        public:
            static asio::awaitable<void> run(http::transport& t, std::atomic<int>& ended) {
                http::request r{method::get, "/"};
                for (;;) {
                    auto const out = co_await t.exchange(r, {});
                    if (!out.ok()) break;
                }
                ++ended;
            }
        };
        for (int i = 0; i < 12; ++i)
            asio::co_spawn(context, worker::run(*transport, ended), asio::detached);
        std::vector<std::thread> threads;
        for (int i = 0; i < 3; ++i)
            threads.emplace_back([&] { context.run(); });
        std::this_thread::sleep_for(std::chrono::milliseconds{3 * round});
        transport->close();
        for (auto& t : threads)
            t.join();
        CHECK(ended == 12);
        auto const s = transport->stats();
        CHECK(s.in_use + s.connecting + s.waiting + s.idle + s.active == 0);
    }
}

} // namespace http_http1_transport_tests
