// SPDX-License-Identifier: BSL-1.0
//
// The limiter's inside: what calls, permits and the timer do to queues and buckets, under one lock.
#pragma once

#include <highlevel/quota/bucket.hpp>
#include <highlevel/quota/detail/alarm.hpp>
#include <highlevel/quota/detail/linked_list.hpp>
#include <highlevel/quota/error.hpp>
#include <highlevel/quota/headers.hpp>
#include <highlevel/quota/lane.hpp>
#include <highlevel/quota/ledger.hpp>
#include <highlevel/quota/limits.hpp>
#include <highlevel/quota/time_source.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace highlevel::quota::detail {

class entry;

/// A call that waits; lives in its coroutine's frame.
class waiter : public alarm, public link {
public:
    waiter() noexcept { kind = of::waiter; }

    entry* home = nullptr;
    quota::lane lane = quota::lane::interactive;
    bool queued = false;
    bool patient = false; // waits past its deadline
    nanos deadline = never;
    boost::asio::any_completion_handler<void()> handler;
    boost::asio::any_io_executor executor; // counts as work while we wait

    // The outcome.
    bucket::ticket ticket;
    boost::system::error_code error;
    nanos retry_in = -1;
};

/// A bucket with its queues.
class entry : public alarm, public link {
public:
    entry(const limits& options, std::uint64_t seed) noexcept : state(options, seed) {}

    [[nodiscard]] auto& queue(lane l) noexcept { return lanes[static_cast<std::size_t>(l)]; }
    [[nodiscard]] const auto& queue(lane l) const noexcept {
        return lanes[static_cast<std::size_t>(l)];
    }
    [[nodiscard]] bool waited_for() const noexcept {
        return !lanes[0].empty() || !lanes[1].empty();
    }

    std::string_view key; // the map's
    std::array<linked_list<waiter>, 2> lanes;
    nanos idle_since = 0;
    nanos opens = 0; // by the last verdict; never: by an event
    std::uint64_t queued = 0;
    std::uint32_t rejected = 0;
    std::uint32_t cancelled = 0;
    std::uint32_t permits = 0; // handed out and not ended
    std::uint32_t streak = 0;  // interactive grants in a row while bulk waited
    bool opens_certainly = false;
    std::array<bool, 2> day_over{}; // by the last verdict for the lane
    enum class list : std::uint8_t { none, ready, idle } in = list::none;
    // Shares of several processes: whether the ledger is told of the bucket, and has granted once.
    bool reported = false;
    bool leased = false;
    nanos leased_at = 0;      // or, before that, since when it is asked for
    std::uint32_t denied = 0; // since the last report
    bucket state;
};

using entry_list = linked_list<entry>;
using waiter_list = linked_list<waiter>;

/// What limiter and permits share; everything happens under one lock, completions after it.
class limiter_core : public std::enable_shared_from_this<limiter_core> {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// Kept away from the ends, so that sums do not overflow.
    [[nodiscard]] static nanos to_nanos(time_point t) noexcept {
        auto const since =
            std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch());
        return std::clamp<nanos>(since.count(), long_ago, never);
    }

    limiter_core(
        boost::asio::any_io_executor executor, limits options, std::shared_ptr<time_source> time)
        : executor_(std::move(executor)),
          options_(std::move(options)),
          owned_time_(std::move(time)),
          seed_(options_.seed != 0 ? options_.seed : random_seed()) {
        options_.validate();
        if (!owned_time_) owned_time_ = std::make_shared<steady_time>(executor_);
        time_ = owned_time_.get();
        if (options_.ledger) process_ = std::to_string(random_seed());
    }

    void start() {
        time_->start([weak = weak_from_this()] {
            if (auto const self = weak.lock()) self->tick();
        });
    }

    [[nodiscard]] const boost::asio::any_io_executor& executor() const noexcept {
        return executor_;
    }

    /// An outcome at once, or nothing: the call has to wait.
    class outcome {
    public:
        entry* home = nullptr;
        bucket::ticket ticket;
        boost::system::error_code error;
        nanos retry_in = -1;
        bool pending = false;
    };

    [[nodiscard]] outcome attempt(
        std::string_view resource,
        lane who,
        bool retry,
        bool patient,
        nanos deadline,
        bool queues) {
        std::lock_guard const lock{mutex_};
        return attempt_locked(resource, who, retry, patient, deadline, queues);
    }

    /// Tries once more, and queues the waiter if that fails. Its handler is called in any case.
    void park(waiter& w, std::string_view resource, bool retry) {
        waiter_list done;
        {
            std::lock_guard const lock{mutex_};
            auto const o = attempt_locked(resource, w.lane, retry, w.patient, w.deadline, true);
            w.home = o.home;
            if (!o.pending) {
                w.ticket = o.ticket;
                w.error = o.error;
                w.retry_in = o.retry_in;
                done.push_back(w);
            } else {
                alarms_.ensure(entries_.size() + queued_ + 1);
                auto& home = *o.home;
                auto& queue = home.queue(w.lane);
                if (retry)
                    queue.push_front(w);
                else
                    queue.push_back(w);
                w.queued = true;
                ++queued_;
                ++home.queued;
                if (home.in == entry::list::idle) put(home, entry::list::none);
                if (!w.patient && w.deadline < never) alarms_.set(w, w.deadline);
                if (&queue.front() == &w) {
                    make_ready(home);
                    run(time_->now(), done);
                } else {
                    rearm();
                }
            }
        }
        complete(done);
    }

    /// Takes a waiter out of its queue, wherever it stands.
    void cancel(waiter& w) noexcept {
        waiter_list done;
        {
            std::lock_guard const lock{mutex_};
            if (!w.queued) return;
            auto& home = *w.home;
            ++home.cancelled;
            bool const led = &home.queue(w.lane).front() == &w;
            fail(w, boost::asio::error::operation_aborted, -1, done);
            auto const at = time_->now();
            if (led && home.waited_for()) make_ready(home);
            touch(home, to_nanos(at));
            run(at, done);
        }
        complete(done);
    }

    void settle(
        entry& home,
        bucket::ticket& ticket,
        const rate_headers& headers,
        unsigned status,
        std::optional<std::chrono::milliseconds> retry_after) noexcept {
        end(home,
            [&](time_point now) { home.state.settle(ticket, now, headers, status, retry_after); });
    }
    void lost(entry& home, bucket::ticket& ticket) noexcept {
        end(home, [&](time_point now) { home.state.lost(ticket, now); });
    }
    void unsent(entry& home, bucket::ticket& ticket) noexcept {
        end(home, [&](time_point now) { home.state.unsent(ticket, now); });
    }

    [[nodiscard]] bucket_snapshot snapshot(std::string_view resource) const {
        std::lock_guard const lock{mutex_};
        auto const now = time_->now();
        auto const found = entries_.find(resource);
        if (found != entries_.end()) return describe(found->second, now);
        bucket_snapshot result;
        result.resource = resource;
        bucket{options_}.describe(now, result);
        return result;
    }

    [[nodiscard]] std::vector<bucket_snapshot> snapshots() const {
        std::lock_guard const lock{mutex_};
        auto const now = time_->now();
        std::vector<bucket_snapshot> result;
        result.reserve(entries_.size());
        for (auto const& [key, home] : entries_)
            result.push_back(describe(home, now));
        return result;
    }

    void shutdown() noexcept {
        waiter_list done;
        {
            std::lock_guard const lock{mutex_};
            if (std::exchange(stopped_, true)) return;
            for (auto& [key, home] : entries_)
                for (auto& queue : home.lanes)
                    while (!queue.empty())
                        fail(queue.front(), boost::asio::error::operation_aborted, -1, done);
            while (!ready_.empty())
                put(ready_.front(), entry::list::none);
            // The timer must not outlive its execution context, as permits may.
            time_->cancel();
            time_ = &ended_;
            owned_time_.reset();
        }
        complete(done);
        if (options_.ledger) options_.ledger->leave(process_);
    }

private:
    class ledger_alarm : public alarm {
    public:
        ledger_alarm() noexcept { kind = of::ledger; }
    };

    /// After shutdown: the clock alone.
    class stopped_time final : public time_source {
    public:
        [[nodiscard]] time_point now() const noexcept override {
            return std::chrono::steady_clock::now();
        }
        void start(std::function<void()>) override {}
        void wake_at(time_point) override {}
        void cancel() noexcept override {}
    };

    class hash {
    public:
        using is_transparent = void;
        [[nodiscard]] std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };

    // Grants per turn of the event loop, and per bucket before the next one has its turn.
    static constexpr int grants_per_tick = 16;
    static constexpr int grants_per_turn = 4;
    // How long a new bucket waits for its first lease before it takes the ledger for lost.
    static constexpr nanos first_lease = 1'000'000'000;
    // How long the ledger's answer is waited for before it is asked again.
    static constexpr nanos longest_answer = 5'000'000'000;

    [[nodiscard]] static std::uint64_t random_seed() {
        std::random_device device;
        return (std::uint64_t{device()} << 32) ^ device();
    }

    [[nodiscard]] bucket_snapshot describe(const entry& home, time_point now) const {
        bucket_snapshot result;
        result.resource = home.key;
        result.known = true;
        home.state.describe(now, result);
        for (std::size_t i = 0; i < home.lanes.size(); ++i)
            result.waiting[i] = home.lanes[i].size();
        if (home.waited_for()) result.available = 0;
        result.queued = home.queued;
        result.rejected = home.rejected;
        result.cancelled = home.cancelled;
        return result;
    }

    // -- the call's side -----------------------------------------------------------------------

    [[nodiscard]] outcome attempt_locked(
        std::string_view resource,
        lane who,
        bool retry,
        bool patient,
        nanos deadline,
        bool queues) {
        outcome o;
        if (stopped_) {
            o.error = boost::asio::error::operation_aborted;
            return o;
        }
        auto const at = time_->now();
        auto const now = to_nanos(at);
        auto& home = find_or_create(resource, now);
        o.home = &home;
        use_ledger(home, now);
        auto const ahead = who == lane::interactive
            ? (retry ? 0 : home.queue(lane::interactive).size())
            : (retry ? 0 : home.queue(lane::bulk).size()) + home.queue(lane::interactive).size();
        bool daily = false;
        if (ahead == 0 && !(who == lane::interactive && bulk_has_turn(home))) {
            auto const v = home.state.admit(at, who, o.ticket);
            if (v.granted) {
                hand_out(home, who);
                if (bulk_has_turn(home)) {
                    make_ready(home);
                    post_tick();
                }
                return o;
            }
            note(home, who, v);
            daily = v.daily;
        } else {
            daily = home.day_over[static_cast<std::size_t>(who)];
        }
        touch(home, now);
        auto const longest =
            who == lane::interactive ? options_.queue_interactive : options_.queue_bulk;
        if (!queues) {
            ++home.denied;
            o.pending = true;
        } else if (daily && !patient) {
            ++home.rejected;
            o.error = errc::daily_exhausted;
            o.retry_in = home.opens < never ? std::max<nanos>(0, home.opens - now) : -1;
        } else if (!retry && home.queue(who).size() >= longest) {
            ++home.rejected;
            o.error = errc::queue_full;
            o.retry_in = expected(home, ahead, now);
        } else if (!patient && at_least(home, ahead, now) > deadline - now) {
            ++home.rejected;
            o.error = errc::deadline_too_soon;
            o.retry_in = expected(home, ahead, now);
        } else {
            o.pending = true;
        }
        return o;
    }

    // -- waits ---------------------------------------------------------------------------------

    static void note(entry& home, lane who, const bucket::verdict& v) noexcept {
        home.opens = to_nanos(v.wake);
        home.opens_certainly = v.certain;
        home.day_over[static_cast<std::size_t>(who)] = v.daily;
        // What stops interactive calls stops bulk work all the more.
        if (who == lane::interactive && v.daily)
            home.day_over[static_cast<std::size_t>(lane::bulk)] = true;
    }

    [[nodiscard]] static nanos round(const entry& home) noexcept {
        return std::chrono::nanoseconds{home.state.interval()}.count();
    }
    [[nodiscard]] static std::int64_t per_round(const entry& home) noexcept {
        auto const max = home.state.max();
        return std::max<std::int64_t>(1, std::min(home.state.share().value_or(max), max));
    }

    /// n * each, or `never` where that is more.
    [[nodiscard]] static nanos times(std::size_t n, nanos each) noexcept {
        if (each > 0 && n >= static_cast<std::size_t>(never / each)) return never;
        return static_cast<nanos>(n) * each;
    }

    /// How long a call with `ahead` others before it waits, if all goes on as it is.
    [[nodiscard]] static nanos expected(const entry& home, std::size_t ahead, nanos now) noexcept {
        nanos const first = home.opens < never ? std::max<nanos>(0, home.opens - now) : 0;
        return first + times(ahead, round(home) / per_round(home));
    }

    /// How long it waits at the least, whatever the responses on their way will say: within one
    /// interval a server with fixed windows can admit its limit twice, but no more.
    [[nodiscard]] static nanos at_least(const entry& home, std::size_t ahead, nanos now) noexcept {
        nanos const first =
            home.opens_certainly && home.opens < never ? std::max<nanos>(0, home.opens - now) : 0;
        auto const rounds = ahead / static_cast<std::size_t>(per_round(home));
        return first + (rounds > 1 ? times(rounds - 1, round(home)) : 0);
    }

    // -- buckets -------------------------------------------------------------------------------

    [[nodiscard]] entry& find_or_create(std::string_view resource, nanos now) {
        forget_idle(now);
        if (auto const found = entries_.find(resource); found != entries_.end())
            return found->second;
        alarms_.ensure(entries_.size() + queued_ + 1);
        auto const made = entries_.try_emplace(std::string{resource}, options_, ++seed_).first;
        made->second.key = made->first;
        return made->second;
    }

    void put(entry& home, entry::list where) noexcept {
        if (home.in == entry::list::ready) ready_.erase(home);
        if (home.in == entry::list::idle) idle_.erase(home);
        if (where == entry::list::ready) ready_.push_back(home);
        if (where == entry::list::idle) idle_.push_back(home);
        home.in = where;
    }

    /// Keeps the list of buckets that nobody uses, the longest unused first.
    void touch(entry& home, nanos now) noexcept {
        if (home.permits > 0 || home.waited_for()) {
            if (home.in == entry::list::idle) put(home, entry::list::none);
            return;
        }
        home.idle_since = now;
        put(home, entry::list::idle);
    }

    /// Forgets at most two buckets, so that the cost is spread over the calls. Where there are too
    /// many, those go that cannot have a request refused for it, and no others: within two
    /// intervals there are no more of these than there were requests.
    void forget_idle(nanos now) noexcept {
        auto const at = time_point{std::chrono::nanoseconds{now}};
        auto const rest = nanoseconds(options_.idle_eviction);
        for (int i = 0; i < 2 && !idle_.empty(); ++i) {
            auto& home = idle_.front();
            bool const crowded = entries_.size() > options_.max_buckets;
            auto const matters = 2 * round(home) + round(home) / 16;
            if (now - home.idle_since < (crowded ? std::min(rest, matters) : rest)) return;
            if (crowded ? home.state.expendable(at) : home.state.forgettable(at))
                forget(home);
            else
                touch(home, now); // its past still matters: look again later
        }
    }

    void forget(entry& home) noexcept {
        put(home, entry::list::none);
        alarms_.clear(home);
        if (home.reported) --reported_;
        entries_.erase(entries_.find(home.key));
    }

    void hand_out(entry& home, lane who) noexcept {
        ++home.permits;
        home.day_over[static_cast<std::size_t>(who)] = false;
        if (home.in == entry::list::idle) put(home, entry::list::none);
        if (who == lane::bulk || home.queue(lane::bulk).empty()) {
            home.streak = 0;
        } else {
            ++home.streak;
        }
    }

    [[nodiscard]] bool bulk_has_turn(const entry& home) const noexcept {
        return !home.queue(lane::bulk).empty() && home.streak + 1 >= options_.bulk_turn;
    }

    // -- ends of permits -----------------------------------------------------------------------

    template <class Tell>
    void end(entry& home, const Tell& tell) noexcept {
        waiter_list done;
        {
            std::lock_guard const lock{mutex_};
            auto const at = time_->now();
            tell(at);
            assert(home.permits > 0);
            --home.permits;
            if (home.waited_for()) {
                make_ready(home);
                run(at, done);
            } else {
                touch(home, to_nanos(at));
            }
        }
        complete(done);
    }

    // -- turns ---------------------------------------------------------------------------------

    void make_ready(entry& home) noexcept {
        if (!stopped_ && home.in != entry::list::ready) put(home, entry::list::ready);
    }

    void tick() noexcept {
        waiter_list done;
        std::vector<ledger::claim> claims;
        std::uint64_t turn = 0;
        {
            std::lock_guard const lock{mutex_};
            if (stopped_) return;
            armed_ = never;
            auto const at = time_->now();
            auto const now = to_nanos(at);
            while (alarms_.next() <= now) {
                auto& due = alarms_.top();
                alarms_.clear(due);
                if (due.kind == alarm::of::bucket) {
                    make_ready(static_cast<entry&>(due));
                    continue;
                }
                if (due.kind == alarm::of::ledger) {
                    claims = report(at);
                    turn = ledger_turn_;
                    continue;
                }
                auto& w = static_cast<waiter&>(due);
                auto& home = *w.home;
                ++home.rejected;
                bool const led = &home.queue(w.lane).front() == &w;
                fail(w, errc::deadline_too_soon, expected(home, 0, now), done);
                if (led && home.waited_for()) make_ready(home);
                touch(home, now);
            }
            run(at, done);
        }
        complete(done);
        renew(std::move(claims), turn);
    }

    /// Serves the buckets that may open, each a few permits in turn, and leaves the rest to a later
    /// turn of the event loop: many buckets that open at once shall not keep it from other work.
    void run(time_point at, waiter_list& done) noexcept {
        int left = grants_per_tick;
        for (int visits = 4 * grants_per_tick; left > 0 && visits > 0 && !ready_.empty();
             --visits) {
            auto& home = ready_.front();
            put(home, entry::list::none);
            left -= serve(home, at, std::min(left, grants_per_turn), done);
        }
        if (!ready_.empty()) post_tick();
        rearm();
    }

    void post_tick() noexcept {
        if (std::exchange(tick_posted_, true)) return;
        boost::asio::post(executor_, [self = shared_from_this()] {
            waiter_list done;
            {
                std::lock_guard const lock{self->mutex_};
                self->tick_posted_ = false;
                if (self->stopped_) return;
                self->run(self->time_->now(), done);
            }
            self->complete(done);
        });
    }

    void rearm() noexcept {
        auto const next = alarms_.next();
        if (next == never) {
            // A pending timer would keep the execution context at work.
            if (armed_ != never) time_->cancel();
            armed_ = never;
        } else if (next < armed_) {
            time_->wake_at(time_point{std::chrono::nanoseconds{next}});
            armed_ = next;
        }
    }

    /// Grants up to `most` waiters of a bucket; arms its alarm or makes it ready again if some are
    /// left. Returns how many were granted.
    int serve(entry& home, time_point at, int most, waiter_list& done) noexcept {
        auto const now = to_nanos(at);
        int granted = 0;
        while (home.waited_for()) {
            if (granted == most) {
                make_ready(home);
                return granted;
            }
            auto& interactive = home.queue(lane::interactive);
            bucket::ticket ticket;
            bool const turn = bulk_has_turn(home);
            lane who = turn || interactive.empty() ? lane::bulk : lane::interactive;
            auto v = home.state.admit(at, who, ticket, turn);
            if (!v.granted && turn && !interactive.empty()) {
                // If it is only bulk work that cannot go, its turn is over; else it stays next.
                note(home, who, v);
                if (v.daily) fail_day(home, lane::bulk, now, done);
                who = lane::interactive;
                v = home.state.admit(at, who, ticket);
                if (v.granted) home.streak = 0;
            }
            if (v.granted) {
                auto& w = home.queue(who).front();
                w.ticket = ticket;
                take(w, done);
                hand_out(home, who);
                ++granted;
                continue;
            }
            note(home, who, v);
            if (v.daily) {
                bool any = fail_day(home, who, now, done);
                if (who == lane::interactive) any = fail_day(home, lane::bulk, now, done) || any;
                if (any) continue;
            } else if (!home.queue(who).empty()) {
                auto& w = home.queue(who).front();
                if (v.certain && !w.patient && w.deadline < home.opens) {
                    ++home.rejected;
                    fail(w, errc::deadline_too_soon, home.opens - now, done);
                    continue;
                }
            }
            if (home.opens < never)
                alarms_.set(home, std::max(home.opens, now + 1));
            else
                alarms_.clear(home);
            return granted;
        }
        alarms_.clear(home);
        touch(home, now);
        return granted;
    }

    /// The day is over for a lane: fails those who did not ask to wait for the next.
    bool fail_day(entry& home, lane who, nanos now, waiter_list& done) noexcept {
        bool any = false;
        auto& queue = home.queue(who);
        for (auto* w = queue.empty() ? nullptr : &queue.front(); w != nullptr;) {
            auto* const after = queue.next(*w);
            if (!w->patient) {
                ++home.rejected;
                fail(*w, errc::daily_exhausted, home.opens < never ? home.opens - now : -1, done);
                any = true;
            }
            w = after;
        }
        return any;
    }

    void take(waiter& w, waiter_list& done) noexcept {
        w.home->queue(w.lane).erase(w);
        w.queued = false;
        --queued_;
        alarms_.clear(w);
        if (!w.home->waited_for()) alarms_.clear(*w.home);
        done.push_back(w);
    }

    void fail(
        waiter& w, boost::system::error_code error, nanos retry_in, waiter_list& done) noexcept {
        w.error = error;
        w.retry_in = retry_in;
        take(w, done);
    }

    /// Posts the handlers; without the lock, since an executor may do as it likes.
    static void complete(waiter_list& done) noexcept {
        while (!done.empty()) {
            auto& w = done.front();
            done.erase(w);
            // Once posted, the waiter may be gone.
            auto handler = std::move(w.handler);
            auto executor = std::move(w.executor);
            boost::asio::post(
                executor, [handler = std::move(handler)]() mutable { std::move(handler)(); });
        }
    }

    // -- shares of several processes -----------------------------------------------------------

    /// The ledger hears of buckets in use, and of a new one at once.
    void use_ledger(entry& home, nanos now) {
        if (!options_.ledger || home.reported || stopped_) return;
        alarms_.ensure(entries_.size() + queued_ + 2);
        home.reported = true;
        home.leased = false;
        home.leased_at = now;
        if (++reported_ == 1) ledger_seen_ = now;
        alarms_.set(reporter_, now);
        rearm();
    }

    [[nodiscard]] static nanos nanoseconds(std::chrono::milliseconds d) noexcept {
        return std::chrono::nanoseconds{d}.count();
    }

    /// Without the ledger: what was configured for that; but no more than the bucket had before
    /// others must have noticed too and made room.
    void doubt(entry& home, nanos now) noexcept {
        auto const held = home.state.share().value_or(0);
        auto const fallback = options_.static_share;
        home.state.set_share_doubtful(true);
        home.state.lease_day(std::nullopt);
        if (fallback == 0) {
            home.state.set_share(std::max(held, 1U));
        } else {
            auto const noticed = nanoseconds(options_.ledger_timeout) + 2 * round(home);
            bool const early = home.leased && now - home.leased_at < noticed;
            home.state.set_share(early ? std::min(held, fallback) : fallback);
        }
        if (home.waited_for()) make_ready(home);
    }

    /// What to tell the ledger now; sees to it that there is a next time.
    [[nodiscard]] std::vector<ledger::claim> report(time_point at) noexcept {
        auto const now = to_nanos(at);
        bool const away = now - ledger_seen_ > nanoseconds(options_.ledger_timeout);
        // One report at a time; an answer that takes this long is given up, and ignored if it
        // comes.
        bool const busy = ledger_asked_ != never && now - ledger_asked_ < longest_answer;
        std::vector<ledger::claim> claims;
        if (!busy) {
            claims.reserve(reported_);
            ledger_asked_ = now;
            ++ledger_turn_;
        }
        for (auto& [key, home] : entries_) {
            if (!home.reported) continue;
            if (away || (!home.leased && now - home.leased_at > first_lease)) doubt(home, now);
            if (busy) continue;
            ledger::claim c;
            c.resource = key;
            c.limit = home.state.max();
            c.interval = home.state.interval();
            c.occupied = home.state.occupied(at);
            c.day_left = home.state.day_left();
            c.day_age = home.state.day_age(at);
            bool const unused = home.permits == 0 && !home.waited_for();
            if (unused && now - home.idle_since >= nanoseconds(options_.ledger_hold)) {
                home.reported = false;
                --reported_;
                home.state.set_share(0);
            } else {
                c.held = home.state.share().value_or(0);
                c.day_held = home.state.day_leased().value_or(0);
                auto const waiting =
                    home.lanes[0].size() + home.lanes[1].size() + std::exchange(home.denied, 0U);
                c.wanted = std::clamp<std::uint32_t>(
                    c.occupied +
                        static_cast<std::uint32_t>(std::min<std::size_t>(waiting, c.limit)),
                    1, c.limit);
            }
            claims.push_back(std::move(c));
        }
        if (!busy && claims.empty()) ledger_asked_ = never;
        if (reported_ > 0) {
            auto const pause = nanoseconds(options_.ledger_interval);
            seed_ = seed_ * 6364136223846793005ULL + 1442695040888963407ULL;
            auto const vary =
                static_cast<nanos>((seed_ >> 33) % static_cast<std::uint64_t>(pause / 5 + 1));
            alarms_.set(reporter_, now + pause - pause / 10 + vary);
        }
        return claims;
    }

    void renew(std::vector<ledger::claim> claims, std::uint64_t turn) noexcept {
        if (claims.empty()) return;
        std::vector<std::string> resources;
        resources.reserve(claims.size());
        for (auto const& c : claims)
            resources.push_back(c.resource);
        auto take = [weak = weak_from_this(), turn, resources = std::move(resources)](
                        const boost::system::error_code& ec,
                        const std::vector<ledger::lease>& leases) {
            auto const self = weak.lock();
            if (!self) return;
            bool const good = !ec && leases.size() == resources.size();
            self->take_leases(turn, good, resources, leases);
        };
        try {
            options_.ledger->renew(process_, std::move(claims), std::move(take));
        } catch (...) { // as if it could not be reached
        }
    }

    void take_leases(
        std::uint64_t turn,
        bool good,
        const std::vector<std::string>& resources,
        const std::vector<ledger::lease>& leases) noexcept {
        waiter_list done;
        {
            std::lock_guard const lock{mutex_};
            if (stopped_ || turn != ledger_turn_) return;
            ledger_asked_ = never;
            if (!good) return;
            auto const at = time_->now();
            ledger_seen_ = to_nanos(at);
            for (std::size_t i = 0; i < leases.size(); ++i) {
                auto const found = entries_.find(resources[i]);
                if (found == entries_.end()) continue;
                auto& home = found->second;
                if (!home.reported) continue; // given back meanwhile
                home.leased = true;
                home.leased_at = ledger_seen_;
                home.state.set_share(leases[i].share);
                home.state.set_share_doubtful(false);
                home.state.lease_day(leases[i].day_added, leases[i].day_over);
                if (home.waited_for()) make_ready(home);
            }
            // Those that came to be while the ledger was asked wait for their first share.
            if (reported_ > leases.size()) alarms_.set(reporter_, ledger_seen_);
            run(at, done);
        }
        complete(done);
    }

    boost::asio::any_io_executor executor_;
    const limits options_;
    mutable std::mutex mutex_;
    stopped_time ended_;
    std::shared_ptr<time_source> owned_time_;
    time_source* time_ = nullptr;
    std::uint64_t seed_;
    std::string process_;
    // Shares: when to report next, how many buckets, since when there is no answer, and to what.
    ledger_alarm reporter_;
    std::size_t reported_ = 0;
    nanos ledger_seen_ = 0;
    nanos ledger_asked_ = never;
    std::uint64_t ledger_turn_ = 0;
    bool stopped_ = false;
    bool tick_posted_ = false;
    nanos armed_ = never;
    std::size_t queued_ = 0;
    alarm_heap alarms_;
    entry_list ready_;
    entry_list idle_;
    std::unordered_map<std::string, entry, hash, std::equal_to<>> entries_;
};

} // namespace highlevel::quota::detail
