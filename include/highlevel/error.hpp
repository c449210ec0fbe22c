// SPDX-License-Identifier: BSL-1.0
//
// What can go wrong, in three grains: `errc` (which check of ours failed) or the HTTP status as an
// error code, `cause` (what it means to a caller of this API), and `failure` (everything known).
#pragma once

#include <highlevel/call_times.hpp>
#include <highlevel/detail/share.hpp>
#include <highlevel/method.hpp>

#include <boost/system/error_category.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/error_condition.hpp>
#include <boost/system/result.hpp>
#include <boost/system/system_error.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel {

using boost::system::error_code;

/// Errors that this library finds itself; a refusal by the server is its HTTP status instead.
enum class errc : int {
    /// A required member of the operation is empty; nothing was sent. The failure names it.
    missing_parameter = 1,
    /// An argument or option cannot be used as it is; nothing was sent.
    invalid_argument,
    /// The base URL is not https, and its host is not this machine.
    insecure_url,
    /// The operation does not accept the kind of token that the account has; nothing was sent.
    wrong_token_kind,
    /// No credentials cover the account; nothing was sent.
    no_token,
    /// Too many calls wait for this resource's permits already (limits.queue); nothing was sent.
    queue_full,
    /// The permit could not be had before the deadline; nothing was sent.
    permit_timeout,
    /// The day's requests of this resource are used up; nothing was sent.
    daily_exhausted,
    /// The deadline passed; `failure::reached()` says in which phase.
    timeout,
    /// The host name has no address.
    resolve_failed,
    /// No connection to any address could be opened.
    connect_failed,
    /// The proxy refused the tunnel.
    proxy_failed,
    /// The TLS handshake failed for another reason than the certificate.
    tls_failed,
    /// The server's certificate is not trusted, expired, or for another use.
    certificate_untrusted,
    /// The server's certificate is for another host name.
    hostname_mismatch,
    /// The connection ended before the response was complete.
    connection_lost,
    /// What came is not an HTTP/1.1 response.
    malformed_response,
    /// The response body is larger than the bound.
    response_too_large,
    /// A success whose body should be JSON and is not (an HTML page, cut text, ...).
    unexpected_content,
    /// Strict decoding found a difference between the body and the type.
    decode_failed,
    /// The server refused in the body of a 2xx response.
    refused_in_body,
    /// The OAuth refresh token is no longer valid: the app must be installed again.
    reinstall_required,
    /// Connecting has failed too often in a row and is not tried for a while; nothing was sent.
    circuit_open,
    /// A file to be sent cannot be read, or received content cannot be stored.
    file_failed,
    /// A list cannot be read to its end: the server repeated a page or a cursor, or gave no way on
    /// from a full page. Nothing was sent.
    paging_stuck,
};

/// Classes of error codes; compare an error_code with one to branch on the class.
enum class condition : int {
    /// A 4xx status.
    client_error = 1,
    /// A 5xx status.
    server_error,
    /// Status 429, or a local limit: permit_timeout, queue_full, daily_exhausted.
    rate_limited,
    /// Trying again later can succeed without a change by the caller.
    retryable,
    /// A deadline passed: timeout or permit_timeout.
    timed_out,
};

/// What a failure means to the caller, learned from status, body and headers.
///
/// Source: refusals of the live API as integrators report them; HighLevel documents few of them.
enum class cause : std::uint8_t {
    /// Not recognised; look at status and messages.
    unknown,
    /// The operation is incomplete or malformed (missing_parameter, invalid_argument, 400, 422).
    invalid_request,
    /// The token lacks a scope that the operation needs.
    scope_missing,
    /// The token is of the wrong class: agency for location or the other way round.
    wrong_token_kind,
    /// The token does not cover this location, or the location was missing from the request.
    wrong_location,
    /// The token is not valid: mistyped, rotated, revoked or expired.
    invalid_token,
    /// The OAuth tokens can no longer be renewed: the app must be installed again.
    reinstall_required,
    /// An API 1.0 key was sent to API 2.0.
    v1_key,
    /// The `Version` header is missing or not accepted.
    wrong_version,
    /// No such path under this Version; letter case and trailing slash count.
    unknown_route,
    /// The record does not exist. HighLevel often answers 400 for this.
    not_found,
    /// The record exists already; `failure::recovery_id()` names it.
    duplicate,
    /// The account's plan does not include the feature.
    plan_level,
    /// Refused, and none of the more exact causes is recognised (403).
    forbidden,
    /// More requests within the interval than the resource may send.
    burst_limit,
    /// The resource's requests of the day are used up.
    daily_limit,
    /// A gateway in front of the API refused the client: an HTML page with status 403, 429,
    /// 503, 530 or another 4xx of Cloudflare's, often with a number of its own (Cloudflare's error
    /// 1020).
    blocked,
    /// The server failed (5xx), or a gateway gave up on it.
    server_error,
    /// A deadline passed.
    timeout,
    /// The server could not be reached, or the connection was lost.
    network,
    /// TLS or the certificate.
    tls,
    /// The response could not be understood.
    bad_response,
    /// The call was cancelled, or its client was destroyed.
    cancelled,
};

/// The enumerator's name, for example "scope_missing".
[[nodiscard]] constexpr std::string_view to_string(cause c) noexcept {
    switch (c) {
    case cause::unknown: return "unknown";
    case cause::invalid_request: return "invalid_request";
    case cause::scope_missing: return "scope_missing";
    case cause::wrong_token_kind: return "wrong_token_kind";
    case cause::wrong_location: return "wrong_location";
    case cause::invalid_token: return "invalid_token";
    case cause::reinstall_required: return "reinstall_required";
    case cause::v1_key: return "v1_key";
    case cause::wrong_version: return "wrong_version";
    case cause::unknown_route: return "unknown_route";
    case cause::not_found: return "not_found";
    case cause::duplicate: return "duplicate";
    case cause::plan_level: return "plan_level";
    case cause::forbidden: return "forbidden";
    case cause::burst_limit: return "burst_limit";
    case cause::daily_limit: return "daily_limit";
    case cause::blocked: return "blocked";
    case cause::server_error: return "server_error";
    case cause::timeout: return "timeout";
    case cause::network: return "network";
    case cause::tls: return "tls";
    case cause::bad_response: return "bad_response";
    case cause::cancelled: return "cancelled";
    }
    return "unknown";
}

} // namespace highlevel

template <>
struct boost::system::is_error_code_enum<highlevel::errc> : std::true_type {};
template <>
struct boost::system::is_error_condition_enum<highlevel::condition> : std::true_type {};

namespace highlevel {

namespace detail {

class errc_category final : public boost::system::error_category {
public:
    constexpr errc_category() noexcept : error_category(0x9a1f3c5d7b2e4861ULL) {}

    [[nodiscard]] const char* name() const noexcept override { return "highlevel"; }

    [[nodiscard]] std::string message(int value) const override {
        switch (static_cast<errc>(value)) {
        case errc::missing_parameter: return "a required parameter is missing";
        case errc::invalid_argument: return "an argument cannot be used";
        case errc::insecure_url: return "the base URL must be https unless its host is loopback";
        case errc::wrong_token_kind: return "the operation does not accept this kind of token";
        case errc::no_token: return "no credentials cover this account";
        case errc::queue_full: return "too many calls wait for this resource already";
        case errc::permit_timeout: return "no permit could be had before the deadline";
        case errc::daily_exhausted: return "the daily limit of this resource is used up";
        case errc::timeout: return "the deadline passed";
        case errc::resolve_failed: return "the host name could not be resolved";
        case errc::connect_failed: return "no connection could be opened";
        case errc::proxy_failed: return "the proxy refused the tunnel";
        case errc::tls_failed: return "the TLS handshake failed";
        case errc::certificate_untrusted: return "the server's certificate is not trusted";
        case errc::hostname_mismatch: return "the server's certificate is for another host";
        case errc::connection_lost: return "the connection ended before the response was complete";
        case errc::malformed_response: return "the response is not valid HTTP/1.1";
        case errc::response_too_large: return "the response body is larger than allowed";
        case errc::unexpected_content: return "the response body is not JSON";
        case errc::decode_failed: return "the response body does not match its type";
        case errc::refused_in_body: return "the server reported an error in a success response";
        case errc::reinstall_required: return "the app must be installed again";
        case errc::circuit_open: return "connecting has failed too often to be tried now";
        case errc::file_failed: return "content could not be read or stored";
        case errc::paging_stuck: return "the list cannot be read to its end";
        }
        return "unknown error";
    }

    [[nodiscard]] bool failed(int value) const noexcept override { return value != 0; }
};

class status_category final : public boost::system::error_category {
public:
    constexpr status_category() noexcept : error_category(0x6c0d2b8e94f7a135ULL) {}

    [[nodiscard]] const char* name() const noexcept override { return "highlevel.http_status"; }

    [[nodiscard]] std::string message(int value) const override {
        return "HTTP status " + std::to_string(value);
    }

    [[nodiscard]] bool failed(int value) const noexcept override {
        return value < 200 || value > 299;
    }
};

class condition_category final : public boost::system::error_category {
public:
    constexpr condition_category() noexcept : error_category(0x35e8a7d1906b4cf2ULL) {}

    [[nodiscard]] const char* name() const noexcept override { return "highlevel.condition"; }
    [[nodiscard]] std::string message(int value) const override;
    [[nodiscard]] bool equivalent(const error_code& code, int value) const noexcept override;
};

inline constexpr errc_category errc_category_instance{};
inline constexpr status_category status_category_instance{};
inline constexpr condition_category condition_category_instance{};

} // namespace detail

/// The category of `errc`; its name is "highlevel".
[[nodiscard]] inline const boost::system::error_category& client_category() noexcept {
    return detail::errc_category_instance;
}

/// The category whose values are HTTP status codes; its name is "highlevel.http_status".
[[nodiscard]] inline const boost::system::error_category& status_category() noexcept {
    return detail::status_category_instance;
}

[[nodiscard]] inline error_code make_error_code(errc e) noexcept {
    return {static_cast<int>(e), client_category()};
}

[[nodiscard]] inline boost::system::error_condition make_error_condition(condition c) noexcept {
    return {static_cast<int>(c), detail::condition_category_instance};
}

/// An HTTP status as an error code.
[[nodiscard]] inline error_code make_status_code(unsigned status) noexcept {
    return {static_cast<int>(status), status_category()};
}

namespace detail {

inline std::string condition_category::message(int value) const {
    switch (static_cast<condition>(value)) {
    case condition::client_error: return "refused by the server (4xx)";
    case condition::server_error: return "the server failed (5xx)";
    case condition::rate_limited: return "rate limited";
    case condition::retryable: return "can succeed when tried again";
    case condition::timed_out: return "a deadline passed";
    }
    return "unknown condition";
}

inline bool condition_category::equivalent(const error_code& code, int value) const noexcept {
    bool const is_status = code.category() == status_category();
    bool const is_ours = code.category() == client_category();
    int const status = is_status ? code.value() : 0;
    errc const ours = is_ours ? static_cast<errc>(code.value()) : errc{};
    bool const timed_out = ours == errc::timeout || ours == errc::permit_timeout;
    bool const limited = status == 429 || ours == errc::permit_timeout ||
        ours == errc::queue_full || ours == errc::daily_exhausted;
    switch (static_cast<condition>(value)) {
    case condition::client_error: return status >= 400 && status < 500;
    case condition::server_error: return status >= 500 && status < 600;
    case condition::rate_limited: return limited;
    case condition::timed_out: return timed_out;
    case condition::retryable:
        return limited || timed_out || status == 408 || status >= 500 ||
            ours == errc::resolve_failed || ours == errc::connect_failed ||
            ours == errc::connection_lost || ours == errc::circuit_open;
    }
    return false;
}

/// Everything known of a failure; filled in by the client on the way up.
class failure_data {
public:
    failure_data() = default;

    error_code code;
    highlevel::cause cause = highlevel::cause::unknown;
    unsigned status = 0;
    int attempts = 0;
    bool may_have_been_processed = false;
    method verb = method::get;
    std::string operation;
    std::string path;
    std::string detail;
    std::string hint;
    std::vector<std::string> messages;
    std::string trace_id;
    std::string recovery_id;
    std::string matching_field;
    std::string canonical_code;
    std::string phase;
    call_times times;
    std::vector<std::string> scopes;
    std::optional<std::chrono::milliseconds> retry_in;
    std::string body;
};

} // namespace detail

/// Everything that is known of a failed call.
///
/// Holds no token and no request body. What the server wrote (`messages`, `body`, ids) is its data:
/// do not show it to users unescaped. A copy shares its content. One that was moved from may only
/// be assigned to or destroyed.
///
/// Thread safety: distinct objects: safe, also copies of one failure; shared objects: safe to read.
class failure {
public:
    failure() : data_(detail::share<detail::failure_data>()) {}
    failure(error_code code, detail::failure_data data) {
        data.code = code;
        data_ = detail::share<detail::failure_data>(std::move(data));
    }

    /// An `errc`, an HTTP status (`status_category()`), or `operation_aborted`.
    [[nodiscard]] const error_code& code() const noexcept { return data_->code; }
    /// What it means.
    [[nodiscard]] highlevel::cause cause() const noexcept { return data_->cause; }
    /// The HTTP status; 0 when there was no response.
    [[nodiscard]] unsigned status() const noexcept { return data_->status; }
    /// Family and name of the operation, for example "contacts.get_contact".
    [[nodiscard]] const std::string& operation() const noexcept { return data_->operation; }
    [[nodiscard]] highlevel::method verb() const noexcept { return data_->verb; }
    /// The request's path without its query (which may hold personal data).
    [[nodiscard]] const std::string& path() const noexcept { return data_->path; }
    /// What went wrong on our side in words: the parameter, the address, the phase.
    [[nodiscard]] const std::string& detail() const noexcept { return data_->detail; }
    /// What to do about it, in one line; empty when there is nothing to say.
    [[nodiscard]] const std::string& hint() const noexcept { return data_->hint; }
    /// The server's messages, each one of a list apart. Untrusted text.
    [[nodiscard]] const std::vector<std::string>& messages() const noexcept {
        return data_->messages;
    }
    /// HighLevel's `traceId`, which its support asks for; may be empty.
    [[nodiscard]] const std::string& trace_id() const noexcept { return data_->trace_id; }
    /// The id of the record that is in the way (`duplicate`): a contact's or a conversation's.
    [[nodiscard]] const std::string& recovery_id() const noexcept { return data_->recovery_id; }
    /// The field that is duplicated, for example "email"; empty when the server did not say.
    [[nodiscard]] const std::string& matching_field() const noexcept {
        return data_->matching_field;
    }
    /// The server's `canonicalCode`, where it gives one.
    [[nodiscard]] const std::string& canonical_code() const noexcept {
        return data_->canonical_code;
    }
    /// Where a time-out, a lost connection or the cancellation struck: "token", "permit", "pause"
    /// (between attempts), or a phase of the exchange, for example "first_byte"; empty otherwise.
    [[nodiscard]] const std::string& reached() const noexcept { return data_->phase; }
    /// Where the call's time went, all attempts together.
    [[nodiscard]] const call_times& times() const noexcept { return data_->times; }
    /// The OAuth scopes that the operation needs.
    [[nodiscard]] const std::vector<std::string>& scopes() const noexcept { return data_->scopes; }
    /// For a limit: when a permit could be had, counted from the failure. For errc::circuit_open:
    /// when connecting will be tried again.
    [[nodiscard]] std::optional<std::chrono::milliseconds> retry_in() const noexcept {
        return data_->retry_in;
    }
    /// The response body as received; may be empty. Untrusted text.
    [[nodiscard]] const std::string& body() const noexcept { return data_->body; }
    /// How many times the request was sent.
    [[nodiscard]] int attempts() const noexcept { return data_->attempts; }
    /// False when the server surely did nothing: the call may be repeated whatever its method.
    [[nodiscard]] bool may_have_been_processed() const noexcept {
        return data_->may_have_been_processed;
    }

    /// One line: operation, what happened, the server's messages, trace id, hint.
    [[nodiscard]] std::string what() const {
        std::string text;
        if (!data_->operation.empty()) {
            text += data_->operation;
            text += " (";
            text += to_string(data_->verb);
            text += ' ';
            text += data_->path;
            text += "): ";
        }
        text += code().message();
        if (data_->cause != highlevel::cause::unknown) {
            text += " [";
            text += to_string(data_->cause);
            text += ']';
        }
        if (!data_->detail.empty()) text += ": " + data_->detail;
        if (!data_->phase.empty()) {
            text += " (in phase " + data_->phase;
            auto const spent = data_->times.text();
            if (!spent.empty()) text += "; time spent: " + spent;
            text += ')';
        }
        for (auto const& m : data_->messages)
            text += "; server: " + m;
        if (!data_->trace_id.empty()) text += "; trace id " + data_->trace_id;
        if (!data_->hint.empty()) text += "; hint: " + data_->hint;
        return text;
    }

private:
    std::shared_ptr<const detail::failure_data> data_;
};

/// What `call` throws: a `boost::system::system_error` that carries the failure.
class error : public boost::system::system_error {
public:
    explicit error(highlevel::failure f)
        : system_error(f.code()),
          failure_(std::move(f)),
          what_(failure_.what()) {}

    /// As failure().what().
    [[nodiscard]] const char* what() const noexcept override { return what_.c_str(); }
    [[nodiscard]] const highlevel::failure& failure() const noexcept { return failure_; }
    /// Shorthand for failure().cause().
    [[nodiscard]] highlevel::cause cause() const noexcept { return failure_.cause(); }

private:
    highlevel::failure failure_;
    std::string what_;
};

/// A value or a failure. `value()` throws `highlevel::error`; `error()` gives the failure.
template <class T>
using result = boost::system::result<T, failure>;

/// Found by Boost.System by argument-dependent look-up: makes `result<T>::value()` throw `error`.
[[noreturn]] inline void throw_exception_from_error(
    const failure& f, const boost::source_location& /*where*/) {
    throw error{f};
}

} // namespace highlevel
