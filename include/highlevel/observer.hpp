// SPDX-License-Identifier: BSL-1.0
//
// What a client tells of its work while it happens. Everything is optional: a client without an
// observer pays one null check per event.
#pragma once

#include <highlevel/http/phase.hpp>

#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstddef>
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

/// Receives events. Functions are called from whichever thread runs the call, several at once, and
/// must neither block nor throw.
class observer {
public:
    observer() = default;
    observer(const observer&) = delete;
    observer& operator=(const observer&) = delete;
    virtual ~observer() = default;

    /// An attempt ended.
    virtual void on_attempt(const call_info& /*call*/, const attempt_event& /*event*/) noexcept {}

    /// A response did not match its type in some places and was decoded all the same.
    virtual void on_diagnostics(
        const call_info& /*call*/, const json::diagnostics& /*bent*/) noexcept {}
};

} // namespace highlevel
