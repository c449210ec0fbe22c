// SPDX-License-Identifier: BSL-1.0
//
// A contact as the endpoints write it. One record has three shapes on the wire, which do not agree
// about names, cases and dates; a client has to read all of them.
#pragma once

#include <highlevel/sandbox/contact.hpp>
#include <highlevel/sandbox/detail/json_writer.hpp>
#include <highlevel/sandbox/detail/time_text.hpp>
#include <highlevel/sandbox/store.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace highlevel::sandbox::detail {

inline void write_custom_fields(json_writer& out, const contact& c) {
    out.key("customFields").begin_array();
    for (auto const& field : c.custom_fields)
        out.begin_object().member("id", field.id).key("value").raw(field.json).end_object();
    out.end_array();
}

/// The pair that continues a listing after this contact: its date in milliseconds, and its id.
inline void write_cursor(json_writer& out, std::string_view name, const contact& c) {
    out.key(name).begin_array();
    out.value(milliseconds_of(*c.date_added)).value(c.id);
    out.end_array();
}

/// As GET, POST, PUT and upsert of one contact answer it.
inline void write_contact(json_writer& out, const contact& c) {
    out.begin_object();
    out.member("id", c.id);
    out.member("locationId", c.location_id);
    out.member_if("firstName", c.first_name);
    out.member_if("firstNameLowerCase", lower_case(c.first_name));
    out.member_if("lastName", c.last_name);
    out.member_if("lastNameLowerCase", lower_case(c.last_name));
    out.member_if("fullNameLowerCase", lower_case(c.full_name()));
    out.member_if("email", c.email);
    out.member_if("emailLowerCase", lower_case(c.email));
    out.member_if("phone", c.phone);
    out.member_if("companyName", c.company_name);
    out.member_if("gender", c.gender);
    out.member("dnd", c.dnd);
    if (!c.dnd_settings.empty()) out.key("dndSettings").raw(c.dnd_settings);
    if (!c.inbound_dnd_settings.empty()) out.key("inboundDndSettings").raw(c.inbound_dnd_settings);
    out.member_if("type", c.type);
    out.member_if("source", c.source);
    out.member_if("assignedTo", c.assigned_to);
    out.member_if("address1", c.address1);
    out.member_if("city", c.city);
    out.member_if("state", c.state);
    out.member_if("country", c.country);
    out.member_if("postalCode", c.postal_code);
    out.member_if("website", c.website);
    out.member_if("timezone", c.timezone);
    out.member_if("dateOfBirth", c.date_of_birth);
    out.member_if("businessId", c.business_id);
    out.strings("tags", c.tags);
    out.strings("followers", c.followers);
    out.key("additionalEmails").begin_array().end_array();
    write_custom_fields(out, c);
    out.member("dateAdded", iso_text(*c.date_added));
    out.member("dateUpdated", iso_text(*c.date_updated));
    out.end_object();
}

/// The members of a contact as its webhooks have them, but for its location.
inline void write_webhook_contact(json_writer& out, const contact& c) {
    out.member("id", c.id);
    out.member_if("address1", c.address1);
    out.member_if("city", c.city);
    out.member_if("companyName", c.company_name);
    out.member_if("country", c.country);
    out.member_if("source", c.source);
    out.member("dateAdded", iso_text(*c.date_added));
    out.member_if("dateOfBirth", c.date_of_birth);
    out.member("dnd", c.dnd);
    out.member_if("email", c.email);
    out.member_if("name", c.full_name());
    out.member_if("firstName", c.first_name);
    out.member_if("lastName", c.last_name);
    out.member_if("phone", c.phone);
    out.member_if("postalCode", c.postal_code);
    out.member_if("state", c.state);
    out.strings("tags", c.tags);
    out.member_if("website", c.website);
    out.key("attachments").begin_array().end_array();
    out.member_if("assignedTo", c.assigned_to);
    write_custom_fields(out, c);
}

/// As GET /contacts/ lists it: names in lower case beside the names as they were given.
inline void write_listed_contact(json_writer& out, const contact& c) {
    out.begin_object();
    out.member("id", c.id);
    out.member("locationId", c.location_id);
    out.member_or_null("contactName", lower_case(c.full_name()));
    out.member_or_null("firstName", lower_case(c.first_name));
    out.member_or_null("lastName", lower_case(c.last_name));
    out.member_or_null("firstNameRaw", c.first_name);
    out.member_or_null("lastNameRaw", c.last_name);
    out.member_or_null("companyName", c.company_name);
    out.member_or_null("email", c.email);
    out.member_or_null("phone", c.phone);
    out.member("dnd", c.dnd);
    out.member_or_null("type", c.type);
    out.member_or_null("source", c.source);
    out.member_or_null("assignedTo", c.assigned_to);
    out.member_or_null("city", c.city);
    out.member_or_null("state", c.state);
    out.member_or_null("postalCode", c.postal_code);
    out.member_or_null("address1", c.address1);
    out.member("dateAdded", iso_text(*c.date_added));
    out.member("dateUpdated", iso_text(*c.date_updated));
    out.member_or_null("dateOfBirth", c.date_of_birth);
    out.member_or_null("businessId", c.business_id);
    out.strings("tags", c.tags);
    out.strings("followers", c.followers);
    out.member_or_null("country", c.country);
    out.member_or_null("website", c.website);
    out.member_or_null("timezone", c.timezone);
    out.key("additionalEmails").begin_array().end_array();
    out.key("attributions").begin_array().end_array();
    write_custom_fields(out, c);
    write_cursor(out, "startAfter", c);
    out.end_object();
}

/// As POST /contacts/search finds it: `address` for `address1`, the birthday in milliseconds, and
/// the cursor (`after` is JSON) on each record.
inline void write_found_contact(json_writer& out, const contact& c, std::string_view after) {
    out.begin_object();
    out.member("id", c.id);
    out.member("locationId", c.location_id);
    out.member_or_null("firstName", c.first_name);
    out.member_or_null("lastName", c.last_name);
    out.member_or_null("contactName", c.full_name());
    out.member_or_null("firstNameLowerCase", lower_case(c.first_name));
    out.member_or_null("lastNameLowerCase", lower_case(c.last_name));
    out.member_or_null("email", c.email);
    out.member_or_null("phone", c.phone);
    out.member_or_null("phoneLabel", {});
    out.key("validEmail").null();
    out.key("additionalEmails").begin_array().end_array();
    out.key("additionalPhones").begin_array().end_array();
    out.member_or_null("companyName", c.company_name);
    out.member_or_null("businessName", {});
    out.member_or_null("businessId", c.business_id);
    out.member_or_null("address", c.address1);
    out.member_or_null("city", c.city);
    out.member_or_null("state", c.state);
    out.member_or_null("country", c.country);
    out.member_or_null("postalCode", c.postal_code);
    out.member_or_null("website", c.website);
    out.member_or_null("timezone", c.timezone);
    out.member_or_null("source", c.source);
    out.member_or_null("type", c.type);
    out.member_or_null("assignedTo", c.assigned_to);
    out.strings("followers", c.followers);
    out.strings("tags", c.tags);
    out.member("dnd", c.dnd);
    out.key("dndSettings").raw(c.dnd_settings.empty() ? "{}" : c.dnd_settings);
    out.key("opportunities").begin_array().end_array();
    write_custom_fields(out, c);
    auto const birthday = parse_time(c.date_of_birth);
    out.key("dateOfBirth");
    if (birthday) {
        out.value(milliseconds_of(*birthday));
    } else {
        out.null();
    }
    out.member("dateAdded", iso_text(*c.date_added));
    out.member("dateUpdated", iso_text(*c.date_updated));
    out.key("searchAfter").raw(after);
    out.end_object();
}

} // namespace highlevel::sandbox::detail
