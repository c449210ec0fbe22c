// SPDX-License-Identifier: BSL-1.0
//
// How a client is set up. Every member has a working default but the credentials.
#pragma once

#include <highlevel/auth/credentials.hpp>
#include <highlevel/http/options.hpp>
#include <highlevel/http/transport.hpp>
#include <highlevel/observer.hpp>
#include <highlevel/quota/limits.hpp>
#include <highlevel/retry.hpp>
#include <highlevel/version.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>

namespace highlevel {

/// Options of a client; read once, when it is built.
class client_options {
public:
    client_options() = default;

    /// Where bearer tokens come from.
    auth::credentials credentials;
    /// Where an OAuth app that has no store of its own keeps its tokens. Null: in memory.
    std::shared_ptr<auth::token_store> token_store;
    /// The API's origin, and a path prefix if there is one. https, or http to this machine.
    std::string base_url = "https://services.leadconnectorhq.com";
    http::tls_options tls;
    http::proxy_options proxy;
    http::pool_options pool;
    /// Rate limits and the queues before them.
    quota::limits limits;
    retry_options retry;
    http::timeouts timeouts;
    /// Sent as `User-Agent`. The gateway in front of the API refuses some well-known script agents.
    std::string user_agent = "highlevel-cpp/" + std::string{version_string};
    /// Largest accepted response body in bytes.
    std::size_t max_response_body = 64U * 1024U * 1024U;
    /// Whether a response that does not match its type is an error (errc::decode_failed).
    bool strict_decoding = false;
    /// Told of calls, permits, tokens and connections; null: nobody, which costs nothing.
    std::shared_ptr<highlevel::observer> observer;
    /// Gives the `traceparent` header of a call (W3C Trace Context), for example from the span that
    /// is current; see <highlevel/trace_parent.hpp>. Called where the call is made, before it first
    /// suspends, by as many threads as make calls; the call_info has no `id` yet. An empty or
    /// invalid text is not sent, nor is anything when it throws; a raw request that has the header
    /// keeps its own. Empty: no header. Mind that HighLevel sees the ids.
    std::function<std::string(const call_info&)> traceparent;
    /// Takes the place of the built-in network transport when set; `base_url`, `tls`, `proxy` and
    /// `pool` then have no effect. It belongs to one client, whose end closes it: clients that
    /// share one would end each other's calls.
    std::shared_ptr<http::transport> transport;

    /// Throws std::invalid_argument that names the first option that cannot be used.
    void validate() const {
        tls.validate();
        proxy.validate();
        pool.validate();
        limits.validate();
        retry.validate();
        timeouts.validate();
        if (user_agent.empty() || user_agent.find_first_of("\r\n") != std::string::npos)
            throw std::invalid_argument{"user_agent: must be one non-empty line"};
        if (max_response_body == 0)
            throw std::invalid_argument{"max_response_body: must be at least 1"};
    }

    /// Options from the environment: `HIGHLEVEL_TOKEN` (a Private Integration token), or else
    /// `HIGHLEVEL_CLIENT_ID` and `HIGHLEVEL_CLIENT_SECRET` (an OAuth app, whose tokens are in
    /// `token_store`),
    /// `HIGHLEVEL_BASE_URL`, `HTTPS_PROXY`, `NO_PROXY` (each in capital or small letters, of which
    /// the small ones win as in curl; a proxy without a scheme is "http://"), `SSL_CERT_FILE`. What
    /// is not set keeps its default. Not safe against threads that change the environment
    /// meanwhile. A template, so that a file which does not call it compiles no OAuth app.
    template <class = void>
    [[nodiscard]] static client_options from_environment();
};

} // namespace highlevel
