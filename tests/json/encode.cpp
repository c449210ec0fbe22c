// SPDX-License-Identifier: BSL-1.0
//
// Tests of json/encode.hpp: exact text, presence, what is refused, and texts of parameters.
#include "json/model.hpp"
#include "support/catch.hpp"

#include <highlevel/json/decode.hpp>
#include <highlevel/json/encode.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace json_encode_tests {

namespace json = highlevel::json;
using highlevel::errc;
using json::scalar_form;
using model::color;
using model::order;
using model::record;

namespace {

template <class T>
std::string written(const T& from, const json::encode_options& options = {}) {
    std::string out;
    auto const result = json::encode(from, out, options);
    INFO(result.pointer << ' ' << result.text);
    CHECK(result);
    return out;
}

template <class T>
json::encode_result refused(const T& from, const json::encode_options& options = {}) {
    std::string out;
    auto result = json::encode(from, out, options);
    CHECK_FALSE(result);
    return result;
}

class texted {
public:
    scalar_form form = scalar_form::absent;
    std::string text;
};

template <class T>
texted text_of(const T& from) {
    texted made;
    made.form = json::scalar_text(json::type_of<T>, &from, made.text);
    return made;
}

} // namespace

TEST_CASE("encode_leaves_out_what_is_absent", "[json]") {
    CHECK(written(record()) == "{}");
    record r;
    r.note = nullptr;
    r.home = json::null;
    CHECK(written(r) == R"({"note":null,"home":null})");
}

TEST_CASE("encode_writes_every_kind_of_member_in_the_order_of_the_table", "[json]") {
    record r;
    r.unknown_fields["zz"] = json::array{1, "x"};
    r.loose = std::vector<model::point>(1);
    r.content.emplace().emplace<model::email_template>().type = model::mail::email;
    r.order = "5";
    r.maybe_free.emplace();
    r.free["k"] = nullptr;
    r.anys = {json::value(nullptr), json::value(1)};
    r.any = json::value(false);
    r.gaps = {"a", std::nullopt};
    r.children.emplace_back().name = "";
    r.path.emplace_back().x = -0.5;
    r.spot.emplace().y = 3;
    r.palette = {color::dark_blue, "mauve"};
    r.tint = color::red;
    r.home.emplace();
    r.roles.emplace();
    r.limit = 0;
    r.note = "n";
    r.series["s"] = {1, 2};
    r.places["p"].x = 1;
    r.labels["b"] = "1";
    r.labels["a"] = "2";
    r.matrix = {{1, 2.5}, {}};
    r.numbers = {1};
    r.tags = {"t", ""};
    r.flag = false;
    r.ratio = 1;
    r.count = -1;
    r.name = "Ada";
    CHECK(
        written(r) ==
        R"({"name":"Ada","count":-1,"ratio":1,"flag":false,"tags":["t",""],"numbers":[1],)"
        R"("matrix":[[1,2.5],[]],"labels":{"b":"1","a":"2"},"places":{"p":{"x":1}},)"
        R"("series":{"s":[1,2]},"note":"n","limit":0,"roles":[],"home":{},"tint":"red",)"
        R"("palette":["DARK-BLUE","mauve"],"spot":{"y":3},"path":[{"x":-0.5}],)"
        R"("children":[{"name":""}],"gaps":["a",null],"any":false,"anys":[null,1],)"
        R"("free":{"k":null},"maybeFree":{},"order":"5","content":{"type":"email"},)"
        R"("loose":[{}],"zz":[1,"x"]})");
}

TEST_CASE("encode_escapes_strings_and_passes_utf8_through", "[json]") {
    std::string const text =
        std::string("\"\\/\b\f\n\r\t\x01\x1f\x7f", 11) + '\0' + "\u00e9\u20ac\U0001F600\uffff";
    std::string const wanted = R"("\"\\/\b\f\n\r\t\u0001\u001f)"
                               "\x7f"
                               R"(\u0000)"
                               "\u00e9\u20ac\U0001F600\uffff\"";
    CHECK(written(text) == wanted);
    json::map<std::int64_t> keys;
    keys[text] = 1;
    CHECK(written(keys) == "{" + wanted + ":1}");
}

TEST_CASE("encode_keeps_numbers_exact", "[json]") {
    using limits = std::numeric_limits<std::int64_t>;
    CHECK(
        written(std::vector<std::int64_t>{limits::max(), limits::min(), 0}) ==
        "[9223372036854775807,-9223372036854775808,0]");
    CHECK(
        written(std::vector<double>{0.1, 5, 1e22, -0.0, 1.7976931348623157e308, 5e-324, 1.0 / 3}) ==
        "[0.1,5,1e+22,-0,1.7976931348623157e+308,5e-324,0.3333333333333333]");
    CHECK(
        written(json::value(json::array{
            5.0, 0.5, 1e300, std::uint64_t{18446744073709551615U}, std::int64_t{-1}})) ==
        "[5.0,0.5,1e+300,18446744073709551615,-1]");
}

TEST_CASE("encode_refuses_numbers_that_are_not_finite", "[json]") {
    record r;
    r.path.resize(2);
    r.path[1].y = std::nan("");
    auto const result = refused(r);
    CHECK(result.code == errc::invalid_argument);
    CHECK(result.pointer == "/path/1/y");
    record other;
    other.unknown_fields["zz"] = json::array{1, std::numeric_limits<double>::infinity()};
    CHECK(refused(other).pointer == "/zz/1");
}

TEST_CASE("encode_refuses_text_that_is_not_utf8_and_names_the_member", "[json]") {
    for (std::string_view const bad :
         {"\xff", "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\x80", "\xed\xa0\x80", "\xe2\x82",
          "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80", "\xf0\x9f\x98"}) {
        record r;
        r.children.resize(1);
        r.children[0].labels["a/b"] = "good " + std::string(bad);
        auto const result = refused(r);
        CHECK(result.code == errc::invalid_argument);
        CHECK(result.pointer == "/children/0/labels/a~1b");
        record key;
        key.labels[bad] = "x";
        CHECK(refused(key).code == errc::invalid_argument);
        record tint;
        tint.tint = bad;
        CHECK(refused(tint).pointer == "/tint");
    }
}

TEST_CASE("encode_replaces_what_is_not_utf8_when_asked_to", "[json]") {
    json::encode_options how;
    how.replace_invalid_utf8 = true;
    how.check_required = false;
    record r;
    r.name = "a\xff\xfez \"\xc3\xa4\" \xe2\x82";
    r.unknown_fields["k\x80"] = json::array{"\xed\xa0\x80"};
    CHECK(
        written(r, how) ==
        "{\"name\":\"a\uFFFD\uFFFDz \\\"\u00e4\\\" \uFFFD\uFFFD\","
        "\"k\uFFFD\":[\"\uFFFD\uFFFD\uFFFD\"]}");
    how.replace_invalid_utf8 = false;
    CHECK(refused(r, how).code == errc::invalid_argument);
}

TEST_CASE("encode_refuses_each_empty_required_member", "[json]") {
    CHECK(
        written(model::complete_order()) ==
        R"({"locationId":"loc","items":["a"],"amount":1,"tint":"red","meta":true,"labels":{},"parent":null})");
    auto const missing = [](auto&& empty) {
        order made = model::complete_order();
        empty(made);
        auto const result = refused(made);
        CHECK(result.code == errc::missing_parameter);
        return result.pointer;
    };
    CHECK(missing([](order& o) { o.location_id.clear(); }) == "/locationId");
    CHECK(missing([](order& o) { o.items.clear(); }) == "/items");
    CHECK(missing([](order& o) { o.amount.reset(); }) == "/amount");
    CHECK(missing([](order& o) { o.tint = {}; }) == "/tint");
    CHECK(missing([](order& o) { o.meta = nullptr; }) == "/meta");
    CHECK(missing([](order& o) { o.parent = {}; }) == "/parent");
    std::vector<order> const list{model::complete_order(), order()};
    CHECK(refused(list).pointer == "/1/locationId");
    json::encode_options lax;
    lax.check_required = false;
    CHECK(written(order(), lax) == R"({"labels":{}})");
}

TEST_CASE("encode_takes_a_required_member_from_the_unknown_fields", "[json]") {
    order o = model::complete_order();
    o.location_id.clear();
    o.amount.reset();
    o.unknown_fields = {{"amount", "12.50"}, {"locationId", "other"}, {"labels", "none"}};
    CHECK(
        written(o) ==
        R"({"items":["a"],"tint":"red","meta":true,"parent":null,"amount":"12.50","locationId":"other","labels":"none"})");
}

TEST_CASE("encode_prefers_a_member_to_an_unknown_field_of_its_name", "[json]") {
    record r;
    r.tags = {"a"};
    r.count = 1;
    r.unknown_fields = {{"tags", "x"}, {"count", "many"}, {"name", 5}};
    CHECK(written(r) == R"({"count":1,"tags":["a"],"name":5})");
}

TEST_CASE("encode_gives_back_elements_that_did_not_fit", "[json]") {
    constexpr std::string_view text =
        R"({"numbers":[1,"x",3,{"y":2}],"labels":{"a":"1","b":[2]},"places":{"c":5,"d":{"x":1}}})";
    record r;
    REQUIRE(json::decode(text, r));
    CHECK(r.numbers == std::vector<std::int64_t>{1, 3});
    CHECK(
        written(r) ==
        R"({"numbers":[1,3,"x",{"y":2}],"labels":{"a":"1","b":[2]},"places":{"d":{"x":1},"c":5}})");
    // What the caller sets under the key of a misfit wins.
    r.labels["b"] = "2";
    CHECK(written(r).find(R"("labels":{"a":"1","b":"2"})") != std::string::npos);
    r.unknown_fields.clear();
    CHECK(written(r) == R"({"numbers":[1,3],"labels":{"a":"1","b":"2"},"places":{"d":{"x":1}}})");
}

TEST_CASE("encode_merges_extra_members_at_the_top_where_they_win", "[json]") {
    json::object const extra{
        {"name", "other"}, {"zz", 1}, {"note", nullptr}, {"locationId", "extra"}};
    json::encode_options options;
    options.extra = &extra;
    record r;
    r.name = "n";
    r.count = 1;
    r.children.emplace_back().name = "c";
    r.unknown_fields = {{"zz", 0}, {"yy", 2}};
    CHECK(
        written(r, options) ==
        R"({"count":1,"children":[{"name":"c"}],"yy":2,"name":"other","zz":1,"note":null,"locationId":"extra"})");

    order o = model::complete_order();
    o.location_id.clear();
    CHECK(written(o, options).find(R"("locationId":"extra")") != std::string::npos);
}

TEST_CASE("encode_merges_extra_members_into_any_object", "[json]") {
    json::object const extra{{"a", 1}};
    json::encode_options options;
    options.extra = &extra;
    CHECK(written(json::value(json::object{{"a", 0}, {"b", 2}}), options) == R"({"b":2,"a":1})");
    CHECK(written(json::object{{"b", 2}}, options) == R"({"b":2,"a":1})");
    CHECK(written(json::map<std::string>{{"a", "0"}, {"b", "2"}}, options) == R"({"b":"2","a":1})");
    CHECK(written(json::value(nullptr), options) == R"({"a":1})");
    CHECK(written(std::optional<record>(), options) == R"({"a":1})");
    CHECK(refused(std::vector<std::string>{"x"}, options).code == errc::invalid_argument);
    CHECK(refused(std::string("x"), options).code == errc::invalid_argument);
    json::object const none;
    options.extra = &none;
    CHECK(written(std::vector<std::string>{"x"}, options) == R"(["x"])");
}

TEST_CASE("encode_fills_empty_members_at_the_top_only", "[json]") {
    std::array<json::fill, 3> const fills{
        json::fill("locationId", "filled"), json::fill("altType", "location"),
        json::fill("companyId", "nowhere")};
    json::encode_options options;
    options.fills = fills;
    order o = model::complete_order();
    CHECK(
        written(o, options) ==
        R"({"locationId":"loc","items":["a"],"amount":1,"tint":"red","meta":true,"labels":{},"parent":null,"altType":"location"})");
    o.location_id.clear();
    o.alt_type = "agency";
    CHECK(
        written(o, options) ==
        R"({"locationId":"filled","items":["a"],"amount":1,"tint":"red","meta":true,"labels":{},"parent":null,"altType":"agency"})");
    std::vector<order> const list{order()};
    CHECK(refused(list, options).pointer == "/0/locationId");
    json::object const extra{{"altType", "extra"}};
    options.extra = &extra;
    o.alt_type.reset();
    CHECK(written(o, options).find(R"("altType":"extra")") != std::string::npos);
    CHECK(written(o, options).find(R"("altType":"location")") == std::string::npos);
}

TEST_CASE("encode_of_an_absent_optional_appends_nothing", "[json]") {
    CHECK(written(std::optional<record>()).empty());
    CHECK(written(json::nullable<record>()).empty());
    CHECK(written(json::nullable<record>(nullptr)) == "null");
    CHECK(written(json::value(nullptr)) == "null");
    CHECK(written(std::vector<std::string>()) == "[]");
    std::string out = "before ";
    CHECK(json::encode(true, out));
    CHECK(out == "before true");
}

// Parameters

TEST_CASE("scalar_text_gives_the_text_of_scalars", "[json]") {
    CHECK(text_of(std::string("a b")).text == "a b");
    CHECK(text_of(std::int64_t{-5}).text == "-5");
    CHECK(text_of(2.5).text == "2.5");
    CHECK(text_of(true).text == "true");
    CHECK(text_of(json::open_enum<color>("red,green")).text == "red,green");
    CHECK(text_of(std::optional<std::int64_t>(3)).text == "3");
    CHECK(text_of(json::nullable<bool>(false)).text == "false");
    CHECK(text_of(std::variant<double, std::string>("v")).text == "v");
    CHECK(text_of(json::value(7)).text == "7");
    CHECK(text_of(json::value("s")).text == "s");
    CHECK(text_of(json::value(0.5)).text == "0.5");
    CHECK(text_of(std::string("a")).form == scalar_form::text);
}

TEST_CASE("scalar_text_tells_what_is_not_there", "[json]") {
    CHECK(text_of(std::string()).form == scalar_form::absent);
    CHECK(text_of(std::optional<std::string>()).form == scalar_form::absent);
    CHECK(text_of(std::optional<std::string>("")).form == scalar_form::text);
    CHECK(text_of(json::nullable<double>()).form == scalar_form::absent);
    CHECK(text_of(json::nullable<double>(nullptr)).form == scalar_form::explicit_null);
    CHECK(text_of(json::open_enum<color>()).form == scalar_form::absent);
    CHECK(text_of(json::value(nullptr)).form == scalar_form::absent);
}

TEST_CASE("scalar_text_tells_what_is_no_scalar", "[json]") {
    std::vector<std::int64_t> const list{4, 5};
    CHECK(text_of(list).form == scalar_form::list);
    using maybe_list = std::optional<std::vector<std::int64_t>>;
    maybe_list const maybe = list;
    CHECK(text_of(maybe).form == scalar_form::list);
    json::view const items = json::view(json::type_of<maybe_list>, &maybe).held();
    REQUIRE(items.of->size(items.self) == 2);
    std::string text;
    CHECK(json::scalar_text(*items.of->inner, items.element(1).self, text) == scalar_form::text);
    CHECK(text == "5");
    CHECK(text_of(model::point()).form == scalar_form::structured);
    CHECK(text_of(json::value(json::array())).form == scalar_form::structured);
    CHECK(text_of(std::nan("")).form == scalar_form::invalid);
    CHECK(text_of(json::value(std::nan(""))).form == scalar_form::invalid);
}

// Forms

TEST_CASE("scalar_text_writes_numbers_without_an_exponent", "[json]") {
    CHECK(text_of(1e5).text == "100000");
    CHECK(text_of(1e21).text == "1000000000000000000000");
    CHECK(text_of(-1.5e-7).text == "-0.00000015");
    CHECK(text_of(0.1).text == "0.1");
    CHECK(text_of(5e-324).text.size() == 326);
    CHECK(text_of(std::numeric_limits<double>::max()).text.size() == 309);
    CHECK(text_of(json::value(2.5e10)).text == "25000000000");
}

TEST_CASE("form_pairs_gives_one_pair_per_scalar", "[json]") {
    record r;
    r.name.emplace("a b");
    r.count = 5;
    r.tags = {"x", "y"};
    r.note = nullptr;
    r.spot.emplace().x = 1;
    r.tint = color::red;
    r.unknown_fields = {{"zz", true}, {"yy", json::array{1, 2}}, {"name", "hidden"}};
    json::text_pairs pairs;
    REQUIRE(json::form_pairs(json::type_of<record>, &r, pairs));
    CHECK(
        pairs ==
        json::text_pairs{
            {"name", "a b"},
            {"count", "5"},
            {"tags", "x"},
            {"tags", "y"},
            {"note", ""},
            {"tint", "red"},
            {"spot", R"({"x":1})"},
            {"zz", "true"},
            {"yy", "[1,2]"}});
}

TEST_CASE("form_pairs_fills_merges_and_checks_like_encode", "[json]") {
    order o = model::complete_order();
    o.location_id.clear();
    json::text_pairs pairs;
    auto const missing = json::form_pairs(json::type_of<order>, &o, pairs);
    CHECK(missing.code == errc::missing_parameter);
    CHECK(missing.pointer == "/locationId");

    json::fill const fills[] = {json::fill("locationId", "filled")};
    json::object const extra{{"tint", "extra"}, {"zz", 1}};
    json::encode_options options;
    options.fills = fills;
    options.extra = &extra;
    pairs.clear();
    auto const empty_labels = json::form_pairs(json::type_of<order>, &o, pairs, options);
    CHECK(empty_labels.pointer == "/labels");
    o.labels["k"] = "v";
    pairs.clear();
    REQUIRE(json::form_pairs(json::type_of<order>, &o, pairs, options));
    CHECK(
        pairs ==
        json::text_pairs{
            {"locationId", "filled"},
            {"items", "a"},
            {"amount", "1"},
            {"meta", "true"},
            {"labels", R"({"k":"v"})"},
            {"parent", ""},
            {"tint", "extra"},
            {"zz", "1"}});

    record bad;
    bad.ratio = std::nan("");
    auto const invalid = json::form_pairs(json::type_of<record>, &bad, pairs);
    CHECK(invalid.code == errc::invalid_argument);
    CHECK(invalid.pointer == "/ratio");
    std::string const text = "x";
    CHECK(
        json::form_pairs(json::type_of<std::string>, &text, pairs).code == errc::invalid_argument);
}

TEST_CASE("form_pairs_takes_an_object_and_lists_with_misfits", "[json]") {
    json::text_pairs pairs;
    json::object const free{{"a", 1}, {"b", json::array{1, "x"}}, {"c", nullptr}};
    REQUIRE(json::form_pairs(json::type_of<json::object>, &free, pairs));
    CHECK(pairs == json::text_pairs{{"a", "1"}, {"b", R"([1,"x"])"}});

    record r;
    r.numbers = {1};
    r.unknown_fields = {{"numbers", json::array{"x"}}};
    pairs.clear();
    REQUIRE(json::form_pairs(json::type_of<record>, &r, pairs));
    CHECK(pairs == json::text_pairs{{"numbers", "1"}, {"numbers", "x"}});
}

} // namespace json_encode_tests
