// SPDX-License-Identifier: BSL-1.0
//
// What a batch does about failures, and what it says of itself when it ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <set>
#include <type_traits>
#include <utility>
#include <vector>

namespace highlevel {

/// What happens to a batch when an item fails.
enum class on_failure : std::uint8_t {
    /// No other item is begun; those under way are waited for.
    stop,
    /// The others go on.
    go_on,
};

/// How a batch runs. Trivially destructible, so that it can be written inside a co_await.
struct batch_options {
    on_failure failures = on_failure::stop;
    /// How many failures the report keeps; all are counted.
    std::size_t keep_failures = 1000;
};

static_assert(std::is_trivially_destructible_v<batch_options>);

/// An item that failed.
class batch_failure {
public:
    batch_failure(std::uint64_t index, std::exception_ptr thrown)
        : index_(index),
          thrown_(std::move(thrown)) {}

    /// The item's place in the range, from 0.
    [[nodiscard]] std::uint64_t index() const noexcept { return index_; }
    [[nodiscard]] const std::exception_ptr& thrown() const noexcept { return thrown_; }

private:
    std::uint64_t index_;
    std::exception_ptr thrown_;
};

/// How a batch went.
class batch_report {
public:
    batch_report() = default;

    /// Items that were begun; each of them has ended.
    std::uint64_t started = 0;
    std::uint64_t succeeded = 0;
    /// Items that threw, those included that were cancelled under way.
    std::uint64_t failed = 0;
    /// Every item before this index is settled: it succeeded, or it failed and the batch went on. A
    /// later run that leaves out this many items does none of those twice; items from here on may
    /// have been done too, and are then done again.
    std::uint64_t settled_before = 0;
    /// Whether the range came to its end.
    bool exhausted = false;
    /// What the range threw when the next item was taken, after which no other is begun; null when
    /// it did not.
    std::exception_ptr range_failure;
    /// Whether the batch was cancelled.
    bool cancelled = false;
    /// In the order in which they happened, at most `batch_options::keep_failures`.
    std::vector<batch_failure> failures;
};

/// Completions in any order, as the length of the part from the beginning without a gap: the number
/// to write down for a later run. Holds as many numbers as complete ahead of the first gap.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class watermark {
public:
    watermark() = default;
    /// Everything before `first` is complete already.
    explicit watermark(std::uint64_t first) : value_(first) {}

    void complete(std::uint64_t index) {
        if (index != value_) {
            if (index > value_) ahead_.insert(index);
            return;
        }
        ++value_;
        while (!ahead_.empty() && *ahead_.begin() == value_) {
            ahead_.erase(ahead_.begin());
            ++value_;
        }
    }

    /// Every index before this one is complete.
    [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

private:
    std::uint64_t value_ = 0;
    std::set<std::uint64_t> ahead_;
};

} // namespace highlevel
