// SPDX-License-Identifier: BSL-1.0
//
// What a bearer token of the sandbox may do: where, with which scopes, and whose quota it uses.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace highlevel::sandbox {

/// A bearer token and its rights.
class token_grant {
public:
    token_grant() = default;
    explicit token_grant(std::string t) : text(std::move(t)) {}

    /// What follows "Bearer ". Texts that begin with "pit-" are Private Integration tokens.
    std::string text;
    /// Locations it works on. A token with locations is of the location class.
    std::vector<std::string> locations;
    /// Companies it works on. A token with companies only is of the agency class, which the
    /// location's own endpoints refuse as the live service does.
    std::vector<std::string> companies;
    /// Whether it works on every location, present and future, whatever its class.
    bool all_locations = false;
    /// Scopes it has, for example "contacts.readonly"; empty means all.
    std::vector<std::string> scopes;
    /// Tokens of one app share their buckets; empty makes the token an app of its own.
    std::string app;
    /// Whether the sandbox's OAuth server gave it.
    bool oauth = false;
    /// When it ends, counted from the server's construction; nothing: never.
    std::optional<std::chrono::nanoseconds> ends;

    /// Whether it is a Private Integration's.
    [[nodiscard]] bool private_integration() const noexcept { return text.starts_with("pit-"); }
    /// Whose quota the token uses.
    [[nodiscard]] const std::string& quota_owner() const noexcept {
        return app.empty() ? text : app;
    }
    [[nodiscard]] bool has_scope(std::string_view scope) const noexcept {
        return scopes.empty() || std::ranges::find(scopes, scope) != scopes.end();
    }
    [[nodiscard]] bool may_use_location(std::string_view id) const noexcept {
        return all_locations || std::ranges::find(locations, id) != locations.end();
    }
    [[nodiscard]] bool may_use_company(std::string_view id) const noexcept {
        return std::ranges::find(companies, id) != companies.end();
    }
    /// Whether it is of the agency class: good for a company, for no location.
    [[nodiscard]] bool agency_class() const noexcept {
        return !all_locations && locations.empty() && !companies.empty();
    }
};

} // namespace highlevel::sandbox
