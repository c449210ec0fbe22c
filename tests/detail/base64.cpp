// SPDX-License-Identifier: BSL-1.0
//
// Base64 as it is written, and strictly read: one spelling per text.

#include "support/catch.hpp"

#include <highlevel/detail/base64.hpp>

#include <string>

namespace detail_base64_tests {

using highlevel::detail::decode_base64;
using highlevel::detail::encode_base64;

TEST_CASE("base64_pads_as_rfc_4648_shows", "[detail]") {
    CHECK(encode_base64("").empty());
    CHECK(encode_base64("f") == "Zg==");
    CHECK(encode_base64("fo") == "Zm8=");
    CHECK(encode_base64("foo") == "Zm9v");
    CHECK(encode_base64("foob") == "Zm9vYg==");
    CHECK(encode_base64("fooba") == "Zm9vYmE=");
    CHECK(encode_base64("foobar") == "Zm9vYmFy");
    CHECK(encode_base64("\xff\xfe\xfd") == "//79");
}

TEST_CASE("base64_reads_what_rfc_4648_shows", "[detail]") {
    CHECK(decode_base64("") == "");
    CHECK(decode_base64("Zg==") == "f");
    CHECK(decode_base64("Zm8=") == "fo");
    CHECK(decode_base64("Zm9v") == "foo");
    CHECK(decode_base64("Zm9vYg==") == "foob");
    CHECK(decode_base64("//79") == "\xff\xfe\xfd");
    CHECK(decode_base64("+/8A") == std::string("\xfb\xff\0", 3));
}

TEST_CASE("base64_refuses_every_other_spelling", "[detail]") {
    for (auto const* text :
         {"Z", "Zg", "Zg=", "Zg===", "====", "=", "Z===", "Zg=g", "Zm9v\n", " Zm9v", "Zm9-", "Zm9_",
          "Zh==", "Zm9=",
          "Zm9vZg=="
          "Zm9v"}) {
        CAPTURE(text);
        CHECK_FALSE(decode_base64(text).has_value());
    }
}

} // namespace detail_base64_tests
