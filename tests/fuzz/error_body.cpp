// SPDX-License-Identifier: BSL-1.0
//
// Error bodies of any shape, and bodies of successes that claim to be errors: they are read without
// trust, and what is made of them is bounded.

#include "fuzz.hpp"

#include <highlevel/detail/classify.hpp>

#include <string>

namespace fuzz::error_body {

int one_input(const std::uint8_t* data, std::size_t size) {
    constexpr unsigned statuses[] = {400, 401, 403, 404, 409, 422, 429, 500, 503, 520};
    constexpr std::string_view scopes[] = {"contacts.readonly", "contacts.write"};
    fuzz::input in{data, size};
    highlevel::http::response reply;
    reply.status = statuses[in.byte() % std::size(statuses)];
    reply.fields.add("x-ratelimit-daily-remaining", in.line());
    reply.body = in.rest();
    auto const body = highlevel::detail::read_error_body(reply.body);
    fuzz::require(body.messages.size() <= 32, "messages are bounded");
    auto const meaning = highlevel::detail::read_refusal(reply, body, scopes);
    fuzz::require(
        meaning.cause != highlevel::cause::unknown, "a refusal with such a status has a cause");
    return 0;
}

} // namespace fuzz::error_body
