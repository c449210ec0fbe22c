// SPDX-License-Identifier: BSL-1.0
//
// The receiver over real loopback sockets, plain and TLS, with peers that behave and peers that do
// not.
#include "support/catch.hpp"
#include "webhooks/support.hpp"

#include <highlevel/sandbox/certificate.hpp>
#include <highlevel/webhooks/receiver.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/asio/write.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace webhooks_receiver_tests {

namespace asio = boost::asio;
namespace webhooks = highlevel::webhooks;
using boost::system::error_code;
using namespace std::chrono_literals;
using test::note;
using webhooks::outcome;
using webhooks::receiver;
using webhooks::receiver_options;

namespace {

receiver_options settings() {
    receiver_options options;
    options.inbox.guard.signing = test::own_keys();
    options.inbox.now = [] { return test::now; };
    return options;
}

// A receiver with two threads of its own.
class house {
public:
    explicit house(receiver_options options = settings())
        : made_(std::in_place, context_.get_executor(), std::move(options)) {
        made_->start();
        for (int i = 0; i < 2; ++i)
            threads_.emplace_back([this] { context_.run(); });
    }
    ~house() {
        made_.reset();
        work_.reset();
        for (auto& thread : threads_)
            thread.join();
    }
    receiver& operator*() { return *made_; }
    receiver* operator->() { return &*made_; }
    asio::io_context& context() { return context_; }

    std::optional<webhooks::event> next() {
        return asio::co_spawn(context_, made_->next(), asio::use_future).get();
    }

private:
    asio::io_context context_;
    asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
    std::optional<receiver> made_;
    std::vector<std::thread> threads_;
};

std::string request(
    const std::string& body,
    std::string_view signature,
    std::string_view more = {},
    std::string_view method = "POST") {
    std::string text{method};
    text.append(" /hook HTTP/1.1\r\nHost: x\r\nX-GHL-Signature: ").append(signature);
    text.append("\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n");
    return text.append(more).append("\r\n").append(body);
}

std::string delivery(const std::string& body, std::string_view more = {}) {
    return request(body, test::signer().sign_ed25519(body), more);
}

class peer {
public:
    explicit peer(house& to) {
        socket_.connect({asio::ip::make_address("127.0.0.1"), to->port()});
        socket_.set_option(asio::ip::tcp::no_delay{true});
    }
    void write(std::string_view text) {
        error_code ignored;
        asio::write(socket_, asio::buffer(text), ignored);
    }
    // The status of the next answer; 0 when the connection ended.
    unsigned status() {
        error_code ec;
        auto const n = asio::read_until(socket_, asio::dynamic_buffer(text_), "\r\n\r\n", ec);
        if (ec) return 0;
        last_ = text_.substr(0, n);
        text_.erase(0, n);
        return static_cast<unsigned>(std::stoul(last_.substr(9, 3)));
    }
    unsigned send(std::string_view text) {
        write(text);
        return status();
    }
    [[nodiscard]] const std::string& head() const { return last_; }
    asio::ip::tcp::socket& socket() { return socket_; }

private:
    asio::io_context context_;
    asio::ip::tcp::socket socket_{context_};
    std::string text_;
    std::string last_;
};

} // namespace

TEST_CASE("a_delivery_over_a_socket_becomes_an_event", "[webhooks]") {
    house at;
    peer client{at};
    CHECK(client.send(delivery(note("a"))) == 200);
    CHECK(client.send(delivery(note("a"))) == 200);
    CHECK(client.send(delivery(note("b"))) == 200);
    auto const first = at.next();
    REQUIRE(first);
    CHECK(first->head.webhook_id == "a");
    CHECK(first->get_if<webhooks::types::note>()->body == "hello");
    CHECK(at.next()->head.webhook_id == "b");
    auto const counted = at->counters();
    CHECK(counted.requests == 3);
    CHECK(counted.connections == 1);
    CHECK(counted.inbox[outcome::accepted] == 2);
    CHECK(counted.inbox[outcome::duplicate] == 1);
    CHECK(at->base_url() == "http://127.0.0.1:" + std::to_string(at->port()));
}

TEST_CASE("requests_may_come_in_pieces_and_in_one_piece", "[webhooks]") {
    house at;
    peer client{at};
    for (char const c : delivery(note("a")))
        client.write({&c, 1});
    CHECK(client.status() == 200);
    client.write(delivery(note("b")) + delivery(note("c")) + delivery(note("b")));
    CHECK(client.status() == 200);
    CHECK(client.status() == 200);
    CHECK(client.status() == 200);
    auto const body = note("d");
    auto const signature = test::signer().sign_ed25519(body);
    std::string chunked = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n";
    chunked += "X-GHL-Signature: " + signature + "\r\n\r\n3\r\n" + body.substr(0, 3) + "\r\n";
    char size[16];
    std::snprintf(size, sizeof size, "%zx", body.size() - 3);
    chunked += std::string{size} + "\r\n" + body.substr(3) + "\r\n0\r\n\r\n";
    CHECK(client.send(chunked) == 200);
    CHECK(at->counters().inbox[outcome::accepted] == 4);
    CHECK(at->counters().inbox[outcome::duplicate] == 1);
}

TEST_CASE("an_expected_100_is_sent", "[webhooks]") {
    house at;
    peer client{at};
    auto const body = note("a");
    auto const text = delivery(body, "Expect: 100-continue\r\n");
    CHECK(client.send(text.substr(0, text.size() - body.size())) == 100);
    CHECK(client.send(body) == 200);
}

TEST_CASE("what_is_wrong_gets_the_status_that_says_so", "[webhooks]") {
    auto options = settings();
    options.inbox.guard.max_body = 4096;
    house at{options};
    auto const status = [&](const std::string& text) { return peer{at}.send(text); };
    auto const good = test::signer().sign_ed25519("{}");
    CHECK(status(request("{}", good)) == 200);
    CHECK(status(request("{ }", good)) == 401);
    CHECK(status(request("{}", "N/A")) == 401);
    CHECK(status(request("{}", good, "x-ghl-signature: AAAA\r\n")) == 401);
    CHECK(status(delivery("nonsense")) == 400);
    CHECK(status(request("{}", good, {}, "PUT")) == 405);
    CHECK(status(request("{}", good, {}, "BREW")) == 405);
    CHECK(status(request(std::string(4097, ' '), good)) == 413);
    CHECK(status("hello\r\n\r\n") == 400);
    CHECK(status("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n") == 400);
    CHECK(
        status("POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n") ==
        400);
    CHECK(status("POST / HTTP/1.1\r\nX: " + std::string(20000, 'x') + "\r\n\r\n") == 400);
    auto const counted = at->counters();
    CHECK(counted.too_large == 1);
    CHECK(counted.unreadable == 4);
    CHECK(counted.inbox.foreign == 2);
    CHECK(counted.inbox[outcome::accepted] == 1);
    // A body that is too long is refused before it was sent.
    peer early{at};
    CHECK(early.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n") == 413);
    CHECK(early.head().find("Connection: close") != std::string::npos);
}

TEST_CASE("a_full_queue_pushes_back_until_someone_takes", "[webhooks]") {
    auto options = settings();
    options.inbox.capacity = 1;
    house at{options};
    peer client{at};
    CHECK(client.send(delivery(note("a"))) == 200);
    CHECK(client.send(delivery(note("b"))) == 429);
    CHECK(at.next()->head.webhook_id == "a");
    CHECK(client.send(delivery(note("b"))) == 200);
    CHECK(at.next()->head.webhook_id == "b");
}

TEST_CASE("a_connection_that_ends_early_is_counted_and_harmless", "[webhooks]") {
    house at;
    {
        peer client{at};
        auto const text = delivery(note("a"));
        client.write(std::string_view{text}.substr(0, text.size() - 5));
        client.socket().shutdown(asio::ip::tcp::socket::shutdown_send);
        CHECK(client.status() == 0);
    }
    CHECK(at->counters().truncated == 1);
    CHECK(peer{at}.send(delivery(note("a"))) == 200);
}

TEST_CASE("a_request_that_drips_in_is_cut_at_its_limit", "[webhooks]") {
    auto options = settings();
    options.request_timeout = 150ms;
    options.idle_timeout = 24h;
    house at{options};
    peer client{at};
    // Every byte comes well within the limit; all of them do not. The receiver ends it, else this
    // would never return.
    std::atomic<bool> ended{false};
    std::thread dripping{[&] {
        error_code ec;
        char const letter = 'x';
        asio::write(client.socket(), asio::buffer("POST / HTTP/1.1\r\nX: ", 20), ec);
        while (!ended && !ec) {
            asio::write(client.socket(), asio::buffer(&letter, 1), ec);
            std::this_thread::yield();
            std::this_thread::sleep_for(1ms);
        }
    }};
    CHECK(client.status() == 0);
    ended = true;
    dripping.join();
    CHECK(at->counters().timed_out == 1);
}

TEST_CASE("an_idle_connection_is_closed", "[webhooks]") {
    auto options = settings();
    options.idle_timeout = 50ms;
    house at{options};
    peer used{at};
    CHECK(used.send(delivery(note("a"))) == 200);
    CHECK(used.status() == 0);
    CHECK(at->counters().timed_out == 0);
}

TEST_CASE("a_connection_that_never_says_anything_has_a_request_s_time", "[webhooks]") {
    auto options = settings();
    options.request_timeout = 50ms;
    options.idle_timeout = 24h; // else this would never return
    house at{options};
    peer silent{at};
    CHECK(silent.status() == 0);
    CHECK(at->counters().timed_out == 0);
}

TEST_CASE("whoever_cannot_sign_does_not_keep_a_connection", "[webhooks]") {
    auto options = settings();
    options.inbox.path = "/hook";
    options.inbox.guard.app_ids = {"app"};
    house at{options};
    auto const ends_after = [&](const std::string& text, unsigned status) {
        peer client{at};
        CHECK(client.send(text) == status);
        CHECK(client.head().find("Connection: close") != std::string::npos);
        CHECK(client.status() == 0);
    };
    auto const body = note("a");
    ends_after(request(body, "N/A"), 401);
    ends_after(request(body, test::signer().sign_ed25519("x")), 401);
    ends_after(request(body, "N/A", {}, "GET"), 405);
    auto elsewhere = delivery(body);
    elsewhere.replace(elsewhere.find("/hook"), 5, "/nook");
    ends_after(elsewhere, 404);
    ends_after(delivery(R"({"appId":"foreign","webhookId":"x"})"), 403);
    // What HighLevel signed for us keeps it, whatever becomes of it.
    peer client{at};
    CHECK(client.send(delivery(note("old", test::now - 1h))) == 400);
    CHECK(client.send(delivery(body)) == 200);
}

TEST_CASE("connections_beyond_the_bound_wait_for_a_place", "[webhooks]") {
    auto options = settings();
    options.max_connections = 2;
    house at{options};
    auto one = std::make_unique<peer>(at);
    auto two = std::make_unique<peer>(at);
    // Both are in the middle of a request, as the interim answer tells.
    auto const begin = [](peer& client, const std::string& body) {
        auto const text = delivery(body, "Expect: 100-continue\r\n");
        CHECK(client.send(text.substr(0, text.size() - body.size())) == 100);
    };
    begin(*one, note("a"));
    begin(*two, note("b"));
    peer three{at};
    three.write(delivery(note("c")));
    CHECK(at->counters().connections == 2);
    SECTION("one that closes gives it") {
        one.reset();
        CHECK(three.status() == 200);
        CHECK(at->counters().made_room == 0);
    }
    SECTION("one that falls silent gives it") {
        CHECK(one->send(note("a")) == 200);
        CHECK(three.status() == 200);
        CHECK(one->status() == 0);
        CHECK(at->counters().made_room == 1);
    }
    CHECK(two->send(note("b")) == 200);
    CHECK(at->counters().connections == 3);
}

TEST_CASE("silent_connections_take_nobody_s_place", "[webhooks]") {
    auto options = settings();
    options.max_connections = 4;
    options.request_timeout = 24h; // only room for others ends them
    options.idle_timeout = 24h;
    house at{options};
    peer known{at};
    CHECK(known.send(delivery(note("a"))) == 200);
    std::vector<std::unique_ptr<peer>> silent;
    for (int i = 0; i < 20; ++i)
        silent.push_back(std::make_unique<peer>(at));
    peer honest{at};
    CHECK(honest.send(delivery(note("b"))) == 200);
    // Those who never said anything go first, and of those who did, the idlest.
    CHECK(known.send(delivery(note("c"))) == 200);
    CHECK(silent.front()->status() == 0);
    CHECK(at->counters().open_connections <= 4);
    CHECK(at->counters().made_room >= 17);
}

TEST_CASE("connections_from_one_address_can_be_bounded", "[webhooks]") {
    auto options = settings();
    options.max_connections_per_address = 2;
    house at{options};
    auto one = std::make_unique<peer>(at);
    peer two{at};
    CHECK(one->send(delivery(note("a"))) == 200);
    CHECK(two.send(delivery(note("b"))) == 200);
    peer three{at};
    CHECK(three.send(delivery(note("c"))) == 0);
    CHECK(at->counters().crowded == 1);
    CHECK(two.send(delivery(note("d"))) == 200);
}

TEST_CASE("stopping_lets_what_has_begun_come_to_its_end", "[webhooks]") {
    house at;
    peer idle{at};
    CHECK(idle.send(delivery(note("a"))) == 200);
    peer busy{at};
    auto const text = delivery(note("b"));
    // The interim answer tells that the request has begun on the other side.
    auto const body = note("b");
    auto const expecting = delivery(body, "Expect: 100-continue\r\n");
    CHECK(busy.send(expecting.substr(0, expecting.size() - body.size())) == 100);
    at->stop();
    at->stop();
    CHECK(idle.status() == 0);
    CHECK(busy.send(body) == 200);
    CHECK(busy.head().find("Connection: close") != std::string::npos);
    CHECK(busy.status() == 0);
    CHECK(at.next()->head.webhook_id == "a");
    CHECK(at.next()->head.webhook_id == "b");
    CHECK_FALSE(at.next());
    CHECK_FALSE(at.next());
}

TEST_CASE("a_receiver_that_is_gone_ends_the_loop_that_awaits_it", "[webhooks]") {
    asio::io_context context;
    std::optional<receiver> made{std::in_place, context.get_executor(), settings()};
    made->start();
    auto waiting = asio::co_spawn(context, made->next(), asio::use_future);
    context.poll();
    made.reset();
    context.run();
    CHECK_FALSE(waiting.get());
}

TEST_CASE("a_wait_that_begins_after_the_receiver_s_end_finds_nothing", "[webhooks]") {
    asio::io_context context;
    std::optional<receiver> made{std::in_place, context.get_executor(), settings()};
    auto waiting = asio::co_spawn(context, made->next(), asio::use_future);
    made.reset();
    context.run();
    CHECK_FALSE(waiting.get());
}

TEST_CASE("stopping_without_a_connection_ends_at_once", "[webhooks]") {
    asio::io_context context;
    receiver made{context.get_executor(), settings()};
    made.start();
    auto waiting = asio::co_spawn(context, made.next(), asio::use_future);
    made.stop();
    context.run();
    CHECK_FALSE(waiting.get());
}

TEST_CASE("deliveries_come_over_tls", "[webhooks]") {
    auto const made = highlevel::sandbox::make_certificate({"127.0.0.1"});
    auto options = settings();
    options.certificate_pem = made.certificate_pem;
    options.private_key_pem = made.private_key_pem;
    house at{options};
    CHECK(at->base_url().starts_with("https://"));
    asio::io_context context;
    asio::ssl::context tls{asio::ssl::context::tls_client};
    tls.add_certificate_authority(asio::buffer(made.ca_certificate_pem));
    tls.set_verify_mode(asio::ssl::verify_peer);
    asio::ssl::stream<asio::ip::tcp::socket> stream{context, tls};
    stream.set_verify_callback(asio::ssl::host_name_verification("127.0.0.1"));
    stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), at->port()});
    stream.handshake(asio::ssl::stream_base::client);
    asio::write(stream, asio::buffer(delivery(note("a"), "Connection: close\r\n")));
    std::string text;
    error_code ec;
    asio::read(stream, asio::dynamic_buffer(text), ec);
    CHECK(text.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(ec == asio::error::eof);
    CHECK(at.next()->head.webhook_id == "a");
    // Who speaks something else is let go.
    peer plain{at};
    plain.write(delivery(note("b")));
    while (plain.status() != 0) {
    }
    CHECK(at->counters().requests == 1);
}

TEST_CASE("options_of_a_receiver_are_checked", "[webhooks]") {
    asio::io_context context;
    auto const complains = [&](auto change, const char* field) {
        auto options = settings();
        change(options);
        CHECK_THROWS_WITH(
            (receiver{context.get_executor(), options}.start()), test::contains(field));
    };
    complains([](auto& o) { o.max_connections = 0; }, "max_connections");
    complains([](auto& o) { o.request_timeout = 0ms; }, "request_timeout");
    complains(
        [](auto& o) { o.request_timeout = std::chrono::milliseconds::max(); }, "request_timeout");
    complains([](auto& o) { o.idle_timeout = 0ms; }, "idle_timeout");
    complains([](auto& o) { o.idle_timeout = std::chrono::milliseconds::max(); }, "idle_timeout");
    complains([](auto& o) { o.max_header = 10; }, "max_header");
    complains([](auto& o) { o.certificate_pem = "x"; }, "private_key_pem");
    complains([](auto& o) { o.address = "localhost"; }, "address");
    complains([](auto& o) { o.inbox.capacity = 0; }, "capacity");
}

} // namespace webhooks_receiver_tests
