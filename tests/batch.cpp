// SPDX-License-Identifier: BSL-1.0
//
// Batches on a real io_context: how many run at once, what is taken from the range and when, what
// failures and cancellation leave behind, and that no account holds up another.

#include "support/catch.hpp"
#include "support/run.hpp"
#include "support/scripted_transport.hpp"

#include <highlevel/batch.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <limits>
#include <memory>
#include <optional>
#include <ranges>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace batch_tests {

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
using highlevel::batch_options;
using highlevel::batch_report;
using highlevel::on_failure;
using test::run;
using test::scripted_transport;

namespace {

/// Lets everything else that is ready run first.
asio::awaitable<void> yield(int times = 1) {
    auto const executor = co_await asio::this_coro::executor;
    for (int i = 0; i < times; ++i)
        co_await asio::post(executor, asio::use_awaitable);
}

/// Waits until it is cancelled.
asio::awaitable<void> forever() {
    asio::steady_timer timer{co_await asio::this_coro::executor};
    timer.expires_at(asio::steady_timer::time_point::max());
    co_await timer.async_wait(asio::use_awaitable);
}

/// Counts what is under way.
class gauge {
public:
    gauge() = default;

    void begin() { most = std::max(most, ++now); }
    void end() { --now; }

    int now = 0;
    int most = 0;
};

class odd_one : public std::runtime_error {
public:
    odd_one() : std::runtime_error("odd") {}
};

} // namespace

TEST_CASE("every_item_is_done_with_as_many_under_way_as_asked_for", "[batch]") {
    for (std::size_t const concurrency : {1U, 3U, 64U}) {
        INFO(concurrency);
        asio::io_context context;
        gauge under_way;
        std::set<int> seen;
        auto const numbers = std::views::iota(0, 100);
        auto const work = [&]() -> asio::awaitable<batch_report> {
            co_return co_await highlevel::for_each(
                numbers, concurrency, [&](int n) -> asio::awaitable<void> {
                    under_way.begin();
                    co_await yield(n % 5 + 1);
                    seen.insert(n);
                    under_way.end();
                });
        };
        auto const report = run(context, work());
        CHECK(seen.size() == 100);
        CHECK(under_way.most == static_cast<int>(concurrency));
        CHECK(report.started == 100);
        CHECK(report.succeeded == 100);
        CHECK(report.failed == 0);
        CHECK(report.settled_before == 100);
        CHECK(report.exhausted);
        CHECK_FALSE(report.cancelled);
    }
}

TEST_CASE("an_empty_range_and_no_concurrency_are_no_trouble", "[batch]") {
    asio::io_context context;
    std::vector<int> const none;
    int calls = 0;
    auto const count = [&](int) -> asio::awaitable<void> {
        ++calls;
        co_return;
    };
    CHECK(run(context, highlevel::for_each(none, 5, count)).exhausted);
    CHECK(calls == 0);
    std::vector<int> const two{1, 2};
    CHECK(run(context, highlevel::for_each(two, 0, count)).succeeded == 2);
    CHECK(calls == 2);
    std::istringstream text{""};
    auto words = std::ranges::istream_view<std::string>(text);
    auto const never = [&](const std::string&) -> asio::awaitable<void> {
        ++calls;
        co_return;
    };
    CHECK(run(context, highlevel::for_each(words, 5, never)).exhausted);
    CHECK(calls == 2);
}

TEST_CASE("an_unbounded_range_is_taken_from_only_when_there_is_room", "[batch]") {
    asio::io_context context;
    std::int64_t taken = 0;
    std::int64_t done = 0;
    std::int64_t furthest = 0;
    auto endless = std::views::iota(std::int64_t{0}) | std::views::transform([&](std::int64_t n) {
                       ++taken;
                       furthest = std::max(furthest, taken - done);
                       return n;
                   });
    auto const work = [&](std::int64_t n) -> asio::awaitable<void> {
        co_await yield(static_cast<int>(n % 3));
        ++done;
        if (n == 10'000) throw odd_one{};
    };
    auto const report = run(context, highlevel::try_for_each(endless, 8, work));
    CHECK(furthest <= 8);
    CHECK(report.failed == 1);
    CHECK(report.failures.at(0).index() == 10'000);
    CHECK_FALSE(report.exhausted);
    CHECK(report.settled_before == 10'000);
    CHECK(report.started <= 10'008);
    CHECK(report.started == report.succeeded + report.failed);
}

TEST_CASE("items_of_a_single_pass_range_live_until_their_call_ends", "[batch]") {
    asio::io_context context;
    std::istringstream text{"one-that-is-too-long-for-the-small-buffer two three four five six"};
    auto words = std::ranges::istream_view<std::string>(text);
    std::vector<std::string> seen(6);
    auto const work = [&](const std::string& word, std::uint64_t index) -> asio::awaitable<void> {
        co_await yield(static_cast<int>(10 - index));
        seen.at(static_cast<std::size_t>(index)) = word;
    };
    CHECK(run(context, highlevel::for_each(words, 3, work)).succeeded == 6);
    CHECK(seen.front() == "one-that-is-too-long-for-the-small-buffer");
    CHECK(seen.back() == "six");
}

TEST_CASE("ranges_are_kept_by_reference_or_moved_in_and_items_are_not_copied", "[batch]") {
    asio::io_context context;
    std::vector<std::unique_ptr<int>> numbers;
    for (int i = 0; i < 5; ++i)
        numbers.push_back(std::make_unique<int>(i));
    int sum = 0;
    auto const add = [&](const std::unique_ptr<int>& n) -> asio::awaitable<void> {
        co_await yield();
        sum += *n;
    };
    CHECK(run(context, highlevel::for_each(numbers, 2, add)).succeeded == 5);
    CHECK(sum == 10);
    CHECK(run(context, highlevel::for_each(std::move(numbers), 2, add)).succeeded == 5);
    CHECK(sum == 20);
}

TEST_CASE("a_failure_stops_the_batch_after_what_is_under_way", "[batch]") {
    asio::io_context context;
    int ended = 0;
    auto const numbers = std::views::iota(0, 100);
    auto const work = [&](int n) -> asio::awaitable<void> {
        co_await yield(n == 3 ? 1 : 50);
        ++ended;
        if (n == 3) throw odd_one{};
    };
    auto const report = run(context, highlevel::try_for_each(numbers, 5, work));
    CHECK(report.started == 5);
    CHECK(report.succeeded == 4);
    CHECK(report.failed == 1);
    CHECK(report.settled_before == 3);
    CHECK(ended == 5);
    CHECK_FALSE(report.exhausted);
    CHECK_THROWS_AS(run(context, highlevel::for_each(numbers, 5, work)), odd_one);
}

TEST_CASE("failures_are_collected_when_the_batch_goes_on", "[batch]") {
    asio::io_context context;
    auto const numbers = std::views::iota(0, 100);
    auto const work = [&](int n) -> asio::awaitable<void> {
        co_await yield(n % 7);
        if (n % 2 == 1) throw odd_one{};
    };
    auto const report =
        run(context,
            highlevel::try_for_each(
                numbers, 7, work, {.failures = on_failure::go_on, .keep_failures = 10}));
    CHECK(report.started == 100);
    CHECK(report.succeeded == 50);
    CHECK(report.failed == 50);
    CHECK(report.settled_before == 100);
    CHECK(report.exhausted);
    REQUIRE(report.failures.size() == 10);
    for (auto const& failure : report.failures) {
        CHECK(failure.index() % 2 == 1);
        CHECK_THROWS_AS(std::rethrow_exception(failure.thrown()), odd_one);
    }
    CHECK_THROWS_AS(
        run(context, highlevel::for_each(numbers, 7, work, {.failures = on_failure::go_on})),
        odd_one);
}

TEST_CASE("an_exception_of_the_range_itself_stops_the_batch_and_is_reported", "[batch]") {
    asio::io_context context;
    int done = 0;
    auto broken = std::views::iota(0, 10) | std::views::transform([](int n) {
                      if (n == 4) throw std::out_of_range{"the range broke"};
                      return n;
                  });
    auto const work = [&](int) -> asio::awaitable<void> {
        co_await yield(3);
        ++done;
    };
    auto const report = run(context, highlevel::try_for_each(broken, 3, work));
    CHECK(done == 4);
    // What was done is not lost with it.
    CHECK(report.succeeded == 4);
    CHECK(report.settled_before == 4);
    CHECK_FALSE(report.exhausted);
    CHECK(report.failures.empty());
    REQUIRE(report.range_failure);
    CHECK_THROWS_AS(std::rethrow_exception(report.range_failure), std::out_of_range);

    CHECK_THROWS_AS(run(context, highlevel::for_each(broken, 3, work)), std::out_of_range);
    auto const value = [](int n) -> asio::awaitable<int> { co_return n; };
    CHECK_THROWS_AS(run(context, highlevel::map(broken, 3, value)), std::out_of_range);
}

TEST_CASE("a_batch_that_was_not_begun_has_read_nothing", "[batch]") {
    std::istringstream first{"1 2"};
    std::istringstream second{"3 4"};
    std::vector<std::ranges::istream_view<int>> inputs{
        std::ranges::istream_view<int>{first}, std::ranges::istream_view<int>{second}};
    int sum = 0;
    auto const add = [&](int n, std::size_t) -> asio::awaitable<void> {
        sum += n;
        co_return;
    };
    auto batch = highlevel::for_each_fair(inputs, 2, add);
    CHECK(first.tellg() == 0);
    CHECK(second.tellg() == 0);
    asio::io_context context;
    CHECK(run(context, std::move(batch)).succeeded == 4);
    CHECK(sum == 10);
}

TEST_CASE("cancellation_ends_what_is_under_way_and_says_what_was_done", "[batch]") {
    asio::io_context context;
    asio::cancellation_signal stop;
    auto const numbers = std::views::iota(0, 100);
    gauge under_way;
    std::optional<batch_report> report;
    bool next_suspension_throws = false;
    auto const work = [&](int n) -> asio::awaitable<void> {
        if (n == 13) asio::post(context, [&] { stop.emit(asio::cancellation_type::terminal); });
        if (n < 10) co_return;
        under_way.begin();
        try {
            co_await forever();
        } catch (...) {
            under_way.end();
            throw;
        }
    };
    auto const job = [&]() -> asio::awaitable<void> {
        report =
            co_await highlevel::try_for_each(numbers, 4, work, {.failures = on_failure::go_on});
        try {
            co_await yield();
        } catch (const boost::system::system_error& e) {
            next_suspension_throws = e.code() == asio::error::operation_aborted;
        }
    };
    test::run_cancellable(context, job(), stop);
    REQUIRE(report);
    CHECK(report->cancelled);
    CHECK(report->started == 14);
    CHECK(report->succeeded == 10);
    CHECK(report->failed == 4);
    CHECK(report->settled_before == 10);
    CHECK_FALSE(report->exhausted);
    CHECK(under_way.now == 0);
    CHECK(under_way.most == 4);
    CHECK(next_suspension_throws);
}

TEST_CASE("a_cancelled_for_each_throws_operation_aborted", "[batch]") {
    asio::io_context context;
    asio::cancellation_signal stop;
    auto const numbers = std::views::iota(0);
    auto const work = [&](int n) -> asio::awaitable<void> {
        if (n == 20) stop.emit(asio::cancellation_type::terminal);
        co_await yield();
    };
    boost::system::error_code seen;
    auto const job = [&]() -> asio::awaitable<void> {
        try {
            co_await highlevel::for_each(numbers, 4, work);
        } catch (const boost::system::system_error& e) {
            seen = e.code();
        }
    };
    test::run_cancellable(context, job(), stop);
    CHECK(seen == asio::error::operation_aborted);
}

TEST_CASE("a_context_that_is_destroyed_takes_its_batches_along", "[batch]") {
    auto const alive = std::make_shared<int>(0);
    std::vector<int> const numbers(10, 1);
    {
        asio::io_context context;
        auto const work = [alive](int) -> asio::awaitable<void> { co_await forever(); };
        auto const job = [&]() -> asio::awaitable<void> {
            co_await highlevel::for_each(numbers, 4, work);
        };
        asio::co_spawn(context, job(), asio::detached);
        context.poll();
        CHECK(alive.use_count() > 1);
    }
    CHECK(alive.use_count() == 1);
}

TEST_CASE("callables_with_captures_survive_a_co_await", "[batch]") {
    asio::io_context context;
    std::vector<int> const numbers{1, 2, 3};
    auto const job = [&]() -> asio::awaitable<void> {
        std::string const prefix = "a text that is too long for the small buffer of a string ";
        std::vector<std::string> made;
        auto const named = [prefix, &made](int n) -> asio::awaitable<void> {
            co_await yield();
            made.push_back(prefix + std::to_string(n));
        };
        co_await highlevel::for_each(numbers, 2, named);
        co_await highlevel::for_each(numbers, 2, [&](int n) -> asio::awaitable<void> {
            co_await yield();
            made.push_back(prefix + std::to_string(n));
        });
        co_await highlevel::for_each(
            std::vector<std::string>{3, prefix}, 2,
            [&](const std::string& text) -> asio::awaitable<void> {
                co_await yield();
                made.push_back(text);
            });
        CHECK(made.size() == 9);
        for (auto const& text : made)
            CHECK(text.starts_with(prefix));
    };
    run(context, job());
}

TEST_CASE("map_gives_results_in_the_order_of_the_range", "[batch]") {
    asio::io_context context;
    auto const numbers = std::views::iota(0, 50);
    auto const work = [](int n) -> asio::awaitable<std::string> {
        co_await yield(50 - n);
        if (n == 7)
            throw boost::system::system_error{
                highlevel::make_error_code(highlevel::errc::timeout), "seven"};
        co_return std::to_string(n);
    };
    auto const results = run(context, highlevel::map(numbers, 50, work));
    REQUIRE(results.size() == 50);
    for (std::size_t i = 0; i < 50; ++i) {
        if (i == 7) {
            REQUIRE(results[i].has_error());
            CHECK(results[i].error().code() == highlevel::errc::timeout);
        } else {
            CHECK(results[i].value() == std::to_string(i));
        }
    }
}

TEST_CASE("map_says_of_each_item_that_was_not_done", "[batch]") {
    asio::io_context context;
    auto const numbers = std::views::iota(0, 10);
    auto const work = [](int n) -> asio::awaitable<highlevel::result<int>> {
        co_await yield(n);
        if (n == 2) {
            highlevel::detail::failure_data data;
            data.status = 404;
            co_return highlevel::failure{highlevel::make_status_code(404), std::move(data)};
        }
        co_return n;
    };
    auto const results =
        run(context, highlevel::map(numbers, 1, work, {.failures = on_failure::stop}));
    REQUIRE(results.size() == 10);
    CHECK(results[1].value() == 1);
    CHECK(results[2].error().status() == 404);
    for (std::size_t i = 3; i < 10; ++i)
        CHECK(results[i].error().code() == asio::error::operation_aborted);

    auto const breaks = [](int n) -> asio::awaitable<int> {
        if (n == 5) throw odd_one{};
        co_return n;
    };
    CHECK_THROWS_AS(run(context, highlevel::map(numbers, 3, breaks)), odd_one);
}

TEST_CASE("call_all_makes_the_calls_of_one_account_in_order", "[batch]") {
    asio::io_context context;
    auto const network = std::make_shared<scripted_transport>();
    network->then([](const highlevel::http::request& r) {
        auto const id = r.target.substr(r.target.rfind('/') + 1);
        if (id == "c3") return scripted_transport::reply(400, R"({"message":"Contact not found"})");
        return scripted_transport::reply(200, R"({"contact":{"id":")" + id + R"("}})");
    });
    highlevel::client_options options;
    options.credentials = highlevel::auth::private_integration{"pit-secret"};
    options.transport = network;
    highlevel::client client{context.get_executor(), options};
    std::vector<contacts::get_contact> operations;
    for (int i = 0; i < 10; ++i)
        operations.emplace_back("c" + std::to_string(i));
    auto const results = run(context, highlevel::call_all(client.location("loc1"), operations, 4));
    REQUIRE(results.size() == 10);
    for (std::size_t i = 0; i < 10; ++i) {
        if (i == 3)
            CHECK(results[i].error().status() == 400);
        else
            CHECK(results[i].value()->contact->id == "c" + std::to_string(i));
    }
}

TEST_CASE("groups_take_turns", "[batch]") {
    asio::io_context context;
    std::vector<std::vector<int>> groups{{1, 1, 1, 1, 1, 1}, {2, 2}, {}, {3, 3, 3, 3}};
    std::vector<std::pair<int, std::size_t>> order;
    auto const work = [&](int n, std::size_t group) -> asio::awaitable<void> {
        order.emplace_back(n, group);
        co_return;
    };
    auto const report = run(context, highlevel::for_each_fair(groups, 1, work));
    CHECK(report.succeeded == 12);
    CHECK(report.exhausted);
    std::vector<std::pair<int, std::size_t>> const expected{{1, 0}, {2, 1}, {3, 3}, {1, 0},
                                                            {2, 1}, {3, 3}, {1, 0}, {3, 3},
                                                            {1, 0}, {3, 3}, {1, 0}, {1, 0}};
    CHECK(order == expected);
}

TEST_CASE("a_group_that_waits_holds_up_no_other", "[batch]") {
    asio::io_context context;
    asio::cancellation_signal stop;
    // The first group never gets an answer; all others must come to their end.
    std::vector<std::vector<int>> groups(10, std::vector<int>(500, 1));
    std::vector<int> done(10, 0);
    gauge first;
    auto const work = [&](int, std::size_t group) -> asio::awaitable<void> {
        if (group == 0) {
            first.begin();
            co_await forever();
        }
        co_await yield();
        ++done[group];
        if (std::all_of(done.begin() + 1, done.end(), [](int n) { return n == 500; }))
            stop.emit(asio::cancellation_type::terminal);
    };
    std::optional<batch_report> report;
    int share_while_others_run = 0;
    auto const watch = [&](int n, std::size_t group) -> asio::awaitable<void> {
        if (group == 1 && done[1] == 10) share_while_others_run = first.now;
        return work(n, group);
    };
    auto const job = [&]() -> asio::awaitable<void> {
        report = co_await highlevel::try_for_each_fair(groups, 20, watch);
    };
    test::run_cancellable(context, job(), stop);
    REQUIRE(report);
    CHECK(report->succeeded == 9 * 500);
    CHECK(share_while_others_run == 2);
    // When it is alone it may have everything.
    CHECK(first.now <= 20);
}

TEST_CASE("calls_of_one_batch_never_meet_on_a_context_with_threads", "[batch]") {
    asio::io_context context;
    // Neither is guarded: the batch's strand is what keeps the threads apart.
    int calls = 0;
    std::vector<int> order;
    auto const numbers = std::views::iota(0, 2000);
    auto const work = [&](int n) -> asio::awaitable<void> {
        ++calls;
        co_await yield();
        order.push_back(n);
    };
    batch_report report;
    auto const job = [&]() -> asio::awaitable<void> {
        report = co_await highlevel::for_each(numbers, 16, work);
    };
    asio::co_spawn(context, job(), asio::detached);
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i)
            threads.emplace_back([&] { context.run(); });
    }
    CHECK(report.succeeded == 2000);
    CHECK(calls == 2000);
    CHECK(order.size() == 2000);
}

TEST_CASE("a_watermark_is_the_length_of_the_part_without_a_gap", "[batch]") {
    highlevel::watermark mark;
    CHECK(mark.value() == 0);
    mark.complete(1);
    mark.complete(3);
    CHECK(mark.value() == 0);
    mark.complete(0);
    CHECK(mark.value() == 2);
    mark.complete(0);
    mark.complete(2);
    CHECK(mark.value() == 4);
    highlevel::watermark later{10};
    later.complete(3);
    later.complete(10);
    CHECK(later.value() == 11);
}

TEST_CASE("a_result_with_an_error_is_a_failure", "[batch]") {
    asio::io_context context;
    auto const numbers = std::views::iota(0, 10);
    auto const work = [](int n) -> asio::awaitable<highlevel::result<int>> {
        if (n == 4) {
            highlevel::detail::failure_data data;
            data.status = 404;
            co_return highlevel::failure{highlevel::make_status_code(404), std::move(data)};
        }
        co_return n;
    };
    auto const report = run(context, highlevel::try_for_each(numbers, 1, work));
    CHECK(report.succeeded == 4);
    CHECK(report.failed == 1);
    CHECK(report.settled_before == 4);
    CHECK_THROWS_AS(run(context, highlevel::for_each(numbers, 1, work)), highlevel::error);
}

TEST_CASE("an_input_is_not_read_ahead_of_the_item_that_is_wanted", "[batch]") {
    asio::io_context context;
    // What the range was asked for before each item was worked on.
    std::vector<int> asked;
    class lines {
    public:
        class iterator {
        public:
            using value_type = int;
            using difference_type = std::ptrdiff_t;
            using iterator_concept = std::input_iterator_tag;
            iterator() = default;
            explicit iterator(lines& of) : of_(&of) { of_->read(); }
            iterator(iterator&&) = default;
            iterator& operator=(iterator&&) = default;
            int operator*() const { return of_->now_; }
            iterator& operator++() {
                of_->read();
                return *this;
            }
            void operator++(int) { ++*this; }
            bool operator==(std::default_sentinel_t) const { return of_->now_ > 5; }

        private:
            lines* of_ = nullptr;
        };
        iterator begin() { return iterator{*this}; }
        std::default_sentinel_t end() const { return {}; }

        int reads = 0;

    private:
        void read() {
            // The line after the third cannot be read; the third must not go with it.
            if (++reads == 4) throw std::runtime_error{"input"};
            ++now_;
        }
        int now_ = 0;
    };
    lines input;
    auto const work = [&](int) -> asio::awaitable<void> {
        asked.push_back(input.reads);
        co_return;
    };
    CHECK(run(context, highlevel::try_for_each(input, 1, work)).range_failure);
    CHECK(asked == std::vector<int>{1, 2, 3});
}

TEST_CASE("keeping_no_failures_does_not_swallow_them", "[batch]") {
    asio::io_context context;
    std::vector<int> const one{1};
    auto const work = [](int) -> asio::awaitable<void> {
        throw odd_one{};
        co_return;
    };
    CHECK_THROWS_AS(run(context, highlevel::for_each(one, 1, work, {.keep_failures = 0})), odd_one);
    std::vector<std::vector<int>> groups{{1}};
    auto const fair = [](int, std::size_t) -> asio::awaitable<void> {
        throw odd_one{};
        co_return;
    };
    CHECK_THROWS_AS(
        run(context, highlevel::for_each_fair(groups, 1, fair, {.keep_failures = 0})), odd_one);
    CHECK(
        run(context, highlevel::try_for_each(one, 1, work, {.keep_failures = 0})).failures.empty());
}

TEST_CASE("as_many_as_there_are_begins_only_as_many_as_there_are", "[batch]") {
    asio::io_context context;
    std::istringstream text{"1 2 3"};
    auto numbers = std::ranges::istream_view<int>(text);
    auto const work = [](int) -> asio::awaitable<void> { co_await yield(); };
    auto const report = run(
        context, highlevel::try_for_each(numbers, std::numeric_limits<std::size_t>::max(), work));
    CHECK(report.succeeded == 3);
}

TEST_CASE("a_caller_that_was_cancelled_already_begins_nothing", "[batch]") {
    asio::io_context context;
    asio::cancellation_signal stop;
    int begun = 0;
    std::vector<int> const numbers(10, 1);
    auto const work = [&](int) -> asio::awaitable<void> {
        ++begun;
        co_return;
    };
    std::optional<batch_report> report;
    auto const job = [&]() -> asio::awaitable<void> {
        co_await asio::this_coro::throw_if_cancelled(false);
        stop.emit(asio::cancellation_type::terminal);
        report = co_await highlevel::try_for_each(numbers, 2, work);
    };
    test::run_cancellable(context, job(), stop);
    REQUIRE(report);
    CHECK(report->cancelled);
    CHECK(report->started == 0);
    CHECK(begun == 0);
}

TEST_CASE("a_cancellation_that_comes_with_the_last_item_finds_everything_done", "[batch]") {
    asio::io_context context;
    asio::cancellation_signal stop;
    std::vector<int> const numbers{1, 2, 3};
    auto const work = [&](int n) -> asio::awaitable<void> {
        if (n == 3) stop.emit(asio::cancellation_type::terminal);
        co_return;
    };
    std::optional<batch_report> report;
    auto const job = [&]() -> asio::awaitable<void> {
        report = co_await highlevel::try_for_each(numbers, 1, work);
    };
    test::run_cancellable(context, job(), stop);
    REQUIRE(report);
    CHECK(report->cancelled);
    CHECK(report->exhausted);
    CHECK(report->succeeded == 3);
    CHECK(report->settled_before == 3);
}

} // namespace batch_tests
