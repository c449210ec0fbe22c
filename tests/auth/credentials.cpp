// SPDX-License-Identifier: BSL-1.0
//
// Fixed tokens: which account gets which, and what cannot be.

#include "support/catch.hpp"

#include <highlevel/auth/credentials.hpp>
#include <highlevel/error.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <string>

namespace auth_credentials_tests {

namespace asio = boost::asio;
using highlevel::errc;
using highlevel::token_kinds;
using highlevel::auth::credentials;
using highlevel::auth::grant;
using highlevel::auth::private_integration;
using highlevel::auth::resource_kind;
using highlevel::auth::secret;
using highlevel::auth::token_request;

namespace {

grant ask(const credentials& c, const token_request& request) {
    asio::io_context context;
    auto future = asio::co_spawn(context, c.source()->authorize(request), asio::use_future);
    context.run();
    return future.get();
}

bool renew(const credentials& c, const token_request& request, std::shared_ptr<const secret> old) {
    asio::io_context context;
    auto future =
        asio::co_spawn(context, c.source()->renew(request, std::move(old)), asio::use_future);
    context.run();
    return future.get();
}

token_request location(std::string_view id, token_kinds accepted = token_kinds::any) {
    return {resource_kind::location, id, accepted};
}
token_request company(std::string_view id, token_kinds accepted = token_kinds::any) {
    return {resource_kind::company, id, accepted};
}

} // namespace

TEST_CASE("one_token_serves_every_account", "[auth]") {
    credentials const c = private_integration{"pit-all"};
    CHECK(ask(c, location("a")).token->reveal() == "pit-all");
    CHECK(ask(c, company("b")).token->reveal() == "pit-all");
}

TEST_CASE("the_more_exact_token_wins", "[auth]") {
    private_integration tokens{"pit-all"};
    tokens.location("a", secret{"pit-a"}).company("c", secret{"pit-c"});
    credentials const c = tokens;
    CHECK(ask(c, location("a")).token->reveal() == "pit-a");
    CHECK(ask(c, location("c")).token->reveal() == "pit-all");
    CHECK(ask(c, company("c")).token->reveal() == "pit-c");
}

TEST_CASE("an_account_without_a_token_is_named", "[auth]") {
    private_integration tokens;
    tokens.location("a", secret{"pit-a"});
    auto const g = ask(tokens, location("b"));
    CHECK(g.error == errc::no_token);
    CHECK(g.detail == "no Private Integration token for location b");
    CHECK(g.token == nullptr);
}

TEST_CASE("an_operation_that_takes_only_agency_tokens_is_refused_on_a_location", "[auth]") {
    credentials const c = private_integration{"pit-all"};
    CHECK(ask(c, location("a", token_kinds::agency)).error == errc::wrong_token_kind);
    CHECK(ask(c, company("a", token_kinds::location)).error == errc::wrong_token_kind);
    CHECK_FALSE(ask(c, company("a", token_kinds::agency)).error);
    // OAuth only: a Private Integration token will not do.
    CHECK(ask(c, company("a", token_kinds::agency_oauth)).error == errc::wrong_token_kind);
}

TEST_CASE("a_rotated_token_is_seen_by_the_client_and_worth_one_more_try", "[auth]") {
    private_integration tokens{"pit-old"};
    credentials const c = tokens;
    auto const old = ask(c, location("a")).token;
    CHECK_FALSE(renew(c, location("a"), old));
    tokens.all(secret{"pit-new"});
    CHECK(renew(c, location("a"), old));
    CHECK(ask(c, location("a")).token->reveal() == "pit-new");
    CHECK(old->reveal() == "pit-old");
}

TEST_CASE("a_fixed_token_is_at_hand_without_a_coroutine", "[auth]") {
    private_integration tokens{"pit-all"};
    tokens.location("a", secret{"pit-a"});
    credentials const fixed = tokens;
    auto const access = highlevel::auth::access_token::of_location(secret{"access"});
    for (auto const& c : {fixed, credentials{access}, credentials{private_integration{}}})
        for (auto const& wanted :
             {location("a"), location("b"), company("c"), location("a", token_kinds::agency),
              location("a", token_kinds::location_oauth)}) {
            auto const waited = ask(c, wanted);
            auto const now = c.source()->try_authorize(wanted);
            CHECK(now.error == waited.error);
            CHECK(now.detail == waited.detail);
            CHECK(now.kind == waited.kind);
            CHECK(
                (now.token ? now.token->reveal() : "") ==
                (waited.token ? waited.token->reveal() : ""));
        }
}

TEST_CASE("a_token_for_all_reaches_every_account_and_is_rotated_for_every_one", "[auth]") {
    private_integration tokens{"pit-old"};
    for (auto const* now : {"pit-old", "pit-new"}) {
        tokens.all(secret{now});
        for (int i = 0; i < 100; ++i) {
            auto const id = "account" + std::to_string(i);
            CHECK(tokens.find(resource_kind::location, id)->reveal() == now);
            CHECK(tokens.find(resource_kind::company, id)->reveal() == now);
        }
    }
}

TEST_CASE("fixed_tokens_never_wait_so_that_no_call_has_to_watch_them", "[auth]") {
    CHECK(credentials{private_integration{"pit-1"}}.source()->keeps_deadlines());
    auto const plain = highlevel::auth::access_token::of_location(secret{"a"});
    CHECK(credentials{plain}.source()->keeps_deadlines());
}

} // namespace auth_credentials_tests
