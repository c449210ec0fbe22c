// SPDX-License-Identifier: BSL-1.0
//
// Reads and writes one request field of any operation by its name on the wire, so that paging can
// move an operation on without knowing its type.
#pragma once

#include <highlevel/json/decode.hpp>
#include <highlevel/json/encode.hpp>
#include <highlevel/operation.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace highlevel::detail {

/// Where a request field lies within an operation.
class operation_member {
public:
    operation_member() = default;
    operation_member(const json::type& of, std::size_t offset, bool required)
        : type(&of),
          at(offset),
          needed(required) {}

    [[nodiscard]] explicit operator bool() const noexcept { return type != nullptr; }

    const json::type* type = nullptr;
    std::size_t at = 0;
    bool needed = false;
};

/// The described query parameter or body member of that name; nothing when there is none.
[[nodiscard]] inline operation_member find_member(
    const operation_meta& meta, place in, std::string_view name) {
    if (in == place::query) {
        for (auto const& p : meta.parameters)
            if (p.in == place::query && p.name == name) return {*p.type, p.offset, p.required};
        return {};
    }
    if (meta.body_type == nullptr || meta.body_type->what != json::kind::structure) return {};
    for (auto const& f : meta.body_type->fields())
        if (f.name == name)
            return {*f.of, meta.body_offset + f.offset, f.need == json::presence::required};
    return {};
}

/// The JSON object that takes members of the body that are not described: a free-form body itself,
/// or else `extra_body`.
[[nodiscard]] inline json::object& free_members(const operation_meta& meta, void* op) {
    auto* const base = static_cast<char*>(op);
    if (meta.body_type != nullptr) {
        auto* const body = base + meta.body_offset;
        if (meta.body_type->what == json::kind::object)
            return *reinterpret_cast<json::object*>(body);
        if (meta.body_type->what == json::kind::value) {
            auto& v = *reinterpret_cast<json::value*>(body);
            if (v.is_object()) return v.get_object();
        }
    }
    return *reinterpret_cast<json::object*>(base + meta.extra_body_offset);
}

/// What the operation says for a field; null when it says nothing.
[[nodiscard]] inline json::value read_member(
    const operation_meta& meta, void* op, place in, std::string_view name) {
    if (auto const member = find_member(meta, in, name)) {
        auto const* const self = static_cast<const char*>(op) + member.at;
        std::string text;
        if (json::view{*member.type, self}.is_absent() || !json::encode(*member.type, self, text) ||
            text.empty())
            return {};
        return boost::json::parse(text);
    }
    if (in == place::body) {
        auto const* const v = free_members(meta, op).if_contains(name);
        return v != nullptr ? *v : json::value();
    }
    auto const& extra =
        *reinterpret_cast<query_pairs*>(static_cast<char*>(op) + meta.extra_query_offset);
    for (auto const& [key, text] : extra)
        if (key == name) return json::value(text);
    return {};
}

/// Makes the operation say `value` for a field; null makes it say nothing. False when the field
/// cannot hold the value.
[[nodiscard]] inline bool write_member(
    const operation_meta& meta,
    void* op,
    place in,
    std::string_view name,
    const json::value& value) {
    if (auto const member = find_member(meta, in, name)) {
        json::diagnostics bent;
        auto* const self = static_cast<char*>(op) + member.at;
        return json::decode(value, *member.type, self, {}, bent) &&
            (value.is_null() || !json::view{*member.type, self}.is_absent());
    }
    if (in == place::body) {
        auto& members = free_members(meta, op);
        if (value.is_null())
            members.erase(name);
        else
            members[name] = value;
        return true;
    }
    auto& extra = *reinterpret_cast<query_pairs*>(static_cast<char*>(op) + meta.extra_query_offset);
    std::erase_if(extra, [&](const auto& pair) { return pair.first == name; });
    if (value.is_null()) return true;
    auto const* const text = value.if_string();
    extra.emplace_back(name, text != nullptr ? std::string(*text) : boost::json::serialize(value));
    return true;
}

} // namespace highlevel::detail
