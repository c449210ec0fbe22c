// SPDX-License-Identifier: BSL-1.0
//
// Keeps the tokens of an OAuth app in step with its webhooks: a location that installs the app gets
// its token, one that removes the app loses it.
#pragma once

#include <highlevel/auth/oauth.hpp>
#include <highlevel/detail/one_shot.hpp>
#include <highlevel/detail/ring_at_end.hpp>
#include <highlevel/error.hpp>
#include <highlevel/webhooks/event.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace highlevel::webhooks {

/// What an event meant for the tokens.
enum class install_step : std::uint8_t {
    /// Nothing: another event, one of another app, or one that names no location and company. An
    /// INSTALL of a company alone is one too, since only the code of its redirect brings a token.
    none,
    /// The location has a token.
    installed,
    /// The token is forgotten. Also the outcome of an INSTALL that an UNINSTALL overtook.
    removed,
    /// Nothing: an UNINSTALL that is over, since the app has been installed again.
    outdated,
    /// The app's plan changed; `types::plan_change` says how. The tokens stay.
    plan_changed,
};

/// How installs are followed.
class installs_options {
public:
    using time_point = std::chrono::steady_clock::time_point;

    installs_options() = default;
    /// The app whose tokens are kept; a copy is.
    explicit installs_options(auth::oauth_app app)
        : app_id(app.app_id()),
          install([app](std::string company_id, std::string location_id) mutable {
              return app.install_location(std::move(company_id), std::move(location_id));
          }),
          forget([app](auth::resource what) mutable { return app.forget(std::move(what)); }),
          still_installed(
              [app](auth::resource what) mutable { return app.still_installed(std::move(what)); }),
          connected([app] { return app.attached(); }) {}

    /// The app's id. Events that do not name it are not followed: HighLevel signs for all apps with
    /// one key, so that the owner of another app could remove tokens with its UNINSTALL. Empty: all
    /// events are followed, which is right only where a guard has looked at `app_ids`.
    std::string app_id;
    /// Makes sure that a location of a company has a token; the company may be empty, when the
    /// event does not name it. Fails with errc::no_token while the company has none, and with
    /// errc::reinstall_required while it has one that is of no more use.
    std::function<boost::asio::awaitable<void>(std::string company_id, std::string location_id)>
        install;
    /// Forgets a token.
    std::function<boost::asio::awaitable<void>(auth::resource)> forget;
    /// Whether the app is still installed there; asked before a token is forgotten. HighLevel
    /// repeats webhooks, and an UNINSTALL without id and time may be a late repetition, after which
    /// the app was installed again: its live token would be gone. Throws when that cannot be known;
    /// then nothing is forgotten. Empty: an UNINSTALL is believed unless its time says otherwise.
    std::function<boost::asio::awaitable<bool>(auth::resource)> still_installed;
    /// Whether `install` can ask at all; if not, its failure is final. Empty: it can.
    std::function<bool()> connected;
    /// INSTALL often comes before the user's browser has brought the code, which gives the company
    /// its token; for so long that is awaited, all attempts included. Default: 1 minute; 0: one
    /// attempt, which may take its time.
    std::chrono::milliseconds wait{60'000};
    /// How long after one attempt the next begins. Default: 500 ms.
    std::chrono::milliseconds poll{500};
    /// The time, and a way to await a time. Empty: the steady clock.
    std::function<time_point()> now;
    std::function<boost::asio::awaitable<void>(time_point)> sleep_until;
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
        constexpr std::chrono::years longest{10};
        if (options_.wait.count() < 0 || options_.wait > longest)
            throw std::invalid_argument{"installs option wait must be from 0 to 10 years"};
        if (options_.poll.count() <= 0 || options_.poll > longest)
            throw std::invalid_argument{"installs option poll must be from 1 ms to 10 years"};
        if (!options_.now) options_.now = std::chrono::steady_clock::now;
        if (!options_.sleep_until) options_.sleep_until = &installs::sleep_until;
    }

    /// Does what the event asks for. An INSTALL may take as long as `wait`: spawn it, so that the
    /// events behind it do not wait too; an UNINSTALL that comes meanwhile wins, if the app is not
    /// installed. One whose time is before that of an INSTALL of the same place is outdated. The
    /// object and the event must outlive the call.
    ///
    /// Errors: what the functions throw; when the wait was in vain what `install` threw last,
    /// or errc::timeout when the time ended within an attempt. Executor: the awaiting coroutine's.
    /// Cancellation: terminal.
    [[nodiscard]] boost::asio::awaitable<install_step> follow(const event& what) const {
        auto const& head = what.head;
        if (!options_.app_id.empty() && head.app_id != options_.app_id)
            co_return install_step::none;
        if (what.kind == event_kind::plan_change) co_return install_step::plan_changed;
        bool const bare = head.location_id.empty() && head.company_id.empty();
        if (what.kind == event_kind::app_uninstall && !bare) {
            if (is_outdated(head)) co_return install_step::outdated;
            auto gone = resource_of(head);
            // An INSTALL that comes while HighLevel is asked is the newer of the two.
            auto const before = waiting_for(head);
            bool const kept = co_await is_installed(gone);
            if (kept) co_return install_step::outdated;
            overtake(before);
            co_await options_.forget(std::move(gone));
            co_return install_step::removed;
        }
        if (what.kind != event_kind::app_install) co_return install_step::none;
        note_install(head);
        if (head.location_id.empty()) co_return install_step::none;

        auto const mine = std::make_shared<pending>(head.company_id, head.location_id);
        membership const held{*this, mine};
        auto const give_up = options_.now() + options_.wait;
        for (;;) {
            auto failed = co_await attempt(mine, give_up);
            bool const overtaken = held.overtaken();
            if (!failed && overtaken) {
                // What was minted before the UNINSTALL came is of no use.
                auto place = auth::resource::location(head.location_id);
                bool const kept = co_await is_installed(place);
                if (kept) co_return install_step::installed;
                co_await options_.forget(std::move(place));
                co_return install_step::removed;
            }
            if (!failed) co_return install_step::installed;
            // Where nobody can be asked, the UNINSTALL is believed. Otherwise the code may yet
            // come.
            if (overtaken && !options_.still_installed) co_return install_step::removed;
            auto const next = options_.now() + options_.poll;
            if (!passes(failed) || next >= give_up) {
                if (overtaken) co_return install_step::removed;
                std::rethrow_exception(failed);
            }
            co_await options_.sleep_until(next);
        }
    }

private:
    // An INSTALL that is being followed.
    class pending {
    public:
        pending(std::string company, std::string location)
            : company_id(std::move(company)),
              location_id(std::move(location)) {}

        std::string company_id;
        std::string location_id;
        bool overtaken = false;
    };
    class ledger {
    public:
        std::mutex mutex;
        std::list<std::shared_ptr<pending>> open;
        // When places were installed last, by their own word; the latest of them.
        std::map<std::string, std::chrono::system_clock::time_point> installed;
    };
    static constexpr std::size_t most_places = 4096;
    class membership {
    public:
        membership(const installs& of, std::shared_ptr<pending> who)
            : ledger_(of.ledger_),
              who_(std::move(who)) {
            std::lock_guard const lock{ledger_->mutex};
            ledger_->open.push_back(who_);
        }
        membership(const membership&) = delete;
        membership& operator=(const membership&) = delete;
        ~membership() {
            std::lock_guard const lock{ledger_->mutex};
            ledger_->open.remove(who_);
        }
        [[nodiscard]] bool overtaken() const {
            std::lock_guard const lock{ledger_->mutex};
            return who_->overtaken;
        }

    private:
        std::shared_ptr<ledger> ledger_;
        std::shared_ptr<pending> who_;
    };

    using ring_at_end = highlevel::detail::ring_at_end;

    // What an attempt and its limit share, so that the one that comes first ends the other.
    class contest {
    public:
        std::shared_ptr<highlevel::detail::one_shot> bell =
            std::make_shared<highlevel::detail::one_shot>();
        std::exception_ptr failed;
        boost::asio::cancellation_signal stop_attempt;
        boost::asio::cancellation_signal stop_limit;
    };

    static auth::resource resource_of(const envelope& head) {
        return head.location_id.empty() ? auth::resource::company(head.company_id)
                                        : auth::resource::location(head.location_id);
    }

    static boost::asio::awaitable<void> sleep_until(installs_options::time_point when) {
        boost::asio::steady_timer timer{co_await boost::asio::this_coro::executor, when};
        co_await timer.async_wait(boost::asio::use_awaitable);
    }

    void note_install(const envelope& head) const {
        auto const when = head.time();
        if (!when) return;
        std::lock_guard const lock{ledger_->mutex};
        auto& installed = ledger_->installed;
        auto const note = [&](const auth::resource& what) {
            if (what.id.empty()) return;
            auto& last = installed[what.key()];
            last = std::max(last, *when);
            if (installed.size() <= most_places) return;
            installed.erase(std::min_element(
                installed.begin(), installed.end(),
                [](const auto& a, const auto& b) { return a.second < b.second; }));
        };
        note(auth::resource::location(head.location_id));
        note(auth::resource::company(head.company_id));
    }

    // An UNINSTALL from before an INSTALL that came before it.
    [[nodiscard]] bool is_outdated(const envelope& head) const {
        auto const when = head.time();
        if (!when) return false;
        std::lock_guard const lock{ledger_->mutex};
        auto const found = ledger_->installed.find(resource_of(head).key());
        return found != ledger_->installed.end() && *when < found->second;
    }

    boost::asio::awaitable<bool> is_installed(auth::resource what) const {
        if (!options_.still_installed) co_return false;
        co_return co_await options_.still_installed(std::move(what));
    }

    // The INSTALLs that are being followed of the place that an UNINSTALL names.
    [[nodiscard]] std::vector<std::shared_ptr<pending>> waiting_for(const envelope& head) const {
        std::vector<std::shared_ptr<pending>> found;
        std::lock_guard const lock{ledger_->mutex};
        for (auto const& each : ledger_->open) {
            if (head.location_id.empty() ? each->company_id == head.company_id
                                         : each->location_id == head.location_id)
                found.push_back(each);
        }
        return found;
    }

    void overtake(const std::vector<std::shared_ptr<pending>>& those) const {
        std::lock_guard const lock{ledger_->mutex};
        for (auto const& each : those)
            each->overtaken = true;
    }

    // Whether a failure may pass once the user's browser has brought the code.
    [[nodiscard]] bool passes(const std::exception_ptr& failed) const {
        try {
            std::rethrow_exception(failed);
        } catch (const highlevel::error& e) {
            bool const early = e.code() == errc::no_token || e.code() == errc::reinstall_required;
            return early && (!options_.connected || options_.connected());
        } catch (...) {
            return false;
        }
    }

    // Nothing when the location has a token, else why not.
    boost::asio::awaitable<std::exception_ptr> attempt(
        std::shared_ptr<pending> who, installs_options::time_point give_up) const {
        if (options_.wait.count() == 0) {
            std::exception_ptr failed;
            try {
                co_await options_.install(who->company_id, who->location_id);
            } catch (...) {
                failed = std::current_exception();
            }
            co_return failed;
        }
        // The signals are raised where the coroutines run that listen to them, and live as long as
        // these.
        boost::asio::any_io_executor const strand{
            boost::asio::make_strand(co_await boost::asio::this_coro::executor)};
        auto const both = std::make_shared<contest>();
        auto const stop = [&](boost::asio::cancellation_signal contest::*which) {
            boost::asio::post(strand, [both, which] {
                ((*both).*which).emit(boost::asio::cancellation_type::terminal);
            });
        };
        boost::asio::co_spawn(
            strand, options_.install(who->company_id, who->location_id),
            boost::asio::bind_cancellation_slot(
                both->stop_attempt.slot(),
                [both, end = ring_at_end{both->bell, {}}](std::exception_ptr failed) mutable {
                    both->failed = std::move(failed);
                    end({});
                }));
        boost::asio::co_spawn(
            strand, options_.sleep_until(give_up),
            boost::asio::bind_cancellation_slot(
                both->stop_limit.slot(),
                [both, end = ring_at_end{both->bell, make_error_code(errc::timeout)}](
                    std::exception_ptr cancelled) mutable {
                    boost::system::error_code failed;
                    if (cancelled) failed = boost::asio::error::operation_aborted;
                    end(failed);
                }));
        boost::system::error_code ec;
        std::exception_ptr thrown;
        try {
            co_await both->bell->async_wait(
                boost::asio::redirect_error(boost::asio::use_awaitable, ec));
        } catch (...) {
            thrown = std::current_exception(); // cancelled before the wait began
        }
        stop(&contest::stop_attempt);
        stop(&contest::stop_limit);
        if (thrown) std::rethrow_exception(thrown);
        if (!ec) co_return both->failed;
        if (ec != errc::timeout) throw boost::system::system_error{ec};
        co_return std::make_exception_ptr(highlevel::error{highlevel::failure{ec, {}}});
    }

    installs_options options_;
    std::shared_ptr<ledger> ledger_ = std::make_shared<ledger>();
};

} // namespace highlevel::webhooks
