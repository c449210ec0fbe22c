// SPDX-License-Identifier: BSL-1.0
//
// The two queues before a bucket: calls that somebody waits for, and work that may take its time.
#pragma once

#include <cstdint>
#include <string_view>

namespace highlevel::quota {

/// Which queue a call waits in.
enum class lane : std::uint8_t {
    /// Somebody waits for the result. May use the whole limit and goes before bulk work.
    interactive,
    /// Exports, synchronisation, batches: takes what is left above `limits::reserve`, and never
    /// starves completely (`limits::bulk_turn`).
    bulk,
};

/// The enumerator's name.
[[nodiscard]] constexpr std::string_view to_string(lane l) noexcept {
    return l == lane::interactive ? "interactive" : "bulk";
}

} // namespace highlevel::quota
