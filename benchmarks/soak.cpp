// SPDX-License-Identifier: BSL-1.0
//
// Keeps a client busy against a sandbox that resets, fails, stalls and lets tokens expire, and then
// balances the books: every call ended, every permit and connection came back, no POST was
// processed twice, memory stayed flat. Exits with 1 when the balance does not hold.

#include "../examples/support/command_line.hpp"
#include "support/measure.hpp"
#include "support/server_process.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/http/http1_transport.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <exception>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
namespace http = highlevel::http;
namespace sandbox = highlevel::sandbox;
using namespace std::chrono_literals;
using steady = std::chrono::steady_clock;

namespace {

constexpr std::string_view usage = R"(Soaks a client in faults and balances the books.

  soak [options]

  --seconds S          how long (default: 60)
  --locations N        accounts that are called (default: 1000)
  --workers N          calls at once on each of them (default: 2)
  --threads T          threads of the client (default: 2)
  --reset-rate R       share of requests whose connection is reset (default: 0.05)
  --5xx-rate R         share of requests answered with 5xx (default: 0.02)
  --stall-rate R       share of requests never answered (default: 0.01)
  --token-seconds S    tokens expire so long after their first use (default: a sixth of the time)
  --max N              rate limit of each location (default: 10)
  --interval-ms N      its interval (default: 5000)
  --seed N             of the faults (default: 1)
  --http               plain HTTP instead of TLS
  --quick              two seconds with 20 locations, to see that it works
)";

struct arguments {
    arguments() {
        faults.reset_rate = 0.05;
        faults.server_error_rate = 0.02;
        faults.stall_rate = 0.01;
    }

    double seconds = 60;
    std::size_t locations = 1000;
    std::size_t workers = 2;
    std::size_t threads = 2;
    double token_seconds = 0;
    sandbox::fault_options faults;
    std::uint32_t max = 10;
    std::chrono::milliseconds interval{5000};
    std::uint64_t seed = 1;
    bool http = false;
};

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--seconds"))
        a.seconds = at.number<double>(0.5, 1e7);
    else if (at.is("--locations"))
        a.locations = at.number<std::size_t>(1, 10'000);
    else if (at.is("--workers"))
        a.workers = at.number<std::size_t>(1, 1000);
    else if (at.is("--threads"))
        a.threads = at.number<std::size_t>(1, 256);
    else if (at.is("--reset-rate"))
        a.faults.reset_rate = at.number<double>(0, 1);
    else if (at.is("--5xx-rate"))
        a.faults.server_error_rate = at.number<double>(0, 1);
    else if (at.is("--stall-rate"))
        a.faults.stall_rate = at.number<double>(0, 1);
    else if (at.is("--token-seconds"))
        a.token_seconds = at.number<double>(0.1, 1e7);
    else if (at.is("--max"))
        a.max = at.number<std::uint32_t>(1, 60'000);
    else if (at.is("--interval-ms"))
        a.interval = std::chrono::milliseconds{at.number<std::int64_t>(100, 86'400'000)};
    else if (at.is("--seed"))
        a.seed = at.number<std::uint64_t>(0, UINT64_MAX);
    else if (at.is("--http"))
        a.http = true;
    else if (at.is("--quick")) {
        a.seconds = 2;
        a.locations = 20;
        a.max = 50;
        a.interval = 500ms;
    } else
        return false;
    return true;
}

std::string location_id(std::size_t number) {
    return "soak-" + std::to_string(number);
}

std::string token_text(std::size_t location, std::size_t generation) {
    return "pit-soak-" + std::to_string(location) + '-' + std::to_string(generation);
}

// ---- the server, in a process of its own, so that its memory and ours are not one ---------------

/// What the server counted.
class server_report {
public:
    server_report() = default;

    sandbox::counters totals;
    std::map<std::string, std::uint64_t> processed; // POSTs by id
};

/// Serves until `stop` ends; then reports.
void serve(const arguments& args, std::istream& stop, std::ostream& out) {
    sandbox::options how;
    how.tls = !args.http;
    how.locations = 0;
    how.max = args.max;
    how.interval = args.interval;
    how.daily_limit = 1'000'000'000;
    how.seed = args.seed;
    how.faults = args.faults;
    how.post_id_member = "source";
    sandbox::server server{how};
    // A token lives for half of its longest time at least.
    auto const generations =
        static_cast<std::size_t>(2 * (args.seconds + 60) / args.token_seconds) + 2;
    std::vector<std::string> first_contacts;
    for (std::size_t i = 0; i < args.locations; ++i) {
        auto const made = server.add_location(location_id(i), std::size_t{25});
        for (std::size_t g = 0; g < generations; ++g)
            server.add_token(token_text(i, g), {made.id});
        first_contacts.push_back(server.contact_ids(made.id).at(0));
    }
    server.start();
    auto const& authority = server.ca_certificate_pem();
    out << server.base_url() << '\n' << authority.size() << '\n' << authority;
    for (auto const& id : first_contacts)
        out << id << '\n';
    out.flush();

    measure::server_process::wait_for_the_end(stop);
    server.stop();
    auto const counted = server.stats();
    auto const& t = counted.totals;
    out << t.connections << ' ' << t.requests << ' ' << t.accepted << ' ' << t.refused << ' '
        << t.resets << ' ' << t.server_errors << ' ' << t.stalls << ' ' << t.expired << '\n';
    for (auto const& [id, times] : counted.processed)
        out << id << ' ' << times << '\n';
    out.flush();
}

/// The server's process as its parent sees it.
class house {
public:
    explicit house(const arguments& args)
        : process_([&](std::istream& stop, std::ostream& out) { serve(args, stop, out); }) {
        auto& told = process_.told();
        std::size_t size = 0;
        std::getline(told, base_url);
        told >> size;
        told.ignore();
        authority.resize(size);
        told.read(authority.data(), static_cast<std::streamsize>(size));
        first_contacts.resize(args.locations);
        for (auto& id : first_contacts)
            told >> id;
        if (!told) throw std::runtime_error{"the server did not start"};
    }

    /// Stops the server and takes its report.
    server_report finish() {
        process_.stop();
        auto& told = process_.told();
        server_report r;
        auto& t = r.totals;
        told >> t.connections >> t.requests >> t.accepted >> t.refused >> t.resets >>
            t.server_errors >> t.stalls >> t.expired;
        if (!told) throw std::runtime_error{"the server ended without a report"};
        std::string id;
        std::uint64_t times = 0;
        while (told >> id >> times)
            r.processed.emplace(id, times);
        return r;
    }

    std::string base_url;
    std::string authority;
    std::vector<std::string> first_contacts;

private:
    measure::server_process process_;
};

// ---- the client ---------------------------------------------------------------------------------

/// Gives each location its newest token, and the next one when that has expired.
///
/// Thread safety: shared objects: safe.
class rotating_tokens final : public highlevel::auth::provider {
public:
    explicit rotating_tokens(std::size_t locations) {
        for (std::size_t i = 0; i < locations; ++i)
            newest_.emplace(location_id(i), holder{i});
    }

    asio::awaitable<highlevel::auth::grant> authorize(
        highlevel::auth::token_request request) override {
        auto& mine = newest_.find(request.id)->second;
        std::lock_guard const lock{mine.mutex};
        co_return highlevel::auth::grant{mine.token, highlevel::token_kinds::location_private};
    }

    asio::awaitable<bool> renew(
        highlevel::auth::token_request request,
        std::shared_ptr<const highlevel::auth::secret> refused) override {
        auto& mine = newest_.find(request.id)->second;
        std::lock_guard const lock{mine.mutex};
        if (mine.token == refused) {
            mine.next();
            renewals.fetch_add(1, std::memory_order_relaxed);
        }
        co_return true;
    }

    // They never wait.
    [[nodiscard]] bool keeps_deadlines() const noexcept override { return true; }

    std::atomic<std::uint64_t> renewals{0};

private:
    class holder {
    public:
        explicit holder(std::size_t n) : number(n) { next(); }
        holder(holder&& other) noexcept
            : number(other.number),
              generation(other.generation),
              token(std::move(other.token)) {}

        void next() {
            token =
                std::make_shared<const highlevel::auth::secret>(token_text(number, generation++));
        }

        std::mutex mutex;
        std::size_t number;
        std::size_t generation = 0;
        std::shared_ptr<const highlevel::auth::secret> token;
    };

    std::map<std::string, holder, std::less<>> newest_;
};

class tally final : public highlevel::observer {
public:
    void on_attempt(
        const highlevel::call_info& /*call*/,
        const highlevel::attempt_event& event) noexcept override {
        attempts.fetch_add(1, std::memory_order_relaxed);
        if (event.retried) retried.fetch_add(1, std::memory_order_relaxed);
        if (event.status == 429) limited.fetch_add(1, std::memory_order_relaxed);
    }

    std::atomic<std::uint64_t> started{0};
    std::atomic<std::uint64_t> succeeded{0};
    std::atomic<std::uint64_t> failed{0};
    std::atomic<std::uint64_t> attempts{0};
    std::atomic<std::uint64_t> retried{0};
    std::atomic<std::uint64_t> limited{0};

    /// A call failed.
    void count(const highlevel::failure& f) {
        failed.fetch_add(1, std::memory_order_relaxed);
        std::lock_guard const lock{mutex_};
        ++causes_[f.status() != 0 ? std::to_string(f.status()) : f.code().message()];
    }
    [[nodiscard]] std::map<std::string, std::uint64_t> causes() const {
        std::lock_guard const lock{mutex_};
        return causes_;
    }

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::uint64_t> causes_;
};

/// How a POST ended, as its caller knows it.
enum class post_end : std::uint8_t { open, succeeded, maybe, surely_not };

/// One location's worker: its calls one after the other, and the ends of its POSTs.
class worker {
public:
    worker(highlevel::account a, std::string id, std::string contact_id)
        : account(std::move(a)),
          name(std::move(id)),
          contact(std::move(contact_id)) {}

    highlevel::account account;
    std::string name; ///< in front of the ids of its POSTs
    std::string contact;
    std::deque<post_end> posts;
};

asio::awaitable<void> work(worker& w, steady::time_point end, tally& counts) {
    for (std::uint64_t n = 0; steady::now() < end; ++n) {
        counts.started.fetch_add(1, std::memory_order_relaxed);
        if (n % 4 == 3) {
            contacts::upsert_contact post;
            post.body.email = w.name + "@example.com";
            post.body.source = w.name + '.' + std::to_string(w.posts.size());
            w.posts.push_back(post_end::open);
            auto const got = co_await w.account.try_call(post);
            if (got)
                w.posts.back() = post_end::succeeded;
            else
                w.posts.back() =
                    got.error().may_have_been_processed() ? post_end::maybe : post_end::surely_not;
            got ? void(counts.succeeded.fetch_add(1, std::memory_order_relaxed))
                : counts.count(got.error());
        } else {
            auto const got = co_await w.account.try_call(contacts::get_contact{w.contact});
            got ? void(counts.succeeded.fetch_add(1, std::memory_order_relaxed))
                : counts.count(got.error());
        }
    }
}

/// Memory at one moment, and the connections that hold some of it.
class sample {
public:
    sample() = default;
    explicit sample(const http::transport_stats& s)
        : kb(measure::resident_kb()),
          connections(s.idle + s.in_use + s.connecting) {}

    [[nodiscard]] std::string text() const {
        return std::to_string(kb) + " KB resident with " + std::to_string(connections) +
            " connections";
    }

    std::uint64_t kb = 0;
    std::size_t connections = 0;
};

/// What connections that were opened between two samples may hold: Asio and OpenSSL keep about
/// 80 KB for each, and an exchange that is under way 64 KiB more.
std::uint64_t grown(const sample& before, const sample& now) {
    auto const more = now.connections - std::min(now.connections, before.connections);
    return 144 * static_cast<std::uint64_t>(more);
}

/// Ends the program when a call never ends, which is what a soak is to find out.
class alarm_clock {
public:
    alarm_clock(std::chrono::duration<double> patience, const tally& counts)
        : thread_([this, patience, &counts] {
              std::unique_lock lock{mutex_};
              if (bell_.wait_for(lock, patience, [this] { return off_; })) return;
              std::fprintf(
                  stderr, "soak: %llu calls do not end\n",
                  static_cast<unsigned long long>(
                      counts.started - counts.succeeded - counts.failed));
              std::_Exit(1);
          }) {}
    alarm_clock(const alarm_clock&) = delete;
    alarm_clock& operator=(const alarm_clock&) = delete;
    ~alarm_clock() {
        {
            std::lock_guard const lock{mutex_};
            off_ = true;
        }
        bell_.notify_one();
        thread_.join();
    }

private:
    std::mutex mutex_;
    std::condition_variable bell_;
    bool off_ = false;
    std::thread thread_;
};

/// The lines of the balance, and whether all of them hold.
class balance {
public:
    void line(const char* what, bool holds, const std::string& numbers) {
        std::printf("  %-11s %s%s\n", what, numbers.c_str(), holds ? "" : "   <-- does not hold");
        holds_ = holds_ && holds;
    }
    [[nodiscard]] bool holds() const noexcept { return holds_; }

private:
    bool holds_ = true;
};

std::string number(std::uint64_t n) {
    return std::to_string(n);
}

int run(arguments args) {
    if (args.token_seconds == 0) args.token_seconds = args.seconds / 6;
    args.faults.token_lifetime =
        std::chrono::milliseconds{static_cast<std::int64_t>(1000 * args.token_seconds)};
    house server{args}; // before any thread: it forks

    auto const tokens = std::make_shared<rotating_tokens>(args.locations);
    auto const counts = std::make_shared<tally>();
    // First, because the options keep the transport, and nothing may outlive the context it runs
    // on.
    asio::io_context context{static_cast<int>(args.threads)};
    highlevel::client_options options;
    options.base_url = server.base_url;
    options.tls.ca_pem = server.authority;
    options.tls.use_system_roots = args.http;
    options.credentials = std::shared_ptr<highlevel::auth::provider>{tokens};
    options.observer = counts;
    options.limits.max = args.max;
    options.limits.interval = args.interval;
    options.limits.max_buckets = std::max<std::size_t>(args.locations, 10'000);
    options.timeouts.first_byte = 1s;
    options.timeouts.total = 30s;

    auto const transport = http::make_transport(
        context.get_executor(), http::uri{options.base_url}, options.tls, options.pool,
        options.timeouts, options.proxy);
    options.transport = transport;
    highlevel::client client{context.get_executor(), options};

    auto const begin = steady::now();
    auto const end = begin +
        std::chrono::duration_cast<steady::duration>(std::chrono::duration<double>(args.seconds));
    std::deque<worker> workers;
    for (std::size_t i = 0; i < args.locations; ++i)
        for (std::size_t k = 0; k < args.workers; ++k) {
            workers.emplace_back(
                client.location(location_id(i)), location_id(i) + '-' + std::to_string(k),
                server.first_contacts.at(i));
            asio::co_spawn(context, work(workers.back(), end, *counts), asio::detached);
        }
    // Memory is looked at when every location has been through its first intervals and tokens, and
    // again while all calls still run.
    sample warm_at;
    sample late_at;
    asio::steady_timer warm{context, begin + (end - begin) / 2};
    warm.async_wait([&](boost::system::error_code) { warm_at = sample{transport->stats()}; });
    asio::steady_timer late{context, end - (end - begin) / 50};
    late.async_wait([&](boost::system::error_code) { late_at = sample{transport->stats()}; });
    {
        alarm_clock const patience{
            std::chrono::duration<double>(args.seconds) + options.timeouts.total + 30s, *counts};
        std::vector<std::thread> threads;
        for (std::size_t i = 1; i < args.threads; ++i)
            threads.emplace_back([&] { context.run(); });
        context.run();
        for (auto& t : threads)
            t.join();
    }
    auto const elapsed = std::chrono::duration<double>(steady::now() - begin).count();

    // A lost request occupies its permit for as long as it may still arrive.
    highlevel::quota::bucket_snapshot permits;
    std::size_t waiting = 0;
    auto const settled_by = steady::now() + options.limits.lost_grace + 2s;
    do {
        std::this_thread::sleep_for(50ms);
        permits = {};
        waiting = 0;
        for (std::size_t i = 0; i < args.locations; ++i) {
            auto const one = client.quota(location_id(i));
            permits.in_flight += one.in_flight;
            permits.granted += one.granted;
            permits.settled += one.settled;
            permits.lost += one.lost;
            permits.unsent += one.unsent;
            waiting += one.waiting[0] + one.waiting[1];
        }
    } while (permits.in_flight != 0 && steady::now() < settled_by);
    auto const links = transport->stats();
    auto const told = server.finish();

    std::uint64_t posts = 0;
    std::uint64_t succeeded = 0;
    std::uint64_t maybe = 0;
    std::uint64_t surely_not = 0;
    std::uint64_t twice = 0;
    std::uint64_t missing = 0;
    std::uint64_t denied = 0;
    for (auto const& w : workers)
        for (std::size_t n = 0; n < w.posts.size(); ++n) {
            ++posts;
            auto const found = told.processed.find(w.name + '.' + std::to_string(n));
            auto const times = found == told.processed.end() ? 0 : found->second;
            twice += times > 1;
            switch (w.posts[n]) {
            case post_end::open: break;
            case post_end::succeeded:
                ++succeeded;
                missing += times != 1;
                break;
            case post_end::maybe: ++maybe; break;
            case post_end::surely_not:
                ++surely_not;
                denied += times != 0;
                break;
            }
        }

    auto const& s = told.totals;
    std::printf(
        "%zu locations, %zu calls at once, %zu threads, %.1f s, %s; made-up faults: %llu resets, "
        "%llu 5xx, %llu stalls, %llu answers to expired tokens\n",
        args.locations, workers.size(), args.threads, elapsed, args.http ? "HTTP" : "TLS",
        static_cast<unsigned long long>(s.resets), static_cast<unsigned long long>(s.server_errors),
        static_cast<unsigned long long>(s.stalls), static_cast<unsigned long long>(s.expired));
    balance sheet;
    auto const& c = *counts;
    sheet.line(
        "calls", c.started == c.succeeded + c.failed && c.succeeded > 0,
        number(c.started) + " started = " + number(c.succeeded) + " succeeded + " +
            number(c.failed) + " failed; " + number(c.attempts) + " attempts");
    std::string causes;
    for (auto const& [what, times] : c.causes())
        causes += (causes.empty() ? "" : ", ") + number(times) + " x " + what;
    sheet.line("failures", true, causes.empty() ? "none" : causes);
    sheet.line(
        "permits",
        permits.in_flight == 0 && waiting == 0 &&
            permits.granted == permits.settled + permits.lost + permits.unsent,
        number(permits.granted) + " granted = " + number(permits.settled) + " settled + " +
            number(permits.lost) + " lost + " + number(permits.unsent) + " unsent; " +
            number(permits.in_flight) + " out, " + number(waiting) + " waiting");
    sheet.line(
        "connections",
        links.in_use == 0 && links.connecting == 0 && links.waiting == 0 && links.active == 0,
        number(links.opened) + " opened, " + number(links.reused) + " times reused, " +
            number(links.moved) + " requests moved; " + number(links.in_use) + " out, " +
            number(links.connecting) + " opening, " + number(links.waiting) + " waiting, " +
            number(links.active) + " exchanges");
    sheet.line(
        "server", s.requests == s.accepted + s.refused + s.expired,
        number(s.requests) + " requests = " + number(s.accepted) + " accepted + " +
            number(s.refused) + " refused (429) + " + number(s.expired) + " expired (401); on " +
            number(s.connections) + " connections");
    sheet.line("tokens", true, number(tokens->renewals) + " renewed");
    sheet.line(
        "posts",
        twice == 0 && missing == 0 && denied == 0 && posts == succeeded + maybe + surely_not,
        number(posts) + " = " + number(succeeded) + " succeeded + " + number(maybe) +
            " perhaps processed + " + number(surely_not) + " surely not; " + number(twice) +
            " processed twice, " + number(missing) + " succeeded but not processed once, " +
            number(denied) + " denied but processed");
    // A short run is still growing into its buffers.
    bool const long_enough = args.seconds >= 20;
    sheet.line(
        "memory",
        !long_enough || late_at.kb <= warm_at.kb + warm_at.kb / 20 + 2048 + grown(warm_at, late_at),
        warm_at.text() + " at half time, " + late_at.text() + " at the end" +
            (long_enough ? "" : " (too short a run to judge)"));
    std::puts(sheet.holds() ? "balanced" : "NOT BALANCED");
    return sheet.holds() ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("soak", usage, argc, argv, take, run);
}
