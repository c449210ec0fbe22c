// SPDX-License-Identifier: BSL-1.0
//
// An OAuth token as it is kept: the pair of texts, until when, for whom, and which edition of it
// this is. Whether and when to renew it is for refresh_machine.hpp to say.
#pragma once

#include <highlevel/auth/resource.hpp>
#include <highlevel/auth/secret.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace highlevel::auth {

/// A time of day in whole milliseconds, so that a token is the same after storing and loading.
using timestamp = std::chrono::sys_time<std::chrono::milliseconds>;

/// An OAuth token of one location or company.
///
/// A value; it holds secrets, so treat it as one: never print it. token_json.hpp writes and reads
/// it for stores. Thread safety: distinct objects: safe; shared objects: safe to read.
class token {
public:
    token() = default;

    /// What requests carry as bearer token. HighLevel's live about a day.
    secret access;
    /// What buys the next pair; empty when there is none (a minted location token may have none).
    ///
    /// Single use: the server takes it back when it gives the next one, and repeats its answer for
    /// 30 s only. It ends a year after its issue.
    secret refresh;
    /// When the pair was received; tells, with expires_at, how long it lives.
    timestamp issued_at{};
    /// When the server stops to take `access`; timestamp::max() when that is not known.
    timestamp expires_at = timestamp::max();
    /// The class of the token (`userType` on the wire): one for a location's data or one for a
    /// company's.
    resource_kind kind = resource_kind::location;
    /// The location, for the location class; empty otherwise.
    std::string location_id;
    /// The company, also for the location class where the server told it.
    std::string company_id;
    /// The user who installed the app; may be empty.
    std::string user_id;
    /// The OAuth scopes that were granted; empty when the server did not tell.
    std::vector<std::string> scopes;
    /// Which edition of this resource's token it is. Given by the store that holds it; 0: by none.
    std::uint64_t version = 0;

    /// What the token is for.
    [[nodiscard]] auth::resource resource() const {
        return {kind, kind == resource_kind::location ? location_id : company_id};
    }

    friend bool operator==(const token&, const token&) = default;
};

} // namespace highlevel::auth
