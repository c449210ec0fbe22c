// SPDX-License-Identifier: BSL-1.0
//
// Tests of detail/disk_file.hpp: sizes, bytes as they are, and failures that are told and stay.

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

#include <highlevel/detail/disk_file.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace detail_disk_file_tests {

using highlevel::detail::disk_file;
using highlevel::test::temporary_folder;

TEST_CASE("disk_file_tells_the_size_of_regular_files_only", "[detail]") {
    temporary_folder const folder;
    CHECK(disk_file::size_of(folder.write("some", "12345")) == 5);
    CHECK(disk_file::size_of(folder.write("none", "")) == 0);
    CHECK(disk_file::size_of(folder / "missing") == std::nullopt);
    CHECK(disk_file::size_of(folder.path().string()) == std::nullopt);
    CHECK(disk_file::size_of("/dev/null") == std::nullopt);
}

TEST_CASE("disk_file_reads_what_was_written_byte_for_byte", "[detail]") {
    temporary_folder const folder;
    auto const path = folder / "file";
    std::string_view const bytes{"a\0b\r\nc\n\xff", 8};
    disk_file file;
    REQUIRE(file.create(path));
    CHECK(file.write(bytes.substr(0, 3)));
    CHECK(file.write(bytes.substr(3)));
    CHECK(file.close());
    CHECK(disk_file::size_of(path) == bytes.size());
    std::string room(bytes.size(), '.');
    REQUIRE(file.open(path));
    CHECK(file.read(room.data(), 2));
    CHECK(file.read(room.data() + 2, room.size() - 2));
    CHECK(room == bytes);
}

TEST_CASE("disk_file_stays_failed_until_it_is_opened_again", "[detail]") {
    temporary_folder const folder;
    auto const path = folder.write("file", "123");
    disk_file file;
    char room[4] = {};
    CHECK_FALSE(file.read(room, 1));
    CHECK_FALSE(file.open(folder / "missing"));
    CHECK_FALSE(file.read(room, 1));
    REQUIRE(file.open(path));
    CHECK_FALSE(file.read(room, 4));
    CHECK_FALSE(file.read(room, 1));
    CHECK_FALSE(file.close());
    CHECK_FALSE(file.close());
    REQUIRE(file.open(path));
    CHECK(file.read(room, 3));
    CHECK(file.close());
    CHECK_FALSE(file.read(room, 1));
    CHECK_FALSE(file.create(folder / "no/such/folder"));
    CHECK_FALSE(file.write("x"));
}

TEST_CASE("disk_file_tells_at_the_latest_at_its_end_that_the_disk_is_full", "[detail]") {
    disk_file file;
    if (!file.create("/dev/full")) return;
    (void)file.write("this fits the buffer");
    CHECK_FALSE(file.close());
}

} // namespace detail_disk_file_tests
