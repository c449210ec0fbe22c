// SPDX-License-Identifier: BSL-1.0
//
// The refresh machine in made-up time: what each event leads to, every course of a flight up to a
// depth, and several processes that share a store, a server and bad luck.

#include "support/catch.hpp"

#include <highlevel/auth/refresh_machine.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace auth_refresh_machine_tests {

using namespace std::chrono_literals;
using highlevel::errc;
using highlevel::make_error_code;
using highlevel::auth::refresh_machine;
using highlevel::auth::refresh_options;
using highlevel::auth::refusal;
using highlevel::auth::resource_kind;
using highlevel::auth::secret;
using highlevel::auth::timestamp;
using highlevel::auth::token;
using highlevel::auth::token_problem;
using todo = refresh_machine::todo;
using verdict = refresh_machine::answer::verdict;

namespace {

constexpr timestamp start{std::chrono::hours{400'000}};
constexpr auto day = std::chrono::milliseconds{24h};

token make(
    std::string access,
    std::uint64_t version,
    timestamp issued = start,
    std::chrono::milliseconds life = day) {
    token t;
    t.access = secret{access};
    t.refresh = secret{"refresh of " + access};
    t.issued_at = issued;
    t.expires_at = issued + life;
    t.location_id = "loc";
    t.company_id = "com";
    t.version = version;
    return t;
}

refresh_machine::moment at(timestamp now, double random = 0) {
    return {now, random};
}

token_problem problem(std::string why = "scripted") {
    return {make_error_code(errc::connection_lost), std::move(why)};
}

/// A machine and its flight, told what happens step by step.
class bench {
public:
    explicit bench(resource_kind kind = resource_kind::location) : machine(options, kind) {}

    /// Brings a machine to hold `t`, as a first call does.
    void hold(token t, timestamp now) {
        REQUIRE(machine.ask(at(now)).start);
        REQUIRE(machine.begin().what == todo::load);
        REQUIRE(machine.loaded(std::move(t), at(now)).what == todo::done);
    }
    /// Takes a flight to its renewal.
    refresh_machine::action renewal(const std::optional<token>& stored, timestamp now) {
        REQUIRE(machine.begin().what == todo::load);
        REQUIRE(machine.loaded(stored, at(now)).what == todo::lock);
        REQUIRE(machine.locked(true, at(now)).what == todo::load);
        return machine.loaded(stored, at(now));
    }

    refresh_options options;
    refresh_machine machine;
};

std::string text(const refresh_machine::answer& a) {
    return a.access ? std::string{a.access->reveal()} : std::string{};
}

} // namespace

TEST_CASE("a token is loaded once and handed out until its end is near", "[auth]") {
    bench b;
    auto first = b.machine.ask(at(start));
    CHECK(first.what == verdict::wait);
    CHECK(first.start);
    // Everyone else waits for the same flight.
    auto const second = b.machine.ask(at(start));
    CHECK(second.what == verdict::wait);
    CHECK_FALSE(second.start);
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(make("a", 1), at(start)).what == todo::done);
    CHECK(text(b.machine.settled(at(start))) == "a");
    auto const later = b.machine.ask(at(start + 23h));
    CHECK(later.what == verdict::ready);
    CHECK_FALSE(later.start);
    CHECK(text(later) == "a");
}

TEST_CASE("a token is at hand while nobody has to do anything about it", "[auth]") {
    bench b;
    CHECK(b.machine.at_hand(start) == nullptr);
    CHECK_FALSE(b.machine.flying());
    b.hold(make("a", 1), start);
    REQUIRE(b.machine.at_hand(start) != nullptr);
    CHECK(b.machine.at_hand(start)->reveal() == "a");
    // The same moments as with ask(), which starts the renewal.
    for (auto now = start; now < start + 25h; now += 1min) {
        auto copy = b.machine;
        auto const asked = copy.ask(at(now));
        bool const plain = asked.what == verdict::ready && !asked.start;
        CHECK((b.machine.at_hand(now) != nullptr) == plain);
    }
    (void)b.machine.refuse(secret{"a"}, at(start));
    CHECK(b.machine.at_hand(start) == nullptr);
}

TEST_CASE("the renewal begins ahead of the end, at a moment left to chance", "[auth]") {
    for (double const random : {0.0, 0.5, 0.999}) {
        refresh_options options;
        options.ahead = 20min;
        refresh_machine machine{options, resource_kind::location};
        REQUIRE(machine.ask(at(start)).start);
        (void)machine.begin();
        REQUIRE(machine.loaded(make("a", 1), at(start, random)).what == todo::done);
        auto const due = start + day - 20min +
            std::chrono::milliseconds{static_cast<std::int64_t>(random * 10 * 60 * 1000)};
        CHECK_FALSE(machine.ask(at(due - 1s)).start);
        auto const a = machine.ask(at(due + 1s));
        CHECK(a.start);
        // Nobody waits for it.
        CHECK(a.what == verdict::ready);
        CHECK_FALSE(machine.ask(at(due + 2s)).start);
    }
}

TEST_CASE("a short-lived token keeps most of its life", "[auth]") {
    bench b;
    b.hold(make("a", 1, start, 10s), start);
    CHECK_FALSE(b.machine.ask(at(start + 7s)).start);
    CHECK(b.machine.ask(at(start + 8500ms)).what == verdict::ready);
    CHECK(b.machine.ask(at(start + 9100ms)).what == verdict::wait);
}

TEST_CASE("a new pair is handed out only after the store has it", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    CHECK(b.machine.current()->refresh == secret{"refresh of old"});
    REQUIRE(b.machine.obtained(make("new", 0, now), at(now)).what == todo::replace);
    CHECK(b.machine.expected() == 1);
    CHECK(b.machine.pending().access == secret{"new"});
    CHECK(b.machine.ask(at(now)).what == verdict::wait);
    REQUIRE(b.machine.replaced(2, at(now)).what == todo::unlock);
    REQUIRE(b.machine.unlocked().what == todo::done);
    CHECK(text(b.machine.settled(at(now))) == "new");
    CHECK(b.machine.current()->version == 2);
}

TEST_CASE("an answer without a refresh token keeps the old one", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    auto fresh = make("new", 0, now);
    fresh.refresh.clear();
    fresh.company_id.clear();
    REQUIRE(b.machine.obtained(fresh, at(now)).what == todo::replace);
    CHECK(b.machine.pending().refresh == secret{"refresh of old"});
    CHECK(b.machine.pending().company_id == "com");
}

TEST_CASE("a failed store write is repeated, the refresh is not", "[auth]") {
    bench b;
    b.options.attempts = 2;
    b.hold(make("old", 1), start);
    auto const due = start + day - 5min;
    REQUIRE(b.machine.ask(at(due)).start);
    REQUIRE(b.renewal(make("old", 1), due).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, due), at(due)).what == todo::replace);
    for (int i = 0; i < 5; ++i) {
        auto const next = b.machine.store_failed(problem("disk full"), at(due));
        REQUIRE(next.what == todo::pause);
        CHECK(next.delay > 0ms);
        CHECK(next.delay <= b.options.max_delay);
        // The old one is still good, and the one that calls go on with.
        CHECK(text(b.machine.ask(at(due))) == "old");
        REQUIRE(b.machine.paused(at(due)).what == todo::replace);
        CHECK(b.machine.expected() == 1);
        CHECK(b.machine.pending().access == secret{"new"});
    }
    SECTION("once the old one has ended, callers learn why they get none") {
        (void)b.machine.store_failed(problem("disk full"), at(start + 25h));
        auto const a = b.machine.ask(at(start + 25h));
        CHECK(a.what == verdict::failed);
        CHECK(a.problem.detail == "disk full");
        CHECK(b.machine.release_waiters());
    }
    SECTION("it succeeds in the end") {
        REQUIRE(b.machine.replaced(2, at(due)).what == todo::unlock);
        REQUIRE(b.machine.unlocked().what == todo::done);
        CHECK(text(b.machine.ask(at(due))) == "new");
    }
    SECTION("the write that was reported as failed had worked") {
        REQUIRE(b.machine.replaced(std::nullopt, at(due)).what == todo::load);
        REQUIRE(b.machine.loaded(make("new", 2, due), at(due)).what == todo::unlock);
        CHECK(text(b.machine.ask(at(due))) == "new");
    }
    SECTION("the client ends: it is written once more") {
        (void)b.machine.store_failed(problem(), at(due));
        b.machine.stop();
        REQUIRE(b.machine.paused(at(due)).what == todo::replace);
        REQUIRE(b.machine.store_failed(problem(), at(due)).what == todo::unlock);
        REQUIRE(b.machine.unlocked().what == todo::done);
    }
}

TEST_CASE("what passes keeps the refresh token and is tried again", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    for (int i = 1; i < b.options.attempts; ++i) {
        REQUIRE(b.machine.refused(refusal::transient, problem(), 0ms, at(now)).what == todo::pause);
        REQUIRE(b.machine.paused(at(now)).what == todo::refresh);
    }
    REQUIRE(b.machine.refused(refusal::transient, problem(), 0ms, at(now)).what == todo::unlock);
    REQUIRE(b.machine.unlocked().what == todo::done);
    auto const a = b.machine.settled(at(now));
    CHECK(a.what == verdict::failed);
    CHECK(a.problem.code == errc::connection_lost);
    // At once it fails the same way without a try; later there is one, with the same token.
    CHECK(b.machine.ask(at(now)).what == verdict::failed);
    REQUIRE(b.machine.ask(at(now + 31s)).start);
    REQUIRE(b.renewal(make("old", 1), now + 31s).what == todo::refresh);
    CHECK(b.machine.current()->refresh == secret{"refresh of old"});
}

TEST_CASE("a lost answer is asked for again while the server repeats it", "[auth]") {
    bench b;
    b.hold(make("old", 1), start);
    // Ahead of time, so that nobody waits; and still it is insisted on.
    auto now = start + day - 5min;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    auto const sent = now;
    int tries = 1;
    for (;; ++tries) {
        auto const next = b.machine.refused(refusal::lost, problem(), 0ms, at(now, 0.5));
        if (next.what != todo::pause) break;
        now += next.delay;
        auto again = b.machine.paused(at(now));
        if (again.what == todo::extend) again = b.machine.extended(true, at(now));
        REQUIRE(again.what == todo::refresh);
    }
    CHECK(tries > b.options.attempts);
    CHECK(now > sent + 15s);
    CHECK(now < sent + 30s);
    CHECK(text(b.machine.ask(at(now))) == "old");
}

TEST_CASE("who waits for a lost answer is told after some tries", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    for (int i = 0; i < b.options.attempts; ++i) {
        CHECK_FALSE(b.machine.release_waiters());
        REQUIRE(b.machine.refused(refusal::lost, problem(), 0ms, at(now)).what == todo::pause);
        if (i + 1 < b.options.attempts) REQUIRE(b.machine.paused(at(now)).what == todo::refresh);
    }
    CHECK(b.machine.release_waiters());
    CHECK(b.machine.ask(at(now)).problem.code == errc::connection_lost);
    // The flight goes on, and what it brings serves whoever asks then.
    REQUIRE(b.machine.paused(at(now)).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, now), at(now)).what == todo::replace);
    CHECK(b.machine.ask(at(now)).what == verdict::wait);
    REQUIRE(b.machine.replaced(2, at(now)).what == todo::unlock);
    CHECK(text(b.machine.settled(at(now))) == "new");
}

TEST_CASE("a 429 at the token endpoint is waited for as long as it asks", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    SECTION("for a bearable time") {
        auto const next = b.machine.refused(refusal::transient, problem(), 7s, at(now));
        CHECK(next.what == todo::pause);
        CHECK(next.delay == 7s);
    }
    SECTION("or the flight ends and the next begins when it may") {
        REQUIRE(
            b.machine.refused(refusal::transient, problem(), 60s, at(now)).what == todo::unlock);
        REQUIRE(b.machine.unlocked().what == todo::done);
        CHECK(b.machine.ask(at(now + 59s)).what == verdict::failed);
        CHECK(b.machine.ask(at(now + 61s)).start);
    }
}

TEST_CASE("an inactive location keeps its refresh token", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(
        b.machine.refused(refusal::lasting, problem("Location is not active"), 0ms, at(now)).what ==
        todo::unlock);
    REQUIRE(b.machine.unlocked().what == todo::done);
    CHECK(b.machine.ask(at(now + 20s)).problem.detail == "Location is not active");
    REQUIRE(b.machine.ask(at(now + 40s)).start);
    CHECK(b.renewal(make("old", 1), now + 40s).what == todo::refresh);
}

TEST_CASE("a used-up refresh token is final for a company", "[auth]") {
    bench b{resource_kind::company};
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    // Perhaps another process has used it and stored the next: look first.
    REQUIRE(b.machine.refused(refusal::final, problem(), 0ms, at(now)).what == todo::load);
    SECTION("it has not") {
        REQUIRE(b.machine.loaded(make("old", 1), at(now)).what == todo::unlock);
        REQUIRE(b.machine.unlocked().what == todo::done);
        auto const a = b.machine.settled(at(now));
        CHECK(a.problem.code == errc::reinstall_required);
        CHECK(a.problem.detail.find("installed again") != std::string::npos);
        // The server is not asked again, the store is: the app may be installed again.
        REQUIRE(b.machine.ask(at(now + 1min)).start);
        REQUIRE(b.machine.begin().what == todo::load);
        SECTION("still the same") {
            REQUIRE(b.machine.loaded(make("old", 1), at(now + 1min)).what == todo::lock);
            REQUIRE(b.machine.locked(true, at(now + 1min)).what == todo::load);
            REQUIRE(b.machine.loaded(make("old", 1), at(now + 1min)).what == todo::unlock);
        }
        SECTION("installed again") {
            REQUIRE(b.machine.loaded(make("new", 9, now), at(now + 1min)).what == todo::done);
            CHECK(text(b.machine.settled(at(now + 1min))) == "new");
        }
    }
    SECTION("it has") {
        REQUIRE(b.machine.loaded(make("theirs", 2, now), at(now)).what == todo::unlock);
        CHECK(text(b.machine.settled(at(now))) == "theirs");
    }
    SECTION("that cannot be read: nothing is given up") {
        REQUIRE(b.machine.store_failed(problem("unreadable"), at(now)).what == todo::unlock);
        REQUIRE(b.machine.unlocked().what == todo::done);
        CHECK(b.machine.settled(at(now)).problem.detail == "unreadable");
        REQUIRE(b.machine.ask(at(now + 1min)).start);
        CHECK(b.renewal(make("old", 1), now + 1min).what == todo::refresh);
    }
}

TEST_CASE("a location whose refresh token is used up is minted anew", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.refused(refusal::final, problem(), 0ms, at(now)).what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1), at(now)).what == todo::mint);
    SECTION("which works") {
        auto fresh = make("minted", 0, now);
        fresh.refresh.clear();
        REQUIRE(b.machine.obtained(fresh, at(now)).what == todo::replace);
        // The dead refresh token is not carried over.
        CHECK(b.machine.pending().refresh.empty());
        REQUIRE(b.machine.replaced(2, at(now)).what == todo::unlock);
        CHECK(text(b.machine.settled(at(now))) == "minted");
    }
    SECTION("which is refused") {
        REQUIRE(b.machine.refused(refusal::final, problem(), 0ms, at(now)).what == todo::unlock);
        CHECK(b.machine.settled(at(now)).problem.code == errc::reinstall_required);
    }
    SECTION("which fails for now") {
        REQUIRE(b.machine.refused(refusal::transient, problem(), 0ms, at(now)).what == todo::pause);
        CHECK(b.machine.paused(at(now)).what == todo::mint);
    }
}

TEST_CASE(
    "a location without a token is minted, a company without one is not installed", "[auth]") {
    {
        bench b;
        REQUIRE(b.machine.ask(at(start)).start);
        REQUIRE(b.renewal(std::nullopt, start).what == todo::mint);
        REQUIRE(b.machine.obtained(make("minted", 0), at(start)).what == todo::replace);
        CHECK(b.machine.expected() == 0);
    }
    {
        bench b{resource_kind::company};
        REQUIRE(b.machine.ask(at(start)).start);
        REQUIRE(b.renewal(std::nullopt, start).what == todo::unlock);
        REQUIRE(b.machine.unlocked().what == todo::done);
        CHECK(b.machine.settled(at(start)).problem.code == errc::no_token);
        // It may be installed any moment, so the store is asked each time.
        CHECK(b.machine.ask(at(start)).start);
    }
}

TEST_CASE("who does not get the lease waits and rereads", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1), at(now)).what == todo::lock);
    auto next = b.machine.locked(false, at(now));
    REQUIRE(next.what == todo::pause);
    CHECK(next.delay <= 20ms);
    REQUIRE(b.machine.paused(at(now)).what == todo::load);
    SECTION("until the holder has stored") {
        REQUIRE(b.machine.loaded(make("theirs", 2, now), at(now)).what == todo::done);
        CHECK(text(b.machine.settled(at(now))) == "theirs");
    }
    SECTION("until the holder is gone") {
        REQUIRE(b.machine.loaded(make("old", 1), at(now)).what == todo::lock);
        REQUIRE(b.machine.locked(true, at(now)).what == todo::load);
        CHECK(b.machine.loaded(make("old", 1), at(now)).what == todo::refresh);
    }
    SECTION("but not without end") {
        auto waited = next.delay;
        refresh_machine::action step{todo::load};
        for (int i = 0; i < 10'000 && step.what == todo::load; ++i) {
            REQUIRE(b.machine.loaded(make("old", 1), at(now + waited)).what == todo::lock);
            next = b.machine.locked(false, at(now + waited));
            if (next.what != todo::pause) break;
            waited += next.delay;
            step = b.machine.paused(at(now + waited));
        }
        CHECK(next.what == todo::done);
        CHECK(waited >= 3 * b.options.lease);
        CHECK(b.machine.settled(at(now + waited)).problem.code == errc::timeout);
    }
}

TEST_CASE("who has a good token leaves the renewal to the holder of the lease", "[auth]") {
    bench b;
    b.hold(make("old", 1), start);
    auto const due = start + day - 5min;
    REQUIRE(b.machine.ask(at(due)).start);
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1), at(due)).what == todo::lock);
    REQUIRE(b.machine.locked(false, at(due)).what == todo::done);
    CHECK_FALSE(b.machine.ask(at(due + 1s)).start);
    CHECK(b.machine.ask(at(due + 1min)).start);
}

TEST_CASE("a conflict at the store means that the other one's token is used", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("mine", 0, now), at(now)).what == todo::replace);
    REQUIRE(b.machine.replaced(std::nullopt, at(now)).what == todo::load);
    SECTION("there is one") {
        REQUIRE(b.machine.loaded(make("theirs", 2, now), at(now)).what == todo::unlock);
        CHECK(text(b.machine.settled(at(now))) == "theirs");
    }
    SECTION("it was removed") {
        REQUIRE(b.machine.loaded(std::nullopt, at(now)).what == todo::unlock);
        CHECK(b.machine.settled(at(now)).problem.code == errc::no_token);
    }
}

TEST_CASE("an installation during a renewal comes after it", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    CHECK_FALSE(b.machine.offer(make("installed", 0, now)));
    auto const offer = b.machine.offers();
    // What is sent and replaced stays the token that the renewal began with.
    CHECK(b.machine.subject()->access == secret{"old"});
    REQUIRE(b.machine.obtained(make("refreshed", 0, now), at(now)).what == todo::replace);
    CHECK(b.machine.expected() == 1);
    REQUIRE(b.machine.replaced(2, at(now)).what == todo::unlock);
    CHECK_FALSE(b.machine.offer_stored(offer));
    REQUIRE(b.machine.unlocked().what == todo::load);
    REQUIRE(b.machine.loaded(make("refreshed", 2, now), at(now)).what == todo::replace);
    CHECK(b.machine.expected() == 2);
    CHECK(b.machine.pending().access == secret{"installed"});
    REQUIRE(b.machine.replaced(3, at(now)).what == todo::done);
    CHECK(b.machine.offer_stored(offer));
    CHECK(text(b.machine.ask(at(now))) == "installed");
}

TEST_CASE("an installation during a renewal's pause takes its place", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.refused(refusal::transient, problem(), 0ms, at(now)).what == todo::pause);
    CHECK_FALSE(b.machine.offer(make("installed", 0, now)));
    // The refresh token that the installation brought must not be spent on version 1.
    REQUIRE(b.machine.paused(at(now)).what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1), at(now)).what == todo::replace);
    CHECK(b.machine.pending().access == secret{"installed"});
    REQUIRE(b.machine.replaced(2, at(now)).what == todo::unlock);
    REQUIRE(b.machine.unlocked().what == todo::done);
    CHECK(text(b.machine.ask(at(now))) == "installed");
    CHECK_FALSE(b.machine.unsaved());
}

TEST_CASE("an installation that the store does not take is kept until it does", "[auth]") {
    bench b;
    b.options.attempts = 2;
    REQUIRE(b.machine.offer(make("installed", 0)));
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.store_failed(problem("gone"), at(start)).what == todo::pause);
    CHECK_FALSE(b.machine.release_waiters());
    REQUIRE(b.machine.paused(at(start)).what == todo::load);
    SECTION("it is not handed out before") {
        REQUIRE(b.machine.store_failed(problem("gone"), at(start)).what == todo::pause);
        CHECK(b.machine.release_waiters());
        CHECK(b.machine.ask(at(start)).problem.detail == "gone");
    }
    SECTION("somebody else stores another one at the same moment") {
        REQUIRE(b.machine.loaded(std::nullopt, at(start)).what == todo::replace);
        CHECK(b.machine.expected() == 0);
        REQUIRE(b.machine.replaced(std::nullopt, at(start)).what == todo::load);
        REQUIRE(b.machine.loaded(make("theirs", 4), at(start)).what == todo::replace);
        CHECK(b.machine.expected() == 4);
        REQUIRE(b.machine.replaced(5, at(start)).what == todo::done);
        CHECK(text(b.machine.ask(at(start))) == "installed");
    }
    SECTION("the client ends, and another begins") {
        b.machine.stop();
        REQUIRE(b.machine.store_failed(problem("gone"), at(start)).what == todo::done);
        CHECK(b.machine.unsaved());
        b.machine.resume();
        REQUIRE(b.machine.ask(at(start + 1min)).start);
        REQUIRE(b.machine.begin().what == todo::load);
        REQUIRE(b.machine.loaded(std::nullopt, at(start + 1min)).what == todo::replace);
        CHECK(b.machine.pending().access == secret{"installed"});
    }
}

TEST_CASE("a pair that the client's end left unsaved is stored by the next flight", "[auth]") {
    bench b;
    b.hold(make("old", 1), start);
    auto const due = start + day - 5min;
    REQUIRE(b.machine.ask(at(due)).start);
    REQUIRE(b.renewal(make("old", 1), due).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, due), at(due)).what == todo::replace);
    b.machine.stop();
    // What fails once may be over soon, and this is the only copy.
    for (int i = 1; i < b.options.attempts; ++i) {
        REQUIRE(b.machine.store_failed(problem("disk full"), at(due)).what == todo::pause);
        REQUIRE(b.machine.paused(at(due)).what == todo::replace);
    }
    REQUIRE(b.machine.store_failed(problem("disk full"), at(due)).what == todo::unlock);
    REQUIRE(b.machine.unlocked().what == todo::done);
    b.machine.resume();
    auto const later = due + 1min;
    CHECK(b.machine.ask(at(later)).start);
    // Not looked for in the store, nor fetched: the old refresh token is used up.
    REQUIRE(b.machine.begin().what == todo::replace);
    CHECK(b.machine.expected() == 1);
    CHECK(b.machine.pending().access == secret{"new"});
    REQUIRE(b.machine.replaced(2, at(later)).what == todo::done);
    CHECK(text(b.machine.ask(at(later))) == "new");
}

TEST_CASE("a renewal that was asked for before it is sent is done once", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1), at(now)).what == todo::lock);
    CHECK_FALSE(b.machine.force());
    REQUIRE(b.machine.locked(true, at(now)).what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1), at(now)).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, now), at(now)).what == todo::replace);
    REQUIRE(b.machine.replaced(2, at(now)).what == todo::unlock);
    REQUIRE(b.machine.unlocked().what == todo::done);
    CHECK_FALSE(b.machine.insisting());
}

TEST_CASE("a lease lasts from when the store was asked", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1), at(now)).what == todo::lock);
    // Its answer took so long that what is left is too short for a renewal.
    auto const slow = b.options.lease - 5s;
    REQUIRE(b.machine.locked(true, at(now), slow).what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1), at(now)).what == todo::extend);
    REQUIRE(b.machine.extended(true, at(now)).what == todo::refresh);
}

TEST_CASE("who comes late from a flight waits for the next when its token was refused", "[auth]") {
    bench b;
    REQUIRE(b.machine.ask(at(start)).what == verdict::wait);
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(make("a", 1), at(start)).what == todo::done);
    // Another caller was faster: it has sent the token, and met a 401.
    REQUIRE(b.machine.refuse(secret{"a"}, at(start)).start);
    CHECK(b.machine.settled(at(start)).what == verdict::wait);
    REQUIRE(b.renewal(make("a", 1), start).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("b", 0, start), at(start)).what == todo::replace);
    REQUIRE(b.machine.replaced(2, at(start)).what == todo::unlock);
    REQUIRE(b.machine.unlocked().what == todo::done);
    CHECK(text(b.machine.settled(at(start))) == "b");
}

TEST_CASE("a flight that breaks off leaves its pair to the next one", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, now), at(now)).what == todo::replace);
    b.machine.abandon(problem("the event loop ended"));
    CHECK_FALSE(b.machine.flying());
    CHECK(b.machine.settled(at(now)).problem.detail == "the event loop ended");
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.machine.begin().what == todo::replace);
    CHECK(b.machine.pending().access == secret{"new"});
}

TEST_CASE("a store that was set back to an older copy gets the newest pair", "[auth]") {
    bench b;
    b.hold(make("old", 5), start);
    auto const due = start + day - 5min;
    REQUIRE(b.machine.ask(at(due)).start);
    auto const backup = make("older", 3, start - day);
    REQUIRE(b.renewal(backup, due).what == todo::refresh);
    CHECK(b.machine.subject()->access == secret{"old"});
    REQUIRE(b.machine.obtained(make("new", 0, due), at(due)).what == todo::replace);
    // In place of what is there, not of what was there once.
    CHECK(b.machine.expected() == 3);
    REQUIRE(b.machine.replaced(4, at(due)).what == todo::unlock);
    REQUIRE(b.machine.unlocked().what == todo::done);
    CHECK(text(b.machine.ask(at(due))) == "new");
    CHECK(b.machine.current()->version == 4);
}

TEST_CASE("a store that is set back while the pair is stored takes it all the same", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 5), now).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, now), at(now)).what == todo::replace);
    REQUIRE(b.machine.replaced(std::nullopt, at(now)).what == todo::load);
    REQUIRE(b.machine.loaded(make("older", 2, start - day), at(now)).what == todo::replace);
    CHECK(b.machine.expected() == 2);
    CHECK(b.machine.pending().access == secret{"new"});
}

TEST_CASE("an installation in a store that was set back is taken over", "[auth]") {
    bench b;
    b.hold(make("old", 5), start);
    auto const due = start + day - 5min;
    REQUIRE(b.machine.ask(at(due)).start);
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(make("installed", 4, due), at(due)).what == todo::done);
    CHECK(text(b.machine.ask(at(due))) == "installed");
}

TEST_CASE("a removed token is not brought back by the flight that was up", "[auth]") {
    bench b;
    REQUIRE(b.machine.ask(at(start)).start);
    REQUIRE(b.renewal(std::nullopt, start).what == todo::mint);
    SECTION("which minted it") {
        b.machine.forget();
        REQUIRE(b.machine.obtained(make("minted", 0), at(start)).what == todo::unlock);
    }
    SECTION("which stored it at this moment") {
        REQUIRE(b.machine.obtained(make("minted", 0), at(start)).what == todo::replace);
        b.machine.forget();
        REQUIRE(b.machine.replaced(1, at(start)).what == todo::unlock);
    }
    SECTION("which could not store it") {
        REQUIRE(b.machine.obtained(make("minted", 0), at(start)).what == todo::replace);
        REQUIRE(b.machine.store_failed(problem(), at(start)).what == todo::pause);
        CHECK_FALSE(b.machine.forgotten());
        b.machine.forget();
        CHECK(b.machine.forgotten()); // which ends the pause
        REQUIRE(b.machine.paused(at(start)).what == todo::unlock);
    }
    REQUIRE(b.machine.unlocked().what == todo::done);
    CHECK_FALSE(b.machine.forgotten());
    CHECK(b.machine.settled(at(start)).problem.code == errc::no_token);
    CHECK_FALSE(b.machine.unsaved());
    // Installed again, it is there again.
    REQUIRE(b.machine.offer(make("again", 0)));
}

TEST_CASE("a renewal that is asked for leaves the old token good until it is done", "[auth]") {
    bench b;
    // Whether it is held, or has yet to be read.
    if (GENERATE(true, false)) b.hold(make("old", 1), start);
    REQUIRE(b.machine.force());
    REQUIRE(b.renewal(make("old", 1), start).what == todo::refresh);
    CHECK(text(b.machine.ask(at(start))) == "old");
    SECTION("it works") {
        REQUIRE(b.machine.obtained(make("new", 0), at(start)).what == todo::replace);
        REQUIRE(b.machine.replaced(2, at(start)).what == todo::unlock);
        REQUIRE(b.machine.unlocked().what == todo::done);
        CHECK_FALSE(b.machine.insisting());
        CHECK_FALSE(b.machine.insist_problem().code);
        CHECK(text(b.machine.ask(at(start))) == "new");
    }
    SECTION("it fails") {
        REQUIRE(
            b.machine.refused(refusal::lasting, problem("no"), 0ms, at(start)).what ==
            todo::unlock);
        REQUIRE(b.machine.unlocked().what == todo::done);
        CHECK_FALSE(b.machine.insisting());
        CHECK(b.machine.insist_problem().detail == "no");
        CHECK(text(b.machine.ask(at(start))) == "old");
    }
    SECTION("what passes is tried again, though nobody is without a token") {
        CHECK(b.machine.refused(refusal::transient, problem(), 0ms, at(start)).what == todo::pause);
    }
}

TEST_CASE("who leaves a renewal to another waits for it when its token ends", "[auth]") {
    bench b;
    b.hold(make("old", 1), start);
    // 3 s before it is no longer handed out, the lease is another's.
    auto const late = start + day - 33s;
    REQUIRE(b.machine.ask(at(late)).start);
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1), at(late)).what == todo::lock);
    REQUIRE(b.machine.locked(false, at(late)).what == todo::done);
    CHECK(b.machine.ask(at(late + 2s)).what == verdict::ready);
    auto const after = b.machine.ask(at(late + 4s));
    CHECK(after.what == verdict::wait);
    CHECK(after.start);
}

TEST_CASE("a lease that would end before a refresh can is made longer", "[auth]") {
    bench b;
    auto now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    now += 9s;
    REQUIRE(b.machine.refused(refusal::lost, problem(), 0ms, at(now)).what == todo::pause);
    now += 5s;
    REQUIRE(b.machine.paused(at(now)).what == todo::extend);
    SECTION("by the store") {
        CHECK(b.machine.extended(true, at(now)).what == todo::refresh);
    }
    SECTION("or taken anew, and what is stored then is looked at") {
        REQUIRE(b.machine.extended(false, at(now)).what == todo::unlock);
        REQUIRE(b.machine.unlocked().what == todo::lock);
        REQUIRE(b.machine.locked(true, at(now)).what == todo::load);
        SECTION("nothing new") {
            CHECK(b.machine.loaded(make("old", 1), at(now)).what == todo::refresh);
        }
        SECTION("another has got the answer") {
            CHECK(b.machine.loaded(make("theirs", 2, now), at(now)).what == todo::unlock);
        }
    }
}

TEST_CASE("the lease is kept as long as a pair is not stored", "[auth]") {
    bench b;
    auto now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, now), at(now)).what == todo::replace);
    auto leased_until = now + b.options.lease;
    for (int i = 0; i < 20; ++i) {
        auto step = b.machine.store_failed(problem("disk full"), at(now, 0.9));
        REQUIRE(step.what == todo::pause);
        now += std::min<std::chrono::milliseconds>(step.delay, 5s);
        step = b.machine.paused(at(now));
        if (step.what == todo::extend) {
            leased_until = now + b.options.lease;
            step = b.machine.extended(true, at(now));
        }
        REQUIRE(step.what == todo::replace);
        CHECK(now < leased_until);
    }
}

TEST_CASE("a refused token is renewed once, for all that raced", "[auth]") {
    bench b;
    b.hold(make("old", 1), start);
    auto const now = start + 1h;
    auto const first = b.machine.refuse(secret{"old"}, at(now));
    CHECK(first.what == verdict::wait);
    CHECK(first.start);
    auto const second = b.machine.refuse(secret{"old"}, at(now));
    CHECK(second.what == verdict::wait);
    CHECK_FALSE(second.start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, now), at(now)).what == todo::replace);
    REQUIRE(b.machine.replaced(2, at(now)).what == todo::unlock);
    REQUIRE(b.machine.unlocked().what == todo::done);
    CHECK(text(b.machine.settled(at(now))) == "new");
    // One that was on its way with the old token comes back late: no second renewal.
    auto const late = b.machine.refuse(secret{"old"}, at(now + 1s));
    CHECK(late.what == verdict::ready);
    CHECK_FALSE(late.start);
    CHECK(text(late) == "new");
    // The new one is refused as well: a renewal would not help.
    auto const again = b.machine.refuse(secret{"new"}, at(now + 2s));
    CHECK(again.what == verdict::failed);
    CHECK_FALSE(again.start);
    CHECK(b.machine.refuse(secret{"new"}, at(now + 11s)).start);
}

TEST_CASE("a token that another process has renewed already is read, not renewed", "[auth]") {
    bench b;
    b.hold(make("old", 1), start);
    auto const now = start + 1h;
    REQUIRE(b.machine.refuse(secret{"old"}, at(now)).start);
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(make("theirs", 2, now), at(now)).what == todo::done);
    CHECK(text(b.machine.settled(at(now))) == "theirs");
}

TEST_CASE("an older edition from the store never takes the place of a newer one", "[auth]") {
    bench b;
    b.hold(make("new", 2), start);
    auto const due = start + day - 5min;
    REQUIRE(b.machine.ask(at(due)).start);
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1, start - day), at(due)).what == todo::lock);
    CHECK(text(b.machine.ask(at(due))) == "new");
}

TEST_CASE("a token refused while its flight gives the lease back is renewed by it", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, now), at(now)).what == todo::replace);
    CHECK_FALSE(b.machine.release_waiters());
    REQUIRE(b.machine.replaced(2, at(now)).what == todo::unlock);
    // Nobody has to wait for the store to take the lease back.
    CHECK(b.machine.release_waiters());
    SECTION("by the server") {
        auto const refused = b.machine.refuse(secret{"new"}, at(now));
        CHECK(refused.what == verdict::wait);
        CHECK_FALSE(refused.start);
        CHECK_FALSE(b.machine.release_waiters());
        CHECK(b.machine.settled(at(now)).what == verdict::wait);
    }
    SECTION("by the application, which asks for another one") {
        CHECK_FALSE(b.machine.force());
        CHECK_FALSE(b.machine.release_waiters());
    }
    REQUIRE(b.machine.unlocked().what == todo::load);
    REQUIRE(b.machine.loaded(make("new", 2, now), at(now)).what == todo::lock);
    REQUIRE(b.machine.locked(true, at(now)).what == todo::load);
    REQUIRE(b.machine.loaded(make("new", 2, now), at(now)).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("newer", 0, now), at(now)).what == todo::replace);
    REQUIRE(b.machine.replaced(3, at(now)).what == todo::unlock);
    REQUIRE(b.machine.unlocked().what == todo::done);
    CHECK(text(b.machine.settled(at(now))) == "newer");
    CHECK_FALSE(b.machine.insisting());
}

TEST_CASE(
    "a token refused while its flight gives the lease back is not renewed too often", "[auth]") {
    bench b;
    b.hold(make("old", 1), start);
    auto const now = start + 1h;
    REQUIRE(b.machine.refuse(secret{"old"}, at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, now), at(now)).what == todo::replace);
    REQUIRE(b.machine.replaced(2, at(now)).what == todo::unlock);
    SECTION("but left as it is") {
        CHECK(b.machine.refuse(secret{"new"}, at(now + 2s)).what == verdict::failed);
        CHECK(b.machine.release_waiters());
        CHECK(b.machine.unlocked().what == todo::done);
    }
    SECTION("but when the time has come") {
        CHECK(b.machine.refuse(secret{"new"}, at(now + 11s)).what == verdict::wait);
        CHECK(b.machine.unlocked().what == todo::load);
    }
    SECTION("but waited for when another one is asked for anyway") {
        CHECK_FALSE(b.machine.force());
        CHECK(b.machine.refuse(secret{"new"}, at(now + 2s)).what == verdict::wait);
        CHECK(b.machine.unlocked().what == todo::load);
    }
}

TEST_CASE("an endless pause between renewals of refused tokens has no end", "[auth]") {
    bench b;
    b.options.refused_interval = std::chrono::milliseconds::max();
    b.hold(make("old", 1), start);
    REQUIRE(b.machine.refuse(secret{"old"}, at(start)).start);
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(make("theirs", 2), at(start)).what == todo::done);
    CHECK(b.machine.refuse(secret{"theirs"}, at(start + 20h)).what == verdict::failed);
}

TEST_CASE("who asks while a failed flight gives its lease back learns why it failed", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.refused(refusal::lasting, problem("no"), 0ms, at(now)).what == todo::unlock);
    auto const a = b.machine.ask(at(now));
    CHECK(a.what == verdict::failed);
    CHECK(a.problem.detail == "no");
    REQUIRE(b.machine.unlocked().what == todo::done);
}

TEST_CASE(
    "a pair that met another one in the store is not followed by a refresh without lease",
    "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, now), at(now)).what == todo::replace);
    b.machine.abandon(problem("the event loop ended"));
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.machine.begin().what == todo::replace);
    REQUIRE(b.machine.replaced(std::nullopt, at(now)).what == todo::load);
    // The other one has ended, too.
    REQUIRE(b.machine.loaded(make("theirs", 2), at(now)).what == todo::lock);
    REQUIRE(b.machine.locked(true, at(now)).what == todo::load);
    CHECK(b.machine.loaded(make("theirs", 2), at(now)).what == todo::refresh);
    CHECK(b.machine.subject()->access == secret{"theirs"});
}

TEST_CASE("a lease that a slow store has eaten up is made longer before the refresh", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1), at(now)).what == todo::lock);
    REQUIRE(b.machine.locked(true, at(now)).what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1), at(now + 12s)).what == todo::extend);
    SECTION("which works") {
        CHECK(b.machine.extended(true, at(now + 12s)).what == todo::refresh);
    }
    SECTION("or it is taken anew") {
        REQUIRE(b.machine.extended(false, at(now + 12s)).what == todo::unlock);
        REQUIRE(b.machine.unlocked().what == todo::lock);
        REQUIRE(b.machine.locked(true, at(now + 12s)).what == todo::load);
        CHECK(b.machine.loaded(make("old", 1), at(now + 12s)).what == todo::refresh);
    }
}

TEST_CASE("a short lease is not made longer before it is used", "[auth]") {
    bench b;
    b.options.lease = 2s;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    CHECK(b.renewal(make("old", 1), now).what == todo::refresh);
}

TEST_CASE("a removed pair does not come back when its flight breaks off", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, now), at(now)).what == todo::replace);
    b.machine.forget();
    b.machine.abandon(problem("the event loop ended"));
    CHECK_FALSE(b.machine.unsaved());
    CHECK_FALSE(b.machine.save());
    REQUIRE(b.machine.ask(at(now)).start);
    CHECK(b.machine.begin().what == todo::load);
}

TEST_CASE("what is unsaved is stored without being asked for", "[auth]") {
    bench b;
    b.options.attempts = 1;
    CHECK_FALSE(b.machine.save());
    b.machine.stop();
    REQUIRE(b.machine.offer(make("installed", 0)));
    CHECK_FALSE(b.machine.save()); // that flight does it
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.store_failed(problem("gone"), at(start)).what == todo::done);
    b.machine.resume();
    REQUIRE(b.machine.save());
    REQUIRE(b.machine.begin().what == todo::load);
    REQUIRE(b.machine.loaded(std::nullopt, at(start)).what == todo::replace);
    REQUIRE(b.machine.replaced(1, at(start)).what == todo::done);
    CHECK_FALSE(b.machine.save());
}

TEST_CASE("a client that comes while the lease is given back has the pair stored", "[auth]") {
    bench b;
    b.options.attempts = 1;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.obtained(make("new", 0, now), at(now)).what == todo::replace);
    b.machine.stop();
    REQUIRE(b.machine.store_failed(problem("disk full"), at(now)).what == todo::unlock);
    b.machine.resume();
    REQUIRE(b.machine.unlocked().what == todo::replace);
    CHECK(b.machine.pending().access == secret{"new"});
    CHECK(b.machine.expected() == 1);
}

TEST_CASE("the server's words on a used-up refresh token are kept", "[auth]") {
    bench b{resource_kind::company};
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    auto why = problem("HTTP status 400");
    why.status = 400;
    why.messages = {"Invalid grant"};
    REQUIRE(b.machine.refused(refusal::final, why, 0ms, at(now)).what == todo::load);
    REQUIRE(b.machine.loaded(make("old", 1), at(now)).what == todo::unlock);
    REQUIRE(b.machine.unlocked().what == todo::done);
    auto const first = b.machine.settled(at(now)).problem;
    // Also in a flight that did not ask the server.
    REQUIRE(b.machine.ask(at(now + 1min)).start);
    REQUIRE(b.renewal(make("old", 1), now + 1min).what == todo::unlock);
    for (auto const& p : {first, b.machine.settled(at(now + 1min)).problem}) {
        CHECK(p.code == errc::reinstall_required);
        CHECK(p.cause == highlevel::cause::reinstall_required);
        CHECK(p.status == 400);
        CHECK(p.messages == std::vector<std::string>{"Invalid grant"});
        CHECK(p.detail.find("HTTP status 400") != std::string::npos);
    }
}

TEST_CASE("a client that ends cuts pauses short and fetches nothing more", "[auth]") {
    bench b;
    auto const now = start + 25h;
    REQUIRE(b.machine.ask(at(now)).start);
    REQUIRE(b.renewal(make("old", 1), now).what == todo::refresh);
    REQUIRE(b.machine.refused(refusal::transient, problem(), 0ms, at(now)).what == todo::pause);
    b.machine.stop();
    REQUIRE(b.machine.paused(at(now)).what == todo::unlock);
    REQUIRE(b.machine.unlocked().what == todo::done);
}

// ---- every course of a flight ------------------------------------------------------------------

namespace {

/// Walks every course of one flight up to a depth, by replaying it from the start with one outcome
/// more each time, and checks at each step what must always hold.
class explorer {
public:
    /// What the application does beside the flight.
    enum class injection : std::uint8_t { none, offer, refuse, force, forget };

    /// Which state the flight begins in.
    enum class beginning : std::uint8_t {
        /// Nothing is known yet.
        fresh,
        /// A former flight broke off before the store had its pair.
        abandoned,
    };

    explicit explorer(
        resource_kind kind, injection what = injection::none, beginning from = beginning::fresh)
        : kind_(kind),
          inject_(what),
          from_(from) {}

    std::size_t ended = 0;
    std::size_t cut = 0;

    void explore(std::size_t depth) {
        std::vector<unsigned> path;
        for (;;) {
            std::size_t const used = replay(path, depth);
            // The next course: the last choice that has an alternative takes it.
            path.resize(used);
            while (!path.empty() && path.back() + 1 >= choices_[path.size() - 1])
                path.pop_back();
            if (path.empty()) return;
            ++path.back();
        }
    }

private:
    std::size_t replay(std::vector<unsigned>& path, std::size_t depth) {
        refresh_options options;
        options.attempts = 2;
        refresh_machine m{options, kind_};
        timestamp now = start + 25h;
        auto const backup = make("t0", 1);
        std::uint64_t version = 2;
        std::optional<token> stored = make("t1", version);
        std::set<std::string> in_store{"t0", "t1"};
        int obtained = 0;
        bool leased = false;
        bool unsaved = false;
        std::optional<std::uint64_t> conflict; // with this version, resolved by reading the store
        bool removed = false;                  // by the application, so that nothing may come back
        bool just_removed = false;
        int offered = 0;
        bool injected = false;
        choices_.clear();
        auto const choose = [&](unsigned count) {
            choices_.push_back(count);
            if (path.size() < choices_.size()) path.push_back(0);
            return path[choices_.size() - 1];
        };
        auto const other_process = [&] {
            ++version;
            stored = make("other" + std::to_string(version), version, now);
            in_store.insert(std::string{stored->access.reveal()});
        };

        bool good = m.ask(at(now)).start;
        auto step = m.begin();
        if (from_ == beginning::abandoned) {
            (void)m.loaded(stored, at(now));
            (void)m.locked(true, at(now));
            (void)m.loaded(stored, at(now));
            good = good && m.obtained(make("fresh0", 0, now), at(now)).what == todo::replace;
            unsaved = true;
            m.abandon(problem());
            // Its lease has ended, and another process was faster, perhaps with what has ended,
            // too.
            auto const meanwhile = choose(3);
            if (meanwhile != 0) other_process();
            if (meanwhile == 2) stored = make(std::string{stored->access.reveal()}, version);
            good = good && m.ask(at(now)).start;
            step = m.begin();
        }
        while (good && step.what != todo::done && choices_.size() < depth) {
            now += 100ms;
            auto const when = at(now, 0.5);
            just_removed = false;
            // The application does something of its own, once, at any step.
            if (inject_ != injection::none && !injected && choose(2) == 1) {
                injected = true;
                if (inject_ == injection::offer) {
                    good = good && !m.offer(make("offered" + std::to_string(++offered), 0, now));
                } else if (inject_ == injection::refuse) {
                    if (m.current()) (void)m.refuse(m.current()->access, when);
                } else if (inject_ == injection::force) {
                    good = good && !m.force();
                } else if (inject_ == injection::forget) {
                    m.forget();
                    stored.reset();
                    unsaved = false;
                    conflict.reset();
                    removed = just_removed = true;
                }
            }
            switch (step.what) {
            case todo::done: break;
            case todo::extend: step = m.extended(choose(2) == 0, when); break;
            case todo::load: {
                auto const outcome = choose(conflict ? 5 : 4);
                if (outcome == 1) other_process();
                if (outcome == 2) stored.reset();
                if (outcome == 4) stored = backup; // the store was set back
                if (outcome == 3) {
                    step = m.store_failed(problem(), when);
                    break;
                }
                step = m.loaded(stored, when);
                if (auto const with = std::exchange(conflict, std::nullopt)) {
                    // Given up for a newer one, or because it was removed; not for an older one.
                    unsaved = step.what == todo::replace;
                    good = good && unsaved == (stored && stored->version < *with);
                }
                break;
            }
            case todo::lock:
                switch (choose(3)) {
                case 0:
                    leased = true;
                    step = m.locked(true, when);
                    break;
                case 1: step = m.locked(false, when); break;
                default: step = m.store_failed(problem(), when); break;
                }
                break;
            case todo::unlock:
                good = good && leased;
                leased = false;
                step = m.unlocked();
                break;
            case todo::pause:
                good = good && step.delay > 0ms && step.delay <= options.max_delay;
                now += step.delay;
                if (choose(2) == 1) m.stop();
                step = m.paused(at(now, 0.5));
                break;
            case todo::refresh:
            case todo::mint:
                // Only under the lease, never while a pair is unsaved, and only what can be sent.
                good = good && leased && !unsaved;
                good = good &&
                    (step.what == todo::mint ? kind_ == resource_kind::location
                                             : m.subject() && !m.subject()->refresh.empty());
                // An installation's refresh token is not spent before the store has it.
                if (step.what == todo::refresh)
                    good = good && in_store.count(std::string{m.subject()->access.reveal()}) == 1;
                switch (choose(5)) {
                case 0:
                    unsaved = true;
                    step = m.obtained(make("fresh" + std::to_string(++obtained), 0, now), when);
                    break;
                case 1: step = m.refused(refusal::transient, problem(), 0ms, when); break;
                case 2: step = m.refused(refusal::lasting, problem(), 0ms, when); break;
                case 3: step = m.refused(refusal::lost, problem(), 0ms, when); break;
                default: step = m.refused(refusal::final, problem(), 0ms, when); break;
                }
                break;
            case todo::replace: {
                // A pair that was removed may be on its way at that moment, and not later.
                good = good && (unsaved || offered > 0 || just_removed);
                bool const fits = (stored ? stored->version : 0) == m.expected();
                switch (choose(3)) {
                case 0:
                    if (fits) {
                        stored = m.pending();
                        stored->version = ++version;
                        in_store.insert(std::string{stored->access.reveal()});
                        unsaved = false;
                        step = m.replaced(version, when);
                    } else {
                        if (unsaved) conflict = m.expected();
                        step = m.replaced(std::nullopt, when);
                    }
                    break;
                case 1: step = m.store_failed(problem(), when); break;
                default: // it worked, but that was not learned
                    if (fits) {
                        stored = m.pending();
                        stored->version = ++version;
                        in_store.insert(std::string{stored->access.reveal()});
                    }
                    step = m.store_failed(problem(), when);
                    break;
                }
                break;
            }
            }
            // What is stored as the application removes it is removed once more.
            if (removed && step.what == todo::done) stored.reset();
            // What is handed out is in the store.
            auto const given = m.settled(at(now));
            if (given.access)
                good = good && in_store.count(std::string{given.access->reveal()}) == 1;
            good = good && (step.what == todo::done) == !m.flying();
            good = good &&
                (given.what == verdict::wait
                     ? m.flying()
                     : given.what == verdict::ready || given.problem.code.failed());
        }
        if (step.what == todo::done) {
            ++ended;
            good = good && !leased;
            // A pair is given up only for one that the store has, or with the application's will.
            good = good && (!unsaved || m.unsaved() || removed);
            if (offered > 0 && !m.stopping()) good = good && !m.unsaved();
            if (offered > 0) good = good && (m.unsaved() || in_store.count("offered1") == 1);
            if (removed) good = good && !m.unsaved() && !m.settled(at(now)).access;
        } else {
            ++cut;
        }
        if (!good) {
            std::string course;
            for (std::size_t i = 0; i < choices_.size(); ++i)
                course += std::to_string(path[i]) + ' ';
            FAIL("a course breaks a rule: " << course);
        }
        return choices_.size();
    }

    resource_kind kind_;
    injection inject_;
    beginning from_;
    std::vector<unsigned> choices_;
};

} // namespace

TEST_CASE("every course of a flight keeps the rules", "[auth]") {
    for (auto const kind : {resource_kind::location, resource_kind::company}) {
        explorer e{kind};
        e.explore(13);
        CHECK(e.ended > 500);
    }
}

TEST_CASE("every course of a flight after one that broke off keeps the rules", "[auth]") {
    using injection = explorer::injection;
    for (auto const kind : {resource_kind::location, resource_kind::company})
        for (auto const what : {injection::none, injection::offer, injection::forget}) {
            CAPTURE(static_cast<int>(kind), static_cast<int>(what));
            explorer e{kind, what, explorer::beginning::abandoned};
            e.explore(11);
            CHECK(e.ended > 100);
        }
}

TEST_CASE("what the application does beside a flight breaks no rule", "[auth]") {
    using injection = explorer::injection;
    for (auto const kind : {resource_kind::location, resource_kind::company})
        for (auto const what :
             {injection::offer, injection::refuse, injection::force, injection::forget}) {
            CAPTURE(static_cast<int>(kind), static_cast<int>(what));
            explorer e{kind, what};
            e.explore(12);
            CHECK(e.ended > 300);
        }
}

// ---- several processes -------------------------------------------------------------------------

namespace {

/// A store, a server with single-use refresh tokens, and processes that share them; each action of
/// a flight takes some time, during which the others go on.
class world {
public:
    world(std::uint64_t seed, int processes) : random(seed) {
        stored = make("t1", 1, start - 25h);
        valid_refresh = "refresh of t1";
        for (int i = 0; i < processes; ++i)
            alive.push_back(std::make_unique<process>(options));
    }

    struct process {
        explicit process(const refresh_options& o) : machine(o, resource_kind::company) {}
        refresh_machine machine;
        refresh_machine::action step{todo::done};
        timestamp due = timestamp::max();
        bool unsaved = false;
    };

    double chance() { return std::uniform_real_distribution<double>{0, 1}(random); }

    /// Lets one process ask, or the flight whose action is done next go on.
    void run(timestamp until) {
        while (now < until) {
            auto next = timestamp::max();
            process* who = nullptr;
            for (auto const& p : alive)
                if (p->due < next) {
                    next = p->due;
                    who = p.get();
                }
            if (who == nullptr || chance() < 0.2) {
                now += std::chrono::milliseconds{static_cast<int>(chance() * 200)};
                ask(*alive[static_cast<std::size_t>(chance() * static_cast<double>(alive.size()))]);
                continue;
            }
            now = std::max(now, next);
            perform(*who);
        }
    }

    void ask(process& p) {
        auto const got = p.machine.ask(at(now, chance()));
        if (got.access) {
            auto const given = std::string{got.access->reveal()};
            // Stored before it was handed out.
            good = good && ever_stored.count(given) == 1;
            ++handed_out;
        }
        if (got.start) plan(p, p.machine.begin());
    }

    void plan(process& p, refresh_machine::action step) {
        p.step = step;
        if (step.what == todo::done) {
            p.due = timestamp::max();
            return;
        }
        auto const takes = step.what == todo::pause ? step.delay
            : step.what == todo::refresh
            ? std::chrono::milliseconds{50 + static_cast<int>(chance() * 500)}
            : std::chrono::milliseconds{1 + static_cast<int>(chance() * 5)};
        p.due = now + takes;
    }

    void perform(process& p) {
        auto const when = at(now, chance());
        bool const trouble = chance() < trouble_share;
        switch (p.step.what) {
        case todo::done: break;
        case todo::load:
            plan(
                p,
                trouble ? p.machine.store_failed(problem(), when) : p.machine.loaded(stored, when));
            break;
        case todo::lock:
            if (trouble) {
                plan(p, p.machine.store_failed(problem(), when));
            } else if (holder == nullptr || now >= lease_end) {
                holder = &p;
                lease_end = now + options.lease;
                plan(p, p.machine.locked(true, when));
            } else {
                plan(p, p.machine.locked(false, when));
            }
            break;
        case todo::extend: {
            bool const longer = !trouble && holder == &p && now < lease_end;
            if (longer) lease_end = now + options.lease;
            plan(p, p.machine.extended(longer, when));
            break;
        }
        case todo::unlock:
            if (holder == &p) holder = nullptr;
            plan(p, p.machine.unlocked());
            break;
        case todo::pause: plan(p, p.machine.paused(when)); break;
        case todo::mint: good = false; break;
        case todo::refresh: {
            auto const given = std::string{p.machine.subject()->refresh.reveal()};
            if (given == valid_refresh) {
                last_refresh = given;
                rotated_at = now;
                last_pair = make("t" + std::to_string(++rotations + 1), 0, now, 10min);
                valid_refresh = std::string{last_pair.refresh.reveal()};
            } else if (given == last_refresh && now < rotated_at + 30s) {
                ++graces; // the same answer once more
            } else {
                ++reuses;
                plan(p, p.machine.refused(refusal::final, problem("used up"), 0ms, when));
                break;
            }
            plan(
                p,
                trouble ? p.machine.refused(refusal::lost, problem("lost"), 0ms, when)
                        : p.machine.obtained(last_pair, when));
            break;
        }
        case todo::replace: {
            bool const fits = stored->version == p.machine.expected();
            bool const applied = fits && (!trouble || chance() < 0.5);
            if (applied) {
                auto const version = stored->version + 1;
                stored = p.machine.pending();
                stored->version = version;
                ever_stored.insert(std::string{stored->access.reveal()});
            }
            if (trouble)
                plan(p, p.machine.store_failed(problem("store"), when));
            else
                plan(
                    p,
                    fits ? p.machine.replaced(stored->version, when)
                         : p.machine.replaced(std::nullopt, when));
            break;
        }
        }
    }

    std::mt19937_64 random;
    refresh_options options;
    timestamp now = start;
    double trouble_share = 0;
    std::optional<token> stored;
    std::set<std::string> ever_stored{"t1"};
    std::string valid_refresh;
    std::string last_refresh;
    timestamp rotated_at{};
    token last_pair;
    process* holder = nullptr;
    timestamp lease_end{};
    std::vector<std::unique_ptr<process>> alive;
    int rotations = 0;
    int graces = 0;
    int reuses = 0;
    int handed_out = 0;
    bool good = true;
};

} // namespace

TEST_CASE("processes that share a store renew once per life of a token", "[auth]") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        world w{seed, 5};
        w.run(start + 5s);
        REQUIRE(w.good);
        REQUIRE(w.rotations == 1); // 5 processes met an ended token at once
        w.run(start + 1h);
        REQUIRE(w.good);
        CHECK(w.rotations <= 8); // lives of 10 min, each renewed at 8 to 9 min
        CHECK(w.rotations >= 6);
        CHECK(w.graces == 0); // the server's leniency was not needed
        CHECK(w.reuses == 0);
    }
}

TEST_CASE("lost answers and a failing store never end a connection", "[auth]") {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        CAPTURE(seed);
        world w{seed, 4};
        w.trouble_share = 0.2;
        w.run(start + 40min);
        REQUIRE(w.good);
        // The grace made good for the answers that were lost, each time in time.
        CHECK(w.reuses == 0);
        w.trouble_share = 0;
        w.run(start + 1h);
        REQUIRE(w.good);
        for (auto const& p : w.alive) {
            auto const before = w.handed_out;
            for (int i = 0; i < 1000 && w.handed_out == before; ++i) {
                w.ask(*p);
                w.run(w.now + 100ms);
            }
            CHECK(w.handed_out > before);
        }
        CHECK(w.stored->refresh == secret{w.valid_refresh});
    }
}

} // namespace auth_refresh_machine_tests
