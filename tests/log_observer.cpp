// SPDX-License-Identifier: BSL-1.0
//
// Lines of a log: one per event, in both formats, at the level that it has, and safe to read
// whatever the names in it are.

#include "support/catch.hpp"

#include <highlevel/error.hpp>
#include <highlevel/json/diagnostics.hpp>
#include <highlevel/log_observer.hpp>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <chrono>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace log_observer_tests {

using highlevel::call_info;
using highlevel::errc;
using highlevel::log_format;
using highlevel::log_level;
using highlevel::log_observer;
using namespace std::chrono_literals;

namespace {

class recorded_log {
public:
    explicit recorded_log(
        log_level threshold = log_level::debug, log_format format = log_format::text) {
        options.threshold = threshold;
        options.format = format;
    }

    [[nodiscard]] log_observer make() {
        return log_observer{
            [this](log_level level, std::string_view line) {
                levels.push_back(level);
                lines.emplace_back(line);
            },
            options};
    }

    highlevel::log_options options;
    std::vector<log_level> levels;
    std::vector<std::string> lines;
};

call_info some_call() {
    call_info call;
    call.operation = "contacts.get_contact";
    call.verb = "GET";
    call.path = "/contacts/{contactId}";
    call.resource = "location:loc1";
    call.id = 7;
    return call;
}

/// Every event once, as a failure where it can be one.
void tell_everything(log_observer& to) {
    auto const call = some_call();
    to.on_call_start(call);
    to.on_throttled(call);
    to.on_permit(call, {});
    to.on_permit_settled(call, {});
    highlevel::attempt_event attempt;
    attempt.error = make_error_code(errc::timeout);
    to.on_attempt(call, attempt);
    to.on_retry(call, {});
    highlevel::json::diagnostics bent;
    bent.add({highlevel::json::bend::coerced, "/contact/id", "expected a string"});
    to.on_diagnostics(call, bent);
    highlevel::auth::token_refresh_event renewed;
    renewed.resource = "location:loc1";
    to.on_token_refresh(renewed);
    renewed.error = make_error_code(errc::reinstall_required);
    renewed.status = 400;
    to.on_token_refresh(renewed);
    highlevel::http::connection_open_event opened;
    opened.peer = "services.leadconnectorhq.com:443 at 192.0.2.1:443";
    opened.secure = true;
    to.on_connection_open(opened);
    opened.error = make_error_code(errc::connect_failed);
    to.on_connection_open(opened);
    to.on_connection_close({});
    highlevel::call_end_event end;
    to.on_call_end(call, end);
    end.error = make_error_code(errc::timeout);
    end.cause = highlevel::cause::timeout;
    to.on_call_end(call, end);
}

} // namespace

TEST_CASE("a_line_of_text_is_words_and_values", "[client][log_observer]") {
    recorded_log to;
    auto o = to.make();
    highlevel::call_end_event end;
    end.status = 200;
    end.attempts = 2;
    end.took = 41'700us;
    o.on_call_end(some_call(), end);
    REQUIRE(to.lines.size() == 1);
    CHECK(
        to.lines[0] ==
        "call_end call=7 operation=contacts.get_contact verb=GET path=/contacts/{contactId} "
        "resource=location:loc1 status=200 attempts=2 took_ms=41.700");
    CHECK(to.levels[0] == log_level::info);
}

TEST_CASE("a_line_of_json_is_an_object", "[client][log_observer]") {
    recorded_log to{log_level::debug, log_format::json};
    to.options.now = [] { return std::chrono::sys_time<std::chrono::milliseconds>{1500ms}; };
    auto o = to.make();
    tell_everything(o);
    CHECK(to.lines.size() == 14);
    for (auto const& line : to.lines) {
        INFO(line);
        boost::system::error_code ec;
        auto const got = boost::json::parse(line, ec);
        REQUIRE_FALSE(ec);
        REQUIRE(got.is_object());
        CHECK(got.get_object().at("time").as_string() == "1970-01-01T00:00:01.500Z");
        CHECK(got.get_object().contains("level"));
        CHECK(got.get_object().contains("event"));
    }
    CHECK(
        to.lines.back() ==
        R"({"time":"1970-01-01T00:00:01.500Z","level":"error","event":"call_end","call":7,)"
        R"("operation":"contacts.get_contact","verb":"GET","path":"/contacts/{contactId}",)"
        R"("resource":"location:loc1","status":0,"attempts":0,"took_ms":0,"cause":"timeout",)"
        R"("error":")" +
            make_error_code(errc::timeout).message() + R"("})");
}

TEST_CASE("what_is_below_the_threshold_is_not_written", "[client][log_observer]") {
    std::vector<std::pair<log_level, std::size_t>> const expected{
        {log_level::debug, 14},
        {log_level::info, 7},
        {log_level::warning, 5},
        {log_level::error, 1}};
    for (auto const& [threshold, count] : expected) {
        recorded_log to{threshold};
        auto o = to.make();
        tell_everything(o);
        INFO(to_string(threshold));
        CHECK(to.lines.size() == count);
        for (auto const level : to.levels)
            CHECK(level >= threshold);
    }
}

TEST_CASE("no_name_can_break_a_line", "[client][log_observer]") {
    for (auto const format : {log_format::text, log_format::json}) {
        recorded_log to{log_level::debug, format};
        auto o = to.make();
        call_info call;
        call.path = "/a\nlevel=error b=\"\\";
        o.on_call_start(call);
        call.path = "/\xff\xc3\xa9";
        o.on_call_start(call);
        REQUIRE(to.lines.size() == 2);
        CHECK(to.lines[0].find('\n') == std::string::npos);
        CHECK_THAT(to.lines[0], test::contains(R"("/a\nlevel=error b=\"\\")"));
        CHECK_THAT(to.lines[1], test::contains("\"/\xef\xbf\xbd\xc3\xa9\""));
    }
}

TEST_CASE("a_sink_that_throws_loses_its_line_only", "[client][log_observer]") {
    int asked = 0;
    log_observer o{[&](log_level, std::string_view) {
        ++asked;
        throw std::runtime_error{"full"};
    }};
    o.on_call_end(some_call(), {});
    o.on_call_end(some_call(), {});
    CHECK(asked == 2);
    CHECK_THROWS_WITH(log_observer({}, {}), test::contains("sink"));
}

} // namespace log_observer_tests
