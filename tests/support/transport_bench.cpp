// SPDX-License-Identifier: BSL-1.0
//
// Runs exchanges: compiled once for all tests of the transport.
#include "support/transport_bench.hpp"

#include "support/run.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>

#include <chrono>
#include <exception>

namespace highlevel::test {

void transport_bench::connect(const std::string& url) {
    transport =
        http::make_transport(context.get_executor(), http::uri{url}, tls, pool, limits, proxy);
}

std::shared_ptr<running> transport_bench::begin(http::request r, http::exchange_options options) {
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

void transport_bench::run_until(const std::function<bool()>& met) {
    ::test::run_until(context, met);
}

void transport_bench::run() {
    context.restart();
    context.run_for(std::chrono::seconds{30});
    REQUIRE(context.stopped());
}

http::exchange_result transport_bench::exchange(http::request r, http::exchange_options options) {
    auto const one = begin(std::move(r), options);
    run_until([&] { return one->done(); });
    return *std::move(one->result);
}

} // namespace highlevel::test
