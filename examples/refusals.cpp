// SPDX-License-Identifier: BSL-1.0
//
// What goes wrong, and how a program tells: a contact that is not there, one that is there already,
// another account's location, and a server that fails. A sandbox plays all of it, as it would in a
// test of your own.

#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <iostream>
#include <optional>
#include <string>

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
namespace sandbox = highlevel::sandbox;
using highlevel::cause;

namespace {

// docs: begin causes
std::string advice(const highlevel::failure& failure) {
    switch (failure.cause()) {
    case cause::not_found: return "there is no such record";
    case cause::duplicate: return "it is there already, as " + failure.recovery_id();
    case cause::wrong_location: return "the token is for another location";
    case cause::scope_missing: return "the app needs the scope " + failure.scopes().front();
    case cause::daily_limit: return "come back tomorrow";
    default: break;
    }
    if (failure.code() == highlevel::condition::retryable) return "try again later";
    return failure.what(); // one line with all that is known
}
// docs: end causes

// docs: begin duplicate
/// The id of the contact with this address, which is made if it is not there.
asio::awaitable<std::string> contact_of(highlevel::account location, std::string address) {
    contacts::create_contact create;
    create.body.email = address;
    auto const made = co_await location.try_call(create);
    if (made) co_return made->value().contact->id.value();
    if (made.error().cause() == cause::duplicate) co_return made.error().recovery_id();
    throw highlevel::error{made.error()};
}
// docs: end duplicate

/// Whether everything came out as it should.
asio::awaitable<bool> provoke(highlevel::account location) {
    auto const first = co_await contact_of(location, "ada@example.com");
    auto const second = co_await contact_of(location, "ada@example.com");

    bool good = first == second;
    for (auto const* id : {"nobody", "elsewhere", "broken"}) {
        auto const got = co_await location.try_call(contacts::get_contact{id});
        good = good && got.has_error();
        if (got.has_error()) std::cout << id << ": " << advice(got.error()) << '\n';
    }
    co_return good;
}

} // namespace

int main() {
    // docs: begin sandbox
    sandbox::options house;
    house.locations = 2;
    house.contacts_per_location = 100;
    house.max = 25;
    house.interval = std::chrono::milliseconds{500};
    house.hook = [](const sandbox::request_view& request) {
        std::optional<sandbox::scripted_response> answer; // nothing: as usual
        if (request.path == "/contacts/elsewhere")
            answer.emplace(
                403, R"({"message":"The token does not have access to this location."})");
        if (request.path == "/contacts/broken") answer.emplace(503, "", "text/html");
        return answer;
    };
    sandbox::server server{house};
    server.start();

    highlevel::client_options options;
    options.base_url = server.base_url();
    options.credentials = highlevel::auth::private_integration{server.token()};
    options.retry.base_delay = std::chrono::milliseconds{1}; // do not make tests wait
    // docs: end sandbox

    asio::io_context context;
    highlevel::client client{context.get_executor(), options};
    bool good = false;
    asio::co_spawn(
        context, provoke(client.location(server.locations().at(0).id)),
        [&](std::exception_ptr thrown, bool answer) { good = !thrown && answer; });
    context.run();
    return good && server.totals().refused == 0 ? 0 : 1;
}
