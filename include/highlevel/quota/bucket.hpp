// SPDX-License-Identifier: BSL-1.0
//
// One bucket's rate limit as a state machine without clock, lock or I/O: it is told the time and
// what happened, and says whether a request may go now.
#pragma once

#include <highlevel/quota/envelope.hpp>
#include <highlevel/quota/headers.hpp>
#include <highlevel/quota/lane.hpp>
#include <highlevel/quota/limits.hpp>

#include <algorithm>
#include <array>
#include <cassert>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

namespace highlevel::quota {

/// Decides when the next request of one bucket may be sent.
///
/// The server admits M requests per T and does not say how it counts; its answers say M, T and how
/// many it would still take (R). A request may go when one of two proofs holds.
///
/// *Envelope.* Every finished request is counted at its latest possible arrival, every one in
/// flight as one. If the largest count that any kind of server could make of these leaves room
/// under M, it has room (see envelope.hpp). This needs no trust in R.
///
/// *Credit.* An accepted response that says R proves that at its arrival the server would have
/// taken R more. Ours that it may not have counted number `sent - done_at - 1`, `done_at` being how
/// many were surely counted (or never to come) when its request was sent. So as long as `sent + 1
/// <= R + done_at + 1`, all of them fit, since R does not fall without an arrival. The largest
/// promise is kept. This wins back what the envelope gives away: the moment at which a window opens
/// or a token falls.
///
/// The invariant, in words: *whatever of ours a server may be counting at any moment from now on,
/// in any order of arrival, every request sent so far was accepted, or the assumptions were
/// broken.* The assumptions: we are alone on the bucket, M and T are right, the server is one of
/// the kinds, a lost request arrives within `limits::lost_grace` of being given up, clock rates
/// differ by less than 500 ppm, R is current. Where they break, evidence shows and is acted upon: a
/// count too high means somebody else (ghost, then shared mode), a refusal means pause and slow
/// down.
///
/// Lock-step rule for drivers: `admit` grants to at most one request; each grant must be ended by
/// exactly one of `settle`, `lost` and `unsent`. Time must not run backwards by more than a few
/// microseconds.
///
/// Thread safety: distinct objects: safe; shared objects: unsafe. The options must outlive the
/// bucket.
class bucket {
public:
    using time_point = std::chrono::steady_clock::time_point;

    /// What a granted request must remember until its end.
    class ticket {
    public:
        ticket() = default;

        /// When the permit was granted, as a number: how many were before it.
        [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }
        /// Whether it stands for a grant that was not ended yet.
        [[nodiscard]] bool open() const noexcept { return open_; }
        /// Whether the credit proof let it go.
        [[nodiscard]] bool on_credit() const noexcept { return on_credit_; }

    private:
        friend class bucket;
        std::uint64_t sequence_ = 0; // requests sent before this one
        std::uint64_t done_ = 0;     // of those, surely counted when it was sent
        std::int64_t credit_ = 0;    // the best promise when it was sent
        double own_ = 0;             // most that the server can count of ours, this one included
        bool on_credit_ = false;
        bool open_ = false;
    };

    /// The answer to "may one go now?".
    class verdict {
    public:
        verdict() = default;

        /// Yes; the ticket is filled in.
        bool granted = false;
        /// No, and the reason is the day's limit rather than the interval's.
        bool daily = false;
        /// When to ask again; time_point::max(): after the next event (settle, lost, unsent).
        time_point wake = time_point::max();
    };

    explicit bucket(const limits& options, std::uint64_t seed = 1) noexcept
        : options_(&options),
          ring_(to_nanos(options.interval), options.strategy == strategy::proven),
          max_(options.max),
          interval_(options.interval),
          allowed_(options.max),
          random_(seed * 0x9e3779b97f4a7c15ULL + 0x2545f4914f6cdd1dULL) {
        if (options.ledger) {
            share_ = 0; // nothing is ours before the ledger says so
        } else if (options.static_share != 0) {
            share_ = options.static_share;
        }
    }

    /// Asks for one permit. With `its_turn`, bulk work is treated as interactive (the driver's
    /// guard against starvation). On yes, fills `out`; it must not be open.
    [[nodiscard]] verdict admit(
        time_point at, lane who, ticket& out, bool its_turn = false) noexcept {
        assert(!out.open_);
        auto const now = to_nanos(at);
        drain_lost(now);
        if (who == lane::interactive) last_interactive_ = now;
        bool const yields = who == lane::bulk && !its_turn;

        if (now < hold_) return wait(hold_);
        if (auto const no = daily_barrier(now, who)) return *no;

        doubt_after_silence(now);
        // A bucket that was not heard of may be used up, or smaller than assumed: one request
        // finds out, and the rest follow its answer.
        if (!verified_ && in_flight_ > 0) return wait(never);
        if (is_slowed(now)) return wait(smooth_tat_);

        double const kept = yields ? held_back(now) : 0;
        double const cap = ours(now, kept);
        double const ghost = ghost_at(now);
        double const room = cap - 1 - in_flight_ - ghost;
        if (ring_.fits(now, room)) {
            // The envelope's proof: with this one, too, the server can count no more than its
            // limit.
            assert(ring_.bound(now) + in_flight_ + 1 <= std::min(share_, max_) + 1e-6);
            if (!needs_evidence()) return grant(now, false, who, out);
            if (evidence_leaves_room()) return grant(now, false, who, out);
            // Shared, and the newest answer leaves no room: wait for a newer one, or get one.
            if (in_flight_ > 0) return wait(never);
            if (now < next_look_) return wait(next_look_);
            return grant(now, false, who, out);
        }
        nanos wake = room >= 0 ? ring_.release() : never;
        if (shared_) {
            epoch_bound_ = true;
            return wait(wake);
        }
        if (ghost > 0) wake = std::min(wake, now + ring_.interval() / 8);
        if (yields && now < reserve_until()) wake = std::min(wake, reserve_until());
        if (promised() >= 1 + static_cast<std::int64_t>(kept)) {
            // Spending credit at once would use up each window in a burst, which hurts under a
            // weighted counter: bulk work spends it evenly but for a first tenth.
            auto const from = std::max(credit_off_until_, yields ? pace_ : long_ago);
            if (now >= from) {
                // The credit's proof: all that the promise did not count fits into what it said.
                assert(static_cast<std::int64_t>(sent_) + 1 <= credit_);
                return grant(now, true, who, out);
            }
            wake = std::min(wake, from);
        }
        return wait(wake);
    }

    /// Until when surely no permit of any lane is granted, whatever responses say and whatever is
    /// given back, as long as the limits stay; `at` where that is not sure. For deadlines that
    /// cannot be met.
    [[nodiscard]] time_point shut_until(time_point at) noexcept {
        auto const now = to_nanos(at);
        drain_lost(now);
        auto until = std::max(now, hold_);
        // Room that others leave can grow at any moment, and so can a share of a ledger's.
        bool const may_grow = shared_ || doubtful_ || ghost_at(now) > 0 ||
            (options_->ledger != nullptr && share_ < max_);
        if (in_flight_ == 0 && !may_grow) {
            auto open = ring_.release_for(now, std::min(share_, max_) - 1.0);
            if (promised() >= 1) open = std::min(open, std::max(now, credit_off_until_));
            until = std::max(until, open);
        }
        return time_point{std::chrono::nanoseconds{until}};
    }

    /// Whether the day's limit stops a lane: then when to ask again, time_point::max() for after
    /// the next event.
    [[nodiscard]] std::optional<time_point> day_over(time_point at, lane who) noexcept {
        auto const now = to_nanos(at);
        drain_lost(now);
        auto const no = daily_barrier(now, who);
        day_trial_ = false;
        return no && no->daily ? std::optional{no->wake} : std::nullopt;
    }

    /// Whether the day's limit, or the pace of bulk work through the day, stops a lane for now.
    [[nodiscard]] bool day_stops(time_point at, lane who) noexcept {
        auto const now = to_nanos(at);
        drain_lost(now);
        bool const stops = daily_barrier(now, who).has_value();
        day_trial_ = false;
        return stops;
    }

    /// The response came; any status. A 429 slows the bucket down.
    void settle(
        ticket& t,
        time_point at,
        const rate_headers& headers,
        unsigned status,
        std::optional<std::chrono::milliseconds> retry_after = {}) noexcept {
        if (!t.open_) return;
        t.open_ = false;
        auto const now = to_nanos(at);
        drain_lost(now);
        bool const accepted = status != 429;
        assert(in_flight_ > lost_waiting_);
        --in_flight_;
        ++done_;
        last_use_ = now;
        // Safe: it arrived before its response came. A refused one may be counted as well.
        ring_.add(now + guard());
        check();

        bool current = true;
        if (!learn_limits(t, now, headers)) current = false;
        learn_day(t, now, headers);
        if (!headers.empty() || status < 500) verified_ = true;

        std::optional<std::int64_t> remaining;
        bool const day_over = !accepted && headers.daily_remaining == 0;
        if (current && headers.remaining && !day_over) {
            // Some servers report before they count: a success that leaves everything gives them
            // away, and from then on each report is taken as one less.
            // More than the limit cannot be left, and says nothing.
            auto const most = std::max<std::int64_t>(max_, headers.max.value_or(0));
            if (*headers.remaining <= most) {
                if (status >= 200 && status < 300 && *headers.remaining == most) bias_ = 1;
                remaining = std::clamp<std::int64_t>(*headers.remaining - bias_, 0, max_);
                learn_use(t, now, *remaining, accepted);
            }
        }
        if (accepted) {
            failures_ = 0;
        } else {
            ++refused_;
            refuse(t, now, remaining, headers, retry_after);
        }
        if (shared_) end_epoch(now);
    }

    /// No response will come, but the request may have been sent: it stays in flight for
    /// `limits::lost_grace`, the time in which it may still arrive, and counts as used after that.
    void lost(ticket& t, time_point at) noexcept {
        if (!t.open_) return;
        t.open_ = false;
        auto const now = to_nanos(at);
        drain_lost(now);
        ++lost_;
        last_use_ = now;
        auto const due = detail::ceil_div(now + to_nanos(options_->lost_grace), lost_slice());
        ++lost_slots_[lost_at(due)];
        if (lost_waiting_++ == 0) lost_next_ = due;
        assert(lost_waiting_ <= in_flight_);
        check();
    }

    /// The request surely never left this process: all is given back.
    void unsent(ticket& t, time_point at) noexcept {
        if (!t.open_) return;
        t.open_ = false;
        drain_lost(to_nanos(at));
        assert(in_flight_ > lost_waiting_);
        --in_flight_;
        ++done_;
        ++unsent_;
        check();
        // Every promise counted it among those that may still arrive.
        if (credit_ != no_credit) ++credit_;
        if (day_bound_ != unbounded) ++day_bound_;
        if (day_share_end_ != unbounded) ++day_share_end_;
        pace_ -= spacing();
        smooth_tat_ -= spacing();
    }

    /// The part of the limit that this process may use; absent: all of it. A share that was cut
    /// takes effect as requests end.
    void set_share(std::optional<std::uint32_t> share) noexcept { share_ = share.value_or(whole); }
    [[nodiscard]] std::optional<std::uint32_t> share() const noexcept {
        return share_ == whole ? std::nullopt : std::optional{share_};
    }

    /// The share may have been given to others meanwhile: each request also needs a recent
    /// response that leaves room for it.
    void set_share_doubtful(bool doubtful) noexcept { doubtful_ = doubtful; }

    /// Leases of the day: `added` more requests may be sent before more is leased; absent: no bound
    /// but that of the responses. With `final`, no more will come today: calls beyond it fail
    /// instead of waiting.
    void lease_day(std::optional<std::int64_t> added, bool final = false) noexcept {
        day_share_final_ = final;
        // The server told us that nothing is left, and somebody else that there is: worth a trial.
        if (added && *added > 0 && day_ends_ == never &&
            static_cast<std::int64_t>(sent_) >= day_bound_)
            for (auto& probe : day_probe_at_)
                if (probe != never) probe = long_ago;
        if (!added)
            day_share_end_ = unbounded;
        else if (day_share_end_ == unbounded)
            day_share_end_ = static_cast<std::int64_t>(sent_) + *added;
        else
            day_share_end_ += *added;
    }
    /// Hands what is left of the leases back; they may go to others.
    void return_day() noexcept {
        if (day_share_end_ != unbounded)
            day_share_end_ = std::min(day_share_end_, static_cast<std::int64_t>(sent_));
    }
    /// What is left of that; absent: no such bound.
    [[nodiscard]] std::optional<std::int64_t> day_leased() const noexcept {
        if (day_share_end_ == unbounded) return std::nullopt;
        return std::max<std::int64_t>(0, day_share_end_ - static_cast<std::int64_t>(sent_));
    }

    /// What our requests occupy of the limit at most, as a lease must cover it.
    [[nodiscard]] std::uint32_t occupied(time_point at) noexcept {
        auto const now = to_nanos(at);
        drain_lost(now);
        return static_cast<std::uint32_t>(std::ceil(ring_.bound(now) + in_flight_ - 1e-9));
    }

    [[nodiscard]] std::uint32_t max() const noexcept { return max_; }
    [[nodiscard]] std::chrono::milliseconds interval() const noexcept { return interval_; }
    [[nodiscard]] std::uint32_t in_flight() const noexcept { return in_flight_; }
    [[nodiscard]] std::uint64_t sent() const noexcept { return sent_; }
    [[nodiscard]] std::uint64_t done() const noexcept { return done_; }
    [[nodiscard]] std::uint64_t refused() const noexcept { return refused_; }
    [[nodiscard]] bool shared() const noexcept { return shared_; }
    [[nodiscard]] bool verified() const noexcept { return verified_; }
    /// When a permit was given or ended last; long ago: never.
    [[nodiscard]] time_point last_use() const noexcept {
        return time_point{std::chrono::nanoseconds{last_use_}};
    }
    /// Requests left of the day as far as the newest response told; absent: it did not.
    [[nodiscard]] std::optional<std::int64_t> day_left() const noexcept {
        if (day_bound_ == unbounded) return std::nullopt;
        return std::max<std::int64_t>(0, day_bound_ - static_cast<std::int64_t>(sent_));
    }
    /// How old that response is.
    [[nodiscard]] std::chrono::milliseconds day_age(time_point at) const noexcept {
        return std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::nanoseconds{std::max<nanos>(0, to_nanos(at) - day_seen_)});
    }

    /// Whether forgetting the bucket can have no request refused: nothing of it can count any more,
    /// but what was learned of the day or of others would be learned anew.
    [[nodiscard]] bool expendable(time_point at) noexcept {
        auto const now = to_nanos(at);
        drain_lost(now);
        return in_flight_ == 0 && ring_.idle(now) && ghost_at(now) <= 0 && now >= hold_;
    }

    /// Whether forgetting the bucket loses nothing: a new one in its place would behave alike, but
    /// for the one probe that it sends first.
    [[nodiscard]] bool forgettable(time_point at) noexcept {
        auto const now = to_nanos(at);
        // Time alone ends all of these, also where nobody asks any more.
        bool const day_spent = day_bound_ != unbounded &&
            now < std::min(day_ends_, day_seen_ + 86'400 * second) &&
            static_cast<std::int64_t>(sent_) >= day_bound_;
        bool const with_others = shared_ && now <= foreign_at_ + 6 * ring_.interval();
        bool const slowed = smooth_ < unlimited && now <= smooth_since_ + 60 * ring_.interval();
        return expendable(at) && !with_others && !slowed && now >= credit_off_until_ && !day_spent;
    }

    /// Fills in what the bucket knows; who waits and for what is the driver's part. Takes a
    /// microsecond or two whatever the limit. Throws `std::bad_alloc`.
    void describe(time_point at, bucket_snapshot& into) const {
        auto const now = to_nanos(at);
        bucket copy = *this;
        copy.drain_lost(now);
        into.verified = verified_;
        into.limit = max_;
        into.interval = interval_;
        into.in_flight = copy.in_flight_;
        into.daily_limit = day_limit_ != 0 ? std::optional{day_limit_} : std::nullopt;
        into.daily_remaining = day_left();
        if (day_ends_ != never)
            into.daily_reset = std::chrono::ceil<std::chrono::milliseconds>(
                std::chrono::nanoseconds{std::max<nanos>(0, day_ends_ - now)});
        into.shared = shared_;
        into.allowance = static_cast<std::uint32_t>(std::max(
            0.0,
            std::min<double>(std::min(share_, max_), shared_ ? std::floor(allowed_) : unlimited)));
        into.granted = sent_;
        into.granted_on_credit = on_credit_;
        into.settled = done_ - unsent_ - (lost_ - lost_waiting_);
        into.lost = lost_;
        into.unsent = unsent_;
        into.refused = refused_;
        into.foreign = foreign_seen_;
        into.available = copy.available(now);
        ticket t;
        auto const v = copy.admit(at, lane::interactive, t);
        into.next_release.reset();
        if (into.available > 0 || v.granted)
            into.next_release = std::chrono::milliseconds{0};
        else if (v.wake != time_point::max())
            into.next_release = std::chrono::ceil<std::chrono::milliseconds>(v.wake - at);
    }

private:
    using nanos = detail::nanos;
    static constexpr nanos never = detail::never;
    static constexpr nanos long_ago = detail::long_ago;
    static constexpr nanos second = 1'000'000'000;
    static constexpr std::int64_t no_credit = std::numeric_limits<std::int64_t>::min();
    static constexpr std::int64_t unbounded = std::numeric_limits<std::int64_t>::max();
    static constexpr double unlimited = std::numeric_limits<double>::infinity();
    static constexpr std::int32_t no_answer = std::numeric_limits<std::int32_t>::max();
    static constexpr std::uint32_t most_requests = 60'000;
    static constexpr std::uint32_t whole = std::numeric_limits<std::uint32_t>::max();
    static constexpr int lost_slots = 8;

    template <class Rep, class Period>
    [[nodiscard]] static constexpr nanos to_nanos(std::chrono::duration<Rep, Period> d) noexcept {
        return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
    }
    [[nodiscard]] static constexpr nanos to_nanos(time_point t) noexcept {
        return to_nanos(t.time_since_epoch());
    }

    /// Uniform in [0, 1): splitmix64.
    [[nodiscard]] double uniform() noexcept {
        random_ += 0x9e3779b97f4a7c15ULL;
        auto z = random_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
    }
    [[nodiscard]] nanos fraction(nanos of, double low, double high) noexcept {
        return static_cast<nanos>(static_cast<double>(of) * (low + (high - low) * uniform()));
    }

    /// For clocks that run at different rates (500 ppm over an interval) and timers of the server.
    [[nodiscard]] static constexpr nanos guard_of(nanos interval) noexcept {
        return std::max<nanos>(2'000'000, interval / 2000);
    }
    [[nodiscard]] nanos guard() const noexcept { return guard_of(ring_.interval()); }
    /// Even spacing at the full rate.
    [[nodiscard]] nanos spacing() const noexcept { return ring_.interval() / max_; }

    void check() const noexcept { assert(in_flight_ + done_ == sent_); }
    [[nodiscard]] static constexpr std::size_t index(lane l) noexcept {
        return static_cast<std::size_t>(l);
    }

    [[nodiscard]] verdict wait(nanos until, bool daily = false) const noexcept {
        // What was lost comes back by time alone.
        if (lost_waiting_ > 0) until = std::min(until, lost_next_ * lost_slice());
        verdict v;
        v.daily = daily;
        if (until < never) v.wake = time_point{std::chrono::nanoseconds{until}};
        return v;
    }

    [[nodiscard]] verdict grant(nanos now, bool on_credit, lane who, ticket& out) noexcept {
        auto const evidence = ring_.bound(now) + in_flight_ + 1;
        out.sequence_ = sent_;
        out.done_ = done_;
        out.credit_ = credit_;
        out.own_ = evidence;
        out.on_credit_ = on_credit;
        out.open_ = true;
        ++in_flight_;
        ++sent_;
        on_credit_ += on_credit ? 1 : 0;
        last_use_ = now;
        check();
        // Paces only ever delay what one of the proofs allows, so they need none of their own.
        pace_ = std::max(pace_, now - ring_.interval() / 10) + spacing();
        if (smooth_ < unlimited)
            smooth_tat_ = std::max(smooth_tat_, now - smooth_burst()) + spacing();
        if (day_trial_) try_day(who);
        if (who == lane::bulk && paces_day()) {
            auto const left = std::max<std::int64_t>(
                1, day_bound_ - day_kept(lane::bulk) - static_cast<std::int64_t>(sent_));
            auto const each = std::max<nanos>(0, day_ends_ - now) / left;
            auto const burst = std::min<std::int64_t>(left, std::int64_t{max_} - 1);
            day_pace_ = std::max(day_pace_, now - each * burst) + each;
        }
        verdict v;
        v.granted = true;
        return v;
    }

    // -- what is lost ------------------------------------------------------------------------

    [[nodiscard]] nanos lost_slice() const noexcept {
        return std::max<nanos>(1, to_nanos(options_->lost_grace) / lost_slots);
    }
    [[nodiscard]] static constexpr std::size_t lost_at(std::int64_t i) noexcept {
        constexpr auto size = lost_slots + 2;
        return static_cast<std::size_t>(i - detail::floor_div(i, size) * size);
    }

    /// Counts lost requests whose grace is over as arrived at its end. A count per eighth of the
    /// grace is kept instead of a list; the end is rounded up, which is the safe side. Until then
    /// each counts as in flight, which weighs one, and after it as the latest that it can be: at no
    /// moment does it weigh less than where the server has it.
    void drain_lost(nanos now) noexcept {
        if (lost_waiting_ == 0) return;
        auto const last = detail::floor_div(now, lost_slice());
        for (; lost_waiting_ > 0 && lost_next_ <= last; ++lost_next_) {
            auto& slot = lost_slots_[lost_at(lost_next_)];
            unsigned const n = slot;
            slot = 0;
            assert(n <= lost_waiting_ && lost_waiting_ <= in_flight_);
            lost_waiting_ -= n;
            in_flight_ -= n;
            done_ += n;
            ring_.add(lost_next_ * lost_slice(), n);
        }
        check();
    }

    // -- limits ------------------------------------------------------------------------------

    /// False when the response speaks of limits that are not in force any more.
    ///
    /// Safe: what was sent keeps its time, so that it counts against the new limits as the server
    /// counts it; what was inferred from answers under the old ones (promises, a ghost, the newest
    /// use) is dropped, and refusals of requests sent before the change was known blame nobody.
    [[nodiscard]] bool learn_limits(const ticket& t, nanos now, const rate_headers& h) noexcept {
        auto max = max_;
        auto interval = interval_;
        if (h.max && *h.max >= 1)
            max = static_cast<std::uint32_t>(std::min<std::int64_t>(*h.max, most_requests));
        if (h.interval_ms && *h.interval_ms >= 100 && *h.interval_ms <= 24 * 3'600'000)
            interval = std::chrono::milliseconds{*h.interval_ms};
        if (max == max_ && interval == interval_) {
            limits_from_ = std::max(limits_from_, t.sequence_);
            return true;
        }
        // Responses come out of order: only one that was asked for later may change the limits.
        if (t.sequence_ < limits_from_) return false;
        if (interval != interval_)
            ring_.rescale(to_nanos(interval), now + guard_of(to_nanos(interval)), done_ - unsent_);
        allowed_ = allowed_ >= max_ ? max : std::min<double>(allowed_, max);
        credit_ = no_credit;
        fresh_known_ = false;
        ghost_ = 0;
        max_ = max;
        interval_ = interval;
        limits_from_ = t.sequence_;
        limits_known_ = sent_;
        return true;
    }

    // -- the day -----------------------------------------------------------------------------

    void learn_day(const ticket& t, nanos now, const rate_headers& h) noexcept {
        if (t.sequence_ < day_from_) return;
        bool const anything = h.daily_remaining || h.limit_daily || h.daily_reset_ms;
        if (!anything) return;
        day_from_ = t.sequence_;
        if (h.limit_daily && *h.limit_daily > 0)
            day_limit_ = std::min(*h.limit_daily, unbounded / 4);
        if (h.daily_reset_ms && *h.daily_reset_ms > 0 && *h.daily_reset_ms <= 48 * 3'600'000) {
            day_ends_ = now + *h.daily_reset_ms * 1'000'000 + guard();
            // It was told before, and then the day was not over.
            if (h.daily_remaining == 0 && day_turns_ > 0)
                day_ends_ = std::max(day_ends_, now + day_pause(day_turns_ - 1));
        }
        if (!h.daily_remaining) return;
        // The same proof as credit: what this response surely did not count fits into the rest.
        auto const left = std::min<std::int64_t>(*h.daily_remaining, unbounded / 4);
        day_bound_ = left + static_cast<std::int64_t>(t.done_) + 1;
        day_left_ = left;
        day_seen_ = now;
        if (left > 0) day_turns_ = 0;
        // This answer tells what a trial would; only one that opens a lane ends its doubling.
        for (auto const who : {lane::interactive, lane::bulk}) {
            day_probe_at_[index(who)] = never;
            if (left > day_kept(who)) day_failures_[index(who)] = 0;
        }
    }

    /// The day's answer to "may one go": nothing when it may.
    [[nodiscard]] std::optional<verdict> daily_barrier(nanos now, lane who) noexcept {
        if (now >= day_ends_) {
            // A new day by the server's own word; the next response says how much of it there is.
            day_ends_ = never;
            day_bound_ = unbounded;
            day_probe_at_ = {never, never};
            day_failures_ = {};
            day_turns_ = static_cast<std::uint8_t>(std::min(day_turns_ + 1, 20));
            verified_ = false;
        }
        day_trial_ = false;
        auto const next = static_cast<std::int64_t>(sent_) + 1;
        bool const leased = next <= day_share_end_;
        // The ledger is asked all the time.
        if (!leased && !day_share_final_) return wait(never);
        auto const kept = day_kept(who);
        if (leased && (day_bound_ == unbounded || next + kept <= day_bound_)) {
            if (who != lane::bulk || !paces_day() || now >= day_pace_) return std::nullopt;
            return wait(day_pace_);
        }
        // Requests on their way may turn out not to have counted; but no answer can leave more than
        // the newest one did, today.
        if (leased && in_flight_ > 0 && day_left_ > kept) return wait(never);
        if (day_ends_ != never) return wait(day_ends_, true);
        auto const i = index(who);
        if (day_probe_at_[i] == never) {
            // A ledger's word that the day is over may be of yesterday: the server's is had at
            // once.
            bool const hearsay = day_bound_ == unbounded && day_failures_[i] == 0;
            if (hearsay && in_flight_ > 0) return wait(never);
            day_probe_at_[i] = hearsay ? now : now + day_pause(day_failures_[i]);
        }
        if (now < day_probe_at_[i]) return wait(day_probe_at_[i], true);
        // One tries whether the day has changed; if not, the next waits twice as long.
        day_trial_ = true;
        return std::nullopt;
    }

    /// Takes note that a request goes to try whether the day is still over for its lane.
    void try_day(lane who) noexcept {
        day_trial_ = false;
        auto const count = static_cast<std::int64_t>(sent_);
        bool const interactive_too =
            who == lane::interactive || count > std::min(day_bound_, day_share_end_);
        for (auto const l : {lane::interactive, lane::bulk}) {
            if (l == lane::interactive && !interactive_too) continue;
            auto const i = index(l);
            day_probe_at_[i] = never;
            day_failures_[i] = static_cast<std::uint8_t>(std::min(day_failures_[i] + 1, 20));
        }
        day_bound_ = std::max(day_bound_, count);
        day_share_end_ = std::max(day_share_end_, count);
    }

    /// From one trial to the next, or from a spent day's answer to the first: doubles up to 15 min.
    [[nodiscard]] nanos day_pause(int failures) noexcept {
        auto const first = to_nanos(options_->daily_probe);
        auto const pause =
            std::min<nanos>(first << std::min(failures, 8), std::max<nanos>(first, 900 * second));
        return fraction(pause, 1.0, 1.25);
    }

    /// What bulk work leaves of the day to calls that somebody waits for.
    [[nodiscard]] std::int64_t day_kept(lane who) const noexcept {
        if (who != lane::bulk) return 0;
        return static_cast<std::int64_t>(options_->daily_reserve * static_cast<double>(day_limit_));
    }

    /// Whether bulk work goes evenly through what is left of the day.
    [[nodiscard]] bool paces_day() const noexcept {
        return options_->daily_pacing && day_bound_ != unbounded && day_ends_ != never;
    }

    // -- evidence ----------------------------------------------------------------------------

    /// Takes in what the server would still accept, as of this request's arrival.
    void learn_use(const ticket& t, nanos now, std::int64_t remaining, bool accepted) noexcept {
        auto const promise = remaining + static_cast<std::int64_t>(t.done_) + 1;
        auto const used = std::max<std::int64_t>(0, std::int64_t{max_} - remaining);
        // All of ours that it can have counted, and what earlier proofs said must remain. Proofs
        // that came after this request was sent would raise false alarms.
        auto const own = t.own_ + static_cast<double>(sent_ - t.sequence_ - 1);
        double excess = 0;
        if (accepted) {
            excess = static_cast<double>(used) - own;
            if (t.credit_ != no_credit)
                excess = std::max(
                    excess,
                    static_cast<double>(t.credit_) - static_cast<double>(sent_) -
                        static_cast<double>(remaining));
            credit_ = std::max(credit_, promise);
        } else if (t.sequence_ >= limits_known_) {
            excess = 1;
        }
        if (!fresh_known_ || t.sequence_ >= fresh_sequence_) {
            fresh_known_ = true;
            fresh_sequence_ = t.sequence_;
            fresh_used_ = static_cast<std::int32_t>(used);
            fresh_done_ = t.done_;
            if (needs_evidence() && !evidence_leaves_room()) {
                next_look_ = now + fraction(look_pause(remaining), 1.0, 2.0);
            }
        }
        epoch_least_ = std::min(epoch_least_, static_cast<std::int32_t>(remaining));
        ++epoch_answers_;
        epoch_low_ += remaining < low_mark ? 1 : 0;
        if (excess >= 1 - 1e-6 && share_ == whole && options_->strategy == strategy::proven)
            meet_foreigner(
                now, static_cast<double>(used), own, excess, accepted ? promise : no_credit);
    }

    /// Room below the limit that the others are left.
    static constexpr std::int64_t margin = 4;
    static constexpr std::int64_t low_mark = 6;

    [[nodiscard]] bool needs_evidence() const noexcept { return shared_ || doubtful_; }

    /// How long to leave a bucket alone whose newest answer left no room. Longer the less remains,
    /// since the others look as well and each look takes one; but a window that opened shall not
    /// stay unused for long.
    [[nodiscard]] nanos look_pause(std::int64_t remaining) const noexcept {
        auto const scarcity =
            static_cast<double>(1 + std::max<std::int64_t>(0, margin - remaining));
        auto const whole_interval = static_cast<double>(ring_.interval());
        return static_cast<nanos>(
            std::min(whole_interval / std::max(4.0, allowed_) * scarcity, whole_interval / 4));
    }

    /// The newest answer, and everything of ours that it may not have counted, leave room for one
    /// more and a margin.
    [[nodiscard]] bool evidence_leaves_room() const noexcept {
        if (!fresh_known_) return true;
        auto const later = static_cast<std::int64_t>(sent_ - fresh_done_) - 1;
        return fresh_used_ + later + 1 + margin <= std::int64_t{max_};
    }

    /// The server counted more than we can have sent. Once: somebody's past use, or our own from an
    /// earlier life; it is taken as a ghost that stays for an interval and fades over another.
    /// Again, beyond what the ghost explains: somebody is at work beside us.
    void meet_foreigner(
        nanos now, double used, double own, double excess, std::int64_t promise) noexcept {
        credit_ = promise;
        if (!shared_) {
            double const explained = ghost_at(now);
            double const extra = used - own >= excess - 1e-6 ? excess - explained : excess;
            if (extra < 1 - 1e-6) return;
            ++foreign_seen_;
            if (now > foreign_at_ + 6 * ring_.interval()) foreign_count_ = 0;
            foreign_count_ = static_cast<std::uint8_t>(std::min(foreign_count_ + 1, 2));
            ghost_ = std::max({explained, used - own, 0.0});
            ghost_since_ = now;
            if (foreign_count_ >= 2) {
                shared_ = true;
                auto const ours = ring_.bound(now) + in_flight_;
                allowed_ = std::clamp<double>(std::max(ours, (max_ - used) / 2), 1.0, max_);
                ghost_ = 0;
                new_epoch(now);
            }
        }
        foreign_at_ = now;
    }

    [[nodiscard]] double ghost_at(nanos now) noexcept {
        if (ghost_ <= 0) return 0;
        double const age =
            static_cast<double>(now - ghost_since_) / static_cast<double>(ring_.interval());
        if (age >= 2) {
            ghost_ = 0;
            return 0;
        }
        return ghost_ * std::min(1.0, 2 - age);
    }

    // -- refusals ----------------------------------------------------------------------------

    void refuse(
        const ticket& t,
        nanos now,
        std::optional<std::int64_t> remaining,
        const rate_headers& headers,
        std::optional<std::chrono::milliseconds> retry_after) noexcept {
        nanos asked = 0;
        if (retry_after)
            asked = to_nanos(std::clamp(
                *retry_after, std::chrono::milliseconds{0},
                std::chrono::milliseconds{std::chrono::hours{24}}));
        if (headers.daily_remaining == 0) {
            // The interval is not to blame. The bound is zero already; only ask no sooner than
            // told, nor again and again at short intervals.
            if (asked > 0 && t.sequence_ >= day_from_)
                for (std::size_t i = 0; i < day_probe_at_.size(); ++i)
                    day_probe_at_[i] = now +
                        (day_failures_[i] == 0 ? asked
                                               : std::max(asked, day_pause(day_failures_[i])));
            return;
        }
        if (t.on_credit_ && remaining == 0 && t.sequence_ >= limits_known_) {
            // It promised room that was not there: do not believe it for a while.
            credit_doubts_ = static_cast<std::uint8_t>(std::min(credit_doubts_ + 1, 8));
            credit_off_until_ = now + ((60 * second) << credit_doubts_);
        }
        // Refusals of what was sent before the last one was known are the same event.
        if (t.sequence_ >= refusal_known_) {
            failures_ = static_cast<std::uint8_t>(std::min(failures_ + 1, 20));
            refusal_known_ = sent_;
        }
        nanos step = ring_.interval() / 50;
        if (remaining == 0 && t.sequence_ >= limits_known_) {
            epoch_refused_ = true;
            credit_ = no_credit;
            if (shared_ && now > cut_at_ + ring_.interval() / 2) {
                cut_at_ = now;
                allowed_ = std::max(1.0, allowed_ * 0.8);
            }
            step = ring_.interval() / 10;
        } else if (t.sequence_ >= limits_known_ && now > smooth_since_ + ring_.interval() / 2) {
            // Another limiter that shows no headers, such as one per second: spread sends out. This
            // only withholds what the proofs allow.
            smooth_ = smooth_ >= unlimited ? max_ / 8.0 : smooth_ / 2;
            smooth_ = std::max(1.0, smooth_);
            smooth_since_ = now;
        }
        double const pause = std::ldexp(static_cast<double>(step), std::min(failures_ - 1, 16));
        auto const longest = std::min(pause, static_cast<double>(ring_.interval()));
        hold_ = std::max(hold_, now + fraction(static_cast<nanos>(longest), 0.5, 1.0));
        hold_ = std::max(hold_, now + asked);
    }

    [[nodiscard]] nanos smooth_burst() const noexcept {
        return static_cast<nanos>((smooth_ - 1) * static_cast<double>(spacing()));
    }

    /// Whether the next must wait for its place among sends that are spread out.
    [[nodiscard]] bool is_slowed(nanos now) noexcept {
        if (smooth_ >= unlimited) return false;
        if (now <= smooth_since_ + 6 * ring_.interval()) return now < smooth_tat_;
        smooth_ *= 2;
        smooth_since_ = now;
        if (smooth_ > max_) smooth_ = unlimited;
        return false;
    }

    // -- shared mode -------------------------------------------------------------------------

    void new_epoch(nanos now) noexcept {
        epoch_ends_ = now + ring_.interval();
        epoch_least_ = no_answer;
        epoch_refused_ = false;
        epoch_bound_ = false;
        epoch_answers_ = 0;
        epoch_low_ = 0;
    }

    /// Once per interval: down by 15 % when it was tight, by 4 % when it was used up just so
    /// (growing until somebody is refused, and falling then, wastes more and refuses more), up
    /// gently when we wanted more and there was more.
    void end_epoch(nanos now) noexcept {
        if (now < epoch_ends_) return;
        if (epoch_refused_ || epoch_low_ * 5 > epoch_answers_) {
            if (now > cut_at_ + ring_.interval() / 2) {
                allowed_ = std::max(1.0, allowed_ * 0.85);
                cut_at_ = now;
            }
        } else if (epoch_answers_ > 0 && epoch_least_ < low_mark) {
            allowed_ = std::max(1.0, allowed_ * 0.96);
        } else if (epoch_answers_ > 0 && epoch_bound_) {
            double up = std::max(1.0, 0.25 * static_cast<double>(epoch_least_ - low_mark));
            if (now > foreign_at_ + 3 * ring_.interval()) up = std::max(up, 0.25 * allowed_);
            allowed_ = std::min<double>(max_, allowed_ + up);
        }
        if (now > foreign_at_ + 6 * ring_.interval()) {
            shared_ = false;
            foreign_count_ = 0;
            allowed_ = max_;
        }
        new_epoch(now);
    }

    // -- what is ours ------------------------------------------------------------------------

    /// How much of the limit we may use, when `kept` of it is left alone.
    [[nodiscard]] double ours(nanos now, double kept) noexcept {
        double cap = std::min(share_, max_) - kept;
        if (shared_) {
            cap = std::min(cap, std::floor(allowed_));
            end_epoch(now);
        }
        return cap;
    }

    /// How many more the best promise covers. Promises are made to the whole bucket, so they are
    /// of no use to who has a share of it.
    [[nodiscard]] std::int64_t promised() const noexcept {
        if (shared_ || share_ != whole || credit_ == no_credit ||
            options_->strategy != strategy::proven)
            return 0;
        return credit_ - static_cast<std::int64_t>(sent_);
    }

    /// After a silence somebody else may have used the bucket: ask the server first.
    void doubt_after_silence(nanos now) noexcept {
        if (!verified_ || options_->exclusive || in_flight_ > 0 ||
            now - last_use_ <= to_nanos(options_->reprobe_after))
            return;
        verified_ = false;
        credit_ = no_credit;
    }

    /// How many interactive permits `admit` would grant now, one after the other.
    [[nodiscard]] std::uint32_t available(nanos now) noexcept {
        if (now < hold_ || daily_barrier(now, lane::interactive)) return 0;
        auto const count = static_cast<std::int64_t>(sent_);
        auto most = day_trial_ ? 1 : std::min(day_bound_, day_share_end_) - count;
        doubt_after_silence(now);
        if (!verified_) most = std::min<std::int64_t>(most, in_flight_ > 0 ? 0 : 1);
        if (is_slowed(now)) return 0;
        if (smooth_ < unlimited) {
            auto const since = now - std::max(smooth_tat_, now - smooth_burst());
            most = std::min<std::int64_t>(most, std::max<nanos>(0, since / spacing()) + 1);
        }
        if (shared_) end_epoch(now); // as the first who asks does
        // Each grant takes one of both proofs, and either suffices.
        double const room = ours(now, 0) - in_flight_ - ghost_at(now) - ring_.exact_bound(now);
        auto free = static_cast<std::int64_t>(std::max(0.0, std::floor(room + 1e-9)));
        if (free > 0 && needs_evidence() && fresh_known_) {
            auto const told = std::int64_t{max_} - margin - fresh_used_ -
                (static_cast<std::int64_t>(sent_ - fresh_done_) - 1);
            bool const looks = in_flight_ == 0 && now >= next_look_;
            free = std::min(free, std::max<std::int64_t>(told, looks ? 1 : 0));
        }
        if (now >= credit_off_until_) free = std::max(free, promised());
        return static_cast<std::uint32_t>(std::clamp<std::int64_t>(std::min(free, most), 0, max_));
    }

    // -- lanes -------------------------------------------------------------------------------

    /// What bulk work leaves alone: the reserve for calls that somebody waits for, and two more
    /// unless we are exclusive, by which a passer-by is noticed before he is refused.
    [[nodiscard]] double held_back(nanos now) const noexcept {
        auto const reserve = now < reserve_until() ? options_->reserve : options_->idle_reserve;
        auto const gap = options_->exclusive ? 0U : 2U;
        std::uint32_t const most = std::min(share_, max_) / 4;
        return reserve < most ? std::min(reserve + gap, most) : most;
    }
    /// When the last interactive call is forgotten.
    [[nodiscard]] nanos reserve_until() const noexcept {
        return last_interactive_ + to_nanos(options_->reserve_memory);
    }

    const limits* options_;
    envelope ring_;

    // Limits in force, since which request, and how many were sent before we knew.
    std::uint32_t max_;
    std::uint32_t share_ = whole;
    std::chrono::milliseconds interval_;
    std::uint64_t limits_from_ = 0;
    std::uint64_t limits_known_ = 0;

    std::uint64_t sent_ = 0;
    std::uint64_t done_ = 0; // surely counted by the server, or never to arrive
    std::int64_t credit_ = no_credit;
    nanos credit_off_until_ = long_ago;
    nanos pace_ = long_ago;
    nanos last_use_ = long_ago;
    nanos last_interactive_ = long_ago;
    std::uint32_t in_flight_ = 0;

    bool verified_ = false;
    bool shared_ = false;
    bool doubtful_ = false;
    std::uint8_t bias_ = 0;
    std::uint8_t credit_doubts_ = 0;
    std::uint8_t failures_ = 0;
    std::uint8_t foreign_count_ = 0;
    std::uint8_t day_turns_ = 0; // ends of the day that were told since there was anything left
    bool fresh_known_ = false;
    bool epoch_refused_ = false;
    bool epoch_bound_ = false;
    bool day_trial_ = false;
    bool day_share_final_ = false;

    // Refusals.
    nanos hold_ = long_ago;
    std::uint64_t refusal_known_ = 0;
    double smooth_ = unlimited;
    nanos smooth_since_ = long_ago;
    nanos smooth_tat_ = long_ago;

    // Others on the bucket.
    double ghost_ = 0;
    nanos ghost_since_ = long_ago;
    nanos foreign_at_ = long_ago;
    double allowed_;
    std::uint64_t fresh_sequence_ = 0;
    std::uint64_t fresh_done_ = 0;
    std::int32_t fresh_used_ = 0;
    nanos next_look_ = long_ago;
    nanos cut_at_ = long_ago;
    nanos epoch_ends_ = long_ago;
    std::int32_t epoch_least_ = no_answer;
    std::uint32_t epoch_answers_ = 0;
    std::uint32_t epoch_low_ = 0;

    // The day.
    std::int64_t day_bound_ = unbounded; // sent_ may not exceed it
    std::int64_t day_left_ = 0;          // as the newest response said
    std::int64_t day_share_end_ = unbounded;
    std::uint64_t day_from_ = 0;
    std::int64_t day_limit_ = 0;
    nanos day_ends_ = never;
    std::array<nanos, 2> day_probe_at_{never, never}; // of the lanes, while it is over for them
    std::array<std::uint8_t, 2> day_failures_{};
    nanos day_pace_ = long_ago;
    nanos day_seen_ = 0;

    // Requests given up, by the eighth of the grace in which they count as arrived.
    std::int64_t lost_next_ = 0;
    std::uint32_t lost_waiting_ = 0;
    std::array<std::uint16_t, static_cast<std::size_t>(lost_slots) + 2> lost_slots_{};

    std::uint64_t random_;
    std::uint64_t on_credit_ = 0;
    std::uint64_t lost_ = 0;
    std::uint64_t unsent_ = 0;
    std::uint64_t refused_ = 0;
    std::uint32_t foreign_seen_ = 0;
};

} // namespace highlevel::quota
