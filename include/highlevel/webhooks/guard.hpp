// SPDX-License-Identifier: BSL-1.0
//
// Decides about a delivery before anyone acts on it: is it signed, well formed, meant for this app,
// fresh and new? A plain function of bytes and time; no sockets.
#pragma once

#include <highlevel/webhooks/event.hpp>
#include <highlevel/webhooks/replay.hpp>
#include <highlevel/webhooks/signature.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::webhooks {

/// What became of a delivery.
enum class outcome : std::uint8_t {
    /// Signed, for us, fresh and new.
    accepted,
    /// Good, but it was here before.
    duplicate,
    /// Good, but it happened too long ago, or too far in the future.
    stale,
    /// Nobody signed it.
    not_signed,
    /// The signature does not fit the body.
    bad_signature,
    /// Signed, but not a JSON object, or with a time that cannot be read; or longer than is taken,
    /// which is seen before the signature is looked at.
    malformed,
    /// Sent for another app. HighLevel signs the webhooks of all apps with the same key, so that
    /// anyone can have signed events of an app of his own delivered here.
    wrong_app,
    /// Good, but the same event is being handled at this moment, and may yet fail to be kept: it
    /// must come again.
    busy,
};

/// How many outcomes there are.
inline constexpr std::size_t outcome_count = 8;

/// The name; that of `not_signed` is "unsigned".
[[nodiscard]] constexpr std::string_view to_string(outcome o) noexcept {
    switch (o) {
    case outcome::accepted: return "accepted";
    case outcome::duplicate: return "duplicate";
    case outcome::stale: return "stale";
    case outcome::not_signed: return "unsigned";
    case outcome::bad_signature: return "bad_signature";
    case outcome::malformed: return "malformed";
    case outcome::wrong_app: return "wrong_app";
    case outcome::busy: return "busy";
    }
    return "unknown";
}

/// What a guard lets pass.
class guard_options {
public:
    guard_options() = default;

    /// Keys and schemes.
    signature_options signing;
    /// How old an event may be when it comes for the first time. What was pushed back is taken
    /// later too, see `retry_window`; but what HighLevel repeats because nobody answered, as while
    /// a receiver is down, keeps its body and thereby its time. Whoever wants that must allow for
    /// hours here. Default: 5 minutes, as HighLevel suggests; 0: any age.
    std::chrono::seconds freshness{300};
    /// For how long an event that came in time but could not be kept, and was answered with 429, is
    /// taken when it is repeated, whatever its age. HighLevel repeats for an hour and more (6 times
    /// 10 minutes apart, or 12 times at growing distances; its documents differ). Default: 1 day;
    /// 0: such events are judged by their age again.
    std::chrono::seconds retry_window{86400};
    /// A claim that was neither committed nor released, as when a process ended, lapses after this
    /// time; should be longer than it takes to keep an event. Default: 1 minute.
    std::chrono::seconds claim_time{60};
    /// How far ahead HighLevel's clock may be of ours. Default: 1 minute.
    std::chrono::seconds clock_skew{60};
    /// Refuses events without a time as stale. ProviderOutboundMessage has none. Default: no.
    bool require_timestamp = false;
    /// Ids of the apps whose events are taken; empty: of all apps (see outcome::wrong_app).
    std::vector<std::string> app_ids;
    /// Takes events that name no app although `app_ids` is set. ProviderOutboundMessage may not
    /// name one. Default: no.
    bool allow_missing_app_id = false;
    /// Longest body in bytes. Default: 1 MiB.
    std::size_t max_body = std::size_t{1} << 20;
    /// Deepest nesting of arrays and objects. Default: 32.
    std::size_t max_depth = 32;
    /// Where events are remembered; null: a memory_replay_store of its own.
    std::shared_ptr<replay_store> seen;
    /// How long an event is remembered when its age is not bounded: when `freshness` is 0 or it has
    /// no time. `guard` says which events without an id are an exception. Default: 1 day.
    std::chrono::seconds remember{86400};

    /// Throws std::invalid_argument that names the field that cannot be used.
    void validate() const {
        auto const demand = [](bool met, const char* what) {
            if (!met) throw std::invalid_argument{std::string{"guard option "} + what};
        };
        constexpr std::chrono::seconds longest{std::chrono::years{10}};
        auto const sane = [&](std::chrono::seconds s) { return s.count() >= 0 && s <= longest; };
        demand(sane(freshness), "freshness must be from 0 to 10 years");
        demand(sane(retry_window), "retry_window must be from 0 to 10 years");
        demand(
            sane(claim_time) && claim_time.count() > 0,
            "claim_time must be from 1 second to 10 years");
        demand(sane(clock_skew), "clock_skew must be from 0 to 10 years");
        demand(sane(remember), "remember must be from 0 to 10 years");
        demand(max_body > 0, "max_body must be positive");
        demand(max_depth > 0, "max_depth must be positive");
    }
};

/// What a guard found out about a delivery.
class verdict {
public:
    verdict() = default;

    webhooks::outcome outcome = outcome::malformed;
    /// The body is longer than is taken; the outcome is `malformed` then.
    bool too_large = false;
    /// How it is signed.
    signature_result signature;
    /// What stands around the event; filled unless the outcome is not_signed, bad_signature or
    /// malformed.
    envelope head;
    /// What the event is remembered by; nothing when it is not, see `guard`. Meaningful when the
    /// outcome is accepted, duplicate or busy.
    std::optional<replay_key> key;
    /// When the claim lapses that an accepted event is held by.
    std::chrono::system_clock::time_point claim_lapses{};
    /// Until when the event is to be remembered once it has been kept.
    std::chrono::system_clock::time_point remember_until{};

    [[nodiscard]] explicit operator bool() const noexcept { return outcome == outcome::accepted; }
};

/// Judges deliveries.
///
/// The signature comes first: nothing of a body is read that is not signed. Then form, app, age,
/// and last whether it was here before. HighLevel's delivery id is a header field that nobody
/// signed, and is not looked at: whoever repeats a delivery could change it.
///
/// claim() takes hold of an event and leaves it to the caller to commit() it, once it has been
/// kept, or to release() it, so that its repetition is taken; meanwhile the repetition is `busy`.
/// check() does both at once, for those who cannot fail to keep an event.
///
/// An event is known by its `webhookId`, or else by all of its body. That is sound where a body
/// says when, or which message. The documented bodies without both tell only what became of
/// something, and it may become the same again: a second UNINSTALL of a location looks like the
/// first. So without id and time INSTALL, UNINSTALL and PLAN_CHANGE are accepted each time they
/// come, and other known events are remembered for no longer than `freshness` (if that is 0: not at
/// all). Whoever follows one of those three must therefore look whether it still holds: a late
/// repetition of an UNINSTALL may come after the next INSTALL. webhooks::installs does.
///
/// Thread safety: shared objects: safe, if the replay store is.
class guard {
public:
    using time_point = std::chrono::system_clock::time_point;

    /// Throws std::invalid_argument that names the option that cannot be used.
    explicit guard(guard_options options = {})
        : options_((options.validate(), std::move(options))),
          verifier_(options_.signing),
          seen_(options_.seen ? options_.seen : std::make_shared<memory_replay_store>()) {}

    /// Judges a delivery whose body is exactly the bytes received, and remembers it if it is
    /// accepted. Does not throw but for memory and what the replay store throws.
    [[nodiscard]] verdict check(
        std::string_view body, const signatures& fields, time_point now) const {
        auto made = claim(body, fields, now);
        if (made) commit(made, now);
        return made;
    }

    /// Judges a delivery whose body is exactly the bytes received. An accepted one is the caller's,
    /// who must commit() or release() it within `claim_time`. Does not throw but for memory and
    /// what the replay store throws.
    [[nodiscard]] verdict claim(
        std::string_view body, const signatures& fields, time_point now) const {
        verdict made;
        if (body.size() > options_.max_body) {
            made.too_large = true;
            return made;
        }
        made.signature = verifier_.check(body, fields, now);
        if (!made.signature) {
            made.outcome = made.signature.status == signature_status::bad ? outcome::bad_signature
                                                                          : outcome::not_signed;
            return made;
        }
        json::diagnostics notes;
        if (!decode_envelope(body, made.head, options_.max_depth, &notes)) {
            made.head = envelope();
            return made;
        }
        if (!is_ours(made.head.app_id)) {
            made.outcome = outcome::wrong_app;
            return made;
        }
        auto const when = made.head.time();
        // Were it taken for a body without a time, nobody would look at its age.
        if (!when && has_time(made.head, notes)) return made;
        remember(made, body, when, now);
        if (!is_fresh(when, now) && !is_known(made.key, now)) {
            made.outcome = outcome::stale;
            return made;
        }
        made.outcome = outcome::accepted;
        if (!made.key) return made;
        made.claim_lapses = now + options_.claim_time;
        auto const owed = now + std::max(options_.retry_window, options_.claim_time);
        switch (seen_->claim(*made.key, now, made.claim_lapses, owed)) {
        case claim_state::taken: break;
        case claim_state::open: made.outcome = outcome::busy; break;
        case claim_state::seen: made.outcome = outcome::duplicate; break;
        }
        return made;
    }

    /// An accepted delivery has been kept: what comes after it is a duplicate. Throws what the
    /// replay store throws.
    void commit(const verdict& accepted, time_point now) const {
        if (accepted.key) seen_->commit(*accepted.key, now, accepted.remember_until);
    }
    /// An accepted delivery could not be kept: its repetition is accepted, within `retry_window`
    /// also when it has become old. Throws what the replay store throws.
    void release(const verdict& accepted) const {
        if (accepted.key) seen_->release(*accepted.key, accepted.claim_lapses);
    }

    [[nodiscard]] const guard_options& options() const noexcept { return options_; }

private:
    [[nodiscard]] bool is_ours(const std::string& app_id) const {
        if (options_.app_ids.empty()) return true;
        if (app_id.empty()) return options_.allow_missing_app_id;
        return std::find(options_.app_ids.begin(), options_.app_ids.end(), app_id) !=
            options_.app_ids.end();
    }

    [[nodiscard]] bool is_fresh(
        const std::optional<time_point>& when, time_point now) const noexcept {
        if (!when) return !options_.require_timestamp;
        if (options_.freshness.count() == 0) return true;
        return *when >= now - options_.freshness && *when <= now + options_.clock_skew;
    }

    [[nodiscard]] static bool has_time(const envelope& head, const json::diagnostics& notes) {
        return !head.timestamp.empty() ||
            std::any_of(notes.begin(), notes.end(), [](const json::diagnostic& note) {
                return note.pointer == "/timestamp";
            });
    }

    [[nodiscard]] bool is_known(const std::optional<replay_key>& key, time_point now) const {
        return key && options_.retry_window.count() > 0 && seen_->knows(*key, now);
    }

    // By what the event is remembered, and until when.
    void remember(
        verdict& made,
        std::string_view body,
        const std::optional<time_point>& when,
        time_point now) const {
        auto time = options_.remember;
        auto const& head = made.head;
        if (head.webhook_id.empty() && !when) {
            auto const kind = event_kind_of(head.type);
            if (kind == event_kind::app_install || kind == event_kind::app_uninstall ||
                kind == event_kind::plan_change)
                return;
            if (kind != event_kind::unknown && kind != event_kind::provider_outbound_message)
                time = std::min(time, options_.freshness);
            if (time.count() == 0) return;
        }
        made.key = head.webhook_id.empty() ? make_replay_key('b', body)
                                           : make_replay_key('w', head.webhook_id);
        made.remember_until = now + time;
        if (!when || options_.freshness.count() == 0) return;
        // Beyond that time it is refused for its age; one second because times are rounded. One
        // that comes late all the same was owed, and is remembered for as long as it may come
        // again.
        made.remember_until = is_fresh(when, now)
            ? *when + options_.freshness + std::chrono::seconds{1}
            : now + options_.retry_window;
    }

    guard_options options_;
    verifier verifier_;
    std::shared_ptr<replay_store> seen_;
};

} // namespace highlevel::webhooks
