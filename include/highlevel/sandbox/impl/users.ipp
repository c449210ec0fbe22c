// SPDX-License-Identifier: BSL-1.0
//
// The sandbox's endpoint of users: each location has one, its owner.
#pragma once

#include <highlevel/sandbox/api.hpp>
#include <highlevel/sandbox/impl/api.ipp>

namespace highlevel::sandbox::detail {

inline void write_owner(json_writer& out, const location& place, std::string_view email) {
    auto const& first = place.owner_first_name();
    auto const& last = place.owner_last_name();
    out.begin_object();
    out.member("id", place.owner_id());
    out.member("name", first + ' ' + last);
    out.member("firstName", first);
    out.member("lastName", last);
    out.member("email", email);
    out.key("roles").begin_object();
    out.member("type", "account").member("role", "admin");
    out.strings("locationIds", std::array{place.id()});
    out.end_object();
    out.member("deleted", false);
    out.end_object();
}

inline void api::search_users(context& c) {
    auto const* const company = c.parameter("companyId");
    // Of all endpoints that are known this one words a missing parameter so.
    if (!company) return fail(c, 401, "E01 - Unauthorized request");
    std::size_t skip = 0;
    std::size_t limit = 25;
    if (!read_page(c, skip, limit)) return;
    auto const may_see = [&](const location& place) {
        return place.company_id() == *company &&
            (c.grant->may_use_location(place.id()) || c.grant->may_use_company(*company));
    };
    auto const* const where = c.parameter("locationId");
    auto const places = store_.locations();
    if (std::ranges::none_of(places, [&](auto const& place) {
            return may_see(*place) && (!where || place->id() == *where);
        }))
        return fail(c, 403, "The token does not have access to this location.");

    auto const* const query = c.parameter("query");
    auto const* const ids = c.parameter("ids");
    auto const* const type = c.parameter("type");
    auto const* const role = c.parameter("role");
    bool const other_kind = (type && *type != "account") || (role && *role != "admin");
    std::size_t count = 0;
    json_writer out(c.out.body);
    out.begin_object().key("users").begin_array();
    for (auto const& place : places) {
        if (other_kind || !may_see(*place) || (where && place->id() != *where)) continue;
        auto const name = lower_case(place->owner_first_name() + ' ' + place->owner_last_name());
        auto email = name + "@example.com";
        std::ranges::replace(email, ' ', '.');
        if (query) {
            auto const part = lower_case(*query);
            if (name.find(part) == name.npos && email.find(part) == email.npos) continue;
        }
        if (ids && (',' + *ids + ',').find(',' + place->owner_id() + ',') == ids->npos) continue;
        if (count >= skip && count - skip < limit) write_owner(out, *place, email);
        ++count;
    }
    out.end_array().member("count", count);
    write_trace(c, out);
    out.end_object();
}

} // namespace highlevel::sandbox::detail
