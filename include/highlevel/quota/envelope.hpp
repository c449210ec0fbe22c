// SPDX-License-Identifier: BSL-1.0
//
// How much of our own use a server could be counting at most, whatever way it counts: the first of
// the two proofs by which a bucket lets a request go.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <utility>

namespace highlevel::quota {

namespace detail {

/// Nanoseconds of the steady clock; signed, so that differences need no care.
using nanos = std::int64_t;

/// Far enough away to be never, near enough that adding an interval does not overflow.
inline constexpr nanos never = std::numeric_limits<nanos>::max() / 4;
inline constexpr nanos long_ago = -never;

[[nodiscard]] constexpr std::int64_t floor_div(std::int64_t a, std::int64_t b) noexcept {
    return a / b - (a % b < 0 ? 1 : 0);
}

[[nodiscard]] constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) noexcept {
    return a / b + (a % b > 0 ? 1 : 0);
}

} // namespace detail

/// The largest count of finished requests that any kind of server could hold at a moment.
///
/// Let N[a, b) be the number of requests that were finished within [a, b), each taken at its latest
/// possible arrival. A server that keeps a log counts N[t-T, t]; one with fixed windows less; one
/// with two counters N[b, t] + N[b-T, b) * (1 - (t-b)/T) for the window that began at b, which it
/// does not tell. The largest of these over all b in (t-T, t] bounds every one of them (b = t is
/// the log), and with it token buckets and GCRA, which forget faster than a log. The weight of one
/// request never grows as time passes and never shrinks when its arrival is taken later; hence
/// taking it late is safe, and so is rounding it up to the end of a slice of T/128.
///
/// A look is O(128) at most; it is remembered, so that most are O(1). About half a kilobyte,
/// whatever the limit. Thread safety: distinct objects: safe; shared objects: unsafe.
class envelope {
public:
    /// Slices per interval. 64 cost half a point of throughput, 256 win a tenth.
    static constexpr int slices = 128;
    /// How far ahead of now arrivals may be recorded, in slices.
    static constexpr int ahead = 8;

    /// `interval` in nanoseconds, above zero. `weighted` is false for a plain log (b = t only).
    explicit envelope(detail::nanos interval, bool weighted = true) noexcept
        : slice_(slice_of(interval)),
          weighted_(weighted) {}

    /// The interval, rounded up to a multiple of 128 ns (a longer one is the safe side).
    [[nodiscard]] detail::nanos interval() const noexcept { return slice_ * slices; }
    [[nodiscard]] detail::nanos slice() const noexcept { return slice_; }

    /// Counts `n` requests that arrived at `latest` or before; at most `ahead` slices in the
    /// future.
    void add(detail::nanos latest, unsigned n = 1) noexcept {
        if (n == 0) return;
        auto const i = detail::ceil_div(latest, slice_);
        if (empty_) {
            empty_ = false;
            head_ = i;
            scanned_ = none;
            blocked_until_ = detail::long_ago;
        } else if (i > head_) {
            auto const stale = std::min<std::int64_t>(i - head_, size);
            clear(i - stale + 1, stale);
            head_ = i;
        } else if (i <= head_ - size) {
            return;
        }
        put(at(i), get(at(i)) + n);
        added_ += n;
        // What is recorded for the past may weigh less than one: the remembered refusal of
        // `release` would be too strict then.
        if (i <= scanned_) blocked_until_ = detail::long_ago;
    }

    /// The bound at `now`, exact to within the slice of now. O(1) when asked again in that slice.
    [[nodiscard]] double bound(detail::nanos now) noexcept {
        if (detail::floor_div(now, slice_) != scanned_)
            (void)scan(now, std::numeric_limits<double>::infinity());
        return scanned_bound_ + static_cast<double>(added_);
    }

    /// Whether the bound is within `room` at `now`; if not, `release()` says from when it is,
    /// provided that nothing is added.
    [[nodiscard]] bool fits(detail::nanos now, double room) noexcept {
        if (room < 0) {
            release_ = detail::never;
            return false;
        }
        if (empty_) return true;
        auto const grown = static_cast<double>(added_);
        if (detail::floor_div(now, slice_) == scanned_ && scanned_bound_ + grown <= room + eps)
            return true;
        // Nothing that was added since that look weighs less than one before its release time, so
        // the refusal stands as long as the room has not grown by more than that.
        if (now < blocked_until_ && room <= blocked_room_ + grown + eps) {
            release_ = blocked_until_;
            return false;
        }
        release_ = scan(now, room);
        if (scanned_bound_ <= room + eps) return true;
        blocked_until_ = release_;
        blocked_room_ = room;
        return false;
    }

    /// After `fits` said no: the earliest moment to ask again; `never` when only more room helps.
    [[nodiscard]] detail::nanos release() const noexcept { return release_; }

    /// The bound at `now`, exact to the nanosecond, without remembering it.
    [[nodiscard]] double exact_bound(detail::nanos now) const noexcept {
        return look(now, std::numeric_limits<double>::infinity()).bound;
    }

    /// When the bound comes within `room`, provided that nothing is added; `now` if it is.
    [[nodiscard]] detail::nanos release_for(detail::nanos now, double room) const noexcept {
        if (room < 0) return detail::never;
        auto const seen = look(now, room);
        return seen.bound <= room + eps ? now : seen.release;
    }

    /// Whether nothing recorded can count any more.
    [[nodiscard]] bool idle(detail::nanos now) const noexcept {
        return empty_ || head_ <= detail::floor_div(now, slice_) - 2 * slices;
    }

    /// Changes the interval; what was recorded keeps its time, rounded up anew, but to no later
    /// than `latest`, the moment up to which arrivals can be. `recorded` is how many were ever
    /// added: a longer interval makes those count again that were let go, and they are taken to
    /// have arrived as late as they can have, just before the oldest that is kept.
    void rescale(detail::nanos interval, detail::nanos latest, std::uint64_t recorded) noexcept {
        auto const old = std::move(*this);
        slice_ = slice_of(interval);
        low_.fill(0);
        high_.held_.reset();
        full_ = false;
        empty_ = true;
        added_ = 0;
        scanned_ = none;
        blocked_until_ = detail::long_ago;
        if (old.empty_) return;
        auto const oldest = old.head_ - size + 1;
        if (slice_ > old.slice_) {
            std::uint64_t kept = 0;
            for (auto i = oldest; i <= old.head_; ++i)
                kept += old.get(at(i));
            auto const forgotten = recorded > kept ? recorded - kept : 0;
            add((oldest - 1) * old.slice_,
                static_cast<unsigned>(std::min<std::uint64_t>(forgotten, 0xffff)));
        }
        for (auto i = oldest; i <= old.head_; ++i)
            add(std::min(i * old.slice_, latest), old.get(at(i)));
    }

private:
    static constexpr int size = 2 * slices + ahead;
    static constexpr double eps = 1e-9;
    static constexpr std::int64_t none = std::numeric_limits<std::int64_t>::min();

    [[nodiscard]] static constexpr detail::nanos slice_of(detail::nanos interval) noexcept {
        return detail::ceil_div(interval, slices);
    }

    [[nodiscard]] static constexpr std::size_t at(std::int64_t i) noexcept {
        return static_cast<std::size_t>(i - detail::floor_div(i, size) * size);
    }

    [[nodiscard]] unsigned get(std::size_t cell) const noexcept {
        return low_[cell] + (high_.held_ ? unsigned{(*high_.held_)[cell]} << 8 : 0U);
    }

    void clear(std::int64_t from, std::int64_t count) noexcept {
        for (auto cell = at(from); count > 0; cell = 0) {
            auto const run = std::min<std::int64_t>(count, size - static_cast<int>(cell));
            std::memset(low_.data() + cell, 0, static_cast<std::size_t>(run));
            if (high_.held_)
                std::memset(high_.held_->data() + cell, 0, static_cast<std::size_t>(run));
            count -= run;
        }
    }

    /// A full cell stays above every limit (at most 60,000), so that it blocks all the same.
    void put(std::size_t cell, unsigned n) noexcept {
        n = std::min(n, 0xffffU);
        if (n > 0xff && !high_.held_) {
            high_.held_.reset(new (std::nothrow) bytes{});
            if (!high_.held_) {
                full_ = true; // cannot tell any more: lets nothing pass until all is past
                n = 0xff;
            }
        }
        low_[cell] = static_cast<std::uint8_t>(n & 0xff);
        if (high_.held_) (*high_.held_)[cell] = static_cast<std::uint8_t>(n >> 8);
    }

    /// Finds the bound at `now`, remembers it, and returns the earliest time from which it is
    /// within `room`.
    [[nodiscard]] detail::nanos scan(detail::nanos now, double room) noexcept {
        if (idle(now)) full_ = false;
        auto const seen = look(now, room);
        scanned_ = detail::floor_div(now, slice_);
        scanned_bound_ = seen.bound;
        added_ = 0;
        blocked_until_ = detail::long_ago;
        return seen.release;
    }

    class reading {
    public:
        double bound = 0;
        detail::nanos release = 0;
    };

    /// The bound at `now`, and the earliest time from which it is within `room`.
    [[nodiscard]] reading look(detail::nanos now, double room) const noexcept {
        constexpr int span = 2 * slices;
        auto const last = detail::floor_div(now, slice_);
        if (idle(now)) return {0, now};

        // A contiguous copy: slices base .. last + ahead.
        auto const base = last + 1 - span;
        std::array<std::uint16_t, span + ahead> counts{};
        unroll(low_, base, counts, [](unsigned, unsigned low) { return low; });
        if (high_.held_)
            unroll(*high_.held_, base, counts, [](unsigned low, unsigned high) {
                return low | high << 8;
            });
        auto const count = [&](int k) { return std::int32_t{counts[static_cast<std::size_t>(k)]}; };

        std::int32_t current = 0;
        for (int k = span; k < span + ahead; ++k)
            current += count(k);
        std::int32_t previous = 0;
        for (int k = slices; k < span; ++k)
            previous += count(k);
        double most = full_ ? 1e6 : current + previous;
        detail::nanos need = now;
        if (most > room + eps) {
            double over = most - room;
            int k = slices;
            for (; over > eps && k < span + ahead; ++k)
                over -= count(k);
            need = over > eps ? now + interval() : (base + k - 1 + slices) * slice_;
        }
        if (!weighted_) return {most, std::max(need, now + 1)};
        auto const whole = static_cast<double>(interval());
        auto const weight_at = [part = 1.0 / whole](detail::nanos t, detail::nanos boundary) {
            return 1.0 - static_cast<double>(t - boundary) * part;
        };
        for (int k = span - 1; k >= slices; --k) {
            // Nothing begins or ends to count: what the slice after it holds, weighing less. Most
            // are such, and are passed by in fours.
            if (k != span - 1) {
                if (k % 4 == 3 && (four(counts, k - 3) | four(counts, k - 3 - slices)) == 0) {
                    k -= 3;
                    continue;
                }
                if ((count(k) | count(k - slices)) == 0) continue;
            }
            current += count(k);
            previous += count(k - slices) - count(k);
            auto const boundary = (base + k) * slice_;
            double const held = current + previous * weight_at(now, boundary);
            most = std::max(most, held);
            if (held <= room + eps) continue;
            double const needed_weight = weight_at(need, boundary);
            if (needed_weight <= 0 || current + previous * needed_weight <= room) continue;
            // This phase keeps the door shut longer than those before it.
            double const part =
                current > room ? 1.0 : 1.0 - (room - current) / static_cast<double>(previous);
            need = boundary + static_cast<detail::nanos>(part * whole) + 1;
        }
        return {most, std::max(need, now + 1)};
    }

    using bytes = std::array<std::uint8_t, static_cast<std::size_t>(size)>;

    /// Puts the counters of slices from `base` on in a row; `join` makes the new value of the old
    /// one and the ring's. With fixed lengths, which compilers turn into a few wide instructions.
    template <std::size_t N, class Join>
    void unroll(const bytes& ring, std::int64_t base, std::array<std::uint16_t, N>& into, Join join)
        const noexcept {
        std::array<std::uint8_t, N> row{};
        auto const end = std::min<std::int64_t>(head_ - base + 1, N);
        for (auto k = std::max<std::int64_t>(0, head_ - size + 1 - base); k < end;) {
            auto const from = at(base + k);
            auto const run = std::min<std::int64_t>(end - k, size - static_cast<int>(from));
            std::memcpy(row.data() + k, ring.data() + from, static_cast<std::size_t>(run));
            k += run;
        }
        for (std::size_t k = 0; k < N; ++k)
            into[k] = static_cast<std::uint16_t>(join(into[k], row[k]));
    }

    /// Four counters at once, to see whether there is anything in them.
    template <std::size_t N>
    [[nodiscard]] static std::uint64_t four(
        const std::array<std::uint16_t, N>& counts, int from) noexcept {
        std::uint64_t all = 0;
        std::memcpy(&all, counts.data() + from, sizeof all);
        return all;
    }

    /// Upper bytes of the counters, which only exist where limits are that high.
    class upper_bytes {
    public:
        upper_bytes() = default;
        upper_bytes(const upper_bytes& other)
            : held_(other.held_ ? std::make_unique<bytes>(*other.held_) : nullptr) {}
        upper_bytes(upper_bytes&&) noexcept = default;
        upper_bytes& operator=(const upper_bytes& other) {
            held_ = other.held_ ? std::make_unique<bytes>(*other.held_) : nullptr;
            return *this;
        }
        upper_bytes& operator=(upper_bytes&&) noexcept = default;
        ~upper_bytes() = default;

        std::unique_ptr<bytes> held_;
    };

    std::int64_t head_ = 0; // the newest slice
    detail::nanos slice_;
    // The last look: its slice, what it found, and what was added since.
    std::int64_t scanned_ = none;
    double scanned_bound_ = 0;
    std::uint32_t added_ = 0;
    bool weighted_;
    bool empty_ = true;
    bool full_ = false;
    // The last refusal: until when it holds, and for which room.
    detail::nanos blocked_until_ = detail::long_ago;
    double blocked_room_ = 0;
    detail::nanos release_ = 0;
    upper_bytes high_;
    bytes low_{};
};

} // namespace highlevel::quota
