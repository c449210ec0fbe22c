// SPDX-License-Identifier: BSL-1.0
//
// A throw-away certificate authority and a server certificate signed by it, made on the spot with
// OpenSSL, so that clients can be tested over TLS with full verification.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::sandbox {

/// A server certificate with its private key, and the authority that signed it; all PEM.
class certificate {
public:
    certificate() = default;

    std::string certificate_pem;
    std::string private_key_pem;
    std::string ca_certificate_pem;
};

namespace detail {

template <auto Free>
class openssl_delete {
public:
    template <class Object>
    void operator()(Object* object) const noexcept {
        Free(object);
    }
};

using key_pointer = std::unique_ptr<EVP_PKEY, openssl_delete<EVP_PKEY_free>>;
using key_context_pointer = std::unique_ptr<EVP_PKEY_CTX, openssl_delete<EVP_PKEY_CTX_free>>;
using x509_pointer = std::unique_ptr<X509, openssl_delete<X509_free>>;
using extension_pointer = std::unique_ptr<X509_EXTENSION, openssl_delete<X509_EXTENSION_free>>;
using bio_pointer = std::unique_ptr<BIO, openssl_delete<BIO_free_all>>;

[[noreturn]] inline void throw_openssl(const char* what) {
    auto const number = static_cast<int>(ERR_get_error());
    throw boost::system::system_error(number, boost::asio::error::get_ssl_category(), what);
}

inline void require(bool done, const char* what) {
    if (!done) throw_openssl(what);
}

[[nodiscard]] inline key_pointer make_key() {
    key_context_pointer const context(EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nullptr));
    EVP_PKEY* key = nullptr;
    require(
        context && EVP_PKEY_keygen_init(context.get()) > 0 &&
            EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context.get(), NID_X9_62_prime256v1) > 0 &&
            EVP_PKEY_keygen(context.get(), &key) > 0,
        "sandbox: make a key");
    return key_pointer(key);
}

inline void add_extension(X509* subject, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, subject, nullptr, nullptr, 0);
    extension_pointer const extension(
        X509V3_EXT_conf_nid(nullptr, &context, nid, const_cast<char*>(value.c_str())));
    require(
        extension && X509_add_ext(subject, extension.get(), -1) == 1, "sandbox: add an extension");
}

inline x509_pointer make_x509(
    EVP_PKEY* key, std::string_view common_name, long from_seconds, long to_seconds) {
    x509_pointer made(X509_new());
    require(made != nullptr, "sandbox: make a certificate");
    // A random serial number keeps browsers and trust stores from mixing up two sandboxes.
    unsigned char random[8];
    require(RAND_bytes(random, sizeof random) == 1, "sandbox: random serial number");
    std::uint64_t serial = 0;
    for (auto byte : random)
        serial = serial << 8 | byte;
    auto* const name = X509_get_subject_name(made.get());
    require(
        X509_set_version(made.get(), 2) == 1 &&
            ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.get()), serial >> 1) == 1 &&
            X509_gmtime_adj(X509_getm_notBefore(made.get()), from_seconds) != nullptr &&
            X509_gmtime_adj(X509_getm_notAfter(made.get()), to_seconds) != nullptr &&
            X509_set_pubkey(made.get(), key) == 1 &&
            X509_NAME_add_entry_by_txt(
                name, "CN", MBSTRING_ASC,
                reinterpret_cast<const unsigned char*>(common_name.data()),
                static_cast<int>(common_name.size()), -1, 0) == 1,
        "sandbox: fill a certificate");
    return made;
}

template <class Write>
std::string to_pem(Write write) {
    bio_pointer const memory(BIO_new(BIO_s_mem()));
    require(memory && write(memory.get()) == 1, "sandbox: write PEM");
    char* data = nullptr;
    auto const size = BIO_get_mem_data(memory.get(), &data);
    return std::string(data, static_cast<std::size_t>(size));
}

} // namespace detail

/// Makes a P-256 key and a certificate for these names and numeric addresses, valid from yesterday
/// for thirty days, or over since yesterday when `expired`. The authority's key is not kept. Throws
/// boost::system::system_error when OpenSSL fails.
[[nodiscard]] inline certificate make_certificate(
    const std::vector<std::string>& names, bool expired = false) {
    constexpr long day = 24 * 60 * 60;
    auto const ca_key = detail::make_key();
    auto const ca =
        detail::make_x509(ca_key.get(), "HighLevel sandbox authority", -10 * day, 30 * day);
    detail::require(
        X509_set_issuer_name(ca.get(), X509_get_subject_name(ca.get())) == 1,
        "sandbox: name the issuer");
    detail::add_extension(ca.get(), ca.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    detail::add_extension(ca.get(), ca.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
    detail::add_extension(ca.get(), ca.get(), NID_subject_key_identifier, "hash");
    detail::require(X509_sign(ca.get(), ca_key.get(), EVP_sha256()) > 0, "sandbox: sign");

    auto const key = detail::make_key();
    auto const leaf = expired ? detail::make_x509(key.get(), "HighLevel sandbox", -5 * day, -day)
                              : detail::make_x509(key.get(), "HighLevel sandbox", -day, 30 * day);
    detail::require(
        X509_set_issuer_name(leaf.get(), X509_get_subject_name(ca.get())) == 1,
        "sandbox: name the issuer");
    detail::add_extension(leaf.get(), ca.get(), NID_basic_constraints, "critical,CA:FALSE");
    detail::add_extension(leaf.get(), ca.get(), NID_key_usage, "critical,digitalSignature");
    detail::add_extension(leaf.get(), ca.get(), NID_ext_key_usage, "serverAuth");
    detail::add_extension(leaf.get(), ca.get(), NID_subject_key_identifier, "hash");
    detail::add_extension(leaf.get(), ca.get(), NID_authority_key_identifier, "keyid");
    std::string alternatives;
    for (auto const& name : names) {
        boost::system::error_code not_numeric;
        (void)boost::asio::ip::make_address(name, not_numeric);
        if (!alternatives.empty()) alternatives += ',';
        alternatives += (not_numeric ? "DNS:" : "IP:") + name;
    }
    if (!alternatives.empty())
        detail::add_extension(leaf.get(), ca.get(), NID_subject_alt_name, alternatives);
    detail::require(X509_sign(leaf.get(), ca_key.get(), EVP_sha256()) > 0, "sandbox: sign");

    certificate made;
    made.certificate_pem =
        detail::to_pem([&](BIO* out) { return PEM_write_bio_X509(out, leaf.get()); });
    made.private_key_pem = detail::to_pem([&](BIO* out) {
        return PEM_write_bio_PrivateKey(out, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
    made.ca_certificate_pem =
        detail::to_pem([&](BIO* out) { return PEM_write_bio_X509(out, ca.get()); });
    return made;
}

} // namespace highlevel::sandbox
