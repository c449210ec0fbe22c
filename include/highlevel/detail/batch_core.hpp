// SPDX-License-Identifier: BSL-1.0
//
// How batches run: where the next item comes from, how many are under way, and what is known when
// they end.
#pragma once

#include <highlevel/batch_report.hpp>
#include <highlevel/call_options.hpp>
#include <highlevel/client.hpp>
#include <highlevel/error.hpp>
#include <highlevel/http/one_shot.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

namespace highlevel::detail {

/// Refuses what g++ 12 would destroy twice when it is written inside a co_await expression.
template <class Argument>
constexpr void check_batch_argument() {
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ <= 12
    using type = std::remove_cvref_t<Argument>;
    // The bug takes closures with captures for aggregates; the language does not, but tells them by
    // their lack of a default constructor.
    static_assert(
        std::is_lvalue_reference_v<Argument> || std::is_trivially_destructible_v<type> ||
            (!std::is_aggregate_v<type> && std::is_default_constructible_v<type>),
        "g++ 12 destroys this temporary twice inside co_await: give the lambda (or the aggregate) "
        "a "
        "name first, or let the lambda capture by reference");
#endif
}

/// Whether an item stays where it is while others are taken.
template <class Range>
concept stable_range = std::ranges::forward_range<Range> &&
    std::is_lvalue_reference_v<std::ranges::range_reference_t<Range>>;

/// An item on its way: where it lies, or itself.
template <class Range>
class taken_item {
public:
    taken_item(std::ranges::range_reference_t<Range> item, std::size_t from)
        : group(from),
          held_(hold(std::forward<std::ranges::range_reference_t<Range>>(item))) {}

    [[nodiscard]] auto& get() noexcept {
        if constexpr (stable_range<Range>)
            return *held_;
        else
            return held_;
    }

    std::size_t group;

private:
    static auto hold(std::ranges::range_reference_t<Range> item) {
        if constexpr (stable_range<Range>)
            return std::addressof(item);
        else
            return std::ranges::range_value_t<Range>(
                std::forward<std::ranges::range_reference_t<Range>>(item));
    }

    decltype(hold(std::declval<std::ranges::range_reference_t<Range>>())) held_;
};

/// Calls `fn` with an item, and with its index if it takes one.
template <class F, class Item>
auto invoke_item(F& fn, Item& item, std::uint64_t index) {
    if constexpr (std::invocable<F&, Item&, std::uint64_t>)
        return fn(item, index);
    else if constexpr (std::invocable<F&, Item&>)
        return fn(item);
    else
        return fn(std::move(item));
}

/// The items of one range in order.
template <class Range>
class range_source {
public:
    using range_type = std::remove_reference_t<Range>;
    using item = taken_item<range_type>;

    explicit range_source(Range&& range) : range_(hold(range)) {}

    /// The next item; nothing at the end.
    std::optional<item> take() {
        if (!at_) at_.emplace(std::ranges::begin(get()));
        if (*at_ == std::ranges::end(get())) return std::nullopt;
        // A generator may make the next item only when asked for it: not before it is needed.
        std::optional<item> made;
        made.emplace(**at_, 0);
        ++*at_;
        return made;
    }
    void release(const item& /*done*/) noexcept {}

    /// At most that many workers have something to do.
    [[nodiscard]] std::size_t bound() const {
        if constexpr (std::ranges::sized_range<const range_type>)
            return static_cast<std::size_t>(std::ranges::size(get()));
        else
            return std::numeric_limits<std::size_t>::max();
    }

    template <class F>
    static auto invoke(F& fn, item& of, std::uint64_t index) {
        return invoke_item(fn, of.get(), index);
    }

private:
    static auto hold(Range& range) {
        if constexpr (std::is_lvalue_reference_v<Range>)
            return std::addressof(range);
        else
            return std::make_unique<range_type>(std::move(range));
    }
    // Behind a pointer either way: iterators stay valid when the source is moved.
    [[nodiscard]] range_type& get() const noexcept { return *range_; }

    decltype(hold(std::declval<Range&>())) range_;
    std::optional<std::ranges::iterator_t<range_type>> at_;
};

/// The items of several ranges, by turns and by shares.
template <class Groups>
class fair_source {
public:
    using range_type = std::remove_reference_t<std::ranges::range_reference_t<Groups>>;
    using item = taken_item<range_type>;

    explicit fair_source(Groups& groups) {
        static_assert(
            std::is_lvalue_reference_v<std::ranges::range_reference_t<Groups>>,
            "the groups must be ranges that lie somewhere, not made on the way");
        for (auto& range : groups)
            groups_.emplace_back(range);
        live_ = groups_.size();
    }

    void set_concurrency(std::size_t n) noexcept { concurrency_ = n; }

    std::optional<item> take() {
        while (live_ != 0) {
            // Rounded up: whenever a worker is free, some group is below its share.
            auto const share = (concurrency_ + live_ - 1) / live_;
            bool ended = false;
            for (std::size_t i = 0; i < groups_.size() && !ended; ++i) {
                auto const number = turn_;
                turn_ = turn_ + 1 == groups_.size() ? 0 : turn_ + 1;
                auto& group = groups_[number];
                if (group.ended || group.under_way >= share) continue;
                if (group.at == std::ranges::end(*group.range)) {
                    group.ended = true;
                    --live_;
                    ended = true; // the shares have grown
                    continue;
                }
                std::optional<item> made;
                made.emplace(*group.at, number);
                ++group.at;
                ++group.under_way;
                return made;
            }
            if (!ended) return std::nullopt;
        }
        return std::nullopt;
    }
    void release(const item& done) noexcept { --groups_[done.group].under_way; }

    [[nodiscard]] static std::size_t bound() noexcept {
        return std::numeric_limits<std::size_t>::max();
    }

    template <class F>
    static auto invoke(F& fn, item& of, std::uint64_t index) {
        if constexpr (std::invocable<F&, decltype(of.get()), std::size_t, std::uint64_t>)
            return fn(of.get(), of.group, index);
        else
            return fn(of.get(), of.group);
    }

private:
    class member_range {
    public:
        explicit member_range(range_type& of) : range(&of), at(std::ranges::begin(of)) {}

        range_type* range;
        std::ranges::iterator_t<range_type> at;
        std::size_t under_way = 0;
        bool ended = false;
    };

    std::deque<member_range> groups_;
    std::size_t live_ = 0;
    std::size_t turn_ = 0;
    std::size_t concurrency_ = 1;
};

/// A batch under way. Lives as long as its coroutines; used on its strand only, until the bells.
template <class Source, class F>
class batch_state {
public:
    template <class Fn>
    batch_state(Source from, Fn&& call, batch_options how)
        : source(std::move(from)),
          fn(std::forward<Fn>(call)),
          options(how) {}

    Source source;
    F fn;
    batch_options options;
    batch_report report;
    watermark settled;
    /// What taking an item threw.
    std::exception_ptr source_failure;
    bool stopping = false;
    std::size_t running = 0;
    std::deque<asio::cancellation_signal> signals;
    /// Rung when nothing runs any more; the first also by the cancellation of the caller.
    std::shared_ptr<http::detail::one_shot> ended_or_cancelled =
        std::make_shared<http::detail::one_shot>();
    std::shared_ptr<http::detail::one_shot> ended = std::make_shared<http::detail::one_shot>();

    void worker_ended() {
        if (--running != 0) return;
        ended_or_cancelled->ring();
        ended->ring();
    }
};

/// Counts a worker out when its completion handler goes, also with the context; until then the
/// handler's cancellation slot is in use.
template <class State>
class worker_mark {
public:
    explicit worker_mark(std::shared_ptr<State> s) : state_(std::move(s)) {}
    worker_mark(worker_mark&&) noexcept = default;
    worker_mark& operator=(worker_mark&&) = delete;
    ~worker_mark() {
        if (state_) state_->worker_ended();
    }

private:
    std::shared_ptr<State> state_;
};

/// Works off items until there are none, or the batch stops.
template <class State>
asio::awaitable<void> work(std::shared_ptr<State> state) {
    auto& s = *state;
    while (!s.stopping) {
        std::optional<typename decltype(s.source)::item> taken;
        try {
            taken = s.source.take();
        } catch (...) {
            s.source_failure = std::current_exception();
        }
        if (s.source_failure) s.stopping = true;
        if (!taken) {
            if (!s.source_failure) s.report.exhausted = true;
            break;
        }
        auto const index = s.report.started++;
        std::exception_ptr thrown;
        try {
            (void)co_await s.source.invoke(s.fn, *taken, index);
        } catch (...) {
            thrown = std::current_exception();
        }
        s.source.release(*taken);
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

template <class State>
asio::awaitable<batch_report> run_batch(std::shared_ptr<State> s, std::size_t concurrency) {
    auto const workers = std::min(std::max<std::size_t>(concurrency, 1), s->source.bound());
    if constexpr (requires { s->source.set_concurrency(workers); })
        s->source.set_concurrency(workers);
    auto const strand = asio::make_strand(co_await asio::this_coro::executor);
    if (workers == 0) {
        s->report.exhausted = true;
        co_return std::move(s->report);
    }
    s->running = workers;
    asio::post(strand, [s, strand, workers] {
        for (std::size_t i = 0; i < workers; ++i)
            asio::co_spawn(
                strand, work(s),
                asio::bind_cancellation_slot(
                    s->signals.emplace_back().slot(),
                    [mark = worker_mark<State>{s}](const std::exception_ptr&) {}));
    });
    error_code ec;
    auto const done = s->ended_or_cancelled;
    co_await done->async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (ec) {
        asio::post(strand, [s] {
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
        co_await ended->async_wait(asio::bind_cancellation_slot(
            asio::cancellation_slot{}, asio::redirect_error(asio::use_awaitable, ec)));
        co_await asio::this_coro::throw_if_cancelled(throws);
        s->report.cancelled = true;
    }
    if (s->source_failure) std::rethrow_exception(s->source_failure);
    s->report.settled_before = s->settled.value();
    co_return std::move(s->report);
}

inline asio::awaitable<batch_report> throwing(asio::awaitable<batch_report> batch) {
    auto report = co_await std::move(batch);
    if (report.cancelled)
        throw boost::system::system_error{
            make_error_code(asio::error::operation_aborted), "the batch was cancelled"};
    if (!report.failures.empty()) std::rethrow_exception(report.failures.front().thrown());
    co_return report;
}

/// The `T` of an awaitable of `T` or of `result<T>`.
template <class T>
class awaited {
public:
    using type = T;
};
template <class T>
class awaited<result<T>> {
public:
    using type = T;
};

[[nodiscard]] inline failure failure_of(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const error& e) {
        return e.failure();
    } catch (const boost::system::system_error& e) {
        failure_data data;
        data.detail = e.what();
        if (e.code() == asio::error::operation_aborted) data.cause = cause::cancelled;
        return failure{e.code(), std::move(data)};
    }
}

[[nodiscard]] inline failure not_done() {
    failure_data data;
    data.cause = cause::cancelled;
    data.detail = "the batch ended before this item";
    return failure{make_error_code(asio::error::operation_aborted), std::move(data)};
}

/// Calls a function and keeps what it gives.
template <class Source, class F>
class result_sink {
    using item = typename Source::item;
    using given =
        decltype(Source::invoke(std::declval<F&>(), std::declval<item&>(), std::uint64_t{}));
    using plain = typename given::value_type;

public:
    using value_type = typename awaited<plain>::type;
    using result_type = result<value_type>;
    static_assert(
        !std::is_void_v<value_type>,
        "map keeps what the function gives; use for_each when it gives nothing");

    explicit result_sink(F fn) : fn_(std::move(fn)) {}

    template <class T>
    asio::awaitable<void> operator()(T& value, std::uint64_t index) {
        std::exception_ptr thrown;
        std::optional<result_type> got;
        try {
            got.emplace(co_await invoke_item(fn_, value, index));
        } catch (const boost::system::system_error&) {
            thrown = std::current_exception();
        }
        if (thrown) got.emplace(failure_of(thrown));
        bool const failed = got->has_error();
        auto const at = static_cast<std::size_t>(index);
        if (results_.size() <= at) results_.resize(at + 1);
        results_[at] = std::move(got);
        // Lets the batch know, without its keeping the failure a second time.
        if (failed) throw item_failed{};
    }

    /// What thrown is besides failures of items; null when nothing is.
    [[nodiscard]] static bool is_item_failure(const std::exception_ptr& thrown) noexcept {
        try {
            std::rethrow_exception(thrown);
        } catch (const item_failed&) {
            return true;
        } catch (...) {
            return false;
        }
    }

    std::vector<result_type> take(std::size_t size) {
        std::vector<result_type> made;
        made.reserve(size);
        for (std::size_t i = 0; i < size; ++i) {
            if (i < results_.size() && results_[i])
                made.push_back(std::move(*results_[i]));
            else
                made.emplace_back(not_done());
        }
        return made;
    }

private:
    class item_failed final : public std::exception {};

    F fn_;
    std::vector<std::optional<result_type>> results_;
};

template <class Source, class Sink>
asio::awaitable<std::vector<typename Sink::result_type>> collect(
    std::shared_ptr<batch_state<Source, Sink>> s, std::size_t concurrency) {
    // What is no failure of an item must not be pushed out by those.
    s->options.keep_failures = std::numeric_limits<std::size_t>::max();
    auto const report = co_await run_batch(s, concurrency);
    for (auto const& failure : report.failures)
        if (!Sink::is_item_failure(failure.thrown())) std::rethrow_exception(failure.thrown());
    auto size = static_cast<std::size_t>(report.started);
    if constexpr (std::ranges::sized_range<typename Source::range_type>)
        size = std::max(size, s->source.bound());
    co_return s->fn.take(size);
}

/// Makes a call of an account.
class caller {
public:
    caller(account of, call_options options) : of_(std::move(of)), options_(options) {}

    template <operation Op>
    auto operator()(const Op& op) const {
        return of_.try_call(op, options_);
    }

private:
    account of_;
    call_options options_;
};

} // namespace highlevel::detail
