// SPDX-License-Identifier: BSL-1.0
//
// Why there is no token: what a call that needed one reports instead of a refusal of its own.
#pragma once

#include <highlevel/error.hpp>

#include <string>
#include <utility>
#include <vector>

namespace highlevel::auth {

/// Why there is no token.
class token_problem {
public:
    token_problem() = default;
    token_problem(error_code c, std::string why) : code(c), detail(std::move(why)) {}

    error_code code;
    /// In words; holds no secret.
    std::string detail;
    /// What the server's refusal of a refresh or a mint means; `unknown` when it was not asked.
    highlevel::cause cause = highlevel::cause::unknown;
    /// Of that refusal; 0 for none.
    unsigned status = 0;
    /// The server's words: its data, not ours.
    std::vector<std::string> messages;
    /// One line of advice; may be empty.
    std::string hint;
};

namespace detail {

/// Puts what the server said of a token into a failure's data; a hint that is there already stays
/// where the server's refusal gives none.
inline void tell_refusal(highlevel::detail::failure_data& data, const token_problem& problem) {
    data.cause = problem.cause;
    data.status = problem.status;
    data.messages = problem.messages;
    if (!problem.hint.empty()) data.hint = problem.hint;
}

} // namespace detail

} // namespace highlevel::auth
