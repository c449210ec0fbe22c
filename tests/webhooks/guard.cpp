// SPDX-License-Identifier: BSL-1.0
//
// The guard: each reason to refuse a delivery, their order, and what is remembered.
#include "support/catch.hpp"
#include "webhooks/support.hpp"

#include <highlevel/webhooks/guard.hpp>

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace webhooks_guard_tests {

namespace webhooks = highlevel::webhooks;
using namespace std::chrono_literals;
using test::note;
using test::now;
using webhooks::guard;
using webhooks::guard_options;
using webhooks::outcome;

namespace {

guard_options settings() {
    guard_options options;
    options.signing = test::own_keys();
    return options;
}

webhooks::verdict check(const guard& g, std::string_view body, test::wall_time at = now) {
    auto const signature = test::signer().sign_ed25519(body);
    return g.check(body, {signature, std::nullopt}, at);
}

webhooks::verdict claim(const guard& g, std::string_view body, test::wall_time at = now) {
    auto const signature = test::signer().sign_ed25519(body);
    return g.claim(body, {signature, std::nullopt}, at);
}

} // namespace

TEST_CASE("a_signed_fresh_and_new_delivery_is_accepted_once", "[webhooks]") {
    guard const g{settings()};
    auto const first = check(g, note("a"));
    CHECK(first.outcome == outcome::accepted);
    CHECK(first.head.webhook_id == "a");
    CHECK(first.signature.matched == webhooks::scheme::ed25519);
    CHECK(check(g, note("a")).outcome == outcome::duplicate);
    // The id counts, not the rest of the body.
    CHECK(check(g, note("a", now + 1s)).outcome == outcome::duplicate);
    CHECK(check(g, note("b")).outcome == outcome::accepted);
}

TEST_CASE("a_delivery_without_an_id_is_known_by_its_body", "[webhooks]") {
    guard const g{settings()};
    std::string const body =
        R"({"contactId":"c","messageId":"m","type":"SMS","attachments":[],"locationId":"l"})";
    CHECK(check(g, body).outcome == outcome::accepted);
    CHECK(check(g, body).outcome == outcome::duplicate);
    CHECK(check(g, body + " ").outcome == outcome::accepted);
    CHECK(check(g, body, now + 23h).outcome == outcome::duplicate);
}

TEST_CASE("what_is_claimed_is_busy_until_it_is_committed_or_released", "[webhooks]") {
    guard const g{settings()};
    auto const first = claim(g, note("a"));
    REQUIRE(first);
    CHECK(check(g, note("a")).outcome == outcome::busy);
    CHECK(check(g, note("b")).outcome == outcome::accepted);
    g.release(first);
    auto const second = claim(g, note("a"), now + 1s);
    REQUIRE(second);
    g.release(first); // no longer its claim
    CHECK(check(g, note("a"), now + 1s).outcome == outcome::busy);
    g.commit(second, now + 1s);
    CHECK(check(g, note("a"), now + 1s).outcome == outcome::duplicate);
    // Whoever ended in between did not take the event along.
    REQUIRE(claim(g, note("c")));
    CHECK(check(g, note("c"), now + 59s).outcome == outcome::busy);
    CHECK(check(g, note("c"), now + 60s).outcome == outcome::accepted);
}

TEST_CASE("what_came_in_time_and_was_not_kept_does_not_grow_old", "[webhooks]") {
    guard const g{settings()};
    g.release(claim(g, note("a")));
    auto const again = claim(g, note("a"), now + 10min);
    CHECK(again.outcome == outcome::accepted);
    g.release(again);
    CHECK(check(g, note("a"), now + 23h).outcome == outcome::accepted);
    CHECK(check(g, note("a"), now + 24h).outcome == outcome::duplicate);
    // What nobody ever saw does, and so does what was kept.
    CHECK(check(g, note("b"), now + 10min).outcome == outcome::stale);
    CHECK(check(g, note("c")).outcome == outcome::accepted);
    CHECK(check(g, note("c"), now + 10min).outcome == outcome::stale);
    // Not for ever.
    g.release(claim(g, note("d")));
    CHECK(check(g, note("d"), now + 24h).outcome == outcome::stale);
    // Not if it is not wanted.
    auto options = settings();
    options.retry_window = 0s;
    guard const strict{options};
    strict.release(claim(strict, note("a")));
    CHECK(check(strict, note("a"), now + 1s).outcome == outcome::accepted);
    strict.release(claim(strict, note("b")));
    CHECK(check(strict, note("b"), now + 301s).outcome == outcome::stale);
}

TEST_CASE("a_body_that_says_neither_when_nor_which_is_no_proof_of_a_repetition", "[webhooks]") {
    guard const g{settings()};
    // As documented: installed, removed, installed and removed again gives the same twice.
    for (std::string const body :
         {R"({"type":"UNINSTALL","appId":"app","locationId":"loc"})",
          R"({"type":"INSTALL","appId":"app","locationId":"loc","companyId":"comp"})",
          R"({"type":"PLAN_CHANGE","appId":"app","locationId":"loc","newPlanId":"p"})"}) {
        auto const first = claim(g, body);
        CHECK(first.outcome == outcome::accepted);
        CHECK_FALSE(first.key);
        g.commit(first, now);
        CHECK(check(g, body).outcome == outcome::accepted);
    }
    // With an id or a time it is one event.
    std::string const named = R"({"type":"UNINSTALL","appId":"app","webhookId":"u"})";
    CHECK(check(g, named).outcome == outcome::accepted);
    CHECK(check(g, named, now + 1h).outcome == outcome::duplicate);
    auto const timed =
        R"({"type":"UNINSTALL","appId":"app","timestamp":")" + test::time_text(now) + R"("})";
    CHECK(check(g, timed).outcome == outcome::accepted);
    CHECK(check(g, timed).outcome == outcome::duplicate);
    // Other records may return to what they were, but not at once.
    std::string const tagged = R"({"type":"ContactTagUpdate","id":"c","tags":["vip"]})";
    CHECK(check(g, tagged).outcome == outcome::accepted);
    CHECK(check(g, tagged, now + 299s).outcome == outcome::duplicate);
    CHECK(check(g, tagged, now + 300s).outcome == outcome::accepted);
}

TEST_CASE("a_time_that_cannot_be_read_is_not_taken_for_none", "[webhooks]") {
    guard const g{settings()};
    for (auto const* time :
         {R"("soon")", R"("24/11/2026")", R"("-1")", "-1", "1e300", R"("9999999999999999999")",
          R"({"at":1})", "[1]", "true"}) {
        INFO(time);
        auto const body =
            R"({"type":"NoteCreate","webhookId":"x","timestamp":)" + std::string{time} + "}";
        auto const found = check(g, body).outcome;
        CHECK((found == outcome::malformed || found == outcome::stale));
    }
    auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch());
    auto const at = [](auto n, const char* id) {
        return R"({"webhookId":")" + std::string{id} + R"(","timestamp":)" + std::to_string(n) +
            "}";
    };
    CHECK(check(g, at(seconds.count(), "a")).outcome == outcome::accepted);
    CHECK(check(g, at(seconds.count() - 301, "b")).outcome == outcome::stale);
    CHECK(check(g, at(seconds.count() * 1000, "c")).outcome == outcome::accepted);
    CHECK(check(g, at((seconds.count() - 301) * 1000, "d")).outcome == outcome::stale);
    CHECK(check(g, R"({"webhookId":"e","timestamp":null})").outcome == outcome::accepted);
}

TEST_CASE("the_signature_is_looked_at_before_anything_else", "[webhooks]") {
    guard const g{settings()};
    CHECK(g.check("not json", {std::nullopt, std::nullopt}, now).outcome == outcome::not_signed);
    CHECK(g.check("not json", {"N/A", std::nullopt}, now).outcome == outcome::not_signed);
    CHECK(g.check("not json", {"AAAA", std::nullopt}, now).outcome == outcome::bad_signature);
    auto const wrong =
        g.check(note("a", now - 1h), {test::signer().sign_ed25519("x"), std::nullopt}, now);
    CHECK(wrong.outcome == outcome::bad_signature);
    CHECK(wrong.head.webhook_id.empty());
    CHECK(check(g, "not json").outcome == outcome::malformed);
    CHECK(check(g, "[]").outcome == outcome::malformed);
    CHECK(check(g, "").outcome == outcome::malformed);
    // None of these was remembered.
    CHECK(check(g, note("a")).outcome == outcome::accepted);
}

TEST_CASE("age_is_bounded_on_both_sides", "[webhooks]") {
    guard const g{settings()};
    CHECK(check(g, note("old", now - 301s)).outcome == outcome::stale);
    CHECK(check(g, note("young", now - 300s)).outcome == outcome::accepted);
    CHECK(check(g, note("ahead", now + 60s)).outcome == outcome::accepted);
    CHECK(check(g, note("future", now + 61s)).outcome == outcome::stale);
    auto any = settings();
    any.freshness = 0s;
    guard const ageless{any};
    CHECK(check(ageless, note("old", now - 24h * 365)).outcome == outcome::accepted);
    auto strict = settings();
    strict.require_timestamp = true;
    guard const with_time{strict};
    CHECK(check(with_time, R"({"type":"NoteCreate","webhookId":"x"})").outcome == outcome::stale);
    CHECK(check(with_time, R"({"timestamp":null,"webhookId":"x"})").outcome == outcome::stale);
    CHECK(check(g, R"({"type":"NoteCreate","webhookId":"x"})").outcome == outcome::accepted);
}

TEST_CASE("a_delivery_is_remembered_for_as_long_as_it_would_be_fresh", "[webhooks]") {
    guard const g{settings()};
    for (auto const at : {now - 300s, now, now + 60s}) {
        auto const body = note(test::time_text(at), at);
        auto const signature = test::signer().sign_ed25519(body);
        auto const found = [&](test::wall_time when) {
            return g.check(body, {signature, std::nullopt}, when).outcome;
        };
        REQUIRE(found(now) == outcome::accepted);
        // Not a moment in which neither memory nor age would refuse it: memory up to the end of
        // its freshness, and age from then on.
        auto const old = at + 300s;
        for (auto when = std::max(now, old - 3s); when <= old; when += 250ms)
            CHECK(found(when) == outcome::duplicate);
        for (auto when = old + 1ms; when < old + 2s; when += 250ms)
            CHECK(found(when) != outcome::accepted);
        CHECK(found(old + 2s) == outcome::stale);
    }
}

TEST_CASE("events_of_other_apps_are_refused_when_apps_are_named", "[webhooks]") {
    auto options = settings();
    options.app_ids = {"other", "app"};
    guard const g{options};
    CHECK(check(g, note("a")).outcome == outcome::accepted);
    CHECK(check(g, R"({"appId":"foreign","webhookId":"b"})").outcome == outcome::wrong_app);
    CHECK(check(g, R"({"webhookId":"c"})").outcome == outcome::wrong_app);
    options.allow_missing_app_id = true;
    guard const lax{options};
    CHECK(check(lax, R"({"webhookId":"c"})").outcome == outcome::accepted);
    CHECK(check(lax, R"({"appId":"foreign","webhookId":"b"})").outcome == outcome::wrong_app);
    CHECK(check(guard{settings()}, R"({"appId":"foreign"})").outcome == outcome::accepted);
}

TEST_CASE("length_and_depth_are_bounded", "[webhooks]") {
    auto options = settings();
    options.max_body = 100;
    options.max_depth = 4;
    guard const g{options};
    std::string const long_body(101, ' ');
    auto const found = g.check(long_body, {std::nullopt, std::nullopt}, now);
    CHECK(found.outcome == outcome::malformed);
    CHECK(found.too_large);
    CHECK(check(g, R"({"a":[[[]]]})").outcome == outcome::accepted);
    auto const deep = check(g, R"({"a":[[[[]]]]})");
    CHECK(deep.outcome == outcome::malformed);
    CHECK_FALSE(deep.too_large);
}

TEST_CASE("a_store_can_be_shared_and_replaced", "[webhooks]") {
    auto options = settings();
    options.seen = std::make_shared<webhooks::memory_replay_store>(16);
    guard const one{options};
    guard const two{options};
    CHECK(check(one, note("a")).outcome == outcome::accepted);
    CHECK(check(two, note("a")).outcome == outcome::duplicate);
}

TEST_CASE("options_that_make_no_sense_are_named", "[webhooks]") {
    auto const complains = [](auto change, const char* field) {
        guard_options options;
        change(options);
        CHECK_THROWS_WITH(guard{options}, test::contains(field));
    };
    complains([](auto& o) { o.freshness = -1s; }, "freshness");
    complains([](auto& o) { o.clock_skew = std::chrono::seconds::max(); }, "clock_skew");
    complains([](auto& o) { o.remember = -1s; }, "remember");
    complains([](auto& o) { o.retry_window = -1s; }, "retry_window");
    complains([](auto& o) { o.claim_time = 0s; }, "claim_time");
    complains([](auto& o) { o.max_body = 0; }, "max_body");
    complains([](auto& o) { o.max_depth = 0; }, "max_depth");
}

TEST_CASE("outcomes_have_names", "[webhooks]") {
    CHECK(to_string(outcome::not_signed) == "unsigned");
    CHECK(to_string(outcome::wrong_app) == "wrong_app");
    CHECK(to_string(outcome::busy) == "busy");
    CHECK(static_cast<std::size_t>(outcome::busy) + 1 == webhooks::outcome_count);
}

} // namespace webhooks_guard_tests
