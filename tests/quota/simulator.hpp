// SPDX-License-Identifier: BSL-1.0
//
// A world in virtual time for the rate limiter: servers that count in every way we know of,
// networks that delay, reorder and lose, and processes that drive real buckets. Ten minutes take
// milliseconds.
#pragma once

#include "support/catch.hpp"

#include <highlevel/quota/bucket.hpp>
#include <highlevel/quota/headers.hpp>
#include <highlevel/quota/lane.hpp>
#include <highlevel/quota/limits.hpp>

#include <support/sanitizers.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <numbers>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sim {

namespace quota = highlevel::quota;

// How much of the sweeps to run, in percent: all in optimised builds, a part where every step is
// slow (no optimisation, sanitizers). Define HIGHLEVEL_TEST_SIMULATION_SCALE to choose.
#if defined(HIGHLEVEL_TEST_SIMULATION_SCALE)
inline constexpr int percent = HIGHLEVEL_TEST_SIMULATION_SCALE;
#elif defined(__OPTIMIZE__) && !defined(HIGHLEVEL_TEST_SANITIZED)
inline constexpr int percent = 100;
#else
inline constexpr int percent = 4;
#endif

inline int scale(int full) {
    return std::max(1, full * percent / 100);
}

/// Whether this is a slow build, which is to take fewer and smaller runs.
inline constexpr bool slow = percent < 100;

/// Which combinations of a test's sweep a slow build leaves out. It takes one of so many, beginning
/// at one that the test's name chooses: the sweeps are over six kinds of server or seven, so that
/// each has its turn, whatever other tests run.
class thinning {
public:
    explicit thinning(std::uint32_t every = 11) : every_(every) {
        std::uint32_t hash = 2166136261U; // FNV-1a
        for (char const c : std::string{Catch::getResultCapture().getCurrentTestName()})
            hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
        turn_ = hash % every_;
    }

    /// Whether to leave out the next one.
    [[nodiscard]] bool operator()() { return slow && turn_++ % every_ != 0; }

private:
    std::uint32_t every_;
    std::uint32_t turn_;
};

inline constexpr double infinity = std::numeric_limits<double>::infinity();

/// The same numbers on every standard library.
class generator {
public:
    explicit generator(std::uint64_t seed) : state_(seed * 0x9e3779b97f4a7c15ULL + 1) {}

    std::uint64_t bits() {
        state_ += 0x9e3779b97f4a7c15ULL;
        auto z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    double unit() { return static_cast<double>(bits() >> 11) * 0x1.0p-53; }
    double uniform(double low, double high) { return low + (high - low) * unit(); }
    bool chance(double p) { return p > 0 && unit() < p; }
    std::size_t below(std::size_t n) { return static_cast<std::size_t>(bits() % n); }
    double exponential(double rate) { return -std::log(1 - unit()) / rate; }
    double lognormal(double mu, double sigma) {
        double const r = std::sqrt(-2 * std::log(1 - unit()));
        return std::exp(mu + sigma * r * std::cos(2 * std::numbers::pi * unit()));
    }
    template <class T>
    T pick(std::initializer_list<T> from) {
        return from.begin()[below(from.size())];
    }

private:
    std::uint64_t state_;
};

// -- servers -----------------------------------------------------------------------------------

/// Times are in seconds. A counting server answers whether it took the request, and how many it
/// would say are used.
class server {
public:
    class answer {
    public:
        bool accepted = false;
        int used = 0;
    };

    server(int max, double interval, double phase)
        : max_(max),
          interval_(interval),
          phase_(phase) {}
    server(const server&) = delete;
    server& operator=(const server&) = delete;
    virtual ~server() = default;

    virtual answer arrive(double t) = 0;
    virtual void reconfigure(int max, double interval) {
        max_ = max;
        interval_ = interval;
    }
    int max() const { return max_; }
    double interval() const { return interval_; }
    double per_second() const { return max_ / interval_; }

    /// A step of the server's wall clock.
    double wall_offset = 0;

protected:
    static constexpr double eps = 1e-9;
    double wall(double t) const { return t + phase_ + wall_offset; }

    int max_;
    double interval_;
    double phase_;
};

/// A window that begins at multiples of the interval on the server's clock.
class fixed_epoch : public server {
public:
    using server::server;
    answer arrive(double t) override {
        double const window = std::floor(wall(t) / interval_);
        if (window != window_) {
            window_ = window;
            count_ = 0;
        }
        if (count_ >= max_) return {false, max_};
        return {true, ++count_};
    }
    void reconfigure(int max, double interval) override {
        server::reconfigure(max, interval);
        window_ = -infinity;
    }

private:
    double window_ = -infinity;
    int count_ = 0;
};

/// A window that begins with the first request after the last one ended.
class fixed_first : public server {
public:
    using server::server;
    answer arrive(double t) override {
        if (t >= start_ + interval_) {
            start_ = t;
            count_ = 0;
        }
        if (count_ >= max_) return {false, max_};
        return {true, ++count_};
    }

private:
    double start_ = -1e18;
    int count_ = 0;
};

class sliding_log : public server {
public:
    using server::server;
    answer arrive(double t) override {
        while (!log_.empty() && log_.front() <= t - interval_)
            log_.pop_front();
        if (static_cast<int>(log_.size()) < max_) {
            log_.push_back(t);
            return {true, static_cast<int>(log_.size())};
        }
        if (counts_refusals_) log_.push_back(t);
        return {false, max_};
    }

protected:
    std::deque<double> log_;
    bool counts_refusals_ = false;
};

/// A refused attempt extends the block.
class strict_log : public sliding_log {
public:
    strict_log(int max, double interval, double phase) : sliding_log(max, interval, phase) {
        counts_refusals_ = true;
    }
};

/// Two counters, the previous window's weighted by the part of it still in view.
class sliding_counter : public server {
public:
    using server::server;
    answer arrive(double t) override {
        double const at = wall(t) / interval_;
        double const window = std::floor(at);
        if (window_ == -infinity) window_ = window;
        if (window != window_) {
            previous_ = window == window_ + 1 ? current_ : 0;
            current_ = 0;
            window_ = window;
        }
        double const estimate = weigh(previous_ * (1 - (at - window))) + current_;
        if (estimate + 1 > max_ + eps) return {false, max_};
        ++current_;
        return {true, std::min(max_, static_cast<int>(std::ceil(estimate + 1 - eps)))};
    }
    void reconfigure(int max, double interval) override {
        server::reconfigure(max, interval);
        window_ = -infinity;
        current_ = previous_ = 0;
    }

protected:
    virtual double weigh(double x) const { return x; }

private:
    double window_ = -infinity;
    int current_ = 0;
    int previous_ = 0;
};

/// The same, but the weighted count is rounded down.
class floored_counter : public sliding_counter {
public:
    using sliding_counter::sliding_counter;

protected:
    double weigh(double x) const override { return std::floor(x); }
};

class token_bucket : public server {
public:
    token_bucket(int max, double interval, double phase)
        : server(max, interval, phase),
          holds_(max),
          tokens_(max) {}
    answer arrive(double t) override {
        if (last_ > -infinity) tokens_ = std::min(holds_, tokens_ + (t - last_) * per_second());
        last_ = t;
        if (tokens_ < 1 - eps) return {false, max_};
        tokens_ -= 1;
        return {true, max_ - static_cast<int>(std::floor(tokens_ + eps))};
    }
    void reconfigure(int max, double interval) override {
        server::reconfigure(max, interval);
        holds_ = max;
    }

protected:
    double holds_;

private:
    double tokens_;
    double last_ = -infinity;
};

/// Generic cell rate algorithm (a leaky bucket as meter).
class gcra : public server {
public:
    using server::server;
    answer arrive(double t) override {
        double const each = interval_ / max_;
        double const next = std::max(t, tat_) + each;
        if (t < next - each * max_ - eps) return {false, max_};
        tat_ = next;
        auto const left = std::floor((each * max_ - (tat_ - t)) / each + 1e-6);
        return {true, max_ - static_cast<int>(left)};
    }

private:
    double tat_ = -1e18;
};

/// The whole limit is added every interval, counted from the first request.
class lump_bucket : public server {
public:
    using server::server;
    answer arrive(double t) override {
        if (at_ == -infinity) {
            at_ = t;
            tokens_ = max_;
        }
        if (t >= at_ + interval_) {
            at_ += std::floor((t - at_) / interval_) * interval_;
            tokens_ = max_;
        }
        if (tokens_ == 0) return {false, max_};
        --tokens_;
        return {true, max_ - tokens_};
    }

private:
    double at_ = -infinity;
    int tokens_ = 0;
};

// Servers outside the family that the proof covers.

/// Advertises its limit, but the bucket holds only a fifth.
class small_bucket : public token_bucket {
public:
    small_bucket(int max, double interval, double phase) : token_bucket(max, interval, phase) {
        holds_ = max / 5.0;
    }
};

/// A second limit per second that no header tells of.
class hidden_second : public sliding_log {
public:
    using sliding_log::sliding_log;
    answer arrive(double t) override {
        if (std::floor(t) != second_) {
            second_ = std::floor(t);
            count_ = 0;
        }
        while (!log_.empty() && log_.front() <= t - interval_)
            log_.pop_front();
        if (count_ >= 15) return {false, static_cast<int>(log_.size())};
        auto const a = sliding_log::arrive(t);
        count_ += a.accepted ? 1 : 0;
        return a;
    }

private:
    double second_ = -infinity;
    int count_ = 0;
};

/// Enforces six tenths of what it advertises.
class lying_log : public sliding_log {
public:
    using sliding_log::sliding_log;
    answer arrive(double t) override {
        while (!log_.empty() && log_.front() <= t - interval_)
            log_.pop_front();
        if (static_cast<int>(log_.size()) * 10 >= max_ * 6) return {false, max_};
        log_.push_back(t);
        return {true, static_cast<int>(log_.size())};
    }
};

/// Says what remained before the request was counted.
class early_log : public sliding_log {
public:
    using sliding_log::sliding_log;
    answer arrive(double t) override {
        auto a = sliding_log::arrive(t);
        if (a.accepted) --a.used;
        return a;
    }
};

/// Says what remained half a second ago.
class stale_log : public sliding_log {
public:
    using sliding_log::sliding_log;
    answer arrive(double t) override {
        auto a = sliding_log::arrive(t);
        past_.emplace_back(t, a.used);
        while (past_.size() > 1 && past_[1].first <= t - 0.5)
            past_.pop_front();
        if (a.accepted) a.used = past_.front().first <= t - 0.5 ? past_.front().second : 1;
        return a;
    }

private:
    std::deque<std::pair<double, int>> past_;
};

/// Changes from one kind to another; both count from the beginning.
template <class First, class Second>
class changing : public server {
public:
    changing(int max, double interval, double phase)
        : server(max, interval, phase),
          first_(max, interval, phase),
          second_(max, interval, phase) {}
    answer arrive(double t) override {
        auto const a = first_.arrive(t);
        auto const b = second_.arrive(t);
        return t < 300 ? a : b;
    }

private:
    First first_;
    Second second_;
};

class server_kind {
public:
    std::string_view name;
    std::unique_ptr<server> (*make)(int max, double interval, double phase);
};

template <class Server>
constexpr server_kind kind(std::string_view name) {
    return {name, [](int max, double interval, double phase) -> std::unique_ptr<server> {
                return std::make_unique<Server>(max, interval, phase);
            }};
}

/// The seven of the table, then two more that exist in the wild.
inline const std::vector<server_kind>& server_kinds() {
    static const std::vector<server_kind> all{
        kind<fixed_epoch>("fixed, aligned"),   kind<fixed_first>("fixed, from first"),
        kind<sliding_log>("sliding log"),      kind<sliding_counter>("weighted counter"),
        kind<token_bucket>("token bucket"),    kind<gcra>("GCRA"),
        kind<strict_log>("log with refusals"), kind<floored_counter>("floored counter"),
        kind<lump_bucket>("lump bucket"),
    };
    return all;
}

// -- networks ----------------------------------------------------------------------------------

class network {
public:
    network() = default;
    network(const network&) = delete;
    network& operator=(const network&) = delete;
    virtual ~network() = default;
    /// Delay to the server and back for a request sent at `t`.
    virtual std::pair<double, double> sample(double t) = 0;
};

class constant_network : public network {
public:
    explicit constant_network(double round_trip) : half_(round_trip / 2) {}
    std::pair<double, double> sample(double) override { return {half_, half_}; }

private:
    double half_;
};

/// Median 120 ms, 99th percentile 800 ms, split at random between the ways.
class lognormal_network : public network {
public:
    explicit lognormal_network(std::uint64_t seed) : random_(seed) {}
    std::pair<double, double> sample(double) override {
        double const r = random_.lognormal(mu_, sigma_);
        double const u = random_.uniform(0.3, 0.7);
        return {r * u, r * (1 - u)};
    }

private:
    generator random_;
    double mu_ = std::log(0.120);
    double sigma_ = std::log(0.800 / 0.120) / 2.3263;
};

/// Each way stalls now and then; what was sent in a stall lands bunched and shuffled.
class bursty_network : public network {
public:
    explicit bursty_network(std::uint64_t seed, double horizon = 5000) : random_(seed) {
        for (auto& way : stalls_) {
            for (double t = 0; t < horizon;) {
                t += random_.exponential(1 / 4.0);
                double const end = t + random_.uniform(0.2, 1.5);
                way.emplace_back(t, end);
                t = end;
            }
        }
    }
    std::pair<double, double> sample(double t) override {
        double const up = one(0, t);
        return {up, one(1, t + up)};
    }

private:
    double one(std::size_t way, double t) {
        auto const& stalls = stalls_[way];
        auto at = std::upper_bound(
            stalls.begin(), stalls.end(), t, [](double x, auto const& s) { return x < s.second; });
        double delay = random_.uniform(0.03, 0.08);
        if (random_.chance(0.02)) delay += random_.uniform(0.2, 1.2);
        if (at != stalls.end() && at->first <= t) delay = at->second - t + random_.uniform(0, 0.03);
        return delay;
    }

    generator random_;
    std::vector<std::pair<double, double>> stalls_[2];
};

class network_kind {
public:
    std::string_view name;
    std::unique_ptr<network> (*make)(std::uint64_t seed);
};

inline constexpr network_kind constant_80ms{
    "constant 80 ms", [](std::uint64_t) -> std::unique_ptr<network> {
        return std::make_unique<constant_network>(0.080);
    }};
inline constexpr network_kind lognormal{
    "lognormal", [](std::uint64_t seed) -> std::unique_ptr<network> {
        return std::make_unique<lognormal_network>(seed);
    }};
inline constexpr network_kind bursty{"bursty", [](std::uint64_t seed) -> std::unique_ptr<network> {
                                         return std::make_unique<bursty_network>(seed);
                                     }};
inline constexpr network_kind constant_1s{
    "constant 1 s", [](std::uint64_t) -> std::unique_ptr<network> {
        return std::make_unique<constant_network>(1.0);
    }};

// -- the world ---------------------------------------------------------------------------------

/// Events in the order of time.
class timeline {
public:
    double now() const { return now_; }

    void at(double t, std::function<void()> what) {
        events_.push(event{std::max(t, now_), ++count_, std::move(what)});
    }
    void after(double d, std::function<void()> what) { at(now_ + d, std::move(what)); }

    void run(double until) {
        while (step(until)) {
        }
        now_ = until;
    }
    /// The next event alone, if it is due by then; false if none is.
    bool step(double until) {
        if (events_.empty() || events_.top().at > until) return false;
        now_ = events_.top().at;
        auto const what = std::move(const_cast<event&>(events_.top()).what);
        events_.pop();
        what();
        return true;
    }

    /// As the buckets want it; begins well after the clock's epoch.
    quota::bucket::time_point point() const { return point(now_); }
    static quota::bucket::time_point point(double t) {
        return quota::bucket::time_point{
            std::chrono::nanoseconds{1'000'000'000'000 + std::llround(t * 1e9)}};
    }
    static double seconds(quota::bucket::time_point t) {
        return static_cast<double>((t - point(0)).count()) * 1e-9;
    }

private:
    class event {
    public:
        double at;
        std::uint64_t order;
        std::function<void()> what;
        bool operator<(const event& other) const {
            return at != other.at ? at > other.at : order > other.order;
        }
    };
    double now_ = 0;
    std::uint64_t count_ = 0;
    std::priority_queue<event> events_;
};

class process;

class request {
public:
    process* from = nullptr;
    int worker = 0;
    quota::lane lane = quota::lane::interactive;
    double asked = 0;
    double sent = 0;
    bool retried = false;
    bool alive = false;
    quota::bucket::ticket ticket;
    // The response.
    bool accepted = false;
    quota::rate_headers headers;
};

/// A stamp of an arrival: when, whose, and when it was sent.
class stamp {
public:
    double at;
    int who;
    double sent;
};

/// A server behind a network; all processes that use the same bucket share one.
class site {
public:
    site(
        timeline& time,
        std::unique_ptr<server> counts,
        std::unique_ptr<network> net,
        std::uint64_t seed)
        : time_(time),
          server_(std::move(counts)),
          network_(std::move(net)),
          random_(seed) {}

    void send(request& r);

    timeline& time() { return time_; }
    server& counts() { return *server_; }
    generator& dice() { return random_; }

    double lose_requests = 0;
    double lose_responses = 0;
    double timeout = 5;
    double random_429 = 0;
    /// Whether answers say what remains.
    bool tells_remaining = true;
    std::function<double(generator&)> processing;
    /// Server's idea of the time when it counts; for clocks that run at another rate.
    std::function<double(double)> skew;
    /// The day: its limit, what is used, and whether answers say when it ends.
    std::optional<std::int64_t> daily_limit;
    std::int64_t daily_used = 0;
    std::optional<double> daily_ends;
    std::optional<std::chrono::milliseconds> retry_after;

    std::vector<stamp> accepted;
    std::vector<stamp> refused;
    std::vector<stamp> refused_by_day;

    int accepted_between(double from, double to, std::optional<int> who = {}) const {
        return count(accepted, from, to, who);
    }
    int refused_between(double from, double to, std::optional<int> who = {}) const {
        return count(refused, from, to, who);
    }

private:
    static int count(const std::vector<stamp>& in, double from, double to, std::optional<int> who) {
        return static_cast<int>(std::count_if(in.begin(), in.end(), [&](const stamp& s) {
            return s.at >= from && s.at < to && (!who || s.who == *who);
        }));
    }
    void arrive(request& r, double back);

    timeline& time_;
    std::unique_ptr<server> server_;
    std::unique_ptr<network> network_;
    generator random_;
};

/// One process with its queues before one bucket.
class process {
public:
    process(site& at, const quota::limits& options, int id = 0)
        : site_(at),
          id_(id),
          options_(options),
          bucket_(options_, static_cast<std::uint64_t>(id) + 1) {}
    process(const process&) = delete;
    process& operator=(const process&) = delete;

    void submit(int worker, quota::lane lane) {
        auto& r = make(worker, lane, site_.time().now());
        queue(lane).push_back(&r);
        pump();
    }

    void pump() {
        if (suspended_ || stopped) return;
        while (!queues_[0].empty() || !queues_[1].empty()) {
            auto const lane = queues_[0].empty() ? quota::lane::bulk : quota::lane::interactive;
            auto& q = queue(lane);
            if (cancel_queued > 0 && site_.dice().chance(cancel_queued)) {
                q.pop_front();
                ++cancelled;
                continue;
            }
            quota::bucket::ticket ticket;
            auto const v = bucket_.admit(site_.time().point(), lane, ticket);
            if (!v.granted) {
                if (v.daily && !waits_for_day) {
                    day_failures += q.size();
                    q.clear();
                    continue;
                }
                if (v.wake != quota::bucket::time_point::max()) wake(timeline::seconds(v.wake));
                return;
            }
            auto& r = *q.front();
            q.pop_front();
            r.sent = site_.time().now();
            r.ticket = ticket;
            r.alive = true;
            on_credit += ticket.on_credit() ? 1 : 0;
            if (cancel_unsent > 0 && site_.dice().chance(cancel_unsent)) {
                site_.time().after(site_.dice().uniform(0, 0.2), [this, &r] {
                    bucket_.unsent(r.ticket, site_.time().point());
                    r.alive = false;
                    pump();
                });
                continue;
            }
            site_.send(r);
            if (cancel_sent > 0 && site_.dice().chance(cancel_sent))
                site_.time().after(site_.dice().uniform(0, 2), [this, &r] {
                    if (!r.alive) return;
                    r.alive = false;
                    bucket_.lost(r.ticket, site_.time().point());
                    pump();
                });
        }
    }

    /// Stops the process; what comes for it is read when it runs again.
    void suspend() { suspended_ = true; }
    void resume() {
        suspended_ = false;
        for (auto const& what : std::exchange(unread_, {}))
            what();
        pump();
    }

    void respond(request& r) {
        if (suspended_) {
            unread_.push_back([this, &r] { respond(r); });
            return;
        }
        if (!r.alive) return;
        r.alive = false;
        bucket_.settle(
            r.ticket, site_.time().point(), r.headers, r.accepted ? 200 : 429,
            r.accepted ? std::nullopt : site_.retry_after);
        if (r.accepted) {
            waits[static_cast<std::size_t>(r.lane)].push_back({r.asked, r.sent - r.asked});
            ++done[r.worker];
            if (on_done) on_done(r);
        } else {
            again(r);
        }
        pump();
    }

    void expire(request& r) {
        if (suspended_) {
            unread_.push_back([this, &r] { expire(r); });
            return;
        }
        if (!r.alive) return;
        r.alive = false;
        bucket_.lost(r.ticket, site_.time().point());
        again(r);
        pump();
    }

    quota::bucket& bucket() { return bucket_; }
    site& at() { return site_; }
    int id() const { return id_; }
    std::size_t waiting() const { return queues_[0].size() + queues_[1].size(); }

    class wait {
    public:
        double asked;
        double seconds;
    };
    std::vector<wait> waits[2];
    std::map<int, int> done;
    std::function<void(request&)> on_done;
    std::uint64_t on_credit = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t day_failures = 0;
    double cancel_queued = 0;
    double cancel_unsent = 0;
    double cancel_sent = 0;
    bool waits_for_day = false;
    /// Takes nothing new from its queues.
    bool stopped = false;

private:
    std::deque<request*>& queue(quota::lane lane) {
        return queues_[static_cast<std::size_t>(lane)];
    }

    request& make(int worker, quota::lane lane, double asked) {
        auto& r = requests_.emplace_back();
        r.from = this;
        r.worker = worker;
        r.lane = lane;
        r.asked = asked;
        return r;
    }

    void again(request& r) {
        auto& next = make(r.worker, r.lane, r.asked);
        next.retried = true;
        queue(r.lane).push_front(&next);
    }

    void wake(double t) {
        t = std::max(t, site_.time().now() + 1e-6);
        if (t >= wake_at_) return;
        wake_at_ = t;
        site_.time().at(t, [this, t] {
            if (t != wake_at_) return;
            wake_at_ = infinity;
            pump();
        });
    }

    site& site_;
    int id_;
    quota::limits options_;
    quota::bucket bucket_;
    std::deque<request*> queues_[2];
    std::deque<request> requests_;
    double wake_at_ = infinity;
    bool suspended_ = false;
    std::vector<std::function<void()>> unread_;
};

inline void site::send(request& r) {
    double const now = time_.now();
    auto const [up, down] = network_->sample(now);
    if (random_.chance(lose_requests)) {
        time_.after(timeout, [&r] { r.from->expire(r); });
        return;
    }
    double const back = down + (processing ? processing(random_) : 0);
    time_.after(up, [this, &r, back] { arrive(r, back); });
}

inline void site::arrive(request& r, double back) {
    double const now = time_.now();
    auto const who = r.from != nullptr ? r.from->id() : -1;
    auto& h = r.headers;
    h.max = server_->max();
    h.interval_ms = std::llround(server_->interval() * 1000);
    if (daily_limit && daily_used >= *daily_limit) {
        r.accepted = false;
        refused_by_day.push_back({now, who, r.sent});
    } else if (random_.chance(random_429)) {
        r.accepted = false;
        refused.push_back({now, who, r.sent});
    } else {
        auto const a = server_->arrive(skew ? skew(now) : now);
        r.accepted = a.accepted;
        if (tells_remaining) h.remaining = server_->max() - a.used;
        (a.accepted ? accepted : refused).push_back({now, who, r.sent});
        if (a.accepted) ++daily_used;
    }
    if (daily_limit) {
        h.limit_daily = *daily_limit;
        h.daily_remaining = *daily_limit - daily_used;
        if (daily_ends) h.daily_reset_ms = std::llround((*daily_ends - now) * 1000);
    }
    if (r.from == nullptr) return;
    if (random_.chance(lose_responses) || now + back > r.sent + 30)
        time_.at(r.sent + timeout, [&r] { r.from->expire(r); });
    else
        time_.after(back, [&r] { r.from->respond(r); });
}

// -- who sends ---------------------------------------------------------------------------------

/// Workers that each ask again as soon as their request is done.
inline void closed_loop(process& p, int workers, quota::lane lane) {
    p.on_done = [&p, lane](request& r) { p.submit(r.worker, lane); };
    for (int w = 0; w < workers; ++w)
        p.submit(w, lane);
}

namespace detail {

inline void poisson(process& p, double rate, double until, quota::lane lane) {
    auto& time = p.at().time();
    auto const next = time.now() + p.at().dice().exponential(rate);
    if (next >= until) return;
    time.at(next, [&p, rate, until, lane] {
        p.submit(-1, lane);
        poisson(p, rate, until, lane);
    });
}

inline void bursts(process& p, double at, double every, int size, double until, quota::lane lane) {
    if (at >= until) return;
    p.at().time().at(at, [&p, at, every, size, until, lane] {
        for (int i = 0; i < size; ++i)
            p.submit(-1, lane);
        bursts(p, at + every, every, size, until, lane);
    });
}

} // namespace detail

/// Independent requests at a mean rate.
inline void open_loop(
    process& p, double rate, double until, quota::lane lane = quota::lane::interactive) {
    detail::poisson(p, rate, until, lane);
}

/// `size` at once, every so often.
inline void burst_loop(
    process& p,
    double every,
    int size,
    double until,
    quota::lane lane = quota::lane::interactive,
    double first = 5) {
    detail::bursts(p, first, every, size, until, lane);
}

// -- measures ----------------------------------------------------------------------------------

inline double percentile(std::vector<double> v, double p) {
    if (v.empty()) return 0;
    std::sort(v.begin(), v.end());
    return v[std::min(v.size() - 1, static_cast<std::size_t>(p * static_cast<double>(v.size())))];
}

inline double wait_percentile(const std::vector<process::wait>& waits, double p, double from = 20) {
    std::vector<double> v;
    for (auto const& w : waits)
        if (w.asked >= from) v.push_back(w.seconds);
    return percentile(std::move(v), p);
}

/// Jain's index of fairness: 1 when all have the same.
template <class Values>
double jain(const Values& v) {
    double sum = 0;
    double squares = 0;
    for (double x : v) {
        sum += x;
        squares += x * x;
    }
    return squares > 0 ? sum * sum / (static_cast<double>(v.size()) * squares) : 1;
}

/// Accepted per second as a part of the limit, the mean over 40 windows that slide, so that a burst
/// at an edge does not count whole.
inline double utilisation(const site& s, double per_second, double from, double to) {
    double const span = (to - from) * (1 - 40.0 / 300);
    double sum = 0;
    for (int k = 0; k < 40; ++k) {
        double const a = from + k * (to - from) / 300;
        sum += s.accepted_between(a, a + span);
    }
    return 100 * sum / 40 / (per_second * span);
}

} // namespace sim
