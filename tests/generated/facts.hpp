// SPDX-License-Identifier: BSL-1.0
//
// What must hold for every generated operation, whatever the description says. Asked at compile
// time and kept as text: an object file with the codec of a thousand types would take a minute.
#pragma once

#include <highlevel/operation.hpp>

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace test {

/// An operation's name, and what is wrong with its facts; empty text: nothing.
class finding {
public:
    std::string_view family;
    std::string_view name;
    std::string_view problem;
    bool anonymous = false;
};

constexpr bool has_parameter(
    const highlevel::operation_meta& meta, highlevel::place in, std::string_view name) {
    for (auto const& p : meta.parameters)
        if (p.in == in && p.name == name) return true;
    return false;
}

/// The codec's view of bodies is not looked at: whether a member is in a body is asked elsewhere.
constexpr bool carries(
    const highlevel::operation_meta& meta, highlevel::place in, std::string_view name) {
    if (in == highlevel::place::body) return meta.body_type != nullptr;
    return has_parameter(meta, in, name);
}

constexpr std::string_view path_problem(const highlevel::operation_meta& meta) {
    if (!meta.path.starts_with('/')) return "path without a slash";
    std::size_t parameter = 0;
    for (std::size_t at = meta.path.find('{'); at != std::string_view::npos;
         at = meta.path.find('{', at)) {
        auto const end = meta.path.find('}', at);
        if (end == std::string_view::npos) return "open placeholder";
        auto const name = meta.path.substr(at + 1, end - at - 1);
        if (parameter == meta.parameters.size()) return "placeholder without a member";
        auto const& p = meta.parameters[parameter++];
        if (p.in != highlevel::place::path || p.name != name) return "path members out of order";
        if (!p.required) return "path member that may be missing";
        at = end;
    }
    for (; parameter < meta.parameters.size(); ++parameter)
        if (meta.parameters[parameter].in != highlevel::place::query) return "odd place";
    return {};
}

constexpr std::string_view layout_problem(const highlevel::operation_meta& meta, std::size_t size) {
    auto const& list = meta.parameters;
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (list[i].offset >= size) return "parameter outside";
        if (list[i].type == nullptr) return "parameter without a type";
        for (std::size_t j = 0; j < i; ++j) {
            if (list[j].offset == list[i].offset) return "two parameters in one place";
            if (list[j].in == list[i].in && list[j].name == list[i].name) return "same name twice";
        }
    }
    if (meta.extra_query_offset >= size || meta.extra_body_offset >= size) return "bag outside";
    bool const files = meta.files_offset != highlevel::operation_meta::npos;
    if (files != (meta.sends == highlevel::content::multipart)) return "files, or multipart";
    if (files && meta.files_offset >= size) return "files outside";
    if (meta.body_type != nullptr && meta.body_offset >= size) return "body outside";
    bool const sends = meta.sends != highlevel::content::none;
    if (sends != (meta.body_type != nullptr || files)) return "content and body disagree";
    return {};
}

constexpr std::string_view fact_problem(const highlevel::operation_meta& meta) {
    if (meta.family.empty() || meta.name.empty() || meta.id.empty()) return "no name";
    if (meta.version != "2021-07-28" && meta.version != "2021-04-15" && meta.version != "v3")
        return "odd Version";
    bool const reads = meta.verb == highlevel::method::get || meta.verb == highlevel::method::head;
    if (reads && meta.idempotent != highlevel::idempotency::safe) return "a GET that writes";
    if (meta.verb == highlevel::method::put || meta.verb == highlevel::method::patch)
        if (meta.idempotent != highlevel::idempotency::neither) return "a PUT that is repeated";
    for (auto const* l : {&meta.location, &meta.company}) {
        if (l->in == highlevel::place::none) continue;
        if (!carries(meta, l->in, l->name)) return "resource that is not a member";
        if (l->with_alt_type && !carries(meta, l->in, "altType")) return "no altType";
    }
    if (meta.pages == nullptr || meta.pages->style == highlevel::paging_style::none) return {};
    auto const& pages = *meta.pages;
    if (pages.position.empty()) return "pages without a position";
    if (!pages.items_known && !pages.items.empty()) return "items known and unknown";
    for (auto const name : {pages.position, pages.position_id, pages.size})
        if (!name.empty() && !carries(meta, pages.in, name)) return "page field not a member";
    // `next` may be empty: of four operations it is not described where the cursor stands
    // (fb_get_ad_accounts and fb_get_entity, of v2 ad_manager and v3 ad_publishing).
    for (auto const pointer : {pages.items, pages.next, pages.next_id, pages.total, pages.has_more})
        if (!pointer.empty() && !pointer.starts_with('/')) return "not a JSON pointer";
    return {};
}

consteval finding examine(const highlevel::operation_meta& meta, std::size_t size) {
    auto problem = path_problem(meta);
    if (problem.empty()) problem = layout_problem(meta, size);
    if (problem.empty()) problem = fact_problem(meta);
    return {meta.family, meta.name, problem, meta.tokens == highlevel::token_kinds::none};
}

template <highlevel::operation Op>
consteval finding examine() {
    static_assert(std::is_standard_layout_v<Op>, "offsets need a standard layout");
    static_assert(
        std::is_same_v<typename Op::response_type, std::string> ||
            !std::is_aggregate_v<typename Op::response_type>,
        "g++ 12 destroys aggregate temporaries of awaited calls twice");
    return examine(Op::meta, sizeof(Op));
}

/// `findings<highlevel::v2::operations>::all`: one per operation.
template <class Operations>
struct findings;

template <class... Ops>
struct findings<highlevel::operation_list<Ops...>> {
    static constexpr finding all[] = {examine<Ops>()...};
};

} // namespace test
