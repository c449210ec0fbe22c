// SPDX-License-Identifier: BSL-1.0
//
// What the throughput programs have in common, so that they do the same work and say it in the same
// form: one command line, and one line of JSON.
#pragma once

#include "../../examples/support/command_line.hpp"
#include "measure.hpp"

#include <cstddef>
#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>

namespace throughput {

/// What to send where.
class arguments {
public:
    arguments() = default;

    std::string host = "127.0.0.1";
    std::uint16_t port = 0;
    std::string ca_file;
    /// `s`: one contact; `l`: a page of 100.
    bool large = false;
    std::size_t requests = 10'000;
    std::size_t in_flight = 64;
    /// What is done with an answer; each program knows some.
    std::string mode;

    /// The target of the request.
    [[nodiscard]] std::string target() const {
        return large ? "/contacts/?locationId=location&limit=100" : "/contacts/S";
    }
    [[nodiscard]] std::string url() const { return "https://" + host + ':' + std::to_string(port); }
};

inline bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--port"))
        a.port = at.number<std::uint16_t>(1, 65535);
    else if (at.is("--ca"))
        a.ca_file = at.value();
    else if (at.is("--large"))
        a.large = true;
    else if (at.is("--requests"))
        a.requests = at.number<std::size_t>(1, 1'000'000'000);
    else if (at.is("--in-flight"))
        a.in_flight = at.number<std::size_t>(1, 10'000);
    else if (at.is("--mode"))
        a.mode = at.value();
    else if (at.is("--quick"))
        a.requests = 200;
    else
        return false;
    return true;
}

/// Hands out so many turns, first those that open the connections, then those that count.
class turns {
public:
    explicit turns(const arguments& a)
        : left_(a.in_flight),
          connections_(a.in_flight),
          all_(a.requests) {}

    /// Whether there is one more to send.
    bool take() noexcept {
        if (left_ == 0) return false;
        --left_;
        return true;
    }

    /// One more for each connection.
    void open() noexcept { left_ = connections_; }

    /// The connections are open: now it counts.
    void begin() noexcept { left_ = all_; }

private:
    std::size_t left_;
    std::size_t connections_;
    std::size_t all_;
};

/// Prints the line that benchmarks/run reads.
inline void report(
    std::string_view program,
    const arguments& a,
    const measure::stopwatch& watch,
    std::uint64_t bytes) {
    measure::record line;
    line.add("program", program)
        .add("mode", std::string_view{a.mode})
        .add("size", a.large ? std::string_view{"L"} : std::string_view{"S"})
        .add("in_flight", std::uint64_t{a.in_flight})
        .add("requests", std::uint64_t{a.requests})
        .add("seconds", watch.wall())
        .add("cpu_seconds", watch.cpu())
        .add("peak_kb", measure::peak_kb())
        .add("bytes", bytes)
        .print();
}

/// The main function around `run`: help, errors, and nothing to do without a server.
template <class Run>
int main(
    int argc,
    char** argv,
    std::string_view name,
    std::string_view usage,
    std::string_view default_mode,
    Run run) {
    constexpr std::string_view shared = R"(
  --port P        the server's port on 127.0.0.1 (none: nothing is done)
  --ca FILE       the authority that made its certificate, PEM
  --large         a page of 100 contacts instead of one contact
  --requests N    how many count, after one on each connection (default: 10000)
  --in-flight N   requests at once, each on a connection of its own (default: 64)
  --quick         200 requests

benchmarks/run starts the server and runs this against its peers.
)";
    return command_line::main_of<arguments>(
        name, std::string{usage} + std::string{shared}, argc, argv, take, [&](arguments args) {
            if (args.mode.empty()) args.mode = default_mode;
            if (args.port != 0) return run(args);
            std::cerr << name << ": no --port; benchmarks/run starts a server and gives it\n";
            return 0;
        });
}

} // namespace throughput
