// SPDX-License-Identifier: BSL-1.0
//
// The base URL, parsed strictly (RFC 3986), and the percent-encoding of what operations put into
// paths and queries; without a network library, since operations are encoded by it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace highlevel::http {

namespace detail {

[[nodiscard]] constexpr bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

[[nodiscard]] constexpr char to_lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// The value of a hexadecimal digit, or -1.
[[nodiscard]] constexpr int hex_value(char c) noexcept {
    if (is_digit(c)) return c - '0';
    char const l = to_lower(c);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}

/// RFC 3986 section 2.3.
[[nodiscard]] constexpr bool is_unreserved(char c) noexcept {
    char const l = to_lower(c);
    return (l >= 'a' && l <= 'z') || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

/// A decimal number without sign, leading zeros or anything after it.
[[nodiscard]] inline std::optional<unsigned> parse_decimal(
    std::string_view text, unsigned largest) noexcept {
    if (text.empty() || text.size() > 5 || (text.size() > 1 && text.front() == '0'))
        return std::nullopt;
    unsigned value = 0;
    for (char c : text) {
        if (!is_digit(c)) return std::nullopt;
        value = value * 10 + static_cast<unsigned>(c - '0');
    }
    if (value > largest) return std::nullopt;
    return value;
}

using ipv4_bytes = std::array<std::uint8_t, 4>;
using ipv6_bytes = std::array<std::uint8_t, 16>;

/// Dotted decimal only: the shorter and octal forms that some resolvers take are not addresses
/// here.
[[nodiscard]] inline std::optional<ipv4_bytes> parse_ipv4(std::string_view text) noexcept {
    ipv4_bytes bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        bool const last = i + 1 == bytes.size();
        auto const dot = text.find('.');
        if ((dot == std::string_view::npos) != last) return std::nullopt;
        auto const number = parse_decimal(text.substr(0, dot), 255);
        if (!number) return std::nullopt;
        bytes[i] = static_cast<std::uint8_t>(*number);
        if (!last) text.remove_prefix(dot + 1);
    }
    return bytes;
}

/// RFC 4291 section 2.2, without a zone.
[[nodiscard]] inline std::optional<ipv6_bytes> parse_ipv6(std::string_view text) noexcept {
    ipv6_bytes bytes{};
    std::size_t filled = 0;
    std::optional<std::size_t> gap;
    bool colon_before = false; // a single colon, after which a group must follow
    while (!text.empty()) {
        if (text.substr(0, 2) == "::") {
            if (gap || colon_before) return std::nullopt;
            gap = filled;
            text.remove_prefix(2);
            if (text.empty()) break;
        }
        auto const end = text.find(':');
        auto const group = text.substr(0, end);
        if (end == std::string_view::npos && group.find('.') != std::string_view::npos) {
            auto const v4 = parse_ipv4(group);
            if (!v4 || filled + 4 > bytes.size()) return std::nullopt;
            for (auto b : *v4)
                bytes[filled++] = b;
            colon_before = false;
            break;
        }
        if (group.empty() || group.size() > 4 || filled + 2 > bytes.size()) return std::nullopt;
        unsigned value = 0;
        for (char c : group) {
            int const digit = hex_value(c);
            if (digit < 0) return std::nullopt;
            value = value * 16 + static_cast<unsigned>(digit);
        }
        bytes[filled++] = static_cast<std::uint8_t>(value >> 8);
        bytes[filled++] = static_cast<std::uint8_t>(value & 0xff);
        text.remove_prefix(group.size());
        colon_before = false;
        if (!text.empty() && text.substr(0, 2) != "::") {
            text.remove_prefix(1);
            colon_before = true;
        }
    }
    if (colon_before) return std::nullopt;
    if (!gap) return filled == bytes.size() ? std::optional{bytes} : std::nullopt;
    // "::" stands for at least one group of zeros.
    if (filled + 2 > bytes.size()) return std::nullopt;
    std::size_t const tail = filled - *gap;
    for (std::size_t i = 0; i < tail; ++i) {
        bytes[bytes.size() - 1 - i] = bytes[filled - 1 - i];
        bytes[filled - 1 - i] = 0;
    }
    return bytes;
}

} // namespace detail

/// Appends `text` with every byte but the unreserved ones (letters, digits, "-._~") written as %XX.
inline void append_percent_encoded(std::string& out, std::string_view text) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    for (char c : text) {
        if (detail::is_unreserved(c)) {
            out.push_back(c);
            continue;
        }
        auto const byte = static_cast<unsigned char>(c);
        char const triple[] = {'%', digits[byte >> 4], digits[byte & 0xf]};
        out.append(triple, sizeof triple);
    }
}

/// The bytes that a percent-encoded text stands for, or nothing when a '%' is not followed by two
/// hexadecimal digits. A '+' stays a '+'.
[[nodiscard]] inline std::optional<std::string> percent_decoded(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out.push_back(text[i]);
            continue;
        }
        if (text.size() - i < 3) return std::nullopt;
        int const high = detail::hex_value(text[i + 1]);
        int const low = detail::hex_value(text[i + 2]);
        if (high < 0 || low < 0) return std::nullopt;
        out.push_back(static_cast<char>(high * 16 + low));
        i += 2;
    }
    return out;
}

/// Whether `value` can be one segment of a path. "", "." and ".." cannot in any spelling: servers
/// and gateways resolve dot segments even when percent-encoded (RFC 3986 section 6.2.2.3), so that
/// an id of ".." would address another resource.
[[nodiscard]] constexpr bool is_path_segment(std::string_view value) noexcept {
    return !value.empty() && value != "." && value != "..";
}

/// Appends a value as (part of) one path segment; a '/' in it is encoded and does not divide.
///
/// The caller refuses values for which is_path_segment() is false.
inline void append_path_segment(std::string& out, std::string_view value) {
    append_percent_encoded(out, value);
}

/// Appends "?name=value", or "&name=value" when `out` has a query already; both are encoded.
inline void append_query(std::string& out, std::string_view name, std::string_view value) {
    auto const query = out.find('?');
    // Nothing follows a bare "?" or "&": the separator is there already.
    if (query == std::string::npos)
        out.push_back('?');
    else if (out.back() != '?' && out.back() != '&')
        out.push_back('&');
    append_percent_encoded(out, name);
    out.push_back('=');
    append_percent_encoded(out, value);
}

/// Whether the host is surely this machine: "localhost", 127.0.0.0/8 or ::1, the latter with or
/// without brackets. Names are not looked up.
[[nodiscard]] inline bool is_loopback(std::string_view host) noexcept {
    constexpr std::string_view localhost = "localhost";
    if (host.size() == localhost.size()) {
        bool same = true;
        for (std::size_t i = 0; i < host.size(); ++i)
            same = same && detail::to_lower(host[i]) == localhost[i];
        if (same) return true;
    }
    if (auto const v4 = detail::parse_ipv4(host)) return (*v4)[0] == 127;
    if (host.size() > 2 && host.front() == '[' && host.back() == ']')
        host = host.substr(1, host.size() - 2);
    auto const v6 = detail::parse_ipv6(host);
    detail::ipv6_bytes one{};
    one.back() = 1;
    return v6 && *v6 == one;
}

/// The base URL of the API: scheme, host, port and the path in front of every operation's path.
///
/// Strict: http or https only; no user information, query, fragment, control character, space or
/// backslash; a host is a DNS name, a dotted IPv4 address or a bracketed IPv6 address. Whether http
/// is acceptable is for make_transport() to say. Thread safety: shared objects: safe to read.
class uri {
public:
    /// Parses `text`, for example "https://services.leadconnectorhq.com".
    ///
    /// Throws `std::invalid_argument` that says what is wrong. User information is not repeated.
    explicit uri(std::string_view text) {
        if (auto const why = parse_into(text); !why.empty())
            throw std::invalid_argument{"base_url: " + std::string{why}};
    }

    /// The URL, or nothing when `text` is not acceptable.
    [[nodiscard]] static std::optional<uri> parse(std::string_view text) {
        uri parsed;
        if (!parsed.parse_into(text).empty()) return std::nullopt;
        return parsed;
    }

    /// "https" or "http".
    [[nodiscard]] std::string_view scheme() const noexcept { return secure_ ? "https" : "http"; }
    [[nodiscard]] bool secure() const noexcept { return secure_; }
    /// Lower case; an IPv6 address without its brackets.
    [[nodiscard]] const std::string& host() const noexcept { return host_; }
    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    /// Whether host() is an address rather than a name.
    [[nodiscard]] bool host_is_address() const noexcept { return address_ || ipv6_; }
    /// Empty, or a path that begins with '/' and does not end with one.
    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    [[nodiscard]] bool loopback() const noexcept { return is_loopback(host_); }

    /// "host:port" with brackets around an IPv6 address, as in a CONNECT request.
    [[nodiscard]] std::string host_and_port() const {
        return bracketed() + ':' + std::to_string(port_);
    }
    /// The value of a Host field: the port only when it is not the scheme's own.
    [[nodiscard]] std::string host_field() const {
        return port_ == (secure_ ? 443 : 80) ? bracketed() : host_and_port();
    }
    /// Scheme, host, port when it is not the scheme's own, and path.
    [[nodiscard]] std::string text() const {
        return std::string{scheme()} + "://" + host_field() + path_;
    }

    friend bool operator==(const uri&, const uri&) = default;

private:
    uri() = default;

    [[nodiscard]] std::string bracketed() const { return ipv6_ ? '[' + host_ + ']' : host_; }

    // Empty on success, else what is wrong.
    [[nodiscard]] std::string_view parse_into(std::string_view text) {
        for (char c : text) {
            auto const byte = static_cast<unsigned char>(c);
            if (byte <= 0x20 || byte >= 0x7f)
                return "holds a space, control or non-ASCII character";
        }
        auto const colon = text.find("://");
        if (colon == std::string_view::npos) return "has no scheme";
        std::string scheme{text.substr(0, colon)};
        for (char& c : scheme)
            c = detail::to_lower(c);
        if (scheme != "https" && scheme != "http") return "its scheme is neither https nor http";
        secure_ = scheme == "https";
        text.remove_prefix(colon + 3);

        if (text.find('?') != std::string_view::npos) return "must not have a query";
        if (text.find('#') != std::string_view::npos) return "must not have a fragment";
        auto const slash = text.find('/');
        auto const authority = text.substr(0, slash);
        if (authority.find('@') != std::string_view::npos) return "must not have user information";
        if (auto const why = parse_authority(authority); !why.empty()) return why;
        return slash == std::string_view::npos ? std::string_view{}
                                               : parse_path(text.substr(slash));
    }

    [[nodiscard]] std::string_view parse_authority(std::string_view authority) {
        std::string_view port;
        bool has_port = false;
        if (!authority.empty() && authority.front() == '[') {
            auto const end = authority.find(']');
            if (end == std::string_view::npos) return "its IPv6 address is not closed";
            auto const inside = authority.substr(1, end - 1);
            if (!detail::parse_ipv6(inside)) return "its IPv6 address is not valid";
            host_ = inside;
            ipv6_ = true;
            auto const rest = authority.substr(end + 1);
            has_port = !rest.empty();
            if (has_port && rest.front() != ':') return "has something after its IPv6 address";
            if (has_port) port = rest.substr(1);
        } else {
            auto const colon = authority.find(':');
            has_port = colon != std::string_view::npos;
            if (has_port) port = authority.substr(colon + 1);
            host_ = authority.substr(0, colon);
            if (auto const why = check_name(); !why.empty()) return why;
        }
        for (char& c : host_)
            c = detail::to_lower(c);
        port_ = secure_ ? 443 : 80;
        if (has_port) {
            auto const number = detail::parse_decimal(port, 65535);
            if (!number || *number == 0) return "its port is not a number from 1 to 65535";
            port_ = static_cast<std::uint16_t>(*number);
        }
        return {};
    }

    [[nodiscard]] std::string_view check_name() {
        if (host_.empty()) return "has no host";
        if (host_.size() > 253) return "its host is too long";
        std::size_t label = 0;
        for (std::size_t i = 0; i <= host_.size(); ++i) {
            if (i < host_.size() && host_[i] != '.') {
                char const c = host_[i];
                if (!detail::is_unreserved(c) || c == '~') return "its host is not a host name";
                continue;
            }
            if (i == label || i - label > 63) return "its host has an empty or overlong label";
            label = i + 1;
        }
        // A name whose last label is a number would be taken for an address by some resolvers
        // ("127.1", "0x7f000001"), so it must be a proper one.
        auto const last = std::string_view{host_}.substr(host_.rfind('.') + 1);
        bool numeric = detail::is_digit(last.front());
        if (numeric && last.size() > 1 && detail::to_lower(last[1]) != 'x')
            for (char c : last)
                numeric = numeric && detail::is_digit(c);
        if (!numeric) return {};
        if (!detail::parse_ipv4(host_)) return "its host is neither a name nor an IPv4 address";
        address_ = true;
        return {};
    }

    [[nodiscard]] std::string_view parse_path(std::string_view path) {
        while (!path.empty() && path.back() == '/')
            path.remove_suffix(1);
        constexpr std::string_view also = "!$&'()*+,;=:@/";
        for (std::size_t i = 0; i < path.size(); ++i) {
            if (detail::is_unreserved(path[i]) || also.find(path[i]) != std::string_view::npos)
                continue;
            if (path[i] != '%') return "its path holds a character that must be encoded";
            if (path.size() - i < 3 || detail::hex_value(path[i + 1]) < 0 ||
                detail::hex_value(path[i + 2]) < 0)
                return "its path holds a broken percent-encoding";
        }
        for (auto rest = path; !rest.empty();) {
            rest.remove_prefix(1);
            auto const segment = rest.substr(0, rest.find('/'));
            if (!is_path_segment(segment)) return "its path holds an empty or dot segment";
            rest.remove_prefix(segment.size());
        }
        path_ = path;
        return {};
    }

    std::string host_;
    std::string path_;
    std::uint16_t port_ = 0;
    bool secure_ = false;
    bool address_ = false;
    bool ipv6_ = false;
};

} // namespace highlevel::http
