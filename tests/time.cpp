// SPDX-License-Identifier: BSL-1.0
#include "support/catch.hpp"

#include <highlevel/time.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace time_tests {

namespace time_ = highlevel::time;
using time_::point;

namespace {

constexpr point at(std::int64_t milliseconds) {
    return time_::from_milliseconds(milliseconds);
}

} // namespace

static_assert(time_::parse_iso("1970-01-01T00:00:00.001Z") == at(1));
static_assert(time_::parse_month_day_year("01-02-1970") == at(86'400'000));
static_assert(!time_::parse("yesterday"));

TEST_CASE("iso_8601_is_read_with_every_optional_part_missing_or_present", "[time]") {
    // 2021-07-02T05:18:26Z
    constexpr std::int64_t second = 1'625'203'106'000;
    for (auto const& [text, expected] : {
             std::pair<std::string_view, std::int64_t>{"2021-07-02T05:18:26.704Z", second + 704},
             {"2021-07-02T05:18:26Z", second},
             {"2021-07-02T05:18:26", second},
             {"2021-07-02 05:18:26", second},
             {"2021-07-02t05:18:26z", second},
             {"2021-07-02T05:18Z", second - 26'000},
             {"2021-07-02T05:18", second - 26'000},
             {"2021-07-02T05:18:26.7Z", second + 700},
             {"2021-07-02T05:18:26.70Z", second + 700},
             {"2021-07-02T05:18:26.7049999Z", second + 704},
             {"2021-07-02T05:18:26.123456789Z", second + 123},
             {"2021-07-02T10:48:26+05:30", second},
             {"2021-07-02T10:48:26+0530", second},
             {"2021-07-02T10:48:26.704+05:30", second + 704},
             {"2021-07-02T01:18:26-04:00", second},
             {"2021-07-02T01:18:26-04", second},
             {"2021-07-02T05:18:26+00:00", second},
             {"2021-07-02T05:18:26-00:00", second},
             {"2021-07-02", 1'625'184'000'000},
             {"1969-12-31T23:59:59.999Z", -1},
             {"2024-02-29T00:00:00Z", 1'709'164'800'000},
             {"0001-01-01T00:00:00Z", -62'135'596'800'000},
             {"9999-12-31T23:59:59.999Z", 253'402'300'799'999},
         }) {
        INFO(text);
        auto const read = time_::parse_iso(text);
        REQUIRE(read);
        CHECK(time_::to_milliseconds(*read) == expected);
        CHECK(time_::parse(text) == read);
    }
}

TEST_CASE("what_is_not_exactly_iso_8601_is_not_read", "[time]") {
    for (std::string_view const text : {
             "",
             "2021",
             "2021-07",
             "2021-7-2",
             "21-07-02",
             "2021-07-02T",
             "2021-07-02T05",
             "2021-07-02T05:1",
             "2021-07-02T05:18:",
             "2021-07-02T05:18:26.",
             "2021-07-02T05:18:26.Z",
             "2021-07-02T05:18:26Z ",
             " 2021-07-02",
             "2021-07-02T05:18:26ZZ",
             "2021-07-02T05:18:26+",
             "2021-07-02T05:18:26+5",
             "2021-07-02T05:18:26+05:",
             "2021-07-02T05:18:26+05:3",
             "2021-07-02T05:18:26+24:00",
             "2021-07-02T05:18:26+05:60",
             "2021-07-02T05:18:26+05:30Z",
             "2021-07-02T24:00:00Z",
             "2021-07-02T05:60:00Z",
             "2021-07-02T05:18:60Z",
             "2021-13-01",
             "2021-00-01",
             "2021-02-29",
             "2021-04-31",
             "0000-01-01",
             "2021/07/02",
             "2021-07-02x05:18:26",
             "-2021-07-02",
             "+2021-07-02",
             "12021-07-02",
         }) {
        INFO(text);
        CHECK_FALSE(time_::parse_iso(text));
    }
    CHECK_FALSE(time_::parse_iso(std::string_view{"2021-07-02\0", 11}));
    CHECK_FALSE(time_::parse_iso(std::string_view{"2021-07-02T05:18:26\0", 20}));
}

TEST_CASE("numbers_are_milliseconds_unless_they_are_said_to_be_seconds", "[time]") {
    CHECK(time_::parse("1625203106704") == at(1'625'203'106'704));
    CHECK(time_::parse("0") == at(0));
    CHECK(time_::parse("-1") == at(-1));
    CHECK(time_::parse("999999999999999999") == at(999'999'999'999'999'999));
    CHECK_FALSE(time_::parse("9999999999999999999"));
    CHECK_FALSE(time_::parse("-"));
    CHECK_FALSE(time_::parse("12a"));
    CHECK_FALSE(time_::parse("1.5"));
    CHECK_FALSE(time_::parse(""));

    CHECK(time_::from_seconds(1'625'203'106) == at(1'625'203'106'000));
    CHECK(time_::from_seconds(-1) == at(-1000));
    CHECK_FALSE(time_::from_seconds(INT64_MAX));
    CHECK_FALSE(time_::from_seconds(INT64_MIN));
    CHECK(time_::to_seconds(at(1'999)) == 1);
    CHECK(time_::to_seconds(at(-1)) == -1);
}

TEST_CASE("month_day_year_is_read_and_written", "[time]") {
    CHECK(time_::parse_month_day_year("07-02-2021") == at(1'625'184'000'000));
    CHECK(time_::parse("07-02-2021") == at(1'625'184'000'000));
    CHECK(time_::to_month_day_year(at(1'625'203'106'704)) == "07-02-2021");
    CHECK(time_::to_month_day_year(at(-1)) == "12-31-1969");
    for (std::string_view const text :
         {"7-2-2021", "13-01-2021", "02-30-2021", "07-02-21", "07-02-2021T", "07/02/2021",
          "2021-07-02", "07-02-20210"}) {
        INFO(text);
        CHECK_FALSE(time_::parse_month_day_year(text));
    }
}

TEST_CASE("en_us_text_is_read_and_written", "[time]") {
    // 2022-10-28T18:24:54Z
    constexpr std::int64_t evening = 1'666'981'494'000;
    CHECK(time_::parse_en_us("10/28/2022, 6:24:54 PM") == at(evening));
    CHECK(time_::parse("10/28/2022, 6:24:54 PM") == at(evening));
    CHECK(time_::parse_en_us("10/28/2022, 6:24:54\xe2\x80\xafPM") == at(evening));
    CHECK(time_::parse_en_us("10/28/2022, 06:24:54 PM") == at(evening));
    CHECK(time_::parse_en_us("10/28/2022, 6:24 PM") == at(evening - 54'000));
    CHECK(time_::parse_en_us("10/28/2022, 6:24:54 AM") == at(evening - 12 * 3'600'000));
    CHECK(time_::parse_en_us("10/28/2022, 12:00:00 AM") == at(1'666'915'200'000));
    CHECK(time_::parse_en_us("10/28/2022, 12:00:00 PM") == at(1'666'958'400'000));
    CHECK(time_::parse_en_us("10/28/2022") == at(1'666'915'200'000));
    CHECK(time_::parse_en_us("1/2/2022") == time_::parse_iso("2022-01-02"));
    // Written by a clock in New York, four hours behind.
    CHECK(time_::parse_en_us("10/28/2022, 2:24:54 PM", std::chrono::minutes{-240}) == at(evening));

    CHECK(time_::to_en_us(at(evening + 999)) == "10/28/2022, 6:24:54 PM");
    CHECK(time_::to_en_us(at(1'666'915'200'000)) == "10/28/2022, 12:00:00 AM");
    CHECK(time_::to_en_us(at(1'666'958'400'000)) == "10/28/2022, 12:00:00 PM");
    CHECK(time_::to_en_us(at(0)) == "1/1/1970, 12:00:00 AM");

    for (std::string_view const text : {
             "10/28/22",
             "13/28/2022",
             "2/30/2022",
             "10/28/2022,",
             "10/28/2022, 6:24:54",
             "10/28/2022, 0:24:54 PM",
             "10/28/2022, 13:24:54 PM",
             "10/28/2022, 6:60:54 PM",
             "10/28/2022, 6:24:60 PM",
             "10/28/2022, 6:24:54 XM",
             "10/28/2022, 6:24:54 P",
             "10/28/2022, 6:24:54 PMx",
             "10/28/2022 6:24:54 PM",
             "10/28/2022, 6:24:54PM",
         }) {
        INFO(text);
        CHECK_FALSE(time_::parse_en_us(text));
    }
}

TEST_CASE("every_format_reads_back_what_it_wrote", "[time]") {
    CHECK(time_::to_iso(at(1'625'203'106'704)) == "2021-07-02T05:18:26.704Z");
    CHECK(time_::to_iso(at(0)) == "1970-01-01T00:00:00.000Z");
    CHECK(time_::to_iso(at(-62'135'596'800'000)) == "0001-01-01T00:00:00.000Z");
    CHECK(time_::to_iso_date(at(1'625'203'106'704)) == "2021-07-02");
    // Every day of four centuries would do; steps that hit each hour, month and weekday are enough.
    constexpr std::int64_t step = 86'400'000LL * 13 + 3'661'017;
    for (std::int64_t ms = -62'135'596'800'000; ms < 253'402'300'800'000; ms += step * 7) {
        auto const second = ms - ((ms % 1000) + 1000) % 1000;
        auto const day = std::chrono::floor<std::chrono::days>(at(ms));
        REQUIRE(time_::parse_iso(time_::to_iso(at(ms))) == at(ms));
        REQUIRE(time_::parse_en_us(time_::to_en_us(at(ms))) == at(second));
        REQUIRE(time_::parse_month_day_year(time_::to_month_day_year(at(ms))) == point{day});
        REQUIRE(time_::parse_iso(time_::to_iso_date(at(ms))) == point{day});
        REQUIRE(time_::parse(std::to_string(ms)) == at(ms));
    }
}

} // namespace time_tests
