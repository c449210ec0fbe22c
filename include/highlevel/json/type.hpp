// SPDX-License-Identifier: BSL-1.0
//
// Run-time descriptions of C++ types for the wire codec: one constant table per struct, one
// constant per member type. The codec is a single function over them, so a thousand operations
// compile as data and only one decoder is ever instantiated.
#pragma once

#include <highlevel/json/lazy_object.hpp>
#include <highlevel/json/map.hpp>
#include <highlevel/json/nullable.hpp>
#include <highlevel/json/open_enum.hpp>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace highlevel::json {

using boost::json::array;
using boost::json::object;
using boost::json::value;

/// What a described type is on the wire.
enum class kind : std::uint8_t {
    boolean,
    integer,
    number,
    string,
    value,
    object,
    optional,
    nullable,
    list,
    map,
    structure,
    enumeration,
    variant,
};

struct type;

/// Whether a member may be left out.
enum class presence : std::uint8_t { optional, required };

/// One member of a described struct.
struct field {
    /// The name on the wire.
    std::string_view name;
    /// offsetof the member.
    std::size_t offset;
    /// The member's type: `&type_of<decltype(S::member)>`.
    const type* of;
    presence need = presence::optional;
};

/// Description of one C++ type. Constant data; the functions erase the type for the codec.
struct type {
    kind what;
    /// The element of an optional, nullable, list or map.
    const type* inner = nullptr;
    /// optional, nullable: engages with a default value; list: appends one. Gives its address.
    void* (*emplace)(void* self) = nullptr;
    /// optional, nullable: makes it absent. string, list, map: empties it.
    void (*reset)(void* self) = nullptr;
    /// nullable: makes it null.
    void (*set_null)(void* self) = nullptr;
    /// nullable: whether it is null (and not absent).
    bool (*is_null)(const void* self) = nullptr;
    /// optional, nullable, variant: the value's address, or null when there is none.
    const void* (*get)(const void* self) = nullptr;
    /// list: makes room for so many elements.
    void (*reserve)(void* self, std::size_t count) = nullptr;
    /// list, map: number of elements.
    std::size_t (*size)(const void* self) = nullptr;
    /// list, map: address of an element's value.
    const void* (*element)(const void* self, std::size_t index) = nullptr;
    /// map: the key of an element.
    std::string_view (*key)(const void* self, std::size_t index) = nullptr;
    /// map: address of the value for a key, made when missing.
    void* (*insert)(void* self, std::string_view key) = nullptr;
    /// enumeration: takes wire text, known or not; empty text makes it empty.
    void (*set_text)(void* self, std::string_view text) = nullptr;
    /// enumeration: the wire text; empty when it was never set.
    std::string_view (*text)(const void* self) = nullptr;
    /// enumeration: the known wire texts.
    std::span<const std::string_view> (*names)() = nullptr;
    /// structure: its members.
    std::span<const field> (*fields)() = nullptr;
    /// structure: offset of `unknown_fields`, or npos; and whether that is a lazy_object, else it
    /// is an object.
    std::size_t unknown_fields = npos;
    bool unknown_is_lazy = true;
    /// variant: descriptions of the alternatives, the index of the current one, and a way to
    /// switch to another and get its address.
    std::span<const type* const> alternatives{};
    std::size_t (*index)(const void* self) = nullptr;
    void* (*select)(void* self, std::size_t index) = nullptr;

    static constexpr std::size_t npos = std::numeric_limits<std::size_t>::max();
};

namespace detail {

template <class T>
concept has_lazy_unknown_fields = requires(T& self) {
    { self.unknown_fields } -> std::same_as<lazy_object&>;
};
template <class T>
concept has_unknown_fields = has_lazy_unknown_fields<T> || requires(T& self) {
    { self.unknown_fields } -> std::same_as<object&>;
};

// Calls `f` with the unknown fields of a struct of type `t`, if it has some.
template <class F>
void with_unknown(const type& t, void* self, F&& f) {
    if (t.unknown_fields == type::npos) return;
    void* const at = static_cast<char*>(self) + t.unknown_fields;
    if (t.unknown_is_lazy)
        f(*static_cast<lazy_object*>(at));
    else
        f(*static_cast<object*>(at));
}

// The unknown fields of a struct of type `t`; null when it has none.
inline const object* unknown_of(const type& t, const void* self) {
    if (t.unknown_fields == type::npos) return nullptr;
    const void* const at = static_cast<const char*>(self) + t.unknown_fields;
    if (!t.unknown_is_lazy) return static_cast<const object*>(at);
    auto const& lazy = *static_cast<const lazy_object*>(at);
    return lazy.empty() ? nullptr : &lazy.get();
}

// The erased operations. Plain function templates instead of lambdas in the constants below,
// because a closure type per constant is what the compiler would pay for.
template <class C>
void* emplace(void* self) {
    return &static_cast<C*>(self)->emplace();
}
template <class C>
void* append(void* self) {
    auto& list = *static_cast<C*>(self);
    // Records are large and hold many strings; doubling from one moves each of them too often. But
    // many a list has one element, and room for three more of 700 bytes costs more than that one.
    constexpr std::size_t first = sizeof(typename C::value_type) <= 64 ? 4 : 1;
    auto const count = list.size();
    if (count == list.capacity()) list.reserve(count == 0 ? first : count < 4 ? 4 : count * 3);
    return &list.emplace_back();
}
template <class C>
void reserve(void* self, std::size_t count) {
    static_cast<C*>(self)->reserve(count);
}
template <class C>
void reset(void* self) {
    static_cast<C*>(self)->reset();
}
template <class C>
void clear(void* self) {
    static_cast<C*>(self)->clear();
}
template <class C>
void set_null(void* self) {
    static_cast<C*>(self)->set_null();
}
template <class C>
bool is_null(const void* self) {
    return static_cast<const C*>(self)->is_null();
}
template <class C>
const void* get(const void* self) {
    auto const& held = *static_cast<const C*>(self);
    return held.has_value() ? &*held : nullptr;
}
template <class C>
std::size_t size(const void* self) {
    return static_cast<const C*>(self)->size();
}
template <class C>
const void* list_element(const void* self, std::size_t index) {
    return &(*static_cast<const C*>(self))[index];
}
template <class C>
const void* map_element(const void* self, std::size_t index) {
    return &(static_cast<const C*>(self)->begin() + static_cast<std::ptrdiff_t>(index))->second;
}
template <class C>
std::string_view map_key(const void* self, std::size_t index) {
    return (static_cast<const C*>(self)->begin() + static_cast<std::ptrdiff_t>(index))->first;
}
template <class C>
void* map_insert(void* self, std::string_view key) {
    return &(*static_cast<C*>(self))[key];
}
template <class C>
void set_text(void* self, std::string_view text) {
    static_cast<C*>(self)->assign(text);
}
template <class C>
std::string_view get_text(const void* self) {
    return static_cast<const C*>(self)->text();
}
template <class E>
std::span<const std::string_view> names_of() {
    return wire_names(static_cast<const E*>(nullptr));
}
template <class V>
std::size_t variant_index(const void* self) {
    return static_cast<const V*>(self)->index();
}
template <class V, std::size_t I>
void* variant_emplace(void* self) {
    return &static_cast<V*>(self)->template emplace<I>();
}

// In a function, because a struct may contain itself through a list: by the time a body is
// instantiated its table has been declared.
template <class S>
std::span<const field> fields_of() {
    if constexpr (requires { json_fields(static_cast<const S*>(nullptr)); })
        return json_fields(static_cast<const S*>(nullptr));
    else
        static_assert(
            !std::is_class_v<S>,
            "this type is not described: declare json_fields(const S*) in its namespace");
}

template <class T>
consteval kind list_of() {
    static_assert(
        !std::is_same_v<T, bool>,
        "std::vector<bool> has no addressable elements; use std::vector<json::value>");
    return kind::list;
}

template <class S>
consteval type describe() {
    static_assert(
        std::is_class_v<S>,
        "no wire type for this C++ type; use bool, std::int64_t, double, std::string, json::value "
        "or a class");
    static_assert(
        !std::is_aggregate_v<S>,
        "a described struct must not be an aggregate (g++ 12 destroys aggregate temporaries of "
        "co_await expressions twice): declare its default constructor");
    static_assert(std::is_default_constructible_v<S>, "a described struct needs a default value");
    type made{.what = kind::structure, .fields = &fields_of<S>};
    if constexpr (has_unknown_fields<S>) {
        made.unknown_fields = offsetof(S, unknown_fields);
        made.unknown_is_lazy = has_lazy_unknown_fields<S>;
    }
    return made;
}

} // namespace detail

/// The description of `T`.
///
/// `T` is bool, std::int64_t, double, std::string, json::value, json::object, std::optional,
/// json::nullable, std::vector, json::map, std::variant or json::open_enum of such, or a struct
/// that is described by `constexpr std::span<const json::field> json_fields(const S*) noexcept` in
/// its namespace and keeps what it does not know in `json::lazy_object unknown_fields` (or a
/// `json::object`, which is made for every record).
template <class T>
inline constexpr type type_of = detail::describe<T>();

template <>
inline constexpr type type_of<bool>{.what = kind::boolean};
template <>
inline constexpr type type_of<std::int64_t>{.what = kind::integer};
template <>
inline constexpr type type_of<double>{.what = kind::number};
template <>
inline constexpr type type_of<std::string>{.what = kind::string};
template <>
inline constexpr type type_of<value>{.what = kind::value};
template <>
inline constexpr type type_of<object>{.what = kind::object};

template <class T>
inline constexpr type type_of<std::optional<T>>{
    .what = kind::optional,
    .inner = &type_of<T>,
    .emplace = &detail::emplace<std::optional<T>>,
    .reset = &detail::reset<std::optional<T>>,
    .get = &detail::get<std::optional<T>>,
};

template <class T>
inline constexpr type type_of<nullable<T>>{
    .what = kind::nullable,
    .inner = &type_of<T>,
    .emplace = &detail::emplace<nullable<T>>,
    .reset = &detail::reset<nullable<T>>,
    .set_null = &detail::set_null<nullable<T>>,
    .is_null = &detail::is_null<nullable<T>>,
    .get = &detail::get<nullable<T>>,
};

template <class T>
inline constexpr type type_of<std::vector<T>>{
    .what = detail::list_of<T>(),
    .inner = &type_of<T>,
    .emplace = &detail::append<std::vector<T>>,
    .reset = &detail::clear<std::vector<T>>,
    .reserve = &detail::reserve<std::vector<T>>,
    .size = &detail::size<std::vector<T>>,
    .element = &detail::list_element<std::vector<T>>,
};

template <class T>
inline constexpr type type_of<map<T>>{
    .what = kind::map,
    .inner = &type_of<T>,
    .reset = &detail::clear<map<T>>,
    .size = &detail::size<map<T>>,
    .element = &detail::map_element<map<T>>,
    .key = &detail::map_key<map<T>>,
    .insert = &detail::map_insert<map<T>>,
};

template <class E>
inline constexpr type type_of<open_enum<E>>{
    .what = kind::enumeration,
    .reset = &detail::reset<open_enum<E>>,
    .set_text = &detail::set_text<open_enum<E>>,
    .text = &detail::get_text<open_enum<E>>,
    .names = &detail::names_of<E>,
};

namespace detail {

template <class V, class Indices>
struct variant_tables;

template <class... Ts, std::size_t... I>
struct variant_tables<std::variant<Ts...>, std::index_sequence<I...>> {
    static constexpr const type* alternatives[] = {&type_of<Ts>...};
    static constexpr void* (*emplace[])(void*) = {&variant_emplace<std::variant<Ts...>, I>...};
    static void* select(void* self, std::size_t index) { return emplace[index](self); }
    static const void* get(const void* self) {
        const void* held = nullptr;
        auto const& v = *static_cast<const std::variant<Ts...>*>(self);
        ((v.index() == I ? void(held = std::get_if<I>(&v)) : void()), ...);
        return held;
    }
};

} // namespace detail

template <class... Ts>
inline constexpr type type_of<std::variant<Ts...>>{
    .what = kind::variant,
    .get = &detail::variant_tables<std::variant<Ts...>, std::index_sequence_for<Ts...>>::get,
    .alternatives =
        detail::variant_tables<std::variant<Ts...>, std::index_sequence_for<Ts...>>::alternatives,
    .index = &detail::variant_index<std::variant<Ts...>>,
    .select = &detail::variant_tables<std::variant<Ts...>, std::index_sequence_for<Ts...>>::select,
};

} // namespace highlevel::json
