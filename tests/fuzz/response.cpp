// SPDX-License-Identifier: BSL-1.0
//
// Bytes of a server through the response parser, compressed or not, into memory or a sink: whole
// and in pieces must come to the same.

#include "fuzz.hpp"

#include <highlevel/http/body.hpp>
#include <highlevel/http/inflater.hpp>
#include <highlevel/http/response_parser.hpp>

#include <string>
#include <vector>

namespace fuzz::response {

namespace http = highlevel::http;

namespace {

constexpr std::size_t max_body = 4096;

/// Takes content as a file would, within the bound or beyond.
class collector final : public http::body_sink {
public:
    std::string begin(const http::response& head) override {
        fuzz::require(head.body.empty(), "a sink begins before the content");
        text.clear();
        return {};
    }
    std::string write(std::string_view bytes) override {
        text += bytes;
        return {};
    }
    std::string finish() override {
        ended = true;
        return {};
    }

    std::string text;
    bool ended = false;
};

/// How the input is to be read: its first byte.
class reading {
public:
    explicit reading(std::uint8_t how)
        : no_body((how & 1) != 0),
          to_sink((how & 2) != 0),
          inflates((how & 8) != 0 && http::can_inflate),
          step(std::size_t{1} + (how >> 4)) {}

    bool no_body;
    bool to_sink;
    bool inflates;
    std::size_t step;
};

class outcome {
public:
    http::response reply;
    boost::system::error_code error;
    bool done = false;
    bool keep_alive = false;
    std::size_t used = 0;
    std::string sunk;
};

/// Feeds `bytes` as a connection does: what the parser leaves is presented again with more behind
/// it, and the end of the bytes is the end of the connection. Each piece is `step` bytes long.
outcome feed(std::string_view bytes, const reading& how, std::size_t step) {
    outcome out;
    collector sink;
    http::response_parser parser{
        out.reply, how.no_body, max_body, how.to_sink ? &sink : nullptr, how.inflates};
    std::size_t arrived = 0;
    while (!parser.done() && !out.error && arrived < bytes.size()) {
        arrived = std::min(bytes.size(), arrived + step);
        // A copy of its own size, so that a read beyond it is one of AddressSanitizer's.
        std::vector<char> const piece(
            bytes.begin() + static_cast<std::ptrdiff_t>(out.used),
            bytes.begin() + static_cast<std::ptrdiff_t>(arrived));
        auto const used = parser.put({piece.data(), piece.size()}, out.error);
        fuzz::require(used <= piece.size(), "no more is used than was given");
        out.used += used;
    }
    if (out.error) {
        fuzz::require(!parser.detail().empty(), "a refusal says why");
        fuzz::require(
            out.error == highlevel::errc::malformed_response ||
                out.error == highlevel::errc::response_too_large,
            "a refusal is one of two");
        fuzz::require(!parser.done(), "what is refused is not done");
    } else if (!parser.done()) {
        (void)parser.put_end();
    }
    out.done = parser.done();
    out.keep_alive = parser.keep_alive();
    out.sunk = sink.text;
    bool const success = out.reply.status >= 200 && out.reply.status < 300;
    if (out.done && how.to_sink && success)
        fuzz::require(sink.ended && out.reply.body.empty(), "a success went to the sink");
    return out;
}

bool same_fields(const http::headers& a, const http::headers& b) {
    auto i = a.begin();
    auto j = b.begin();
    for (; i != a.end() && j != b.end(); ++i, ++j)
        if ((*i).name != (*j).name || (*i).value != (*j).value) return false;
    return i == a.end() && j == b.end();
}

} // namespace

int one_input(const std::uint8_t* data, std::size_t size) {
    fuzz::input in{data, size};
    reading const how{in.byte()};
    auto const whole = feed(in.rest(), how, std::max<std::size_t>(in.rest().size(), 1));
    auto const pieces = feed(in.rest(), how, how.step);
    fuzz::require(whole.done == pieces.done, "pieces end as the whole does");
    fuzz::require(whole.reply.body.size() <= max_body, "the bound of the body holds");
    for (auto const field : whole.reply.fields)
        fuzz::require(
            field.value.find_first_of(std::string_view{"\r\n\0", 3}) == std::string_view::npos,
            "a field value is one line");
    if (!whole.done) return 0;
    fuzz::require(whole.reply.status >= 200 && whole.reply.status < 600, "a status is one");
    fuzz::require(whole.reply.status == pieces.reply.status, "the status is the same in pieces");
    fuzz::require(whole.reply.body == pieces.reply.body, "the body is the same in pieces");
    fuzz::require(whole.sunk == pieces.sunk, "so is what went to the sink");
    fuzz::require(whole.keep_alive == pieces.keep_alive, "so is the connection's fate");
    fuzz::require(whole.used == pieces.used, "so is the end of the response");
    fuzz::require(same_fields(whole.reply.fields, pieces.reply.fields), "so are the fields");
    if (how.no_body) fuzz::require(whole.reply.body.empty(), "a response without a body has none");
    return 0;
}

} // namespace fuzz::response
