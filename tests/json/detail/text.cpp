// SPDX-License-Identifier: BSL-1.0
//
// Tests of json/detail/text.hpp that those of reading and writing do not make: the comparison.
#include "support/catch.hpp"

#include <highlevel/json/detail/text.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace json_detail_text_tests {

using highlevel::json::detail::same_text;

TEST_CASE("same_text_sees_a_difference_at_any_place", "[json]") {
    for (std::size_t size = 0; size <= 40; ++size) {
        // Each of its own size, so that reading beyond an end is seen.
        std::string const text(size, 'a');
        std::string const same(text.data(), size);
        CHECK(same_text(text, same));
        CHECK_FALSE(same_text(text, text + "a"));
        CHECK_FALSE(same_text(text + "a", text));
        for (std::size_t at = 0; at < size; ++at) {
            std::string other = text;
            other[at] = 'b';
            CHECK_FALSE(same_text(text, other));
            CHECK_FALSE(same_text(other, text));
        }
    }
}

TEST_CASE("same_text_compares_empty_texts", "[json]") {
    CHECK(same_text({}, ""));
    CHECK(same_text("", std::string_view{}));
    CHECK_FALSE(same_text({}, "a"));
}

} // namespace json_detail_text_tests
