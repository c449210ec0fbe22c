// SPDX-License-Identifier: BSL-1.0
//
// Listens for webhooks and prints what happened. As it stands it listens to a sandbox of its own,
// in which it makes, changes and removes a contact and installs an app; with --port it listens to
// HighLevel, behind a proxy that ends TLS.

#include "support/command_line.hpp"

#include <highlevel/auth/oauth.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/sandbox/webhooks.hpp>
#include <highlevel/v2/contacts.hpp>
#include <highlevel/webhooks/installs.hpp>
#include <highlevel/webhooks/receiver.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
namespace sandbox = highlevel::sandbox;

namespace {

constexpr std::string_view usage = R"(Listens for webhooks and prints what happened.

  webhook_receiver                   listens to a sandbox of its own
  webhook_receiver --port N --app ID listens to HighLevel

  --port N      where to listen, on all addresses, in plain HTTP
  --app ID      takes the events of this app only
)";

// docs: begin loop
namespace webhooks = highlevel::webhooks;

boost::asio::awaitable<void> print_events(webhooks::receiver& receiver) {
    while (auto event = co_await receiver.next()) {
        std::cout << event->head.type << " in " << event->head.location_id << ": ";
        if (auto const* contact = event->get_if<webhooks::types::contact>())
            std::cout << contact->name.value_or("nobody") << '\n';
        else if (auto const* message = event->get_if<webhooks::event_kind::inbound_message>())
            std::cout << message->body.value_or("no text") << '\n';
        else
            std::cout << event->body << '\n'; // the JSON as it came
    }
}
// docs: end loop

// docs: begin installs
boost::asio::awaitable<void> follow_all(
    webhooks::receiver& receiver, const webhooks::installs& installs) {
    auto const executor = co_await boost::asio::this_coro::executor;
    while (auto event = co_await receiver.next()) {
        auto const kept = std::make_shared<webhooks::event>(*std::move(event));
        boost::asio::co_spawn(
            executor, installs.follow(*kept),
            [kept](std::exception_ptr failed, webhooks::install_step step) {
                auto const& place = kept->head.location_id;
                if (failed)
                    std::cerr << place << ": " << kept->head.type << " was not followed\n";
                else if (step == webhooks::install_step::installed)
                    std::cout << place << " has a token\n";
                else if (step == webhooks::install_step::removed)
                    std::cout << place << " has none any more\n";
            });
    }
}
// docs: end installs

asio::awaitable<void> change_a_contact(
    highlevel::account location, sandbox::webhook_sender& sender) {
    contacts::create_contact create;
    create.body.first_name = "Ada";
    auto const made = co_await location.call(create);
    contacts::update_contact update{*made->contact->id};
    update.body.last_name = "Lovelace";
    co_await location.call(update);
    co_await location.call(contacts::delete_contact{*made->contact->id});
    co_await sender.settled();
}

void listen(std::uint16_t port, std::string app) {
    // docs: begin listen
    asio::io_context context;
    webhooks::receiver_options options;
    options.address = "0.0.0.0";
    options.port = port;
    options.inbox.path = "/webhooks";
    options.inbox.guard.app_ids = {app}; // HighLevel signs for all apps with one key
    webhooks::receiver receiver{context.get_executor(), options};
    receiver.start();
    asio::co_spawn(context, print_events(receiver), asio::detached);
    context.run();
    // docs: end listen
}

void listen_to_a_sandbox() {
    asio::io_context context;
    // Sender and receiver must know each other: one gives its keys, the other its port.
    sandbox::webhook_signer const signer;
    webhooks::receiver_options options;
    options.inbox.guard.signing.keys = {webhooks::public_key::from_pem(signer.ed25519_key_pem())};
    webhooks::receiver receiver{context.get_executor(), options};
    receiver.start();

    sandbox::webhook_sender_options how;
    how.port = receiver.port();
    how.duplicates = 50;
    sandbox::webhook_sender sender{how, signer};
    sandbox::options house;
    house.on_change = sender.hook();
    sandbox::server server{house};
    server.start();

    highlevel::client_options calls;
    calls.base_url = server.base_url();
    calls.credentials = highlevel::auth::private_integration{server.token()};
    highlevel::client client{context.get_executor(), calls};
    asio::co_spawn(context, print_events(receiver), asio::detached);
    asio::co_spawn(
        context, change_a_contact(client.location(server.locations().at(0).id), sender),
        [&](std::exception_ptr thrown) {
            receiver.stop();
            if (thrown) std::rethrow_exception(thrown);
        });
    context.run();
    auto const counted = receiver.counters().inbox;
    std::cout << counted[webhooks::outcome::accepted] << " events, "
              << counted[webhooks::outcome::duplicate] << " of them came twice\n";
}

asio::awaitable<void> install(
    sandbox::server& server, highlevel::auth::oauth_app& app, sandbox::webhook_sender& sender) {
    highlevel::auth::secret code{
        server.issue_code("sandbox-12345678", server.locations().at(0).id)};
    // The webhook is here, and waits for what the browser brings only now.
    co_await sender.settled();
    (void)co_await app.exchange_code(std::move(code));
}

void follow_installs_in_a_sandbox() {
    asio::io_context context;
    sandbox::webhook_signer const signer;
    highlevel::auth::oauth_app app{"sandbox-12345678", "app secret"};
    webhooks::receiver_options options;
    options.inbox.guard.signing.keys = {webhooks::public_key::from_pem(signer.ed25519_key_pem())};
    options.inbox.guard.app_ids = {app.app_id()};
    webhooks::receiver receiver{context.get_executor(), options};
    receiver.start();

    sandbox::webhook_sender_options how;
    how.port = receiver.port();
    sandbox::webhook_sender sender{how, signer};
    sandbox::options house;
    house.on_install = sender.install_hook();
    sandbox::server server{house};
    sandbox::app_settings known;
    known.client_id = "sandbox-12345678";
    known.client_secret = "app secret";
    server.add_app(known);
    server.start();

    highlevel::client_options calls;
    calls.base_url = server.base_url();
    calls.credentials = app;
    highlevel::client const client{context.get_executor(), calls};
    webhooks::installs const installs{webhooks::installs_options{app}};
    asio::co_spawn(context, follow_all(receiver, installs), asio::detached);
    asio::co_spawn(context, install(server, app, sender), [&](std::exception_ptr thrown) {
        receiver.stop();
        if (thrown) std::rethrow_exception(thrown);
    });
    context.run();
}

struct arguments {
    std::optional<std::uint16_t> port;
    std::string app;
};

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--port"))
        a.port = at.number<std::uint16_t>(1, 65535);
    else if (at.is("--app"))
        a.app = at.value();
    else
        return false;
    return true;
}

int run(const arguments& args) {
    if (args.port) {
        if (args.app.empty()) throw command_line::usage_error{"--app: must be given with --port"};
        listen(*args.port, args.app);
    } else {
        listen_to_a_sandbox();
        follow_installs_in_a_sandbox();
    }
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("webhook_receiver", usage, argc, argv, take, run);
}
