// SPDX-License-Identifier: BSL-1.0
//
// HTTP/1.1 over a pool of kept connections: the real transport. Unless it is compiled separately,
// this is the one header that pulls in sockets, TLS and the HTTP parser; include it where a client
// is built and nowhere else.
#pragma once

#include <highlevel/detail/config.hpp>
#include <highlevel/error.hpp>
#include <highlevel/http/message.hpp>
#include <highlevel/http/options.hpp>
#include <highlevel/http/transport.hpp>
#include <highlevel/http/uri.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace highlevel::http {

class connection_listener;

/// Counts of one transport since it was made, and what its pool holds now.
class transport_stats {
public:
    transport_stats() = default;

    /// Connections opened with success, and how many of those resumed a TLS session.
    std::uint64_t opened = 0;
    std::uint64_t resumed = 0;
    /// Attempts to open a connection that failed.
    std::uint64_t open_failures = 0;
    /// Attempts that were not made because too many had failed before (errc::circuit_open).
    std::uint64_t refused = 0;
    /// How often a kept connection was taken from the pool, dead ones included.
    std::uint64_t reused = 0;
    /// Kept connections found dead before a request was sent on them, or, where they were taken for
    /// alive, before anything of its answer came.
    std::uint64_t stale = 0;
    /// Requests moved to another connection because the server had closed the kept one.
    std::uint64_t moved = 0;
    /// The pool at this moment.
    std::size_t idle = 0;
    std::size_t in_use = 0;
    std::size_t connecting = 0;
    std::size_t waiting = 0;
    /// Exchanges under way, those that wait for a connection included.
    std::size_t active = 0;
    /// Whether connecting has failed too often to be tried now.
    bool circuit_open = false;
};

namespace detail {
class transport_core;
} // namespace detail

/// HTTP/1.1 to one origin over kept TLS connections.
///
/// Executors: timers, look-ups and connecting run on the executor it was made with; each exchange
/// runs on that of the coroutine that awaits it. Both may be served by any number of threads.
/// Lifetimes: destroying the transport ends its exchanges as close() does; what they need lives on
/// until they have ended. Their coroutines must not outlive the execution context.
/// Idle connections keep no timer: io_context::run() returns when no exchange is under way.
/// Thread safety: shared objects: safe.
class http1_transport final : public transport {
public:
    /// See make_transport().
    http1_transport(
        asio::any_io_executor executor,
        uri base,
        const tls_options& tls,
        const pool_options& pooling,
        const timeouts& limits,
        const proxy_options& proxying,
        std::shared_ptr<connection_listener> listener = nullptr);
    http1_transport(const http1_transport&) = delete;
    http1_transport& operator=(const http1_transport&) = delete;
    ~http1_transport() override;

    /// The base URL's path is put in front of the target. `Host` and `Content-Length` are added
    /// when missing; hop-by-hop fields, and anything that cannot stand in a header, are refused
    /// with errc::invalid_argument. A build with zlib asks for gzip unless the request has an
    /// `Accept-Encoding` of its own, and undoes it.
    [[nodiscard]] asio::awaitable<exchange_result> exchange(
        const request& r, exchange_options options) override;

    [[nodiscard]] asio::awaitable<std::shared_ptr<exchange_result>> exchange_on_heap(
        const request& r, exchange_options options) override;

    void close() noexcept override;

    /// Counts, consistent at one moment.
    [[nodiscard]] transport_stats stats() const;

private:
    std::shared_ptr<detail::transport_core> core_;
};

/// Makes a transport to `base`. `listener` is told of its connections; null: nobody.
///
/// Throws `boost::system::system_error` with errc::insecure_url when `base` is http and its host is
/// not this machine, and `std::invalid_argument` naming an option that cannot be used.
[[nodiscard]] std::shared_ptr<http1_transport> make_transport(
    asio::any_io_executor executor,
    uri base,
    const tls_options& tls = {},
    const pool_options& pooling = {},
    const timeouts& limits = {},
    const proxy_options& proxying = {},
    std::shared_ptr<connection_listener> listener = nullptr);

} // namespace highlevel::http

#if !defined(HIGHLEVEL_SEPARATE_COMPILATION)
#    include <highlevel/http/impl/http1_transport.ipp>
#endif
