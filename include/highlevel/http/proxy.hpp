// SPDX-License-Identifier: BSL-1.0
//
// Which proxy a host is reached through, and the head of the CONNECT request that asks it for a
// tunnel; only text, so that every form of NO_PROXY is tested without a network.
#pragma once

#include <highlevel/detail/base64.hpp>
#include <highlevel/detail/wiping_allocator.hpp>
#include <highlevel/http/options.hpp>
#include <highlevel/http/uri.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace highlevel::http {

namespace detail {

/// Whether the first `bits` bits are equal.
[[nodiscard]] inline bool same_prefix(
    std::span<const std::uint8_t> a, std::span<const std::uint8_t> b, unsigned bits) {
    for (std::size_t i = 0; bits > 0; ++i) {
        unsigned const take = std::min(bits, 8U);
        unsigned const mask = 0xffU << (8 - take) & 0xffU;
        if ((a[i] & mask) != (b[i] & mask)) return false;
        bits -= take;
    }
    return true;
}

/// Whether one entry of NO_PROXY covers the host (lower case, no brackets).
[[nodiscard]] inline bool no_proxy_entry_covers(std::string_view entry, std::string_view host) {
    if (entry == "*") return true;
    auto const slash = entry.find('/');
    auto address = entry.substr(0, slash);
    if (address.size() > 2 && address.front() == '[' && address.back() == ']')
        address = address.substr(1, address.size() - 2);
    if (auto const network = parse_ipv4(address)) {
        auto const mine = parse_ipv4(host);
        auto const bits = slash == std::string_view::npos
            ? std::optional{32U}
            : parse_decimal(entry.substr(slash + 1), 32);
        return mine && bits && same_prefix(*mine, *network, *bits);
    }
    if (auto const network = parse_ipv6(address)) {
        auto const mine = parse_ipv6(host);
        auto const bits = slash == std::string_view::npos
            ? std::optional{128U}
            : parse_decimal(entry.substr(slash + 1), 128);
        return mine && bits && same_prefix(*mine, *network, *bits);
    }
    if (entry.substr(0, 2) == "*.") entry.remove_prefix(1);
    while (!entry.empty() && entry.front() == '.')
        entry.remove_prefix(1);
    if (entry.empty() || host.size() < entry.size()) return false;
    auto const tail = host.substr(host.size() - entry.size());
    for (std::size_t i = 0; i < entry.size(); ++i)
        if (to_lower(entry[i]) != to_lower(tail[i])) return false;
    return host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.';
}

} // namespace detail

/// Whether a list in the form of NO_PROXY (`proxy_options::no_proxy`) covers a host.
[[nodiscard]] inline bool no_proxy_covers(std::string_view list, std::string_view host) {
    while (!list.empty()) {
        auto const end = list.find(',');
        auto entry = list.substr(0, end);
        list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
        while (!entry.empty() && (entry.front() == ' ' || entry.front() == '\t'))
            entry.remove_prefix(1);
        while (!entry.empty() && (entry.back() == ' ' || entry.back() == '\t'))
            entry.remove_suffix(1);
        if (!entry.empty() && detail::no_proxy_entry_covers(entry, host)) return true;
    }
    return false;
}

/// A proxy, taken apart.
class proxy {
public:
    /// The proxy through which `origin` is to be reached, if any: none for hosts on this machine
    /// and those that `no_proxy` covers. Throws `std::invalid_argument` naming the field that is
    /// wrong.
    [[nodiscard]] static std::optional<proxy> choose(
        const proxy_options& options, const uri& origin) {
        options.validate();
        if (options.url.empty() || origin.loopback() ||
            no_proxy_covers(options.no_proxy, origin.host()))
            return std::nullopt;
        return proxy{options.url};
    }

    [[nodiscard]] const uri& address() const noexcept { return address_; }

    /// The request that asks for a tunnel to `origin` (RFC 9110 section 9.3.6). Holds the password,
    /// and wipes it.
    [[nodiscard]] highlevel::detail::wiping_string connect_request(const uri& origin) const {
        auto const target = origin.host_and_port();
        highlevel::detail::wiping_string text{"CONNECT "};
        text.append(target).append(" HTTP/1.1\r\nHost: ").append(target).append("\r\n");
        if (!credentials_.empty())
            text.append("Proxy-Authorization: Basic ").append(credentials_).append("\r\n");
        text.append("\r\n");
        return text;
    }

private:
    explicit proxy(std::string_view url) : address_(without_user(url)) {
        auto const user = user_of(url);
        if (user.empty()) return;
        // A user without password is sent as "user:" (RFC 7617 section 2).
        auto const colon = user.find(':');
        auto const name = percent_decoded(user.substr(0, colon));
        auto const password = colon == std::string_view::npos
            ? std::optional<std::string>{std::in_place}
            : percent_decoded(user.substr(colon + 1));
        if (!name || !password || name->find(':') != std::string::npos)
            detail::bad_option("proxy.url", "its user or password is not percent-encoded");
        highlevel::detail::wiping_string both{*name};
        both.append(":").append(*password);
        credentials_ = highlevel::detail::encode_base64<highlevel::detail::wiping_string>(both);
    }

    // The part between "//" and the last '@' before the path.
    [[nodiscard]] static std::string_view user_of(std::string_view url) {
        auto rest = url.substr(url.find("//") + 2);
        rest = rest.substr(
            0, rest.find('/', rest.rfind('@') == std::string_view::npos ? 0 : rest.rfind('@')));
        auto const at = rest.rfind('@');
        return at == std::string_view::npos ? std::string_view{} : rest.substr(0, at);
    }

    [[nodiscard]] static uri without_user(std::string_view url) {
        std::string text{url};
        auto const user = user_of(url);
        if (!user.empty() || url.find("//@") != std::string_view::npos)
            text.erase(url.find("//") + 2, user.size() + 1);
        auto parsed = uri::parse(text);
        if (!parsed) detail::bad_option("proxy.url", "is not http://[user:password@]host[:port]");
        return *std::move(parsed);
    }

    uri address_;
    highlevel::detail::wiping_string credentials_;
};

} // namespace highlevel::http
