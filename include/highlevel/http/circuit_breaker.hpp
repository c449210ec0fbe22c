// SPDX-License-Identifier: BSL-1.0
//
// Stops a client from hammering a server that cannot be reached. It is told what happened and when,
// and never reads a clock.
#pragma once

#include <highlevel/detail/deadline.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

namespace highlevel::http {

/// Opens after a number of connect failures in a row; then, after a pause, lets one attempt through
/// as a probe. A probe that fails doubles the pause, any success closes the circuit.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class circuit_breaker {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// The answer to who wants to connect; to be handed back with what came of it.
    enum class ticket : std::uint8_t {
        /// Do not connect; retry_in() says when to ask again.
        refused,
        /// Connect.
        ordinary,
        /// Connect; everybody else waits for what comes of it.
        probe,
    };

    /// `threshold` failures in a row open the circuit, 0: it never opens. `pause` is the first
    /// pause, `max_pause` the longest.
    circuit_breaker(
        unsigned threshold,
        std::chrono::milliseconds pause,
        std::chrono::milliseconds max_pause) noexcept
        : threshold_(threshold),
          first_pause_(highlevel::detail::bounded(pause)),
          max_pause_(highlevel::detail::bounded(max_pause)),
          pause_(first_pause_) {}

    /// Whether admit() would let someone through now.
    [[nodiscard]] bool admits(time_point now) const noexcept {
        return !open_ || (!probing_ && now >= until_);
    }

    [[nodiscard]] ticket admit(time_point now) noexcept {
        if (!open_) return ticket::ordinary;
        if (probing_ || now < until_) return ticket::refused;
        probing_ = true;
        return ticket::probe;
    }

    /// The connection was opened.
    void succeeded() noexcept {
        open_ = false;
        probing_ = false;
        failures_ = 0;
        pause_ = first_pause_;
    }

    /// The connection could not be opened.
    void failed(ticket t, time_point now) noexcept {
        ++failures_;
        if (t == ticket::probe && open_) {
            probing_ = false;
            pause_ = std::min(2 * pause_, max_pause_);
            until_ = now + pause_;
        } else if (!open_ && threshold_ != 0 && failures_ >= threshold_) {
            open_ = true;
            until_ = now + pause_;
        }
    }

    /// The attempt was broken off, which says nothing about the server.
    void abandoned(ticket t) noexcept {
        if (t == ticket::probe) probing_ = false;
    }

    [[nodiscard]] bool open() const noexcept { return open_; }
    /// Failures since the last success.
    [[nodiscard]] unsigned failures() const noexcept { return failures_; }

    /// When it is worth asking again; while a probe is under way, the time of one more pause.
    [[nodiscard]] std::chrono::milliseconds retry_in(time_point now) const noexcept {
        if (!open_) return {};
        if (now >= until_) return pause_;
        return std::chrono::ceil<std::chrono::milliseconds>(until_ - now);
    }

private:
    unsigned threshold_;
    std::chrono::milliseconds first_pause_;
    std::chrono::milliseconds max_pause_;
    std::chrono::milliseconds pause_;
    time_point until_{};
    unsigned failures_ = 0;
    bool open_ = false;
    bool probing_ = false;
};

} // namespace highlevel::http
