// SPDX-License-Identifier: BSL-1.0
//
// Error codes, conditions and failures.

#include "support/catch.hpp"

#include <highlevel/error.hpp>

#include <boost/asio/error.hpp>

namespace error_tests {

using highlevel::condition;
using highlevel::errc;
using highlevel::failure;
using highlevel::make_error_code;
using highlevel::make_status_code;

TEST_CASE("statuses_are_error_codes_with_classes", "[client]") {
    CHECK_FALSE(make_status_code(200).failed());
    CHECK(make_status_code(404).failed());
    CHECK(make_status_code(404) == condition::client_error);
    CHECK_FALSE(make_status_code(404) == condition::server_error);
    CHECK_FALSE(make_status_code(404) == condition::retryable);
    CHECK(make_status_code(502) == condition::server_error);
    CHECK(make_status_code(502) == condition::retryable);
    CHECK(make_status_code(429) == condition::rate_limited);
    CHECK(make_status_code(429) == condition::client_error);
    CHECK(make_status_code(429).message() == "HTTP status 429");
}

TEST_CASE("local_limits_and_time_outs_have_classes", "[client]") {
    CHECK(make_error_code(errc::queue_full) == condition::rate_limited);
    CHECK(make_error_code(errc::permit_timeout) == condition::rate_limited);
    CHECK(make_error_code(errc::permit_timeout) == condition::timed_out);
    CHECK(make_error_code(errc::timeout) == condition::timed_out);
    CHECK(make_error_code(errc::connection_lost) == condition::retryable);
    CHECK_FALSE(make_error_code(errc::certificate_untrusted) == condition::retryable);
    CHECK_FALSE(make_error_code(errc::missing_parameter) == condition::client_error);
    boost::system::error_code const aborted{boost::asio::error::operation_aborted};
    CHECK_FALSE(aborted == condition::retryable);
}

TEST_CASE("every_errc_has_a_message_of_its_own", "[client]") {
    std::vector<std::string> seen;
    for (int i = 1; i <= static_cast<int>(errc::paging_stuck); ++i) {
        auto const text = make_error_code(static_cast<errc>(i)).message();
        CHECK(text != "unknown error");
        CHECK(std::find(seen.begin(), seen.end(), text) == seen.end());
        seen.push_back(text);
    }
}

TEST_CASE("a_failure_tells_the_whole_story_in_one_line", "[client]") {
    highlevel::detail::failure_data data;
    data.operation = "contacts.get_contact";
    data.verb = highlevel::method::get;
    data.path = "/contacts/abc";
    data.cause = highlevel::cause::scope_missing;
    data.status = 401;
    data.messages = {"The token is not authorized for this scope."};
    data.trace_id = "t-1";
    data.hint = "the token needs the scope contacts.readonly";
    failure const f{make_status_code(401), data};
    CHECK(
        f.what() ==
        "contacts.get_contact (GET /contacts/abc): HTTP status 401 [scope_missing]; server: The "
        "token is not authorized for this scope.; trace id t-1; hint: the token needs the scope "
        "contacts.readonly");
    CHECK(f.status() == 401);
    CHECK(f.cause() == highlevel::cause::scope_missing);
}

TEST_CASE("value_of_a_failed_result_throws_the_failure", "[client]") {
    highlevel::detail::failure_data data;
    data.cause = highlevel::cause::not_found;
    highlevel::result<int> const r{failure{make_status_code(404), data}};
    REQUIRE(r.has_error());
    try {
        (void)r.value();
        FAIL("value() did not throw");
    } catch (const highlevel::error& e) {
        CHECK(e.cause() == highlevel::cause::not_found);
        CHECK(e.code() == make_status_code(404));
        CHECK(e.failure().status() == 0);
        CHECK(std::string{e.what()} == e.failure().what());
    }
}

} // namespace error_tests
