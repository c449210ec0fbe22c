// SPDX-License-Identifier: BSL-1.0
//
// Checks a token store, also one that a user wrote, against what token_store promises. For tests;
// it depends on no test framework and gives its findings as a list.
#pragma once

#include <highlevel/auth/token_store.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace highlevel::auth {

/// A promise that a store did not keep.
class conformance_finding {
public:
    conformance_finding() = default;
    conformance_finding(std::string_view which, std::string what)
        : rule(which),
          detail(std::move(what)) {}

    /// The promise, for example "an_old_version_is_refused".
    std::string rule;
    /// What was seen. Holds only texts that the suite made up.
    std::string detail;
};

/// The checks of a token store.
///
///     auth::token_store_conformance checks{[] { return std::make_shared<my_store>(...); }};
///     for (auto const& finding : checks.run()) ...   // none: the store keeps its promises
///
/// Run it on data of its own: it uses resources whose ids begin with "conformance", and removes
/// their tokens at the end.
///
/// Thread safety: one thread at a time.
class token_store_conformance {
public:
    using maker = std::function<std::shared_ptr<token_store>()>;

    /// `open` gives a store on the same data whenever it is called; twice the same object if that
    /// is the only way to share the data.
    explicit token_store_conformance(maker open) : open_(std::move(open)) {}

    /// Threads that work on the data at once, each with a store of its own. At least 2.
    std::size_t threads = 4;
    /// Tokens that each of them stores.
    std::size_t rounds = 25;
    /// Lets that much time pass for the store; for one whose clock is not the real one.
    std::function<void(std::chrono::milliseconds)> pass_time = [](std::chrono::milliseconds t) {
        std::this_thread::sleep_for(t);
    };

    /// Runs every check; none of them throws.
    [[nodiscard]] std::vector<conformance_finding> run() {
        findings_.clear();
        store_.reset();
        check("the_store_opens", [this] {
            store_ = open_();
            if (!store_) throw std::runtime_error{"there is no store"};
            wipe();
        });
        if (!store_) return findings_;
        check("what_is_not_there_is_not_found", [this] { absent(); });
        check("what_is_stored_is_loaded", [this] { round_trip(); });
        check("a_token_is_kept_in_full", [this] { every_member(); });
        check("an_old_version_is_refused", [this] { compare_and_swap(); });
        check("versions_only_grow", [this] { versions(); });
        check("an_erased_token_is_gone", [this] { erased(); });
        check("resources_do_not_mix", [this] { separate(); });
        check("all_tokens_are_listed", [this] { listed(); });
        check("a_lease_excludes_others", [this] { leases(); });
        check("a_lease_ends_after_its_time", [this] { lease_ends(); });
        check("two_stores_share_the_data", [this] { shared(); });
        check("no_update_is_lost_between_threads", [this] { many_threads(); });
        check("one_lease_at_a_time_between_threads", [this] { many_leases(); });
        check("the_suite_cleans_up", [this] { wipe(); });
        store_.reset();
        return findings_;
    }

    /// What one worker of a contest did.
    class tally {
    public:
        tally() = default;

        /// The versions that its own tokens were given.
        std::vector<std::uint64_t> versions;
        /// How often another worker had been faster.
        std::size_t lost = 0;
    };

    /// Adds `rounds` to the number that the token of `what` carries as its user id, one by one,
    /// each by a load and a replace that are repeated until they win. Workers in several threads or
    /// processes must together add the sum of their rounds: that is the test that no update is
    /// lost.
    static tally contend(token_store& store, const resource& what, std::size_t rounds) {
        tally done;
        while (done.versions.size() < rounds) {
            auto const before = wait(store.load(what));
            auto next = sample(what, before ? count_of(*before) + 1 : 1);
            auto const version =
                wait(store.replace(what, before ? before->version : 0, std::move(next)));
            if (version)
                done.versions.push_back(*version);
            else
                ++done.lost;
        }
        return done;
    }

    /// The number that contend() has counted up to.
    [[nodiscard]] static std::uint64_t count_of(const token& value) {
        std::uint64_t count = 0;
        for (char const c : value.user_id)
            count = count * 10 + static_cast<std::uint64_t>(c - '0');
        return count;
    }

    /// A token of `what` that can be told from others by its number; for a store's own tests.
    [[nodiscard]] static token sample(const resource& what, std::uint64_t number) {
        auto const text = std::to_string(number);
        token value;
        value.access = secret{"access-" + text};
        value.refresh = secret{"refresh-" + text};
        value.issued_at = timestamp{std::chrono::milliseconds{1'700'000'000'000}};
        value.expires_at = value.issued_at + std::chrono::hours{24};
        value.kind = what.kind;
        (what.kind == resource_kind::location ? value.location_id : value.company_id) = what.id;
        value.user_id = text;
        value.scopes = {"contacts.readonly", "contacts.write"};
        return value;
    }

    /// Runs a function of a store to its end.
    template <class T>
    static T wait(boost::asio::awaitable<T> work) {
        boost::asio::io_context context;
        std::exception_ptr thrown;
        std::optional<T> made;
        boost::asio::co_spawn(context, std::move(work), [&](std::exception_ptr e, T value) {
            thrown = std::move(e);
            made.emplace(std::move(value));
        });
        context.run();
        if (thrown) std::rethrow_exception(thrown);
        return std::move(made.value());
    }
    static void wait(boost::asio::awaitable<void> work) {
        boost::asio::io_context context;
        std::exception_ptr thrown;
        boost::asio::co_spawn(
            context, std::move(work), [&](std::exception_ptr e) { thrown = std::move(e); });
        context.run();
        if (thrown) std::rethrow_exception(thrown);
    }

private:
    using milliseconds = std::chrono::milliseconds;

    template <class F>
    void check(std::string_view rule, const F& function) {
        rule_ = rule;
        try {
            function();
        } catch (const std::exception& e) {
            expect(false, std::string{"an exception: "} + e.what());
        } catch (...) {
            expect(false, "an exception that is no std::exception");
        }
    }

    void expect(bool held, std::string otherwise) {
        if (held) return;
        std::lock_guard const guard{mutex_};
        findings_.emplace_back(rule_, std::move(otherwise));
    }

    [[nodiscard]] static resource here(std::string_view name = "") {
        return resource::location("conformance" + std::string{name});
    }

    std::optional<token> load(const resource& what) { return wait(store_->load(what)); }
    std::optional<std::uint64_t> replace(
        const resource& what, std::uint64_t expected, std::uint64_t number) {
        return wait(store_->replace(what, expected, sample(what, number)));
    }
    std::optional<lease> try_lock(const resource& what, milliseconds ttl = long_time) {
        return wait(store_->try_lock(what, ttl));
    }

    void wipe() {
        for (auto const& what : wait(store_->list()))
            if (what.id.starts_with("conformance")) wait(store_->erase(what));
    }

    void absent() {
        expect(!load(here()), "load gave a token that nobody stored");
        wait(store_->erase(here()));
        expect(!replace(here(), 7, 1), "replace found version 7 where there is no token");
        expect(!load(here()), "a refused replace stored its token");
    }

    void round_trip() {
        auto const version = replace(here(), 0, 1);
        expect(version.has_value(), "replace with version 0 did not store a first token");
        auto const loaded = load(here());
        expect(loaded.has_value(), "load gave nothing");
        if (!version || !loaded) return;
        expect(*version != 0, "a token was given version 0");
        auto expected = sample(here(), 1);
        expected.version = *version;
        expect(*loaded == expected, "the token that was loaded is not the one that was stored");
        wait(store_->erase(here()));
    }

    void every_member() {
        auto const what = resource::company("conformance-full");
        auto value = sample(what, 1);
        std::string every_byte;
        for (int c = 1; c < 128; ++c)
            every_byte.push_back(static_cast<char>(c));
        value.access = secret{every_byte + "\xc3\xa9\xe2\x82\xac"};
        value.refresh = secret{};
        value.expires_at = timestamp::max();
        value.location_id = "\"quoted\", \\ and \n";
        value.scopes.assign(200, "contacts/very.long.scope_name.readonly");
        auto const version = wait(store_->replace(what, 0, value));
        auto loaded = load(what);
        value.version = version.value_or(0);
        expect(loaded && *loaded == value, "a company's token with odd texts came back changed");
        value = sample(what, 2);
        value.access = secret{std::string(20000, 'a')};
        value.scopes.clear();
        value.version = wait(store_->replace(what, value_or_zero(version), value)).value_or(0);
        loaded = load(what);
        expect(loaded && *loaded == value, "a token of 20,000 characters came back changed");
        wait(store_->erase(what));
    }

    static std::uint64_t value_or_zero(const std::optional<std::uint64_t>& v) {
        return v.value_or(0);
    }

    void compare_and_swap() {
        auto const first = value_or_zero(replace(here(), 0, 1));
        expect(!replace(here(), 0, 2), "replace with version 0 overwrote a token");
        auto const second = value_or_zero(replace(here(), first, 3));
        expect(second != 0, "replace with the version of the store was refused");
        expect(!replace(here(), first, 4), "replace with an old version was accepted");
        expect(!replace(here(), second + 1, 5), "replace with a version to come was accepted");
        auto const loaded = load(here());
        expect(loaded && count_of(*loaded) == 3, "a refused replace changed the token");
        expect(
            loaded && loaded->version == second, "load and replace do not tell the same version");
        auto lying = sample(here(), 6);
        lying.version = 1'000'000;
        auto const third = value_or_zero(wait(store_->replace(here(), second, std::move(lying))));
        expect(third != 0 && third != 1'000'000, "the version inside the new token was looked at");
        wait(store_->erase(here()));
    }

    void versions() {
        std::uint64_t last = 0;
        std::uint64_t current = 0;
        for (std::uint64_t i = 1; i <= 10; ++i) {
            auto const version = value_or_zero(replace(here(), current, i));
            expect(version > last, "a version was not greater than the one before");
            last = current = version;
            if (i % 3 != 0) continue;
            wait(store_->erase(here()));
            current = 0;
        }
        wait(store_->erase(here()));
    }

    void erased() {
        auto const version = value_or_zero(replace(here(), 0, 1));
        wait(store_->erase(here()));
        wait(store_->erase(here()));
        expect(!load(here()), "an erased token was loaded");
        expect(!replace(here(), version, 2), "the version of an erased token was accepted");
        auto const again = value_or_zero(replace(here(), 0, 3));
        expect(again > version, "a token after an erase has a version that was there before");
        wait(store_->erase(here()));
    }

    void separate() {
        std::vector<resource> all;
        for (auto const* name :
             {"", "-a", "-A", "-a/b", "-../up", "-a b", "-%2f", "-%", "-.", "-\xc3\xa9", ":x"}) {
            all.push_back(here(name));
            all.push_back(resource::company("conformance" + std::string{name}));
        }
        std::uint64_t number = 100;
        for (auto const& what : all)
            expect(replace(what, 0, ++number).has_value(), what.key() + " could not be stored");
        number = 100;
        for (auto const& what : all) {
            auto const loaded = load(what);
            expect(
                loaded && count_of(*loaded) == ++number && loaded->resource() == what,
                what.key() + " was mixed up with another resource");
        }
        wait(store_->erase(all.front()));
        expect(load(all[1]).has_value(), "erasing a location's token erased a company's");
        for (auto const& what : all)
            wait(store_->erase(what));
    }

    void listed() {
        std::vector<resource> const all{
            here("-1"), here("-2/x y"), resource::company("conformance-1")};
        for (auto const& what : all)
            expect(replace(what, 0, 1).has_value(), what.key() + " could not be stored");
        (void)replace(here("-gone"), 0, 1);
        wait(store_->erase(here("-gone")));
        auto const leased = try_lock(here("-leased"));
        auto const found = wait(store_->list());
        for (auto const& what : all)
            expect(
                std::count(found.begin(), found.end(), what) == 1,
                what.key() + " is not listed once");
        for (auto const& what : {here("-gone"), here("-leased")})
            expect(
                std::find(found.begin(), found.end(), what) == found.end(),
                what.key() + " is listed and has no token");
        if (leased) wait(store_->unlock(*leased));
        for (auto const& what : all)
            wait(store_->erase(what));
    }

    void leases() {
        auto const held = try_lock(here("-leased"));
        expect(held.has_value(), "a lease of a resource without token was refused");
        if (!held) return;
        expect(held->what == here("-leased"), "the lease is for another resource");
        expect(!try_lock(here("-leased")), "a lease was given twice");
        auto const other = try_lock(here("-other"));
        expect(other.has_value(), "a lease excluded that of another resource");
        expect(replace(here("-leased"), 0, 1).has_value(), "a lease kept replace from working");
        wait(store_->unlock(*held));
        auto const next = try_lock(here("-leased"));
        expect(next.has_value(), "unlock did not end the lease");
        wait(store_->unlock(*held));
        expect(
            !try_lock(here("-leased")), "a lease that had ended was given back and ended another");
        expect(!wait(store_->extend(*held, long_time)), "a lease that was given back was extended");
        if (next) {
            expect(next->id != held->id, "two leases have the same id");
            wait(store_->unlock(*next));
        }
        if (other) wait(store_->unlock(*other));
        wait(store_->erase(here("-leased")));
    }

    void lease_ends() {
        constexpr milliseconds time{40};
        auto const held = try_lock(here("-timed"), time);
        expect(held.has_value(), "a lease was refused");
        pass_time(time + milliseconds{20});
        auto const next = try_lock(here("-timed"));
        expect(next.has_value(), "a lease did not end after its time");
        if (held) {
            expect(
                !wait(store_->extend(*held, long_time)), "a lease that had run out was extended");
            wait(store_->unlock(*held));
        }
        expect(!try_lock(here("-timed")), "giving back a lease that had run out ended another");
        if (next) wait(store_->unlock(*next));
        // extend() is optional; who has it keeps the lease.
        auto const kept = try_lock(here("-timed"), time);
        bool const longer = kept && wait(store_->extend(*kept, long_time));
        pass_time(time + milliseconds{20});
        auto const after = try_lock(here("-timed"));
        expect(after.has_value() != longer, "a lease that was extended ended at its former time");
        if (kept) wait(store_->unlock(*kept));
        if (after) wait(store_->unlock(*after));
    }

    void shared() {
        auto const second = open_();
        auto const version = value_or_zero(replace(here("-shared"), 0, 1));
        auto const loaded = wait(second->load(here("-shared")));
        expect(loaded && loaded->version == version, "another store does not see what was stored");
        auto const newer = value_or_zero(
            wait(second->replace(here("-shared"), version, sample(here("-shared"), 2))));
        expect(newer > version, "another store could not replace the token");
        expect(
            !replace(here("-shared"), version, 3),
            "a version that another store replaced was accepted");
        auto const held = wait(second->try_lock(here("-shared"), long_time));
        expect(held.has_value(), "another store was refused a lease that is free");
        expect(!try_lock(here("-shared")), "two stores gave the same lease");
        if (held) wait(second->unlock(*held));
        auto const mine = try_lock(here("-shared"));
        expect(mine.has_value(), "a lease that another store gave back is not free");
        if (mine) wait(store_->unlock(*mine));
        wait(second->erase(here("-shared")));
        expect(!load(here("-shared")), "what another store erased is still there");
    }

    /// Runs `work` on several threads, each with a store of its own.
    void together(const std::function<void(token_store&, std::size_t)>& work) {
        std::vector<std::thread> all;
        all.reserve(threads);
        for (std::size_t i = 0; i < threads; ++i) {
            all.emplace_back([this, &work, i] {
                try {
                    auto const mine = open_();
                    work(*mine, i);
                } catch (const std::exception& e) {
                    expect(false, std::string{"an exception on a thread: "} + e.what());
                }
            });
        }
        for (auto& thread : all)
            thread.join();
    }

    void many_threads() {
        auto const what = here("-contest");
        std::vector<std::uint64_t> all;
        std::mutex mutex;
        together([&](token_store& mine, std::size_t) {
            auto const done = contend(mine, what, rounds);
            expect(
                std::is_sorted(done.versions.begin(), done.versions.end()),
                "a thread was given versions in the wrong order");
            std::lock_guard const guard{mutex};
            all.insert(all.end(), done.versions.begin(), done.versions.end());
        });
        std::sort(all.begin(), all.end());
        expect(
            std::adjacent_find(all.begin(), all.end()) == all.end(),
            "a version was given to two threads");
        auto const last = load(what);
        auto const count = last ? count_of(*last) : 0;
        expect(
            count == threads * rounds,
            std::to_string(threads * rounds) + " tokens were acknowledged, " +
                std::to_string(count) + " were counted");
        expect(
            last && !all.empty() && last->version == all.back(),
            "the token with the greatest version is not the one in the store");
        wait(store_->erase(what));
    }

    void many_leases() {
        auto const what = here("-lease-contest");
        std::atomic<int> holders{0};
        std::atomic<bool> twice{false};
        together([&](token_store& mine, std::size_t) {
            for (std::size_t won = 0; won < rounds;) {
                auto const held = wait(mine.try_lock(what, long_time));
                if (!held) {
                    std::this_thread::yield();
                    continue;
                }
                if (holders.fetch_add(1) != 0) twice = true;
                holders.fetch_sub(1);
                wait(mine.unlock(*held));
                ++won;
            }
        });
        expect(!twice, "two threads held a lease at once");
    }

    static constexpr milliseconds long_time{60'000};

    maker open_;
    std::shared_ptr<token_store> store_;
    std::string_view rule_;
    std::mutex mutex_;
    std::vector<conformance_finding> findings_;
};

} // namespace highlevel::auth
