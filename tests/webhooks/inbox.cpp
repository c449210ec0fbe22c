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
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace webhooks_inbox_tests {

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

asio::awaitable<void> drain(
    asio::awaitable<std::optional<webhooks::event>> next, std::vector<std::string>& ids) {
    if (auto event = co_await std::move(next)) ids.push_back(event->head.webhook_id);
}

// A store whose functions do their work and then fail, as when a connection breaks.
class faulty_store final : public webhooks::replay_store {
public:
    std::string broken;

    bool knows(const webhooks::replay_key& key, time_point now) override {
        fail_if("knows");
        return store_.knows(key, now);
    }
    webhooks::claim_state claim(
        const webhooks::replay_key& key,
        time_point now,
        time_point lapses,
        time_point owed) override {
        auto const made = store_.claim(key, now, lapses, owed);
        fail_if("claim");
        return made;
    }
    void commit(const webhooks::replay_key& key, time_point now, time_point until) override {
        fail_if("commit");
        store_.commit(key, now, until);
    }
    void release(const webhooks::replay_key& key, time_point lapses) override {
        fail_if("release");
        store_.release(key, lapses);
    }

private:
    void fail_if(std::string_view name) const {
        if (broken == name) throw std::runtime_error{"no connection"};
    }
    webhooks::memory_replay_store store_;
};

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

TEST_CASE("a_repetition_during_a_slow_persist_is_not_answered_for_it", "[webhooks]") {
    auto options = settings();
    inbox* self = nullptr;
    std::vector<unsigned> meanwhile;
    bool keeps = false;
    options.persist = [&](const webhooks::event&) {
        // HighLevel has given up waiting and sends it once more.
        meanwhile.push_back(self->handle(post(note("a"))).status);
        return keeps;
    };
    inbox box{options};
    self = &box;
    CHECK(box.handle(post(note("a"))).status == 429);
    keeps = true;
    CHECK(box.handle(post(note("a"))).status == 200);
    CHECK(box.handle(post(note("a"))).status == 200);
    CHECK(meanwhile == std::vector<unsigned>{429, 429});
    CHECK(box.counters()[outcome::busy] == 2);
    CHECK(box.counters()[outcome::accepted] == 1);
    CHECK(box.counters()[outcome::duplicate] == 1);
}

TEST_CASE("what_was_pushed_back_is_taken_when_it_comes_ten_minutes_later", "[webhooks]") {
    auto options = settings();
    options.capacity = 1;
    auto time = test::now;
    options.now = [&] { return time; };
    inbox box{options};
    CHECK(box.handle(post(note("a"))).status == 200);
    CHECK(box.handle(post(note("b"))).status == 429);
    time += 10min;
    CHECK(box.handle(post(note("b"))).status == 429);
    REQUIRE(box.try_next());
    time += 10min;
    CHECK(box.handle(post(note("b"))).status == 200);
    CHECK(box.try_next()->head.webhook_id == "b");
    CHECK(box.handle(post(note("b"))).status == 200);
    CHECK(box.handle(post(note("c"))).status == 400);
    CHECK(box.counters()[outcome::accepted] == 2);
    CHECK(box.counters()[outcome::duplicate] == 1);
    CHECK(box.counters()[outcome::stale] == 1);
}

TEST_CASE("pushing_back_forgets_nothing_that_was_taken", "[webhooks]") {
    auto options = settings();
    options.capacity = 4;
    options.guard.seen = std::make_shared<webhooks::memory_replay_store>(4);
    inbox box{options};
    for (auto const* id : {"a", "b", "c", "d"})
        REQUIRE(box.handle(post(note(id))).status == 200);
    for (int i = 0; i < 10; ++i)
        CHECK(box.handle(post(note(std::to_string(i)))).status == 429);
    for (auto const* id : {"a", "b", "c", "d"})
        CHECK(box.handle(post(note(id))).status == 200);
    CHECK(box.counters()[outcome::accepted] == 4);
    CHECK(box.counters()[outcome::duplicate] == 4);
}

TEST_CASE("a_store_that_fails_loses_and_doubles_nothing", "[webhooks]") {
    auto const store = std::make_shared<faulty_store>();
    auto options = settings();
    options.guard.seen = store;
    auto time = test::now;
    options.now = [&] { return time; };
    bool keeps = true;
    options.persist = [&](const webhooks::event&) { return keeps; };
    inbox box{options};
    // It claimed, and then its connection broke.
    store->broken = "claim";
    CHECK(box.handle(post(note("a"))).status == 429);
    CHECK(box.counters().not_judged == 1);
    // An old one: whether it is owed cannot be asked.
    store->broken = "knows";
    CHECK(box.handle(post(note("old", time - 1h))).status == 429);
    CHECK(box.counters().not_judged == 2);
    store->broken = "";
    CHECK(box.handle(post(note("a"))).status == 429);
    time += 1min;
    CHECK(box.handle(post(note("a"))).status == 200);
    // A claim that cannot be given back lapses.
    keeps = false;
    store->broken = "release";
    CHECK(box.handle(post(note("b"))).status == 429);
    keeps = true;
    CHECK(box.handle(post(note("b"))).status == 429);
    time += 10min;
    CHECK(box.handle(post(note("b"))).status == 200);
    // What has been kept is answered for, or it would be kept twice.
    store->broken = "commit";
    CHECK(box.handle(post(note("c", time))).status == 200);
    CHECK(box.counters().not_remembered == 1);
    CHECK(box.counters()[outcome::accepted] == 3);
    CHECK(box.size() == 3);
}

TEST_CASE("what_is_being_kept_when_the_inbox_closes_still_comes_out", "[webhooks]") {
    auto options = settings();
    inbox* self = nullptr;
    asio::io_context context;
    std::vector<std::string> ids;
    options.persist = [&](const webhooks::event&) {
        self->close();
        // Whoever waits must not be told that this was all.
        context.poll();
        CHECK(ids.empty());
        return true;
    };
    inbox box{options};
    self = &box;
    asio::co_spawn(context, collect(box, ids), asio::detached);
    context.poll();
    CHECK(box.handle(post(note("a"))).status == 200);
    context.restart();
    context.run();
    CHECK(ids == std::vector<std::string>{"a", "end"});
}

TEST_CASE("a_place_that_is_given_back_after_the_close_ends_the_wait", "[webhooks]") {
    auto options = settings();
    inbox* self = nullptr;
    options.persist = [&](const webhooks::event&) {
        self->close();
        return false;
    };
    inbox box{options};
    self = &box;
    asio::io_context context;
    std::vector<std::string> ids;
    asio::co_spawn(context, collect(box, ids), asio::detached);
    context.poll();
    CHECK(box.handle(post(note("a"))).status == 429);
    context.run();
    CHECK(ids == std::vector<std::string>{"end"});
}

TEST_CASE("what_is_not_taken_in_gives_its_place_back_once", "[webhooks]") {
    auto options = settings();
    options.capacity = 1;
    auto const store = std::make_shared<faulty_store>();
    options.guard.seen = store;
    bool fails = false;
    options.persist = [&](const webhooks::event&) {
        if (fails) throw std::runtime_error{"disk"};
        return true;
    };
    inbox box{options};
    store->broken = "release";
    fails = true;
    CHECK(box.handle(post(note("a"))).status == 429);
    fails = false;
    CHECK(box.handle(post(note("b"))).status == 200);
    // There was one place, and it is taken.
    CHECK(box.handle(post(note("c"))).status == 429);
    CHECK(box.counters().full == 1);
    CHECK(box.counters().not_kept == 1);
    CHECK(box.size() == 1);
    REQUIRE(box.try_next());
    CHECK(box.handle(post(note("d"))).status == 200);
}

TEST_CASE("a_coroutine_may_await_beyond_the_life_of_the_inbox", "[webhooks]") {
    asio::io_context context;
    std::vector<std::string> ids;
    {
        inbox box{settings()};
        // Not yet begun when the inbox ends: it must not look at it.
        asio::co_spawn(context, drain(box.next(), ids), asio::detached);
        REQUIRE(box.handle(post(note("a"))).status == 200);
    }
    context.run();
    CHECK(ids == std::vector<std::string>{"a"});
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

TEST_CASE("a_cancelled_waiter_whose_event_another_took_is_not_called_again", "[webhooks]") {
    inbox box{settings()};
    asio::io_context context;
    std::vector<std::string> ids;
    asio::cancellation_signal signal;
    asio::co_spawn(
        context, collect(box, ids),
        asio::bind_cancellation_slot(signal.slot(), [](std::exception_ptr) {}));
    context.poll();
    // Chosen for an event, cancelled, and the event is gone when it looks.
    REQUIRE(box.handle(post(note("a"))).status == 200);
    signal.emit(asio::cancellation_type::terminal);
    REQUIRE(box.try_next());
    context.poll();
    std::vector<std::string> others;
    context.restart();
    asio::co_spawn(context, collect(box, others), asio::detached);
    context.poll();
    REQUIRE(box.handle(post(note("b"))).status == 200);
    context.poll();
    CHECK(others == std::vector<std::string>{"b"});
    CHECK(ids.empty());
    box.close();
    context.run();
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

} // namespace webhooks_inbox_tests
