// SPDX-License-Identifier: BSL-1.0
//
// Many calls at once, but never more than asked for: over ranges of any length, in order where
// results are wanted, and fairly over many accounts.
#pragma once

#include <highlevel/batch_report.hpp>
#include <highlevel/call_options.hpp>
#include <highlevel/client.hpp>
#include <highlevel/detail/batch_core.hpp>
#include <highlevel/operation.hpp>

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <memory>
#include <ranges>
#include <type_traits>
#include <utility>

namespace highlevel {

/// Calls `fn` for every item of a range, at most `concurrency` of them under way at a time, and
/// reports how it went. `fn(item)` or `fn(item, index)` gives an `asio::awaitable`.
///
/// An item is taken from the range only when there is room for it, so that the range may be
/// unbounded (a generator, the lines of a file) and is never held in memory. Taking the next item
/// must not block for long, as a pipe or a terminal does: it happens on the batch's strand, whose
/// calls all wait meanwhile, and it keeps one thread of the context.
///
/// A `result` with an error that `fn` gives is a failure as if thrown (`highlevel::error`).
///
/// Never throws for what `fn` or the range throws: `batch_report::failures` and `range_failure`
/// have it. With `on_failure::stop` (the
/// default) no item is begun after a failure; items under way are waited for.
///
/// - Executor: `fn` and what it awaits run on a strand over the executor of the awaiting coroutine,
///   so that calls of `fn` never meet, on however many threads the context runs.
/// - Cancellation: terminal. Items under way are cancelled and waited for; no other begins. The
///   report then says `cancelled`; the next suspension of the awaiting coroutine throws.
/// - Lifetime: a range that is an lvalue, and its items, must live until the report is there; an
///   rvalue is moved in. `fn` is copied, or moved from an rvalue. On g++ 12, which destroys
///   temporaries of a co_await expression twice, a capturing lambda that is not trivially
///   destructible must have a name; it does not compile otherwise.
template <std::ranges::input_range Range, class F>
[[nodiscard]] asio::awaitable<batch_report> try_for_each(
    Range&& range, std::size_t concurrency, F&& fn, batch_options options = {}) {
    detail::check_batch_argument<Range>();
    detail::check_batch_argument<F>();
    using source = detail::range_source<Range>;
    auto state = std::make_shared<detail::batch_state<source, std::decay_t<F>>>(
        source{std::forward<Range>(range)}, std::forward<F>(fn), options);
    return detail::run_batch<detail::batch_base>(std::move(state), concurrency);
}

/// As `try_for_each`, but throws once nothing is under way any more: what the range threw, else
/// operation_aborted (as boost::system::system_error) when cancelled, else the first failure of
/// `fn`.
template <std::ranges::input_range Range, class F>
asio::awaitable<batch_report> for_each(
    Range&& range, std::size_t concurrency, F&& fn, batch_options options = {}) {
    // The one to throw.
    if (options.keep_failures == 0) options.keep_failures = 1;
    return detail::throwing(
        try_for_each(std::forward<Range>(range), concurrency, std::forward<F>(fn), options));
}

/// As `try_for_each`, for the items of several groups at once, for example of several accounts, so
/// that one that has to wait for its rate limit does not hold up the others.
///
/// `groups` is a range of ranges. Groups take turns, and none has more under way than its share of
/// `concurrency`: the number divided by the groups that still have items, rounded up. With less
/// concurrency than groups, some wait for others to finish. `fn(item, group)` or
/// `fn(item, group, index)`: `group` is its number from 0, `index` counts the items of all groups
/// in the order in which they were taken. Groups and items must live until the report is there.
template <std::ranges::forward_range Groups, class F>
requires std::ranges::input_range<std::ranges::range_reference_t<Groups>>
[[nodiscard]] asio::awaitable<batch_report> try_for_each_fair(
    Groups& groups, std::size_t concurrency, F&& fn, batch_options options = {}) {
    detail::check_batch_argument<F>();
    using source = detail::fair_source<Groups>;
    auto state = std::make_shared<detail::batch_state<source, std::decay_t<F>>>(
        source{groups}, std::forward<F>(fn), options);
    return detail::run_batch<detail::batch_base>(std::move(state), concurrency);
}

/// As `try_for_each_fair`, but throws as `for_each` does.
template <std::ranges::forward_range Groups, class F>
requires std::ranges::input_range<std::ranges::range_reference_t<Groups>>
    asio::awaitable<batch_report> for_each_fair(
        Groups& groups, std::size_t concurrency, F&& fn, batch_options options = {}) {
    if (options.keep_failures == 0) options.keep_failures = 1;
    return detail::throwing(try_for_each_fair(groups, concurrency, std::forward<F>(fn), options));
}

/// What `fn` gives for each item, in the order of the range: a `result<T>` each, where `fn(item)`
/// gives an awaitable of `T`, or of `result<T>`, which is taken as it is.
///
/// A `highlevel::error` or boost::system::system_error that `fn` throws becomes that item's
/// failure; anything else that it throws is thrown on, as is what the range throws. Here the
/// default is to go on after failures. Items that were not begun or not ended, because of
/// on_failure::stop or cancellation, have operation_aborted. Everything else is as for
/// `try_for_each`; the results are held in memory.
template <std::ranges::input_range Range, class F>
[[nodiscard]] auto map(
    Range&& range,
    std::size_t concurrency,
    F&& fn,
    batch_options options = {.failures = on_failure::go_on}) {
    detail::check_batch_argument<Range>();
    detail::check_batch_argument<F>();
    using source = detail::range_source<Range>;
    using sink = detail::result_sink<source, std::decay_t<F>>;
    auto state = std::make_shared<detail::batch_state<source, sink>>(
        source{std::forward<Range>(range)}, sink{std::forward<F>(fn)}, options);
    return detail::collect(std::move(state), concurrency);
}

/// Makes many calls of one account and gives their results in the order of the operations. As
/// `map`; an operation is encoded when its turn comes.
template <std::ranges::input_range Range>
requires operation<std::ranges::range_value_t<Range>>
[[nodiscard]] auto call_all(
    const account& of,
    Range&& operations,
    std::size_t concurrency,
    call_options call = {},
    batch_options options = {.failures = on_failure::go_on}) {
    detail::caller const make_call{of, call};
    return map(std::forward<Range>(operations), concurrency, make_call, options);
}

} // namespace highlevel
