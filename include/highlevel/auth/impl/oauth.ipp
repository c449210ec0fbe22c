// SPDX-License-Identifier: BSL-1.0
//
// Drives the refresh machines of an OAuth app over a transport and a store.
#pragma once

#include <highlevel/auth/detail/oauth_wire.hpp>
#include <highlevel/auth/memory_token_store.hpp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/auth/renewal_listener.hpp>
#include <highlevel/detail/config.hpp>
#include <highlevel/detail/one_shot.hpp>
#include <highlevel/http/transport.hpp>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/execution/context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <atomic>
#include <exception>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string_view>

namespace highlevel::auth {

namespace detail {

namespace asio = boost::asio;

/// What the exception that is being handled says, as a problem with the store.
[[nodiscard]] inline token_problem store_problem() {
    std::string text{"the token store: "};
    try {
        throw;
    } catch (const boost::system::system_error& e) {
        return {e.code(), text + e.what()};
    } catch (const std::exception& e) {
        return {
            boost::system::errc::make_error_code(boost::system::errc::io_error), text + e.what()};
    } catch (...) {
        return {
            boost::system::errc::make_error_code(boost::system::errc::io_error), text + "unknown"};
    }
}

/// Rings when a timer's wait ends, also when it ends by the destruction of its event loop: what
/// waits for the bell would otherwise stay for ever.
class ring_at_end {
public:
    ring_at_end(std::shared_ptr<highlevel::detail::one_shot> bell, error_code code)
        : bell_(std::move(bell)),
          code_(code) {}
    ring_at_end(ring_at_end&& other) noexcept = default;
    ring_at_end& operator=(ring_at_end&&) = delete;
    ~ring_at_end() {
        if (bell_) bell_->ring(asio::error::operation_aborted);
    }

    void operator()(error_code cancelled) {
        if (!cancelled) bell_->ring(code_);
        bell_.reset();
    }

private:
    std::shared_ptr<highlevel::detail::one_shot> bell_;
    error_code code_;
};

/// What a function of the store has come to.
template <class T>
class store_call {
public:
    store_call() = default;

    std::optional<T> value;
    std::exception_ptr thrown;
    std::shared_ptr<highlevel::detail::one_shot> done =
        std::make_shared<highlevel::detail::one_shot>();
};

template <class T>
asio::awaitable<void> run_store_call(asio::awaitable<T> work, std::shared_ptr<store_call<T>> into) {
    try {
        into->value.emplace(co_await std::move(work));
    } catch (...) {
        into->thrown = std::current_exception();
    }
    into->done->ring();
}

/// Waits for a function of the store, but not for ever; one that takes longer goes on unheard.
template <class T>
asio::awaitable<T> bounded(asio::awaitable<T> work, std::chrono::milliseconds time) {
    auto const call = std::make_shared<store_call<T>>();
    auto const executor = co_await asio::this_coro::executor;
    asio::steady_timer timer{executor, time};
    timer.async_wait(ring_at_end{call->done, make_error_code(errc::timeout)});
    asio::co_spawn(executor, run_store_call(std::move(work), call), asio::detached);
    error_code ec;
    co_await call->done->async_wait(asio::redirect_error(asio::use_awaitable, ec));
    if (ec) throw boost::system::system_error{ec, "no answer"};
    if (call->thrown) std::rethrow_exception(call->thrown);
    co_return std::move(*call->value);
}

/// A function that gives nothing, as one that gives true.
inline asio::awaitable<bool> done(asio::awaitable<void> work) {
    co_await std::move(work);
    co_return true;
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
class oauth_service final : public provider, public std::enable_shared_from_this<oauth_service> {
public:
    explicit oauth_service(oauth_options options)
        : options_(std::move(options)),
          memory_(std::make_shared<memory_token_store>()),
          random_(std::random_device{}()) {}

    // ---- provider

    asio::awaitable<grant> authorize(token_request request) override {
        auto const self = shared_from_this();
        if (auto refused = check_oauth_kind(request); refused.error) co_return refused;
        resource const what{request.kind, std::string{request.id}};
        co_return co_await take(what, request.deadline);
    }

    asio::awaitable<bool> renew(
        token_request request, std::shared_ptr<const secret> refused) override {
        auto const self = shared_from_this();
        resource const what{request.kind, std::string{request.id}};
        auto const got = co_await replace_refused(what, refused, request.deadline);
        co_return !got.error;
    }

    [[nodiscard]] bool keeps_deadlines() const noexcept override { return true; }

    void attach(const attachment& client) override {
        std::lock_guard const lock{mutex_};
        clients_.push_back(client);
        for (auto const& [what, e] : entries_) {
            std::lock_guard const inner{e->mutex};
            e->machine.resume();
        }
    }

    void detach(const http::transport& client) noexcept override {
        std::lock_guard const lock{mutex_};
        std::erase_if(clients_, [&](const attachment& a) { return a.transport.get() == &client; });
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
        auto const self = shared_from_this();
        auto const lend = client_or_throw(name);
        // The answer is worth a whole connection, so that no cancellation may lose it.
        co_return co_await asio::co_spawn(
            co_await asio::this_coro::executor, obtain_whole(name, std::move(form), lend),
            asio::bind_cancellation_slot(asio::cancellation_slot{}, asio::use_awaitable));
    }

    asio::awaitable<void> adopt(token value) {
        auto const self = shared_from_this();
        (void)client_or_throw("adopt");
        auto const problem = co_await keep(std::move(value));
        if (problem.code) throw_problem("adopt", problem);
    }

    asio::awaitable<void> force(resource what) {
        auto const self = shared_from_this();
        auto const e = entry_of(what);
        // A flight that is about to land may not take it up any more: then the next one does.
        constexpr int enough = 3;
        for (int i = 0; i < enough; ++i) {
            bool start = false;
            {
                std::lock_guard const lock{e->mutex};
                start = e->machine.force();
            }
            auto const got = co_await wait(e, start);
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
        auto const self = shared_from_this();
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
        auto const self = shared_from_this();
        auto const company = resource::company(company_id);
        std::vector<installed_location> all;
        std::set<std::string, std::less<>> seen;
        std::size_t received = 0;
        std::string page_token;
        for (;;) {
            auto target =
                installed_target(options_.wire, company_id, app_id(), received, page_token);
            call_request asked{method::get, std::move(target)};
            auto reply = co_await call("installed_locations", company, std::move(asked));
            auto page = read_installed(reply.reply.body);
            received += page.locations.size();
            bool anything_new = false;
            for (auto& location : page.locations) {
                if (!seen.insert(location.id).second) continue;
                anything_new = true;
                all.push_back(std::move(location));
            }
            // A server may give fewer than it was asked for, so a short page is not the last; and
            // one that repeats itself would be asked for ever.
            bool const last = options_.wire == generation::v3
                ? page.next.empty() || page.next == page_token
                : page.count && received >= *page.count;
            page_token = std::move(page.next);
            if (!anything_new || last) co_return all;
        }
    }

    asio::awaitable<bulk_install_report> install_all(
        std::string company_id, std::size_t concurrency) {
        auto const self = shared_from_this();
        auto const job = std::make_shared<bulk_job>();
        job->company_id = company_id;
        job->locations = co_await installed(company_id);
        auto const workers = std::min(std::max<std::size_t>(concurrency, 1), job->locations.size());
        if (workers == 0) co_return bulk_install_report{};
        job->working = workers;
        auto const executor = co_await asio::this_coro::executor;
        for (std::size_t i = 0; i < workers; ++i)
            asio::co_spawn(executor, install_some(job), asio::detached);
        error_code ec;
        co_await job->done->async_wait(asio::redirect_error(asio::use_awaitable, ec));
        std::lock_guard const lock{job->mutex};
        job->stopped = true;
        if (ec) throw_problem("install_locations", {ec, {}});
        co_return std::move(job->report);
    }

    asio::awaitable<void> uninstall(resource what) {
        auto const self = shared_from_this();
        call_request asked{method::delete_, "/marketplace/app/"};
        http::append_path_segment(asked.target, app_id());
        asked.target += "/installations";
        asked.json = uninstall_body(what, co_await company_of(what));
        (void)co_await call("uninstall", what, std::move(asked));
        co_await forget_with_locations(what);
    }

    asio::awaitable<void> forget(resource what) {
        auto const self = shared_from_this();
        co_await forget_with_locations(std::move(what));
    }

    /// Waits until no flight is up, for a limited time.
    asio::awaitable<bool> finish(std::chrono::milliseconds patience) {
        auto const self = shared_from_this();
        auto const until = std::chrono::steady_clock::now() + patience;
        for (;;) {
            std::shared_ptr<entry> busy;
            bool unsaved = false;
            {
                std::lock_guard const lock{mutex_};
                for (auto const& [what, e] : entries_) {
                    std::lock_guard const inner{e->mutex};
                    if (e->machine.flying()) busy = e;
                    unsaved = unsaved || e->machine.unsaved();
                }
            }
            if (!busy) co_return !unsaved;
            if (std::chrono::steady_clock::now() >= until) co_return false;
            auto const landed = std::make_shared<highlevel::detail::one_shot>();
            asio::steady_timer timer{co_await asio::this_coro::executor, until};
            timer.async_wait(ring_at_end{landed, make_error_code(errc::timeout)});
            {
                std::lock_guard const lock{busy->mutex};
                busy->landing.push_back(landed);
                if (!busy->machine.flying()) landed->ring();
            }
            error_code ec;
            co_await landed->async_wait(asio::redirect_error(asio::use_awaitable, ec));
            if (ec == asio::error::operation_aborted) throw_problem("finish", {ec, {}});
        }
    }

    asio::awaitable<std::vector<resource>> list() {
        auto const self = shared_from_this();
        auto const store = store_of(client_or_throw("resources"));
        token_problem problem;
        std::vector<resource> all;
        try {
            all = co_await store->list();
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
    using deadline_type = std::chrono::steady_clock::time_point;

    /// What is known of one resource. The mutex is never held across a suspension.
    class entry {
    public:
        entry(const refresh_options& o, resource r) : what(std::move(r)), machine(o, what.kind) {}

        const resource what;
        std::mutex mutex;
        refresh_machine machine;
        std::vector<bell> waiting;
        /// Rung when the flight is over, and not before.
        std::vector<bell> landing;
        /// Rung to end a pause of the flight early.
        bell pause;
        /// Which company to mint from, where the application said it.
        std::string company_id;
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

    class bulk_job {
    public:
        std::mutex mutex;
        std::string company_id;
        std::vector<installed_location> locations;
        std::size_t next = 0;
        std::size_t working = 0;
        bool stopped = false;
        bulk_install_report report;
        bell done = std::make_shared<highlevel::detail::one_shot>();
    };

    [[nodiscard]] refresh_machine::moment moment() {
        std::lock_guard const lock{random_mutex_};
        return {options_.now(), std::uniform_real_distribution<double>{0, 1}(random_)};
    }

    [[nodiscard]] std::shared_ptr<entry> entry_of(const resource& what) {
        std::lock_guard const lock{mutex_};
        auto& place = entries_[what];
        if (!place) place = std::make_shared<entry>(options_.refresh, what);
        return place;
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
        highlevel::detail::failure_data data;
        data.operation = "oauth.";
        data.operation += name;
        data.detail = problem.detail;
        data.cause = problem.cause;
        data.status = problem.status;
        data.messages = problem.messages;
        data.hint = problem.hint;
        if (problem.code == errc::reinstall_required)
            data.cause = cause::reinstall_required;
        else if (problem.code == errc::no_token && data.cause == cause::unknown)
            data.cause = cause::invalid_token;
        else if (problem.code == asio::error::operation_aborted)
            data.cause = cause::cancelled;
        throw error{failure{problem.code, std::move(data)}};
    }

    // ---- callers

    /// The token of a resource, waited for if need be.
    asio::awaitable<grant> take(resource what, deadline_type deadline = deadline_type::max()) {
        auto const e = entry_of(what);
        answer got;
        auto const at = moment();
        {
            std::lock_guard const lock{e->mutex};
            got = e->machine.ask(at);
        }
        if (got.what == answer::verdict::wait) co_return co_await wait(e, got.start, deadline);
        if (got.start) launch(e, co_await asio::this_coro::executor);
        co_return as_grant(*e, std::move(got));
    }

    /// The token that takes the place of a refused one, or an error.
    asio::awaitable<grant> replace_refused(
        resource what,
        std::shared_ptr<const secret> refused,
        deadline_type deadline = deadline_type::max()) {
        auto const e = entry_of(what);
        answer got;
        auto const at = moment();
        {
            std::lock_guard const lock{e->mutex};
            got = e->machine.refuse(*refused, at);
        }
        if (got.what == answer::verdict::wait) co_return co_await wait(e, got.start, deadline);
        if (got.start) launch(e, co_await asio::this_coro::executor);
        if (got.what == answer::verdict::failed && !got.problem.code)
            got.problem.code = make_error_code(errc::no_token);
        co_return as_grant(*e, std::move(got));
    }

    /// Waits for the flight, which is started if `start`.
    asio::awaitable<grant> wait(
        std::shared_ptr<entry> e, bool start, deadline_type deadline = deadline_type::max()) {
        auto const executor = co_await asio::this_coro::executor;
        for (;; start = false) {
            auto const mine = std::make_shared<highlevel::detail::one_shot>();
            {
                std::lock_guard const lock{e->mutex};
                if (start || e->machine.flying())
                    e->waiting.push_back(mine);
                else
                    mine->ring(); // it has landed in between
            }
            if (start) launch(e, executor);
            std::optional<asio::steady_timer> limit;
            if (deadline != deadline_type::max()) {
                limit.emplace(executor, deadline);
                limit->async_wait(ring_at_end{mine, make_error_code(errc::timeout)});
            }
            error_code ec;
            co_await mine->async_wait(asio::redirect_error(asio::use_awaitable, ec));
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
            out.refusal = std::make_shared<const token_problem>(std::move(got.problem));
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

    void launch(const std::shared_ptr<entry>& e, const asio::any_io_executor& here) {
        auto lend = client(here);
        if (lend) {
            auto const executor = lend->executor;
            // Not part of any call: what a call's end would take with it is a connection's life.
            asio::co_spawn(
                executor, fly(landing{shared_from_this(), e}, *std::move(lend)), asio::detached);
            return;
        }
        break_off(*e, no_client());
    }

    /// The flight does not begin, or ends in the middle. A pair that is not stored stays.
    static void break_off(entry& e, token_problem why) {
        std::vector<bell> woken;
        {
            std::lock_guard const lock{e.mutex};
            if (!e.machine.flying()) return;
            e.machine.abandon(std::move(why));
            woken.swap(e.waiting);
            std::move(e.landing.begin(), e.landing.end(), std::back_inserter(woken));
            e.landing.clear();
        }
        for (auto const& b : woken)
            b->ring();
    }

    /// Sees to it that a flight ends, whatever becomes of its coroutine: also one that is destroyed
    /// with its event loop, or never begins.
    class landing {
    public:
        landing(std::shared_ptr<oauth_service> s, std::shared_ptr<entry> what)
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
        std::shared_ptr<oauth_service> service_;
        std::shared_ptr<entry> entry_;
    };

    /// Reports an event and takes the next action; wakes those who need not wait any longer.
    template <class Event>
    refresh_machine::action report(entry& e, Event event) {
        auto const at = moment();
        std::vector<bell> woken;
        std::optional<refresh_machine::action> next;
        {
            std::lock_guard const lock{e.mutex};
            next = event(e.machine, at);
            bool const over = !e.machine.flying();
            if (over || e.machine.release_waiters()) woken.swap(e.waiting);
            if (over) {
                std::move(e.landing.begin(), e.landing.end(), std::back_inserter(woken));
                e.landing.clear();
            }
        }
        for (auto const& b : woken)
            b->ring();
        return *next;
    }

    asio::awaitable<void> fly(landing whole, attachment lend) {
        auto const e = whole.what();
        token_problem problem;
        try {
            co_await fly_through(e, std::move(lend));
            // It has landed, and the next one may be up by now: that is not this one's to end.
            whole.disarm();
            co_return;
        } catch (...) {
            problem = store_problem();
        }
        whole.disarm();
        // Lack of memory, or a clock that throws: nothing that the machine could be told.
        problem.detail = "the renewal broke off: " + problem.detail;
        break_off(*e, std::move(problem));
    }

    asio::awaitable<void> fly_through(std::shared_ptr<entry> e, attachment lend) {
        using moment_type = refresh_machine::moment;
        auto const self = shared_from_this();
        auto const store = store_of(lend);
        auto const time = options_.refresh.store_timeout;
        std::optional<lease> held;
        auto step = report(*e, [](refresh_machine& m, moment_type) { return m.begin(); });
        while (step.what != todo::done) {
            token_problem problem;
            switch (step.what) {
            case todo::done: break;
            case todo::load: {
                std::optional<token> found;
                try {
                    found = co_await bounded(store->load(e->what), time);
                } catch (...) {
                    problem = store_problem();
                }
                step = report(*e, [&](refresh_machine& m, moment_type at) {
                    return problem.code ? m.store_failed(std::move(problem), at)
                                        : m.loaded(std::move(found), at);
                });
                break;
            }
            case todo::lock: {
                try {
                    held = co_await bounded(store->try_lock(e->what, options_.refresh.lease), time);
                } catch (...) {
                    problem = store_problem();
                }
                step = report(*e, [&](refresh_machine& m, moment_type at) {
                    return problem.code ? m.store_failed(std::move(problem), at)
                                        : m.locked(held.has_value(), at);
                });
                break;
            }
            case todo::unlock: {
                try {
                    if (held) (void)co_await bounded(done(store->unlock(*held)), time);
                } catch (...) {
                    problem = store_problem(); // it ends by itself
                }
                held.reset();
                step = report(*e, [](refresh_machine& m, moment_type) { return m.unlocked(); });
                break;
            }
            case todo::extend: {
                bool longer = false;
                try {
                    if (held)
                        longer =
                            co_await bounded(store->extend(*held, options_.refresh.lease), time);
                } catch (...) {
                    problem = store_problem(); // then it is taken anew
                }
                step = report(
                    *e, [&](refresh_machine& m, moment_type at) { return m.extended(longer, at); });
                break;
            }
            case todo::pause: {
                co_await pause(*e, step.delay);
                step = report(*e, [](refresh_machine& m, moment_type at) { return m.paused(at); });
                break;
            }
            case todo::refresh:
            case todo::mint: {
                bool const minting = step.what == todo::mint;
                auto const began = std::chrono::steady_clock::now();
                auto renewing = minting ? mint(e) : refresh(e);
                auto outcome = co_await std::move(renewing);
                if (lend.listener) {
                    token_refresh_event event;
                    auto const key = e->what.key();
                    event.resource = key;
                    event.how = minting ? renewal_kind::mint : renewal_kind::refresh;
                    event.error = outcome.fresh ? error_code{} : outcome.refused.problem.code;
                    event.status = outcome.fresh ? 0 : outcome.refused.problem.status;
                    event.took = std::chrono::steady_clock::now() - began;
                    lend.listener->on_token_refresh(event);
                }
                step = report(*e, [&](refresh_machine& m, moment_type at) {
                    if (outcome.fresh) return m.obtained(*std::move(outcome.fresh), at);
                    return m.refused(
                        outcome.refused.how, std::move(outcome.refused.problem),
                        outcome.refused.retry_after, at);
                });
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
                std::optional<std::uint64_t> version;
                try {
                    version = co_await bounded(
                        store->replace(e->what, expected, *std::move(value)), time);
                } catch (...) {
                    problem = store_problem();
                }
                step = report(*e, [&](refresh_machine& m, moment_type at) {
                    return problem.code ? m.store_failed(std::move(problem), at)
                                        : m.replaced(version, at);
                });
                break;
            }
            }
        }
    }

    asio::awaitable<void> pause(entry& e, std::chrono::milliseconds time) {
        auto const mine = std::make_shared<highlevel::detail::one_shot>();
        asio::steady_timer timer{co_await asio::this_coro::executor};
        timer.expires_after(time);
        timer.async_wait(ring_at_end{mine, {}});
        {
            std::lock_guard const lock{e.mutex};
            e.pause = mine;
            if (e.machine.stopping()) mine->ring();
        }
        error_code ec;
        co_await mine->async_wait(asio::redirect_error(asio::use_awaitable, ec));
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
        auto answered = co_await exchange(*lend, token_request_of(std::move(form)), {}, {});
        take_token(*e, answered, "POST /oauth/token", false, out);
        co_return out;
    }

    /// Reads an answer that should hold a token for the entry's resource.
    void take_token(
        const entry& e,
        http::exchange_result& answered,
        std::string_view what,
        bool minting,
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
        out.refused = judge_refusal(answered, what, minting, moment().now);
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
                companies = co_await bounded(store->list(), options_.refresh.store_timeout);
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
            auto answered = co_await exchange(
                *lend, mint_request_of(std::move(form)), granted.token, company.key());
            take_token(*e, answered, "the mint of a location token", true, out);
            if (out.fresh) {
                out.fresh->company_id = company.id;
                co_return out;
            }
            if (!out.refused.token_refused || attempt == 2) co_return out;
            granted = co_await replace_refused(company, granted.token);
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
    asio::awaitable<http::exchange_result> exchange(
        attachment lend, http::request r, std::shared_ptr<const secret> bearer, std::string group) {
        r.fields.set("Accept", "application/json");
        r.fields.set("Version", options_.wire == generation::v3 ? "v3" : "2021-07-28");
        if (!lend.user_agent.empty()) r.fields.set("User-Agent", lend.user_agent);
        if (bearer) {
            std::string text{"Bearer "};
            text += bearer->reveal();
            r.fields.set("Authorization", text);
            secret::wipe(text.data(), text.size());
        }
        http::exchange_options bounds;
        // Three renewals end within the 30 s in which the server repeats an answer; other requests
        // may have to wait for a permit.
        bounds.deadline = std::chrono::steady_clock::now() +
            (group.empty() ? std::chrono::seconds{9} : std::chrono::seconds{60});
        bounds.group = group;
        constexpr std::size_t largest_answer = std::size_t{4} << 20U;
        bounds.max_body = largest_answer;
        body_wiper const wiped{r};
        co_return co_await lend.transport->exchange(r, bounds);
    }

    /// Sends a request of an API function with the resource's token; throws what is not a success.
    asio::awaitable<http::exchange_result> call(
        std::string_view name, resource what, call_request asked) {
        auto granted = co_await take(what);
        bool renewed = false;
        for (int attempt = 1;; ++attempt) {
            if (granted.error) throw_problem(name, problem_of(granted));
            auto const lend = client_or_throw(name, co_await asio::this_coro::executor);
            http::request r{asked.verb, asked.target};
            if (!asked.json.empty()) {
                r.fields.set("Content-Type", "application/json");
                r.body = asked.json;
            }
            auto answered = co_await exchange(lend, std::move(r), granted.token, what.key());
            if (answered.ok() && answered.reply.status >= 200 && answered.reply.status < 300)
                co_return answered;
            auto refused = judge_refusal(answered, name, true, moment().now);
            if (refused.token_refused && !renewed) {
                renewed = true;
                granted = co_await replace_refused(what, granted.token);
                if (!granted.error) continue;
            }
            bool const passes = refused.how == refusal::transient || refused.how == refusal::lost;
            if (!passes || attempt >= options_.refresh.attempts ||
                refused.retry_after > options_.refresh.max_delay ||
                answered.error == asio::error::operation_aborted)
                throw_refusal(name, asked.verb, asked.target, answered, std::move(refused));
            co_await rest(
                name, std::max(refused.retry_after, options_.refresh.base_delay * (1 << attempt)));
        }
    }

    /// A pause that the end of the client cuts short, with an error.
    asio::awaitable<void> rest(std::string_view name, std::chrono::milliseconds time) {
        auto const mine = std::make_shared<highlevel::detail::one_shot>();
        asio::steady_timer timer{co_await asio::this_coro::executor, time};
        timer.async_wait(ring_at_end{mine, {}});
        {
            std::lock_guard const lock{mutex_};
            std::erase_if(pauses_, [](auto const& old) { return old.expired(); });
            pauses_.push_back(mine);
            if (clients_.empty()) mine->ring(asio::error::operation_aborted);
        }
        error_code ec;
        co_await mine->async_wait(asio::redirect_error(asio::use_awaitable, ec));
        if (ec) throw_problem(name, {ec, "while waiting to try again"});
    }

    asio::awaitable<installation> obtain_whole(
        std::string_view name, wire_form form, attachment lend) {
        auto const self = shared_from_this();
        auto answered = co_await exchange(lend, token_request_of(std::move(form)), {}, {});
        std::optional<token_answer> read;
        if (answered.ok() && answered.reply.status >= 200 && answered.reply.status < 300) {
            read = read_token_answer(answered.reply.body, moment().now);
            secret::wipe(answered.reply.body.data(), answered.reply.body.size());
        }
        if (!read || read->value.resource().id.empty())
            throw_refusal(
                name, method::post, "/oauth/token", answered,
                judge_refusal(answered, "POST /oauth/token", true, moment().now));
        auto const problem = co_await keep(std::move(read->value));
        if (problem.code) throw_problem(name, problem);
        co_return std::move(read->info);
    }

    /// Stores a token in place of whatever is there. One that the store does not take is kept, and
    /// stored as soon as it does: the code that bought it is spent.
    asio::awaitable<token_problem> keep(token value) {
        auto const e = entry_of(value.resource());
        bool start = false;
        std::uint64_t number = 0;
        {
            std::lock_guard const lock{e->mutex};
            start = e->machine.offer(std::move(value));
            number = e->machine.offers();
        }
        for (;;) {
            auto const got = co_await wait(e, std::exchange(start, false));
            std::lock_guard const lock{e->mutex};
            if (e->machine.offer_stored(number) && !e->machine.unsaved()) co_return token_problem{};
            if (e->machine.flying() && !e->machine.release_waiters()) continue;
            auto problem = e->machine.problem();
            if (got.error == asio::error::operation_aborted) problem.code = got.error;
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
        auto const store = store_of(client_or_throw("forget"));
        auto const time = options_.refresh.store_timeout;
        token_problem problem;
        try {
            std::set<resource> gone{what};
            if (what.kind == resource_kind::company) {
                for (auto const& r : locations_of(what.id))
                    gone.insert(r);
                auto const all = co_await bounded(store->list(), time);
                for (auto const& r : all) {
                    if (r.kind != resource_kind::location) continue;
                    auto const held = co_await bounded(store->load(r), time);
                    if (held && held->company_id == what.id) gone.insert(r);
                }
            }
            for (auto const& r : gone) {
                auto const e = entry_of(r);
                {
                    // First here, so that a flight that is up brings nothing back.
                    std::lock_guard const lock{e->mutex};
                    e->machine.forget();
                    e->company_id.clear();
                }
                (void)co_await bounded(done(store->erase(r)), time);
                if (co_await landed(e)) (void)co_await bounded(done(store->erase(r)), time);
            }
        } catch (...) {
            problem = store_problem();
        }
        if (problem.code) throw_problem("forget", problem);
    }

    /// The locations of a company that are known here, stored or not.
    [[nodiscard]] std::vector<resource> locations_of(const std::string& company_id) {
        std::vector<resource> all;
        std::lock_guard const lock{mutex_};
        for (auto const& [what, e] : entries_) {
            if (what.kind != resource_kind::location) continue;
            std::lock_guard const inner{e->mutex};
            auto const& held = e->machine.current();
            if (e->company_id == company_id || (held && held->company_id == company_id))
                all.push_back(what);
        }
        return all;
    }

    /// Waits for the flight to be over; whether there was one.
    asio::awaitable<bool> landed(std::shared_ptr<entry> e) {
        auto const mine = std::make_shared<highlevel::detail::one_shot>();
        {
            std::lock_guard const lock{e->mutex};
            if (!e->machine.flying()) co_return false;
            e->landing.push_back(mine);
            if (e->pause) e->pause->ring();
        }
        error_code ec;
        co_await mine->async_wait(asio::redirect_error(asio::use_awaitable, ec));
        co_return true;
    }

    asio::awaitable<void> install_some(std::shared_ptr<bulk_job> job) {
        auto const self = shared_from_this();
        for (;;) {
            std::string id;
            {
                std::lock_guard const lock{job->mutex};
                if (job->stopped || job->next == job->locations.size()) break;
                id = job->locations[job->next++].id;
            }
            auto problem = co_await ensure(job->company_id, id);
            std::lock_guard const lock{job->mutex};
            if (problem.code)
                job->report.failed.emplace_back(std::move(id), std::move(problem));
            else
                job->report.ready.push_back(std::move(id));
        }
        std::lock_guard const lock{job->mutex};
        if (--job->working == 0) job->done->ring();
    }

    oauth_options options_;
    std::shared_ptr<token_store> memory_;
    std::mutex random_mutex_;
    std::minstd_rand random_;

    std::mutex mutex_;
    std::vector<attachment> clients_;
    /// Pauses of calls, to be ended with the last client.
    std::vector<std::weak_ptr<highlevel::detail::one_shot>> pauses_;
    std::map<resource, std::shared_ptr<entry>> entries_;
};

} // namespace detail

HIGHLEVEL_DECL void oauth_options::validate() const {
    if (client_id.empty()) throw std::invalid_argument{"client_id: must not be empty"};
    if (client_secret.empty()) throw std::invalid_argument{"client_secret: must not be empty"};
    if (!now) throw std::invalid_argument{"now: must not be empty"};
    refresh.validate();
}

HIGHLEVEL_DECL oauth_app::oauth_app(oauth_options options) {
    options.validate();
    service_ = std::make_shared<detail::oauth_service>(std::move(options));
}

HIGHLEVEL_DECL oauth_app::oauth_app(
    std::string client_id, secret client_secret, std::shared_ptr<token_store> store)
    : oauth_app([&] {
          oauth_options made;
          made.client_id = std::move(client_id);
          made.client_secret = std::move(client_secret);
          made.store = std::move(store);
          return made;
      }()) {}

HIGHLEVEL_DECL oauth_app::operator credentials() const {
    return credentials{std::shared_ptr<provider>{service_}};
}

HIGHLEVEL_DECL std::string oauth_app::app_id() const {
    return std::string{service_->app_id()};
}

HIGHLEVEL_DECL bool oauth_app::attached() const {
    return service_->attached();
}

HIGHLEVEL_DECL boost::asio::awaitable<installation> oauth_app::exchange_code(
    secret code, std::string redirect_uri) {
    detail::wire_form form{service_->options().wire};
    form.app(service_->options().client_id, service_->options().client_secret);
    form.add("grant_type", "authorization_code");
    form.add("code", code.reveal());
    if (!redirect_uri.empty()) form.add("redirect_uri", redirect_uri);
    return service_->obtain("exchange_code", std::move(form));
}

HIGHLEVEL_DECL boost::asio::awaitable<installation> oauth_app::exchange_code(
    secret code, std::string redirect_uri, resource_kind user_type) {
    detail::wire_form form{service_->options().wire};
    form.app(service_->options().client_id, service_->options().client_secret);
    form.add("grant_type", "authorization_code");
    form.add("code", code.reveal());
    form.add("user_type", detail::user_type_name(user_type));
    if (!redirect_uri.empty()) form.add("redirect_uri", redirect_uri);
    return service_->obtain("exchange_code", std::move(form));
}

HIGHLEVEL_DECL boost::asio::awaitable<installation> oauth_app::client_credentials() {
    detail::wire_form form{service_->options().wire};
    form.app(service_->options().client_id, service_->options().client_secret);
    form.add("grant_type", "client_credentials");
    return service_->obtain("client_credentials", std::move(form));
}

HIGHLEVEL_DECL boost::asio::awaitable<void> oauth_app::adopt(token value) {
    return service_->adopt(std::move(value));
}

HIGHLEVEL_DECL boost::asio::awaitable<void> oauth_app::renew(resource what) {
    return service_->force(std::move(what));
}

HIGHLEVEL_DECL boost::asio::awaitable<void> oauth_app::install_location(
    std::string company_id, std::string location_id) {
    return service_->ensure_or_throw(std::move(company_id), std::move(location_id));
}

HIGHLEVEL_DECL boost::asio::awaitable<bulk_install_report> oauth_app::install_locations(
    std::string company_id, std::size_t concurrency) {
    return service_->install_all(std::move(company_id), concurrency);
}

HIGHLEVEL_DECL boost::asio::awaitable<std::vector<installed_location>>
oauth_app::installed_locations(std::string company_id) {
    return service_->installed(std::move(company_id));
}

HIGHLEVEL_DECL boost::asio::awaitable<void> oauth_app::uninstall(resource what) {
    return service_->uninstall(std::move(what));
}

HIGHLEVEL_DECL boost::asio::awaitable<void> oauth_app::forget(resource what) {
    return service_->forget(std::move(what));
}

HIGHLEVEL_DECL boost::asio::awaitable<bool> oauth_app::finish(std::chrono::milliseconds patience) {
    return service_->finish(patience);
}

HIGHLEVEL_DECL boost::asio::awaitable<std::vector<resource>> oauth_app::resources() {
    return service_->list();
}

} // namespace highlevel::auth
