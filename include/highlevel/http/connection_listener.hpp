// SPDX-License-Identifier: BSL-1.0
//
// Who wants to know of a transport's connections: how each was opened, and what became of it.
#pragma once

#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstdint>
#include <string_view>

namespace highlevel::http {

/// An attempt to open a connection, after it ended. The views live only as long as the event's
/// function runs.
class connection_open_event {
public:
    connection_open_event() = default;

    /// The address it leads to, as far as it is known: "host:port at 192.0.2.1:443".
    std::string_view peer;
    /// Success, or why there is no connection.
    boost::system::error_code error;
    /// Whether it is encrypted.
    bool secure = false;
    /// Whether an earlier TLS session was taken up again, which saves a round trip.
    bool resumed = false;
    /// From the look-up of the name to the end of the TLS handshake.
    std::chrono::nanoseconds took{0};
};

/// Why a connection was closed.
enum class close_reason : std::uint8_t {
    /// It was idle for too long, or older than `pool_options::max_age`.
    retired,
    /// The server closed it while it was kept, which was noticed before or while it was used again.
    stale,
    /// The server said that it does not keep it.
    server,
    /// An exchange failed on it.
    failed,
    /// The exchange on it was cancelled.
    cancelled,
    /// The transport was closed.
    shutdown,
};

/// The enumerator's name, for example "retired".
[[nodiscard]] constexpr std::string_view to_string(close_reason r) noexcept {
    switch (r) {
    case close_reason::retired: return "retired";
    case close_reason::stale: return "stale";
    case close_reason::server: return "server";
    case close_reason::failed: return "failed";
    case close_reason::cancelled: return "cancelled";
    case close_reason::shutdown: break;
    }
    return "shutdown";
}

/// The end of a connection that had been opened.
class connection_close_event {
public:
    connection_close_event() = default;

    close_reason reason = close_reason::shutdown;
    /// Requests that it was used for; all but the first reused it.
    std::uint64_t requests = 0;
    /// How long it was open.
    std::chrono::nanoseconds age{0};
};

/// Receives the events of a transport's connections. Functions are called from whichever thread
/// does the work, several at once, and must neither block nor throw, nor call the transport.
class connection_listener {
public:
    connection_listener() = default;
    connection_listener(const connection_listener&) = delete;
    connection_listener& operator=(const connection_listener&) = delete;
    virtual ~connection_listener() = default;

    /// An attempt to open a connection ended, with success or without; one that was cancelled is
    /// not told.
    virtual void on_connection_open(const connection_open_event& /*event*/) noexcept {}

    /// A connection was closed. Each success of on_connection_open() is followed by one.
    virtual void on_connection_close(const connection_close_event& /*event*/) noexcept {}
};

} // namespace highlevel::http
