// SPDX-License-Identifier: BSL-1.0
//
// Where the time of a call went; part of each failure, because "it timed out" does not say whether
// the rate limit, the network or the server was slow.
#pragma once

#include <highlevel/http/phase.hpp>

#include <chrono>
#include <string>

namespace highlevel {

/// The time that a call spent, all of its attempts together.
class call_times {
public:
    call_times() noexcept = default;

    /// Waiting for a bearer token (most are at hand).
    std::chrono::nanoseconds token{0};
    /// Waiting for permits of the rate limit.
    std::chrono::nanoseconds permit{0};
    /// Pausing between attempts.
    std::chrono::nanoseconds pause{0};
    /// On the network: waiting for a connection, looking up, connecting, TLS, writing, reading.
    http::phase_times network;

    /// For people: the parts that took any time, for example "permit 12 ms, first_byte 50 ms".
    [[nodiscard]] std::string text() const {
        std::string out;
        http::detail::append_time(out, "token", token);
        http::detail::append_time(out, "permit", permit);
        http::detail::append_time(out, "pause", pause);
        auto const rest = network.text();
        if (!out.empty() && !rest.empty()) out += ", ";
        return out + rest;
    }
};

} // namespace highlevel
