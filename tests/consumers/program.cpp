// SPDX-License-Identifier: BSL-1.0
//
// A stranger's program: this file builds a client, the second one makes a call with it, which fails
// before a byte is sent. Together they need everything that the library links.
#include "second.hpp"

#include <highlevel/highlevel.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdio>
#include <exception>

int main() {
    boost::asio::io_context context;
    highlevel::client_options options;
    options.credentials = highlevel::auth::private_integration{"pit-of-nobody"};
    highlevel::client client{context.get_executor(), options};

    bool refused = false;
    boost::asio::co_spawn(
        context, is_refused_without_id(client),
        [&](std::exception_ptr thrown, bool answer) { refused = !thrown && answer; });
    context.run();
    std::printf(
        "highlevel %s: %s\n", highlevel::version_string.data(), refused ? "works" : "FAILS");
    return refused ? 0 : 1;
}
