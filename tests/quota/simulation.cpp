// SPDX-License-Identifier: BSL-1.0
//
// The limiter's promise, tested: the real bucket against every kind of server and network, ten
// simulated minutes each. Prints the tables of docs/rate-limits.md.
#include "quota/simulator.hpp"
#include "support/catch.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

using highlevel::quota::lane;
using highlevel::quota::limits;
using namespace sim;

/// How much of the heavy sweeps to run: all of it in optimised builds, a part where every step is
/// slow (no optimisation, sanitizers). HIGHLEVEL_TEST_SIMULATION_SCALE (percent) overrides.
int scale(int full) {
#if defined(HIGHLEVEL_TEST_SIMULATION_SCALE)
    constexpr int percent = HIGHLEVEL_TEST_SIMULATION_SCALE;
#elif defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    constexpr int percent = 100;
#else
    constexpr int percent = 5;
#endif
    return std::max(1, full * percent / 100);
}

/// A bulk job that has its bucket for itself.
limits alone() {
    limits options;
    options.exclusive = true;
    options.reserve = options.idle_reserve = 0;
    return options;
}

class setting {
public:
    server_kind kind;
    network_kind net;
    std::uint64_t seed = 1;
    int max = 100;
    double interval = 10;
};

class world {
public:
    explicit world(const setting& s)
        : dice(s.seed),
          at(time, s.kind.make(s.max, s.interval, dice.uniform(0, s.interval)), s.net.make(s.seed + 1),
             s.seed + 2) {}

    generator dice;
    timeline time;
    site at;
};

class outcome {
public:
    double utilisation = 0;
    int refused = 0;
    double fairness = 1;
    double on_credit = 0;
    bool shared = false;
};

outcome saturate(const setting& s, const limits& options, lane l, double until = 600,
                 const std::function<void(site&)>& prepare = {}) {
    world w{s};
    if (prepare) prepare(w.at);
    process p{w.at, options};
    constexpr int workers = 300;
    closed_loop(p, workers, l);
    w.time.run(until);
    outcome o;
    o.utilisation = utilisation(w.at, s.max / s.interval, 20, until);
    o.refused = static_cast<int>(w.at.refused.size());
    std::vector<double> each;
    for (int i = 0; i < workers; ++i) each.push_back(p.done[i]);
    o.fairness = jain(each);
    o.shared = p.bucket().shared();
    o.on_credit = 100.0 * static_cast<double>(p.on_credit) / static_cast<double>(p.bucket().sent());
    return o;
}

constexpr std::array<network_kind, 3> networks{constant_80ms, lognormal, bursty};

class row {
public:
    std::string name;
    limits options;
    lane who = lane::bulk;
    bool tells_remaining = true;
};

} // namespace

TEST_CASE("saturating_bucket_reaches_the_targets_without_a_refusal", "[quota]") {
    // Targets in percent: columns as the server kinds, rows as the networks.
    constexpr double targets[3][7] = {
        {99, 97, 97, 97, 99.5, 99.5, 97},
        {98.5, 96.5, 95.5, 95, 99.5, 99.5, 95.5},
        {97, 95, 92, 91.5, 99.5, 99.5, 92},
    };
    std::printf("saturating, ten minutes: %% of the limit used / refusals\n%-16s", "");
    for (std::size_t k = 0; k < 7; ++k) std::printf(" %18s", server_kinds()[k].name.data());
    std::printf("\n");
    int const seeds = scale(3);
    for (std::size_t n = 0; n < networks.size(); ++n) {
        std::printf("%-16s", networks[n].name.data());
        for (std::size_t k = 0; k < 7; ++k) {
            double used = 0;
            int refused = 0;
            for (int seed = 1; seed <= seeds; ++seed) {
                auto const o = saturate(
                    {server_kinds()[k], networks[n], static_cast<std::uint64_t>(seed)}, alone(),
                    lane::bulk);
                used += o.utilisation / seeds;
                refused += o.refused;
                CHECK(o.fairness >= 0.995);
                CHECK_FALSE(o.shared);
            }
            std::printf(" %11.1f / %-4d", used, refused);
            INFO(server_kinds()[k].name << ", " << networks[n].name);
            CHECK(refused == 0);
            CHECK(used >= targets[n][k]);
        }
        std::printf("\n");
    }
}
