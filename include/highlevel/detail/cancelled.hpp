// SPDX-License-Identifier: BSL-1.0
//
// Whether a coroutine is to end: what a cancellation looks like to one that is still running.
#pragma once

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>

namespace highlevel::detail {

/// Whether a coroutine was cancelled, in a way that it lets through: terminal cancellation, unless
/// it asked for others. Asio throws of it at the next co_await, unless the coroutine asked it not
/// to.
[[nodiscard]] inline bool cancelled(const boost::asio::cancellation_state& stop) noexcept {
    return stop.cancelled() != boost::asio::cancellation_type::none;
}

} // namespace highlevel::detail
