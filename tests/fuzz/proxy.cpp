// SPDX-License-Identifier: BSL-1.0
//
// Texts in the form of HTTPS_PROXY and NO_PROXY: refused, or understood in a way that puts nothing
// into the request to the proxy that does not belong there.

#include "fuzz.hpp"

#include <highlevel/http/proxy.hpp>

#include <stdexcept>
#include <string>

namespace fuzz::proxy {

namespace http = highlevel::http;

int one_input(const std::uint8_t* data, std::size_t size) {
    fuzz::input in{data, size};
    http::proxy_options options;
    options.no_proxy = in.line();
    std::string const host{in.line()};
    options.url = in.rest();

    bool const covered = http::no_proxy_covers(options.no_proxy, host);
    fuzz::require(
        !covered || http::no_proxy_covers("," + options.no_proxy + " ,", host),
        "empty entries change nothing");
    fuzz::require(http::no_proxy_covers(options.no_proxy + ",*", host), "a star covers everything");

    for (std::string_view const base : {"https://services.example.com", "https://[2001:db8::1]"}) {
        http::uri const origin{base};
        try {
            auto const chosen = http::proxy::choose(options, origin);
            if (!chosen) continue;
            fuzz::require(!options.url.empty(), "a proxy has a name");
            fuzz::require(
                !http::no_proxy_covers(options.no_proxy, origin.host()), "who is covered has none");
            auto const request = chosen->connect_request(origin);
            std::size_t lines = 0;
            for (char const c : request) {
                fuzz::require((c >= 0x20 && c < 0x7f) || c == '\r' || c == '\n', "it is text");
                lines += c == '\n';
            }
            fuzz::require(lines == 3 || lines == 4, "it has two or three lines and an empty one");
            fuzz::require(request.ends_with("\r\n\r\n"), "it ends where it ends");
        } catch (const std::invalid_argument& refused) {
            fuzz::require(
                std::string_view{refused.what()}.starts_with("proxy.url: "),
                "a refusal names the field");
        }
    }
    return 0;
}

} // namespace fuzz::proxy
