// SPDX-License-Identifier: BSL-1.0
//
// The sandbox's endpoints of locations: the location itself, its tags, custom fields and values.
#pragma once

#include <highlevel/sandbox/api.hpp>
#include <highlevel/sandbox/impl/api.ipp>

namespace highlevel::sandbox::detail {

inline void write_location(json_writer& out, const location& place, bool whole) {
    auto const& town = place.place();
    out.begin_object();
    out.member("id", place.id());
    if (whole) out.member("companyId", place.company_id());
    out.member("name", place.name);
    out.member("phone", "+15550100");
    out.member("email", "office@example.com");
    out.member("address", "1 Main St");
    out.member("city", town.city);
    out.member("state", town.state);
    out.member("country", "US");
    out.member("postalCode", town.postal_code);
    out.member("website", "https://example.com");
    out.member("timezone", town.timezone);
    if (whole) {
        out.member("firstName", place.owner_first_name());
        out.member("lastName", place.owner_last_name());
        out.key("business").begin_object();
        out.member("name", place.name);
        out.member("address", "1 Main St");
        out.member("city", town.city);
        out.member("state", town.state);
        out.member("country", "US");
        out.member("postalCode", town.postal_code);
        out.member("website", "https://example.com");
        out.member("timezone", town.timezone);
        out.end_object();
    }
    out.key("social").begin_object().end_object();
    out.key("settings").begin_object();
    out.member("allowDuplicateContact", false);
    out.member("allowDuplicateOpportunity", false);
    out.member("allowFacebookNameMerge", false);
    out.member("disableContactTimezone", false);
    out.end_object();
    out.end_object();
}

inline void api::get_location(context& c) {
    json_writer out(c.out.body);
    out.begin_object().key("location");
    write_location(out, *c.place, true);
    write_trace(c, out);
    out.end_object();
}

inline void api::search_locations(context& c) {
    std::size_t skip = 0;
    std::size_t limit = 10;
    if (!read_page(c, skip, limit)) return;
    auto const* company = c.parameter("companyId");
    auto const* email = c.parameter("email");
    auto const* order = c.parameter("order");
    if (company && !c.grant->may_use_company(*company) && !c.grant->all_locations)
        return fail(c, 403, "The token does not have access to this company.");
    auto places = store_.locations();
    if (order && lower_case(*order) == "desc") std::ranges::reverse(places);
    json_writer out(c.out.body);
    out.begin_object().key("locations").begin_array();
    for (auto const& place : places) {
        if (limit == 0) break;
        auto const allowed =
            c.grant->may_use_location(place->id()) || c.grant->may_use_company(place->company_id());
        if (!allowed || (company && place->company_id() != *company)) continue;
        if (email && lower_case(*email) != "office@example.com") continue;
        if (skip > 0) {
            --skip;
            continue;
        }
        --limit;
        std::lock_guard const lock(place->mutex);
        write_location(out, *place, false);
    }
    out.end_array();
    write_trace(c, out);
    out.end_object();
}

inline void api::list_tags(context& c) {
    json_writer out(c.out.body);
    out.begin_object().key("tags").begin_array();
    for (auto const& tag : c.place->tags())
        out.begin_object()
            .member("id", tag.id)
            .member("name", tag.name)
            .member("locationId", c.place->id())
            .end_object();
    out.end_array();
    write_trace(c, out);
    out.end_object();
}

inline void api::create_tag(context& c) {
    constexpr std::array<std::string_view, 1> known{"name"};
    if (!check_body(c, known)) return;
    auto const name = c.body_text("name");
    if (name.empty()) return unprocessable(c, "name should not be empty");
    auto const before = c.place->tags().size();
    auto const& tag = c.place->learn_tag(name);
    if (c.place->tags().size() == before) return fail(c, 400, "The tag name is already exist.");
    c.out.status = 201;
    json_writer out(c.out.body);
    out.begin_object().key("tag").begin_object();
    out.member("id", tag.id).member("name", tag.name).member("locationId", c.place->id());
    out.end_object();
    write_trace(c, out);
    out.end_object();
}

inline void api::list_custom_fields(context& c) {
    auto const* model = c.parameter("model");
    if (model && *model != "contact" && *model != "opportunity" && *model != "all")
        return unprocessable(
            c, "model must be one of the following values: contact, opportunity, all");
    json_writer out(c.out.body);
    out.begin_object().key("customFields").begin_array();
    std::size_t position = 0;
    for (auto const& field : custom_field_kinds) {
        auto const index = position++;
        if (model && *model == "opportunity") break;
        out.begin_object();
        out.member("id", custom_field_id(c.place->seed(), c.place->ordinal(), index));
        out.member("name", field.name);
        out.member("fieldKey", field.key);
        out.member("placeholder", "");
        out.member("dataType", field.data_type);
        out.member("position", 50 * (index + 1));
        if (!field.options.empty()) out.key("picklistOptions").raw(field.options);
        out.member("isAllowedCustomOption", false);
        out.member("model", "contact");
        out.member("locationId", c.place->id());
        out.end_object();
    }
    out.end_array();
    write_trace(c, out);
    out.end_object();
}

inline void write_custom_value(json_writer& out, const location& place, const named_item& item) {
    auto key = lower_case(item.name);
    std::ranges::replace(key, ' ', '_');
    out.begin_object();
    out.member("id", item.id);
    out.member("name", item.name);
    out.member("fieldKey", "{{ custom_values." + key + " }}");
    out.member("value", item.value);
    out.member("locationId", place.id());
    out.end_object();
}

inline void api::list_custom_values(context& c) {
    json_writer out(c.out.body);
    out.begin_object().key("customValues").begin_array();
    for (auto const& item : c.place->custom_values)
        write_custom_value(out, *c.place, item);
    out.end_array();
    write_trace(c, out);
    out.end_object();
}

inline void api::create_custom_value(context& c) {
    constexpr std::array<std::string_view, 2> known{"name", "value"};
    if (!check_body(c, known)) return;
    std::vector<std::string> messages;
    for (auto name : known)
        if (c.body_text(name).empty())
            messages.push_back(std::string(name) + " should not be empty");
    if (!messages.empty()) return fail(c, 422, messages);
    auto& values = c.place->custom_values;
    auto const& made = values.emplace_back(
        made_up_id(scatter(c.place->seed() ^ 0xc2) ^ scatter(c.place->ordinal()) ^ traces_),
        std::string(c.body_text("name")), std::string(c.body_text("value")));
    c.out.status = 201;
    json_writer out(c.out.body);
    out.begin_object().key("customValue");
    write_custom_value(out, *c.place, made);
    write_trace(c, out);
    out.end_object();
}

inline void api::custom_value(context& c) {
    auto& values = c.place->custom_values;
    auto const item = std::ranges::find(values, c.segments[3], &named_item::id);
    if (item == values.end())
        return fail(c, 400, "Custom value not found for id:" + std::string(c.segments[3]));
    json_writer out(c.out.body);
    if (c.request.method == "DELETE") {
        values.erase(item);
        out.begin_object().member("succeded", true);
    } else {
        if (c.request.method == "PUT") {
            constexpr std::array<std::string_view, 2> known{"name", "value"};
            if (!check_body(c, known)) return;
            if (auto const name = c.body_text("name"); !name.empty()) item->name = name;
            if (auto const value = c.body_text("value"); !value.empty()) item->value = value;
        }
        out.begin_object().key("customValue");
        write_custom_value(out, *c.place, *item);
    }
    write_trace(c, out);
    out.end_object();
}

} // namespace highlevel::sandbox::detail
