// SPDX-License-Identifier: BSL-1.0
//
// How a sandbox is set up: where it listens, what it limits, how slow it is, what it is filled
// with.
#pragma once

#include <highlevel/sandbox/limiter.hpp>
#include <highlevel/sandbox/message.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace highlevel::sandbox {

/// Settings of a `server`. Every member has a working default.
class options {
public:
    options() = default;

    /// Numeric address to listen on. The default is reachable from this machine only.
    std::string address = "127.0.0.1";
    /// Port to listen on; 0 takes any free one, which `server::port` then tells.
    std::uint16_t port = 0;

    /// Serves TLS 1.2 and 1.3 with a certificate made at construction, else plain HTTP.
    bool tls = false;
    /// Names and numeric addresses that the certificate is for (subjectAltName).
    std::vector<std::string> certificate_names = {"127.0.0.1", "::1", "localhost"};
    /// Makes a certificate whose time is over, to see a client refuse it.
    bool certificate_expired = false;

    /// The window in which a bucket counts. Live: unknown.
    limiter_kind limiter = limiter_kind::fixed;
    /// Requests per `interval` of one token on one location or company. Live: 100; 25 on trials.
    std::uint32_t max = 100;
    /// Length of the window. Live: 10 s. Positive.
    std::chrono::milliseconds interval{10'000};
    /// Requests per day of one token on one location or company. Live: 200,000; 10,000 on trials.
    std::uint64_t daily_limit = 200'000;
    /// Length of the day, counted from a bucket's first request. Live: 24 h. Positive.
    std::chrono::milliseconds daily_interval{std::chrono::hours{24}};
    /// Adds `Retry-After` with so many seconds to a 429. Live: none is sent.
    std::optional<std::chrono::seconds> retry_after;

    /// Latency added to each request, drawn evenly from this range.
    std::chrono::milliseconds latency_min{0};
    /// Upper end of the range; a value below `latency_min` counts as `latency_min`.
    std::chrono::milliseconds latency_max{0};
    /// The share of the latency that passes before the request is counted (0 to 1); the rest passes
    /// before the answer is written.
    double latency_uplink = 0.5;

    /// Where made-up data, ids and latency come from: equal seeds make equal sandboxes.
    std::uint64_t seed = 1;
    /// Locations to make up.
    std::size_t locations = 1;
    /// Contacts to make up in each of these locations. An untouched contact costs 32 bytes.
    std::size_t contacts_per_location = 25;
    /// Text of the token that opens everything (`server::token`); empty makes one up.
    std::string token;
    /// How long a write stays invisible to search and list, which serve the old record meanwhile.
    /// Live: about 10 s for contacts. Reads by id are current at once.
    std::chrono::milliseconds search_lag{0};

    /// Threads that serve; at least 1. Not used by a server that is given an executor.
    std::size_t threads = 1;
    /// Closes a connection that has been idle for so long; 0 never does.
    std::chrono::milliseconds idle_timeout{0};
    /// Closes a connection after so many answers; 0 never does.
    std::size_t requests_per_connection = 0;
    /// Largest request body in bytes; a larger one is answered with 413.
    std::size_t body_limit = std::size_t{32} << 20;

    /// Looks at each request first; see `scripted_response`.
    response_hook hook;
};

} // namespace highlevel::sandbox
