// SPDX-License-Identifier: BSL-1.0
//
// How the library wakes what waits. In one place and of one type, because each type of handler that
// is erased or posted costs a compiler two hundred functions.
#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <utility>

namespace highlevel::detail {

/// What is called when a wait ends.
using waiting_handler = boost::asio::any_completion_handler<void(boost::system::error_code)>;

/// What a wait of a coroutine ends with: of an error code Asio would make an exception. The code
/// stays with what was waited on.
class rung {
public:
    rung() noexcept = default;
    rung(const boost::system::error_code&) noexcept {}
};

/// Calls the handler through the executor, never inside this call.
inline void resume(
    const boost::asio::any_io_executor& executor,
    waiting_handler handler,
    boost::system::error_code code = {}) {
    boost::asio::post(
        executor, [handler = std::move(handler), code]() mutable { std::move(handler)(code); });
}

} // namespace highlevel::detail
