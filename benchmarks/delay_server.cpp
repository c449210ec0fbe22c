// SPDX-License-Identifier: BSL-1.0
//
// A TLS server that answers every GET with the same file after a fixed time: how well a client
// overlaps its requests shows only against one that makes it wait.

#include "../examples/support/command_line.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr std::string_view usage =
    R"(Answers every GET over TLS with the same file, after a fixed time.

  delay_server --folder DIR [--port P] [--delay-ms N]

  --folder DIR   holds ca.pem, key.pem and S.json, the answer (none: nothing is done)
  --port P       on 127.0.0.1 (default: one that is free); it is printed
  --delay-ms N   how long an answer takes (default: 20)
  --quick        nothing is done
)";

struct arguments {
    std::string folder;
    std::uint16_t port = 0;
    std::chrono::milliseconds delay{20};
};

bool take(arguments& args, command_line::cursor& at) {
    if (at.is("--folder"))
        args.folder = at.value();
    else if (at.is("--port"))
        args.port = at.number<std::uint16_t>(1, 65535);
    else if (at.is("--delay-ms"))
        args.delay = std::chrono::milliseconds{at.number(0, 60'000)};
    else
        return at.is("--quick");
    return true;
}

std::string answer(const std::string& file) {
    std::ifstream in{file};
    std::string const body{std::istreambuf_iterator<char>{in}, {}};
    if (body.empty()) throw std::runtime_error{file + ": cannot be read, or is empty"};
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
           "X-RateLimit-Limit-Daily: 200000000\r\nX-RateLimit-Daily-Remaining: 199999999\r\n"
           "X-RateLimit-Interval-Milliseconds: 1000\r\nX-RateLimit-Max: 60000\r\n"
           "X-RateLimit-Remaining: 59999\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body;
}

asio::awaitable<void> serve(
    tcp::socket socket,
    asio::ssl::context& tls,
    const std::string& reply,
    std::chrono::milliseconds delay) {
    try {
        socket.set_option(tcp::no_delay{true});
        asio::steady_timer timer{socket.get_executor()};
        asio::ssl::stream<tcp::socket> stream{std::move(socket), tls};
        co_await stream.async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
        std::string request;
        for (;;) {
            auto const size = co_await asio::async_read_until(
                stream, asio::dynamic_buffer(request), "\r\n\r\n", asio::use_awaitable);
            request.erase(0, size);
            timer.expires_after(delay);
            co_await timer.async_wait(asio::use_awaitable);
            co_await asio::async_write(stream, asio::buffer(reply), asio::use_awaitable);
        }
    } catch (const boost::system::system_error&) {
        // The client hung up.
    }
}

int run(const arguments& args) {
    if (args.folder.empty()) {
        std::cerr << "delay_server: no --folder; benchmarks/run makes one and gives it\n";
        return 0;
    }
    asio::io_context context{1};
    asio::ssl::context tls{asio::ssl::context::tls_server};
    tls.use_certificate_chain_file(args.folder + "/ca.pem");
    tls.use_private_key_file(args.folder + "/key.pem", asio::ssl::context::pem);
    auto const reply = answer(args.folder + "/S.json");
    tcp::acceptor acceptor{context, {asio::ip::address_v4::loopback(), args.port}};
    acceptor.listen(4096);
    std::printf("%d\n", static_cast<int>(acceptor.local_endpoint().port()));
    std::fflush(stdout);
    auto const accept = [&]() -> asio::awaitable<void> {
        for (;;) {
            auto socket = co_await acceptor.async_accept(asio::use_awaitable);
            asio::co_spawn(
                context, serve(std::move(socket), tls, reply, args.delay), asio::detached);
        }
    };
    asio::co_spawn(context, accept(), [](std::exception_ptr e) {
        if (e) std::rethrow_exception(e);
    });
    context.run();
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return command_line::main_of<arguments>("delay_server", usage, argc, argv, take, run);
}
