// SPDX-License-Identifier: BSL-1.0
//
// Prints the facts of every operation, one per line, separated by tabs: version, family, operation,
// method, path template, Version header ("*" where the description declares none), scopes, token
// kinds, and "deprecated". Needs no network: the facts are constants.

#include <highlevel/operation.hpp>
#include <highlevel/v2/all.hpp>
#include <highlevel/v3/all.hpp>

#include <iostream>
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

void print(const highlevel::operation_meta& meta) {
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
    (print(Ops::meta), ...);
}

} // namespace

int main() {
    print_all(highlevel::v2::operations{});
    print_all(highlevel::v3::operations{});
    std::cout.flush();
    return std::cout ? 0 : 1;
}
