// SPDX-License-Identifier: BSL-1.0
//
// How a list is read; apart from pages.hpp, so that what reads it need not know what pages are.
#pragma once

#include <highlevel/call_options.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace highlevel {

/// How a list is read.
class page_options {
public:
    page_options() = default;

    /// Pages to fetch ahead while the current one is used. Each page still waits for the cursor of
    /// the one before it. Zero, the default: none.
    std::size_t prefetch = 0;
    /// Stop after that many items; `items` stops exactly there, `pages` with the page that reaches
    /// it. A token still names the place in the list, not this limit. Zero, the default: read all.
    std::uint64_t max_items = 0;
    /// A `page_token()` to go on from. The operation must be the same, filters included; only its
    /// name is checked. Empty, the default: begin where the operation says.
    std::string from;
    /// For each of the calls. A list is read from its bodies, so that `sink` must be null.
    call_options call;
};

} // namespace highlevel
