// SPDX-License-Identifier: BSL-1.0
//
// Sums of times that callers give, whatever their size: a caller may ask for milliseconds::max().
#pragma once

#include <chrono>

namespace highlevel::detail {

/// `span` after `now`; without end where that is beyond what the clock can tell.
[[nodiscard]] constexpr std::chrono::steady_clock::time_point after(
    std::chrono::steady_clock::time_point now, std::chrono::milliseconds span) noexcept {
    using clock = std::chrono::steady_clock;
    constexpr auto end = clock::time_point::max();
    auto const room = std::chrono::duration_cast<std::chrono::milliseconds>(
        now.time_since_epoch() > clock::duration::zero() ? end - now : end.time_since_epoch());
    return span < room ? now + span : end;
}

/// A span for arithmetic: none of more than ten years, which comes to the same as no end.
[[nodiscard]] constexpr std::chrono::milliseconds bounded(std::chrono::milliseconds span) noexcept {
    constexpr std::chrono::milliseconds longest{std::chrono::hours{24 * 3650}};
    return span < longest ? span : longest;
}

} // namespace highlevel::detail
