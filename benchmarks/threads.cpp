// SPDX-License-Identifier: BSL-1.0
//
// What more threads are worth to one client: requests per second through everything but the
// network, whose place a transport takes that answers at once. Beside it a client and a context for
// each thread, with a part of the accounts; the same transport with nothing but a DOM, for what
// Asio's queue allows; and how long a cache line takes from one core to the other and back: on a
// shared machine that changes within seconds, and decides.

#include "../examples/support/command_line.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
namespace http = highlevel::http;
using steady = std::chrono::steady_clock;

namespace {

constexpr std::string_view usage =
    R"(Measures one client on 1, 2, 4 and 8 threads, without a network.

  threads [options]

  --seconds S        for each number of threads (default: 3)
  --locations N      accounts that are called (default: 1000)
  --workers N        calls at once (default: 256)
  --threads T        measure only this number
  --json             a JSON object per number instead of text
  --quick            a tenth of a second each, to see that it works
)";

struct arguments {
    double seconds = 3;
    std::size_t locations = 1000;
    std::size_t workers = 256;
    std::vector<int> threads{1, 2, 4, 8};
    bool json = false;
};

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--seconds"))
        a.seconds = at.number<double>(0.01, 3600);
    else if (at.is("--locations"))
        a.locations = at.number<std::size_t>(1, 10'000);
    else if (at.is("--workers"))
        a.workers = at.number<std::size_t>(1, 100'000);
    else if (at.is("--threads"))
        a.threads = {at.number<int>(1, 256)};
    else if (at.is("--json"))
        a.json = true;
    else if (at.is("--quick"))
        a.seconds = 0.1;
    else
        return false;
    return true;
}

/// Answers every request with the same contact, after one turn of the executor, as a network would.
class instant_transport final : public http::transport {
public:
    asio::awaitable<http::exchange_result> exchange(
        const http::request& /*request*/, http::exchange_options /*options*/) override {
        co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
        http::exchange_result r;
        r.reached = http::phase::done;
        r.may_have_been_processed = true;
        r.reply.status = 200;
        r.reply.fields.add("content-type", "application/json; charset=utf-8");
        r.reply.fields.add("x-ratelimit-limit-daily", "1000000000");
        r.reply.fields.add("x-ratelimit-daily-remaining", "999999999");
        r.reply.fields.add("x-ratelimit-interval-milliseconds", "100");
        r.reply.fields.add("x-ratelimit-max", "60000");
        r.reply.fields.add("x-ratelimit-remaining", "59999");
        r.reply.body =
            R"({"contact":{"id":"ocQHyuzHvysMo5N5VsXc","locationId":"ve9EPM428h8vShlRW1KT",)"
            R"("firstName":"Ada","lastName":"Lovelace","email":"ada@example.com","phone":)"
            R"("+15550100","tags":["vip","new"],"dateAdded":"2025-06-15T15:10:00.000Z",)"
            R"("customFields":[{"id":"f1","value":"x"},{"id":"f2","value":12}]}})";
        co_return r;
    }

    void close() noexcept override {}
};

/// Nanoseconds from a thread to another and back through one variable.
double line_round_trip() {
    constexpr int rounds = 100'000;
    std::atomic<int> turn{0};
    std::thread other{[&] {
        for (int i = 0; i < rounds; ++i) {
            while (turn.load(std::memory_order_acquire) != 2 * i + 1) {
            }
            turn.store(2 * i + 2, std::memory_order_release);
        }
    }};
    auto const begin = steady::now();
    for (int i = 0; i < rounds; ++i) {
        turn.store(2 * i + 1, std::memory_order_release);
        while (turn.load(std::memory_order_acquire) != 2 * i + 2) {
        }
    }
    auto const end = steady::now();
    other.join();
    return std::chrono::duration<double, std::nano>(end - begin).count() / rounds;
}

using contexts = std::vector<std::unique_ptr<asio::io_context>>;

/// One event loop for all threads, or one for each.
contexts make_contexts(int threads, bool apart) {
    contexts made;
    for (int i = 0; i < (apart ? threads : 1); ++i)
        made.push_back(std::make_unique<asio::io_context>(apart ? 1 : threads));
    return made;
}

/// Requests per second of so many threads where `one(c, i)` makes the i-th of a worker of event
/// loop c.
template <class One>
double rate_of(const arguments& args, const contexts& loops, int threads, const One& one) {
    std::atomic<bool> over{false};
    std::vector<std::uint64_t> done(args.workers);
    std::atomic<std::uint64_t> failed{0};
    auto const work = [&](std::size_t n) -> asio::awaitable<void> {
        std::uint64_t mine = 0;
        // Each worker goes through accounts of its own first, and meets the others' in time.
        for (std::size_t i = n * 7; !over.load(std::memory_order_relaxed); ++i) {
            bool const good = co_await one(n % loops.size(), i);
            if (good)
                ++mine;
            else
                failed.fetch_add(1, std::memory_order_relaxed);
        }
        done[n] = mine;
    };
    for (std::size_t n = 0; n < args.workers; ++n)
        asio::co_spawn(*loops[n % loops.size()], work(n), asio::detached);
    auto const begin = steady::now();
    std::vector<std::thread> pool;
    for (int i = 0; i < threads; ++i)
        pool.emplace_back(
            [&loop = *loops[static_cast<std::size_t>(i) % loops.size()]] { loop.run(); });
    std::this_thread::sleep_for(std::chrono::duration<double>(args.seconds));
    over = true;
    for (auto& t : pool)
        t.join();
    auto const elapsed = std::chrono::duration<double>(steady::now() - begin).count();
    std::uint64_t all = 0;
    for (auto const n : done)
        all += n;
    if (failed != 0 || all == 0) throw std::runtime_error{std::to_string(failed) + " calls failed"};
    return static_cast<double>(all) / elapsed;
}

/// The transport alone, with a DOM of each answer.
double measure_bare(const arguments& args, int threads) {
    auto const loops = make_contexts(threads, false);
    auto const transport = std::make_shared<instant_transport>();
    auto const one = [&](std::size_t, std::size_t) -> asio::awaitable<bool> {
        http::request const get{highlevel::method::get, "/contacts/ocQHyuzHvysMo5N5VsXc"};
        http::exchange_options const options;
        auto const got = co_await transport->exchange(get, options);
        boost::json::monotonic_resource memory;
        auto const root = boost::json::parse(got.reply.body, &memory);
        co_return root.get_object().contains("contact");
    };
    return rate_of(args, loops, threads, one);
}

/// Typed calls of one client on so many threads, or of as many clients on a thread each.
double measure(const arguments& args, int threads, bool apart) {
    highlevel::client_options options;
    options.credentials = highlevel::auth::private_integration{"pit-threads"};
    options.limits.max = 60'000;
    options.limits.interval = std::chrono::milliseconds{100};
    auto const loops = make_contexts(threads, apart);
    std::vector<highlevel::client> clients;
    std::vector<std::vector<highlevel::account>> accounts(loops.size());
    for (auto const& loop : loops) {
        options.transport = std::make_shared<instant_transport>();
        clients.emplace_back(loop->get_executor(), options);
    }
    for (std::size_t i = 0; i < args.locations; ++i)
        accounts[i % loops.size()].push_back(
            clients[i % loops.size()].location("location-" + std::to_string(i)));

    auto const one = [&](std::size_t loop, std::size_t i) -> asio::awaitable<bool> {
        contacts::get_contact const get{"ocQHyuzHvysMo5N5VsXc"};
        auto const& mine = accounts[loop];
        auto const got = co_await mine[i % mine.size()].try_call(get);
        co_return static_cast<bool>(got);
    };
    return rate_of(args, loops, threads, one);
}

int run(const arguments& args) {
    double alone = 0;
    double bare_alone = 0;
    for (int const threads : args.threads) {
        auto const line = line_round_trip();
        auto const rate = measure(args, threads, false);
        auto const apart = measure(args, threads, true);
        auto const bare = measure_bare(args, threads);
        if (alone == 0) {
            alone = rate;
            bare_alone = bare;
        }
        std::printf(
            args.json
                ? "{\"threads\":%d,\"rate\":%.0f,\"times\":%.3f,\"apart_times\":%.3f,"
                  "\"bare_rate\":%.0f,\"bare_times\":%.3f,\"line_ns\":%.0f}\n"
                : "%d threads: %.0f requests/s, %.2f x (a client for each: %.2f x; transport "
                  "and DOM alone: %.0f, %.2f x; a line to the other core and back: %.0f ns)\n",
            threads, rate, rate / alone, apart / alone, bare, bare / bare_alone, line);
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("threads", usage, argc, argv, take, run);
}
