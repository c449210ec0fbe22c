// SPDX-License-Identifier: BSL-1.0
//
// Tests of json/open_enum.hpp.
#include "json/model.hpp"
#include "support/catch.hpp"

#include <highlevel/json/open_enum.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace json_open_enum_tests {

namespace json = highlevel::json;
using model::color;
using tint = json::open_enum<color>;

static_assert(std::is_standard_layout_v<tint>);
static_assert(!std::is_aggregate_v<tint>);
static_assert(sizeof(tint) <= 2 * sizeof(void*));
static_assert(!std::is_constructible_v<tint, std::nullptr_t>);
static_assert(!std::is_constructible_v<tint, model::mail>);

TEST_CASE("open_enum_is_empty_until_it_is_set", "[json]") {
    tint t;
    CHECK(t.empty());
    CHECK(t.text().empty());
    CHECK_FALSE(t.known());
    CHECK(t == tint());
    CHECK(t == "");
}

TEST_CASE("open_enum_turns_known_text_into_the_enumerator", "[json]") {
    tint t = "DARK-BLUE";
    CHECK(t.known() == color::dark_blue);
    CHECK(t == color::dark_blue);
    CHECK(t == "DARK-BLUE");
    CHECK(t.text() == "DARK-BLUE");
    t = std::string("green");
    CHECK(t == color::green);
    t = std::string_view("red");
    CHECK(t == color::red);
    t = color::green;
    CHECK(t.text() == "green");
}

TEST_CASE("open_enum_keeps_text_that_it_does_not_know", "[json]") {
    tint t = "red,green";
    CHECK_FALSE(t.empty());
    CHECK_FALSE(t.known());
    CHECK(t.text() == "red,green");
    CHECK(t == std::string("red,green"));
    CHECK_FALSE(t == color::red);
    t = "Red";
    CHECK_FALSE(t.known());
    CHECK(t.text() == "Red");
    t = color::red;
    CHECK(t.text() == "red");
}

TEST_CASE("open_enum_with_empty_text_is_empty", "[json]") {
    tint t = "mauve";
    t = "";
    CHECK(t.empty());
    t = color::red;
    t.assign({});
    CHECK(t.empty());
    t = "mauve";
    t.reset();
    CHECK(t.empty());
    t = color::red;
    t = {};
    CHECK(t.empty());
}

TEST_CASE("open_enum_copies_and_moves_every_state", "[json]") {
    for (tint const& from : {tint(), tint(color::green), tint("mauve")}) {
        tint copy = from;
        CHECK(copy == from);
        tint moved = std::move(copy);
        CHECK(moved == from);
        copy = from;
        copy = *&copy;
        CHECK(copy == from);
        moved = tint("other");
        moved = copy;
        CHECK(moved.text() == from.text());
    }
    CHECK_FALSE(tint("a") == tint("b"));
    CHECK_FALSE(tint("a") == tint());
    CHECK_FALSE(tint("a") == tint(color::red));
}

TEST_CASE("open_enum_may_take_its_own_text", "[json]") {
    tint t = "a text that is longer than a short string holds";
    t.assign(t.text().substr(2));
    CHECK(t.text() == "text that is longer than a short string holds");
}

TEST_CASE("open_enum_with_a_value_beyond_its_names_has_no_text", "[json]") {
    tint const t = static_cast<color>(77);
    CHECK(t.text().empty());
}

TEST_CASE("lists_of_open_enums_take_enumerators_and_text", "[json]") {
    std::vector<tint> const list{"red", color::green, "mauve"};
    CHECK(list[0] == color::red);
    CHECK(list[2] == "mauve");
}

} // namespace json_open_enum_tests
