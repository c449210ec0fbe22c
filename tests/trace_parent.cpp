// SPDX-License-Identifier: BSL-1.0
//
// The traceparent header: what is taken, what is refused, and what a child shares.

#include "support/catch.hpp"

#include <highlevel/trace_parent.hpp>

#include <string>
#include <string_view>

namespace trace_parent_tests {

using highlevel::trace_parent;

namespace {

// The example of the standard.
constexpr std::string_view example = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

} // namespace

TEST_CASE("a_traceparent_is_read_and_written", "[client][trace_parent]") {
    auto const got = trace_parent::parse(example);
    REQUIRE(got);
    CHECK(got->trace_id() == "0af7651916cd43dd8448eb211c80319c");
    CHECK(got->span_id() == "b7ad6b7169203331");
    CHECK(got->sampled());
    CHECK(got->text() == example);
    auto const unrecorded =
        trace_parent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
    REQUIRE(unrecorded);
    CHECK_FALSE(unrecorded->sampled());
}

TEST_CASE("what_is_no_traceparent_is_refused", "[client][trace_parent]") {
    for (auto const* text :
         {"", "00", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-011",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
          "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-00000000000000000000000000000000-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
          "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319cxb7ad6b7169203331-01",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0g",
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n",
          "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more"}) {
        INFO(text);
        CHECK_FALSE(trace_parent::parse(text));
    }
}

TEST_CASE("a_later_version_counts_as_far_as_it_is_known", "[client][trace_parent]") {
    for (auto const* text :
         {"cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-comes"}) {
        auto const got = trace_parent::parse(text);
        REQUIRE(got);
        CHECK(got->text() == example);
    }
}

TEST_CASE("flags_that_are_not_known_are_cleared", "[client][trace_parent]") {
    auto const got = trace_parent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-ff");
    REQUIRE(got);
    CHECK(got->text().ends_with("-03"));
}

TEST_CASE("a_child_is_of_the_same_trace_with_a_span_of_its_own", "[client][trace_parent]") {
    auto const parent = trace_parent::random(false);
    auto const child = parent.child();
    CHECK(child.trace_id() == parent.trace_id());
    CHECK(child.span_id() != parent.span_id());
    CHECK_FALSE(child.sampled());
    CHECK(trace_parent::random().sampled());
    CHECK(trace_parent::parse(child.text()) == child);
    CHECK(trace_parent::random().trace_id() != parent.trace_id());
}

} // namespace trace_parent_tests
