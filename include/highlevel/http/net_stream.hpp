// SPDX-License-Identifier: BSL-1.0
//
// The two real streams: TCP, and TLS over TCP. This is where Asio's socket operations are
// instantiated, and nowhere else.
#pragma once

#include <highlevel/http/stream.hpp>
#include <highlevel/http/tls_context.hpp>
#include <highlevel/http/tls_engine.hpp>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <openssl/ssl.h>

#include <cstddef>
#include <memory>
#include <new>
#include <string>
#include <utility>

namespace highlevel::http::detail {

namespace asio = boost::asio;
using boost::system::error_code;

/// Whether the socket is open and has nothing to read; does not wait.
[[nodiscard]] inline bool nothing_came(asio::ip::tcp::socket& socket) noexcept {
    error_code ec;
    if (!socket.non_blocking()) socket.non_blocking(true, ec);
    if (ec) return false;
    char byte = 0;
    socket.receive(asio::buffer(&byte, 1), asio::socket_base::message_peek, ec);
    return ec == asio::error::would_block || ec == asio::error::try_again;
}

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

    bool settled() const noexcept override { return true; }

    bool quiet() noexcept override { return nothing_came(socket_); }

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
          socket_(std::move(socket)),
          engine_(tls_->native().native_handle(), tls_->inputs()) {}

    ~tls_stream() override {
        // Without this OpenSSL would take the connection for truncated and spoil its session,
        // which for TLS 1.2 is the one that others resume.
        ::SSL_set_shutdown(engine_.native(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    }

    /// Performs the handshake and verifies the server; on failure `why` says what was wrong.
    [[nodiscard]] asio::awaitable<void> handshake(error_code& ec, std::string& why) {
        ::SSL* const ssl = engine_.native();
        ec = tls_->prepare(ssl);
        if (ec) co_return;
        co_await drive(
            [this](std::size_t&, error_code& failure) { return engine_.handshake(failure); }, ec);
        // Cancelled or cut: the caller knows more about it than OpenSSL does.
        if (ec == asio::error::operation_aborted) co_return;
        ec = ec ? tls_context::judge_failure(ssl, ec, why) : tls_->check_pins(ssl, why);
    }

    [[nodiscard]] bool resumed() { return ::SSL_session_reused(engine_.native()) == 1; }

    asio::awaitable<std::size_t> read_some(asio::mutable_buffer room, error_code& ec) override {
        return drive(
            [this, room](std::size_t& n, error_code& failure) {
                return engine_.read(room, n, failure);
            },
            ec);
    }

    asio::awaitable<std::size_t> write_some(asio::const_buffer bytes, error_code& ec) override {
        return drive(
            [this, bytes](std::size_t& n, error_code& failure) {
                return engine_.write(bytes, n, failure);
            },
            ec);
    }

    void interrupt() noexcept override {
        error_code ignored;
        socket_.shutdown(asio::socket_base::shutdown_both, ignored);
    }

    bool settled() const noexcept override { return engine_.settled(); }

    // Looking at the socket is not enough: records that came in one segment with the last response
    // lie in the engine, and would answer the next request. Reading without waiting goes through
    // all of them. It also takes in late session tickets, which are no content.
    bool quiet() noexcept override {
        try {
            for (;;) {
                error_code ec;
                std::size_t n = 0;
                char byte = 0;
                if (engine_.read(asio::buffer(&byte, 1), n, ec) != tls_engine::step::starved)
                    return false;
                if (nothing_came(socket_)) break;
                n = socket_.receive(engine_.input(), 0, ec);
                if (ec) return false;
                engine_.received(n);
            }
        } catch (const std::bad_alloc&) {
            return false;
        }
        engine_.rest();
        // Nor may there be the beginning of a record.
        return ::SSL_has_pending(engine_.native()) == 0;
    }

private:
    /// Does the engine's step, with all that has to be sent and received for it.
    template <class Step>
    [[nodiscard]] asio::awaitable<std::size_t> drive(Step step, error_code& ec) {
        using outcome = tls_engine::step;
        std::size_t count = 0;
        ec.clear();
        for (;;) {
            outcome const came = step(count, ec);
            if (engine_.has_output()) {
                auto const bytes = engine_.take_output();
                error_code cut;
                for (std::size_t sent = 0; sent < bytes.size() && !cut;)
                    sent += co_await socket_.async_write_some(
                        asio::buffer(bytes) + sent, asio::redirect_error(asio::use_awaitable, cut));
                // What the engine found wrong tells more.
                if (cut && !ec) ec = cut;
            }
            if (ec) co_return 0;
            if (came == outcome::done) break;
            auto const n = co_await socket_.async_read_some(
                engine_.input(), asio::redirect_error(asio::use_awaitable, ec));
            // An end without close_notify may be anybody's.
            if (ec == asio::error::eof) ec = asio::ssl::error::stream_truncated;
            if (ec) co_return 0;
            engine_.received(n);
        }
        engine_.rest();
        co_return count;
    }

    std::shared_ptr<tls_context> tls_;
    asio::ip::tcp::socket socket_;
    tls_engine engine_;
};

} // namespace highlevel::http::detail
