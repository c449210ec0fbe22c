// SPDX-License-Identifier: BSL-1.0
//
// Tests of detail/brief_lock.hpp: one at a time, whether the other is soon gone or not.
#include "support/catch.hpp"

#include <highlevel/detail/brief_lock.hpp>

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

namespace detail_brief_lock_tests {

using highlevel::detail::brief_lock;

TEST_CASE("those_who_lock_briefly_come_one_after_the_other", "[detail]") {
    constexpr int threads = 4;
    constexpr int each = 5'000;
    std::mutex mutex;
    int count = 0; // a race, and too small, if two are in at once
    std::vector<std::thread> all;
    for (int i = 0; i < threads; ++i)
        all.emplace_back([&] {
            for (int n = 0; n < each; ++n) {
                brief_lock const lock{mutex};
                ++count;
            }
        });
    for (auto& t : all)
        t.join();
    CHECK(count == threads * each);
}

TEST_CASE("a_mutex_that_is_held_for_long_is_waited_for", "[detail]") {
    std::mutex mutex;
    std::atomic<bool> tries{false};
    bool free = false;
    bool was_free = false;
    std::unique_lock held{mutex};
    std::thread other{[&] {
        tries = true;
        brief_lock const lock{mutex};
        was_free = free;
    }};
    while (!tries)
        std::this_thread::yield();
    // Long after it stopped looking again and again, if it is let run meanwhile.
    for (int i = 0; i < 1'000; ++i)
        std::this_thread::yield();
    free = true;
    held.unlock();
    other.join();
    CHECK(was_free);
    CHECK(mutex.try_lock());
    mutex.unlock();
}

} // namespace detail_brief_lock_tests
