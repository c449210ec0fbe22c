// SPDX-License-Identifier: BSL-1.0
//
// What is encoded decodes to the same again, for made-up values, and nothing that text can be
// makes the decoder do worse than refuse. Both are random with a fixed seed.
#include "json/model.hpp"
#include "support/catch.hpp"

#include <highlevel/json/decode.hpp>
#include <highlevel/json/encode.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace json_round_trip_tests {

namespace json = highlevel::json;
using model::record;

namespace {

class maker {
public:
    explicit maker(std::uint32_t seed) : random_(seed) {}

    // Not std::uniform_int_distribution, whose results differ between libraries.
    std::uint64_t number(std::uint64_t below) { return random_() % below; }
    bool chance(std::uint64_t percent) { return number(100) < percent; }

    std::int64_t integer() {
        auto const bits = random_();
        return static_cast<std::int64_t>(bits >> number(64));
    }

    double real() {
        if (chance(30)) return static_cast<double>(integer()) / 8;
        for (;;) {
            auto const made = std::bit_cast<double>(random_());
            if (std::isfinite(made)) return made;
        }
    }

    std::string text() {
        static constexpr std::string_view parts[] = {
            "a",
            "Z",
            "0",
            "\"",
            "\\",
            "/",
            "\n",
            "\x01",
            "\u00e9",
            "\u20ac",
            "\U0001F600",
            " ",
            "some longer words",
            "\u2028",
            "{}",
            "null"};
        std::string made;
        for (auto n = number(12); n != 0; --n)
            made += parts[number(std::size(parts))];
        return made;
    }

    json::value any(int depth) {
        switch (number(depth > 0 ? 8 : 6)) {
        case 0: return nullptr;
        case 1: return chance(50);
        case 2: return integer();
        case 3: return std::uint64_t{1} << 63U | random_();
        case 4: return real();
        case 5: return json::value(text().c_str());
        case 6: {
            json::array list;
            for (auto n = number(4); n != 0; --n)
                list.push_back(any(depth - 1));
            return list;
        }
        default: return bag(depth);
        }
    }

    json::object bag(int depth) {
        json::object made;
        for (auto n = number(4); n != 0; --n)
            made["u" + text()] = any(depth - 1);
        return made;
    }

    model::point point() {
        model::point made;
        if (chance(60)) made.x = real();
        if (chance(60)) made.y = real();
        if (chance(20)) made.unknown_fields = bag(1);
        return made;
    }

    json::open_enum<model::color> tint() {
        if (chance(50)) return static_cast<model::color>(number(3));
        return "unknown" + text();
    }

    record make(int depth) {
        record r;
        if (chance(50)) r.name = text();
        if (chance(50)) r.count = integer();
        if (chance(50)) r.ratio = real();
        if (chance(50)) r.flag = chance(50);
        for (auto n = number(4); n != 0; --n)
            r.tags.push_back(text());
        for (auto n = number(4); n != 0; --n)
            r.numbers.push_back(integer());
        for (auto n = number(3); n != 0; --n)
            r.matrix.emplace_back(number(3), real());
        for (auto n = number(3); n != 0; --n)
            r.labels[text()] = text();
        for (auto n = number(3); n != 0; --n)
            r.places[text()] = point();
        for (auto n = number(3); n != 0; --n)
            r.series[text()].push_back(integer());
        if (chance(30)) r.note = text();
        if (chance(20)) r.note = nullptr;
        if (chance(30)) r.limit = integer();
        if (chance(20)) r.limit = nullptr;
        if (chance(30)) r.roles.emplace(number(3), text());
        if (chance(30)) r.home = point();
        if (chance(50)) r.tint = tint();
        for (auto n = number(3); n != 0; --n)
            r.palette.push_back(tint());
        if (chance(40)) r.spot = point();
        for (auto n = number(3); n != 0; --n)
            r.path.push_back(point());
        for (auto n = number(3); n != 0; --n)
            r.gaps.push_back(chance(50) ? std::optional<std::string>(text()) : std::nullopt);
        r.any = any(3);
        for (auto n = number(3); n != 0; --n)
            r.anys.push_back(any(2));
        r.free = bag(2);
        if (chance(30)) r.maybe_free = bag(1);
        if (chance(20)) r.order = real();
        if (chance(20)) r.order = text();
        if (chance(30)) {
            auto& made = r.content.emplace().emplace<model::email_template>();
            made.type = model::mail::email;
            made.body = text();
        }
        if (chance(30)) r.outcome.emplace().emplace<model::verified>().done = chance(50);
        if (chance(20)) r.loose = text();
        if (chance(20)) r.loose = std::vector<model::point>(1 + number(2), point());
        if (depth > 0)
            for (auto n = number(3); n != 0; --n)
                r.children.push_back(make(depth - 1));
        r.unknown_fields = bag(3);
        return r;
    }

private:
    std::mt19937_64 random_;
};

std::string encoded(const record& r) {
    std::string out;
    json::encode_options options;
    // What was decoded may lack anything.
    options.check_required = false;
    auto const result = json::encode(r, out, options);
    INFO(result.pointer << ' ' << result.text);
    REQUIRE(result);
    return out;
}

} // namespace

TEST_CASE("records_survive_encode_and_decode", "[json]") {
    maker make(20240301);
    for (int i = 0; i < 400; ++i) {
        auto const text = encoded(make.make(2));
        INFO(text);
        // Any other reader takes it too.
        REQUIRE(boost::json::parse({text.data(), text.size()}).is_object());

        record back;
        json::diagnostics notes;
        auto const result = json::decode(text, back, {}, notes);
        REQUIRE(result);
        for (auto const& note : notes)
            REQUIRE(note.what == json::bend::unknown_enumerator);
        REQUIRE(encoded(back) == text);

        json::value parsed;
        REQUIRE(json::decode(text, parsed));
        record replayed;
        json::diagnostics replay_notes;
        REQUIRE(json::decode(parsed, replayed, {}, replay_notes));
        REQUIRE(encoded(replayed) == text);
        REQUIRE(replay_notes.total() == notes.total());
    }
}

TEST_CASE("values_survive_encode_and_decode", "[json]") {
    maker make(7);
    for (int i = 0; i < 2000; ++i) {
        auto const from = make.any(5);
        std::string text;
        REQUIRE(json::encode(from, text));
        INFO(text);
        json::value back;
        REQUIRE(json::decode(text, back));
        REQUIRE(back == from);
    }
}

TEST_CASE("doubles_survive_encode_and_decode", "[json]") {
    maker make(11);
    std::vector<double> list;
    for (int i = 0; i < 5000; ++i)
        list.push_back(make.real());
    std::string text;
    REQUIRE(json::encode(list, text));
    std::vector<double> back;
    json::diagnostics notes;
    REQUIRE(json::decode(text, back, {}, notes));
    REQUIRE(notes.empty());
    REQUIRE(back == list);
}

// Any value for any member: decoding never fails, bends nothing outside the member, and its result
// can be written again.
TEST_CASE("members_of_any_kind_are_read_or_kept", "[json]") {
    maker make(99);
    auto const names = json::type_of<record>.fields();
    for (int i = 0; i < 4000; ++i) {
        auto const name = names[make.number(names.size())].name;
        auto const odd = make.any(3);
        json::object document;
        document["before"] = 1;
        document[name] = odd;
        document["after"] = "x";
        auto const text = boost::json::serialize(document);
        INFO(text);
        record r;
        json::diagnostics notes;
        REQUIRE(json::decode(text, r, {}, notes));
        REQUIRE(r.unknown_fields.at("before") == 1);
        REQUIRE(r.unknown_fields.at("after") == "x");
        for (auto const& note : notes)
            REQUIRE(note.pointer.substr(1, name.size()) == name);
        json::value parsed;
        REQUIRE(json::decode(text, parsed));
        record replayed;
        json::diagnostics replay_notes;
        REQUIRE(json::decode(parsed, replayed, {}, replay_notes));
        REQUIRE(replay_notes.total() == notes.total());
        // It can be written again, and then reads back without surprise.
        auto const again = encoded(r);
        record second;
        REQUIRE(json::decode(again, second));
        REQUIRE(encoded(second) == again);
    }
}

TEST_CASE("damaged_text_never_does_worse_than_fail", "[json]") {
    maker make(4711);
    std::size_t refused = 0;
    for (int i = 0; i < 4000; ++i) {
        auto text = encoded(make.make(1));
        for (auto n = 1 + make.number(3); n != 0 && !text.empty(); --n) {
            auto const at = make.number(text.size());
            switch (make.number(4)) {
            case 0: text.erase(at, 1 + make.number(5)); break;
            case 1: text.resize(at); break;
            case 2: text[at] = static_cast<char>(make.number(256)); break;
            default: text.insert(at, 1, R"({}[],:"\0)"[make.number(9)]); break;
            }
        }
        record r;
        json::diagnostics notes;
        json::decode_options options;
        options.strict = make.chance(50);
        auto const result = json::decode(text, r, options, notes);
        if (!result) ++refused;
        record const copy = r;
        REQUIRE(copy.tags.size() == r.tags.size());
    }
    CHECK(refused > 1000);
}

} // namespace json_round_trip_tests
