// SPDX-License-Identifier: BSL-1.0
//
// Installs an OAuth app from end to end: the link for the user, the redirect that brings the code
// back, the exchange, and a call with the token. It runs against a sandbox of its own, whose page
// has the user's choice made already, so that nobody needs to click.

#include <highlevel/auth/authorize_url.hpp>
#include <highlevel/auth/file_token_store.hpp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

namespace asio = boost::asio;
namespace auth = highlevel::auth;
namespace contacts = highlevel::v2::contacts;
using asio::ip::tcp;

namespace {

constexpr std::string_view client_id = "sandbox-12345678";
constexpr std::string_view client_secret = "made-up";

/// The first line's target of a request or, of a response, the value of `location`.
std::string between(const std::string& text, std::string_view before, std::string_view after) {
    auto const start = text.find(before);
    if (start == text.npos) return {};
    auto const from = start + before.size();
    return text.substr(from, text.find(after, from) - from);
}

/// Takes the one request that the user's browser makes when it is sent back. A real app has this in
/// its web server, at an https address: HighLevel takes no other.
asio::awaitable<std::string> receive_callback(tcp::acceptor& listener) {
    auto socket = co_await listener.async_accept(asio::use_awaitable);
    std::string request;
    co_await asio::async_read_until(
        socket, asio::dynamic_buffer(request, 65536), "\r\n\r\n", asio::use_awaitable);
    std::string const page{"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n"
                           "Connection: close\r\n\r\nInstalled\n"};
    co_await asio::async_write(socket, asio::buffer(page), asio::use_awaitable);
    co_return between(request, "GET ", " ");
}

/// A browser as small as it can be: gets a page and gives where that sends it.
asio::awaitable<std::string> follow(std::string url) {
    auto const rest = url.substr(url.find("//") + 2);
    auto const host = rest.substr(0, rest.find('/'));
    auto const port = std::stoi(host.substr(host.find(':') + 1));
    tcp::socket socket{co_await asio::this_coro::executor};
    co_await socket.async_connect(
        {asio::ip::make_address("127.0.0.1"), static_cast<asio::ip::port_type>(port)},
        asio::use_awaitable);
    std::string request{"GET "};
    request += rest.substr(host.size());
    request += " HTTP/1.1\r\nHost: ";
    request += host;
    request += "\r\nConnection: close\r\n\r\n";
    co_await asio::async_write(socket, asio::buffer(request), asio::use_awaitable);
    std::string answer;
    boost::system::error_code end;
    co_await asio::async_read(
        socket, asio::dynamic_buffer(answer, 65536),
        asio::redirect_error(asio::use_awaitable, end));
    auto location = between(answer, "location: ", "\r\n");
    if (location.empty()) location = between(answer, "Location: ", "\r\n");
    co_return location;
}

asio::awaitable<void> browse(std::string url) {
    while (!url.empty())
        url = co_await follow(url);
}

asio::awaitable<void> install(
    auth::oauth_app app, highlevel::client& client, std::string host, std::string location) {
    auto const executor = co_await asio::this_coro::executor;
    tcp::acceptor listener{executor, {asio::ip::make_address("127.0.0.1"), 0}};

    auth::authorize_options options;
    options.host = std::move(host);
    options.client_id = client_id;
    options.redirect_uri =
        "http://127.0.0.1:" + std::to_string(listener.local_endpoint().port()) + "/callback";
    options.scopes = {"contacts.readonly", "contacts.write"};
    options.extra = {{"locationId", location}}; // what the user would choose on the page
    auto const link = auth::make_authorize_link(options);
    std::cout << "Send the user to " << link.url << '\n';

    // The user's part.
    asio::co_spawn(executor, browse(link.url), asio::detached);

    auto const target = co_await receive_callback(listener);
    auto callback = auth::read_callback(target, link.state);
    if (!callback.ok()) throw std::runtime_error{"the redirect does not belong to our link"};
    auto const installed =
        co_await app.exchange_code(std::move(callback.code), options.redirect_uri);
    std::cout << "Installed on " << installed.what.key() << '\n';

    auto found =
        co_await client.location(installed.what.id).call<contacts::get_contacts>([](auto& op) {
            op.limit = 3;
        });
    std::cout << "It has contacts: " << found->contacts.size() << " of them here\n";
}

} // namespace

int main() {
    highlevel::sandbox::options house;
    house.contacts_per_location = 5;
    highlevel::sandbox::server sandbox{house};
    highlevel::sandbox::app_settings known;
    known.client_id = client_id;
    known.client_secret = client_secret;
    sandbox.add_app(known);
    sandbox.start();

    try {
        // Tokens outlive the program: the next start works without another installation.
        auto const store = std::make_shared<auth::file_token_store>("tokens");
        auth::oauth_app app{
            std::string{client_id}, auth::secret{std::string{client_secret}}, store};
        highlevel::client_options options;
        options.base_url = sandbox.base_url();
        options.credentials = app;

        asio::io_context context;
        highlevel::client client{context.get_executor(), options};
        std::exception_ptr failed;
        asio::co_spawn(
            context, install(app, client, sandbox.base_url(), sandbox.locations().at(0).id),
            [&](std::exception_ptr thrown) { failed = thrown; });
        context.run();
        if (failed) std::rethrow_exception(failed);
    } catch (const std::exception& e) {
        std::cerr << "oauth_install: " << e.what() << '\n';
        return 1;
    }
    return 0;
}
