// SPDX-License-Identifier: BSL-1.0
//
// A loopback HTTP server that misbehaves on request: what it does with a connection and a request
// is data, so that tests of the transport are tables of faults and outcomes.
#pragma once

#include "support/certificates.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
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
    /// Sent as it is before that wait.
    std::string interim;
    /// Hold the pieces of the reply, and the farewell, back until all arrive in one segment
    /// (Linux).
    bool together = false;
    /// TLS only: say close_notify behind the reply.
    bool farewell = false;
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
        const std::string& client_ca_pem = {});

    explicit fault_server(
        behaviour always = {},
        std::optional<certificate> tls = std::nullopt,
        const std::string& client_ca_pem = {});

    fault_server(const fault_server&) = delete;
    fault_server& operator=(const fault_server&) = delete;

    ~fault_server();

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

    /// The newest TLS version that is spoken, for example TLS1_2_VERSION.
    void limit_tls(int version);
    /// Lets gated replies go, now and from now on.
    void open_gate();
    /// Closes every connection, with FIN or RST, as servers do with idle ones.
    void close_connections(bool with_reset = false);
    /// Stops listening; further connects are refused.
    void stop_listening();

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

    void on_thread(std::function<void()> work);
    void use_tls(const certificate& own, const std::string& client_ca_pem);
    void listen();
    [[nodiscard]] awaitable<void> accept();
    [[nodiscard]] awaitable<void> serve(tcp::socket socket, std::size_t number);
    [[nodiscard]] awaitable<void> greet(const std::string& bytes, tcp::socket& socket);
    [[nodiscard]] awaitable<bool> perform(act what, tcp::socket& socket);
    template <class Stream>
    [[nodiscard]] awaitable<void> converse(Stream& stream, tcp::socket& below, std::size_t number);
    template <class Stream>
    [[nodiscard]] awaitable<bool> more(Stream& stream, std::string& received);
    [[nodiscard]] awaitable<void> pass_gate();

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
    full_listener();
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
[[nodiscard]] std::uint16_t closed_port();

} // namespace highlevel::test
