// SPDX-License-Identifier: BSL-1.0
//
// The conformance suite on the project's own stores, in threads and in processes; and on stores
// that each break one promise, which the suite must notice.

#include "support/catch.hpp"
#include "support/child_process.hpp"
#include "support/temporary_folder.hpp"

#include <highlevel/auth/file_token_store.hpp>
#include <highlevel/auth/memory_token_store.hpp>
#include <highlevel/auth/token_store_conformance.hpp>

#ifdef HIGHLEVEL_TEST_SQLITE
#    include <highlevel/auth/sqlite_token_store.hpp>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace auth_token_store_conformance_tests {

namespace auth = highlevel::auth;
using boost::asio::awaitable;
using conformance = auth::token_store_conformance;
using highlevel::test::temporary_folder;

namespace {

auth::secret some_key() {
    return auth::read_token_key("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
}

class named_store {
public:
    std::string name;
    std::function<std::shared_ptr<auth::token_store>(const temporary_folder&)> open;
};

/// Every store that lasts longer than its process.
std::vector<named_store> stores_on_disk() {
    std::vector<named_store> all;
    all.push_back({"file", [](const temporary_folder& folder) {
                       return std::make_shared<auth::file_token_store>(folder / "tokens");
                   }});
    all.push_back({"encrypted file", [](const temporary_folder& folder) {
                       return std::make_shared<auth::file_token_store>(
                           folder / "tokens", some_key());
                   }});
#ifdef HIGHLEVEL_TEST_SQLITE
    all.push_back({"sqlite", [](const temporary_folder& folder) {
                       return std::make_shared<auth::sqlite_token_store>(folder / "tokens.db");
                   }});
#endif
    return all;
}

std::string listed(const std::vector<auth::conformance_finding>& findings) {
    std::string text;
    for (auto const& finding : findings)
        text += finding.rule + ": " + finding.detail + '\n';
    return text;
}

std::set<std::string> rules_broken_by(const std::shared_ptr<auth::token_store>& store) {
    conformance checks{[store] { return store; }};
    checks.pass_time = [](std::chrono::milliseconds) {};
    checks.rounds = 5;
    std::set<std::string> rules;
    for (auto const& finding : checks.run())
        rules.insert(finding.rule);
    return rules;
}

/// A memory store with one defect.
class defective_store : public auth::token_store {
public:
    enum class defect {
        takes_any_version,
        forgets_erase,
        forgets_versions,
        drops_a_member,
        ignores_kind,
        gives_leases_to_all,
        never_ends_leases,
        unlocks_for_anybody,
        lists_nothing,
        throws,
    };

    explicit defective_store(defect what) : defect_(what) {}

    awaitable<std::optional<auth::token>> load(auth::resource what) override {
        if (defect_ == defect::throws) throw std::runtime_error("out of order");
        auto got = co_await inner_.load(mapped(what));
        if (got && defect_ == defect::drops_a_member) got->scopes.clear();
        if (got && defect_ == defect::forgets_versions) got->version -= offset_;
        co_return got;
    }
    awaitable<std::optional<std::uint64_t>> replace(
        auth::resource what, std::uint64_t expected, auth::token value) override {
        if (defect_ == defect::takes_any_version) {
            auto const now = co_await inner_.load(what);
            expected = now ? now->version : 0;
        }
        if (defect_ == defect::forgets_versions && expected != 0) expected += offset_;
        auto made = co_await inner_.replace(mapped(what), expected, std::move(value));
        if (made && defect_ == defect::forgets_versions) {
            if (expected == 0) offset_ = *made - 1;
            *made -= offset_;
        }
        co_return made;
    }
    awaitable<void> erase(auth::resource what) override {
        if (defect_ != defect::forgets_erase) co_await inner_.erase(mapped(what));
    }
    awaitable<std::optional<auth::lease>> try_lock(
        auth::resource what, std::chrono::milliseconds ttl) override {
        if (defect_ == defect::gives_leases_to_all) co_return auth::lease{what, "1"};
        co_return co_await inner_.try_lock(what, ttl);
    }
    awaitable<void> unlock(auth::lease held) override {
        if (defect_ == defect::unlocks_for_anybody)
            for (int i = 0; i < 200; ++i)
                co_await inner_.unlock(auth::lease{held.what, std::to_string(i)});
        co_await inner_.unlock(held);
    }
    awaitable<std::vector<auth::resource>> list() override {
        auto all = co_await inner_.list();
        if (defect_ == defect::lists_nothing) all.clear();
        co_return all;
    }

private:
    [[nodiscard]] auth::resource mapped(auth::resource what) const {
        if (defect_ == defect::ignores_kind) what.kind = auth::resource_kind::location;
        return what;
    }

    defect defect_;
    std::atomic<std::uint64_t> offset_{0}; // threads contend for a token
    auth::memory_token_store inner_;
};

} // namespace

TEST_CASE("the_memory_store_keeps_every_promise", "[auth]") {
    auto now = std::make_shared<std::atomic<std::chrono::steady_clock::time_point>>();
    auto const store = std::make_shared<auth::memory_token_store>([now] { return now->load(); });
    conformance checks{[store] { return store; }};
    checks.pass_time = [now](std::chrono::milliseconds t) { *now = now->load() + t; };
    CHECK(listed(checks.run()).empty());
}

TEST_CASE("the_stores_on_disk_keep_every_promise", "[auth]") {
    for (auto const& kind : stores_on_disk()) {
        temporary_folder const folder;
        conformance checks{[&] { return kind.open(folder); }};
        CAPTURE(kind.name);
        CHECK(listed(checks.run()).empty());
        // And when threads share one object.
        auto const one = kind.open(folder);
        conformance shared{[&] { return one; }};
        CHECK(listed(shared.run()).empty());
    }
}

TEST_CASE("no_update_is_lost_between_processes", "[auth]") {
    constexpr std::size_t processes = 3;
    constexpr std::size_t rounds = 40;
    auto const what = auth::resource::location("contest");
    for (auto const& kind : stores_on_disk()) {
        CAPTURE(kind.name);
        temporary_folder const folder;
        std::vector<std::unique_ptr<test::child_process>> all;
        for (std::size_t i = 0; i < processes; ++i)
            all.push_back(std::make_unique<test::child_process>(
                [&](const test::child_process::report& report) {
                    auto const store = kind.open(folder);
                    for (auto const version : conformance::contend(*store, what, rounds).versions)
                        report(version);
                }));
        std::set<std::uint64_t> versions;
        for (auto const& child : all) {
            while (auto const version = child->next())
                CHECK(versions.insert(*version).second);
            CHECK(child->status() == 0);
        }
        auto const last = conformance::wait(kind.open(folder)->load(what));
        REQUIRE(last.has_value());
        CHECK(conformance::count_of(*last) == processes * rounds);
        CHECK(versions.size() == processes * rounds);
        CHECK(last->version == *versions.rbegin());
    }
}

TEST_CASE("a_lease_excludes_other_processes", "[auth]") {
    auto const what = auth::resource::company("c");
    for (auto const& kind : stores_on_disk()) {
        CAPTURE(kind.name);
        temporary_folder const folder;
        test::child_process child{[&](const test::child_process::report& report) {
            auto const store = kind.open(folder);
            auto const held = conformance::wait(store->try_lock(what, std::chrono::minutes{1}));
            report(held.has_value() ? 1 : 0);
            ::pause();
        }};
        CHECK(child.next() == 1U);
        auto const store = kind.open(folder);
        CHECK_FALSE(conformance::wait(store->try_lock(what, std::chrono::minutes{1})).has_value());
    }
}

TEST_CASE("the_suite_notices_every_defect", "[auth]") {
    using defect = defective_store::defect;
    std::map<defect, std::set<std::string>> const expected{
        {defect::takes_any_version, {"an_old_version_is_refused"}},
        {defect::forgets_erase, {"an_erased_token_is_gone"}},
        {defect::forgets_versions, {"versions_only_grow", "an_erased_token_is_gone"}},
        {defect::drops_a_member, {"what_is_stored_is_loaded", "a_token_is_kept_in_full"}},
        {defect::ignores_kind, {"resources_do_not_mix"}},
        {defect::gives_leases_to_all, {"a_lease_excludes_others"}},
        {defect::never_ends_leases, {"a_lease_ends_after_its_time"}},
        {defect::unlocks_for_anybody, {"a_lease_excludes_others"}},
        {defect::lists_nothing, {"all_tokens_are_listed"}},
        {defect::throws, {"what_is_not_there_is_not_found"}},
    };
    for (auto const& [what, rules] : expected) {
        CAPTURE(static_cast<int>(what));
        auto const broken = rules_broken_by(std::make_shared<defective_store>(what));
        CHECK(std::includes(broken.begin(), broken.end(), rules.begin(), rules.end()));
    }
    // Nothing else is amiss with the store that they are made of.
    CHECK(
        rules_broken_by(std::make_shared<auth::memory_token_store>()) ==
        std::set<std::string>{"a_lease_ends_after_its_time"});
}

} // namespace auth_token_store_conformance_tests
