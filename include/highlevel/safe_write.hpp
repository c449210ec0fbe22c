// SPDX-License-Identifier: BSL-1.0
//
// Writes whose plain form surprises: tags that replace all others, an upsert that is refused as a
// duplicate, an appointment whose status falls back. Each helper says which calls it makes.
#pragma once

#include <highlevel/client.hpp>
#include <highlevel/detail/operation_failure.hpp>
#include <highlevel/error.hpp>
#include <highlevel/v2/calendars.hpp>
#include <highlevel/v2/contacts.hpp>

#include <boost/asio/awaitable.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel {

namespace detail {

/// The status of an appointment as it was read; empty when it has none.
[[nodiscard]] inline std::string status_of(
    const v2::calendars::types::get_calendar_event_successful_response& got) {
    auto const& event = got.event ? got.event : got.appointment;
    if (!event) return {};
    if (event->appointment_status && !event->appointment_status->empty())
        return *event->appointment_status;
    // The live API writes it so, too.
    auto const* const misspelt = event->unknown_fields.if_contains("appoinmentStatus");
    return misspelt != nullptr && misspelt->is_string() ? std::string(misspelt->get_string())
                                                        : std::string();
}

} // namespace detail

/// Adds tags to a contact and keeps those that it has.
///
/// Calls that it makes: `POST /contacts/{id}/tags`, once. An update or upsert with `tags` would
/// replace all of them (source: integrators). A tag that the sub-account does not have yet is made
/// for it. Doing it twice adds nothing.
///
/// Gives the contact's tags after it. Throws `highlevel::error`.
[[nodiscard]] inline asio::awaitable<std::vector<std::string>> add_tags(
    account of,
    std::string contact_id,
    std::vector<std::string> tags,
    call_options options = detail::default_call_options) {
    v2::contacts::add_tags op{std::move(contact_id)};
    op.body.tags = std::move(tags);
    auto got = co_await of.call(op, options);
    co_return std::move(got->tags);
}

/// What `upsert_contact` came to.
class upserted {
public:
    upserted() = default;

    std::string id;
    /// Whether the contact was made.
    bool created = false;
    /// Whether the upsert was refused as a duplicate and the contact in the way was updated.
    bool recovered = false;
};

/// Makes a contact, or updates the one with the same email or phone; its tags are added to those
/// that it has.
///
/// Calls that it makes:
/// 1. `POST /contacts/upsert`, without `tags`, which would replace all tags.
/// 2. When that is refused as a duplicate (400 with the id of the contact that is in the way):
///    `PUT /contacts/{that id}` with what a PUT takes, which is all but `gender`, `companyName`,
///    `locationId`, `createNewIfDuplicateAllowed` and `unknown_fields`.
/// 3. When there are tags: `POST /contacts/{id}/tags`.
///
/// A failure after the first call leaves the calls before it done; all three can be repeated.
/// Throws `highlevel::error`: cause::duplicate when the refusal names no contact, and when email
/// and phone belong to two contacts, so that the PUT is refused too.
[[nodiscard]] inline asio::awaitable<upserted> upsert_contact(
    account of,
    v2::contacts::types::upsert_contact contact,
    call_options options = detail::default_call_options) {
    auto tags = std::exchange(contact.tags, std::nullopt).value_or(std::vector<std::string>{});
    v2::contacts::upsert_contact op;
    op.body = contact;
    upserted made;
    auto got = co_await of.try_call(op, options);
    if (got) {
        made.created = (*got)->new_.value_or(false);
        if ((*got)->contact) made.id = (*got)->contact->id.value_or("");
    } else {
        auto const& why = got.error();
        if (why.cause() != cause::duplicate || why.recovery_id().empty()) throw error{why};
        made.id = why.recovery_id();
        made.recovered = true;
        v2::contacts::update_contact put{made.id};
        auto& body = put.body;
        body.first_name = contact.first_name;
        body.last_name = contact.last_name;
        body.name = contact.name;
        body.email = contact.email;
        body.phone = contact.phone;
        body.address1 = contact.address1;
        body.city = contact.city;
        body.state = contact.state;
        body.postal_code = contact.postal_code;
        body.website = contact.website;
        body.timezone = contact.timezone;
        body.dnd = contact.dnd;
        body.dnd_settings = contact.dnd_settings;
        body.inbound_dnd_settings = contact.inbound_dnd_settings;
        body.custom_fields = contact.custom_fields;
        if (contact.source) body.source = *contact.source;
        body.date_of_birth = contact.date_of_birth;
        body.country = contact.country;
        if (contact.assigned_to) body.assigned_to = *contact.assigned_to;
        co_await of.call(put, options);
    }
    if (!tags.empty()) {
        if (made.id.empty())
            throw error{detail::unusable(op.meta, "the upsert gives no contact id to tag")};
        co_await add_tags(of, made.id, std::move(tags), options);
    }
    co_return made;
}

/// Updates an appointment without resetting its status.
///
/// Calls that it makes: when the update says no `appointment_status`,
/// `GET /calendars/events/appointments/{eventId}` first, for the status that it has; then
/// `PUT /calendars/events/appointments/{eventId}` with it. A PUT without a status makes the
/// appointment `confirmed` (source: integrators). A change of the status between the two is undone.
///
/// Throws `highlevel::error`; errc::unexpected_content, before anything is written, when the
/// appointment is given without a status.
[[nodiscard]] inline asio::awaitable<response<v2::calendars::types::appointment_schema_response>>
update_appointment(
    account of,
    v2::calendars::edit_appointment update,
    call_options options = detail::default_call_options) {
    if (update.body.appointment_status.empty()) {
        v2::calendars::get_appointment const get{update.event_id};
        auto const got = co_await of.call(get, options);
        auto const status = detail::status_of(*got);
        if (status.empty())
            throw error{detail::unusable(
                get.meta, "the appointment has no status, and an update would make it confirmed")};
        update.body.appointment_status.assign(status);
    }
    co_return co_await of.call(update, options);
}

} // namespace highlevel
