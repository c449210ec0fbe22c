// SPDX-License-Identifier: BSL-1.0
//
// A loopback HTTP server that misbehaves on request: what it does with a connection and a request
// is data, so that tests of the transport are tables of faults and outcomes.
#pragma once

#include "support/certificates.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/error_code.hpp>

#include <openssl/ssl.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace highlevel::test {

/// What happens at a point of a connection.
enum class act : std::uint8_t {
    /// Go on.
    proceed,
    /// Close in good order (FIN).
    close,
    /// Close with RST.
    reset,
    /// Do nothing until the client leaves.
    stall,
};

/// What the server does with one request.
class behaviour {
public:
    behaviour() = default;
    /// A response with these bytes, then `ending`.
    explicit behaviour(std::string bytes, act ending = act::proceed)
        : reply(std::move(bytes)),
          after(ending) {}

    /// With the connection, before TLS and before anything is read. Looked at for the first request
    /// of a connection only.
    act at_accept = act::proceed;
    /// Sent as it is right after that, in place of a TLS handshake; the first request's only.
    std::string greeting;
    /// After the request has been read, before the reply.
    act before = act::proceed;
    /// Sent as it is.
    std::string reply = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    /// Sent in pieces of that size; 0: in one.
    std::size_t piece = 0;
    /// After the reply.
    act after = act::proceed;
    /// Do not read the request's body: answer after its header.
    bool early = false;
    /// Wait for fault_server::open_gate() before the reply.
    bool gated = false;
};

/// A complete response with a length.
[[nodiscard]] inline std::string http_reply(
    std::string_view body, std::string_view status = "200 OK", std::string_view fields = {}) {
    std::string text{"HTTP/1.1 "};
    text.append(status).append("\r\nContent-Length: ").append(std::to_string(body.size()));
    text.append("\r\n").append(fields).append("\r\n").append(body);
    return text;
}

/// A request as it arrived.
class seen_request {
public:
    seen_request() = default;

    /// Number of the connection, from 0.
    std::size_t connection = 0;
    std::string head;
    std::string body;

    [[nodiscard]] std::string line() const { return head.substr(0, head.find("\r\n")); }
};

/// The server; runs on a thread of its own from construction to destruction.
///
/// Thread safety: shared objects: safe.
class fault_server {
public:
    /// Says what to do with request `r` (from 0) of connection `c` (from 0). Runs on the server's
    /// thread.
    using script = std::function<behaviour(std::size_t c, std::size_t r)>;

    /// With `client_ca_pem` a client certificate of that authority is demanded.
    explicit fault_server(
        script what,
        std::optional<certificate> tls = std::nullopt,
        const std::string& client_ca_pem = {})
        : script_(std::move(what)),
          acceptor_(context_) {
        if (tls) use_tls(*tls, client_ca_pem);
        listen();
    }

    explicit fault_server(
        behaviour always = {},
        std::optional<certificate> tls = std::nullopt,
        const std::string& client_ca_pem = {})
        : fault_server(
              [always](std::size_t, std::size_t) { return always; },
              std::move(tls),
              client_ca_pem) {}

    fault_server(const fault_server&) = delete;
    fault_server& operator=(const fault_server&) = delete;

    ~fault_server() {
        context_.stop();
        thread_.join();
    }

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    [[nodiscard]] std::string url(std::string_view host = "127.0.0.1") const {
        return (tls_ ? "https://" : "http://") + std::string{host} + ':' + std::to_string(port_);
    }

    /// Connections accepted so far.
    [[nodiscard]] std::size_t accepted() const { return read(accepted_); }
    /// Connections open now, and the most there were at once.
    [[nodiscard]] std::size_t open() const { return read(open_); }
    [[nodiscard]] std::size_t peak() const { return read(peak_); }
    /// TLS handshakes that resumed a session.
    [[nodiscard]] std::size_t resumed() const { return read(resumed_); }
    [[nodiscard]] std::vector<seen_request> requests() const { return read(requests_); }
    [[nodiscard]] std::size_t request_count() const { return requests().size(); }

    /// Waits until `count` requests have arrived; false when they do not come.
    [[nodiscard]] bool wait_for_requests(std::size_t count) {
        return wait([&] { return requests_.size() >= count; });
    }
    [[nodiscard]] bool wait_for_accepted(std::size_t count) {
        return wait([&] { return accepted_ >= count; });
    }
    [[nodiscard]] bool wait_for_open(std::size_t count) {
        return wait([&] { return open_ == count; });
    }

    /// Lets gated replies go, now and from now on.
    void open_gate() {
        on_thread([this] {
            gate_open_ = true;
            for (auto* timer : gate_waiters_)
                timer->cancel();
        });
    }

    /// Closes every connection, with FIN or RST, as servers do with idle ones.
    void close_connections(bool with_reset = false) {
        on_thread([this, with_reset] {
            for (auto* socket : sockets_) {
                if (with_reset) linger_zero(*socket);
                boost::system::error_code ignored;
                socket->close(ignored);
            }
        });
    }

    /// Stops listening; further connects are refused.
    void stop_listening() {
        on_thread([this] { acceptor_.close(); });
    }

private:
    using tcp = boost::asio::ip::tcp;
    using error_code = boost::system::error_code;
    template <class T>
    using awaitable = boost::asio::awaitable<T>;

    template <class T>
    [[nodiscard]] T read(const T& value) const {
        std::lock_guard const lock{mutex_};
        return value;
    }

    template <class Predicate>
    [[nodiscard]] bool wait(Predicate met) {
        std::unique_lock lock{mutex_};
        return changed_.wait_for(lock, std::chrono::seconds{20}, met);
    }

    template <class Change>
    void note(Change change) {
        std::lock_guard const lock{mutex_};
        change();
        changed_.notify_all();
    }

    void on_thread(std::function<void()> work) {
        std::promise<void> done;
        boost::asio::post(context_, [&] {
            work();
            done.set_value();
        });
        done.get_future().get();
    }

    static void linger_zero(tcp::socket& socket) {
        error_code ignored;
        socket.set_option(boost::asio::socket_base::linger{true, 0}, ignored);
    }

    void use_tls(const certificate& own, const std::string& client_ca_pem) {
        tls_.emplace(boost::asio::ssl::context::tls_server);
        tls_->use_certificate_chain(boost::asio::buffer(own.pem));
        tls_->use_private_key(boost::asio::buffer(own.key_pem), boost::asio::ssl::context::pem);
        static constexpr unsigned char id[] = "fault_server";
        ::SSL_CTX_set_session_id_context(tls_->native_handle(), id, sizeof id);
        if (client_ca_pem.empty()) return;
        tls_->add_certificate_authority(boost::asio::buffer(client_ca_pem));
        tls_->set_verify_mode(
            boost::asio::ssl::verify_peer | boost::asio::ssl::verify_fail_if_no_peer_cert);
    }

    void listen() {
        tcp::endpoint const any_port{boost::asio::ip::address_v4::loopback(), 0};
        acceptor_.open(any_port.protocol());
        acceptor_.set_option(tcp::acceptor::reuse_address{true});
        acceptor_.bind(any_port);
        acceptor_.listen();
        port_ = acceptor_.local_endpoint().port();
        boost::asio::co_spawn(context_, accept(), boost::asio::detached);
        thread_ = std::thread{[this] { context_.run(); }};
    }

    [[nodiscard]] awaitable<void> accept() {
        for (;;) {
            error_code ec;
            tcp::socket socket{context_};
            co_await acceptor_.async_accept(
                socket, boost::asio::redirect_error(boost::asio::use_awaitable, ec));
            if (ec) co_return;
            std::size_t number = 0;
            note([&] {
                number = accepted_++;
                peak_ = std::max(peak_, ++open_);
            });
            boost::asio::co_spawn(
                context_, serve(std::move(socket), number), boost::asio::detached);
        }
    }

    [[nodiscard]] awaitable<void> serve(tcp::socket socket, std::size_t number) {
        socket.set_option(tcp::no_delay{true});
        if (tls_) {
            boost::asio::ssl::stream<tcp::socket> stream{std::move(socket), *tls_};
            auto& below = stream.next_layer();
            sockets_.insert(&below);
            behaviour const first = script_(number, 0);
            if (!first.greeting.empty()) {
                co_await greet(first.greeting, below);
            } else if (co_await perform(first.at_accept, below)) {
                error_code ec;
                co_await stream.async_handshake(
                    boost::asio::ssl::stream_base::server,
                    boost::asio::redirect_error(boost::asio::use_awaitable, ec));
                if (!ec && ::SSL_session_reused(stream.native_handle())) note([&] { ++resumed_; });
                if (!ec) co_await converse(stream, below, number);
            }
            sockets_.erase(&below);
        } else {
            sockets_.insert(&socket);
            behaviour const first = script_(number, 0);
            if (co_await perform(first.at_accept, socket))
                co_await converse(socket, socket, number);
            sockets_.erase(&socket);
        }
        note([&] { --open_; });
    }

    // Sends the bytes and reads what comes until the client leaves, so that they surely arrive.
    [[nodiscard]] awaitable<void> greet(const std::string& bytes, tcp::socket& socket) {
        error_code ec;
        co_await boost::asio::async_write(
            socket, boost::asio::buffer(bytes),
            boost::asio::redirect_error(boost::asio::use_awaitable, ec));
        co_await perform(act::stall, socket);
    }

    // Whether the connection goes on.
    [[nodiscard]] awaitable<bool> perform(act what, tcp::socket& socket) {
        error_code ec;
        if (what == act::stall) {
            // Until the client goes away; what it sends is swallowed.
            char waste[4096];
            while (!ec)
                co_await socket.async_read_some(
                    boost::asio::buffer(waste),
                    boost::asio::redirect_error(boost::asio::use_awaitable, ec));
        }
        if (what == act::reset) linger_zero(socket);
        if (what != act::proceed) socket.close(ec);
        co_return what == act::proceed;
    }

    template <class Stream>
    [[nodiscard]] awaitable<void> converse(Stream& stream, tcp::socket& below, std::size_t number) {
        std::string received;
        for (std::size_t r = 0;; ++r) {
            error_code ec;
            behaviour const todo = script_(number, r);
            auto head_end = received.find("\r\n\r\n");
            while (head_end == std::string::npos) {
                if (!co_await more(stream, received)) co_return;
                head_end = received.find("\r\n\r\n");
            }
            seen_request seen;
            seen.connection = number;
            seen.head = received.substr(0, head_end + 4);
            received.erase(0, head_end + 4);
            std::size_t const length = todo.early ? 0 : content_length(seen.head);
            while (received.size() < length)
                if (!co_await more(stream, received)) co_return;
            seen.body = received.substr(0, length);
            received.erase(0, length);
            note([&] { requests_.push_back(seen); });

            if (todo.gated) co_await pass_gate();
            if (!co_await perform(todo.before, below)) co_return;
            std::string_view rest{todo.reply};
            while (!rest.empty()) {
                auto const part = rest.substr(0, todo.piece ? todo.piece : rest.size());
                co_await boost::asio::async_write(
                    stream, boost::asio::buffer(part.data(), part.size()),
                    boost::asio::redirect_error(boost::asio::use_awaitable, ec));
                if (ec) co_return;
                rest.remove_prefix(part.size());
            }
            if (!co_await perform(todo.after, below)) co_return;
        }
    }

    template <class Stream>
    [[nodiscard]] awaitable<bool> more(Stream& stream, std::string& received) {
        error_code ec;
        char room[16384];
        auto const n = co_await stream.async_read_some(
            boost::asio::buffer(room), boost::asio::redirect_error(boost::asio::use_awaitable, ec));
        received.append(room, n);
        co_return !ec;
    }

    [[nodiscard]] awaitable<void> pass_gate() {
        if (gate_open_) co_return;
        boost::asio::steady_timer timer{context_, boost::asio::steady_timer::time_point::max()};
        gate_waiters_.insert(&timer);
        error_code ignored;
        co_await timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
        gate_waiters_.erase(&timer);
    }

    [[nodiscard]] static std::size_t content_length(const std::string& head) {
        constexpr std::string_view name = "\r\nContent-Length: ";
        auto const at = head.find(name);
        return at == std::string::npos ? 0 : std::stoul(head.substr(at + name.size()));
    }

    script script_;
    boost::asio::io_context context_{1};
    std::optional<boost::asio::ssl::context> tls_;
    tcp::acceptor acceptor_;
    std::uint16_t port_ = 0;
    std::thread thread_;

    // The server's thread only.
    std::set<tcp::socket*> sockets_;
    std::set<boost::asio::steady_timer*> gate_waiters_;
    bool gate_open_ = false;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t accepted_ = 0;
    std::size_t open_ = 0;
    std::size_t peak_ = 0;
    std::size_t resumed_ = 0;
    std::vector<seen_request> requests_;
};

/// A listening socket whose queue is full, so that connecting to it takes for ever.
class full_listener {
public:
    full_listener() : acceptor_(context_) {
        using tcp = boost::asio::ip::tcp;
        tcp::endpoint const any{boost::asio::ip::address_v4::loopback(), 0};
        acceptor_.open(any.protocol());
        acceptor_.bind(any);
        acceptor_.listen(0);
        for (int i = 0; i < 8; ++i) {
            auto& s = fill_.emplace_back(context_);
            s.async_connect(acceptor_.local_endpoint(), [](boost::system::error_code) {});
        }
        context_.poll();
    }
    [[nodiscard]] std::string url(const char* scheme = "http") const {
        return scheme + std::string{"://127.0.0.1:"} +
            std::to_string(acceptor_.local_endpoint().port());
    }

private:
    boost::asio::io_context context_;
    boost::asio::ip::tcp::acceptor acceptor_;
    std::deque<boost::asio::ip::tcp::socket> fill_;
};

/// A loopback port on which nobody listens.
[[nodiscard]] inline std::uint16_t closed_port() {
    boost::asio::io_context context;
    boost::asio::ip::tcp::acceptor acceptor{
        context, {boost::asio::ip::address_v4::loopback(), 0}, false};
    return acceptor.local_endpoint().port();
}

} // namespace highlevel::test
