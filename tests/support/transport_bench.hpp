// SPDX-License-Identifier: BSL-1.0
//
// What tests of the transport share: a loop that runs one or many exchanges to their end and gives
// up, instead of hanging, when they do not end.
#pragma once

#include "support/catch.hpp"

#include <highlevel/http/http1_transport.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace highlevel::test {

/// One exchange under way: its request, its end, and a way to cancel it.
class running {
public:
    explicit running(http::request r) : request(std::move(r)) {}
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    [[nodiscard]] bool done() const noexcept { return result.has_value(); }

    http::request request;
    boost::asio::cancellation_signal signal;
    std::optional<http::exchange_result> result;
};

/// An io_context and a transport on it.
class transport_bench {
public:
    transport_bench() = default;
    explicit transport_bench(const std::string& url) { connect(url); }

    void connect(const std::string& url);

    /// Begins an exchange; it proceeds while run() or run_until() runs.
    std::shared_ptr<running> begin(http::request r, http::exchange_options options = {});

    /// Runs until the predicate is true; fails the test when that takes too long.
    void run_until(const std::function<bool()>& met);

    /// Runs until nothing is left to do.
    void run();

    /// One exchange from its beginning to its end.
    http::exchange_result exchange(http::request r, http::exchange_options options = {});

    http::exchange_result get(std::string target = "/", http::exchange_options options = {}) {
        return exchange({highlevel::method::get, std::move(target)}, options);
    }

    http::exchange_result post(std::string body, http::exchange_options options = {}) {
        http::request r{highlevel::method::post, "/"};
        r.body = std::move(body);
        return exchange(std::move(r), options);
    }

    /// Nothing in use, connecting, waiting or under way.
    [[nodiscard]] bool settled() const {
        auto const s = transport->stats();
        return s.in_use == 0 && s.connecting == 0 && s.waiting == 0 && s.active == 0;
    }

    http::tls_options tls;
    http::pool_options pool;
    http::timeouts limits;
    http::proxy_options proxy;
    boost::asio::io_context context;
    std::shared_ptr<http::http1_transport> transport;
};

} // namespace highlevel::test
