// SPDX-License-Identifier: BSL-1.0
//
// A sandbox whose requests can be looked at, and a client of it.
#pragma once

#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include <support/run.hpp>

#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace test {

/// A sandbox that notes what it is asked, and a client of it.
class sandbox_bench {
    // Before the server, whose threads note what they are asked until it is gone.
    mutable std::mutex mutex_;
    std::vector<std::string> asked_;
    std::vector<std::string> bodies_;

public:
    explicit sandbox_bench(std::size_t contacts = 5) : server(house(contacts)) {
        server.set_hook([this](const highlevel::sandbox::request_view& r) {
            {
                std::lock_guard const lock{mutex_};
                asked_.push_back(std::string{r.method} + " " + std::string{r.path});
                bodies_.emplace_back(r.body);
            }
            return script ? script(r) : std::nullopt;
        });
        server.start();
        highlevel::client_options options;
        options.base_url = server.base_url();
        options.credentials = highlevel::auth::private_integration{server.token()};
        client.emplace(context.get_executor(), options);
        id = server.locations().at(0).id;
    }

    static highlevel::sandbox::options house(std::size_t contacts) {
        highlevel::sandbox::options o;
        o.contacts_per_location = contacts;
        o.max = 60'000;
        return o;
    }

    highlevel::account location() { return client->location(id); }

    template <class T>
    T run(boost::asio::awaitable<T> work) {
        return test::run_until_done(context, std::move(work));
    }

    std::vector<std::string> asked() const {
        std::lock_guard const lock{mutex_};
        return asked_;
    }
    std::string text(std::size_t n) const {
        std::lock_guard const lock{mutex_};
        return bodies_.at(n);
    }
    boost::json::object body(std::size_t n) const {
        std::lock_guard const lock{mutex_};
        return boost::json::parse(bodies_.at(n)).as_object();
    }

    highlevel::sandbox::response_hook script;
    highlevel::sandbox::server server;
    boost::asio::io_context context;
    std::optional<highlevel::client> client;
    std::string id;
};

} // namespace test
