// SPDX-License-Identifier: BSL-1.0
//
// A client over the real transport, with both in view: tests see what the caller gets, and what
// became of permits and connections.
#pragma once

#include "support/catch.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/http/http1_transport.hpp>

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>

#include <chrono>
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

    void start();

    /// Begins a call; it proceeds while run_until() runs.
    std::shared_ptr<running_call> begin(http::request r, call_options how = {});

    /// Runs until the predicate is true; fails the test when that takes too long.
    void run_until(const std::function<bool()>& met);

    /// One call from its beginning to its end.
    highlevel::result<highlevel::response<json::value>> call(
        http::request r, call_options how = {});

    /// Whether every permit and every connection is back.
    [[nodiscard]] bool balanced() const;

    client_options options;
    boost::asio::io_context context;
    std::shared_ptr<http::http1_transport> transport;
    std::optional<highlevel::client> client;
};

} // namespace highlevel::test
