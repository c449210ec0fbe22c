// SPDX-License-Identifier: BSL-1.0
//
// What a user may set about rate limits, and what a bucket looks like from outside. Plain values,
// so that client options carry them without the machinery.
#pragma once

#include <highlevel/quota/lane.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace highlevel::quota {

class ledger;

/// How a bucket decides that a request may go.
enum class strategy : std::uint8_t {
    /// Two proofs, either of which suffices (see quota/bucket.hpp): no refusals from fixed windows,
    /// sliding logs, weighted counters, token buckets and GCRA alike.
    proven,
    /// A permit comes back one interval after its response. Simple and nearly as fast, but a server
    /// that weighs the previous window earns it refusals by the hundred. For comparison.
    simple,
};

/// The enumerator's name.
[[nodiscard]] constexpr std::string_view to_string(strategy s) noexcept {
    return s == strategy::proven ? "proven" : "simple";
}

/// Options of the limiter. Limits themselves are learned from the response headers of each bucket;
/// `max` and `interval` only hold until the first response has spoken.
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
class limits {
public:
    limits() = default;

    /// Requests per `interval` that are assumed of a bucket not heard of yet; 1 to 60,000.
    /// Default: 100, what HighLevel documents. (A new bucket sends one request and awaits its
    /// answer before it opens, so a smaller true limit is learned in time.)
    std::uint32_t max = 100;
    /// Interval that is assumed of a bucket not heard of yet; 100 ms to 24 h. Default: 10 s.
    std::chrono::milliseconds interval{std::chrono::seconds{10}};
    quota::strategy strategy = quota::strategy::proven;

    /// Requests of each interval that bulk work leaves to interactive calls (at most a quarter of
    /// the limit is kept back). Zero: none. Default: 5.
    std::uint32_t reserve = 5;
    /// The reserve while no interactive call came for `reserve_memory`; no more than `reserve`.
    /// Default: 2.
    std::uint32_t idle_reserve = 2;
    /// How long an interactive call is remembered for the reserve; at most 366 days. Default: 60 s.
    std::chrono::milliseconds reserve_memory{std::chrono::seconds{60}};
    /// While bulk work waits, every bulk_turn-th permit is offered to it without any reserve, so
    /// that interactive calls cannot starve it for good. At least 1. Default: 17.
    std::uint32_t bulk_turn = 17;
    /// This process is the only user of its buckets: bulk work may use the last two permits of an
    /// interval as well, and a pause of `reprobe_after` needs no new probe. Default: no.
    bool exclusive = false;
    /// Without `exclusive`, a bucket not used for this long sends one request and awaits its answer
    /// before it opens again, since somebody else may have used it. At most 366 days. Default: 60
    /// s.
    std::chrono::milliseconds reprobe_after{std::chrono::seconds{60}};

    /// Part of the day's requests that bulk work leaves to interactive calls; 0 to 1.
    /// Default: 0.05.
    double daily_reserve = 0.05;
    /// Spread bulk work over what is left of the day, where the server says when the day ends.
    /// Default: no.
    bool daily_pacing = false;
    /// The day's requests are used up and the server did not say until when: one request tries
    /// again after this time, then after twice as long, up to 15 min. 1 s to 24 h. Default: 60 s.
    std::chrono::milliseconds daily_probe{std::chrono::seconds{60}};

    /// Interactive calls that may wait for one bucket; more fail with errc::queue_full. Zero: none
    /// may wait. Default: 1,000.
    std::size_t queue_interactive = 1'000;
    /// Bulk calls that may wait for one bucket. Default: 10,000.
    std::size_t queue_bulk = 10'000;

    /// A request whose response is lost may still arrive at the server this long after it was given
    /// up. At most 60 s. Default: 1 s.
    std::chrono::milliseconds lost_grace{std::chrono::seconds{1}};

    /// Buckets that are remembered; idle ones beyond it are forgotten, the longest idle first.
    /// Busy ones and those used within the last two intervals count, but are never forgotten: that
    /// could earn their next request a refusal. At least 1. Default: 10,000.
    std::size_t max_buckets = 10'000;
    /// A bucket not used for this long, and whose past cannot matter any more, is forgotten. At
    /// most 366 days. Default: 5 min.
    std::chrono::milliseconds idle_eviction{std::chrono::minutes{5}};

    /// Through which several processes share their buckets (quota/ledger.hpp); null: no sharing.
    /// With one, the limiter's timer runs on for `ledger_hold` after the last request.
    std::shared_ptr<quota::ledger> ledger;
    /// With a ledger: how often the shares of active buckets are renewed; 50 to 900 ms, varied by
    /// a tenth. Default: 500 ms.
    std::chrono::milliseconds ledger_interval{500};
    /// With a ledger: after this time without an answer from it a process falls back to
    /// `static_share`, and takes care as if strangers used the bucket, since its share may have
    /// been given to others. Below the ledger's ttl; at most 24 h. Default: 25 s.
    std::chrono::milliseconds ledger_timeout{std::chrono::seconds{25}};
    /// With a ledger: a bucket keeps a small share at hand for this long after its last request, so
    /// that the next need not wait for the others to make room; less long where it is forgotten
    /// before. At most 366 days. Default: 30 s.
    std::chrono::milliseconds ledger_hold{std::chrono::seconds{30}};
    /// Requests per interval that this process may use of each bucket, of a split that was fixed
    /// beforehand: always if there is no ledger, else while the ledger cannot be reached. Zero:
    /// without a ledger the whole limit; with one, the share that was leased last, or a single
    /// request where none was, and each only under the evidence of the newest response. Default: 0.
    std::uint32_t static_share = 0;

    /// Seed of the random delays after refusals; zero: a different one each time. Default: 0.
    std::uint64_t seed = 0;

    /// Throws `std::invalid_argument` that names the field that cannot be used.
    void validate() const {
        namespace ch = std::chrono;
        constexpr ch::milliseconds zero{0};
        auto const require = [](bool good, std::string_view field, std::string_view why) {
            if (good) return;
            std::string text{"limits."};
            text.append(field).append(": ").append(why);
            throw std::invalid_argument{text};
        };
        // Each is added to a time in nanoseconds.
        auto const require_time = [&](ch::milliseconds d, std::string_view field) {
            require(d >= zero && d <= ch::days{366}, field, "must be from 0 to 366 days");
        };
        require(max >= 1 && max <= 60'000, "max", "must be from 1 to 60000");
        require(
            interval >= ch::milliseconds{100} && interval <= ch::hours{24}, "interval",
            "must be from 100 ms to 24 h");
        require(idle_reserve <= reserve, "idle_reserve", "must not exceed reserve");
        require_time(reserve_memory, "reserve_memory");
        require(bulk_turn >= 1, "bulk_turn", "must be at least 1");
        require_time(reprobe_after, "reprobe_after");
        require(daily_reserve >= 0 && daily_reserve <= 1, "daily_reserve", "must be from 0 to 1");
        require(
            daily_probe >= ch::seconds{1} && daily_probe <= ch::hours{24}, "daily_probe",
            "must be from 1 s to 24 h");
        require(
            lost_grace >= zero && lost_grace <= ch::seconds{60}, "lost_grace",
            "must be from 0 to 60 s");
        require(max_buckets >= 1, "max_buckets", "must be at least 1");
        require_time(idle_eviction, "idle_eviction");
        require(
            ledger_interval >= ch::milliseconds{50} && ledger_interval <= ch::milliseconds{900},
            "ledger_interval", "must be from 50 to 900 ms");
        require(
            ledger_timeout >= ledger_interval && ledger_timeout <= ch::hours{24}, "ledger_timeout",
            "must be from ledger_interval to 24 h");
        require_time(ledger_hold, "ledger_hold");
        require(static_share <= 60'000, "static_share", "must be at most 60000");
    }
};

/// One bucket as it looked at a moment.
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
class bucket_snapshot {
public:
    bucket_snapshot() = default;

    /// The resource that the bucket belongs to.
    std::string resource;
    /// Whether the limiter knows the bucket at all; if not, the rest is what would be assumed.
    bool known = false;
    /// Whether a response has confirmed the limits since the bucket was last opened.
    bool verified = false;
    /// Requests per interval, as the server said it last.
    std::uint32_t limit = 0;
    std::chrono::milliseconds interval{0};
    /// Permits out, requests given up within `limits::lost_grace` included.
    std::uint32_t in_flight = 0;
    /// Calls waiting, by lane; see `waiting_in`.
    std::array<std::size_t, 2> waiting{};
    /// Permits that an interactive call could have at once.
    std::uint32_t available = 0;
    /// How long until the next interactive permit, if nothing else happens before; zero: now;
    /// absent: when a response arrives.
    std::optional<std::chrono::milliseconds> next_release;
    /// Requests per day, where the server said.
    std::optional<std::int64_t> daily_limit;
    /// Requests left of the day by the newest response, less those sent since.
    std::optional<std::int64_t> daily_remaining;
    /// Time to the next day's budget, where the server said.
    std::optional<std::chrono::milliseconds> daily_reset;
    /// Somebody else uses the bucket too; what this process takes is adapted to what is left.
    bool shared = false;
    /// Requests per interval that this process allows itself: the limit, unless shared or leased.
    std::uint32_t allowance = 0;

    /// Counted since the bucket came to be: permits given,
    std::uint64_t granted = 0;
    /// of these on the strength of a response (the rest on our own bookkeeping),
    std::uint64_t granted_on_credit = 0;
    /// permits that came back settled,
    std::uint64_t settled = 0;
    /// permits whose response was lost,
    std::uint64_t lost = 0;
    /// permits given back unused,
    std::uint64_t unsent = 0;
    /// requests that the server refused with 429,
    std::uint64_t refused = 0;
    /// calls that had to wait,
    std::uint64_t queued = 0;
    /// calls that failed without a permit: queue full, deadline, day used up,
    std::uint64_t rejected = 0;
    /// waiting calls that were cancelled,
    std::uint64_t cancelled = 0;
    /// and times that somebody else's use was noticed.
    std::uint64_t foreign = 0;

    [[nodiscard]] std::size_t waiting_in(lane l) const noexcept {
        return waiting[static_cast<std::size_t>(l)];
    }
};

} // namespace highlevel::quota
