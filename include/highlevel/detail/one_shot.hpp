// SPDX-License-Identifier: BSL-1.0
//
// A bell for one waiting coroutine that any thread may ring once: the one way in which coroutines
// of the library wait for each other, so that cancelling works in one place.
#pragma once

#include <highlevel/detail/parked.hpp>

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/error_code.hpp>

#include <memory>
#include <mutex>
#include <utility>

namespace highlevel::detail {

namespace asio = boost::asio;
using boost::system::error_code;

/// One waiter, woken once by ring(), by terminal cancellation, or at once when it comes late.
///
/// What was waited for lies elsewhere; the code only says who rang first. The waiter is resumed
/// through its own executor, never inside ring(). Thread safety: shared objects: safe.
class one_shot : public std::enable_shared_from_this<one_shot> {
public:
    one_shot() = default;
    one_shot(const one_shot&) = delete;
    one_shot& operator=(const one_shot&) = delete;

    /// Wakes the waiter with `code`; only the first call counts.
    void ring(error_code code = {}) {
        std::lock_guard const lock{mutex_};
        if (rung_) return;
        rung_ = true;
        code_ = code;
        if (handler_) handler_.post(code_);
    }

    /// Completes with the code of the first ring(), or operation_aborted after cancellation.
    /// At most one wait per object; the object keeps itself alive while it is waited on.
    template <class Token>
    auto async_wait(Token&& token) {
        return asio::async_initiate<Token, void(error_code)>(
            [](auto handler, std::shared_ptr<one_shot> self) { self->begin(std::move(handler)); },
            token, shared_from_this());
    }

    /// The same for a coroutine, whose frame the operation becomes a part of: with a token it would
    /// have one of its own. The coroutine keeps the bell; code() says what it was rung with.
    [[nodiscard]] auto wait() {
        return asio::async_initiate<const asio::deferred_t&, void()>(
            [this](auto handler) {
                // The coroutine may have run and let the bell go before begin() has ended.
                auto const self = shared_from_this();
                self->begin(std::move(handler));
            },
            asio::deferred);
    }

    /// What it was rung with, for who has waited.
    [[nodiscard]] const error_code& code() const noexcept { return code_; }

private:
    template <class Handler>
    void begin(Handler handler) {
        std::lock_guard const lock{mutex_};
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (!rung_ && slot.is_connected()) {
            slot.assign([weak = weak_from_this()](asio::cancellation_type type) {
                if ((type & asio::cancellation_type::terminal) == asio::cancellation_type::none)
                    return;
                if (auto self = weak.lock()) self->ring(asio::error::operation_aborted);
            });
        }
        handler_.keep(std::move(handler));
        if (rung_) handler_.post(code_);
    }

    std::mutex mutex_;
    parked handler_; // not kept once it is posted: the bell may outlive the waiter's context
    error_code code_;
    bool rung_ = false;
};

} // namespace highlevel::detail
