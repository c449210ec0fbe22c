// SPDX-License-Identifier: BSL-1.0
//
// What the rate limiter costs: time per decision, per permit, per wait and per cancelled wait, and
// bytes per bucket. Time is made up, so that no figure contains a wait.

#include "../examples/support/command_line.hpp"

#include <highlevel/quota/limiter.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace quota = highlevel::quota;
using steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

std::size_t heap_bytes = 0; // asked of operator new and not given back; one thread
constexpr std::size_t header = alignof(std::max_align_t);

constexpr std::string_view usage = R"(What the rate limiter costs.

  limiter [--buckets N] [--waiters N] [--pairs N] [--cancels N] [--json] [--quick]

  --buckets N   buckets that are waited for (default: 10000)
  --waiters N   calls that wait, evenly over the buckets (default: 100000)
  --pairs N     permits taken and settled (default: 5000000)
  --cancels N   waits that are cancelled (default: 1000000)
  --json        one JSON object instead of text
  --quick       a hundredth of all, to see that it works
)";

struct arguments {
    std::size_t buckets = 10'000;
    std::size_t waiters = 100'000;
    std::size_t pairs = 5'000'000;
    std::size_t cancels = 1'000'000;
    bool json = false;
};

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--buckets")) {
        a.buckets = at.number<std::size_t>(1, 1'000'000);
    } else if (at.is("--waiters")) {
        a.waiters = at.number<std::size_t>(1, 10'000'000);
    } else if (at.is("--pairs")) {
        a.pairs = at.number<std::size_t>(1, 1'000'000'000);
    } else if (at.is("--cancels")) {
        a.cancels = at.number<std::size_t>(1, 1'000'000'000);
    } else if (at.is("--json")) {
        a.json = true;
    } else if (at.is("--quick")) {
        a = {100, 1'000, 50'000, 10'000, a.json};
    } else {
        return false;
    }
    return true;
}

/// A clock that stands still until it is moved, at the price of a real one.
class made_up_time final : public quota::time_source {
public:
    [[nodiscard]] steady::time_point now() const noexcept override {
        (void)steady::now();
        return at;
    }
    void start(std::function<void()> wake) override { wake_ = std::move(wake); }
    void wake_at(steady::time_point) override {}
    void cancel() noexcept override {}

    void wake() { wake_(); }

    steady::time_point at{1000s};

private:
    std::function<void()> wake_;
};

quota::rate_headers says(std::int64_t max, std::chrono::milliseconds interval) {
    quota::rate_headers h;
    h.max = max;
    h.interval_ms = interval.count();
    return h;
}

/// Nanoseconds per one of `n` since `begin`.
double each(steady::time_point begin, std::size_t n) {
    return std::chrono::duration<double, std::nano>(steady::now() - begin).count() /
        static_cast<double>(n);
}

struct results {
    double admit_ns = 0;
    double pair_ns = 0;
    double bucket_bytes = 0; // of an idle one
    double waiter_bytes = 0;
    double snapshot_ns = 0;
    double park_ns = 0;
    double wake_ns = 0;
    double timer_ns = 0;
    // Of all waiters and buckets, of a tenth and of a hundredth: what is in a cache decides.
    std::array<double, 3> again_ns{};
    std::array<double, 3> timer_again_ns{};
    double cancel_ns = 0;
};

/// A saturated bucket of 100 per 10 s: every decision, yes or no, with answers 100 ms later.
double time_admit(std::size_t decisions) {
    quota::limits options;
    options.exclusive = true;
    options.reserve = options.idle_reserve = 0;
    quota::bucket bucket{options};
    std::deque<std::pair<steady::time_point, quota::bucket::ticket>> flying;
    auto const answer = says(100, 10s);
    steady::time_point now{1000s};
    std::chrono::nanoseconds spent{0};
    for (std::size_t n = 0; n < decisions;) {
        now += 50ms;
        while (!flying.empty() && flying.front().first <= now) {
            bucket.settle(flying.front().second, now, answer, 200);
            flying.pop_front();
        }
        auto const begin = steady::now();
        for (bool granted = true; granted; ++n) {
            quota::bucket::ticket t;
            granted = bucket.admit(now, quota::lane::bulk, t).granted;
            if (granted) flying.emplace_back(now + 100ms, t);
        }
        spent += steady::now() - begin;
    }
    return static_cast<double>(spent.count()) / static_cast<double>(decisions);
}

double time_pairs(std::size_t pairs) {
    asio::io_context context;
    auto const time = std::make_shared<made_up_time>();
    quota::limits options;
    options.max = 60'000;
    options.interval = 100ms;
    options.exclusive = true;
    quota::limiter subject{context.get_executor(), options, time};
    auto const answer = says(60'000, 100ms);
    auto const begin = steady::now();
    for (std::size_t i = 0; i < pairs; ++i) {
        auto p = subject.try_acquire("location:ve9EPM428h8vShlRW1KT", quota::lane::interactive);
        if (!p) throw std::runtime_error{"no permit where one must be free"};
        p->settle(answer, 200);
        time->at += 4us;
    }
    return each(begin, pairs);
}

std::string name_of(std::size_t bucket) {
    return "location:" + std::to_string(bucket);
}

class waiting {
public:
    explicit waiting(std::size_t buckets, std::uint32_t max = 1'000)
        : time(std::make_shared<made_up_time>()) {
        quota::limits options;
        options.max = max;
        options.exclusive = true;
        options.reserve = options.idle_reserve = 0;
        options.max_buckets = buckets;
        options.queue_bulk = 10'000'000;
        options.idle_eviction = std::chrono::hours{24};
        subject.emplace(context.get_executor(), options, time);
    }

    static asio::awaitable<void> wait(quota::limiter& of, const std::string& name, waiting& w) {
        auto got = co_await of.acquire(name, {.lane = quota::lane::bulk});
        if (got) got.permit().unsent();
        ++w.ended;
    }
    /// Waits again and again in its own frame, as calls do, and uses what it gets.
    static asio::awaitable<void> wait_often(
        quota::limiter& of, const std::string& name, std::int64_t max, int rounds, waiting& w) {
        for (; rounds > 0; --rounds) {
            quota::limiter::acquisition asked{of, name, {.lane = quota::lane::bulk}};
            if (!asked.ready()) {
                co_await asked.wait();
                asked.woken(co_await asio::this_coro::cancellation_state);
            }
            auto got = asked.result();
            if (!got) throw std::runtime_error{"no permit where there must be one in time"};
            got.permit().settle(says(max, 10s), 200);
            ++w.ended;
        }
    }
    void poll() {
        context.restart();
        context.poll();
    }

    asio::io_context context;
    std::shared_ptr<made_up_time> time;
    std::optional<quota::limiter> subject;
    std::size_t ended = 0;
};

double bytes_each(std::size_t before, std::size_t n) {
    return static_cast<double>(heap_bytes - before) / static_cast<double>(n);
}

/// Buckets that were used once and are remembered: with their names, and what the limiter keeps to
/// find and wake them.
void measure_idle(std::size_t buckets, results& r) {
    waiting w{buckets};
    auto const before = heap_bytes;
    for (std::size_t i = 0; i < buckets; ++i)
        w.subject->try_acquire(name_of(i), quota::lane::bulk)->settle(says(1'000, 10s), 200);
    r.bucket_bytes = bytes_each(before, buckets);
    auto const begin = steady::now();
    if (w.subject->snapshots().size() != buckets) throw std::runtime_error{"a bucket is missing"};
    r.snapshot_ns = each(begin, buckets);
}

void measure_waits(const arguments& args, results& r) {
    waiting w{args.buckets};
    std::vector<std::string> names;
    std::vector<quota::permit> held;
    names.reserve(args.buckets);
    held.reserve(args.buckets);
    for (std::size_t i = 0; i < args.buckets; ++i)
        names.push_back(name_of(i));
    // The first request of an unknown bucket is out: all others wait for its answer.
    for (auto const& name : names)
        held.push_back(*w.subject->try_acquire(name, quota::lane::bulk));

    auto const before = heap_bytes;
    auto begin = steady::now();
    for (std::size_t i = 0; i < args.waiters; ++i)
        asio::co_spawn(
            w.context, waiting::wait(*w.subject, names[i % names.size()], w), asio::detached);
    w.poll();
    r.park_ns = each(begin, args.waiters);
    // Its part of the coroutine's frame, and of the heap of alarms.
    r.waiter_bytes =
        static_cast<double>(sizeof(quota::detail::waiter)) + bytes_each(before, args.waiters);

    begin = steady::now();
    for (auto& p : held)
        p.settle(says(1'000, 10s), 200);
    while (w.ended < args.waiters) {
        w.poll();
        w.time->at += 1s;
        w.time->wake();
    }
    r.wake_ns = each(begin, args.waiters);
}

constexpr int rounds_again = 8;

/// Coroutines that are there, and wait once more each time that their bucket has let all of them
/// go: each round every call comes to wait and is woken with a permit.
double time_waits_again(std::size_t buckets, std::size_t waiters) {
    auto const per_bucket = static_cast<std::uint32_t>((waiters - 1) / buckets + 1);
    waiting w{buckets, per_bucket};
    std::vector<std::string> names;
    names.reserve(buckets);
    for (std::size_t i = 0; i < buckets; ++i)
        names.push_back(name_of(i));
    for (std::size_t i = 0; i < waiters; ++i)
        asio::co_spawn(
            w.context,
            waiting::wait_often(
                *w.subject, names[i % names.size()], per_bucket, 1 + rounds_again, w),
            asio::detached);
    steady::time_point begin;
    for (int round = 0; round <= rounds_again; ++round) {
        // The first is their birth.
        if (round == 1) begin = steady::now();
        while (w.ended < static_cast<std::size_t>(round + 1) * waiters) {
            w.poll();
            w.time->at += 5s;
            w.time->wake();
        }
    }
    return each(begin, waiters * rounds_again);
}

asio::awaitable<void> sleep(asio::steady_timer& timer, int rounds, std::size_t& ended) {
    for (; rounds > 0; --rounds) {
        boost::system::error_code ec;
        co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ec));
        ++ended;
    }
}

/// The peers of measure_waits() and time_waits_again(), as the two figures: as many coroutines that
/// sleep and are woken, with nothing to decide and a timer for each. They are woken in the order
/// that buckets give, in which they do not lie in memory.
std::pair<double, double> time_timers(std::size_t buckets, std::size_t waiters) {
    asio::io_context context;
    std::deque<asio::steady_timer> timers;
    std::size_t ended = 0;
    auto begin = steady::now();
    for (std::size_t i = 0; i < waiters; ++i)
        asio::co_spawn(
            context,
            sleep(timers.emplace_back(context, steady::time_point::max()), 1 + rounds_again, ended),
            asio::detached);
    context.poll();
    double born = 0;
    for (int round = 0; round <= rounds_again; ++round) {
        for (std::size_t first = 0; first < std::min(buckets, waiters); ++first)
            for (auto i = first; i < waiters; i += buckets)
                timers[i].cancel();
        context.restart();
        context.poll();
        if (round > 0) continue;
        born = each(begin, waiters);
        begin = steady::now();
    }
    auto const again = each(begin, waiters * rounds_again);
    if (ended != waiters * (1 + rounds_again))
        throw std::runtime_error{"a timer did not wake its coroutine"};
    return {born, again};
}

double time_cancels(std::size_t cancels) {
    waiting w{1};
    auto const held = w.subject->try_acquire("r", quota::lane::bulk);
    std::string const name{"r"};
    constexpr std::size_t at_once = 1'000;
    std::chrono::nanoseconds spent{0};
    std::size_t done = 0;
    while (done < cancels) {
        std::deque<asio::cancellation_signal> signals(at_once);
        for (auto& s : signals)
            asio::co_spawn(
                w.context, waiting::wait(*w.subject, name, w),
                asio::bind_cancellation_slot(s.slot(), asio::detached));
        w.poll();
        auto const begin = steady::now();
        for (auto& s : signals)
            s.emit(asio::cancellation_type::terminal);
        w.poll();
        spent += steady::now() - begin;
        done += at_once;
    }
    auto const s = w.subject->snapshot("r");
    if (w.ended != done || s.cancelled != done || s.waiting_in(quota::lane::bulk) != 0)
        throw std::runtime_error{"a cancelled wait was left behind"};
    return static_cast<double>(spent.count()) / static_cast<double>(done);
}

int run(const arguments& args) {
    results r;
    r.admit_ns = time_admit(args.pairs);
    r.pair_ns = time_pairs(args.pairs);
    measure_idle(args.buckets, r);
    measure_waits(args, r);
    for (std::size_t i = 0, part = 1; i < r.again_ns.size(); ++i, part *= 10) {
        auto const buckets = std::max<std::size_t>(1, args.buckets / part);
        auto const waiters = std::max<std::size_t>(1, args.waiters / part);
        r.again_ns[i] = time_waits_again(buckets, waiters);
        auto const [born, again] = time_timers(buckets, waiters);
        r.timer_again_ns[i] = again;
        if (i == 0) r.timer_ns = born;
    }
    r.cancel_ns = time_cancels(args.cancels);
    std::printf(
        args.json ? "{\"admit_ns\":%.1f,\"pair_ns\":%.1f,\"bucket_bytes\":%.0f,"
                    "\"waiter_bytes\":%.0f,\"snapshot_ns\":%.1f,\"park_ns\":%.1f,\"wake_ns\":%.1f,"
                    "\"timer_ns\":%.1f,\"again_ns\":[%.1f,%.1f,%.1f],"
                    "\"timer_again_ns\":[%.1f,%.1f,%.1f],"
                    "\"cancel_ns\":%.1f,\"buckets\":%zu,\"waiters\":%zu}\n"
                  : "decision of a saturated bucket       %8.1f ns\n"
                    "permit taken and settled             %8.1f ns\n"
                    "idle bucket, all included            %8.0f bytes\n"
                    "waiting call                         %8.0f bytes\n"
                    "snapshot of a bucket                 %8.1f ns\n"
                    "call that comes to wait              %8.1f ns\n"
                    "wait that ends with a permit         %8.1f ns\n"
                    "coroutine that a timer puts to sleep and wakes, for comparison\n"
                    "                                     %8.1f ns\n"
                    "the same coroutines once more; of all, of a tenth, of a hundredth:\n"
                    "they come to wait and get a permit   %8.1f, %.1f, %.1f ns\n"
                    "a timer puts them to sleep, and wakes them\n"
                    "                                     %8.1f, %.1f, %.1f ns\n"
                    "wait that is cancelled               %8.1f ns\n"
                    "(%zu buckets, %zu waiters)\n",
        r.admit_ns, r.pair_ns, r.bucket_bytes, r.waiter_bytes, r.snapshot_ns, r.park_ns, r.wake_ns,
        r.timer_ns, r.again_ns[0], r.again_ns[1], r.again_ns[2], r.timer_again_ns[0],
        r.timer_again_ns[1], r.timer_again_ns[2], r.cancel_ns, args.buckets, args.waiters);
    return 0;
}

} // namespace

// Counts what is allocated.
void* operator new(std::size_t size) {
    auto* const block = static_cast<char*>(std::malloc(size + header));
    if (block == nullptr) throw std::bad_alloc{};
    *reinterpret_cast<std::size_t*>(block) = size;
    heap_bytes += size;
    return block + header;
}
void operator delete(void* p) noexcept {
    if (p == nullptr) return;
    auto* const block = static_cast<char*>(p) - header;
    heap_bytes -= *reinterpret_cast<std::size_t*>(block);
    std::free(block);
}
void operator delete(void* p, std::size_t) noexcept {
    operator delete(p);
}

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("limiter", usage, argc, argv, take, run);
}
