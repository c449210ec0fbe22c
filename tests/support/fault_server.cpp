// SPDX-License-Identifier: BSL-1.0
//
// The server's conversations, apart from what tests include: the handshakes and reads of each test
// file would otherwise be compiled with it.
#include "support/fault_server.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <openssl/ssl.h>

#include <algorithm>
#include <future>
#include <type_traits>
#include <utility>

#if defined(__linux__)
#    include <netinet/tcp.h>
#    include <sys/socket.h>
#endif

namespace highlevel::test {

namespace {

using tcp = boost::asio::ip::tcp;
using boost::system::error_code;

void linger_zero(tcp::socket& socket) {
    error_code ignored;
    socket.set_option(boost::asio::socket_base::linger{true, 0}, ignored);
}

// Whether small segments wait for more.
void hold_back([[maybe_unused]] tcp::socket& socket, [[maybe_unused]] bool on) {
#if defined(__linux__)
    int const value = on ? 1 : 0;
    (void)::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_CORK, &value, sizeof value);
#endif
}

std::size_t content_length(const std::string& head) {
    constexpr std::string_view name = "\r\nContent-Length: ";
    auto const at = head.find(name);
    return at == std::string::npos ? 0 : std::stoul(head.substr(at + name.size()));
}

} // namespace

fault_server::fault_server(
    script what, std::optional<certificate> tls, const std::string& client_ca_pem)
    : script_(std::move(what)),
      acceptor_(context_) {
    if (tls) use_tls(*tls, client_ca_pem);
    listen();
}

fault_server::fault_server(
    behaviour always, std::optional<certificate> tls, const std::string& client_ca_pem)
    : fault_server(
          [always](std::size_t, std::size_t) { return always; }, std::move(tls), client_ca_pem) {}

fault_server::~fault_server() {
    context_.stop();
    thread_.join();
}

void fault_server::open_gate() {
    on_thread([this] {
        gate_open_ = true;
        for (auto* timer : gate_waiters_)
            timer->cancel();
    });
}

void fault_server::close_connections(bool with_reset) {
    on_thread([this, with_reset] {
        for (auto* socket : sockets_) {
            if (with_reset) linger_zero(*socket);
            error_code ignored;
            socket->close(ignored);
        }
    });
}

void fault_server::stop_listening() {
    on_thread([this] { acceptor_.close(); });
}

void fault_server::limit_tls(int version) {
    on_thread([this, version] { ::SSL_CTX_set_max_proto_version(tls_->native_handle(), version); });
}

void fault_server::on_thread(std::function<void()> work) {
    std::promise<void> done;
    boost::asio::post(context_, [&] {
        work();
        done.set_value();
    });
    done.get_future().get();
}

void fault_server::use_tls(const certificate& own, const std::string& client_ca_pem) {
    tls_.emplace(boost::asio::ssl::context::tls_server);
    tls_->use_certificate_chain(boost::asio::buffer(own.pem));
    tls_->use_private_key(boost::asio::buffer(own.key_pem), boost::asio::ssl::context::pem);
    static constexpr unsigned char id[] = "fault_server";
    ::SSL_CTX_set_session_id_context(tls_->native_handle(), id, sizeof id);
    if (client_ca_pem.empty()) return;
    tls_->add_certificate_authority(boost::asio::buffer(client_ca_pem));
    tls_->set_verify_mode(
        boost::asio::ssl::verify_peer | boost::asio::ssl::verify_fail_if_no_peer_cert);
}

void fault_server::listen() {
    tcp::endpoint const any_port{boost::asio::ip::address_v4::loopback(), 0};
    acceptor_.open(any_port.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address{true});
    acceptor_.bind(any_port);
    acceptor_.listen();
    port_ = acceptor_.local_endpoint().port();
    boost::asio::co_spawn(context_, accept(), boost::asio::detached);
    thread_ = std::thread{[this] { context_.run(); }};
}

boost::asio::awaitable<void> fault_server::accept() {
    for (;;) {
        error_code ec;
        tcp::socket socket{context_};
        co_await acceptor_.async_accept(
            socket, boost::asio::redirect_error(boost::asio::use_awaitable, ec));
        if (ec) co_return;
        std::size_t number = 0;
        note([&] {
            number = accepted_++;
            peak_ = std::max(peak_, ++open_);
        });
        boost::asio::co_spawn(context_, serve(std::move(socket), number), boost::asio::detached);
    }
}

boost::asio::awaitable<void> fault_server::serve(tcp::socket socket, std::size_t number) {
    socket.set_option(tcp::no_delay{true});
    if (tls_) {
        boost::asio::ssl::stream<tcp::socket> stream{std::move(socket), *tls_};
        auto& below = stream.next_layer();
        sockets_.insert(&below);
        behaviour const first = script_(number, 0);
        if (!first.greeting.empty()) {
            co_await greet(first.greeting, below);
        } else if (co_await perform(first.at_accept, below)) {
            error_code ec;
            co_await stream.async_handshake(
                boost::asio::ssl::stream_base::server,
                boost::asio::redirect_error(boost::asio::use_awaitable, ec));
            if (!ec && ::SSL_session_reused(stream.native_handle())) note([&] { ++resumed_; });
            if (!ec) co_await converse(stream, below, number);
        }
        sockets_.erase(&below);
    } else {
        sockets_.insert(&socket);
        behaviour const first = script_(number, 0);
        if (co_await perform(first.at_accept, socket)) co_await converse(socket, socket, number);
        sockets_.erase(&socket);
    }
    note([&] { --open_; });
}

// Sends the bytes and reads what comes until the client leaves, so that they surely arrive.
boost::asio::awaitable<void> fault_server::greet(const std::string& bytes, tcp::socket& socket) {
    error_code ec;
    co_await boost::asio::async_write(
        socket, boost::asio::buffer(bytes),
        boost::asio::redirect_error(boost::asio::use_awaitable, ec));
    co_await perform(act::stall, socket);
}

// Whether the connection goes on.
boost::asio::awaitable<bool> fault_server::perform(act what, tcp::socket& socket) {
    error_code ec;
    if (what == act::stall) {
        // Until the client goes away; what it sends is swallowed.
        char waste[4096];
        while (!ec)
            co_await socket.async_read_some(
                boost::asio::buffer(waste),
                boost::asio::redirect_error(boost::asio::use_awaitable, ec));
    }
    if (what == act::reset) linger_zero(socket);
    if (what != act::proceed) socket.close(ec);
    co_return what == act::proceed;
}

template <class Stream>
boost::asio::awaitable<void> fault_server::converse(
    Stream& stream, tcp::socket& below, std::size_t number) {
    std::string received;
    for (std::size_t r = 0;; ++r) {
        error_code ec;
        behaviour const todo = script_(number, r);
        auto head_end = received.find("\r\n\r\n");
        while (head_end == std::string::npos) {
            if (!co_await more(stream, received)) co_return;
            head_end = received.find("\r\n\r\n");
        }
        seen_request seen;
        seen.connection = number;
        seen.head = received.substr(0, head_end + 4);
        received.erase(0, head_end + 4);
        std::size_t const length = todo.early ? 0 : content_length(seen.head);
        while (received.size() < length)
            if (!co_await more(stream, received)) co_return;
        seen.body = received.substr(0, length);
        received.erase(0, length);
        note([&] { requests_.push_back(seen); });

        if (!todo.interim.empty())
            co_await boost::asio::async_write(
                stream, boost::asio::buffer(todo.interim),
                boost::asio::redirect_error(boost::asio::use_awaitable, ec));
        if (todo.gated) co_await pass_gate();
        if (!co_await perform(todo.before, below)) co_return;
        if (todo.together) hold_back(below, true);
        std::string_view rest{todo.reply};
        while (!rest.empty()) {
            auto const part = rest.substr(0, todo.piece ? todo.piece : rest.size());
            co_await boost::asio::async_write(
                stream, boost::asio::buffer(part.data(), part.size()),
                boost::asio::redirect_error(boost::asio::use_awaitable, ec));
            if (ec) co_return;
            rest.remove_prefix(part.size());
        }
        if constexpr (!std::is_same_v<Stream, tcp::socket>) {
            if (todo.farewell) {
                // It is written at once; then the client's is waited for.
                boost::asio::post(context_, [&below] { hold_back(below, false); });
                co_await stream.async_shutdown(
                    boost::asio::redirect_error(boost::asio::use_awaitable, ec));
                co_return;
            }
        }
        if (todo.together) hold_back(below, false);
        if (!co_await perform(todo.after, below)) co_return;
    }
}

template <class Stream>
boost::asio::awaitable<bool> fault_server::more(Stream& stream, std::string& received) {
    error_code ec;
    char room[16384];
    auto const n = co_await stream.async_read_some(
        boost::asio::buffer(room), boost::asio::redirect_error(boost::asio::use_awaitable, ec));
    received.append(room, n);
    co_return !ec;
}

boost::asio::awaitable<void> fault_server::pass_gate() {
    if (gate_open_) co_return;
    boost::asio::steady_timer timer{context_, boost::asio::steady_timer::time_point::max()};
    gate_waiters_.insert(&timer);
    error_code ignored;
    co_await timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    gate_waiters_.erase(&timer);
}

full_listener::full_listener() : acceptor_(context_) {
    tcp::endpoint const any{boost::asio::ip::address_v4::loopback(), 0};
    acceptor_.open(any.protocol());
    acceptor_.bind(any);
    acceptor_.listen(0);
    for (int i = 0; i < 8; ++i) {
        auto& s = fill_.emplace_back(context_);
        s.async_connect(acceptor_.local_endpoint(), [](error_code) {});
    }
    context_.poll();
}

std::uint16_t closed_port() {
    boost::asio::io_context context;
    tcp::acceptor acceptor{context, {boost::asio::ip::address_v4::loopback(), 0}, false};
    return acceptor.local_endpoint().port();
}

} // namespace highlevel::test
