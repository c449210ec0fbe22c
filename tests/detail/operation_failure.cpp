// SPDX-License-Identifier: BSL-1.0
//
// What codes mean by themselves.
#include "support/catch.hpp"

#include <highlevel/detail/operation_failure.hpp>

#include <boost/asio/error.hpp>
#include <boost/system/errc.hpp>

#include <utility>

namespace detail_operation_failure_tests {

using highlevel::cause;
using highlevel::errc;
using highlevel::detail::cause_of;

TEST_CASE("a_code_has_a_cause_by_itself", "[detail]") {
    for (auto const& [code, why] :
         {std::pair{errc::missing_parameter, cause::invalid_request},
          std::pair{errc::permit_timeout, cause::burst_limit},
          std::pair{errc::daily_exhausted, cause::daily_limit},
          std::pair{errc::timeout, cause::timeout},
          std::pair{errc::connection_lost, cause::network},
          std::pair{errc::hostname_mismatch, cause::tls},
          std::pair{errc::malformed_response, cause::bad_response},
          std::pair{errc::no_token, cause::invalid_token},
          std::pair{errc::file_failed, cause::unknown}}) {
        CAPTURE(highlevel::make_error_code(code).message());
        CHECK(cause_of(highlevel::make_error_code(code)) == why);
    }
    CHECK(cause_of(boost::asio::error::operation_aborted) == cause::cancelled);
    CHECK(cause_of(make_error_code(boost::system::errc::io_error)) == cause::unknown);
}

} // namespace detail_operation_failure_tests
