// SPDX-License-Identifier: BSL-1.0
//
// Tests of http/proxy.hpp: which hosts go through the proxy, and what it is sent.
#include "support/catch.hpp"

#include <highlevel/detail/base64.hpp>
#include <highlevel/http/proxy.hpp>

#include <stdexcept>
#include <string>

namespace http_proxy_tests {

namespace {

namespace http = highlevel::http;

const http::uri api{"https://services.leadconnectorhq.com"};

http::proxy_options through(std::string url, std::string no_proxy = {}) {
    http::proxy_options o;
    o.url = std::move(url);
    o.no_proxy = std::move(no_proxy);
    return o;
}

} // namespace

TEST_CASE("connect_request_names_the_origin_and_authenticates", "[http][proxy]") {
    auto const plain = http::proxy::choose(through("http://proxy.example:3128"), api);
    REQUIRE(plain);
    CHECK(plain->address().host() == "proxy.example");
    CHECK(plain->address().port() == 3128);
    CHECK(
        plain->connect_request(api) ==
        "CONNECT services.leadconnectorhq.com:443 HTTP/1.1\r\n"
        "Host: services.leadconnectorhq.com:443\r\n\r\n");

    // The example of RFC 7617 section 2, its ':' and '@' encoded.
    auto const user = http::proxy::choose(through("http://Aladdin:open%20sesame@p/"), api);
    REQUIRE(user);
    CHECK(user->address().port() == 80);
    CHECK(
        user->connect_request(api).find(
            "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n") != std::string::npos);

    auto const odd = http::proxy::choose(through("http://me:a@b:c@p:1"), api);
    REQUIRE(odd);
    CHECK(odd->address().host_and_port() == "p:1");
    CHECK(
        odd->connect_request(api).find(highlevel::detail::encode_base64("me:a@b:c")) !=
        std::string::npos);
}

TEST_CASE("unusable_proxy_is_refused_without_repeating_its_password", "[http][proxy]") {
    for (auto url :
         {"proxy:3128", "https://proxy", "socks5://proxy", "http://", "http://u:hunter2@",
          "http://u:hunter2@p:99999", "http://u:hunter2@p?x", "http://u:%zzhunter2@p", "http://p q",
          "http://u:hunter2\r\nX: y@p"}) {
        CAPTURE(url);
        try {
            static_cast<void>(http::proxy::choose(through(url), api));
            FAIL("accepted");
        } catch (std::invalid_argument const& e) {
            CHECK(std::string{e.what()}.find("hunter2") == std::string::npos);
            CHECK(std::string{e.what()}.find("proxy.url") == 0);
        }
    }
}

TEST_CASE("some_hosts_are_reached_directly", "[http][proxy]") {
    CHECK(!http::proxy::choose({}, api));
    CHECK(!http::proxy::choose(through("http://p"), http::uri{"http://127.0.0.1:8080"}));
    CHECK(!http::proxy::choose(through("http://p"), http::uri{"https://localhost"}));
    CHECK(!http::proxy::choose(through("http://p", "leadconnectorhq.com"), api));
    CHECK(http::proxy::choose(through("http://p", "connectorhq.com"), api));
}

TEST_CASE("no_proxy_list_covers_names_addresses_and_networks", "[http][proxy]") {
    using http::no_proxy_covers;
    CHECK(no_proxy_covers("*", "anything"));
    CHECK(no_proxy_covers("a.com, b.com", "b.com"));
    CHECK(no_proxy_covers(".b.com", "x.b.com"));
    CHECK(no_proxy_covers("*.b.com", "x.b.com"));
    CHECK(no_proxy_covers(".b.com", "b.com"));
    CHECK(no_proxy_covers("B.COM", "x.y.b.com"));
    CHECK(!no_proxy_covers("b.com", "ab.com"));
    CHECK(!no_proxy_covers("x.b.com", "b.com"));
    CHECK(!no_proxy_covers("", "b.com"));
    CHECK(!no_proxy_covers(" , ,", "b.com"));
    CHECK(!no_proxy_covers(".", "b.com"));

    CHECK(no_proxy_covers("10.0.0.0/8", "10.200.3.4"));
    CHECK(!no_proxy_covers("10.0.0.0/8", "11.0.0.1"));
    CHECK(no_proxy_covers("192.168.4.0/22", "192.168.7.255"));
    CHECK(!no_proxy_covers("192.168.4.0/22", "192.168.8.0"));
    CHECK(no_proxy_covers("1.2.3.4", "1.2.3.4"));
    CHECK(!no_proxy_covers("1.2.3.4", "1.2.3.5"));
    CHECK(no_proxy_covers("0.0.0.0/0", "1.2.3.5"));
    CHECK(!no_proxy_covers("10.0.0.0/33", "10.0.0.1"));
    CHECK(!no_proxy_covers("10.0.0.0/8", "10.example.com"));
    CHECK(no_proxy_covers("fd00::/8", "fd12::1"));
    CHECK(no_proxy_covers("[::1]", "::1"));
    CHECK(!no_proxy_covers("fd00::/8", "fe80::1"));
    CHECK(!no_proxy_covers("2001:db8::/129", "2001:db8::1"));
}

} // namespace http_proxy_tests
