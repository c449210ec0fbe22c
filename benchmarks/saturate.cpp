// SPDX-License-Identifier: BSL-1.0
//
// Keeps the rate limit of many resources saturated and says how much of it was used and how many
// requests were refused. Works against any server that sends the limit headers; also a load tool.

#include "../examples/support/command_line.hpp"
#include "support/measure.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace sandbox = highlevel::sandbox;
using command_line::usage_error;
using steady = std::chrono::steady_clock;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view usage = R"(Keeps the rate limit of many resources saturated.

  saturate [--base-url URL] [options]

  --base-url URL     a server that sends the X-RateLimit-* headers; without it a sandbox is started
  --ca FILE          PEM file with the authority of the server's certificate
  --resources N      buckets to saturate (default: 20)
  --seconds S        how long (default: 10)
  --threads T        threads of the client (default: 1)
  --token TEXT       bearer token; {} stands for the resource's number (default: pit-saturate-{})
  --path PATH        what to get; {} as above (default: /contacts/saturate-{})
  --max N            limit that is assumed until the server speaks (default: 100)
  --interval-ms N    interval that is assumed until the server speaks (default: 10000)
  --in-flight N      calls kept waiting per resource (default: the assumed limit, at most 100)
  --lane-mix         every tenth call is interactive, the others are bulk
  --not-exclusive    leave a margin for other users of the buckets
  --simple           the plain strategy: a permit returns one interval after its response
  --any-status       answers with 4xx and 5xx are fine, too: they use the quota as well
  --trace FILE       what the first resource's responses said, as CSV for plot_trace.py
  --json             one JSON object instead of text
  --quick            a second against a small sandbox, to see that it works

Ends with 1 when calls failed, or, without --any-status, were answered with 4xx (but 429) or 5xx.

Options of the sandbox:

  --limiter KIND     fixed, first, log, counter, bucket or gcra (default: fixed)
  --latency-ms N[-M] added latency (default: 0)
  --http             plain HTTP instead of TLS
)";

struct arguments {
    std::string base_url;
    std::string ca;
    std::size_t resources = 20;
    double seconds = 10;
    std::size_t threads = 1;
    std::string token = "pit-saturate-{}";
    std::string path = "/contacts/saturate-{}";
    std::uint32_t max = 100;
    std::chrono::milliseconds interval{10'000};
    std::size_t in_flight = 0;
    bool lane_mix = false;
    bool exclusive = true;
    bool simple = false;
    bool any_status = false;
    std::string trace;
    bool json = false;
    bool http = false;
    sandbox::limiter_kind limiter = sandbox::limiter_kind::fixed;
    std::chrono::milliseconds latency_min{0};
    std::chrono::milliseconds latency_max{0};
};

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--base-url")) {
        a.base_url = at.value();
    } else if (at.is("--ca")) {
        a.ca = at.value();
    } else if (at.is("--resources")) {
        a.resources = at.number<std::size_t>(1, 1'000'000);
    } else if (at.is("--seconds")) {
        a.seconds = static_cast<double>(at.number<std::uint32_t>(1, 86'400));
    } else if (at.is("--threads")) {
        a.threads = at.number<std::size_t>(1, 256);
    } else if (at.is("--token")) {
        a.token = at.value();
    } else if (at.is("--path")) {
        a.path = at.value();
    } else if (at.is("--max")) {
        a.max = at.number<std::uint32_t>(1, 60'000);
    } else if (at.is("--interval-ms")) {
        a.interval = std::chrono::milliseconds{at.number<std::int64_t>(100, 86'400'000)};
    } else if (at.is("--in-flight")) {
        a.in_flight = at.number<std::size_t>(1, 10'000);
    } else if (at.is("--lane-mix")) {
        a.lane_mix = true;
    } else if (at.is("--not-exclusive")) {
        a.exclusive = false;
    } else if (at.is("--simple")) {
        a.simple = true;
    } else if (at.is("--any-status")) {
        a.any_status = true;
    } else if (at.is("--trace")) {
        a.trace = at.value();
    } else if (at.is("--json")) {
        a.json = true;
    } else if (at.is("--http")) {
        a.http = true;
    } else if (at.is("--limiter")) {
        auto const kind = sandbox::limiter_kind_from(at.value());
        if (!kind) throw usage_error{"--limiter: give fixed, first, log, counter, bucket or gcra"};
        a.limiter = *kind;
    } else if (at.is("--latency-ms")) {
        auto const text = at.value();
        auto const dash = std::min(text.find('-'), text.size());
        auto const least = at.parse_number<std::int64_t>(text.substr(0, dash), 0, 60'000);
        a.latency_min = a.latency_max = std::chrono::milliseconds{least};
        if (dash != text.size())
            a.latency_max = std::chrono::milliseconds{
                at.parse_number<std::int64_t>(text.substr(dash + 1), least, 60'000)};
    } else if (at.is("--quick")) {
        a.seconds = 1;
        a.resources = 3;
        a.max = 20;
        a.interval = 200ms;
    } else {
        return false;
    }
    return true;
}

std::string numbered(std::string text, std::size_t number) {
    if (auto const at = text.find("{}"); at != std::string::npos)
        text.replace(at, 2, std::to_string(number));
    return text;
}

/// Durations in buckets that grow by a tenth: percentiles to about 5 %, in constant space.
///
/// Thread safety: shared objects: safe.
class histogram {
public:
    void add(std::chrono::nanoseconds d) noexcept {
        auto const us = std::max(1.0, std::chrono::duration<double, std::micro>(d).count());
        auto const at = static_cast<std::size_t>(std::log(us) / std::log(step));
        counts_[std::min(at, counts_.size() - 1)].fetch_add(1, std::memory_order_relaxed);
    }

    /// The duration in milliseconds that this share of all stayed below.
    [[nodiscard]] double percentile(double share) const noexcept {
        std::uint64_t all = 0;
        for (auto const& c : counts_)
            all += c.load(std::memory_order_relaxed);
        auto left = static_cast<double>(all) * share;
        for (std::size_t i = 0; i < counts_.size(); ++i) {
            left -= static_cast<double>(counts_[i].load(std::memory_order_relaxed));
            if (left <= 0 && all != 0) return std::pow(step, static_cast<double>(i) + 0.5) / 1000.0;
        }
        return 0;
    }

private:
    static constexpr double step = 1.1;
    std::array<std::atomic<std::uint64_t>, 256> counts_{};
};

/// One resource: its requests that passed after the first interval.
class resource {
public:
    resource(const std::string& id, highlevel::account a, std::string t)
        : name("location:" + id),
          account(std::move(a)),
          target(std::move(t)) {}

    std::string name; // as the observer hears it
    highlevel::account account;
    std::string target;
    std::atomic<std::uint64_t> passed{0};
};

/// One resource's responses as they came: when, and what the server said was left. A refused one
/// left nothing.
///
/// Thread safety: shared objects: safe.
class trace {
public:
    void begin(std::string resource, steady::time_point at) {
        resource_ = std::move(resource);
        begin_ = at;
    }
    [[nodiscard]] bool follows(std::string_view resource) const noexcept {
        return !resource_.empty() && resource == resource_;
    }
    void add(unsigned status, std::int64_t remaining) {
        auto const at = std::chrono::duration<double>(steady::now() - begin_).count();
        std::lock_guard const lock{mutex_};
        points_.push_back({at, status, remaining});
    }
    void write(const std::string& file, const arguments& args) const {
        std::ofstream out{file};
        out << "# " << args.max << " per " << args.interval.count() << " ms\n"
            << "seconds,status,remaining\n";
        for (auto const& p : points_)
            out << p.seconds << ',' << p.status << ',' << p.remaining << '\n';
        if (!out.flush()) throw std::runtime_error{"cannot write " + file};
    }

private:
    class point {
    public:
        double seconds;
        unsigned status;
        std::int64_t remaining;
    };
    std::string resource_;
    steady::time_point begin_;
    std::mutex mutex_;
    std::vector<point> points_;
};

class tally final : public highlevel::observer {
public:
    void on_attempt(
        const highlevel::call_info& call, const highlevel::attempt_event& event) noexcept override {
        sent.fetch_add(1, std::memory_order_relaxed);
        if (event.status == 429 && first.follows(call.resource)) first.add(429, 0);
        if (event.status == 429)
            refused.fetch_add(1, std::memory_order_relaxed);
        else if (event.status != 0)
            by_class[std::min<std::size_t>(event.status / 100, by_class.size() - 1)].fetch_add(
                1, std::memory_order_relaxed);
        else
            lost.fetch_add(1, std::memory_order_relaxed);
        latency.add(event.took);
        in_limiter.add(event.waited);
    }

    /// Answers of 1xx to 5xx, the 429s apart.
    [[nodiscard]] std::uint64_t of_class(std::size_t hundreds) const noexcept {
        return by_class[hundreds].load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t passed() const noexcept {
        return of_class(0) + of_class(1) + of_class(2) + of_class(3);
    }
    [[nodiscard]] std::uint64_t errors() const noexcept { return of_class(4) + of_class(5); }

    std::atomic<std::uint64_t> sent{0};
    std::array<std::atomic<std::uint64_t>, 6> by_class{};
    std::atomic<std::uint64_t> refused{0};
    std::atomic<std::uint64_t> lost{0};
    std::atomic<std::uint64_t> failed{0};
    histogram latency;
    histogram in_limiter; // what an attempt waited for its permit
    std::array<histogram, 2> wait;
    trace first;
};

class run_state {
public:
    steady::time_point begin;
    steady::time_point counted_from;
    steady::time_point end;
};

/// Calls one resource again and again until the time is over. An answer counts whatever its status:
/// it used the quota.
asio::awaitable<void> worker(
    resource& r, highlevel::quota::lane lane, const run_state& run, tally& counts) {
    highlevel::http::request const request{highlevel::method::get, r.target};
    highlevel::call_options options;
    options.lane = lane;
    while (steady::now() < run.end) {
        auto const left =
            std::chrono::duration_cast<std::chrono::milliseconds>(run.end - steady::now());
        options.timeout = std::max(left, 1ms);
        auto const started = steady::now();
        auto const got = co_await r.account.try_send(request, options);
        auto const now = steady::now();
        bool const answered = got || got.error().status() != 0;
        if (answered) {
            counts.wait[static_cast<std::size_t>(lane)].add(now - started);
            if (got && got->quota().remaining && counts.first.follows(r.name))
                counts.first.add(got->status(), *got->quota().remaining);
            if (now >= run.counted_from && now < run.end)
                r.passed.fetch_add(1, std::memory_order_relaxed);
        } else {
            auto const why = got.error().cause();
            // The call's bound is the end of the run; no other bound is set.
            if (why == highlevel::cause::burst_limit || why == highlevel::cause::timeout) co_return;
            counts.failed.fetch_add(1, std::memory_order_relaxed);
        }
    }
}

int run(arguments args) {
    if (args.in_flight == 0) args.in_flight = std::min<std::size_t>(args.max, 100);
    highlevel::client_options options;
    highlevel::auth::private_integration tokens;
    options.limits.max = args.max;
    options.limits.interval = args.interval;
    options.limits.exclusive = args.exclusive;
    options.limits.queue_bulk = 100'000;
    options.limits.queue_interactive = 100'000;
    options.limits.max_buckets = std::max<std::size_t>(args.resources, 10'000);
    options.limits.reserve = args.lane_mix ? options.limits.reserve : 0;
    options.limits.idle_reserve = 0;
    if (args.simple) options.limits.strategy = highlevel::quota::strategy::simple;
    options.retry.max_rate_limited = 1'000'000;
    options.tls.ca_file = args.ca;

    std::unique_ptr<sandbox::server> house;
    std::vector<std::pair<std::string, std::string>> places;
    if (args.base_url.empty()) {
        sandbox::options how;
        how.tls = !args.http;
        how.locations = args.resources;
        how.contacts_per_location = 1;
        how.limiter = args.limiter;
        how.max = args.max;
        how.interval = args.interval;
        how.daily_limit = 1'000'000'000;
        how.latency_min = args.latency_min;
        how.latency_max = args.latency_max;
        house = std::make_unique<sandbox::server>(how);
        house->start();
        options.base_url = house->base_url();
        options.tls.ca_pem = house->ca_certificate_pem();
        for (auto const& place : house->locations()) {
            tokens.location(place.id, highlevel::auth::secret{std::string_view{place.token}});
            places.emplace_back(place.id, "/contacts/" + house->contact_ids(place.id).at(0));
        }
    } else {
        options.base_url = args.base_url;
        for (std::size_t i = 0; i < args.resources; ++i) {
            auto const id = "saturate-" + std::to_string(i);
            tokens.location(id, highlevel::auth::secret{numbered(args.token, i)});
            places.emplace_back(id, numbered(args.path, i));
        }
    }
    options.credentials = tokens;
    auto const counts = std::make_shared<tally>();
    options.observer = counts;

    asio::io_context context{static_cast<int>(args.threads)};
    highlevel::client client{context.get_executor(), options};
    std::deque<resource> resources;
    for (auto const& [id, path] : places)
        resources.emplace_back(id, client.location(id), path);

    // What is counted begins after one interval: the first one opens with a full bucket, which a
    // short run would take for more than the limit.
    run_state times;
    times.begin = steady::now();
    times.end = times.begin +
        std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(args.seconds));
    times.counted_from =
        std::min(times.begin + 2 * args.interval, times.begin + (times.end - times.begin) / 2);
    if (!args.trace.empty()) counts->first.begin(resources.front().name, times.begin);
    auto const processor_before = measure::cpu_seconds();
    for (auto& r : resources)
        for (std::size_t i = 0; i < args.in_flight; ++i) {
            auto const lane = args.lane_mix && i % 10 == 0 ? highlevel::quota::lane::interactive
                                                           : highlevel::quota::lane::bulk;
            asio::co_spawn(context, worker(r, lane, times, *counts), asio::detached);
        }
    std::vector<std::thread> threads;
    for (std::size_t i = 1; i < args.threads; ++i)
        threads.emplace_back([&] { context.run(); });
    context.run();
    for (auto& t : threads)
        t.join();

    auto const elapsed = std::chrono::duration<double>(steady::now() - times.begin).count();
    if (!args.trace.empty()) counts->first.write(args.trace, args);
    auto const counted = std::chrono::duration<double>(times.end - times.counted_from).count();
    std::vector<double> used;
    for (auto const& r : resources) {
        auto const quota = r.account.quota();
        auto const interval = std::chrono::duration<double>(quota.interval).count();
        used.push_back(
            static_cast<double>(r.passed) /
            (static_cast<double>(quota.limit) * counted / interval));
    }
    std::sort(used.begin(), used.end());
    auto const processor = measure::cpu_seconds() - processor_before;
    auto const ms = [](const histogram& h, double p) { return h.percentile(p); };
    auto const& bulk = counts->wait[1];
    auto const& interactive = counts->wait[0];
    std::printf(
        args.json
            ? "{\"sent\":%llu,\"ok\":%llu,\"client_errors\":%llu,\"server_errors\":%llu,"
              "\"refused\":%llu,\"lost\":%llu,\"failed\":%llu,"
              "\"seconds\":%.3f,\"utilisation_min\":%.4f,\"utilisation_median\":%.4f,"
              "\"latency_ms\":{\"p50\":%.2f,\"p99\":%.2f},"
              "\"limiter_ms\":{\"p50\":%.2f,\"p90\":%.2f,\"p99\":%.2f},"
              "\"bulk_ms\":{\"p50\":%.2f,\"p99\":%.2f},"
              "\"interactive_ms\":{\"p50\":%.2f,\"p99\":%.2f},"
              "\"cpu_seconds\":%.3f,\"rss_kb\":%ld,\"sandbox_in_process\":%s}\n"
            : "sent %llu, ok %llu, 4xx %llu, 5xx %llu, 429s %llu, lost %llu, failed %llu in %.1f "
              "s\n"
              "quota used per resource: min %.4f, median %.4f (of 1)\n"
              "latency p50 %.2f ms, p99 %.2f ms\n"
              "wait for a permit p50 %.2f ms, p90 %.2f ms, p99 %.2f ms\n"
              "bulk call p50 %.2f ms, p99 %.2f ms; interactive call p50 %.2f ms, p99 %.2f ms\n"
              "cpu %.2f s, peak RSS %ld KB%s\n",
        static_cast<unsigned long long>(counts->sent),
        static_cast<unsigned long long>(counts->passed()),
        static_cast<unsigned long long>(counts->of_class(4)),
        static_cast<unsigned long long>(counts->of_class(5)),
        static_cast<unsigned long long>(counts->refused),
        static_cast<unsigned long long>(counts->lost),
        static_cast<unsigned long long>(counts->failed), elapsed, used.front(),
        used[used.size() / 2], ms(counts->latency, 0.5), ms(counts->latency, 0.99),
        ms(counts->in_limiter, 0.5), ms(counts->in_limiter, 0.9), ms(counts->in_limiter, 0.99),
        ms(bulk, 0.5), ms(bulk, 0.99), ms(interactive, 0.5), ms(interactive, 0.99), processor,
        static_cast<long>(measure::peak_kb()),
        args.json ? (house ? "true" : "false") : (house ? " (sandbox included)" : ""));
    bool const good = counts->failed == 0 && (args.any_status || counts->errors() == 0);
    if (counts->errors() > 0 && !args.any_status)
        std::fprintf(
            stderr, "saturate: %llu answers were errors (--any-status takes them for good)\n",
            static_cast<unsigned long long>(counts->errors()));
    return good ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("saturate", usage, argc, argv, take, run);
}
