// SPDX-License-Identifier: BSL-1.0
//
// OAuth from end to end: the client, an app and a store against the sandbox's OAuth server.

#include "support/catch.hpp"

#include <highlevel/auth/authorize_url.hpp>
#include <highlevel/auth/memory_token_store.hpp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>
#include <highlevel/v2/locations.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using highlevel::cause;
using highlevel::errc;
namespace asio = boost::asio;
namespace auth = highlevel::auth;
namespace contacts = highlevel::v2::contacts;

namespace {

highlevel::sandbox::options three_locations() {
    highlevel::sandbox::options o;
    o.locations = 3;
    o.contacts_per_location = 3;
    o.max = 1000;
    return o;
}

/// A sandbox with an app, and a client that has the app as its credentials.
class house {
public:
    explicit house(
        std::shared_ptr<auth::token_store> tokens = std::make_shared<auth::memory_token_store>(),
        highlevel::generation wire = highlevel::generation::v2)
        : server(three_locations()),
          store(std::move(tokens)),
          app(settings(wire)) {
        highlevel::sandbox::app_settings known;
        known.client_id = "sandbox-12345678";
        known.client_secret = "planted";
        server.add_app(known);
        server.start();
        options.base_url = server.base_url();
        options.credentials = app;
        client = std::make_unique<highlevel::client>(context.get_executor(), options);
        for (auto const& place : server.locations())
            ids.push_back(place.id);
    }

    auth::oauth_options settings(highlevel::generation wire) const {
        auth::oauth_options o;
        o.client_id = "sandbox-12345678";
        o.client_secret = auth::secret{"planted"};
        o.store = store;
        o.wire = wire;
        o.refresh.base_delay = 5ms;
        return o;
    }

    template <class T>
    T run(asio::awaitable<T> work) {
        context.restart();
        auto future = asio::co_spawn(context, std::move(work), asio::use_future);
        context.run();
        return future.get();
    }

    auth::installation install(const std::string& location) {
        return run(
            app.exchange_code(auth::secret{server.issue_code("sandbox-12345678", location)}));
    }
    auth::installation install_company() {
        return run(app.exchange_code(auth::secret{server.issue_code("sandbox-12345678", {}, ids)}));
    }

    auto list(const std::string& location) {
        contacts::get_contacts op;
        op.location_id = location;
        return run(client->location(location).try_call(op));
    }

    highlevel::sandbox::server server;
    asio::io_context context;
    std::shared_ptr<auth::token_store> store;
    auth::oauth_app app;
    highlevel::client_options options;
    std::unique_ptr<highlevel::client> client;
    std::vector<std::string> ids;
};

} // namespace

TEST_CASE("an installed location is worked on, in both spellings", "[e2e]") {
    for (auto const wire : {highlevel::generation::v2, highlevel::generation::v3}) {
        house h{std::make_shared<auth::memory_token_store>(), wire};
        auto const made = h.install(h.ids[0]);
        CHECK(made.what == auth::resource::location(h.ids[0]));
        CHECK(made.company_id == h.server.company_id());
        CHECK(h.list(h.ids[0]).has_value());
        auto const other = h.list(h.ids[1]);
        REQUIRE(other.has_error());
        CHECK(other.error().code() == errc::no_token);
    }
}

TEST_CASE("a location's token is minted from the company's", "[e2e]") {
    for (auto const wire : {highlevel::generation::v2, highlevel::generation::v3}) {
        house h{std::make_shared<auth::memory_token_store>(), wire};
        CHECK(h.install_company().what.kind == auth::resource_kind::company);
        CHECK(h.list(h.ids[1]).has_value());
        CHECK(h.server.oauth_totals().mints == 1);
        auto const report = h.run(h.app.install_locations(h.server.company_id(), 2));
        CHECK(report.ready.size() == 3);
        CHECK(report.failed.empty());
        CHECK(h.server.oauth_totals().mints == 3);
    }
}

TEST_CASE("a refused token is renewed once and the call repeated", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    h.server.end_access_tokens();
    CHECK(h.list(h.ids[0]).has_value());
    CHECK(h.server.oauth_totals().rotations == 1);
    CHECK(h.server.oauth_totals().refreshes == 1);
}

TEST_CASE("an impossible pair of operation and account is refused locally", "[e2e]") {
    house h;
    h.install_company();
    contacts::get_contact op{"any"};
    auto const got = h.run(h.client->company(h.server.company_id()).try_call(op));
    REQUIRE(got.has_error());
    CHECK(got.error().code() == errc::wrong_token_kind);
    CHECK(got.error().detail().find("client.location(id)") != std::string::npos);
}

TEST_CASE("an inactive location keeps its refresh token for when it is active again", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    h.server.end_access_tokens();
    h.server.set_location_active(h.ids[0], false);
    CHECK(h.list(h.ids[0]).has_error());
    h.server.set_location_active(h.ids[0], true);
    h.run(h.app.renew(auth::resource::location(h.ids[0])));
    CHECK(h.list(h.ids[0]).has_value());
    CHECK(h.server.oauth_totals().reuses == 0);
}

TEST_CASE("64 coroutines on 8 threads and 4 clients renew an ended token once", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    h.server.end_access_tokens();
    // Four apps with clients of their own stand for four processes on one store.
    asio::io_context context;
    std::vector<auth::oauth_app> apps;
    std::vector<std::unique_ptr<highlevel::client>> clients;
    for (int i = 0; i < 4; ++i) {
        apps.emplace_back(h.settings(highlevel::generation::v2));
        auto options = h.options;
        options.credentials = apps.back();
        clients.push_back(std::make_unique<highlevel::client>(context.get_executor(), options));
    }
    std::atomic<int> good{0};
    std::atomic<int> bad{0};
    for (int i = 0; i < 64; ++i)
        asio::co_spawn(
            context,
            [&h, &good, &bad,
             location = clients[static_cast<std::size_t>(i % 4)]->location(
                 h.ids[0])]() -> asio::awaitable<void> {
                contacts::get_contacts op;
                op.location_id = h.ids[0];
                auto const got = co_await location.try_call(op);
                ++(got ? good : bad);
            },
            [](std::exception_ptr) {});
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i)
        threads.emplace_back([&] { context.run(); });
    for (auto& t : threads)
        t.join();
    CHECK(good == 64);
    CHECK(bad == 0);
    auto const counts = h.server.oauth_totals();
    CHECK(counts.refreshes == 1);
    CHECK(counts.rotations == 1);
    CHECK(counts.graces == 0);
}

TEST_CASE("uninstalling forgets the token", "[e2e]") {
    house h;
    h.install(h.ids[0]);
    h.run(h.app.uninstall(auth::resource::location(h.ids[0])));
    CHECK(h.run(h.app.resources()).empty());
    CHECK(h.list(h.ids[0]).has_error());
}

TEST_CASE("the link and what comes back belong together", "[e2e]") {
    auth::authorize_options o;
    o.client_id = "id-1";
    o.redirect_uri = "https://example.com/cb";
    o.scopes = {"contacts.readonly", "contacts.write"};
    o.version_id = "v1";
    o.same_window = true;
    o.extra = {{"utm", "a b"}};
    auto const link = auth::make_authorize_link(o);
    CHECK(
        link.url ==
        "https://marketplace.gohighlevel.com/v2/oauth/chooselocation?response_type=code"
        "&redirect_uri=https%3A%2F%2Fexample.com%2Fcb&client_id=id-1"
        "&scope=contacts.readonly%20contacts.write&loginWindowOpenMode=self&version_id=v1"
        "&utm=a%20b&state=" +
            link.state);
    CHECK(link.state.size() == 64);
    CHECK(link.state != auth::make_authorize_link(o).state);
    auto const good = auth::read_callback("/cb?code=abc%2Fd&state=" + link.state, link.state);
    CHECK(good.ok());
    CHECK(good.code.reveal() == "abc/d");
    CHECK_FALSE(auth::read_callback("/cb?code=abc&state=other", link.state).ok());
    CHECK_FALSE(auth::read_callback("/cb?code=abc", link.state).ok());
    CHECK_FALSE(auth::read_callback("/cb?code=abc&state=", "").ok());
    CHECK_FALSE(auth::read_callback("/cb?error=denied&state=" + link.state, link.state).ok());
}
