// SPDX-License-Identifier: BSL-1.0
//
// A file of a program that includes every heavy header: compiled once and linked twice, so that a
// definition that lacks its `inline` is found. C++23 and no RTTI are on the way.
#include <highlevel/auth/file_token_store.hpp>
#include <highlevel/auth/oauth.hpp>
#include <highlevel/auth/user_context.hpp>
#include <highlevel/highlevel.hpp>
#include <highlevel/sandbox/server.hpp>
#include <highlevel/sandbox/webhooks.hpp>
#include <highlevel/webhooks/installs.hpp>
#include <highlevel/webhooks/receiver.hpp>
