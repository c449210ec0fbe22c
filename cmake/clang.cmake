# SPDX-License-Identifier: BSL-1.0
#
# Toolchain file of the presets that use clang: the newest of the known names, or plain clang++.
if(NOT HIGHLEVEL_CLANG)
    find_program(
        HIGHLEVEL_CLANG
        NAMES clang++-21 clang++-20 clang++-19 clang++
        REQUIRED)
endif()
set(CMAKE_CXX_COMPILER "${HIGHLEVEL_CLANG}")
