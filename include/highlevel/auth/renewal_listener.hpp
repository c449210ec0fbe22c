// SPDX-License-Identifier: BSL-1.0
//
// Who wants to know of renewed tokens: which, how it went, how long it took; never the token.
#pragma once

#include <boost/system/error_code.hpp>

#include <chrono>
#include <cstdint>
#include <string_view>

namespace highlevel::auth {

/// How an access token is got anew.
enum class renewal_kind : std::uint8_t {
    /// By its refresh token.
    refresh,
    /// A location's from its company's.
    mint,
};

/// The enumerator's name.
[[nodiscard]] constexpr std::string_view to_string(renewal_kind k) noexcept {
    return k == renewal_kind::refresh ? "refresh" : "mint";
}

/// One attempt to renew a token, after it ended. Holds no secret. The views live only as long as
/// the event's function runs.
class token_refresh_event {
public:
    token_refresh_event() = default;

    /// Whose token: "location:ID" or "company:ID".
    std::string_view resource;
    renewal_kind how = renewal_kind::refresh;
    /// Success, or why there is no new token; it may be tried again.
    boost::system::error_code error;
    /// The HTTP status of a refusal; 0 when there was none, or no response.
    unsigned status = 0;
    /// From the beginning of the attempt to the end of its answer, permits that were waited for
    /// included; of a mint also what comes before its request: reads of the store, and the renewal
    /// of the company's own token.
    std::chrono::nanoseconds took{0};
};

/// Receives what becomes of renewals. The function is called from whichever thread does the work,
/// several at once, and must neither block nor throw.
class renewal_listener {
public:
    renewal_listener() = default;
    renewal_listener(const renewal_listener&) = delete;
    renewal_listener& operator=(const renewal_listener&) = delete;
    virtual ~renewal_listener() = default;

    /// An attempt to renew a token ended.
    virtual void on_token_refresh(const token_refresh_event& /*event*/) noexcept {}
};

} // namespace highlevel::auth
