// SPDX-License-Identifier: BSL-1.0
//
// The two real streams: TCP, and TLS over TCP. This is where Asio's socket and SSL operations are
// instantiated, and nowhere else.
#pragma once

#include <highlevel/http/stream.hpp>
#include <highlevel/http/tls_context.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstddef>
#include <memory>
#include <utility>

namespace highlevel::http::detail {

namespace asio = boost::asio;
using boost::system::error_code;

/// A TCP connection.
class tcp_stream final : public stream {
public:
    explicit tcp_stream(asio::ip::tcp::socket socket) : socket_(std::move(socket)) {}

    asio::awaitable<std::size_t> read_some(asio::mutable_buffer room, error_code& ec) override {
        return socket_.async_read_some(room, asio::redirect_error(asio::use_awaitable, ec));
    }

    asio::awaitable<std::size_t> write_some(asio::const_buffer bytes, error_code& ec) override {
        return socket_.async_write_some(bytes, asio::redirect_error(asio::use_awaitable, ec));
    }

    // shutdown() is one system call on the descriptor. It touches nothing that a pending operation
    // changes, so it is safe beside one; close() would not be.
    void interrupt() noexcept override {
        error_code ignored;
        socket_.shutdown(asio::socket_base::shutdown_both, ignored);
    }

    bool quiet() noexcept override {
        error_code ec;
        if (!socket_.non_blocking()) socket_.non_blocking(true, ec);
        if (ec) return false;
        char byte = 0;
        socket_.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, ec);
        return ec == asio::error::would_block || ec == asio::error::try_again;
    }

    [[nodiscard]] asio::ip::tcp::socket release() { return std::move(socket_); }

private:
    asio::ip::tcp::socket socket_;
};

/// A TLS connection over TCP, client side.
class tls_stream final : public stream {
public:
    /// The context must be kept alive by `tls` as long as OpenSSL may call it back.
    tls_stream(asio::ip::tcp::socket socket, std::shared_ptr<tls_context> tls)
        : tls_(std::move(tls)),
          stream_(std::move(socket), tls_->native()) {}

    ~tls_stream() override {
        // Without this OpenSSL would take the connection for truncated and spoil its session,
        // which for TLS 1.2 is the one that others resume.
        ::SSL_set_shutdown(stream_.native_handle(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }

    /// Performs the handshake and verifies the server; on failure `why` says what was wrong.
    [[nodiscard]] asio::awaitable<void> handshake(error_code& ec, std::string& why) {
        ::SSL* const ssl = stream_.native_handle();
        ec = tls_->prepare(ssl);
        if (ec) co_return;
        co_await stream_.async_handshake(
            asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, ec));
        // Cancelled or cut: the caller knows more about it than OpenSSL does.
        if (ec == asio::error::operation_aborted) co_return;
        ec = ec ? tls_context::judge_failure(ssl, ec, why) : tls_->check_pins(ssl, why);
    }

    [[nodiscard]] bool resumed() { return ::SSL_session_reused(stream_.native_handle()) == 1; }

    asio::awaitable<std::size_t> read_some(asio::mutable_buffer room, error_code& ec) override {
        return stream_.async_read_some(room, asio::redirect_error(asio::use_awaitable, ec));
    }

    asio::awaitable<std::size_t> write_some(asio::const_buffer bytes, error_code& ec) override {
        return stream_.async_write_some(bytes, asio::redirect_error(asio::use_awaitable, ec));
    }

    void interrupt() noexcept override {
        error_code ignored;
        stream_.next_layer().shutdown(asio::socket_base::shutdown_both, ignored);
    }

    // Looking at the socket is not enough: records that came in one segment with the last response
    // lie in Asio's and OpenSSL's buffers, and would answer the next request. Reading without
    // waiting goes through all of them. It also takes in late session tickets, which are no
    // content.
    bool quiet() noexcept override {
        error_code ec;
        auto& socket = stream_.next_layer();
        if (!socket.non_blocking()) socket.non_blocking(true, ec);
        if (ec) return false;
        char byte = 0;
        stream_.read_some(asio::buffer(&byte, 1), ec);
        bool const nothing = ec == asio::error::would_block || ec == asio::error::try_again;
        // Nor may there be the beginning of a record.
        return nothing && ::SSL_has_pending(stream_.native_handle()) == 0;
    }

private:
    std::shared_ptr<tls_context> tls_;
    asio::ssl::stream<asio::ip::tcp::socket> stream_;
};

} // namespace highlevel::http::detail
