// SPDX-License-Identifier: BSL-1.0
//
// The inbox: a request goes in, the right status comes out, and events come out once, in order, to
// whoever waits.
#include "support/catch.hpp"
#include "webhooks/support.hpp"

#include <highlevel/webhooks/inbox.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <cstddef>
#include <exception>
#include <stdexcept>
#include <string>
#include <vector>

namespace asio = boost::asio;
namespace http = highlevel::http;
namespace webhooks = highlevel::webhooks;
using namespace std::chrono_literals;
using test::note;
using test::post;
using webhooks::inbox;
using webhooks::inbox_options;
using webhooks::outcome;

namespace {

inbox_options settings() {
    inbox_options options;
    options.guard.signing = test::own_keys();
    options.now = [] { return test::now; };
    return options;
}

asio::awaitable<void> collect(inbox& from, std::vector<std::string>& ids) {
    while (auto event = co_await from.next())
        ids.push_back(event->head.webhook_id);
    ids.push_back("end");
}

} // namespace

TEST_CASE("each_outcome_has_its_status", "[webhooks]") {
    auto options = settings();
    options.path = "/hook";
    options.guard.app_ids = {"app"};
    options.guard.max_body = 1000;
    inbox box{options};
    CHECK(box.handle(post(note("a"))).status == 200);
    CHECK(box.handle(post(note("a"))).status == 200);
    CHECK(box.handle(post(note("old", test::now - 1h))).status == 400);
    CHECK(box.handle(post("[]")).status == 400);
    CHECK(box.handle(post(std::string(1001, ' '))).status == 413);
    CHECK(box.handle(post(R"({"appId":"foreign"})")).status == 403);
    auto tampered = post(note("b"));
    tampered.body[5] = 'X';
    CHECK(box.handle(tampered).status == 401);
    auto bare = post(note("b"));
    bare.fields.clear();
    CHECK(box.handle(bare).status == 401);
    auto twice = post(note("b"));
    twice.fields.add("X-GHL-Signature", "AAAA");
    CHECK(box.handle(twice).status == 401);
    auto get = post(note("b"));
    get.verb = http::method::get;
    auto const refused = box.handle(get);
    CHECK(refused.status == 405);
    CHECK(refused.fields.find("allow") == "POST");
    auto elsewhere = post(note("b"));
    elsewhere.target = "/hooks";
    CHECK(box.handle(elsewhere).status == 404);
    auto query = post(note("b"));
    query.target = "/hook?x=1";
    CHECK(box.handle(query).status == 200);

    auto const counted = box.counters();
    CHECK(counted[outcome::accepted] == 2);
    CHECK(counted[outcome::duplicate] == 1);
    CHECK(counted[outcome::stale] == 1);
    CHECK(counted[outcome::malformed] == 2);
    CHECK(counted[outcome::wrong_app] == 1);
    CHECK(counted[outcome::bad_signature] == 2);
    CHECK(counted[outcome::not_signed] == 1);
    CHECK(counted.foreign == 2);
    CHECK(box.size() == 2);
}

TEST_CASE("an_event_says_how_it_was_signed_and_keeps_its_bytes", "[webhooks]") {
    inbox box{settings()};
    auto const body = " " + note("a") + "\n";
    REQUIRE(box.handle(post(body)).status == 200);
    auto const made = box.try_next();
    REQUIRE(made);
    CHECK(made->kind == webhooks::event_kind::note_create);
    CHECK(made->signed_by == webhooks::scheme::ed25519);
    CHECK(made->body == body);
    CHECK_FALSE(box.try_next());
    auto lean = settings();
    lean.keep_body = false;
    inbox small{lean};
    REQUIRE(small.handle(post(body)).status == 200);
    CHECK(small.try_next()->body.empty());
}

TEST_CASE("a_full_inbox_answers_429_and_takes_the_repetition", "[webhooks]") {
    auto options = settings();
    options.capacity = 2;
    inbox box{options};
    CHECK(box.handle(post(note("a"))).status == 200);
    CHECK(box.handle(post(note("b"))).status == 200);
    CHECK(box.handle(post(note("c"))).status == 429);
    // What is refused for another reason stays refused.
    auto tampered = post(note("c"));
    tampered.body[5] = 'X';
    CHECK(box.handle(tampered).status == 401);
    CHECK(box.handle(post(note("a"))).status == 200);
    REQUIRE(box.try_next());
    CHECK(box.handle(post(note("c"))).status == 200);
    CHECK(box.counters().full == 1);
    CHECK(box.counters()[outcome::accepted] == 3);
    CHECK(box.counters()[outcome::duplicate] == 1);
}

TEST_CASE("what_could_not_be_persisted_is_not_answered_for", "[webhooks]") {
    auto options = settings();
    int calls = 0;
    options.persist = [&](const webhooks::event& event) {
        CHECK(event.head.webhook_id == "a");
        if (++calls == 1) return false;
        if (calls == 2) throw std::runtime_error{"disk"};
        return true;
    };
    inbox box{options};
    CHECK(box.handle(post(note("a"))).status == 429);
    CHECK(box.handle(post(note("a"))).status == 429);
    CHECK_FALSE(box.try_next());
    CHECK(box.handle(post(note("a"))).status == 200);
    CHECK(box.handle(post(note("a"))).status == 200);
    CHECK(calls == 3);
    CHECK(box.counters().not_kept == 2);
    CHECK(box.size() == 1);
}

TEST_CASE("waiting_coroutines_get_events_in_order_and_then_the_end", "[webhooks]") {
    inbox box{settings()};
    asio::io_context context;
    std::vector<std::string> ids;
    asio::co_spawn(context, collect(box, ids), asio::detached);
    context.poll();
    CHECK(ids.empty());
    for (auto const* id : {"a", "b", "c"})
        REQUIRE(box.handle(post(note(id))).status == 200);
    context.poll();
    CHECK(ids == std::vector<std::string>{"a", "b", "c"});
    REQUIRE(box.handle(post(note("d"))).status == 200);
    box.close();
    CHECK(box.handle(post(note("e"))).status == 429);
    context.run();
    CHECK(ids == std::vector<std::string>{"a", "b", "c", "d", "end"});
}

TEST_CASE("each_event_goes_to_one_of_several_waiters", "[webhooks]") {
    inbox box{settings()};
    asio::io_context context;
    std::vector<std::string> ids;
    for (int i = 0; i < 3; ++i)
        asio::co_spawn(context, collect(box, ids), asio::detached);
    context.poll();
    for (int i = 0; i < 10; ++i)
        REQUIRE(box.handle(post(note(std::to_string(i)))).status == 200);
    context.poll();
    CHECK(ids.size() == 10);
    box.close();
    context.run();
    CHECK(ids.size() == 13);
}

TEST_CASE("a_cancelled_waiter_loses_no_event", "[webhooks]") {
    inbox box{settings()};
    asio::io_context context;
    std::vector<std::string> ids;
    asio::cancellation_signal signal;
    bool cancelled = false;
    asio::co_spawn(
        context, collect(box, ids),
        asio::bind_cancellation_slot(signal.slot(), [&](std::exception_ptr thrown) {
            try {
                if (thrown) std::rethrow_exception(thrown);
            } catch (const boost::system::system_error& e) {
                cancelled = e.code() == asio::error::operation_aborted;
            }
        }));
    context.poll();
    std::vector<std::string> others;
    asio::co_spawn(context, collect(box, others), asio::detached);
    context.poll();
    SECTION("before an event came") {
        signal.emit(asio::cancellation_type::terminal);
        REQUIRE(box.handle(post(note("a"))).status == 200);
    }
    SECTION("after it was chosen for one") {
        REQUIRE(box.handle(post(note("a"))).status == 200);
        signal.emit(asio::cancellation_type::terminal);
    }
    context.poll();
    box.close();
    context.run();
    auto const all = ids.size() + others.size() - static_cast<std::size_t>(!cancelled);
    CHECK(all == 2); // "a", and an end for each that was not cancelled
}

TEST_CASE("options_of_an_inbox_are_checked", "[webhooks]") {
    auto none = settings();
    none.capacity = 0;
    CHECK_THROWS_WITH(inbox{none}, test::contains("capacity"));
    auto path = settings();
    path.path = "hook";
    CHECK_THROWS_WITH(inbox{path}, test::contains("path"));
    auto guarded = settings();
    guarded.guard.max_depth = 0;
    CHECK_THROWS_WITH(inbox{guarded}, test::contains("max_depth"));
}
