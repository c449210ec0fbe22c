// SPDX-License-Identifier: BSL-1.0
//
// The one seam between the client and the network: takes a request, gives a response. Everything
// above it compiles without sockets or TLS, and tests put a scripted transport in its place.
#pragma once

#include <highlevel/http/message.hpp>
#include <highlevel/http/phase.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace highlevel::http {

namespace asio = boost::asio;

class body_sink;

/// Bounds of one exchange. Trivially destructible; what it points to must live until the exchange
/// ends.
class exchange_options {
public:
    constexpr exchange_options() noexcept = default;

    /// The moment at which the exchange fails with errc::timeout, whatever its phase; max(): there
    /// is none. Empty: the transport's own `timeouts::total` from the beginning of the exchange.
    std::optional<std::chrono::steady_clock::time_point> deadline;
    /// Callers that wait for a connection are served round robin over these groups (the client
    /// gives the resource, so that one busy location cannot starve the others).
    std::string_view group;
    /// Largest response body that is kept, in bytes; a larger one fails with
    /// errc::response_too_large. Compressed content counts as it is after decoding. What goes to
    /// `sink` is not kept, and bounded by the sink alone.
    std::size_t max_body = 64U * 1024U * 1024U;
    /// In place of the transport's own limits.
    phase_timeouts limits;
    /// The caller will send the request again if need be: a kept connection that was in use a
    /// moment ago (`pool_options::trusted_for`) is then taken for alive without asking the kernel.
    /// Should the server have closed it all the same, the exchange fails and its result is `stale`.
    bool repeatable = false;
    /// Takes the content of a 2xx response while it comes; `reply.body` then stays empty. Null: the
    /// content is held in memory.
    body_sink* sink = nullptr;
};

/// What came of one exchange: a response, or an error and how far it came.
class exchange_result {
public:
    exchange_result() = default;

    [[nodiscard]] bool ok() const noexcept { return !error; }

    /// Success, an errc of this library, boost::asio::error::operation_aborted, or
    /// boost::system::errc::not_enough_memory. What a source or sink of the caller's throws is
    /// errc::file_failed, with its what() as `detail`.
    boost::system::error_code error;
    /// In words, with the address where one was involved; empty on success.
    std::string detail;
    /// The phase in which it ended; `done` on success.
    phase reached = phase::queued;
    /// Whether any byte of the request may have reached the server. When false the request was
    /// surely not processed and may be repeated whatever its method.
    bool may_have_been_processed = false;
    /// Where the time went, that of connections which were given up included.
    phase_times times;
    /// For errc::circuit_open: when connecting will be tried again.
    std::optional<std::chrono::milliseconds> retry_in;
    /// A kept connection that was taken for alive (`exchange_options::repeatable`) ended before
    /// anything of an answer came: very likely the server had closed it before. It is not repeated
    /// here, because the server may have counted the request, and only the caller can get a permit
    /// for another.
    bool stale = false;
    /// The same request would surely fail the same way again, although its error says nothing of
    /// that: a proxy that refuses us.
    bool final = false;
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

    /// As exchange(), but the result lies on the heap, so that no coroutine of an exchange that
    /// waits holds the room for it. The client calls this one. Null: there was no memory for a
    /// result, and nothing was sent. Unless a transport has something better it is exchange().
    [[nodiscard]] virtual asio::awaitable<std::shared_ptr<exchange_result>> exchange_on_heap(
        const request& r, exchange_options options) {
        auto out = co_await exchange(r, options);
        co_return std::make_shared<exchange_result>(std::move(out));
    }

    /// Ends every exchange with `operation_aborted` and closes all connections; idempotent and
    /// without waiting. Later exchanges fail the same way.
    virtual void close() noexcept = 0;
};

} // namespace highlevel::http
