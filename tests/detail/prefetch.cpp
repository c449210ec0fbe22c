// SPDX-License-Identifier: BSL-1.0
//
// Tests of detail/prefetch.hpp: whatever address it is told, nothing is touched.
#include "support/catch.hpp"

#include <highlevel/detail/prefetch.hpp>

#include <array>
#include <cstdint>

namespace detail_prefetch_tests {

using highlevel::detail::prefetch;

TEST_CASE("prefetch_touches_nothing_and_takes_any_address", "[detail]") {
    std::array<int, 4> const here{1, 2, 3, 4};
    prefetch(here.data(), 64, 4096);
    prefetch(nullptr, 0, 64);
    prefetch(nullptr, 64, 64);
    prefetch(reinterpret_cast<const void*>(~std::uintptr_t{0} - 70), 64, 100);
    CHECK(here == std::array<int, 4>{1, 2, 3, 4});
}

} // namespace detail_prefetch_tests
