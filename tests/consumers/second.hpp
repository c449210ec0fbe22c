// SPDX-License-Identifier: BSL-1.0
//
// What the consumers' second file offers the first.
#pragma once

#include <highlevel/client.hpp>

/// Whether a call that lacks its id is refused by the library itself.
boost::asio::awaitable<bool> is_refused_without_id(highlevel::client& client);
