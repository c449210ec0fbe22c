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
    /// Signed, but not a JSON object; or longer than is taken, which is seen before the signature
    /// is
    /// looked at.
    malformed,
    /// Sent for another app. HighLevel signs the webhooks of all apps with the same key, so that
    /// anyone can have signed events of an app of his own delivered here.
    wrong_app,
};

/// How many outcomes there are.
inline constexpr std::size_t outcome_count = 7;

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
    }
    return "unknown";
}

/// What a guard lets pass.
class guard_options {
public:
    guard_options() = default;

    /// Keys and schemes.
    signature_options signing;
    /// How old an event may be. A delivery that is repeated keeps its body and thereby its time, so
    /// this also bounds for how long HighLevel's repetitions are of use. Default: 5 minutes, as
    /// HighLevel suggests; 0: any age.
    std::chrono::seconds freshness{300};
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
    /// no time. Default: 1 day.
    std::chrono::seconds remember{86400};

    /// Throws std::invalid_argument that names the field that cannot be used.
    void validate() const {
        auto const demand = [](bool met, const char* what) {
            if (!met) throw std::invalid_argument{std::string{"guard option "} + what};
        };
        constexpr std::chrono::seconds longest{std::chrono::years{10}};
        auto const sane = [&](std::chrono::seconds s) { return s.count() >= 0 && s <= longest; };
        demand(sane(freshness), "freshness must be from 0 to 10 years");
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
    /// What the event is remembered by; meaningful when the outcome is accepted or duplicate.
    replay_key key{};

    [[nodiscard]] explicit operator bool() const noexcept { return outcome == outcome::accepted; }
};

/// Judges deliveries.
///
/// The signature comes first: nothing of a body is read that is not signed. Then form, app, age,
/// and last whether it was here before; an event counts as seen from the moment at which it is
/// accepted. It is known by its `webhookId`, or by all of its body when it has none. HighLevel's
/// delivery id is a header field that nobody signed, and is not looked at: whoever repeats a
/// delivery could change it.
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

    /// Judges a delivery whose body is exactly the bytes received. Does not throw but for memory
    /// and what the replay store throws.
    [[nodiscard]] verdict check(
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
        if (!decode_envelope(body, made.head, options_.max_depth)) {
            made.head = envelope();
            return made;
        }
        if (!is_ours(made.head.app_id)) {
            made.outcome = outcome::wrong_app;
            return made;
        }
        auto const when = made.head.time();
        if (!is_fresh(when, now)) {
            made.outcome = outcome::stale;
            return made;
        }
        made.key = made.head.webhook_id.empty() ? make_replay_key('b', body)
                                                : make_replay_key('w', made.head.webhook_id);
        // Beyond that time it is refused for its age; one second because times are rounded.
        auto const until = when && options_.freshness.count() > 0
            ? std::max(*when, now - options_.freshness) + options_.freshness +
                std::chrono::seconds{1}
            : now + options_.remember;
        made.outcome = seen_->insert(made.key, now, until) ? outcome::accepted : outcome::duplicate;
        return made;
    }

    /// Forgets an accepted delivery that could not be kept, so that its repetition is accepted.
    void forget(const verdict& accepted) const { seen_->erase(accepted.key); }

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

    guard_options options_;
    verifier verifier_;
    std::shared_ptr<replay_store> seen_;
};

} // namespace highlevel::webhooks
