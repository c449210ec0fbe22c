// SPDX-License-Identifier: BSL-1.0
//
// How batches run: where the next item comes from, how many are under way, and what is known when
// they end.
#pragma once

#include <highlevel/batch_report.hpp>
#include <highlevel/call_options.hpp>
#include <highlevel/client.hpp>
#include <highlevel/detail/one_shot.hpp>
#include <highlevel/error.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/error.hpp>

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

/// Takes the items of a range one after the other, beginning with the first call of `take`.
template <class Range>
class range_reader {
public:
    explicit range_reader(Range& range) : range_(std::addressof(range)) {}

    /// The next item, as one of this group; nothing at the end.
    std::optional<taken_item<Range>> take(std::size_t group) {
        // Moved on when the next item is wanted, not when this one was taken: an input that comes
        // line by line would hold back each line until the next, and lose one when that fails.
        if (!at_)
            at_.emplace(std::ranges::begin(*range_));
        else if (taken_)
            ++*at_;
        taken_ = false;
        std::optional<taken_item<Range>> made;
        if (*at_ == std::ranges::end(*range_)) return made;
        made.emplace(**at_, group);
        taken_ = true;
        return made;
    }

private:
    Range* range_;
    std::optional<std::ranges::iterator_t<Range>> at_;
    /// Whether the item at `at_` was given.
    bool taken_ = false;
};

/// The items of one range in order.
template <class Range>
class range_source {
public:
    using range_type = std::remove_reference_t<Range>;
    using item = taken_item<range_type>;

    explicit range_source(Range&& range) : range_(hold(range)), reader_(*range_) {}

    /// The next item; nothing at the end.
    std::optional<item> take() { return reader_.take(0); }
    void release(const item& /*done*/) noexcept {}

    /// At most that many workers have something to do.
    [[nodiscard]] std::size_t bound() const {
        if constexpr (std::ranges::sized_range<const range_type>)
            return static_cast<std::size_t>(std::ranges::size(*range_));
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
    decltype(hold(std::declval<Range&>())) range_;
    range_reader<range_type> reader_;
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
                auto made = group.reader.take(number);
                if (!made) {
                    group.ended = true;
                    --live_;
                    ended = true; // the shares have grown
                    continue;
                }
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
        explicit member_range(range_type& of) : reader(of) {}

        range_reader<range_type> reader;
        std::size_t under_way = 0;
        bool ended = false;
    };

    std::deque<member_range> groups_;
    std::size_t live_ = 0;
    std::size_t turn_ = 0;
    std::size_t concurrency_ = 1;
};

/// Makes a failure that a function returned one that it threw.
template <class T>
void throw_failure(const T& /*given*/) {}
template <class T>
void throw_failure(const result<T>& given) {
    if (given.has_error()) throw error{given.error()};
}

template <class T>
asio::awaitable<void> discard(asio::awaitable<T> given) {
    throw_failure(co_await std::move(given));
}
/// What a function gives, reduced to whether it went well.
inline asio::awaitable<void> discard(asio::awaitable<void> given) {
    return given;
}

/// An item that was taken, together with what is to be done with it.
class batch_item {
public:
    batch_item() = default;
    batch_item(const batch_item&) = delete;
    batch_item& operator=(const batch_item&) = delete;
    virtual ~batch_item() = default;

    virtual asio::awaitable<void> run(std::uint64_t index) = 0;
    /// Gives its place among those under way back.
    virtual void release() noexcept = 0;
};

/// A batch under way, whatever its items and its function are. Lives as long as its coroutines;
/// used on its strand only, until the bells.
class batch_base {
public:
    explicit batch_base(batch_options how) : options(how) {}
    batch_base(const batch_base&) = delete;
    batch_base& operator=(const batch_base&) = delete;
    virtual ~batch_base() = default;

    /// The next item; null when there is none now. May throw what the range throws.
    [[nodiscard]] virtual std::unique_ptr<batch_item> take() = 0;
    /// At most that many items can be under way.
    [[nodiscard]] virtual std::size_t bound() const = 0;
    virtual void set_concurrency(std::size_t n) noexcept = 0;

    batch_options options;
    batch_report report;
    watermark settled;
    bool stopping = false;
    std::size_t running = 0;
    /// How many may run.
    std::size_t workers = 1;
    std::deque<asio::cancellation_signal> signals;
    /// Rung when nothing runs any more; the first also by the cancellation of the caller.
    std::shared_ptr<highlevel::detail::one_shot> ended_or_cancelled =
        std::make_shared<highlevel::detail::one_shot>();
    std::shared_ptr<highlevel::detail::one_shot> ended =
        std::make_shared<highlevel::detail::one_shot>();

    void worker_ended() {
        if (--running != 0) return;
        ended_or_cancelled->ring();
        ended->ring();
    }
};

template <class Source, class F>
class batch_state final : public batch_base {
public:
    template <class Fn>
    batch_state(Source from, Fn&& call, batch_options how)
        : batch_base(how),
          source(std::move(from)),
          fn(std::forward<Fn>(call)) {}

    [[nodiscard]] std::unique_ptr<batch_item> take() override {
        auto taken = source.take();
        if (!taken) return nullptr;
        return std::make_unique<task>(*this, std::move(*taken));
    }
    [[nodiscard]] std::size_t bound() const override { return source.bound(); }
    void set_concurrency([[maybe_unused]] std::size_t n) noexcept override {
        if constexpr (requires { source.set_concurrency(n); }) source.set_concurrency(n);
    }

    Source source;
    F fn;

private:
    class task final : public batch_item {
    public:
        task(batch_state& of, typename Source::item taken) : of_(of), item_(std::move(taken)) {}

        asio::awaitable<void> run(std::uint64_t index) override {
            return discard(Source::invoke(of_.fn, item_, index));
        }
        void release() noexcept override { of_.source.release(item_); }

    private:
        batch_state& of_;
        typename Source::item item_;
    };
};

// g++ without optimisation emits each coroutine of a header, called or not, unless it is a
// template. Hence the templates here of which there is one instance only.

/// Runs a batch to its end. In impl/batch.ipp; `Batch` is batch_base.
template <class Batch>
[[nodiscard]] asio::awaitable<batch_report> run_batch(
    std::shared_ptr<Batch> s, std::size_t concurrency);

/// Throws what stopped the batch; `Report` is batch_report.
template <class Report>
asio::awaitable<Report> throwing(asio::awaitable<Report> batch) {
    auto report = co_await std::move(batch);
    if (report.range_failure) std::rethrow_exception(report.range_failure);
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
    auto const report = co_await run_batch<batch_base>(s, concurrency);
    if (report.range_failure) std::rethrow_exception(report.range_failure);
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

#if defined(HIGHLEVEL_SEPARATE_COMPILATION)
extern template boost::asio::awaitable<highlevel::batch_report> highlevel::detail::run_batch(
    std::shared_ptr<highlevel::detail::batch_base> s, std::size_t concurrency);
#else
#    include <highlevel/impl/batch.ipp>
#endif
