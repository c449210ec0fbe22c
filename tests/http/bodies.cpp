// SPDX-License-Identifier: BSL-1.0
//
// Tests of content that is compressed, read from files while it is sent, or handed on while it
// comes: http/body.hpp, http/inflater.hpp, http/multipart.hpp and the transport around them.
#include "support/catch.hpp"
#include "support/client_bench.hpp"
#include "support/fault_server.hpp"
#include "support/temporary_folder.hpp"
#include "support/transport_bench.hpp"

#include <highlevel/http/body.hpp>
#include <highlevel/http/inflater.hpp>
#include <highlevel/http/multipart.hpp>
#include <highlevel/http/response_parser.hpp>
#include <highlevel/v2/medias.hpp>

#if defined(HIGHLEVEL_WITH_ZLIB)
#    include <zlib.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace http_bodies_tests {

namespace {

using namespace std::chrono_literals;
using namespace highlevel::test;
using highlevel::errc;
using highlevel::file_part;
using highlevel::method;
namespace http = highlevel::http;

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i)
        text[i] = static_cast<char>('a' + i * 7 % 23);
    return text;
}

std::string content_of(const std::filesystem::path& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

/// All that a source gives when it is read in pieces of that size.
std::string drained(const http::body_source& source, std::size_t piece, std::string& why) {
    auto const reader = source.open();
    std::string all;
    std::vector<char> room(piece);
    while (auto const n = reader->read(room.data(), piece, why))
        all.append(room.data(), n);
    return all;
}

/// Remembers what a sink is told; fails when asked to.
class recording_sink final : public http::body_sink {
public:
    std::string begin(const http::response& head) override {
        ++begun;
        status = head.status;
        content.clear();
        return fail_at == "begin" ? "no begin" : "";
    }
    std::string write(std::string_view bytes) override {
        content += bytes;
        largest = std::max(largest, bytes.size());
        return fail_at == "write" ? "disk full" : "";
    }
    std::string finish() override {
        ++finished;
        return fail_at == "finish" ? "no finish" : "";
    }

    std::string fail_at;
    std::string content;
    std::size_t largest = 0;
    unsigned status = 0;
    int begun = 0;
    int finished = 0;
};

std::string chunked(
    const std::string& body,
    std::size_t piece,
    std::string_view fields = {},
    std::string_view status = "200 OK") {
    std::string text{"HTTP/1.1 "};
    text.append(status).append("\r\nTransfer-Encoding: chunked\r\n");
    text.append(fields).append("\r\n");
    for (std::size_t i = 0; i < body.size(); i += piece) {
        auto const part = body.substr(i, piece);
        char size[32];
        std::snprintf(size, sizeof size, "%zx\r\n", part.size());
        text.append(size).append(part).append("\r\n");
    }
    return text + "0\r\n\r\n";
}

/// How a client's call ends that has a sink and gets this reply, which the sink is not to take; the
/// client keeps 100,000 bytes.
boost::system::error_code to_sink_of_client(const std::string& reply) {
    fault_server server{behaviour{reply}};
    client_bench b{server.url()};
    b.options.max_response_body = 100'000;
    recording_sink sink;
    highlevel::call_options how;
    how.sink = &sink;
    auto const out = b.call({method::get, "/recording"}, how);
    REQUIRE(out.has_error());
    CHECK(sink.begun == 0);
    CHECK(b.balanced());
    return out.error().code();
}

} // namespace

TEST_CASE("source_reads_texts_and_files_in_order_as_often_as_wanted", "[http][body]") {
    temporary_folder const folder;
    auto const big = pattern(200'001);
    auto const one = folder.write("one", big);
    auto const none = folder.write("none", "");
    http::segmented_source source;
    CHECK(!source.has_files());
    source.add_text("<");
    source.add_text("<");
    REQUIRE(source.add_file(one).empty());
    REQUIRE(source.add_file(none).empty());
    source.add_text(">");
    CHECK(source.has_files());
    CHECK(source.size() == big.size() + 3);
    for (std::size_t piece : {1U, 7U, 65536U, 1'000'000U}) {
        std::string why;
        CHECK(drained(source, piece, why) == "<<" + big + ">");
        CHECK(why.empty());
    }
    CHECK_THAT(source.add_file("/nonexistent/file"), test::contains("/nonexistent/file"));
    CHECK(!source.add_file(folder.path().string()).empty()); // a folder is no file
}

TEST_CASE("file_that_shrank_or_went_is_noticed", "[http][body]") {
    temporary_folder const folder;
    auto const path = folder.write("f", pattern(1000));
    http::segmented_source source;
    REQUIRE(source.add_file(path).empty());
    folder.write("f", "short");
    std::string why;
    drained(source, 4096, why);
    CHECK_THAT(why, test::contains(path));
    std::filesystem::remove(path);
    why.clear();
    drained(source, 4096, why);
    CHECK_THAT(why, test::contains(path));
}

TEST_CASE("request_body_is_read_from_its_source_while_it_is_sent", "[http][body]") {
    temporary_folder const folder;
    auto const big = pattern(3 * 1024 * 1024 + 5);
    auto const source = std::make_shared<http::segmented_source>();
    source->add_text("begin ");
    REQUIRE(source->add_file(folder.write("big", big)).empty());
    source->add_text(" end");
    fault_server server;
    transport_bench b{server.url()};
    http::request r{method::post, "/upload"};
    r.source = source;
    for (int i = 0; i < 2; ++i)
        REQUIRE(b.exchange(r).ok());
    CHECK(server.accepted() == 1);
    for (auto const& seen : server.requests()) {
        CHECK(seen.body == "begin " + big + " end");
        CHECK(
            seen.head.find("Content-Length: " + std::to_string(big.size() + 10) + "\r\n") !=
            std::string::npos);
    }
    r.body = "both";
    CHECK(b.exchange(r).error == errc::invalid_argument);
}

TEST_CASE("upload_whose_file_breaks_off_fails_and_is_not_reused", "[http][body]") {
    temporary_folder const folder;
    auto const source = std::make_shared<http::segmented_source>();
    REQUIRE(source->add_file(folder.write("f", pattern(300'000))).empty());
    folder.write("f", "short");
    fault_server server;
    client_bench b{server.url()};
    http::request r{method::put, "/upload"};
    r.source = source;
    auto const out = b.call(r);
    REQUIRE(out.has_error());
    CHECK(out.error().code() == errc::file_failed);
    CHECK(out.error().reached() == "write");
    CHECK(out.error().attempts() == 1);
    CHECK_THAT(out.error().detail(), test::contains("shorter"));
    CHECK(server.request_count() == 0);
    CHECK(b.transport->stats().idle == 0);
    CHECK(b.balanced());
}

TEST_CASE("upload_from_a_source_is_repeated_from_its_beginning", "[http][body]") {
    temporary_folder const folder;
    auto const big = pattern(100'000);
    auto const source = std::make_shared<http::segmented_source>();
    REQUIRE(source->add_file(folder.write("f", big)).empty());
    fault_server server{[&](std::size_t, std::size_t r) {
        return behaviour{
            r == 0 ? http_reply("", "429 Too Many Requests", "Retry-After: 0\r\n")
                   : http_reply("{}")};
    }};
    client_bench b{server.url()};
    b.options.limits.interval = 100ms;
    http::request r{method::post, "/upload"};
    r.source = source;
    auto const out = b.call(r);
    REQUIRE(out.has_value());
    REQUIRE(server.request_count() == 2);
    CHECK(server.requests().at(0).body == big);
    CHECK(server.requests().at(1).body == big);
}

TEST_CASE("multipart_files_on_disk_are_not_loaded", "[http][multipart]") {
    temporary_folder const folder;
    auto const big = pattern(150'000);
    auto const path = folder.write("photo.jpg", big);
    http::multipart_writer parts;
    parts.add("name", "Ada");
    REQUIRE(parts.add("inline", file_part::of_data("a.txt", "small")).empty());
    REQUIRE(parts.add("file", file_part::of_path(path)).empty());
    CHECK(!parts.add("gone", file_part::of_path("/nonexistent")).empty());
    auto const type = parts.content_type();
    http::request r{method::post, "/"};
    std::move(parts).finish(r);
    CHECK(r.body.empty());
    REQUIRE(r.source);
    CHECK(r.fields.find("Content-Type") == type);
    auto const boundary = type.substr(type.find('=') + 1);
    std::string why;
    auto const text = drained(*r.source, 1000, why);
    CHECK(text.size() == r.source->size());
    CHECK(
        text.find(
            "--" + boundary + "\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nAda") == 0);
    CHECK(
        text.find(
            "name=\"file\"; filename=\"photo.jpg\"\r\nContent-Type: "
            "application/octet-stream\r\n\r\n" +
            big + "\r\n--" + boundary) != std::string::npos);
    CHECK(text.ends_with("--" + boundary + "--\r\n"));

    http::multipart_writer small;
    REQUIRE(small.add("inline", file_part::of_data("a.txt", "small")).empty());
    http::request in_memory{method::post, "/"};
    std::move(small).finish(in_memory);
    CHECK(!in_memory.source);
    CHECK_THAT(in_memory.body, test::contains("small"));
}

TEST_CASE("operation_uploads_a_file_from_its_path", "[http][multipart]") {
    temporary_folder const folder;
    auto const big = pattern(2'000'000);
    fault_server server{behaviour{http_reply(R"({"fileId":"f1"})")}};
    client_bench b{server.url()};
    b.start();
    highlevel::v2::medias::upload_media_content op;
    op.files.push_back(file_part::of_path(folder.write("movie.mp4", big)));
    auto const done = std::make_shared<bool>(false);
    boost::asio::co_spawn(
        b.context, b.client->location("loc").try_call(op),
        [&, done](std::exception_ptr e, auto out) {
            *done = true;
            CHECK(!e);
            CHECK(out.has_value());
        });
    b.run_until([&] { return *done; });
    auto const seen = server.requests().at(0);
    CHECK_THAT(seen.body, test::contains("filename=\"movie.mp4\""));
    CHECK(seen.body.find(big) != std::string::npos);
}

TEST_CASE("response_goes_to_the_sink_piece_by_piece", "[http][body]") {
    auto const big = pattern(3 * 1024 * 1024 + 11);
    for (bool in_chunks : {false, true}) {
        CAPTURE(in_chunks);
        fault_server server{behaviour{in_chunks ? chunked(big, 100'000) : http_reply(big)}};
        transport_bench b{server.url()};
        recording_sink sink;
        http::exchange_options options;
        options.sink = &sink;
        auto const out = b.get("/", options);
        REQUIRE(out.ok());
        CHECK(out.reply.body.empty());
        CHECK(sink.content == big);
        CHECK(sink.largest <= 64 * 1024);
        CHECK(sink.status == 200);
        CHECK(sink.begun == 1);
        CHECK(sink.finished == 1);
        CHECK(b.transport->stats().idle == 1);
    }
}

TEST_CASE("sink_takes_successes_only", "[http][body]") {
    recording_sink sink;
    http::exchange_options options;
    options.sink = &sink;
    {
        fault_server server{behaviour{http_reply("not here", "404 Not Found")}};
        transport_bench b{server.url()};
        auto const out = b.get("/", options);
        REQUIRE(out.ok());
        CHECK(out.reply.body == "not here");
        CHECK(sink.begun == 0);
    }
    fault_server server{behaviour{"HTTP/1.1 100 Continue\r\n\r\n" + http_reply("")}};
    transport_bench b{server.url()};
    REQUIRE(b.get("/", options).ok());
    CHECK(sink.begun == 1); // an empty recording is one, too
    CHECK(sink.finished == 1);
}

TEST_CASE("what_does_not_go_to_the_sink_is_bounded", "[http][body]") {
    auto const big = pattern(100'001);
    auto const missing = http_reply(big, "404 Not Found");
    for (auto const& todo : {
             behaviour{missing},
             behaviour{chunked(big, 1000, "", "404 Not Found")},
             behaviour{"HTTP/1.1 404 Not Found\r\n\r\n" + big, act::close},
         }) {
        CAPTURE(todo.reply.substr(0, 60));
        fault_server server{todo};
        transport_bench b{server.url()};
        recording_sink sink;
        http::exchange_options options;
        options.max_body = 100'000;
        options.sink = &sink;
        auto const out = b.get("/", options);
        CHECK(out.error == errc::response_too_large);
        CHECK(out.reply.body.empty());
        CHECK(sink.begun == 0);
        CHECK(b.transport->stats().idle == 0);
    }
    CHECK(to_sink_of_client(missing) == errc::response_too_large);
    CHECK(to_sink_of_client(chunked(big, 1000, "", "404 Not Found")) == errc::response_too_large);
}

TEST_CASE("sink_takes_more_than_would_be_kept", "[http][body]") {
    auto const big = pattern(300'000);
    for (auto const& todo : {
             behaviour{http_reply(big)},
             behaviour{chunked(big, 1000)},
             behaviour{"HTTP/1.1 200 OK\r\n\r\n" + big, act::close},
         }) {
        CAPTURE(todo.reply.substr(0, 60));
        fault_server server{todo};
        transport_bench b{server.url()};
        recording_sink sink;
        http::exchange_options options;
        options.max_body = 100;
        options.sink = &sink;
        REQUIRE(b.get("/", options).ok());
        CHECK(sink.content == big);
        CHECK(sink.finished == 1);
    }
}

TEST_CASE("sink_that_fails_ends_the_exchange", "[http][body]") {
    for (auto const* at : {"begin", "write", "finish"}) {
        for (bool until_close : {false, true}) {
            CAPTURE(at, until_close);
            fault_server server{
                until_close ? behaviour{"HTTP/1.1 200 OK\r\n\r\ncontent", act::close}
                            : behaviour{http_reply("content")}};
            transport_bench b{server.url()};
            recording_sink sink;
            sink.fail_at = at;
            http::exchange_options options;
            options.sink = &sink;
            auto const out = b.get("/", options);
            CHECK(out.error == errc::file_failed);
            CHECK(!out.detail.empty());
            CHECK(b.transport->stats().idle == 0);
            CHECK(b.settled());
        }
    }
}

TEST_CASE("download_begins_anew_after_a_lost_connection", "[http][body]") {
    temporary_folder const folder;
    auto const big = pattern(500'000);
    auto const cut = http_reply(big).substr(0, 300'000);
    fault_server server{[&](std::size_t c, std::size_t) {
        return c == 0 ? behaviour{cut, act::close} : behaviour{http_reply(big)};
    }};
    client_bench b{server.url()};
    b.options.max_response_body = 1000; // does not bound a sink
    auto const path = (folder.path() / "recording.mp3").string();
    {
        http::file_sink file{path};
        highlevel::call_options how;
        how.sink = &file;
        auto const out = b.call({method::get, "/recording"}, how);
        REQUIRE(out.has_value());
        CHECK(out->attempts() == 2);
        CHECK(out->body().empty());
        CHECK(file.size() == big.size());
    }
    CHECK(content_of(path) == big);
    CHECK(b.balanced());
}

TEST_CASE("file_sink_leaves_no_half_files", "[http][body]") {
    temporary_folder const folder;
    auto const path = (folder.path() / "f").string();
    folder.write("f", "old");
    {
        http::file_sink file{path, 10};
        REQUIRE(file.begin({}).empty());
        CHECK(file.write("12345").empty());
        CHECK(std::filesystem::exists(path + ".part"));
        CHECK_THAT(file.write("678901"), test::contains("10 bytes"));
        CHECK(content_of(path) == "old");
    }
    CHECK(!std::filesystem::exists(path + ".part"));
    CHECK(content_of(path) == "old");
    {
        http::file_sink file{path, 10};
        REQUIRE(file.begin({}).empty());
        REQUIRE(file.write("first").empty());
        REQUIRE(file.begin({}).empty()); // a second attempt
        REQUIRE(file.write("1234567890").empty());
        REQUIRE(file.finish().empty());
    }
    CHECK(content_of(path) == "1234567890");
    CHECK(!std::filesystem::exists(path + ".part"));
    http::file_sink nowhere{"/nonexistent/folder/f"};
    CHECK_THAT(nowhere.begin({}), test::contains("/nonexistent/folder/f"));
    http::file_sink onto_folder{folder.path().string()};
    REQUIRE(onto_folder.begin({}).empty());
    CHECK(!onto_folder.finish().empty());
}

#if defined(HIGHLEVEL_WITH_ZLIB)

namespace {

std::string gzipped(std::string_view text) {
    ::z_stream z{};
    REQUIRE(::deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(::deflateBound(&z, static_cast<uLong>(text.size())) + 64, '\0');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    z.avail_in = static_cast<uInt>(text.size());
    z.next_out = reinterpret_cast<Bytef*>(out.data());
    z.avail_out = static_cast<uInt>(out.size());
    REQUIRE(::deflate(&z, Z_FINISH) == Z_STREAM_END);
    out.resize(z.total_out);
    ::deflateEnd(&z);
    return out;
}

std::string gzip_reply(
    const std::string& coded,
    std::string_view coding = "gzip",
    std::string_view status = "200 OK") {
    return http_reply(coded, status, "Content-Encoding: " + std::string{coding} + "\r\n");
}

} // namespace

TEST_CASE("gzip_is_asked_for_and_undone", "[http][gzip]") {
    auto const text = pattern(300'000);
    auto const coded = gzipped(text);
    std::vector<std::string> const replies{
        gzip_reply(coded),
        gzip_reply(coded, "GZIP"),
        gzip_reply(coded, "x-gzip"),
        chunked(coded, 100, "Content-Encoding: gzip\r\n"),
        gzip_reply(gzipped("") + coded), // several members, one empty
    };
    for (auto const& reply : replies) {
        for (std::size_t piece : {0U, 1U}) {
            CAPTURE(reply.substr(0, 100), piece);
            behaviour todo{reply};
            todo.piece = piece;
            fault_server server{todo};
            transport_bench b{server.url()};
            auto const out = b.get();
            REQUIRE(out.ok());
            CHECK(out.reply.body == text);
            CHECK(!out.reply.fields.contains("Content-Encoding"));
            CHECK(!out.reply.fields.contains("Content-Length"));
            CHECK_THAT(server.requests().at(0).head, test::contains("Accept-Encoding: gzip\r\n"));
            CHECK(b.transport->stats().idle == 1);
        }
    }
}

TEST_CASE("request_that_names_its_own_codings_gets_what_was_sent", "[http][gzip]") {
    auto const coded = gzipped("text");
    fault_server server{behaviour{gzip_reply(coded)}};
    transport_bench b{server.url()};
    http::request r{method::get, "/"};
    r.fields.add("accept-encoding", "gzip, br");
    auto const out = b.exchange(r);
    REQUIRE(out.ok());
    CHECK(out.reply.body == coded);
    CHECK(out.reply.fields.find("Content-Encoding") == "gzip");
}

TEST_CASE("bomb_is_refused_before_it_goes_off", "[http][gzip]") {
    auto const bomb = gzipped(std::string(50 * 1024 * 1024, '\0'));
    REQUIRE(bomb.size() < 60'000);
    fault_server server{behaviour{gzip_reply(bomb)}};
    transport_bench b{server.url()};
    http::exchange_options options;
    options.max_body = 100'000; // the coded form would pass
    auto const out = b.get("/", options);
    CHECK(out.error == errc::response_too_large);
    CHECK_THAT(out.detail, test::contains("when decompressed"));
    CHECK(out.reply.body.empty());
    CHECK(b.transport->stats().idle == 0);

    // A sink bounds what it takes itself.
    temporary_folder const folder;
    http::file_sink file{(folder.path() / "f").string(), 100'000};
    options.sink = &file;
    CHECK(b.get("/", options).error == errc::file_failed);
    CHECK(file.size() <= 100'000);
    CHECK(b.settled());

    // What it does not take is kept, and bounded as without it.
    for (auto const& reply :
         {gzip_reply(bomb, "gzip", "404 Not Found"),
          chunked(bomb, 1000, "Content-Encoding: gzip\r\n", "404 Not Found")}) {
        CAPTURE(reply.substr(0, 100));
        fault_server missing{behaviour{reply}};
        transport_bench other{missing.url()};
        recording_sink sink;
        options.sink = &sink;
        auto const kept = other.get("/", options);
        CHECK(kept.error == errc::response_too_large);
        CHECK_THAT(kept.detail, test::contains("when decompressed"));
        CHECK(sink.begun == 0);
        CHECK(other.settled());
        CHECK(to_sink_of_client(reply) == errc::response_too_large);
    }
}

TEST_CASE("bound_on_decoded_content_is_exact", "[http][gzip]") {
    auto const coded = gzipped(std::string(1000, 'x'));
    for (std::size_t bound : {999U, 1000U}) {
        http::response out;
        http::response_parser parser{out, false, bound, nullptr, true};
        boost::system::error_code ec;
        parser.put(gzip_reply(coded), ec);
        CHECK(parser.done() == (bound == 1000));
        CHECK((ec == errc::response_too_large) == (bound == 999));
    }
}

TEST_CASE("damaged_gzip_is_refused", "[http][gzip]") {
    auto const coded = gzipped(pattern(5000));
    auto flipped = coded;
    flipped[flipped.size() - 6] ^= 1; // in the checksum
    auto const cut = coded.substr(0, coded.size() - 3);
    std::vector<std::string> const replies{
        gzip_reply(coded.substr(0, 1)),
        gzip_reply("this is no gzip"),
        gzip_reply(flipped),
        gzip_reply(cut),
        gzip_reply(coded + "trailing bytes"),
        chunked(cut, 1000, "Content-Encoding: gzip\r\n"),
    };
    for (auto const& reply : replies) {
        CAPTURE(reply.substr(0, 60));
        fault_server server{behaviour{reply}};
        transport_bench b{server.url()};
        auto const out = b.get();
        CHECK(out.error == errc::malformed_response);
        CHECK_THAT(out.detail, test::contains("gzip"));
        CHECK(b.transport->stats().idle == 0);
        CHECK(b.settled());
    }
    // The same with the end of the connection for the end of the content.
    fault_server server{
        behaviour{"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + cut, act::close}};
    transport_bench b{server.url()};
    CHECK(b.get().error == errc::malformed_response);
}

TEST_CASE("responses_without_content_may_name_a_coding", "[http][gzip]") {
    for (std::string const reply : {
             "HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\n\r\n",
             "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
             "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
             "0\r\n\r\n",
         }) {
        CAPTURE(reply);
        fault_server server{behaviour{reply}};
        transport_bench b{server.url()};
        auto const out = b.get();
        REQUIRE(out.ok());
        CHECK(out.reply.body.empty());
    }
}

TEST_CASE("gzip_goes_decoded_to_the_sink", "[http][gzip]") {
    auto const text = pattern(1'000'000);
    fault_server server{behaviour{gzip_reply(gzipped(text))}};
    transport_bench b{server.url()};
    recording_sink sink;
    http::exchange_options options;
    options.sink = &sink;
    options.max_body = 100; // is for what is kept
    REQUIRE(b.get("/", options).ok());
    CHECK(sink.content == text);
    CHECK(sink.largest <= 64 * 1024);
}

#endif

} // namespace http_bodies_tests
