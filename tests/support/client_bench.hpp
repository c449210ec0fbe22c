// SPDX-License-Identifier: BSL-1.0
//
// A client over the real transport, with both in view: tests see what the caller gets, and what
// became of permits and connections.
#pragma once

#include "support/catch.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/http/http1_transport.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace highlevel::test {

/// One call under way: its end, and a way to cancel it.
class running_call {
public:
    running_call() = default;

    [[nodiscard]] bool done() const noexcept { return result.has_value(); }

    boost::asio::cancellation_signal signal;
    std::optional<highlevel::result<highlevel::response<json::value>>> result;
};

/// An io_context, a transport and a client on it. Set `options` before the first call.
class client_bench {
public:
    explicit client_bench(std::string url) {
        options.base_url = std::move(url);
        options.credentials = auth::private_integration{"pit-test"};
        options.retry.base_delay = options.retry.max_delay = std::chrono::milliseconds{0};
        options.limits.lost_grace = std::chrono::milliseconds{0};
    }

    void start() {
        if (client) return;
        transport = http::make_transport(
            context.get_executor(), http::uri{options.base_url}, options.tls, options.pool,
            options.timeouts, options.proxy);
        auto with_transport = options;
        with_transport.transport = transport;
        client.emplace(context.get_executor(), with_transport);
    }

    /// Begins a call; it proceeds while run_until() runs.
    std::shared_ptr<running_call> begin(http::request r, call_options how = {}) {
        start();
        auto one = std::make_shared<running_call>();
        boost::asio::co_spawn(
            context, client->location("loc").try_send(std::move(r), how),
            boost::asio::bind_cancellation_slot(
                one->signal.slot(),
                [one](
                    std::exception_ptr e, highlevel::result<highlevel::response<json::value>> out) {
                    if (e) std::rethrow_exception(e);
                    one->result.emplace(std::move(out));
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

    /// One call from its beginning to its end.
    highlevel::result<highlevel::response<json::value>> call(
        http::request r, call_options how = {}) {
        auto const one = begin(std::move(r), how);
        run_until([&] { return one->done(); });
        return *std::move(one->result);
    }

    /// Whether every permit and every connection is back.
    [[nodiscard]] bool balanced() const {
        auto const s = transport->stats();
        bool const connections = s.in_use + s.connecting + s.waiting + s.active == 0;
        if (!client) return connections;
        auto const q = client->quota("loc");
        return connections && q.in_flight == 0 && q.waiting_in(quota::lane::interactive) == 0 &&
            q.granted == q.settled + q.lost + q.unsent;
    }

    client_options options;
    boost::asio::io_context context;
    std::shared_ptr<http::http1_transport> transport;
    std::optional<highlevel::client> client;
};

} // namespace highlevel::test
