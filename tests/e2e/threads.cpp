// SPDX-License-Identifier: BSL-1.0
//
// One client on a context that 1 to 8 threads run, against a sandbox that resets and fails: every
// call ends once, and permits and connections are all back. Meant for ThreadSanitizer too.

#include "support/catch.hpp"

#include <highlevel/highlevel.hpp>
#include <highlevel/http/http1_transport.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace e2e_threads_tests {

namespace asio = boost::asio;
namespace contacts = highlevel::v2::contacts;
namespace http = highlevel::http;
namespace sandbox = highlevel::sandbox;
using namespace std::chrono_literals;

namespace {

/// A faulty sandbox and a client that many threads use.
class fixture {
public:
    explicit fixture(const sandbox::fault_options& faults) : server(house(faults)) {
        server.start();
        options.base_url = server.base_url();
        options.credentials = highlevel::auth::private_integration{server.token()};
        options.retry.base_delay = 1ms;
        options.retry.max_delay = 1ms;
        options.limits.lost_grace = 0ms;
        transport = http::make_transport(context.get_executor(), http::uri{options.base_url});
        options.transport = transport;
        client.emplace(context.get_executor(), options);
        for (auto const& place : server.locations()) {
            accounts.push_back(client->location(place.id));
            ids.push_back(server.contact_ids(place.id).at(0));
        }
    }

    static sandbox::options house(const sandbox::fault_options& faults) {
        sandbox::options o;
        o.locations = 4;
        o.max = 60'000;
        o.faults = faults;
        return o;
    }

    asio::awaitable<void> work(std::size_t n, int calls) {
        for (int i = 0; i < calls; ++i) {
            ++started;
            auto const& account = accounts[(n + static_cast<std::size_t>(i)) % accounts.size()];
            contacts::get_contact const get{ids[n % ids.size()]};
            auto const got = co_await account.try_call(get);
            if (got || got.error().status() != 0 ||
                got.error().code() == highlevel::errc::connection_lost)
                ++answered;
            else
                aborted += got.error().code() == asio::error::operation_aborted;
        }
    }

    void spawn(std::size_t workers, int calls) {
        for (std::size_t n = 0; n < workers; ++n)
            asio::co_spawn(context, work(n, calls), [this](std::exception_ptr thrown) {
                if (!thrown) ++ended;
            });
    }

    void run(int threads) {
        std::vector<std::thread> pool;
        for (int i = 0; i < threads; ++i)
            pool.emplace_back([this] { context.run(); });
        for (auto& t : pool)
            t.join();
    }

    asio::io_context context;
    sandbox::server server;
    highlevel::client_options options;
    std::shared_ptr<http::http1_transport> transport;
    std::optional<highlevel::client> client;
    std::vector<highlevel::account> accounts;
    std::vector<std::string> ids;
    std::atomic<int> started{0};
    std::atomic<int> answered{0};
    std::atomic<int> aborted{0};
    std::atomic<std::size_t> ended{0};
};

} // namespace

TEST_CASE("client_on_one_to_eight_threads_balances_in_faults", "[e2e][threads]") {
    sandbox::fault_options faults;
    faults.reset_rate = 0.05;
    faults.server_error_rate = 0.02;
    for (int threads = 1; threads <= 8; ++threads) {
        CAPTURE(threads);
        fixture f{faults};
        f.spawn(16, 6);
        f.run(threads);
        CHECK(f.ended == 16);
        CHECK(f.started == 16 * 6);
        CHECK(f.answered == f.started);
        for (auto const& account : f.accounts) {
            auto const permits = account.quota();
            CHECK(permits.in_flight == 0);
            CHECK(permits.granted == permits.settled + permits.lost + permits.unsent);
        }
        auto const links = f.transport->stats();
        CHECK(links.in_use + links.connecting + links.waiting + links.active == 0);
    }
}

TEST_CASE("client_destroyed_under_many_threads_ends_every_call", "[e2e][threads]") {
    sandbox::fault_options faults;
    faults.stall_rate = 1;
    for (int threads : {1, 2, 8}) {
        CAPTURE(threads);
        fixture f{faults};
        f.spawn(16, 1);
        std::thread breaker([&f] {
            while (f.server.totals().stalls < 4)
                std::this_thread::yield();
            f.client.reset();
        });
        f.run(threads);
        breaker.join();
        CHECK(f.ended == 16);
        CHECK(f.aborted == 16);
    }
}

} // namespace e2e_threads_tests
