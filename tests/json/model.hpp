// SPDX-License-Identifier: BSL-1.0
//
// Described structs with every kind of member, as the generator would write them; what the tests
// of the codec read and write.
#pragma once

#include <highlevel/json/type.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace model {

namespace json = highlevel::json;

enum class color : std::uint8_t { red, green, dark_blue };
inline constexpr std::string_view color_names[] = {"red", "green", "DARK-BLUE"};
constexpr std::span<const std::string_view> wire_names(const color*) noexcept {
    return color_names;
}

enum class channel : std::uint8_t { sms };
inline constexpr std::string_view channel_names[] = {"sms"};
constexpr std::span<const std::string_view> wire_names(const channel*) noexcept {
    return channel_names;
}

enum class mail : std::uint8_t { email };
inline constexpr std::string_view mail_names[] = {"email"};
constexpr std::span<const std::string_view> wire_names(const mail*) noexcept {
    return mail_names;
}

struct point {
    point() = default;
    std::optional<double> x;
    std::optional<double> y;
    // Made for every record, as a struct may have it too.
    json::object unknown_fields;
};
inline constexpr json::field point_fields[] = {
    {"x", offsetof(point, x), &json::type_of<decltype(point::x)>},
    {"y", offsetof(point, y), &json::type_of<decltype(point::y)>},
};
constexpr std::span<const json::field> json_fields(const point*) noexcept {
    return point_fields;
}

// Two structs with the same members that differ in what their `type` may say.
struct sms_template {
    sms_template() = default;
    json::open_enum<channel> type;
    std::optional<std::string> body;
    json::lazy_object unknown_fields;
};
inline constexpr json::field sms_template_fields[] = {
    {"type", offsetof(sms_template, type), &json::type_of<decltype(sms_template::type)>},
    {"body", offsetof(sms_template, body), &json::type_of<decltype(sms_template::body)>},
};
constexpr std::span<const json::field> json_fields(const sms_template*) noexcept {
    return sms_template_fields;
}

struct email_template {
    email_template() = default;
    json::open_enum<mail> type;
    std::optional<std::string> body;
    json::lazy_object unknown_fields;
};
inline constexpr json::field email_template_fields[] = {
    {"type", offsetof(email_template, type), &json::type_of<decltype(email_template::type)>},
    {"body", offsetof(email_template, body), &json::type_of<decltype(email_template::body)>},
};
constexpr std::span<const json::field> json_fields(const email_template*) noexcept {
    return email_template_fields;
}

// Two structs that their required members tell apart.
struct verified {
    verified() = default;
    std::optional<bool> done;
    json::lazy_object unknown_fields;
};
inline constexpr json::field verified_fields[] = {
    {"verified", offsetof(verified, done), &json::type_of<decltype(verified::done)>,
     json::presence::required},
};
constexpr std::span<const json::field> json_fields(const verified*) noexcept {
    return verified_fields;
}

struct assessed {
    assessed() = default;
    std::string result;
    std::string risk;
    json::lazy_object unknown_fields;
};
inline constexpr json::field assessed_fields[] = {
    {"result", offsetof(assessed, result), &json::type_of<decltype(assessed::result)>,
     json::presence::required},
    {"risk", offsetof(assessed, risk), &json::type_of<decltype(assessed::risk)>,
     json::presence::required},
};
constexpr std::span<const json::field> json_fields(const assessed*) noexcept {
    return assessed_fields;
}

struct record {
    record() = default;
    std::optional<std::string> name;
    std::optional<std::int64_t> count;
    std::optional<double> ratio;
    std::optional<bool> flag;
    std::vector<std::string> tags;
    std::vector<std::int64_t> numbers;
    std::vector<std::vector<double>> matrix;
    json::map<std::string> labels;
    json::map<point> places;
    json::map<std::vector<std::int64_t>> series;
    json::nullable<std::string> note;
    json::nullable<std::int64_t> limit;
    json::nullable<std::vector<std::string>> roles;
    json::nullable<point> home;
    json::open_enum<color> tint;
    std::vector<json::open_enum<color>> palette;
    std::optional<point> spot;
    std::vector<point> path;
    std::vector<record> children;
    std::vector<std::optional<std::string>> gaps;
    json::value any;
    std::vector<json::value> anys;
    json::object free;
    std::optional<json::object> maybe_free;
    std::optional<std::variant<double, std::string>> order;
    std::optional<std::variant<sms_template, email_template>> content;
    std::optional<std::variant<verified, assessed>> outcome;
    std::optional<std::variant<std::string, std::vector<point>, json::object>> loose;
    json::lazy_object unknown_fields;
};
inline constexpr json::field record_fields[] = {
    {"name", offsetof(record, name), &json::type_of<decltype(record::name)>},
    {"count", offsetof(record, count), &json::type_of<decltype(record::count)>},
    {"ratio", offsetof(record, ratio), &json::type_of<decltype(record::ratio)>},
    {"flag", offsetof(record, flag), &json::type_of<decltype(record::flag)>},
    {"tags", offsetof(record, tags), &json::type_of<decltype(record::tags)>},
    {"numbers", offsetof(record, numbers), &json::type_of<decltype(record::numbers)>},
    {"matrix", offsetof(record, matrix), &json::type_of<decltype(record::matrix)>},
    {"labels", offsetof(record, labels), &json::type_of<decltype(record::labels)>},
    {"places", offsetof(record, places), &json::type_of<decltype(record::places)>},
    {"series", offsetof(record, series), &json::type_of<decltype(record::series)>},
    {"note", offsetof(record, note), &json::type_of<decltype(record::note)>},
    {"limit", offsetof(record, limit), &json::type_of<decltype(record::limit)>},
    {"roles", offsetof(record, roles), &json::type_of<decltype(record::roles)>},
    {"home", offsetof(record, home), &json::type_of<decltype(record::home)>},
    {"tint", offsetof(record, tint), &json::type_of<decltype(record::tint)>},
    {"palette", offsetof(record, palette), &json::type_of<decltype(record::palette)>},
    {"spot", offsetof(record, spot), &json::type_of<decltype(record::spot)>},
    {"path", offsetof(record, path), &json::type_of<decltype(record::path)>},
    {"children", offsetof(record, children), &json::type_of<decltype(record::children)>},
    {"gaps", offsetof(record, gaps), &json::type_of<decltype(record::gaps)>},
    {"any", offsetof(record, any), &json::type_of<decltype(record::any)>},
    {"anys", offsetof(record, anys), &json::type_of<decltype(record::anys)>},
    {"free", offsetof(record, free), &json::type_of<decltype(record::free)>},
    {"maybeFree", offsetof(record, maybe_free), &json::type_of<decltype(record::maybe_free)>},
    {"order", offsetof(record, order), &json::type_of<decltype(record::order)>},
    {"content", offsetof(record, content), &json::type_of<decltype(record::content)>},
    {"outcome", offsetof(record, outcome), &json::type_of<decltype(record::outcome)>},
    {"loose", offsetof(record, loose), &json::type_of<decltype(record::loose)>},
};
constexpr std::span<const json::field> json_fields(const record*) noexcept {
    return record_fields;
}

// A request body: members that must be there.
struct order {
    order() = default;
    std::string location_id;
    std::vector<std::string> items;
    std::optional<std::int64_t> amount;
    json::open_enum<color> tint;
    json::value meta;
    json::map<std::string> labels;
    json::nullable<std::string> parent;
    std::optional<std::string> alt_type;
    json::lazy_object unknown_fields;
};
inline constexpr json::field order_fields[] = {
    {"locationId", offsetof(order, location_id), &json::type_of<decltype(order::location_id)>,
     json::presence::required},
    {"items", offsetof(order, items), &json::type_of<decltype(order::items)>,
     json::presence::required},
    {"amount", offsetof(order, amount), &json::type_of<decltype(order::amount)>,
     json::presence::required},
    {"tint", offsetof(order, tint), &json::type_of<decltype(order::tint)>,
     json::presence::required},
    {"meta", offsetof(order, meta), &json::type_of<decltype(order::meta)>,
     json::presence::required},
    {"labels", offsetof(order, labels), &json::type_of<decltype(order::labels)>,
     json::presence::required},
    {"parent", offsetof(order, parent), &json::type_of<decltype(order::parent)>,
     json::presence::required},
    {"altType", offsetof(order, alt_type), &json::type_of<decltype(order::alt_type)>},
};
constexpr std::span<const json::field> json_fields(const order*) noexcept {
    return order_fields;
}

// An order with every required member set.
inline order complete_order() {
    order made;
    made.location_id = "loc";
    made.items = {"a"};
    made.amount = 1;
    made.tint = color::red;
    made.meta = true;
    made.parent = nullptr;
    return made;
}

} // namespace model
