// SPDX-License-Identifier: BSL-1.0
//
// Tokens in files: what lies in the folder, what is refused, and how keys work. The promises of
// every store are tested in token_store_conformance.cpp.

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

#include <highlevel/auth/file_token_store.hpp>
#include <highlevel/auth/token_store_conformance.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace auth_file_token_store_tests {

namespace auth = highlevel::auth;
namespace fs = std::filesystem;
using auth::file_token_store;
using auth::token_store_errc;
using conformance = auth::token_store_conformance;
using highlevel::test::temporary_folder;

namespace {

auto const place = auth::resource::location("ve9EPM428h8vShlRW1KT");
constexpr const char* token_file = "location-ve9EPM428h8vShlRW1KT.token";

auth::secret key_of(char c) {
    return auth::secret{std::string(32, c)};
}

std::string content_of(const std::string& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

void write(const std::string& path, const std::string& content) {
    std::ofstream{path, std::ios::binary | std::ios::trunc} << content;
}

unsigned mode_of(const std::string& path) {
    struct stat s {};
    return ::stat(path.c_str(), &s) == 0 ? s.st_mode & 07777U : 0;
}

std::optional<std::uint64_t> put(
    file_token_store& store, std::uint64_t expected, std::uint64_t number) {
    return conformance::wait(store.replace(place, expected, conformance::sample(place, number)));
}

/// The number of the token in the store; 0 for none.
std::uint64_t number_in(file_token_store& store) {
    auto const found = conformance::wait(store.load(place));
    return found ? conformance::count_of(*found) : 0;
}

boost::system::error_code error_of(const std::function<void()>& function) {
    try {
        function();
    } catch (const boost::system::system_error& e) {
        return e.code();
    }
    return {};
}

boost::system::error_code load_error(file_token_store& store) {
    return error_of([&] { (void)conformance::wait(store.load(place)); });
}

} // namespace

TEST_CASE("tokens_outlive_the_store_that_wrote_them", "[auth]") {
    temporary_folder const folder;
    CHECK(put(*std::make_unique<file_token_store>(folder.path()), 0, 5) == 1U);
    file_token_store later{folder.path()};
    CHECK(number_in(later) == 5);
}

TEST_CASE("files_and_folder_are_the_owners_alone", "[auth]") {
    temporary_folder const folder;
    auto const before = ::umask(0);
    file_token_store store{folder / "tokens"};
    (void)put(store, 0, 1);
    auto const held = conformance::wait(store.try_lock(place, std::chrono::minutes{1}));
    ::umask(before);
    CHECK(held.has_value());
    CHECK(mode_of(folder / "tokens") == 0700);
    std::set<std::string> names;
    for (auto const& entry : fs::directory_iterator{folder / "tokens"}) {
        CAPTURE(entry.path());
        CHECK(mode_of(entry.path()) == 0600);
        names.insert(entry.path().extension());
    }
    CHECK(names == std::set<std::string>{".lease", ".lock", ".token"});
}

TEST_CASE("what_others_may_read_is_refused_and_says_how_to_mend_it", "[auth]") {
    temporary_folder const folder;
    file_token_store store{folder.path()};
    (void)put(store, 0, 1);
    fs::permissions(folder / token_file, static_cast<fs::perms>(0640));
    CHECK(load_error(store) == token_store_errc::insecure_permissions);
    CHECK_THROWS_WITH(
        conformance::wait(store.load(place)), test::contains("mode 0640; chmod go-rwx"));
    fs::permissions(folder / token_file, static_cast<fs::perms>(0600));
    CHECK(number_in(store) == 1);
    fs::permissions(folder.path(), static_cast<fs::perms>(0777));
    CHECK(error_of([&] {
              file_token_store{folder.path()};
          }) == token_store_errc::insecure_permissions);
}

TEST_CASE("a_folder_whose_parent_is_missing_is_named", "[auth]") {
    temporary_folder const folder;
    auto const path = folder / "no/such";
    CHECK_THROWS_WITH(file_token_store{path}, test::contains(path));
    write(folder / "file", "x");
    CHECK(error_of([&] { file_token_store{folder / "file"}; }).failed());
}

TEST_CASE("a_symbolic_link_is_not_followed", "[auth]") {
    temporary_folder const folder;
    file_token_store store{folder / "tokens"};
    (void)put(store, 0, 1);
    auto const path = folder / "tokens/" + token_file;
    fs::rename(path, folder / "elsewhere");
    fs::create_symlink(folder / "elsewhere", path);
    CHECK(load_error(store).failed());
}

TEST_CASE("damage_is_noticed_and_left_as_it_is", "[auth]") {
    for (auto const encrypted : {false, true}) {
        temporary_folder const folder;
        file_token_store store{folder.path(), encrypted ? key_of('k') : auth::secret{}};
        (void)put(store, 0, 1);
        auto const path = folder / token_file;
        auto const whole = content_of(path);
        CAPTURE(encrypted, whole.size());
        std::size_t unnoticed = 0;
        for (std::size_t size = 0; size < whole.size(); ++size) {
            write(path, whole.substr(0, size));
            if (load_error(store) != token_store_errc::damaged) ++unnoticed;
        }
        write(path, whole + "x");
        if (load_error(store) != token_store_errc::damaged) ++unnoticed;
        for (std::size_t at = 0; at < whole.size(); ++at) {
            auto changed = whole;
            changed[at] = static_cast<char>(changed[at] ^ 1);
            write(path, changed);
            auto const error = load_error(store);
            if (error != token_store_errc::damaged && error != token_store_errc::wrong_key)
                ++unnoticed;
        }
        CHECK(unnoticed == 0);

        write(path, "nonsense");
        CHECK(error_of([&] { (void)put(store, 0, 2); }) == token_store_errc::damaged);
        CHECK(content_of(path) == "nonsense");
        CHECK_THROWS_WITH(conformance::wait(store.load(place)), test::contains(path));
        // Erasing makes the resource usable again, with a version that was not there before.
        conformance::wait(store.erase(place));
        CHECK(put(store, 0, 3).value_or(0) > 1);
        CHECK(number_in(store) == 3);
    }
}

TEST_CASE("a_file_of_another_resource_is_noticed", "[auth]") {
    temporary_folder const folder;
    file_token_store store{folder.path(), key_of('k')};
    (void)put(store, 0, 1);
    fs::rename(folder / token_file, folder / "location-other.token");
    CHECK(error_of([&] {
              (void)conformance::wait(store.load(auth::resource::location("other")));
          }) == token_store_errc::damaged);
}

TEST_CASE("what_a_killed_process_left_is_no_obstacle", "[auth]") {
    temporary_folder const folder;
    file_token_store store{folder.path()};
    write(folder / "location-ve9EPM428h8vShlRW1KT.new", "half a to");
    write(folder / "location-ve9EPM428h8vShlRW1KT.lease", "999999999999999999\n");
    CHECK(conformance::wait(store.try_lock(place, std::chrono::minutes{1})).has_value());
    CHECK(put(store, 0, 1) == 1U);
    CHECK(number_in(store) == 1);
    CHECK(conformance::wait(store.list()) == std::vector<auth::resource>{place});
}

TEST_CASE("encrypted_tokens_need_their_key", "[auth]") {
    temporary_folder const folder;
    file_token_store mine{folder.path(), key_of('k')};
    (void)put(mine, 0, 7);
    auto const content = content_of(folder / token_file);
    CHECK(content.find("access") == std::string::npos);
    CHECK(content.find(place.id) == std::string::npos);

    file_token_store others{folder.path(), key_of('o')};
    CHECK(load_error(others) == token_store_errc::wrong_key);
    CHECK(error_of([&] { (void)put(others, 1, 8); }) == token_store_errc::wrong_key);
    file_token_store without{folder.path()};
    CHECK(load_error(without) == token_store_errc::no_key);
    CHECK(number_in(mine) == 7);
    // Which tokens there are is no secret.
    CHECK(conformance::wait(without.list()).size() == 1);
}

TEST_CASE("tokens_from_before_there_was_a_key_are_read_and_then_encrypted", "[auth]") {
    temporary_folder const folder;
    file_token_store before{folder.path()};
    (void)put(before, 0, 1);
    file_token_store after{folder.path(), key_of('k')};
    CHECK(number_in(after) == 1);
    CHECK(put(after, 1, 2) == 2U);
    CHECK(load_error(before) == token_store_errc::no_key);
    CHECK(number_in(after) == 2);
}

TEST_CASE("equal_tokens_are_never_encrypted_equally", "[auth]") {
    temporary_folder const one;
    temporary_folder const two;
    file_token_store a{one.path(), key_of('k')};
    file_token_store b{two.path(), key_of('k')};
    (void)put(a, 0, 1);
    (void)put(b, 0, 1);
    CHECK(content_of(one / token_file) != content_of(two / token_file));
}

TEST_CASE("a_key_is_32_bytes_in_hexadecimal_digits_or_base64", "[auth]") {
    auto const bytes = std::string(32, '\xab');
    std::string hex;
    for (int i = 0; i < 32; ++i)
        hex += i % 2 == 0 ? "ab" : "AB";
    CHECK(auth::read_token_key(hex).reveal() == bytes);
    CHECK(auth::read_token_key("q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=").reveal() == bytes);
    for (auto const& wrong :
         {std::string{}, std::string{"q6s="}, std::string(64, 'x'), hex.substr(2), hex + "ab",
          std::string{"password"}, " " + hex.substr(1)}) {
        CAPTURE(wrong);
        CHECK(error_of([&] { (void)auth::read_token_key(wrong); }) == token_store_errc::bad_key);
    }
    temporary_folder const folder;
    CHECK(error_of([&] {
              file_token_store{folder.path(), auth::secret{"short"}};
          }) == token_store_errc::bad_key);
}

TEST_CASE("the_key_comes_from_the_environment", "[auth]") {
    constexpr const char* name = "HIGHLEVEL_TEST_TOKEN_KEY";
    ::unsetenv(name);
    CHECK(auth::token_key_from_environment(name).empty());
    ::setenv(name, "q6urq6urq6urq6urq6urq6urq6urq6urq6urq6urq6s=", 1);
    CHECK(auth::token_key_from_environment(name).reveal() == std::string(32, '\xab'));
    ::setenv(name, "not a key but still secret", 1);
    try {
        (void)auth::token_key_from_environment(name);
        FAIL("a wrong key was taken");
    } catch (const boost::system::system_error& e) {
        std::string const text{e.what()};
        CHECK_THAT(text, test::contains(name));
        CHECK(text.find("still secret") == std::string::npos);
    }
    ::unsetenv(name);
}

TEST_CASE("an_id_that_cannot_name_a_file_is_refused", "[auth]") {
    temporary_folder const folder;
    file_token_store store{folder.path()};
    for (auto const& id : {std::string{}, std::string(300, 'x')}) {
        auto const what = auth::resource::location(id);
        CHECK(error_of([&] {
                  (void)conformance::wait(store.replace(what, 0, conformance::sample(what, 1)));
              }) == token_store_errc::bad_id);
    }
}

TEST_CASE("a_lease_ends_by_the_clock_that_the_store_is_given", "[auth]") {
    temporary_folder const folder;
    auto now = file_token_store::clock::now();
    file_token_store store{folder.path(), {}, [&] { return now; }};
    using std::chrono::seconds;
    auto const first = conformance::wait(store.try_lock(place, seconds{30}));
    REQUIRE(first.has_value());
    now += seconds{29};
    CHECK_FALSE(conformance::wait(store.try_lock(place, seconds{30})).has_value());
    now += seconds{1};
    file_token_store other{folder.path(), {}, [&] { return now; }};
    auto const second = conformance::wait(other.try_lock(place, seconds{30}));
    CHECK(second.has_value());
    conformance::wait(store.unlock(*first));
    CHECK_FALSE(conformance::wait(store.try_lock(place, seconds{30})).has_value());
}

} // namespace auth_file_token_store_tests
