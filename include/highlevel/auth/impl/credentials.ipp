// SPDX-License-Identifier: BSL-1.0
//
// The provider behind fixed tokens.
#pragma once

#include <highlevel/auth/credentials.hpp>
#include <highlevel/detail/share.hpp>
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
        co_return find(request);
    }
    [[nodiscard]] grant try_authorize(const token_request& request) override {
        return find(request);
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
    [[nodiscard]] grant find(const token_request& request) const {
        auto const kind = private_kind(request.kind);
        if ((request.accepted & kind) == token_kinds::none) {
            std::string why{"a Private Integration token of a "};
            why += to_string(request.kind);
            why += " is not accepted";
            return {make_error_code(errc::wrong_token_kind), std::move(why)};
        }
        auto token = tokens_.find(request.kind, request.id);
        if (!token || token->empty()) {
            std::string why{"no Private Integration token for "};
            why += to_string(request.kind);
            why += ' ';
            why += request.id;
            return {make_error_code(errc::no_token), std::move(why)};
        }
        return {std::move(token), kind};
    }

    private_integration tokens_;
};

/// Which token an OAuth app must have for an account of that kind: an error when the operation does
/// not accept it.
[[nodiscard]] inline grant check_oauth_kind(const token_request& request) {
    auto const own = request.kind == resource_kind::location ? token_kinds::location_oauth
                                                             : token_kinds::agency_oauth;
    if ((request.accepted & own) != token_kinds::none) return {nullptr, own};
    auto const other = request.kind == resource_kind::location ? token_kinds::agency_oauth
                                                               : token_kinds::location_oauth;
    std::string why;
    if ((request.accepted & other) == token_kinds::none)
        why = "only a Private Integration token is accepted, and this app has OAuth tokens";
    else if (request.kind == resource_kind::location)
        why = "a company's token is needed: make the call with client.company(id)";
    else
        why = "a location's token is needed: make the call with client.location(id)";
    return {make_error_code(errc::wrong_token_kind), std::move(why)};
}

class access_token_provider final : public provider {
public:
    explicit access_token_provider(access_token token) : token_(std::move(token)) {}

    boost::asio::awaitable<grant> authorize(token_request request) override {
        co_return find(request);
    }
    [[nodiscard]] grant try_authorize(const token_request& request) override {
        return find(request);
    }

    boost::asio::awaitable<bool> renew(
        token_request /*request*/, std::shared_ptr<const secret> /*refused*/) override {
        co_return false;
    }

    // It never waits.
    [[nodiscard]] bool keeps_deadlines() const noexcept override { return true; }

private:
    [[nodiscard]] grant find(const token_request& request) const {
        auto granted = check_oauth_kind(request);
        if (granted.error) return granted;
        if (request.kind != token_.kind() || token_.text()->empty()) {
            std::string why{"the access token is not one of a "};
            why += to_string(request.kind);
            return {make_error_code(errc::no_token), std::move(why)};
        }
        granted.token = token_.text();
        return granted;
    }

    access_token token_;
};

} // namespace detail

inline credentials::credentials(access_token token)
    : provider_(highlevel::detail::share<detail::access_token_provider>(std::move(token))) {}

inline credentials::credentials(private_integration tokens)
    : provider_(highlevel::detail::share<detail::private_integration_provider>(std::move(tokens))) {
}

} // namespace highlevel::auth
