// SPDX-License-Identifier: BSL-1.0
//
// The encrypted user context: fixed texts, texts that the openssl program makes now, and every way
// in which a text can be wrong.

#include "support/catch.hpp"

#include <highlevel/auth/user_context.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace auth_user_context_tests {

namespace auth = highlevel::auth;
using auth::user_context_errc;

namespace {

// printf ... | openssl enc -aes-256-cbc -md md5 -a -A -pass pass:shared-secret
const auth::secret shared_secret{"shared-secret"};
constexpr std::string_view on_agency_level =
    "U2FsdGVkX1+4qapZtlSQC1E2rPBwp1N4+/yOeAkQNGqzSUbfhJNQJG7rQRPNf/w4PDAeZbRc/6+dhDdmhj4Ly6uMeGs8"
    "CjltqKj5FsfpetPyNyEsimree5kG3UVkkY8w1SavXk36NJiv5duNHuYdJVTHKHC78r7NSpj1bMyWgDTxIdqJwiGX78bx"
    "KB3r7zxQb9nCZFYWaa2lwXQurV2MH9fM8gK4Lb+DSjNV/HdW0vs=";
constexpr std::string_view in_a_location =
    "U2FsdGVkX19JP4LlnQgvxF7i+Uw2SS41Z57dWg4SR7HAUsXXIXbT2TVmvfrXAm2UdkTbYlG9HomlQskwGcFbkb3Wyj79"
    "B0s95Y7ZXTiqHdNl1HhqxUKH/MN+Qcl66j5E9YYl0AVF8gzoLizXdjshdvazCB3t9v+aSmpj6mHRIgU=";
constexpr std::string_view without_company = "U2FsdGVkX1//2r9tOOimEKVoH84Egz3xashvDZ/xoMc=";
constexpr std::string_view with_empty_user =
    "U2FsdGVkX1/16NgcZJPiDbC6sBG1yW3IQ8u3lEj/UkFI+zJPKz7vGoPKo7mgoOdu";
constexpr std::string_view with_numeric_company =
    "U2FsdGVkX18mzWJU5reFb8ntazrmkjIWE+yHKb8TASPqPlHrUB8KfQnkzdqf8iK+";
constexpr std::string_view not_json = "U2FsdGVkX1+BwmwNW1IGoo+gx1BcH8xNxl7t3mA2fl4=";

boost::system::error_code error_of(
    std::string_view text, const auth::secret& with = shared_secret) {
    auto const made = auth::try_decrypt_user_context(text, with);
    return made ? boost::system::error_code{} : made.error();
}

/// What the openssl program makes of a text; nothing when there is no such program, or it has no
/// MD5. Both arguments must be free of single quotes.
std::optional<std::string> openssl_encrypts(
    const std::string& plain, const std::string& passphrase) {
    auto const command = "printf '%s' '" + plain +
        "' | openssl enc -aes-256-cbc -md md5 -a -A -pass 'pass:" + passphrase + "' 2>/dev/null";
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> const pipe{
        ::popen(command.c_str(), "r"), &::pclose};
    if (!pipe) return std::nullopt;
    std::string out;
    for (int c = std::fgetc(pipe.get()); c != EOF; c = std::fgetc(pipe.get()))
        out.push_back(static_cast<char>(c));
    if (out.empty()) return std::nullopt;
    return out;
}

} // namespace

TEST_CASE("a_user_context_on_agency_level_is_read", "[auth]") {
    auto const context = auth::decrypt_user_context(on_agency_level, shared_secret);
    CHECK(context.user_id == "MKQJ7wOVVmNOMvrnKKKK");
    CHECK(context.company_id == "GNb7aIv4rQFVb9iwNl5K");
    CHECK((context.role == auth::user_role::admin));
    CHECK((context.type == auth::user_type::agency));
    CHECK_FALSE(context.active_location);
    CHECK(context.user_name == "Ada Lovelace");
    CHECK(context.email == "ada@example.com");
    CHECK(context.unknown_fields.empty());
}

TEST_CASE("a_user_context_in_a_location_keeps_what_it_does_not_know", "[auth]") {
    auto const context = auth::decrypt_user_context(in_a_location, shared_secret);
    CHECK(context.active_location == "loc1");
    CHECK((context.role == "owner"));
    CHECK_FALSE(context.role.known());
    CHECK((context.type == auth::user_type::account));
    CHECK_FALSE(context.email);
    CHECK(context.unknown_fields.at("plan").at("tier").as_int64() == 3);
}

TEST_CASE("what_the_openssl_program_encrypts_is_read", "[auth]") {
    // Every length of padding.
    for (std::size_t length = 1; length <= 17; ++length) {
        std::string const name(length, 'n');
        std::string const word = "word-" + std::to_string(length);
        auto const text = openssl_encrypts(
            R"({"userId":"u1","companyId":"c1","userName":")" + name + R"("})", word);
        if (!text) {
            WARN("no openssl program that encrypts with a key by MD5: not compared with it");
            return;
        }
        auto const context = auth::try_decrypt_user_context(*text, auth::secret{word});
        REQUIRE(context.has_value());
        CHECK(context->user_name == name);
    }
}

TEST_CASE("another_secret_is_told_as_such", "[auth]") {
    // Among so many, some leave a padding that looks right.
    for (int i = 0; i < 1024; ++i)
        CHECK(
            error_of(in_a_location, auth::secret{"wrong-" + std::to_string(i)}) ==
            user_context_errc::wrong_secret);
    CHECK(error_of(in_a_location, auth::secret{}) == user_context_errc::wrong_secret);
}

TEST_CASE("what_is_not_the_salted_format_is_told_as_such", "[auth]") {
    CHECK(error_of("") == user_context_errc::not_encrypted);
    CHECK(error_of("U2FsdGVkX18=") == user_context_errc::not_encrypted);
    // Salted__ and a salt, without a block.
    CHECK(error_of(on_agency_level.substr(0, 20)) == user_context_errc::not_encrypted);
    // One block is cut in the middle.
    CHECK(error_of(in_a_location.substr(0, 44)) == user_context_errc::not_encrypted);
    std::string other{in_a_location};
    other[0] = 'V';
    CHECK(error_of(other) == user_context_errc::not_encrypted);
}

TEST_CASE("a_text_that_is_not_base64_is_told_as_such", "[auth]") {
    std::string text{on_agency_level};
    CHECK(error_of(text + '\n') == user_context_errc::not_base64);
    CHECK(error_of(text.substr(1)) == user_context_errc::not_base64);
    // A form's decoder turned the + into a space.
    text[text.find('+')] = ' ';
    CHECK(error_of(text) == user_context_errc::not_base64);
    CHECK(error_of(std::string(65540, 'A')) == user_context_errc::too_long);
}

TEST_CASE("a_decrypted_text_must_name_user_and_company", "[auth]") {
    CHECK(error_of(without_company) == user_context_errc::not_a_user_context);
    CHECK(error_of(with_empty_user) == user_context_errc::not_a_user_context);
    CHECK(auth::decrypt_user_context(with_numeric_company, shared_secret).company_id == "7");
    CHECK(error_of(not_json) == user_context_errc::wrong_secret);
}

TEST_CASE("a_damaged_user_context_never_passes_as_whole_without_a_trace", "[auth]") {
    // Without an integrity check some changes are not seen; none may crash or invent a success
    // whose ids are empty.
    for (std::size_t at = 0; at < in_a_location.size(); ++at) {
        std::string text{in_a_location};
        text[at] = text[at] == 'A' ? 'B' : 'A';
        auto const made = auth::try_decrypt_user_context(text, shared_secret);
        if (made) CHECK_FALSE((made->user_id.empty() || made->company_id.empty()));
    }
}

TEST_CASE("reading_a_user_context_can_throw_and_names_no_secret", "[auth]") {
    CHECK_THROWS_WITH(
        auth::decrypt_user_context(in_a_location, auth::secret{"other"}),
        test::contains("another Shared Secret"));
}

} // namespace auth_user_context_tests
