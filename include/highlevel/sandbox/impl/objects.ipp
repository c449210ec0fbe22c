// SPDX-License-Identifier: BSL-1.0
//
// The sandbox's endpoint of custom objects: a record can be created, but is not kept.
#pragma once

#include <highlevel/sandbox/api.hpp>
#include <highlevel/sandbox/detail/time_text.hpp>
#include <highlevel/sandbox/impl/api.ipp>

#include <boost/json/serialize.hpp>

namespace highlevel::sandbox::detail {

inline void api::create_record(context& c) {
    // n8n#37571: whatever scopes it has, and although it may read and update records.
    if (c.grant->private_integration())
        return fail(c, 401, "This location is not accessible from this token.");
    constexpr std::array<std::string_view, 4> known{
        "locationId", "properties", "owner", "followers"};
    if (!check_body(c, known)) return;
    if (c.location_id.empty()) return unprocessable(c, "locationId should not be empty");
    auto const* const properties = c.body.as_object().if_contains("properties");
    if (properties == nullptr || !properties->is_object())
        return unprocessable(c, "properties must be an object");
    auto const now = iso_text(c.date);
    c.out.status = 201;
    json_writer out(c.out.body);
    out.begin_object().key("record").begin_object();
    out.member("id", made_up_id(scatter(c.place->seed() ^ 0x0b1) ^ scatter(traces_++)));
    out.key("properties").raw(boost::json::serialize(*properties));
    for (auto const* const name : {"owner", "followers"})
        if (auto const* const given = c.body.as_object().if_contains(name))
            out.key(name).raw(boost::json::serialize(*given));
    out.member("dateAdded", now).member("dateUpdated", now);
    out.end_object();
    write_trace(c, out);
    out.end_object();
}

} // namespace highlevel::sandbox::detail
