// SPDX-License-Identifier: BSL-1.0
//
// The limiter's inside: what calls, permits and the timer do to queues and buckets, under one lock.
#pragma once

#include <highlevel/detail/brief_lock.hpp>
#include <highlevel/detail/parked.hpp>
#include <highlevel/detail/prefetch.hpp>
#include <highlevel/detail/random.hpp>
#include <highlevel/detail/share.hpp>
#include <highlevel/quota/bucket.hpp>
#include <highlevel/quota/detail/alarm.hpp>
#include <highlevel/quota/detail/linked_list.hpp>
#include <highlevel/quota/error.hpp>
#include <highlevel/quota/headers.hpp>
#include <highlevel/quota/lane.hpp>
#include <highlevel/quota/ledger.hpp>
#include <highlevel/quota/limits.hpp>
#include <highlevel/quota/time_source.hpp>

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
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace highlevel::quota::detail {

using highlevel::detail::brief_lock;

class entry;

/// A call that waits; lives in its coroutine's frame.
class waiter : public alarm, public link {
public:
    waiter() noexcept { kind = of::waiter; }

    entry* home = nullptr;
    quota::lane lane = quota::lane::interactive;
    bool queued = false;
    bool patient = false; // waits past its deadline
    bool retry = false;   // was refused by the server, and goes before those who were not
    bool comes = false;   // has to wait, and is not in the queue yet
    nanos deadline = never;
    highlevel::detail::parked handler;

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

    /// Those at the head of a queue that were refused before keep their own order: the last of
    /// them, and how many.
    [[nodiscard]] waiter*& last_retry(lane l) noexcept {
        return last_retries[static_cast<std::size_t>(l)];
    }
    [[nodiscard]] std::uint32_t& retries(lane l) noexcept {
        return retry_counts[static_cast<std::size_t>(l)];
    }
    [[nodiscard]] std::uint32_t retries(lane l) const noexcept {
        return retry_counts[static_cast<std::size_t>(l)];
    }
    [[nodiscard]] nanos& opens(lane l) noexcept { return openings[static_cast<std::size_t>(l)]; }
    [[nodiscard]] nanos opens(lane l) const noexcept {
        return openings[static_cast<std::size_t>(l)];
    }

    const std::string* key = nullptr; // the map's
    std::array<linked_list<waiter>, 2> lanes;
    std::array<waiter*, 2> last_retries{};
    std::array<std::uint32_t, 2> retry_counts{};
    std::array<nanos, 2> openings{}; // by the last verdict for the lane; never: by an event
    nanos idle_since = 0;
    std::uint32_t queued = 0;
    std::uint32_t rejected = 0;
    std::uint32_t cancelled = 0;
    std::uint32_t users = 0;  // permits that are out, and calls on their way to a queue
    std::uint32_t streak = 0; // interactive grants in a row while bulk waited
    enum class list : std::uint8_t { none, ready, idle, leaving } in = list::none;
    // Shares of several processes: whether the ledger is told of the bucket, and has granted once.
    bool reported = false;
    bool leased = false;
    nanos leased_at = 0;      // or, before that, since when it is asked for
    std::uint32_t denied = 0; // since the last report
    std::uint32_t place = 0;  // among the reported ones
    bucket state;
};

using entry_list = linked_list<entry>;
using waiter_list = linked_list<waiter>;

/// What limiter and permits share; everything happens under one lock, completions after it. It
/// keeps itself while permits are out: a count of its owners would go from processor to processor
/// with each of them, and under the lock there is one already.
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
          seed_(options_.seed != 0 ? options_.seed : highlevel::detail::random_bits()) {
        options_.validate();
        if (!owned_time_) owned_time_ = highlevel::detail::share<steady_time>(executor_);
        time_ = owned_time_.get();
        if (options_.ledger) process_ = std::to_string(highlevel::detail::random_bits());
    }

    void start() {
        time_->start([weak = weak_from_this()] {
            if (auto const self = weak.lock()) self->tick();
        });
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

    /// With `queues`, a call that has to wait is to come to park() or leave(), and keeps the bucket
    /// until then.
    [[nodiscard]] outcome attempt(
        std::string_view resource,
        lane who,
        bool retry,
        bool patient,
        nanos deadline,
        bool queues) {
        outcome o;
        brief_lock const lock{mutex_};
        if (stopped_) {
            o.error = boost::asio::error::operation_aborted;
            return o;
        }
        auto const at = time_->now();
        auto const now = to_nanos(at);
        auto& home = find_or_create(resource, now);
        o.home = &home;
        use_ledger(home, now);
        auto const ahead = before(home, who, retry);
        if (ahead == 0 && !(who == lane::interactive && bulk_has_turn(home, at))) {
            auto const v = home.state.admit(at, who, o.ticket);
            if (v.granted) {
                hand_out(home, who);
                if (bulk_has_turn(home, at)) {
                    make_ready(home);
                    post_tick();
                }
                return o;
            }
            home.opens(who) = to_nanos(v.wake);
        }
        touch(home, now);
        if (!queues) {
            ++home.denied;
            o.pending = true;
            return o;
        }
        if (!patient) {
            if (auto const again = home.state.day_over(at, who)) {
                ++home.rejected;
                o.error = errc::daily_exhausted;
                o.retry_in = until(to_nanos(*again), now);
                return o;
            }
        }
        if (!retry && home.queue(who).size() >= longest(who)) {
            ++home.rejected;
            o.error = errc::queue_full;
            o.retry_in = expected(home, who, ahead, now);
        } else if (
            !patient && deadline < never && at_least(home, who, retry, deadline, at) > deadline) {
            ++home.rejected;
            o.error = errc::deadline_too_soon;
            o.retry_in = expected(home, who, ahead, now);
        } else {
            make_room_for_alarms(1);
            ++coming_;
            ++home.users;
            o.pending = true;
        }
        return o;
    }

    /// Queues a waiter that attempt() has told to wait. Its handler is called in any case, also
    /// when there is a permit by now.
    void park(waiter& w) noexcept {
        waiter_list done;
        {
            brief_lock const lock{mutex_};
            auto& home = *w.home;
            auto& queue = home.queue(w.lane);
            unpin(home);
            if (stopped_) {
                w.error = boost::asio::error::operation_aborted;
                done.push_back(w);
            } else if (!w.retry && queue.size() >= longest(w.lane)) {
                // Others have come since it was told to.
                auto const now = to_nanos(time_->now());
                ++home.rejected;
                w.error = errc::queue_full;
                w.retry_in = expected(home, w.lane, before(home, w.lane, false), now);
                done.push_back(w);
            } else {
                enqueue(home, w);
                if (!w.patient && w.deadline < never) alarms_.set(w, w.deadline);
                if (&queue.front() == &w)
                    serve_now(home, time_->now(), done);
                else
                    rearm();
            }
        }
        complete(done);
    }

    /// For a call that attempt() has told to wait, and that does not.
    void leave(entry& home) noexcept {
        brief_lock const lock{mutex_};
        unpin(home);
        touch(home, to_nanos(time_->now()));
    }

    /// Takes a waiter out of its queue, wherever it stands.
    void cancel(waiter& w) noexcept {
        waiter_list done;
        {
            brief_lock const lock{mutex_};
            if (!w.queued) return;
            auto& home = *w.home;
            ++home.cancelled;
            bool const led = &home.queue(w.lane).front() == &w;
            fail(w, boost::asio::error::operation_aborted, -1, done);
            auto const at = time_->now();
            touch(home, to_nanos(at));
            if (led && home.waited_for())
                serve_now(home, at, done);
            else
                rearm();
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
        brief_lock const lock{mutex_};
        auto const now = time_->now();
        auto const found = entries_.find(resource);
        if (found != entries_.end()) return describe(found->second, now);
        bucket_snapshot result;
        result.resource = resource;
        bucket{options_}.describe(now, result);
        return result;
    }

    /// A part under the lock at a time, so that calls need not wait until thousands are described.
    [[nodiscard]] std::vector<bucket_snapshot> snapshots() const {
        std::vector<std::string> keys;
        {
            brief_lock const lock{mutex_};
            keys.reserve(entries_.size());
            for (auto const& each : entries_)
                keys.push_back(each.first);
        }
        std::vector<bucket_snapshot> result;
        result.reserve(keys.size());
        for (std::size_t i = 0; i < keys.size();) {
            brief_lock const lock{mutex_};
            auto const now = time_->now();
            for (auto const end = std::min(i + described_at_once, keys.size()); i < end; ++i)
                if (auto const found = entries_.find(keys[i]); found != entries_.end())
                    result.push_back(describe(found->second, now));
        }
        return result;
    }

    void shutdown() noexcept {
        waiter_list done;
        boost::asio::any_io_executor released; // after the lock
        {
            brief_lock const lock{mutex_};
            if (std::exchange(stopped_, true)) return;
            for (auto& [key, home] : entries_)
                for (auto& queue : home.lanes)
                    while (!queue.empty())
                        fail(queue.front(), boost::asio::error::operation_aborted, -1, done);
            while (!ready_.empty())
                put(ready_.front(), entry::list::none);
            // Timer and executor must not outlive their execution context, as permits may: a strand
            // locks a mutex of its context's when it goes. Nothing is posted from now on.
            released = std::exchange(executor_, {});
            time_->cancel();
            pending_ = false;
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
    // Buckets described under one lock, at about a microsecond each.
    static constexpr std::size_t described_at_once = 64;
    // How long a new bucket waits for its first lease before it takes the ledger for lost.
    static constexpr nanos first_lease = 1'000'000'000;
    // How long the ledger's answer is waited for before it is asked again: with the interval that
    // follows, less than the two seconds in which a ledger expects to hear from everybody.
    static constexpr nanos longest_answer = 1'000'000'000;

    [[nodiscard]] bucket_snapshot describe(const entry& home, time_point now) const {
        bucket_snapshot result;
        result.resource = *home.key;
        result.known = true;
        home.state.describe(now, result);
        for (std::size_t i = 0; i < home.lanes.size(); ++i)
            result.waiting[i] = home.lanes[i].size();
        // Those of its lane that wait go before a call, and bulk work where it has its turn.
        bool const bulk_first = bulk_is_due(home) && !bucket{home.state}.day_stops(now, lane::bulk);
        if (bulk_first || !home.queue(lane::interactive).empty()) result.available = 0;
        result.queued = home.queued;
        result.rejected = home.rejected;
        result.cancelled = home.cancelled;
        return result;
    }

    // -- the call's side -----------------------------------------------------------------------

    [[nodiscard]] std::size_t longest(lane who) const noexcept {
        return who == lane::interactive ? options_.queue_interactive : options_.queue_bulk;
    }

    /// A call that was to wait has come, or will not.
    void unpin(entry& home) noexcept {
        --coming_;
        --home.users;
    }

    /// Room for what `n` more alarms need, the reporter's included, so that setting one cannot
    /// fail.
    void make_room_for_alarms(std::size_t n) {
        alarms_.ensure(entries_.size() + queued_ + coming_ + 1 + n);
    }

    void enqueue(entry& home, waiter& w) noexcept {
        auto& queue = home.queue(w.lane);
        if (!w.retry) {
            queue.push_back(w);
        } else {
            auto*& last = home.last_retry(w.lane);
            if (last != nullptr)
                queue.insert_after(*last, w);
            else
                queue.push_front(w);
            last = &w;
            ++home.retries(w.lane);
        }
        w.queued = true;
        ++queued_;
        ++home.queued;
    }

    /// How many a call would find before it.
    [[nodiscard]] static std::size_t before(const entry& home, lane who, bool retry) noexcept {
        auto const own = retry ? home.retries(who) : home.queue(who).size();
        return who == lane::interactive ? own : own + home.queue(lane::interactive).size();
    }

    // -- waits ---------------------------------------------------------------------------------

    /// From now to then; negative, for "not known", where that is never.
    [[nodiscard]] static nanos until(nanos then, nanos now) noexcept {
        return then < never ? std::max<nanos>(0, then - now) : -1;
    }

    [[nodiscard]] static nanos round(const entry& home) noexcept {
        return std::chrono::nanoseconds{home.state.interval()}.count();
    }

    /// n * each, or `never` where that is more.
    [[nodiscard]] static nanos times(std::size_t n, nanos each) noexcept {
        if (each > 0 && n >= static_cast<std::size_t>(never / each)) return never;
        return static_cast<nanos>(n) * each;
    }

    /// How long a call with `ahead` others before it waits, if all goes on as it is.
    [[nodiscard]] static nanos expected(
        const entry& home, lane who, std::size_t ahead, nanos now) noexcept {
        // No share: none was heard of yet.
        auto const share = home.state.share().value_or(0);
        auto const max = home.state.max();
        auto const per_round = share == 0 ? max : std::min(share, max);
        auto const first = std::max<nanos>(0, until(home.opens(who), now));
        return std::min(never, first + times(ahead, round(home) / per_round));
    }

    /// When a call has its permit at the earliest, as things stand: the limits stay, and those
    /// before it stay as long as their own deadlines let them. Within one interval a server with
    /// fixed windows can admit its limit twice, but no more; that a share may grow counts too.
    /// Counts no further than to what is past `deadline`.
    [[nodiscard]] nanos at_least(
        entry& home, lane who, bool retry, nanos deadline, time_point at) const noexcept {
        auto const first = to_nanos(home.state.shut_until(at));
        auto const after = [&, max = home.state.max(), each = round(home)](std::size_t n) {
            auto const rounds = n / max;
            return rounds > 1 ? std::min(never, first + times(rounds - 1, each)) : first;
        };
        if (first > deadline || after(before(home, who, retry)) <= deadline) return first;
        std::size_t served = 0;
        auto const count = [&](lane l, std::size_t most) {
            auto const& queue = home.queue(l);
            bool const all = l != who || !retry;
            auto const end = std::min(all ? queue.size() : home.retries(l), most);
            auto* w = queue.empty() ? nullptr : &queue.front();
            for (std::size_t i = 0; i < end && after(served) <= deadline; ++i, w = queue.next(*w))
                if (w->patient || w->deadline >= after(served)) ++served;
        };
        if (who == lane::bulk) {
            // No more of them go first than bulk work's turns allow.
            auto const own = retry ? home.retries(who) : home.queue(who).size();
            count(lane::interactive, times_turn(own + 1));
        }
        count(who, home.queue(who).size());
        return after(served);
    }
    [[nodiscard]] std::size_t times_turn(std::size_t n) const noexcept {
        auto const each = std::size_t{options_.bulk_turn} - 1;
        return each != 0 && n > static_cast<std::size_t>(-1) / each ? static_cast<std::size_t>(-1)
                                                                    : n * each;
    }

    // -- buckets -------------------------------------------------------------------------------

    [[nodiscard]] entry& find_or_create(std::string_view resource, nanos now) {
        forget_idle(now);
        if (auto const found = entries_.find(resource); found != entries_.end())
            return found->second;
        make_room_for_alarms(1);
        auto const made = entries_.try_emplace(std::string{resource}, options_, ++seed_).first;
        made->second.key = &made->first;
        // At once, so that it is forgotten in time whatever becomes of the call.
        touch(made->second, now);
        return made->second;
    }

    void put(entry& home, entry::list where) noexcept {
        if (home.in == entry::list::ready) ready_.erase(home);
        if (home.in == entry::list::idle) idle_.erase(home);
        if (home.in == entry::list::leaving) leaving_.erase(home);
        if (where == entry::list::ready) ready_.push_back(home);
        if (where == entry::list::idle) idle_.push_back(home);
        if (where == entry::list::leaving) leaving_.push_back(home);
        home.in = where;
    }

    [[nodiscard]] static bool in_use(const entry& home) noexcept {
        return home.users > 0 || home.waited_for();
    }

    /// Keeps the list of buckets that nobody uses, the longest unused first. Those that are used
    /// again stay in it until they are its first, and one that is used often keeps its place: its
    /// neighbours are far away in memory, and may be in another processor's.
    void touch(entry& home, nanos now) noexcept {
        if (in_use(home)) return;
        if (home.in == entry::list::idle && now - home.idle_since < round(home) / 16) return;
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
            if (in_use(home)) {
                put(home, entry::list::none);
                continue;
            }
            bool const crowded = entries_.size() - leaving_.size() > options_.max_buckets;
            auto const matters = 2 * round(home) + round(home) / 8;
            if (now - home.idle_since < (crowded ? std::min(rest, matters) : rest)) return;
            if (!(crowded ? home.state.expendable(at) : home.state.forgettable(at)))
                touch(home, now); // its past still matters: look again later
            else if (home.reported)
                put(home, entry::list::leaving); // the ledger hears of it first
            else
                forget(home);
        }
    }

    void forget(entry& home) noexcept {
        assert(!home.reported);
        put(home, entry::list::none);
        alarms_.clear(home);
        entries_.erase(entries_.find(*home.key));
    }

    void hand_out(entry& home, lane who) noexcept {
        ++home.users;
        if (++permits_ == 1) kept_ = shared_from_this();
        if (who == lane::bulk || home.queue(lane::bulk).empty()) {
            home.streak = 0;
        } else {
            ++home.streak;
        }
    }

    /// Whether bulk work comes before interactive calls now. A day that is over for it alone, or
    /// its pace through the day, must not hold these up.
    [[nodiscard]] bool bulk_has_turn(entry& home, time_point at) const noexcept {
        return bulk_is_due(home) && !home.state.day_stops(at, lane::bulk);
    }
    [[nodiscard]] bool bulk_is_due(const entry& home) const noexcept {
        return !home.queue(lane::bulk).empty() && home.streak + 1 >= options_.bulk_turn;
    }

    // -- ends of permits -----------------------------------------------------------------------

    template <class Tell>
    void end(entry& home, const Tell& tell) noexcept {
        waiter_list done;
        std::shared_ptr<limiter_core> last; // goes after the lock
        {
            brief_lock const lock{mutex_};
            auto const at = time_->now();
            tell(at);
            assert(home.users > 0);
            --home.users;
            if (--permits_ == 0) last = std::move(kept_);
            if (home.waited_for()) {
                serve_now(home, at, done);
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
        bool reports = false;
        {
            brief_lock const lock{mutex_};
            if (stopped_) return;
            auto const at = time_->now();
            auto const now = to_nanos(at);
            // A wake that was on its way when another was asked for leaves that one pending.
            pending_ = pending_ && armed_ > now;
            armed_ = never;
            while (alarms_.next() <= now) {
                auto& due = alarms_.top();
                alarms_.clear(due);
                if (due.kind == alarm::of::bucket) {
                    make_ready(static_cast<entry&>(due));
                    continue;
                }
                if (due.kind == alarm::of::ledger) {
                    reports = true;
                    continue;
                }
                auto& w = static_cast<waiter&>(due);
                auto& home = *w.home;
                ++home.rejected;
                bool const led = &home.queue(w.lane).front() == &w;
                fail(w, errc::deadline_too_soon, expected(home, w.lane, 0, now), done);
                if (led && home.waited_for()) make_ready(home);
                touch(home, now);
            }
            run(at, done);
        }
        complete(done);
        if (reports) report();
    }

    /// Serves the buckets that may open, each a few permits in turn, and leaves the rest to a later
    /// turn of the event loop: many buckets that open at once shall not keep it from other work.
    void run(time_point at, waiter_list& done) noexcept {
        int left = grants_per_tick;
        for (int visits = 4 * grants_per_tick; left > 0 && visits > 0 && !ready_.empty();
             --visits) {
            auto& home = ready_.front();
            put(home, entry::list::none);
            if (!ready_.empty()) highlevel::detail::prefetch(&ready_.front(), 0, sizeof(entry));
            left -= serve(home, at, std::min(left, grants_per_turn), done);
        }
        if (!ready_.empty()) post_tick();
        rearm();
    }

    /// Serves a bucket of which something has changed, unless its turn is to come anyway. Others
    /// that are ready wait for theirs.
    void serve_now(entry& home, time_point at, waiter_list& done) noexcept {
        if (!stopped_ && home.in != entry::list::ready) {
            put(home, entry::list::none);
            serve(home, at, grants_per_turn, done);
        }
        if (!ready_.empty()) post_tick();
        rearm();
    }

    void post_tick() noexcept {
        if (std::exchange(tick_posted_, true)) return;
        try {
            boost::asio::post(executor_, [self = shared_from_this()] {
                waiter_list done;
                {
                    brief_lock const lock{self->mutex_};
                    self->tick_posted_ = false;
                    if (self->stopped_) return;
                    self->run(self->time_->now(), done);
                }
                self->complete(done);
            });
        } catch (...) { // no memory: what is ready is served at the next event
            tick_posted_ = false;
        }
    }

    void rearm() noexcept {
        auto const next = alarms_.next();
        if (next == never) {
            // A pending timer would keep the execution context at work.
            if (std::exchange(pending_, false)) time_->cancel();
            armed_ = never;
        } else if (next < armed_) {
            try {
                time_->wake_at(time_point{std::chrono::nanoseconds{next}});
                pending_ = true;
                armed_ = next;
            } catch (...) { // no memory: asked for again at the next event
                pending_ = false;
                armed_ = never;
            }
        }
    }

    /// The next one is needed soon; where thousands wait it is in no cache.
    static void prefetch_first(const waiter_list& queue) noexcept {
        if (!queue.empty()) highlevel::detail::prefetch(&queue.front(), 0, sizeof(waiter));
    }

    /// Grants up to `most` waiters of a bucket; arms its alarm or makes it ready again if some are
    /// left. Returns how many were granted.
    int serve(entry& home, time_point at, int most, waiter_list& done) noexcept {
        auto const now = to_nanos(at);
        int granted = 0;
        for (auto const& queue : home.lanes)
            prefetch_first(queue);
        while (home.waited_for()) {
            if (granted == most) {
                make_ready(home);
                return granted;
            }
            auto& interactive = home.queue(lane::interactive);
            bucket::ticket ticket;
            bool turn = bulk_is_due(home);
            if (turn) {
                if (auto const again = home.state.day_over(at, lane::bulk)) {
                    // It passes the turn on, and nobody waits for a day who did not ask to.
                    turn = false;
                    home.opens(lane::bulk) = to_nanos(*again);
                    if (fail_day(home, lane::bulk, now, done)) continue;
                }
            }
            lane who = turn || interactive.empty() ? lane::bulk : lane::interactive;
            auto v = home.state.admit(at, who, ticket, turn);
            if (!v.granted && turn && !interactive.empty()) {
                // If it is only bulk work that cannot go, its turn is over; else it stays next.
                home.opens(who) = to_nanos(v.wake);
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
            home.opens(who) = to_nanos(v.wake);
            if (v.daily) {
                bool any = fail_day(home, who, now, done);
                // What stops interactive calls stops bulk work all the more.
                if (who == lane::interactive) {
                    home.opens(lane::bulk) = home.opens(who);
                    any = fail_day(home, lane::bulk, now, done) || any;
                }
                if (any) continue;
            } else if (!home.queue(who).empty()) {
                auto& w = home.queue(who).front();
                if (!w.patient && w.deadline < never) {
                    auto const shut = to_nanos(home.state.shut_until(at));
                    if (w.deadline < shut) {
                        ++home.rejected;
                        fail(w, errc::deadline_too_soon, shut - now, done);
                        continue;
                    }
                }
            }
            if (home.opens(who) < never)
                alarms_.set(home, std::max(home.opens(who), now + 1));
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
                fail(*w, errc::daily_exhausted, until(home.opens(who), now), done);
                any = true;
            }
            w = after;
        }
        return any;
    }

    void take(waiter& w, waiter_list& done) noexcept {
        auto& queue = w.home->queue(w.lane);
        if (w.retry) {
            auto*& last = w.home->last_retry(w.lane);
            if (last == &w) last = queue.before(w);
            --w.home->retries(w.lane);
        }
        w.handler.prefetch();
        queue.erase(w);
        prefetch_first(queue);
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

    /// Posts the handlers; without the lock, since an executor may do as it likes. A handler that
    /// cannot be posted for lack of memory would leave its call hanging: that ends the program.
    static void complete(waiter_list& done) noexcept {
        while (!done.empty()) {
            auto& w = done.front();
            done.erase(w);
            w.handler.post(); // the waiter may be gone now
        }
    }

    // -- shares of several processes -----------------------------------------------------------

    /// The ledger hears of buckets in use, and of a new one at once.
    void use_ledger(entry& home, nanos now) {
        if (!options_.ledger || home.reported || stopped_) return;
        make_room_for_alarms(1);
        reports_.push_back(&home);
        home.place = static_cast<std::uint32_t>(reports_.size() - 1);
        home.reported = true;
        home.leased = false;
        home.leased_at = now;
        if (++reported_ == 1) ledger_seen_ = now;
        alarms_.set(reporter_, now);
        rearm();
    }

    /// Leaves its place empty, so that an answer on its way does not take another bucket for it.
    void end_reports(entry& home) noexcept {
        home.reported = false;
        reports_[home.place] = nullptr;
        --reported_;
    }

    /// Fills the places that are empty. An answer that is on its way is of no more use after it.
    void close_ranks() noexcept {
        for (std::size_t i = 0; i < reports_.size();) {
            if (reports_[i] != nullptr) {
                ++i;
                continue;
            }
            reports_[i] = reports_.back();
            reports_.pop_back();
            if (i < reports_.size() && reports_[i] != nullptr)
                reports_[i]->place = static_cast<std::uint32_t>(i);
        }
    }

    [[nodiscard]] static nanos nanoseconds(std::chrono::milliseconds d) noexcept {
        return std::chrono::nanoseconds{d}.count();
    }

    /// Without the ledger: what was configured for that; but no more than the bucket had before
    /// others must have noticed too and made room. One request at a time in any case, or nobody
    /// would find out what there is.
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
            home.state.set_share(early ? std::max(1U, std::min(held, fallback)) : fallback);
        }
        if (home.waited_for()) make_ready(home);
    }

    /// Tells the ledger of the buckets in use; sees to it that there is a next time.
    void report() noexcept {
        std::uint64_t turn = 0;
        bool busy = false;
        std::size_t count = 0;
        std::vector<ledger::claim> claims;
        std::vector<std::uint32_t> places; // of the claims' buckets
        try {
            {
                brief_lock const lock{mutex_};
                if (stopped_) return;
                auto const now = to_nanos(time_->now());
                // One report at a time; an answer that takes this long is given up, and ignored if
                // it comes.
                busy = ledger_asked_ != never && now - ledger_asked_ < longest_answer;
                if (!busy) {
                    ledger_asked_ = now;
                    ++ledger_turn_;
                    close_ranks();
                    looked_at_ = reports_.size();
                }
                turn = ledger_turn_;
                report_again(now);
                count = reports_.size();
            }
            claims.reserve(busy ? 0 : count);
            places.reserve(busy ? 0 : count);
            // A part under the lock at a time, so that calls need not wait for all of it.
            for (std::size_t i = 0; i < count; i += described_at_once)
                look_at(i, std::min(i + described_at_once, count), turn, busy, claims, places);
        } catch (...) { // no memory: as if the ledger could not be reached
            claims.clear();
        }
        if (!busy && claims.empty()) {
            brief_lock const lock{mutex_};
            if (turn == ledger_turn_) ledger_asked_ = never;
        }
        renew(std::move(claims), std::move(places), turn);
    }

    void report_again(nanos now) noexcept {
        auto const pause = nanoseconds(options_.ledger_interval);
        seed_ = seed_ * 6364136223846793005ULL + 1442695040888963407ULL;
        auto const vary =
            static_cast<nanos>((seed_ >> 33) % static_cast<std::uint64_t>(pause / 5 + 1));
        if (reported_ > 0) alarms_.set(reporter_, now + pause - pause / 10 + vary);
        rearm();
    }

    /// What each of some buckets does without the ledger's answer, and, unless an answer is waited
    /// for, what to tell of it.
    void look_at(
        std::size_t begin,
        std::size_t end,
        std::uint64_t turn,
        bool busy,
        std::vector<ledger::claim>& claims,
        std::vector<std::uint32_t>& places) {
        waiter_list done;
        {
            brief_lock const lock{mutex_};
            // Where a newer report has begun, the places are no longer these.
            if (stopped_ || turn != ledger_turn_) return;
            auto const at = time_->now();
            auto const now = to_nanos(at);
            bool const away = now - ledger_seen_ > nanoseconds(options_.ledger_timeout);
            for (auto i = begin; i < end; ++i) {
                if (reports_[i] == nullptr) continue;
                auto& home = *reports_[i];
                if (away || (!home.leased && now - home.leased_at > first_lease)) doubt(home, now);
                if (busy) continue;
                claims.push_back(claim_of(home, at));
                places.push_back(static_cast<std::uint32_t>(i));
                if (home.in == entry::list::leaving && !home.reported) forget(home);
            }
            run(at, done);
        }
        complete(done);
    }

    [[nodiscard]] ledger::claim claim_of(entry& home, time_point at) {
        ledger::claim c;
        c.resource = *home.key;
        c.limit = home.state.max();
        c.interval = home.state.interval();
        c.occupied = home.state.occupied(at);
        c.day_left = home.state.day_left();
        c.day_age = home.state.day_age(at);
        // Its place in the list of the idle may be older than its last use.
        auto const since = std::max(home.idle_since, to_nanos(home.state.last_use()));
        bool const rested = home.in == entry::list::leaving ||
            to_nanos(at) - since >= nanoseconds(options_.ledger_hold);
        if (rested && !in_use(home)) {
            end_reports(home);
            home.state.set_share(0);
            home.state.return_day();
            return c;
        }
        c.held = home.state.share().value_or(0);
        c.day_held = home.state.day_leased().value_or(0);
        auto const waiting =
            home.lanes[0].size() + home.lanes[1].size() + std::exchange(home.denied, 0U);
        c.wanted = std::clamp<std::uint32_t>(
            c.occupied + static_cast<std::uint32_t>(std::min<std::size_t>(waiting, c.limit)), 1,
            c.limit);
        return c;
    }

    void renew(
        std::vector<ledger::claim> claims,
        std::vector<std::uint32_t> places,
        std::uint64_t turn) noexcept {
        if (claims.empty()) return;
        try {
            auto take = [weak = weak_from_this(), turn, places = std::move(places)](
                            const boost::system::error_code& ec,
                            const std::vector<ledger::lease>& leases) {
                auto const self = weak.lock();
                if (!self) return;
                bool const good = !ec && leases.size() == places.size();
                self->take_leases(turn, good, places, leases);
            };
            options_.ledger->renew(process_, std::move(claims), std::move(take));
        } catch (...) { // as if it could not be reached
        }
        // Shut down meanwhile: this may have come after the leave that was taken then.
        bool left = false;
        {
            brief_lock const lock{mutex_};
            left = stopped_;
        }
        if (left) options_.ledger->leave(process_);
    }

    void take_leases(
        std::uint64_t turn,
        bool good,
        const std::vector<std::uint32_t>& places,
        const std::vector<ledger::lease>& leases) noexcept {
        waiter_list done;
        {
            brief_lock const lock{mutex_};
            if (stopped_ || turn != ledger_turn_) return;
            ledger_asked_ = never;
            if (!good) return;
            auto const at = time_->now();
            ledger_seen_ = to_nanos(at);
            for (std::size_t i = 0; i < leases.size(); ++i) {
                if (reports_[places[i]] == nullptr) continue; // given back meanwhile
                auto& home = *reports_[places[i]];
                home.leased = true;
                home.leased_at = ledger_seen_;
                home.state.set_share(leases[i].share);
                home.state.set_share_doubtful(false);
                home.state.lease_day(leases[i].day_added, leases[i].day_over);
                if (home.waited_for()) make_ready(home);
            }
            // Those that came to be while the ledger was asked wait for their first share.
            if (reports_.size() > looked_at_) alarms_.set(reporter_, ledger_seen_);
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
    // Shares: when to report next, which buckets (null: an empty place), how many they are, how
    // many places the last report looked at, since when there is no answer, and to what.
    ledger_alarm reporter_;
    std::vector<entry*> reports_;
    std::size_t reported_ = 0;
    std::size_t looked_at_ = 0;
    nanos ledger_seen_ = 0;
    nanos ledger_asked_ = never;
    std::uint64_t ledger_turn_ = 0;
    bool stopped_ = false;
    bool tick_posted_ = false;
    nanos armed_ = never;
    bool pending_ = false; // a wake was asked for that did not come yet
    std::size_t queued_ = 0;
    std::size_t coming_ = 0;  // calls on their way to a queue
    std::size_t permits_ = 0; // that are out
    std::shared_ptr<limiter_core> kept_;
    alarm_heap alarms_;
    entry_list ready_;
    entry_list idle_;
    entry_list leaving_; // forgotten by the next report, unless they are used before
    std::unordered_map<std::string, entry, hash, std::equal_to<>> entries_;
};

} // namespace highlevel::quota::detail
