// SPDX-License-Identifier: BSL-1.0
//
// TLS without any I/O: OpenSSL between two pieces of memory that hold what came and what is to go.
// Asio's own engine keeps 53 KB of buffers per connection for as long as it is open; this one has
// none while nothing is under way.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/system/error_code.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace highlevel::http::detail {

/// Memory for what servers send, handed on from connection to connection: given back to the heap
/// after each answer, it would go to the system and come back, at a system call each way.
///
/// Thread safety: shared objects: safe.
class tls_inputs {
public:
    using block = std::unique_ptr<char[]>;

    // Two records: a page of 111 KB takes four reads.
    static constexpr std::size_t block_size = 32 * 1024;

    tls_inputs() { spare_.reserve(max_spare); }

    [[nodiscard]] block take() {
        {
            std::lock_guard const lock{mutex_};
            if (!spare_.empty()) {
                block b = std::move(spare_.back());
                spare_.pop_back();
                return b;
            }
        }
        return std::make_unique_for_overwrite<char[]>(block_size);
    }

    void give_back(block b) noexcept {
        std::lock_guard const lock{mutex_};
        if (spare_.size() < max_spare) spare_.push_back(std::move(b));
    }

private:
    static constexpr std::size_t max_spare = 64;

    std::mutex mutex_;
    std::vector<block> spare_;
};

/// The client's side of one TLS connection. Each step says whether it is done; whatever it said,
/// take_output() may have something to send, be it an alert.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class tls_engine {
public:
    using error_code = boost::system::error_code;

    enum class step : unsigned char {
        done,
        /// It needs more of what the server sends: receive into input(), then do the step again.
        starved,
        /// The error says why; asio::error::eof after the server's close_notify.
        failed,
    };

    /// `inputs` must outlive it.
    tls_engine(::SSL_CTX* context, tls_inputs& inputs) : inputs_(inputs), ssl_(::SSL_new(context)) {
        ::BIO* const bio = ssl_ ? ::BIO_new(memory_bio()) : nullptr;
        if (bio == nullptr) throw std::bad_alloc{};
        ::BIO_set_data(bio, this);
        ::BIO_set_init(bio, 1);
        ::SSL_set_bio(ssl_.get(), bio, bio);
        ::SSL_set_connect_state(ssl_.get());
        ::SSL_set_mode(
            ssl_.get(),
            SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                SSL_MODE_RELEASE_BUFFERS);
    }
    tls_engine(const tls_engine&) = delete;
    tls_engine& operator=(const tls_engine&) = delete;
    ~tls_engine() = default;

    [[nodiscard]] ::SSL* native() const noexcept { return ssl_.get(); }

    [[nodiscard]] step handshake(error_code& ec) noexcept {
        forget_errors();
        return judge(::SSL_do_handshake(ssl_.get()), ec);
    }

    /// Decrypts into `room`, at most one record.
    [[nodiscard]] step read(
        boost::asio::mutable_buffer room, std::size_t& read, error_code& ec) noexcept {
        // OpenSSL would get itself a buffer of 16 KB only to find nothing for it.
        if (settled() && ::SSL_is_init_finished(ssl_.get()) == 1) return step::starved;
        forget_errors();
        return judge(::SSL_read_ex(ssl_.get(), room.data(), room.size(), &read), ec);
    }

    /// Encrypts the beginning of `bytes`, at most one record.
    [[nodiscard]] step write(
        boost::asio::const_buffer bytes, std::size_t& written, error_code& ec) noexcept {
        forget_errors();
        return judge(::SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written), ec);
    }

    /// Where to put what the server sends. All that came before must have been used: after
    /// `starved`.
    [[nodiscard]] boost::asio::mutable_buffer input() {
        if (!input_) input_ = inputs_.take();
        return {input_.get(), tls_inputs::block_size};
    }

    /// So many bytes are there now.
    void received(std::size_t bytes) noexcept {
        used_ = 0;
        filled_ = bytes;
    }

    /// What is to be sent; the engine keeps nothing of it.
    [[nodiscard]] std::string take_output() noexcept { return std::exchange(output_, {}); }
    [[nodiscard]] bool has_output() const noexcept { return !output_.empty(); }

    /// Whether everything that came has been read, and nothing is to be sent.
    [[nodiscard]] bool settled() const noexcept {
        return used_ == filled_ && output_.empty() && ::SSL_has_pending(ssl_.get()) == 0 &&
            ::SSL_get_shutdown(ssl_.get()) == 0;
    }

    /// Gives memory back that is of no use until more is received.
    void rest() noexcept {
        if (input_ && used_ == filled_) inputs_.give_back(std::move(input_));
    }

private:
    struct deleter {
        void operator()(::SSL* ssl) const noexcept { ::SSL_free(ssl); }
    };

    /// SSL_get_error() looks at whatever is in the thread's queue. To clear an empty one is a
    /// hundredth of a small call, three times in each.
    static void forget_errors() noexcept {
        if (::ERR_peek_error() != 0) ::ERR_clear_error();
    }

    [[nodiscard]] step judge(int result, error_code& ec) const noexcept {
        if (result == 1) return step::done;
        switch (::SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ: return step::starved;
        case SSL_ERROR_ZERO_RETURN: ec = boost::asio::error::eof; return step::failed;
        default: break;
        }
        if (auto const code = ::ERR_get_error(); code != 0)
            ec.assign(static_cast<int>(code), boost::asio::error::get_ssl_category());
        else
            ec = boost::asio::ssl::error::unspecified_system_error;
        return step::failed;
    }

    // OpenSSL's own memory BIO copies once more and keeps what it has grown to.
    [[nodiscard]] static const ::BIO_METHOD* memory_bio() {
        // Never freed: a connection may outlive what is static.
        static ::BIO_METHOD* const made = [] {
            ::BIO_METHOD* const m =
                ::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "highlevel");
            if (m == nullptr) throw std::bad_alloc{};
            ::BIO_meth_set_read(m, &tls_engine::on_read);
            ::BIO_meth_set_write(m, &tls_engine::on_write);
            ::BIO_meth_set_ctrl(m, &tls_engine::on_control);
            return m;
        }();
        return made;
    }

    static int on_read(::BIO* bio, char* to, int size) {
        auto& self = *static_cast<tls_engine*>(::BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        auto const n = std::min(static_cast<std::size_t>(size), self.filled_ - self.used_);
        if (n == 0) {
            BIO_set_retry_read(bio);
            return -1;
        }
        std::memcpy(to, self.input_.get() + self.used_, n);
        self.used_ += n;
        return static_cast<int>(n);
    }

    static int on_write(::BIO* bio, const char* from, int size) {
        auto& self = *static_cast<tls_engine*>(::BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        try {
            self.output_.append(from, static_cast<std::size_t>(size));
        } catch (...) {
            return -1;
        }
        return size;
    }

    static long on_control(::BIO* /*bio*/, int what, long /*number*/, void* /*pointer*/) {
        return what == BIO_CTRL_FLUSH ? 1 : 0;
    }

    tls_inputs& inputs_;
    std::unique_ptr<::SSL, deleter> ssl_;
    tls_inputs::block input_;
    std::size_t used_ = 0;
    std::size_t filled_ = 0;
    std::string output_;
};

} // namespace highlevel::http::detail
