// SPDX-License-Identifier: BSL-1.0
//
// Every union of the description that became a std::variant: whatever the server leaves out, the
// data lands in the alternative that it was meant for.
#include "support/catch.hpp"

#include <highlevel/json/decode.hpp>
#include <highlevel/v2/ad_manager.hpp>
#include <highlevel/v2/conversation_ai.hpp>
#include <highlevel/v2/email_isv.hpp>
#include <highlevel/v2/voice_ai.hpp>
#include <highlevel/v3/ad_publishing.hpp>
#include <highlevel/v3/conversation_ai.hpp>
#include <highlevel/v3/email_isv.hpp>
#include <highlevel/v3/voice_ai.hpp>

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace generated_variants_tests {

namespace json = highlevel::json;

namespace {

const json::type& leaf_of(const json::type& type) {
    const json::type* at = &type;
    while (at->what == json::kind::optional || at->what == json::kind::nullable)
        at = at->inner;
    return *at;
}

/// JSON of that type with every member.
json::value sample(const json::type& type) {
    auto const& leaf = leaf_of(type);
    switch (leaf.what) {
    case json::kind::boolean: return true;
    case json::kind::integer:
    case json::kind::number: return 1;
    case json::kind::enumeration: {
        auto const text = leaf.names().front();
        return boost::json::string_view{text.data(), text.size()};
    }
    case json::kind::list: return json::array{sample(*leaf.inner)};
    case json::kind::map: return json::object{{"key", sample(*leaf.inner)}};
    case json::kind::object: return json::object{};
    case json::kind::variant: return sample(*leaf.alternatives[0]);
    case json::kind::structure: {
        json::object made;
        for (auto const& f : leaf.fields())
            made[{f.name.data(), f.name.size()}] = sample(*f.of);
        return made;
    }
    default: return "sample";
    }
}

std::set<std::string_view> names_in(const json::type& type, const json::value& v) {
    std::set<std::string_view> made;
    for (auto const& f : leaf_of(type).fields())
        if (v.get_object().contains({f.name.data(), f.name.size()})) made.insert(f.name);
    return made;
}

/// Which alternative the value of type `t` becomes.
std::size_t chosen(const json::type& t, const json::value& from, void* target) {
    json::diagnostics notes;
    REQUIRE(json::decode(from, t, target, {}, notes));
    return t.index(target);
}

/// Leaves one required member out of every alternative in turn.
template <class Variant>
void leave_out_one() {
    json::type const& t = json::type_of<Variant>;
    Variant target;
    for (std::size_t i = 0; i < t.alternatives.size(); ++i) {
        auto const whole = sample(*t.alternatives[i]);
        CHECK(chosen(t, whole, &target) == i);
        for (auto const& f : leaf_of(*t.alternatives[i]).fields()) {
            if (f.need != json::presence::required) continue;
            auto without = whole;
            without.get_object().erase({f.name.data(), f.name.size()});
            auto const which = chosen(t, without, &target);
            INFO("alternative " << i << " without " << f.name << " became " << which);
            // Another one is right where it takes every member that is left.
            CHECK(
                (which == i ||
                 names_in(*t.alternatives[which], without) ==
                     names_in(*t.alternatives[i], without)));
        }
    }
}

template <class T>
using held = typename T::value_type;

} // namespace

TEST_CASE("union_with_a_member_left_out_becomes_the_alternative_that_has_the_rest", "[generated]") {
    namespace v2 = highlevel::v2;
    namespace v3 = highlevel::v3;
    leave_out_one<held<decltype(v2::voice_ai::types::agent_action_response::action_parameters)>>();
    leave_out_one<held<decltype(v3::voice_ai::types::agent_action_response::action_parameters)>>();
    leave_out_one<held<decltype(v2::conversation_ai::types::create_action::details)>>();
    leave_out_one<held<decltype(v3::conversation_ai::types::create_action::details)>>();
    leave_out_one<held<decltype(v2::ad_manager::types::upsert_assets::payload)>>();
    leave_out_one<held<decltype(v3::ad_publishing::types::upsert_assets::payload)>>();
    leave_out_one<v2::email_isv::verify_email::response_type>();
    leave_out_one<v3::email_isv::verify_email::response_type>();
}

TEST_CASE("union_without_a_known_member_is_reported", "[generated]") {
    highlevel::v2::email_isv::verify_email::response_type target;
    json::diagnostics notes;
    REQUIRE(json::decode(json::value(json::object{{"x", 1}}), target, {}, notes));
    REQUIRE_FALSE(notes.empty());
    CHECK(notes[0].what == json::bend::unknown_alternative);
}

} // namespace generated_variants_tests
