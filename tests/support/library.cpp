// SPDX-License-Identifier: BSL-1.0
//
// The library's own definitions, compiled once for all test programs. The examples and the consumer
// tests cover the header-only way.
#include <highlevel/src.hpp>
