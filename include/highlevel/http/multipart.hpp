// SPDX-License-Identifier: BSL-1.0
//
// Writes multipart/form-data bodies (RFC 7578), which HighLevel takes its uploads in.
#pragma once

#include <highlevel/file_part.hpp>

#include <cstdint>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::http {

/// Builds one multipart/form-data body in memory.
///
/// The boundary is 128 random bits, so that no content can hold it but by chance.
/// Thread safety: distinct objects: safe; shared objects: unsafe.
class multipart_writer {
public:
    multipart_writer() : boundary_("highlevel-") {
        std::random_device random;
        constexpr std::string_view digits = "0123456789abcdef";
        for (int i = 0; i < 32; ++i)
            boundary_ += digits[random() & 15U];
    }

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
        std::string loaded;
        if (!file.path.empty()) {
            std::ifstream in{file.path, std::ios::binary};
            if (in) loaded.assign(std::istreambuf_iterator<char>{in}, {});
            if (!in) return "cannot read " + file.path;
        }
        auto filename = file.filename;
        if (filename.empty()) filename = file.path.substr(file.path.find_last_of('/') + 1);
        if (filename.empty()) filename = "file";
        auto const type =
            file.content_type.empty() ? std::string{"application/octet-stream"} : file.content_type;
        if (type.find_first_of("\r\n") != std::string::npos)
            return "the content type of " + filename + " holds a line break";
        begin(name);
        body_ += "; filename=";
        quote(filename);
        body_ += "\r\nContent-Type: ";
        body_ += type;
        body_ += "\r\n\r\n";
        body_ += file.path.empty() ? file.data : loaded;
        body_ += "\r\n";
        return {};
    }

    /// The complete body.
    [[nodiscard]] std::string finish() && {
        body_ += "--";
        body_ += boundary_;
        body_ += "--\r\n";
        return std::move(body_);
    }

private:
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
    std::string body_;
};

} // namespace highlevel::http
