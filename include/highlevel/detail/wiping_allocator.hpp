// SPDX-License-Identifier: BSL-1.0
//
// Memory that is overwritten before it goes back to the heap, for containers through which secrets
// pass: growing and moving leave no copies behind.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>

namespace highlevel::detail {

/// The heap, with every block overwritten when it is given back.
template <class T>
class wiping_allocator {
public:
    using value_type = T;

    wiping_allocator() noexcept = default;
    template <class U>
    wiping_allocator(const wiping_allocator<U>& /*other*/) noexcept {}

    [[nodiscard]] T* allocate(std::size_t count) { return std::allocator<T>{}.allocate(count); }
    void deallocate(T* block, std::size_t count) noexcept {
        std::memset(static_cast<void*>(block), 0, count * sizeof(T));
#if defined(__GNUC__)
        // Makes the compiler believe that the zeros are read.
        asm volatile("" : : "r"(block) : "memory");
#else
        volatile auto const* const seen = reinterpret_cast<const char*>(block);
        (void)*seen;
#endif
        std::allocator<T>{}.deallocate(block, count);
    }

    friend bool operator==(const wiping_allocator&, const wiping_allocator&) noexcept = default;
};

/// Text that leaves nothing behind; up to 15 characters may lie in the object itself.
using wiping_string = std::basic_string<char, std::char_traits<char>, wiping_allocator<char>>;

} // namespace highlevel::detail
