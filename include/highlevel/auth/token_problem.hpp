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

} // namespace highlevel::auth
