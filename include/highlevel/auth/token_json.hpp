// SPDX-License-Identifier: BSL-1.0
//
// A token as one line of JSON, for stores: every file, row or value that holds a token holds this.
#pragma once

#include <highlevel/auth/detail/wiping_resource.hpp>
#include <highlevel/auth/token.hpp>
#include <highlevel/detail/wiping_allocator.hpp>

#include <boost/json/parser.hpp>
#include <boost/json/serializer.hpp>
#include <boost/json/value.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::auth {

namespace detail {

[[nodiscard]] inline std::string_view text_in(
    const boost::json::object& from, std::string_view name) noexcept {
    auto const* const member = from.if_contains(name);
    if (member == nullptr || !member->is_string()) return {};
    return {member->get_string().data(), member->get_string().size()};
}

/// A JSON object that holds secrets; nothing for anything else. `memory` must outlive it.
[[nodiscard]] inline std::optional<boost::json::object> read_secret_object(
    std::string_view text, wiping_resource& memory) {
    boost::system::error_code ec;
    // Not parse(): it works in a buffer on the stack, which nobody overwrites.
    boost::json::parser reader{&memory};
    reader.reset(&memory);
    reader.write(text.data(), text.size(), ec);
    if (ec) return std::nullopt;
    auto root = reader.release();
    if (!root.is_object()) return std::nullopt;
    return std::move(root.get_object());
}

[[nodiscard]] inline std::optional<timestamp> time_in(
    const boost::json::object& from, std::string_view name) noexcept {
    auto const* const member = from.if_contains(name);
    if (member == nullptr || !member->is_int64()) return std::nullopt;
    return timestamp{std::chrono::milliseconds{member->get_int64()}};
}

} // namespace detail

/// Writes the token, its version included. What was needed on the way is overwritten.
[[nodiscard]] inline secret write_token(const token& value) {
    detail::wiping_resource memory;
    boost::json::object out{&memory};
    auto const text = [&](std::string_view name, std::string_view content) {
        if (!content.empty()) out[name] = content;
    };
    auto const time = [](timestamp when) { return std::int64_t{when.time_since_epoch().count()}; };
    out["format"] = 1;
    text("access", value.access.reveal());
    text("refresh", value.refresh.reveal());
    out["issued_at"] = time(value.issued_at);
    out["expires_at"] = time(value.expires_at);
    text("kind", to_string(value.kind));
    text("location_id", value.location_id);
    text("company_id", value.company_id);
    text("user_id", value.user_id);
    auto& scopes = out["scopes"].emplace_array();
    for (auto const& scope : value.scopes)
        scopes.emplace_back(scope);
    out["version"] = value.version;
    // Not serialize(): the text that it makes grows, and leaves its former bytes on the heap.
    boost::json::serializer writer;
    writer.reset(&out);
    highlevel::detail::wiping_string line(1024, '\0');
    std::size_t size = 0;
    for (;;) {
        size += writer.read(line.data() + size, line.size() - size).size();
        if (writer.done()) break;
        line.resize(2 * line.size());
    }
    return secret{std::string_view{line}.substr(0, size)};
}

/// Reads what write_token() wrote; nothing when `text` is not that, or is cut short.
[[nodiscard]] inline std::optional<token> read_token(std::string_view text) {
    detail::wiping_resource memory;
    auto const root = detail::read_secret_object(text, memory);
    if (!root) return std::nullopt;
    auto const& in = *root;
    auto const* const format = in.if_contains("format");
    if (format == nullptr || *format != 1) return std::nullopt;
    token value;
    value.access = secret{detail::text_in(in, "access")};
    value.refresh = secret{detail::text_in(in, "refresh")};
    auto const issued = detail::time_in(in, "issued_at");
    auto const expires = detail::time_in(in, "expires_at");
    auto const kind = detail::text_in(in, "kind");
    auto const* const version = in.if_contains("version");
    if (!issued || !expires || version == nullptr) return std::nullopt;
    value.issued_at = *issued;
    value.expires_at = *expires;
    if (kind == to_string(resource_kind::company))
        value.kind = resource_kind::company;
    else if (kind != to_string(resource_kind::location))
        return std::nullopt;
    value.location_id = detail::text_in(in, "location_id");
    value.company_id = detail::text_in(in, "company_id");
    value.user_id = detail::text_in(in, "user_id");
    if (auto const* const scopes = in.if_contains("scopes");
        scopes != nullptr && scopes->is_array())
        for (auto const& scope : scopes->get_array())
            if (scope.is_string()) value.scopes.emplace_back(scope.get_string());
    if (version->is_uint64())
        value.version = version->get_uint64();
    else if (version->is_int64() && version->get_int64() >= 0)
        value.version = static_cast<std::uint64_t>(version->get_int64());
    else
        return std::nullopt;
    return value;
}

} // namespace highlevel::auth
