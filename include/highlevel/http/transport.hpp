// SPDX-License-Identifier: BSL-1.0
//
// The one seam between the client and the network: takes a request, gives a response. Everything
// above it compiles without sockets or TLS, and tests put a scripted transport in its place.
#pragma once

#include <highlevel/http/message.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace highlevel::http {

namespace asio = boost::asio;

/// How far an exchange came; tells which time-out ran off and whether a repeat is harmless.
enum class phase : std::uint8_t {
    /// Waiting for a pooled connection or for room to open one.
    queued,
    /// Looking the host name up.
    resolve,
    /// Opening the TCP connection, or the proxy's tunnel.
    connect,
    /// TLS handshake.
    tls,
    /// Sending the request.
    write,
    /// Waiting for the first byte of the response.
    first_byte,
    /// Receiving the rest of the response.
    read,
    /// All of the response is here.
    done,
};

/// The phase's name, for example "first_byte".
[[nodiscard]] constexpr std::string_view to_string(phase p) noexcept {
    switch (p) {
    case phase::queued: return "queued";
    case phase::resolve: return "resolve";
    case phase::connect: return "connect";
    case phase::tls: return "tls";
    case phase::write: return "write";
    case phase::first_byte: return "first_byte";
    case phase::read: return "read";
    case phase::done: return "done";
    }
    return "done";
}

/// Bounds of one exchange. Trivially destructible; the view must live until the exchange ends.
class exchange_options {
public:
    constexpr exchange_options() noexcept = default;

    /// The moment at which the exchange fails with errc::timeout, whatever its phase.
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
    /// Callers that wait for a connection are served round robin over these groups (the client
    /// gives the resource, so that one busy location cannot starve the others).
    std::string_view group;
    /// Largest accepted response body in bytes; a larger one fails with errc::response_too_large.
    std::size_t max_body = 64U * 1024U * 1024U;
};

/// What came of one exchange: a response, or an error and how far it came.
class exchange_result {
public:
    exchange_result() = default;

    [[nodiscard]] bool ok() const noexcept { return !error; }

    /// Success, an errc of this library, or boost::asio::error::operation_aborted.
    boost::system::error_code error;
    /// In words, with the address where one was involved; empty on success.
    std::string detail;
    /// The phase in which it ended; `done` on success.
    phase reached = phase::queued;
    /// Whether any byte of the request may have reached the server. When false the request was
    /// surely not processed and may be repeated whatever its method.
    bool may_have_been_processed = false;
    /// Valid when ok().
    response reply;
};

/// Sends requests to one origin.
///
/// Thread safety: shared objects: safe; exchanges of many threads may be under way at once.
class transport {
public:
    transport() = default;
    transport(const transport&) = delete;
    transport& operator=(const transport&) = delete;
    virtual ~transport() = default;

    /// Sends `r` and gives the response with any status, or says what failed; it does not throw.
    ///
    /// `r` is in the caller's hands and must live until the exchange ends. The awaitable completes
    /// on the executor of the awaiting coroutine. Cancellation: terminal; the result is then
    /// `operation_aborted` and the connection that was in use is closed, not reused.
    [[nodiscard]] virtual asio::awaitable<exchange_result> exchange(
        const request& r, exchange_options options) = 0;

    /// Ends every exchange with `operation_aborted` and closes all connections; idempotent and
    /// without waiting. Later exchanges fail the same way.
    virtual void close() noexcept = 0;
};

} // namespace highlevel::http
