// SPDX-License-Identifier: BSL-1.0
//
// The exchange: how a request gets a connection, goes out, and what becomes of both when anything
// fails. All of http1_transport.hpp that needs sockets, TLS and the HTTP parser.
#pragma once

#include <highlevel/detail/cancelled.hpp>
#include <highlevel/detail/deadline.hpp>
#include <highlevel/detail/one_shot.hpp>
#include <highlevel/detail/share.hpp>
#include <highlevel/error.hpp>
#include <highlevel/http/body.hpp>
#include <highlevel/http/circuit_breaker.hpp>
#include <highlevel/http/connection_listener.hpp>
#include <highlevel/http/connector.hpp>
#include <highlevel/http/http1_transport.hpp>
#include <highlevel/http/inflater.hpp>
#include <highlevel/http/message.hpp>
#include <highlevel/http/net_stream.hpp>
#include <highlevel/http/options.hpp>
#include <highlevel/http/pool.hpp>
#include <highlevel/http/proxy.hpp>
#include <highlevel/http/response_parser.hpp>
#include <highlevel/http/stream.hpp>
#include <highlevel/http/tls_context.hpp>
#include <highlevel/http/transport.hpp>
#include <highlevel/http/uri.hpp>
#include <highlevel/http/watchdog.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/errc.hpp>
#include <boost/system/system_error.hpp>

#include <openssl/crypto.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::http {

namespace detail {

/// One connection, from its first look-up to its end.
///
/// Used by one exchange at a time; others only strike() or shut() it.
class connection final : public watched {
public:
    /// `listener` may be null.
    explicit connection(std::shared_ptr<connection_listener> listener)
        : listener_(std::move(listener)) {}
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() override {
        if (!listener_ || opened_at == time_point{}) return;
        connection_close_event event;
        event.reason = shut() ? close_reason::shutdown : ended_by;
        event.requests = requests;
        event.age = clock::now() - opened_at;
        listener_->on_connection_close(event);
    }

    /// Whether close() of the transport ended it.
    [[nodiscard]] bool shut() const noexcept { return shut_.load(); }

    [[nodiscard]] stream& io() noexcept { return *stream_; }

    /// What a waiting coroutine is to be woken by when this connection is struck or shut.
    void wait_at(std::shared_ptr<one_shot> bell) {
        std::lock_guard const lock{mutex_};
        bell_ = std::move(bell);
        if (expired() || shut()) interrupt_locked();
    }

    void install(std::unique_ptr<stream> s) {
        std::lock_guard const lock{mutex_};
        bell_.reset();
        stream_ = std::move(s);
        if (expired() || shut()) interrupt_locked();
    }

    [[nodiscard]] std::unique_ptr<stream> uninstall() {
        std::lock_guard const lock{mutex_};
        return std::move(stream_);
    }

    /// Ends whatever is under way on it, from any thread.
    void shut_down() noexcept {
        shut_.store(true);
        std::lock_guard const lock{mutex_};
        interrupt_locked();
    }

    time_point opened_at{};
    bool reused = false;
    /// How long the server keeps it when it is idle, where it said so.
    std::optional<std::chrono::milliseconds> server_limit;
    /// Since when it has been idle; nothing once a request is sent on it.
    std::optional<time_point> idle_since;
    /// Whether an earlier TLS session was resumed.
    bool resumed = false;
    std::uint64_t requests = 0;
    /// Why it is closed if that happens now. An exchange that does not come to say so was left.
    close_reason ended_by = close_reason::cancelled;

protected:
    void strike() noexcept override {
        std::lock_guard const lock{mutex_};
        interrupt_locked();
    }

    void abandon() noexcept override { shut_down(); }

private:
    void interrupt_locked() noexcept {
        if (bell_) bell_->ring(asio::error::timed_out);
        if (stream_) stream_->interrupt();
    }

    std::shared_ptr<connection_listener> listener_;
    std::mutex mutex_;
    std::shared_ptr<one_shot> bell_;
    std::unique_ptr<stream> stream_;
    std::atomic<bool> shut_{false};
};

/// Working memory of one exchange; handed on from exchange to exchange, so that idle connections
/// hold none of it.
class scratch {
public:
    static constexpr std::size_t input_size = 64 * 1024;

    scratch() : input(std::make_unique_for_overwrite<char[]>(input_size)) {}
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
    ~scratch() { wipe(); }

    /// Removes what was sent, which held the token, from memory.
    void wipe_output() noexcept {
        if (!output.empty()) ::OPENSSL_cleanse(output.data(), output.size());
        output.clear();
    }

    /// Also what was received, which may have been a token.
    void wipe() noexcept {
        wipe_output();
        if (received != 0) ::OPENSSL_cleanse(input.get(), received);
        received = 0;
    }

    /// 64 KiB: with the small buffer that Beast begins with, a page of 128 KB takes 251 reads.
    std::unique_ptr<char[]> input;
    /// So many bytes of `input` have held something.
    std::size_t received = 0;
    /// Grows while it is empty only, so that no copy of a token stays behind.
    std::string output;
};

/// An exchange's result in the making, its limits, and the time at which its phase began.
class trip : public exchange_result {
public:
    trip(time_point begun, const timeouts& own_limits, const asio::cancellation_state& stop)
        : limits(own_limits),
          since_(begun),
          stop_(stop) {}

    /// Whether the caller's coroutine was cancelled.
    [[nodiscard]] bool cancelled() const noexcept { return highlevel::detail::cancelled(stop_); }

    void enter(phase next, time_point now) noexcept {
        times.add(reached, now - since_);
        since_ = now;
        reached = next;
    }

    void end(time_point now) {
        enter(reached, now);
        if (error) reply = response{};
    }

    /// Begins anew on another connection; the time that was spent stays spent.
    void restart(time_point now) {
        enter(reached, now);
        auto const spent = times;
        exchange_result::operator=(exchange_result{});
        times = spent;
        peer.clear();
    }

    timeouts limits;
    time_point deadline = time_point::max();
    /// Whom we are connecting to; for people.
    std::string peer;

private:
    time_point since_;
    asio::cancellation_state stop_;
};

/// exchange_options in less room: few exchanges have limits of their own, or a sink.
class terms {
public:
    explicit terms(const exchange_options& wanted)
        : deadline(wanted.deadline ? std::max(*wanted.deadline, none + clock::duration{1}) : none),
          group(wanted.group),
          max_body(wanted.max_body),
          repeatable(wanted.repeatable) {
        if (wanted.sink != nullptr || !(wanted.limits == phase_timeouts{}))
            rare_ = std::make_unique<const rare>(wanted.limits, wanted.sink);
    }

    [[nodiscard]] timeouts limits(const timeouts& usual) const {
        return rare_ ? usual.with(rare_->limits) : usual;
    }
    [[nodiscard]] body_sink* sink() const noexcept { return rare_ ? rare_->sink : nullptr; }

    /// In place of a deadline: the caller gave none.
    static constexpr time_point none = time_point::min();

    time_point deadline;
    std::string_view group;
    std::size_t max_body;
    bool repeatable;

private:
    class rare {
    public:
        rare(const phase_timeouts& own, body_sink* into) : limits(own), sink(into) {}

        phase_timeouts limits;
        body_sink* sink;
    };

    std::unique_ptr<const rare> rare_;
};

/// What an exchange holds while it waits for a connection. Its trip, which is larger than that,
/// begins when it has one, or when there is a failure to tell.
class prospect {
public:
    prospect(terms& wanted, const asio::cancellation_state& stop) : how(wanted), stop_(stop) {}

    /// Begins the trip, unless that was done before.
    trip& depart(const timeouts& usual) {
        if (!out) {
            out = std::make_shared<trip>(begun, how.limits(usual), stop_);
            out->deadline = how.deadline;
        }
        return *out;
    }

    /// Begins the trip to say that it ended before it began.
    trip& fail(const timeouts& usual, const error_code& ec, std::string_view why = {}) {
        auto& failed = depart(usual);
        failed.error = ec;
        failed.detail = why;
        return failed;
    }

    [[nodiscard]] bool cancelled() const noexcept { return highlevel::detail::cancelled(stop_); }

    /// The exchange's own.
    terms& how;
    time_point begun = clock::now();
    /// Null while there is nothing to say.
    std::shared_ptr<trip> out;

private:
    asio::cancellation_state stop_;
};

/// What every part of the transport shares; owned by the transport and by each exchange under way.
class transport_core : public std::enable_shared_from_this<transport_core> {
public:
    using pool_type = pool<std::shared_ptr<connection>>;

    transport_core(
        asio::any_io_executor executor,
        uri base,
        const tls_options& tls,
        const pool_options& pooling,
        const timeouts& limits,
        const proxy_options& proxying,
        std::shared_ptr<connection_listener> listener)
        : executor_(std::move(executor)),
          base_(std::move(base)),
          proxy_(proxy::choose(proxying, base_)),
          pooling_(pooling),
          limits_(limits),
          trusted_for_(highlevel::detail::bounded(pooling.trusted_for)),
          listener_(std::move(listener)),
          host_field_(base_.host_field()),
          pool_(pooling),
          breaker_(pooling.circuit_threshold, pooling.circuit_pause, pooling.circuit_max_pause) {
        // Giving one back must not fail.
        spare_.reserve(max_spare);
        pooling_.validate();
        limits_.validate();
        if (!base_.secure() && !base_.loopback())
            throw boost::system::system_error{make_error_code(errc::insecure_url), base_.text()};
        if (base_.secure()) tls_ = highlevel::detail::share<tls_context>(tls, base_);
        auto const& peer = proxy_ ? proxy_->address() : base_;
        watchdog_ = highlevel::detail::share<watchdog>(executor_);
        addresses_ = highlevel::detail::share<host_addresses>(
            executor_, peer.host(), peer.port(), pooling_.dns_ttl);
    }

    /// Second step of construction, which needs weak_from_this().
    void begin() {
        watchdog_->on_tick([weak = weak_from_this()](time_point now) {
            auto const self = weak.lock();
            return self ? self->tidy(now) : time_point::max();
        });
    }

    [[nodiscard]] static asio::awaitable<exchange_result> exchange_by_value(
        std::shared_ptr<transport_core> self, const request& r, terms how) {
        auto const out = co_await exchange(std::move(self), r, std::move(how));
        if (out) co_return std::move(*out);
        exchange_result none;
        none.error = make_error_code(boost::system::errc::not_enough_memory);
        co_return none;
    }

    // A crowd of exchanges waits for connections in this frame, and g++ 12 gives each variable of a
    // frame a place of its own. So what is needed between two suspensions only is done in plain
    // functions.
    [[nodiscard]] static asio::awaitable<std::shared_ptr<exchange_result>> exchange(
        std::shared_ptr<transport_core> self, const request& r, terms how) {
        prospect mine{how, co_await asio::this_coro::cancellation_state};
        if (!self->begin(mine, r)) co_return std::move(mine.out);
        presence const here{*self};
        for (int moves = 0;; ++moves) {
            lease held{*self};
            bool again = false;
            // One look is cheaper than another request on a dead connection.
            if (moves != 0) how.repeatable = false;
            try {
                auto next = step::again;
                while (next == step::again) {
                    next = self->look(mine, held);
                    if (next == step::wait) {
                        queued_place at{mine, held};
                        co_await at.bell->wait();
                        next = self->woken(mine, held, at);
                    }
                    if (next == step::reuse) next = self->try_kept(mine, held);
                }
                if (next == step::open) co_await self->open(held, *mine.out);
                if (!mine.out->error) again = co_await self->converse(held, r, how, *mine.out);
            } catch (...) {
                self->caught(mine);
            }
            if (held.link && mine.out) held.link->ended_by = why_closed(held, again, *mine.out);
            // Here and not in a destructor: whoever waits for the place has to be woken.
            held.settle();
            if (!again || moves == max_moves) break;
            self->count(&transport_stats::moved);
            mine.out->restart(clock::now());
        }
        if (mine.out) mine.out->end(clock::now());
        co_return std::move(mine.out);
    }

    void close() noexcept {
        std::vector<std::shared_ptr<connection>> idle;
        {
            std::lock_guard const lock{mutex_};
            closed_.store(true);
            pool_.clear(idle);
            while (auto* w = pool_.drain())
                static_cast<queued_place*>(w)->bell->ring(asio::error::operation_aborted);
        }
        // First, so that an exchange whose look-up ends now knows why.
        for (auto const& w : watchdog_->all())
            static_cast<connection&>(*w).shut_down();
        // Handles to accounts may keep us beyond the execution context, which owns timer and
        // resolver in the end.
        addresses_->end();
        watchdog_->end();
    }

    [[nodiscard]] transport_stats stats() const {
        std::lock_guard const lock{mutex_};
        transport_stats now = counts_;
        now.idle = pool_.idle();
        now.in_use = pool_.in_use();
        now.connecting = pool_.connecting();
        now.waiting = pool_.waiting();
        now.active = present_.load();
        now.circuit_open = breaker_.open();
        return now;
    }

private:
    // A request that finds its kept connection closed by the server moves on; after a restart of
    // the server each of the kept ones may be dead, so the moves must be few and end.
    static constexpr int max_moves = 2;
    // Larger bodies are sent from where they are instead of being copied behind the header.
    static constexpr std::size_t max_joined_body = 64 * 1024;
    // A failure to connect explains for so long why no connection can be had.
    static constexpr std::chrono::minutes error_memory{1};
    // Buffers of 64 KiB that are kept when nobody needs them.
    static constexpr std::size_t max_spare = 64;

    /// Counts an exchange in and out.
    class presence {
    public:
        explicit presence(transport_core& core) : core_(core) {
            core_.present_.fetch_add(1);
            core_.watchdog_->enter();
        }
        presence(const presence&) = delete;
        presence& operator=(const presence&) = delete;
        ~presence() {
            core_.watchdog_->leave();
            core_.present_.fetch_sub(1);
        }

    private:
        transport_core& core_;
    };

    /// What an exchange holds of the pool; gives it back whatever way the exchange ends.
    class lease {
    public:
        enum class state : std::uint8_t { nothing, opening, in_use };

        explicit lease(transport_core& core) : core_(core) {}
        lease(const lease&) = delete;
        lease& operator=(const lease&) = delete;
        // Reached with something in hand only when the coroutine is destroyed in its sleep: nobody
        // is woken then, because the context of those who wait may be going down too.
        ~lease() {
            if (what != state::nothing) core_.give_back(*this, false);
            if (memory) core_.keep(std::move(memory));
        }

        void settle() {
            if (what != state::nothing) core_.give_back(*this, true);
        }

        [[nodiscard]] transport_core& core() const noexcept { return core_; }

        state what = state::nothing;
        circuit_breaker::ticket admitted = circuit_breaker::ticket::refused;
        /// Whether the next may have the connection: as it was kept, or after a whole exchange.
        bool reusable = false;
        /// Whether the kernel was not asked if it is alive.
        bool trusted = false;
        std::shared_ptr<connection> link;
        std::unique_ptr<scratch> memory;

    private:
        transport_core& core_;
    };

    /// How an exchange goes on to its connection.
    enum class step : std::uint8_t { again, wait, reuse, open, failed };

    /// What a byte may stand in (RFC 9110 sections 5.6.2 and 5.5).
    enum octet : std::uint8_t { in_token = 1, in_value = 2 };
    static constexpr std::array<std::uint8_t, 256> octets = [] {
        constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
        std::array<std::uint8_t, 256> made{};
        for (unsigned byte = 0; byte < made.size(); ++byte) {
            char const l = to_lower(static_cast<char>(byte));
            if ((l >= 'a' && l <= 'z') || is_digit(l) || marks.find(l) != std::string_view::npos)
                made[byte] |= in_token;
            if ((byte >= 0x20 || byte == '\t') && byte != 0x7f) made[byte] |= in_value;
        }
        return made;
    }();

    [[nodiscard]] static bool all_of(std::string_view text, octet what) noexcept {
        return std::ranges::all_of(
            text, [&](char c) { return (octets[static_cast<unsigned char>(c)] & what) != 0; });
    }

    [[nodiscard]] static bool is_token(std::string_view name) noexcept {
        return !name.empty() && all_of(name, in_token);
    }

    [[nodiscard]] static bool is_value(std::string_view value) noexcept {
        return all_of(value, in_value);
    }

    /// Refuses what would be another request on the wire than it seems (request smuggling).
    [[nodiscard]] bool acceptable(const request& r, prospect& mine) const {
        auto const refuse = [&](std::string_view why) {
            mine.fail(limits_, make_error_code(errc::invalid_argument), why);
            return false;
        };
        if (r.target.empty() || r.target.front() != '/')
            return refuse("the target does not begin with '/'");
        for (char c : r.target) {
            auto const byte = static_cast<unsigned char>(c);
            if (byte <= 0x20 || byte >= 0x7f || c == '#')
                return refuse("the target holds a character that must be percent-encoded");
        }
        for (auto const& f : r.fields) {
            if (!is_token(f.name)) return refuse("a field name is not a token");
            if (!is_value(f.value)) // its text may be a secret
                return refuse("the value of " + std::string{f.name} + " holds a control character");
            for (std::string_view own :
                 {"Connection", "Transfer-Encoding", "Upgrade", "Keep-Alive", "Proxy-Connection",
                  "TE", "Trailer"})
                if (field_name_equal(f.name, own))
                    return refuse(std::string{own} + " belongs to the transport");
            if (field_name_equal(f.name, "Content-Length") &&
                f.value != std::to_string(content_size(r)))
                return refuse("Content-Length is not the length of the body");
        }
        if (r.source && !r.body.empty()) return refuse("there is a body beside the source");
        auto const l = mine.how.limits(limits_);
        if (std::min({l.connect, l.tls, l.write, l.first_byte, l.idle}).count() < 0)
            return refuse("a time-out is negative");
        return true;
    }

    [[nodiscard]] static std::uint64_t content_size(const request& r) {
        return r.source ? r.source->size() : r.body.size();
    }

    /// Looks at the request and the deadline; false when the exchange has failed already.
    [[nodiscard]] bool begin(prospect& mine, const request& r) const {
        if (!acceptable(r, mine)) return false;
        if (mine.how.deadline == terms::none)
            mine.how.deadline = limits_.total.count() > 0
                ? highlevel::detail::after(mine.begun, limits_.total)
                : time_point::max();
        if (mine.how.deadline > mine.begun) return true;
        mine.fail(limits_, make_error_code(errc::timeout), "the deadline had passed already");
        return false;
    }

    /// Gets a connection from the pool, or the right to open one, into `held`.
    [[nodiscard]] step look(prospect& mine, lease& held) {
        std::vector<std::shared_ptr<connection>> discarded;
        auto const now = clock::now();
        std::lock_guard const lock{mutex_};
        if (closed_.load() || mine.cancelled()) {
            mine.fail(limits_, asio::error::operation_aborted);
            return step::failed;
        }
        auto granted = pool_.acquire(now, discarded, may_open(now));
        took(held, granted);
        return granted_as(granted, mine);
    }

    /// What a grant means; the trip begins with it.
    [[nodiscard]] step granted_as(const pool_type::grant& granted, prospect& mine) const {
        if (granted.what == pool_type::outcome::wait) return step::wait;
        mine.depart(limits_);
        return granted.what == pool_type::outcome::open ? step::open : step::reuse;
    }

    /// A kept connection may be dead; then it is closed, and there is another look.
    [[nodiscard]] step try_kept(const prospect& mine, lease& held) {
        held.link->reused = true;
        held.trusted = mine.how.repeatable && held.link->io().settled() &&
            clock::now() - *held.link->idle_since < trusted_for_;
        held.reusable = held.trusted || held.link->io().quiet();
        if (held.reusable) return step::reuse;
        count(&transport_stats::stale);
        held.link->ended_by = close_reason::stale;
        held.settle();
        return step::again;
    }

    /// An exchange throws nothing: what is thrown on its way becomes its result.
    void caught(prospect& mine) const noexcept {
        try {
            try {
                throw;
            } catch (const std::bad_alloc&) {
                mine.fail(limits_, make_error_code(boost::system::errc::not_enough_memory));
            } catch (const boost::system::system_error& e) {
                // How Asio reports a cancellation that came between two operations.
                if (e.code() == asio::error::operation_aborted)
                    mine.fail(limits_, e.code());
                else
                    mine.fail(limits_, make_error_code(errc::file_failed), e.what());
            } catch (const std::exception& e) {
                // Only the caller's sources and sinks are left, which are not to throw.
                mine.fail(limits_, make_error_code(errc::file_failed), e.what());
            } catch (...) {
                mine.fail(
                    limits_, make_error_code(errc::file_failed), "an exception of unknown type");
            }
        } catch (...) {
            // Not even for that was there memory.
            if (mine.out) mine.out->error = make_error_code(boost::system::errc::not_enough_memory);
        }
    }

    /// Under the lock: whether a connection may be opened although one in use could be waited for.
    /// While the circuit is open kept connections go on working, and are worth the wait.
    [[nodiscard]] bool may_open(time_point now) const noexcept {
        return !breaker_.open() || (breaker_.admits(now) && pool_.connecting() == 0);
    }

    /// Under the lock: a grant is the holder's from here on.
    void took(lease& held, pool_type::grant& granted) {
        // Not before: who waits for a grant holds no buffers.
        if (granted.what != pool_type::outcome::wait && !held.memory && !spare_.empty()) {
            held.memory = std::move(spare_.back());
            spare_.pop_back();
        }
        if (granted.what == pool_type::outcome::open) {
            held.what = lease::state::opening;
        } else if (granted.what == pool_type::outcome::reuse) {
            held.what = lease::state::in_use;
            held.link = std::move(granted.connection);
            held.link->idle_since = granted.idle_since;
            ++counts_.reused;
        }
    }

    /// A place in the queue for a connection, with a time limit. Takes itself out of the queue, and
    /// gives back what came too late for it.
    class queued_place final : public pool_type::waiter {
    public:
        queued_place(const prospect& mine, lease& held) : held_(held) {
            auto& core = held.core();
            {
                std::lock_guard const lock{core.mutex_};
                if (core.closed_.load())
                    bell->ring(asio::error::operation_aborted);
                else
                    core.pool_.enter(*this, mine.how.group);
            }
            try {
                core.wake_waiters();
                core.look_again();
                limit_ = core.watchdog_->add_wait(mine.how.deadline, bell);
            } catch (...) {
                leave();
                throw;
            }
        }
        queued_place(const queued_place&) = delete;
        queued_place& operator=(const queued_place&) = delete;
        ~queued_place() {
            held_.core().watchdog_->remove_wait(limit_);
            leave();
        }

        pool_type::grant& leave() {
            auto& core = held_.core();
            std::lock_guard const lock{core.mutex_};
            core.pool_.leave(*this);
            if (held_.what == lease::state::nothing) core.took(held_, granted);
            return granted;
        }

        std::shared_ptr<one_shot> const bell = std::make_shared<one_shot>();

    private:
        lease& held_;
        watchdog::wait_list::iterator limit_;
    };

    /// After the wait for a connection.
    [[nodiscard]] step woken(prospect& mine, lease& held, queued_place& place) {
        auto const& granted = place.leave();
        auto const& ec = place.bell->code();
        held.reusable = held.what == lease::state::in_use;
        if (granted.what != pool_type::outcome::wait && ec != asio::error::operation_aborted)
            return granted_as(granted, mine);
        if (ec != asio::error::timed_out) {
            mine.fail(limits_, asio::error::operation_aborted);
            return step::failed;
        }
        std::lock_guard const lock{mutex_};
        // Nobody could connect: that is what the caller needs to know, not that it waited. What
        // happened long ago is no explanation.
        auto const age = clock::now() - last_open_error_at_;
        bool const explains = last_open_error_ && age < error_memory;
        auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
        if (explains)
            mine.fail(
                limits_, last_open_error_,
                last_open_detail_ + " (" + std::to_string(seconds) +
                    " s ago, while waiting for a connection)");
        else
            mine.fail(
                limits_, make_error_code(errc::timeout),
                "all " + std::to_string(pooling_.max_connections) + " connections stayed in use");
        return step::failed;
    }

    /// Has tidy() called when there is something to do for it.
    void look_again() {
        auto const next = next_look_.load();
        if (next != time_point::max()) watchdog_->look_at(next);
    }

    /// Under the lock: when an idle connection has to go, or when the circuit lets a probe through,
    /// as which one of those may go who wait for a connection in use.
    [[nodiscard]] time_point next_look(time_point now) const noexcept {
        auto const eviction = pool_.next_eviction();
        if (pool_.waiting() == 0 || !breaker_.open()) return eviction;
        return std::min(eviction, now + breaker_.retry_in(now));
    }

    /// Opens a connection for the granted place.
    [[nodiscard]] asio::awaitable<void> open(lease& held, trip& out) {
        auto const began = clock::now();
        {
            std::lock_guard const lock{mutex_};
            auto const now = clock::now();
            held.admitted = breaker_.admit(now);
            if (held.admitted == circuit_breaker::ticket::refused) {
                ++counts_.refused;
                out.error = errc::circuit_open;
                out.retry_in = breaker_.retry_in(now);
                out.detail = std::to_string(breaker_.failures()) +
                    " failures in a row; the last: " + last_open_error_.message() + ": " +
                    last_open_detail_;
                co_return;
            }
        }
        held.link = highlevel::detail::share<connection>(listener_);
        watchdog_->add(*held.link);
        // close() may have gone through the list before we were on it.
        if (closed_.load()) held.link->shut_down();
        co_await dial(*held.link, out);
        opened(held, out);
        // An opening that was called off is no failure of the peer's.
        if (listener_ && out.error != asio::error::operation_aborted)
            tell_opened(*held.link, began, out);
    }

    /// Takes account of an opening that has ended.
    void opened(lease& held, const trip& out) {
        std::vector<std::shared_ptr<connection>> discarded;
        std::lock_guard const lock{mutex_};
        auto const now = clock::now();
        if (out.error) {
            if (out.error == asio::error::operation_aborted) return;
            ++counts_.open_failures;
            last_open_error_ = out.error;
            last_open_error_at_ = now;
            last_open_detail_ = out.detail;
            // A certificate is bad for as long as it is, and callers should read of it; one call's
            // haste is no sign of an outage.
            bool const hasty = out.error == errc::timeout &&
                (now >= out.deadline || out.limits.connect != limits_.connect ||
                 out.limits.tls != limits_.tls);
            if (hasty || out.final || out.error == errc::certificate_untrusted ||
                out.error == errc::hostname_mismatch)
                return;
            breaker_.failed(held.admitted, now);
            held.admitted = circuit_breaker::ticket::refused;
            return;
        }
        ++counts_.opened;
        last_open_error_ = {};
        breaker_.succeeded();
        held.admitted = circuit_breaker::ticket::refused;
        pool_.opened();
        held.what = lease::state::in_use;
        wake_locked(discarded); // one more may be in the opening now
        held.link->opened_at = now;
    }

    void tell_opened(const connection& link, time_point began, const trip& out) const noexcept {
        connection_open_event event;
        event.peer = out.peer;
        event.error = out.error;
        event.secure = tls_ != nullptr;
        event.resumed = link.resumed;
        event.took = clock::now() - began;
        listener_->on_connection_open(event);
    }

    /// Why a connection is closed after an exchange; of one that is kept: when it has had its time.
    [[nodiscard]] static close_reason why_closed(
        const lease& held, bool moving, const trip& out) noexcept {
        if (held.reusable) return close_reason::retired;
        if (moving || out.stale) return close_reason::stale;
        if (!out.error) return close_reason::server;
        return out.cancelled() ? close_reason::cancelled : close_reason::failed;
    }

    [[nodiscard]] asio::awaitable<void> dial(connection& link, trip& out) {
        auto const limit = out.limits.connect;
        auto const& peer = proxy_ ? proxy_->address() : base_;
        out.peer = peer.host_and_port();
        if (!enter(phase::resolve, link, limit, out)) co_return fail(link, {}, limit, out);
        auto bell = std::make_shared<one_shot>();
        link.wait_at(bell);
        error_code ec;
        auto found = addresses_->ask(clock::now(), bell);
        if (!found) {
            co_await bell->wait();
            ec = bell->code();
            if (ec) co_return fail(link, ec, limit, out);
            found = addresses_->latest();
        }
        if (link.shut() || out.cancelled()) co_return fail(link, {}, limit, out);
        if (found->error) {
            out.error = errc::resolve_failed;
            out.detail = peer.host() + ": " + found->error.message();
            co_return;
        }

        out.enter(phase::connect, clock::now());
        bell = std::make_shared<one_shot>();
        link.wait_at(bell);
        auto const racing = highlevel::detail::share<connector>(
            executor_, std::move(found->addresses), pooling_.happy_eyeballs_delay, bell);
        // A coroutine that is destroyed in its sleep must not leave attempts behind.
        class abort_at_exit {
        public:
            explicit abort_at_exit(connector& c) : connector_(c) {}
            abort_at_exit(const abort_at_exit&) = delete;
            abort_at_exit& operator=(const abort_at_exit&) = delete;
            ~abort_at_exit() { connector_.abort(); }

        private:
            connector& connector_;
        };
        {
            abort_at_exit const guard{*racing};
            racing->start();
            co_await bell->wait();
            ec = bell->code();
        }
        auto socket = ec ? std::nullopt : racing->take();
        if (!socket) {
            addresses_->doubt();
            if (ec == asio::error::connection_refused) {
                out.error = errc::connect_failed;
                out.detail = racing->report();
                co_return;
            }
            out.peer = racing->report();
            co_return fail(link, ec, limit, out);
        }
        error_code unknown;
        auto const at = to_text(socket->remote_endpoint(unknown));
        if (!unknown && at != out.peer) out.peer += " at " + at; // a literal address names itself
        link.install(std::make_unique<tcp_stream>(*std::move(socket)));
        if (proxy_) {
            co_await tunnel(link, out);
            if (out.error) co_return;
        }
        if (tls_) co_await secure(link, out);
    }

    /// Asks the proxy for a tunnel. Belongs to phase `connect` and its limit.
    [[nodiscard]] asio::awaitable<void> tunnel(connection& link, trip& out) {
        auto const head = proxy_->connect_request(base_);
        error_code ec;
        for (std::size_t sent = 0; sent < head.size() && !ec;)
            sent += co_await link.io().write_some(
                asio::const_buffer(head.data() + sent, head.size() - sent), ec);
        response reply;
        response_parser parser{reply, true, 0};
        std::string received;
        while (!ec && !parser.done()) {
            if (out.cancelled()) co_return fail(link, ec, out.limits.connect, out);
            // One byte at a time: what follows the header belongs to TLS.
            char byte = 0;
            co_await link.io().read_some(asio::mutable_buffer(&byte, 1), ec);
            if (ec) break;
            received.push_back(byte);
            bool const endless = received.size() > response_parser::max_header;
            if (byte != '\n' && !endless) continue;
            error_code parsed;
            if (!endless) received.erase(0, parser.put(received, parsed));
            if (parsed || endless) {
                out.error = errc::proxy_failed;
                out.detail = proxy_->address().host_and_port() + ": " +
                    (endless ? "a header that does not end" : parser.detail());
                co_return;
            }
        }
        if (ec) {
            fail(link, ec, out.limits.connect, out);
            if (out.error == errc::connection_lost) out.error = errc::proxy_failed;
        } else if (reply.status / 100 != 2) {
            out.error = errc::proxy_failed;
            out.detail = proxy_->address().host_and_port() + " answered with status " +
                std::to_string(reply.status);
            // It does not know us, or does not let us go there; 408 and 429 may pass.
            out.final = reply.status / 100 == 4 && reply.status != 408 && reply.status != 429;
        }
    }

    [[nodiscard]] asio::awaitable<void> secure(connection& link, trip& out) {
        auto const limit = out.limits.tls;
        if (!enter(phase::tls, link, limit, out)) co_return fail(link, {}, limit, out);
        auto plain = link.uninstall();
        auto owned = std::make_unique<tls_stream>(static_cast<tcp_stream&>(*plain).release(), tls_);
        auto& s = *owned;
        link.install(std::move(owned));
        error_code ec;
        std::string why;
        co_await s.handshake(ec, why);
        if (!ec) {
            link.resumed = s.resumed();
            if (link.resumed) count(&transport_stats::resumed);
            co_return;
        }
        if (link.expired() || link.shut() || ec == asio::error::operation_aborted)
            co_return fail(link, ec, limit, out);
        out.error = ec;
        out.detail = base_.host_and_port() + ": " + why;
    }

    /// Sends and receives. True when the exchange should move to another connection.
    [[nodiscard]] asio::awaitable<bool> converse(
        lease& held, const request& r, const terms& how, trip& out) {
        if (!held.memory) held.memory = std::make_unique<scratch>();
        auto& memory = *held.memory;
        auto& link = *held.link;
        ++link.requests;
        link.ended_by = close_reason::cancelled;
        auto& io = link.io();
        bool const compress = can_inflate && !r.fields.contains("Accept-Encoding");
        bool const joined = r.body.size() <= max_joined_body;
        write_head(memory.output, r, compress, joined ? r.body.size() : 0);
        if (joined) memory.output += r.body;

        error_code ec;
        std::size_t sent = 0;
        std::size_t const total = memory.output.size() + (joined ? 0 : r.body.size());
        while (sent < total) {
            if (!enter(phase::write, link, out.limits.write, out)) {
                fail(link, {}, out.limits.write, out);
                co_return false;
            }
            held.reusable = false;
            link.idle_since.reset();
            asio::const_buffer const rest = sent < memory.output.size()
                ? asio::buffer(memory.output) + sent
                : asio::buffer(r.body) + (sent - memory.output.size());
            std::size_t const n = co_await io.write_some(rest, ec);
            if (ec) break;
            sent += n;
            out.may_have_been_processed = true;
        }
        memory.wipe_output();
        if (!ec && r.source) {
            co_await send_source(link, *r.source, memory, ec, out);
            if (out.error) co_return false;
        }
        if (ec) {
            // A first write that fails by itself took nothing along: not a byte, or with TLS a cut
            // record, which no server can decrypt. One that we broke off may have gone out whole.
            bool const own_doing =
                link.expired() || link.shut() || ec == asio::error::operation_aborted;
            if (own_doing) out.may_have_been_processed = true;
            if (own_doing || sent == 0) {
                fail(link, ec, out.limits.write, out);
                co_return !own_doing && link.reused;
            }
            // The server may have refused early and closed; what it said is worth reading.
        }

        auto stage = phase::first_byte;
        response_parser parser{
            out.reply, r.verb == method::head, how.max_body, how.sink(), compress};
        char* const input = memory.input.get();
        std::size_t filled = 0;
        while (!parser.done()) {
            auto const patience =
                stage == phase::first_byte ? out.limits.first_byte : out.limits.idle;
            if (!enter(stage, link, patience, out)) {
                fail(link, {}, patience, out);
                co_return false;
            }
            error_code read_error;
            std::size_t const n = co_await io.read_some(
                asio::mutable_buffer(input + filled, scratch::input_size - filled), read_error);
            if (read_error) {
                if (read_error == asio::error::eof && !link.expired() && !link.shut() &&
                    parser.put_end())
                    break;
                if (parser.end_error()) {
                    out.error = parser.end_error();
                    out.detail = parser.detail();
                    co_return false;
                }
                fail(link, read_error, patience, out);
                // Also a GET does not move now: the server may have counted it, and only the caller
                // can get a permit for another.
                out.stale =
                    held.trusted && memory.received == 0 && out.error == errc::connection_lost;
                if (out.stale) count(&transport_stats::stale);
                co_return false;
            }
            filled += n;
            memory.received = std::max(memory.received, filled);
            error_code parse_error;
            std::size_t const used = parser.put(std::string_view{input, filled}, parse_error);
            if (parse_error) {
                out.enter(phase::read, clock::now());
                out.error = parse_error;
                out.detail = parser.detail();
                co_return false;
            }
            filled -= used;
            // Behind an interim response (100, 103) the server goes on working as long as before.
            stage = parser.begun() || filled != 0 ? phase::read : phase::first_byte;
            if (filled != 0 && used != 0) std::memmove(input, input + used, filled);
            if (filled == scratch::input_size && !parser.done()) {
                out.enter(stage, clock::now());
                out.error = errc::malformed_response;
                out.detail = "a line or header that does not end";
                co_return false;
            }
        }
        out.enter(phase::done, clock::now());
        if (auto const said = out.reply.fields.find("Keep-Alive"))
            link.server_limit = keep_alive_limit(*said);
        // Bytes behind the response would be taken for the answer to the next request.
        held.reusable = parser.keep_alive() && filled == 0 && !ec && !link.shut() &&
            watchdog_->set(link, time_point::max());
        co_return false;
    }

    /// Sends the request's content from its source. A failure of the source is put into `out`, one
    /// of the connection into `ec`.
    [[nodiscard]] asio::awaitable<void> send_source(
        connection& link, const body_source& source, scratch& memory, error_code& ec, trip& out) {
        auto const limit = out.limits.write;
        auto const reader = source.open();
        char* const room = memory.input.get();
        for (std::uint64_t left = source.size(); left != 0 && !ec;) {
            std::string why;
            auto const have = reader->read(
                room, static_cast<std::size_t>(std::min<std::uint64_t>(left, scratch::input_size)),
                why);
            if (have == 0) {
                out.error = errc::file_failed;
                out.detail = why.empty() ? "the content is shorter than announced" : why;
                co_return;
            }
            left -= have;
            for (std::size_t gone = 0; gone < have && !ec;) {
                if (!enter(phase::write, link, limit, out)) co_return fail(link, {}, limit, out);
                gone +=
                    co_await link.io().write_some(asio::const_buffer(room + gone, have - gone), ec);
            }
        }
    }

    /// How long the server keeps an idle connection by its Keep-Alive field (RFC 2068 section
    /// 19.7.1.1), less what a request is on its way; nothing when that cannot be read.
    [[nodiscard]] static std::optional<std::chrono::milliseconds> keep_alive_limit(
        std::string_view text) noexcept {
        while (!text.empty()) {
            auto item = text.substr(0, text.find(','));
            text.remove_prefix(std::min(item.size() + 1, text.size()));
            while (!item.empty() && item.front() == ' ')
                item.remove_prefix(1);
            constexpr std::string_view name = "timeout=";
            if (item.size() <= name.size() || !field_name_equal(item.substr(0, name.size()), name))
                continue;
            item.remove_prefix(name.size());
            while (!item.empty() && item.back() == ' ')
                item.remove_suffix(1);
            auto const seconds = parse_decimal(item, 86'400);
            if (!seconds) return std::nullopt;
            std::chrono::milliseconds const whole{std::chrono::seconds{*seconds}};
            return whole - std::min(whole / 2, std::chrono::milliseconds{1000});
        }
        return std::nullopt;
    }

    /// Writes the header, and makes room for `behind` bytes more.
    void write_head(std::string& to, const request& r, bool compress, std::size_t behind) const {
        to.clear();
        std::size_t room =
            256 + base_.path().size() + r.target.size() + host_field_.size() + behind;
        for (auto const& f : r.fields)
            room += f.name.size() + f.value.size() + 4;
        to.reserve(room);
        to.append(to_string(r.verb)).append(" ").append(base_.path()).append(r.target);
        to.append(" HTTP/1.1\r\n");
        if (!r.fields.contains("Host")) to.append("Host: ").append(host_field_).append("\r\n");
        for (auto const& f : r.fields)
            to.append(f.name).append(": ").append(f.value).append("\r\n");
        if (compress) to.append("Accept-Encoding: gzip\r\n");
        auto const size = content_size(r);
        bool const has_content =
            size != 0 || r.verb == method::post || r.verb == method::put || r.verb == method::patch;
        if (has_content && !r.fields.contains("Content-Length"))
            to.append("Content-Length: ").append(std::to_string(size)).append("\r\n");
        to.append("\r\n");
    }

    /// Begins a step of the phase and gives it its limit: `span` from now or the deadline, if
    /// earlier. False when the former limit has struck; the phase stays the former one then.
    [[nodiscard]] bool enter(
        phase next, connection& link, std::chrono::milliseconds span, trip& out) {
        if (out.cancelled()) return false;
        auto const now = clock::now();
        auto const own = span.count() > 0 ? highlevel::detail::after(now, span) : out.deadline;
        auto const limit = std::min({own, out.deadline, watchdog::end_of_loop});
        if (!watchdog_->set(link, limit)) return false;
        if (next != out.reached) out.enter(next, now);
        return true;
    }

    /// Names the failure of an operation: ours (limit, close, cancellation) before the network's.
    void fail(
        const connection& link,
        const error_code& ec,
        std::chrono::milliseconds span,
        trip& out) const {
        out.detail.clear();
        if (link.shut() || ec == asio::error::operation_aborted || out.cancelled()) {
            out.error = asio::error::operation_aborted;
        } else if (link.expired()) {
            out.error = errc::timeout;
            out.detail = clock::now() >= out.deadline
                ? "the deadline of the call passed"
                : "no progress for " + std::to_string(span.count()) + " ms";
            if (out.reached <= phase::tls && !out.peer.empty()) out.detail += " (" + out.peer + ')';
        } else {
            bool const tls_alert = ec.category() == asio::error::get_ssl_category();
            out.error = tls_alert ? errc::tls_failed : errc::connection_lost;
            out.detail = ec.message();
        }
    }

    /// Returns a place to the pool. Without `wake` only the books are set right.
    void give_back(lease& held, bool wake) {
        std::vector<std::shared_ptr<connection>> discarded;
        {
            std::lock_guard const lock{mutex_};
            // First, so that the place is given back once whatever throws.
            auto const what = std::exchange(held.what, lease::state::nothing);
            bool const reusable = std::exchange(held.reusable, false);
            if (what == lease::state::opening) {
                pool_.open_failed();
                breaker_.abandoned(held.admitted);
                held.admitted = circuit_breaker::ticket::refused;
            } else if (reusable && !closed_.load()) {
                // One that was not used after all has been idle all the time.
                auto const& link = *held.link;
                auto const opened = link.opened_at;
                auto const since = link.idle_since.value_or(clock::now());
                auto const limit = link.server_limit;
                pool_.put_back(std::move(held.link), opened, since, discarded, limit);
            } else {
                pool_.drop();
            }
            if (wake) wake_locked(discarded);
            if (held.memory && spare_.size() < max_spare) {
                held.memory->wipe();
                spare_.push_back(std::move(held.memory));
            }
        }
        held.link.reset();
        look_again();
    }

    void keep(std::unique_ptr<scratch> memory) {
        memory->wipe();
        std::lock_guard const lock{mutex_};
        if (spare_.size() < max_spare) spare_.push_back(std::move(memory));
    }

    void wake_waiters() {
        std::vector<std::shared_ptr<connection>> discarded;
        std::lock_guard const lock{mutex_};
        wake_locked(discarded);
    }

    void wake_locked(std::vector<std::shared_ptr<connection>>& discarded) {
        time_point now{};
        if (pool_.waiting() != 0) {
            now = clock::now();
            while (auto* w = pool_.next(now, discarded, may_open(now)))
                static_cast<queued_place*>(w)->bell->ring();
        }
        next_look_.store(next_look(now));
    }

    time_point tidy(time_point now) {
        std::vector<std::shared_ptr<connection>> discarded;
        std::lock_guard const lock{mutex_};
        pool_.evict(now, discarded);
        wake_locked(discarded);
        return next_look(now);
    }

    void count(std::uint64_t transport_stats::*what) {
        std::lock_guard const lock{mutex_};
        ++(counts_.*what);
    }

    asio::any_io_executor executor_;
    uri base_;
    std::optional<proxy> proxy_;
    pool_options pooling_;
    timeouts limits_;
    std::chrono::milliseconds trusted_for_;
    std::shared_ptr<connection_listener> listener_;
    std::string host_field_;
    std::shared_ptr<tls_context> tls_;
    std::shared_ptr<watchdog> watchdog_;
    std::shared_ptr<host_addresses> addresses_;
    std::atomic<std::size_t> present_{0};
    std::atomic<bool> closed_{false};
    std::atomic<time_point> next_look_{time_point::max()};

    mutable std::mutex mutex_;
    pool_type pool_;
    circuit_breaker breaker_;
    std::vector<std::unique_ptr<scratch>> spare_;
    transport_stats counts_;
    error_code last_open_error_;
    time_point last_open_error_at_{};
    std::string last_open_detail_;
};

} // namespace detail

HIGHLEVEL_DECL http1_transport::http1_transport(
    asio::any_io_executor executor,
    uri base,
    const tls_options& tls,
    const pool_options& pooling,
    const timeouts& limits,
    const proxy_options& proxying,
    std::shared_ptr<connection_listener> listener)
    : core_(highlevel::detail::share<detail::transport_core>(
          std::move(executor),
          std::move(base),
          tls,
          pooling,
          limits,
          proxying,
          std::move(listener))) {
    core_->begin();
}

HIGHLEVEL_DECL http1_transport::~http1_transport() {
    core_->close();
}

HIGHLEVEL_DECL asio::awaitable<exchange_result> http1_transport::exchange(
    const request& r, exchange_options options) {
    return detail::transport_core::exchange_by_value(core_, r, detail::terms{options});
}

HIGHLEVEL_DECL asio::awaitable<std::shared_ptr<exchange_result>> http1_transport::exchange_on_heap(
    const request& r, exchange_options options) {
    return detail::transport_core::exchange(core_, r, detail::terms{options});
}

HIGHLEVEL_DECL void http1_transport::close() noexcept {
    core_->close();
}

HIGHLEVEL_DECL transport_stats http1_transport::stats() const {
    return core_->stats();
}

HIGHLEVEL_DECL std::shared_ptr<http1_transport> make_transport(
    asio::any_io_executor executor,
    uri base,
    const tls_options& tls,
    const pool_options& pooling,
    const timeouts& limits,
    const proxy_options& proxying,
    std::shared_ptr<connection_listener> listener) {
    return highlevel::detail::share<http1_transport>(
        std::move(executor), std::move(base), tls, pooling, limits, proxying, std::move(listener));
}

} // namespace highlevel::http
