// SPDX-License-Identifier: BSL-1.0
//
// Decides whether a failed attempt is sent again and after which pause. A plain state machine: it
// is told what happened and when, and never reads a clock.
#pragma once

#include <highlevel/call_options.hpp>
#include <highlevel/detail/deadline.hpp>
#include <highlevel/method.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>

namespace highlevel {

/// How failed requests are repeated.
class retry_options {
public:
    retry_options() = default;

    /// Attempts per call, the first included, for transport errors and 5xx. 1 means no retry.
    int max_attempts = 4;
    /// Attempts per call that may end in 429; each waits in the limiter, not here.
    int max_rate_limited = 8;
    /// Upper bound of the first pause; doubles with each attempt. The pause is a random part of it
    /// ("full jitter"), so that clients that failed together do not return together.
    std::chrono::milliseconds base_delay{250};
    /// Upper bound of every pause.
    std::chrono::milliseconds max_delay{20'000};
    /// Retries for transport errors and 5xx that a client may have saved up; each takes one, each
    /// success gives back a tenth. An outage then costs little more than the calls themselves.
    double budget = 100.0;

    void validate() const {
        if (max_attempts < 1) throw std::invalid_argument{"retry.max_attempts: must be at least 1"};
        if (max_rate_limited < 1)
            throw std::invalid_argument{"retry.max_rate_limited: must be at least 1"};
        if (base_delay.count() < 0)
            throw std::invalid_argument{"retry.base_delay: must not be negative"};
        if (max_delay < base_delay)
            throw std::invalid_argument{"retry.max_delay: must not be below retry.base_delay"};
        if (!(budget >= 0)) throw std::invalid_argument{"retry.budget: must not be negative"};
    }
};

/// The retries that a client has left for transport errors and 5xx.
///
/// Thread safety: shared objects: safe.
class retry_budget {
public:
    explicit retry_budget(double capacity) noexcept
        : capacity_(static_cast<std::int64_t>(capacity * unit)),
          left_(capacity_) {}

    /// Takes one retry when there is one.
    [[nodiscard]] bool take() noexcept {
        auto left = left_.load(std::memory_order_relaxed);
        while (left >= unit)
            if (left_.compare_exchange_weak(left, left - unit, std::memory_order_relaxed))
                return true;
        return false;
    }

    /// A call succeeded.
    void refill() noexcept {
        auto left = left_.load(std::memory_order_relaxed);
        while (left < capacity_) {
            auto const next = std::min(capacity_, left + unit / 10);
            if (left_.compare_exchange_weak(left, next, std::memory_order_relaxed)) return;
        }
    }

private:
    static constexpr std::int64_t unit = 1000;

    std::int64_t capacity_;
    std::atomic<std::int64_t> left_;
};

/// How an attempt ended, as far as repeating it goes.
class attempt_outcome {
public:
    attempt_outcome() = default;

    /// The HTTP status; 0 when there was no response.
    unsigned status = 0;
    /// The request surely did nothing: no byte of it reached the server.
    bool surely_not_processed = false;
    /// A gateway's time-out in the clothes of another status; counts as a 5xx.
    bool dressed_timeout = false;
    /// The call was cancelled, or what failed will fail again (a certificate, a malformed request).
    bool final = false;
    /// From a Retry-After field, or the time for which connecting is not tried.
    std::optional<std::chrono::milliseconds> retry_after;
    /// Nothing went to the network (errc::circuit_open): repeating it is no load, and takes nothing
    /// of the budget.
    bool free = false;
    /// It went on a kept connection that had been closed: it goes on another without a pause and
    /// takes nothing of the budget, as if that had been known before.
    bool stale = false;
    /// What is left until the call's deadline; a pause that would not end before it is not begun.
    /// Empty: there is none.
    std::optional<std::chrono::milliseconds> time_left;
};

/// The retry decisions of one call. Not thread safe; one per call.
class retry_policy {
public:
    enum class verdict : std::uint8_t {
        /// The failure stands.
        give_up,
        /// Pause, then a new permit and a new attempt.
        pause,
        /// A new permit at the head of the queue; the limiter knows how long that takes.
        requeue,
    };

    class decision {
    public:
        decision() = default;
        explicit decision(verdict v, std::chrono::milliseconds d = {}) : what(v), delay(d) {}

        verdict what = verdict::give_up;
        std::chrono::milliseconds delay{0};
    };

    /// `max_attempts`, when given, takes the place of the options' one.
    retry_policy(
        const retry_options& options,
        retry_budget& budget,
        method verb,
        retry_mode mode,
        std::optional<int> max_attempts = std::nullopt) noexcept
        : retry_policy(options, budget, is_idempotent(verb), mode, max_attempts) {}

    /// As above, for a request of which more is known than its method: whether it may be sent again
    /// when its fate is unknown.
    retry_policy(
        const retry_options& options,
        retry_budget& budget,
        bool repeatable,
        retry_mode mode,
        std::optional<int> max_attempts = std::nullopt) noexcept
        : options_(&options),
          budget_(&budget),
          max_attempts_(max_attempts.value_or(options.max_attempts)),
          repeatable_(mode == retry_mode::always || repeatable),
          enabled_(mode != retry_mode::never) {}

    /// Attempts that have ended.
    [[nodiscard]] int attempts() const noexcept { return attempts_; }

    /// Whether the request is sent again should its connection turn out closed.
    [[nodiscard]] bool repeats() const noexcept {
        return enabled_ && repeatable_ && attempts_ - rate_limited_ + 1 < max_attempts_;
    }

    /// Takes the outcome of an attempt that failed. `random` lies in [0, 1).
    [[nodiscard]] decision failed(const attempt_outcome& outcome, double random) noexcept {
        ++attempts_;
        if (!enabled_ || outcome.final) return decision{};
        if (outcome.status == 429) {
            // Refused before any work was done, so it is safe for every method; the permit's bucket
            // has learned from it and holds the next attempt back.
            if (++rate_limited_ >= options_->max_rate_limited) return decision{};
            return decision{verdict::requeue};
        }
        bool const server_failed = outcome.status >= 500 || outcome.dressed_timeout;
        bool const lost = outcome.status == 0;
        if (!server_failed && !lost) return decision{};
        if (!outcome.surely_not_processed && !repeatable_) return decision{};
        if (attempts_ - rate_limited_ >= max_attempts_) return decision{};
        if (outcome.stale) return decision{verdict::pause};
        auto const delay = pause(outcome.retry_after, random);
        // Pausing beyond the deadline would only replace this failure by a less telling one.
        if (outcome.time_left && delay >= *outcome.time_left) return decision{};
        if (!outcome.free && !budget_->take()) return decision{};
        return decision{verdict::pause, delay};
    }

    /// The attempt succeeded.
    void succeeded() noexcept {
        ++attempts_;
        budget_->refill();
    }

private:
    /// A random part of the bound; behind what the server asked for, if it did, because it asked
    /// everybody for the same.
    [[nodiscard]] std::chrono::milliseconds pause(
        std::optional<std::chrono::milliseconds> asked, double random) const noexcept {
        auto const shift = std::min(attempts_ - rate_limited_ - 1, 20);
        auto const base = detail::bounded(options_->base_delay);
        auto const bound = std::min(options_->max_delay, base * (std::int64_t{1} << shift));
        std::chrono::milliseconds const jitter{
            static_cast<std::int64_t>(static_cast<double>(bound.count()) * random)};
        return detail::bounded(asked.value_or(std::chrono::milliseconds{0})) + jitter;
    }

    const retry_options* options_;
    retry_budget* budget_;
    int max_attempts_;
    int attempts_ = 0;
    int rate_limited_ = 0;
    bool repeatable_;
    bool enabled_;
};

} // namespace highlevel
