// SPDX-License-Identifier: BSL-1.0
//
// A string-keyed map that keeps the order of the wire. Objects with free keys are small in this
// API and are read far more often than searched, so a flat vector beats a tree or a hash table.
#pragma once

#include <bit>
#include <cstddef>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace highlevel::json {

/// A flat, insertion-ordered map from string to `T`.
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
        index();
        return items_.back().second;
    }

    /// The value for `key`, or null.
    [[nodiscard]] T* find(std::string_view key) noexcept {
        auto const at = locate(key);
        return at == items_.size() ? nullptr : &items_[at].second;
    }
    [[nodiscard]] const T* find(std::string_view key) const noexcept {
        auto const at = locate(key);
        return at == items_.size() ? nullptr : &items_[at].second;
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
        auto const at = locate(key);
        if (at == items_.size()) return false;
        items_.erase(items_.begin() + static_cast<std::ptrdiff_t>(at));
        slots_.clear();
        index();
        return true;
    }

    void clear() noexcept {
        items_.clear();
        slots_.clear();
    }
    [[nodiscard]] bool empty() const noexcept { return items_.empty(); }
    [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }

    /// Elements are pairs of key and value. Do not change a key.
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
    // From here on a hash index pays; it also keeps the reading of one large object linear.
    static constexpr std::size_t few = 32;

    [[nodiscard]] static std::size_t hash(std::string_view key) noexcept {
        return std::hash<std::string_view>{}(key);
    }

    // The place of a key; size() when it is not there.
    [[nodiscard]] std::size_t locate(std::string_view key) const noexcept {
        if (slots_.empty()) {
            std::size_t at = 0;
            while (at < items_.size() && items_[at].first != key)
                ++at;
            return at;
        }
        auto const mask = slots_.size() - 1;
        for (auto slot = hash(key) & mask; slots_[slot] != 0; slot = (slot + 1) & mask)
            if (items_[slots_[slot] - 1].first == key) return slots_[slot] - 1;
        return items_.size();
    }

    // Indexes the last element, or all of them where the index is missing or half full.
    void index() {
        auto const size = items_.size();
        if (size <= few) return;
        auto first = size - 1;
        if (slots_.size() < size * 2) {
            slots_.assign(std::bit_ceil(size * 4), 0);
            first = 0;
        }
        auto const mask = slots_.size() - 1;
        for (auto at = first; at < size; ++at) {
            auto slot = hash(items_[at].first) & mask;
            while (slots_[slot] != 0)
                slot = (slot + 1) & mask;
            slots_[slot] = at + 1;
        }
    }

    std::vector<value_type> items_;
    // Open addressing: an element's place plus one, or 0.
    std::vector<std::size_t> slots_;
};

} // namespace highlevel::json
