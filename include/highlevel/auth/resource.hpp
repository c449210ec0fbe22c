// SPDX-License-Identifier: BSL-1.0
//
// What tokens and rate limits belong to: one location (sub-account) or one company (agency).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::auth {

/// What an account is: a location (sub-account) or a company (agency).
enum class resource_kind : std::uint8_t { location, company };

/// The name, for example "location".
[[nodiscard]] constexpr std::string_view to_string(resource_kind k) noexcept {
    return k == resource_kind::location ? "location" : "company";
}

/// A location or a company.
///
/// Thread safety: distinct objects: safe; shared objects: safe to read.
class resource {
public:
    resource() = default;
    resource(resource_kind k, std::string its_id) : kind(k), id(std::move(its_id)) {}

    [[nodiscard]] static resource location(std::string id) {
        return {resource_kind::location, std::move(id)};
    }
    [[nodiscard]] static resource company(std::string id) {
        return {resource_kind::company, std::move(id)};
    }

    resource_kind kind = resource_kind::location;
    /// The location's or company's id, as HighLevel gives it.
    std::string id;

    /// Kind and id in one text, for example "location:ve9EPM428h8vShlRW1KT".
    [[nodiscard]] std::string key() const {
        std::string text{to_string(kind)};
        text += ':';
        text += id;
        return text;
    }

    /// The reverse of key(); nothing when `text` is not a key, or its id is empty.
    [[nodiscard]] static std::optional<resource> from_key(std::string_view text) {
        for (auto const kind : {resource_kind::location, resource_kind::company}) {
            auto const name = to_string(kind);
            if (text.size() > name.size() + 1 && text.starts_with(name) && text[name.size()] == ':')
                return resource{kind, std::string{text.substr(name.size() + 1)}};
        }
        return std::nullopt;
    }

    friend bool operator==(const resource&, const resource&) = default;
    friend std::strong_ordering operator<=>(const resource&, const resource&) = default;
};

} // namespace highlevel::auth
