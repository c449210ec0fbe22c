// SPDX-License-Identifier: BSL-1.0
//
// The one file of a program with HIGHLEVEL_SEPARATE_COMPILATION that compiles the definitions.
#include <highlevel/src.hpp>
