// SPDX-License-Identifier: BSL-1.0
//
// A small HTTP(S) server for webhooks, and the events that come in as an awaitable source. Whoever
// has a server already uses webhooks/inbox.hpp instead.
#pragma once

#include <highlevel/detail/config.hpp>
#include <highlevel/webhooks/inbox.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace highlevel::webhooks {

namespace detail {
class receiver_core;
}

/// How a receiver listens, and for how long it waits for its peers.
class receiver_options {
public:
    receiver_options() = default;

    /// How deliveries are judged and kept.
    inbox_options inbox;
    /// Numeric address to listen on. The default is reachable from this machine only.
    std::string address = "127.0.0.1";
    /// Port to listen on; 0 takes any free one, which `receiver::port` then tells.
    std::uint16_t port = 0;
    /// Certificate chain and private key, both PEM text: serves TLS 1.2 and 1.3. Empty: plain HTTP,
    /// for behind a proxy that ends TLS, since HighLevel sends to https only.
    std::string certificate_pem;
    std::string private_key_pem;
    /// Connections at a time. When one more comes, the connection that has been silent for longest
    /// makes room: first of those that never made a request, then of those between two requests.
    /// While there is none, it waits to be accepted. Default: 256.
    std::size_t max_connections = 256;
    /// Connections at a time from one address; further ones are closed at once. 0, the default: no
    /// bound of its own, since behind a proxy all come from one address.
    std::size_t max_connections_per_address = 0;
    /// The first request must be complete so soon after its connection was made, TLS included, and
    /// each further one so soon after its first byte came; the answer must be taken in as much
    /// again. Default: 10 s.
    std::chrono::milliseconds request_timeout{10'000};
    /// A connection that made a request and makes no further one is closed after this time.
    /// Default: 30 s.
    std::chrono::milliseconds idle_timeout{30'000};
    /// Longest header section in bytes. Default: 16 KiB.
    std::uint32_t max_header = 16 * 1024;

    /// Throws std::invalid_argument that names the field that cannot be used.
    void validate() const {
        inbox.validate();
        auto const demand = [](bool met, const char* what) {
            if (!met) throw std::invalid_argument{std::string{"receiver option "} + what};
        };
        demand(
            certificate_pem.empty() == private_key_pem.empty(),
            "private_key_pem: certificate and key are needed together");
        demand(max_connections > 0, "max_connections must be positive");
        auto const sane = [](std::chrono::milliseconds t) {
            return t.count() > 0 && t <= std::chrono::years{10};
        };
        demand(sane(request_timeout), "request_timeout must be from 1 ms to 10 years");
        demand(sane(idle_timeout), "idle_timeout must be from 1 ms to 10 years");
        demand(max_header >= 1024, "max_header must be at least 1024");
    }
};

/// What a receiver counted.
class receiver_counters {
public:
    receiver_counters() = default;

    /// What became of the requests.
    inbox_counters inbox;
    std::uint64_t connections = 0;      ///< connections accepted
    std::uint64_t open_connections = 0; ///< of these, still open
    std::uint64_t requests = 0;         ///< complete requests
    std::uint64_t too_large = 0;        ///< refused with 413 for their length
    std::uint64_t unreadable = 0;       ///< answered with 400, since they were not HTTP
    std::uint64_t truncated = 0;        ///< ended before they were complete
    std::uint64_t timed_out = 0;        ///< not complete, or not taken in, in time
    std::uint64_t made_room = 0;        ///< silent ones closed for others at the bound
    std::uint64_t crowded = 0;          ///< closed for too many others from their address
};

/// Listens for webhooks on an executor of the caller's.
///
/// A delivery is answered when its event stands in the queue (and `persist` has kept it), not when
/// someone has taken it. A connection is kept for further requests unless one was answered with
/// 401, 403, 404, 405 or 413, or could not be read. Thread safety: distinct objects: safe; shared
/// objects: safe, except that destruction must not overlap with anything.
class receiver {
public:
    /// Throws std::invalid_argument that names the option that cannot be used, and
    /// boost::system::system_error when OpenSSL cannot read certificate or key.
    receiver(boost::asio::any_io_executor executor, receiver_options options);
    receiver(const receiver&) = delete;
    receiver& operator=(const receiver&) = delete;
    /// Closes everything at once. What is pending on the executor keeps its own state alive, and a
    /// coroutine in next() gets what is left and then nothing.
    ~receiver();

    /// Opens the port; once it returns, connections are taken. Throws boost::system::system_error
    /// when address or port cannot be had. To be called once.
    void start();
    /// Takes no further connection, lets requests that have begun come to their end, within
    /// `request_timeout`, and closes. next() then gives what is left, and then nothing. Returns at
    /// once; may be called from any thread and more than once.
    void stop();

    /// The port that is or was listened on; 0 before start() unless one was asked for.
    [[nodiscard]] std::uint16_t port() const noexcept;
    /// "https://127.0.0.1:PORT" or "http://127.0.0.1:PORT".
    [[nodiscard]] std::string base_url() const;

    /// Awaits the next event; nothing when the receiver was stopped and all have been taken.
    /// Otherwise as inbox::next().
    [[nodiscard]] boost::asio::awaitable<std::optional<event>> next();

    [[nodiscard]] receiver_counters counters() const;

private:
    std::shared_ptr<detail::receiver_core> core_;
};

} // namespace highlevel::webhooks

#if !defined(HIGHLEVEL_SEPARATE_COMPILATION)
#    include <highlevel/webhooks/impl/receiver.ipp>
#endif
