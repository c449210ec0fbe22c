// SPDX-License-Identifier: BSL-1.0
//
// The awaitable limiter: queues before many buckets, one timer for all of them, and permits that
// tell the bucket how their request ended.
#pragma once

#include <highlevel/quota/bucket.hpp>
#include <highlevel/quota/error.hpp>
#include <highlevel/quota/headers.hpp>
#include <highlevel/quota/lane.hpp>
#include <highlevel/quota/ledger.hpp>
#include <highlevel/quota/limits.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/execution/outstanding_work.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
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
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

namespace highlevel::quota {

/// Where a limiter has the time and its one timer from: the seam by which tests make time up.
///
/// A limiter calls all functions under its lock, so they need no protection of their own.
class time_source {
public:
    virtual ~time_source() = default;
    [[nodiscard]] virtual std::chrono::steady_clock::time_point now() const noexcept = 0;
    /// Told once what to call when the time asked for has come: from the executor, never from
    /// within a function of this class.
    virtual void start(std::function<void()> wake) = 0;
    /// Asks for one call of `wake` at that time; takes the place of what was asked for before.
    virtual void wake_at(std::chrono::steady_clock::time_point when) = 0;
    /// Takes back what was asked for.
    virtual void cancel() noexcept = 0;
};

namespace detail {

/// The steady clock and a timer of the executor.
class steady_time final : public time_source {
public:
    explicit steady_time(const boost::asio::any_io_executor& executor) : timer_(executor) {}

    [[nodiscard]] std::chrono::steady_clock::time_point now() const noexcept override {
        return std::chrono::steady_clock::now();
    }
    void start(std::function<void()> wake) override {
        wake_ = std::make_shared<std::function<void()>>(std::move(wake));
    }
    void wake_at(std::chrono::steady_clock::time_point when) override {
        timer_.expires_at(when);
        timer_.async_wait([wake = wake_](const boost::system::error_code& ec) {
            if (!ec) (*wake)();
        });
    }
    void cancel() noexcept override {
        try {
            timer_.cancel();
        } catch (...) { // nothing to do: the call will come too early and find nothing
        }
    }

private:
    boost::asio::steady_timer timer_;
    std::shared_ptr<std::function<void()>> wake_;
};

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

class alarm_of_ledger : public alarm {
public:
    alarm_of_ledger() noexcept { kind = of::ledger; }
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

/// Makes a class fit for one `linked_list` at a time.
class link {
public:
    link() = default;
    link(const link&) = delete;
    link& operator=(const link&) = delete;

    [[nodiscard]] bool linked() const noexcept { return after_ != nullptr; }

protected:
    ~link() = default;

private:
    template <class>
    friend class linked_list;
    link* before_ = nullptr;
    link* after_ = nullptr;
};

/// A circular list through objects that it does not own; putting in and taking out is O(1).
template <class T>
class linked_list {
public:
    linked_list() noexcept { root_.before_ = root_.after_ = &root_; }

    [[nodiscard]] bool empty() const noexcept { return root_.after_ == &root_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T& front() const noexcept { return static_cast<T&>(*root_.after_); }
    /// The one after `t`; null after the last.
    [[nodiscard]] T* next(T& t) const noexcept {
        auto* const after = static_cast<link&>(t).after_;
        return after == &root_ ? nullptr : static_cast<T*>(after);
    }
    void push_back(T& t) noexcept { insert(t, *root_.before_, root_); }
    void push_front(T& t) noexcept { insert(t, root_, *root_.after_); }
    void erase(T& t) noexcept {
        link& l = t;
        assert(l.linked());
        l.before_->after_ = l.after_;
        l.after_->before_ = l.before_;
        l.before_ = l.after_ = nullptr;
        --size_;
    }

private:
    class anchor : public link {};

    void insert(T& t, link& before, link& after) noexcept {
        link& l = t;
        assert(!l.linked());
        l.before_ = &before;
        l.after_ = &after;
        before.after_ = after.before_ = &l;
        ++size_;
    }

    anchor root_;
    std::size_t size_ = 0;
};

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
    nanos leased_at = 0; // or, before that, since when it is asked for
    bucket state;
};

using entry_list = linked_list<entry>;
using waiter_list = linked_list<waiter>;

/// What limiter and permits share; everything happens under one lock, completions after it.
class limiter_core : public std::enable_shared_from_this<limiter_core> {
public:
    using time_point = std::chrono::steady_clock::time_point;

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
    static constexpr nanos longest_answer = 5'000'000'000;

    [[nodiscard]] static std::uint64_t random_seed() {
        std::random_device device;
        return (std::uint64_t{device()} << 32) ^ device();
    }

    [[nodiscard]] static nanos to_nanos(time_point t) noexcept {
        if (t == time_point::max()) return never;
        return std::min<nanos>(
            never,
            std::chrono::duration_cast<std::chrono::nanoseconds>(t.time_since_epoch()).count());
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

    /// How long a call with `ahead` others before it waits, if all goes on as it is.
    [[nodiscard]] static nanos expected(const entry& home, std::size_t ahead, nanos now) noexcept {
        nanos const first = home.opens < never ? std::max<nanos>(0, home.opens - now) : 0;
        return first + static_cast<nanos>(ahead) * (round(home) / per_round(home));
    }

    /// How long it waits at the least, whatever the responses on their way will say: within one
    /// interval a server with fixed windows can admit its limit twice, but no more.
    [[nodiscard]] static nanos at_least(const entry& home, std::size_t ahead, nanos now) noexcept {
        nanos const first =
            home.opens_certainly && home.opens < never ? std::max<nanos>(0, home.opens - now) : 0;
        auto const rounds = static_cast<std::int64_t>(ahead) / per_round(home) - 1;
        return first + std::max<std::int64_t>(0, rounds) * round(home);
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

    /// Forgets at most two buckets, so that the cost is spread over the calls.
    void forget_idle(nanos now) noexcept {
        auto const rest = std::chrono::nanoseconds{options_.idle_eviction}.count();
        for (int i = 0; i < 2 && !idle_.empty(); ++i) {
            auto& home = idle_.front();
            bool const crowded = entries_.size() > options_.max_buckets;
            if (!crowded && now - home.idle_since < rest) return;
            if (crowded || home.state.forgettable(time_point{std::chrono::nanoseconds{now}})) {
                forget(home);
            } else {
                touch(home, now); // its past still matters: look again later
            }
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
            if (bulk_has_turn(home)) {
                make_ready(home);
                post_tick();
            }
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
        make_ready(home);
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
                auto const waiting = home.lanes[0].size() + home.lanes[1].size();
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

    // -- turns, continued ----------------------------------------------------------------------

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

    boost::asio::any_io_executor executor_;
    const limits options_;
    mutable std::mutex mutex_;
    stopped_time ended_;
    std::shared_ptr<time_source> owned_time_;
    time_source* time_ = nullptr;
    std::uint64_t seed_;
    std::string process_;
    alarm_of_ledger reporter_;
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

} // namespace detail

/// The right to send one request of a bucket, once.
///
/// It must be ended: by `settle` when a response came, whatever it says; by `lost` when none will
/// come although something may have been sent; by `unsent` when surely nothing was. Destruction of
/// a permit that was not ended counts as `lost`, the safe assumption. An ended or moved-from permit
/// is empty, and ending it again does nothing. A permit may outlive its limiter.
///
/// Take it as late as possible, when the connection is at hand, and once per attempt: redirects and
/// retries need their own.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class permit {
public:
    permit() noexcept = default;
    permit(permit&& other) noexcept
        : core_(std::move(other.core_)),
          home_(std::exchange(other.home_, nullptr)),
          ticket_(other.ticket_) {}
    permit& operator=(permit&& other) noexcept {
        if (this != &other) {
            lost();
            core_ = std::move(other.core_);
            home_ = std::exchange(other.home_, nullptr);
            ticket_ = other.ticket_;
        }
        return *this;
    }
    ~permit() { lost(); }

    /// Whether it still has to be ended.
    [[nodiscard]] explicit operator bool() const noexcept { return home_ != nullptr; }

    /// A response came. `headers` are its rate limit headers (empty ones are fine), `status` its
    /// HTTP status; a 429 makes the bucket pause, at least for `retry_after` if the server said so.
    void settle(
        const rate_headers& headers,
        unsigned status,
        std::optional<std::chrono::milliseconds> retry_after = {}) noexcept {
        if (auto* const home = std::exchange(home_, nullptr); home != nullptr)
            std::exchange(core_, nullptr)->settle(*home, ticket_, headers, status, retry_after);
    }

    /// The response is lost, by a time-out, a broken connection or cancellation after the first
    /// byte: the request may have been counted, or may still be.
    void lost() noexcept {
        if (auto* const home = std::exchange(home_, nullptr); home != nullptr)
            std::exchange(core_, nullptr)->lost(*home, ticket_);
    }

    /// Surely no byte left this process: the permit goes to the next in the queue.
    void unsent() noexcept {
        if (auto* const home = std::exchange(home_, nullptr); home != nullptr)
            std::exchange(core_, nullptr)->unsent(*home, ticket_);
    }

private:
    friend class limiter;
    permit(
        std::shared_ptr<detail::limiter_core> core,
        detail::entry& home,
        const bucket::ticket& ticket) noexcept
        : core_(std::move(core)),
          home_(&home),
          ticket_(ticket) {}

    std::shared_ptr<detail::limiter_core> core_;
    detail::entry* home_ = nullptr;
    bucket::ticket ticket_;
};

/// How a permit is to be acquired. Trivially destructible, so that it can be written in place
/// inside a co_await expression (g++ 12.2 destroys other aggregates twice there).
struct acquire_options {
    /// Which queue to wait in.
    quota::lane lane = quota::lane::interactive;
    /// Until when the permit is of use; max(): without end. A call that certainly cannot have it
    /// by then fails at once, others at that time, both with errc::deadline_too_soon.
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();
    /// Wait however long it takes: over the deadline, and over the end of the day's budget.
    bool wait_past_deadline = false;
    /// This attempt was refused with 429 before: it goes to the head of its lane, and its lane is
    /// never too full for it.
    bool retry = false;
};

static_assert(std::is_trivially_destructible_v<acquire_options>);

/// A permit, or why there is none.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class acquire_result {
public:
    acquire_result() noexcept = default;

    /// Whether there is a permit.
    [[nodiscard]] explicit operator bool() const noexcept { return !error_; }
    /// Why not: a `quota::errc`, or `asio::error::operation_aborted` after cancellation or
    /// shutdown.
    [[nodiscard]] const boost::system::error_code& error() const noexcept { return error_; }
    /// After how long the permit could have been had, as far as that can be told; for
    /// `daily_exhausted`: when to ask again.
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry_in() const noexcept {
        return retry_in_;
    }
    /// The permit; empty if there is none.
    [[nodiscard]] quota::permit& permit() & noexcept { return permit_; }
    [[nodiscard]] quota::permit&& permit() && noexcept { return std::move(permit_); }

private:
    friend class limiter;
    boost::system::error_code error_;
    std::optional<std::chrono::milliseconds> retry_in_;
    quota::permit permit_;
};

/// Gives permits for the requests of many buckets, one bucket per resource.
///
/// Calls wait in two queues per bucket (`quota::lane`), first come, first served; a limiter has one
/// timer for all of them. Every completion goes through the executor of the coroutine that waits,
/// never directly. Buckets come to be on first use and are forgotten when they do not matter any
/// more.
///
/// Thread safety: distinct objects: safe; shared objects: safe, but for destruction. Must be
/// destroyed before its execution context.
class limiter {
public:
    /// `executor` runs the timer. `time` is for tests; null: the steady clock. Throws
    /// `std::invalid_argument` if the options cannot be used.
    explicit limiter(
        boost::asio::any_io_executor executor,
        limits options = {},
        std::shared_ptr<time_source> time = nullptr)
        : core_(std::make_shared<detail::limiter_core>(
              std::move(executor), std::move(options), std::move(time))) {
        core_->start();
    }
    limiter(const limiter&) = delete;
    limiter& operator=(const limiter&) = delete;
    /// Shuts down.
    ~limiter() { core_->shutdown(); }

    /// A permit if one is free and nobody waits for it; never blocks, and allocates only to create
    /// the bucket.
    [[nodiscard]] std::optional<permit> try_acquire(std::string_view resource, quota::lane lane) {
        auto const o = core_->attempt(resource, lane, false, false, detail::never, false);
        if (!o.ticket.open()) return std::nullopt;
        return permit{core_, *o.home, o.ticket};
    }

    /// Waits for a permit.
    ///
    /// `resource` is read before the first suspension. Honours terminal (and weaker) per-operation
    /// cancellation: the result is then `operation_aborted`, and whatever was granted meanwhile is
    /// given back. Errors come in the result; nothing is thrown but `std::bad_alloc` and what Asio
    /// throws when a cancelled coroutine waits again.
    [[nodiscard]] boost::asio::awaitable<acquire_result> acquire(
        std::string_view resource, acquire_options options);

    /// How the bucket of a resource looks now. If it is not known, what would be assumed of it.
    [[nodiscard]] bucket_snapshot snapshot(std::string_view resource) const {
        return core_->snapshot(resource);
    }
    /// All known buckets, in no particular order.
    [[nodiscard]] std::vector<bucket_snapshot> snapshots() const { return core_->snapshots(); }

    /// Ends all waits with `operation_aborted`, and those to come. Permits that are out stay
    /// valid. May be called more than once.
    void shutdown() noexcept { core_->shutdown(); }

private:
    std::shared_ptr<detail::limiter_core> core_;
};

inline boost::asio::awaitable<acquire_result> limiter::acquire(
    std::string_view resource, acquire_options options) {
    namespace asio = boost::asio;
    // From here on the limiter itself is not needed; it may be destroyed while we wait.
    auto const core = core_;
    auto const deadline = options.deadline == std::chrono::steady_clock::time_point::max()
        ? detail::never
        : std::chrono::nanoseconds{options.deadline.time_since_epoch()}.count();
    acquire_result result;
    auto const finish = [&](const boost::system::error_code& error, detail::nanos retry_in,
                            detail::entry* home, bucket::ticket& ticket) {
        result.error_ = error;
        if (retry_in >= 0)
            result.retry_in_ =
                std::chrono::ceil<std::chrono::milliseconds>(std::chrono::nanoseconds{retry_in});
        if (ticket.open()) result.permit_ = permit{core, *home, ticket};
    };

    auto first = core->attempt(
        resource, options.lane, options.retry, options.wait_past_deadline, deadline, true);
    if (!first.pending) {
        finish(first.error, first.retry_in, first.home, first.ticket);
        co_return result;
    }

    detail::waiter w;
    w.lane = options.lane;
    w.patient = options.wait_past_deadline;
    w.deadline = deadline;
    auto const initiate = [&core, &w, resource, retry = options.retry](auto&& handler) {
        w.executor = asio::prefer(
            asio::any_io_executor{asio::get_associated_executor(handler, core->executor())},
            asio::execution::outstanding_work.tracked);
        // Not assigned: assignment recurses without end in Asio 1.26.
        asio::any_completion_handler<void()>{std::forward<decltype(handler)>(handler)}.swap(
            w.handler);
        // What is set before the waiter is queued is seen by whoever completes it.
        auto slot = asio::get_associated_cancellation_slot(w.handler);
        if (slot.is_connected())
            slot.assign([core = core.get(), &w](asio::cancellation_type type) {
                if (type != asio::cancellation_type::none) core->cancel(w);
            });
        core->park(w, resource, retry);
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(
        std::cref(initiate), asio::use_awaitable);

    auto const cancelled = (co_await asio::this_coro::cancellation_state).cancelled();
    if (cancelled != asio::cancellation_type::none && w.ticket.open()) {
        core->unsent(*w.home, w.ticket);
        w.error = asio::error::operation_aborted;
    }
    finish(w.error, w.retry_in, w.home, w.ticket);
    co_return result;
}

} // namespace highlevel::quota
