// SPDX-License-Identifier: BSL-1.0
//
// What the sandbox's OAuth server tells of an app that comes or goes.
#pragma once

#include <functional>
#include <string>

namespace highlevel::sandbox {

/// An app was installed or removed.
class install_change {
public:
    install_change() = default;

    /// "INSTALL" or "UNINSTALL": the webhook that HighLevel sends of it.
    std::string event;
    /// The app's `client_id` without its last part.
    std::string app_id;
    /// Empty: it is about the company as a whole.
    std::string location_id;
    std::string company_id;
};

/// Runs for every install and removal: when a code is issued, for each location that has not had
/// the app, and before them for the company if the code is its; and when a request removes the app.
///
/// It is called while the OAuth server is locked: it must be quick, and must neither use the server
/// nor throw. `webhook_sender::install_hook` makes one.
using install_hook = std::function<void(const install_change&)>;

} // namespace highlevel::sandbox
