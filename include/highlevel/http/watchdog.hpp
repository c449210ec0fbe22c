// SPDX-License-Identifier: BSL-1.0
//
// One timer for all time limits of a transport. Most limits never strike; setting one is an atomic
// store here, and the timer is only touched when a limit is earlier than what it is set to.
#pragma once

#include <highlevel/detail/one_shot.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace highlevel::http::detail {

using boost::system::error_code;
using highlevel::detail::one_shot;
using clock = std::chrono::steady_clock;
using time_point = clock::time_point;

class watchdog;

/// Something with a time limit that moves often. Made known to the watchdog by watchdog::add().
///
/// A limit strikes once: after expired() is true no new limit can be set. The two sides agree on it
/// through one atomic, so that a limit which was met in the last moment never strikes what came
/// after it.
class watched : public std::enable_shared_from_this<watched> {
public:
    watched() = default;
    watched(const watched&) = delete;
    watched& operator=(const watched&) = delete;
    virtual ~watched() = default;

    [[nodiscard]] bool expired() const noexcept { return limit_.load() == struck; }

protected:
    /// Called once from any thread after the limit has struck.
    virtual void strike() noexcept = 0;

    /// Called when the timer went with its event loop: no limit strikes any more.
    virtual void abandon() noexcept = 0;

private:
    friend class watchdog;
    using rep = clock::rep;

    static constexpr rep never = time_point::max().time_since_epoch().count();
    static constexpr rep struck = time_point::min().time_since_epoch().count();

    std::atomic<rep> limit_{never};
};

/// Watches over time limits while exchanges are under way.
///
/// While none is under way no timer is pending, so that an idle transport does not keep
/// io_context::run() from returning. A pending timer that goes with its event loop wakes all that
/// waits, which would stay for ever otherwise: a bell and its waiter hold each other. Thread
/// safety: shared objects: safe.
class watchdog : public std::enable_shared_from_this<watchdog> {
public:
    using wait_list = std::multimap<time_point, std::weak_ptr<one_shot>>;

    /// A limit that is never reached, for what waits without one but is to be woken when the event
    /// loop goes.
    static constexpr time_point end_of_loop = time_point::max() - clock::duration{1};

    explicit watchdog(const boost::asio::any_io_executor& executor) { timer_.emplace(executor); }

    /// Called with the time at every tick; returns when it wants to be called next, or max().
    void on_tick(std::function<time_point(time_point)> housekeeping) {
        housekeeping_ = std::move(housekeeping);
    }

    /// An exchange begins.
    void enter() noexcept { active_.fetch_add(1); }

    /// An exchange ends; the last one stops the timer.
    void leave() {
        if (active_.fetch_sub(1) != 1) return;
        std::lock_guard const lock{mutex_};
        if (active_.load() != 0 || !pending_) return;
        pending_ = false;
        set_for_.store(watched::never);
        ++generation_;
        if (timer_) timer_->cancel();
        // One that began meanwhile may have taken the cancelled timer for its own: look again.
        if (active_.load() != 0) arm_locked(clock::now());
    }

    void add(watched& w) {
        std::lock_guard const lock{mutex_};
        watched_.push_back(w.weak_from_this());
        if (watched_.size() < sweep_at_) return;
        std::erase_if(watched_, [](auto const& weak) { return weak.expired(); });
        sweep_at_ = 2 * watched_.size() + 16;
    }

    /// Replaces the limit of `w`; max() for none. False when the former one has struck already.
    [[nodiscard]] bool set(watched& w, time_point limit) {
        auto const value = limit.time_since_epoch().count();
        auto old = w.limit_.load();
        do {
            if (old == watched::struck) return false;
        } while (!w.limit_.compare_exchange_weak(old, value));
        // A tick stores set_for_ before it looks at the limits. If we read the older value here,
        // our store came before that tick's look (both are sequentially consistent).
        if (value < set_for_.load()) arm(limit);
        return true;
    }

    /// Rings the bell with `timed_out` at that time, or with operation_aborted when the event loop
    /// goes before.
    [[nodiscard]] wait_list::iterator add_wait(
        time_point limit, const std::shared_ptr<one_shot>& bell) {
        limit = std::min(limit, end_of_loop);
        std::lock_guard const lock{mutex_};
        auto const place = waits_.emplace(limit, bell);
        arm_locked(limit);
        return place;
    }

    void remove_wait(wait_list::iterator place) {
        std::lock_guard const lock{mutex_};
        waits_.erase(place);
    }

    /// Everything that was added and still lives.
    [[nodiscard]] std::vector<std::shared_ptr<watched>> all() {
        std::vector<std::shared_ptr<watched>> living;
        std::lock_guard const lock{mutex_};
        for (auto const& weak : watched_)
            if (auto w = weak.lock()) living.push_back(std::move(w));
        return living;
    }

    /// Has on_tick's function called at that time, if exchanges are under way then.
    void look_at(time_point when) {
        if (when.time_since_epoch().count() < set_for_.load()) arm(when);
    }

    /// No limit strikes from now on. Gives the timer back, which must not outlive its execution
    /// context, as the watchdog may.
    void end() noexcept {
        std::lock_guard const lock{mutex_};
        ++generation_;
        pending_ = false;
        set_for_.store(watched::never);
        timer_.reset();
    }

private:
    // Waits for a tick. Destroyed before that, it has gone with its event loop.
    class ticking {
    public:
        ticking(std::shared_ptr<watchdog> self, std::uint64_t generation)
            : self_(std::move(self)),
              generation_(generation) {}
        ticking(ticking&& other) noexcept = default;
        ticking& operator=(ticking&&) = delete;
        ~ticking() {
            if (self_) self_->abandon();
        }

        void disarm() noexcept { self_.reset(); }

        void operator()(error_code) { std::exchange(self_, nullptr)->tick(generation_); }

    private:
        std::shared_ptr<watchdog> self_;
        std::uint64_t generation_;
    };

    void abandon() noexcept {
        end();
        std::vector<std::shared_ptr<one_shot>> left;
        {
            std::lock_guard const lock{mutex_};
            for (auto const& [when, weak] : waits_)
                if (auto bell = weak.lock()) left.push_back(std::move(bell));
        }
        for (auto const& w : all())
            w->abandon();
        for (auto const& bell : left)
            bell->ring(boost::asio::error::operation_aborted);
    }

    void arm(time_point when) {
        std::lock_guard const lock{mutex_};
        arm_locked(when);
    }

    void arm_locked(time_point when) {
        if (!timer_ || active_.load() == 0 || when == time_point::max()) return;
        if (pending_ && when.time_since_epoch().count() >= set_for_.load()) return;
        pending_ = true;
        set_for_.store(when.time_since_epoch().count());
        timer_->expires_at(when);
        ticking next{shared_from_this(), ++generation_};
        try {
            timer_->async_wait(std::move(next));
        } catch (...) {
            next.disarm(); // its destructor takes the lock
            pending_ = false;
            set_for_.store(watched::never);
            throw;
        }
    }

    void tick(std::uint64_t generation) {
        auto const now = clock::now();
        std::vector<std::shared_ptr<watched>> due;
        std::vector<std::shared_ptr<watched>> living;
        std::vector<std::shared_ptr<one_shot>> late;
        {
            std::lock_guard const lock{mutex_};
            // Superseded by a later arm() or by leave().
            if (generation != generation_) return;
            pending_ = false;
            set_for_.store(watched::never);
            auto next = time_point::max();
            for (auto const& weak : watched_) {
                auto w = weak.lock();
                if (!w) continue;
                auto limit = w->limit_.load();
                if (limit == watched::struck || limit == watched::never) {
                    living.push_back(std::move(w));
                } else if (limit > now.time_since_epoch().count()) {
                    next = std::min(next, time_point{clock::duration{limit}});
                    living.push_back(std::move(w));
                } else if (w->limit_.compare_exchange_strong(limit, watched::struck)) {
                    due.push_back(std::move(w));
                } else {
                    living.push_back(std::move(w)); // moved on; whoever moved it looks at the timer
                }
            }
            // A place stays in the list until its owner takes it out.
            auto place = waits_.begin();
            for (; place != waits_.end() && place->first <= now; ++place) {
                if (auto bell = place->second.lock()) late.push_back(std::move(bell));
                place->second.reset();
            }
            if (place != waits_.end()) next = std::min(next, place->first);
            arm_locked(next);
        }
        for (auto const& w : due)
            w->strike();
        for (auto const& bell : late)
            bell->ring(boost::asio::error::timed_out);
        if (housekeeping_) look_at(housekeeping_(now));
    }

    std::mutex mutex_;
    std::optional<boost::asio::steady_timer> timer_; ///< empty after end()
    std::function<time_point(time_point)> housekeeping_;
    std::vector<std::weak_ptr<watched>> watched_;
    std::size_t sweep_at_ = 64;
    wait_list waits_;
    std::uint64_t generation_ = 0;
    bool pending_ = false;
    std::atomic<watched::rep> set_for_{watched::never};
    std::atomic<std::size_t> active_{0};
};

} // namespace highlevel::http::detail
