// SPDX-License-Identifier: BSL-1.0
//
// Files that are too large for an upload are refused before a byte of them is read or sent.

#include "support/catch.hpp"
#include "support/temporary_folder.hpp"

#include <highlevel/detail/encode_operation.hpp>
#include <highlevel/v3/medias.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

using highlevel::errc;
using highlevel::file_part;
using highlevel::operation_meta;

namespace {

/// An upload as the generator writes it.
class upload {
public:
    upload() = default;

    std::vector<file_part> files;
    highlevel::query_pairs extra_query;
    highlevel::json::object extra_body;
};

/// Whether an upload of this file is encoded; the detail when it is not.
std::string problem(const file_part& file, std::uint64_t most, std::uint64_t videos = 0) {
    operation_meta meta;
    meta.verb = highlevel::method::post;
    meta.path = "/upload";
    meta.sends = highlevel::content::multipart;
    meta.extra_query_offset = offsetof(upload, extra_query);
    meta.extra_body_offset = offsetof(upload, extra_body);
    meta.files_offset = offsetof(upload, files);
    meta.file_field = "file";
    meta.max_file_bytes = most;
    meta.max_video_bytes = videos;
    upload op;
    op.files.push_back(file);
    highlevel::http::request request;
    highlevel::detail::account_ref const account{highlevel::auth::resource_kind::location, "loc1"};
    auto const made = highlevel::detail::encode_operation(meta, &op, account, request);
    if (made.error) CHECK(made.error == errc::invalid_argument);
    return made.detail;
}

} // namespace

TEST_CASE("a_file_in_memory_has_at_most_the_described_size", "[upload]") {
    CHECK(problem(file_part::of_data("a.bin", std::string(10, 'x')), 10).empty());
    CHECK(
        problem(file_part::of_data("a.bin", std::string(11, 'x')), 10) ==
        "a.bin has 11 bytes; the API takes 10");
    CHECK(problem(file_part::of_data("a.bin", std::string(11, 'x')), 0).empty());
}

TEST_CASE("a_file_on_disk_is_measured_without_being_read", "[upload]") {
    highlevel::test::temporary_folder const folder;
    auto const path = folder.write("large.bin", "x");
    // Sparse: takes no room, and reading it would take a while.
    std::filesystem::resize_file(path, std::uintmax_t{40} << 30U);
    CHECK_THAT(problem(file_part::of_path(path), 25U << 20U), test::contains("42949672960 bytes"));
    CHECK_THAT(
        problem(file_part::of_path(folder / "none"), 25U << 20U), test::contains("cannot read"));
}

TEST_CASE("videos_may_be_larger_where_the_api_says_so", "[upload]") {
    std::string const bytes(15, 'x');
    CHECK(problem(file_part::of_data("a.MP4", bytes), 10, 20).empty());
    auto typed = file_part::of_data("a.bin", bytes);
    typed.content_type = "video/quicktime";
    CHECK(problem(typed, 10, 20).empty());
    CHECK_FALSE(problem(file_part::of_data("a.png", bytes), 10, 20).empty());
    CHECK_FALSE(problem(file_part::of_data("a.mp4", std::string(21, 'x')), 10, 20).empty());
    CHECK_FALSE(problem(file_part::of_data("a.mp4", bytes), 10).empty());
}

TEST_CASE("operations_say_what_the_description_says_of_sizes", "[upload]") {
    auto const& upload = highlevel::v3::medias::upload_media_content::meta;
    CHECK(upload.max_file_bytes == 25U << 20U);
    CHECK(upload.max_video_bytes == 500U << 20U);
}
