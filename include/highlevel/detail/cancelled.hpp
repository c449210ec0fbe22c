// SPDX-License-Identifier: BSL-1.0
//
// Whether a coroutine is to end: what a cancellation looks like to one that is still running.
#pragma once

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>

namespace highlevel::detail {

/// Whether a coroutine was cancelled for good. Asio throws of a cancellation that came between two
/// operations, unless the coroutine asked it not to.
[[nodiscard]] inline bool cancelled(const boost::asio::cancellation_state& stop) noexcept {
    using boost::asio::cancellation_type;
    return (stop.cancelled() & cancellation_type::terminal) != cancellation_type::none;
}

} // namespace highlevel::detail
