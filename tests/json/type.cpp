// SPDX-License-Identifier: BSL-1.0
//
// Tests of json/type.hpp: descriptions are constants and their erased operations work.
#include "json/model.hpp"
#include "support/catch.hpp"

#include <highlevel/json/type.hpp>

#include <cstddef>
#include <string>
#include <type_traits>

namespace json_type_tests {

namespace json = highlevel::json;
using json::kind;
using json::type_of;

static_assert(std::is_standard_layout_v<model::record>);
static_assert(std::is_standard_layout_v<model::order>);
static_assert(type_of<bool>.what == kind::boolean);
static_assert(type_of<std::int64_t>.what == kind::integer);
static_assert(type_of<double>.what == kind::number);
static_assert(type_of<std::string>.what == kind::string);
static_assert(type_of<json::value>.what == kind::value);
static_assert(type_of<json::object>.what == kind::object);
static_assert(type_of<std::optional<bool>>.inner == &type_of<bool>);
static_assert(type_of<std::vector<model::record>>.inner == &type_of<model::record>);
static_assert(type_of<json::open_enum<model::color>>.what == kind::enumeration);
static_assert(type_of<std::variant<double, std::string>>.alternatives.size() == 2);
static_assert(type_of<model::record>.unknown_fields == offsetof(model::record, unknown_fields));

TEST_CASE("struct_that_holds_itself_is_described", "[json]") {
    auto const fields = type_of<model::record>.fields();
    CHECK(fields.size() == 28);
    bool found = false;
    for (auto const& f : fields) {
        if (f.name != "children") continue;
        found = true;
        CHECK(f.of->what == kind::list);
        CHECK(f.of->inner == &type_of<model::record>);
    }
    CHECK(found);
}

TEST_CASE("erased_optional_engages_and_resets", "[json]") {
    std::optional<std::string> o;
    auto const& t = type_of<std::optional<std::string>>;
    CHECK(t.get(&o) == nullptr);
    *static_cast<std::string*>(t.emplace(&o)) = "x";
    CHECK(o == "x");
    CHECK(t.get(&o) == &*o);
    t.reset(&o);
    CHECK_FALSE(o);
}

TEST_CASE("erased_nullable_has_three_states", "[json]") {
    json::nullable<double> n;
    auto const& t = type_of<json::nullable<double>>;
    t.set_null(&n);
    CHECK(t.is_null(&n));
    *static_cast<double*>(t.emplace(&n)) = 2;
    CHECK_FALSE(t.is_null(&n));
    CHECK(n == 2.0);
    t.reset(&n);
    CHECK(n.is_absent());
}

TEST_CASE("erased_list_grows_and_is_read_by_index", "[json]") {
    std::vector<std::string> list;
    auto const& t = type_of<std::vector<std::string>>;
    for (int i = 0; i < 1000; ++i)
        *static_cast<std::string*>(t.emplace(&list)) = std::to_string(i);
    REQUIRE(t.size(&list) == 1000);
    CHECK(*static_cast<const std::string*>(t.element(&list, 999)) == "999");
    CHECK(list[500] == "500");
    t.reset(&list);
    CHECK(list.empty());
}

TEST_CASE("erased_map_inserts_once_per_key", "[json]") {
    json::map<double> m;
    auto const& t = type_of<json::map<double>>;
    *static_cast<double*>(t.insert(&m, "a")) = 1;
    *static_cast<double*>(t.insert(&m, "b")) = 2;
    CHECK(t.insert(&m, "a") == m.find("a"));
    CHECK(t.size(&m) == 2);
    CHECK(t.key(&m, 1) == "b");
    CHECK(t.element(&m, 1) == m.find("b"));
}

TEST_CASE("erased_enumeration_takes_and_gives_text", "[json]") {
    json::open_enum<model::color> e;
    auto const& t = type_of<json::open_enum<model::color>>;
    t.set_text(&e, "green");
    CHECK(e == model::color::green);
    CHECK(t.text(&e) == "green");
    CHECK(t.names().size() == 3);
    t.reset(&e);
    CHECK(e.empty());
}

TEST_CASE("erased_variant_switches_between_alternatives", "[json]") {
    std::variant<double, std::string> v;
    auto const& t = type_of<std::variant<double, std::string>>;
    CHECK(t.index(&v) == 0);
    *static_cast<std::string*>(t.select(&v, 1)) = "x";
    CHECK(std::get<1>(v) == "x");
    CHECK(t.index(&v) == 1);
    CHECK(t.get(&v) == &std::get<1>(v));
}

} // namespace json_type_tests
