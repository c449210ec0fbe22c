// SPDX-License-Identifier: BSL-1.0
//
// What installing an OAuth app brings: the account that a token is for, and the locations chosen.
#pragma once

#include <highlevel/auth/resource.hpp>

#include <string>
#include <vector>

namespace highlevel::auth {

/// What an installation brought; holds no secret, since the tokens are in the store.
class installation {
public:
    installation() = default;

    /// What the token is for: use it as `client.location(what.id)` or `client.company(what.id)`.
    /// An app for sub-accounts that was installed from the agency's view gives a company too; then
    /// installed_locations() says which locations were chosen.
    resource what;
    std::string company_id;
    /// Who installed it.
    std::string user_id;
    /// The user's plan of the app, if it has plans.
    std::string plan_id;
    std::vector<std::string> scopes;
    /// Whether several locations were chosen at once.
    bool bulk = false;
    /// Some of the chosen locations, where the server tells them.
    std::vector<std::string> approved_locations;
    bool all_locations = false;
    /// Whether the app is also installed on locations that are made later.
    bool future_locations = false;
};

/// A location that an app is installed on.
class installed_location {
public:
    installed_location() = default;

    std::string id;
    std::string name;
    std::string address;
    bool installed = true;
};

} // namespace highlevel::auth
