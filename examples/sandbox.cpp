// SPDX-License-Identifier: BSL-1.0
//
// The sandbox as a program: serves a made-up HighLevel on this machine until Ctrl-C, for trying out
// clients in any language, for demos and for benchmarks.

#include "support/command_line.hpp"

#include <highlevel/sandbox/server.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace asio = boost::asio;
namespace sandbox = highlevel::sandbox;

namespace {

constexpr std::string_view usage = R"(Serves a made-up HighLevel API on this machine until Ctrl-C.

  sandbox [options]

  --port N             port to listen on (default: any free one)
  --address IP         address to listen on (default: 127.0.0.1)
  --tls                TLS with a certificate made at start
  --ca-out FILE        writes the authority that signed the certificate to FILE (implies --tls)
  --locations N        locations to make up (default: 1)
  --contacts M         contacts in each of them (default: 25)
  --seed N             equal seeds make up equal data (default: 1)
  --token TEXT         the token that opens everything (default: one is made up)
  --limiter KIND       fixed, first, log, counter, bucket or gcra (default: fixed)
  --max N              requests per interval, token and location (default: 100)
  --interval-ms N      the interval in milliseconds (default: 10000)
  --daily N            requests per day, token and location (default: 200000)
  --latency-ms N[-M]   time added to each request, fixed or drawn from a range (default: 0)
  --search-lag-ms N    how long search and lists serve old records after a write (default: 0)
  --threads N          threads that serve (default: 1)
  --reset-rate R       resets the connection in this share of requests, 0 to 1 (default: 0)
  --5xx-rate R         answers with 500, 502, 503 or 504 (default: 0)
  --timed-out-rate R   answers with a gateway's 401 "Command timed out" (default: 0)
  --stall-rate R       never answers (default: 0)
  --token-seconds N    tokens expire so long after their first use (default: never)
  --client-id TEXT     the id of an OAuth app (default: sandbox-12345678)
  --client-secret TEXT its secret (default: made-up)
  --redirect-uri URL   where its codes may be sent (default: anywhere)
  --print              also prints each location's id, its own token and its name

The OAuth app's page is at BASE/v2/oauth/chooselocation; `locationId` in its query, any number of
times, makes the choice.

Prints "base-url", "token" and "company" lines when it listens, and what it counted at the end.
)";

struct arguments {
    arguments() {
        app.client_id = "sandbox-12345678";
        app.client_secret = "made-up";
    }

    sandbox::options server;
    sandbox::app_settings app;
    std::string ca_out;
    bool print = false;
};

std::chrono::milliseconds milliseconds(
    const command_line::cursor& at, std::string_view text, std::int64_t least) {
    return std::chrono::milliseconds{at.parse_number<std::int64_t>(text, least, 86'400'000)};
}

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--tls"))
        a.server.tls = true;
    else if (at.is("--print"))
        a.print = true;
    else if (at.is("--port"))
        a.server.port = at.number<std::uint16_t>(0, 65535);
    else if (at.is("--address"))
        a.server.address = at.value();
    else if (at.is("--client-id"))
        a.app.client_id = at.value();
    else if (at.is("--client-secret"))
        a.app.client_secret = at.value();
    else if (at.is("--redirect-uri"))
        a.app.redirect_uri = at.value();
    else if (at.is("--ca-out")) {
        a.ca_out = at.value();
        a.server.tls = true;
    } else if (at.is("--locations"))
        a.server.locations = at.number<std::size_t>(0, 1'000'000);
    else if (at.is("--contacts"))
        a.server.contacts_per_location = at.number<std::size_t>(0, 10'000'000);
    else if (at.is("--seed"))
        a.server.seed = at.number<std::uint64_t>(0, UINT64_MAX);
    else if (at.is("--token"))
        a.server.token = at.value();
    else if (at.is("--limiter")) {
        auto const text = at.value();
        auto const kind = sandbox::limiter_kind_from(text);
        if (!kind)
            throw command_line::usage_error{
                "--limiter: '" + std::string{text} +
                "' is none of fixed, first, log, counter, bucket, gcra"};
        a.server.limiter = *kind;
    } else if (at.is("--max"))
        a.server.max = at.number<std::uint32_t>(1, 1'000'000);
    else if (at.is("--interval-ms"))
        a.server.interval = milliseconds(at, at.value(), 1);
    else if (at.is("--daily"))
        a.server.daily_limit = at.number<std::uint64_t>(1, UINT64_MAX);
    else if (at.is("--latency-ms")) {
        auto const text = at.value();
        auto const dash = std::min(text.find('-'), text.size());
        a.server.latency_min = milliseconds(at, text.substr(0, dash), 0);
        a.server.latency_max = dash == text.size()
            ? a.server.latency_min
            : milliseconds(at, text.substr(dash + 1), a.server.latency_min.count());
    } else if (at.is("--search-lag-ms"))
        a.server.search_lag = milliseconds(at, at.value(), 0);
    else if (at.is("--threads"))
        a.server.threads = at.number<std::size_t>(1, 1024);
    else if (at.is("--reset-rate"))
        a.server.faults.reset_rate = at.number<double>(0, 1);
    else if (at.is("--5xx-rate"))
        a.server.faults.server_error_rate = at.number<double>(0, 1);
    else if (at.is("--timed-out-rate"))
        a.server.faults.gateway_timeout_rate = at.number<double>(0, 1);
    else if (at.is("--stall-rate"))
        a.server.faults.stall_rate = at.number<double>(0, 1);
    else if (at.is("--token-seconds"))
        a.server.faults.token_lifetime =
            std::chrono::seconds{at.number<std::int64_t>(1, 31'536'000)};
    else
        return false;
    return true;
}

int run(const arguments& args) {
    // Before the port is open, so that no Ctrl-C is missed.
    asio::io_context waiting;
    asio::signal_set signals{waiting, SIGINT, SIGTERM};
    signals.async_wait([](const boost::system::error_code&, int) {});

    sandbox::server server{args.server};
    server.add_app(args.app);
    if (!args.ca_out.empty()) {
        std::ofstream out{args.ca_out};
        out << server.ca_certificate_pem();
        if (!out.flush()) throw std::runtime_error{"cannot write " + args.ca_out};
    }
    server.start();
    std::cout << "base-url " << server.base_url() << "\ntoken " << server.token() << "\ncompany "
              << server.company_id() << '\n';
    if (args.print)
        for (auto const& location : server.locations())
            std::cout << "location " << location.id << ' ' << location.token << ' ' << location.name
                      << '\n';
    std::cout << std::flush; // whoever waits for these lines reads a pipe

    waiting.run();
    server.stop();
    auto const counted = server.totals();
    std::cerr << counted.requests << " requests on " << counted.connections << " connections, "
              << counted.refused << " refused for the rate limit, " << counted.resets << " reset, "
              << counted.server_errors << " failed, " << counted.gateway_timeouts << " timed out, "
              << counted.stalls << " stalled, " << counted.expired << " with an expired token\n";
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("sandbox", usage, argc, argv, take, run);
}
