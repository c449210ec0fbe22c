// SPDX-License-Identifier: BSL-1.0
//
// What the sandbox counted: per bucket of the rate limiter, per endpoint and in total. A test or a
// benchmark asks the server, not the client, whether the limits were kept and the quota was used.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace highlevel::sandbox {

/// Totals since the server was constructed.
class counters {
public:
    counters() = default;

    std::uint64_t connections = 0;      ///< connections accepted
    std::uint64_t open_connections = 0; ///< of these, still open
    std::uint64_t requests = 0;         ///< complete requests received
    std::uint64_t accepted = 0;         ///< requests that passed the rate limiter
    std::uint64_t refused = 0;          ///< answered with 429, for whatever limit
    std::uint64_t refused_daily = 0;    ///< of these, for the daily limit
    std::uint64_t scripted = 0;         ///< answered by the hook
    std::uint64_t resets = 0;           ///< connections reset (`fault_options::reset_rate`)
    std::uint64_t server_errors = 0;    ///< made-up 5xx (`fault_options::server_error_rate`)
    /// made-up 401 "Command timed out" (`fault_options::gateway_timeout_rate`)
    std::uint64_t gateway_timeouts = 0;
    std::uint64_t stalls = 0;  ///< never answered (`fault_options::stall_rate`)
    std::uint64_t expired = 0; ///< answered with 401 because the token had expired
};

/// One bucket: the requests of one app on one location or company.
class bucket_stats {
public:
    bucket_stats() = default;

    std::string app;      ///< the token's app, which is the token's text unless it was given one
    std::string resource; ///< id of the location or company

    std::uint64_t accepted = 0;      ///< requests that passed
    std::uint64_t refused = 0;       ///< answered with 429
    std::uint64_t refused_daily = 0; ///< of these, for the daily limit
    /// Most requests accepted within any `interval`, whatever the limiter's own window is.
    std::uint32_t max_in_window = 0;
    std::uint32_t max = 0;                 ///< the limit that is in force
    std::chrono::milliseconds interval{0}; ///< the window that is in force
    std::uint64_t daily_remaining = 0;     ///< left of the day
    std::chrono::nanoseconds elapsed{0};   ///< from the first to the last accepted request

    /// The share of the theoretical quota that was used: accepted requests over `max` for each
    /// interval between the first and the last of them, at least one interval. A short run may
    /// exceed 1, since both ends of it may hold a full window.
    [[nodiscard]] double quota_used() const noexcept {
        if (max == 0 || interval.count() <= 0) return 0;
        auto const intervals =
            std::chrono::duration<double>(elapsed) / std::chrono::duration<double>(interval);
        return static_cast<double>(accepted) / (max * (intervals < 1 ? 1 : intervals));
    }
};

/// Everything that was counted; taken in one piece per bucket, not over all of them.
class statistics {
public:
    statistics() = default;

    counters totals;
    std::vector<bucket_stats> buckets; ///< in the order of app and resource
    /// Requests by method and path template, for example "GET /contacts/{contactId}"; what fits no
    /// endpoint is under its method and "*".
    std::map<std::string, std::uint64_t> requests;
    /// How often each POST was processed, by the client's own id in it
    /// (`options::post_id_member`). A request counts when it reached its endpoint, whatever the
    /// answer and whether it arrived; one that was refused before (401, 403, 422 for its
    /// parameters, 429) does not.
    std::map<std::string, std::uint64_t> processed;
};

} // namespace highlevel::sandbox
