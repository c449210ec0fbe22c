// SPDX-License-Identifier: BSL-1.0
//
// What quota/limiter.hpp asks of the heap: nothing for a permit that is free, and less than a
// kilobyte for a bucket that nobody uses; and what it does where the heap has nothing.
#include "support/catch.hpp"
#include "support/sanitizers.hpp"

#include <highlevel/quota/ledger.hpp>
#include <highlevel/quota/limiter.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

namespace {

[[maybe_unused]] constexpr std::size_t header = alignof(std::max_align_t);
thread_local std::size_t allocations = 0;
thread_local std::size_t most_allocations = static_cast<std::size_t>(-1); // more of them fail
thread_local std::int64_t bytes = 0; // asked for and not given back

} // namespace

// Sanitizers have operators of their own, of which not all may be replaced: nothing is counted
// there.
#if !defined(HIGHLEVEL_TEST_SANITIZED)
// Counts for each thread; the size stands before the block. Not inlined: g++ would see what is
// before a block that it takes for one of its own, and warn.
[[gnu::noinline]] void* operator new(std::size_t size) {
    if (allocations >= most_allocations) throw std::bad_alloc{};
    auto* const block = static_cast<char*>(std::malloc(size + header));
    if (block == nullptr) throw std::bad_alloc{};
    *reinterpret_cast<std::size_t*>(block) = size;
    ++allocations;
    bytes += static_cast<std::int64_t>(size);
    return block + header;
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
    if (p == nullptr) return;
    auto* const block = static_cast<char*>(p) - header;
    bytes -= static_cast<std::int64_t>(*reinterpret_cast<std::size_t*>(block));
    std::free(block);
}
void operator delete(void* p, std::size_t) noexcept {
    operator delete(p);
}
#endif

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using highlevel::quota::lane;
using highlevel::quota::limiter;
using highlevel::quota::limits;
using highlevel::quota::rate_headers;

/// A clock that the test moves, and no timer.
class still_time final : public highlevel::quota::time_source {
public:
    [[nodiscard]] std::chrono::steady_clock::time_point now() const noexcept override { return at; }
    void start(std::function<void()>) override {}
    void wake_at(std::chrono::steady_clock::time_point) override {}
    void cancel() noexcept override {}

    std::chrono::steady_clock::time_point at{1000s};
};

/// Whether anything is counted; says so where it is not.
bool counted() {
#if defined(HIGHLEVEL_TEST_SANITIZED)
    WARN("nothing is counted here, since the sanitizer has operators of its own");
    return false;
#else
    return true;
#endif
}

rate_headers says_the_limits() {
    rate_headers h;
    h.max = 100;
    h.interval_ms = 10'000;
    h.remaining = 99;
    h.limit_daily = 200'000;
    h.daily_remaining = 199'000;
    return h;
}

} // namespace

TEST_CASE("permit_that_is_free_is_had_and_settled_without_the_heap", "[quota]") {
    if (!counted()) return;
    asio::io_context context;
    auto const time = std::make_shared<still_time>();
    limiter subject{context.get_executor(), limits{}, time};
    auto const answer = says_the_limits();
    std::string const name{"location:ve9EPM428h8vShlRW1KT"};
    subject.try_acquire(name, lane::interactive)->settle(answer, 200);

    auto const before = allocations;
    for (int i = 0; i < 1'000; ++i) {
        time->at += 200ms;
        auto const who = i % 2 == 0 ? lane::interactive : lane::bulk;
        auto p = subject.try_acquire(name, who);
        REQUIRE(p);
        if (i % 50 == 0)
            p->unsent();
        else if (i % 77 == 0)
            p->lost();
        else
            p->settle(answer, 200);
    }
    CHECK(allocations == before);
}

TEST_CASE("awaited_permit_that_is_free_is_had_without_the_heap", "[quota]") {
    if (!counted()) return;
    asio::io_context context;
    auto const time = std::make_shared<still_time>();
    limiter subject{context.get_executor(), limits{}, time};
    std::size_t most = 0;
    int granted = 0;
    auto const work = [](limiter& of, still_time& clock, std::size_t& used,
                         int& n) -> asio::awaitable<void> {
        auto const answer = says_the_limits();
        std::string const name{"location:ve9EPM428h8vShlRW1KT"};
        for (int i = 0; i < 200; ++i) {
            clock.at += 200ms;
            auto const before = allocations;
            auto got = co_await of.acquire(name, {});
            if (!got) continue;
            got.permit().settle(answer, 200);
            ++n;
            // The first makes the bucket. Coroutine frames are not counted: Asio has them from
            // elsewhere, and keeps their memory for the next.
            if (i >= 10) used = std::max(used, allocations - before);
        }
    };
    asio::co_spawn(context, work(subject, *time, most, granted), asio::detached);
    context.run();
    CHECK(granted == 200);
    CHECK(most == 0);
}

TEST_CASE("idle_bucket_takes_less_than_a_kilobyte_in_all", "[quota]") {
    if (!counted()) return;
    // The entry with its name, its node in the map, and its place among the alarms.
    asio::io_context context;
    auto const time = std::make_shared<still_time>();
    limiter subject{context.get_executor(), limits{}, time};
    auto const answer = says_the_limits();
    constexpr int buckets = 4'000;
    auto const before = bytes;
    for (int i = 0; i < buckets; ++i) {
        auto const name = "location:ve9EPM428h8vShlR" + std::to_string(1000 + i);
        subject.try_acquire(name, lane::interactive)->settle(answer, 200);
    }
    REQUIRE(subject.snapshots().size() == buckets);
    auto const each = (bytes - before) / buckets;
    INFO(each << " bytes each");
    CHECK(each <= 1'024);
    CHECK(each >= 512); // or it does not measure them
}

TEST_CASE("bucket_that_memory_ran_out_for_is_forgotten_in_time", "[quota]") {
    if (!counted()) return;
    class silent_ledger final : public highlevel::quota::ledger {
    public:
        void renew(std::string_view, std::vector<claim>, handler) override {}
        void leave(std::string_view) noexcept override {}
    };
    asio::io_context context;
    auto const time = std::make_shared<still_time>();
    limits l;
    l.ledger = std::make_shared<silent_ledger>();
    limiter subject{context.get_executor(), l, time};
    int failed = 0;
    for (bool done = false; !done; failed += done ? 0 : 1) {
        auto const name = "location:ve9EPM428h8vShlR" + std::to_string(1000 + failed);
        most_allocations = allocations + static_cast<std::size_t>(failed);
        try {
            (void)subject.try_acquire(name, lane::interactive);
            done = true;
        } catch (const std::bad_alloc&) {
        }
        most_allocations = static_cast<std::size_t>(-1);
    }
    REQUIRE(failed >= 4);
    time->at += 10min;
    for (int i = 0; i < failed; ++i)
        (void)subject.try_acquire("other", lane::interactive);
    for (int i = 0; i < failed; ++i) {
        INFO(i);
        CHECK_FALSE(subject.snapshot("location:ve9EPM428h8vShlR" + std::to_string(1000 + i)).known);
    }
}
