// SPDX-License-Identifier: BSL-1.0
//
// Builds a client: the way of one call from token to decoded body, written once for every
// operation.
#pragma once

#include <highlevel/auth/impl/timed_source.ipp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/client.hpp>
#include <highlevel/client_options.hpp>
#include <highlevel/detail/call_report.hpp>
#include <highlevel/detail/cancelled.hpp>
#include <highlevel/detail/classify.hpp>
#include <highlevel/detail/config.hpp>
#include <highlevel/detail/deadline.hpp>
#include <highlevel/detail/encode_operation.hpp>
#include <highlevel/detail/operation_failure.hpp>
#include <highlevel/detail/random.hpp>
#include <highlevel/detail/share.hpp>
#include <highlevel/detail/sleepers.hpp>
#include <highlevel/detail/what_of.hpp>
#include <highlevel/http/http1_transport.hpp>
#include <highlevel/impl/pages.ipp>
#include <highlevel/json/decode.hpp>
#include <highlevel/quota/limiter.hpp>
#include <highlevel/retry.hpp>
#include <highlevel/trace_parent.hpp>

#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/json/parse.hpp>
#include <boost/system/errc.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::detail {

/// Whether the same request would fail the same way again.
[[nodiscard]] inline bool is_final(const error_code& code) noexcept {
    if (code.category() != client_category()) return true;
    switch (static_cast<errc>(code.value())) {
    case errc::resolve_failed:
    case errc::connect_failed:
    case errc::proxy_failed:
    case errc::tls_failed:
    case errc::connection_lost:
    case errc::circuit_open:
    case errc::timeout: return false;
    default: return true;
    }
}

/// The status that a body claims for itself when it contradicts a 2xx, or 0. Some operations answer
/// 200 with {"status":404,...}.
[[nodiscard]] inline unsigned refusal_in_body(const http::response& reply) {
    constexpr std::size_t largest_error_body = 4096;
    std::string_view const body{reply.body};
    if (body.size() > largest_error_body || body.empty()) return 0;
    // Not string_view's find, which stops at every quote.
    static constexpr std::string_view member = "\"status";
    static const std::boyer_moore_horspool_searcher finder{member.begin(), member.end()};
    if (std::search(body.begin(), body.end(), finder) == body.end()) return 0;
    boost::system::error_code ec;
    auto const root = boost::json::parse(boost::json::string_view{body.data(), body.size()}, ec);
    if (ec || !root.is_object()) return 0;
    for (auto const* key : {"statusCode", "status"}) {
        auto const* const v = root.get_object().if_contains(key);
        if (v != nullptr && v->is_int64() && v->get_int64() >= 400 && v->get_int64() < 600)
            return static_cast<unsigned>(v->get_int64());
    }
    return 0;
}

/// The `traceId` of a decoded value, typed or not.
[[nodiscard]] inline std::string find_trace_id(const json::type& type, const void* target) {
    auto const in_object = [](const json::object& o) { return string_member(o, "traceId"); };
    if (type.what == json::kind::value) {
        auto const& v = *static_cast<const json::value*>(target);
        return v.is_object() ? in_object(v.get_object()) : std::string{};
    }
    if (type.what != json::kind::structure) return {};
    auto const* const base = static_cast<const char*>(target);
    for (auto const& f : type.fields()) {
        if (f.name != "traceId") continue;
        const void* member = base + f.offset;
        const json::type* of = f.of;
        if (of->what == json::kind::optional || of->what == json::kind::nullable) {
            member = of->get(member);
            of = of->inner;
        }
        if (member == nullptr || of->what != json::kind::string) return {};
        return *static_cast<const std::string*>(member);
    }
    if (type.unknown_fields == json::type::npos) return {};
    const void* const unknown = base + type.unknown_fields;
    if (type.unknown_is_lazy)
        return std::string(static_cast<const json::lazy_object*>(unknown)->text_of("traceId"));
    return in_object(*static_cast<const json::object*>(unknown));
}

/// A permit that is asked for, waited for and held, and what is to become of it if nobody takes it:
/// it counts as not used until send(), and as lost from then on. The observer is told.
class held_permit {
public:
    /// `report` may be null.
    explicit held_permit(call_report* report) noexcept : told_(report) {}
    held_permit(const held_permit&) = delete;
    held_permit& operator=(const held_permit&) = delete;
    ~held_permit() {
        // One that came too late for its call to hear of is only given back.
        if (!*this || told_.queued()) return;
        if (auto* const report = told_.report(); report != nullptr)
            report->settled(sent_ ? permit_end::lost : permit_end::unsent);
        if (sent_) asked_.result().permit().lost();
    }

    /// Whether there is a permit.
    [[nodiscard]] explicit operator bool() const noexcept { return asked_.granted(); }

    /// Asks for one; while there is none.
    void ask(quota::limiter& of, std::string_view resource, const quota::acquire_options& terms) {
        sent_ = false;
        told_.begin();
        asked_.ask(of, resource, terms);
    }

    [[nodiscard]] quota::limiter::acquisition& asked() noexcept { return asked_; }
    [[nodiscard]] call_report::wait& told() noexcept { return told_; }

    /// A request is about to be sent on it.
    void send() noexcept { sent_ = true; }

    /// Hands it to who settles it.
    [[nodiscard]] quota::permit take() noexcept { return asked_.result().permit(); }

private:
    quota::limiter::acquisition asked_;
    call_report::wait told_;
    bool sent_ = false;
};

class client_core final : public core, public std::enable_shared_from_this<client_core> {
public:
    using clock = std::chrono::steady_clock;

    client_core(asio::any_io_executor executor, client_options options)
        : executor_(std::move(executor)),
          options_(std::move(options)),
          transport_(make_transport()),
          limiter_(executor_, options_.limits),
          budget_(options_.retry.budget) {}

    [[nodiscard]] asio::any_io_executor executor() const noexcept override { return executor_; }

    [[nodiscard]] prepared_call prepare(
        const operation_meta& meta,
        const void* op,
        const std::shared_ptr<const account_ref>& account,
        const call_options& options) override {
        prepared_call call;
        call.meta = &meta;
        call.account = account;
        call.options(options);
        // First the token's kind: on the wrong kind of account the ids are often missing, too, and
        // to name them would only send the caller the wrong way.
        if (auto const own = kinds_of(account->kind);
            meta.tokens != token_kinds::none && (meta.tokens & own) == token_kinds::none) {
            auto data = describe(call);
            data.detail = account->kind == auth::resource_kind::location
                ? "a company's token is needed: make the call with client.company(id)"
                : "a location's token is needed: make the call with client.location(id)";
            data.hint = scopes_hint("the operation's scopes:", meta.scopes);
            call.refused = fail(make_error_code(errc::wrong_token_kind), std::move(data));
            return call;
        }
        // Those of a usual call, and its token.
        call.request.fields.reserve(6, 160);
        auto problem = encode_operation(meta, op, *account, call.request);
        if (problem.error) {
            auto data = describe(call);
            data.detail = std::move(problem.detail);
            call.refused = fail(problem.error, std::move(data));
            return call;
        }
        call.request.fields.add(
            "Version", options.version.empty() ? meta.version : options.version);
        if (meta.gives == reply::raw) call.request.fields.add("Accept", "*/*");
        complete(call);
        return call;
    }

    [[nodiscard]] prepared_call prepare_raw(
        http::request request,
        const std::shared_ptr<const account_ref>& account,
        const call_options& options) override {
        prepared_call call;
        call.account = account;
        call.options(options);
        call.request = std::move(request);
        if (!options.version.empty()) call.request.fields.set("Version", options.version);
        if (!call.request.fields.contains("Version"))
            call.request.fields.add("Version", "2021-07-28");
        if (!call.request.body.empty() && !call.request.fields.contains("Content-Type"))
            call.request.fields.add("Content-Type", "application/json");
        complete(call);
        return call;
    }

    // All of a call that waits is held by this frame and those of the limiter or the transport, and
    // g++ 12 gives each variable of a frame a place of its own. So what is needed between two
    // suspensions only is done in plain functions, and what few calls need lies elsewhere.
    [[nodiscard]] asio::awaitable<void> perform(prepared_call& call, call_outcome& out) override {
        if (!begin(call, out)) co_return;
        progress state{options_, call, budget_, out.report.get()};
        try {
            // What ends the call before it is sent, an exception too, leaves the permit unused.
            held_permit held{state.report};
            for (bool again = in_time(call, state, out); again;) {
                // First the token: an account that has none should learn so without waiting in a
                // queue.
                std::shared_ptr<const auth::secret> token;
                if (!try_authorize(call, state, token)) {
                    if (!co_await authorize(call, state, token, out)) break;
                }
                // One that is cancelled already would not be woken in the queue.
                if (must_end(co_await asio::this_coro::cancellation_state)) {
                    abort(call, state, out);
                    break;
                }
                if (!ask_permit(call, state, held)) co_await held.asked().wait();
                auto const step =
                    admit(call, state, held, co_await asio::this_coro::cancellation_state, out);
                if (step == admission::none) break;
                if (step == admission::after_long) continue;

                // From here to the exchange nothing suspends, so that nothing can end the call in
                // between.
                again = false;
                if (token) put_token(call.request, *token);
                std::unique_ptr<failed_attempt> failed;
                bool answered = false;
                try {
                    auto answer = co_await send(call, state, held);
                    answered = true;
                    failed = take(answer.get(), call, state, held, token.get(), out);
                } catch (...) {
                    if (answered) throw;
                    failed =
                        take_broken(std::current_exception(), call, state, held, token.get(), out);
                }
                if (!failed) break;

                // In a cancelled coroutine nothing is awaited: that throws, and what is known of
                // the failure is lost.
                if (must_end(co_await asio::this_coro::cancellation_state))
                    cut_recovery(failed, call, state, token.get(), out);
                else
                    again = co_await recover(failed, call, state, token, out);
            }
        } catch (...) {
            fail_with(std::current_exception(), call, state, out);
        }
        // A success ends when it is decoded.
        if (out.failure && out.report) out.report->end(out);
    }

    void decode(
        const operation_meta* meta,
        const json::type& type,
        void* target,
        call_outcome& outcome) override {
        read(meta, type, target, outcome);
        if (!outcome.report) return;
        if (!outcome.failure && !outcome.parts->bent.empty())
            outcome.report->to().on_diagnostics(outcome.report->info(), outcome.parts->bent);
        outcome.report->end(outcome);
    }

    /// The work of decode().
    void read(
        const operation_meta* meta,
        const json::type& type,
        void* target,
        call_outcome& outcome) const {
        auto& parts = *outcome.parts;
        auto& reply = parts.reply;
        if (parts.streamed) return;
        if (meta != nullptr && meta->gives == reply::raw) {
            *static_cast<std::string*>(target) = reply.body;
            return;
        }
        prepared_call named;
        named.meta = meta;
        auto const refuse = [&](error_code code, std::string detail, cause why) {
            auto data = describe(named);
            data.status = reply.status;
            data.attempts = parts.attempts;
            data.may_have_been_processed = true;
            data.detail = std::move(detail);
            data.cause = why;
            data.body = reply.body;
            outcome.failure = fail(code, std::move(data));
        };
        if (auto const claimed = refusal_in_body(reply); claimed != 0) {
            auto const body = read_error_body(reply.body);
            auto as_refusal = reply;
            as_refusal.status = claimed;
            auto data = describe(named);
            fill_refusal(data, as_refusal, body, meta);
            data.status = reply.status;
            data.attempts = parts.attempts;
            data.may_have_been_processed = true;
            data.detail = "the body of a success reports status " + std::to_string(claimed);
            outcome.failure = fail(make_error_code(errc::refused_in_body), std::move(data));
            return;
        }
        json::decode_options how;
        how.strict = options_.strict_decoding;
        json::object beside;
        how.beside = &beside;
        auto const decoded =
            json::decode(std::string_view{reply.body}, type, target, how, parts.bent);
        if (!decoded) {
            // A raw request may answer anything; its text is in body().
            if (meta == nullptr) return;
            bool const strict = decoded.code == errc::decode_failed;
            std::string detail = decoded.text;
            if (!strict && looks_like_html(reply.body)) detail = "the body is an HTML page";
            refuse(
                make_error_code(strict ? errc::decode_failed : errc::unexpected_content),
                std::move(detail), cause::bad_response);
            return;
        }
        parts.trace_id = find_trace_id(type, target);
        if (parts.trace_id.empty()) parts.trace_id = string_member(beside, "traceId");
    }

    [[nodiscard]] std::shared_ptr<page_source> open_pages(
        const listing& what,
        const std::shared_ptr<const account_ref>& account,
        const page_options& options) override {
        json::decode_options how;
        how.strict = options_.strict_decoding;
        return share<page_fetcher>(account, what, options, how);
    }

    [[nodiscard]] quota::bucket_snapshot snapshot(const account_ref& account) const override {
        return limiter_.snapshot(account.key);
    }

    /// Lends what a source of tokens needs; called once, when the core is owned.
    void lend() {
        if (!options_.credentials) return;
        lent_ = share<metered_transport>(weak_from_this());
        auth::attachment what;
        what.executor = executor_;
        what.transport = lent_;
        what.store = options_.token_store;
        what.user_agent = options_.user_agent;
        what.listener = options_.observer;
        options_.credentials.source()->attach(what);
    }

    void shutdown() noexcept override {
        stopped_.store(true, std::memory_order_relaxed);
        if (options_.credentials && lent_) options_.credentials.source()->detach(*lent_);
        limiter_.shutdown();
        sleepers_.end();
        transport_->close();
        tokens_.close();
    }

private:
    /// What tokens are renewed through. The client's own transport ends its exchanges with the
    /// client; a renewal that the server has done would then be lost, and with it the connection to
    /// HighLevel. So this one is closed when the last renewal has ended, which is within seconds. A
    /// transport that the user gave serves both.
    class token_transport {
    public:
        class use {
        public:
            use(token_transport& of, const client_core& core) : of_(of) {
                std::shared_ptr<http::transport> made; // the lock is not held when it goes
                std::unique_lock lock{of_.mutex_};
                if (!of_.own_) {
                    // Reads files of certificates: the end of the client must not wait for that.
                    lock.unlock();
                    made = core.make_transport();
                    lock.lock();
                    if (!of_.own_) of_.own_ = made;
                }
                transport_ = of_.own_;
                ++of_.users_;
            }
            use(const use&) = delete;
            use& operator=(const use&) = delete;
            ~use() { of_.leave(); }

            [[nodiscard]] const std::shared_ptr<http::transport>& transport() const noexcept {
                return transport_;
            }

        private:
            token_transport& of_;
            std::shared_ptr<http::transport> transport_;
        };

        void close() noexcept {
            std::lock_guard const lock{mutex_};
            closing_ = true;
            if (users_ == 0 && own_) own_->close();
        }

    private:
        void leave() noexcept {
            std::lock_guard const lock{mutex_};
            if (--users_ == 0 && closing_) own_->close();
        }

        std::mutex mutex_;
        std::shared_ptr<http::transport> own_;
        int users_ = 0;
        bool closing_ = false;
    };

    /// The transport for requests of the credentials, which take permits like calls.
    class metered_transport final : public http::transport {
    public:
        explicit metered_transport(std::weak_ptr<client_core> core) : core_(std::move(core)) {}

        [[nodiscard]] asio::awaitable<http::exchange_result> exchange(
            const http::request& r, http::exchange_options options) override {
            auto const core = core_.lock();
            http::exchange_result out;
            out.error = asio::error::operation_aborted;
            if (!core || core->stopped_.load(std::memory_order_relaxed)) co_return out;
            if (options.group.empty()) {
                std::optional<token_transport::use> used;
                try {
                    used.emplace(core->tokens_, *core);
                } catch (const std::exception& e) {
                    // A file of certificates is no longer what it was when the client was made.
                    out.error = make_error_code(boost::system::errc::io_error);
                    out.detail = e.what();
                    co_return out;
                }
                co_return co_await client_core::exchange(*used->transport(), r, options);
            }
            quota::acquire_options how;
            if (options.deadline) how.deadline = *options.deadline;
            held_permit held{nullptr};
            held.ask(core->limiter_, options.group, how);
            if (!held.asked().ready()) co_await held.asked().wait();
            auto const stop = co_await asio::this_coro::cancellation_state;
            held.asked().woken(stop);
            if (!held) {
                out.error = translate(held.asked().result().error());
                co_return out;
            }
            if (cancelled(stop)) co_return out;
            held.send();
            out = co_await client_core::exchange(*core->transport_, r, options);
            quota::rate_headers learned;
            (void)settle(held.take(), out, learned);
            co_return out;
        }
        void close() noexcept override {}

    private:
        std::weak_ptr<client_core> core_;
    };

    [[nodiscard]] std::shared_ptr<http::transport> make_transport() const {
        if (options_.transport) return options_.transport;
        return http::make_transport(
            executor_, http::uri{options_.base_url}, options_.tls, options_.pool, options_.timeouts,
            options_.proxy, options_.observer);
    }

    /// An attempt that did not succeed, while it is decided what comes after it.
    class failed_attempt {
    public:
        failed_attempt() = default;

        failure_data data;
        error_code code;
        attempt_outcome ended;
        http::phase_times times;
        /// Before the next attempt.
        std::chrono::milliseconds pause{0};
        bool token_refused = false;
        /// Its token is renewed, or was asked to be; whether that gave another one.
        bool renewing = false;
        bool renewed = false;
    };

    /// What one call has gone through so far.
    class progress {
    public:
        /// Where the call is while it is not on the network.
        enum class stage : std::uint8_t { other, token, permit, pause };

        progress(
            const client_options& options,
            const prepared_call& call,
            retry_budget& budget,
            call_report* told)
            : report(told),
              policy(
                  options.retry,
                  budget,
                  call.meta != nullptr ? call.meta->idempotent != idempotency::neither
                                       : is_idempotent(call.request.verb),
                  call.options().retry,
                  call.options().max_attempts) {
            auto const timeout = call.options().timeout.value_or(options.timeouts.total);
            if (timeout != std::chrono::milliseconds::zero())
                deadline = after(since_, std::max(timeout, std::chrono::milliseconds::zero()));
        }

        /// The deadline does not count a time.
        void extend(std::chrono::nanoseconds time) noexcept {
            deadline = time < clock::time_point::max() - deadline ? deadline + time
                                                                  : clock::time_point::max();
        }

        /// Tells the observer; null when there is none.
        call_report* report;
        retry_policy policy;
        clock::time_point deadline = clock::time_point::max();
        int attempts = 0;
        bool renewed = false;
        bool requeued = false;
        /// A kept connection turned out closed.
        bool stale = false;
        bool may_have_been_processed = false;
        /// What the server said when it put the call back into the queue (429).
        std::unique_ptr<failed_attempt> refusal;
        std::chrono::nanoseconds waited{0};
        std::chrono::nanoseconds took{0};

        /// The stage that was left gets the time since it was entered.
        void enter(stage next) noexcept {
            auto const now = clock::now();
            if (stage_ == stage::token) token_ += now - since_;
            if (stage_ == stage::permit) permit_ += now - since_;
            if (stage_ == stage::pause) pause_ += now - since_;
            stage_ = next;
            since_ = now;
        }
        [[nodiscard]] bool in(stage s) const noexcept { return stage_ == s; }
        /// Since when the call is where it is.
        [[nodiscard]] clock::time_point since() const noexcept { return since_; }
        /// The times of an attempt that failed; of a success nobody asks.
        void add(const http::phase_times& network) {
            if (!network_) network_ = std::make_unique<http::phase_times>();
            *network_ += network;
        }
        [[nodiscard]] std::string_view stage_name() const noexcept {
            switch (stage_) {
            case stage::token: return "token";
            case stage::permit: return "permit";
            case stage::pause: return "pause";
            case stage::other: break;
            }
            return {};
        }
        /// The failure's data, with where the time went.
        [[nodiscard]] failure_data ended(failure_data data) noexcept {
            enter(stage::other);
            data.times.token = token_;
            data.times.permit = permit_;
            data.times.pause = pause_;
            if (network_) data.times.network = *network_;
            return data;
        }

    private:
        std::chrono::nanoseconds token_{0};
        std::chrono::nanoseconds permit_{0};
        std::chrono::nanoseconds pause_{0};
        std::unique_ptr<http::phase_times> network_;
        clock::time_point since_ = clock::now();
        stage stage_ = stage::other;
    };

    static token_kinds kinds_of(auth::resource_kind kind) noexcept {
        return kind == auth::resource_kind::location ? token_kinds::location : token_kinds::agency;
    }

    /// Whether a call must go no further: its client ends, or its coroutine was cancelled. `stop`
    /// is to be read anew each time: it refers to a state that a source of tokens or a transport of
    /// the caller's, which run in the same thread of coroutines, may replace.
    [[nodiscard]] bool must_end(const asio::cancellation_state& stop) const noexcept {
        return stopped_.load(std::memory_order_relaxed) || cancelled(stop);
    }

    /// What came of an exchange whose transport did not keep its promise not to throw.
    [[nodiscard]] static http::exchange_result broken_exchange(const std::exception_ptr& thrown) {
        http::exchange_result out;
        try {
            std::rethrow_exception(thrown);
        } catch (const boost::system::system_error& e) {
            bool const aborted = e.code() == asio::error::operation_aborted;
            out.error = make_error_code(boost::system::errc::io_error);
            if (aborted) out.error = asio::error::operation_aborted;
            if (!aborted) out.detail = e.what();
        } catch (const std::bad_alloc&) {
            out.error = make_error_code(boost::system::errc::not_enough_memory);
        } catch (...) {
            out.error = make_error_code(boost::system::errc::io_error);
            out.detail = what_of(thrown);
        }
        // How far it came nobody knows.
        out.reached = http::phase::done;
        out.may_have_been_processed = true;
        return out;
    }

    /// An exchange that does not throw, whoever wrote the transport.
    static asio::awaitable<http::exchange_result> exchange(
        http::transport& over, const http::request& r, http::exchange_options options) {
        try {
            co_return co_await over.exchange(r, options);
        } catch (...) {
            co_return broken_exchange(std::current_exception());
        }
    }

    static std::string name_of(const operation_meta* meta) {
        return meta != nullptr ? operation_name(*meta) : std::string{};
    }

    /// The parts of a failure that the call itself gives.
    static failure_data describe(const prepared_call& call) {
        failure_data data;
        data.operation = name_of(call.meta);
        data.verb = call.meta != nullptr ? call.meta->verb : call.request.verb;
        std::string_view const target{call.request.target};
        auto const path = target.substr(0, target.find('?'));
        bool const encoded = path.size() > 1 || call.meta == nullptr;
        data.path = encoded ? path : call.meta->path;
        if (call.meta != nullptr)
            data.scopes.assign(call.meta->scopes.begin(), call.meta->scopes.end());
        return data;
    }

    /// The same, and how far the call came.
    static failure_data describe(const prepared_call& call, const progress& state) {
        auto data = describe(call);
        data.attempts = state.attempts;
        data.may_have_been_processed = state.may_have_been_processed;
        return data;
    }

    static std::unique_ptr<failure> fail(error_code code, failure_data data) {
        if (data.cause == cause::unknown) data.cause = cause_of(code);
        return std::make_unique<failure>(code, std::move(data));
    }

    static void fill_refusal(
        failure_data& data,
        const http::response& reply,
        const error_body& body,
        const operation_meta* meta,
        std::string_view token = {}) {
        auto read = read_refusal(
            reply, body, meta != nullptr ? meta->scopes : std::span<const std::string_view>{},
            token);
        data.cause = read.cause;
        data.hint = std::move(read.hint);
        data.status = reply.status;
        data.messages = body.messages;
        data.trace_id = body.trace_id;
        data.canonical_code = body.canonical_code;
        data.recovery_id = body.contact_id.empty() ? body.conversation_id : body.contact_id;
        data.matching_field = body.matching_field;
        data.body = reply.body;
    }

    /// Fields that every request has.
    void complete(prepared_call& call) {
        auto& fields = call.request.fields;
        if (!fields.contains("Accept")) fields.add("Accept", "application/json");
        if (!fields.contains("User-Agent")) fields.add("User-Agent", options_.user_agent);
        if (!options_.traceparent || fields.contains("traceparent")) return;
        auto const name = name_of(call.meta);
        std::string header;
        try {
            header = options_.traceparent(describe_to_observer(name, call));
        } catch (...) {
            return; // tracing must not fail calls
        }
        // In our own words: what follows in a later version's header is not known to be a field
        // value.
        if (auto const valid = trace_parent::parse(header))
            fields.add("traceparent", valid->text());
    }

    /// Tells the observer; false when the call has failed already.
    [[nodiscard]] bool begin(prepared_call& call, call_outcome& out) {
        if (options_.observer)
            out.report = std::make_shared<call_report>(
                options_.observer, call, 1 + calls_.fetch_add(1, std::memory_order_relaxed));
        if (!call.refused) return true;
        out.failure = std::move(call.refused);
        if (out.report) out.report->end(out);
        return false;
    }

    [[nodiscard]] auth::token_request wanted_token(
        const prepared_call& call, const progress& state) const {
        auth::token_request wanted{
            call.account->kind, call.account->id,
            call.meta != nullptr ? call.meta->tokens : token_kinds::any};
        wanted.asker = lent_.get();
        wanted.deadline = state.deadline;
        return wanted;
    }

    /// False when the call's deadline had passed before it began.
    [[nodiscard]] static bool in_time(
        const prepared_call& call, const progress& state, call_outcome& out) {
        if (state.since() < state.deadline) return true;
        auto data = describe(call, state);
        data.detail = "the deadline had passed already";
        out.failure = fail(make_error_code(errc::timeout), std::move(data));
        return false;
    }

    /// Ends the call with what was thrown on its way.
    static void fail_with(
        const std::exception_ptr& thrown,
        const prepared_call& call,
        progress& state,
        call_outcome& out) {
        error_code code;
        std::string why;
        try {
            std::rethrow_exception(thrown);
        } catch (const boost::system::system_error& e) {
            // Asio throws operation_aborted at the next co_await of a cancelled coroutine.
            code = e.code() ? e.code() : make_error_code(boost::system::errc::io_error);
            if (code != asio::error::operation_aborted) why = e.what();
        } catch (const std::bad_alloc&) {
            code = make_error_code(boost::system::errc::not_enough_memory);
        } catch (...) {
            // A source of tokens or a ledger of the caller's.
            code = state.stage_name() == "token" ? make_error_code(errc::no_token)
                                                 : make_error_code(boost::system::errc::io_error);
            why = what_of(thrown);
        }
        auto data = describe(call, state);
        data.phase = state.stage_name();
        data.detail = std::move(why);
        out.failure = fail(code, state.ended(std::move(data)));
    }

    /// Ends the call as cancelled, or as ended by its client.
    static void abort(const prepared_call& call, progress& state, call_outcome& out) {
        if (state.requeued && state.refusal) {
            end_after(asio::error::operation_aborted, *state.refusal, state, out);
            return;
        }
        auto data = describe(call, state);
        data.phase = state.stage_name();
        out.failure = fail(asio::error::operation_aborted, state.ended(std::move(data)));
    }

    /// Asks for a permit unless there is one; false when it is to be waited for.
    [[nodiscard]] bool ask_permit(const prepared_call& call, progress& state, held_permit& held) {
        if (held) return true;
        state.waited = std::chrono::nanoseconds::zero();
        quota::acquire_options how;
        how.lane = call.options().lane;
        how.deadline = state.deadline;
        how.wait_past_deadline = call.options().wait_past_deadline;
        how.retry = state.requeued;
        held.ask(limiter_, call.account->key, how);
        if (held && !state.requeued) {
            held.told().end({});
            return true;
        }
        state.enter(progress::stage::permit);
        held.told().queue();
        return held.asked().ready();
    }

    enum class admission : std::uint8_t {
        none,       // the call has ended
        after_long, // a token that was taken before the wait may have been rotated meanwhile
        now,
    };

    /// What comes when there is a permit, or will be none.
    [[nodiscard]] admission admit(
        const prepared_call& call,
        progress& state,
        held_permit& held,
        const asio::cancellation_state& stop,
        call_outcome& out) {
        if (state.in(progress::stage::permit)) {
            held.asked().woken(stop);
            if (!held) {
                stay_out(call, state, held, out);
                return admission::none;
            }
            held.told().end({});
            constexpr std::chrono::seconds fresh{1};
            auto const began = state.since();
            state.enter(progress::stage::other);
            state.waited = state.since() - began;
            if (call.options().wait_past_deadline) state.extend(state.waited);
            if (state.waited > fresh) return admission::after_long;
        }
        if (!must_end(stop)) return admission::now;
        abort(call, state, out);
        return admission::none;
    }

    /// The call fails, as it gets no permit.
    static void stay_out(
        const prepared_call& call, progress& state, held_permit& held, call_outcome& out) {
        auto const got = held.asked().result();
        auto code = translate(got.error());
        held.told().end(code);
        if (code == asio::error::operation_aborted) {
            abort(call, state, out);
            return;
        }
        auto data = describe(call, state);
        // The server asked for a pause that is too long: its words tell more than ours.
        if (code == errc::permit_timeout && state.requeued && state.refusal) {
            code = state.refusal->code;
            data = std::move(state.refusal->data);
        }
        data.retry_in = got.retry_in();
        data.phase = state.stage_name();
        out.failure = fail(code, state.ended(std::move(data)));
    }

    static error_code translate(const error_code& code) noexcept {
        if (code == quota::errc::queue_full) return make_error_code(errc::queue_full);
        if (code == quota::errc::deadline_too_soon) return make_error_code(errc::permit_timeout);
        if (code == quota::errc::daily_exhausted) return make_error_code(errc::daily_exhausted);
        if (code == quota::errc::aborted) return asio::error::operation_aborted;
        return code;
    }

    /// Gets the bearer token when it is at hand, or none is wanted; false also for what authorize()
    /// will meet again, and tell.
    [[nodiscard]] bool try_authorize(
        const prepared_call& call,
        const progress& state,
        std::shared_ptr<const auth::secret>& token) const noexcept {
        auto const wanted = wanted_token(call, state);
        if (wanted.accepted == token_kinds::none) return true;
        auto const& source = options_.credentials.source();
        if (!source) return false;
        try {
            auto granted = source->try_authorize(wanted);
            if (granted.error || !granted.token) return false;
            token = std::move(granted.token);
            return true;
        } catch (...) {
            return false;
        }
    }

    /// Gets the bearer token; false when the call has failed.
    asio::awaitable<bool> authorize(
        prepared_call& call,
        progress& state,
        std::shared_ptr<const auth::secret>& token,
        call_outcome& out) {
        auto const wanted = wanted_token(call, state);
        state.enter(progress::stage::token);
        if (must_end(co_await asio::this_coro::cancellation_state)) {
            abort(call, state, out);
            co_return false;
        }
        auth::grant granted{make_error_code(errc::no_token), "the client has no credentials"};
        if (auto const& source = options_.credentials.source()) {
            granted = co_await source->authorize(wanted);
            // A source whose client ends lets those go who wait for it, whatever it tells them.
            if (must_end(co_await asio::this_coro::cancellation_state)) {
                abort(call, state, out);
                co_return false;
            }
        }
        if (granted.error) {
            auto data = describe(call, state);
            data.detail = std::move(granted.detail);
            if (granted.error == errc::wrong_token_kind && call.meta != nullptr)
                data.hint = scopes_hint("the operation's scopes:", call.meta->scopes);
            auto const why = cause_of(granted.error);
            if (why == cause::cancelled || why == cause::timeout || why == cause::network ||
                why == cause::tls)
                data.phase = state.stage_name();
            if (granted.refusal) auth::detail::tell_refusal(data, *granted.refusal);
            out.failure = fail(granted.error, state.ended(std::move(data)));
            co_return false;
        }
        token = std::move(granted.token);
        state.enter(progress::stage::other);
        co_return true;
    }

    /// Asks for another token in place of a refused one. False too when that throws: the server's
    /// refusal tells more.
    asio::awaitable<bool> renew(
        const prepared_call& call,
        progress& state,
        const std::shared_ptr<const auth::secret>& refused) {
        try {
            auto const wanted = wanted_token(call, state);
            co_return co_await options_.credentials.source()->renew(wanted, refused);
        } catch (...) {
            co_return false;
        }
    }

    static void put_token(http::request& into, const auth::secret& token) {
        std::string bearer{"Bearer "};
        bearer += token.reveal();
        into.fields.set("Authorization", bearer);
        auth::secret::wipe(bearer.data(), bearer.size());
    }

    /// Begins an exchange; the permit counts as used from here on.
    [[nodiscard]] asio::awaitable<std::shared_ptr<http::exchange_result>> send(
        const prepared_call& call, progress& state, held_permit& held) {
        held.send();
        // The observer is told how long the exchange took, without what itself did before it.
        if (state.report != nullptr) state.enter(progress::stage::other);
        http::exchange_options bounds;
        bounds.deadline = state.deadline;
        bounds.group = call.account->key;
        bounds.max_body = options_.max_response_body;
        bounds.limits = call.options().timeouts;
        bounds.sink = call.options().sink;
        // Where one connection was closed the next may be, too: that one is looked at.
        auto const verb = call.request.verb;
        bounds.repeatable =
            (verb == method::get || verb == method::head) && !state.stale && state.policy.repeats();
        return transport_->exchange_on_heap(call.request, bounds);
    }

    /// Takes account of an exchange that has ended, and takes its response if that is a success;
    /// gives what is known of any other. Null is one for which there was no memory before it was
    /// sent.
    [[nodiscard]] static std::unique_ptr<failed_attempt> take(
        http::exchange_result* ended,
        const prepared_call& call,
        progress& state,
        held_permit& held,
        const auth::secret* token,
        call_outcome& out) {
        if (ended == nullptr) {
            http::exchange_result none;
            none.error = make_error_code(boost::system::errc::not_enough_memory);
            return take(&none, call, state, held, token, out);
        }
        auto& answer = *ended;
        if (state.report != nullptr) state.took = clock::now() - state.since();
        ++state.attempts;
        quota::rate_headers learned;
        auto const retry_after = settle(held.take(), answer, learned, state.report);
        if (!answer.ok() || answer.reply.status < 200 || answer.reply.status >= 300)
            return examine(answer, retry_after, call, state, token);
        state.policy.succeeded();
        // Should there be no memory for the answer.
        state.may_have_been_processed = true;
        out.parts = std::make_unique<response_parts>();
        out.parts->reply = std::move(answer.reply);
        out.parts->quota = learned;
        out.parts->streamed = call.options().sink != nullptr;
        out.parts->attempts = state.attempts;
        tell(state, answer.times, out.parts->reply.status, {});
        return nullptr;
    }

    /// The same for an exchange that threw.
    [[nodiscard]] static std::unique_ptr<failed_attempt> take_broken(
        const std::exception_ptr& thrown,
        const prepared_call& call,
        progress& state,
        held_permit& held,
        const auth::secret* token,
        call_outcome& out) {
        auto answer = broken_exchange(thrown);
        return take(&answer, call, state, held, token, out);
    }

    /// What an answer that is no success means.
    [[nodiscard]] static std::unique_ptr<failed_attempt> examine(
        http::exchange_result& answer,
        std::optional<std::chrono::milliseconds> retry_after,
        const prepared_call& call,
        progress& state,
        const auth::secret* token) {
        auto made = std::make_unique<failed_attempt>();
        made->times = answer.times;
        state.add(answer.times);
        auto& data = made->data = describe(call, state);
        auto& ended = made->ended;
        bool processed = answer.may_have_been_processed;
        made->code = answer.error;
        if (answer.ok()) {
            auto const body = read_error_body(answer.reply.body);
            auto const sent = token != nullptr ? token->reveal() : std::string_view{};
            fill_refusal(data, answer.reply, body, call.meta, sent);
            made->code = make_status_code(answer.reply.status);
            ended.status = answer.reply.status;
            ended.retry_after = data.retry_in = retry_after;
            ended.final = data.cause == cause::daily_limit;
            ended.dressed_timeout = data.cause == cause::server_error && answer.reply.status < 500;
            // An ended OAuth token is refused in the words that a v1 key is.
            made->token_refused = data.cause == cause::invalid_token || data.cause == cause::v1_key;
            // These are refused at the gate, before anything is done.
            if (answer.reply.status == 429 || (answer.reply.status == 401 && made->token_refused))
                processed = false;
        } else {
            data.detail = std::move(answer.detail);
            if (answer.reached != http::phase::done) data.phase = to_string(answer.reached);
            ended.final = is_final(made->code) || answer.final || clock::now() >= state.deadline;
            ended.free = made->code == errc::circuit_open;
            ended.stale = answer.stale;
            state.stale = state.stale || answer.stale;
            ended.surely_not_processed = !answer.may_have_been_processed;
            ended.retry_after = data.retry_in = answer.retry_in;
        }
        state.may_have_been_processed = state.may_have_been_processed || processed;
        data.may_have_been_processed = state.may_have_been_processed;
        return made;
    }

    /// Whether the token is to be renewed, which is done once per call; notes that it begins.
    [[nodiscard]] static bool may_renew(
        failed_attempt& failed, progress& state, const auth::secret* token) noexcept {
        if (!failed.token_refused || state.renewed || token == nullptr) return false;
        state.renewed = failed.renewing = true;
        state.enter(progress::stage::token);
        return true;
    }

    /// What is done after an attempt that failed and before another one; false when none comes.
    [[nodiscard]] asio::awaitable<bool> recover(
        std::unique_ptr<failed_attempt>& failed,
        const prepared_call& call,
        progress& state,
        const std::shared_ptr<const auth::secret>& token,
        call_outcome& out) {
        using verdict = retry_policy::verdict;
        if (may_renew(*failed, state, token.get())) {
            failed->renewed = co_await renew(call, state, token);
            if (must_end(co_await asio::this_coro::cancellation_state)) {
                cut_renewal(*failed, state, out);
                co_return false;
            }
        }
        auto const next = decide(failed, call, state, out);
        if (next != verdict::pause) co_return next == verdict::requeue;
        state.enter(progress::stage::pause);
        auto const ec = co_await sleepers_.sleep(failed->pause);
        if (ec)
            end_after(ec, *failed, state, out);
        else
            state.enter(progress::stage::other);
        co_return !ec;
    }

    /// The call ends before any of that.
    void cut_recovery(
        std::unique_ptr<failed_attempt>& failed,
        const prepared_call& call,
        progress& state,
        const auth::secret* token,
        call_outcome& out) {
        using verdict = retry_policy::verdict;
        if (may_renew(*failed, state, token)) {
            cut_renewal(*failed, state, out);
            return;
        }
        failed->ended.free = true; // what is not sent takes nothing of the budget
        switch (decide(failed, call, state, out, true)) {
        case verdict::give_up: return;
        case verdict::requeue: abort(call, state, out); return;
        case verdict::pause: state.enter(progress::stage::pause); break;
        }
        end_after(asio::error::operation_aborted, *failed, state, out);
    }

    /// The call ends while its token is renewed.
    static void cut_renewal(failed_attempt& failed, progress& state, call_outcome& out) {
        tell(state, failed.times, failed.ended.status, failed.code);
        end_after(asio::error::operation_aborted, failed, state, out);
    }

    /// What comes after an attempt that failed, unless the call is `cut` now; sets `out` when
    /// nothing does. Keeps what a server said that put the call back into the queue.
    [[nodiscard]] retry_policy::verdict decide(
        std::unique_ptr<failed_attempt>& attempt,
        const prepared_call& call,
        progress& state,
        call_outcome& out,
        bool cut = false) {
        using verdict = retry_policy::verdict;
        auto& failed = *attempt;
        auto& ended = failed.ended;
        if (failed.renewing) state.enter(progress::stage::other);
        // For a call that is not to be sent twice the token was renewed all the same: for the next.
        if (failed.renewed && call.options().retry != retry_mode::never) {
            state.requeued = false;
            tell(state, failed.times, ended.status, failed.code, retry_reason::token_renewed);
            // As a call that was not refused before: its permit is not the first of the queue.
            return verdict::requeue;
        }
        if (state.deadline != clock::time_point::max())
            ended.time_left = std::chrono::duration_cast<std::chrono::milliseconds>(
                state.deadline - clock::now());
        auto const decision = state.policy.failed(ended, random_.next());
        failed.pause = decision.delay;
        std::optional<retry_reason> why;
        if (decision.what != verdict::give_up) {
            state.requeued = decision.what == verdict::requeue;
            why = state.requeued ? retry_reason::rate_limited : retry_reason::transient;
        }
        if (cut)
            tell(state, failed.times, ended.status, failed.code);
        else
            tell(state, failed.times, ended.status, failed.code, why, decision.delay);
        if (!why)
            out.failure = fail(failed.code, state.ended(std::move(failed.data)));
        else if (state.requeued)
            state.refusal = std::move(attempt);
        return decision.what;
    }

    /// The call ends before its next attempt, with what is known of the last.
    static void end_after(
        const error_code& ec, failed_attempt& failed, progress& state, call_outcome& out) {
        failed.data.phase = state.stage_name();
        failed.data.cause = cause_of(ec);
        out.failure = fail(ec, state.ended(std::move(failed.data)));
    }

    /// Lets the permit's bucket learn from the answer, or from its loss.
    static std::optional<std::chrono::milliseconds> settle(
        quota::permit permit,
        const http::exchange_result& answer,
        quota::rate_headers& learned,
        call_report* report = nullptr) {
        std::optional<std::chrono::milliseconds> retry_after;
        if (!answer.ok()) {
            bool const lost = answer.may_have_been_processed;
            if (lost)
                permit.lost();
            else
                permit.unsent();
            if (report != nullptr) report->settled(lost ? permit_end::lost : permit_end::unsent);
            return retry_after;
        }
        learned = quota::rate_headers{};
        for (auto const field : answer.reply.fields)
            learned.observe(field.name, field.value);
        if (auto const value = answer.reply.fields.find("retry-after"))
            retry_after = quota::parse_retry_after(*value, std::chrono::system_clock::now());
        permit.settle(learned, answer.reply.status, retry_after);
        if (report != nullptr) report->settled(permit_end::settled, answer.reply.status, learned);
        return retry_after;
    }

    /// Tells the observer of an attempt that ended, and of the next one if `again` gives a reason.
    static void tell(
        const progress& state,
        const http::phase_times& times,
        unsigned status,
        const error_code& code,
        std::optional<retry_reason> again = {},
        std::chrono::nanoseconds backoff = {}) {
        if (state.report == nullptr) return;
        attempt_event event;
        event.number = state.attempts;
        event.status = status;
        event.error = code;
        event.waited = state.waited;
        event.took = state.took;
        event.times = times;
        event.retried = again.has_value();
        event.backoff = backoff;
        state.report->to().on_attempt(state.report->info(), event);
        if (!again) return;
        retry_event next;
        next.attempts = state.attempts;
        next.reason = *again;
        next.error = code;
        next.status = status;
        next.backoff = backoff;
        state.report->to().on_retry(state.report->info(), next);
    }

    asio::any_io_executor executor_;
    client_options options_;
    std::shared_ptr<http::transport> transport_;
    /// What the credentials send through.
    std::shared_ptr<http::transport> lent_;
    token_transport tokens_;
    quota::limiter limiter_;
    retry_budget budget_;
    sleepers sleepers_;
    random_spread random_;
    std::atomic<std::uint64_t> calls_{0};
    std::atomic<bool> stopped_{false};
};

} // namespace highlevel::detail

namespace highlevel {

HIGHLEVEL_DECL client::client(asio::any_io_executor executor)
    : client(std::move(executor), client_options{}) {}

HIGHLEVEL_DECL client::client(asio::any_io_executor executor, client_options options) {
    options.validate();
    auto made = detail::share<detail::client_core>(std::move(executor), std::move(options));
    made->lend();
    core_ = std::move(made);
}

template <class>
client_options client_options::from_environment() {
    client_options options;
    auto const take = [](const char* name, std::string& into) {
        if (auto const* text = std::getenv(name); text != nullptr && *text != '\0') into = text;
        return !into.empty();
    };
    std::string token;
    std::string client_id;
    std::string client_secret;
    take("HIGHLEVEL_CLIENT_ID", client_id);
    if (take("HIGHLEVEL_TOKEN", token))
        options.credentials = auth::private_integration{std::move(token)};
    else if (take("HIGHLEVEL_CLIENT_SECRET", client_secret) && !client_id.empty())
        options.credentials =
            auth::oauth_app{std::move(client_id), auth::secret{std::move(client_secret)}};
    take("HIGHLEVEL_BASE_URL", options.base_url);
    take("HTTPS_PROXY", options.proxy.url);
    take("https_proxy", options.proxy.url);
    auto& proxy = options.proxy.url;
    if (!proxy.empty() && proxy.find("://") == std::string::npos) proxy.insert(0, "http://");
    take("NO_PROXY", options.proxy.no_proxy);
    take("no_proxy", options.proxy.no_proxy);
    take("SSL_CERT_FILE", options.tls.ca_file);
    return options;
}

#if defined(HIGHLEVEL_SEPARATE_COMPILATION)
template client_options client_options::from_environment<void>();
#endif

} // namespace highlevel
