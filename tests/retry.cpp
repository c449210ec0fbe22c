// SPDX-License-Identifier: BSL-1.0
//
// The retry decisions, driven without a clock.

#include "support/catch.hpp"

#include <highlevel/retry.hpp>

namespace retry_tests {

using highlevel::attempt_outcome;
using highlevel::method;
using highlevel::retry_budget;
using highlevel::retry_mode;
using highlevel::retry_options;
using highlevel::retry_policy;
using verdict = highlevel::retry_policy::verdict;
using std::chrono::milliseconds;

namespace {

attempt_outcome status(unsigned code) {
    attempt_outcome o;
    o.status = code;
    return o;
}

attempt_outcome lost(bool surely_not_processed) {
    attempt_outcome o;
    o.surely_not_processed = surely_not_processed;
    return o;
}

verdict first_verdict(method verb, const attempt_outcome& o, retry_mode mode = {}) {
    retry_options const options;
    retry_budget budget{options.budget};
    retry_policy policy{options, budget, verb, mode};
    return policy.failed(o, 0.5).what;
}

} // namespace

TEST_CASE("get_and_delete_are_repeated_after_5xx_and_lost_connections", "[client]") {
    for (auto const verb : {method::get, method::delete_, method::head}) {
        CHECK(first_verdict(verb, status(500)) == verdict::pause);
        CHECK(first_verdict(verb, status(503)) == verdict::pause);
        CHECK(first_verdict(verb, lost(false)) == verdict::pause);
    }
}

TEST_CASE("post_put_and_patch_are_not_sent_twice", "[client]") {
    for (auto const verb : {method::post, method::put, method::patch}) {
        CHECK(first_verdict(verb, status(500)) == verdict::give_up);
        CHECK(first_verdict(verb, status(503)) == verdict::give_up);
        CHECK(first_verdict(verb, lost(false)) == verdict::give_up);
    }
}

TEST_CASE("a_stale_connection_costs_neither_a_pause_nor_the_budget", "[client]") {
    retry_options options;
    options.budget = 0;
    retry_budget budget{options.budget};
    attempt_outcome stale = lost(false);
    stale.stale = true;
    retry_policy policy{options, budget, method::get, {}};
    CHECK(policy.repeats());
    auto const decided = policy.failed(stale, 0.5);
    CHECK(decided.what == verdict::pause);
    CHECK(decided.delay == milliseconds{0});
    // The budget is what holds any other back.
    CHECK(policy.failed(lost(false), 0.5).what == verdict::give_up);
}

TEST_CASE("only_what_has_an_attempt_left_and_may_be_sent_twice_repeats", "[client]") {
    retry_options const options;
    retry_budget budget{options.budget};
    CHECK_FALSE(retry_policy{options, budget, method::post, {}}.repeats());
    CHECK_FALSE(retry_policy{options, budget, method::get, retry_mode::never}.repeats());
    CHECK_FALSE(retry_policy{options, budget, method::get, {}, 1}.repeats());
    retry_policy twice{options, budget, method::get, {}, 2};
    CHECK(twice.repeats());
    // What was refused for its rate is no attempt of these.
    CHECK(twice.failed(status(429), 0.5).what == verdict::requeue);
    CHECK(twice.repeats());
    CHECK(twice.failed(lost(false), 0.5).what == verdict::pause);
    CHECK_FALSE(twice.repeats());
}

TEST_CASE("any_method_is_repeated_when_the_server_surely_did_nothing", "[client]") {
    CHECK(first_verdict(method::post, lost(true)) == verdict::pause);
    CHECK(first_verdict(method::post, status(429)) == verdict::requeue);
    CHECK(first_verdict(method::get, status(429)) == verdict::requeue);
}

TEST_CASE("the_caller_may_opt_in_to_repeating_a_post_or_out_of_any_retry", "[client]") {
    CHECK(first_verdict(method::post, status(502), retry_mode::always) == verdict::pause);
    CHECK(first_verdict(method::get, status(502), retry_mode::never) == verdict::give_up);
    CHECK(first_verdict(method::get, status(429), retry_mode::never) == verdict::give_up);
}

TEST_CASE("refusals_and_final_errors_stand", "[client]") {
    for (auto const code : {400U, 401U, 403U, 404U, 409U, 422U})
        CHECK(first_verdict(method::get, status(code)) == verdict::give_up);
    auto outcome = lost(true);
    outcome.final = true;
    CHECK(first_verdict(method::get, outcome) == verdict::give_up);
    outcome = status(429);
    outcome.final = true;
    CHECK(first_verdict(method::get, outcome) == verdict::give_up);
}

TEST_CASE("a_gateway_timeout_in_other_clothes_counts_as_5xx", "[client]") {
    auto outcome = status(401);
    outcome.dressed_timeout = true;
    CHECK(first_verdict(method::get, outcome) == verdict::pause);
    CHECK(first_verdict(method::post, outcome) == verdict::give_up);
}

TEST_CASE("attempts_are_bounded", "[client]") {
    retry_options options;
    options.max_attempts = 3;
    retry_budget budget{options.budget};
    retry_policy policy{options, budget, method::get, retry_mode::automatic};
    CHECK(policy.failed(status(500), 0).what == verdict::pause);
    CHECK(policy.failed(status(500), 0).what == verdict::pause);
    CHECK(policy.failed(status(500), 0).what == verdict::give_up);
    CHECK(policy.attempts() == 3);
}

TEST_CASE("rate_limited_attempts_have_a_bound_of_their_own", "[client]") {
    retry_options options;
    options.max_attempts = 1;
    options.max_rate_limited = 3;
    retry_budget budget{0};
    retry_policy policy{options, budget, method::post, retry_mode::automatic};
    CHECK(policy.failed(status(429), 0).what == verdict::requeue);
    CHECK(policy.failed(status(429), 0).what == verdict::requeue);
    CHECK(policy.failed(status(429), 0).what == verdict::give_up);
}

TEST_CASE("the_pause_is_a_random_part_of_a_doubling_bound", "[client]") {
    retry_options options;
    options.max_attempts = 10;
    options.base_delay = milliseconds{100};
    options.max_delay = milliseconds{1000};
    retry_budget budget{options.budget};
    retry_policy policy{options, budget, method::get, retry_mode::automatic};
    CHECK(policy.failed(status(500), 0.5).delay == milliseconds{50});
    CHECK(policy.failed(status(500), 0.5).delay == milliseconds{100});
    CHECK(policy.failed(status(500), 0.0).delay == milliseconds{0});
    CHECK(policy.failed(status(500), 0.5).delay == milliseconds{400});
    CHECK(policy.failed(status(500), 0.5).delay == milliseconds{500});
    CHECK(policy.failed(status(500), 0.5).delay == milliseconds{500});
}

TEST_CASE("retry_after_comes_before_the_random_part", "[client]") {
    retry_options const options;
    retry_budget budget{options.budget};
    retry_policy policy{options, budget, method::get, retry_mode::automatic};
    auto outcome = status(503);
    outcome.retry_after = milliseconds{7000};
    // Everybody was asked for the same pause, and should not come back in the same moment.
    CHECK(policy.failed(outcome, 0.5).delay == milliseconds{7125});
    CHECK(policy.failed(outcome, 0.5).delay == milliseconds{7250});
}

TEST_CASE("a_pause_beyond_the_deadline_is_not_begun_and_costs_no_budget", "[client]") {
    retry_options options;
    options.base_delay = milliseconds{100};
    retry_budget budget{1};
    retry_policy policy{options, budget, method::get, retry_mode::automatic};
    auto outcome = status(503);
    outcome.time_left = milliseconds{50};
    CHECK(policy.failed(outcome, 0.5).what == verdict::give_up);
    outcome.time_left = milliseconds{-5};
    CHECK(policy.failed(outcome, 0.0).what == verdict::give_up);
    outcome.time_left = milliseconds{1000};
    CHECK(policy.failed(outcome, 0.5).what == verdict::pause);
}

TEST_CASE("what_never_went_to_the_network_costs_no_budget", "[client]") {
    retry_options const options;
    retry_budget budget{0};
    retry_policy policy{options, budget, method::post, retry_mode::automatic};
    auto outcome = lost(true);
    outcome.free = true;
    CHECK(policy.failed(outcome, 0.5).what == verdict::pause);
    outcome.free = false;
    CHECK(policy.failed(outcome, 0.5).what == verdict::give_up);
}

TEST_CASE("delays_of_any_length_are_taken", "[client]") {
    retry_options options;
    options.max_attempts = 40;
    options.base_delay = options.max_delay = milliseconds::max();
    retry_budget budget{options.budget};
    retry_policy policy{options, budget, method::get, retry_mode::automatic};
    auto outcome = status(503);
    outcome.retry_after = milliseconds::max();
    for (int i = 0; i < 30; ++i)
        CHECK(policy.failed(outcome, 0.9).delay > milliseconds{0});
}

TEST_CASE("an_outage_spends_the_budget_and_successes_earn_it_back", "[client]") {
    retry_options const options;
    retry_budget budget{2};
    auto const ask = [&] {
        retry_policy policy{options, budget, method::get, retry_mode::automatic};
        return policy.failed(status(500), 0).what;
    };
    CHECK(ask() == verdict::pause);
    CHECK(ask() == verdict::pause);
    CHECK(ask() == verdict::give_up);
    for (int i = 0; i < 9; ++i)
        budget.refill();
    CHECK(ask() == verdict::give_up);
    budget.refill();
    CHECK(ask() == verdict::pause);
    CHECK(ask() == verdict::give_up);
}

TEST_CASE("the_budget_never_exceeds_its_capacity", "[client]") {
    retry_budget budget{1};
    for (int i = 0; i < 100; ++i)
        budget.refill();
    CHECK(budget.take());
    CHECK_FALSE(budget.take());
}

TEST_CASE("retry_options_name_the_field_that_cannot_be_used", "[client]") {
    retry_options options;
    options.max_attempts = 0;
    CHECK_THROWS_WITH(options.validate(), test::contains("retry.max_attempts"));
    options = {};
    options.max_delay = milliseconds{1};
    CHECK_THROWS_WITH(options.validate(), test::contains("retry.max_delay"));
}

} // namespace retry_tests
