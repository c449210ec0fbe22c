// SPDX-License-Identifier: BSL-1.0
//
// Takes deliveries of webhooks in and gives events out: for those who have an HTTP server of their
// own. A request goes in, the response comes out; events wait in a bounded queue until someone
// awaits them.
#pragma once

#include <highlevel/detail/one_shot.hpp>
#include <highlevel/http/message.hpp>
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
#include <exception>
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
    ///
    /// It blocks that thread: in a receiver no other connection is served by it meanwhile, so let
    /// the receiver's executor have a few threads. HighLevel may take a slow answer for none and
    /// repeat: that repetition gets 429 while this runs, and 200 once it has returned true. When a
    /// process ends in between, the event is written a second time; a unique index on
    /// `head.webhook_id` makes that harmless. Should take less than `guard.claim_time`.
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
    /// Good deliveries that `persist` did not keep, or for which there was no memory.
    std::uint64_t not_kept = 0;
    /// Deliveries that could not be judged, since the replay store failed or there was no memory.
    std::uint64_t not_judged = 0;
    /// Events that were kept although the replay store failed to commit them: their repetition
    /// would be an event again.
    std::uint64_t not_remembered = 0;
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
/// other paths, 429 when the event could not be judged or kept, or not yet.
///
/// Thread safety: shared objects: safe; what runs in handle() must have returned before the object
/// ends. Coroutines in next() may outlive it: they get what is left and then nothing.
class inbox {
public:
    /// Throws std::invalid_argument that names the option that cannot be used.
    explicit inbox(inbox_options options = {})
        : options_((options.validate(), std::move(options))),
          guard_(options_.guard),
          line_(std::make_shared<line>()) {}
    inbox(const inbox&) = delete;
    inbox& operator=(const inbox&) = delete;
    ~inbox() { close(); }

    /// Handles one request, whose body must be the bytes as they came. Does not throw but for the
    /// memory of the response; then answer with 429, so that it comes again.
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
    /// field `Allow: POST`, and none needs content. Does not throw.
    [[nodiscard]] unsigned handle(
        bool is_post, std::string_view target, const signatures& fields, std::string body) {
        if (!options_.path.empty() && target.substr(0, target.find('?')) != options_.path)
            return foreign(404);
        if (!is_post) return foreign(405);
        verdict found;
        try {
            found = guard_.claim(body, fields, now());
        } catch (...) {
            // What it may have claimed lapses by itself.
            return push_back(&inbox_counters::not_judged);
        }
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
    [[nodiscard]] boost::asio::awaitable<std::optional<event>> next() { return next_of(line_); }

    /// An event that waits already; nothing when there is none.
    [[nodiscard]] std::optional<event> try_next() {
        std::lock_guard const lock{line_->mutex};
        return line_->pop();
    }

    /// Ends the source: next() gives what is left and then nothing, also what is being kept at this
    /// moment. Deliveries get 429 from now on.
    void close() {
        line::bells woken;
        {
            std::lock_guard const lock{line_->mutex};
            line_->closed = true;
            if (line_->ended()) woken.swap(line_->waiting);
        }
        wake(woken);
    }

    /// Events that wait.
    [[nodiscard]] std::size_t size() const {
        std::lock_guard const lock{line_->mutex};
        return line_->queue.size();
    }
    [[nodiscard]] inbox_counters counters() const {
        std::lock_guard const lock{line_->mutex};
        return line_->counters;
    }
    [[nodiscard]] const inbox_options& options() const noexcept { return options_; }

private:
    // Where events wait, and those who wait for them; also owned by the latter.
    class line {
    public:
        using bell = std::shared_ptr<highlevel::detail::one_shot>;
        using bells = std::list<bell>;

        std::mutex mutex;
        std::list<event> queue;
        bells waiting;
        std::size_t reserved = 0;
        inbox_counters counters;
        bool closed = false;

        // The rest is called under the lock.

        std::optional<event> pop() {
            std::optional<event> taken;
            if (!queue.empty()) {
                taken.emplace(std::move(queue.front()));
                queue.pop_front();
            }
            return taken;
        }
        // What has a place may yet come.
        [[nodiscard]] bool ended() const noexcept { return closed && reserved == 0; }
        // Who is to be told that there is an event, or no more.
        bells chosen() {
            bells woken;
            if (ended())
                woken.swap(waiting);
            else if (!queue.empty() && !waiting.empty())
                woken.splice(woken.end(), waiting, waiting.begin());
            return woken;
        }
    };

    static boost::asio::awaitable<std::optional<event>> next_of(std::shared_ptr<line> from) {
        for (;;) {
            auto const mine = std::make_shared<highlevel::detail::one_shot>();
            {
                std::lock_guard const lock{from->mutex};
                auto taken = from->pop();
                if (taken || from->ended()) co_return taken;
                from->waiting.push_back(mine);
            }
            boost::system::error_code ec;
            std::exception_ptr thrown;
            try {
                co_await mine->async_wait(
                    boost::asio::redirect_error(boost::asio::use_awaitable, ec));
            } catch (...) {
                // A cancellation that came before the wait began, as when the bell had rung.
                thrown = std::current_exception();
            }
            if (!ec && !thrown) continue;
            give_up(*from, mine);
            if (thrown) std::rethrow_exception(thrown);
            throw boost::system::system_error{ec};
        }
    }

    // A bell that cannot be rung for lack of memory would leave its coroutine hanging: that ends
    // the program.
    static void wake(const line::bells& chosen) noexcept {
        for (auto const& each : chosen)
            each->ring();
    }

    // A waiter was cancelled. If it had been chosen for an event, another one is.
    static void give_up(line& from, const line::bell& mine) {
        line::bells woken;
        {
            std::lock_guard const lock{from.mutex};
            if (from.waiting.remove(mine) == 0) woken = from.chosen();
        }
        wake(woken);
    }

    [[nodiscard]] std::chrono::system_clock::time_point now() const {
        return options_.now ? options_.now() : std::chrono::system_clock::now();
    }

    unsigned foreign(unsigned status) {
        std::lock_guard const lock{line_->mutex};
        ++line_->counters.foreign;
        return status;
    }

    unsigned count(const verdict& found) {
        std::lock_guard const lock{line_->mutex};
        ++line_->counters.outcomes[static_cast<std::size_t>(found.outcome)];
        switch (found.outcome) {
        case outcome::accepted:
        case outcome::duplicate: return 200;
        case outcome::not_signed:
        case outcome::bad_signature: return 401;
        case outcome::wrong_app: return 403;
        case outcome::busy: return 429;
        case outcome::stale: return 400;
        case outcome::malformed: break;
        }
        return found.too_large ? 413 : 400;
    }

    // A place in the queue, given back unless an event takes it.
    class place {
    public:
        explicit place(inbox& of) : line_(of.reserve() ? of.line_.get() : nullptr) {}
        place(const place&) = delete;
        place& operator=(const place&) = delete;
        ~place() {
            if (line_ != nullptr) leave(*line_);
        }
        [[nodiscard]] explicit operator bool() const noexcept { return line_ != nullptr; }
        void take() noexcept { line_ = nullptr; }

    private:
        line* line_;
    };

    unsigned keep(verdict found, std::string body) {
        // The place in the queue is taken first: what has been persisted must not be refused.
        place mine{*this};
        if (!mine) {
            release(found);
            return push_back(&inbox_counters::full);
        }
        std::list<event> made;
        bool read = true;
        bool kept = false;
        try {
            auto& it = made.emplace_back();
            json::decode_options reading;
            reading.max_depth = options_.guard.max_depth;
            read =
                static_cast<bool>(decode_event(body, found.head, it, event_kind::unknown, reading));
            it.signed_by = found.signature.matched;
            if (options_.keep_body) it.body = std::move(body);
            kept = read && (!options_.persist || options_.persist(it));
        } catch (...) {
            kept = false;
        }
        if (!kept) {
            release(found);
            if (read) return push_back(&inbox_counters::not_kept);
            found.outcome = outcome::malformed;
            return count(found);
        }
        // From here on it is kept, whatever fails: refusing it would make it two.
        bool remembered = true;
        try {
            guard_.commit(found, now());
        } catch (...) {
            remembered = false;
        }
        line::bells woken;
        {
            std::lock_guard const lock{line_->mutex};
            mine.take();
            --line_->reserved;
            ++line_->counters.outcomes[static_cast<std::size_t>(outcome::accepted)];
            line_->counters.not_remembered += !remembered;
            line_->queue.splice(line_->queue.end(), made);
            woken = line_->chosen();
        }
        wake(woken);
        return 200;
    }

    bool reserve() {
        std::lock_guard const lock{line_->mutex};
        if (line_->closed || line_->queue.size() + line_->reserved >= options_.capacity)
            return false;
        ++line_->reserved;
        return true;
    }
    static void leave(line& of) noexcept {
        line::bells woken;
        {
            std::lock_guard const lock{of.mutex};
            --of.reserved;
            woken = of.chosen();
        }
        wake(woken);
    }
    void release(const verdict& found) noexcept {
        try {
            guard_.release(found);
        } catch (...) {
            // The claim lapses by itself, and the repetition is taken then.
        }
    }
    unsigned push_back(std::uint64_t inbox_counters::*counter) {
        std::lock_guard const lock{line_->mutex};
        ++(line_->counters.*counter);
        return 429;
    }

    inbox_options options_;
    guard guard_;
    std::shared_ptr<line> line_;
};

} // namespace highlevel::webhooks
