// SPDX-License-Identifier: BSL-1.0
//
// The floor: the same requests with Boost.Beast and coroutines and none of our layers, as a careful
// person writes them by hand.

#include "support/throughput.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parse.hpp>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <stdexcept>
#include <string>
#include <string_view>

namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;

namespace {

constexpr std::string_view usage = R"(Requests over TLS with Boost.Beast alone.

  throughput_beast --port P --ca FILE [options]

  --mode none  read the body (default)
  --mode mono  and parse it into a json::value in a monotonic_resource
  --mode dom   and parse it into a json::value
)";

/// One connection, its buffer and its request.
class connection {
public:
    connection(asio::io_context& context, asio::ssl::context& tls) : stream(context, tls) {
        buffer.reserve(64 * 1024);
    }

    asio::ssl::stream<tcp::socket> stream;
    boost::beast::flat_buffer buffer;
};

std::size_t parse(const std::string& mode, const std::string& body) {
    if (mode == "mono") {
        unsigned char room[65536];
        boost::json::monotonic_resource memory{room, sizeof room};
        return boost::json::parse(body, &memory).get_object().size();
    }
    if (mode == "dom") return boost::json::parse(body).get_object().size();
    return 1;
}

asio::awaitable<void> fetch(
    connection& link,
    const throughput::arguments& args,
    const http::request<http::empty_body>& request,
    std::uint64_t& bytes) {
    co_await http::async_write(link.stream, request, asio::use_awaitable);
    http::response<http::string_body> response;
    co_await http::async_read(link.stream, link.buffer, response, asio::use_awaitable);
    if (response.result() != http::status::ok) throw std::runtime_error{"not answered with 200"};
    if (parse(args.mode, response.body()) == 0) throw std::runtime_error{"no members"};
    bytes += response.body().size();
}

int run(const throughput::arguments& args) {
    asio::io_context context{1};
    asio::ssl::context tls{asio::ssl::context::tls_client};
    tls.load_verify_file(args.ca_file);
    tls.set_verify_mode(asio::ssl::verify_peer);
    http::request<http::empty_body> request{http::verb::get, args.target(), 11};
    request.set(http::field::host, args.host);
    request.set(http::field::accept, "application/json");
    request.set(http::field::authorization, "Bearer pit-throughput");
    request.set(http::field::user_agent, "highlevel-cpp/0.1");
    request.set("Version", "2021-07-28");

    throughput::turns turns{args};
    std::uint64_t bytes = 0;
    std::exception_ptr failed;
    auto const keep = [&](std::exception_ptr e) {
        if (e && !failed) failed = e;
    };
    std::deque<connection> links;
    for (std::size_t i = 0; i < args.in_flight; ++i)
        links.emplace_back(context, tls);
    auto const open = [&](connection& link) -> asio::awaitable<void> {
        tcp::endpoint const peer{asio::ip::make_address(args.host), args.port};
        co_await link.stream.next_layer().async_connect(peer, asio::use_awaitable);
        link.stream.next_layer().set_option(tcp::no_delay{true});
        co_await link.stream.async_handshake(asio::ssl::stream_base::client, asio::use_awaitable);
        co_await fetch(link, args, request, bytes);
    };
    auto const work = [&](connection& link) -> asio::awaitable<void> {
        while (turns.take())
            co_await fetch(link, args, request, bytes);
    };
    for (auto& link : links)
        asio::co_spawn(context, open(link), keep);
    context.run();
    if (failed) std::rethrow_exception(failed);
    turns.begin();
    auto const before = bytes;
    measure::stopwatch const watch;
    for (auto& link : links)
        asio::co_spawn(context, work(link), keep);
    context.restart();
    context.run();
    if (failed) std::rethrow_exception(failed);
    throughput::report("beast", args, watch, bytes - before);
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    return throughput::main(argc, argv, "throughput_beast", usage, "none", run);
}
