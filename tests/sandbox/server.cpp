// SPDX-License-Identifier: BSL-1.0
//
// The sandbox over real loopback sockets, plain and TLS, seen by a small synchronous client.
#include "support/catch.hpp"

#include <highlevel/sandbox/server.hpp>

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace sandbox_server_tests {

namespace asio = boost::asio;
namespace http = boost::beast::http;
namespace json = boost::json;
using boost::system::error_code;
using highlevel::sandbox::contact;
using highlevel::sandbox::options;
using highlevel::sandbox::request_view;
using highlevel::sandbox::scripted_response;
using highlevel::sandbox::server;
using highlevel::sandbox::token_grant;
using namespace std::chrono_literals;

namespace {

using response = http::response<http::string_body>;
using tcp_socket = asio::ip::tcp::socket;
using tls_stream = asio::ssl::stream<tcp_socket>;

// One connection to a server; blocking, and as forgiving as a test wants it.
class peer {
public:
    explicit peer(const server& to, bool trust = true)
        : secure_(to.base_url().starts_with("https")),
          tls_(asio::ssl::context::tls_client) {
        if (trust && secure_) {
            tls_.add_certificate_authority(asio::buffer(to.ca_certificate_pem()));
            tls_.set_verify_mode(asio::ssl::verify_peer);
        }
        stream_.emplace(context_, tls_);
        stream_->set_verify_callback(asio::ssl::host_name_verification("127.0.0.1"));
        socket().connect({asio::ip::make_address("127.0.0.1"), to.port()});
        socket().set_option(asio::ip::tcp::no_delay(true));
    }

    tcp_socket& socket() { return stream_->next_layer(); }
    tls_stream& stream() { return *stream_; }
    asio::ssl::context& tls() { return tls_; }

    error_code handshake() {
        error_code ec;
        if (secure_ && !shaken_) stream_->handshake(tls_stream::client, ec);
        shaken_ = true;
        return ec;
    }

    void write(std::string_view text) {
        REQUIRE_FALSE(handshake());
        error_code ec;
        if (secure_)
            asio::write(*stream_, asio::buffer(text), ec);
        else
            asio::write(socket(), asio::buffer(text), ec);
        CHECK_FALSE(ec);
    }
    // Reads one answer; `ec` tells why there is none.
    response read(error_code& ec) {
        response r;
        if (secure_)
            http::read(*stream_, buffer_, r, ec);
        else
            http::read(socket(), buffer_, r, ec);
        return r;
    }
    response read() {
        error_code ec;
        auto r = read(ec);
        REQUIRE_FALSE(ec);
        return r;
    }
    // Everything until the server closes.
    std::string read_all() {
        std::string text;
        error_code ec;
        if (secure_)
            asio::read(*stream_, asio::dynamic_buffer(text), ec);
        else
            asio::read(socket(), asio::dynamic_buffer(text), ec);
        return text;
    }

    response get(const std::string& target, std::string_view token) {
        write(request("GET", target, token));
        return read();
    }
    static std::string request(
        std::string_view method,
        std::string_view target,
        std::string_view token,
        std::string_view body = {},
        std::string_view more = {}) {
        std::string text;
        text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n");
        text.append("Authorization: Bearer ").append(token).append("\r\nVersion: 2021-07-28\r\n");
        text.append(more);
        if (!body.empty())
            text.append("Content-Type: application/json\r\nContent-Length: ")
                .append(std::to_string(body.size()))
                .append("\r\n");
        return text.append("\r\n").append(body);
    }

private:
    bool secure_;
    bool shaken_ = false;
    asio::io_context context_;
    asio::ssl::context tls_;
    std::optional<tls_stream> stream_;
    boost::beast::flat_buffer buffer_;
};

options small(bool tls = false) {
    options o;
    o.tls = tls;
    o.max = 1'000'000;
    o.contacts_per_location = 10;
    return o;
}

// A server that runs, its first location and the location's token.
class running {
public:
    explicit running(options o = small()) : house(std::move(o)) {
        house.start();
        auto const first = house.locations().at(0);
        id = first.id;
        token = first.token;
        list = "/contacts/?locationId=" + id;
    }

    server house;
    std::string id;
    std::string token;
    std::string list;
};

} // namespace

TEST_CASE("serves_plain_and_tls_with_the_headers_in_lower_case", "[sandbox]") {
    for (auto tls : {false, true}) {
        CAPTURE(tls);
        running r(small(tls));
        CHECK(r.house.base_url().starts_with(tls ? "https://127.0.0.1:" : "http://127.0.0.1:"));
        peer p(r.house);
        p.write(peer::request("GET", "/locations/" + r.id, r.token, {}, "Connection: close\r\n"));
        auto const text = p.read_all();
        CHECK(text.starts_with("HTTP/1.1 200 OK\r\n"));
        for (auto field :
             {"x-ratelimit-limit-daily: 200000", "x-ratelimit-daily-remaining: 199999",
              "x-ratelimit-daily-reset: 86400000", "x-ratelimit-interval-milliseconds: 10000",
              "x-ratelimit-max: 1000000", "x-ratelimit-remaining: 999999",
              "content-type: application/json; charset=utf-8", "connection: close"})
            CHECK(text.find("\r\n" + std::string(field) + "\r\n") != std::string::npos);
    }
}

TEST_CASE("tls_is_verifiable_and_only_with_the_right_authority", "[sandbox]") {
    running r(small(true));
    {
        peer p(r.house);
        CHECK_FALSE(p.handshake());
    }
    {
        server other(small(true));
        peer p(r.house, false);
        p.tls().add_certificate_authority(asio::buffer(other.ca_certificate_pem()));
        p.stream().set_verify_mode(asio::ssl::verify_peer);
        CHECK(p.handshake());
    }
    {
        peer p(r.house);
        p.stream().set_verify_callback(asio::ssl::host_name_verification("example.com"));
        CHECK(p.handshake());
    }
    {
        peer p(r.house);
        p.stream().set_verify_callback(asio::ssl::host_name_verification("localhost"));
        CHECK_FALSE(p.handshake());
    }
}

TEST_CASE("certificate_can_be_expired_or_for_other_names", "[sandbox]") {
    auto expired = small(true);
    expired.certificate_expired = true;
    running late(expired);
    CHECK(peer(late.house).handshake());
    auto foreign = small(true);
    foreign.certificate_names = {"example.com"};
    running elsewhere(foreign);
    CHECK(peer(elsewhere.house).handshake());
}

TEST_CASE("tls_1_2_and_1_3_are_served_and_1_1_is_not", "[sandbox]") {
    running r(small(true));
    for (auto version : {TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION}) {
        CAPTURE(version);
        peer p(r.house);
        SSL_set_security_level(p.stream().native_handle(), 0);
        SSL_set_min_proto_version(p.stream().native_handle(), version);
        SSL_set_max_proto_version(p.stream().native_handle(), version);
        CHECK(bool(p.handshake()) == (version == TLS1_1_VERSION));
    }
}

TEST_CASE("connection_is_kept_alive_and_pipelining_is_answered_in_order", "[sandbox]") {
    for (auto tls : {false, true}) {
        running r(small(tls));
        peer p(r.house);
        for (int i = 0; i < 50; ++i)
            CHECK(p.get(r.list, r.token).result_int() == 200);
        std::string three;
        for (auto limit : {"1", "2", "3"})
            three += peer::request("GET", r.list + "&limit=" + limit, r.token);
        p.write(three);
        for (std::size_t limit : {1U, 2U, 3U})
            CHECK(json::parse(p.read().body()).at("contacts").as_array().size() == limit);
        CHECK(r.house.totals().connections == 1);
        CHECK(r.house.totals().requests == 53);
    }
}

TEST_CASE("request_in_tiny_pieces_and_chunks_is_understood", "[sandbox]") {
    running r;
    peer p(r.house);
    auto const body = R"({"locationId":")" + r.id + R"(","pageLimit":2})";
    for (auto c : peer::request("POST", "/contacts/search", r.token, body))
        p.write(std::string(1, c));
    CHECK(p.read().result_int() == 200);
    std::string chunked = peer::request(
        "POST", "/contacts/search", r.token, {},
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n");
    for (auto c : body)
        chunked += std::string("1\r\n") + c + "\r\n";
    p.write(chunked + "0\r\n\r\n");
    CHECK(json::parse(p.read().body()).at("contacts").as_array().size() == 2);
}

TEST_CASE("expect_continue_is_answered_before_the_body", "[sandbox]") {
    running r;
    peer p(r.house);
    auto const body = R"({"locationId":")" + r.id + R"(","pageLimit":2})";
    auto whole =
        peer::request("POST", "/contacts/search", r.token, body, "Expect: 100-continue\r\n");
    p.write(whole.substr(0, whole.size() - body.size()));
    CHECK(p.read().result_int() == 100);
    p.write(body);
    CHECK(p.read().result_int() == 200);
}

TEST_CASE("large_body_and_nonsense_are_refused_and_the_connection_closed", "[sandbox]") {
    auto o = small();
    o.body_limit = 100;
    running r(o);
    peer large(r.house);
    large.write(peer::request("POST", "/contacts/search", r.token, std::string(101, ' ')));
    CHECK(large.read_all().starts_with("HTTP/1.1 413"));
    peer nonsense(r.house);
    nonsense.write("good evening\r\n\r\n");
    CHECK(nonsense.read_all().starts_with("HTTP/1.1 400"));
}

TEST_CASE("connection_closes_after_so_many_answers_and_when_idle", "[sandbox]") {
    auto o = small();
    o.requests_per_connection = 2;
    o.idle_timeout = 20ms;
    running r(o);
    peer p(r.house);
    CHECK(p.get(r.list, r.token).keep_alive());
    peer idle(r.house);
    CHECK(idle.read_all().empty()); // returns when the server closes
    p.write(peer::request("GET", r.list, r.token));
    error_code ec;
    auto const last = p.read(ec);
    CHECK((ec || !last.keep_alive()));
}

TEST_CASE("bucket_refuses_over_the_socket_and_statistics_agree", "[sandbox]") {
    auto o = small();
    o.limiter = highlevel::sandbox::limiter_kind::log;
    o.max = 5;
    o.interval = 10min;
    o.retry_after = 3s;
    running r(o);
    peer p(r.house);
    for (int i = 1; i <= 5; ++i) {
        auto const got = p.get(r.list, r.token);
        CHECK(got.result_int() == 200);
        CHECK(got["x-ratelimit-remaining"] == std::to_string(5 - i));
    }
    auto const refused = p.get(r.list, r.token);
    CHECK(refused.result_int() == 429);
    CHECK(refused.body() == R"({"statusCode":429,"message":"Too Many Requests"})");
    CHECK(refused["retry-after"] == "3");
    CHECK(refused["x-ratelimit-daily-remaining"] == "199995");

    auto const s = r.house.stats();
    CHECK(s.totals.requests == 6);
    CHECK(s.totals.accepted == 5);
    CHECK(s.totals.refused == 1);
    REQUIRE(s.buckets.size() == 1);
    CHECK(s.buckets[0].app == r.token);
    CHECK(s.buckets[0].resource == r.id);
    CHECK(s.buckets[0].max_in_window == 5);
    CHECK(s.buckets[0].quota_used() == Approx(1.0));
    CHECK(s.requests.at("GET /contacts/") == 6);
    r.house.reset_stats();
    CHECK(r.house.stats().buckets[0].accepted == 0);
    CHECK(p.get(r.list, r.token).result_int() == 429); // what is used up stays used up
}

TEST_CASE("quota_can_be_spent_by_others_and_days_run_out", "[sandbox]") {
    auto o = small();
    o.limiter = highlevel::sandbox::limiter_kind::log;
    o.max = 5;
    o.interval = 10min;
    running r(o);
    CHECK(r.house.spend(r.token, r.id, 3) == 3);
    peer p(r.house);
    CHECK(p.get(r.list, r.token)["x-ratelimit-remaining"] == "1");
    CHECK(r.house.spend(r.token, r.id, 3) == 1);
    r.house.set_limits(r.token, r.id, 50, 1s);
    auto const more = p.get(r.list, r.token);
    CHECK(more.result_int() == 200);
    CHECK(more["x-ratelimit-max"] == "50");
    CHECK(more["x-ratelimit-interval-milliseconds"] == "1000");
    r.house.set_daily_remaining(r.token, r.id, 0);
    auto const over = p.get(r.list, r.token);
    CHECK(over.result_int() == 429);
    CHECK(over["x-ratelimit-daily-remaining"] == "0");
    CHECK(r.house.totals().refused_daily == 1);
}

// ---- faults ------------------------------------------------------------------------------------

TEST_CASE("hook_answers_with_whatever_it_likes", "[sandbox]") {
    running r;
    // Assertions belong to the test's own thread, so the hook only tells what it saw.
    std::promise<std::string> seen;
    r.house.set_hook([&](const request_view& request) -> std::optional<scripted_response> {
        if (request.path != "/broken") return std::nullopt;
        seen.set_value(
            std::string(request.method) + ' ' + std::string(request.query) + ' ' +
            std::string(request.header("VERSION").value_or("")));
        scripted_response html(502, "<html>Bad gateway</html>", "text/html");
        html.headers = {{"cf-ray", "1234"}, {"X-RateLimit-Remaining", "nonsense"}};
        return html;
    });
    peer p(r.house);
    auto const got = p.get("/broken?a=1", r.token);
    CHECK(seen.get_future().get() == "GET a=1 2021-07-28");
    CHECK(got.result_int() == 502);
    CHECK(got.body() == "<html>Bad gateway</html>");
    CHECK(got["content-type"] == "text/html");
    CHECK(got["cf-ray"] == "1234");
    CHECK(got["x-ratelimit-remaining"] == "nonsense");
    CHECK(got["x-ratelimit-max"] == "1000000");
    CHECK(p.get(r.list, r.token).result_int() == 200);
    CHECK(r.house.totals().scripted == 1);
    r.house.set_hook(nullptr);
    CHECK(p.get("/broken?a=1", r.token).result_int() == 401); // no such route
}

TEST_CASE("scripted_answer_counts_unless_told_otherwise", "[sandbox]") {
    running r;
    std::atomic<bool> counted{true};
    r.house.set_hook([&](const request_view&) -> std::optional<scripted_response> {
        scripted_response made(500, "{}");
        made.counted = counted;
        made.rate_headers = counted;
        return made;
    });
    peer p(r.house);
    CHECK(p.get(r.list, r.token)["x-ratelimit-remaining"] == "999999");
    CHECK(r.house.totals().accepted == 1);
    counted = false;
    CHECK(p.get(r.list, r.token).count("x-ratelimit-remaining") == 0);
    CHECK(r.house.totals().accepted == 1);
}

TEST_CASE("answer_can_be_cut_short", "[sandbox]") {
    for (auto tls : {false, true}) {
        running r(small(tls));
        std::atomic<std::size_t> bytes{0};
        r.house.set_hook([&](const request_view&) {
            std::optional<scripted_response> cut(std::in_place);
            cut->close_after_bytes = bytes;
            return cut;
        });
        for (std::size_t n : {0U, 1U, 40U, 300U, 600U}) {
            CAPTURE(tls, n);
            bytes = n;
            peer p(r.house);
            p.write(peer::request("GET", r.list, r.token));
            auto const text = p.read_all();
            CHECK(text.size() == n);
            CHECK(std::string_view("HTTP/1.1 200 OK\r\n").starts_with(text.substr(0, 17)));
        }
        CHECK(r.house.totals().accepted == 5); // handled as usual, only the answer was lost
    }
}

TEST_CASE("stalled_answer_never_comes_and_gives_its_connection_up_with_the_peer", "[sandbox]") {
    for (auto tls : {false, true}) {
        running r(small(tls));
        std::atomic<bool> reached{false};
        r.house.set_hook([&](const request_view&) {
            std::optional<scripted_response> silence(std::in_place);
            silence->stall = true;
            reached = true;
            return silence;
        });
        {
            peer p(r.house);
            p.write(peer::request("GET", r.list, r.token));
            while (!reached)
                std::this_thread::yield();
        }
        while (r.house.totals().open_connections != 0)
            std::this_thread::yield();
        peer stuck(r.house);
        stuck.write(peer::request("GET", r.list, r.token));
        r.house.stop();
        CHECK(stuck.read_all().empty());
    }
}

TEST_CASE("latency_and_delay_add_up", "[sandbox]") {
    auto o = small();
    o.latency_min = 10ms;
    o.latency_max = 20ms;
    o.hook = [](const request_view&) {
        std::optional<scripted_response> late(std::in_place);
        late->delay = 15ms;
        return late;
    };
    running r(o);
    peer p(r.house);
    auto const begin = std::chrono::steady_clock::now();
    CHECK(p.get(r.list, r.token).result_int() == 200);
    CHECK(std::chrono::steady_clock::now() - begin >= 25ms);
}

// ---- life --------------------------------------------------------------------------------------

TEST_CASE("stop_closes_connections_in_every_state_and_start_takes_the_port_again", "[sandbox]") {
    for (auto tls : {false, true}) {
        auto o = small(tls);
        o.threads = 2;
        running r(o);
        r.house.set_hook([](const request_view& request) {
            std::optional<scripted_response> made;
            if (request.path == "/slow") made.emplace().delay = 1h;
            if (request.path == "/silent") made.emplace().stall = true;
            return made;
        });
        auto const port = r.house.port();
        std::vector<std::unique_ptr<peer>> peers;
        for (int i = 0; i < 10; ++i) {
            peers.push_back(std::make_unique<peer>(r.house)); // connected, no handshake
            peers.push_back(std::make_unique<peer>(r.house)); // idle after one request
            CHECK(peers.back()->get(r.list, r.token).result_int() == 200);
            peers.push_back(std::make_unique<peer>(r.house)); // in the middle of a request
            peers.back()->write("GET / HTTP/1.1\r\nHos");
            for (auto path : {"/slow", "/silent"}) {
                peers.push_back(std::make_unique<peer>(r.house));
                peers.back()->write(peer::request("GET", path, r.token));
            }
        }
        r.house.stop();
        r.house.stop();
        CHECK(r.house.totals().open_connections == 0);
        CHECK_THROWS(peer(r.house));
        r.house.start();
        r.house.start();
        CHECK(r.house.port() == port);
        peer again(r.house);
        CHECK(again.get(r.list, r.token).result_int() == 200);
    }
}

TEST_CASE("dropped_connections_end_without_an_answer", "[sandbox]") {
    running r;
    peer p(r.house);
    CHECK(p.get(r.list, r.token).result_int() == 200);
    r.house.drop_connections();
    CHECK(p.read_all().empty());
    CHECK(peer(r.house).get(r.list, r.token).result_int() == 200);
}

TEST_CASE("many_threads_and_connections_are_counted_exactly", "[sandbox]") {
    auto o = small(true);
    o.threads = 3;
    o.locations = 4;
    running r(o);
    auto const all = r.house.locations();
    constexpr int clients = 6;
    constexpr int connections = 25;
    constexpr int requests = 8;
    std::atomic<int> good{0};
    std::vector<std::thread> threads;
    for (int c = 0; c < clients; ++c)
        threads.emplace_back([&, c] {
            for (int i = 0; i < connections; ++i) {
                auto const& place = all[static_cast<std::size_t>(c + i) % all.size()];
                peer p(r.house);
                error_code ec = p.handshake();
                for (int n = 0; n < requests && !ec; ++n) {
                    auto const body = R"({"locationId":")" + place.id + R"(","email":"c)" +
                        std::to_string(c) + '-' + std::to_string(i) + '-' + std::to_string(n) +
                        R"(@example.com"})";
                    auto const text = n % 2 == 0
                        ? peer::request("POST", "/contacts/", place.token, body)
                        : peer::request("GET", "/contacts/?locationId=" + place.id, place.token);
                    asio::write(p.stream(), asio::buffer(text), ec);
                    if (ec) break;
                    auto const status = p.read(ec).result_int();
                    good += !ec && (status == 200 || status == 201);
                }
            }
        });
    std::uint64_t looks = 0;
    while (r.house.stats().totals.requests < clients * connections * requests && looks < 1'000'000)
        ++looks;
    for (auto& thread : threads)
        thread.join();
    CHECK(good == clients * connections * requests);
    auto const s = r.house.stats();
    CHECK(s.totals.accepted == clients * connections * requests);
    CHECK(s.totals.connections == clients * connections);
    std::uint64_t sum = 0;
    std::size_t contacts = 0;
    for (auto const& bucket : s.buckets)
        sum += bucket.accepted;
    for (auto const& place : all)
        contacts += r.house.contact_count(place.id);
    CHECK(sum == s.totals.accepted);
    CHECK(contacts == 4 * 10 + clients * connections * requests / 2);
}

TEST_CASE("hundreds_of_connections_are_open_at_once", "[sandbox]") {
    running r;
    std::vector<std::unique_ptr<peer>> peers;
    for (int i = 0; i < 300; ++i)
        peers.push_back(std::make_unique<peer>(r.house));
    for (auto& p : peers)
        p->write(peer::request("GET", r.list, r.token));
    for (auto& p : peers)
        CHECK(p->read().result_int() == 200);
    CHECK(r.house.totals().open_connections == 300);
}

TEST_CASE("server_runs_on_a_given_executor_and_may_go_first", "[sandbox]") {
    asio::io_context context;
    auto house = std::make_unique<server>(context.get_executor(), small());
    house->start();
    auto const place = house->locations().at(0);
    std::thread runner([&] { context.run(); });
    auto p = std::make_unique<peer>(*house);
    CHECK(p->get("/locations/" + place.id, place.token).result_int() == 200);
    house.reset(); // with a connection open
    CHECK(p->read_all().empty());
    runner.join(); // nothing is left to run
}

TEST_CASE("context_may_be_destroyed_before_the_connections_end", "[sandbox]") {
    auto context = std::make_unique<asio::io_context>();
    auto house = std::make_unique<server>(context->get_executor(), small());
    house->start();
    auto const place = house->locations().at(0);
    std::thread runner([&] { context->run(); });
    peer p(*house);
    CHECK(p.get("/locations/" + place.id, place.token).result_int() == 200);
    context->stop();
    runner.join();
    house.reset();
    context.reset();
    CHECK(p.read_all().empty());
}

TEST_CASE("impossible_options_are_named", "[sandbox]") {
    auto const refuses = [](auto change, std::string_view name) {
        auto o = small();
        change(o);
        try {
            server const made(o);
            FAIL_CHECK("accepted a bad " << name);
        } catch (const std::invalid_argument& e) {
            CHECK(std::string_view(e.what()).find(name) != std::string_view::npos);
        }
    };
    refuses([](options& o) { o.max = 0; }, "max");
    refuses([](options& o) { o.interval = 0ms; }, "interval");
    refuses([](options& o) { o.daily_interval = 0ms; }, "daily_interval");
    refuses([](options& o) { o.latency_min = -1ms; }, "latency_min");
    refuses([](options& o) { o.latency_uplink = 2; }, "latency_uplink");
    refuses([](options& o) { o.threads = 0; }, "threads");
    refuses([](options& o) { o.address = "localhost"; }, "address");
}

TEST_CASE("port_that_is_taken_is_an_error", "[sandbox]") {
    running r;
    auto o = small();
    o.port = r.house.port();
    server second(o);
    CHECK_THROWS_AS(second.start(), boost::system::system_error);
}

// ---- data --------------------------------------------------------------------------------------

TEST_CASE("locations_and_contacts_of_the_tests_own_can_be_added", "[sandbox]") {
    running r;
    contact ada;
    ada.id = "ocQHyuzHvysMo5N5VsXc";
    ada.first_name = "Ada";
    ada.email = "ada@example.com";
    contact unnamed;
    auto const place = r.house.add_location("ve9EPM428h8vShlRW1KT", {ada, unnamed});
    CHECK(place.id == "ve9EPM428h8vShlRW1KT");
    CHECK_THROWS_AS(r.house.add_location(place.id), std::invalid_argument);
    CHECK(r.house.contact_count(place.id) == 2);
    CHECK(r.house.contact_ids(place.id).at(0) == ada.id);
    CHECK(r.house.contact_ids(place.id).at(1).size() == 20);
    peer p(r.house);
    auto const got = p.get("/contacts/" + ada.id, place.token);
    CHECK(json::parse(got.body()).at_pointer("/contact/firstName") == "Ada");
    CHECK(p.get("/contacts/" + ada.id, r.token).result_int() == 403);
    p.write(peer::request("DELETE", "/contacts/" + ada.id, r.house.token()));
    CHECK(p.read().result_int() == 200);
    CHECK_FALSE(r.house.find_contact(ada.id));
    CHECK(r.house.find_contact(r.house.contact_ids(place.id).at(0)));
    CHECK(r.house.add_location({}, 7).id.size() == 20);
    CHECK(r.house.locations().size() == 3);
}

TEST_CASE("tokens_of_the_tests_own_can_be_added", "[sandbox]") {
    running r;
    r.house.add_token("pit-mine", {r.id}, {"locations.readonly"});
    peer p(r.house);
    CHECK(p.get("/locations/" + r.id, "pit-mine").result_int() == 200);
    CHECK(p.get(r.list, "pit-mine").result_int() == 401);
    r.house.add_token("pit-agency", {r.house.company_id()});
    CHECK(p.get("/locations/" + r.id, "pit-agency").result_int() == 200);
    CHECK(p.get(r.list, "pit-agency").result_int() == 401);
    r.house.remove_token("pit-mine");
    CHECK(p.get("/locations/" + r.id, "pit-mine").result_int() == 401);
}

TEST_CASE("thousand_locations_of_five_hundred_contacts_are_cheap", "[sandbox]") {
    auto o = small();
    o.locations = 1'000;
    o.contacts_per_location = 500;
    running r(o);
    auto const last = r.house.locations().at(999);
    CHECK(r.house.contact_count(last.id) == 500);
    peer p(r.house);
    auto const got = p.get("/contacts/?locationId=" + last.id + "&limit=100", last.token);
    CHECK(json::parse(got.body()).at_pointer("/meta/total") == 500);
}

} // namespace sandbox_server_tests
