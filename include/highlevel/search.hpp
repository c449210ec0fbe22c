// SPDX-License-Identifier: BSL-1.0
//
// Filters for POST searches of contacts, opportunities and object records, as the live API takes
// them. The description leaves these bodies empty.
#pragma once

#include <highlevel/json/type.hpp>
#include <highlevel/time.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Builds the members of `filters` and `sort`:
///
///     contacts::search_contacts_advanced op;
///     op.body.filters = search::filters{
///         search::eq("tags", "vip"), search::since("dateUpdated", day)};
///
/// Source of the operators: refusals and answers of the live API as integrators report them; plain
/// `gte` for one is refused (422, "Invalid Operator"), a `range` is taken. Custom fields are named
/// `customFields.` and the field's id.
///
/// Functions throw std::invalid_argument for what no search takes, naming the field.
///
/// Thread safety: all functions: safe.
namespace highlevel::search {

/// One condition, or a group of them, as it goes into the request.
using filter = json::value;
/// The value of a `filters` or `sort` member.
using filters = std::vector<json::value>;

namespace detail {

inline filter condition(std::string_view field, std::string_view name, json::value value) {
    if (field.empty()) throw std::invalid_argument{"a search filter needs a field"};
    json::object made;
    made["field"] = field;
    made["operator"] = name;
    if (!value.is_null()) made["value"] = std::move(value);
    return made;
}

inline json::value needed(std::string_view field, json::value value) {
    auto const* const text = value.if_string();
    auto const* const list = value.if_array();
    if (value.is_null() || value.is_object() || (text != nullptr && text->empty()) ||
        (list != nullptr && list->empty()))
        throw std::invalid_argument{
            "the filter of " + std::string{field} +
            " needs a text, a number, a boolean or a list of these that is not empty"};
    return value;
}

inline filter group(std::string_view name, const std::vector<filter>& members) {
    if (members.empty()) throw std::invalid_argument{"a group of search filters must not be empty"};
    json::object made;
    made["group"] = name;
    made["filters"] = json::array(members.begin(), members.end());
    return made;
}

} // namespace detail

/// The field has this value, or one of a list.
[[nodiscard]] inline filter eq(std::string_view field, json::value value) {
    return detail::condition(field, "eq", detail::needed(field, std::move(value)));
}
/// The field has none of these values.
[[nodiscard]] inline filter not_equal(std::string_view field, json::value value) {
    return detail::condition(field, "not_eq", detail::needed(field, std::move(value)));
}
/// The field holds this text.
[[nodiscard]] inline filter contains(std::string_view field, json::value value) {
    return detail::condition(field, "contains", detail::needed(field, std::move(value)));
}
[[nodiscard]] inline filter not_contains(std::string_view field, json::value value) {
    return detail::condition(field, "not_contains", detail::needed(field, std::move(value)));
}
/// The field is not empty.
[[nodiscard]] inline filter exists(std::string_view field) {
    return detail::condition(field, "exists", {});
}
[[nodiscard]] inline filter not_exists(std::string_view field) {
    return detail::condition(field, "not_exists", {});
}

/// The field's time is not before `from` and not after `to`.
[[nodiscard]] inline filter between(std::string_view field, time::point from, time::point to) {
    if (to < from)
        throw std::invalid_argument{
            "the range of " + std::string{field} + " ends before it begins"};
    json::object range;
    range["gte"] = time::to_iso(from);
    range["lte"] = time::to_iso(to);
    return detail::condition(field, "range", std::move(range));
}
/// The field's time is not before `from`.
[[nodiscard]] inline filter since(std::string_view field, time::point from) {
    json::object range;
    range["gte"] = time::to_iso(from);
    return detail::condition(field, "range", std::move(range));
}

/// A group that matches where every member does.
[[nodiscard]] inline filter all_of(const std::vector<filter>& members) {
    return detail::group("AND", members);
}
/// A group that matches where a member does.
[[nodiscard]] inline filter any_of(const std::vector<filter>& members) {
    return detail::group("OR", members);
}

/// An element of `sort`.
[[nodiscard]] inline json::value ascending(std::string_view field) {
    json::object made;
    made["field"] = field;
    made["direction"] = "asc";
    return made;
}
[[nodiscard]] inline json::value descending(std::string_view field) {
    json::object made;
    made["field"] = field;
    made["direction"] = "desc";
    return made;
}

} // namespace highlevel::search
