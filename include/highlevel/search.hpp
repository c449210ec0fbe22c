// SPDX-License-Identifier: BSL-1.0
//
// Filters for POST searches of contacts, opportunities and object records, as the live API takes
// them. The description leaves these bodies empty.
#pragma once

#include <highlevel/json/type.hpp>
#include <highlevel/operation.hpp>
#include <highlevel/time.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Builds the members of `filters` and `sort`, and puts them into an operation once they are
/// checked:
///
///     contacts::search_contacts_advanced op;
///     search::apply(op, {search::eq("tags", "vip"), search::since("dateUpdated", day)},
///                   {search::descending("dateAdded")});
///
/// Source of the operators: refusals and answers of the live API as integrators report them, and
/// the vendor's pages on the three searches; plain `gte` for one is refused (422, "Invalid
/// Operator"), a `range` is taken. Texts have at most 75 characters. Custom fields of contacts are
/// named `customFields.` and the field's id, those of opportunities `custom_fields.` and the id,
/// and members of object records `properties.` and the key.
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

/// Characters as the server counts them, in UTF-16 units.
[[nodiscard]] inline std::size_t length_of(std::string_view text) noexcept {
    std::size_t units = 0;
    for (char const c : text) {
        auto const byte = static_cast<unsigned char>(c);
        if ((byte & 0xc0U) != 0x80U) units += byte >= 0xf0U ? 2 : 1;
    }
    return units;
}

inline constexpr std::size_t longest_text = 75;

inline void check_length(std::string_view field, const json::value& value) {
    if (auto const* const list = value.if_array()) {
        for (auto const& one : *list)
            check_length(field, one);
    } else if (auto const* const text = value.if_string()) {
        if (length_of(std::string_view(*text)) > longest_text)
            throw std::invalid_argument{
                "the filter of " + std::string{field} + " has a text of more than 75 characters"};
    }
}

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
    check_length(field, value);
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

/// The field's time is not after `to`.
[[nodiscard]] inline filter until(std::string_view field, time::point to) {
    json::object range;
    range["lte"] = time::to_iso(to);
    return detail::condition(field, "range", std::move(range));
}

/// Bounds of a number; a bound that is null is none. `gte` and `lte` include the bound, `gt` and
/// `lt` do not.
class number_bounds {
public:
    number_bounds() = default;

    json::value gte;
    json::value gt;
    json::value lte;
    json::value lt;
};

/// The field's number lies within the bounds, of which there is at least one.
[[nodiscard]] inline filter within(std::string_view field, const number_bounds& bounds) {
    json::object range;
    auto const add = [&](std::string_view name, const json::value& bound) {
        if (bound.is_null()) return;
        if (!bound.is_number())
            throw std::invalid_argument{
                "the range of " + std::string{field} + " has a bound that is no number"};
        range[name] = bound;
    };
    add("gte", bounds.gte);
    add("gt", bounds.gt);
    add("lte", bounds.lte);
    add("lt", bounds.lt);
    if (range.empty())
        throw std::invalid_argument{"the range of " + std::string{field} + " has no bound"};
    auto const& least = bounds.gte.is_null() ? bounds.gt : bounds.gte;
    auto const& most = bounds.lte.is_null() ? bounds.lt : bounds.lte;
    if (!least.is_null() && !most.is_null() && most.to_number<double>() < least.to_number<double>())
        throw std::invalid_argument{
            "the range of " + std::string{field} + " ends before it begins"};
    return detail::condition(field, "range", std::move(range));
}
/// The field's number is `from`, `to` or between them.
[[nodiscard]] inline filter between(std::string_view field, json::value from, json::value to) {
    number_bounds bounds;
    bounds.gte = std::move(from);
    bounds.lte = std::move(to);
    return within(field, bounds);
}

/// Records that have a relation to one of these records; for object searches.
[[nodiscard]] inline filter related_to(const std::vector<std::string>& record_ids) {
    json::array ids(record_ids.begin(), record_ids.end());
    return detail::condition(
        "relations", "nested",
        json::array{detail::condition("recordId", "eq", detail::needed("relations", ids))});
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

/// What is searched.
enum class subject : std::uint8_t { contacts, opportunities, objects };

/// What to do about fields that the check does not know.
enum class unknown_fields : std::uint8_t {
    refuse,
    /// Let through, with any operator: the API has grown.
    allow,
};

namespace detail {

/// The operators of a kind of field, separated by blanks.
inline constexpr std::string_view all_but_range =
    "eq not_eq contains not_contains exists not_exists";
inline constexpr std::string_view choice = "eq not_eq exists not_exists";
inline constexpr std::string_view amount = "eq not_eq range exists not_exists";
inline constexpr std::string_view date = "range exists not_exists";
inline constexpr std::string_view identity = "eq not_eq";
inline constexpr std::string_view any_operator =
    "eq not_eq contains not_contains exists not_exists range";

class field_rule {
public:
    std::string_view field;
    std::string_view operators;
};

inline constexpr std::array contact_rules{
    field_rule{"id", identity},
    field_rule{"address", all_but_range},
    field_rule{"assignedTo", all_but_range},
    field_rule{"businessId", all_but_range},
    field_rule{"businessName", all_but_range},
    field_rule{"city", all_but_range},
    field_rule{"companyName", all_but_range},
    field_rule{"contactName", all_but_range},
    field_rule{"country", all_but_range},
    field_rule{"dateAdded", date},
    field_rule{"dateOfBirth", date},
    field_rule{"dateUpdated", date},
    field_rule{"dnd", choice},
    field_rule{"email", all_but_range},
    field_rule{"firstName", all_but_range},
    field_rule{"firstNameLowerCase", all_but_range},
    field_rule{"followers", all_but_range},
    field_rule{"fullNameLowerCase", all_but_range},
    field_rule{"lastName", all_but_range},
    field_rule{"lastNameLowerCase", all_but_range},
    field_rule{"phone", all_but_range},
    field_rule{"postalCode", all_but_range},
    field_rule{"source", all_but_range},
    field_rule{"state", all_but_range},
    field_rule{"tags", all_but_range},
    field_rule{"timezone", all_but_range},
    field_rule{"type", all_but_range},
    field_rule{"validEmail", choice},
    field_rule{"website", all_but_range},
};

inline constexpr std::array opportunity_rules{
    field_rule{"id", identity},
    field_rule{"name", all_but_range},
    field_rule{"contact_name", all_but_range},
    field_rule{"company_name", all_but_range},
    field_rule{"email", all_but_range},
    field_rule{"phone", all_but_range},
    field_rule{"followers", all_but_range},
    field_rule{"monetary_value", amount},
    field_rule{"pipeline_id", choice},
    field_rule{"pipeline_stage_id", choice},
    field_rule{"status", choice},
    field_rule{"lost_reason_id", choice},
    field_rule{"source", choice},
    field_rule{"assigned_to", choice},
    field_rule{"contact_id", choice},
    field_rule{"date_added", date},
    field_rule{"date_updated", date},
    field_rule{"last_status_change_date", date},
    field_rule{"last_stage_change_date", date},
};

/// The operators that a field takes; empty when it is not known. Fields of the account's own take
/// any: their types are not known here.
[[nodiscard]] inline std::string_view operators_of(subject of, std::string_view field) noexcept {
    auto const own = of == subject::contacts ? std::string_view{"customFields."}
        : of == subject::opportunities       ? std::string_view{"custom_fields."}
                                             : std::string_view{"properties."};
    if (field.starts_with(own) && field.size() > own.size()) return any_operator;
    if (of == subject::objects) return field == "relations" ? "nested" : std::string_view{};
    auto const rules = of == subject::contacts ? std::span<const field_rule>{contact_rules}
                                               : std::span<const field_rule>{opportunity_rules};
    for (auto const& rule : rules)
        if (rule.field == field) return rule.operators;
    return {};
}

[[nodiscard]] inline bool has_word(std::string_view words, std::string_view word) noexcept {
    while (!words.empty()) {
        auto const end = std::min(words.find(' '), words.size());
        if (words.substr(0, end) == word) return true;
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return false;
}

[[nodiscard]] inline std::string_view text_at(const json::value& from, std::string_view name) {
    auto const* const members = from.if_object();
    auto const* const v = members != nullptr ? members->if_contains(name) : nullptr;
    return v != nullptr && v->is_string() ? std::string_view(v->get_string()) : std::string_view{};
}

[[nodiscard]] inline std::string_view name_of(subject of) noexcept {
    switch (of) {
    case subject::contacts: return "contacts";
    case subject::opportunities: return "opportunities";
    case subject::objects: break;
    }
    return "object records";
}

[[nodiscard]] inline subject subject_of(const operation_meta& meta) {
    if (meta.path == "/contacts/search") return subject::contacts;
    if (meta.path == "/opportunities/search") return subject::opportunities;
    if (meta.path == "/objects/{schemaKey}/records/search") return subject::objects;
    throw std::invalid_argument{std::string{meta.path} + " takes no search filters"};
}

} // namespace detail

/// Throws std::invalid_argument, naming the field and what it takes, when a search of `of` would
/// refuse one of the filters, in whatever group.
inline void check(
    subject of, const filters& what, unknown_fields unknown = unknown_fields::refuse) {
    for (auto const& one : what) {
        auto const* const members = one.if_object();
        if (members != nullptr && members->contains("group")) {
            auto const* const inner = members->if_contains("filters");
            if (inner != nullptr && inner->is_array())
                check(of, filters(inner->get_array().begin(), inner->get_array().end()), unknown);
            continue;
        }
        std::string const field{detail::text_at(one, "field")};
        auto const operators = detail::operators_of(of, field);
        std::string const searched{detail::name_of(of)};
        if (operators.empty()) {
            if (unknown == unknown_fields::allow) continue;
            throw std::invalid_argument{
                "a search of " + searched + " knows no field " + field +
                "; unknown_fields::allow lets it through"};
        }
        if (!detail::has_word(operators, detail::text_at(one, "operator")))
            throw std::invalid_argument{
                "a search of " + searched + " does not take " +
                std::string{detail::text_at(one, "operator")} + " for " + field +
                ", but: " + std::string{operators}};
    }
}

/// Puts filters and an order into a search operation, after `check`. Where the description has no
/// members for them they go into `extra_body`. Empty ones leave the operation's own as they are.
template <operation Op>
void apply(
    Op& op,
    const filters& what,
    const filters& sort = {},
    unknown_fields unknown = unknown_fields::refuse) {
    check(detail::subject_of(Op::meta), what, unknown);
    if constexpr (requires { op.body.filters.emplace(); }) {
        if (!what.empty()) op.body.filters = what;
        if (!sort.empty()) op.body.sort = sort;
    } else {
        if (!what.empty()) op.extra_body["filters"] = json::array(what.begin(), what.end());
        if (!sort.empty()) op.extra_body["sort"] = json::array(sort.begin(), sort.end());
    }
}

} // namespace highlevel::search
