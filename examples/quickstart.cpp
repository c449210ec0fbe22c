// SPDX-License-Identifier: BSL-1.0
//
// The README's program: makes a contact and reads it back. Set HIGHLEVEL_TOKEN and give a location
// id to run it against an account; without them it runs against a sandbox of its own.

#include <highlevel/sandbox/server.hpp>

#include <cstdlib>
#include <optional>

// README: begin
#include <highlevel/highlevel.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <iostream>

namespace contacts = highlevel::v2::contacts;

boost::asio::awaitable<void> greet(highlevel::account location) {
    contacts::create_contact create;
    create.body.first_name = "Ada";
    create.body.tags = {"vip"};
    // README: begin opening
    auto made = co_await location.call(create); // waits for its turn, never meets a 429
    auto got = co_await location.try_call(contacts::get_contact{*made->contact->id});
    std::cout << (got ? "Hello " + *(*got)->contact->first_name : got.error().what()) << '\n';
    // README: end opening
}
// README: end

int main(int argc, char** argv) {
    auto options = highlevel::client_options::from_environment();
    std::string id = argc > 1 ? argv[1] : "";
    std::optional<highlevel::sandbox::server> sandbox;
    if (!options.credentials || id.empty()) {
        highlevel::sandbox::options house;
        house.tls = true;
        sandbox.emplace(house);
        sandbox->start();
        options.base_url = sandbox->base_url();
        options.tls.ca_pem = sandbox->ca_certificate_pem();
        options.credentials = highlevel::auth::private_integration{sandbox->token()};
        id = sandbox->locations().at(0).id;
        std::cerr << "No token and location given: using a sandbox at " << options.base_url << '\n';
    }

    // README: begin main
    boost::asio::io_context context;
    highlevel::client client{context.get_executor(), options};
    int status = 0;
    boost::asio::co_spawn(context, greet(client.location(id)), [&](std::exception_ptr thrown) {
        try {
            if (thrown) std::rethrow_exception(thrown);
        } catch (const highlevel::error& e) {
            std::cerr << e.what() << '\n';
            status = 1;
        }
    });
    context.run();
    // README: end main
    return status;
}
