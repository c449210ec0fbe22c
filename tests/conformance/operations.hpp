// SPDX-License-Identifier: BSL-1.0
//
// Every operation as a value: its facts, and how to make and drop the operation and its response.
// The families are compiled in groups (see CMakeLists.txt); what goes over all of them is written
// once, without templates.
#pragma once

#include <highlevel/operation.hpp>

#include <memory>
#include <span>
#include <string_view>

namespace conformance {

/// An object whose type is known only to those who made it.
using object = std::unique_ptr<void, void (*)(void*)>;

template <class T>
object make() {
    return {new T(), [](void* self) { delete static_cast<T*>(self); }};
}

/// One operation.
class entry {
public:
    const highlevel::operation_meta* meta = nullptr;
    object (*make)() = nullptr;
    const highlevel::json::type* response = nullptr;
    object (*make_response)() = nullptr;
};

template <class Operations>
struct entries;

template <class... Ops>
struct entries<highlevel::operation_list<Ops...>> {
    static constexpr entry all[] = {
        {&Ops::meta, &make<Ops>, &highlevel::json::type_of<typename Ops::response_type>,
         &make<typename Ops::response_type>}...};
};

/// The operations of one family.
class family {
public:
    std::string_view version;
    std::string_view name;
    std::span<const entry> operations;
};

/// All families, v2 before v3, each in the order of their names. Defined by the build.
std::span<const family> families();

} // namespace conformance
