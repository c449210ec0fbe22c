// SPDX-License-Identifier: BSL-1.0
//
// What a token endpoint may answer, and what a store may give back: a token or none, whose times
// make sense and which is the same when it is written and read again.

#include "fuzz.hpp"

#include <highlevel/auth/detail/oauth_wire.hpp>
#include <highlevel/auth/token_json.hpp>

#include <string>
#include <string_view>

namespace fuzz::token {

namespace auth = highlevel::auth;

namespace {

void keep(const auth::token& value) {
    auto const written = auth::write_token(value);
    auto const again = auth::read_token(written.reveal());
    fuzz::require(again.has_value(), "a token that was written can be read");
    fuzz::require(again->access == value.access, "the access token is the same");
    fuzz::require(again->refresh == value.refresh, "the refresh token is the same");
    fuzz::require(again->expires_at == value.expires_at, "the end is the same");
    fuzz::require(again->scopes == value.scopes, "the scopes are the same");
}

} // namespace

int one_input(const std::uint8_t* data, std::size_t size) {
    fuzz::input in{data, size};
    auto const status = in.byte();
    std::string const body{in.rest()};
    auth::timestamp const now{std::chrono::seconds{1'750'000'000}};
    if (auto const answer = auth::detail::read_token_answer(body, now)) {
        auto const& value = answer->value;
        fuzz::require(!value.access.empty(), "an answer has an access token");
        fuzz::require(
            value.expires_at == auth::timestamp{} || value.expires_at > now,
            "a new token has not expired");
        keep(value);
    }
    (void)auth::detail::read_installed(body);
    if (auto const stored = auth::read_token(body)) keep(*stored);

    highlevel::http::exchange_result answered;
    answered.reply.status = 200U + status;
    answered.reply.fields.add("retry-after", body.substr(0, 12));
    answered.reply.body = body;
    for (std::string_view const bearer : {std::string_view{}, std::string_view{"pit-x"}}) {
        auto const refused = auth::detail::judge_refusal(answered, "token", bearer, now);
        fuzz::require(refused.problem.code.failed(), "a refusal has a code");
        fuzz::require(refused.retry_after.count() >= 0, "a delay is not negative");
    }
    return 0;
}

} // namespace fuzz::token
