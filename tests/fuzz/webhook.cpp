// SPDX-License-Identifier: BSL-1.0
//
// Deliveries of webhooks: the first line is a signature, the rest the body.
// Nothing unsigned is read, nothing makes a guard fail, and what is read is bounded.

#include "fuzz.hpp"

#include <highlevel/webhooks/inbox.hpp>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

namespace webhooks = highlevel::webhooks;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
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
