// SPDX-License-Identifier: BSL-1.0
//
// The API's way of writing points in time, and what the sandbox accepts of others.
#include "support/catch.hpp"

#include <highlevel/sandbox/detail/time_text.hpp>

#include <chrono>
#include <string>

namespace sandbox_detail_time_text_tests {

using highlevel::sandbox::timestamp;
using highlevel::sandbox::detail::iso_text;
using highlevel::sandbox::detail::parse_time;
using namespace std::chrono_literals;

TEST_CASE("time_text_round_trips", "[sandbox]") {
    for (auto ms : {0LL, 1LL, 951782400000LL, 1625203106704LL, 4102444799999LL, -1LL}) {
        timestamp const t{std::chrono::milliseconds(ms)};
        CHECK(parse_time(iso_text(t)) == t);
    }
    CHECK(iso_text(timestamp(1625203106704ms)) == "2021-07-02T05:18:26.704Z");
    CHECK(iso_text(timestamp(951782400000ms)) == "2000-02-29T00:00:00.000Z");
}

TEST_CASE("time_text_reads_the_forms_that_callers_send", "[sandbox]") {
    timestamp const t{1625203106000ms};
    for (auto text :
         {"2021-07-02T05:18:26Z", "2021-07-02T05:18:26", "2021-07-02T05:18:26.0Z",
          "2021-07-02T10:48:26+05:30", "2021-07-02T01:18:26-04:00", "1625203106000"}) {
        CAPTURE(std::string(text));
        CHECK(parse_time(text) == t);
    }
    CHECK(parse_time("2021-07-02T05:18:26.7Z") == t + 700ms);
    CHECK(parse_time("2021-07-02T05:18:26.704999Z") == t + 704ms);
    CHECK(parse_time("1990-09-25") == timestamp(654220800000ms));
}

TEST_CASE("time_text_refuses_what_is_no_time", "[sandbox]") {
    for (auto text :
         {"", "yesterday", "2021-13-01", "2021-02-30", "2021-07-02T25:00:00Z", "2021-07-02T05:18",
          "2021-07-02T05:18:26X", "2021-07-02T05:18:26+0530", "21-07-02", "-5"}) {
        CAPTURE(std::string(text));
        CHECK_FALSE(parse_time(text));
    }
}

} // namespace sandbox_detail_time_text_tests
