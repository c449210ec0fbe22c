// SPDX-License-Identifier: BSL-1.0
//
// The two-step upload and downloads to files, with the sandbox as API and as storage.

#include "support/catch.hpp"
#include "support/sandbox_bench.hpp"
#include "support/temporary_folder.hpp"

#include <highlevel/http/http1_transport.hpp>
#include <highlevel/media.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace e2e_media_tests {

namespace sandbox = highlevel::sandbox;
namespace v2 = highlevel::v2;

namespace {

using strings = std::vector<std::string>;

/// The API's side and the storage's side of an upload, on the same sandbox.
sandbox::scripted_response serve_upload(
    const sandbox::request_view& r, const std::string& origin, int most, unsigned status) {
    if (r.path == "/conversations/messages/upload/initiate")
        return sandbox::scripted_response{
            201,
            R"({"uploadId":"u1","filePath":"f/1","maxFileSize":)" + std::to_string(most) +
                R"(,"uploadUrl":")" + origin + R"(/bucket/f%2F1?signature=secret"})"};
    if (r.path == "/bucket/f%2F1") return sandbox::scripted_response{status, "<ok/>", "text/xml"};
    return sandbox::scripted_response{201, R"({"uploadedFiles":{"a.txt":"https://x/a.txt"}})"};
}

} // namespace

TEST_CASE("an_attachment_goes_to_the_storage_without_the_token", "[e2e][media]") {
    test::sandbox_bench f;
    highlevel::test::temporary_folder folder;
    auto const path = folder.write("a.txt", "from disk");
    unsigned status = 200;
    std::string put_token;
    std::string put_type;
    f.script = [&](const sandbox::request_view& r) -> std::optional<sandbox::scripted_response> {
        if (r.method == "PUT") {
            put_token = r.header("authorization").value_or("none");
            put_type = r.header("content-type").value_or("none");
            CHECK(r.query == "signature=secret");
        }
        return serve_upload(r, f.server.base_url(), 20, status);
    };
    highlevel::storage_factory const storage = [&](const highlevel::http::uri& origin) {
        return highlevel::http::make_transport(f.context.get_executor(), origin);
    };
    highlevel::attachment_upload what;
    what.conversation_id = "conv";
    what.channel = "sms";
    what.file = highlevel::file_part::of_path(path);
    what.file.content_type = "text/plain";
    auto const got = f.run(highlevel::upload_attachment(f.location(), storage, what));
    CHECK(got->uploaded_files.is_object());
    CHECK(put_token == "none");
    CHECK(put_type == "text/plain");
    CHECK(
        f.asked() ==
        strings{
            "POST /conversations/messages/upload/initiate", "PUT /bucket/f%2F1",
            "POST /conversations/messages/upload/complete"});
    CHECK(f.text(1) == "from disk");
    CHECK(f.body(0).at("fileSize") == 9);
    CHECK(f.body(2).at("uploadId") == "u1");
    CHECK(f.body(2).at("locationId").as_string() == f.id.c_str());

    // Refused by the storage: not completed, and the signed address is not told.
    status = 403;
    what.file = highlevel::file_part::of_data("b.txt", "from memory");
    try {
        (void)f.run(highlevel::upload_attachment(f.location(), storage, what));
        FAIL("it was uploaded");
    } catch (const highlevel::error& e) {
        CHECK(e.failure().status() == 403);
        CHECK(std::string{e.what()}.find("secret") == std::string::npos);
    }
    CHECK(f.text(4) == "from memory");
    CHECK(f.asked().size() == 5);

    // Too large: not a byte of it is sent.
    what.file = highlevel::file_part::of_data("c.txt", std::string(21, 'x'));
    CHECK_THROWS_WITH(
        f.run(highlevel::upload_attachment(f.location(), storage, what)), test::contains("21"));
    CHECK(f.asked().size() == 6);
    what.file = highlevel::file_part::of_path(folder / "none");
    CHECK_THROWS_AS(
        f.run(highlevel::upload_attachment(f.location(), storage, what)), highlevel::error);
    CHECK(f.asked().size() == 6);
}

TEST_CASE("a_recording_goes_to_a_file_and_is_not_in_memory", "[e2e][media]") {
    test::sandbox_bench f;
    highlevel::test::temporary_folder folder;
    std::string const sound(300'000, 's');
    f.script = [&](const sandbox::request_view&) {
        return sandbox::scripted_response{200, sound, "audio/x-wav"};
    };
    auto const path = folder / "call.wav";
    highlevel::http::file_sink sink{path};
    highlevel::call_options how;
    how.sink = &sink;
    v2::conversations::get_message_recording get;
    get.message_id = "m1";
    auto const got = f.run(f.location().call(get, how));
    CHECK(got.status() == 200);
    CHECK(got.body().empty());
    CHECK(std::filesystem::file_size(path) == sound.size());
}

} // namespace e2e_media_tests
