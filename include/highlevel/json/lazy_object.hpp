// SPDX-License-Identifier: BSL-1.0
//
// A json::object that a decoder fills without making it: what a struct keeps of members that its
// description does not have.
#pragma once

#include <highlevel/json/detail/tape.hpp>

#include <boost/json/object.hpp>
#include <boost/json/string_view.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_ref.hpp>

#include <atomic>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>

namespace highlevel::json {

namespace detail {
class reader;
}

/// A json::object that is made when it is first looked at.
///
/// Used like one: it converts to `const json::object&`, has its common functions, and gives the
/// object itself with `get()`. Members that came with an answer are kept as compact bytes until
/// then, so a record whose unknown members nobody reads costs one allocation for all of them.
///
/// References, pointers and iterators into the object last as they do with json::object, and end
/// when the lazy_object is moved from, assigned to or destroyed.
///
/// Thread safety: distinct objects: safe. Shared objects: as with json::object, concurrent calls of
/// const functions are safe, the first look included.
/// Throws: what json::object throws; the first look may throw std::bad_alloc.
class lazy_object {
public:
    using object = boost::json::object;
    using value = boost::json::value;
    using key_type = std::string_view;

    lazy_object() noexcept = default;
    /// Holds the given object.
    lazy_object(object o) : made_(new object(std::move(o))) {}
    /// Holds the given members; the first of those with one name counts.
    lazy_object(
        std::initializer_list<std::pair<boost::json::string_view, boost::json::value_ref>> members)
        : made_(new object(members)) {}
    lazy_object(const lazy_object& other) {
        if (const object* const made = other.made())
            made_.store(new object(*made), std::memory_order_relaxed);
        else
            tape_ = other.tape_;
    }
    lazy_object(lazy_object&& other) noexcept
        : tape_(std::move(other.tape_)),
          made_(other.made_.exchange(nullptr, std::memory_order_relaxed)) {}
    lazy_object& operator=(const lazy_object& other) { return *this = lazy_object(other); }
    lazy_object& operator=(lazy_object&& other) noexcept {
        lazy_object old(std::move(*this));
        tape_ = std::move(other.tape_);
        made_.store(
            other.made_.exchange(nullptr, std::memory_order_relaxed), std::memory_order_relaxed);
        return *this;
    }
    ~lazy_object() { delete made(); }

    /// The object.
    [[nodiscard]] object& get() { return look(); }
    [[nodiscard]] const object& get() const { return look(); }
    operator const object&() const { return look(); }

    /// Whether there are no members. Does not make the object.
    [[nodiscard]] bool empty() const noexcept {
        const object* const it = made();
        return it != nullptr ? it->empty() : tape_.empty();
    }
    [[nodiscard]] std::size_t size() const { return empty() ? 0 : look().size(); }
    [[nodiscard]] bool contains(key_type key) const { return !empty() && look().contains(key); }

    /// The value of a member. Throws std::out_of_range when there is none.
    [[nodiscard]] value& at(key_type key) { return look().at(key); }
    [[nodiscard]] const value& at(key_type key) const { return std::as_const(look()).at(key); }
    /// The value of a member, null when there is none.
    [[nodiscard]] value* if_contains(key_type key) { return look().if_contains(key); }
    [[nodiscard]] const value* if_contains(key_type key) const {
        return std::as_const(look()).if_contains(key);
    }
    /// The text of a member; empty when there is none or it is no text. Does not make the object.
    /// Valid until something is changed.
    [[nodiscard]] std::string_view text_of(std::string_view key) const noexcept {
        const object* const it = made();
        if (it == nullptr) return tape_.find(key);
        auto const* const member = it->if_contains(key);
        auto const* const text = member == nullptr ? nullptr : member->if_string();
        return text == nullptr ? std::string_view() : std::string_view(*text);
    }
    /// The value of a member, which is made when there is none.
    [[nodiscard]] value& operator[](key_type key) { return look()[key]; }

    [[nodiscard]] object::iterator begin() { return look().begin(); }
    [[nodiscard]] object::iterator end() { return look().end(); }
    [[nodiscard]] object::const_iterator begin() const { return std::as_const(look()).begin(); }
    [[nodiscard]] object::const_iterator end() const { return std::as_const(look()).end(); }
    [[nodiscard]] object::iterator find(key_type key) { return look().find(key); }
    [[nodiscard]] object::const_iterator find(key_type key) const {
        return std::as_const(look()).find(key);
    }

    template <class V>
    std::pair<object::iterator, bool> insert_or_assign(key_type key, V&& v) {
        return look().insert_or_assign(key, std::forward<V>(v));
    }
    template <class V>
    std::pair<object::iterator, bool> emplace(key_type key, V&& v) {
        return look().emplace(key, std::forward<V>(v));
    }
    std::size_t erase(key_type key) { return empty() ? 0 : look().erase(key); }
    void clear() noexcept { *this = lazy_object(); }

    /// Whether both have the same members, in any order.
    friend bool operator==(const lazy_object& a, const lazy_object& b) {
        return a.empty() || b.empty() ? a.empty() && b.empty() : a.look() == b.look();
    }
    friend bool operator==(const lazy_object& a, const object& b) { return a.look() == b; }

private:
    friend class detail::reader;

    // Once there is an object, it is what counts, and the tape only waits for its end: another
    // thread may still be reading it.
    [[nodiscard]] object* made() const noexcept { return made_.load(std::memory_order_acquire); }

    object& look() const {
        if (object* const there = made()) return *there;
        auto fresh = std::make_unique<object>(tape_.read());
        object* before = nullptr;
        return made_.compare_exchange_strong(before, fresh.get(), std::memory_order_acq_rel)
            ? *fresh.release()
            : *before;
    }

    detail::tape tape_;
    mutable std::atomic<object*> made_ = nullptr;
};

} // namespace highlevel::json
