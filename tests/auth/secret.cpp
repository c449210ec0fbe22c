// SPDX-License-Identifier: BSL-1.0
//
// Secrets are wiped, compared without an early end, and cannot be printed.

#include "support/catch.hpp"

#include <highlevel/auth/secret.hpp>

#include <concepts>
#include <ostream>
#include <string>
#include <utility>

namespace auth_secret_tests {

using highlevel::auth::secret;

namespace {

template <class T>
concept streamable = requires(std::ostream& out, const T& value) {
    out << value;
};

} // namespace

TEST_CASE("secrets_cannot_be_streamed_or_turned_into_strings", "[auth]") {
    STATIC_REQUIRE_FALSE(streamable<secret>);
    STATIC_REQUIRE_FALSE(std::convertible_to<secret, std::string>);
    STATIC_REQUIRE_FALSE(std::convertible_to<secret, std::string_view>);
    STATIC_REQUIRE_FALSE(std::convertible_to<std::string, secret>);
}

TEST_CASE("a_secret_takes_a_string_over_and_wipes_it", "[auth]") {
    std::string text{"pit-0123456789abcdef0123456789abcdef"};
    auto const* const bytes = text.data();
    auto const size = text.size();
    secret const s{std::move(text)};
    CHECK(s.reveal() == "pit-0123456789abcdef0123456789abcdef");
    // The buffer still belongs to `text`, whose capacity did not shrink.
    CHECK(std::string(bytes, size) == std::string(size, '\0'));
}

TEST_CASE("copies_are_apart_and_moved_from_secrets_are_empty", "[auth]") {
    secret a{"one"};
    secret b{a};
    CHECK(a == b);
    a = secret{"two"};
    CHECK(b.reveal() == "one");
    secret const c{std::move(a)};
    CHECK(c.reveal() == "two");
    CHECK(a.empty()); // NOLINT(bugprone-use-after-move): emptied by contract
    auto& self = b;
    b = self;
    CHECK(b.reveal() == "one");
    b.clear();
    CHECK(b.empty());
    CHECK(b.reveal().empty());
}

TEST_CASE("secrets_compare_by_content", "[auth]") {
    CHECK(secret{"abc"} == secret{"abc"});
    CHECK_FALSE(secret{"abc"} == secret{"abd"});
    CHECK_FALSE(secret{"abc"} == secret{"abcd"});
    CHECK(secret{} == secret{""});
}

} // namespace auth_secret_tests
