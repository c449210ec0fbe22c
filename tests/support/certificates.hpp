// SPDX-License-Identifier: BSL-1.0
//
// Certificates of every kind that a server can have, good and bad, made with OpenSSL while the test
// runs: nothing in the tree can expire.
#pragma once

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace highlevel::test {

/// A certificate and its private key.
class certificate {
public:
    certificate() = default;

    std::string pem;
    std::string key_pem;
    /// base64(SHA-256(SubjectPublicKeyInfo)), the form of a pin.
    std::string pin;
};

/// What a certificate says; the defaults are a good one for this machine.
class certificate_facts {
public:
    certificate_facts() = default;

    /// Subject alternative names, in OpenSSL's form.
    std::string names = "DNS:localhost,IP:127.0.0.1,IP:::1";
    std::string purpose = "serverAuth";
    /// Seconds from now.
    long valid_from = -3600;
    long valid_to = 3600;
};

/// A certificate authority that lives for one test.
class certificate_authority {
public:
    certificate_authority() : key_(make_key()) {
        certificate_ = make(certificate_facts{}, "Test Authority", key_.get(), nullptr, key_.get());
        pem_ = to_pem(certificate_.get());
    }

    [[nodiscard]] const std::string& pem() const noexcept { return pem_; }

    /// A certificate signed by this authority.
    [[nodiscard]] certificate issue(const certificate_facts& facts = {}) const {
        auto const key = make_key();
        return pack(make(facts, "Test Server", key.get(), certificate_.get(), key_.get()), key);
    }

    /// A certificate signed by itself.
    [[nodiscard]] static certificate self_signed(const certificate_facts& facts = {}) {
        auto const key = make_key();
        return pack(make(facts, "Self-Signed Server", key.get(), nullptr, key.get()), key);
    }

private:
    template <auto Free>
    struct release {
        template <class T>
        void operator()(T* p) const noexcept {
            Free(p);
        }
    };
    using key_ptr = std::unique_ptr<EVP_PKEY, release<&EVP_PKEY_free>>;
    using x509_ptr = std::unique_ptr<X509, release<&X509_free>>;
    using bio_ptr = std::unique_ptr<BIO, release<&BIO_free>>;
    using extension_ptr = std::unique_ptr<X509_EXTENSION, release<&X509_EXTENSION_free>>;

    static void must(bool good) {
        if (!good) throw std::runtime_error{"OpenSSL could not make a test certificate"};
    }

    [[nodiscard]] static key_ptr make_key() {
        key_ptr key{EVP_EC_gen("P-256")};
        must(key != nullptr);
        return key;
    }

    // `issuer` null: signed by itself.
    [[nodiscard]] static x509_ptr make(
        const certificate_facts& facts,
        const char* name,
        EVP_PKEY* key,
        X509* issuer,
        EVP_PKEY* by) {
        x509_ptr made{X509_new()};
        X509* const x = made.get();
        must(x && X509_set_version(x, 2) == 1);
        static long serial = 1000;
        must(ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial) == 1);
        must(X509_gmtime_adj(X509_getm_notBefore(x), facts.valid_from) != nullptr);
        must(X509_gmtime_adj(X509_getm_notAfter(x), facts.valid_to) != nullptr);
        must(X509_set_pubkey(x, key) == 1);
        auto const* const text = reinterpret_cast<const unsigned char*>(name);
        X509_NAME* const subject = X509_get_subject_name(x);
        must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1);
        must(X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject) == 1);
        bool const authority = std::string{name} == "Test Authority";
        if (authority) {
            extend(x, issuer, NID_basic_constraints, "critical,CA:TRUE");
            extend(x, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
        } else {
            extend(x, issuer, NID_ext_key_usage, facts.purpose);
            extend(x, issuer, NID_subject_alt_name, facts.names);
        }
        must(X509_sign(x, by, EVP_sha256()) > 0);
        return made;
    }

    static void extend(X509* x, X509* issuer, int id, const std::string& value) {
        X509V3_CTX context{};
        X509V3_set_ctx(&context, issuer ? issuer : x, x, nullptr, nullptr, 0);
        extension_ptr const extension{X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str())};
        must(extension && X509_add_ext(x, extension.get(), -1) == 1);
    }

    [[nodiscard]] static std::string text_of(const bio_ptr& bio) {
        char* data = nullptr;
        long const size = BIO_get_mem_data(bio.get(), &data);
        return {data, static_cast<std::size_t>(size)};
    }

    [[nodiscard]] static std::string to_pem(X509* x) {
        bio_ptr const bio{BIO_new(BIO_s_mem())};
        must(bio && PEM_write_bio_X509(bio.get(), x) == 1);
        return text_of(bio);
    }

    [[nodiscard]] static certificate pack(const x509_ptr& x, const key_ptr& key) {
        certificate out;
        out.pem = to_pem(x.get());
        bio_ptr const bio{BIO_new(BIO_s_mem())};
        must(
            bio &&
            PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
                1);
        out.key_pem = text_of(bio);
        unsigned char* der = nullptr;
        int const length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x.get()), &der);
        must(length > 0);
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned int size = 0;
        must(
            EVP_Digest(
                der, static_cast<std::size_t>(length), digest, &size, EVP_sha256(), nullptr) == 1);
        OPENSSL_free(der);
        unsigned char pin[2 * EVP_MAX_MD_SIZE];
        int const written = EVP_EncodeBlock(pin, digest, static_cast<int>(size));
        out.pin.assign(pin, pin + written);
        return out;
    }

    key_ptr key_;
    x509_ptr certificate_;
    std::string pem_;
};

} // namespace highlevel::test
