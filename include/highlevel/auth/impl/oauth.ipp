// SPDX-License-Identifier: BSL-1.0
//
// Drives the refresh machines of an OAuth app over a transport and a store.
#pragma once

#include <highlevel/auth/detail/oauth_wire.hpp>
#include <highlevel/auth/memory_token_store.hpp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/auth/renewal_listener.hpp>
#include <highlevel/detail/brief_lock.hpp>
#include <highlevel/detail/config.hpp>
#include <highlevel/detail/deadline.hpp>
#include <highlevel/detail/listen.hpp>
#include <highlevel/detail/one_shot.hpp>
#include <highlevel/detail/random.hpp>
#include <highlevel/detail/ring_at_end.hpp>
#include <highlevel/detail/share.hpp>
#include <highlevel/http/transport.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace highlevel::auth {

namespace detail {

namespace asio = boost::asio;
using highlevel::detail::after;
using highlevel::detail::listen;
using highlevel::detail::one_shot;
using highlevel::detail::ring_at_end;

using steady_time = std::chrono::steady_clock::time_point;

/// What the exception that is being handled says, after `lead`.
[[nodiscard]] inline token_problem caught_problem(std::string lead) {
    auto const broken = boost::system::errc::make_error_code(boost::system::errc::io_error);
    try {
        throw;
    } catch (const boost::system::system_error& e) {
        return {e.code() ? e.code() : broken, lead + e.what()};
    } catch (const std::exception& e) {
        return {broken, lead + e.what()};
    } catch (...) {
        return {broken, lead + "unknown"};
    }
}

[[nodiscard]] inline token_problem store_problem() {
    return caught_problem("the token store: ");
}

// These coroutines are templates for the reason that basic_oauth_service gives.

/// What functions of a store or a transport gave. Each is asked with one of its own, since what
/// comes too late still goes there.
class side_answer {
public:
    side_answer() = default;

    std::optional<token> found;
    std::vector<resource> listed;
    std::optional<std::uint64_t> version;
    bool done = false;
    http::exchange_result exchanged;
};

/// Work, its answer, and what it uses, and so what has to live as long.
template <class T>
asio::awaitable<void> put_into(
    std::shared_ptr<side_answer> into,
    T side_answer::*place,
    std::shared_ptr<const void> /*owner*/,
    asio::awaitable<T> work) {
    (*into).*place = co_await std::move(work);
}
template <class Void>
asio::awaitable<Void> keeping(std::shared_ptr<const void> /*owner*/, asio::awaitable<Void> work) {
    co_await std::move(work);
}

/// Waits for work that is done beside the caller, but only until `until`; what takes longer goes on
/// unheard.
template <class Void>
asio::awaitable<Void> within(asio::awaitable<Void> work, steady_time until) {
    auto const bell = std::make_shared<one_shot>();
    auto const thrown = highlevel::detail::share<std::exception_ptr>();
    auto const executor = co_await asio::this_coro::executor;
    asio::co_spawn(
        executor, std::move(work),
        [thrown, end = ring_at_end{bell, {}}](std::exception_ptr e) mutable {
            *thrown = std::move(e);
            end({});
        });
    auto const ec = co_await listen(bell, until, make_error_code(errc::timeout));
    if (ec) throw boost::system::system_error{ec, "no answer"};
    if (*thrown) std::rethrow_exception(*thrown);
}

/// A lease on its way, which may come after nobody waits for it any more.
class lease_in_transit {
public:
    lease_in_transit() = default;

    std::mutex mutex;
    std::optional<lease> value;
    bool unwanted = false;
};

template <class Store>
asio::awaitable<void> fetch_lease(
    std::shared_ptr<Store> store,
    resource what,
    std::chrono::milliseconds time,
    std::shared_ptr<lease_in_transit> into) {
    auto got = co_await store->try_lock(std::move(what), time);
    if (!got) co_return;
    {
        std::lock_guard const lock{into->mutex};
        if (!into->unwanted) {
            into->value = std::move(got);
            co_return;
        }
    }
    co_await store->unlock(*std::move(got));
}

/// Takes a lease; one that comes after `until` is given back.
template <class Store>
asio::awaitable<std::optional<lease>> take_lease(
    std::shared_ptr<Store> store,
    resource what,
    std::chrono::milliseconds time,
    steady_time until) {
    auto const transit = highlevel::detail::share<lease_in_transit>();
    std::exception_ptr thrown;
    try {
        co_await within(fetch_lease(store, std::move(what), time, transit), until);
    } catch (...) {
        thrown = std::current_exception();
    }
    std::lock_guard const lock{transit->mutex};
    transit->unwanted = true;
    if (thrown && !transit->value) std::rethrow_exception(thrown);
    co_return std::move(transit->value);
}

/// Overwrites the body of a request, however its exchange ends.
class body_wiper {
public:
    explicit body_wiper(http::request& r) noexcept : request_(r) {}
    body_wiper(const body_wiper&) = delete;
    body_wiper& operator=(const body_wiper&) = delete;
    ~body_wiper() { secret::wipe(request_.body.data(), request_.body.size()); }

private:
    http::request& request_;
};

/// One app: the machines of its resources, and the flights that drive them.
///
/// A template, and always of `provider`, for the sake of those coroutines that a file does not
/// call: g++ without optimisation emits them all otherwise.
template <class Provider>
class basic_oauth_service final
    : public Provider,
      public std::enable_shared_from_this<basic_oauth_service<Provider>> {
public:
    explicit basic_oauth_service(oauth_options options)
        : options_(std::move(options)),
          memory_(highlevel::detail::share<memory_token_store>()) {}

    // ---- provider

    asio::awaitable<grant> authorize(token_request request) override {
        auto const self = this->shared_from_this();
        if (auto refused = check_oauth_kind(request); refused.error) co_return refused;
        resource const what{request.kind, std::string{request.id}};
        co_return co_await take(what, nullptr, request.deadline, request.asker);
    }

    [[nodiscard]] grant try_authorize(const token_request& request) override {
        auto granted = check_oauth_kind(request);
        if (granted.error) return granted;
        auto const e = known(resource{request.kind, std::string{request.id}});
        if (!e) return granted;
        auto const now = moment().now;
        highlevel::detail::brief_lock const lock{e->mutex};
        granted.token = e->machine.at_hand(now);
        return granted;
    }

    asio::awaitable<bool> renew(
        token_request request, std::shared_ptr<const secret> refused) override {
        auto const self = this->shared_from_this();
        resource const what{request.kind, std::string{request.id}};
        auto const got = co_await take(what, refused, request.deadline, request.asker);
        co_return !got.error;
    }

    [[nodiscard]] bool keeps_deadlines() const noexcept override { return true; }

    void attach(const attachment& client) override {
        {
            std::lock_guard const lock{mutex_};
            clients_.push_back(client);
            for (auto const& [what, e] : entries_) {
                std::lock_guard const inner{e->mutex};
                e->machine.resume();
            }
        }
        save_all(client.executor);
    }

    void detach(const http::transport& client) noexcept override {
        std::lock_guard const lock{mutex_};
        std::erase_if(clients_, [&](const attachment& a) { return a.transport.get() == &client; });
        for (auto const& [what, e] : entries_) {
            std::lock_guard const inner{e->mutex};
            for (auto const& w : e->waiting)
                if (w.asker == &client) w.woken->ring(asio::error::operation_aborted);
        }
        if (!clients_.empty()) return;
        for (auto const& [what, e] : entries_) {
            std::lock_guard const inner{e->mutex};
            e->machine.stop();
            if (e->pause) e->pause->ring();
        }
        for (auto const& pausing : pauses_)
            if (auto const b = pausing.lock()) b->ring(asio::error::operation_aborted);
        pauses_.clear();
    }

    // ---- what oauth_app offers

    asio::awaitable<installation> obtain(std::string_view name, wire_form form) {
        auto const self = this->shared_from_this();
        auto const executor = co_await asio::this_coro::executor;
        auto const lend = client_or_throw(name, executor);
        // The answer is worth a whole connection, so that no cancellation may lose it.
        co_return co_await asio::co_spawn(
            executor, obtain_whole(name, std::move(form), lend, purchase{self}),
            asio::bind_cancellation_slot(asio::cancellation_slot{}, asio::use_awaitable));
    }

    asio::awaitable<void> adopt(token value) {
        auto const self = this->shared_from_this();
        if (value.resource().id.empty())
            throw_problem(
                "adopt",
                {boost::system::errc::make_error_code(boost::system::errc::invalid_argument),
                 "the token names no location or company"});
        auto const lend = client_or_throw("adopt", co_await asio::this_coro::executor);
        auto const problem = co_await keep(std::move(value), lend);
        if (problem.code) throw_problem("adopt", problem);
    }

    asio::awaitable<void> force(resource what) {
        auto const self = this->shared_from_this();
        auto const executor = co_await asio::this_coro::executor;
        auto const e = entry_of(what);
        // A flight that is about to land may not take it up any more: then the next one does.
        constexpr int enough = 3;
        for (int i = 0; i < enough; ++i) {
            bool start = false;
            {
                std::lock_guard const lock{e->mutex};
                start = e->machine.force();
            }
            if (start) launch(e, executor);
            auto const got = co_await wait(e);
            std::unique_lock lock{e->mutex};
            if (e->machine.insisting() && e->machine.flying() && got.error) {
                auto problem = e->machine.problem();
                lock.unlock();
                throw_problem("renew", problem);
            }
            if (e->machine.insisting()) continue;
            auto problem = e->machine.insist_problem();
            lock.unlock();
            if (problem.code) throw_problem("renew", problem);
            if (got.error) throw_problem("renew", problem_of(got));
            co_return;
        }
        throw_problem("renew", {make_error_code(errc::timeout), "another renewal is in the way"});
    }

    asio::awaitable<token_problem> ensure(std::string company_id, std::string location_id) {
        auto const self = this->shared_from_this();
        auto const what = resource::location(std::move(location_id));
        auto const e = entry_of(what);
        {
            std::lock_guard const lock{e->mutex};
            if (!company_id.empty()) e->company_id = std::move(company_id);
            // It is asked for because something has changed: a refusal from before does not count.
            e->machine.look_again();
        }
        auto const got = co_await take(what);
        co_return problem_of(got);
    }

    asio::awaitable<void> ensure_or_throw(std::string company_id, std::string location_id) {
        auto const problem = co_await ensure(std::move(company_id), std::move(location_id));
        if (problem.code) throw_problem("install_location", problem);
    }

    asio::awaitable<std::vector<installed_location>> installed(std::string company_id) {
        auto const self = this->shared_from_this();
        auto list = co_await list_installed(std::move(company_id));
        co_return std::move(list.locations);
    }

    asio::awaitable<bulk_install_report> install_all(
        std::string company_id, std::size_t concurrency) {
        auto const self = this->shared_from_this();
        auto const job = highlevel::detail::share<bulk_job>();
        job->company_id = company_id;
        job->locations = co_await installed(company_id);
        auto const workers = std::min(std::max<std::size_t>(concurrency, 1), job->locations.size());
        if (workers == 0) co_return bulk_install_report{};
        auto const executor = co_await asio::this_coro::executor;
        {
            bulk_worker const hiring{job}; // so that the first to end is not taken for the last
            for (std::size_t i = 0; i < workers; ++i)
                asio::co_spawn(executor, install_some(bulk_worker{job}), asio::detached);
        }
        auto const ec = co_await listen(job->done);
        std::lock_guard const lock{job->mutex};
        job->stopped = true;
        if (ec) throw_problem("install_locations", {ec, {}});
        co_return std::move(job->report);
    }

    asio::awaitable<void> uninstall(resource what) {
        auto const self = this->shared_from_this();
        call_request asked{method::delete_, "/marketplace/app/"};
        http::append_path_segment(asked.target, app_id());
        asked.target += "/installations";
        asked.json = uninstall_body(what, co_await company_of(what));
        (void)co_await call("uninstall", what, std::move(asked));
        co_await forget_with_locations(what);
    }

    asio::awaitable<bool> still_installed(resource what) {
        auto const self = this->shared_from_this();
        auto const lend = client_or_throw("still_installed", co_await asio::this_coro::executor);
        auto const store = store_of(lend);
        std::optional<std::string> company;
        token_problem problem;
        try {
            auto const got = highlevel::detail::share<side_answer>();
            co_await within(
                put_into(got, &side_answer::found, store, store->load(what)), store_limit());
            if (got->found) company = got->found->company_id;
        } catch (...) {
            problem = store_problem();
        }
        if (!company && !problem.code) {
            auto const e = entry_of(what);
            std::lock_guard const lock{e->mutex};
            auto const& held = e->machine.current();
            if (held) company = held->company_id;
            // An installation that the store does not have yet: it would be gone for good.
            if (e->machine.unsaved())
                problem = {
                    boost::system::errc::make_error_code(
                        boost::system::errc::operation_in_progress),
                    "its token is kept in memory, and not stored yet"};
        }
        if (problem.code) throw_problem("still_installed", problem);
        if (!company) {
            if (what.kind == resource_kind::location) co_return false;
            co_return co_await any_renews(what.id, store);
        }
        if (what.kind == resource_kind::location && !company->empty()) {
            try {
                auto const all = co_await list_installed(*company);
                bool const there = std::any_of(
                    all.locations.begin(), all.locations.end(),
                    [&](const installed_location& l) { return l.installed && l.id == what.id; });
                // What a part of the list does not name, the location's own token tells.
                if (there || all.whole) co_return there;
            } catch (const error& e) {
                // The company has no token, or may not ask: then the location's own one tells.
                bool const may_ask =
                    e.code() != make_status_code(401) && e.code() != make_status_code(403);
                if (may_ask && !lacks_token(e)) throw;
            }
        }
        co_return co_await renews(std::move(what));
    }

    asio::awaitable<void> forget(resource what) {
        auto const self = this->shared_from_this();
        co_await forget_with_locations(std::move(what));
    }

    /// Waits until no flight is up and no code is being exchanged, for a limited time.
    asio::awaitable<bool> finish(std::chrono::milliseconds patience) {
        auto const self = this->shared_from_this();
        auto const until = after(std::chrono::steady_clock::now(), patience);
        save_all(co_await asio::this_coro::executor);
        for (;;) {
            std::shared_ptr<entry> busy;
            bool unsaved = false;
            bool buying = false;
            auto const over = std::make_shared<one_shot>();
            {
                std::lock_guard const lock{mutex_};
                for (auto const& [what, e] : entries_) {
                    std::lock_guard const inner{e->mutex};
                    if (e->machine.flying()) busy = e;
                    unsaved = unsaved || e->machine.unsaved();
                }
                buying = !busy && purchases_ != 0;
                if (buying) bought_.push_back(over);
            }
            if (!busy && !buying) co_return !unsaved;
            if (std::chrono::steady_clock::now() >= until) co_return false;
            if (busy) {
                std::lock_guard const lock{busy->mutex};
                busy->landing.push_back(over);
                if (!busy->machine.flying()) over->ring();
            }
            auto const ec = co_await listen(over, until, make_error_code(errc::timeout));
            if (ec == asio::error::operation_aborted) throw_problem("finish", {ec, {}});
        }
    }

    asio::awaitable<std::vector<resource>> list() {
        auto const self = this->shared_from_this();
        auto const store =
            store_of(client_or_throw("resources", co_await asio::this_coro::executor));
        token_problem problem;
        std::vector<resource> all;
        try {
            auto const got = highlevel::detail::share<side_answer>();
            co_await within(
                put_into(got, &side_answer::listed, store, store->list()), store_limit());
            all = std::move(got->listed);
        } catch (...) {
            problem = store_problem();
        }
        if (problem.code) throw_problem("resources", problem);
        co_return all;
    }

    [[nodiscard]] const oauth_options& options() const noexcept { return options_; }

    [[nodiscard]] std::string_view app_id() const noexcept {
        std::string_view const id{options_.client_id};
        return id.substr(0, id.rfind('-'));
    }
    [[nodiscard]] bool attached() {
        std::lock_guard const lock{mutex_};
        return !clients_.empty();
    }

private:
    using answer = refresh_machine::answer;
    using todo = refresh_machine::todo;
    using bell = std::shared_ptr<highlevel::detail::one_shot>;

    /// Who waits for a flight; `asker` as token_request has it.
    class waiter {
    public:
        waiter(bell b, const http::transport* a) : woken(std::move(b)), asker(a) {}
        bell woken;
        const http::transport* asker;
    };

    /// Those of an entry who are to be woken.
    class chosen {
    public:
        chosen() = default;

        std::vector<waiter> waiting;
        std::vector<bell> landing;

        void ring() const {
            for (auto const& w : waiting)
                w.woken->ring();
            for (auto const& b : landing)
                b->ring();
        }
    };

    /// What is known of one resource. The mutex is never held across a suspension.
    class entry {
    public:
        entry(const refresh_options& o, resource r) : what(std::move(r)), machine(o, what.kind) {}

        const resource what;
        std::mutex mutex;
        refresh_machine machine;
        std::vector<waiter> waiting;
        /// Rung when the flight is over, and not before.
        std::vector<bell> landing;
        /// Rung to end a pause of the flight early.
        bell pause;
        /// Which company to mint from, where the application said it.
        std::string company_id;

        /// Who is to be woken after an event. Called under the mutex.
        [[nodiscard]] chosen take_woken() noexcept {
            chosen woken;
            bool const over = !machine.flying();
            if (over || machine.release_waiters()) woken.waiting.swap(waiting);
            if (over) woken.landing.swap(landing);
            return woken;
        }
    };

    /// What came of a refresh or a mint.
    class renewal {
    public:
        renewal() = default;

        std::optional<token> fresh;
        wire_refusal refused;
    };

    class call_request {
    public:
        call_request(method v, std::string t) : verb(v), target(std::move(t)) {}
        method verb;
        std::string target;
        std::string json;
        std::optional<wire_form> form;
    };

    class installed_list {
    public:
        installed_list() = default;

        std::vector<installed_location> locations;
        /// False where there may be more. No error: a `count` may be that of all the company's
        /// locations.
        bool whole = false;
    };

    class bulk_job {
    public:
        std::mutex mutex;
        std::string company_id;
        std::vector<installed_location> locations;
        std::size_t next = 0;
        std::size_t working = 0;
        bool stopped = false;
        bulk_install_report report;
        bell done = std::make_shared<one_shot>();
    };

    /// One who works on a job; when the last goes, however that comes about, the job is done.
    class bulk_worker {
    public:
        explicit bulk_worker(std::shared_ptr<bulk_job> job) : job_(std::move(job)) {
            std::lock_guard const lock{job_->mutex};
            ++job_->working;
        }
        bulk_worker(bulk_worker&& other) noexcept = default;
        bulk_worker& operator=(bulk_worker&&) = delete;
        ~bulk_worker() {
            if (!job_) return;
            std::lock_guard const lock{job_->mutex};
            if (--job_->working == 0) job_->done->ring();
        }

        [[nodiscard]] const std::shared_ptr<bulk_job>& job() const noexcept { return job_; }

    private:
        std::shared_ptr<bulk_job> job_;
    };

    /// Counts an exchange that brings a token which only this process will have.
    class purchase {
    public:
        explicit purchase(std::shared_ptr<basic_oauth_service> s) : service_(std::move(s)) {
            std::lock_guard const lock{service_->mutex_};
            ++service_->purchases_;
        }
        purchase(purchase&& other) noexcept = default;
        purchase& operator=(purchase&&) = delete;
        ~purchase() {
            if (!service_) return;
            std::vector<bell> woken;
            {
                std::lock_guard const lock{service_->mutex_};
                --service_->purchases_;
                woken.swap(service_->bought_);
            }
            for (auto const& b : woken)
                b->ring();
        }

    private:
        std::shared_ptr<basic_oauth_service> service_;
    };

    [[nodiscard]] refresh_machine::moment moment() {
        std::lock_guard const lock{clock_mutex_};
        return {options_.now(), random_.next()};
    }

    [[nodiscard]] std::shared_ptr<entry> entry_of(const resource& what) {
        std::lock_guard const lock{mutex_};
        auto& place = entries_[what];
        if (!place) {
            place = highlevel::detail::share<entry>(options_.refresh, what);
            if (clients_.empty()) place->machine.stop();
        }
        return place;
    }
    [[nodiscard]] std::shared_ptr<entry> known(const resource& what) {
        highlevel::detail::brief_lock const lock{mutex_};
        auto const found = entries_.find(what);
        return found == entries_.end() ? nullptr : found->second;
    }
    /// When a function of the store that begins now counts as failed.
    [[nodiscard]] steady_time store_limit() const {
        return after(std::chrono::steady_clock::now(), options_.refresh.store_timeout);
    }

    /// The client to work through: of those on the event loop of `here` the latest, since that one
    /// is run; else the latest at all.
    [[nodiscard]] std::optional<attachment> client(const asio::any_io_executor& here = {}) {
        std::lock_guard const lock{mutex_};
        if (clients_.empty()) return std::nullopt;
        if (here)
            for (auto at = clients_.rbegin(); at != clients_.rend(); ++at)
                if (&asio::query(at->executor, asio::execution::context) ==
                    &asio::query(here, asio::execution::context))
                    return *at;
        return clients_.back();
    }
    [[nodiscard]] attachment client_or_throw(
        std::string_view name, const asio::any_io_executor& here = {}) {
        auto lend = client(here);
        if (!lend) throw_problem(name, no_client());
        return *std::move(lend);
    }
    static token_problem no_client() {
        return {
            make_error_code(errc::no_token),
            "the OAuth app was not given to a client, or that client has ended"};
    }

    [[nodiscard]] std::shared_ptr<token_store> store_of(const attachment& lend) const {
        if (options_.store) return options_.store;
        return lend.store ? lend.store : memory_;
    }

    [[noreturn]] static void throw_problem(std::string_view name, const token_problem& problem) {
        auto data = describe_problem(name, problem);
        if (problem.code == errc::reinstall_required)
            data.cause = cause::reinstall_required;
        else if (problem.code == errc::no_token && data.cause == cause::unknown)
            data.cause = cause::invalid_token;
        else if (problem.code == asio::error::operation_aborted)
            data.cause = cause::cancelled;
        throw error{failure{problem.code, std::move(data)}};
    }

    // ---- callers

    /// The token of a resource, or the one that takes the place of a refused one, waited for if
    /// need be; or an error.
    asio::awaitable<grant> take(
        resource what,
        std::shared_ptr<const secret> refused = nullptr,
        steady_time deadline = steady_time::max(),
        const http::transport* asker = nullptr) {
        // Once the machine says that a flight is to start, nothing may come in between.
        auto const executor = co_await asio::this_coro::executor;
        auto const e = entry_of(what);
        answer got;
        auto const at = moment();
        {
            std::lock_guard const lock{e->mutex};
            got = refused ? e->machine.refuse(*refused, at) : e->machine.ask(at);
        }
        if (got.start) launch(e, executor);
        if (got.what == answer::verdict::wait) co_return co_await wait(e, deadline, asker);
        if (refused && got.what == answer::verdict::failed && !got.problem.code)
            got.problem.code = make_error_code(errc::no_token);
        co_return as_grant(*e, std::move(got));
    }

    /// Waits for what comes of the flight.
    asio::awaitable<grant> wait(
        std::shared_ptr<entry> e,
        steady_time deadline = steady_time::max(),
        const http::transport* asker = nullptr) {
        for (;;) {
            auto const mine = std::make_shared<one_shot>();
            {
                std::lock_guard const lock{e->mutex};
                if (e->machine.flying() && !e->machine.release_waiters())
                    e->waiting.emplace_back(mine, asker);
                else
                    mine->ring(); // it has come in between
            }
            // After the list has it, so that detach() finds it there, or this finds detach().
            if (asker != nullptr && !lives(*asker)) mine->ring(asio::error::operation_aborted);
            auto const ec = co_await listen(mine, deadline, make_error_code(errc::timeout));
            if (ec) co_return grant{ec, "while waiting for a token"};
            answer got;
            auto const at = moment();
            {
                std::lock_guard const lock{e->mutex};
                got = e->machine.settled(at);
            }
            if (got.what != answer::verdict::wait) co_return as_grant(*e, std::move(got));
        }
    }

    [[nodiscard]] bool lives(const http::transport& client) {
        std::lock_guard const lock{mutex_};
        return std::any_of(clients_.begin(), clients_.end(), [&](const attachment& a) {
            return a.transport.get() == &client;
        });
    }

    static grant as_grant(const entry& e, answer got) {
        if (got.what == answer::verdict::ready)
            return {
                std::move(got.access),
                e.what.kind == resource_kind::location ? token_kinds::location_oauth
                                                       : token_kinds::agency_oauth};
        std::string why{"no OAuth token for "};
        why += to_string(e.what.kind);
        why += ' ';
        why += e.what.id;
        if (!got.problem.detail.empty()) why += ": " + got.problem.detail;
        grant out{got.problem.code, std::move(why)};
        if (got.problem.cause != cause::unknown)
            out.refusal = highlevel::detail::share<const token_problem>(std::move(got.problem));
        return out;
    }

    /// A grant's failure with all that is known of it; no code when it is none.
    static token_problem problem_of(const grant& granted) {
        token_problem problem;
        if (granted.refusal) problem = *granted.refusal;
        problem.code = granted.error;
        problem.detail = granted.detail;
        return problem;
    }

    // ---- the flight

    /// Begins the flight that the machine has asked for, through `late` when no client lives.
    void launch(
        const std::shared_ptr<entry>& e,
        const asio::any_io_executor& here,
        const attachment* late = nullptr) {
        landing whole{this->shared_from_this(), e};
        auto lend = client(here);
        if (!lend && late != nullptr) lend = *late;
        if (!lend) {
            whole.disarm();
            break_off(*e, no_client());
            return;
        }
        auto const executor = lend->executor;
        // Not part of any call: what a call's end would take with it is a connection's life.
        asio::co_spawn(executor, fly(std::move(whole), *std::move(lend)), asio::detached);
    }

    /// Has everything stored that the store does not have yet.
    void save_all(const asio::any_io_executor& here) {
        std::vector<std::shared_ptr<entry>> unsaved;
        {
            std::lock_guard const lock{mutex_};
            if (clients_.empty()) return;
            for (auto const& [what, e] : entries_) {
                std::lock_guard const inner{e->mutex};
                if (e->machine.unsaved()) unsaved.push_back(e);
            }
        }
        for (auto const& e : unsaved) {
            bool start = false;
            {
                std::lock_guard const lock{e->mutex};
                start = e->machine.save();
            }
            if (start) launch(e, here);
        }
    }

    /// The flight does not begin, or ends in the middle. A pair that is not stored stays.
    static void break_off(entry& e, token_problem why) {
        chosen woken;
        {
            std::lock_guard const lock{e.mutex};
            if (!e.machine.flying()) return;
            e.machine.abandon(std::move(why));
            woken = e.take_woken();
        }
        woken.ring();
    }

    /// Sees to it that a flight ends, whatever becomes of its coroutine: also one that is destroyed
    /// with its event loop, or never begins.
    class landing {
    public:
        landing(std::shared_ptr<basic_oauth_service> s, std::shared_ptr<entry> what)
            : service_(std::move(s)),
              entry_(std::move(what)) {}
        landing(landing&& other) noexcept = default;
        landing& operator=(landing&&) = delete;
        ~landing() {
            if (entry_)
                break_off(
                    *entry_,
                    {asio::error::operation_aborted, "the event loop of the client ended"});
        }

        [[nodiscard]] const std::shared_ptr<entry>& what() const noexcept { return entry_; }
        void disarm() noexcept { entry_.reset(); }

    private:
        std::shared_ptr<basic_oauth_service> service_;
        std::shared_ptr<entry> entry_;
    };

    /// The machine is told of an event of its flight, under the entry's lock. At the end those are
    /// woken who need not wait any longer; for lack of memory that ends the program, which would
    /// leave them hanging.
    class report {
    public:
        report(basic_oauth_service& of, entry& e) : at(of.moment()), entry_(e), lock_(e.mutex) {}
        report(const report&) = delete;
        report& operator=(const report&) = delete;
        ~report() {
            auto const woken = entry_.take_woken();
            lock_.unlock();
            woken.ring();
        }

        const refresh_machine::moment at;

        [[nodiscard]] refresh_machine& machine() const noexcept { return entry_.machine; }

    private:
        entry& entry_;
        std::unique_lock<std::mutex> lock_;
    };

    asio::awaitable<void> fly(landing whole, attachment lend) {
        auto const e = whole.what();
        auto const store = store_of(lend);
        std::optional<lease> held;
        token_problem problem;
        try {
            co_await fly_through(e, store, held, lend.listener);
            // It has landed, and the next one may be up by now: that is not this one's to end.
            whole.disarm();
            co_return;
        } catch (...) {
            // Lack of memory, or a clock that throws: nothing that the machine could be told.
            problem = caught_problem("the renewal broke off: ");
        }
        if (held) co_await give_back(store, *std::move(held));
        whole.disarm();
        break_off(*e, std::move(problem));
    }

    /// Gives a lease back; one that cannot be given back ends by itself.
    asio::awaitable<void> give_back(std::shared_ptr<token_store> store, lease held) {
        try {
            co_await within(keeping(store, store->unlock(std::move(held))), store_limit());
        } catch (...) {
            co_return;
        }
    }

    /// `held` is the flight's lease as long as it has one. `listener` may be null.
    asio::awaitable<void> fly_through(
        std::shared_ptr<entry> e,
        std::shared_ptr<token_store> store,
        std::optional<lease>& held,
        std::shared_ptr<renewal_listener> listener) {
        auto const self = this->shared_from_this();
        auto const time = options_.refresh.lease;
        auto step = [&] {
            report const now{*this, *e};
            return now.machine().begin();
        }();
        while (step.what != todo::done) {
            token_problem problem;
            auto const got = highlevel::detail::share<side_answer>();
            auto const began = std::chrono::steady_clock::now();
            auto const took = [&began] {
                return std::chrono::ceil<refresh_machine::duration>(
                    std::chrono::steady_clock::now() - began);
            };
            switch (step.what) {
            case todo::done: break;
            case todo::load: {
                try {
                    co_await within(
                        put_into(got, &side_answer::found, store, store->load(e->what)),
                        store_limit());
                } catch (...) {
                    problem = store_problem();
                }
                report const now{*this, *e};
                step = problem.code ? now.machine().store_failed(std::move(problem), now.at)
                                    : now.machine().loaded(std::move(got->found), now.at);
                break;
            }
            case todo::lock: {
                try {
                    held = co_await take_lease(store, e->what, time, store_limit());
                } catch (...) {
                    problem = store_problem();
                }
                report const now{*this, *e};
                step = problem.code ? now.machine().store_failed(std::move(problem), now.at)
                                    : now.machine().locked(held.has_value(), now.at, took());
                break;
            }
            case todo::unlock: {
                if (held) co_await give_back(store, *std::exchange(held, std::nullopt));
                report const now{*this, *e};
                step = now.machine().unlocked();
                break;
            }
            case todo::extend: {
                try {
                    if (held)
                        co_await within(
                            put_into(got, &side_answer::done, store, store->extend(*held, time)),
                            store_limit());
                } catch (...) {
                    problem = store_problem(); // then it is taken anew
                }
                report const now{*this, *e};
                step = now.machine().extended(!problem.code && got->done, now.at, took());
                break;
            }
            case todo::pause: {
                co_await pause(*e, step.delay);
                report const now{*this, *e};
                step = now.machine().paused(now.at);
                break;
            }
            case todo::refresh:
            case todo::mint: {
                bool const minting = step.what == todo::mint;
                // Made before: once the answer is here, a lack of memory would lose the only copy.
                auto const key = e->what.key();
                token_refresh_event event;
                event.resource = key;
                event.how = minting ? renewal_kind::mint : renewal_kind::refresh;
                auto renewing = minting ? mint(e) : refresh(e);
                auto outcome = co_await std::move(renewing);
                event.took = std::chrono::steady_clock::now() - began;
                if (!outcome.fresh) {
                    event.error = outcome.refused.problem.code;
                    event.status = outcome.refused.problem.status;
                }
                {
                    report const now{*this, *e};
                    step = outcome.fresh
                        ? now.machine().obtained(*std::move(outcome.fresh), now.at)
                        : now.machine().refused(
                              outcome.refused.how, std::move(outcome.refused.problem),
                              outcome.refused.retry_after, now.at);
                }
                if (listener) listener->on_token_refresh(event);
                break;
            }
            case todo::replace: {
                std::optional<token> value;
                std::uint64_t expected = 0;
                {
                    std::lock_guard const lock{e->mutex};
                    value = e->machine.pending();
                    expected = e->machine.expected();
                }
                try {
                    co_await within(
                        put_into(
                            got, &side_answer::version, store,
                            store->replace(e->what, expected, *std::move(value))),
                        store_limit());
                } catch (...) {
                    problem = store_problem();
                }
                report const now{*this, *e};
                step = problem.code ? now.machine().store_failed(std::move(problem), now.at)
                                    : now.machine().replaced(got->version, now.at);
                break;
            }
            }
        }
    }

    asio::awaitable<void> pause(entry& e, std::chrono::milliseconds time) {
        auto const mine = std::make_shared<one_shot>();
        {
            std::lock_guard const lock{e.mutex};
            e.pause = mine;
            // forget() may have come since the machine asked for the pause, and found none to end.
            // At a client's end only what is still to be stored is paused for.
            if ((e.machine.stopping() && !e.machine.unsaved()) || e.machine.forgotten())
                mine->ring();
        }
        (void)co_await listen(mine, after(std::chrono::steady_clock::now(), time));
        std::lock_guard const lock{e.mutex};
        e.pause.reset();
    }

    asio::awaitable<renewal> refresh(std::shared_ptr<entry> e) {
        std::shared_ptr<const token> old;
        {
            std::lock_guard const lock{e->mutex};
            old = e->machine.subject();
        }
        renewal out;
        auto const lend = client(co_await asio::this_coro::executor);
        if (!lend || !old) {
            out.refused.problem = no_client();
            co_return out;
        }
        wire_form form{options_.wire};
        form.app(options_.client_id, options_.client_secret);
        form.add("grant_type", "refresh_token");
        form.add("refresh_token", old->refresh.reveal());
        form.add("user_type", user_type_name(e->what.kind));
        auto answered = co_await exchange_apart(*lend, token_request_of(std::move(form)), {}, {});
        take_token(*e, answered, "POST /oauth/token", {}, out);
        co_return out;
    }

    /// Reads an answer that should hold a token for the entry's resource. `bearer`: the token that
    /// was sent with the request; empty for none.
    void take_token(
        const entry& e,
        http::exchange_result& answered,
        std::string_view what,
        std::string_view bearer,
        renewal& out) {
        if (answered.ok() && answered.reply.status >= 200 && answered.reply.status < 300) {
            auto read = read_token_answer(answered.reply.body, moment().now);
            secret::wipe(answered.reply.body.data(), answered.reply.body.size());
            if (read) {
                auto& value = read->value;
                value.kind = e.what.kind;
                (value.kind == resource_kind::location ? value.location_id : value.company_id) =
                    e.what.id;
                out.fresh = std::move(value);
                return;
            }
        }
        out.refused = judge_refusal(answered, what, bearer, moment().now);
    }

    asio::awaitable<renewal> mint(std::shared_ptr<entry> e) {
        std::vector<resource> companies;
        auto const lend = client(co_await asio::this_coro::executor);
        renewal out;
        if (!lend) {
            out.refused.problem = no_client();
            co_return out;
        }
        {
            std::lock_guard const lock{e->mutex};
            auto const& old = e->machine.current();
            if (!e->company_id.empty())
                companies.push_back(resource::company(e->company_id));
            else if (old && !old->company_id.empty())
                companies.push_back(resource::company(old->company_id));
        }
        if (companies.empty()) {
            token_problem problem;
            auto const store = store_of(*lend);
            try {
                auto const got = highlevel::detail::share<side_answer>();
                co_await within(
                    put_into(got, &side_answer::listed, store, store->list()), store_limit());
                companies = std::move(got->listed);
            } catch (...) {
                problem = store_problem();
            }
            if (problem.code) {
                out.refused = wire_refusal{refusal::transient, std::move(problem)};
                co_return out;
            }
            std::erase_if(
                companies, [](const resource& r) { return r.kind != resource_kind::company; });
        }
        out.refused = wire_refusal{
            refusal::final,
            {make_error_code(errc::no_token),
             "the app is not installed on it, nor on its company"}};
        for (auto const& company : companies) {
            auto tried = co_await mint_from(e, company);
            if (tried.fresh) co_return tried;
            // What may still work counts for more than what never will.
            bool const first = &company == &companies.front();
            if (first || tried.refused.how != refusal::final)
                out.refused = std::move(tried.refused);
        }
        co_return out;
    }

    asio::awaitable<renewal> mint_from(std::shared_ptr<entry> e, resource company) {
        renewal out;
        auto granted = co_await take(company);
        for (int attempt = 1;; ++attempt) {
            if (granted.error) {
                bool const final =
                    granted.error == errc::no_token || granted.error == errc::reinstall_required;
                out.refused =
                    wire_refusal{final ? refusal::final : refusal::transient, problem_of(granted)};
                co_return out;
            }
            auto const lend = client(co_await asio::this_coro::executor);
            if (!lend) {
                out.refused.problem = no_client();
                co_return out;
            }
            wire_form form{options_.wire};
            form.add("companyId", company.id);
            form.add("locationId", e->what.id);
            auto answered = co_await exchange_apart(
                *lend, mint_request_of(std::move(form)), granted.token, company.key());
            take_token(*e, answered, "the mint of a location token", granted.token->reveal(), out);
            if (out.fresh) {
                out.fresh->company_id = company.id;
                co_return out;
            }
            if (!out.refused.token_refused || attempt == 2) co_return out;
            granted = co_await take(company, granted.token);
        }
    }

    // ---- requests

    http::request token_request_of(wire_form form) const {
        http::request r{method::post, "/oauth/token"};
        std::move(form).into(r);
        return r;
    }
    http::request mint_request_of(wire_form form) const {
        http::request r{
            method::post,
            options_.wire == generation::v3 ? "/oauth/location-token" : "/oauth/locationToken"};
        std::move(form).into(r);
        return r;
    }

    /// Sends one request, and overwrites what is secret in it. `group`: whose permit it takes.
    static asio::awaitable<http::exchange_result> exchange(
        generation wire,
        attachment lend,
        http::request r,
        std::shared_ptr<const secret> bearer,
        std::string group) {
        r.fields.set("Accept", "application/json");
        r.fields.set("Version", wire == generation::v3 ? "v3" : "2021-07-28");
        if (!lend.user_agent.empty()) r.fields.set("User-Agent", lend.user_agent);
        if (bearer) {
            std::string text{"Bearer "};
            text += bearer->reveal();
            r.fields.set("Authorization", text);
            secret::wipe(text.data(), text.size());
        }
        http::exchange_options bounds;
        // A request with a group may have to wait for a permit.
        bounds.deadline = std::chrono::steady_clock::now() +
            (group.empty() ? longest_refresh : std::chrono::seconds{60});
        bounds.group = group;
        constexpr std::size_t largest_answer = std::size_t{4} << 20U;
        bounds.max_body = largest_answer;
        body_wiper const wiped{r};
        co_return co_await lend.transport->exchange(r, bounds);
    }
    /// The same, beside the caller: a transport that keeps an exchange when the event loop goes
    /// does not keep the flight with it.
    asio::awaitable<http::exchange_result> exchange_apart(
        attachment lend, http::request r, std::shared_ptr<const secret> bearer, std::string group) {
        lend.store.reset();
        auto const got = highlevel::detail::share<side_answer>();
        co_await within(
            put_into(
                got, &side_answer::exchanged, lend.transport,
                exchange(options_.wire, lend, std::move(r), std::move(bearer), std::move(group))),
            steady_time::max());
        co_return std::move(got->exchanged);
    }

    /// Sends a request of an API function with the resource's token; throws what is not a success.
    asio::awaitable<http::exchange_result> call(
        std::string_view name, resource what, call_request asked) {
        auto granted = co_await take(what);
        bool renewed = false;
        bool lost = false;
        for (int attempt = 1;; ++attempt) {
            if (granted.error) throw_problem(name, problem_of(granted));
            auto const lend = client_or_throw(name, co_await asio::this_coro::executor);
            http::request r{asked.verb, asked.target};
            if (!asked.json.empty()) {
                r.fields.set("Content-Type", "application/json");
                r.body = asked.json;
            }
            auto answered =
                co_await exchange(options_.wire, lend, std::move(r), granted.token, what.key());
            if (answered.ok() && answered.reply.status >= 200 && answered.reply.status < 300)
                co_return answered;
            auto refused = judge_refusal(answered, name, granted.token->reveal(), moment().now);
            if (refused.token_refused && !renewed) {
                renewed = true;
                granted = co_await take(what, granted.token);
                if (!granted.error) continue;
                // The lost answer said that the installation is gone: its tokens went with it.
                bool const gone =
                    granted.error == errc::reinstall_required || granted.error == errc::no_token;
                if (lost && gone && asked.verb == method::delete_) co_return answered;
            }
            lost = lost || refused.how == refusal::lost;
            bool const passes = refused.how == refusal::transient || refused.how == refusal::lost;
            if (!passes || attempt >= options_.refresh.attempts ||
                refused.retry_after > options_.refresh.max_delay ||
                answered.error == asio::error::operation_aborted)
                throw_refusal(
                    name, asked.verb, asked.target, answered, std::move(refused), attempt);
            auto const delay = options_.refresh.backoff(attempt, random_.next());
            co_await rest(name, std::max(refused.retry_after, delay));
        }
    }

    /// The locations of a company that the app is installed on, as far as the server lists them.
    asio::awaitable<installed_list> list_installed(std::string company_id) {
        auto const company = resource::company(company_id);
        installed_list all;
        std::set<std::string, std::less<>> seen;
        std::size_t received = 0;
        std::string page_token;
        for (;;) {
            auto target =
                installed_target(options_.wire, company_id, app_id(), received, page_token);
            call_request asked{method::get, std::move(target)};
            auto reply = co_await call("installed_locations", company, std::move(asked));
            auto page = read_installed(reply.reply.body);
            if (!page) throw_problem("installed_locations", no_list(reply.reply));
            received += page->locations.size();
            bool anything_new = false;
            for (auto& location : page->locations) {
                if (!seen.insert(location.id).second) continue;
                anything_new = true;
                all.locations.push_back(std::move(location));
            }
            // A server may give fewer than it was asked for, so a short page is not the last; and
            // one that repeats itself would be asked for ever.
            bool const v3 = options_.wire == generation::v3;
            bool const last = v3 ? page->next.empty() || page->next == page_token
                                 : page->count && received >= *page->count;
            if (!anything_new || last) {
                if (v3)
                    all.whole = page->next.empty();
                else if (page->count)
                    all.whole = all.locations.size() >= *page->count;
                else
                    all.whole = page->locations.empty();
                co_return all;
            }
            page_token = std::move(page->next);
        }
    }

    /// A pause that the end of the client cuts short, with an error.
    asio::awaitable<void> rest(std::string_view name, std::chrono::milliseconds time) {
        auto const mine = std::make_shared<one_shot>();
        {
            std::lock_guard const lock{mutex_};
            std::erase_if(pauses_, [](auto const& old) { return old.expired(); });
            pauses_.push_back(mine);
            if (clients_.empty()) mine->ring(asio::error::operation_aborted);
        }
        auto const ec = co_await listen(mine, after(std::chrono::steady_clock::now(), time));
        if (ec) throw_problem(name, {ec, "while waiting to try again"});
    }

    asio::awaitable<installation> obtain_whole(
        std::string_view name, wire_form form, attachment lend, purchase /*counted*/) {
        auto const self = this->shared_from_this();
        auto answered = co_await exchange_apart(lend, token_request_of(std::move(form)), {}, {});
        std::optional<token_answer> read;
        if (answered.ok() && answered.reply.status >= 200 && answered.reply.status < 300) {
            read = read_token_answer(answered.reply.body, moment().now);
            secret::wipe(answered.reply.body.data(), answered.reply.body.size());
        }
        if (!read || read->value.resource().id.empty())
            throw_refusal(
                name, method::post, "/oauth/token", answered,
                judge_refusal(answered, "POST /oauth/token", {}, moment().now), 1);
        auto const problem = co_await keep(std::move(read->value), lend);
        if (problem.code) throw_problem(name, problem);
        co_return std::move(read->info);
    }

    /// Stores a token in place of whatever is there, through `lend` when its client has ended. One
    /// that the store does not take is kept, and stored as soon as it does: the code that bought it
    /// is spent.
    asio::awaitable<token_problem> keep(token value, attachment lend) {
        auto const executor = co_await asio::this_coro::executor;
        auto const e = entry_of(value.resource());
        bool start = false;
        std::uint64_t number = 0;
        {
            std::lock_guard const lock{e->mutex};
            start = e->machine.offer(std::move(value));
            number = e->machine.offers();
        }
        bool again = !start;
        for (;;) {
            if (start) launch(e, executor, &lend);
            auto const got = co_await wait(e);
            std::lock_guard const lock{e->mutex};
            if (e->machine.offer_stored(number) && !e->machine.unsaved()) co_return token_problem{};
            bool const cancelled = got.error == asio::error::operation_aborted;
            if (!cancelled && e->machine.flying() && !e->machine.release_waiters()) continue;
            // A flight of a client that has ended takes nothing new up.
            start = std::exchange(again, false) && e->machine.save();
            if (start) continue;
            auto problem = e->machine.problem();
            if (cancelled) problem.code = got.error;
            problem.detail += "; the token is kept in memory, and stored when that is possible";
            co_return problem;
        }
    }

    asio::awaitable<std::string> company_of(resource what) {
        if (what.kind == resource_kind::company) co_return what.id;
        auto const granted = co_await take(what);
        auto const e = entry_of(what);
        std::lock_guard const lock{e->mutex};
        auto const& held = e->machine.current();
        co_return held ? held->company_id : std::string{};
    }

    asio::awaitable<void> forget_with_locations(resource what) {
        auto const lend = client_or_throw("forget", co_await asio::this_coro::executor);
        auto const store = store_of(lend);
        token_problem problem;
        try {
            std::set<resource> gone;
            if (what.kind == resource_kind::company) gone = co_await locations_of(what.id, store);
            gone.insert(what);
            for (auto const& r : gone)
                co_await forget_one(r, store, lend);
        } catch (const error&) {
            throw;
        } catch (...) {
            problem = store_problem();
        }
        if (problem.code) throw_problem("forget", problem);
    }

    /// Removes one token, here and in the store. An installation that comes meanwhile stays.
    asio::awaitable<void> forget_one(
        resource what, std::shared_ptr<token_store> store, attachment lend) {
        auto const e = entry_of(what);
        std::uint64_t offers = 0;
        {
            // First here, so that a flight that is up brings nothing back.
            std::lock_guard const lock{e->mutex};
            e->machine.forget();
            e->company_id.clear();
            offers = e->machine.offers();
        }
        // Once more after a flight that stored at this very moment, and after one that it met.
        constexpr int enough = 3;
        for (int i = 0; i < enough; ++i) {
            co_await within(keeping(store, store->erase(what)), store_limit());
            bool const flew = co_await landed(e);
            std::lock_guard const lock{e->mutex};
            if (e->machine.offers() != offers) break;
            // What was read between the first time and the removal.
            e->machine.forget();
            if (!flew && !e->machine.flying()) co_return;
        }
        (void)co_await landed(e);
        std::optional<token> installed;
        {
            std::lock_guard const lock{e->mutex};
            if (e->machine.offers() == offers || !e->machine.current()) co_return;
            installed = *e->machine.current();
        }
        // The removal may have come after the installation was stored.
        auto const stored = highlevel::detail::share<side_answer>();
        co_await within(
            put_into(stored, &side_answer::found, store, store->load(what)), store_limit());
        if (stored->found) co_return;
        auto const kept = co_await keep(*std::move(installed), std::move(lend));
        if (kept.code) throw_problem("forget", kept);
    }

    /// The locations of a company that are known here or in the store.
    asio::awaitable<std::set<resource>> locations_of(
        std::string company_id, std::shared_ptr<token_store> store) {
        std::set<resource> found;
        {
            std::lock_guard const lock{mutex_};
            for (auto const& [what, e] : entries_) {
                if (what.kind != resource_kind::location) continue;
                std::lock_guard const inner{e->mutex};
                auto const& held = e->machine.current();
                if (e->company_id == company_id || (held && held->company_id == company_id))
                    found.insert(what);
            }
        }
        auto const all = highlevel::detail::share<side_answer>();
        co_await within(put_into(all, &side_answer::listed, store, store->list()), store_limit());
        for (auto const& r : all->listed) {
            if (r.kind != resource_kind::location || found.contains(r)) continue;
            auto const stored = highlevel::detail::share<side_answer>();
            co_await within(
                put_into(stored, &side_answer::found, store, store->load(r)), store_limit());
            if (stored->found && stored->found->company_id == company_id) found.insert(r);
        }
        co_return found;
    }

    [[nodiscard]] static bool lacks_token(const error& e) {
        return e.code() == errc::no_token || e.code() == errc::reinstall_required;
    }

    /// Whether the server still renews a token; throws what keeps it from being known.
    asio::awaitable<bool> renews(resource what) {
        try {
            co_await force(std::move(what));
        } catch (const error& e) {
            if (!lacks_token(e)) throw;
            co_return false;
        }
        co_return true;
    }

    /// Whether the server still renews the token of one of the company's locations: on some of them
    /// the app may have been installed again, which gives the company no token.
    asio::awaitable<bool> any_renews(std::string company_id, std::shared_ptr<token_store> store) {
        std::set<resource> locations;
        token_problem problem;
        try {
            locations = co_await locations_of(std::move(company_id), std::move(store));
        } catch (...) {
            problem = store_problem();
        }
        if (problem.code) throw_problem("still_installed", problem);
        std::exception_ptr unknown;
        for (auto const& r : locations) {
            try {
                bool const lives = co_await renews(r);
                if (lives) co_return true;
            } catch (const error&) {
                unknown = std::current_exception(); // another one may tell
            }
        }
        if (unknown) std::rethrow_exception(unknown);
        co_return false;
    }

    /// Waits for the flight to be over; whether there was one.
    asio::awaitable<bool> landed(std::shared_ptr<entry> e) {
        auto const mine = std::make_shared<one_shot>();
        {
            std::lock_guard const lock{e->mutex};
            if (!e->machine.flying()) co_return false;
            e->landing.push_back(mine);
            if (e->pause) e->pause->ring();
        }
        if (auto const ec = co_await listen(mine)) throw boost::system::system_error{ec};
        co_return true;
    }

    asio::awaitable<void> install_some(bulk_worker worker) {
        auto const self = this->shared_from_this();
        auto const job = worker.job();
        for (;;) {
            std::string id;
            {
                std::lock_guard const lock{job->mutex};
                if (job->stopped || job->next == job->locations.size()) co_return;
                id = job->locations[job->next++].id;
            }
            token_problem problem;
            try {
                problem = co_await ensure(job->company_id, id);
            } catch (...) {
                problem = caught_problem("the installation broke off: ");
            }
            std::lock_guard const lock{job->mutex};
            if (problem.code)
                job->report.failed.emplace_back(std::move(id), std::move(problem));
            else
                job->report.ready.push_back(std::move(id));
        }
    }

    /// A success that is no page of a list.
    static token_problem no_list(const http::response& reply) {
        token_problem problem{
            make_error_code(errc::unexpected_content), "the answer holds no list of locations"};
        problem.cause = cause::bad_response;
        problem.status = reply.status;
        return problem;
    }

    oauth_options options_;
    std::shared_ptr<token_store> memory_;
    highlevel::detail::random_spread random_;
    std::mutex clock_mutex_;

    std::mutex mutex_;
    std::vector<attachment> clients_;
    /// Pauses of calls, to be ended with the last client.
    std::vector<std::weak_ptr<highlevel::detail::one_shot>> pauses_;
    /// How many exchanges bring a new connection at this moment.
    std::size_t purchases_ = 0;
    /// Rung when one of them is over.
    std::vector<bell> bought_;
    std::map<resource, std::shared_ptr<entry>> entries_;
};

} // namespace detail

HIGHLEVEL_DECL void oauth_options::validate() const {
    if (client_id.empty()) throw std::invalid_argument{"client_id: must not be empty"};
    if (client_secret.empty()) throw std::invalid_argument{"client_secret: must not be empty"};
    if (!now) throw std::invalid_argument{"now: must not be empty"};
    refresh.validate();
}

template <class Service>
basic_oauth_app<Service>::basic_oauth_app(oauth_options options) {
    options.validate();
    service_ = highlevel::detail::share<Service>(std::move(options));
}

template <class Service>
basic_oauth_app<Service>::basic_oauth_app(
    std::string client_id, secret client_secret, std::shared_ptr<token_store> store)
    : basic_oauth_app([&] {
          oauth_options made;
          made.client_id = std::move(client_id);
          made.client_secret = std::move(client_secret);
          made.store = std::move(store);
          return made;
      }()) {}

template <class Service>
basic_oauth_app<Service>::operator credentials() const {
    return credentials{credentials::as_it_is{}, service_};
}

template <class Service>
std::string basic_oauth_app<Service>::app_id() const {
    return std::string{service_->app_id()};
}

template <class Service>
bool basic_oauth_app<Service>::attached() const {
    return service_->attached();
}

template <class Service>
boost::asio::awaitable<installation> basic_oauth_app<Service>::exchange_code(
    secret code, std::string redirect_uri) {
    detail::wire_form form{service_->options().wire};
    form.app(service_->options().client_id, service_->options().client_secret);
    form.add("grant_type", "authorization_code");
    form.add("code", code.reveal());
    if (!redirect_uri.empty()) form.add("redirect_uri", redirect_uri);
    return service_->obtain("exchange_code", std::move(form));
}

template <class Service>
boost::asio::awaitable<installation> basic_oauth_app<Service>::exchange_code(
    secret code, std::string redirect_uri, resource_kind user_type) {
    detail::wire_form form{service_->options().wire};
    form.app(service_->options().client_id, service_->options().client_secret);
    form.add("grant_type", "authorization_code");
    form.add("code", code.reveal());
    form.add("user_type", detail::user_type_name(user_type));
    if (!redirect_uri.empty()) form.add("redirect_uri", redirect_uri);
    return service_->obtain("exchange_code", std::move(form));
}

template <class Service>
boost::asio::awaitable<installation> basic_oauth_app<Service>::client_credentials() {
    detail::wire_form form{service_->options().wire};
    form.app(service_->options().client_id, service_->options().client_secret);
    form.add("grant_type", "client_credentials");
    return service_->obtain("client_credentials", std::move(form));
}

template <class Service>
boost::asio::awaitable<void> basic_oauth_app<Service>::adopt(token value) {
    return service_->adopt(std::move(value));
}

template <class Service>
boost::asio::awaitable<void> basic_oauth_app<Service>::renew(resource what) {
    return service_->force(std::move(what));
}

template <class Service>
boost::asio::awaitable<void> basic_oauth_app<Service>::install_location(
    std::string company_id, std::string location_id) {
    return service_->ensure_or_throw(std::move(company_id), std::move(location_id));
}

template <class Service>
boost::asio::awaitable<bulk_install_report> basic_oauth_app<Service>::install_locations(
    std::string company_id, std::size_t concurrency) {
    return service_->install_all(std::move(company_id), concurrency);
}

template <class Service>
boost::asio::awaitable<std::vector<installed_location>>
basic_oauth_app<Service>::installed_locations(std::string company_id) {
    return service_->installed(std::move(company_id));
}

template <class Service>
boost::asio::awaitable<void> basic_oauth_app<Service>::uninstall(resource what) {
    return service_->uninstall(std::move(what));
}

template <class Service>
boost::asio::awaitable<bool> basic_oauth_app<Service>::still_installed(resource what) {
    return service_->still_installed(std::move(what));
}

template <class Service>
boost::asio::awaitable<void> basic_oauth_app<Service>::forget(resource what) {
    return service_->forget(std::move(what));
}

template <class Service>
boost::asio::awaitable<bool> basic_oauth_app<Service>::finish(std::chrono::milliseconds patience) {
    return service_->finish(patience);
}

template <class Service>
boost::asio::awaitable<std::vector<resource>> basic_oauth_app<Service>::resources() {
    return service_->list();
}

#if defined(HIGHLEVEL_SEPARATE_COMPILATION)
template class basic_oauth_app<detail::oauth_service>;
#endif

} // namespace highlevel::auth
