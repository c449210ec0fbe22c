// SPDX-License-Identifier: BSL-1.0
//
// Prints the facts of every operation, one per line, separated by tabs: version, family, operation,
// method, path template, Version header ("*" where the description declares none), scopes, token
// kinds, and "deprecated". Needs no network: the facts are constants.

#include <highlevel/operation.hpp>
#include <highlevel/v2/all.hpp>
#include <highlevel/v3/all.hpp>

#include <iostream>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace {

std::string token_text(highlevel::token_kinds kinds) {
    using highlevel::token_kinds;
    constexpr std::pair<token_kinds, std::string_view> names[] = {
        {token_kinds::location_oauth, "location_oauth"},
        {token_kinds::location_private, "location_private"},
        {token_kinds::agency_oauth, "agency_oauth"},
        {token_kinds::agency_private, "agency_private"},
    };
    std::string text;
    for (auto const& [kind, name] : names) {
        if ((kinds & kind) == token_kinds::none) continue;
        if (!text.empty()) text += ',';
        text += name;
    }
    return text.empty() ? "none" : text;
}

/// What a line shows. Copied out of the facts at compile time: a reference to the facts themselves
/// would compile the codec of every model of the API.
struct row {
    highlevel::generation version_of_description;
    std::string_view family;
    std::string_view name;
    highlevel::method verb;
    std::string_view path;
    std::string_view version;
    bool version_assumed;
    std::span<const std::string_view> scopes;
    highlevel::token_kinds tokens;
    bool deprecated;
};

consteval row row_of(const highlevel::operation_meta& m) {
    return {m.version_of_description, m.family, m.name,   m.verb,      m.path, m.version,
            m.version_assumed,        m.scopes, m.tokens, m.deprecated};
}

void print(const row& meta) {
    std::cout << to_string(meta.version_of_description) << '\t' << meta.family << '\t' << meta.name
              << '\t' << to_string(meta.verb) << '\t' << meta.path << '\t' << meta.version
              << (meta.version_assumed ? "*" : "") << '\t';
    std::string_view separator;
    for (auto const scope : meta.scopes) {
        std::cout << separator << scope;
        separator = ",";
    }
    std::cout << '\t' << token_text(meta.tokens) << '\t' << (meta.deprecated ? "deprecated" : "")
              << '\n';
}

template <class... Ops>
void print_all(highlevel::operation_list<Ops...>) {
    static constexpr row rows[] = {row_of(Ops::meta)...};
    for (auto const& r : rows)
        print(r);
}

} // namespace

int main() {
    print_all(highlevel::v2::operations{});
    print_all(highlevel::v3::operations{});
    std::cout.flush();
    return std::cout ? 0 : 1;
}
