// SPDX-License-Identifier: BSL-1.0
//
// What may differ from call to call. Trivially destructible, so that it can be written in place
// inside a co_await expression (g++ 12.2 destroys other aggregates twice there).
#pragma once

#include <highlevel/http/phase.hpp>
#include <highlevel/quota/lane.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

namespace highlevel {

namespace http {
class body_sink;
}

/// Whether a failed request may be sent again.
enum class retry_mode : std::uint8_t {
    /// After transport errors and 5xx what may be sent twice (GET, DELETE, searches by POST:
    /// `operation_meta::idempotent`); anything when the server surely did nothing (429, no byte
    /// sent).
    automatic,
    /// Never, not even after 429 or when a refused token was renewed meanwhile.
    never,
    /// As for a GET, whatever the method: the caller takes it that work may be done twice.
    always,
};

/// Options of one call; what is not set comes from the client's options.
struct call_options {
    /// Bound on the whole call: token, permit, connection, all attempts and the pauses between
    /// them. Zero means none; less means that it has passed: the call fails with errc::timeout.
    /// Default: `timeouts.total`.
    std::optional<std::chrono::milliseconds> timeout{};
    /// `bulk` leaves a reserve for `interactive` calls of the same resource.
    quota::lane lane = quota::lane::interactive;
    retry_mode retry = retry_mode::automatic;
    /// Attempts that may end in a transport error or 5xx, the first included; at least 1. Default:
    /// `retry.max_attempts`.
    std::optional<int> max_attempts{};
    /// Bounds on the parts of each attempt. Default: the client's `timeouts`.
    http::phase_timeouts timeouts{};
    /// Takes the content of a success while it comes (recordings, exports; http::file_sink writes a
    /// file), so that it is never in memory as a whole; `max_response_body` does not bound it. The
    /// response's body and value then stay empty. It must live until the call ends. Mind `timeout`.
    http::body_sink* sink = nullptr;
    /// Sent as the `Version` header instead of the operation's own. Read before the first
    /// suspension.
    std::string_view version{};
    /// Wait for a permit however long that takes, also for the next day's; `timeout` then bounds
    /// the rest of the call, and the time spent waiting for permits does not count. Otherwise a
    /// call that certainly cannot have a permit in time fails at once with errc::permit_timeout, or
    /// errc::daily_exhausted.
    bool wait_past_deadline = false;

    friend bool operator==(const call_options&, const call_options&) = default;
};

static_assert(std::is_trivially_destructible_v<call_options>);

namespace detail {

/// What a call has that names no options. A default argument written as braces would lie in the
/// frame of each coroutine that makes a call, 256 bytes of it for g++ 12.
inline constexpr call_options default_call_options{};

} // namespace detail

} // namespace highlevel
