// SPDX-License-Identifier: BSL-1.0
//
// Builds a client, which needs everything that the library links.
#include <highlevel/highlevel.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/io_context.hpp>

#include <iostream>

int main() {
    boost::asio::io_context context;
    highlevel::client_options options;
    options.credentials = highlevel::auth::private_integration{"pit-of-nobody"};
    highlevel::client const client{context.get_executor(), options};
    std::cout << "highlevel " << highlevel::version_string << '\n';
}
