// SPDX-License-Identifier: BSL-1.0
//
// The test programs' main, for a Catch2 that was installed without its compiled one.
#define CATCH_CONFIG_MAIN
#include "support/catch.hpp"
