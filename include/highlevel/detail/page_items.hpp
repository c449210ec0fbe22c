// SPDX-License-Identifier: BSL-1.0
//
// Finds the list of items within a page, where the operation's facts say it is: in the raw JSON and
// in the decoded value.
#pragma once

#include <highlevel/json/type.hpp>
#include <highlevel/operation.hpp>

#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace highlevel::detail {

/// The type of the items that an operation lists: what its description says, the element of a
/// response that is a list itself, or json::value where nothing is described.
template <class Op>
class item_of {
    static auto find() {
        using response = typename Op::response_type;
        if constexpr (requires { typename Op::item_type; })
            return std::type_identity<typename Op::item_type>{};
        else if constexpr (
            requires { typename response::value_type; } && !std::same_as<response, json::object>)
            return std::type_identity<typename response::value_type>{};
        else {
            static_assert(
                std::same_as<response, json::value>,
                "the items of this operation are not described; read its pages");
            return std::type_identity<json::value>{};
        }
    }

public:
    using type = typename decltype(find())::type;
};

[[nodiscard]] inline const json::value* follow(
    const json::value& from, std::string_view pointer) noexcept {
    boost::system::error_code ec;
    return from.find_pointer(boost::json::string_view(pointer.data(), pointer.size()), ec);
}

/// What stands where the list of items should be: the list, null for "none", or nothing at all.
/// Real responses put the list into one more object than described, or one less; both are looked
/// at. Where no place is described it is the member with this name; without a name the only list
/// that there is, and empty ones beside it are passed over.
[[nodiscard]] inline const json::value* raw_items(
    const json::value& root, const paging& how, std::string_view name = {}) noexcept {
    auto const list_or_null = [](const json::value* v) {
        return v != nullptr && (v->is_array() || v->is_null()) ? v : nullptr;
    };
    if (root.is_array()) return &root;
    if (!how.items_known) {
        const json::value* only = nullptr;
        if (auto const* const members = root.if_object()) {
            if (!name.empty())
                return list_or_null(
                    members->if_contains(boost::json::string_view(name.data(), name.size())));
            for (auto const& member : *members) {
                auto const* const list = member.value().if_array();
                if (list == nullptr || (only != nullptr && list->empty())) continue;
                if (only != nullptr && !only->get_array().empty()) return nullptr;
                only = &member.value();
            }
        }
        return only;
    }
    auto const pointer = how.items;
    if (pointer.empty()) return nullptr;
    auto const* const v = follow(root, pointer);
    auto const inner = pointer.substr(pointer.rfind('/'));
    // One object more: {"messages":{"messages":[...]}}.
    if (v != nullptr && v->is_object()) return list_or_null(follow(*v, inner));
    if (v != nullptr) return list_or_null(v);
    // One object less.
    return list_or_null(follow(root, inner));
}

/// Whether there is a list that is not empty anywhere in a page.
[[nodiscard]] inline bool holds_items(const json::value& root) noexcept {
    if (auto const* const list = root.if_array()) return !list->empty();
    if (auto const* const members = root.if_object()) {
        for (auto const& member : *members)
            if (holds_items(member.value())) return true;
    }
    return false;
}

/// A list somewhere in a page. Refers to it; empty when there is none.
class item_list {
public:
    item_list() = default;
    item_list(const json::type& list, void* self) : list_(&list), self_(self) {}
    explicit item_list(json::array& list) : array_(&list) {}

    /// Whether it stands in a json::value.
    [[nodiscard]] bool raw() const noexcept { return array_ != nullptr; }
    [[nodiscard]] std::size_t size() const {
        if (array_ != nullptr) return array_->size();
        return list_ != nullptr ? list_->size(self_) : 0;
    }
    [[nodiscard]] void* at(std::size_t index) const {
        if (array_ != nullptr) return &(*array_)[index];
        // The list is not const; its description only has no other way to an element.
        return const_cast<void*>(list_->element(self_, index));
    }

private:
    json::array* array_ = nullptr;
    const json::type* list_ = nullptr;
    void* self_ = nullptr;
};

/// The list of `item` that `pages` names within the value at `self`, which `type` describes; `name`
/// as for raw_items().
[[nodiscard]] inline item_list find_items(
    const json::type& type,
    void* self,
    const paging* pages,
    const json::type& item,
    std::string_view name = {}) {
    auto const* at = &type;
    auto rest = pages != nullptr ? pages->items : std::string_view{};
    bool const raw = &item == &json::type_of<json::value>;
    for (;;) {
        if (at->what == json::kind::optional || at->what == json::kind::nullable) {
            self = const_cast<void*>(at->get(self));
            if (self == nullptr) return {};
            at = at->inner;
            continue;
        }
        if (raw && at->what == json::kind::value) {
            auto* const v = static_cast<json::value*>(self);
            paging here;
            here.items = rest;
            here.items_known = pages == nullptr || pages->items_known;
            auto const* const list = raw_items(*v, here, name);
            if (list == nullptr || !list->is_array()) return {};
            return item_list{const_cast<json::value*>(list)->get_array()};
        }
        if (at->what == json::kind::list && at->inner == &item) return item_list{*at, self};
        if (at->what != json::kind::structure || rest.empty()) return {};
        rest.remove_prefix(1);
        auto const end = rest.find('/');
        auto const step = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
        const json::field* member = nullptr;
        for (auto const& f : at->fields())
            if (f.name == step) member = &f;
        if (member == nullptr) return {};
        self = static_cast<char*>(self) + member->offset;
        at = member->of;
    }
}

} // namespace highlevel::detail
