// SPDX-License-Identifier: BSL-1.0
//
// Installs from end to end: the sandbox's OAuth server tells of apps that come and go, a receiver
// takes it in, and the app's tokens follow, so that calls work or no longer do.

#include "support/catch.hpp"

#include <highlevel/auth/memory_token_store.hpp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/sandbox/webhooks.hpp>
#include <highlevel/v2/contacts.hpp>
#include <highlevel/webhooks/installs.hpp>
#include <highlevel/webhooks/receiver.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace e2e_installs_tests {

using namespace std::chrono_literals;
using highlevel::errc;
namespace asio = boost::asio;
namespace auth = highlevel::auth;
namespace contacts = highlevel::v2::contacts;
namespace sandbox = highlevel::sandbox;
namespace webhooks = highlevel::webhooks;
using webhooks::install_step;

namespace {

constexpr std::string_view client_id = "sandbox-12345678";

/// A sandbox with an app, a receiver of its webhooks, and a client whose tokens follow them.
class house {
public:
    house()
        : app(std::string{client_id}, "planted", std::make_shared<auth::memory_token_store>()),
          receiver(context.get_executor(), receiver_settings()),
          sender(sender_settings(), signer),
          server(server_settings()) {
        sandbox::app_settings known;
        known.client_id = client_id;
        known.client_secret = "planted";
        server.add_app(known);
        server.start();
        highlevel::client_options options;
        options.base_url = server.base_url();
        options.credentials = app;
        client.emplace(context.get_executor(), options);
        for (auto const& place : server.locations())
            ids.push_back(place.id);
        webhooks::installs_options how{app};
        how.poll = 1ms;
        installs.emplace(how);
    }

    template <class T>
    T run(asio::awaitable<T> work) {
        context.restart();
        auto future = asio::co_spawn(context, std::move(work), asio::use_future);
        while (future.wait_for(0s) != std::future_status::ready)
            context.run_one();
        return future.get();
    }
    webhooks::event next() {
        auto made = run(receiver.next());
        REQUIRE(made);
        return std::move(*made);
    }
    install_step follow(const webhooks::event& event) { return run(installs->follow(event)); }

    /// Removes the app as an administrator does, without a word to it. Gives the HTTP status.
    unsigned uninstall(const auth::resource& what) {
        highlevel::http::request asked{
            highlevel::http::method::delete_,
            "/marketplace/app/" + app.app_id() + "/installations"};
        asked.fields.set("Content-Type", "application/json");
        asked.body = what.kind == auth::resource_kind::location
            ? R"({"locationId":")" + what.id + R"("})"
            : R"({"companyId":")" + what.id + R"("})";
        auto const company = client->company(server.company_id());
        return static_cast<unsigned>(run(company.send(asked)).status());
    }

    /// Whether a call to the location works.
    bool works(const std::string& location) {
        contacts::get_contacts op;
        op.location_id = location;
        auto const got = run(client->location(location).try_call(op));
        if (got) return true;
        CHECK(got.error().code() == errc::no_token);
        return false;
    }

    asio::io_context context;
    sandbox::webhook_signer signer;
    auth::oauth_app app;
    webhooks::receiver receiver;
    sandbox::webhook_sender sender;
    sandbox::server server;
    std::optional<highlevel::client> client;
    std::optional<webhooks::installs> installs;
    std::vector<std::string> ids;

private:
    webhooks::receiver_options receiver_settings() const {
        webhooks::receiver_options options;
        options.inbox.guard.signing.keys = {
            webhooks::public_key::from_pem(signer.ed25519_key_pem())};
        options.inbox.guard.app_ids = {app.app_id()};
        return options;
    }
    sandbox::webhook_sender_options sender_settings() {
        receiver.start();
        sandbox::webhook_sender_options options;
        options.port = receiver.port();
        return options;
    }
    sandbox::options server_settings() const {
        sandbox::options options;
        options.locations = 2;
        options.contacts_per_location = 3;
        options.on_install = sender.install_hook();
        return options;
    }
};

} // namespace

TEST_CASE("a token comes with INSTALL, works, and goes with UNINSTALL", "[e2e]") {
    house h;
    CHECK_FALSE(h.works(h.ids[0]));
    // The company installs the app on two locations; the browser has not brought the code yet.
    auto const code = h.server.issue_code(client_id, {}, h.ids);
    auto const company = h.next();
    CHECK(company.kind == webhooks::event_kind::app_install);
    CHECK(company.head.app_id == "sandbox");
    CHECK(company.head.company_id == h.server.company_id());
    CHECK(h.follow(company) == install_step::none);
    std::vector<webhooks::event> arrived;
    for (std::size_t i = 0; i < h.ids.size(); ++i)
        arrived.push_back(h.next());
    h.context.restart();
    auto early = asio::co_spawn(h.context, h.installs->follow(arrived[0]), asio::use_future);
    h.context.poll();
    CHECK(early.wait_for(0s) != std::future_status::ready);
    (void)h.run(h.app.exchange_code(auth::secret{code}));
    while (early.wait_for(0s) != std::future_status::ready)
        h.context.run_one();
    CHECK(early.get() == install_step::installed);
    CHECK(h.follow(arrived[1]) == install_step::installed);
    CHECK(h.server.oauth_totals().mints == 2);
    for (auto const& id : h.ids)
        CHECK(h.works(id));
    CHECK(h.server.oauth_totals().mints == 2);

    // Removed from one location by its owner.
    h.run(h.app.uninstall(auth::resource::location(arrived[0].head.location_id)));
    auto const gone = h.next();
    CHECK(gone.kind == webhooks::event_kind::app_uninstall);
    CHECK(gone.head.location_id == arrived[0].head.location_id);
    CHECK(h.follow(gone) == install_step::removed);
    auto const left = h.run(h.app.resources());
    CHECK(left.size() == 2); // the company and the other location
    CHECK(h.works(arrived[1].head.location_id));

    // And from the whole company, by somebody else.
    auto const elsewhere = h.uninstall(auth::resource::company(h.server.company_id()));
    CHECK(elsewhere == 200);
    CHECK(h.follow(h.next()) == install_step::removed);
    CHECK(h.run(h.app.resources()).empty());
    for (auto const& id : h.ids)
        CHECK_FALSE(h.works(id));
}

TEST_CASE("an UNINSTALL that comes again after the next install takes no token", "[e2e]") {
    house h;
    auto const places = {
        auth::resource::location(h.ids[0]), auth::resource::company(h.server.company_id())};
    (void)h.run(h.app.exchange_code(auth::secret{h.server.issue_code(client_id, {}, h.ids)}));
    CHECK(h.follow(h.next()) == install_step::none);
    for (std::size_t i = 0; i < h.ids.size(); ++i)
        CHECK(h.follow(h.next()) == install_step::installed);
    auto const tokens = h.run(h.app.resources());
    for (auto const& place : places) {
        CHECK(h.run(h.app.still_installed(place)));
        sandbox::install_change late;
        late.event = "UNINSTALL";
        late.app_id = h.app.app_id();
        (place.kind == auth::resource_kind::location ? late.location_id : late.company_id) =
            place.id;
        h.sender.install_hook()(late);
        CHECK(h.follow(h.next()) == install_step::outdated);
        CHECK(h.run(h.app.resources()) == tokens);
        CHECK(h.works(h.ids[0]));
    }
    // Of a location that somebody removed the list of its company tells.
    CHECK(h.uninstall(auth::resource::location(h.ids[0])) == 200);
    CHECK_FALSE(h.run(h.app.still_installed(auth::resource::location(h.ids[0]))));
    CHECK(h.run(h.app.still_installed(auth::resource::location(h.ids[1]))));
    CHECK(h.follow(h.next()) == install_step::removed);
    CHECK(h.run(h.app.resources()).size() == tokens.size() - 1);
    // Where there is no token there is nothing to ask about.
    CHECK_FALSE(h.run(h.app.still_installed(auth::resource::location(h.ids[0]))));
}

TEST_CASE("an old UNINSTALL of a company leaves a location alone that came back", "[e2e]") {
    house h;
    (void)h.run(h.app.exchange_code(auth::secret{h.server.issue_code(client_id, {}, h.ids)}));
    CHECK(h.follow(h.next()) == install_step::none);
    for (std::size_t i = 0; i < h.ids.size(); ++i)
        CHECK(h.follow(h.next()) == install_step::installed);
    CHECK(h.uninstall(auth::resource::company(h.server.company_id())) == 200);
    CHECK(h.follow(h.next()) == install_step::removed);
    CHECK(h.run(h.app.resources()).empty());
    // The next installation is on one location, and gives the company no token.
    (void)h.run(h.app.exchange_code(auth::secret{h.server.issue_code(client_id, h.ids[0])}));
    CHECK(h.follow(h.next()) == install_step::installed);
    sandbox::install_change late;
    late.event = "UNINSTALL";
    late.app_id = h.app.app_id();
    late.company_id = h.server.company_id();
    h.sender.install_hook()(late);
    CHECK(h.follow(h.next()) == install_step::outdated);
    CHECK(h.works(h.ids[0]));
}

TEST_CASE("an UNINSTALL of another app leaves the tokens alone", "[e2e]") {
    house h;
    (void)h.run(h.app.exchange_code(auth::secret{h.server.issue_code(client_id, h.ids[0])}));
    auto const installed = h.next();
    CHECK(h.follow(installed) == install_step::installed);
    // It is signed with the key of all apps. The receiver refuses it, and so does who follows.
    h.sender.send_uninstall(h.ids[0]);
    h.run(h.sender.settled());
    CHECK(h.receiver.counters().inbox[webhooks::outcome::accepted] == 1);
    CHECK(h.receiver.counters().inbox[webhooks::outcome::wrong_app] > 0);
    CHECK(h.sender.counters().given_up == 1);
    webhooks::event passed;
    REQUIRE(webhooks::decode_event(
        R"({"type":"UNINSTALL","appId":"sandbox-app","locationId":")" + h.ids[0] + R"("})",
        passed));
    CHECK(h.follow(passed) == install_step::none);
    CHECK(h.works(h.ids[0]));
}

TEST_CASE("an INSTALL that leaves out the company is minted from the one there is", "[e2e]") {
    house h;
    (void)h.run(h.app.exchange_code(auth::secret{h.server.issue_code(client_id, {}, h.ids)}));
    webhooks::event future;
    REQUIRE(webhooks::decode_event(
        R"({"type":"INSTALL","appId":"sandbox","locationId":")" + h.ids[1] + R"("})", future));
    CHECK(h.follow(future) == install_step::installed);
    CHECK(h.works(h.ids[1]));
}

} // namespace e2e_installs_tests
