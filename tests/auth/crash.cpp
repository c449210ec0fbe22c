// SPDX-License-Identifier: BSL-1.0
//
// kill -9 at 200 moments of a process that renews a token in a loop: the newest pair that was
// acknowledged is always there, in full, and the next start works.

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/temporary_folder.hpp"

#include <highlevel/auth/file_token_store.hpp>
#include <highlevel/auth/token_store_conformance.hpp>

#ifdef HIGHLEVEL_TEST_SQLITE
#    include <highlevel/auth/sqlite_token_store.hpp>
#endif

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>

namespace auth_crash_tests {

namespace auth = highlevel::auth;
using conformance = auth::token_store_conformance;
using highlevel::test::temporary_folder;

namespace {

using opener = std::function<std::shared_ptr<auth::token_store>()>;

/// What a worker does that renews its token again and again: takes the lease, replaces the pair and
/// tells which one it was told to be safe.
void renew_for_ever(
    auth::token_store& store,
    const auth::resource& what,
    const test::child_process::report& acknowledged) {
    for (;;) {
        auto const held = conformance::wait(store.try_lock(what, std::chrono::minutes{1}));
        auto const before = conformance::wait(store.load(what));
        auto const number = before ? conformance::count_of(*before) + 1 : 1;
        auto const version = conformance::wait(
            store.replace(what, before ? before->version : 0, conformance::sample(what, number)));
        if (!version) throw std::runtime_error("somebody else replaced the token");
        acknowledged(number);
        if (held) conformance::wait(store.unlock(*held));
    }
}

class outcome {
public:
    outcome() = default;

    int kills = 0;
    int lost = 0;
    int torn = 0;
    int unusable = 0;
    /// Kills between the writing of a pair and its acknowledgement; shows that the moments differ.
    int in_between = 0;
    std::uint64_t renewals = 0;
};

outcome kill_again_and_again(const opener& open, bool leases_end_with_process) {
    constexpr int kills = 200;
    auto const what = auth::resource::location("ve9EPM428h8vShlRW1KT");
    std::mt19937 random{20240229};
    outcome seen;
    std::uint64_t newest = 0;
    for (int i = 0; i < kills; ++i) {
        {
            test::child_process child{[&](const test::child_process::report& acknowledged) {
                auto const store = open();
                renew_for_ever(*store, what, acknowledged);
            }};
            auto const rounds = random() % 4;
            for (unsigned round = 0; round < rounds; ++round)
                if (auto const number = child.next()) newest = *number;
            std::this_thread::sleep_for(std::chrono::microseconds{random() % 1500});
            child.kill();
            // What it had acknowledged before it was killed is still in the pipe.
            while (auto const number = child.next())
                newest = *number;
            if (child.status() == -SIGKILL) ++seen.kills;
        }
        try {
            auto const store = open();
            auto const found = conformance::wait(store->load(what));
            auto const number = found ? conformance::count_of(*found) : 0;
            if (number < newest || number > newest + 1) ++seen.lost;
            if (number == newest + 1) ++seen.in_between;
            if (found) {
                auto whole = conformance::sample(what, number);
                whole.version = found->version;
                if (!(*found == whole)) ++seen.torn;
            }
            newest = number;
            auto const held = conformance::wait(store->try_lock(what, std::chrono::minutes{1}));
            if (leases_end_with_process && !held) ++seen.unusable;
            auto const version = conformance::wait(store->replace(
                what, found ? found->version : 0, conformance::sample(what, number + 1)));
            if (version)
                newest = number + 1;
            else
                ++seen.unusable;
        } catch (const std::exception& e) {
            UNSCOPED_INFO("start " << i << ": " << e.what());
            ++seen.unusable;
        }
    }
    seen.renewals = newest;
    return seen;
}

void check(const std::string& name, const outcome& seen) {
    CAPTURE(name, seen.renewals, seen.in_between);
    CHECK(seen.kills == 200);
    CHECK(seen.lost == 0);
    CHECK(seen.torn == 0);
    CHECK(seen.unusable == 0);
    CHECK(seen.renewals > 200);
}

} // namespace

TEST_CASE("kill_9_never_loses_a_pair_from_files", "[auth]") {
    temporary_folder const folder;
    auto const open = [&] { return std::make_shared<auth::file_token_store>(folder / "tokens"); };
    check("file", kill_again_and_again(open, true));
}

TEST_CASE("kill_9_never_loses_a_pair_from_encrypted_files", "[auth]") {
    temporary_folder const folder;
    auth::secret const key{std::string(32, 'k')};
    auto const open = [&] {
        return std::make_shared<auth::file_token_store>(folder / "tokens", key);
    };
    check("encrypted file", kill_again_and_again(open, true));
}

#ifdef HIGHLEVEL_TEST_SQLITE
TEST_CASE("kill_9_never_loses_a_pair_from_sqlite", "[auth]") {
    temporary_folder const folder;
    auto const open = [&] {
        return std::make_shared<auth::sqlite_token_store>(folder / "tokens.db");
    };
    check("sqlite", kill_again_and_again(open, false));
}
#endif

} // namespace auth_crash_tests
