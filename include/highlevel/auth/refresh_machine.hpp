// SPDX-License-Identifier: BSL-1.0
//
// When and how the OAuth token of one resource is renewed, as a plain state machine: it is told
// what happened and at what time, and answers what to do next. oauth.hpp drives it.
#pragma once

#include <highlevel/auth/secret.hpp>
#include <highlevel/auth/token.hpp>
#include <highlevel/auth/token_problem.hpp>
#include <highlevel/detail/share.hpp>
#include <highlevel/error.hpp>

#include <boost/asio/error.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

namespace highlevel::auth {

namespace detail {

/// No answer to a refresh is waited for longer than this: three of them end within the 30 s in
/// which the server repeats its answer.
inline constexpr std::chrono::seconds longest_refresh{9};

} // namespace detail

/// How tokens are renewed. All times are in milliseconds.
class refresh_options {
public:
    refresh_options() = default;

    /// A token is renewed between this long and half of it before its end, each time another moment
    /// by chance, so that many processes and resources do not meet. At most a fifth of the token's
    /// life. Calls go on with the old token meanwhile. 0: only when it has ended.
    std::chrono::milliseconds ahead{std::chrono::minutes{20}};
    /// A token is no longer handed out this long before its end: clocks differ, and requests take
    /// time. At most a tenth of the token's life.
    std::chrono::milliseconds skew{std::chrono::seconds{30}};
    /// How long other processes keep their hands off while one renews. Longer than a renewal takes,
    /// shorter than the 30 s in which the server repeats its answer: so a process takes over in
    /// time from one that was killed before it could store the new pair.
    std::chrono::milliseconds lease{std::chrono::seconds{20}};
    /// Tries of one renewal that fails for reasons that pass (network, 5xx, 429, store); at least
    /// 1. After these the waiting calls fail.
    int attempts = 3;
    /// Pause after the first failure; doubles with each further one, up to `max_delay`.
    std::chrono::milliseconds base_delay{200};
    std::chrono::milliseconds max_delay{std::chrono::seconds{30}};
    /// A token that the server refuses with 401 is renewed at most this often: a renewal does not
    /// help where every token is refused.
    std::chrono::milliseconds refused_interval{std::chrono::seconds{10}};
    /// How long one function of the store may take before it counts as failed.
    std::chrono::milliseconds store_timeout{std::chrono::seconds{15}};

    /// The pause after that many failures in a row (at least 1): half of it fixed and half by
    /// chance, doubling with each failure. `random`: from 0 to below 1.
    [[nodiscard]] std::chrono::milliseconds backoff(int failures, double random) const noexcept {
        auto const doubled = static_cast<double>(base_delay.count()) *
            static_cast<double>(std::int64_t{1} << std::clamp(failures - 1, 0, 20));
        auto const bound = std::min(doubled, static_cast<double>(max_delay.count()));
        return std::chrono::milliseconds{
            static_cast<std::chrono::milliseconds::rep>(bound * (0.5 + random / 2))};
    }

    /// Throws std::invalid_argument that names the member that cannot be used.
    void validate() const {
        using std::chrono::milliseconds;
        auto const check = [](bool good, const char* what) {
            if (!good) throw std::invalid_argument{what};
        };
        check(ahead >= milliseconds::zero(), "refresh.ahead: must not be negative");
        check(skew >= milliseconds::zero(), "refresh.skew: must not be negative");
        check(lease > milliseconds::zero(), "refresh.lease: must be positive");
        check(attempts >= 1, "refresh.attempts: must be at least 1");
        check(base_delay > milliseconds::zero(), "refresh.base_delay: must be positive");
        check(max_delay >= base_delay, "refresh.max_delay: must not be below base_delay");
        check(
            refused_interval >= milliseconds::zero(),
            "refresh.refused_interval: must not be negative");
        check(store_timeout > milliseconds::zero(), "refresh.store_timeout: must be positive");
    }
};

/// How the server refused a refresh or a mint.
enum class refusal : std::uint8_t {
    /// It may work soon, and nothing was done: no connection, 429.
    transient,
    /// There was no answer, or a 5xx: it may have been done, and the answer be lost.
    lost,
    /// It may work once something has changed at HighLevel: "Location is not active".
    lasting,
    /// The refresh token is used up, or the company's token may not mint for this location.
    final,
};

/// The token of one resource.
///
/// Two sides use it. Callers ask for a token with ask(), and report one that the server refused
/// with refuse(); when `start` is set they begin a flight, of which there is at most one at a time.
/// The flight performs actions one after the other and reports each with the function that the
/// action names; callers that were told to wait ask settled() when the flight is done, or when the
/// machine says so by release_waiters().
///
/// What it keeps to: a new pair is stored before it is used or handed out; a pair that could not be
/// stored is stored again, not fetched again; a refresh token is given up only when the server
/// refuses it as used up and the store has no newer one; what the store holds is never replaced by
/// something older; a token that was removed during a flight does not come back by it.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class refresh_machine {
public:
    using duration = std::chrono::milliseconds;

    /// The time, and a number from 0 to below 1 by chance. Given with every event.
    class moment {
    public:
        moment(timestamp n, double r) noexcept : now(n), random(r) {}
        timestamp now;
        double random;
    };

    /// What a caller gets.
    class answer {
    public:
        answer() = default;

        enum class verdict : std::uint8_t { ready, wait, failed } what = verdict::failed;
        /// A flight must be started now.
        bool start = false;
        /// For `ready`.
        std::shared_ptr<const secret> access;
        /// For `failed`.
        token_problem problem;
    };

    /// What the flight does next, and the function that reports it.
    enum class todo : std::uint8_t {
        /// Nothing: the flight is over.
        done,
        /// Read the store: loaded() or store_failed().
        load,
        /// Take the lease: locked() or store_failed().
        lock,
        /// Give the lease back, whatever comes of it: unlocked().
        unlock,
        /// Let `delay` pass, or less when the client ends: paused().
        pause,
        /// Send subject()->refresh to the server: obtained() or refused().
        refresh,
        /// Have the company's token mint one: obtained() or refused().
        mint,
        /// Store pending() in place of version expected(): replaced() or store_failed().
        replace,
        /// Have the lease last as long again: extended().
        extend,
    };

    class action {
    public:
        action(todo w, duration d = duration::zero()) noexcept : what(w), delay(d) {}
        todo what;
        duration delay;
    };

    /// `options` must live as long as the machine.
    refresh_machine(const refresh_options& options, resource_kind kind)
        : options_(&options),
          kind_(kind) {}

    // ---- callers

    /// Asks for a token. After `wait`, ask settled() once woken.
    [[nodiscard]] answer ask(moment at) {
        answer out;
        if (usable(at.now)) {
            out.what = answer::verdict::ready;
            out.access = access_;
            out.start = has_work(at.now);
        } else if (flying_ ? decided() : at.now < retry_at_) {
            out.problem = problem_;
        } else {
            out.what = answer::verdict::wait;
            out.start = !flying_;
        }
        if (out.start) take_off();
        return out;
    }

    /// What ask() gives where it gives a token and no flight is to start; else null.
    [[nodiscard]] std::shared_ptr<const secret> at_hand(timestamp now) const noexcept {
        return usable(now) && !has_work(now) ? access_ : nullptr;
    }

    /// What has come of the wait: `ready` or `failed`; or `wait` again, when the token was refused
    /// and the next flight begun between the landing and this question.
    [[nodiscard]] answer settled(moment at) const {
        answer out;
        if (usable(at.now)) {
            out.what = answer::verdict::ready;
            out.access = access_;
        } else if (flying_ && !decided()) {
            out.what = answer::verdict::wait;
        } else {
            out.problem = problem_;
        }
        return out;
    }

    /// Told that the server refused `token` as invalid. `ready`: another one is at hand; `wait`: it
    /// is being fetched; `failed`: there is nothing to be done.
    [[nodiscard]] answer refuse(const secret& token, moment at) {
        answer out;
        if (!access_) return out;
        if (*access_ == token && refused_ != held_->version) {
            // A flight that is up fetches a new one, so it counts as this one's; but not one that
            // only gives its lease back.
            bool const fetching = flying_ && (state_ != state::leaving || once_more_);
            if (!fetching && forced_ && at.now - *forced_ < options_->refused_interval) return out;
            refused_ = held_->version;
            forced_ = at.now;
            retry_at_ = timestamp::min();
            look_once_more();
        }
        return ask(at);
    }

    /// A token that the application got, to be stored in place of whatever is there (an
    /// installation). Starts a flight when true; a flight that is up stores it before its end.
    /// It waits as a pair from the server does: until the store has it.
    [[nodiscard]] bool offer(token value) {
        forgotten_ = false;
        offered_ = std::move(value);
        ++offers_;
        retry_at_ = timestamp::min();
        forced_.reset();
        if (flying_) return false;
        take_off();
        return true;
    }
    /// How many offers there were; with it, offer_stored() tells what became of the latest.
    [[nodiscard]] std::uint64_t offers() const noexcept { return offers_; }
    /// Whether the store has the offer of that number, or a later one took its place.
    [[nodiscard]] bool offer_stored(std::uint64_t number) const noexcept {
        return number < offers_ || !offered_;
    }
    /// Why the latest attempt of a flight failed.
    [[nodiscard]] const token_problem& problem() const noexcept { return problem_; }

    /// The application removes the token from the store (an uninstallation). A flight that is up
    /// ends without storing anything more; what it stores at this very moment is to be removed
    /// once it has landed.
    void forget() {
        held_.reset();
        access_.reset();
        offered_.reset();
        if (!flying_) drop_pending();
        forgotten_ = flying_;
        insist_ = false;
    }

    /// Renews even what has not ended; calls go on with that meanwhile. Starts a flight when true.
    /// insisting() stays true until a flight has done it or has failed.
    [[nodiscard]] bool force() {
        if (!insist_) {
            insist_ = true;
            insisted_.reset();
            insist_problem_ = token_problem{};
        }
        retry_at_ = timestamp::min();
        look_once_more();
        if (flying_) return false;
        take_off();
        return true;
    }
    [[nodiscard]] bool insisting() const noexcept { return insist_; }
    /// Why the latest force() came to nothing; no code when it did not.
    [[nodiscard]] const token_problem& insist_problem() const noexcept { return insist_problem_; }

    /// Stores what the store does not have yet. Starts a flight when true.
    [[nodiscard]] bool save() {
        if (flying_ || !unsaved()) return false;
        take_off();
        return true;
    }

    /// The next ask() does not answer from memory that there is no token: something has changed.
    void look_again() noexcept { retry_at_ = timestamp::min(); }

    // ---- the flight

    /// The flight begins.
    [[nodiscard]] action begin() {
        // A pair that a former flight could not store is stored, not fetched again.
        if (pending_) {
            state_ = state::storing;
            return todo::replace;
        }
        return offered_ ? look(state::reading_to_install) : look(state::looking);
    }

    [[nodiscard]] action loaded(std::optional<token> found, moment at) {
        auto const old_state = state_;
        if (forgotten_) return removed(at);
        stored_ = found ? found->version : 0;
        if (old_state == state::reading_to_install) {
            base_ = stored_;
            pending_ = std::exchange(offered_, std::nullopt);
            installing_ = true;
            state_ = state::storing;
            return todo::replace;
        }
        state_ = state::looking;
        if (!found) {
            held_.reset();
            access_.reset();
            if (old_state == state::reading_conflict) return removed(at);
        } else if (!held_ || newer(*found, *held_) || (dead() && stored_ != held_->version)) {
            adopt(*std::move(found), at);
        }
        if (old_state == state::reading_conflict && pending_ && stored_ != 0 && stored_ < base_) {
            // The store was set back to an older copy: the pair is still the newest there is.
            base_ = stored_;
            state_ = state::storing;
            return todo::replace;
        }
        if (old_state == state::reading_conflict) pending_.reset();
        if (offered_) return look(state::reading_to_install);
        // What is in the store before the renewal is sent is what force() is about.
        if (insist_ && !insisted_ && !lost_ &&
            (old_state == state::looking || old_state == state::reading_under_lock))
            insisted_ = version_held();
        if (satisfied(at.now)) return succeed(at);
        if (old_state == state::looking) {
            state_ = state::locking;
            return todo::lock;
        }
        if (old_state == state::reading_after_refusal && held_ && subject_ &&
            held_->version == subject_->version) {
            dead_ = held_->version;
            dead_why_ = problem_;
        }
        if (old_state == state::reading_conflict && usable(at.now) && !insisted_on())
            return succeed(at);
        return renew(at);
    }

    /// `took`: how long the store needed, in which the lease may have begun already.
    [[nodiscard]] action locked(bool got, moment at, duration took = duration::zero()) {
        if (got) {
            locked_ = true;
            leased_until_ = at.now - took + options_->lease;
            return look(state::reading_under_lock);
        }
        // Another process renews. One that still has a good token leaves it to that, and waits for
        // it when the token has ended.
        if (usable(at.now) && !insist_) {
            retry_at_ = std::min(at.now + options_->lease / 4, usable_until_);
            return land();
        }
        if (waited_ > 3 * options_->lease)
            return fail(
                {make_error_code(errc::timeout), "another process holds the token's lease"}, at,
                duration::zero());
        auto const delay = std::min(
            duration{static_cast<duration::rep>(
                static_cast<double>(20 << std::min(polls_, 5)) * (0.5 + at.random / 2))},
            options_->max_delay);
        ++polls_;
        waited_ += delay;
        state_ = state::waiting_for_other;
        return {todo::pause, delay};
    }

    [[nodiscard]] action obtained(token fresh, moment at) {
        if (forgotten_) return removed(at);
        if (subject_) complete(fresh);
        pending_ = std::move(fresh);
        installing_ = false;
        failures_ = 0;
        lost_.reset();
        released_ = false;
        state_ = state::storing;
        return todo::replace;
    }

    /// `retry_after`: for how long at least to leave it, as the server asked or as is sensible;
    /// zero for nothing.
    [[nodiscard]] action refused(refusal how, token_problem why, duration retry_after, moment at) {
        bool const minting = state_ == state::minting;
        if (forgotten_) return removed(at);
        if (how == refusal::final && !minting) {
            // It is used up, perhaps by a process that has stored the next one since.
            problem_ = std::move(why);
            return look(state::reading_after_refusal);
        }
        if (how == refusal::final && dead()) why = ended();
        if (how == refusal::lasting) retry_after = std::max(retry_after, options_->max_delay);
        if (how == refusal::lasting || how == refusal::final)
            return fail(std::move(why), at, retry_after);
        if (how == refusal::lost && !minting && !lost_) lost_ = sent_at_;
        return repeat(
            std::move(why), minting ? state::minting : state::refreshing, at, retry_after);
    }

    /// Gives the version, or nothing when the store held another one than expected().
    [[nodiscard]] action replaced(std::optional<std::uint64_t> version, moment at) {
        if (forgotten_) return removed(at);
        if (!version && installing_) {
            // Somebody stored another one at the same moment: this is the later, whoever wins.
            if (!offered_) offered_ = std::exchange(pending_, std::nullopt);
            pending_.reset();
            return look(state::reading_to_install);
        }
        if (!version) return look(state::reading_conflict);
        pending_->version = *version;
        auto stored = *std::exchange(pending_, std::nullopt);
        // What it takes the place of in the store it takes the place of here, also when a store
        // that was set back counts from a lower version again.
        if (!held_ || newer(stored, *held_) || held_ == subject_ || installing_) {
            refused_ = dead_ = 0;
            adopt(std::move(stored), at);
        }
        installing_ = false;
        return succeed(at);
    }

    [[nodiscard]] action store_failed(token_problem why, moment at) {
        if (forgotten_) return removed(at);
        switch (state_) {
        case state::storing:
        case state::reading_conflict:
        case state::reading_to_install: {
            // The pair exists only here: keep it until it is stored. What failed may have worked,
            // which the next attempt finds out as a conflict.
            problem_ = std::move(why);
            ++failures_;
            if (failures_ >= options_->attempts) released_ = true;
            // Not to be tried again at once by whoever asks.
            auto const delay = options_->backoff(failures_, at.random);
            retry_at_ = at.now + delay;
            if (stopping_ && failures_ >= options_->attempts) return land();
            state_ = state_ == state::reading_to_install ? state::pausing_to_install
                                                         : state::pausing_to_store;
            return {todo::pause, delay};
        }
        case state::reading_after_refusal:
            // Whether it is final is known only once the store has been read.
            return fail(std::move(why), at, duration::zero());
        default: return repeat(std::move(why), state::looking, at, duration::zero());
        }
    }

    [[nodiscard]] action paused(moment at) {
        if (forgotten_) return removed(at);
        switch (state_) {
        case state::pausing_to_store:
            state_ = state::storing;
            // Once more, also when the client ends. Others must not send the spent refresh token.
            if (locked_ && !stopping_ && at.now + options_->lease / 2 > leased_until_)
                return todo::extend;
            return todo::replace;
        case state::pausing_to_install: return look(state::reading_to_install);
        case state::waiting_for_other:
            if (stopping_) return land();
            return begin();
        default: break;
        }
        if (stopping_) return land();
        if (offered_) return look(state::reading_to_install);
        if (satisfied(at.now)) return succeed(at);
        state_ = after_pause_;
        if (state_ == state::refreshing || state_ == state::minting) return send_in_time(at);
        return look(locked_ ? state::reading_under_lock : state::looking);
    }

    /// Whether the lease lasts as long again as when it was taken. `took` as for locked().
    [[nodiscard]] action extended(bool got, moment at, duration took = duration::zero()) {
        if (forgotten_) return removed(at);
        if (got) leased_until_ = at.now - took + options_->lease;
        if (state_ == state::storing) return todo::replace; // the version decides
        if (stopping_) return leave();
        if (!got) {
            // Whoever takes it in between gets the same answer from the server, or stores it.
            state_ = state::relocking;
            return todo::unlock;
        }
        return send(at);
    }

    [[nodiscard]] action unlocked() {
        locked_ = false;
        if (std::exchange(state_, state::leaving) == state::relocking && !forgotten_) {
            state_ = state::locking;
            return todo::lock;
        }
        return land();
    }

    /// The client ends: nothing new is fetched, and the pauses before that are cut short. What is
    /// not stored yet is tried a few times more.
    void stop() noexcept { stopping_ = true; }
    /// A client is there again.
    void resume() noexcept { stopping_ = false; }
    [[nodiscard]] bool stopping() const noexcept { return stopping_; }
    /// Whether the token was removed while the flight was up, which is to end then.
    [[nodiscard]] bool forgotten() const noexcept { return forgotten_; }

    /// The flight that was asked for cannot begin, or breaks off; a lease that it has is no more
    /// its own. A pair that is not stored stays, unless the application has removed it.
    void abandon(token_problem why) {
        problem_ = std::move(why);
        if (insist_) insist_problem_ = problem_;
        insist_ = false;
        if (forgotten_) drop_pending();
        flying_ = false;
        released_ = false;
        once_more_ = false;
        locked_ = false;
        forgotten_ = false;
        state_ = state::looking;
    }

    /// Waiting callers should ask settled() now, though the flight goes on: the store does not take
    /// the new pair, an answer of the server is missing that may be had once more, or nothing but
    /// the lease is left to give back.
    [[nodiscard]] bool release_waiters() const noexcept { return decided(); }

    /// The token that the store held last; null for none.
    [[nodiscard]] const std::shared_ptr<const token>& current() const noexcept { return held_; }
    /// The token whose refresh token `refresh` sends; null for none.
    [[nodiscard]] const std::shared_ptr<const token>& subject() const noexcept { return subject_; }
    /// What `replace` stores.
    [[nodiscard]] const token& pending() const noexcept { return *pending_; }
    /// The version that `replace` expects.
    [[nodiscard]] std::uint64_t expected() const noexcept { return base_; }
    [[nodiscard]] bool flying() const noexcept { return flying_; }
    /// Whether there is a pair that the store does not have yet.
    [[nodiscard]] bool unsaved() const noexcept { return pending_ || offered_; }

private:
    enum class state : std::uint8_t {
        looking,
        locking,
        waiting_for_other,
        reading_under_lock,
        refreshing,
        minting,
        pausing,
        reading_after_refusal,
        storing,
        pausing_to_store,
        reading_to_install,
        pausing_to_install,
        reading_conflict,
        relocking,
        leaving,
    };

    /// Whether a token that can be used should be renewed or stored all the same.
    [[nodiscard]] bool has_work(timestamp now) const noexcept {
        return !flying_ && now >= retry_at_ && (now >= refresh_at_ || unsaved() || insist_);
    }
    [[nodiscard]] bool usable(timestamp now) const noexcept {
        return access_ && now < usable_until_ && refused_ != held_->version;
    }
    /// What the flight does from now on changes nothing for who waits.
    [[nodiscard]] bool decided() const noexcept {
        return released_ || (state_ == state::leaving && !once_more_ && !offered_);
    }
    /// A flight that only gives its lease back does not see what has changed: it is to go on.
    void look_once_more() noexcept { once_more_ = once_more_ || state_ == state::leaving; }
    /// Nothing is left to do for a flight.
    [[nodiscard]] bool satisfied(timestamp now) const noexcept {
        return usable(now) && now < refresh_at_ && !insisted_on();
    }
    /// force() wants the token that is held to be replaced.
    [[nodiscard]] bool insisted_on() const noexcept {
        return insist_ && held_ && insisted_.value_or(held_->version) == held_->version;
    }
    [[nodiscard]] std::uint64_t version_held() const noexcept { return held_ ? held_->version : 0; }
    /// Versions tell, except where a store was set back to an older copy and counts anew.
    static bool newer(const token& a, const token& b) noexcept {
        return a.version > b.version || (a.version < b.version && a.issued_at > b.issued_at);
    }
    [[nodiscard]] bool dead() const noexcept { return held_ && dead_ == held_->version; }

    /// The end of the refresh token, with what the server said of it.
    [[nodiscard]] token_problem ended() const {
        auto out = dead_why_;
        out.code = make_error_code(errc::reinstall_required);
        out.cause = cause::reinstall_required;
        out.detail = "the refresh token is no longer valid: the app must be installed again";
        if (!dead_why_.detail.empty()) out.detail += " (" + dead_why_.detail + ')';
        return out;
    }

    /// Reads the store, for the purpose that `then` names.
    [[nodiscard]] action look(state then) {
        state_ = then;
        return todo::load;
    }

    /// The application has removed the token while a flight was up.
    [[nodiscard]] action removed(moment at) {
        drop_pending();
        return fail(
            {make_error_code(errc::no_token), "the token was removed while it was renewed"}, at,
            duration::zero());
    }

    void drop_pending() {
        pending_.reset();
        installing_ = false;
    }

    void take_off() {
        flying_ = true;
        released_ = false;
        failures_ = 0;
        polls_ = 0;
        renewals_ = 0;
        waited_ = duration::zero();
        lost_.reset();
        problem_ = token_problem{boost::asio::error::operation_aborted, "the client ended"};
    }

    void adopt(token value, moment at) {
        usable_until_ = refresh_at_ = value.expires_at;
        if (value.expires_at != timestamp::max()) {
            auto const life = std::max(value.expires_at - value.issued_at, duration::zero());
            auto const ahead = std::min(options_->ahead, duration{life / 5});
            usable_until_ -= std::min(options_->skew, duration{life / 10});
            refresh_at_ -= ahead -
                duration{
                    static_cast<duration::rep>(static_cast<double>(ahead.count()) / 2 * at.random)};
        }
        held_ = highlevel::detail::share<const token>(std::move(value));
        access_ = std::shared_ptr<const secret>{held_, &held_->access};
        if (refused_ != held_->version) refused_ = 0;
    }

    /// Takes over what an answer leaves out (RFC 6749 section 6 for the refresh token).
    void complete(token& fresh) const {
        auto const fill = [](auto& to, auto const& from) {
            if (to.empty()) to = from;
        };
        if (state_ == state::refreshing) fill(fresh.refresh, subject_->refresh);
        fill(fresh.scopes, subject_->scopes);
        fill(fresh.company_id, subject_->company_id);
        fill(fresh.user_id, subject_->user_id);
    }

    [[nodiscard]] action renew(moment at) {
        constexpr int enough = 4;
        if (++renewals_ > enough)
            return fail(
                {make_error_code(errc::no_token), "every new token was replaced at once"}, at,
                options_->max_delay);
        if (stopping_) return leave();
        if (!locked_) {
            // A flight that began with a pair to store, and found another one in its place.
            state_ = state::locking;
            return todo::lock;
        }
        subject_ = held_;
        base_ = stored_;
        bool const refreshing = held_ && !held_->refresh.empty() && !dead();
        if (refreshing || kind_ == resource_kind::location) {
            state_ = refreshing ? state::refreshing : state::minting;
            return send_in_time(at);
        }
        if (!held_)
            return fail({make_error_code(errc::no_token), "the app is not installed"}, at, {});
        if (dead()) return fail(ended(), at, options_->base_delay);
        return fail(
            {make_error_code(errc::reinstall_required),
             "the token has ended, and no refresh token came with it"},
            at, options_->base_delay);
    }

    /// Sends what the state says.
    [[nodiscard]] action send(moment at) {
        if (state_ == state::minting) return todo::mint;
        sent_at_ = at.now;
        return todo::refresh;
    }
    /// The same, with a lease that does not end before the answer is there. One that is short from
    /// the beginning is made longer when half of it is over.
    [[nodiscard]] action send_in_time(moment at) {
        auto const needed = std::min<duration>(detail::longest_refresh, options_->lease / 2);
        if (at.now + needed > leased_until_) return todo::extend;
        return send(at);
    }

    /// A failure that may pass: the same again after a pause, or the end of this flight.
    [[nodiscard]] action repeat(token_problem why, state after, moment at, duration retry_after) {
        ++failures_;
        auto delay = std::max(options_->backoff(failures_, at.random), retry_after);
        // A lost answer can be had once more for 30 s, and then no more: that is worth insisting,
        // also when nobody waits for it.
        constexpr duration repeated{std::chrono::seconds{25}};
        if (after == state::refreshing && lost_ && !stopping_) {
            delay = std::min(delay, repeated / 5);
            if (at.now + delay < *lost_ + repeated) {
                released_ = released_ || failures_ >= options_->attempts;
                return pause(std::move(why), after, delay);
            }
        }
        // Nobody waits for a renewal that is ahead of time, so that a later flight may do it.
        if (stopping_ || failures_ >= options_->attempts || (usable(at.now) && !insist_) ||
            retry_after > options_->max_delay)
            return fail(std::move(why), at, retry_after);
        return pause(std::move(why), after, delay);
    }

    [[nodiscard]] action pause(token_problem why, state after, duration delay) {
        problem_ = std::move(why);
        after_pause_ = after;
        state_ = state::pausing;
        return {todo::pause, delay};
    }

    [[nodiscard]] action fail(token_problem why, moment at, duration least) {
        problem_ = std::move(why);
        if (insist_) insist_problem_ = problem_;
        insist_ = false;
        // A missing token may be installed by another process at any time: looked for every time.
        if (problem_.code == errc::no_token && least == duration::zero())
            retry_at_ = at.now;
        else
            retry_at_ = at.now + std::max(least, options_->backoff(++failed_flights_, at.random));
        return leave();
    }

    [[nodiscard]] action succeed(moment /*at*/) {
        failed_flights_ = 0;
        retry_at_ = timestamp::min();
        // For who comes when this token, too, is of no more use.
        problem_ = token_problem{
            make_error_code(errc::no_token), "the token was refused as soon as it came"};
        if (!insisted_on()) insist_ = false;
        return leave();
    }

    [[nodiscard]] action leave() {
        state_ = state::leaving;
        if (locked_) return todo::unlock;
        return land();
    }

    [[nodiscard]] action land() {
        if (locked_) return leave();
        bool const again = std::exchange(once_more_, false);
        if (!stopping_ && !forgotten_) {
            // What was offered since comes first.
            if (offered_) return look(state::reading_to_install);
            // A client ended, and another came while the lease was given back.
            if (pending_) {
                state_ = state::storing;
                return todo::replace;
            }
            if (again) {
                take_off();
                return look(state::looking);
            }
        }
        state_ = state::looking;
        flying_ = false;
        released_ = false;
        forgotten_ = false;
        subject_.reset();
        return todo::done;
    }

    const refresh_options* options_;
    resource_kind kind_;

    std::shared_ptr<const token> held_;
    std::shared_ptr<const secret> access_;
    timestamp usable_until_{};
    timestamp refresh_at_{};
    /// The version that the server refused with 401.
    std::uint64_t refused_ = 0;
    /// The version whose refresh token is used up.
    std::uint64_t dead_ = 0;
    /// How the server refused it.
    token_problem dead_why_;
    std::optional<timestamp> forced_;

    token_problem problem_;
    timestamp retry_at_ = timestamp::min();
    int failed_flights_ = 0;

    /// An installation's token that no flight has begun to store.
    std::optional<token> offered_;
    std::uint64_t offers_ = 0;
    /// Renew what is not due: the version in question, once it is known.
    bool insist_ = false;
    std::optional<std::uint64_t> insisted_;
    token_problem insist_problem_;

    bool flying_ = false;
    /// Removed by the application while the flight was up.
    bool forgotten_ = false;
    bool stopping_ = false;
    bool released_ = false;
    /// The flight does not end with its lease, but looks at the store again.
    bool once_more_ = false;
    bool locked_ = false;
    state state_ = state::looking;
    state after_pause_ = state::looking;
    /// What is renewed.
    std::shared_ptr<const token> subject_;
    /// The version that the store had when it was last read.
    std::uint64_t stored_ = 0;
    /// The version in the store that the new pair takes the place of.
    std::uint64_t base_ = 0;
    timestamp leased_until_{};
    /// pending_ was offered, and takes the place of whatever is there.
    bool installing_ = false;
    timestamp sent_at_{};
    /// When the first refresh was sent whose answer is missing.
    std::optional<timestamp> lost_;
    std::optional<token> pending_;
    int failures_ = 0;
    int polls_ = 0;
    int renewals_ = 0;
    duration waited_{0};
};

} // namespace highlevel::auth
