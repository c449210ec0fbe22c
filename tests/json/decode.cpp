// SPDX-License-Identifier: BSL-1.0
//
// Tests of json/decode.hpp: exact values, what lenient reading bends, and what strict refuses.
#include "json/model.hpp"
#include "support/catch.hpp"

#include <highlevel/json/decode.hpp>

#include <boost/json/parse.hpp>

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace json_decode_tests {

namespace json = highlevel::json;
using highlevel::errc;
using json::bend;
using model::color;
using model::record;

namespace {

class reading {
public:
    record value;
    json::diagnostics notes;
    json::decode_result result;

    // The only difference, as "bend pointer"; a list of all when there are several.
    [[nodiscard]] std::string bent() const {
        std::string text;
        for (auto const& note : notes) {
            if (!text.empty()) text += "; ";
            text += to_string(note.what);
            text += ' ';
            text += note.pointer;
        }
        return text;
    }
};

reading read(std::string_view text, const json::decode_options& options = {}) {
    reading made;
    made.result = json::decode(text, made.value, options, made.notes);
    INFO(made.result.text);
    CHECK(made.result.code == highlevel::error_code());
    return made;
}

json::decode_result refuse(std::string_view text) {
    json::decode_options options;
    options.strict = true;
    record target;
    json::diagnostics notes;
    auto const result = json::decode(text, target, options, notes);
    CHECK(result.code == errc::decode_failed);
    CHECK(notes.empty());
    return result;
}

std::string repeated(std::string_view text, int times) {
    std::string made;
    for (int i = 0; i < times; ++i)
        made += text;
    return made;
}

} // namespace

// Values that fit

TEST_CASE("decode_reads_every_kind_of_member", "[json]") {
    auto const r = read(R"({
        "name": "Ada", "count": 42, "ratio": 0.5, "flag": true,
        "tags": ["a", "b"], "numbers": [1, -2], "matrix": [[1.5], [], [2, 3]],
        "labels": {"x": "1", "y": "2"}, "places": {"home": {"x": 1, "y": 2}},
        "series": {"s": [1, 2, 3]}, "note": "n", "limit": 5, "roles": ["admin"],
        "home": {"x": 3}, "tint": "DARK-BLUE", "palette": ["red", "green"],
        "spot": {"y": 4.5}, "path": [{"x": 1}, {"x": 2}],
        "children": [{"name": "c", "children": [{"name": "d"}]}],
        "gaps": ["a", null, "b"], "any": [1, {"k": null}], "anys": [1, "two", [3]],
        "free": {"a": {"b": 1}}, "maybeFree": {"c": 2}, "order": 2.5})");
    CHECK(r.notes.empty());
    auto const& v = r.value;
    CHECK(v.name == "Ada");
    CHECK(v.count == 42);
    CHECK(v.ratio == 0.5);
    CHECK(v.flag == true);
    CHECK(v.tags == std::vector<std::string>{"a", "b"});
    CHECK(v.numbers == std::vector<std::int64_t>{1, -2});
    CHECK(v.matrix == std::vector<std::vector<double>>{{1.5}, {}, {2, 3}});
    CHECK(v.labels == json::map<std::string>{{"x", "1"}, {"y", "2"}});
    CHECK(v.places.at("home").y == 2.0);
    CHECK(v.series.at("s") == std::vector<std::int64_t>{1, 2, 3});
    CHECK(v.note == "n");
    CHECK(v.limit == 5);
    CHECK(v.roles == std::vector<std::string>{"admin"});
    CHECK(v.home->x == 3.0);
    CHECK(v.tint == color::dark_blue);
    REQUIRE(v.palette.size() == 2);
    CHECK(v.palette[1] == color::green);
    CHECK(v.spot->y == 4.5);
    CHECK_FALSE(v.spot->x);
    REQUIRE(v.path.size() == 2);
    CHECK(v.path[1].x == 2.0);
    CHECK(v.children.at(0).children.at(0).name == "d");
    REQUIRE(v.gaps.size() == 3);
    CHECK_FALSE(v.gaps[1]);
    CHECK(v.any == boost::json::parse(R"([1,{"k":null}])"));
    CHECK(v.anys.size() == 3);
    CHECK(v.free == boost::json::parse(R"({"a":{"b":1}})").as_object());
    CHECK(v.maybe_free->at("c") == 2);
    CHECK(std::get<double>(*v.order) == 2.5);
    CHECK(v.unknown_fields.empty());
}

TEST_CASE("decode_treats_absent_and_null_alike_unless_the_member_can_be_null", "[json]") {
    auto const r = read(R"({"name": null, "count": null, "tags": null, "labels": null,
        "spot": null, "tint": null, "any": null, "free": null, "maybeFree": null, "order": null,
        "note": null, "home": null})");
    CHECK(r.notes.empty());
    CHECK_FALSE(r.value.name);
    CHECK_FALSE(r.value.count);
    CHECK(r.value.tags.empty());
    CHECK(r.value.labels.empty());
    CHECK_FALSE(r.value.spot);
    CHECK(r.value.tint.empty());
    CHECK(r.value.any.is_null());
    CHECK_FALSE(r.value.maybe_free);
    CHECK_FALSE(r.value.order);
    CHECK(r.value.note.is_null());
    CHECK(r.value.home.is_null());
    CHECK(r.value.limit.is_absent());
    CHECK(r.value.unknown_fields.empty());
}

TEST_CASE("decode_does_not_depend_on_the_order_of_members", "[json]") {
    std::string text = "[";
    for (int i = 0; i < 5; ++i) {
        if (i != 0) text += ',';
        text += i % 2 == 0 ? R"({"ratio":1,"zz":0,"name":"n","flag":true,"count":2})"
                           : R"({"count":2,"flag":true,"yy":0,"name":"n","ratio":1})";
    }
    text += ']';
    std::vector<record> list;
    REQUIRE(json::decode(text, list));
    REQUIRE(list.size() == 5);
    for (auto const& item : list) {
        CHECK(item.name == "n");
        CHECK(item.count == 2);
        CHECK(item.ratio == 1.0);
        CHECK(item.flag == true);
        CHECK(item.unknown_fields.size() == 1);
    }
}

TEST_CASE("decode_keeps_integers_exact_to_the_limits", "[json]") {
    auto const r = read(R"({"numbers": [9223372036854775807, -9223372036854775808, 0, -0],
        "anys": [18446744073709551615, 9007199254740993, 1735689600000]})");
    CHECK(r.notes.empty());
    CHECK(
        r.value.numbers ==
        std::vector<std::int64_t>{
            std::numeric_limits<std::int64_t>::max(), std::numeric_limits<std::int64_t>::min(), 0,
            0});
    CHECK(r.value.anys[0].as_uint64() == std::numeric_limits<std::uint64_t>::max());
    CHECK(r.value.anys[1].as_int64() == 9007199254740993);
}

TEST_CASE("decode_takes_any_number_for_a_double", "[json]") {
    auto const r = read(
        R"({"matrix": [[1, -1, 18446744073709551615, 1e3, 1.7976931348623157e308, 5e-324, -0.25]]})");
    CHECK(r.notes.empty());
    auto const& row = r.value.matrix.at(0);
    CHECK(row.at(0) == 1.0);
    CHECK(row.at(2) == 18446744073709551615.0);
    CHECK(row.at(3) == 1000.0);
    CHECK(row.at(4) == std::numeric_limits<double>::max());
    CHECK(row.at(6) == -0.25);
}

TEST_CASE("decode_takes_a_double_without_fraction_for_an_integer", "[json]") {
    auto const r =
        read(R"({"numbers": [5.0, -3.00, 1e3, 1735689600000.0, -9.223372036854775808e18]})");
    CHECK(r.notes.empty());
    CHECK(
        r.value.numbers ==
        std::vector<std::int64_t>{
            5, -3, 1000, 1735689600000, std::numeric_limits<std::int64_t>::min()});
}

TEST_CASE("decode_reads_escapes_and_long_strings", "[json]") {
    auto const plain = repeated("0123456789", 10000);
    auto const escaped = repeated("\\u00e9\\n\\\"\\\\\\/\\ud83d\\ude00-abcdefgh", 3000);
    auto const wanted = repeated("\u00e9\n\"\\/\U0001F600-abcdefgh", 3000);
    auto const r = read(
        R"({"name":")" + plain + R"(","note":")" + escaped + R"(","tags":[")" + escaped +
        R"(","x"],"tint":")" + escaped + R"(","any":")" + escaped + R"("})");
    CHECK(r.value.name == plain);
    CHECK(r.value.note == wanted);
    CHECK(r.value.tags == std::vector<std::string>{wanted, "x"});
    CHECK(r.value.tint == wanted);
    CHECK(r.value.any == json::value(wanted.c_str()));
}

TEST_CASE("decode_reads_escaped_keys_everywhere", "[json]") {
    auto const long_key = repeated("k", 5000);
    auto const r = read(
        R"({"n\u0061me":"Ada","labels":{"\u0061\tb":"1","c":"2"},"un\u006bnown":{"\u0061":1},")" +
        long_key + R"(\u0061":true})");
    CHECK(r.value.name == "Ada");
    CHECK(r.value.labels.at("a\tb") == "1");
    CHECK(r.value.labels.at("c") == "2");
    CHECK(r.value.unknown_fields.at("unknown").at("a") == 1);
    CHECK(r.value.unknown_fields.at(long_key + "a") == true);
}

TEST_CASE("decode_replaces_what_the_target_held", "[json]") {
    record target;
    target.name.emplace("old");
    target.tags = {"old"};
    target.note = nullptr;
    target.tint = "old";
    target.unknown_fields["old"] = 1;
    target.labels["old"] = "1";
    REQUIRE(json::decode(R"({"count": 1, "tags": ["new"]})", target));
    CHECK_FALSE(target.name);
    CHECK(target.tags == std::vector<std::string>{"new"});
    CHECK(target.note.is_absent());
    CHECK(target.tint.empty());
    CHECK(target.unknown_fields.empty());
    CHECK(target.labels.empty());
}

TEST_CASE("decode_takes_any_type_at_the_root", "[json]") {
    std::int64_t number = 0;
    CHECK(json::decode("7", number));
    CHECK(number == 7);
    std::string text;
    CHECK(json::decode(R"("x")", text));
    CHECK(text == "x");
    json::map<std::vector<std::string>> slots;
    CHECK(json::decode(R"({"2024-01-01":["09:00"],"2024-01-02":[]})", slots));
    CHECK(slots.size() == 2);
    json::value any;
    CHECK(json::decode(R"([1])", any));
    CHECK(any.is_array());
    std::optional<record> maybe;
    CHECK(json::decode("null", maybe));
    CHECK_FALSE(maybe);
    CHECK(json::decode(R"({"name":"n"})", maybe));
    CHECK(maybe->name == "n");
    bool flag = false;
    CHECK(json::decode("true", flag));
    CHECK(flag);
}

TEST_CASE("decode_from_a_value_gives_what_decode_from_text_gives", "[json]") {
    std::string_view const text = R"({"name":5,"count":"6","tags":"x","numbers":[1.5,2,null],
        "labels":{"a":1,"b":{}},"path":[{"x":1},7],"note":null,"zz":{"a":[1,{"b":2}]},
        "order":"9","content":{"type":"email","body":"b"},"any":[[[]]],"count2":18446744073709551615})";
    auto const direct = read(text);
    reading replayed;
    auto const value = boost::json::parse({text.data(), text.size()});
    replayed.result = json::decode(value, replayed.value, {}, replayed.notes);
    CHECK(replayed.result);
    CHECK(replayed.bent() == direct.bent());
    CHECK(replayed.value.name == direct.value.name);
    CHECK(replayed.value.numbers == direct.value.numbers);
    CHECK(replayed.value.labels == direct.value.labels);
    CHECK(replayed.value.unknown_fields == direct.value.unknown_fields);
    CHECK(replayed.value.any == direct.value.any);
    CHECK(replayed.value.order == direct.value.order);
}

// What lenient reading bends

TEST_CASE("decode_reads_numbers_and_booleans_from_strings", "[json]") {
    auto const r = read(R"({"count": " 5 ", "ratio": "2.5e1", "flag": "TRUE",
        "numbers": ["-7", "8.0"], "limit": "9"})");
    CHECK(r.value.count == 5);
    CHECK(r.value.ratio == 25.0);
    CHECK(r.value.flag == true);
    CHECK(r.value.numbers == std::vector<std::int64_t>{-7, 8});
    CHECK(r.value.limit == 9);
    CHECK(
        r.bent() ==
        "coerced /count; coerced /ratio; coerced /flag; coerced /numbers/0; coerced /numbers/1; "
        "coerced /limit");
    CHECK(r.notes[0].text == "expected an integer, got a string");
}

TEST_CASE("decode_reads_booleans_from_the_usual_spellings", "[json]") {
    struct spelling {
        std::string_view text;
        std::optional<bool> wanted;
    };
    spelling const spellings[] = {
        {R"("true")", true},  {R"("False")", false}, {R"("1")", true},
        {R"("0")", false},    {"1", true},           {"0", false},
        {"2", std::nullopt},  {"0.0", std::nullopt}, {R"("yes")", std::nullopt},
        {"[]", std::nullopt},
    };
    for (auto const& s : spellings) {
        INFO(s.text);
        auto const r = read(R"({"flag":)" + std::string(s.text) + '}');
        CHECK(r.value.flag == s.wanted);
        CHECK(r.bent() == (s.wanted ? "coerced /flag" : "wrong_kind /flag"));
        CHECK(r.value.unknown_fields.contains("flag") == !s.wanted.has_value());
    }
}

TEST_CASE("decode_reads_text_from_numbers_and_booleans_with_all_digits", "[json]") {
    auto const r = read(
        R"({"name": 12345678901234567890123456789, "note": -5.10, "tags": [true, 1e3, 0],
            "tint": 3})");
    CHECK(r.value.name == "12345678901234567890123456789");
    CHECK(r.value.note == "-5.10");
    CHECK(r.value.tags == std::vector<std::string>{"true", "1e3", "0"});
    CHECK(r.value.tint.text() == "3");
    CHECK(r.notes.total() == 6);
    CHECK(r.notes[0].what == bend::coerced);
}

TEST_CASE("decode_takes_an_empty_string_for_absent_where_no_text_belongs", "[json]") {
    auto const r = read(R"({"count": "", "ratio": "  ", "flag": "", "spot": "", "labels": "",
        "free": "", "numbers": "", "tags": "", "matrix": "", "tint": "", "name": ""})");
    CHECK_FALSE(r.value.count);
    CHECK_FALSE(r.value.ratio);
    CHECK_FALSE(r.value.flag);
    CHECK_FALSE(r.value.spot);
    CHECK(r.value.labels.empty());
    CHECK(r.value.numbers.empty());
    CHECK(r.value.tags.empty());
    CHECK(r.value.matrix.empty());
    CHECK(r.value.tint.empty());
    CHECK(r.value.name == "");
    CHECK(r.value.unknown_fields.empty());
    CHECK(
        r.bent() ==
        "coerced /count; coerced /ratio; coerced /flag; coerced /spot; coerced /labels; "
        "coerced /free; coerced /numbers; coerced /tags; coerced /matrix");
    CHECK(r.notes[7].text == "expected an array, got an empty string");
}

TEST_CASE("decode_leaves_an_integer_with_a_fraction_absent_and_keeps_it", "[json]") {
    auto const r = read(R"({"count": 5.5, "limit": "6.5"})");
    CHECK_FALSE(r.value.count);
    CHECK(r.value.limit.is_absent());
    CHECK(r.bent() == "fractional /count; fractional /limit");
    CHECK(r.value.unknown_fields.at("count") == 5.5);
    CHECK(r.value.unknown_fields.at("limit") == "6.5");
}

TEST_CASE("decode_leaves_numbers_out_of_range_absent", "[json]") {
    auto const r = read(R"({"count": 9223372036854775808, "limit": 1e300,
        "numbers": [18446744073709551616, 1]})");
    CHECK_FALSE(r.value.count);
    CHECK(r.value.limit.is_absent());
    CHECK(r.value.numbers == std::vector<std::int64_t>{1});
    CHECK(r.bent() == "out_of_range /count; out_of_range /limit; out_of_range /numbers/0");
}

TEST_CASE("decode_leaves_a_number_beyond_double_absent", "[json]") {
    auto const r = read(R"({"ratio": 1e400, "matrix": [["-1e400", "nan", "inf", 1]]})");
    CHECK_FALSE(r.value.ratio);
    CHECK(r.value.matrix == std::vector<std::vector<double>>{{1}});
    CHECK(
        r.bent() ==
        "out_of_range /ratio; wrong_kind /matrix/0/0; wrong_kind /matrix/0/1; "
        "wrong_kind /matrix/0/2");
}

TEST_CASE("decode_keeps_what_fits_nowhere_under_the_members_name", "[json]") {
    auto const r = read(R"({"name": {"first": "Ada"}, "count": [1], "spot": 5, "labels": [1],
        "path": [{"x": 1}, 7, [8]], "places": {"a": {"x": 1}, "b": true}, "ratio": "many"})");
    CHECK_FALSE(r.value.name);
    CHECK_FALSE(r.value.count);
    CHECK_FALSE(r.value.spot);
    CHECK(r.value.path.size() == 1);
    CHECK(r.value.places.size() == 1);
    CHECK(
        r.bent() ==
        "wrong_kind /name; wrong_kind /count; wrong_kind /spot; wrong_kind /labels; "
        "wrong_kind /path/1; wrong_kind /path/2; wrong_kind /places/b; wrong_kind /ratio");
    CHECK(
        r.value.unknown_fields ==
        boost::json::parse(R"({"name":{"first":"Ada"},"count":[1],"spot":5,"labels":[1],
            "path":[7,[8]],"places":{"b":true},"ratio":"many"})")
            .as_object());
}

TEST_CASE("decode_puts_aside_what_stands_beside_the_records_of_a_map", "[json]") {
    constexpr std::string_view text =
        R"({"2026-01-02": {"x": 1}, "traceId": "t-1", "2026-01-03": [7], "n": 5})";
    json::map<model::point> target;
    json::object beside;
    json::decode_options options;
    options.beside = &beside;
    json::diagnostics notes;
    REQUIRE(json::decode(text, target, options, notes));
    CHECK(target.size() == 1);
    CHECK(beside == boost::json::parse(R"({"traceId":"t-1","2026-01-03":[7],"n":5})").as_object());
    // A scalar there is like an unknown member; a list instead of a record is a difference.
    REQUIRE(notes.size() == 1);
    CHECK(notes[0].what == bend::wrong_kind);
    CHECK(notes[0].pointer == "/2026-01-03");

    constexpr std::string_view sound = R"({"2026-01-02": {"x": 1}, "traceId": "t-1"})";
    options.strict = true;
    CHECK(json::decode(sound, target, options, notes));
    CHECK(beside.at("traceId") == "t-1");
    options.report_unknown_fields = true;
    CHECK(json::decode(sound, target, options, notes).pointer == "/traceId");
    options.beside = nullptr;
    options.report_unknown_fields = false;
    CHECK(json::decode(sound, target, options, notes));
}

TEST_CASE("decode_reports_what_does_not_fit_among_scalars_by_free_keys", "[json]") {
    constexpr std::string_view text = R"({"open": 3, "won": "many"})";
    json::map<std::int64_t> target;
    json::object beside;
    json::decode_options options;
    options.beside = &beside;
    json::diagnostics notes;
    REQUIRE(json::decode(text, target, options, notes));
    CHECK(target.size() == 1);
    CHECK(beside == boost::json::parse(R"({"won":"many"})").as_object());
    REQUIRE(notes.size() == 1);
    CHECK(notes[0].what == bend::wrong_kind);
    CHECK(notes[0].pointer == "/won");
    options.strict = true;
    CHECK(json::decode(text, target, options, notes).pointer == "/won");
}

TEST_CASE("decode_makes_a_list_of_one_value", "[json]") {
    auto const r = read(R"({"tags": "a", "numbers": "5", "path": {"x": 1}, "roles": "admin",
        "palette": "mauve", "anys": {"k": 1}, "series": {"s": 4}, "matrix": 1.5})");
    CHECK(r.value.tags == std::vector<std::string>{"a"});
    CHECK(r.value.numbers == std::vector<std::int64_t>{5});
    REQUIRE(r.value.path.size() == 1);
    CHECK(r.value.path[0].x == 1.0);
    CHECK(r.value.roles == std::vector<std::string>{"admin"});
    CHECK(r.value.palette.at(0) == "mauve");
    CHECK(r.value.anys.at(0).at("k") == 1);
    CHECK(r.value.series.at("s") == std::vector<std::int64_t>{4});
    CHECK(r.value.matrix == std::vector<std::vector<double>>{{1.5}});
    CHECK(
        r.bent() ==
        "single_element /tags; coerced /numbers; single_element /numbers; single_element /path; "
        "single_element /roles; unknown_enumerator /palette; single_element /palette; "
        "single_element /anys; single_element /series/s; single_element /matrix");
}

TEST_CASE("decode_leaves_null_elements_out_where_the_element_cannot_be_null", "[json]") {
    auto const r = read(R"({"tags": ["a", null, "b"], "labels": {"x": null, "y": "1"},
        "anys": [null], "gaps": [null]})");
    CHECK(r.value.tags == std::vector<std::string>{"a", "b"});
    CHECK(r.value.labels == json::map<std::string>{{"y", "1"}});
    CHECK(r.value.anys.size() == 1);
    CHECK(r.value.gaps.size() == 1);
    CHECK(r.bent() == "null_element /tags/1; null_element /labels/x");
}

TEST_CASE("decode_makes_room_for_as_many_elements_as_the_last_record_had", "[json]") {
    auto const tags = [](int count) {
        std::string text;
        for (int i = 0; i < count; ++i)
            text += i == 0 ? "\"tag\"" : ",\"tag\"";
        return "{\"tags\":[" + text + "]}";
    };
    std::vector<model::record> list;
    REQUIRE(json::decode(
        "[" + tags(3) + "," + tags(3) + "," + tags(5) + "," + tags(0) + "," + tags(1) + "," +
            tags(40) + "," + tags(1) + "]",
        list));
    std::vector<std::size_t> sizes;
    for (auto const& r : list)
        sizes.push_back(r.tags.size());
    CHECK(sizes == std::vector<std::size_t>{3, 3, 5, 0, 1, 40, 1});
    CHECK(list[1].tags.capacity() == 3);
    CHECK(list[3].tags.capacity() == 5);
    // Not after so many.
    CHECK(list[6].tags.capacity() < 16);
}

TEST_CASE("decode_takes_the_last_of_duplicate_members", "[json]") {
    auto const r =
        read(R"({"name": "a", "tags": ["a"], "name": "b", "tags": ["b"], "spot": {"x": 1},
        "spot": {"y": 2}, "count": {}, "count": 3, "labels": {"k": "1", "k": "2"},
        "zz": 1, "zz": 2, "note": "x", "note": null,
        "places": {"k": {"x": 1}, "k": {"y": 2}}})");
    CHECK(r.value.name == "b");
    CHECK(r.value.tags == std::vector<std::string>{"b"});
    CHECK_FALSE(r.value.spot->x);
    CHECK(r.value.spot->y == 2.0);
    CHECK(r.value.count == 3);
    CHECK(r.value.labels == json::map<std::string>{{"k", "2"}});
    CHECK(r.value.note.is_null());
    CHECK_FALSE(r.value.places.at("k").x);
    CHECK(r.value.unknown_fields.size() == 1);
    CHECK(r.value.unknown_fields.at("zz") == 2);
    CHECK(
        r.bent() ==
        "duplicate_key /name; duplicate_key /tags; duplicate_key /spot; wrong_kind /count; "
        "duplicate_key /count; duplicate_key /labels/k; duplicate_key /note; "
        "duplicate_key /places/k");
}

TEST_CASE("decode_keeps_unknown_enumerators_and_reports_a_short_part", "[json]") {
    auto const r =
        read(R"({"tint": "mauve", "palette": ["red", ")" + repeated("x", 100) + R"("]})");
    CHECK(r.value.tint == "mauve");
    CHECK(r.value.palette.at(1).text().size() == 100);
    CHECK(r.bent() == "unknown_enumerator /tint; unknown_enumerator /palette/1");
    CHECK(r.notes[0].text == "mauve");
    CHECK(r.notes[1].text.size() == 40);
}

TEST_CASE("decode_reports_required_members_that_are_missing", "[json]") {
    std::vector<model::order> orders;
    json::diagnostics notes;
    CHECK(json::decode(
        R"([{"locationId":"l","items":[],"amount":1,"tint":"red","meta":1,"labels":{},"parent":null},
            {"locationId":null,"items":["a"],"amount":1,"meta":1,"labels":{},"parent":"p",
             "tint":"red"},
            {}])",
        orders, {}, notes));
    REQUIRE(orders.size() == 3);
    REQUIRE(notes.total() == 8);
    CHECK(notes[0].what == bend::missing_required);
    CHECK(notes[0].pointer == "/1/locationId");
    CHECK(notes[1].pointer == "/2/locationId");
    CHECK(notes[7].pointer == "/2/parent");
}

TEST_CASE("decode_keeps_unknown_members_and_reports_them_on_request", "[json]") {
    std::string_view const text = R"({"zz": 1, "name": "n", "yy": {"a": [1, {"b": "c"}], "d": 1.5},
        "xx": [], "ww": null, "vv": "text", "uu": false, "spot": {"z": -1}})";
    auto const r = read(text);
    CHECK(r.notes.empty());
    CHECK(r.value.name == "n");
    CHECK(
        r.value.unknown_fields ==
        boost::json::parse(
            R"({"zz":1,"yy":{"a":[1,{"b":"c"}],"d":1.5},"xx":[],"ww":null,"vv":"text","uu":false})")
            .as_object());
    CHECK(r.value.spot->unknown_fields.at("z") == -1);

    json::decode_options options;
    options.report_unknown_fields = true;
    CHECK(
        read(text, options).bent() ==
        "unknown_field /zz; unknown_field /yy; unknown_field /xx; unknown_field /ww; "
        "unknown_field /vv; unknown_field /uu; unknown_field /spot/z");

    json::decode_options dropping;
    dropping.keep_unknown_fields = false;
    auto const dropped = read(text, dropping);
    CHECK(dropped.value.unknown_fields.empty());
    CHECK(dropped.value.name == "n");
    CHECK(read(R"({"count": {}})", dropping).value.unknown_fields.empty());
}

TEST_CASE("decode_gives_pointers_with_escapes_and_indices", "[json]") {
    auto const r = read(R"({"children": [{}, {"children": [{"places": {"a/b~c": {"x": "?"}}}]}]})");
    CHECK(r.bent() == "wrong_kind /children/1/children/0/places/a~1b~0c/x");
}

TEST_CASE("decode_bounds_the_diagnostics_and_counts_the_rest", "[json]") {
    auto const text = R"({"numbers": [)" + repeated("\"x\",", 99) + R"("x"]})";
    json::decode_options options;
    options.max_diagnostics = 3;
    auto const r = read(text, options);
    CHECK(r.notes.size() == 3);
    CHECK(r.notes.total() == 100);
    options.max_diagnostics = 0;
    auto const counted = read(text, options);
    CHECK(counted.notes.size() == 0);
    CHECK(counted.notes.total() == 100);
    CHECK_FALSE(counted.notes.empty());
}

TEST_CASE("decode_takes_empty_text_for_nothing", "[json]") {
    for (std::string_view const text : {"", "  \r\n\t ", "\xef\xbb\xbf"}) {
        auto const r = read(text);
        CHECK(r.bent() == "empty_text ");
        json::value any = 1;
        json::diagnostics notes;
        CHECK(json::decode(text, any, {}, notes));
        CHECK(any.is_null());
        CHECK(notes.empty());
        std::optional<record> maybe;
        CHECK(json::decode(text, maybe, {}, notes));
        CHECK_FALSE(maybe);
        CHECK(notes.empty());
    }
}

TEST_CASE("decode_skips_a_byte_order_mark", "[json]") {
    CHECK(read("\xef\xbb\xbf{\"name\":\"n\"}").value.name == "n");
}

TEST_CASE("decode_replaces_halves_of_surrogate_pairs", "[json]") {
    auto const r = read(
        R"({"name":"cut \ud83d","note":"\ude00 \ud83d\ude00 \\ud83d","tags":["\ud83d\ud83d\ude00"],)"
        R"("zz":"\ud83dx"})");
    CHECK(r.value.name == "cut \ufffd");
    CHECK(r.value.note == "\ufffd \U0001F600 \\ud83d");
    CHECK(r.value.tags == std::vector<std::string>{"\ufffd\U0001F600"});
    CHECK(r.value.unknown_fields.at("zz") == "\ufffdx");
    CHECK(
        r.bent() ==
        "lone_surrogate /name; lone_surrogate /note; lone_surrogate /tags/0; lone_surrogate /zz");
}

TEST_CASE("decode_adds_to_the_diagnostics_it_is_given", "[json]") {
    record target;
    json::diagnostics notes;
    notes.add({bend::coerced, "/before", ""});
    CHECK(json::decode(R"({"count":"1","name":"\ud83d"})", target, {}, notes));
    REQUIRE(notes.size() == 3);
    CHECK(notes[0].pointer == "/before");
    CHECK(notes[1].pointer == "/count");
    CHECK(notes[2].what == bend::lone_surrogate);
    CHECK(notes[2].pointer == "/name");
}

TEST_CASE("decode_keeps_invalid_utf8_unless_strict", "[json]") {
    CHECK(read("{\"name\":\"a\xff\xc3z\"}").value.name == "a\xff\xc3z");
    record target;
    json::decode_options strict;
    strict.strict = true;
    CHECK(json::decode("{\"name\":\"a\xff\"}", target, strict).code == errc::unexpected_content);
}

// Variants

TEST_CASE("decode_chooses_the_alternative_of_a_scalar_by_its_kind", "[json]") {
    CHECK(std::get<double>(*read(R"({"order": 5})").value.order) == 5.0);
    CHECK(std::get<std::string>(*read(R"({"order": "5"})").value.order) == "5");
    auto const r = read(R"({"order": true})");
    CHECK(std::get<std::string>(*r.value.order) == "true");
    CHECK(r.bent() == "coerced /order");
}

TEST_CASE("decode_chooses_the_alternative_whose_enumeration_knows_the_text", "[json]") {
    auto const mail = read(R"({"content": {"type": "email", "body": "b", "zz": 1}})");
    CHECK(mail.notes.empty());
    auto const& content = std::get<model::email_template>(*mail.value.content);
    CHECK(content.body == "b");
    CHECK(content.unknown_fields.at("zz") == 1);
    auto const sms = read(R"({"content": {"body": "b", "type": "sms"}})");
    CHECK(std::holds_alternative<model::sms_template>(*sms.value.content));
}

TEST_CASE("decode_chooses_the_alternative_whose_required_members_are_there", "[json]") {
    auto const first = read(R"({"outcome": {"verified": "true"}})");
    CHECK(std::get<model::verified>(*first.value.outcome).done == true);
    CHECK(first.bent() == "coerced /outcome/verified");
    auto const second = read(R"({"outcome": {"risk": "low", "result": "ok"}})");
    CHECK(std::get<model::assessed>(*second.value.outcome).risk == "low");
    // Without one of the required members: the alternative that has the others.
    auto const neither = read(R"({"outcome": {"risk": "low"}})");
    CHECK(std::get<model::assessed>(*neither.value.outcome).risk == "low");
    CHECK(neither.notes[0].what == bend::unknown_alternative);
    CHECK(neither.notes[0].pointer == "/outcome");
}

TEST_CASE("decode_chooses_the_alternative_by_the_kind_of_json", "[json]") {
    CHECK(std::get<0>(*read(R"({"loose": "x"})").value.loose) == "x");
    auto const list = read(R"({"loose": [{"x": 1}, {"y": 2}]})");
    CHECK(list.notes.empty());
    CHECK(std::get<1>(*list.value.loose).at(1).y == 2.0);
    auto const object = read(R"({"loose": {"k": [1]}})");
    CHECK(object.notes.empty());
    CHECK(std::get<2>(*object.value.loose).at("k").is_array());
}

TEST_CASE("decode_leaves_a_variant_absent_when_no_alternative_is_of_the_kind", "[json]") {
    auto const r = read(R"({"outcome": [1], "order": {"a": 1}, "content": 5})");
    CHECK_FALSE(r.value.outcome);
    CHECK_FALSE(r.value.order);
    CHECK_FALSE(r.value.content);
    CHECK(r.bent() == "wrong_kind /outcome; wrong_kind /order; wrong_kind /content");
    CHECK(r.value.unknown_fields.size() == 3);
}

TEST_CASE("decode_gives_the_pointer_of_a_difference_within_a_variant", "[json]") {
    auto const r = read(R"({"children": [{"loose": [{"x": 1}, {"x": "?"}], "name": 5}]})");
    CHECK(r.bent() == "wrong_kind /children/0/loose/1/x; coerced /children/0/name");
    CHECK(std::get<1>(*r.value.children.at(0).loose).at(1).unknown_fields.at("x") == "?");
}

// Failures

TEST_CASE("decode_fails_on_text_that_is_not_json", "[json]") {
    for (std::string_view const text :
         {"<html>", "{", "{\"name\":", "{\"name\":\"n\"", "{\"name\":\"n\"}}", "{\"name\":\"n\"} x",
          "[1,]", "nul", "{\"children\":[{\"name\":\"\\u12\"}]}", "{'name':1}", "\"open",
          "{\"zz\":[1,2"}) {
        INFO(text);
        record target;
        auto const result = json::decode(text, target);
        CHECK_FALSE(result);
        CHECK(result.code == errc::unexpected_content);
        CHECK_FALSE(result.text.empty());
    }
}

TEST_CASE("decode_failure_tells_offset_and_pointer", "[json]") {
    record target;
    auto const result = json::decode(R"({"children": [{"name": "a"}, {"count": 1x}]})", target);
    CHECK(result.code == errc::unexpected_content);
    CHECK(result.pointer == "/children/1");
    CHECK(result.offset == 40);
    CHECK(result.text == "syntax error at /children/1, offset 40");
    // What was read before is there, and the target is usable.
    CHECK(target.children.at(0).name == "a");
    record const copy = target;
    CHECK(copy.children.size() == 2);
}

TEST_CASE("decode_bounds_the_depth", "[json]") {
    json::decode_options options;
    options.max_depth = 10;
    auto const nested = [](int levels) {
        return repeated(R"({"children":[)", levels) + repeated("]}", levels);
    };
    record target;
    CHECK(json::decode(nested(5), target, options));
    CHECK(json::decode(nested(6), target, options).code == errc::unexpected_content);
    json::value any;
    CHECK(json::decode(repeated("[", 10) + repeated("]", 10), any, options));
    CHECK(json::decode(repeated("[", 100000), any).code == errc::unexpected_content);
    CHECK(json::decode(repeated(R"({"zz":)", 100000), target).code == errc::unexpected_content);
}

TEST_CASE("decode_reads_an_object_of_many_keys_in_linear_time", "[json]") {
    // Quadratic, this would take minutes.
    int const many = 200000;
    std::string text = "{";
    for (int i = 0; i < many; ++i)
        text += '"' + std::to_string(i) + "\":1,";
    text.back() = '}';
    json::map<std::int64_t> target;
    REQUIRE(json::decode(text, target));
    CHECK(target.size() == std::size_t{many});
}

TEST_CASE("decode_reads_deep_data_within_the_bound", "[json]") {
    int const levels = 500;
    json::decode_options options;
    options.max_depth = 2 * levels;
    record target;
    REQUIRE(json::decode(
        repeated(R"({"children":[)", levels) + repeated("]}", levels), target, options));
    int depth = 0;
    for (const record* at = &target; !at->children.empty(); at = &at->children.front())
        ++depth;
    CHECK(depth == levels - 1);
}

TEST_CASE("strict_decode_takes_what_fits", "[json]") {
    json::decode_options options;
    options.strict = true;
    auto const r = read(
        R"({"name": "n", "count": 5.0, "note": null, "tags": null, "zz": {"a": 1},
            "tint": "red", "content": {"type": "sms"}})",
        options);
    CHECK(r.notes.empty());
    CHECK(r.value.unknown_fields.contains("zz"));
}

TEST_CASE("strict_decode_refuses_every_bend_with_its_pointer", "[json]") {
    struct refusal {
        std::string_view text;
        std::string_view pointer;
        std::string_view what;
    };
    refusal const refusals[] = {
        {R"({"count": "5"})", "/count", "coerced"},
        {R"({"name": 5})", "/name", "coerced"},
        {R"({"flag": ""})", "/flag", "coerced"},
        {R"({"numbers": [1, 2.5]})", "/numbers/1", "fractional"},
        {R"({"numbers": [9223372036854775808]})", "/numbers/0", "out_of_range"},
        {R"({"spot": [1]})", "/spot", "wrong_kind"},
        {R"({"name": {}})", "/name", "wrong_kind"},
        {R"({"tags": "a"})", "/tags", "single_element"},
        {R"({"path": {"x": 1}})", "/path", "single_element"},
        {R"({"tags": [null]})", "/tags/0", "null_element"},
        {R"({"name": "a", "name": "b"})", "/name", "duplicate_key"},
        {R"({"labels": {"a": "1", "a": "2"}})", "/labels/a", "duplicate_key"},
        {R"({"tint": "mauve"})", "/tint", "unknown_enumerator"},
        {R"({"outcome": {"zz": 1}})", "/outcome", "unknown_alternative"},
        {R"({"loose": [{"x": "1"}]})", "/loose/0/x", "coerced"},
        {"", "", "empty_text"},
    };
    for (auto const& r : refusals) {
        INFO(r.text);
        auto const result = refuse(r.text);
        CHECK(result.pointer == r.pointer);
        CHECK(result.text.substr(0, r.what.size()) == r.what);
    }
}

TEST_CASE("strict_decode_refuses_missing_members_and_unknown_ones_on_request", "[json]") {
    json::decode_options options;
    options.strict = true;
    model::verified target;
    auto const missing = json::decode("{}", target, options);
    CHECK(missing.code == errc::decode_failed);
    CHECK(missing.pointer == "/verified");
    CHECK(json::decode(R"({"verified": true, "zz": 1})", target, options));
    options.report_unknown_fields = true;
    auto const unknown = json::decode(R"({"verified": true, "zz": 1})", target, options);
    CHECK(unknown.code == errc::decode_failed);
    CHECK(unknown.pointer == "/zz");
    CHECK(json::decode(json::value("text"), target, options).code == errc::decode_failed);
}

TEST_CASE("strict_decode_refuses_halves_of_surrogate_pairs", "[json]") {
    json::decode_options options;
    options.strict = true;
    record target;
    CHECK(json::decode(R"({"name":"\ud83d"})", target, options).code == errc::unexpected_content);
}

} // namespace json_decode_tests
