// SPDX-License-Identifier: BSL-1.0
//
// A string-keyed map that keeps the order of the wire. Objects with free keys are small in this
// API and are read far more often than searched, so a flat vector beats a tree or a hash table.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace highlevel::json {

/// A flat, insertion-ordered map from string to `T`. Look-up is linear.
///
/// Standard layout, and `T` may be incomplete where the map is a member. Iterators and references
/// are invalidated by insertion and erasure, as a vector's are.
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
template <class T>
class map {
public:
    using key_type = std::string;
    using mapped_type = T;
    using value_type = std::pair<std::string, T>;
    using size_type = std::size_t;
    using iterator = typename std::vector<value_type>::iterator;
    using const_iterator = typename std::vector<value_type>::const_iterator;

    map() = default;
    /// A key that occurs twice keeps its first place and its last value.
    map(std::initializer_list<value_type> items) {
        items_.reserve(items.size());
        for (auto const& item : items)
            (*this)[item.first] = item.second;
    }

    /// The value for `key`, made at the end when missing.
    T& operator[](std::string_view key) {
        if (T* found = find(key)) return *found;
        items_.emplace_back(std::piecewise_construct, std::forward_as_tuple(key), std::tuple<>{});
        return items_.back().second;
    }

    /// The value for `key`, or null.
    [[nodiscard]] T* find(std::string_view key) noexcept {
        for (auto& item : items_)
            if (item.first == key) return &item.second;
        return nullptr;
    }
    [[nodiscard]] const T* find(std::string_view key) const noexcept {
        for (auto const& item : items_)
            if (item.first == key) return &item.second;
        return nullptr;
    }

    [[nodiscard]] bool contains(std::string_view key) const noexcept {
        return find(key) != nullptr;
    }

    /// The value for `key`. Throws std::out_of_range when missing.
    [[nodiscard]] T& at(std::string_view key) {
        if (T* found = find(key)) return *found;
        throw std::out_of_range("no such key in json::map");
    }
    [[nodiscard]] const T& at(std::string_view key) const {
        if (const T* found = find(key)) return *found;
        throw std::out_of_range("no such key in json::map");
    }

    /// Removes `key`; gives whether it was there. The order of the rest stays.
    bool erase(std::string_view key) {
        for (auto at = items_.begin(); at != items_.end(); ++at) {
            if (at->first != key) continue;
            items_.erase(at);
            return true;
        }
        return false;
    }

    void clear() noexcept { items_.clear(); }
    [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }

    /// Elements are pairs of key and value. Do not give two elements the same key.
    [[nodiscard]] iterator begin() noexcept { return items_.begin(); }
    [[nodiscard]] iterator end() noexcept { return items_.end(); }
    [[nodiscard]] const_iterator begin() const noexcept { return items_.begin(); }
    [[nodiscard]] const_iterator end() const noexcept { return items_.end(); }

    /// Equal keys and values, in any order, as JSON objects compare.
    friend bool operator==(const map& a, const map& b) {
        if (a.size() != b.size()) return false;
        for (auto const& item : a.items_) {
            const T* other = b.find(item.first);
            if (other == nullptr || !(*other == item.second)) return false;
        }
        return true;
    }

private:
    std::vector<value_type> items_;
};

} // namespace highlevel::json
