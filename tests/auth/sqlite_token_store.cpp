// SPDX-License-Identifier: BSL-1.0
//
// Tokens in a SQLite database: what the file is like and what is refused. The promises of every
// store are tested in token_store_conformance.cpp.

#include "support/catch.hpp"

#ifdef HIGHLEVEL_TEST_SQLITE

#    include "support/child_process.hpp"
#    include "support/temporary_folder.hpp"

#    include <highlevel/auth/sqlite_token_store.hpp>
#    include <highlevel/auth/token_store_conformance.hpp>

#    include <fcntl.h>
#    include <sys/stat.h>

#    include <chrono>
#    include <filesystem>
#    include <fstream>
#    include <iterator>
#    include <string>

#endif

namespace auth_sqlite_token_store_tests {

#ifdef HIGHLEVEL_TEST_SQLITE

namespace auth = highlevel::auth;
namespace fs = std::filesystem;
using auth::sqlite_token_store;
using auth::token_store_errc;
using conformance = auth::token_store_conformance;
using highlevel::test::temporary_folder;

namespace {

auto const place = auth::resource::location("ve9EPM428h8vShlRW1KT");

std::optional<std::uint64_t> put(
    sqlite_token_store& store, std::uint64_t expected, std::uint64_t number) {
    return conformance::wait(store.replace(place, expected, conformance::sample(place, number)));
}

boost::system::error_code open_error(const std::string& path) {
    try {
        sqlite_token_store const store{path};
    } catch (const boost::system::system_error& e) {
        return e.code();
    }
    return {};
}

} // namespace

TEST_CASE("a_database_is_the_owners_alone_with_all_its_files", "[auth]") {
    temporary_folder const folder;
    auto const before = ::umask(0);
    sqlite_token_store store{folder / "tokens.db"};
    (void)put(store, 0, 1);
    ::umask(before);
    std::size_t files = 0;
    for (auto const& entry : fs::directory_iterator{folder.path()}) {
        CAPTURE(entry.path());
        CHECK(entry.status().permissions() == static_cast<fs::perms>(0600));
        ++files;
    }
    // The database, its write-ahead log and the index of that.
    CHECK(files == 3);
    fs::permissions(folder / "tokens.db", static_cast<fs::perms>(0644));
    CHECK(open_error(folder / "tokens.db") == token_store_errc::insecure_permissions);
}

TEST_CASE("a_database_outlives_the_store", "[auth]") {
    temporary_folder const folder;
    (void)put(*std::make_unique<sqlite_token_store>(folder / "tokens.db"), 0, 5);
    sqlite_token_store later{folder / "tokens.db"};
    auto const found = conformance::wait(later.load(place));
    REQUIRE(found.has_value());
    CHECK(conformance::count_of(*found) == 5);
}

TEST_CASE("replaced_tokens_do_not_stay_in_the_database", "[auth]") {
    temporary_folder const folder;
    {
        sqlite_token_store store{folder / "tokens.db"};
        (void)put(store, 0, 111111);
        (void)put(store, 1, 222222);
    }
    // The last store that is closed brings the log into the database.
    std::ifstream in{folder / "tokens.db", std::ios::binary};
    std::string const all{std::istreambuf_iterator<char>{in}, {}};
    CHECK(all.find("refresh-222222") != std::string::npos);
    CHECK(all.find("refresh-111111") == std::string::npos);
}

TEST_CASE("what_is_no_database_is_refused_and_named", "[auth]") {
    temporary_folder const folder;
    auto const path = folder / "tokens.db";
    std::ofstream{path} << std::string(4096, 'x');
    fs::permissions(path, static_cast<fs::perms>(0600));
    CHECK(open_error(path) == token_store_errc::damaged);
    CHECK_THROWS_WITH(sqlite_token_store{path}, test::contains(path));
    CHECK(open_error(folder / "no/such").failed());
}

TEST_CASE("a_link_is_no_database", "[auth]") {
    temporary_folder const folder;
    { sqlite_token_store const store{folder / "tokens.db"}; }
    fs::create_symlink(folder / "tokens.db", folder / "link.db");
    CHECK(open_error(folder / "link.db") == boost::system::errc::too_many_symbolic_link_levels);
    CHECK(open_error(folder / "").failed());
}

TEST_CASE("a_second_store_of_a_process_leaves_the_first_one_its_locks", "[auth]") {
    // Without them another process would take itself for the last, and remove the log.
    temporary_folder const folder;
    auto const path = folder / "tokens.db";
    sqlite_token_store first{path};
    (void)put(first, 0, 1);
    auto const locked = [&] {
        test::child_process other{[&](const test::child_process::report& tell) {
            auto const file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
            struct flock lock {};
            lock.l_type = F_WRLCK;
            lock.l_whence = SEEK_SET;
            if (file < 0 || ::fcntl(file, F_GETLK, &lock) != 0) return;
            tell(lock.l_type == F_UNLCK ? 0 : 1);
        }};
        return other.next() == 1;
    };
    REQUIRE(locked());
    sqlite_token_store const second{path};
    CHECK(locked());
}

TEST_CASE("a_row_that_is_no_token_is_told_as_damage", "[auth]") {
    temporary_folder const folder;
    sqlite_token_store store{folder / "tokens.db"};
    (void)put(store, 0, 1);
    auth::detail::sqlite_connection other{folder / "tokens.db"};
    other.run("UPDATE highlevel_token SET token = '{\"format\":1,\"access\":\"half a secr'");
    try {
        (void)conformance::wait(store.load(place));
        FAIL("a damaged token was loaded");
    } catch (const boost::system::system_error& e) {
        CHECK(e.code() == token_store_errc::damaged);
        CHECK_THAT(e.what(), test::contains("location:ve9EPM428h8vShlRW1KT"));
        CHECK(std::string{e.what()}.find("secr") == std::string::npos);
    }
}

TEST_CASE("the_time_of_a_lease_is_read_while_nobody_else_can_take_one", "[auth]") {
    // Read before the wait for the database, it could be from before another process's lease began.
    temporary_folder const folder;
    auto const path = folder / "tokens.db";
    bool could_write = true;
    sqlite_token_store store{
        path, [&] {
            sqlite3* other = nullptr;
            CHECK(
                ::sqlite3_open_v2(path.c_str(), &other, SQLITE_OPEN_READWRITE, nullptr) ==
                SQLITE_OK);
            could_write =
                ::sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK;
            ::sqlite3_close(other);
            return sqlite_token_store::clock::now();
        }};
    auto const held = conformance::wait(store.try_lock(place, std::chrono::minutes{1}));
    REQUIRE(held);
    CHECK_FALSE(could_write);
    CHECK_FALSE(conformance::wait(store.try_lock(place, std::chrono::minutes{1})));
    conformance::wait(store.unlock(*held));
    CHECK(conformance::wait(store.try_lock(place, std::chrono::minutes{1})));
}

TEST_CASE("a_lease_in_a_database_ends_by_the_clock_that_the_store_is_given", "[auth]") {
    temporary_folder const folder;
    sqlite_token_store::clock::time_point now{std::chrono::hours{480000}};
    sqlite_token_store store{folder / "tokens.db", [&] { return now; }};
    using std::chrono::seconds;
    CHECK(conformance::wait(store.try_lock(place, seconds{30})).has_value());
    now += seconds{29};
    CHECK_FALSE(conformance::wait(store.try_lock(place, seconds{30})).has_value());
    now += seconds{1};
    CHECK(conformance::wait(store.try_lock(place, seconds{30})).has_value());
}

#else

TEST_CASE("sqlite_is_not_installed", "[auth]") {
    WARN("sqlite_token_store is not tested: there is no SQLite");
}

#endif

} // namespace auth_sqlite_token_store_tests
