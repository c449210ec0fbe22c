// SPDX-License-Identifier: BSL-1.0
//
// The limiter as a whole, queues and all, against simulated servers and networks: many buckets,
// both lanes, deadlines, cancellation in every phase, eviction; and never a refusal.
#include "quota/simulator.hpp"
#include "support/catch.hpp"

#include <highlevel/quota/ledger.hpp>
#include <highlevel/quota/limiter.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quota_scenario_tests {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using highlevel::quota::acquire_options;
using highlevel::quota::acquire_result;
using highlevel::quota::errc;
using highlevel::quota::lane;
using highlevel::quota::limiter;
using highlevel::quota::limits;
using highlevel::quota::permit;

/// A limiter's clock and timer on a timeline.
class timeline_time final : public highlevel::quota::time_source {
public:
    explicit timeline_time(sim::timeline& time) : time_(time) {}

    [[nodiscard]] std::chrono::steady_clock::time_point now() const noexcept override {
        return time_.point();
    }
    void start(std::function<void()> wake) override { wake_ = std::move(wake); }
    void wake_at(std::chrono::steady_clock::time_point when) override {
        // Rounded up: an event just before the time would find nothing due and be asked for again.
        time_.at(sim::timeline::seconds(when) + 1e-9, [this, turn = ++turn_] {
            if (turn == turn_) wake_();
        });
    }
    void cancel() noexcept override { ++turn_; }

private:
    sim::timeline& time_;
    std::function<void()> wake_;
    std::uint64_t turn_ = 0;
};

/// What one call asks for.
class errand {
public:
    std::size_t resource = 0;
    lane who = lane::interactive;
    double patience = sim::infinity; // to the deadline, in seconds
    double gives_up = sim::infinity; // cancelled after this long, wherever it stands
    bool waits_for_day = false;
    std::size_t process = 0; // whose call it is
};

/// One server per resource behind one network, and one limiter that knows nothing of them; or
/// several, as of several processes.
class city {
public:
    city(
        std::size_t resources,
        const sim::server_kind& kind,
        const sim::network_kind& net,
        std::uint64_t seed,
        const limits& options,
        int max = 100,
        double interval = 10)
        : dice(seed),
          network_(net.make(seed + 1)) {
        add_process(options);
        for (std::size_t i = 0; i < resources; ++i)
            places_.push_back(
                {"r" + std::to_string(i), kind.make(max, interval, dice.uniform(0, interval))});
    }
    ~city() {
        processes.clear();
        while (context_.poll() != 0)
            context_.restart();
    }
    city(const city&) = delete;
    city& operator=(const city&) = delete;

    /// Another limiter, whose calls are those of the next number.
    void add_process(const limits& options) {
        processes.push_back(std::make_unique<limiter>(
            context_.get_executor(), options, std::make_shared<timeline_time>(time)));
        subject = processes.front().get();
    }

    /// Begins a call; `on_done` (if set) hears of its end when it was answered.
    void call(const errand& e) {
        ++begun;
        auto& j = journeys_.emplace_back();
        j.what = e;
        j.asked = time.now();
        if (e.gives_up < sim::infinity) time.after(e.gives_up, [this, &j] { give_up(j); });
        asio::co_spawn(
            context_, travel(j),
            asio::bind_cancellation_slot(j.signal.slot(), [&](const std::exception_ptr& error) {
                if (error) std::rethrow_exception(error);
            }));
    }

    void run(double until) {
        settle();
        while (time.step(until))
            settle();
        time.run(until);
    }

    class place {
    public:
        std::string name;
        std::unique_ptr<sim::server> counts;
        std::vector<double> accepted = {};
        std::array<std::size_t, 2> by_lane = {};
        std::map<std::size_t, double> by_process = {}; // accepted after the first minute
        // The day: its limit, what is used, and whether answers say when it ends.
        std::optional<std::int64_t> daily_limit = {};
        std::int64_t daily_used = 0;
        std::optional<double> daily_ends = {};
    };
    [[nodiscard]] std::deque<place>& places() { return places_; }

    sim::timeline time;
    sim::generator dice;
    std::function<void(const errand&)> on_done;
    double cancel_unsent = 0;
    /// No request takes longer to arrive, so that `limits::lost_grace` can be kept.
    static constexpr double slowest = 1.9;

    std::size_t begun = 0;
    std::size_t answered = 0;
    std::size_t refused = 0;
    std::size_t refused_by_day = 0;
    std::size_t cancelled = 0;
    std::size_t full = 0;
    std::size_t too_late = 0;
    /// Permits that came after their deadline, and failures that took longer than it.
    std::size_t overdue = 0;
    std::array<std::vector<sim::process::wait>, 2> waits;

private:
    class journey {
    public:
        errand what;
        double asked = 0;
        bool over = false;
        asio::cancellation_signal signal;
        highlevel::quota::permit right;
        std::optional<highlevel::quota::rate_headers> answer;
        bool accepted = false;
    };

    asio::awaitable<void> travel(journey& j) {
        acquire_options options;
        options.lane = j.what.who;
        options.wait_past_deadline = j.what.waits_for_day;
        if (j.what.patience < sim::infinity)
            options.deadline = sim::timeline::point(j.asked + j.what.patience);
        auto& of = *processes[j.what.process];
        auto got = co_await of.acquire(places_[j.what.resource].name, options);
        double const waited = time.now() - j.asked;
        if (waited > j.what.patience + 1e-6) ++overdue;
        if (!got) {
            j.over = true;
            if (got.error() == asio::error::operation_aborted)
                ++cancelled;
            else if (got.error() == errc::queue_full)
                ++full;
            else if (got.error() == errc::deadline_too_soon)
                ++too_late;
            co_return;
        }
        waits[static_cast<std::size_t>(j.what.who)].push_back({j.asked, waited});
        j.right = std::move(got).permit();
        if (dice.chance(cancel_unsent)) {
            j.over = true;
            ++cancelled;
            j.right.unsent();
            co_return;
        }
        auto const [up, down] = network_->sample(time.now());
        time.after(std::min(up, slowest), [this, &j, back = down] { arrive(j, back); });
    }

    void arrive(journey& j, double back) {
        auto& p = places_[j.what.resource];
        bool const day_over = p.daily_limit && p.daily_used >= *p.daily_limit;
        auto& h = j.answer.emplace();
        h.max = p.counts->max();
        h.interval_ms = std::llround(p.counts->interval() * 1000);
        if (!day_over) {
            auto const a = p.counts->arrive(time.now());
            j.accepted = a.accepted;
            h.remaining = p.counts->max() - a.used;
            p.daily_used += a.accepted ? 1 : 0;
        }
        if (p.daily_limit) {
            h.limit_daily = *p.daily_limit;
            h.daily_remaining = *p.daily_limit - p.daily_used;
            if (p.daily_ends) h.daily_reset_ms = std::llround((*p.daily_ends - time.now()) * 1000);
        }
        if (j.accepted) {
            p.accepted.push_back(time.now());
            ++p.by_lane[static_cast<std::size_t>(j.what.who)];
            if (time.now() >= 60) ++p.by_process[j.what.process];
        } else {
            ++(day_over ? refused_by_day : refused);
        }
        time.after(back, [this, &j] { respond(j); });
    }

    void respond(journey& j) {
        if (std::exchange(j.over, true)) return;
        j.right.settle(*j.answer, j.accepted ? 200 : 429);
        ++answered;
        if (on_done) on_done(j.what);
    }

    void give_up(journey& j) {
        if (j.over) return;
        if (j.right) {
            j.over = true;
            ++cancelled;
            j.right.lost();
        } else {
            j.signal.emit(asio::cancellation_type::terminal);
        }
    }

    void settle() {
        do
            context_.restart();
        while (context_.poll() != 0);
    }

    std::unique_ptr<sim::network> network_;
    asio::io_context context_;
    std::deque<place> places_;
    std::deque<journey> journeys_;

public:
    std::vector<std::unique_ptr<limiter>> processes;
    limiter* subject = nullptr; // the first
};

constexpr std::array<sim::network_kind, 3> networks{
    sim::constant_80ms, sim::lognormal, sim::bursty};

/// Workers of a resource that each begin their next call when the last one is answered.
void keep_busy(city& c, std::size_t resource, std::size_t workers, lane who) {
    for (std::size_t i = 0; i < workers; ++i)
        c.call({resource, who});
}

void check_nothing_left(city& c) {
    for (auto const& s : c.subject->snapshots()) {
        INFO(s.resource);
        CHECK(s.in_flight == 0);
        CHECK(s.waiting_in(lane::interactive) == 0);
        CHECK(s.waiting_in(lane::bulk) == 0);
        CHECK(s.granted == s.settled + s.lost + s.unsent);
        CHECK(s.foreign == 0);
    }
}

} // namespace

TEST_CASE("many_saturated_buckets_each_keep_their_rate_and_bulk_is_not_starved", "[quota]") {
    constexpr std::size_t resources = sim::slow ? 4 : 12;
    constexpr double until = sim::slow ? 100 : 200;
    sim::thinning thinned;
    for (std::size_t k = 0; k < 6; ++k) {
        if (thinned()) continue;
        auto const& net = networks[k % networks.size()];
        limits options;
        options.exclusive = true;
        city c{resources, sim::server_kinds()[k], net, k + 1, options};
        c.on_done = [&](const errand& e) { c.call(e); };
        for (std::size_t r = 0; r < resources; ++r) {
            keep_busy(c, r, 150, lane::interactive);
            keep_busy(c, r, 50, lane::bulk);
        }
        c.run(until);
        INFO(sim::server_kinds()[k].name << ", " << net.name);
        CHECK(c.refused == 0);
        for (auto const& p : c.places()) {
            auto const used = std::count_if(
                p.accepted.begin(), p.accepted.end(), [](double t) { return t >= 20; });
            CHECK(static_cast<double>(used) / (10 * (until - 20)) >= 0.88);
            // Every seventeenth permit; less a few where even that one waits for the proof.
            auto const bulk = static_cast<double>(p.by_lane[1]);
            auto const all = bulk + static_cast<double>(p.by_lane[0]);
            CHECK(bulk / all >= 0.9 / 17);
            CHECK(bulk / all <= 1.1 / 17);
        }
    }
}

TEST_CASE("calls_cancelled_in_every_phase_leave_the_limiter_clean", "[quota]") {
    sim::thinning thinned;
    for (std::size_t k = 0; k < 6; ++k) {
        if (thinned()) continue;
        auto const& net = networks[(k + 1) % networks.size()];
        limits options;
        options.lost_grace = 2s;
        city c{4, sim::server_kinds()[k], net, k + 11, options};
        c.cancel_unsent = 0.1;
        // More than the limit allows, so that most have to wait; three in ten give up.
        for (int i = 0; i < 6'000; ++i)
            c.time.at(c.dice.uniform(0, 100), [&] {
                errand e;
                e.resource = c.dice.below(4);
                e.who = c.dice.chance(0.5) ? lane::bulk : lane::interactive;
                if (c.dice.chance(0.3)) e.gives_up = c.dice.exponential(0.3);
                c.call(e);
            });
        c.run(800);
        INFO(sim::server_kinds()[k].name << ", " << net.name);
        CHECK(c.refused == 0);
        CHECK(c.cancelled > 1'200);
        CHECK(c.answered + c.cancelled == c.begun);
        check_nothing_left(c);
        // The time was enough for all; nobody was held up by those who left.
        for (auto const& s : c.subject->snapshots())
            CHECK(s.available > 0);
    }
}

TEST_CASE("forgotten_buckets_come_back_without_a_refusal", "[quota]") {
    sim::thinning thinned;
    for (std::size_t k = 0; k < 6; ++k) {
        if (thinned()) continue;
        auto const& net = networks[(k + 2) % networks.size()];
        limits options;
        options.max_buckets = 20; // far fewer than are in use
        options.idle_eviction = 5s;
        city c{100, sim::server_kinds()[k], net, k + 21, options, 25, 5};
        std::size_t most = 0;
        for (int i = 0; i < 600; ++i) {
            double const at = c.dice.uniform(0, 200);
            auto const resource = c.dice.below(100);
            c.time.at(at, [&, resource] {
                auto const n = 1 + c.dice.below(25);
                for (std::size_t j = 0; j < n; ++j)
                    c.call({resource, lane::interactive});
                most = std::max(most, c.subject->snapshots().size());
            });
        }
        c.run(300);
        INFO(sim::server_kinds()[k].name << ", " << net.name);
        CHECK(c.refused == 0);
        CHECK(c.answered == c.begun);
        // The bound, those in use, and one that was just let go.
        CHECK(most <= 60);
        check_nothing_left(c);
        // The next uses sweep out what is left over.
        for (int i = 0; i < 100; ++i)
            c.time.at(310 + i * 0.1, [&] { c.call({0, lane::interactive}); });
        c.run(330);
        CHECK(c.subject->snapshots().size() == 1);
    }
}

TEST_CASE("overload_fails_early_and_never_late", "[quota]") {
    constexpr int until = sim::slow ? 80 : 200;
    sim::thinning thinned;
    for (std::size_t k = 0; k < 6; ++k) {
        if (thinned()) continue;
        auto const& net = networks[k % networks.size()];
        limits options;
        options.queue_interactive = 200;
        options.queue_bulk = 100;
        city c{2, sim::server_kinds()[k], net, k + 31, options};
        // Four times the limit.
        for (int i = 0; i < 80 * until; ++i)
            c.time.at(c.dice.uniform(0, until), [&] {
                errand e;
                e.resource = c.dice.below(2);
                e.who = c.dice.chance(0.3) ? lane::bulk : lane::interactive;
                e.patience = c.dice.pick({1.0, 5.0, 15.0, 60.0, sim::infinity});
                c.call(e);
            });
        std::size_t longest = 0;
        for (double t = 0; t < until; t += 0.5)
            c.time.at(t, [&] {
                for (auto const& s : c.subject->snapshots())
                    longest = std::max(
                        longest, s.waiting_in(lane::interactive) + s.waiting_in(lane::bulk));
            });
        c.run(until + 200);
        INFO(sim::server_kinds()[k].name << ", " << net.name);
        CHECK(c.refused == 0);
        CHECK(c.overdue == 0);
        CHECK(c.answered + c.full + c.too_late == c.begun);
        CHECK(c.full > std::size_t{5} * until);
        CHECK(c.too_late > std::size_t{5} * until);
        CHECK(longest <= 300);
        CHECK(longest > 250);
        // Those who failed did not take anything from the others.
        for (auto const& p : c.places())
            CHECK(std::count_if(p.accepted.begin(), p.accepted.end(), [](double t) {
                      return t >= 20 && t < until;
                  }) >= 85 * (until - 20) / 10);
        check_nothing_left(c);
    }
}

TEST_CASE("interactive_calls_pass_bulk_work_on_every_bucket", "[quota]") {
    constexpr std::size_t resources = sim::slow ? 2 : 5;
    sim::thinning thinned;
    for (std::size_t k = 0; k < 6; ++k) {
        if (thinned()) continue;
        auto const& net = networks[k % 2];
        limits options;
        options.exclusive = true;
        city c{resources, sim::server_kinds()[k], net, k + 41, options};
        c.on_done = [&](const errand& e) {
            if (e.who == lane::bulk) c.call(e);
        };
        for (std::size_t r = 0; r < resources; ++r)
            keep_busy(c, r, 200, lane::bulk);
        for (std::size_t i = 0; i < resources * 200; ++i)
            c.time.at(c.dice.uniform(0, 200), [&] {
                c.call({c.dice.below(resources), lane::interactive});
            });
        c.run(200);
        INFO(sim::server_kinds()[k].name << ", " << net.name);
        CHECK(c.refused == 0);
        // But for the first interval, in which nobody knew of them yet.
        CHECK(c.waits[0].size() >= resources * 180);
        CHECK(sim::wait_percentile(c.waits[0], 0.99) <= 0.050);
    }
}

TEST_CASE("random_calls_through_the_limiter_are_never_refused", "[quota]") {
    constexpr std::uint64_t runs = sim::slow ? 18 : 900;
    for (std::uint64_t seed = 1; seed <= runs; ++seed) {
        sim::generator g{seed * 7919};
        auto const& kind = sim::server_kinds()[seed % sim::server_kinds().size()];
        auto const& net = networks[g.below(3)];
        int const max = g.pick({1, 3, 10, 25, 100});
        double const interval = g.pick({1.0, 5.0, 10.0});
        auto const resources = 1 + g.below(sim::slow ? 3 : 8);
        limits options;
        options.seed = seed;
        // Where a bucket's first response is lost, the next request goes by what is assumed.
        options.max = static_cast<std::uint32_t>(max);
        options.interval = std::chrono::milliseconds{std::llround(interval * 1000)};
        options.lost_grace = 2s;
        options.exclusive = g.chance(0.5);
        options.bulk_turn = g.pick({1U, 3U, 17U});
        options.queue_interactive = g.pick<std::size_t>({0, 5, 1'000});
        options.max_buckets = g.pick<std::size_t>({1, 4, 1'000});
        options.idle_eviction = g.pick({0s, 3s, 300s});
        city c{resources, kind, net, seed, options, max, interval};
        c.cancel_unsent = g.pick({0.0, 0.1});
        double const load = g.uniform(0.3, 3);
        double const until = 12 * interval;
        auto const calls =
            static_cast<int>(load * max * static_cast<double>(resources) * until / interval);
        for (int i = 0; i < calls; ++i)
            c.time.at(c.dice.uniform(0, until), [&] {
                errand e;
                e.resource = c.dice.below(resources);
                e.who = c.dice.chance(0.4) ? lane::bulk : lane::interactive;
                if (c.dice.chance(0.3)) e.patience = c.dice.exponential(1 / interval);
                if (c.dice.chance(0.2)) e.gives_up = c.dice.exponential(1 / interval);
                c.call(e);
            });
        c.run(until + 60 * interval);
        INFO(
            "seed " << seed << ": " << kind.name << ", " << net.name << ", " << max << " per "
                    << interval << " s, " << resources << " resources, load " << load);
        CHECK(c.refused == 0);
        CHECK(c.overdue == 0);
        CHECK(c.answered + c.cancelled + c.full + c.too_late == c.begun);
        check_nothing_left(c);
    }
}

namespace {

/// A ledger in a store two milliseconds away, which cannot be reached for a while.
class distant_ledger final : public highlevel::quota::ledger {
public:
    distant_ledger(sim::timeline& time, double away_from, double away_until)
        : time_(time),
          from_(away_from),
          until_(away_until),
          store_(30s, [&time] { return time.point(); }) {}

    void renew(std::string_view process, std::vector<claim> claims, handler done) override {
        if (away()) return; // no answer ever comes
        time_.after(
            0.001,
            [this, process = std::string{process}, claims = std::move(claims),
             done = std::move(done)] {
                store_.renew(process, claims, [this, done](auto ec, auto leases) {
                    time_.after(
                        0.001, [done, ec, leases = std::move(leases)] { done(ec, leases); });
                });
            });
    }
    void leave(std::string_view process) noexcept override { store_.leave(process); }
    void lose_everything() { store_.clear(); }

private:
    [[nodiscard]] bool away() const { return time_.now() >= from_ && time_.now() < until_; }

    sim::timeline& time_;
    double from_;
    double until_;
    highlevel::quota::in_process_ledger store_;
};

class leased_setting {
public:
    bool away = false;   // from 200 s to 400 s
    bool lost = false;   // and then it has forgotten everything
    bool uneven = false; // one saturates, three trickle
    std::int64_t day = 0;
    double day_ends = 0;     // then another begins
    bool end_is_told = true; // by each answer
};

class leased_outcome {
public:
    double used = 0;
    double fairness = 0;
    std::size_t refused = 0;
    std::size_t refused_by_day = 0;
    std::int64_t first_day = 0; // used of it
    std::int64_t last_day = 0;
};

/// Four limiters on one bucket.
leased_outcome lease(std::size_t kind, const sim::network_kind& net, const leased_setting& how) {
    city c{1, sim::server_kinds()[kind], net, kind + 51, limits{}};
    auto const book = std::make_shared<distant_ledger>(
        c.time, how.away ? 200 : sim::infinity, how.away ? 400 : sim::infinity);
    if (how.lost) c.time.at(399, [&] { book->lose_everything(); });
    limits options;
    options.exclusive = true;
    options.reserve = options.idle_reserve = 0;
    options.daily_reserve = 0;
    options.ledger = book;
    leased_outcome o;
    auto& place = c.places().front();
    if (how.day > 0) place.daily_limit = how.day;
    if (how.day_ends > 0) {
        if (how.end_is_told) place.daily_ends = how.day_ends;
        c.time.at(how.day_ends, [&] {
            o.first_day = std::exchange(place.daily_used, 0);
            if (how.end_is_told) place.daily_ends = 10 * how.day_ends;
        });
    }
    auto const saturates = [&](std::size_t process) { return !how.uneven || process == 1; };
    c.on_done = [&](const errand& e) {
        if (saturates(e.process)) c.call(e);
    };
    for (std::size_t p = 1; p <= 4; ++p) {
        c.add_process(options);
        errand const one{.waits_for_day = true, .process = p};
        for (int i = 0; i < (saturates(p) ? 100 : 300); ++i)
            if (saturates(p))
                c.call(one);
            else
                c.time.at(c.dice.uniform(0, 600), [&c, one] { c.call(one); });
    }
    c.run(std::max(600.0, 3 * how.day_ends));
    auto const used = std::count_if(
        place.accepted.begin(), place.accepted.end(), [](double t) { return t >= 60 && t < 600; });
    std::vector<double> each;
    for (std::size_t p = 1; p <= 4; ++p)
        each.push_back(place.by_process[p]);
    o.used = static_cast<double>(used) / 54;
    o.fairness = sim::jain(each);
    o.refused = c.refused;
    o.refused_by_day = c.refused_by_day;
    o.last_day = place.daily_used;
    return o;
}

} // namespace

TEST_CASE("limiters_with_a_ledger_share_a_bucket_also_without_it", "[quota]") {
    // Away for longer than `limits::ledger_timeout`: from then on each goes by its last share and
    // by what the newest answers leave.
    class way {
    public:
        std::string_view name;
        leased_setting how;
        std::array<double, 3> floor;
    };
    std::printf("\nfour limiters with a ledger: least %% used, refusals, least Jain\n");
    sim::thinning thinned{17};
    for (auto const& v :
         {way{"at hand", {}, {94, 91, 86}}, way{"away 200-400 s", {.away = true}, {94, 91, 86}},
          way{"away, then lost", {.away = true, .lost = true}, {92, 90, 85}},
          way{"one saturates, three trickle", {.uneven = true}, {88, 86, 82}},
          way{"that, away, then lost",
              {.away = true, .lost = true, .uneven = true},
              {86, 84, 80}}}) {
        std::printf("  %-30s", v.name.data());
        for (std::size_t n = 0; n < networks.size(); ++n) {
            double least = 100;
            double fair = 1;
            std::size_t refused = 0;
            for (std::size_t k = 0; k < 6; ++k) {
                if (thinned()) continue;
                auto const o = lease(k, networks[n], v.how);
                least = std::min(least, o.used);
                fair = std::min(fair, o.fairness);
                refused += o.refused;
            }
            std::printf("  %.1f / %zu / %.2f", least, refused, fair);
            INFO(v.name << ", " << networks[n].name);
            CHECK(refused == 0);
            CHECK(least >= v.floor[n]);
            if (!v.how.uneven) CHECK(fair >= 0.9);
        }
        std::printf("\n");
    }
}

TEST_CASE("limiters_with_a_ledger_use_up_the_day_together", "[quota]") {
    sim::thinning thinned;
    for (std::size_t k = 0; k < 6; ++k) {
        if (thinned()) continue;
        auto const o = lease(k, sim::lognormal, {.day = 3000});
        INFO(sim::server_kinds()[k].name << ": " << o.last_day << ", refused " << o.refused_by_day);
        CHECK(o.refused == 0);
        CHECK(o.last_day >= 2970);
        // What others sent in the last part of a second may not be known yet; and each tries
        // whether the day is over.
        CHECK(o.refused_by_day <= 12);
    }
}

TEST_CASE("leased_day_that_is_used_up_comes_back_with_the_next", "[quota]") {
    sim::thinning thinned;
    for (bool const told : {true, false}) {
        for (std::size_t k = 0; k < 6; ++k) {
            if (thinned()) continue;
            // Used up after 250 s; the next day begins after 400 s.
            auto const o =
                lease(k, sim::lognormal, {.day = 2500, .day_ends = 400, .end_is_told = told});
            INFO(
                sim::server_kinds()[k].name << ", told " << told << ": " << o.first_day << ", "
                                            << o.last_day << ", refused " << o.refused_by_day);
            CHECK(o.refused == 0);
            CHECK(o.first_day >= 2470);
            CHECK(o.last_day >= 2470);
            CHECK(o.refused_by_day <= (told ? 24 : 60));
        }
    }
}

} // namespace quota_scenario_tests
