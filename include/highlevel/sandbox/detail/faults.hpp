// SPDX-License-Identifier: BSL-1.0
//
// Which request goes wrong, and how: drawn from the sandbox's seed and the request's number, so
// that a run with one connection can be repeated.
#pragma once

#include <highlevel/sandbox/detail/synthetic.hpp>
#include <highlevel/sandbox/options.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace highlevel::sandbox::detail {

/// What goes wrong with one request.
class fault {
public:
    enum class kind : std::uint8_t { none, reset, server_error, gateway_timeout, stall };

    fault() = default;

    kind what = kind::none;
    /// Whether the request is processed before it goes wrong.
    bool processed = true;
    /// Bytes of the answer that are written before a reset.
    std::size_t bytes = 0;
    /// Status of a server error.
    unsigned status = 0;
};

/// A number from 0 to below 1.
[[nodiscard]] constexpr double share(dice& d) noexcept {
    return static_cast<double>(d.next() >> 11) * 0x1.0p-53;
}

/// The fate of the request of that number.
[[nodiscard]] constexpr fault draw_fault(
    const fault_options& rates, std::uint64_t seed, std::uint64_t number) noexcept {
    fault drawn;
    dice d(scatter(seed ^ 0xfa17) ^ scatter(number));
    auto at = share(d);
    auto const how = d.below(4);
    // Whether the draw is within the next rate, of those that stand one behind the other.
    auto const within = [&](double rate) {
        bool const hit = at < rate;
        at -= rate;
        return hit;
    };
    if (within(rates.reset_rate)) {
        drawn.what = fault::kind::reset;
        drawn.processed = how != 0;
        // Every answer is longer than 100 bytes.
        if (how == 2) drawn.bytes = 1 + d.below(100);
        if (how == 3) drawn.bytes = std::numeric_limits<std::size_t>::max();
    } else if (within(rates.server_error_rate)) {
        drawn.what = fault::kind::server_error;
        drawn.processed = d.below(2) != 0;
        drawn.status = std::array{500U, 502U, 503U, 504U}[how];
    } else if (within(rates.gateway_timeout_rate)) {
        drawn.what = fault::kind::gateway_timeout;
        drawn.processed = how < 2;
    } else if (within(rates.stall_rate)) {
        drawn.what = fault::kind::stall;
        drawn.processed = how < 2;
    }
    return drawn;
}

/// How long a token of that text is good from its first use: from half of `longest` to all of it.
[[nodiscard]] constexpr std::chrono::nanoseconds token_life(
    std::chrono::nanoseconds longest, std::uint64_t seed, std::string_view text) noexcept {
    dice d(scatter(seed ^ 0x70c) ^ text_seed(text));
    return longest / 2 +
        std::chrono::nanoseconds(
               static_cast<std::int64_t>(static_cast<double>(longest.count() / 2) * share(d)));
}

} // namespace highlevel::sandbox::detail
