// SPDX-License-Identifier: BSL-1.0
//
// Tests of http/uri.hpp: what the base URL may be, and how values enter paths and queries.
#include "support/catch.hpp"

#include <highlevel/http/uri.hpp>

#include <stdexcept>
#include <string>

namespace http_uri_tests {

namespace http = highlevel::http;

TEST_CASE("base_url_splits_into_its_parts", "[http][uri]") {
    http::uri const plain{"https://services.leadconnectorhq.com"};
    CHECK(plain.secure());
    CHECK(plain.host() == "services.leadconnectorhq.com");
    CHECK(plain.port() == 443);
    CHECK(plain.path().empty());
    CHECK(plain.host_field() == "services.leadconnectorhq.com");
    CHECK(plain.host_and_port() == "services.leadconnectorhq.com:443");
    CHECK(!plain.host_is_address());

    http::uri const full{"HTTP://LocalHost:8080/api/v2//"};
    CHECK(!full.secure());
    CHECK(full.host() == "localhost");
    CHECK(full.port() == 8080);
    CHECK(full.path() == "/api/v2");
    CHECK(full.host_field() == "localhost:8080");
    CHECK(full.text() == "http://localhost:8080/api/v2");
    CHECK(full.loopback());

    http::uri const six{"https://[2001:DB8::1]:8443/"};
    CHECK(six.host() == "2001:db8::1");
    CHECK(six.host_is_address());
    CHECK(six.host_field() == "[2001:db8::1]:8443");
    CHECK(six.path().empty());

    http::uri const four{"https://10.1.2.3/x"};
    CHECK(four.host_is_address());
    CHECK(http::uri{"https://h:443/a"} == http::uri{"https://H/a/"});
}

TEST_CASE("base_url_refuses_what_is_not_strict", "[http][uri]") {
    for (std::string const text : {
             "",
             "https",
             "https:/h",
             "//h",
             "ftp://h",
             "https://",
             "https:///p",
             "https://:443",
             "https://u@h",
             "https://u:p@h",
             "https://h?x=1",
             "https://h/#f",
             "https://h#f",
             "https://h/a b",
             "https://h/\r\nx",
             "https://h\n",
             "https://h/\x01",
             "https://h/\x7f",
             "https://h\\x",
             "https://h:0",
             "https://h:65536",
             "https://h:",
             "https://h:+1",
             "https://h:01",
             "https://h:1x",
             "https://a..b",
             "https://.a",
             "https://a.",
             "https://127.1",
             "https://0x7f000001",
             "https://1.2.3.256",
             "https://01.2.3.4",
             "https://1.2.3.4.5",
             "https://2130706433",
             "https://a%41",
             "https://[::1",
             "https://[::1]x",
             "https://[::g]",
             "https://[1:2:3:4:5:6:7]",
             "https://[::1%25eth0]",
             "https://[1::2::3]",
             "https://h/%4",
             "https://h/%zz",
             "https://h/../x",
             "https://h/a/./b",
             "https://h/a//b",
             "https://h/\"",
             "https://h/\xc3\xa9",
         }) {
        CAPTURE(text);
        CHECK(!http::uri::parse(text));
        CHECK_THROWS_AS(http::uri{text}, std::invalid_argument);
    }
    CHECK(!http::uri::parse(std::string(300, 'a').insert(0, "https://")));
    CHECK(!http::uri::parse(std::string_view{"https://h\0x", 11}));
}

TEST_CASE("base_url_error_does_not_repeat_a_password", "[http][uri]") {
    try {
        http::uri const refused{"https://user:hunter2@h"};
        FAIL("accepted");
    } catch (std::invalid_argument const& e) {
        CHECK(std::string{e.what()}.find("hunter2") == std::string::npos);
    }
}

TEST_CASE("loopback_is_decided_without_a_look_up", "[http][uri]") {
    for (auto host :
         {"localhost", "LOCALHOST", "127.0.0.1", "127.255.0.9", "::1", "[::1]", "0:0:0:0:0:0:0:1",
          "0::1"})
        CHECK(http::is_loopback(host));
    for (auto host :
         {"", "localhost.example.com", "127.0.0.1.example.com", "128.0.0.1", "127.1", "::", "::2",
          "localhos", "10.0.0.1", "::1:0", "[::1"})
        CHECK(!http::is_loopback(host));
}

TEST_CASE("ipv6_text_forms_are_told_apart", "[http][uri]") {
    using http::detail::parse_ipv6;
    CHECK(parse_ipv6("::"));
    CHECK(parse_ipv6("1:2:3:4:5:6:7:8"));
    CHECK(parse_ipv6("1::8"));
    CHECK(parse_ipv6("::ffff:1.2.3.4"));
    CHECK(parse_ipv6("64:ff9b::1.2.3.4"));
    CHECK(parse_ipv6("1:2:3:4:5:6:7::"));
    CHECK(parse_ipv6("1::")->front() == 0);
    CHECK((*parse_ipv6("1::"))[1] == 1);
    CHECK((*parse_ipv6("1::2:3"))[13] == 2);
    CHECK((*parse_ipv6("::ffff:1.2.3.4"))[12] == 1);
    for (auto text :
         {"", ":", ":::", "1", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9",
          "1:2:3:4:5:6:7:8::", "::1::", "12345::", "1.2.3.4", "::1.2.3", "1:2:3:4:5:6:7:1.2.3.4",
          "::1.2.3.4:5", "1:::2", "::1:"}) {
        CAPTURE(text);
        CHECK(!parse_ipv6(text));
    }
}

TEST_CASE("path_segment_is_encoded_so_that_it_stays_one_segment", "[http][uri]") {
    std::string out = "/contacts/";
    http::append_path_segment(out, "a/b?c#d%e f\r\n\xc3\xa9~._-");
    CHECK(out == "/contacts/a%2Fb%3Fc%23d%25e%20f%0D%0A%C3%A9~._-");
    CHECK(http::is_path_segment("ocQHyuzHvysMo5N5VsXc"));
    CHECK(http::is_path_segment("..."));
    CHECK(!http::is_path_segment(""));
    CHECK(!http::is_path_segment("."));
    CHECK(!http::is_path_segment(".."));
}

TEST_CASE("query_pairs_are_joined_and_encoded", "[http][uri]") {
    std::string out = "/contacts/";
    http::append_query(out, "locationId", "a b");
    http::append_query(out, "tags[]", "x&y=z+1");
    http::append_query(out, "empty", "");
    CHECK(out == "/contacts/?locationId=a%20b&tags%5B%5D=x%26y%3Dz%2B1&empty=");
    std::string bare = "/x?";
    http::append_query(bare, "a", "1");
    CHECK(bare == "/x?a=1");
}

TEST_CASE("percent_decoding_reverses_encoding_and_refuses_broken_text", "[http][uri]") {
    std::string all;
    for (int c = 0; c < 256; ++c)
        all.push_back(static_cast<char>(c));
    std::string encoded;
    http::append_percent_encoded(encoded, all);
    CHECK(http::percent_decoded(encoded) == all);
    CHECK(http::percent_decoded("a+b") == "a+b");
    CHECK(!http::percent_decoded("%"));
    CHECK(!http::percent_decoded("%4"));
    CHECK(!http::percent_decoded("%4x"));
}

} // namespace http_uri_tests
