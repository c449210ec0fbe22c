// SPDX-License-Identifier: BSL-1.0
//
// Takes deliveries of webhooks in and gives events out: for those who have an HTTP server of their
// own. A request goes in, the response comes out; events wait in a bounded queue until someone
// awaits them.
#pragma once

#include <highlevel/http/message.hpp>
#include <highlevel/http/one_shot.hpp>
#include <highlevel/webhooks/guard.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <boost/system/system_error.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::webhooks {

/// How deliveries are judged and kept.
class inbox_options {
public:
    inbox_options() = default;

    /// What is let pass.
    guard_options guard;
    /// Events that wait to be taken; when there are so many, deliveries are answered with 429,
    /// which HighLevel repeats. Default: 1024.
    std::size_t capacity = 1024;
    /// The path that deliveries come to; others get 404. Empty: any.
    std::string path;
    /// Keeps the body in `event::body`. Default: yes.
    bool keep_body = true;
    /// Called with each accepted event before it is answered, from whatever thread handles the
    /// delivery, so that it can be written where it survives. False, or an exception: it was not
    /// kept; the delivery gets 429 and its repetition is taken. Empty: the queue in memory is all.
    std::function<bool(const event&)> persist;
    /// The time of day. Empty: the system's clock.
    std::function<std::chrono::system_clock::time_point()> now;

    /// Throws std::invalid_argument that names the field that cannot be used.
    void validate() const {
        guard.validate();
        if (capacity == 0) throw std::invalid_argument{"inbox option capacity must be positive"};
        if (!path.empty() && path.front() != '/')
            throw std::invalid_argument{"inbox option path must begin with '/'"};
    }
};

/// What an inbox counted.
class inbox_counters {
public:
    inbox_counters() = default;

    /// Deliveries by what became of them; of those accepted, only the ones that were kept.
    std::array<std::uint64_t, outcome_count> outcomes{};
    /// Good deliveries that found the queue full.
    std::uint64_t full = 0;
    /// Good deliveries that `persist` did not keep.
    std::uint64_t not_kept = 0;
    /// Requests that were no deliveries: not POST, or another path.
    std::uint64_t foreign = 0;

    [[nodiscard]] std::uint64_t operator[](outcome o) const noexcept {
        return outcomes[static_cast<std::size_t>(o)];
    }
};

/// Takes deliveries in and gives events out.
///
/// Answers: 200 for accepted and duplicate, 401 for unsigned and bad signatures, 403 for another
/// app's, 400 for stale and malformed, 413 for too large, 405 for other methods than POST, 404 for
/// other paths, 429 when the event could not be kept.
///
/// Thread safety: shared objects: safe. The object must outlive the coroutines that await next(),
/// or be closed and left alone until they have returned.
class inbox {
public:
    /// Throws std::invalid_argument that names the option that cannot be used.
    explicit inbox(inbox_options options = {})
        : options_((options.validate(), std::move(options))),
          guard_(options_.guard) {}
    inbox(const inbox&) = delete;
    inbox& operator=(const inbox&) = delete;
    ~inbox() { close(); }

    /// Handles one request, whose body must be the bytes as they came. Does not throw but for
    /// memory and what a replay store of the caller's throws.
    [[nodiscard]] http::response handle(const http::request& request) {
        auto const status = handle(
            request.verb == http::method::post, request.target, signatures_of(request.fields),
            request.body);
        http::response made;
        made.status = status;
        if (status == 405) made.fields.add("Allow", "POST");
        return made;
    }

    /// As above, for servers with other types. Gives the status of the answer; one of 405 wants a
    /// field `Allow: POST`, and none needs content.
    [[nodiscard]] unsigned handle(
        bool is_post, std::string_view target, const signatures& fields, std::string body) {
        if (!options_.path.empty() && target.substr(0, target.find('?')) != options_.path)
            return foreign(404);
        if (!is_post) return foreign(405);
        auto const now = options_.now ? options_.now() : std::chrono::system_clock::now();
        auto found = guard_.check(body, fields, now);
        if (!found) return count(found);
        return keep(std::move(found), std::move(body));
    }

    /// The two signatures of a delivery.
    [[nodiscard]] static signatures signatures_of(const http::headers& fields) {
        signatures made;
        for (auto const field : fields)
            note_field(made, field.name, field.value);
        return made;
    }
    /// Takes one header field in, if it is a signature.
    static void note_field(signatures& made, std::string_view name, std::string_view value) {
        auto* const place = http::field_name_equal(name, signature_field) ? &made.present
            : http::field_name_equal(name, legacy_signature_field)        ? &made.legacy
                                                                          : nullptr;
        if (!place) return;
        if (*place) made.ambiguous = true;
        *place = value;
    }

    /// Awaits the next event, in the order of arrival; nothing when the inbox is closed and empty.
    ///
    /// Several coroutines may wait; each event goes to one. Cancellation: terminal, throws
    /// boost::system::system_error (operation_aborted); no event is lost by it.
    [[nodiscard]] boost::asio::awaitable<std::optional<event>> next() {
        for (;;) {
            std::optional<event> taken;
            if (take(taken)) co_return taken;
            auto const mine = std::make_shared<http::detail::one_shot>();
            if (!wait(mine)) continue;
            boost::system::error_code ec;
            co_await mine->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ec));
            if (!ec) continue;
            give_up(mine);
            throw boost::system::system_error{ec};
        }
    }

    /// An event that waits already; nothing when there is none.
    [[nodiscard]] std::optional<event> try_next() {
        std::lock_guard const lock{mutex_};
        return pop();
    }

    /// Ends the source: next() gives what is left and then nothing. Deliveries get 429 from now on.
    void close() {
        std::list<bell> woken;
        {
            std::lock_guard const lock{mutex_};
            closed_ = true;
            woken.swap(waiting_);
        }
        for (auto const& each : woken)
            each->ring();
    }

    /// Events that wait.
    [[nodiscard]] std::size_t size() const {
        std::lock_guard const lock{mutex_};
        return queue_.size();
    }
    [[nodiscard]] inbox_counters counters() const {
        std::lock_guard const lock{mutex_};
        return counters_;
    }
    [[nodiscard]] const inbox_options& options() const noexcept { return options_; }

private:
    using bell = std::shared_ptr<http::detail::one_shot>;

    unsigned foreign(unsigned status) {
        std::lock_guard const lock{mutex_};
        ++counters_.foreign;
        return status;
    }

    unsigned count(const verdict& found) {
        std::lock_guard const lock{mutex_};
        ++counters_.outcomes[static_cast<std::size_t>(found.outcome)];
        switch (found.outcome) {
        case outcome::accepted:
        case outcome::duplicate: return 200;
        case outcome::not_signed:
        case outcome::bad_signature: return 401;
        case outcome::wrong_app: return 403;
        case outcome::stale: return 400;
        case outcome::malformed: break;
        }
        return found.too_large ? 413 : 400;
    }

    unsigned keep(verdict found, std::string body) {
        // The place in the queue is taken first: what has been persisted must not be refused.
        if (!reserve()) return give_back(found, &inbox_counters::full);
        event made;
        json::decode_options reading;
        reading.max_depth = options_.guard.max_depth;
        bool kept = false;
        try {
            auto const read = decode_event(body, found.head, made, event_kind::unknown, reading);
            if (!read) {
                release();
                guard_.forget(found);
                found.outcome = outcome::malformed;
                return count(found);
            }
            made.signed_by = found.signature.matched;
            if (options_.keep_body) made.body = std::move(body);
            kept = !options_.persist || options_.persist(made);
        } catch (...) {
            kept = false;
        }
        if (!kept) {
            release();
            return give_back(found, &inbox_counters::not_kept);
        }
        bell woken;
        {
            std::lock_guard const lock{mutex_};
            --reserved_;
            ++counters_.outcomes[static_cast<std::size_t>(outcome::accepted)];
            queue_.push_back(std::move(made));
            woken = next_waiter();
        }
        if (woken) woken->ring();
        return 200;
    }

    bool reserve() {
        std::lock_guard const lock{mutex_};
        if (closed_ || queue_.size() + reserved_ >= options_.capacity) return false;
        ++reserved_;
        return true;
    }
    void release() {
        std::lock_guard const lock{mutex_};
        --reserved_;
    }

    unsigned give_back(const verdict& found, std::uint64_t inbox_counters::*counter) {
        guard_.forget(found);
        std::lock_guard const lock{mutex_};
        ++(counters_.*counter);
        return 429;
    }

    // Under the lock.
    std::optional<event> pop() {
        std::optional<event> taken;
        if (!queue_.empty()) {
            taken.emplace(std::move(queue_.front()));
            queue_.pop_front();
        }
        return taken;
    }
    bell next_waiter() {
        if (waiting_.empty()) return nullptr;
        auto first = std::move(waiting_.front());
        waiting_.pop_front();
        return first;
    }

    // True when next() has its result.
    bool take(std::optional<event>& taken) {
        std::lock_guard const lock{mutex_};
        taken = pop();
        return taken || closed_;
    }
    // False when there is no reason to wait any more.
    bool wait(const bell& mine) {
        std::lock_guard const lock{mutex_};
        if (!queue_.empty() || closed_) return false;
        waiting_.push_back(mine);
        return true;
    }
    // A waiter was cancelled. If it had been chosen for an event, another one is.
    void give_up(const bell& mine) {
        bell woken;
        {
            std::lock_guard const lock{mutex_};
            if (waiting_.remove(mine) == 0 && !queue_.empty()) woken = next_waiter();
        }
        if (woken) woken->ring();
    }

    inbox_options options_;
    guard guard_;
    mutable std::mutex mutex_;
    std::deque<event> queue_;
    std::list<bell> waiting_;
    std::size_t reserved_ = 0;
    inbox_counters counters_;
    bool closed_ = false;
};

} // namespace highlevel::webhooks
