// SPDX-License-Identifier: BSL-1.0
//
// How connections are made, secured, kept and bounded, as plain values: client_options carries them
// to whoever builds a transport, without a network library in between.
#pragma once

#include <highlevel/detail/base64.hpp>
#include <highlevel/http/phase.hpp>

#include <chrono>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace highlevel::http {

namespace detail {

[[noreturn]] inline void bad_option(std::string_view field, std::string_view why) {
    std::string text{field};
    text.append(": ").append(why);
    throw std::invalid_argument{text};
}

inline void not_negative(std::string_view field, std::chrono::milliseconds value) {
    if (value < std::chrono::milliseconds::zero()) bad_option(field, "must not be negative");
}

/// The bytes of a pin; whatever size it has, and empty when it is not base64.
[[nodiscard]] inline std::string pinned_digest(std::string_view pin) {
    constexpr std::string_view scheme = "sha256//";
    if (pin.starts_with(scheme)) pin.remove_prefix(scheme.size());
    return highlevel::detail::decode_base64(pin).value_or("");
}

} // namespace detail

/// Whom to trust, and how to identify ourselves. TLS is always 1.2 or newer.
///
/// Host name and certificate chain are always verified, but for the one exception that is named
/// loudly below. Thread safety: distinct objects: safe; shared objects: safe to read.
class tls_options {
public:
    tls_options() = default;

    /// Trust the certificate authorities that the operating system's OpenSSL trusts
    /// (`SSL_CERT_FILE` and `SSL_CERT_DIR` count). Default: yes.
    bool use_system_roots = true;
    /// File with further trusted authorities in PEM form; empty: none.
    std::string ca_file;
    /// Further trusted authorities as PEM text; empty: none.
    std::string ca_pem;
    /// Our own certificate chain (PEM file) for servers that ask for one; empty: none.
    std::string client_certificate_file;
    /// The private key of that certificate (PEM file); needed with it.
    std::string client_key_file;
    /// SHA-256 digests of public keys (SubjectPublicKeyInfo), base64 with or without "sha256//" in
    /// front as in curl and RFC 7469: at least one certificate of the verified chain must have one
    /// of these keys. Comes on top of ordinary verification; empty: no pinning.
    std::vector<std::string> pinned_spki_sha256;
    /// Accept any certificate for any name. Refused for hosts that are not this machine; only for
    /// test servers whose certificate cannot be had. Default: no.
    bool insecure_skip_verification_on_loopback_only = false;

    /// Throws `std::invalid_argument` that names the field that cannot be used.
    void validate() const {
        if (client_certificate_file.empty() != client_key_file.empty())
            detail::bad_option(
                client_key_file.empty() ? "tls.client_key_file" : "tls.client_certificate_file",
                "certificate and key are needed together");
        if (!use_system_roots && ca_file.empty() && ca_pem.empty() &&
            !insecure_skip_verification_on_loopback_only)
            detail::bad_option("tls.use_system_roots", "no authority would be trusted at all");
        for (auto const& pin : pinned_spki_sha256)
            if (detail::pinned_digest(pin).size() != 32)
                detail::bad_option(
                    "tls.pinned_spki_sha256", "not the base64 form of a SHA-256 digest");
        if (insecure_skip_verification_on_loopback_only && !pinned_spki_sha256.empty())
            detail::bad_option(
                "tls.pinned_spki_sha256", "cannot be checked when verification is skipped");
    }
};

/// How many connections to keep, and for how long.
class pool_options {
public:
    pool_options() = default;

    /// Connections to the origin that may exist at once, those being opened included. Exchanges
    /// beyond it wait. At least 1. Default: 256.
    std::size_t max_connections = 256;
    /// Connections that may be in the opening at once; bounds the burst of handshakes that hits a
    /// server after a pause. At least 1. Default: 32.
    std::size_t max_connecting = 32;
    /// An unused connection is closed after this time, or a second before the server would by its
    /// `Keep-Alive: timeout` field. Below the 60 s after which many load balancers close silently.
    /// Zero: connections are not kept at all. It is enforced while exchanges are under way and when
    /// the next one begins: an idle client keeps no timer, so that `io_context::run()` can return.
    /// Default: 55 s.
    std::chrono::milliseconds idle_timeout{std::chrono::seconds{55}};
    /// Before a kept connection is used the kernel is asked whether the server has closed it or
    /// sent what nobody asked for, at one system call of three per request; unless it has been idle
    /// for less than this and the request can be sent again (GET, HEAD; never one that must not be
    /// sent twice). What a server sends in so short a time is mostly still on its way, and would
    /// not be seen. What comes in a longer one would be, and otherwise answers the next request: so
    /// this should stay short. A busy client saves the question nearly always all the same. Zero:
    /// it is always asked. Default: 1 ms.
    std::chrono::milliseconds trusted_for{1};
    /// A connection older than this serves no further request, so that a change of DNS or of the
    /// servers behind it takes effect. Zero: no bound. Default: 10 min.
    std::chrono::milliseconds max_age{std::chrono::minutes{10}};
    /// Addresses of the host are looked up again after this time. Zero: for each connection.
    /// Default: 30 s.
    std::chrono::milliseconds dns_ttl{std::chrono::seconds{30}};
    /// A connect attempt that has not succeeded after this time is joined by one to the host's next
    /// address (RFC 8305 section 5). Zero: addresses are tried strictly one after the other.
    /// Default: 250 ms.
    std::chrono::milliseconds happy_eyeballs_delay{250};
    /// After so many failures to connect in a row, with no success between them, no connection is
    /// tried for a while (errc::circuit_open); then one goes ahead as a probe. Zero: never.
    /// Default: 10.
    unsigned circuit_threshold = 10;
    /// How long that while is at first; a probe that fails doubles it. Default: 1 s.
    std::chrono::milliseconds circuit_pause{std::chrono::seconds{1}};
    /// How long it gets at most. Default: 30 s.
    std::chrono::milliseconds circuit_max_pause{std::chrono::seconds{30}};

    /// Throws `std::invalid_argument` that names the field that cannot be used.
    void validate() const {
        if (max_connections == 0) detail::bad_option("pool.max_connections", "must be at least 1");
        if (max_connecting == 0) detail::bad_option("pool.max_connecting", "must be at least 1");
        detail::not_negative("pool.idle_timeout", idle_timeout);
        detail::not_negative("pool.trusted_for", trusted_for);
        detail::not_negative("pool.max_age", max_age);
        detail::not_negative("pool.dns_ttl", dns_ttl);
        detail::not_negative("pool.happy_eyeballs_delay", happy_eyeballs_delay);
        if (circuit_pause.count() <= 0)
            detail::bad_option("pool.circuit_pause", "must be positive");
        if (circuit_max_pause < circuit_pause)
            detail::bad_option("pool.circuit_max_pause", "must not be below pool.circuit_pause");
    }
};

/// How long each part of an exchange may take. Zero means no bound for that part.
class timeouts {
public:
    timeouts() = default;

    /// Looking the host up and opening the TCP connection and the proxy's tunnel, all addresses
    /// together. Default: 10 s.
    std::chrono::milliseconds connect{std::chrono::seconds{10}};
    /// TLS handshake. Default: 10 s.
    std::chrono::milliseconds tls{std::chrono::seconds{10}};
    /// Sending may not stand still for longer than this. Default: 30 s.
    std::chrono::milliseconds write{std::chrono::seconds{30}};
    /// From the end of the request to the first byte of the response. Default: 60 s.
    std::chrono::milliseconds first_byte{std::chrono::seconds{60}};
    /// Between two pieces of the response. Default: 30 s.
    std::chrono::milliseconds idle{std::chrono::seconds{30}};
    /// One call as a whole: waiting for a permit and a connection, all attempts, pauses between
    /// them. Default: 2 min.
    std::chrono::milliseconds total{std::chrono::minutes{2}};

    /// These limits but for those that one call sets.
    [[nodiscard]] timeouts with(const phase_timeouts& own) const {
        timeouts merged = *this;
        merged.connect = own.connect.value_or(connect);
        merged.tls = own.tls.value_or(tls);
        merged.write = own.write.value_or(write);
        merged.first_byte = own.first_byte.value_or(first_byte);
        merged.idle = own.idle.value_or(idle);
        return merged;
    }

    /// Throws `std::invalid_argument` that names the field that cannot be used.
    void validate() const {
        detail::not_negative("timeouts.connect", connect);
        detail::not_negative("timeouts.tls", tls);
        detail::not_negative("timeouts.write", write);
        detail::not_negative("timeouts.first_byte", first_byte);
        detail::not_negative("timeouts.idle", idle);
        detail::not_negative("timeouts.total", total);
    }
};

/// The HTTP proxy through whose CONNECT tunnel (RFC 9110 section 9.3.6) the API is reached.
class proxy_options {
public:
    proxy_options() = default;

    /// "http://[user:password@]host[:port]", the form of `HTTPS_PROXY`; empty: no proxy. Port 80
    /// when none is given; user and password are percent-encoded and sent by Basic authentication.
    std::string url;
    /// Hosts that are reached directly, separated by commas, the form of `NO_PROXY`: a name covers
    /// itself and its subdomains (a leading dot changes nothing), an address itself,
    /// "10.0.0.0/8" and "fd00::/8" a network, "*" everything. Empty: none.
    std::string no_proxy;

    /// Throws `std::invalid_argument` that names the field that cannot be used. The text of `url`
    /// is not repeated, since it may hold a password.
    void validate() const {
        if (url.empty()) return;
        for (char c : url)
            if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f)
                detail::bad_option("proxy.url", "holds a space or control character");
        std::string_view rest{url};
        if (rest.substr(0, 7) != "http://")
            detail::bad_option("proxy.url", "must begin with http://");
        rest.remove_prefix(7);
        auto const at = rest.rfind('@');
        if (at != std::string_view::npos) rest.remove_prefix(at + 1);
        if (rest.empty() || rest.front() == '/' || rest.front() == ':')
            detail::bad_option("proxy.url", "names no host");
    }
};

} // namespace highlevel::http
