// SPDX-License-Identifier: BSL-1.0
//
// One bucket of the sandbox: a limiter, the day's budget and what was counted, and the values of
// the rate-limit headers that follow from them. Sans-IO.
#pragma once

#include <highlevel/sandbox/limiter.hpp>
#include <highlevel/sandbox/stats.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace highlevel::sandbox {

/// What a bucket says to one request, and what the headers of its answer tell.
class quota_reading {
public:
    quota_reading() = default;

    bool accepted = true;
    /// Whether it was refused because the day is used up.
    bool daily = false;
    std::uint32_t max = 0;
    std::uint32_t remaining = 0;
    std::chrono::milliseconds interval{0};
    std::uint64_t daily_limit = 0;
    std::uint64_t daily_remaining = 0;
    /// How long until the day begins anew.
    std::chrono::milliseconds daily_reset{0};
};

/// Counts the requests of one app on one resource. Time is what the caller says it is.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class meter {
public:
    using duration = std::chrono::nanoseconds;

    /// See `limiter` for the first four; `daily_limit` requests pass per `day`, which begins with
    /// the first request after the last day ended.
    meter(
        limiter_kind kind,
        std::uint32_t max,
        std::chrono::milliseconds interval,
        duration phase,
        std::uint64_t daily_limit,
        std::chrono::milliseconds day)
        : window_(kind, max, interval, phase),
          interval_(interval),
          daily_limit_(daily_limit),
          day_(day) {}

    /// Judges a request that arrives now and counts it. A request that is going to be answered
    /// whatever the verdict is, is no refusal to the statistics.
    quota_reading charge(duration now, bool answered_anyway = false) {
        turn_day(now);
        verdict v{false, last_used_};
        auto const day_over = daily_used_ >= daily_limit_;
        // A day that is used up refuses before the window is asked, so the window stays as it was.
        if (!day_over) v = window_.arrive(now);
        last_used_ = v.used;
        if (v.accepted) {
            ++daily_used_;
            count(now);
        } else if (!answered_anyway) {
            ++stats_.refused;
            if (day_over) ++stats_.refused_daily;
        }
        auto reading = look(now);
        reading.accepted = v.accepted;
        reading.daily = day_over;
        return reading;
    }

    /// What the headers would tell without a request.
    [[nodiscard]] quota_reading look(duration now) const {
        quota_reading reading;
        reading.max = window_.max();
        reading.remaining = window_.max() - std::min(window_.max(), last_used_);
        reading.interval = interval_;
        reading.daily_limit = daily_limit_;
        reading.daily_remaining = daily_limit_ - std::min(daily_limit_, daily_used_);
        auto const end = day_start_ ? *day_start_ + day_ : now + day_;
        reading.daily_reset = std::max(std::chrono::ceil<std::chrono::milliseconds>(end - now), {});
        return reading;
    }

    /// Changes the limits in mid-run.
    void reconfigure(std::uint32_t max, std::chrono::milliseconds interval) {
        window_.reconfigure(max, interval);
        interval_ = interval;
        recent_.clear(); // what was most in the old window says nothing about the new one
    }

    /// Sets what is left of the day.
    void set_daily_remaining(std::uint64_t remaining, duration now) {
        turn_day(now);
        daily_used_ = daily_limit_ - std::min(daily_limit_, remaining);
    }

    /// What was counted; `app` and `resource` are the caller's to fill in.
    [[nodiscard]] bucket_stats stats() const {
        auto s = stats_;
        s.max = window_.max();
        s.interval = interval_;
        s.daily_remaining = daily_limit_ - std::min(daily_limit_, daily_used_);
        return s;
    }
    void reset_stats() {
        stats_ = bucket_stats();
        recent_.clear();
    }

private:
    void turn_day(duration now) {
        if (day_start_ && now < *day_start_ + day_) return;
        day_start_ = now;
        daily_used_ = 0;
    }
    void count(duration now) {
        if (stats_.accepted++ == 0) first_accepted_ = now;
        stats_.elapsed = now - first_accepted_;
        while (!recent_.empty() && recent_.front() <= now - interval_)
            recent_.pop_front();
        recent_.push_back(now);
        stats_.max_in_window =
            std::max(stats_.max_in_window, static_cast<std::uint32_t>(recent_.size()));
    }

    limiter window_;
    std::chrono::milliseconds interval_;
    std::uint64_t daily_limit_;
    duration day_;
    std::optional<duration> day_start_;
    std::uint64_t daily_used_ = 0;
    std::uint32_t last_used_ = 0;
    duration first_accepted_{0};
    std::deque<duration> recent_;
    bucket_stats stats_;
};

} // namespace highlevel::sandbox
