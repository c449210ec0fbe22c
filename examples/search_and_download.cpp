// SPDX-License-Identifier: BSL-1.0
//
// Searches the contacts of a location with checked filters and reads what is found item by item;
// with --recording it also saves the sound of a call while it arrives. Runs against a sandbox of
// its own when no token is set.

#include "support/command_line.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/http/body.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/search.hpp>
#include <highlevel/v2/contacts.hpp>
#include <highlevel/v2/conversations.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>

namespace contacts = highlevel::v2::contacts;
namespace conversations = highlevel::v2::conversations;

namespace {

constexpr std::string_view usage = R"(Searches the contacts of a location.

  search_and_download [options]

  --location ID     the location; without one, or without $HIGHLEVEL_TOKEN, a sandbox is searched
  --recording ID    also saves the sound of this message's call as call.wav
)";

/// Those added within the last year and reachable, newest first.
void fill(contacts::search_contacts_advanced& operation) {
    auto const last_year = std::chrono::floor<std::chrono::milliseconds>(
        std::chrono::system_clock::now() - std::chrono::years{1});
    // paging-and-bulk: begin filters
    namespace search = highlevel::search;
    search::apply(
        operation,
        {search::any_of({search::exists("phone"), search::contains("email", "@example.com")}),
         search::since("dateAdded", last_year)},
        {search::descending("dateAdded")});
    // paging-and-bulk: end filters
}

boost::asio::awaitable<std::size_t> count(highlevel::account location) {
    contacts::search_contacts_advanced search;
    fill(search);
    highlevel::page_options options;
    // rate-limits: begin lane
    options.call.lane = highlevel::quota::lane::bulk;
    // rate-limits: end lane
    std::size_t found = 0;
    // paging-and-bulk: begin items
    auto all = location.items(search, options);
    while (auto* contact = co_await all.next())
        found += contact->id.has_value();
    // paging-and-bulk: end items
    co_return found;
}

boost::asio::awaitable<void> save_recording(highlevel::account location, std::string message_id) {
    conversations::get_message_recording recording{message_id, location.id()};
    // paging-and-bulk: begin sink
    highlevel::http::file_sink sink{"call.wav"};
    highlevel::call_options options;
    options.sink = &sink;
    co_await location.call(recording, options);
    // paging-and-bulk: end sink
}

boost::asio::awaitable<void> search(highlevel::account location, std::string message_id) {
    std::cout << co_await count(location) << " contacts found\n";
    if (!message_id.empty()) co_await save_recording(location, message_id);
}

struct arguments {
    std::string location;
    std::string recording;
};

bool take(arguments& a, command_line::cursor& at) {
    if (at.is("--location"))
        a.location = at.value();
    else if (at.is("--recording"))
        a.recording = at.value();
    else
        return false;
    return true;
}

int run(arguments args) {
    auto options = highlevel::client_options::from_environment();
    std::optional<highlevel::sandbox::server> sandbox;
    if (!options.credentials || args.location.empty()) {
        sandbox.emplace();
        sandbox->start();
        options.base_url = sandbox->base_url();
        options.credentials = highlevel::auth::private_integration{sandbox->token()};
        args.location = sandbox->locations().at(0).id;
        std::cerr << "No token and location given: using a sandbox at " << options.base_url << '\n';
    }
    boost::asio::io_context context;
    highlevel::client const client{context.get_executor(), options};
    std::exception_ptr failed;
    boost::asio::co_spawn(
        context, search(client.location(args.location), args.recording),
        [&](std::exception_ptr thrown) { failed = thrown; });
    context.run();
    if (failed) std::rethrow_exception(failed);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("search_and_download", usage, argc, argv, take, run);
}
