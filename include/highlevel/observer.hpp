// SPDX-License-Identifier: BSL-1.0
//
// What a client tells of its work while it happens. Everything is optional: a client without an
// observer pays one null check per event.
#pragma once

#include <highlevel/auth/renewal_listener.hpp>
#include <highlevel/error.hpp>
#include <highlevel/http/connection_listener.hpp>
#include <highlevel/http/phase.hpp>
#include <highlevel/quota/lane.hpp>

#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace highlevel {

namespace json {
class diagnostics;
}

/// What a call is; part of every event. The views live only as long as the event's function runs.
class call_info {
public:
    call_info() = default;

    /// Family and name, for example "contacts.get_contact"; empty for a raw request.
    std::string_view operation;
    std::string_view verb;
    /// The path template; for a raw request, its path.
    std::string_view path;
    /// "location:ID" or "company:ID".
    std::string_view resource;
    /// The queue that it takes its permits from.
    quota::lane lane = quota::lane::interactive;
    /// Tells the calls of a client apart: all events of one call have the same number, from 1.
    std::uint64_t id = 0;
    /// The `traceparent` header that is sent with it, or empty.
    std::string_view traceparent;
};

/// How a call ended.
class call_end_event {
public:
    call_end_event() = default;

    /// Success, or what the caller's failure says. A call whose coroutine was destroyed on its way
    /// ends with boost::asio::error::operation_aborted.
    boost::system::error_code error;
    /// What a failure means; `cause::unknown` for a success.
    highlevel::cause cause = cause::unknown;
    /// The status of the last response; 0 when there was none.
    unsigned status = 0;
    /// How often the request was sent.
    int attempts = 0;
    /// From the beginning of the call to its decoded response.
    std::chrono::nanoseconds took{0};
};

/// What became of the wait for a permit.
class permit_event {
public:
    permit_event() = default;

    /// Success, or why there is no permit: errc::permit_timeout, errc::daily_exhausted,
    /// errc::queue_full, or boost::asio::error::operation_aborted.
    boost::system::error_code error;
    /// Whether it was not to be had at once; on_throttled() has told of it then.
    bool queued = false;
    /// How long the call waited for it.
    std::chrono::nanoseconds waited{0};
};

/// How a permit was given back.
enum class permit_end : std::uint8_t {
    /// A response came.
    settled,
    /// None will come, although something may have been sent.
    lost,
    /// Surely nothing was sent.
    unsent,
};

/// The enumerator's name.
[[nodiscard]] constexpr std::string_view to_string(permit_end e) noexcept {
    switch (e) {
    case permit_end::settled: return "settled";
    case permit_end::lost: return "lost";
    case permit_end::unsent: break;
    }
    return "unsent";
}

/// The end of a permit, and what the response said of the limits.
class permit_settled_event {
public:
    permit_settled_event() = default;

    permit_end how = permit_end::settled;
    /// The HTTP status; 0 when there was no response.
    unsigned status = 0;
    /// Requests per interval, and what is left of them, where the response said so.
    std::optional<std::int64_t> limit;
    std::optional<std::int64_t> remaining;
    /// Requests left of the day, where the response said so.
    std::optional<std::int64_t> daily_remaining;
};

/// One attempt to send a request, after it ended.
class attempt_event {
public:
    attempt_event() = default;

    /// Counts from 1.
    int number = 1;
    /// The HTTP status; 0 when there was no response.
    unsigned status = 0;
    /// Success, or what kept the response away.
    boost::system::error_code error;
    /// Time in the limiter's queue before this attempt.
    std::chrono::nanoseconds waited{0};
    /// Time from the permit to the end of the response.
    std::chrono::nanoseconds took{0};
    /// The parts of `took`.
    http::phase_times times;
    /// The request is sent again; otherwise the call ends here.
    bool retried = false;
    /// Pause before the next attempt.
    std::chrono::nanoseconds backoff{0};
};

/// Why a request is sent again.
enum class retry_reason : std::uint8_t {
    /// It was refused for the rate limit (429), and waits for another permit.
    rate_limited,
    /// Its token was refused, and there is another one now.
    token_renewed,
    /// It failed in a way that may pass: no connection, a lost one, a time-out, 5xx.
    transient,
};

/// The enumerator's name, for example "rate_limited".
[[nodiscard]] constexpr std::string_view to_string(retry_reason r) noexcept {
    switch (r) {
    case retry_reason::rate_limited: return "rate_limited";
    case retry_reason::token_renewed: return "token_renewed";
    case retry_reason::transient: break;
    }
    return "transient";
}

/// A request will be sent again.
class retry_event {
public:
    retry_event() = default;

    /// The attempts made so far.
    int attempts = 1;
    retry_reason reason = retry_reason::transient;
    /// What the last attempt failed with, and its HTTP status, or 0.
    boost::system::error_code error;
    unsigned status = 0;
    /// The pause before the next attempt; a permit may have to be waited for behind it.
    std::chrono::nanoseconds backoff{0};
};

/// Receives events: those of calls, of tokens (auth::renewal_listener) and of connections
/// (http::connection_listener). A transport that the user gave tells of no connections, and a
/// source of tokens that the user wrote of no renewals.
///
/// The events of one call come in order: on_call_start(); for each attempt on_throttled() where it
/// has to wait, on_permit(), on_permit_settled(), on_attempt(), and on_retry() where another
/// follows; on_diagnostics() where there is something to tell; on_call_end().
///
/// Functions are called from whichever thread does the work, several at once, and must neither
/// block nor throw, nor make calls. An observer lives as long as anything that it may hear of:
/// clients and their calls share it.
class observer : public http::connection_listener, public auth::renewal_listener {
public:
    observer() = default;

    /// A call begins; nothing has been sent.
    virtual void on_call_start(const call_info& /*call*/) noexcept {}

    /// A call ended, with success or without. Each on_call_start() is followed by one.
    virtual void on_call_end(const call_info& /*call*/, const call_end_event& /*event*/) noexcept {}

    /// A call does not get its permit at once: it waits, or will be denied. An on_permit() follows
    /// each.
    virtual void on_throttled(const call_info& /*call*/) noexcept {}

    /// A call has its permit, or will not get one.
    virtual void on_permit(const call_info& /*call*/, const permit_event& /*event*/) noexcept {}

    /// A permit was given back.
    virtual void on_permit_settled(
        const call_info& /*call*/, const permit_settled_event& /*event*/) noexcept {}

    /// A request will be sent again.
    virtual void on_retry(const call_info& /*call*/, const retry_event& /*event*/) noexcept {}

    /// An attempt ended.
    virtual void on_attempt(const call_info& /*call*/, const attempt_event& /*event*/) noexcept {}

    /// A response did not match its type in some places and was decoded all the same.
    virtual void on_diagnostics(
        const call_info& /*call*/, const json::diagnostics& /*bent*/) noexcept {}
};

} // namespace highlevel
