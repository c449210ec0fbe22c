// SPDX-License-Identifier: BSL-1.0
//
// Tests of http/response_parser.hpp: framing, bounds and refusals, fed in one piece and byte by
// byte.
#include "support/catch.hpp"

#include <highlevel/http/response_parser.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace http_response_parser_tests {

namespace {

using highlevel::errc;
namespace http = highlevel::http;

/// The outcome of feeding bytes in pieces of a size, then the end.
class parsed {
public:
    parsed(
        std::string_view bytes, std::size_t piece, bool no_body = false, std::size_t limit = 1024)
        : parser(reply, no_body, limit) {
        std::string held;
        while (!bytes.empty() && !parser.done() && !error) {
            held += bytes.substr(0, piece);
            bytes.remove_prefix(std::min(piece, bytes.size()));
            held.erase(0, parser.put(held, error));
        }
        left = held + std::string{bytes};
        done_before_end = parser.done();
        if (!error && !parser.done()) cut = !parser.put_end();
    }

    http::response reply;
    http::response_parser parser;
    boost::system::error_code error;
    std::string left;
    bool done_before_end = false;
    bool cut = false;
};

constexpr std::size_t whole = 1 << 20;

} // namespace

TEST_CASE("response_with_length_is_read_and_the_rest_left", "[http][parser]") {
    for (std::size_t piece : {whole, std::size_t{1}, std::size_t{3}}) {
        parsed p{
            "HTTP/1.1 201 Created\r\nContent-Length: 5\r\nX-A:  b \r\nx-a: c\r\n\r\nhello++",
            piece};
        REQUIRE(p.done_before_end);
        CHECK(p.reply.status == 201);
        CHECK(p.reply.body == "hello");
        CHECK(p.reply.fields.size() == 3);
        CHECK(p.reply.fields.find("X-A") == "b");
        CHECK(p.reply.fields.at(2).value == "c");
        CHECK(p.left == "++");
        CHECK(p.parser.keep_alive());
    }
}

TEST_CASE("chunked_response_is_joined_and_its_trailers_dropped", "[http][parser]") {
    for (std::size_t piece : {whole, std::size_t{1}}) {
        parsed p{
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            "5;ext=\"1\"\r\nhello\r\n1\r\n \r\nA\r\n0123456789\r\n0\r\nX-Trailer: 1\r\n\r\n",
            piece};
        REQUIRE(p.done_before_end);
        CHECK(p.reply.body == "hello 0123456789");
        CHECK(!p.reply.fields.contains("X-Trailer"));
        CHECK(p.parser.keep_alive());
        CHECK(p.left.empty());
    }
}

TEST_CASE("empty_chunked_response_may_come_in_any_pieces", "[http][parser]") {
    // Three and four bytes of the last chunk at a time are more than Beast's assertions stand.
    for (std::size_t piece = 1; piece < 8; ++piece) {
        parsed p{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", piece};
        REQUIRE(p.done_before_end);
        CHECK(p.reply.body.empty());
        CHECK(p.left.empty());
    }
}

TEST_CASE("response_without_length_ends_with_the_connection", "[http][parser]") {
    parsed p{"HTTP/1.1 200 OK\r\n\r\nhello", 2};
    CHECK(!p.done_before_end);
    CHECK(!p.cut);
    CHECK(p.reply.body == "hello");
    CHECK(!p.parser.keep_alive());
}

TEST_CASE("interim_responses_are_skipped", "[http][parser]") {
    for (std::size_t piece : {whole, std::size_t{1}}) {
        parsed p{
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
            piece};
        REQUIRE(p.done_before_end);
        CHECK(p.reply.status == 200);
        CHECK(!p.reply.fields.contains("Link"));
        CHECK(p.reply.body == "a");
    }
    parsed upgraded{"HTTP/1.1 101 Switching Protocols\r\n\r\n", whole};
    CHECK(upgraded.error == errc::malformed_response);
    std::string many;
    for (int i = 0; i < 17; ++i)
        many += "HTTP/1.1 100 Continue\r\n\r\n";
    CHECK(parsed{many, whole}.error == errc::malformed_response);
}

TEST_CASE("responses_that_have_no_content_end_with_their_header", "[http][parser]") {
    for (auto status : {"204 No Content", "304 Not Modified"}) {
        parsed p{"HTTP/1.1 " + std::string{status} + "\r\nContent-Length: 5\r\n\r\nhello", whole};
        REQUIRE(p.done_before_end);
        CHECK(p.reply.body.empty());
        CHECK(p.left == "hello");
    }
    parsed head{"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n", 1, true};
    REQUIRE(head.done_before_end);
    CHECK(head.reply.body.empty());
    CHECK(head.parser.keep_alive());
}

TEST_CASE("keep_alive_follows_version_and_connection_field", "[http][parser]") {
    CHECK(!parsed{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", whole}
               .parser.keep_alive());
    CHECK(!parsed{"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", whole}.parser.keep_alive());
    CHECK(parsed{"HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n", whole}
              .parser.keep_alive());
}

TEST_CASE("body_is_bounded_however_it_is_framed", "[http][parser]") {
    std::string const ten(10, 'x');
    auto const limited = [](const std::string& bytes) {
        parsed one{bytes, 1, false, 9};
        parsed all{bytes, whole, false, 9};
        CHECK(one.reply.body.size() <= 9);
        return one.error == errc::response_too_large && all.error == errc::response_too_large;
    };
    CHECK(limited("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + ten));
    CHECK(limited("HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                  "chunked\r\n\r\n5\r\n01234\r\n5\r\n01234\r\n0\r\n\r\n"));
    CHECK(limited("HTTP/1.1 200 OK\r\n\r\n" + ten));
    parsed fits{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n" + ten, whole, false, 10};
    CHECK(fits.done_before_end);
}

TEST_CASE("cut_responses_are_told_from_complete_ones", "[http][parser]") {
    for (auto bytes :
         {"", "HTTP", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
          "HTTP/1.1 100 Continue\r\n\r\n"}) {
        CAPTURE(bytes);
        parsed p{bytes, 1};
        CHECK(!p.error);
        CHECK(p.cut);
        CHECK(!p.parser.keep_alive());
    }
}

TEST_CASE("what_is_not_http_is_refused", "[http][parser]") {
    std::string const ok = "HTTP/1.1 200 OK\r\n";
    for (std::string const& bytes : {
             std::string{"<html>hello</html>\r\n\r\n"},
             std::string{"HTTP/2 200\r\n\r\n"},
             std::string{"HTTP/1.1 2000 OK\r\n\r\n"},
             std::string{"HTTP/1.1 099 Odd\r\n\r\n"},
             std::string{"HTTP/1.1 700 Odd\r\n\r\n"},
             std::string{"HTTP/1.1 abc\r\n\r\n"},
             ok + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
             ok + "Content-Length: -1\r\n\r\n",
             ok + "Content-Length: 5x\r\n\r\nhello",
             ok + "Content-Length: 99999999999999999999\r\n\r\n",
             ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
             ok + "Bad Name: x\r\n\r\n",
             ok + ": x\r\n\r\n",
             ok + "no colon\r\n\r\n",
             ok + std::string{"Nul: a\0b\r\n\r\n", 12},
             ok + "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
             ok + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n",
             ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
             std::string{"HTTP/1.1 200 OK\nContent-Length: 0\n\n\r\n\r\n"},
         }) {
        for (std::size_t piece : {whole, std::size_t{1}}) {
            CAPTURE(bytes, piece);
            parsed p{bytes, piece};
            CHECK((p.error == errc::malformed_response));
            CHECK(!p.parser.detail().empty());
        }
    }
}

TEST_CASE("same_content_length_twice_is_accepted", "[http][parser]") {
    // RFC 9112 6.3 allows taking identical values for one.
    parsed p{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", whole};
    CHECK((p.done_before_end || p.error == errc::malformed_response));
}

TEST_CASE("header_is_bounded", "[http][parser]") {
    std::string const field = "X-Filler: " + std::string(1000, 'x') + "\r\n";
    std::string many = "HTTP/1.1 200 OK\r\n";
    for (int i = 0; i < 70; ++i)
        many += field;
    CHECK(parsed{many, whole}.error == errc::malformed_response);
    CHECK(parsed{many, 1000}.error == errc::malformed_response);
    std::string const one = "HTTP/1.1 200 OK\r\nX: " + std::string(70000, 'x');
    CHECK(parsed{one, whole}.error == errc::malformed_response);
}

TEST_CASE("bound_on_the_header_is_exact", "[http][parser]") {
    std::string const begin = "HTTP/1.1 204 No Content\r\nX: y\r\nX-Filler: ";
    auto const header = [&](std::size_t size) {
        return begin + std::string(size - begin.size() - 4, 'x') + "\r\n\r\n";
    };
    for (std::size_t piece : {whole, std::size_t{1}, std::size_t{1000}}) {
        CAPTURE(piece);
        CHECK(parsed{header(http::response_parser::max_header), piece}.done_before_end);
        CHECK(
            parsed{header(http::response_parser::max_header + 1), piece}.error ==
            errc::malformed_response);
    }
}

TEST_CASE("header_is_bounded_wherever_its_lines_are_cut", "[http][parser]") {
    // Each piece ends one byte into the next line, so that Beast has taken all but that byte.
    http::response reply;
    http::response_parser parser{reply, false, 1024};
    boost::system::error_code error;
    std::string held = "HTTP/1.1 200 OK\r\na";
    std::size_t fed = held.size();
    while (!error && fed < 2 * http::response_parser::max_header) {
        held.erase(0, parser.put(held, error));
        held += ": v\r\na";
        fed += 6;
    }
    CHECK(error == errc::malformed_response);
    CHECK_THAT(parser.detail(), test::contains("header limit"));
    CHECK(reply.fields.size() <= http::response_parser::max_header / 6);
}

TEST_CASE("header_and_interim_responses_have_one_bound", "[http][parser]") {
    std::string interim = "HTTP/1.1 103 Early Hints\r\n";
    for (int i = 0; i < 8; ++i)
        interim += "Link: " + std::string(990, 'x') + "\r\n";
    interim += "\r\n";
    std::string some;
    for (int i = 0; i < 7; ++i)
        some += interim;
    std::string const last = "HTTP/1.1 204 No Content\r\n\r\n";
    for (std::size_t piece : {whole, std::size_t{1000}}) {
        CAPTURE(piece);
        CHECK(parsed{some + last, piece}.done_before_end);
        parsed const more{some + interim + interim + last, piece};
        CHECK(more.error == errc::malformed_response);
        CHECK_THAT(more.parser.detail(), test::contains("header limit"));
    }
}

TEST_CASE("claimed_length_makes_no_room_before_bytes_come", "[http][parser]") {
    parsed p{"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nx", whole, false, 2000000000};
    CHECK(p.cut);
    CHECK(p.reply.body.capacity() <= 2 * 1024 * 1024);
}

} // namespace http_response_parser_tests
