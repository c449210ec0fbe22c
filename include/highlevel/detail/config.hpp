// SPDX-License-Identifier: BSL-1.0
//
// Separate compilation, an option for large programs: define HIGHLEVEL_SEPARATE_COMPILATION
// everywhere and include <highlevel/src.hpp> in exactly one file. Without it everything is inline.
#pragma once

#if defined(HIGHLEVEL_SEPARATE_COMPILATION)
/// In front of the definitions that <highlevel/src.hpp> compiles.
#    define HIGHLEVEL_DECL
#else
#    define HIGHLEVEL_DECL inline
#endif
