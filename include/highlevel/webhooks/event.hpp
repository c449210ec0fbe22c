// SPDX-License-Identifier: BSL-1.0
//
// A webhook as a typed value: what happened, where and when, and the record that it is about.
// Reading is as lenient as everywhere: an event that is not known keeps its JSON.
#pragma once

#include <highlevel/detail/time_text.hpp>
#include <highlevel/json/decode.hpp>
#include <highlevel/webhooks/event_kind.hpp>
#include <highlevel/webhooks/signature.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace highlevel::webhooks {

/// What stands around every event. Members that a delivery does not have are empty.
///
/// Source: HighLevel's webhook integration guide; `appId` and `versionId` were seen in live bodies.
struct envelope {
    envelope() = default;

    /// The event's name, for example "ContactCreate".
    std::string type;
    /// When it happened, as it came: ISO 8601, or milliseconds or seconds since 1970.
    std::string timestamp;
    /// One per event; the same when it is delivered again.
    std::string webhook_id;
    std::string location_id;
    std::string company_id;
    /// The marketplace app that the webhook was sent for.
    std::string app_id;
    std::string version_id;

    /// `timestamp` as a point in time; nothing when there is none, or none between 1970 and 9999.
    /// Digits are milliseconds, or seconds when as milliseconds they would lie before March 1973.
    [[nodiscard]] std::optional<std::chrono::system_clock::time_point> time() const {
        constexpr std::chrono::milliseconds least{100'000'000'000};
        constexpr highlevel::detail::timestamp first{};
        constexpr highlevel::detail::timestamp last{
            std::chrono::sys_days{std::chrono::year{10000} / 1 / 1}};
        auto read = highlevel::detail::parse_time(timestamp);
        if (!read || *read < first || *read >= last) return std::nullopt;
        if (*read - first < least && timestamp.find('-') == timestamp.npos)
            read = first + (*read - first) * 1000;
        // Clocks of nanoseconds end in 2262.
        constexpr auto latest = std::chrono::floor<std::chrono::milliseconds>(
            std::chrono::system_clock::time_point::max());
        return std::chrono::system_clock::time_point{std::min(*read, latest)};
    }
};

namespace detail {

inline constexpr json::field envelope_fields[] = {
    {"type", offsetof(envelope, type), &json::type_of<std::string>},
    {"timestamp", offsetof(envelope, timestamp), &json::type_of<std::string>},
    {"webhookId", offsetof(envelope, webhook_id), &json::type_of<std::string>},
    {"locationId", offsetof(envelope, location_id), &json::type_of<std::string>},
    {"companyId", offsetof(envelope, company_id), &json::type_of<std::string>},
    {"appId", offsetof(envelope, app_id), &json::type_of<std::string>},
    {"versionId", offsetof(envelope, version_id), &json::type_of<std::string>},
};

} // namespace detail

constexpr std::span<const json::field> json_fields(const envelope*) noexcept {
    return detail::envelope_fields;
}

/// A webhook.
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
class event {
public:
    event() = default;

    /// What happened. When `unknown`, `content` may still be a typed record: one that was
    /// recognised by its members, since the `type` did not tell.
    event_kind kind = event_kind::unknown;
    /// What stands around it.
    envelope head;
    /// What it is about. Members of the envelope are not among its `unknown_fields`.
    payload content;
    /// Where the body and our types differ.
    json::diagnostics notes;
    /// How the delivery was signed; `none` unless a guard looked at it.
    scheme signed_by = scheme::none;
    /// The body as it was received and signed; empty unless it came through an inbox.
    std::string body;

    /// The record, when it is of that type: `get_if<types::contact>()`.
    template <class T>
    [[nodiscard]] const T* get_if() const noexcept {
        return std::get_if<T>(&content);
    }
    /// The record, when the event is of that kind: `get_if<event_kind::contact_create>()`.
    template <event_kind Kind>
    [[nodiscard]] const payload_of<Kind>* get_if() const noexcept {
        return kind == Kind ? std::get_if<payload_of<Kind>>(&content) : nullptr;
    }

    /// Calls the visitor with the record, whichever type it has, or with the `unknown_event`.
    template <class Visitor>
    decltype(auto) visit(Visitor&& visitor) const {
        return std::visit(std::forward<Visitor>(visitor), content);
    }
};

namespace detail {

/// The text without what may stand before its first character.
[[nodiscard]] inline std::string_view without_lead(std::string_view text) noexcept {
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    auto const begin = text.find_first_not_of(" \t\r\n");
    return begin == text.npos ? std::string_view{} : text.substr(begin);
}

[[nodiscard]] inline bool has_all(
    const json::object& object, std::initializer_list<std::string_view> names) {
    return std::all_of(
        names.begin(), names.end(), [&](std::string_view name) { return object.contains(name); });
}

/// Whether an object's `type` is that of a message, or absent. Whoever answers a provider's webhook
/// sends a message: an event of another name that has the same members must not become one.
/// Source: the documented examples ("SMS", "Email") and the types that messages are sent with.
[[nodiscard]] inline bool is_channel(const json::object& object) {
    auto const* const type = object.if_contains("type");
    if (type == nullptr || type->is_null()) return true;
    if (!type->is_string()) return false;
    constexpr std::string_view channels[] = {"SMS", "Email", "WhatsApp", "RCS",      "IG",
                                             "FB",  "GMB",   "Custom",   "Live_Chat"};
    auto const& text = type->get_string();
    return std::find(std::begin(channels), std::end(channels), std::string_view{text}) !=
        std::end(channels);
}

/// Index of the payload that an object without a telling `type` must be; that of `unknown_event`
/// when nothing is certain. Source: the documented examples of these events have no `type`, or one
/// of their own.
[[nodiscard]] inline std::size_t recognise(const json::object& object) {
    if (has_all(object, {"invoiceNumber", "invoiceItems"})) return payload_index<types::invoice>();
    if (has_all(object, {"messageId", "contactId", "attachments"}) && is_channel(object))
        return payload_index<types::provider_message>();
    if (has_all(object, {"product", "currency", "amount"})) return payload_index<types::price>();
    if (has_all(object, {"productType", "name"})) return payload_index<types::product>();
    if (has_all(object, {"associationType", "firstObjectKey"}))
        return payload_index<types::association>();
    if (has_all(object, {"associationId", "firstRecordId", "secondRecordId"}))
        return payload_index<types::relation>();
    if (has_all(object, {"primaryDisplayProperty", "key"}))
        return payload_index<types::object_schema>();
    if (has_all(object, {"owners", "followers", "properties"}))
        return payload_index<types::record>();
    if (has_all(object, {"permissions", "role", "firstName"})) return payload_index<types::user>();
    return payload_index<unknown_event>();
}

/// Makes `target` hold the alternative of that index and reads `from` into it.
template <class From, std::size_t... I>
json::decode_result decode_payload(
    const From& from,
    std::size_t index,
    payload& target,
    const json::decode_options& options,
    json::diagnostics& notes,
    std::index_sequence<I...> /*all*/) {
    json::decode_result made;
    auto const read = [&]<std::size_t At>() {
        if constexpr (At != payload_index<unknown_event>())
            made = json::decode(from, target.emplace<At>(), options, notes);
    };
    ((I == index ? read.template operator()<I>() : void()), ...);
    return made;
}

template <class From>
json::decode_result decode_payload(
    const From& from,
    std::size_t index,
    payload& target,
    const json::decode_options& options,
    json::diagnostics& notes) {
    return decode_payload(
        from, index, target, options, notes,
        std::make_index_sequence<std::variant_size_v<payload>>{});
}

[[nodiscard]] inline json::lazy_object* unknown_fields(payload& of) {
    return std::visit(
        [](auto& record) -> json::lazy_object* {
            if constexpr (requires { record.unknown_fields; })
                return &record.unknown_fields;
            else
                return nullptr;
        },
        of);
}

/// Whether the text has members besides those of the envelope and the `unknown` ones: whether a
/// record was read from it.
[[nodiscard]] inline bool is_described(
    std::string_view text, const json::object& unknown, const json::decode_options& options) {
    json::value whole;
    json::diagnostics ignored;
    if (!json::decode(text, whole, options, ignored) || !whole.is_object()) return false;
    auto const& all = whole.get_object();
    return std::any_of(all.begin(), all.end(), [&](auto const& member) {
        auto const name = member.key();
        return !unknown.contains(name) &&
            std::none_of(
                std::begin(envelope_fields), std::end(envelope_fields),
                [&](const json::field& field) { return field.name == name; });
    });
}

} // namespace detail

/// Reads what stands around an event. Fails with `errc::unexpected_content` when the text is not
/// one JSON object or is nested more deeply than `max_depth`. `notes`, if given, tells what could
/// not be taken as it came. Does not throw but for memory.
[[nodiscard]] inline json::decode_result decode_envelope(
    std::string_view text,
    envelope& out,
    std::size_t max_depth = 32,
    json::diagnostics* notes = nullptr) {
    json::decode_options options;
    options.max_depth = max_depth;
    options.keep_unknown_fields = false;
    options.max_diagnostics = notes ? std::size(detail::envelope_fields) : 0;
    json::diagnostics ignored;
    auto made = json::decode(text, out, options, notes ? *notes : ignored);
    if (made && !detail::without_lead(text).starts_with('{')) {
        made.code = make_error_code(errc::unexpected_content);
        made.text = "a webhook is a JSON object";
    }
    return made;
}

/// Reads an event whose envelope has been read from the same text; otherwise as the overload that
/// reads both.
[[nodiscard]] inline json::decode_result decode_event(
    std::string_view text,
    envelope head,
    event& out,
    event_kind assumed = event_kind::unknown,
    const json::decode_options& options = {}) {
    out = event();
    out.head = std::move(head);
    out.kind = event_kind_of(out.head.type);
    if (out.kind == event_kind::unknown) out.kind = assumed;
    auto index = detail::event_facts[static_cast<std::size_t>(out.kind)].payload;
    if (out.kind == event_kind::unknown) {
        json::value whole;
        auto made = json::decode(text, whole, options, out.notes);
        if (!made) return made;
        if (auto const* const object = whole.if_object()) index = detail::recognise(*object);
        if (index == detail::payload_index<types::provider_message>())
            out.kind = event_kind::provider_outbound_message;
        if (index == detail::payload_index<unknown_event>()) {
            out.content.emplace<unknown_event>().content = std::move(whole);
            return made;
        }
    }
    auto made = detail::decode_payload(text, index, out.content, options, out.notes);
    if (!made) return made;
    auto* unknown = detail::unknown_fields(out.content);
    if (auto const* const nested = unknown->if_contains("data");
        nested && nested->is_object() && !detail::is_described(text, *unknown, options)) {
        // One documented example has the record in a member of its own.
        auto const record = *nested;
        out.notes.clear();
        made = detail::decode_payload(record, index, out.content, options, out.notes);
        unknown = detail::unknown_fields(out.content);
    }
    for (auto const& field : detail::envelope_fields)
        unknown->erase(field.name);
    return made;
}

/// Reads an event.
///
/// The kind is told by `type`; without one that is known it is `assumed`, for those who have a URL
/// per event; without that too the record is recognised by its members where they leave no doubt,
/// and else kept as JSON. Fails with `errc::unexpected_content` when the text is not one JSON
/// object or is nested too deeply, and in strict mode with `errc::decode_failed`. Does not throw
/// but for memory.
[[nodiscard]] inline json::decode_result decode_event(
    std::string_view text,
    event& out,
    event_kind assumed = event_kind::unknown,
    const json::decode_options& options = {}) {
    out = event();
    envelope head;
    auto made = decode_envelope(text, head, options.max_depth);
    if (!made) return made;
    return decode_event(text, std::move(head), out, assumed, options);
}

} // namespace highlevel::webhooks
