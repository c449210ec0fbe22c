// SPDX-License-Identifier: BSL-1.0
//
// TLS as the transport uses it: one context per origin made from tls_options, host name
// verification and SNI per connection, public key pinning, and sessions kept for resumption.
#pragma once

#include <highlevel/error.hpp>
#include <highlevel/http/options.hpp>
#include <highlevel/http/tls_engine.hpp>
#include <highlevel/http/uri.hpp>

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace highlevel::http {

/// The TLS side of one origin; connections share it.
///
/// TLS 1.2 or newer, ALPN "http/1.1". Verified are the chain, its purpose (server), its dates and
/// the host name (RFC 6125; DNS names by SNI, addresses by their address entries).
/// Thread safety: shared objects: safe.
class tls_context {
public:
    /// Throws `std::invalid_argument` naming the option that cannot be used: unreadable files, or
    /// skipped verification for a host that is not this machine.
    tls_context(const tls_options& options, const uri& origin)
        : context_(boost::asio::ssl::context::tls_client),
          host_(origin.host()),
          host_is_address_(origin.host_is_address()),
          verify_(!options.insecure_skip_verification_on_loopback_only),
          resume_(options.pinned_spki_sha256.empty()) {
        options.validate();
        if (!verify_ && !origin.loopback())
            detail::bad_option(
                "tls.insecure_skip_verification_on_loopback_only", "the host is not loopback");
        for (auto const& pin : options.pinned_spki_sha256)
            pins_.push_back(detail::pinned_digest(pin));
        ::SSL_CTX* const native = context_.native_handle();
        ::SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
        ::SSL_CTX_set_options(native, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
        load_roots(options);
        load_identity(options);
        // A session remembers that it was verified, not its chain: with pins there are none.
        if (resume_) {
            ::SSL_CTX_set_session_cache_mode(
                native, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
            ::SSL_CTX_set_ex_data(native, owner_index(), this);
            ::SSL_CTX_sess_set_new_cb(native, &tls_context::on_new_session);
        } else {
            ::SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
        }
    }

    tls_context(const tls_context&) = delete;
    tls_context& operator=(const tls_context&) = delete;

    ~tls_context() {
        // The SSL_CTX may outlive us, held by a connection's SSL.
        ::SSL_CTX_sess_set_new_cb(context_.native_handle(), nullptr);
    }

    [[nodiscard]] boost::asio::ssl::context& native() noexcept { return context_; }

    [[nodiscard]] detail::tls_inputs& inputs() noexcept { return inputs_; }

    /// Makes a new connection ready for the handshake: name, verification, ALPN, and a session to
    /// resume if there is one.
    [[nodiscard]] boost::system::error_code prepare(::SSL* ssl) {
        static constexpr std::array<unsigned char, 9> alpn{8,   'h', 't', 't', 'p',
                                                           '/', '1', '.', '1'};
        bool good = ::SSL_set_alpn_protos(ssl, alpn.data(), alpn.size()) == 0;
        ::X509_VERIFY_PARAM* const rules = ::SSL_get0_param(ssl);
        if (host_is_address_) {
            good = good && ::X509_VERIFY_PARAM_set1_ip_asc(rules, host_.c_str()) == 1;
        } else {
            ::X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
            good = good && ::X509_VERIFY_PARAM_set1_host(rules, host_.data(), host_.size()) == 1 &&
                SSL_set_tlsext_host_name(ssl, host_.c_str()) == 1;
        }
        ::SSL_set_verify(ssl, verify_ ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
        if (auto session = take_session()) good = good && ::SSL_set_session(ssl, session.get());
        if (good) return {};
        ::ERR_clear_error();
        return errc::tls_failed;
    }

    /// What a handshake that failed with `ec` means; `detail` gets it in words.
    [[nodiscard]] static boost::system::error_code judge_failure(
        ::SSL* ssl, const boost::system::error_code& ec, std::string& detail) {
        long const verdict = ::SSL_get_verify_result(ssl);
        if (verdict == X509_V_OK) {
            detail = ec.message();
            return errc::tls_failed;
        }
        detail = ::X509_verify_cert_error_string(verdict);
        bool const other_name =
            verdict == X509_V_ERR_HOSTNAME_MISMATCH || verdict == X509_V_ERR_IP_ADDRESS_MISMATCH;
        return other_name ? errc::hostname_mismatch : errc::certificate_untrusted;
    }

    /// After a handshake: checks the pinned keys, which nothing else does.
    [[nodiscard]] boost::system::error_code check_pins(::SSL* ssl, std::string& detail) const {
        if (pins_.empty()) return {};
        STACK_OF(X509)* const chain = ::SSL_get0_verified_chain(ssl);
        int const count = chain ? sk_X509_num(chain) : 0;
        for (int i = 0; i < count; ++i) {
            auto const digest = spki_digest(sk_X509_value(chain, i));
            if (std::find(pins_.begin(), pins_.end(), digest) != pins_.end()) return {};
        }
        detail = "no certificate of the chain has a pinned public key";
        return errc::certificate_untrusted;
    }

private:
    // SHA-256(SubjectPublicKeyInfo) of a certificate; empty when it cannot be had, as no pin is.
    [[nodiscard]] static std::string spki_digest(::X509* certificate) {
        unsigned char* der = nullptr;
        int const length = ::i2d_X509_PUBKEY(::X509_get_X509_PUBKEY(certificate), &der);
        if (length <= 0) return {};
        std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
        unsigned int size = 0;
        int const hashed = ::EVP_Digest(
            der, static_cast<std::size_t>(length), digest.data(), &size, ::EVP_sha256(), nullptr);
        ::OPENSSL_free(der);
        if (hashed != 1) return {};
        return {digest.begin(), digest.begin() + size};
    }

    struct session_deleter {
        void operator()(::SSL_SESSION* s) const noexcept { ::SSL_SESSION_free(s); }
    };
    using session_ptr = std::unique_ptr<::SSL_SESSION, session_deleter>;

    // Enough for a burst of reconnects; servers commonly send two tickets per TLS 1.3 connection.
    static constexpr std::size_t max_sessions = 64;

    [[nodiscard]] static int owner_index() {
        static int const index = ::SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
        return index;
    }

    // TLS 1.3 tickets come after the handshake, so only this callback sees them all.
    static int on_new_session(::SSL* ssl, ::SSL_SESSION* session) {
        auto* const self =
            static_cast<tls_context*>(::SSL_CTX_get_ex_data(::SSL_get_SSL_CTX(ssl), owner_index()));
        if (!self || !::SSL_SESSION_is_resumable(session)) return 0;
        try {
            self->keep_session(session);
            return 1; // the reference is ours now
        } catch (...) {
            return 0;
        }
    }

    void keep_session(::SSL_SESSION* session) {
        std::lock_guard const lock{mutex_};
        if (sessions_.capacity() == 0) sessions_.reserve(max_sessions + 1);
        sessions_.emplace_back(session);
        if (sessions_.size() > max_sessions) sessions_.erase(sessions_.begin());
    }

    [[nodiscard]] session_ptr take_session() {
        std::lock_guard const lock{mutex_};
        if (sessions_.empty()) return nullptr;
        // A TLS 1.3 ticket is used once, so that connections cannot be linked (RFC 8446 C.4).
        if (::SSL_SESSION_get_protocol_version(sessions_.back().get()) >= TLS1_3_VERSION) {
            session_ptr session = std::move(sessions_.back());
            sessions_.pop_back();
            return session;
        }
        ::SSL_SESSION_up_ref(sessions_.back().get());
        return session_ptr{sessions_.back().get()};
    }

    [[noreturn]] static void unusable(std::string_view field, std::string_view why) {
        ::ERR_clear_error();
        detail::bad_option(field, why);
    }

    void load_roots(const tls_options& options) {
        ::SSL_CTX* const native = context_.native_handle();
        if (options.use_system_roots && ::SSL_CTX_set_default_verify_paths(native) != 1)
            unusable("tls.use_system_roots", "the system's authorities cannot be loaded");
        if (!options.ca_file.empty() &&
            ::SSL_CTX_load_verify_locations(native, options.ca_file.c_str(), nullptr) != 1)
            unusable("tls.ca_file", "cannot be read as PEM certificates");
        if (options.ca_pem.empty()) return;
        std::unique_ptr<::BIO, int (*)(::BIO*)> const bio{
            ::BIO_new_mem_buf(options.ca_pem.data(), static_cast<int>(options.ca_pem.size())),
            &::BIO_free};
        int loaded = 0;
        while (bio) {
            std::unique_ptr<::X509, void (*)(::X509*)> const certificate{
                ::PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr), &::X509_free};
            if (!certificate) break;
            if (::X509_STORE_add_cert(::SSL_CTX_get_cert_store(native), certificate.get()) == 1)
                ++loaded;
        }
        ::ERR_clear_error();
        if (loaded == 0) unusable("tls.ca_pem", "holds no usable PEM certificate");
    }

    void load_identity(const tls_options& options) {
        if (options.client_certificate_file.empty()) return;
        ::SSL_CTX* const native = context_.native_handle();
        if (::SSL_CTX_use_certificate_chain_file(native, options.client_certificate_file.c_str()) !=
            1)
            unusable("tls.client_certificate_file", "cannot be read as PEM certificates");
        if (::SSL_CTX_use_PrivateKey_file(
                native, options.client_key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
            ::SSL_CTX_check_private_key(native) != 1)
            unusable("tls.client_key_file", "is not the PEM private key of the certificate");
    }

    boost::asio::ssl::context context_;
    std::string host_;
    bool host_is_address_;
    bool verify_;
    bool resume_;
    std::vector<std::string> pins_;
    detail::tls_inputs inputs_;
    std::mutex mutex_;
    std::vector<session_ptr> sessions_;
};

} // namespace highlevel::http
