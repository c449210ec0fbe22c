// SPDX-License-Identifier: BSL-1.0
//
// Rate-limit headers that say anything at all: they are read or left, and the bucket that believes
// them keeps its books.

#include "fuzz.hpp"

#include <highlevel/quota/bucket.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace fuzz::rate_headers {

namespace quota = highlevel::quota;

int one_input(const std::uint8_t* data, std::size_t size) {
    using namespace std::chrono_literals;
    constexpr std::string_view names[] = {
        "x-ratelimit-limit-daily",
        "X-RateLimit-Daily-Remaining",
        "x-ratelimit-max",
        "X-RATELIMIT-REMAINING",
        "x-ratelimit-interval-milliseconds",
        "x-ratelimit-daily-reset",
        "x-ratelimit-",
        "retry-after"};
    fuzz::input in{data, size};
    quota::limits options;
    options.exclusive = (in.byte() & 1) == 0;
    quota::bucket bucket{options};
    quota::bucket::time_point now{1h};
    std::vector<quota::bucket::ticket> open;
    // Each line is an event: how long after the last, what happens, and values of headers.
    for (int events = 0; events < 64 && !in.empty(); ++events) {
        fuzz::input line{nullptr, 0};
        auto const text = in.line();
        line = fuzz::input{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
        now += line.byte() * 10ms;
        auto const what = line.byte();
        quota::bucket::ticket ticket;
        auto const lane = (what & 1) != 0 ? quota::lane::bulk : quota::lane::interactive;
        (void)bucket.admit(now, lane, ticket);
        if (ticket.open()) open.push_back(std::move(ticket));
        if (open.empty()) continue;
        auto& first = open.front();
        switch (what >> 1 & 7) {
        case 0: continue; // stays in flight
        case 1: bucket.lost(first, now); break;
        case 2: bucket.unsent(first, now); break;
        default: {
            quota::rate_headers headers;
            for (auto const name : names) {
                auto rest = line.rest();
                auto const value = rest.substr(0, rest.find(','));
                for (std::size_t i = 0; i < value.size() + 1 && !line.empty(); ++i)
                    (void)line.byte();
                headers.observe(name, value);
            }
            for (auto const& read :
                 {headers.limit_daily, headers.daily_remaining, headers.max, headers.remaining,
                  headers.interval_ms, headers.daily_reset_ms})
                fuzz::require(!read || *read >= 0, "what is read is a count");
            auto const status = (what & 0x10) != 0 ? 429U : (what & 0x20) != 0 ? 503U : 200U;
            bucket.settle(first, now, headers, status);
        }
        }
        open.erase(open.begin());
        fuzz::require(bucket.in_flight() >= open.size(), "what is open is in flight");
        fuzz::require(bucket.max() > 0, "a limit admits something");
        fuzz::require(bucket.interval() > 0ms, "an interval takes time");
    }
    quota::bucket_snapshot seen;
    bucket.describe(now, seen);
    for (auto& ticket : open)
        bucket.unsent(ticket, now);
    return 0;
}

} // namespace fuzz::rate_headers
