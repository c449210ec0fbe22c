// SPDX-License-Identifier: BSL-1.0
//
// The provider behind fixed tokens.
#pragma once

#include <highlevel/auth/credentials.hpp>
#include <highlevel/error.hpp>

namespace highlevel::auth {

namespace detail {

/// Which kind a fixed token counts as: that of the account it is used for, since the token itself
/// does not show its class.
[[nodiscard]] constexpr token_kinds private_kind(resource_kind kind) noexcept {
    return kind == resource_kind::location ? token_kinds::location_private
                                           : token_kinds::agency_private;
}

class private_integration_provider final : public provider {
public:
    explicit private_integration_provider(private_integration tokens)
        : tokens_(std::move(tokens)) {}

    boost::asio::awaitable<grant> authorize(token_request request) override {
        auto const kind = private_kind(request.kind);
        if ((request.accepted & kind) == token_kinds::none) {
            std::string why{"a Private Integration token of a "};
            why += to_string(request.kind);
            why += " is not accepted";
            co_return grant{make_error_code(errc::wrong_token_kind), std::move(why)};
        }
        auto token = tokens_.find(request.kind, request.id);
        if (!token || token->empty()) {
            std::string why{"no Private Integration token for "};
            why += to_string(request.kind);
            why += ' ';
            why += request.id;
            co_return grant{make_error_code(errc::no_token), std::move(why)};
        }
        co_return grant{std::move(token), kind};
    }

    boost::asio::awaitable<bool> renew(
        token_request request, std::shared_ptr<const secret> refused) override {
        // Fixed tokens are rotated by the caller: worth one more try only if that has happened.
        auto const current = tokens_.find(request.kind, request.id);
        co_return current&& refused && !(*current == *refused);
    }

    // They never wait.
    [[nodiscard]] bool keeps_deadlines() const noexcept override { return true; }

private:
    private_integration tokens_;
};

} // namespace detail

inline credentials::credentials(private_integration tokens)
    : provider_(std::make_shared<detail::private_integration_provider>(std::move(tokens))) {}

} // namespace highlevel::auth
