// SPDX-License-Identifier: BSL-1.0
//
// Turns received bytes into an http::response (RFC 9112) by Beast's parser, whose callbacks write
// straight into our fields and body; it needs no stream, so tests feed it bytes.
#pragma once

#include <highlevel/error.hpp>
#include <highlevel/http/body.hpp>
#include <highlevel/http/inflater.hpp>
#include <highlevel/http/message.hpp>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/none.hpp>
#include <boost/optional/optional.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::http {

/// Reads one response, skipping interim (1xx) ones before it.
///
/// Feed it with put() until done(). Content goes to the response's body or, where the status is 2xx
/// and there is a sink, to that; only what is kept in the body is bounded by `max_body`. With
/// `may_inflate` gzip content is decoded on the way, and the fields that speak of its coded form
/// (Content-Encoding, Content-Length) are taken out. The fields of trailers are dropped, since they
/// could contradict the header after it was acted upon. Thread safety: distinct objects: safe;
/// shared: unsafe.
class response_parser {
public:
    /// Largest header section, status line and interim responses included, in bytes.
    static constexpr std::size_t max_header = 64 * 1024;

    /// Fills `out`, which must outlive the parser. `no_body` for responses to HEAD and CONNECT,
    /// whose header may speak of content that does not follow.
    response_parser(
        response& out,
        bool no_body,
        std::size_t max_body,
        body_sink* sink = nullptr,
        bool may_inflate = false)
        : out_(out),
          max_body_(max_body),
          sink_(sink),
          no_body_(no_body),
          may_inflate_(may_inflate) {
        restart();
    }

    /// Takes bytes in and says how many it used; the rest must be presented again with more behind
    /// it. On failure `ec` is malformed_response, response_too_large or file_failed (the sink's)
    /// and detail() says why.
    std::size_t put(std::string_view bytes, boost::system::error_code& ec) {
        std::size_t used = 0;
        ec = {};
        while (!done_) {
            boost::beast::error_code parsed;
            auto const rest = bytes.substr(used);
            if (rest.empty()) return used;
            bool const in_header = !parser_->is_header_done();
            // Beast judges whole lines, and what speaks another protocol may never end one.
            if (in_header && !begins_like_http(rest)) {
                detail_ = "does not begin with HTTP/1.";
                ec = errc::malformed_response;
                return used;
            }
            // Beast asserts five bytes when it comes back to a last chunk that no other precedes
            // (basic_parser::parse_chunk_header, Boost 1.81); chunked content never ends in fewer.
            if (!in_header && rest.size() < 5 && rest.front() == '0' && parser_->chunked())
                return used;
            // Beast holds its own limit against what it has not used yet (Boost 1.81), which may be
            // next to nothing after each line. So what it uses is counted, and in the header it is
            // to stop where that ends.
            auto const piece = in_header ? rest.substr(0, max_header - header_used_) : rest;
            parser_->eager(!in_header);
            auto const n =
                parser_->put(boost::asio::const_buffer{piece.data(), piece.size()}, parsed);
            used += n;
            if (in_header) header_used_ += n;
            if (parsed == boost::beast::http::error::need_more) {
                if (in_header && header_used_ + (bytes.size() - used) >= max_header)
                    parsed = boost::beast::http::error::header_limit;
                else
                    return used;
            }
            if (parsed) {
                ec = refuse(parsed);
                return used;
            }
            if (!parser_->is_done()) continue;
            if (out_.status >= 200) {
                done_ = true;
            } else if (out_.status == 101 || ++interim_ > max_interim) {
                detail_ = "interim responses that were not asked for";
                ec = errc::malformed_response;
                return used;
            } else {
                restart();
            }
        }
        return used;
    }

    /// Says that no byte will follow. Completes a response whose end is the end of the connection;
    /// any other is cut: false.
    [[nodiscard]] bool put_end() {
        if (done_) return true;
        if (!parser_->is_header_done() || !parser_->need_eof()) return false;
        boost::beast::error_code ec;
        parser_->put_eof(ec);
        done_ = !ec && parser_->is_done();
        if (!done_ && parser_->own_error()) end_error_ = refuse(ec);
        return done_;
    }

    /// What kept put_end() from completing a response that was not cut.
    [[nodiscard]] const boost::system::error_code& end_error() const noexcept { return end_error_; }

    /// Whether the response is complete.
    [[nodiscard]] bool done() const noexcept { return done_; }
    /// Whether the header of the final response is complete.
    [[nodiscard]] bool header_done() const { return parser_->is_header_done(); }
    /// Whether anything of the final response has been taken in; false between interim responses.
    [[nodiscard]] bool begun() const noexcept { return out_.status != 0; }
    /// Whether the connection can carry another exchange after this response.
    [[nodiscard]] bool keep_alive() const { return done_ && parser_->keep_alive(); }
    /// Why put() failed, or put_end() where end_error() is set, in words.
    [[nodiscard]] const std::string& detail() const noexcept { return detail_; }

private:
    using base = boost::beast::http::basic_parser<false>;
    using field_id = boost::beast::http::field;
    using text = boost::beast::string_view;
    using code = boost::beast::error_code;

    static constexpr int max_interim = 16;
    // A Content-Length is a claim; only so much room is made before the bytes are there.
    static constexpr std::uint64_t max_trusted_length = 1024 * 1024;

    class machine final : public base {
    public:
        machine(response& out, std::size_t max_body, body_sink* sink, bool may_inflate)
            : out_(out),
              max_body_(max_body),
              sink_(sink),
              may_inflate_(may_inflate) {}

        /// What went wrong in our own hands, if anything did.
        [[nodiscard]] const boost::system::error_code& own_error() const noexcept {
            return own_error_;
        }
        [[nodiscard]] const std::string& own_detail() const noexcept { return own_detail_; }

    private:
        void on_request_impl(
            boost::beast::http::verb /*method*/,
            text /*name*/,
            text /*target*/,
            int /*version*/,
            code& /*ec*/) override {}

        void on_response_impl(int status, text /*reason*/, int /*version*/, code& ec) override {
            if (status < 100 || status > 599) ec = boost::beast::http::error::bad_status;
            out_.status = static_cast<unsigned>(status);
            // A sink knows its own bound.
            if (streams()) body_limit(boost::none);
            out_.fields.reserve(24, 1024);
        }

        void on_field_impl(field_id /*id*/, text name, text value, code& /*ec*/) override {
            if (in_content_) return;
            out_.fields.add({name.data(), name.size()}, {value.data(), value.size()});
        }

        void on_header_impl(code& /*ec*/) override {}

        void on_body_init_impl(const boost::optional<std::uint64_t>& length, code& ec) override {
            in_content_ = true;
            auto const coding = out_.fields.find("Content-Encoding");
            if (may_inflate_ && coding &&
                (field_name_equal(*coding, "gzip") || field_name_equal(*coding, "x-gzip")))
                inflater_.emplace(streams() ? std::numeric_limits<std::size_t>::max() : max_body_);
            if (!begin_content()) return stop(ec);
            if (length && !inflater_ && !streams())
                out_.body.reserve(static_cast<std::size_t>(std::min(*length, max_trusted_length)));
        }

        std::size_t on_body_impl(text bytes, code& ec) override {
            take({bytes.data(), bytes.size()}, ec);
            return bytes.size();
        }

        void on_chunk_header_impl(std::uint64_t /*size*/, text /*ext*/, code& /*ec*/) override {}

        std::size_t on_chunk_body_impl(std::uint64_t /*left*/, text bytes, code& ec) override {
            take({bytes.data(), bytes.size()}, ec);
            return bytes.size();
        }

        void on_finish_impl(code& ec) override {
            if (out_.status < 200) return;
            if (inflater_ && !inflater_->complete()) {
                fail(errc::malformed_response, "gzip content that is cut off");
                return stop(ec);
            }
            if (inflater_) {
                out_.fields.erase("Content-Encoding");
                out_.fields.erase("Content-Length");
            }
            if (!streams()) return;
            if (!begin_content()) return stop(ec);
            if (auto why = sink_->finish(); !why.empty()) {
                fail(errc::file_failed, std::move(why));
                stop(ec);
            }
        }

        [[nodiscard]] bool streams() const noexcept {
            return sink_ != nullptr && out_.status >= 200 && out_.status < 300;
        }

        [[nodiscard]] bool begin_content() {
            if (begun_ || !streams()) return true;
            begun_ = true;
            auto why = sink_->begin(out_);
            if (why.empty()) return true;
            fail(errc::file_failed, std::move(why));
            return false;
        }

        void take(std::string_view bytes, code& ec) {
            if (!inflater_) {
                if (!deliver(bytes)) stop(ec);
                return;
            }
            using outcome = inflater::outcome;
            switch (inflater_->put(bytes, [this](std::string_view b) { return deliver(b); })) {
            case outcome::good: return;
            case outcome::refused: break;
            case outcome::corrupt: fail(errc::malformed_response, "damaged gzip content"); break;
            case outcome::too_large:
                fail(
                    errc::response_too_large,
                    "more than " + std::to_string(max_body_) + " bytes when decompressed");
                break;
            }
            stop(ec);
        }

        bool deliver(std::string_view bytes) {
            if (!streams()) {
                out_.body.append(bytes);
                return true;
            }
            auto why = sink_->write(bytes);
            if (why.empty()) return true;
            fail(errc::file_failed, std::move(why));
            return false;
        }

        void fail(errc what, std::string why) {
            own_error_ = what;
            own_detail_ = std::move(why);
        }

        // Any error of Beast's will do: own_error() says what it is about.
        static void stop(code& ec) { ec = boost::beast::http::error::body_limit; }

        response& out_;
        std::size_t max_body_;
        body_sink* sink_;
        std::optional<inflater> inflater_;
        boost::system::error_code own_error_;
        std::string own_detail_;
        bool may_inflate_;
        bool in_content_ = false;
        bool begun_ = false;
    };

    // True when the status line has been read already.
    [[nodiscard]] bool begins_like_http(std::string_view bytes) const {
        constexpr std::string_view version = "HTTP/1.";
        auto const n = std::min(bytes.size(), version.size());
        return out_.status != 0 || bytes.substr(0, n) == version.substr(0, n);
    }

    void restart() {
        out_.status = 0;
        out_.fields.clear();
        out_.body.clear();
        parser_.emplace(out_, max_body_, sink_, may_inflate_);
        parser_->header_limit(static_cast<std::uint32_t>(max_header));
        parser_->body_limit(max_body_);
        if (no_body_) parser_->skip(true);
    }

    boost::system::error_code refuse(const code& ec) {
        if (parser_->own_error()) {
            detail_ = parser_->own_detail();
            return parser_->own_error();
        }
        if (ec == boost::beast::http::error::body_limit) {
            detail_ = "more than " + std::to_string(max_body_) + " bytes";
            return errc::response_too_large;
        }
        detail_ = ec.message();
        return errc::malformed_response;
    }

    response& out_;
    std::optional<machine> parser_;
    std::string detail_;
    boost::system::error_code end_error_;
    std::size_t max_body_;
    body_sink* sink_;
    std::size_t header_used_ = 0; // of all interim responses, too
    int interim_ = 0;
    bool no_body_;
    bool may_inflate_;
    bool done_ = false;
};

} // namespace highlevel::http
