// SPDX-License-Identifier: BSL-1.0
//
// How a sandbox is set up: where it listens, what it limits, how slow it is, what it is filled
// with.
#pragma once

#include <highlevel/sandbox/contact.hpp>
#include <highlevel/sandbox/install_change.hpp>
#include <highlevel/sandbox/limiter.hpp>
#include <highlevel/sandbox/message.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace highlevel::sandbox {

/// Faults that the sandbox makes up by itself: what the internet and a busy service do to clients.
/// Rates are shares of all requests, from 0 to 1, and together at most 1. Which request is hit
/// follows from the sandbox's seed and the request's number. Requests that a hook answers are
/// spared, and a request that is refused (401, 429) is refused all the same.
class fault_options {
public:
    fault_options() = default;

    /// Requests whose connection is reset (RST): a quarter each before the request is processed,
    /// after it was processed but before an answer, within the answer, and right behind it.
    double reset_rate = 0;
    /// Requests answered with 500, 502, 503 or 504, half of them although they were processed.
    double server_error_rate = 0;
    /// Requests answered with 401 "Command timed out", which is how a gateway words its time-out;
    /// half of them although they were processed. It says nothing about the token.
    double gateway_timeout_rate = 0;
    /// Requests that are never answered, half of them although they were processed. The connection
    /// stays open until the peer closes it or the server stops.
    double stall_rate = 0;
    /// The longest time that a token is good for, from its first use; each token's own time is
    /// drawn from half of it to all of it. After it, requests with the token get 401 until it is
    /// made known again. Tokens for all locations do not expire. 0: none does.
    std::chrono::milliseconds token_lifetime{0};
};

/// Runs for every change of a contact that a request makes, with the name of the event that
/// HighLevel tells of it by webhook ("ContactCreate", "ContactUpdate", "ContactDelete",
/// "ContactTagUpdate").
///
/// It is called while the location is locked: it must be quick, and must neither use the server nor
/// throw. `webhook_sender::hook` makes one.
using change_hook = std::function<void(std::string_view event, const contact& changed)>;

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

    /// What goes wrong by itself; as constructed, nothing.
    fault_options faults;
    /// Name of a string member in the bodies of POST requests by which the client tells them apart;
    /// `statistics::processed` then counts how often each was processed. Empty: not counted.
    std::string post_id_member;

    /// Told of each change of a contact; see `change_hook`.
    change_hook on_change;
    /// Told of each install and removal of an app; see `install_hook`.
    install_hook on_install;
    /// Looks at each request first; see `scripted_response`.
    response_hook hook;
};

} // namespace highlevel::sandbox
