// SPDX-License-Identifier: BSL-1.0
//
// The six ways in which a server may mean "max requests per interval". HighLevel does not say
// which one it uses, so a client has to be right under each of them; here they are, sans-IO.
#pragma once

#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>

namespace highlevel::sandbox {

/// The window that a limiter counts requests in.
enum class limiter_kind : std::uint8_t {
    fixed,   ///< counts per window, windows aligned to the wall clock
    first,   ///< counts per window, a window begins with the first request after the last one ended
    log,     ///< exact sliding log of the accepted requests
    counter, ///< two fixed windows, the previous one weighted linearly (as edge networks do)
    bucket,  ///< token bucket of `max` tokens, refilled evenly over the interval
    gcra,    ///< generic cell rate algorithm with a burst tolerance of `max`
};

/// The name that the sandbox program's `--limiter` takes, for example "counter".
[[nodiscard]] constexpr std::string_view to_string(limiter_kind kind) noexcept {
    switch (kind) {
    case limiter_kind::fixed: return "fixed";
    case limiter_kind::first: return "first";
    case limiter_kind::log: return "log";
    case limiter_kind::counter: return "counter";
    case limiter_kind::bucket: return "bucket";
    case limiter_kind::gcra: return "gcra";
    }
    return "fixed";
}

/// The kind of that name, or nothing.
[[nodiscard]] constexpr std::optional<limiter_kind> limiter_kind_from(
    std::string_view name) noexcept {
    for (auto kind :
         {limiter_kind::fixed, limiter_kind::first, limiter_kind::log, limiter_kind::counter,
          limiter_kind::bucket, limiter_kind::gcra})
        if (to_string(kind) == name) return kind;
    return std::nullopt;
}

/// What a limiter said to one request.
class verdict {
public:
    constexpr verdict() noexcept = default;
    constexpr verdict(bool a, std::uint32_t u) noexcept : accepted(a), used(u) {}

    /// Whether the request may pass.
    bool accepted = false;
    /// How much of `max` is used up after it; `max` when it was refused.
    std::uint32_t used = 0;
};

/// One server-side limiter of a given kind: at most `max` requests per `interval`, in the sense of
/// its kind. Pure: time is what the caller says it is, and must not run backwards.
///
/// Refused requests are not counted. Thread safety: distinct objects: safe; shared objects: unsafe.
class limiter {
public:
    /// `phase` shifts the wall clock of the kinds that have one (`fixed`, `counter`): their windows
    /// begin where (now + phase) is a multiple of the interval. `max` and `interval` are positive.
    limiter(
        limiter_kind kind,
        std::uint32_t max,
        std::chrono::nanoseconds interval,
        std::chrono::nanoseconds phase = {}) noexcept
        : kind_(kind),
          max_(max),
          interval_(seconds(interval)),
          phase_(seconds(phase)) {}

    /// Judges a request that arrives at `now`, counted from any origin, and counts it if it passes.
    verdict arrive(std::chrono::nanoseconds now) {
        auto const t = seconds(now);
        switch (kind_) {
        case limiter_kind::fixed: return fixed(t);
        case limiter_kind::first: return first(t);
        case limiter_kind::log: return log(t);
        case limiter_kind::counter: return counter(t);
        case limiter_kind::bucket: return bucket(t);
        case limiter_kind::gcra: return gcra(t);
        }
        return {};
    }

    /// Changes the limits in mid-run, as a change of plan does. The kinds aligned to the clock
    /// begin a new count, because their windows move; the others keep what they know.
    void reconfigure(std::uint32_t max, std::chrono::nanoseconds interval) noexcept {
        max_ = max;
        interval_ = seconds(interval);
        if (kind_ == limiter_kind::fixed || kind_ == limiter_kind::counter) {
            window_.reset();
            current_ = previous_ = 0;
        }
    }

    [[nodiscard]] limiter_kind kind() const noexcept { return kind_; }
    [[nodiscard]] std::uint32_t max() const noexcept { return max_; }

private:
    // Doubles of seconds and this slack are those of the simulator that the client's algorithm was
    // proven in; the tests compare the two request by request.
    static constexpr double slack = 1e-9;

    static double seconds(std::chrono::nanoseconds d) noexcept {
        return std::chrono::duration<double>(d).count();
    }

    verdict refuse() const noexcept { return {false, max_}; }

    verdict fixed(double t) {
        auto const window = static_cast<std::int64_t>(std::floor((t + phase_) / interval_));
        if (window_ != window) {
            window_ = window;
            current_ = 0;
        }
        if (current_ >= max_) return refuse();
        return {true, ++current_};
    }

    verdict first(double t) {
        if (!start_ || t >= *start_ + interval_) {
            start_ = t;
            current_ = 0;
        }
        if (current_ >= max_) return refuse();
        return {true, ++current_};
    }

    verdict log(double t) {
        while (!accepted_.empty() && accepted_.front() <= t - interval_)
            accepted_.pop_front();
        if (accepted_.size() >= max_) return refuse();
        accepted_.push_back(t);
        return {true, static_cast<std::uint32_t>(accepted_.size())};
    }

    verdict counter(double t) {
        auto const position = (t + phase_) / interval_;
        auto const window = static_cast<std::int64_t>(std::floor(position));
        if (!window_) window_ = window;
        if (*window_ != window) {
            previous_ = window == *window_ + 1 ? current_ : 0;
            current_ = 0;
            window_ = window;
        }
        auto const elapsed = position - static_cast<double>(window);
        auto const estimate = previous_ * (1 - elapsed) + current_ + 1;
        if (estimate > max_ + slack) return refuse();
        ++current_;
        auto const used = std::ceil(estimate - slack);
        return {true, used < max_ ? static_cast<std::uint32_t>(used) : max_};
    }

    verdict bucket(double t) {
        auto const full = static_cast<double>(max_);
        tokens_ = start_ ? std::fmin(full, tokens_ + (t - *start_) * full / interval_) : full;
        start_ = t;
        if (tokens_ < 1 - slack) return refuse();
        tokens_ -= 1;
        return {true, max_ - static_cast<std::uint32_t>(std::floor(tokens_ + slack))};
    }

    verdict gcra(double t) {
        auto const emission = interval_ / max_;
        auto const arrival = (start_ && *start_ > t ? *start_ : t) + emission;
        if (t < arrival - emission * max_ - slack) return refuse();
        start_ = arrival;
        // The simulator's slack for this division is a thousand times the other one.
        auto const left = std::floor((emission * max_ - (arrival - t)) / emission + 1e-6);
        return {true, max_ - static_cast<std::uint32_t>(left)};
    }

    limiter_kind kind_;
    std::uint32_t max_;
    double interval_;
    double phase_;
    std::optional<std::int64_t> window_;
    std::uint32_t current_ = 0;
    std::uint32_t previous_ = 0;
    // Start of the window, time of the last refill, or theoretical arrival time, by kind.
    std::optional<double> start_;
    double tokens_ = 0;
    std::deque<double> accepted_;
};

} // namespace highlevel::sandbox
