// SPDX-License-Identifier: BSL-1.0
//
// A connected byte stream behind a virtual seam: HTTP framing is written, compiled and tested once
// against it, and only the leaf that opens connections knows sockets and TLS.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>

namespace highlevel::http {

namespace asio = boost::asio;

/// A connected stream of bytes, plain or encrypted.
///
/// Thread safety: shared objects: unsafe, except that interrupt() may be called from any thread
/// while an operation is under way. One reader and writer at a time.
class stream {
public:
    stream() = default;
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;
    virtual ~stream() = default;

    /// Receives at least one byte, or sets `ec`; asio::error::eof after an orderly end.
    /// Cancellation: terminal; the stream is then of no further use.
    [[nodiscard]] virtual asio::awaitable<std::size_t> read_some(
        asio::mutable_buffer room, boost::system::error_code& ec) = 0;

    /// Sends some of the bytes and says how many, or sets `ec`. Cancellation: as read_some().
    [[nodiscard]] virtual asio::awaitable<std::size_t> write_some(
        asio::const_buffer bytes, boost::system::error_code& ec) = 0;

    /// Makes the operation under way, and all later ones, fail soon.
    virtual void interrupt() noexcept = 0;

    /// Whether everything that was received from the system has been read: what quiet() knows
    /// without asking the system.
    [[nodiscard]] virtual bool settled() const noexcept = 0;

    /// For a stream on which nothing is expected: whether it is still open, and nothing came. Looks
    /// once and does not wait. Bytes or an end that came unasked make a stream unfit for reuse.
    [[nodiscard]] virtual bool quiet() noexcept = 0;
};

} // namespace highlevel::http
