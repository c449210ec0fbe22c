// SPDX-License-Identifier: BSL-1.0
//
// The fault table: everything that a server can do to a request, against GET, POST and DELETE, on a
// fresh and on a kept connection, through the whole client. docs/reliability.md shows it; the
// hidden case prints it: highlevel_test_http "[.table]".
#include "support/catch.hpp"
#include "support/certificates.hpp"
#include "support/client_bench.hpp"
#include "support/fault_server.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace http_fault_table_tests {

namespace {

using namespace std::chrono_literals;
using namespace highlevel::test;
using highlevel::errc;
using highlevel::method;
namespace http = highlevel::http;

constexpr int max_attempts = 3;

/// How many requests reach the server.
enum class repeats {
    /// One, whatever the method: it worked, or would fail the same way again.
    none,
    /// GET and DELETE max_attempts times, POST once.
    idempotent,
    /// None at all.
    unsent,
};

class knob {
public:
    std::string name;
    behaviour fault;
    /// Success when empty.
    boost::system::error_code expected;
    /// As good: which one it is depends on who is faster.
    boost::system::error_code or_else;
    repeats sends = repeats::none;
    /// Whether the connection is kept afterwards.
    bool kept = false;
    /// Only makes sense on that kind of connection.
    bool fresh = true;
    bool pooled = true;
    std::optional<certificate> tls;
    /// Done to the server between the first and the second request of a kept connection.
    std::function<void(fault_server&)> meanwhile;
    /// In place of the server's own address.
    std::string url;
};

const certificate_authority& authority() {
    static certificate_authority const one;
    return one;
}

std::vector<knob> knobs() {
    auto const lost = make_error_code(errc::connection_lost);
    auto const malformed = make_error_code(errc::malformed_response);
    auto const timeout = make_error_code(errc::timeout);
    auto const large = make_error_code(errc::response_too_large);
    std::string const ok = "HTTP/1.1 200 OK\r\n";
    std::string const chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
    std::vector<knob> all;
    auto const add = [&](std::string name, behaviour what) -> knob& {
        auto& k = all.emplace_back();
        k.name = std::move(name);
        k.fault = std::move(what);
        return k;
    };
    auto const fails = [&](std::string name, behaviour what, boost::system::error_code expected,
                           repeats sends) -> knob& {
        auto& k = add(std::move(name), std::move(what));
        k.expected = expected;
        k.sends = sends;
        return k;
    };
    auto const works = [&](std::string name, behaviour what, bool kept) -> knob& {
        auto& k = add(std::move(name), std::move(what));
        k.kept = kept;
        return k;
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

    {
        auto& k = fails("connection refused", {}, errc::connect_failed, repeats::unsent);
        k.meanwhile = [](fault_server& s) {
            s.stop_listening();
            s.close_connections();
        };
        k.url = "http://127.0.0.1:" + std::to_string(closed_port());
    }
    fails("accept and stall", at_accept(act::stall), timeout, repeats::unsent).pooled = false;
    fails("close after accept", at_accept(act::close), lost, repeats::unsent).pooled = false;
    {
        auto& k = fails("RST after accept", at_accept(act::reset), lost, repeats::unsent);
        k.or_else = errc::connect_failed;
        k.pooled = false;
    }
    fails("close after the request", before(act::close), lost, repeats::idempotent);
    fails("RST after the request", before(act::reset), lost, repeats::idempotent);
    fails("stall after the request", before(act::stall), timeout, repeats::idempotent);
    fails("close mid-header", behaviour{ok + "Content-Le", act::close}, lost, repeats::idempotent);
    fails("RST mid-header", behaviour{ok + "Content-Le", act::reset}, lost, repeats::idempotent);
    fails(
        "stall mid-header", behaviour{ok + "Content-Le", act::stall}, timeout, repeats::idempotent);
    std::string const half = ok + "Content-Length: 9\r\n\r\nhalf";
    fails("close mid-body", behaviour{half, act::close}, lost, repeats::idempotent);
    fails("RST mid-body", behaviour{half, act::reset}, lost, repeats::idempotent);
    fails("stall mid-body", behaviour{half, act::stall}, timeout, repeats::idempotent);
    fails("close mid-chunk", behaviour{chunked + "5\r\nha", act::close}, lost, repeats::idempotent);
    // The client has its answer; that the connection is dead it learns when it takes it next.
    works("close after the reply", behaviour{http_reply("{}"), act::close}, true);
    for (bool with_reset : {false, true}) {
        auto& k = works(
            with_reset ? "RST of an idle connection" : "silent close of an idle connection", {},
            true);
        k.fresh = false;
        k.meanwhile = [with_reset](fault_server& s) {
            s.close_connections(with_reset);
            REQUIRE(s.wait_for_open(0));
        };
    }
    {
        behaviour slow{http_reply("{}")};
        slow.piece = 1;
        works("one byte at a time", slow, true);
    }
    works(
        "100 Continue before the reply",
        behaviour{"HTTP/1.1 100 Continue\r\n\r\n" + http_reply("{}")}, true);
    works(
        "102 and 103 before the reply",
        behaviour{
            "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" +
            http_reply("{}")},
        true);
    fails(
        "100 Continue, then close", behaviour{"HTTP/1.1 100 Continue\r\n\r\n", act::close}, lost,
        repeats::idempotent);
    fails(
        "101 Switching Protocols", behaviour{"HTTP/1.1 101 Switching Protocols\r\n\r\n"}, malformed,
        repeats::none);
    fails(
        "Content-Length too large, then close",
        behaviour{ok + "Content-Length: 3\r\n\r\n{}", act::close}, lost, repeats::idempotent);
    works(
        "Content-Length too small", behaviour{ok + "Content-Length: 2\r\n\r\n{}}", act::proceed},
        false);
    fails(
        "two Content-Lengths that differ",
        behaviour{ok + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} "}, malformed,
        repeats::none);
    fails(
        "Content-Length beside chunked",
        behaviour{ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        malformed, repeats::none);
    works(
        "a second response behind the first",
        behaviour{http_reply("{}") + http_reply("{\"stolen\":1}")}, false);
    fails(
        "giant header (100 kB)", behaviour{ok + "X: " + std::string(100000, 'x') + "\r\n\r\n"},
        malformed, repeats::none);
    fails(
        "header injection (NUL in a value)", behaviour{ok + std::string{"X: a\0b\r\n\r\n", 10}},
        malformed, repeats::none);
    fails(
        "header injection (space before the colon)", behaviour{ok + "Content-Length : 2\r\n\r\n{}"},
        malformed, repeats::none);
    works(
        "chunked with trailers", behaviour{chunked + "2;x=y\r\n{}\r\n0\r\nX-Trailer: 1\r\n\r\n"},
        true);
    fails("bad chunk size", behaviour{chunked + "zz\r\n{}\r\n"}, malformed, repeats::none);
    fails(
        "HTML page with status 520",
        behaviour{http_reply(
            "<html>origin error</html>", "520 Origin Error", "Content-Type: text/html\r\n")},
        highlevel::make_status_code(520), repeats::idempotent)
        .kept = true;
    works("204 with a body", behaviour{"HTTP/1.1 204 No Content\r\n\r\nbody"}, false);
    works("HTTP/1.0", behaviour{"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}"}, false);
    works("body until the end of the connection", behaviour{ok + "\r\n{}", act::close}, false);
    works(
        "lower-case and duplicate headers",
        behaviour{ok + "content-length: 2\r\nset-cookie: a\r\nset-cookie: b\r\n\r\n{}"}, true);
    fails("not HTTP", behaviour{"SSH-2.0-OpenSSH_9.2\r\n"}, malformed, repeats::none);
    fails(
        "body over the bound", behaviour{http_reply(std::string(2000, ' '))}, large, repeats::none);

    auto const tls = [&](knob& k, certificate c) -> knob& {
        k.tls = std::move(c);
        return k;
    };
    auto const only_fresh = [&](knob& k, certificate c) { tls(k, std::move(c)).pooled = false; };
    auto const good = authority().issue();
    tls(works("TLS, all well", {}, true), good);
    tls(fails("TLS: close after the request", before(act::close), lost, repeats::idempotent), good);
    tls(fails("TLS: close mid-body", behaviour{half, act::close}, lost, repeats::idempotent), good);
    tls(fails("TLS: stall mid-body", behaviour{half, act::stall}, timeout, repeats::idempotent),
        good);
    tls(works(
            "TLS: a second response behind the first",
            behaviour{http_reply("{}") + http_reply("{\"stolen\":1}")}, false),
        good);
    {
        auto& k = tls(works("TLS: silent close of an idle connection", {}, true), good);
        k.fresh = false;
        k.meanwhile = [](fault_server& s) {
            s.close_connections();
            REQUIRE(s.wait_for_open(0));
        };
    }
    only_fresh(
        fails("TLS: stall in the handshake", at_accept(act::stall), timeout, repeats::unsent),
        good);
    {
        behaviour alert;
        alert.greeting = std::string{"\x15\x03\x03\x00\x02\x02\x28", 7}; // fatal handshake_failure
        only_fresh(fails("TLS alert", alert, errc::tls_failed, repeats::unsent), good);
        behaviour plain;
        plain.greeting = "HTTP/1.1 400 Bad Request\r\n\r\n";
        only_fresh(
            fails("TLS: server speaks plain HTTP", plain, errc::tls_failed, repeats::unsent), good);
    }
    auto const untrusted = make_error_code(errc::certificate_untrusted);
    certificate_facts facts;
    facts.valid_from = -7200;
    facts.valid_to = -3600;
    only_fresh(
        fails("certificate expired", {}, untrusted, repeats::unsent), authority().issue(facts));
    facts = {};
    facts.names = "DNS:example.com";
    only_fresh(
        fails("certificate for another host", {}, errc::hostname_mismatch, repeats::unsent),
        authority().issue(facts));
    only_fresh(
        fails("certificate self-signed", {}, untrusted, repeats::unsent),
        certificate_authority::self_signed());
    facts = {};
    facts.purpose = "clientAuth";
    only_fresh(
        fails("certificate for another purpose", {}, untrusted, repeats::unsent),
        authority().issue(facts));
    return all;
}

/// What was seen of one cell.
class cell {
public:
    boost::system::error_code code;
    /// Requests that the server read, that of warming up not counted.
    std::size_t sent = 0;
    bool may_have_been_processed = false;
    bool balanced = false;
    std::size_t idle = 0;
    /// Connections that the server accepted.
    std::size_t connects = 0;
};

cell measure(const knob& k, method verb, bool pooled) {
    fault_server server{
        [&](std::size_t c, std::size_t n) {
            bool const well = (pooled && c == 0 && n == 0) || (pooled && !k.fresh);
            return well ? behaviour{http_reply("{}")} : k.fault;
        },
        k.tls};
    client_bench b{server.url(k.tls ? "localhost" : "127.0.0.1")};
    if (!pooled && !k.url.empty()) b.options.base_url = k.url;
    b.options.tls.ca_pem = authority().pem();
    b.options.retry.max_attempts = max_attempts;
    // What becomes of a connection that is not looked at is not in the table.
    b.options.pool.trusted_for = 0ms;
    b.options.max_response_body = 1000;
    if (k.expected == errc::timeout) {
        b.options.timeouts.first_byte = b.options.timeouts.idle = 40ms;
        // A handshake that is to succeed may take its time on a busy machine.
        if (k.sends == repeats::unsent) b.options.timeouts.tls = 40ms;
    }
    std::size_t warm = 0;
    if (pooled) {
        highlevel::call_options patient;
        patient.timeouts = {.tls = 20s, .first_byte = 20s, .idle = 20s};
        REQUIRE(b.call({method::get, "/warm"}, patient).has_value());
        warm = 1;
        if (k.meanwhile) k.meanwhile(server);
    }
    http::request r{verb, "/x"};
    if (verb == method::post) r.body = "{}";
    auto const out = b.call(std::move(r));
    cell seen;
    if (out.has_error()) {
        seen.code = out.error().code();
        seen.may_have_been_processed = out.error().may_have_been_processed();
        if (out.error().status() == 0) CHECK(!out.error().reached().empty());
    }
    seen.sent = server.request_count() - warm;
    seen.connects = server.accepted();
    seen.balanced = b.balanced();
    seen.idle = b.transport->stats().idle;
    b.client.reset();
    b.transport.reset();
    CHECK(server.wait_for_open(0));
    return seen;
}

constexpr std::array verbs{method::get, method::post, method::delete_};

} // namespace

TEST_CASE("every_fault_ends_as_the_table_says", "[http][faults][table]") {
    for (auto const& k : knobs()) {
        for (bool pooled : {false, true}) {
            if (pooled ? !k.pooled : !k.fresh) continue;
            for (auto verb : verbs) {
                CAPTURE(k.name, pooled, to_string(verb));
                auto const seen = measure(k, verb, pooled);
                CAPTURE(seen.code.message(), k.expected.message());
                CHECK((seen.code == k.expected || (k.or_else && seen.code == k.or_else)));
                std::size_t expected = 1;
                if (k.sends == repeats::unsent)
                    expected = 0;
                else if (k.sends != repeats::none && is_idempotent(verb))
                    expected = max_attempts;
                CHECK(seen.sent == expected);
                CHECK(seen.idle == (k.kept ? 1 : 0));
                CHECK(seen.balanced);
                // Without a connection that is ready nothing can have been processed.
                auto const& code = seen.code;
                bool const bad_certificate =
                    code == errc::certificate_untrusted || code == errc::hostname_mismatch;
                bool const not_ready = bad_certificate || code == errc::connect_failed ||
                    code == errc::tls_failed || (k.tls && code == errc::timeout && seen.sent == 0);
                if (code && seen.sent != 0) CHECK(seen.may_have_been_processed);
                // With a choice of errors, an attempt before the last may have got further.
                if (not_ready && !k.or_else) CHECK(!seen.may_have_been_processed);
                // Each attempt connects anew, but for certificates, which will not get better.
                if (not_ready && k.tls)
                    CHECK(seen.connects == (bad_certificate ? std::size_t{1} : max_attempts));
            }
        }
    }
}

TEST_CASE(
    "a_kept_connection_that_was_closed_costs_a_get_a_permit_and_a_post_nothing", "[http][faults]") {
    for (auto verb : verbs) {
        CAPTURE(to_string(verb));
        fault_server server{behaviour{http_reply("{}")}};
        client_bench b{server.url()};
        b.options.pool.trusted_for = 1h;
        // A pause would outlast the call.
        b.options.retry.base_delay = b.options.retry.max_delay = 1h;
        REQUIRE(b.call({method::get, "/warm"}).has_value());
        server.close_connections();
        REQUIRE(server.wait_for_open(0));
        http::request r{verb, "/x"};
        if (verb == method::post) r.body = "{}";
        auto const out = b.call(std::move(r));
        REQUIRE(out.has_value());
        bool const trusts = verb == method::get;
        CHECK(out->attempts() == (trusts ? 2 : 1));
        CHECK(b.transport->stats().stale == 1);
        CHECK(server.request_count() == 2);
        CHECK(server.accepted() == 2);
        CHECK(b.balanced());
    }
}

TEST_CASE("fault_table_is_printed", "[.table]") {
    std::cout << "| what the server does | connection | GET | POST | DELETE | kept |\n"
                 "| --- | --- | --- | --- | --- | --- |\n";
    for (auto const& k : knobs()) {
        std::array<std::string, 2> lines;
        for (bool pooled : {false, true}) {
            if (pooled ? !k.pooled : !k.fresh) continue;
            auto& line = lines[pooled ? 1 : 0];
            bool kept = true;
            for (auto verb : verbs) {
                auto const seen = measure(k, verb, pooled);
                CHECK(seen.balanced);
                kept = kept && seen.idle != 0;
                std::string name = "done";
                if (seen.code.category() == highlevel::status_category())
                    name = "status " + std::to_string(seen.code.value());
                for (auto const& [code, text] : {
                         std::pair{errc::connect_failed, "connect_failed"},
                         std::pair{errc::connection_lost, "connection_lost"},
                         std::pair{errc::timeout, "timeout"},
                         std::pair{errc::malformed_response, "malformed_response"},
                         std::pair{errc::response_too_large, "response_too_large"},
                         std::pair{errc::tls_failed, "tls_failed"},
                         std::pair{errc::certificate_untrusted, "certificate_untrusted"},
                         std::pair{errc::hostname_mismatch, "hostname_mismatch"},
                     })
                    if (seen.code == code) name = text;
                line += " " + name + ", " + std::to_string(seen.sent) + " |";
            }
            line += kept ? " yes |" : " no |";
        }
        if (lines[0] == lines[1]) {
            std::cout << "| " << k.name << " | either |" << lines[0] << '\n';
            continue;
        }
        if (!lines[0].empty()) std::cout << "| " << k.name << " | fresh |" << lines[0] << '\n';
        if (!lines[1].empty()) std::cout << "| " << k.name << " | kept |" << lines[1] << '\n';
    }
}

} // namespace http_fault_table_tests
