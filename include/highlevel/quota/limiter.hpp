// SPDX-License-Identifier: BSL-1.0
//
// The awaitable limiter: queues before many buckets, one timer for all of them, and permits that
// tell the bucket how their request ended.
#pragma once

#include <highlevel/detail/share.hpp>
#include <highlevel/quota/bucket.hpp>
#include <highlevel/quota/detail/limiter_core.hpp>
#include <highlevel/quota/error.hpp>
#include <highlevel/quota/headers.hpp>
#include <highlevel/quota/lane.hpp>
#include <highlevel/quota/limits.hpp>
#include <highlevel/quota/time_source.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/error_code.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace highlevel::quota {

/// The right to send one request of a bucket, once.
///
/// It must be ended: by `settle` when a response came, whatever it says; by `lost` when none will
/// come although something may have been sent; by `unsent` when surely nothing was. Destruction of
/// a permit that was not ended counts as `lost`, the safe assumption. An ended or moved-from permit
/// is empty, and ending it again does nothing. A permit may outlive its limiter.
///
/// Take it as late as possible, when the connection is at hand, and once per attempt: redirects and
/// retries need their own.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class permit {
public:
    permit() noexcept = default;
    permit(permit&& other) noexcept
        : core_(other.core_),
          home_(std::exchange(other.home_, nullptr)),
          ticket_(other.ticket_) {}
    permit& operator=(permit&& other) noexcept {
        if (this != &other) {
            lost();
            core_ = other.core_;
            home_ = std::exchange(other.home_, nullptr);
            ticket_ = other.ticket_;
        }
        return *this;
    }
    ~permit() { lost(); }

    /// Whether it still has to be ended.
    [[nodiscard]] explicit operator bool() const noexcept { return home_ != nullptr; }

    /// A response came. `headers` are its rate limit headers (empty ones are fine), `status` its
    /// HTTP status; a 429 makes the bucket pause, at least for `retry_after` if the server said so.
    void settle(
        const rate_headers& headers,
        unsigned status,
        std::optional<std::chrono::milliseconds> retry_after = {}) noexcept {
        if (auto* const home = std::exchange(home_, nullptr); home != nullptr)
            core_->settle(*home, ticket_, headers, status, retry_after);
    }

    /// The response is lost, by a time-out, a broken connection or cancellation after the first
    /// byte: the request may have been counted, or may still be.
    void lost() noexcept {
        if (auto* const home = std::exchange(home_, nullptr); home != nullptr)
            core_->lost(*home, ticket_);
    }

    /// Surely no byte left this process: the permit goes to the next in the queue.
    void unsent() noexcept {
        if (auto* const home = std::exchange(home_, nullptr); home != nullptr)
            core_->unsent(*home, ticket_);
    }

private:
    friend class limiter;
    permit(detail::limiter_core& core, detail::entry& home, const bucket::ticket& ticket) noexcept
        : core_(&core),
          home_(&home),
          ticket_(ticket) {}

    detail::limiter_core* core_ = nullptr; // lives as long as a permit is out
    detail::entry* home_ = nullptr;
    bucket::ticket ticket_;
};

/// How a permit is to be acquired. Trivially destructible, so that it can be written in place
/// inside a co_await expression (g++ 12.2 destroys other aggregates twice there).
struct acquire_options {
    /// Which queue to wait in.
    quota::lane lane = quota::lane::interactive;
    /// Until when the permit is of use; max(): without end. A call that cannot have it by then as
    /// things stand (those before it waiting as long as their own deadlines let them, and using
    /// what they get) fails at once, others at that time, both with errc::deadline_too_soon.
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
    /// Wait however long it takes: over the deadline, and over the end of the day's budget.
    bool wait_past_deadline = false;
    /// This attempt was refused with 429 before: it goes before those of its lane that were not,
    /// behind those that were, and its lane is never too full for it.
    bool retry = false;
};

static_assert(std::is_trivially_destructible_v<acquire_options>);

/// A permit, or why there is none.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class acquire_result {
public:
    acquire_result() noexcept = default;

    /// Whether there is a permit.
    [[nodiscard]] explicit operator bool() const noexcept { return !error_; }
    /// Why not: a `quota::errc`, or `asio::error::operation_aborted` after cancellation or
    /// shutdown.
    [[nodiscard]] const boost::system::error_code& error() const noexcept { return error_; }
    /// After how long the permit could have been had, as far as that can be told; for
    /// `daily_exhausted`: when to ask again.
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry_in() const noexcept {
        return retry_in_;
    }
    /// The permit; empty if there is none.
    [[nodiscard]] quota::permit& permit() & noexcept { return permit_; }
    [[nodiscard]] quota::permit&& permit() && noexcept { return std::move(permit_); }

private:
    friend class limiter;
    boost::system::error_code error_;
    std::optional<std::chrono::milliseconds> retry_in_;
    quota::permit permit_;
};

/// Gives permits for the requests of many buckets, one bucket per resource.
///
/// Calls wait in two queues per bucket (`quota::lane`), first come, first served; a limiter has one
/// timer for all of them. Every completion goes through the executor of the coroutine that waits,
/// never directly. Buckets come to be on first use and are forgotten when they do not matter any
/// more.
///
/// Thread safety: distinct objects: safe; shared objects: safe, but for destruction. It must be
/// shut down or destroyed before its execution context, and before that of any coroutine that
/// waits.
class limiter {
public:
    /// `executor` runs the timer. `time` is for tests; null: the steady clock. Throws
    /// `std::invalid_argument` if the options cannot be used.
    explicit limiter(
        boost::asio::any_io_executor executor,
        limits options = {},
        std::shared_ptr<time_source> time = nullptr)
        : core_(highlevel::detail::share<detail::limiter_core>(
              std::move(executor), std::move(options), std::move(time))) {
        core_->start();
    }
    limiter(const limiter&) = delete;
    limiter& operator=(const limiter&) = delete;
    /// Shuts down.
    ~limiter() { core_->shutdown(); }

    /// A permit if one is free and nobody waits for it; does not wait. Once the bucket is there it
    /// allocates only where a ledger is to hear of it, where bulk work that waits has the next
    /// turn, and where more than 255 requests fall into a 128th of the interval. Throws
    /// `std::bad_alloc`.
    [[nodiscard]] std::optional<permit> try_acquire(std::string_view resource, quota::lane lane) {
        auto const o = core_->attempt(resource, lane, false, false, detail::never, false);
        if (!o.ticket.open()) return std::nullopt;
        return permit{*core_, *o.home, o.ticket};
    }

    /// Waits for a permit.
    ///
    /// `resource` is read before the first suspension. Honours terminal (and weaker) per-operation
    /// cancellation: the result is then `operation_aborted`, and whatever was granted meanwhile is
    /// given back. Errors come in the result; nothing is thrown but `std::bad_alloc` and what Asio
    /// throws when a cancelled coroutine waits again.
    [[nodiscard]] boost::asio::awaitable<acquire_result> acquire(
        std::string_view resource, acquire_options options);

    class acquisition;

    /// How the bucket of a resource looks now. If it is not known, what would be assumed of it.
    [[nodiscard]] bucket_snapshot snapshot(std::string_view resource) const {
        return core_->snapshot(resource);
    }
    /// All known buckets, in no particular order; each as it is when its turn comes, since calls go
    /// on meanwhile.
    [[nodiscard]] std::vector<bucket_snapshot> snapshots() const { return core_->snapshots(); }

    /// Ends all waits with `operation_aborted`, and those to come. Permits that are out stay
    /// valid. May be called more than once.
    void shutdown() noexcept { core_->shutdown(); }

private:
    std::shared_ptr<detail::limiter_core> core_;
};

/// limiter::acquire() for a coroutine that waits in its own frame, where one that it awaited would
/// hold memory of its own for each that waits:
///
///     acquisition waiting{limiter, resource, options};
///     if (!waiting.ready()) {
///         co_await waiting.wait();
///         waiting.woken(co_await asio::this_coro::cancellation_state);
///     }
///     auto got = waiting.result();
///
/// What was granted and not taken is given back when it is destroyed; nobody can have sent anything
/// then. Thread safety: shared objects: unsafe.
class limiter::acquisition {
public:
    /// Has asked for nothing.
    acquisition() noexcept = default;
    /// Asks for a permit.
    acquisition(limiter& of, std::string_view resource, acquire_options options) {
        ask(of, resource, options);
    }
    acquisition(const acquisition&) = delete;
    acquisition& operator=(const acquisition&) = delete;
    ~acquisition() {
        if (w_.comes) core_->leave(*w_.home);
        if (granted()) core_->unsent(*w_.home, w_.ticket);
    }

    /// Asks for a permit. Call it before anything else, or after result(). The limiter need not
    /// live any longer than this call. Throws `std::bad_alloc`, and has asked for nothing then.
    void ask(limiter& of, std::string_view resource, acquire_options options) {
        w_.lane = options.lane;
        w_.patient = options.wait_past_deadline;
        w_.retry = options.retry;
        w_.deadline = detail::limiter_core::to_nanos(options.deadline);
        auto first = of.core_->attempt(resource, w_.lane, w_.retry, w_.patient, w_.deadline, true);
        w_.home = first.home;
        w_.comes = first.pending;
        w_.error = first.error;
        w_.retry_in = first.retry_in;
        w_.ticket = first.ticket;
        // A permit keeps the core. It need not be counted as an owner, which every call would do.
        if (w_.comes)
            core_ = of.core_;
        else
            core_ = {std::shared_ptr<void>{}, of.core_.get()};
    }

    /// Whether there is a result without a wait.
    [[nodiscard]] bool ready() const noexcept { return !w_.comes; }

    /// Whether there is a permit that result() would give.
    [[nodiscard]] bool granted() const noexcept { return w_.ticket.open(); }

    /// An operation that completes when there is a result. Call it once, if it is not ready.
    [[nodiscard]] auto wait() {
        namespace asio = boost::asio;
        return asio::async_initiate<const asio::deferred_t&, void()>(
            [this](auto handler) { park(std::move(handler)); }, asio::deferred);
    }

    /// After the wait: a coroutine that was cancelled meanwhile gives back what it was granted.
    void woken(const boost::asio::cancellation_state& stop) noexcept {
        if (stop.cancelled() == boost::asio::cancellation_type::none || !granted()) return;
        core_->unsent(*w_.home, w_.ticket);
        w_.error = boost::asio::error::operation_aborted;
    }

    /// A permit, or why there is none. Call it once for each that was asked for.
    [[nodiscard]] acquire_result result() {
        acquire_result made;
        made.error_ = w_.error;
        if (w_.retry_in >= 0)
            made.retry_in_ =
                std::chrono::ceil<std::chrono::milliseconds>(std::chrono::nanoseconds{w_.retry_in});
        if (granted()) made.permit_ = permit{*core_, *w_.home, std::exchange(w_.ticket, {})};
        return made;
    }

private:
    template <class Handler>
    void park(Handler handler) {
        namespace asio = boost::asio;
        // What is set before the waiter is queued is seen by whoever completes it.
        auto slot = asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected())
            slot.assign([core = core_.get(), w = &w_](asio::cancellation_type type) {
                if (type != asio::cancellation_type::none) core->cancel(*w);
            });
        w_.handler.keep(std::move(handler));
        w_.comes = false;
        // The coroutine may have run and ended before park() has.
        auto const core = core_;
        core->park(w_);
    }

    std::shared_ptr<detail::limiter_core> core_;
    detail::waiter w_;
};

inline boost::asio::awaitable<acquire_result> limiter::acquire(
    std::string_view resource, acquire_options options) {
    acquisition waiting{*this, resource, options};
    if (!waiting.ready()) {
        co_await waiting.wait();
        waiting.woken(co_await boost::asio::this_coro::cancellation_state);
    }
    co_return waiting.result();
}

} // namespace highlevel::quota
