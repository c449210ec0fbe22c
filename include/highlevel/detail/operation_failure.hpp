// SPDX-License-Identifier: BSL-1.0
//
// Failures that name an operation: what the parts that make several calls of one say when none of
// the calls failed; and what a code means by itself.
#pragma once

#include <highlevel/error.hpp>
#include <highlevel/operation.hpp>

#include <boost/asio/error.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace highlevel::detail {

/// What an error of ours means to the caller.
[[nodiscard]] inline cause cause_of(const error_code& code) noexcept {
    if (code == boost::asio::error::operation_aborted) return cause::cancelled;
    if (code.category() != client_category()) return cause::unknown;
    switch (static_cast<errc>(code.value())) {
    case errc::missing_parameter:
    case errc::invalid_argument:
    case errc::insecure_url: return cause::invalid_request;
    case errc::wrong_token_kind: return cause::wrong_token_kind;
    case errc::no_token: return cause::invalid_token;
    case errc::queue_full:
    case errc::permit_timeout: return cause::burst_limit;
    case errc::daily_exhausted: return cause::daily_limit;
    case errc::timeout: return cause::timeout;
    case errc::resolve_failed:
    case errc::connect_failed:
    case errc::proxy_failed:
    case errc::connection_lost:
    case errc::circuit_open: return cause::network;
    case errc::tls_failed:
    case errc::certificate_untrusted:
    case errc::hostname_mismatch: return cause::tls;
    case errc::malformed_response:
    case errc::response_too_large:
    case errc::unexpected_content:
    case errc::decode_failed:
    case errc::paging_stuck: return cause::bad_response;
    case errc::refused_in_body:
    case errc::file_failed: return cause::unknown;
    case errc::reinstall_required: return cause::reinstall_required;
    }
    return cause::unknown;
}

/// "contacts.get_contact".
[[nodiscard]] inline std::string operation_name(const operation_meta& meta) {
    std::string name{meta.family};
    name += '.';
    name += meta.name;
    return name;
}

/// A failure of the operation, for the reason `why`.
[[nodiscard]] inline failure operation_failure(
    const operation_meta& meta, error_code code, cause what, std::string_view why) {
    failure_data data;
    data.operation = operation_name(meta);
    data.verb = meta.verb;
    data.path = meta.path;
    data.detail = why;
    data.cause = what;
    return failure{code, std::move(data)};
}

/// A success that lacks what the next call needs.
[[nodiscard]] inline failure unusable(const operation_meta& meta, std::string_view why) {
    return operation_failure(
        meta, make_error_code(errc::unexpected_content), cause::bad_response, why);
}

} // namespace highlevel::detail
