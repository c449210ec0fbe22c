// SPDX-License-Identifier: BSL-1.0
//
// Requests over TLS through this library: whole typed calls, or its transport alone.

#include "support/throughput.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/http/http1_transport.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
namespace http = highlevel::http;

namespace {

constexpr std::string_view usage = R"(Requests over TLS through highlevel.

  throughput_highlevel --port P --ca FILE [options]

  --mode typed      encode, token, permit, send, settle, decode (default)
  --mode transport  send and read the body, nothing else
)";

/// Runs `one(turns&, bytes&)` as often as requests are to be in flight, and what it throws ends
/// all.
template <class One>
void run_all(asio::io_context& context, std::size_t count, One& one) {
    std::exception_ptr failed;
    for (std::size_t i = 0; i < count; ++i)
        asio::co_spawn(context, one(i), [&](std::exception_ptr e) {
            if (e && !failed) failed = e;
        });
    context.restart();
    context.run();
    if (failed) std::rethrow_exception(failed);
}

template <class One>
void measure_all(
    const throughput::arguments& args,
    asio::io_context& context,
    throughput::turns& turns,
    const std::uint64_t& bytes,
    One one) {
    // Before the first answer tells the limits calls come one after the other, and share
    // connections; only then as many are opened as there are calls at once.
    run_all(context, args.in_flight, one);
    turns.open();
    run_all(context, args.in_flight, one);
    turns.begin();
    auto const before = bytes;
    measure::stopwatch const watch;
    run_all(context, args.in_flight, one);
    throughput::report("highlevel", args, watch, bytes - before);
}

int run(const throughput::arguments& args) {
    asio::io_context context{1};
    highlevel::client_options options;
    options.base_url = args.url();
    options.tls.ca_file = args.ca_file;
    options.tls.use_system_roots = false;
    options.pool.max_connections = args.in_flight;
    options.pool.max_connecting = args.in_flight;
    throughput::turns turns{args};
    std::uint64_t bytes = 0;
    if (args.mode == "transport") {
        auto const transport = http::make_transport(
            context.get_executor(), http::uri{options.base_url}, options.tls, options.pool,
            options.timeouts);
        http::request const get{highlevel::method::get, args.target()};
        http::exchange_options how;
        how.repeatable = true; // as a client has it for a GET
        auto const one = [&](std::size_t) -> asio::awaitable<void> {
            while (turns.take()) {
                auto const got = co_await transport->exchange(get, how);
                if (!got.ok() || got.reply.status != 200)
                    throw std::runtime_error{got.error.message() + ' ' + got.detail};
                bytes += got.reply.body.size();
            }
        };
        measure_all(args, context, turns, bytes, one);
        return 0;
    }
    options.credentials = highlevel::auth::private_integration{"pit-throughput"};
    options.limits.max = 60'000;
    options.limits.interval = std::chrono::milliseconds{1000};
    highlevel::client const client{context.get_executor(), options};
    std::vector<highlevel::account> accounts;
    for (int i = 0; i < 16; ++i)
        accounts.push_back(client.location("location-" + std::to_string(i)));
    if (args.large) {
        auto const one = [&](std::size_t n) -> asio::awaitable<void> {
            auto const& account = accounts[n % accounts.size()];
            contacts::get_contacts list;
            list.limit = 100;
            while (turns.take()) {
                auto const got = co_await account.call(list);
                if (got->contacts.size() != 100) throw std::runtime_error{"not 100 contacts"};
                bytes += got.body().size();
            }
        };
        measure_all(args, context, turns, bytes, one);
    } else {
        auto const one = [&](std::size_t n) -> asio::awaitable<void> {
            auto const& account = accounts[n % accounts.size()];
            contacts::get_contact const get{"S"};
            while (turns.take()) {
                auto const got = co_await account.call(get);
                if (!got->contact || !got->contact->id) throw std::runtime_error{"no contact"};
                bytes += got.body().size();
            }
        };
        measure_all(args, context, turns, bytes, one);
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return throughput::main(argc, argv, "throughput_highlevel", usage, "typed", run);
}
