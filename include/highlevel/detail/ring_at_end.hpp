// SPDX-License-Identifier: BSL-1.0
//
// Rings a bell when an operation ends, in whatever way: a bell that its event loop took along when
// it was destroyed would keep who waits for it for ever.
#pragma once

#include <highlevel/detail/one_shot.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <utility>

namespace highlevel::detail {

/// A completion handler, or a part of one: rings with `code` when the operation ends without an
/// error, not at all when it fails, and with operation_aborted when it is destroyed uncalled.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class ring_at_end {
public:
    ring_at_end(std::shared_ptr<one_shot> bell, boost::system::error_code code)
        : bell_(std::move(bell)),
          code_(code) {}
    ring_at_end(ring_at_end&& other) noexcept = default;
    ring_at_end& operator=(ring_at_end&&) = delete;
    ~ring_at_end() {
        if (bell_) bell_->ring(boost::asio::error::operation_aborted);
    }

    void operator()(boost::system::error_code failed) {
        if (!failed) bell_->ring(code_);
        bell_.reset();
    }

private:
    std::shared_ptr<one_shot> bell_;
    boost::system::error_code code_;
};

} // namespace highlevel::detail
