// SPDX-License-Identifier: BSL-1.0
//
// Base URLs: what is taken can stand in a request without changing its meaning, and is the same
// when it is written out and read again. Percent-encoding is undone by percent-decoding.

#include "fuzz.hpp"

#include <highlevel/http/uri.hpp>

#include <string>

namespace fuzz::uri {

namespace http = highlevel::http;

namespace {

bool printable(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

} // namespace

int one_input(const std::uint8_t* data, std::size_t size) {
    std::string const text{reinterpret_cast<const char*>(data), size};
    if (auto const parsed = http::uri::parse(text)) {
        fuzz::require(printable(parsed->text()), "a URL is printable");
        fuzz::require(!parsed->host().empty(), "a URL has a host");
        fuzz::require(parsed->port() != 0, "a URL has a port");
        fuzz::require(
            parsed->path().empty() ||
                (parsed->path().front() == '/' && parsed->path().back() != '/'),
            "a path begins with a slash and does not end with one");
        fuzz::require(
            parsed->host_field().find_first_of("/@?#\\") == std::string::npos,
            "a host is only a host");
        auto const again = http::uri::parse(parsed->text());
        fuzz::require(again && *again == *parsed, "a URL written out is the same URL");
        fuzz::require(parsed->loopback() == http::is_loopback(parsed->host()), "a host is a host");
    }

    std::string target{"/contacts/"};
    http::append_path_segment(target, text);
    fuzz::require(printable(target), "a segment is printable");
    fuzz::require(
        target.find_first_of("/?#", 10) == std::string::npos, "a segment does not end early");
    auto const decoded = http::percent_decoded(std::string_view{target}.substr(10));
    fuzz::require(decoded && *decoded == text, "a segment is decoded to what it was");
    http::append_query(target, text, text);
    fuzz::require(printable(target), "a query is printable");
    fuzz::require(target.find('&') == std::string::npos, "a value does not begin another one");
    (void)http::percent_decoded(text);
    return 0;
}

} // namespace fuzz::uri
