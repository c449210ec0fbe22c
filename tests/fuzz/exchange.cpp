// SPDX-License-Identifier: BSL-1.0
//
// A server that answers with anything, through the real transport over a loopback socket: every
// exchange ends, with one of the known errors or a response, and no connection is left in use.

#include "fuzz.hpp"

#include <highlevel/http/http1_transport.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <chrono>
#include <string>
#include <utility>

namespace fuzz::exchange {

namespace asio = boost::asio;
namespace http = highlevel::http;
using asio::ip::tcp;

namespace {

/// Listens once for all inputs, since ports are few; each input has a transport of its own.
class house {
public:
    house() : listener(context, tcp::endpoint{asio::ip::address_v4::loopback(), 0}) {}

    [[nodiscard]] http::uri url() const {
        return http::uri{
            "http://127.0.0.1:" + std::to_string(listener.local_endpoint().port()) + "/base"};
    }

    asio::io_context context{1};
    tcp::acceptor listener;
};

/// Answers each request with what stands before the next 0xff of the input, and ends the connection
/// with the input, or when the client does not come back because it waits for the rest.
asio::awaitable<void> serve(house& h, std::string_view answers, const bool& over) {
    boost::system::error_code ec;
    while (!over) {
        auto peer = co_await h.listener.async_accept(asio::redirect_error(asio::use_awaitable, ec));
        if (ec) co_return;
        std::array<char, 4096> request;
        for (;;) {
            asio::steady_timer patience{h.context, std::chrono::milliseconds{2}};
            patience.async_wait([&](boost::system::error_code struck) {
                if (!struck) peer.cancel();
            });
            co_await peer.async_read_some(
                asio::buffer(request), asio::redirect_error(asio::use_awaitable, ec));
            // The handler above names this frame: it has to have run before the frame goes on.
            patience.cancel();
            co_await asio::post(h.context, asio::use_awaitable);
            if (ec) break;
            auto const end = std::min(answers.find('\xff'), answers.size());
            co_await asio::async_write(
                peer, asio::buffer(answers.data(), end),
                asio::redirect_error(asio::use_awaitable, ec));
            answers.remove_prefix(std::min(end + 1, answers.size()));
            if (ec || answers.empty()) break;
        }
    }
}

asio::awaitable<void> ask(http::http1_transport& transport, http::method verb, int& ended) {
    http::request request{verb, "/contacts/?limit=1"};
    if (verb == http::method::post) request.body = "{}";
    http::exchange_options bounds;
    bounds.max_body = 4096;
    bounds.deadline = std::chrono::steady_clock::now() + std::chrono::seconds{20};
    auto const got = co_await transport.exchange(request, bounds);
    ++ended;
    if (got.ok()) {
        fuzz::require(got.reply.status >= 200 && got.reply.status < 600, "a status is one");
        fuzz::require(got.reply.body.size() <= bounds.max_body, "the bound of the body holds");
        fuzz::require(got.reached == http::phase::done, "a response is the end");
        fuzz::require(got.may_have_been_processed, "who answers has processed");
        co_return;
    }
    fuzz::require(got.reply.status == 0, "there is no response beside an error");
    fuzz::require(
        got.error == highlevel::errc::malformed_response ||
            got.error == highlevel::errc::response_too_large ||
            got.error == highlevel::errc::connection_lost,
        "a server that answers badly is one of three errors");
    fuzz::require(!got.detail.empty(), "an error says why");
}

} // namespace

int one_input(const std::uint8_t* data, std::size_t size) {
    static house h;
    constexpr http::method verbs[] = {
        http::method::get, http::method::post, http::method::head, http::method::delete_};
    fuzz::input in{data, size};
    auto const how = in.byte();
    int ended = 0;
    {
        auto transport = http::make_transport(h.context.get_executor(), h.url());
        bool over = false;
        asio::co_spawn(h.context, serve(h, in.rest(), over), asio::detached);
        asio::co_spawn(
            h.context,
            [&]() -> asio::awaitable<void> {
                co_await ask(*transport, verbs[how & 3], ended);
                co_await ask(*transport, verbs[how >> 2 & 3], ended);
                auto const left = transport->stats();
                fuzz::require(left.in_use == 0, "no connection is left in use");
                fuzz::require(left.connecting == 0, "no connection is left in the opening");
                fuzz::require(left.active == 0, "no exchange is left");
                over = true;
                transport->close();
                h.listener.cancel();
            },
            [](std::exception_ptr thrown) {
                if (thrown) std::rethrow_exception(thrown);
            });
        h.context.restart();
        h.context.run();
    }
    fuzz::require(ended == 2, "every exchange ends");
    return 0;
}

} // namespace fuzz::exchange
