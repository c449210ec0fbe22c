// SPDX-License-Identifier: BSL-1.0
//
// What is due when: a heap in which each element knows its place, so that one timer serves all.
#pragma once

#include <highlevel/quota/envelope.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace highlevel::quota::detail {

/// Something that is due at a time: a bucket that may open, or a waiter's deadline.
class alarm {
public:
    static constexpr auto unset = static_cast<std::uint32_t>(-1);

    alarm() = default;
    alarm(const alarm&) = delete;
    alarm& operator=(const alarm&) = delete;

    nanos due = never;
    std::uint32_t slot = unset;
    enum class of : std::uint8_t { bucket, waiter, ledger } kind = of::bucket;

protected:
    ~alarm() = default;
};

/// A binary heap of alarms that know their place in it, so that each can be moved and taken out.
class alarm_heap {
public:
    [[nodiscard]] bool empty() const noexcept { return heap_.empty(); }
    [[nodiscard]] nanos next() const noexcept { return heap_.empty() ? never : heap_[0]->due; }
    [[nodiscard]] alarm& top() const noexcept { return *heap_[0]; }

    /// Makes sure that `set` does not throw while no more than `n` alarms are set.
    void ensure(std::size_t n) {
        if (n > heap_.capacity()) heap_.reserve(std::max(n, 2 * heap_.capacity()));
    }

    void set(alarm& a, nanos due) {
        if (a.slot == alarm::unset) {
            heap_.push_back(&a);
            a.slot = static_cast<std::uint32_t>(heap_.size() - 1);
            a.due = due;
            up(a.slot);
            return;
        }
        bool const earlier = due < a.due;
        a.due = due;
        if (earlier)
            up(a.slot);
        else
            down(a.slot);
    }

    void clear(alarm& a) noexcept {
        if (a.slot == alarm::unset) return;
        auto const hole = a.slot;
        a.slot = alarm::unset;
        auto* const last = heap_.back();
        heap_.pop_back();
        if (last == &a) return;
        heap_[hole] = last;
        last->slot = hole;
        up(hole);
        down(last->slot);
    }

private:
    void up(std::size_t i) noexcept {
        auto* const a = heap_[i];
        while (i > 0) {
            auto const parent = (i - 1) / 2;
            if (heap_[parent]->due <= a->due) break;
            heap_[i] = heap_[parent];
            heap_[i]->slot = static_cast<std::uint32_t>(i);
            i = parent;
        }
        heap_[i] = a;
        a->slot = static_cast<std::uint32_t>(i);
    }

    void down(std::size_t i) noexcept {
        auto* const a = heap_[i];
        for (;;) {
            auto child = 2 * i + 1;
            if (child >= heap_.size()) break;
            if (child + 1 < heap_.size() && heap_[child + 1]->due < heap_[child]->due) ++child;
            if (heap_[child]->due >= a->due) break;
            heap_[i] = heap_[child];
            heap_[i]->slot = static_cast<std::uint32_t>(i);
            i = child;
        }
        heap_[i] = a;
        a->slot = static_cast<std::uint32_t>(i);
    }

    std::vector<alarm*> heap_;
};

} // namespace highlevel::quota::detail
