// SPDX-License-Identifier: BSL-1.0
//
// The pool's bookkeeping without any I/O: who may use, open or must wait for a connection. It takes
// events and time points and says what to do, so that every rule is tested with made-up time.
#pragma once

#include <highlevel/detail/deadline.hpp>
#include <highlevel/http/options.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <list>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace highlevel::http {

/// Decides over the connections to one origin.
///
/// A place is one of `max_connections`. It is in use, being opened, or holds an idle connection.
/// - The connection that became idle last is reused first, so that surplus ones grow old and go.
/// - Waiters are served round robin over their groups, first come first served inside a group;
///   newcomers never overtake them. Every step is O(1).
///
/// `Connection` is a movable handle. Connections to be closed are handed out through `discarded`
/// parameters, so that closing can happen outside of the owner's lock.
/// Thread safety: distinct objects: safe; shared objects: unsafe.
template <class Connection>
class pool {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// What a caller may do.
    enum class outcome : unsigned char {
        /// Nothing yet.
        wait,
        /// Use the connection that comes with it.
        reuse,
        /// Open a connection; then call opened() or open_failed().
        open,
    };

    /// The answer to a caller.
    class grant {
    public:
        grant() = default;
        explicit grant(outcome what_now) : what(what_now) {}

        outcome what = outcome::wait;
        /// For `reuse` only; and since when it is idle.
        Connection connection{};
        time_point idle_since{};
    };

private:
    class line;

public:
    /// A caller's place in the queue. It must be taken out with leave() before it is destroyed.
    class waiter {
    public:
        waiter() = default;
        waiter(const waiter&) = delete;
        waiter& operator=(const waiter&) = delete;

        /// Filled when next() gives the waiter out.
        grant granted;

        [[nodiscard]] bool queued() const noexcept { return line_ != nullptr; }

    private:
        friend class pool;
        line* line_ = nullptr;
        waiter* before_ = nullptr;
        waiter* after_ = nullptr;
    };

    explicit pool(const pool_options& options) : options_(options) {
        options_.idle_timeout = highlevel::detail::bounded(options_.idle_timeout);
        options_.max_age = highlevel::detail::bounded(options_.max_age);
    }

    pool(const pool&) = delete;
    pool& operator=(const pool&) = delete;

    /// Asks for a connection. `wait` means that nothing was granted: enter() the queue or give up.
    /// Unless `may_open`, a new one is only opened when there is none in use to wait for.
    [[nodiscard]] grant acquire(
        time_point now, std::vector<Connection>& discarded, bool may_open = true) {
        evict(now, discarded);
        if (waiting_ != 0) return {};
        return take(now, discarded, may_open);
    }

    /// Joins the queue. Precondition: not queued.
    void enter(waiter& w, std::string_view group) {
        auto found = groups_.find(group);
        if (found == groups_.end()) {
            // A line that nobody knows must not stay in the ring when there is no memory for both.
            std::list<line> made;
            auto const last = made.emplace(made.end(), group);
            last->self = last;
            // The key is a view of the name in the list's node, which does not move.
            found = groups_.emplace(std::string_view{last->name}, last).first;
            ring_.splice(ring_.end(), made);
        }
        line& l = *found->second;
        w.line_ = &l;
        w.before_ = l.back;
        w.after_ = nullptr;
        (l.back ? l.back->after_ : l.front) = &w;
        l.back = &w;
        ++waiting_;
    }

    /// Leaves the queue; nothing happens to a waiter that is not queued.
    void leave(waiter& w) {
        if (!w.queued()) return;
        unlink(w);
    }

    /// The next waiter that can be served, out of the queue and with its grant; null when none can.
    /// Call until null after every event that frees something. `may_open` as for acquire().
    [[nodiscard]] waiter* next(
        time_point now, std::vector<Connection>& discarded, bool may_open = true) {
        if (waiting_ == 0) return nullptr;
        grant g = take(now, discarded, may_open);
        if (g.what == outcome::wait) return nullptr;
        line& l = ring_.front();
        waiter& w = *l.front;
        // The group moves to the end of the round, unless this was its last waiter.
        if (l.front != l.back) ring_.splice(ring_.end(), ring_, ring_.begin());
        unlink(w);
        w.granted = std::move(g);
        return &w;
    }

    /// Any waiter, out of the queue and without a grant; null when there is none. For closing down.
    [[nodiscard]] waiter* drain() {
        if (waiting_ == 0) return nullptr;
        waiter& w = *ring_.front().front;
        unlink(w);
        return &w;
    }

    /// A granted `open` succeeded; its place is in use now.
    void opened() noexcept {
        --connecting_;
        ++in_use_;
    }

    /// A granted `open` failed; its place is free.
    void open_failed() noexcept { --connecting_; }

    /// A place in use is free; its connection is gone.
    void drop() noexcept { --in_use_; }

    /// A connection in use becomes idle, or is discarded because it is too old. `now` is earlier
    /// than it is for one that was not used after all. `server_limit` is how long the server said
    /// that it keeps idle ones, if it said so. One for which there is no memory stays with the
    /// caller, who is to close it; its place is free all the same.
    void put_back(
        Connection&& connection,
        time_point opened_at,
        time_point now,
        std::vector<Connection>& discarded,
        std::optional<std::chrono::milliseconds> server_limit = {}) {
        --in_use_;
        auto const limit =
            std::min(options_.idle_timeout, server_limit ? *server_limit : options_.idle_timeout);
        try {
            if (limit.count() > 0 && !too_old(opened_at, now))
                idle_.emplace_back(std::move(connection), opened_at, now, now + limit);
            else
                discarded.push_back(std::move(connection));
        } catch (const std::bad_alloc&) {
            // Both ask for memory before they touch the connection.
        }
    }

    /// Takes out connections that were idle for too long, the oldest first; one that may stay hides
    /// those behind it, which take() looks at again.
    void evict(time_point now, std::vector<Connection>& discarded) {
        while (!idle_.empty() && now >= idle_.front().until) {
            discarded.push_back(std::move(idle_.front().connection));
            idle_.pop_front();
        }
    }

    /// Takes out all idle connections.
    void clear(std::vector<Connection>& discarded) {
        for (auto& e : idle_)
            discarded.push_back(std::move(e.connection));
        idle_.clear();
    }

    /// When evict() has something to do next; max() when nothing is idle.
    [[nodiscard]] time_point next_eviction() const noexcept {
        return idle_.empty() ? time_point::max() : idle_.front().until;
    }

    [[nodiscard]] std::size_t idle() const noexcept { return idle_.size(); }
    [[nodiscard]] std::size_t in_use() const noexcept { return in_use_; }
    [[nodiscard]] std::size_t connecting() const noexcept { return connecting_; }
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }

private:
    class line {
    public:
        explicit line(std::string_view n) : name(n) {}

        std::string name;
        waiter* front = nullptr;
        waiter* back = nullptr;
        typename std::list<line>::iterator self;
    };

    struct entry {
        entry(Connection&& c, time_point opened, time_point idle_since, time_point idle_until)
            : connection(std::move(c)),
              opened_at(opened),
              since(idle_since),
              until(idle_until) {}

        Connection connection;
        time_point opened_at;
        time_point since;
        time_point until;
    };

    [[nodiscard]] bool too_old(time_point opened_at, time_point now) const noexcept {
        return options_.max_age.count() > 0 && now - opened_at >= options_.max_age;
    }

    [[nodiscard]] grant take(time_point now, std::vector<Connection>& discarded, bool may_open) {
        while (!idle_.empty()) {
            entry e = std::move(idle_.back());
            idle_.pop_back();
            if (now >= e.until || too_old(e.opened_at, now)) {
                discarded.push_back(std::move(e.connection));
                continue;
            }
            ++in_use_;
            grant g{outcome::reuse};
            g.connection = std::move(e.connection);
            g.idle_since = e.since;
            return g;
        }
        if ((may_open || in_use_ == 0) && in_use_ + connecting_ < options_.max_connections &&
            connecting_ < options_.max_connecting) {
            ++connecting_;
            return grant{outcome::open};
        }
        return {};
    }

    void unlink(waiter& w) {
        line& l = *w.line_;
        (w.before_ ? w.before_->after_ : l.front) = w.after_;
        (w.after_ ? w.after_->before_ : l.back) = w.before_;
        w.line_ = nullptr;
        w.before_ = w.after_ = nullptr;
        --waiting_;
        if (l.front) return;
        groups_.erase(std::string_view{l.name});
        ring_.erase(l.self);
    }

    pool_options options_;
    std::deque<entry> idle_;
    std::list<line> ring_;
    std::unordered_map<std::string_view, typename std::list<line>::iterator> groups_;
    std::size_t in_use_ = 0;
    std::size_t connecting_ = 0;
    std::size_t waiting_ = 0;
};

} // namespace highlevel::http
