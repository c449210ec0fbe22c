// SPDX-License-Identifier: BSL-1.0
//
// Tests of json/detail/parser.hpp: it accepts what Boost.JSON's parser accepts and makes the same
// of it, with a fixed seed; and the places where a parser of one's own goes wrong, one by one.
#include "support/catch.hpp"

#include <highlevel/json/detail/parser.hpp>

#include <boost/json/error.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace json_detail_parser_tests {

namespace json = highlevel::json;
using boost::json::error;
using json::detail::parser;
using json::detail::reader;

namespace {

class outcome {
public:
    json::value value;
    highlevel::error_code failure;
    std::size_t offset = 0;
};

json::decode_options strictly() {
    json::decode_options options;
    options.strict = true;
    return options;
}

outcome read(std::string_view text, const json::decode_options& options = strictly()) {
    // A copy of its own size, so that reading beyond its end is seen.
    std::vector<char> const exact(text.begin(), text.end());
    outcome made;
    json::diagnostics notes;
    reader to(json::type_of<json::value>, &made.value, options, notes);
    parser from({exact.data(), exact.size()}, options, to);
    if (!from.run()) made.failure = from.failure();
    made.offset = from.offset();
    return made;
}

std::optional<json::value> reference(std::string_view text, bool strict = true) {
    boost::json::parse_options how;
    how.max_depth = 64;
    how.allow_invalid_utf8 = !strict;
    boost::system::error_code ec;
    auto made = boost::json::parse({text.data(), text.size()}, ec, {}, how);
    // What it refuses and we read, as infinite or 0: it says nothing of the rest then.
    if (ec == error::exponent_overflow) {
        auto ours = read(text);
        if (!ours.failure) return ours.value;
    }
    if (ec) return std::nullopt;
    return made;
}

// Boost 1.81 can be off by some units in the last place of a double.
bool same(const json::value& a, const json::value& b) {
    if (a.kind() != b.kind()) return false;
    if (a.is_double()) {
        double const x = a.get_double();
        double const y = b.get_double();
        return x == y || std::abs(x - y) <= 1e-12 * std::abs(x) || std::abs(x - y) < 1e-300;
    }
    if (a.is_array())
        return std::equal(
            a.get_array().begin(), a.get_array().end(), b.get_array().begin(), b.get_array().end(),
            same);
    if (!a.is_object()) return a == b;
    return a.get_object().size() == b.get_object().size() &&
        std::all_of(a.get_object().begin(), a.get_object().end(), [&](auto const& member) {
               auto const* const other = b.get_object().if_contains(member.key());
               return other != nullptr && same(member.value(), *other);
           });
}

void compare(std::string_view text) {
    INFO(text);
    auto const expected = reference(text);
    auto const made = read(text);
    REQUIRE(made.failure.failed() == !expected.has_value());
    CHECK(made.offset <= text.size());
    if (expected) REQUIRE(same(made.value, *expected));
}

constexpr std::string_view everything =
    R"( { "a" : [ 1 , -2.5e+3 , true , false , null , "x\n\u00e9\ud83d\ude00\\\"\/\b\f\r\t" ] ,)"
    "\r\n\t"
    R"("" : { } , "c" : [ ] , "n" : [0, -0, 0.5, 1E2, 1e-2, 18446744073709551615, -9223372036854775808]} )";

} // namespace

TEST_CASE("parser_reads_what_json_has", "[json]") {
    compare(everything);
    auto const made = read(everything);
    REQUIRE_FALSE(made.failure);
    CHECK(made.offset == 0);
    CHECK(made.value.at("a").at(5) == "x\n\xc3\xa9\xf0\x9f\x98\x80\\\"/\b\f\r\t");
}

TEST_CASE("parser_refuses_every_text_that_is_cut_off", "[json]") {
    auto const text = everything.substr(0, everything.find_last_of('}') + 1);
    for (std::size_t size = 1; size < text.size(); ++size) {
        auto const made = read(text.substr(0, size));
        INFO(size);
        CHECK(made.failure.failed());
        CHECK(made.offset <= size);
    }
}

TEST_CASE("parser_agrees_with_a_reference_on_damaged_texts", "[json]") {
    std::mt19937 random{20261127};
    constexpr std::string_view pieces =
        "{}[]\",:\\/ \t\n\r0123456789-+.eEutfnals\x01\x1f\x7f\xc3\xa9\xed\xa0\x80";
    for (int round = 0; round < 40'000; ++round) {
        std::string text{everything};
        auto const changes = 1 + random() % 4;
        for (unsigned i = 0; i < changes && !text.empty(); ++i) {
            auto const at = random() % text.size();
            char const c = pieces[random() % pieces.size()];
            switch (random() % 4) {
            case 0: text[at] = c; break;
            case 1: text.erase(at, 1 + random() % 3); break;
            case 2: text.insert(at, 1, c); break;
            default: text.insert(at, text.substr(random() % text.size(), random() % 12)); break;
            }
        }
        compare(text);
    }
}

TEST_CASE("parser_agrees_with_a_reference_on_short_texts", "[json]") {
    constexpr std::string_view characters = "{}[]\",:-0.e1tru\\ ";
    std::string text;
    // All texts of up to four of these.
    for (std::size_t size = 1; size <= 4; ++size) {
        std::size_t count = 1;
        for (std::size_t i = 0; i < size; ++i)
            count *= characters.size();
        for (std::size_t n = 0; n < count; ++n) {
            text.clear();
            for (std::size_t i = 0, left = n; i < size; ++i, left /= characters.size())
                text += characters[left % characters.size()];
            if (text.find_first_not_of(' ') == text.npos) continue;
            auto const expected = reference(text);
            auto const made = read(text);
            if (made.failure.failed() == expected.has_value() ||
                (expected && !same(made.value, *expected)))
                FAIL_CHECK(text);
        }
    }
}

TEST_CASE("parser_sees_each_character_at_each_place_of_a_string", "[json]") {
    for (bool const strict : {true, false})
        for (std::size_t size = 1; size <= 20; ++size)
            for (std::size_t at = 0; at < size; ++at)
                for (int c = 0; c < 256; ++c) {
                    std::string text = "[\"" + std::string(size, 'a') + "\",\"b\"]";
                    text[2 + at] = static_cast<char>(c);
                    auto const expected = reference(text, strict);
                    auto const made = read(text, strict ? strictly() : json::decode_options());
                    if (made.failure.failed() == expected.has_value() ||
                        (expected && made.value != *expected))
                        FAIL_CHECK("character " << c << " at " << at << " of " << size);
                }
}

TEST_CASE("parser_reads_every_number_exactly", "[json]") {
    auto const number = [](std::string_view text) { return read(text).value; };
    CHECK(number("0") == 0);
    CHECK(number("-0").is_int64());
    CHECK(number("9223372036854775807") == std::numeric_limits<std::int64_t>::max());
    CHECK(number("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
    CHECK(number("9223372036854775808").as_uint64() == 9223372036854775808U);
    CHECK(number("18446744073709551615").as_uint64() == 18446744073709551615U);
    CHECK(number("18446744073709551616").as_double() == 18446744073709551616.0);
    CHECK(number("-9223372036854775809").as_double() == -9223372036854775808.0);
    CHECK(number("0.1").as_double() == 0.1);
    CHECK(number("1.7976931348623157e308").as_double() == std::numeric_limits<double>::max());
    CHECK(number("5e-324").as_double() == std::numeric_limits<double>::denorm_min());
    CHECK(std::signbit(number("-0.0").as_double()));

    auto const infinite = std::numeric_limits<double>::infinity();
    for (auto const* text :
         {"1e309", "1E+400", "0.001e400", "1e99999999999999999999", "123456e305",
          "123e9223372036854775807"}) {
        INFO(text);
        CHECK(number(text).as_double() == infinite);
        CHECK(number("-" + std::string(text)).as_double() == -infinite);
    }
    CHECK(number("1" + std::string(400, '0')).as_double() == infinite);
    for (auto const* text :
         {"1e-400", "100e-500", "1e-99999999999999999999", "0.00001e-320",
          "0.00123e-9223372036854775807"}) {
        INFO(text);
        CHECK(number(text).as_double() == 0.0);
        CHECK(std::signbit(number("-" + std::string(text)).as_double()));
    }
    CHECK(number("0." + std::string(400, '0') + "1").as_double() == 0.0);
    CHECK(number("0." + std::string(400, '0') + "1e401").as_double() == 1.0);

    for (auto const* text :
         {"-", "01", "-01", "1.", ".5", "1e", "1e+", "1.e1", "+1", "0x1", "1.5.5", "1e5.5", "--1"})
        CHECK(read(text).failure.failed());
}

TEST_CASE("parser_joins_surrogates_and_refuses_halves", "[json]") {
    CHECK(read(R"("\uD83D\uDE00")").value == "\xf0\x9f\x98\x80");
    CHECK(read(R"("\u0000")").value.as_string() == boost::json::string(1, 0));
    CHECK(
        read(R"("\u007f\u0080\u07ff\u0800\uffff\ud800\udc00\udbff\udfff")").value ==
        "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
    CHECK(read(R"("\ude00")").failure == error::illegal_trailing_surrogate);
    CHECK(read(R"("\ud83d")").failure == error::expected_utf16_escape);
    CHECK(read(R"("\ud83d\n")").failure == error::expected_utf16_escape);
    CHECK(read(R"("\ud83d\u0041")").failure == error::illegal_leading_surrogate);
    CHECK(read(R"("\u12g4")").failure == error::expected_hex_digit);
    CHECK(read(R"("\u12)").failure == error::incomplete);
    CHECK(read(R"("\x")").failure == error::syntax);
}

TEST_CASE("parser_replaces_halves_of_surrogate_pairs_unless_it_reads_strictly", "[json]") {
    auto const leniently = [](std::string_view text) {
        auto const made = read(text, {});
        INFO(text);
        REQUIRE_FALSE(made.failure);
        return std::string(made.value.as_string());
    };
    CHECK(leniently(R"("\ude00")") == "\ufffd");
    CHECK(leniently(R"("\ud83d")") == "\ufffd");
    CHECK(leniently(R"("\ud83d\n")") == "\ufffd\n");
    CHECK(leniently(R"("\ud83d\u0041")") == "\ufffdA");
    CHECK(leniently(R"("\ud83d\ud83d\ude00x")") == "\ufffd\U0001F600x");
    CHECK(leniently(R"("\ude00\ud83d")") == "\ufffd\ufffd");
    CHECK(read(R"("\ud83d\u12g4")", {}).failure == error::expected_hex_digit);
    CHECK(read(R"("\ud83d)", {}).failure == error::incomplete);
    CHECK(read(R"("\ud83d\u12)", {}).failure == error::incomplete);
}

TEST_CASE("parser_checks_utf8_when_it_reads_strictly", "[json]") {
    for (std::string_view const good : {"\"\xc3\xa9\"", "\"\xf0\x9f\x98\x80\"", "{\"\xc3\xa9\":1}"})
        CHECK_FALSE(read(good).failure);
    for (std::string_view const bad :
         {"\"\xc3\"", "\"\xed\xa0\x80\"", "{\"\xff\":1}", "\"\\n\x80\""}) {
        CHECK(read(bad).failure == error::syntax);
        CHECK_FALSE(read(bad, {}).failure);
    }
}

TEST_CASE("parser_bounds_the_depth", "[json]") {
    json::decode_options options;
    for (std::size_t const depth : {0U, 1U, 5U}) {
        options.max_depth = depth;
        std::string const open(depth, '[');
        std::string const close(depth, ']');
        if (depth != 0) CHECK_FALSE(read(open + close, options).failure);
        CHECK(read(open + "[]" + close, options).failure == error::too_deep);
        CHECK(read(open + "{}" + close, options).failure == error::too_deep);
    }
    options.max_depth = 2;
    CHECK_FALSE(read("[[],[],{},[1]]", options).failure);
}

TEST_CASE("parser_stops_at_what_follows_the_value", "[json]") {
    auto const made = read("[1] x");
    CHECK(made.failure == error::extra_data);
    CHECK(made.offset == 4);
}

} // namespace json_detail_parser_tests
