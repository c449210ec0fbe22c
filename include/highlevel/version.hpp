// SPDX-License-Identifier: BSL-1.0
//
// The version of the library. This file is its one source: CMake, Meson, pkg-config and the
// changelog are read from it or checked against it (tests/version.cpp).
#pragma once

#include <string_view>

/// The version as one number, for `#if`: major * 10000 + minor * 100 + patch (0.1.0 is 100).
#define HIGHLEVEL_VERSION 100

namespace highlevel {

/// Changes when a release breaks the sources of users; while it is 0, the minor number does.
inline constexpr int version_major = HIGHLEVEL_VERSION / 10000;

/// Changes when a release adds to the interface.
inline constexpr int version_minor = HIGHLEVEL_VERSION / 100 % 100;

/// Changes when a release only mends.
inline constexpr int version_patch = HIGHLEVEL_VERSION % 100;

/// The version as text, as the default `User-Agent` carries it.
inline constexpr std::string_view version_string = "0.1.0";

} // namespace highlevel
