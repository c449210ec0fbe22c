// SPDX-License-Identifier: BSL-1.0
//
// Keeps the tokens of an OAuth app in step with its webhooks: a location that installs the app gets
// its token, one that removes the app loses it.
#pragma once

#include <highlevel/auth/oauth.hpp>
#include <highlevel/error.hpp>
#include <highlevel/webhooks/event.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

namespace highlevel::webhooks {

/// What an event meant for the tokens.
enum class install_step : std::uint8_t {
    /// Nothing: another event, or one that names no location and company. An INSTALL of a company
    /// alone is one too, since only the code of its redirect brings a token.
    none,
    /// The location has a token.
    installed,
    /// The token is forgotten.
    removed,
    /// The app's plan changed; `types::plan_change` says how. The tokens stay.
    plan_changed,
};

/// How installs are followed.
class installs_options {
public:
    installs_options() = default;
    /// The app whose tokens are kept; a copy is.
    explicit installs_options(auth::oauth_app app)
        : install([app](std::string company_id, std::string location_id) mutable {
              return app.install_location(std::move(company_id), std::move(location_id));
          }),
          forget([app](auth::resource what) mutable { return app.forget(std::move(what)); }) {}

    /// Makes sure that a location of a company has a token. Fails with errc::no_token while the
    /// company has none.
    std::function<boost::asio::awaitable<void>(std::string company_id, std::string location_id)>
        install;
    /// Forgets a token.
    std::function<boost::asio::awaitable<void>(auth::resource)> forget;
    /// INSTALL often comes before the user's browser has brought the code, which gives the company
    /// its token; for so long that is awaited. Default: 1 minute.
    std::chrono::milliseconds wait{60'000};
    /// How often it is looked whether the token is there. Default: 500 ms.
    std::chrono::milliseconds poll{500};
};

/// Follows INSTALL, UNINSTALL and PLAN_CHANGE.
///
/// Thread safety: distinct objects: safe; shared objects: safe, if the functions are.
class installs {
public:
    /// Throws std::invalid_argument that names the option that cannot be used.
    explicit installs(installs_options options) : options_(std::move(options)) {
        if (!options_.install) throw std::invalid_argument{"installs option install must be set"};
        if (!options_.forget) throw std::invalid_argument{"installs option forget must be set"};
        if (options_.wait.count() < 0)
            throw std::invalid_argument{"installs option wait must not be negative"};
        if (options_.poll.count() <= 0)
            throw std::invalid_argument{"installs option poll must be positive"};
    }

    /// Does what the event asks for. The object and the event must outlive the call.
    ///
    /// Errors: what the two functions throw; errc::no_token when the wait was in vain.
    /// Cancellation: terminal.
    [[nodiscard]] boost::asio::awaitable<install_step> follow(const event& what) const {
        if (what.kind == event_kind::plan_change) co_return install_step::plan_changed;
        auto const& head = what.head;
        if (what.kind == event_kind::app_uninstall) {
            if (head.location_id.empty() && head.company_id.empty()) co_return install_step::none;
            auto gone = head.location_id.empty() ? auth::resource::company(head.company_id)
                                                 : auth::resource::location(head.location_id);
            co_await options_.forget(std::move(gone));
            co_return install_step::removed;
        }
        if (what.kind != event_kind::app_install || head.location_id.empty() ||
            head.company_id.empty())
            co_return install_step::none;

        boost::asio::steady_timer pause{co_await boost::asio::this_coro::executor};
        auto const give_up = std::chrono::steady_clock::now() + options_.wait;
        for (;;) {
            bool early = false;
            try {
                co_await options_.install(head.company_id, head.location_id);
            } catch (const highlevel::error& e) {
                early = e.code() == errc::no_token &&
                    std::chrono::steady_clock::now() + options_.poll <= give_up;
                if (!early) throw;
            }
            if (!early) co_return install_step::installed;
            pause.expires_after(options_.poll);
            co_await pause.async_wait(boost::asio::use_awaitable);
        }
    }

private:
    installs_options options_;
};

} // namespace highlevel::webhooks
