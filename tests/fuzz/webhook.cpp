// SPDX-License-Identifier: BSL-1.0
//
// Deliveries of webhooks: the first line is a signature, the rest the body. The input is also taken
// as lines that are each a body and really signed, which come twice, later, claimed and given back.
// Nothing unsigned is read, nothing makes a guard fail, nothing is accepted twice, and what is read
// is bounded.

#include "fuzz.hpp"

#include <highlevel/sandbox/webhooks_signer.hpp>
#include <highlevel/webhooks/inbox.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace fuzz::webhook {

namespace webhooks = highlevel::webhooks;
using namespace std::chrono_literals;
using webhooks::outcome;

namespace {

// What a guard makes of bodies that are really signed.
void judge(std::string_view text) {
    static highlevel::sandbox::webhook_signer const signer;
    static webhooks::guard_options const settings = [] {
        webhooks::guard_options made;
        made.signing.keys = {webhooks::public_key::from_pem(signer.ed25519_key_pem())};
        made.max_body = 1 << 16;
        return made;
    }();
    auto options = settings;
    options.seen = std::make_shared<webhooks::memory_replay_store>(4);
    webhooks::guard const guard{options};
    // In this minute lies the time of the bodies in the corpus.
    std::chrono::system_clock::time_point now{
        std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};
    fuzz::input lines{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    for (int i = 0; i < 8 && !lines.empty(); ++i) {
        auto const body = lines.line();
        auto const signature = signer.sign_ed25519(body);
        webhooks::signatures const fields{signature, std::nullopt};
        auto const first = guard.claim(body, fields, now);
        fuzz::require(
            first.outcome != outcome::not_signed && first.outcome != outcome::bad_signature,
            "what is signed passes for signed");
        if (!first) {
            auto const again = guard.claim(body, fields, now).outcome;
            fuzz::require(again == first.outcome, "the same is judged the same");
            continue;
        }
        if (!first.key) {
            fuzz::require(first.head.webhook_id.empty(), "what has an id is known by it");
            continue;
        }
        fuzz::require(
            guard.claim(body, fields, now).outcome == outcome::busy, "one claim at a time");
        guard.release(first);
        auto const second = guard.claim(body, fields, now + 1h);
        fuzz::require(static_cast<bool>(second), "what was given back does not grow old");
        guard.commit(second, now + 1h);
        auto const third = guard.claim(body, fields, now + 1h).outcome;
        auto const in_time = second.remember_until > now + 1h;
        fuzz::require(third != outcome::accepted || !in_time, "nothing is accepted twice");
        now += 1s;
    }
}

} // namespace

int one_input(const std::uint8_t* data, std::size_t size) {
    static webhooks::inbox box;
    std::string_view const text{reinterpret_cast<const char*>(data), size};
    auto const line = text.substr(0, text.find('\n'));
    auto const body = text.substr(std::min(line.size() + 1, text.size()));

    // Nobody but HighLevel can sign for the built-in keys.
    for (auto const legacy : {false, true}) {
        webhooks::signatures fields;
        (legacy ? fields.legacy : fields.present) = line;
        auto const status = box.handle(true, "/", fields, std::string{body});
        fuzz::require(status == 401 || status == 413, "what is not signed is refused");
    }
    fuzz::require(box.size() == 0, "nothing unsigned becomes an event");

    judge(text);

    webhooks::event event;
    highlevel::json::decode_options options;
    options.max_depth = 32;
    auto const made = webhooks::decode_event(text, event, webhooks::event_kind::unknown, options);
    if (!made) {
        fuzz::require(!made.text.empty(), "a failure says why");
        return 0;
    }
    fuzz::require(
        event.kind == webhooks::event_kind_of(event.head.type) ||
            event.kind == webhooks::event_kind::provider_outbound_message,
        "the kind follows from the type");
    if (auto const time = event.head.time())
        fuzz::require(
            *time >= std::chrono::system_clock::time_point{}, "a time is not before 1970");
    // Whoever gives a kind gets a record of it.
    webhooks::event assumed;
    auto const again =
        webhooks::decode_event(text, assumed, webhooks::event_kind::contact_create, options);
    fuzz::require(static_cast<bool>(again), "what was read once is read again");
    fuzz::require(!assumed.get_if<webhooks::unknown_event>(), "an assumed kind has a record");
    return 0;
}

} // namespace fuzz::webhook
