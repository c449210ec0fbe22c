// SPDX-License-Identifier: BSL-1.0
//
// Appends JSON to a string as it goes. The sandbox renders a hundred contacts per page, thousands
// of times a second, and a document tree in between would cost more than everything else.
#pragma once

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>

namespace highlevel::sandbox::detail {

/// Writes one JSON value into a string. Commas and colons are its business, balance the caller's.
class json_writer {
public:
    explicit json_writer(std::string& out) noexcept : out_(out) {}

    json_writer& begin_object() { return open('{'); }
    json_writer& end_object() { return close('}'); }
    json_writer& begin_array() { return open('['); }
    json_writer& end_array() { return close(']'); }

    json_writer& key(std::string_view name) {
        separate();
        quote(name);
        out_ += ':';
        comma_ = false;
        return *this;
    }

    json_writer& value(std::string_view text) {
        separate();
        quote(text);
        return done();
    }
    json_writer& value(const char* text) { return value(std::string_view(text)); }
    json_writer& value(bool b) { return raw(b ? "true" : "false"); }
    template <std::integral Int>
    requires(!std::same_as<Int, bool>) json_writer& value(Int number) {
        return raw(std::to_string(number));
    }
    json_writer& null() { return raw("null"); }
    /// A value that is JSON already.
    json_writer& raw(std::string_view json) {
        separate();
        out_ += json;
        return done();
    }

    template <class Value>
    json_writer& member(std::string_view name, const Value& v) {
        return key(name).value(v);
    }
    /// A member that is null when the text is empty.
    json_writer& member_or_null(std::string_view name, std::string_view text) {
        key(name);
        return text.empty() ? null() : value(text);
    }
    /// A member that is left out when the text is empty.
    json_writer& member_if(std::string_view name, std::string_view text) {
        return text.empty() ? *this : member(name, text);
    }
    template <class Range>
    json_writer& strings(std::string_view name, const Range& range) {
        key(name).begin_array();
        for (auto const& text : range)
            value(std::string_view(text));
        return end_array();
    }

private:
    json_writer& open(char c) {
        separate();
        out_ += c;
        comma_ = false;
        return *this;
    }
    json_writer& close(char c) {
        out_ += c;
        return done();
    }
    json_writer& done() {
        comma_ = true;
        return *this;
    }
    void separate() {
        if (comma_) out_ += ',';
    }
    void quote(std::string_view text) {
        out_ += '"';
        std::size_t begin = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            auto const c = static_cast<unsigned char>(text[i]);
            if (c >= 0x20 && c != '"' && c != '\\') continue;
            out_ += text.substr(begin, i - begin);
            begin = i + 1;
            switch (c) {
            case '"': out_ += "\\\""; break;
            case '\\': out_ += "\\\\"; break;
            case '\n': out_ += "\\n"; break;
            case '\r': out_ += "\\r"; break;
            case '\t': out_ += "\\t"; break;
            default: {
                constexpr std::string_view digits = "0123456789abcdef";
                out_ += "\\u00";
                out_ += digits[c >> 4];
                out_ += digits[c & 15];
            }
            }
        }
        out_ += text.substr(begin);
        out_ += '"';
    }

    std::string& out_;
    bool comma_ = false;
};

} // namespace highlevel::sandbox::detail
