// SPDX-License-Identifier: BSL-1.0
//
// Points in time as the API writes them; what the sandbox needs of detail/time_text.hpp.
#pragma once

#include <highlevel/detail/time_text.hpp>
#include <highlevel/sandbox/contact.hpp>

namespace highlevel::sandbox::detail {

using highlevel::detail::iso_text;
using highlevel::detail::milliseconds_of;
using highlevel::detail::parse_time;

} // namespace highlevel::sandbox::detail
