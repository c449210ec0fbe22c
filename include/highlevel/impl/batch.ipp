// SPDX-License-Identifier: BSL-1.0
//
// Runs a batch: workers that take items while there are any, on a strand, until all have ended.
#pragma once

#include <highlevel/detail/batch_core.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>

namespace highlevel::detail {

using batch_strand = asio::strand<asio::any_io_executor>;

/// Counts a worker out when its completion handler goes, also with the context; until then the
/// handler's cancellation slot is in use.
class worker_mark {
public:
    explicit worker_mark(std::shared_ptr<batch_base> s) : state_(std::move(s)) {}
    worker_mark(worker_mark&&) noexcept = default;
    worker_mark& operator=(worker_mark&&) = delete;
    ~worker_mark() {
        if (state_) state_->worker_ended();
    }

private:
    std::shared_ptr<batch_base> state_;
};

template <class Batch>
void start_worker(const std::shared_ptr<Batch>& s, const batch_strand& strand);

/// Works off items until there are none, or the batch stops.
template <class Batch>
asio::awaitable<void> work(std::shared_ptr<Batch> state, batch_strand strand) {
    auto& s = *state;
    while (!s.stopping) {
        std::unique_ptr<batch_item> taken;
        try {
            taken = s.take();
        } catch (...) {
            s.report.range_failure = std::current_exception();
        }
        if (s.report.range_failure) s.stopping = true;
        if (!taken) {
            s.report.exhausted = !s.report.range_failure;
            break;
        }
        auto const index = s.report.started++;
        // One worker more for each item that has come, not all at once: their number may be asked
        // for as "as many as there are". After this one has begun, so that items begin in order.
        if (s.running < s.workers) {
            ++s.running;
            asio::post(strand, [state, strand] { start_worker(state, strand); });
        }
        std::exception_ptr thrown;
        try {
            co_await taken->run(index);
        } catch (...) {
            thrown = std::current_exception();
        }
        taken->release();
        if (!thrown) {
            ++s.report.succeeded;
            s.settled.complete(index);
            continue;
        }
        ++s.report.failed;
        if (s.report.failures.size() < s.options.keep_failures)
            s.report.failures.emplace_back(index, thrown);
        // A failure that stops the batch is work that is left to do, as is what was cancelled.
        if (s.options.failures == on_failure::stop)
            s.stopping = true;
        else if (!s.report.cancelled)
            s.settled.complete(index);
    }
}

template <class Batch>
void start_worker(const std::shared_ptr<Batch>& s, const batch_strand& strand) {
    asio::co_spawn(
        strand, work(s, strand),
        asio::bind_cancellation_slot(
            s->signals.emplace_back().slot(),
            [mark = worker_mark{s}](const std::exception_ptr&) {}));
}

template <class Batch>
asio::awaitable<batch_report> run_batch(std::shared_ptr<Batch> s, std::size_t concurrency) {
    s->workers = std::min(std::max<std::size_t>(concurrency, 1), s->bound());
    s->set_concurrency(s->workers);
    batch_strand const strand = asio::make_strand(co_await asio::this_coro::executor);
    if (s->workers == 0) {
        s->report.exhausted = true;
        co_return std::move(s->report);
    }
    // A caller that was cancelled and does not let that throw would otherwise run everything.
    auto const cancellation = co_await asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != asio::cancellation_type::none) {
        s->report.cancelled = true;
        co_return std::move(s->report);
    }
    s->running = 1;
    asio::post(strand, [s, strand] { start_worker(s, strand); });
    auto const done = s->ended_or_cancelled;
    co_await done->wait();
    if (done->code()) {
        asio::post(strand, [s] {
            // The last worker has ended meanwhile, and the report is the caller's.
            if (s->running == 0) return;
            s->stopping = true;
            s->report.cancelled = true;
            for (auto& signal : s->signals)
                signal.emit(asio::cancellation_type::terminal);
        });
        // The caller is cancelled, so that suspending would throw; but nothing may be left running
        // that uses the caller's range.
        auto const throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        auto const ended = s->ended;
        error_code ec;
        co_await ended->async_wait(asio::bind_cancellation_slot(
            asio::cancellation_slot{}, asio::redirect_error(asio::use_awaitable, ec)));
        co_await asio::this_coro::throw_if_cancelled(throws);
        s->report.cancelled = true;
    }
    s->report.settled_before = s->settled.value();
    co_return std::move(s->report);
}

#if defined(HIGHLEVEL_SEPARATE_COMPILATION)
template asio::awaitable<batch_report> run_batch(std::shared_ptr<batch_base>, std::size_t);
#endif

} // namespace highlevel::detail
