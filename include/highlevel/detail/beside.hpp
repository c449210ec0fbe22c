// SPDX-License-Identifier: BSL-1.0
//
// Work that runs beside the coroutine that waits for it: for functions of a caller's, which may not
// end when they should. Whoever waits has a deadline and can be cancelled, and then leaves the
// work.
#pragma once

#include <highlevel/detail/listen.hpp>
#include <highlevel/detail/one_shot.hpp>
#include <highlevel/detail/ring_at_end.hpp>
#include <highlevel/error.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <utility>

namespace highlevel::detail {

/// A coroutine beside the one that waits for it.
///
/// The work must keep what it uses: it may go on for as long as it likes after it was left. It runs
/// on a strand, so that it can be cancelled from any thread. Thread safety: shared objects: safe,
/// but for what the work gives, thrown() too, which is there when wait() has given success.
class side_work : public std::enable_shared_from_this<side_work> {
public:
    side_work() = default;
    side_work(const side_work&) = delete;
    side_work& operator=(const side_work&) = delete;

    /// Begins the work, but not at once, here. Call it once.
    void start(const asio::any_io_executor& executor, asio::awaitable<void> work) {
        strand_ = asio::make_strand(executor);
        // All that Asio does with the work's executor happens on the strand: it counts who has it
        // with fences, which ThreadSanitizer does not understand.
        asio::post(
            strand_,
            [self = shared_from_this(), work = std::move(work),
             end = ring_at_end{bell_, {}}]() mutable {
                auto const slot = self->signal_.slot();
                asio::co_spawn(
                    self->strand_, std::move(work),
                    asio::bind_cancellation_slot(
                        slot, [self, end = std::move(end)](std::exception_ptr thrown) mutable {
                            self->thrown_ = std::move(thrown);
                            self->signal_.slot().clear(); // there is nothing to cancel any more
                            end({});
                        }));
            });
    }

    /// Cancels work that was started.
    void cancel() {
        asio::post(strand_, [self = shared_from_this()] {
            self->signal_.emit(asio::cancellation_type::terminal);
        });
    }

    /// Waits until the work has ended: success, whatever it threw. Otherwise it is cancelled and
    /// left: errc::timeout at the deadline; operation_aborted when the waiting coroutine was
    /// cancelled; or what somebody else rang the bell with. Work that is destroyed before it ends
    /// counts as cancelled. Call it once, after start(). Throws as listen() does.
    [[nodiscard]] asio::awaitable<error_code> wait(std::chrono::steady_clock::time_point deadline) {
        class leaver {
        public:
            explicit leaver(side_work& work) : work_(&work) {}
            leaver(const leaver&) = delete;
            leaver& operator=(const leaver&) = delete;
            ~leaver() {
                if (work_ != nullptr) work_->cancel();
            }
            void stay() noexcept { work_ = nullptr; }

        private:
            side_work* work_;
        };
        auto const self = shared_from_this();
        leaver guard{*this};
        auto const ec = co_await listen(bell_, deadline, make_error_code(errc::timeout));
        if (!ec) guard.stay();
        co_return ec;
    }

    /// What rings when the work has ended; to ring it before makes wait() leave.
    [[nodiscard]] const std::shared_ptr<one_shot>& bell() const noexcept { return bell_; }

    /// What the work threw, or null.
    [[nodiscard]] const std::exception_ptr& thrown() const noexcept { return thrown_; }

private:
    std::shared_ptr<one_shot> bell_ = std::make_shared<one_shot>();
    std::exception_ptr thrown_;
    asio::cancellation_signal signal_;
    asio::any_io_executor strand_;
};

} // namespace highlevel::detail
