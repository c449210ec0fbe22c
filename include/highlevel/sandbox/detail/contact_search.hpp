// SPDX-License-Identifier: BSL-1.0
//
// The body of POST /contacts/search: filters in groups, a query, an order. Parsed once, then asked
// about each contact.
#pragma once

#include <highlevel/sandbox/contact.hpp>
#include <highlevel/sandbox/detail/time_text.hpp>
#include <highlevel/sandbox/store.hpp>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::sandbox::detail {

/// The text of a JSON scalar, or nothing for null, arrays and objects.
[[nodiscard]] inline std::optional<std::string> scalar_text(const boost::json::value& value) {
    if (value.is_string()) return std::string(value.get_string());
    if (value.is_bool()) return value.get_bool() ? "true" : "false";
    if (value.is_number()) return boost::json::serialize(value);
    return std::nullopt;
}

/// Text fields of a contact by the names that filters and orders use.
class contact_field {
public:
    std::string_view name;
    std::string contact::*member;
};

inline constexpr std::array contact_fields{
    contact_field{"id", &contact::id},
    contact_field{"firstName", &contact::first_name},
    contact_field{"firstNameLowerCase", &contact::first_name},
    contact_field{"lastName", &contact::last_name},
    contact_field{"lastNameLowerCase", &contact::last_name},
    contact_field{"email", &contact::email},
    contact_field{"phone", &contact::phone},
    contact_field{"companyName", &contact::company_name},
    contact_field{"businessName", &contact::company_name},
    contact_field{"address", &contact::address1},
    contact_field{"city", &contact::city},
    contact_field{"state", &contact::state},
    contact_field{"country", &contact::country},
    contact_field{"postalCode", &contact::postal_code},
    contact_field{"website", &contact::website},
    contact_field{"timezone", &contact::timezone},
    contact_field{"source", &contact::source},
    contact_field{"type", &contact::type},
    contact_field{"assignedTo", &contact::assigned_to},
    contact_field{"businessId", &contact::business_id},
};

/// All values that a contact has in a field, in lower case; nothing for a field unknown to search.
[[nodiscard]] inline std::optional<std::vector<std::string>> field_values(
    const contact& c, std::string_view name) {
    std::vector<std::string> values;
    auto const field = std::ranges::find(contact_fields, name, &contact_field::name);
    if (field != contact_fields.end()) {
        // Ids are the one thing whose case counts.
        auto const& text = c.*(field->member);
        if (!text.empty()) values.push_back(name == "id" ? text : lower_case(text));
        return values;
    }
    if (name == "contactName" || name == "fullNameLowerCase") {
        if (auto full = lower_case(c.full_name()); !full.empty()) values.push_back(full);
    } else if (name == "tags") {
        for (auto const& tag : c.tags)
            values.push_back(lower_case(tag));
    } else if (name == "followers") {
        for (auto const& follower : c.followers)
            values.push_back(lower_case(follower));
    } else if (name == "dnd") {
        values.emplace_back(c.dnd ? "true" : "false");
    } else if (name == "dateAdded") {
        if (c.date_added) values.push_back(std::to_string(milliseconds_of(*c.date_added)));
    } else if (name == "dateUpdated") {
        if (c.date_updated) values.push_back(std::to_string(milliseconds_of(*c.date_updated)));
    } else if (name == "dateOfBirth") {
        if (auto const day = parse_time(c.date_of_birth))
            values.push_back(std::to_string(milliseconds_of(*day)));
    } else if (name.starts_with("customFields.")) {
        auto const id = name.substr(std::string_view("customFields.").size());
        for (auto const& custom : c.custom_fields) {
            if (custom.id != id) continue;
            auto const parsed = boost::json::parse(custom.json);
            if (auto text = scalar_text(parsed)) values.push_back(lower_case(*text));
            if (auto const* array = parsed.if_array())
                for (auto const& item : *array)
                    if (auto text = scalar_text(item)) values.push_back(lower_case(*text));
        }
    } else {
        return std::nullopt;
    }
    return values;
}

[[nodiscard]] inline bool is_date_field(std::string_view name) noexcept {
    return name == "dateAdded" || name == "dateUpdated" || name == "dateOfBirth";
}

/// One condition, or a group of them.
class contact_filter {
public:
    enum class kind { all, any, eq, unequal, contains, not_contains, exists, not_exists, range };

    /// Reads one element of `filters`; on failure returns nothing and says why in `problem`.
    static std::optional<contact_filter> parse(
        const boost::json::value& json, std::string& problem, int depth = 0) {
        auto const* object = json.if_object();
        if (!object || depth > 8) {
            problem = "each value in filters must be an object";
            return std::nullopt;
        }
        contact_filter made;
        if (auto const* group = object->if_contains("group")) {
            auto const name = group->is_string() ? lower_case(group->get_string()) : "";
            auto const* members = object->if_contains("filters");
            if ((name != "and" && name != "or") || !members || !members->is_array()) {
                problem = "Invalid filter group";
                return std::nullopt;
            }
            made.kind_ = name == "or" ? kind::any : kind::all;
            for (auto const& member : members->get_array()) {
                auto child = parse(member, problem, depth + 1);
                if (!child) return std::nullopt;
                made.members_.push_back(std::move(*child));
            }
            return made;
        }
        auto const* field = object->if_contains("field");
        auto const* name = object->if_contains("operator");
        auto const* value = object->if_contains("value");
        if (!field || !field->is_string() || !field_values(contact(), field->get_string())) {
            problem = "Invalid Field";
            return std::nullopt;
        }
        made.field_ = field->get_string();
        auto const text = name && name->is_string() ? std::string(name->get_string()) : "";
        using entry = std::pair<std::string_view, kind>;
        constexpr std::array operators{
            entry{"eq", kind::eq},
            entry{"not_eq", kind::unequal},
            entry{"contains", kind::contains},
            entry{"not_contains", kind::not_contains},
            entry{"exists", kind::exists},
            entry{"not_exists", kind::not_exists},
            entry{"range", kind::range}};
        auto const known = std::ranges::find(operators, text, &entry::first);
        if (known == operators.end() ||
            (known->second == kind::range && !is_date_field(made.field_))) {
            problem = "Invalid Operator";
            return std::nullopt;
        }
        made.kind_ = known->second;
        if (made.kind_ == kind::exists || made.kind_ == kind::not_exists) return made;
        if (!value || value->is_null()) {
            problem = "filter value should not be empty";
            return std::nullopt;
        }
        if (made.kind_ == kind::range) return parse_range(std::move(made), *value, problem);
        auto const normal = [&](const std::string& t) {
            if (is_date_field(made.field_))
                if (auto const time = parse_time(t)) return std::to_string(milliseconds_of(*time));
            return made.field_ == "id" ? t : lower_case(t);
        };
        if (auto const* array = value->if_array()) {
            for (auto const& item : *array)
                if (auto t = scalar_text(item)) made.values_.push_back(normal(*t));
        } else if (auto t = scalar_text(*value)) {
            made.values_.push_back(normal(*t));
        } else {
            problem = "Invalid filter value";
            return std::nullopt;
        }
        return made;
    }

    /// A group in which all members must match.
    static contact_filter all_of(std::vector<contact_filter> members) {
        contact_filter made;
        made.members_ = std::move(members);
        return made;
    }

    [[nodiscard]] bool matches(const contact& c) const {
        auto const member = [&](const contact_filter& f) { return f.matches(c); };
        if (kind_ == kind::all) return std::ranges::all_of(members_, member);
        if (kind_ == kind::any) return std::ranges::any_of(members_, member);
        auto const values = *field_values(c, field_);
        auto const wanted = [&](const std::string& v) {
            return std::ranges::find(values_, v) != values_.end();
        };
        auto const containing = [&](const std::string& v) {
            return std::ranges::any_of(
                values_, [&](auto const& part) { return v.find(part) != std::string::npos; });
        };
        switch (kind_) {
        case kind::eq: return std::ranges::any_of(values, wanted);
        case kind::unequal: return std::ranges::none_of(values, wanted);
        case kind::contains: return std::ranges::any_of(values, containing);
        case kind::not_contains: return std::ranges::none_of(values, containing);
        case kind::exists: return !values.empty();
        case kind::not_exists: return values.empty();
        case kind::range:
            return std::ranges::any_of(values, [&](auto const& v) {
                auto const ms = std::stoll(v);
                return ms >= from_ && ms <= to_;
            });
        case kind::all:
        case kind::any: break;
        }
        return false;
    }

private:
    static std::optional<contact_filter> parse_range(
        contact_filter made, const boost::json::value& value, std::string& problem) {
        auto const* bounds = value.if_object();
        if (!bounds || bounds->empty()) {
            problem = "Invalid range value";
            return std::nullopt;
        }
        for (auto const& [name, bound] : *bounds) {
            auto const text = scalar_text(bound);
            auto const time = text ? parse_time(*text) : std::nullopt;
            if (!time) {
                problem = "Invalid range value";
                return std::nullopt;
            }
            auto const ms = milliseconds_of(*time);
            if (name == "gte") {
                made.from_ = ms;
            } else if (name == "gt") {
                made.from_ = ms + 1;
            } else if (name == "lte") {
                made.to_ = ms;
            } else if (name == "lt") {
                made.to_ = ms - 1;
            } else {
                problem = "Invalid range value";
                return std::nullopt;
            }
        }
        return made;
    }

    kind kind_ = kind::all;
    std::vector<contact_filter> members_;
    std::string field_;
    std::vector<std::string> values_;
    std::int64_t from_ = INT64_MIN;
    std::int64_t to_ = INT64_MAX;
};

/// Whether the text of a search box fits a contact: part of its name, address, number or company.
[[nodiscard]] inline bool matches_query(const contact& c, std::string_view lower_query) {
    auto const in = [&](const std::string& text) {
        return lower_case(text).find(lower_query) != std::string::npos;
    };
    return in(c.full_name()) || in(c.email) || in(c.phone) || in(c.company_name);
}

} // namespace highlevel::sandbox::detail
