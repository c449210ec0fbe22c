// SPDX-License-Identifier: BSL-1.0
//
// Ten thousand calls at once over a thousand locations, against a sandbox that takes its time: what
// a call that waits costs in memory and CPU, and how long the first and the last take. Beside the
// memory stand that of a coroutine that only waits and that of a request, which any client has.

#include "../examples/support/command_line.hpp"
#include "support/measure.hpp"
#include "support/server_process.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/http/http1_transport.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <malloc.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
namespace http = highlevel::http;
namespace sandbox = highlevel::sandbox;

namespace {

constexpr std::string_view usage = R"(Many calls at once, most of which wait.

  in_flight [--calls N] [--locations N] [--latency-ms N] [--connections N] [--json] [--quick]

  --calls N        calls that begin together (default: 10000)
  --locations N    accounts they are spread over (default: 1000)
  --latency-ms N   what the server takes for each (default: 200)
  --connections N  the pool's bound (default: 256)
  --json           one line of JSON instead of text
  --quick          200 calls over 20 locations, 20 ms
)";

struct arguments {
    std::size_t calls = 10'000;
    std::size_t locations = 1'000;
    std::chrono::milliseconds latency{200};
    std::size_t connections = 256;
    bool json = false;
};

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--calls"))
        a.calls = at.number<std::size_t>(1, 10'000'000);
    else if (at.is("--locations"))
        a.locations = at.number<std::size_t>(1, 10'000);
    else if (at.is("--latency-ms"))
        a.latency = std::chrono::milliseconds{at.number<std::int64_t>(0, 60'000)};
    else if (at.is("--connections"))
        a.connections = at.number<std::size_t>(1, 10'000);
    else if (at.is("--json"))
        a.json = true;
    else if (at.is("--quick")) {
        a.calls = 200;
        a.locations = 20;
        a.latency = std::chrono::milliseconds{20};
    } else
        return false;
    return true;
}

std::string location_id(std::size_t n) {
    return "in-flight-" + std::to_string(n);
}

/// Serves until `stop` ends.
void serve(const arguments& args, std::istream& stop, std::ostream& out) {
    sandbox::options how;
    how.locations = 0;
    how.max = 60'000;
    how.daily_limit = 1'000'000'000;
    how.latency_min = how.latency_max = args.latency;
    how.token = "pit-in-flight";
    sandbox::server server{how};
    std::string contact;
    for (std::size_t i = 0; i < args.locations; ++i) {
        auto const made = server.add_location(location_id(i), std::size_t{1});
        if (i == 0) contact = server.contact_ids(made.id).at(0);
    }
    server.start();
    out << server.base_url() << '\n' << contact << std::endl;
    measure::server_process::wait_for_the_end(stop);
}

/// Bytes of the heap that are in use.
std::size_t heap_bytes() {
    return ::mallinfo2().uordblks;
}

/// Bytes of the heap for each coroutine that is spawned and waits, with nothing to do.
double parked_bytes(std::size_t many) {
    asio::io_context context{1};
    std::vector<asio::any_completion_handler<void()>> waiting;
    waiting.reserve(many);
    auto const one = [&]() -> asio::awaitable<void> {
        co_await asio::async_initiate<const asio::deferred_t&, void()>(
            [&](auto handler) { waiting.emplace_back(std::move(handler)); }, asio::deferred);
    };
    auto const before = heap_bytes();
    for (std::size_t i = 0; i < many; ++i)
        asio::co_spawn(context, one(), [](std::exception_ptr) {});
    context.poll();
    auto const held = heap_bytes() - before;
    for (auto& handler : waiting)
        asio::post(context, std::move(handler));
    context.restart();
    context.run();
    return static_cast<double>(held) / static_cast<double>(many);
}

/// Bytes of one request of the calls, those on the heap included.
double request_bytes(const std::string& contact, std::size_t many) {
    std::vector<http::request> requests;
    requests.reserve(many);
    auto const before = heap_bytes();
    for (std::size_t i = 0; i < many; ++i) {
        auto& made = requests.emplace_back(highlevel::method::get, "/contacts/" + contact);
        made.fields.reserve(6, 160);
        made.fields.add("Version", contacts::get_contact::meta.version);
        made.fields.add("Accept", "application/json");
        made.fields.add("User-Agent", highlevel::client_options{}.user_agent);
    }
    auto const held = heap_bytes() - before;
    return static_cast<double>(sizeof(http::request)) +
        static_cast<double>(held) / static_cast<double>(many);
}

int run(const arguments& args) {
    measure::server_process house{
        [&](std::istream& stop, std::ostream& out) { serve(args, stop, out); }};
    std::string base_url;
    std::string contact;
    if (!(house.told() >> base_url >> contact))
        throw std::runtime_error{"the server did not start"};

    asio::io_context context{1};
    highlevel::client_options options;
    options.base_url = base_url;
    options.credentials = highlevel::auth::private_integration{"pit-in-flight"};
    options.pool.max_connections = args.connections;
    options.limits.max = 60'000;
    options.timeouts.total = std::chrono::minutes{10};
    auto const transport = http::make_transport(
        context.get_executor(), http::uri{options.base_url}, options.tls, options.pool,
        options.timeouts);
    options.transport = transport;
    highlevel::client const client{context.get_executor(), options};
    std::vector<highlevel::account> accounts;
    for (std::size_t i = 0; i < args.locations; ++i)
        accounts.push_back(client.location(location_id(i)));

    std::size_t good = 0;
    std::size_t bad = 0;
    double first = 0;
    double last = 0;
    auto const before = heap_bytes();
    measure::stopwatch const watch;
    contacts::get_contact const get{contact};
    auto const one = [&](std::size_t n) -> asio::awaitable<void> {
        auto const got = co_await accounts[n % accounts.size()].try_call(get);
        last = watch.wall();
        if (first == 0) first = last;
        ++(got || got.error().status() != 0 ? good : bad);
    };
    std::size_t begun = 0;
    // Everything that is ready runs: these calls have begun and wait when it returns.
    auto const begin = [&](std::size_t many) {
        for (; begun < many; ++begun)
            asio::co_spawn(context, one(begun), [](std::exception_ptr) {});
        context.poll();
        return heap_bytes();
    };
    // The first half opens connections and makes the limiter's buckets, the second one only waits.
    auto const half = begin(args.calls / 2);
    auto const whole = begin(args.calls);
    auto const queued = whole - before;
    auto const waiter =
        static_cast<double>(whole - half) / static_cast<double>(args.calls - args.calls / 2);
    auto const begun_cpu = watch.cpu();
    context.run();
    auto const total_cpu = watch.cpu();
    auto const links = transport->stats();
    auto const per_call = static_cast<double>(queued) / static_cast<double>(args.calls);
    auto const parked = parked_bytes(args.calls);
    auto const request = request_bytes(contact, args.calls);
    auto const cpu_us = total_cpu * 1e6 / static_cast<double>(args.calls);
    if (args.json)
        measure::record{}
            .add("program", std::string_view{"in_flight"})
            .add("calls", std::uint64_t{args.calls})
            .add("failed", std::uint64_t{bad})
            .add("heap_per_call", per_call)
            .add("heap_per_waiter", waiter)
            .add("parked_coroutine", parked)
            .add("request", request)
            .add("cpu_us_per_call", cpu_us)
            .add("first_s", first)
            .add("last_s", last)
            .add("connections", links.opened)
            .add("peak_kb", measure::peak_kb())
            .print();
    else
        std::printf(
            "%zu calls over %zu locations, %lld ms each: %zu answered, %zu failed\n"
            "  first after %.3f s, last after %.3f s, %llu connections\n"
            "  %.0f bytes of heap per call when all wait; %.0f for each more that waits, of which "
            "%.0f for its request; a coroutine that only waits has %.0f\n"
            "  %.1f us CPU per call, %.1f of them until all wait; peak %llu KB\n",
            args.calls, args.locations, static_cast<long long>(args.latency.count()), good, bad,
            first, last, static_cast<unsigned long long>(links.opened), per_call, waiter, request,
            parked, cpu_us, begun_cpu * 1e6 / static_cast<double>(args.calls),
            static_cast<unsigned long long>(measure::peak_kb()));
    return bad == 0 ? 0 : 1;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("in_flight", usage, argc, argv, take, run);
}
