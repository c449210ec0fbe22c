// SPDX-License-Identifier: BSL-1.0
//
// The seam through which several processes share a bucket: each holds a leased part of the limit
// and of the day. The ledger for limiters within one process is here; others plug in beside it.
#pragma once

#include <boost/system/errc.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace highlevel::quota {

/// Keeps account of who may use how much of which bucket.
///
/// A limiter reports each bucket in use every `limits::ledger_interval`, and gets the share that it
/// holds from then on. The one thing a ledger must see to: for each bucket, the sum over all
/// processes of max(share, occupied) never exceeds the limit, a share that is taken back counting
/// until its holder has reported to hold less. The timing of reports is then of no importance, but
/// after it was away or lost what it knew: a process that is alive asks again within two seconds,
/// and until then nobody may get more than he holds. (Not so of a bucket that is merely new to it:
/// who asks first may have all of that at once.) Processes may have begun while nobody could reach
/// it, and use what it knows nothing of; so a store that finds itself empty, without a word of
/// anybody, must take itself for one that lost what it knew. It forgets a process that was silent
/// for `ttl`, which must be longer than two intervals, the client's time-out and
/// `limits::lost_grace` together, so that nothing of it can still count.
///
/// Thread safety of implementations: all functions may be called from any thread.
class ledger {
public:
    /// What a process reports of one bucket.
    class claim {
    public:
        claim() = default;

        std::string resource;
        /// The limit, as the process knows it.
        std::uint32_t limit = 0;
        std::chrono::milliseconds interval{0};
        /// The share that it holds, and what its requests occupy of the limit at most.
        std::uint32_t held = 0;
        std::uint32_t occupied = 0;
        /// What it could use. Zero: it is done with the bucket, and holds nothing of it any more.
        std::uint32_t wanted = 0;
        /// Requests left of the day for all together, by its newest response; absent: not told.
        std::optional<std::int64_t> day_left;
        /// How old that response is.
        std::chrono::milliseconds day_age{0};
        /// What it has left of the requests of the day that were leased to it.
        std::int64_t day_held = 0;
    };

    /// What it may use from now on.
    class lease {
    public:
        lease() = default;

        std::uint32_t share = 0;
        /// Further requests of the day; absent: the day is not bounded as far as is known.
        std::optional<std::int64_t> day_added;
        /// Nothing more will be added today.
        bool day_over = false;
    };

    /// Called once, from any thread, also from within `renew`: the leases in the order of the
    /// claims, or an error (then nothing has changed).
    using handler = std::function<void(boost::system::error_code, std::vector<lease>)>;

    ledger() = default;
    ledger(const ledger&) = delete;
    ledger& operator=(const ledger&) = delete;
    virtual ~ledger() = default;

    /// Reports what `process` (any text that no other process uses) holds and wants.
    virtual void renew(std::string_view process, std::vector<claim> claims, handler done) = 0;
    /// The process ends; its shares may be given to others as soon as nothing of it can count.
    /// Calls no one back.
    virtual void leave(std::string_view process) noexcept = 0;
};

/// A ledger for limiters of one process (say, one per thread), and the model for distributed ones:
/// `renew` is what a script in a shared store has to do atomically. It is also the double for tests
/// of programs that use a distributed one: its clock can be moved, it can be away, and it can lose
/// everything. Empty at first, it does not take itself for lost: nobody can have asked before it
/// was there. Where more limiters want a bucket than its limit has requests, they take turns with
/// single ones, of an interval each.
///
/// Thread safety: shared objects: safe.
class in_process_ledger final : public ledger {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// `now` is for tests; empty: the steady clock.
    explicit in_process_ledger(
        std::chrono::milliseconds ttl = std::chrono::seconds{30},
        std::function<time_point()> now = {})
        : ttl_(ttl),
          now_(std::move(now)) {}

    void renew(std::string_view process, std::vector<claim> claims, handler done) override {
        std::vector<lease> leases;
        leases.reserve(claims.size());
        boost::system::error_code ec;
        {
            std::lock_guard const lock{mutex_};
            auto const now = now_ ? now_() : std::chrono::steady_clock::now();
            if (away_) {
                // Who asks in vain for the first time uses what he must take from then on.
                lost_ = true;
                ec = boost::system::errc::make_error_code(boost::system::errc::host_unreachable);
            } else {
                if (lost_ || (now - last_ > silence && somebody_is_missed())) resumed_ = now;
                lost_ = false;
                last_ = now;
                forget_some(now);
                for (auto const& c : claims)
                    leases.push_back(beat(process, c, now));
            }
        }
        done(ec, std::move(leases));
    }

    void leave(std::string_view process) noexcept override {
        // Its requests may still count: it is silent from now on, and forgotten in time.
        std::lock_guard const lock{mutex_};
        for (auto& [name, shared] : buckets_)
            if (auto const me = shared.members.find(process); me != shared.members.end()) {
                me->second.wanted = 0;
                me->second.day_held = 0;
            }
    }

    /// Forgets everything, as a store does that was lost and came back empty. For tests.
    void clear() {
        std::lock_guard const lock{mutex_};
        buckets_.clear();
        lost_ = true;
    }

    /// While it is away, every report ends with an error, as when a store cannot be reached. For
    /// tests.
    void set_away(bool away) {
        std::lock_guard const lock{mutex_};
        away_ = away;
    }

    /// How many buckets it keeps account of. For tests.
    [[nodiscard]] std::size_t size() const {
        std::lock_guard const lock{mutex_};
        return buckets_.size();
    }

private:
    class member {
    public:
        std::uint32_t share = 0;
        std::uint32_t occupied = 0;
        std::uint32_t wanted = 0;
        std::int64_t day_held = 0;
        time_point seen{};
        time_point turn_ends{}; // where there are turns; once past: since when it waits for another
    };
    class bucket {
    public:
        std::map<std::string, member, std::less<>> members;
        std::chrono::milliseconds ttl{0};
        std::optional<std::int64_t> day_left;
        time_point day_seen{};
    };

    // A silence of this length of all who hold something means that the store was away; then, as
    // after a loss, everybody reports what he holds before anybody gets more. That is of the whole
    // store: a bucket that is new to one that is in touch is nobody's.
    static constexpr std::chrono::seconds silence{5};
    static constexpr std::chrono::seconds settling{2};

    [[nodiscard]] bool is_dead(const bucket& shared, const member& m, time_point by) const {
        return std::max(m.seen, resumed_.value_or(m.seen)) < by - shared.ttl;
    }

    /// Whether reports ceased to come of anybody who did not say that he was done.
    [[nodiscard]] bool somebody_is_missed() const {
        return std::any_of(buckets_.begin(), buckets_.end(), [&](auto const& b) {
            auto const& members = b.second.members;
            return std::any_of(members.begin(), members.end(), [&](auto const& each) {
                return each.second.wanted > 0 && !is_dead(b.second, each.second, last_);
            });
        });
    }

    /// Forgets buckets of which all died, at most a few, so that the cost is spread over the
    /// reports.
    void forget_some(time_point now) {
        for (int i = 0; i < 2 && !buckets_.empty(); ++i) {
            auto next = buckets_.upper_bound(looked_at_);
            if (next == buckets_.end()) next = buckets_.begin();
            looked_at_ = next->first;
            bury(next->second, now);
            if (next->second.members.empty()) buckets_.erase(next);
        }
    }
    void bury(bucket& shared, time_point now) const {
        std::erase_if(
            shared.members, [&](auto const& m) { return is_dead(shared, m.second, now); });
    }

    [[nodiscard]] lease beat(std::string_view process, const claim& c, time_point now) {
        auto& shared = buckets_[c.resource];
        shared.ttl = std::max(ttl_, 3 * c.interval);
        bury(shared, now);
        auto me = shared.members.find(process);
        if (me == shared.members.end()) {
            me = shared.members.try_emplace(std::string{process}).first;
            me->second.turn_ends = now;
        }
        me->second.occupied = c.occupied;
        me->second.wanted = c.wanted;
        me->second.seen = now;

        std::uint32_t others = 0;
        for (auto const& [name, m] : shared.members)
            if (name != process) others += std::max(m.share, m.occupied);
        auto const room = c.limit > others ? c.limit - others : 0;
        if (c.wanted == 0) {
            me->second.share = 0;
            me->second.day_held = 0;
            if (c.occupied == 0) shared.members.erase(me);
            if (shared.members.empty()) buckets_.erase(c.resource);
            return {};
        }
        auto share = std::min(target(shared, process, c.limit, now), room);
        if (share > c.held && resumed_ && now < *resumed_ + settling) share = c.held;
        // A cut makes room for others only once its holder says that he holds less.
        me->second.share = std::max(c.held, share);
        if (share > 0 && me->second.turn_ends <= now) me->second.turn_ends = now + c.interval;

        lease result;
        result.share = share;
        lease_day(shared, me->second, c, now, result);
        return result;
    }

    /// Max-min fair parts of the limit: nobody gets more than he wants while others want more, and
    /// nobody less than a quarter of an even part, so that he can begin at once. Where that is less
    /// than one for each, turns decide.
    [[nodiscard]] static std::uint32_t target(
        const bucket& shared, std::string_view process, std::uint32_t limit, time_point now) {
        std::vector<std::pair<std::uint32_t, std::string_view>> wants;
        for (auto const& [name, m] : shared.members)
            if (m.wanted > 0) wants.emplace_back(m.wanted, name);
        auto const n = static_cast<std::uint32_t>(wants.size());
        if (n > limit) return has_turn(shared, process, limit, now) ? 1 : 0;
        for (auto& [want, name] : wants)
            want = std::max({1U, limit / (4 * n), want});
        std::sort(wants.begin(), wants.end());
        auto left = limit;
        auto heads = n;
        for (auto const& [want, name] : wants) {
            auto const part = std::min(want, left / heads);
            if (name == process) return part;
            left -= part;
            --heads;
        }
        return 0;
    }

    /// Whether a process is among the first `limit`: those whose turn is not over stay, and those
    /// who wait the longest come next. A turn lasts an interval, in which one can be used but once.
    [[nodiscard]] static bool has_turn(
        const bucket& shared, std::string_view process, std::uint32_t limit, time_point now) {
        auto const rank = [&](std::string_view name, const member& m) {
            bool const waits = m.share == 0 || m.turn_ends <= now;
            return std::tuple{waits, m.turn_ends, name};
        };
        auto const me = shared.members.find(process);
        auto const mine = rank(me->first, me->second);
        auto const before =
            std::count_if(shared.members.begin(), shared.members.end(), [&](auto const& each) {
                return each.second.wanted > 0 && rank(each.first, each.second) < mine;
            });
        return before < std::int64_t{limit};
    }

    /// Leases requests of the day ahead, about two intervals' worth, less when little is left. What
    /// is left is what the newest response of anybody says, less what is leased and unspent; it can
    /// be too much by what others sent since that response, a part of a second's worth.
    static void lease_day(
        bucket& shared, member& me, const claim& c, time_point now, lease& result) {
        me.day_held = c.day_held;
        if (c.day_left && (!shared.day_left || now - c.day_age >= shared.day_seen)) {
            shared.day_left = c.day_left;
            shared.day_seen = now - c.day_age;
        }
        if (!shared.day_left) return;
        std::int64_t leased = 0;
        for (auto const& [name, m] : shared.members)
            leased += m.day_held;
        auto const pool = std::max<std::int64_t>(0, *shared.day_left - leased);
        auto const n = static_cast<std::int64_t>(shared.members.size());
        auto const part = std::max(std::min<std::int64_t>(1, pool), pool / (2 * n));
        auto const wish = std::max<std::int64_t>(0, 2 * std::int64_t{c.limit} - c.day_held);
        result.day_added = std::min(wish, part);
        me.day_held += *result.day_added;
        result.day_over = pool == 0 && me.day_held == 0;
    }

    std::chrono::milliseconds ttl_;
    std::function<time_point()> now_;
    mutable std::mutex mutex_;
    bool away_ = false;
    bool lost_ = false;                 // somebody may hold what is not known here
    time_point last_{};                 // when anybody reported
    std::optional<time_point> resumed_; // when reports came again after a silence or a loss
    std::map<std::string, bucket> buckets_;
    std::string looked_at_; // which of them last, whether it can be forgotten
};

} // namespace highlevel::quota
