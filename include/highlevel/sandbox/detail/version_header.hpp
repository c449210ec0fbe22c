// SPDX-License-Identifier: BSL-1.0
//
// What the sandbox has against a Version header, in the words of the live gateway.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace highlevel::sandbox::detail {

/// The status and the message of a refusal.
class refusal {
public:
    refusal(unsigned s, std::string m) : status(s), message(std::move(m)) {}

    unsigned status;
    std::string message;
};

/// Whether a text has the form of a Version: a date, or `v` and digits.
[[nodiscard]] constexpr bool looks_like_version(std::string_view text) noexcept {
    auto const digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.starts_with('v')) return text.size() > 1 && std::ranges::all_of(text.substr(1), digit);
    constexpr std::string_view form = "dddd-dd-dd";
    if (text.size() != form.size()) return false;
    for (std::size_t i = 0; i < form.size(); ++i)
        if (form[i] == 'd' ? !digit(text[i]) : text[i] != form[i]) return false;
    return true;
}

/// Nothing for a Version that the API has. Integrators met two answers to one that it has not; here
/// it depends on whether it looks like a Version at all.
[[nodiscard]] inline std::optional<refusal> refuse_version(std::optional<std::string_view> header) {
    constexpr std::array<std::string_view, 4> known{"2021-04-15", "2021-07-28", "2023-02-21", "v3"};
    if (!header) return refusal(401, "version header was not found.");
    if (std::ranges::find(known, *header) != known.end()) return std::nullopt;
    if (looks_like_version(*header)) return refusal(401, "version header is invalid");
    return refusal(400, "Invalid API version segment '" + std::string(*header) + "'");
}

} // namespace highlevel::sandbox::detail
