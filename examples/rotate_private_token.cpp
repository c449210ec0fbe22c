// SPDX-License-Identifier: BSL-1.0
//
// Rotates a Private Integration's token while a client is at work, without a call that fails: for
// seven days after "rotate, expire later" both tokens work, which is when the new one is put in. It
// runs against a sandbox of its own.

#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <exception>
#include <iostream>
#include <string>

namespace asio = boost::asio;
namespace auth = highlevel::auth;
namespace contacts = highlevel::v2::contacts;

namespace {

asio::awaitable<void> work(
    highlevel::account location,
    auth::private_integration tokens,
    highlevel::sandbox::server& sandbox,
    std::string id,
    std::string old) {
    contacts::get_contacts list;
    for (int round = 0; round < 30; ++round) {
        if (round == 10) {
            // HighLevel's page has given a new token; the old one goes on working for a while.
            sandbox.add_token("pit-new", {id});
            tokens.location(id, auth::secret{"pit-new"});
            std::cout << "The new token is in use\n";
        }
        if (round == 20) {
            sandbox.remove_token(old);
            std::cout << "The old token has expired\n";
        }
        co_await location.call(list);
    }
    std::cout << "30 calls, none of them failed\n";
    // Later: a token that was rotated away without putting the new one in.
    sandbox.remove_token("pit-new");
    auto const refused = co_await location.try_call(list);
    if (refused) throw std::runtime_error{"a token that is gone still works"};
    std::cout << "Without it: " << refused.error().hint() << '\n';
}

} // namespace

int main() {
    highlevel::sandbox::server sandbox;
    sandbox.start();
    auto const place = sandbox.locations().at(0);

    // A copy shares the tokens with the client's: that is what rotates them.
    auth::private_integration tokens;
    tokens.location(place.id, auth::secret{place.token});
    highlevel::client_options options;
    options.base_url = sandbox.base_url();
    options.credentials = tokens;

    asio::io_context context;
    highlevel::client client{context.get_executor(), options};
    int status = 0;
    asio::co_spawn(
        context, work(client.location(place.id), tokens, sandbox, place.id, place.token),
        [&](std::exception_ptr thrown) {
            try {
                if (thrown) std::rethrow_exception(thrown);
            } catch (const std::exception& e) {
                std::cerr << "rotate_private_token: " << e.what() << '\n';
                status = 1;
            }
        });
    context.run();
    return status;
}
