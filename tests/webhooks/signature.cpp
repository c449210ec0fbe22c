// SPDX-License-Identifier: BSL-1.0
//
// Signatures of webhooks: HighLevel's keys are the right ones, real signatures are taken, and a
// single wrong bit anywhere is not.
#include "support/catch.hpp"

#include <highlevel/sandbox/webhooks_signer.hpp>
#include <highlevel/webhooks/signature.hpp>

#include <openssl/evp.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace webhooks_signature_tests {

namespace webhooks = highlevel::webhooks;
using highlevel::sandbox::webhook_signer;
using webhooks::legacy_rule;
using webhooks::public_key;
using webhooks::scheme;
using webhooks::signature_status;
using webhooks::signatures;
using webhooks::verifier;
using namespace std::chrono_literals;

namespace {

const webhook_signer& signer() {
    static const webhook_signer made;
    return made;
}

const webhook_signer& other_signer() {
    static const webhook_signer made;
    return made;
}

webhooks::signature_options own_keys(legacy_rule legacy = legacy_rule::always) {
    webhooks::signature_options options;
    options.keys = {
        public_key::from_pem(signer().ed25519_key_pem()),
        public_key::from_pem(signer().rsa_key_pem())};
    options.legacy = legacy;
    return options;
}

const std::chrono::system_clock::time_point in_time = webhooks::legacy_end - 1s;
const std::chrono::system_clock::time_point too_late = webhooks::legacy_end;
constexpr std::string_view body = R"({"type":"ContactCreate","webhookId":"w1"})";

boost::system::error_code error_of(std::string_view pem) {
    auto const made = public_key::try_from_pem(pem);
    return made ? boost::system::error_code{} : made.error();
}

} // namespace

TEST_CASE("built_in_keys_have_the_published_fingerprints", "[webhooks]") {
    auto const ed25519 = public_key::from_pem(webhooks::highlevel_ed25519_key);
    CHECK(ed25519.kind() == scheme::ed25519);
    CHECK(
        ed25519.fingerprint() ==
        "5a2c1b2749d3efcc233fb27d4ab43d56b8d20818c42cd226f6c9a3ff20d3097c");
    CHECK(ed25519.signature_size() == 64);
    auto const rsa = public_key::from_pem(webhooks::highlevel_rsa_key);
    CHECK(rsa.kind() == scheme::rsa_sha256);
    CHECK(rsa.fingerprint() == "2f62045d413b1b7747e26770ce7f57840cbf86288cd20ceb90d299a62501fd25");
    CHECK(rsa.signature_size() == 512);
    verifier const made;
    REQUIRE(made.keys().size() == 2);
    CHECK(made.keys()[0].fingerprint() == ed25519.fingerprint());
    CHECK(made.keys()[1].fingerprint() == rsa.fingerprint());
}

// RFC 8032, section 7.1, TEST 3.
TEST_CASE("ed25519_agrees_with_a_vector_of_the_rfc", "[webhooks]") {
    auto const key =
        public_key::from_pem("-----BEGIN PUBLIC KEY-----\n"
                             "MCowBQYDK2VwAyEA/FHNjmIYoaONpH7QAjDwWAgW7RO6MwOsXeuRFUiQgCU=\n"
                             "-----END PUBLIC KEY-----\n");
    webhooks::signature_options options;
    options.keys = {key};
    verifier const made{options};
    constexpr unsigned char octets[] = {
        0x62, 0x91, 0xd6, 0x57, 0xde, 0xec, 0x24, 0x02, 0x48, 0x27, 0xe6, 0x9c, 0x3a,
        0xbe, 0x01, 0xa3, 0x0c, 0xe5, 0x48, 0xa2, 0x84, 0x74, 0x3a, 0x44, 0x5e, 0x36,
        0x80, 0xd7, 0xdb, 0x5a, 0xc3, 0xac, 0x18, 0xff, 0x9b, 0x53, 0x8d, 0x16, 0xf2,
        0x90, 0xae, 0x67, 0xf7, 0x60, 0x98, 0x4d, 0xc6, 0x59, 0x4a, 0x7c, 0x15, 0xe9,
        0x71, 0x6e, 0xd2, 0x8d, 0xc0, 0x27, 0xbe, 0xce, 0xea, 0x1e, 0xc4, 0x0a};
    unsigned char encoded[89];
    EVP_EncodeBlock(encoded, octets, 64);
    std::string_view const message{"\xaf\x82", 2};
    CHECK(made.check(message, {reinterpret_cast<const char*>(encoded), std::nullopt}, in_time));
    CHECK_FALSE(
        made.check("\xaf\x83", {reinterpret_cast<const char*>(encoded), std::nullopt}, in_time));
}

TEST_CASE("real_signatures_are_valid_and_say_which_scheme_matched", "[webhooks]") {
    verifier const made{own_keys()};
    auto const ed25519 = signer().sign_ed25519(body);
    auto const rsa = signer().sign_rsa(body);
    auto const first = made.check(body, {ed25519, std::nullopt}, in_time);
    CHECK(first.status == signature_status::valid);
    CHECK(first.matched == scheme::ed25519);
    CHECK(first.key == 0);
    CHECK_FALSE(first.legacy_field);
    auto const second = made.check(body, {std::nullopt, rsa}, in_time);
    CHECK(second.status == signature_status::valid);
    CHECK(second.matched == scheme::rsa_sha256);
    CHECK(second.key == 1);
    CHECK(second.legacy_field);
    CHECK(made.check(body, {ed25519, rsa}, in_time).matched == scheme::ed25519);
    // As some deliveries were seen to have it, also when RSA is over.
    verifier const no_rsa{own_keys(legacy_rule::never)};
    auto const third = no_rsa.check(body, {std::nullopt, ed25519}, too_late);
    CHECK(third.status == signature_status::valid);
    CHECK(third.matched == scheme::ed25519);
    CHECK(third.legacy_field);
}

TEST_CASE("a_wrong_present_signature_is_never_rescued_by_a_legacy_one", "[webhooks]") {
    verifier const made{own_keys()};
    auto const rsa = signer().sign_rsa(body);
    for (auto const& wrong :
         {other_signer().sign_ed25519(body), std::string{"?"}, signer().sign_rsa(body)}) {
        auto const found = made.check(body, {wrong, rsa}, in_time);
        CHECK(found.status == signature_status::bad);
        CHECK(found.matched == scheme::ed25519);
    }
    signatures twice{signer().sign_ed25519(body), std::nullopt};
    twice.ambiguous = true;
    CHECK(made.check(body, twice, in_time).status == signature_status::bad);
}

TEST_CASE("missing_empty_and_not_available_are_unsigned", "[webhooks]") {
    verifier const made{own_keys()};
    std::optional<std::string_view> const nothing[] = {std::nullopt, "", "N/A"};
    for (auto const& present : nothing)
        for (auto const& legacy : nothing)
            CHECK(
                made.check(body, {present, legacy}, in_time).status ==
                signature_status::not_signed);
    CHECK(made.check(body, {"n/a", std::nullopt}, in_time).status == signature_status::bad);
    CHECK(made.check(body, {"N/A", signer().sign_rsa(body)}, in_time));
}

TEST_CASE("rsa_ends_on_its_day_unless_told_otherwise", "[webhooks]") {
    auto const rsa = signer().sign_rsa(body);
    auto const status = [&](legacy_rule rule, std::chrono::system_clock::time_point now) {
        return verifier{own_keys(rule)}.check(body, {std::nullopt, rsa}, now).status;
    };
    CHECK(status(legacy_rule::until_end, in_time) == signature_status::valid);
    CHECK(status(legacy_rule::until_end, too_late) == signature_status::not_signed);
    CHECK(status(legacy_rule::always, too_late) == signature_status::valid);
    CHECK(status(legacy_rule::never, in_time) == signature_status::not_signed);
    CHECK(webhooks::signature_options{}.legacy == legacy_rule::until_end);
}

TEST_CASE("every_flipped_bit_of_body_and_signature_is_noticed", "[webhooks]") {
    verifier const made{own_keys()};
    auto const ed25519 = signer().sign_ed25519(body);
    auto const rsa = signer().sign_rsa(body);
    auto const status = [&](std::string_view text, bool legacy, std::string_view of) {
        return legacy ? made.check(of, {std::nullopt, text}, in_time).status
                      : made.check(of, {text, std::nullopt}, in_time).status;
    };
    REQUIRE(status(ed25519, false, body) == signature_status::valid);
    REQUIRE(status(rsa, true, body) == signature_status::valid);
    std::size_t wrong = 0;
    for (std::size_t bit = 0; bit < body.size() * 8; ++bit) {
        std::string changed{body};
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
        wrong += status(ed25519, false, changed) != signature_status::bad;
        wrong += status(rsa, true, changed) != signature_status::bad;
    }
    for (std::size_t bit = 0; bit < ed25519.size() * 8; ++bit) {
        auto changed = ed25519;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
        wrong += status(changed, false, body) != signature_status::bad;
    }
    for (std::size_t bit = 0; bit < rsa.size() * 8; ++bit) {
        auto changed = rsa;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
        wrong += status(changed, true, body) != signature_status::bad;
    }
    CHECK(wrong == 0);
}

TEST_CASE("base64_is_strict", "[webhooks]") {
    verifier const made{own_keys()};
    auto const good = signer().sign_ed25519(body);
    REQUIRE(good.ends_with("=="));
    auto const status = [&](std::string text) {
        return made.check(body, {text, std::nullopt}, in_time).status;
    };
    CHECK(status(good) == signature_status::valid);
    CHECK(status(good + "\n") == signature_status::bad);
    CHECK(status(" " + good) == signature_status::bad);
    CHECK(status(good.substr(0, 86)) == signature_status::bad);
    CHECK(status(good.substr(0, 87)) == signature_status::bad);
    CHECK(status(good + "AAAA") == signature_status::bad);
    CHECK(status(good.substr(0, 40) + "\n" + good.substr(40)) == signature_status::bad);
    CHECK(status(std::string(1 << 20, 'A')) == signature_status::bad);
    // The last digit has four bits that no byte takes up.
    auto loose = good;
    loose[85] = static_cast<char>(loose[85] + 1);
    CHECK(status(loose) == signature_status::bad);
}

TEST_CASE("any_of_several_keys_verifies_while_keys_rotate", "[webhooks]") {
    auto options = own_keys();
    options.keys.push_back(public_key::from_pem(other_signer().ed25519_key_pem()));
    verifier const both{options};
    CHECK(both.check(body, {signer().sign_ed25519(body), std::nullopt}, in_time).key == 0);
    auto const by_new =
        both.check(body, {other_signer().sign_ed25519(body), std::nullopt}, in_time);
    CHECK(by_new.status == signature_status::valid);
    CHECK(by_new.key == 2);
    verifier const old{own_keys()};
    CHECK_FALSE(old.check(body, {other_signer().sign_ed25519(body), std::nullopt}, in_time));
    // Own keys replace HighLevel's: without a key of a scheme nothing of that scheme is good.
    webhooks::signature_options only_rsa;
    only_rsa.keys = {public_key::from_pem(signer().rsa_key_pem())};
    CHECK_FALSE(
        verifier{only_rsa}.check(body, {signer().sign_ed25519(body), std::nullopt}, in_time));
}

TEST_CASE("texts_that_are_no_key_of_ours_are_refused", "[webhooks]") {
    using webhooks::key_errc;
    CHECK(error_of("") == key_errc::not_a_public_key);
    CHECK(
        error_of("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n") ==
        key_errc::not_a_public_key);
    std::string mistyped{webhooks::highlevel_ed25519_key};
    mistyped.erase(mistyped.find("i2HR"), 1);
    CHECK(error_of(mistyped) == key_errc::not_a_public_key);
    CHECK(
        error_of("-----BEGIN PUBLIC KEY-----\n"
                 "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n"
                 "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
                 "-----END PUBLIC KEY-----\n") == key_errc::wrong_algorithm);
    CHECK(
        error_of("-----BEGIN PUBLIC KEY-----\n"
                 "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAK7GG4GSdSzD4P2Ub2JZ0eSEAwBgnaKX\n"
                 "bBpHoPHPvMFCDMJ5hLu4HmHxqZ2JXLjKYSv3nC1zDYDAxkUIXDpJuNUCAwEAAQ==\n"
                 "-----END PUBLIC KEY-----\n") == key_errc::wrong_size);
    // A second key is not overlooked, as it would be while keys rotate.
    std::string const one{webhooks::highlevel_ed25519_key};
    CHECK(error_of(one + std::string{webhooks::highlevel_rsa_key}) == key_errc::not_a_public_key);
    CHECK(error_of(one + "and more") == key_errc::not_a_public_key);
    CHECK_FALSE(error_of("A comment.\n" + one + "\r\n \n"));
    CHECK_THROWS_AS(public_key::from_pem("no key"), boost::system::system_error);
}

TEST_CASE("a_body_of_any_size_is_verified", "[webhooks]") {
    verifier const made{own_keys()};
    for (std::size_t const size : {std::size_t{0}, std::size_t{1}, std::size_t{1} << 20}) {
        std::string const text(size, 'x');
        CHECK(made.check(text, {signer().sign_ed25519(text), std::nullopt}, in_time));
        CHECK(made.check(text, {std::nullopt, signer().sign_rsa(text)}, in_time));
    }
}

} // namespace webhooks_signature_tests
