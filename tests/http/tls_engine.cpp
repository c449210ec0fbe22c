// SPDX-License-Identifier: BSL-1.0
//
// The TLS engine against OpenSSL's server side, in memory: no socket, no loop.

#include "support/catch.hpp"
#include "support/certificates.hpp"

#include <highlevel/http/tls_engine.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace http_tls_engine_tests {

namespace asio = boost::asio;
using boost::system::error_code;
using highlevel::http::detail::tls_engine;
using highlevel::http::detail::tls_inputs;
using highlevel::test::certificate;
using highlevel::test::certificate_authority;
using step = tls_engine::step;

namespace {

using context_ptr = std::unique_ptr<::SSL_CTX, void (*)(::SSL_CTX*)>;

context_ptr make_context(const ::SSL_METHOD* method) {
    return {::SSL_CTX_new(method), &::SSL_CTX_free};
}

/// OpenSSL's server side between two memory BIOs.
class peer {
public:
    explicit peer(const certificate& own) : context_(make_context(::TLS_server_method())) {
        auto const bio = [](const std::string& text) {
            return std::unique_ptr<::BIO, int (*)(::BIO*)>{
                ::BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), &::BIO_free};
        };
        std::unique_ptr<::X509, void (*)(::X509*)> const x509{
            ::PEM_read_bio_X509(bio(own.pem).get(), nullptr, nullptr, nullptr), &::X509_free};
        std::unique_ptr<::EVP_PKEY, void (*)(::EVP_PKEY*)> const key{
            ::PEM_read_bio_PrivateKey(bio(own.key_pem).get(), nullptr, nullptr, nullptr),
            &::EVP_PKEY_free};
        REQUIRE(::SSL_CTX_use_certificate(context_.get(), x509.get()) == 1);
        REQUIRE(::SSL_CTX_use_PrivateKey(context_.get(), key.get()) == 1);
        ssl_.reset(::SSL_new(context_.get()));
        ::SSL_set_bio(ssl_.get(), ::BIO_new(::BIO_s_mem()), ::BIO_new(::BIO_s_mem()));
        ::SSL_set_accept_state(ssl_.get());
    }

    void receive(std::string_view bytes) {
        ::BIO_write(::SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
    }
    /// What it has to send.
    std::string sent() {
        std::array<char, 4096> room{};
        std::string all;
        for (int n = 0; (n = ::BIO_read(::SSL_get_wbio(ssl_.get()), room.data(), 4096)) > 0;)
            all.append(room.data(), static_cast<std::size_t>(n));
        return all;
    }
    void handshake() { ::SSL_do_handshake(ssl_.get()); }
    void write(std::string_view text) {
        REQUIRE(
            ::SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())) ==
            static_cast<int>(text.size()));
    }
    std::string read() {
        std::array<char, 4096> room{};
        int const n = ::SSL_read(ssl_.get(), room.data(), 4096);
        return {room.data(), static_cast<std::size_t>(std::max(n, 0))};
    }
    void say_goodbye() { ::SSL_shutdown(ssl_.get()); }

private:
    context_ptr context_;
    std::unique_ptr<::SSL, void (*)(::SSL*)> ssl_{nullptr, &::SSL_free};
};

/// Has the engine receive these bytes, which it must be able to hold.
void give(tls_engine& engine, std::string_view bytes) {
    auto const room = engine.input();
    REQUIRE(bytes.size() <= room.size());
    std::memcpy(room.data(), bytes.data(), bytes.size());
    engine.received(bytes.size());
}

/// An engine and its peer after the handshake.
class connected {
public:
    connected() {
        for (int turn = 0; turn != 4; ++turn) {
            error_code ec;
            auto const came = engine.handshake(ec);
            server.receive(engine.take_output());
            server.handshake();
            if (came == step::done) break;
            REQUIRE(came == step::starved);
            give(engine, server.sent());
        }
        error_code ec;
        REQUIRE(engine.handshake(ec) == step::done);
        // The server's tickets, which are no content.
        if (auto const tickets = server.sent(); !tickets.empty()) {
            give(engine, tickets);
            REQUIRE(read().empty());
        }
        REQUIRE(engine.settled());
    }

    /// What the engine reads in one step; nothing when it starves or fails.
    std::string read() {
        std::array<char, 4096> room{};
        std::size_t n = 0;
        last = engine.read(asio::buffer(room), n, error);
        return last == step::done ? std::string{room.data(), n} : std::string{};
    }

    tls_inputs inputs;
    context_ptr context = make_context(::TLS_client_method());
    tls_engine engine{context.get(), inputs};
    peer server{certificate_authority{}.issue()};
    step last = step::done;
    error_code error;
};

} // namespace

TEST_CASE("the_handshake_speaks_first_and_then_starves", "[http][tls]") {
    tls_inputs inputs;
    auto const context = make_context(::TLS_client_method());
    tls_engine engine{context.get(), inputs};
    error_code ec;
    CHECK(engine.handshake(ec) == step::starved);
    CHECK(!ec);
    CHECK(engine.has_output());
    auto const hello = engine.take_output();
    REQUIRE(!hello.empty());
    CHECK(hello.front() == '\x16');
    CHECK(!engine.has_output());
}

TEST_CASE("what_is_no_tls_fails_the_handshake", "[http][tls]") {
    tls_inputs inputs;
    auto const context = make_context(::TLS_client_method());
    tls_engine engine{context.get(), inputs};
    error_code ec;
    REQUIRE(engine.handshake(ec) == step::starved);
    (void)engine.take_output();
    give(engine, "HTTP/1.1 400 Bad Request\r\n\r\n");
    CHECK(engine.handshake(ec) == step::failed);
    CHECK(ec.category() == asio::error::get_ssl_category());
    CHECK(!ec.message().empty());
}

TEST_CASE("what_one_side_writes_the_other_reads", "[http][tls]") {
    connected c;
    std::size_t n = 0;
    error_code ec;
    CHECK(c.engine.write(asio::buffer("ping", 4), n, ec) == step::done);
    CHECK(n == 4);
    c.server.receive(c.engine.take_output());
    CHECK(c.server.read() == "ping");
    c.server.write("pong");
    auto const record = c.server.sent();
    // In two pieces, the first of which is no record yet.
    give(c.engine, record.substr(0, 3));
    CHECK(c.read().empty());
    CHECK(c.last == step::starved);
    CHECK_FALSE(c.engine.settled());
    give(c.engine, record.substr(3));
    CHECK(c.read() == "pong");
    CHECK(c.engine.settled());
}

TEST_CASE("errors_that_others_left_in_the_thread_are_not_its_own", "[http][tls]") {
    connected c;
    c.server.write("pong");
    auto const record = c.server.sent();
    auto const leave_one = [] { ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR); };
    leave_one();
    CHECK(c.read().empty()); // nothing came
    CHECK(c.last == step::starved);
    give(c.engine, record.substr(0, 3));
    leave_one();
    CHECK(c.read().empty());
    CHECK(c.last == step::starved);
    give(c.engine, record.substr(3));
    leave_one();
    CHECK(c.read() == "pong");
    leave_one();
    std::size_t n = 0;
    error_code ec;
    CHECK(c.engine.write(asio::buffer("ping", 4), n, ec) == step::done);
    ::ERR_clear_error();
}

TEST_CASE("a_record_behind_the_one_that_was_read_unsettles", "[http][tls]") {
    connected c;
    c.server.write("one");
    c.server.write("two");
    give(c.engine, c.server.sent());
    CHECK(c.read() == "one");
    CHECK_FALSE(c.engine.settled());
    c.engine.rest(); // loses nothing
    CHECK(c.read() == "two");
    CHECK(c.engine.settled());
}

TEST_CASE("a_goodbye_is_the_end_and_unsettles", "[http][tls]") {
    connected c;
    c.server.say_goodbye();
    give(c.engine, c.server.sent());
    CHECK_FALSE(c.engine.settled());
    CHECK(c.read().empty());
    CHECK(c.last == step::failed);
    CHECK((c.error == asio::error::eof));
    CHECK_FALSE(c.engine.settled());
}

TEST_CASE("memory_for_input_is_handed_on", "[http][tls]") {
    connected c;
    CHECK(c.engine.input().size() == tls_inputs::block_size);
    auto const* const first = c.engine.input().data();
    c.engine.rest();
    auto block = c.inputs.take();
    CHECK(block.get() == first);
    CHECK(c.engine.input().data() != first);
    c.inputs.give_back(std::move(block));
}

} // namespace http_tls_engine_tests
