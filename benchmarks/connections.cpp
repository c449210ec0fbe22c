// SPDX-License-Identifier: BSL-1.0
//
// What a TLS connection costs: memory of one that is kept and idle, and CPU time to open one anew
// with a session to resume and without.

#include "support/throughput.hpp"

#include <highlevel/http/http1_transport.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <malloc.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace asio = boost::asio;
namespace http = highlevel::http;

namespace {

constexpr std::string_view usage = R"(Costs of TLS connections.

  connections --port P --ca FILE [options]

  --mode idle    so many connections are opened and kept; memory of each (default): resident as it
                 is then, resident once the heap has given back what is free, and in use of the heap
  --mode resume  one request on a new connection each, which the server closes; all but the first
                 may resume a session
  --mode full    the same, each with a client that knows no session
)";

std::shared_ptr<http::http1_transport> connect(
    asio::io_context& context, const throughput::arguments& args, std::size_t most) {
    http::tls_options tls;
    tls.ca_file = args.ca_file;
    tls.use_system_roots = false;
    http::pool_options pool;
    pool.max_connections = most;
    pool.max_connecting = 16;
    return http::make_transport(context.get_executor(), http::uri{args.url()}, tls, pool);
}

void run_to_end(asio::io_context& context) {
    context.restart();
    context.run();
}

/// One exchange; what goes wrong ends the program.
asio::awaitable<void> fetch(http::http1_transport& transport, std::string target) {
    http::request const get{highlevel::method::get, std::move(target)};
    auto const got = co_await transport.exchange(get, {});
    if (!got.ok() || got.reply.status != 200)
        throw std::runtime_error{got.error.message() + ' ' + got.detail};
}

/// Bytes of the heap that are in use.
std::size_t heap_bytes() {
    auto const heap = ::mallinfo2();
    return heap.uordblks + heap.hblkhd;
}

int run(const throughput::arguments& args) {
    asio::io_context context{1};
    std::exception_ptr failed;
    auto const keep = [&](std::exception_ptr e) {
        if (e && !failed) failed = e;
    };
    measure::record line;
    line.add("program", std::string_view{"connections"}).add("mode", std::string_view{args.mode});
    if (args.mode == "idle") {
        auto const transport = connect(context, args, args.in_flight);
        // The slow target keeps every connection busy until all are open.
        asio::co_spawn(context, fetch(*transport, "/slow/S"), keep);
        run_to_end(context);
        ::malloc_trim(0);
        auto const before = measure::resident_kb();
        auto const heap_before = heap_bytes();
        auto const opened = transport->stats().opened;
        for (std::size_t i = 0; i < args.in_flight; ++i)
            asio::co_spawn(context, fetch(*transport, "/slow/S"), keep);
        run_to_end(context);
        if (failed) std::rethrow_exception(failed);
        auto const now = transport->stats();
        auto const each = [made = static_cast<double>(now.opened - opened)](std::size_t kb) {
            return static_cast<double>(kb) / made;
        };
        auto const resident = measure::resident_kb();
        auto const heap = heap_bytes();
        // What the exchanges that opened them needed at once is free again, but not given back.
        ::malloc_trim(0);
        line.add("connections", std::uint64_t{now.idle})
            .add("kb_each", each(resident - before))
            .add("kb_each_trimmed", each(measure::resident_kb() - before))
            .add("heap_kb_each", each((heap - heap_before) / 1024))
            .print();
        return 0;
    }
    if (args.mode != "resume" && args.mode != "full")
        throw command_line::usage_error{"--mode: idle, resume or full"};
    std::uint64_t opened = 0;
    std::uint64_t resumed = 0;
    auto transport = connect(context, args, 16);
    asio::co_spawn(context, fetch(*transport, "/close/S"), keep);
    run_to_end(context);
    measure::stopwatch const watch;
    auto const first = transport->stats();
    for (std::size_t i = 0; i < args.requests; i += 16) {
        if (args.mode == "full") {
            if (i != 0) opened += transport->stats().opened;
            transport = connect(context, args, 16);
        }
        for (int k = 0; k < 16; ++k)
            asio::co_spawn(context, fetch(*transport, "/close/S"), keep);
        run_to_end(context);
        if (failed) std::rethrow_exception(failed);
    }
    auto const last = transport->stats();
    opened += last.opened - (args.mode == "resume" ? first.opened : 0);
    resumed = last.resumed - (args.mode == "resume" ? first.resumed : 0);
    line.add("opened", opened)
        .add("resumed", resumed)
        .add("seconds", watch.wall())
        .add("cpu_ms_each", 1000 * watch.cpu() / static_cast<double>(opened))
        .print();
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return throughput::main(argc, argv, "connections", usage, "idle", run);
}
