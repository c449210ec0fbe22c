// SPDX-License-Identifier: BSL-1.0
//
// What tests of the transport share: a loop that runs one or many exchanges to their end and gives
// up, instead of hanging, when they do not end.
#pragma once

#include "support/catch.hpp"

#include <highlevel/http/http1_transport.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstddef>
#include <exception>
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

    void connect(const std::string& url) {
        transport =
            http::make_transport(context.get_executor(), http::uri{url}, tls, pool, limits, proxy);
    }

    /// Begins an exchange; it proceeds while run() or run_until() runs.
    std::shared_ptr<running> begin(http::request r, http::exchange_options options = {}) {
        auto one = std::make_shared<running>(std::move(r));
        boost::asio::co_spawn(
            context, transport->exchange(one->request, options),
            boost::asio::bind_cancellation_slot(
                one->signal.slot(), [one](std::exception_ptr e, http::exchange_result out) {
                    if (e) std::rethrow_exception(e);
                    one->result = std::move(out);
                }));
        return one;
    }

    /// Runs until the predicate is true; fails the test when that takes too long.
    void run_until(const std::function<bool()>& met) {
        context.restart();
        auto const limit = std::chrono::steady_clock::now() + std::chrono::seconds{30};
        while (!met()) {
            REQUIRE(std::chrono::steady_clock::now() < limit);
            context.run_one_for(std::chrono::milliseconds{20});
            if (context.stopped()) context.restart();
        }
    }

    /// Runs until nothing is left to do.
    void run() {
        context.restart();
        context.run_for(std::chrono::seconds{30});
        REQUIRE(context.stopped());
    }

    /// One exchange from its beginning to its end.
    http::exchange_result exchange(http::request r, http::exchange_options options = {}) {
        auto const one = begin(std::move(r), options);
        run_until([&] { return one->done(); });
        return *std::move(one->result);
    }

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
