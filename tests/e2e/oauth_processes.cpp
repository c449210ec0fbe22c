// SPDX-License-Identifier: BSL-1.0
//
// Several processes on one store and one rotating OAuth server: an ended token is refreshed once
// for all of them, and kill -9 at any moment ends no connection.

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/oauth_bench.hpp"
#include "support/temporary_folder.hpp"

#include <highlevel/auth/file_token_store.hpp>

#ifdef HIGHLEVEL_TEST_SQLITE
#    include <highlevel/auth/sqlite_token_store.hpp>
#endif

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_future.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <iostream>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace e2e_oauth_processes_tests {

using namespace std::chrono_literals;
namespace asio = boost::asio;
namespace auth = highlevel::auth;
namespace contacts = highlevel::v2::contacts;
using test::child_process;

namespace {

using opener = std::function<std::shared_ptr<auth::token_store>()>;

std::string url_of(std::uint64_t port) {
    return "http://127.0.0.1:" + std::to_string(port);
}

/// What the server's process is asked for.
enum class question : std::uint64_t { counts, end };

/// The OAuth server as a process of its own, so that this one has no threads when it forks. It
/// installs its app on a location whose token is in the store, ended, when it reports its port.
class server_process {
public:
    explicit server_process(const opener& open)
        : child_([open](const child_process::report& tell, const child_process::receive& asked) {
              serve(open, tell, asked);
          }),
          port(child_.next().value()) {}

    /// Refreshes, rotations, graces, reuses.
    std::array<std::uint64_t, 4> counts() {
        child_.send(static_cast<std::uint64_t>(question::counts));
        std::array<std::uint64_t, 4> got{};
        for (auto& one : got)
            one = child_.next().value();
        return got;
    }

private:
    static void serve(
        const opener& open,
        const child_process::report& tell,
        const child_process::receive& asked) {
        test::oauth_bench house{open()};
        house.install(house.ids[0]);
        auto const what = auth::resource::location(house.ids[0]);
        auto held = house.run(house.store->load(what)).value();
        auto const version = held.version;
        held.expires_at = held.issued_at + 1ms;
        (void)house.run(house.store->replace(what, version, std::move(held))).value();
        house.server.end_access_tokens();
        house.client.reset();
        house.store.reset();
        tell(house.server.port());
        while (asked() == static_cast<std::uint64_t>(question::counts)) {
            auto const counts = house.server.oauth_totals();
            for (auto const one :
                 {counts.refreshes, counts.rotations, counts.graces, counts.reuses})
                tell(one);
        }
    }

    child_process child_;

public:
    std::uint64_t port;
};

/// 64 coroutines on 8 threads list contacts at once; reports how many could, and how many could
/// not.
void call_at_once(
    const opener& open, const child_process::report& tell, const child_process::receive& asked) {
    auto const port = asked();
    if (!port) return;
    auto const store = open();
    auth::oauth_app app{test::oauth_settings(store)};
    highlevel::client_options options;
    options.base_url = url_of(*port);
    options.credentials = app;
    asio::io_context context;
    highlevel::client client{context.get_executor(), options};
    auto listing = asio::co_spawn(context, app.resources(), asio::use_future);
    context.run();
    auto const id = listing.get().at(0).id;
    tell(0);
    if (!asked()) return;
    std::atomic<std::uint64_t> good{0};
    std::atomic<std::uint64_t> bad{0};
    auto const location = client.location(id);
    auto const call = [&]() -> asio::awaitable<void> {
        contacts::get_contacts op;
        op.location_id = id;
        auto const got = co_await location.try_call(op);
        ++(got ? good : bad);
    };
    for (int i = 0; i < 64; ++i)
        asio::co_spawn(context, call(), asio::detached);
    context.restart();
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] { context.run(); });
    for (auto& t : threads)
        t.join();
    tell(good);
    tell(bad);
}

void many_processes_at_once(const std::string& name, const opener& open) {
    server_process server{open};
    std::vector<std::unique_ptr<child_process>> workers;
    for (int i = 0; i < 4; ++i)
        workers.push_back(std::make_unique<child_process>(
            [&](const child_process::report& tell, const child_process::receive& asked) {
                call_at_once(open, tell, asked);
            }));
    for (auto const& w : workers) {
        w->send(server.port);
        REQUIRE(w->next());
    }
    for (auto const& w : workers)
        w->send(1);
    std::uint64_t good = 0;
    std::uint64_t bad = 0;
    for (auto const& w : workers) {
        good += w->next().value();
        bad += w->next().value();
    }
    auto const [refreshes, rotations, graces, reuses] = server.counts();
    std::cout << name << ": processes 4, calls " << good + bad << ", good " << good
              << ", refreshes " << refreshes << ", graces " << graces << ", reuses " << reuses
              << '\n';
    CHECK(good == 256);
    CHECK(bad == 0);
    CHECK(refreshes == 1);
    CHECK(rotations == 1);
}

/// Renews the location's token again and again, and tells of each that is done.
void renew_for_ever(const opener& open, std::uint64_t port, const child_process::report& tell) {
    auto settings = test::oauth_settings(open());
    // A store whose leases outlive their process keeps the next one waiting that long.
    settings.refresh.lease = 100ms;
    auth::oauth_app app{std::move(settings)};
    highlevel::client_options options;
    options.base_url = url_of(port);
    options.credentials = app;
    asio::io_context context;
    highlevel::client client{context.get_executor(), options};
    auto const work = [&]() -> asio::awaitable<void> {
        auto const all = co_await app.resources();
        for (std::uint64_t number = 1;; ++number) {
            co_await app.renew(all.at(0));
            tell(number);
        }
    };
    auto ended = asio::co_spawn(context, work(), asio::use_future);
    context.run();
    ended.get();
}

void kill_again_and_again(const std::string& name, const opener& open) {
    constexpr int kills = 200;
    server_process server{open};
    std::mt19937 random{20240229};
    int usable = 0;
    std::uint64_t renewals = 0;
    for (int i = 0; i <= kills; ++i) {
        child_process worker{
            [&](const child_process::report& tell) { renew_for_ever(open, server.port, tell); }};
        // The first renewal shows that what the killed one left is good; the second, how long one
        // takes here, so that the kill comes at any moment of the third.
        using clock = std::chrono::steady_clock;
        auto took = clock::duration::zero();
        if (worker.next()) {
            ++usable;
            ++renewals;
            auto const began = clock::now();
            if (worker.next()) ++renewals;
            took = clock::now() - began;
        }
        std::uniform_int_distribution<clock::rep> moment{0, took.count()};
        std::this_thread::sleep_for(clock::duration{moment(random)});
        worker.kill();
        while (worker.next())
            ++renewals;
    }
    auto const [refreshes, rotations, graces, reuses] = server.counts();
    std::cout << name << ": kills " << kills << ", usable afterwards " << usable - 1
              << ", renewals " << renewals << ", refreshes " << refreshes << ", rotations "
              << rotations << ", graces " << graces << ", reuses " << reuses << '\n';
    CHECK(usable == kills + 1);
    CHECK(reuses == 0);
    CHECK(rotations >= renewals);
    // Kills came within renewals: the server knows of some that nobody was told of.
    CHECK(refreshes > renewals);
}

} // namespace

TEST_CASE("4 processes with 64 calls each refresh an ended token in files once", "[e2e]") {
    highlevel::test::temporary_folder const folder;
    many_processes_at_once(
        "files", [&] { return std::make_shared<auth::file_token_store>(folder / "tokens"); });
}

TEST_CASE("kill_9_in_a_renewal_ends_no_connection_in_files", "[e2e]") {
    highlevel::test::temporary_folder const folder;
    kill_again_and_again(
        "files", [&] { return std::make_shared<auth::file_token_store>(folder / "tokens"); });
}

#ifdef HIGHLEVEL_TEST_SQLITE
TEST_CASE("4 processes with 64 calls each refresh an ended token in sqlite once", "[e2e]") {
    highlevel::test::temporary_folder const folder;
    many_processes_at_once(
        "sqlite", [&] { return std::make_shared<auth::sqlite_token_store>(folder / "tokens.db"); });
}

TEST_CASE("kill_9_in_a_renewal_ends_no_connection_in_sqlite", "[e2e]") {
    highlevel::test::temporary_folder const folder;
    kill_again_and_again(
        "sqlite", [&] { return std::make_shared<auth::sqlite_token_store>(folder / "tokens.db"); });
}
#endif

} // namespace e2e_oauth_processes_tests
