// SPDX-License-Identifier: BSL-1.0
//
// The library's own definitions, compiled once for the project's programs.
#include <highlevel/src.hpp>
