// SPDX-License-Identifier: BSL-1.0
//
// Writes multipart/form-data bodies (RFC 7578), which HighLevel takes its uploads in. Files on disk
// are read when the request is sent, not before.
#pragma once

#include <highlevel/detail/random.hpp>
#include <highlevel/detail/share.hpp>
#include <highlevel/file_part.hpp>
#include <highlevel/http/body.hpp>
#include <highlevel/http/message.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::http {

/// Builds one multipart/form-data body.
///
/// The boundary is 128 random bits, so that no content can hold it but by chance.
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class multipart_writer {
public:
    multipart_writer() : boundary_("highlevel-" + highlevel::detail::random_hex<16>()) {}

    /// The value of the request's Content-Type field.
    [[nodiscard]] std::string content_type() const {
        return "multipart/form-data; boundary=" + boundary_;
    }

    /// Appends a plain field.
    void add(std::string_view name, std::string_view value) {
        begin(name);
        body_ += "\r\n\r\n";
        body_ += value;
        body_ += "\r\n";
    }

    /// Appends a file. Gives what is wrong when it cannot be read, else nothing.
    [[nodiscard]] std::string add(std::string_view name, const file_part& file) {
        auto const filename = file.sent_filename();
        auto const type = file.sent_type();
        if (type.find_first_of("\r\n") != std::string::npos)
            return "the content type of " + filename + " holds a line break";
        begin(name);
        body_ += "; filename=";
        quote(filename);
        body_ += "\r\nContent-Type: ";
        body_ += type;
        body_ += "\r\n\r\n";
        if (file.path.empty()) {
            body_ += file.data;
        } else {
            flush();
            if (auto why = source_->add_file(file.path); !why.empty()) return why;
        }
        body_ += "\r\n";
        return {};
    }

    /// Gives the request its content: the body, or a source when there are files on disk.
    void finish(request& to) && {
        body_ += "--";
        body_ += boundary_;
        body_ += "--\r\n";
        to.fields.set("Content-Type", content_type());
        if (source_->has_files()) {
            flush();
            to.source = std::move(source_);
        } else {
            to.body = std::move(body_);
        }
    }

private:
    void flush() {
        source_->add_text(body_);
        body_.clear();
    }

    void begin(std::string_view name) {
        body_ += "--";
        body_ += boundary_;
        body_ += "\r\nContent-Disposition: form-data; name=";
        quote(name);
    }

    /// As browsers do (HTML, "multipart/form-data encoding algorithm"): the three characters that
    /// could end the quoted text are percent-encoded.
    void quote(std::string_view text) {
        body_ += '"';
        for (char const c : text) {
            if (c == '"')
                body_ += "%22";
            else if (c == '\r')
                body_ += "%0D";
            else if (c == '\n')
                body_ += "%0A";
            else
                body_ += c;
        }
        body_ += '"';
    }

    std::string boundary_;
    /// What follows the last file.
    std::string body_;
    std::shared_ptr<segmented_source> source_ = highlevel::detail::share<segmented_source>();
};

} // namespace highlevel::http
