// SPDX-License-Identifier: BSL-1.0
//
// Finds the list of items within a decoded page, where the operation's facts say it is.
#pragma once

#include <highlevel/json/type.hpp>
#include <highlevel/operation.hpp>

#include <boost/json/array.hpp>

#include <concepts>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

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

/// A list somewhere in a page. Refers to it; empty when there is none.
template <class T>
class page_items {
public:
    page_items() = default;
    page_items(const json::type& list, void* self) : list_(&list), self_(self) {}

    [[nodiscard]] std::size_t size() const { return list_ != nullptr ? list_->size(self_) : 0; }
    [[nodiscard]] T& operator[](std::size_t index) const {
        // The list is not const; its description only has no other way to an element.
        return *static_cast<T*>(const_cast<void*>(list_->element(self_, index)));
    }

private:
    const json::type* list_ = nullptr;
    void* self_ = nullptr;
};

template <>
class page_items<json::value> {
public:
    page_items() = default;
    page_items(const json::type& list, void* self) : list_(&list), self_(self) {}
    explicit page_items(json::array& list) : array_(&list) {}

    [[nodiscard]] std::size_t size() const {
        if (array_ != nullptr) return array_->size();
        return list_ != nullptr ? list_->size(self_) : 0;
    }
    [[nodiscard]] json::value& operator[](std::size_t index) const {
        if (array_ != nullptr) return (*array_)[index];
        return *static_cast<json::value*>(const_cast<void*>(list_->element(self_, index)));
    }

private:
    json::array* array_ = nullptr;
    const json::type* list_ = nullptr;
    void* self_ = nullptr;
};

/// The list that `pages` names within the value at `self`, which `type` describes.
template <class T>
[[nodiscard]] page_items<T> find_items(const json::type& type, void* self, const paging* pages) {
    auto const* at = &type;
    auto rest = pages != nullptr ? pages->items : std::string_view{};
    for (;;) {
        if (at->what == json::kind::optional || at->what == json::kind::nullable) {
            self = const_cast<void*>(at->get(self));
            if (self == nullptr) return {};
            at = at->inner;
            continue;
        }
        if constexpr (std::same_as<T, json::value>) {
            if (at->what == json::kind::value) {
                auto* v = static_cast<json::value*>(self);
                boost::system::error_code ec;
                if (!rest.empty())
                    v = v->find_pointer(boost::json::string_view(rest.data(), rest.size()), ec);
                if (v == nullptr || !v->is_array()) return {};
                return page_items<T>{v->get_array()};
            }
        }
        if (at->what == json::kind::list && at->inner == &json::type_of<T>)
            return page_items<T>{*at, self};
        if (at->what != json::kind::structure || rest.empty()) return {};
        rest.remove_prefix(1);
        auto const end = rest.find('/');
        auto const name = rest.substr(0, end);
        rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
        const json::field* member = nullptr;
        for (auto const& f : at->fields())
            if (f.name == name) member = &f;
        if (member == nullptr) return {};
        self = static_cast<char*>(self) + member->offset;
        at = member->of;
    }
}

} // namespace highlevel::detail
