// SPDX-License-Identifier: BSL-1.0
//
// A sandbox with an OAuth app, and a client that has the app as its credentials.
#pragma once

#include <highlevel/auth/memory_token_store.hpp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <support/run.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace test {

inline constexpr const char* oauth_client_id = "sandbox-12345678";
inline constexpr const char* oauth_client_secret = "planted";

inline highlevel::auth::oauth_options oauth_settings(
    std::shared_ptr<highlevel::auth::token_store> store,
    highlevel::generation wire = highlevel::generation::v2) {
    highlevel::auth::oauth_options o;
    o.client_id = oauth_client_id;
    o.client_secret = highlevel::auth::secret{oauth_client_secret};
    o.store = std::move(store);
    o.wire = wire;
    o.refresh.base_delay = std::chrono::milliseconds{5};
    return o;
}

class oauth_bench {
public:
    explicit oauth_bench(
        std::shared_ptr<highlevel::auth::token_store> tokens =
            std::make_shared<highlevel::auth::memory_token_store>(),
        highlevel::generation wire = highlevel::generation::v2)
        : server(three_locations()),
          store(std::move(tokens)),
          app(oauth_settings(store, wire)) {
        highlevel::sandbox::app_settings known;
        known.client_id = oauth_client_id;
        known.client_secret = oauth_client_secret;
        server.add_app(known);
        server.start();
        options.base_url = server.base_url();
        options.credentials = app;
        client = std::make_unique<highlevel::client>(context.get_executor(), options);
        for (auto const& place : server.locations())
            ids.push_back(place.id);
    }

    static highlevel::sandbox::options three_locations() {
        highlevel::sandbox::options o;
        o.locations = 3;
        o.contacts_per_location = 3;
        o.max = 1000;
        return o;
    }

    template <class T>
    T run(boost::asio::awaitable<T> work) {
        return test::run(context, std::move(work));
    }

    highlevel::auth::installation install(const std::string& location) {
        return run(app.exchange_code(
            highlevel::auth::secret{server.issue_code(oauth_client_id, location)}));
    }
    highlevel::auth::installation install_company() {
        return run(app.exchange_code(
            highlevel::auth::secret{server.issue_code(oauth_client_id, {}, ids)}));
    }

    highlevel::result<highlevel::response<highlevel::v2::contacts::get_contacts::response_type>>
    list(const std::string& location) {
        highlevel::v2::contacts::get_contacts op;
        op.location_id = location;
        return run(client->location(location).try_call(op));
    }

    highlevel::sandbox::server server;
    boost::asio::io_context context;
    std::shared_ptr<highlevel::auth::token_store> store;
    highlevel::auth::oauth_app app;
    highlevel::client_options options;
    std::unique_ptr<highlevel::client> client;
    std::vector<std::string> ids;
};

} // namespace test
