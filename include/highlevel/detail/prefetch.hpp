// SPDX-License-Identifier: BSL-1.0
//
// A word to the processor about memory that will be needed in a moment.
#pragma once

#include <cstddef>
#include <cstdint>

namespace highlevel::detail {

/// Has the memory fetched from so many bytes before an address to so many behind it; what is there
/// does not matter. Does nothing where the compiler cannot ask for it.
inline void prefetch(
    [[maybe_unused]] const void* address,
    [[maybe_unused]] std::size_t before,
    [[maybe_unused]] std::size_t behind) noexcept {
#if defined(__GNUC__)
    constexpr std::size_t line = 64;
    auto const begin = reinterpret_cast<std::uintptr_t>(address) - before;
    for (std::size_t i = 0; i < before + behind; i += line)
        __builtin_prefetch(reinterpret_cast<const void*>(begin + i));
#endif
}

} // namespace highlevel::detail
