// SPDX-License-Identifier: BSL-1.0
//
// A class without a field table has no place in a model.
// MESSAGE: this type is not described: declare json_fields
#include <highlevel/json/type.hpp>

#include <span>

namespace json = highlevel::json;

class point {
public:
    point() {}
};
#if defined(HIGHLEVEL_TEST_GOOD)
constexpr std::span<const json::field> json_fields(const point*) noexcept {
    return {};
}
#endif

auto const fields = json::type_of<point>.fields();
