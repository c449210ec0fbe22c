// SPDX-License-Identifier: BSL-1.0
//
// A described struct must not be an aggregate.
// MESSAGE: a described struct must not be an aggregate
#include <highlevel/json/type.hpp>

#include <cstddef>
#include <span>

namespace json = highlevel::json;

struct point {
#if defined(HIGHLEVEL_TEST_GOOD)
    point() = default;
#endif
    double x = 0;
};
inline constexpr json::field point_fields[] = {
    {"x", offsetof(point, x), &json::type_of<decltype(point::x)>},
};
constexpr std::span<const json::field> json_fields(const point*) noexcept {
    return point_fields;
}

const auto& description = json::type_of<point>;
auto const kind = description.what;
