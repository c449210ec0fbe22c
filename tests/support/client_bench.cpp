// SPDX-License-Identifier: BSL-1.0
//
// Runs calls: compiled once for all tests that look at the client from both sides.
#include "support/client_bench.hpp"

#include "support/run.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include <exception>

namespace highlevel::test {

void client_bench::start() {
    if (client) return;
    transport = http::make_transport(
        context.get_executor(), http::uri{options.base_url}, options.tls, options.pool,
        options.timeouts, options.proxy);
    auto with_transport = options;
    with_transport.transport = transport;
    client.emplace(context.get_executor(), with_transport);
}

std::shared_ptr<running_call> client_bench::begin(http::request r, call_options how) {
    start();
    auto one = std::make_shared<running_call>();
    boost::asio::co_spawn(
        context, client->location("loc").try_send(std::move(r), how),
        boost::asio::bind_cancellation_slot(
            one->signal.slot(),
            [one](std::exception_ptr e, highlevel::result<highlevel::response<json::value>> out) {
                if (e) std::rethrow_exception(e);
                one->result.emplace(std::move(out));
            }));
    return one;
}

void client_bench::run_until(const std::function<bool()>& met) {
    ::test::run_until(context, met);
}

highlevel::result<highlevel::response<json::value>> client_bench::call(
    http::request r, call_options how) {
    auto const one = begin(std::move(r), how);
    run_until([&] { return one->done(); });
    return *std::move(one->result);
}

bool client_bench::balanced() const {
    auto const s = transport->stats();
    bool const connections = s.in_use + s.connecting + s.waiting + s.active == 0;
    if (!client) return connections;
    auto const q = client->quota("loc");
    return connections && q.in_flight == 0 && q.waiting_in(quota::lane::interactive) == 0 &&
        q.granted == q.settled + q.lost + q.unsent;
}

} // namespace highlevel::test
