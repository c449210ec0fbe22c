// SPDX-License-Identifier: BSL-1.0
//
// The request methods of RFC 9110 that the API uses. Apart from everything else, because both an
// operation's facts and an HTTP request name a method and neither should pull the other in.
#pragma once

#include <cstdint>
#include <string_view>

namespace highlevel {

/// An HTTP request method (RFC 9110 section 9.3, RFC 5789 for `patch`).
enum class method : std::uint8_t { get, head, post, put, patch, delete_ };

/// The method as it stands on the wire, for example "DELETE".
[[nodiscard]] constexpr std::string_view to_string(method m) noexcept {
    switch (m) {
    case method::get: return "GET";
    case method::head: return "HEAD";
    case method::post: return "POST";
    case method::put: return "PUT";
    case method::patch: return "PATCH";
    case method::delete_: return "DELETE";
    }
    return "GET";
}

/// Whether repeating the request has the effect of sending it once (RFC 9110 section 9.2.2).
///
/// `put` counts as not idempotent here although the RFC lists it: HighLevel's PUT operations start
/// workflows and send messages, so a repeated one can be billed twice.
[[nodiscard]] constexpr bool is_idempotent(method m) noexcept {
    return m == method::get || m == method::head || m == method::delete_;
}

} // namespace highlevel
