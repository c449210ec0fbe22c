# SPDX-License-Identifier: BSL-1.0
#
# What the project's own programs are built with: warnings, sanitizers and a compiler cache. Nothing
# here reaches those who use highlevel::highlevel.
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

add_library(highlevel_development INTERFACE)
if(MSVC)
    target_compile_options(highlevel_development INTERFACE /W4 /permissive- /bigobj /utf-8)
else()
    target_compile_options(
        highlevel_development INTERFACE -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
        # g++ 12 takes `"text" + std::string{}`, once inlined, for an overlapping copy, or for one
        # of more bytes than there can be.
        # And a std::optional that is empty for one whose value is not initialised; with a
        # precompiled header also a search of a text for one of endless length.
        target_compile_options(
            highlevel_development INTERFACE -Wno-restrict -Wno-error=maybe-uninitialized
                                            -Wno-error=stringop-overread
                                            -Wno-error=stringop-overflow)
    endif()
endif()
if(HIGHLEVEL_WARNINGS_AS_ERRORS)
    target_compile_options(
        highlevel_development INTERFACE $<IF:$<CXX_COMPILER_ID:MSVC>,/WX,-Werror>)
endif()
# The programs are many and large, and no cache has them: lld links one in a fifth of the time of GNU
# ld, gold in half of it.
include(CheckLinkerFlag)
foreach(linker lld gold)
    check_linker_flag(CXX -fuse-ld=${linker} HIGHLEVEL_LINKS_WITH_${linker})
    if(HIGHLEVEL_LINKS_WITH_${linker})
        target_link_options(highlevel_development INTERFACE -fuse-ld=${linker})
        break()
    endif()
endforeach()
if(HIGHLEVEL_SANITIZE)
    target_compile_options(
        highlevel_development INTERFACE -fsanitize=${HIGHLEVEL_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(highlevel_development INTERFACE -fsanitize=${HIGHLEVEL_SANITIZE})
    if(HIGHLEVEL_SANITIZE MATCHES "undefined")
        target_compile_options(highlevel_development INTERFACE -fno-sanitize-recover=undefined)
        if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
            # With g++ the checks of every pointer and reference double the time to compile; clang
            # has them nearly for nothing, in the preset tsan.
            target_compile_options(
                highlevel_development INTERFACE -fno-sanitize=null,alignment,vptr,object-size)
        elseif(HIGHLEVEL_SANITIZE MATCHES "thread")
            # clang 19's runtime for this check makes its ThreadSanitizer take two waits on one
            # epoll descriptor for a race.
            target_compile_options(highlevel_development INTERFACE -fno-sanitize=vptr)
            target_link_options(highlevel_development INTERFACE -fno-sanitize=vptr)
        endif()
    endif()
    if(HIGHLEVEL_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
        # Asio's scheduler uses fences, which g++ warns that it does not model.
        target_compile_options(highlevel_development INTERFACE -Wno-tsan)
    endif()
endif()

# g++ looks for memory that it can use again from 128 MB on, which takes a twentieth of the time of a
# file with a client. Where there is enough, it need not; that makes 2.4 GB of 1.5.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    cmake_host_system_information(RESULT memory_in_mb QUERY TOTAL_PHYSICAL_MEMORY)
    cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)
    math(EXPR memory_per_core "${memory_in_mb} / ${cores}")
    if(memory_per_core GREATER 5000)
        target_compile_options(highlevel_development INTERFACE --param=ggc-min-heapsize=1000000)
    endif()
endif()

# A compiler cache halves what the presets have in common. It is asked to look past the time stamps
# of precompiled headers and the place of the checkout, so that a fresh clone hits as well, and to
# learn what a file includes from the compiler instead of preprocessing it first.
find_program(HIGHLEVEL_CCACHE ccache)
mark_as_advanced(HIGHLEVEL_CCACHE)
if(HIGHLEVEL_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER
        "${CMAKE_COMMAND}"
        -E
        env
        "CCACHE_BASEDIR=${PROJECT_SOURCE_DIR}"
        CCACHE_DEPEND=1
        CCACHE_NOHASHDIR=1
        "CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime"
        "${HIGHLEVEL_CCACHE}")
endif()

# The library's own definitions, compiled once for the project's programs as a large program would
# do it. Those that say HEADER_ONLY do without.
add_library(highlevel_compiled STATIC EXCLUDE_FROM_ALL
                                      "${PROJECT_SOURCE_DIR}/cmake/highlevel_compiled.cpp")
target_compile_definitions(highlevel_compiled PUBLIC HIGHLEVEL_SEPARATE_COMPILATION)
target_link_libraries(highlevel_compiled PUBLIC highlevel::highlevel PRIVATE highlevel_development)
if(HIGHLEVEL_TEST_PCH)
    target_precompile_headers(highlevel_compiled PRIVATE <highlevel/highlevel.hpp>)
    # ccache reads preprocessed text only if the include of the precompiled header stays in it.
    target_compile_options(highlevel_compiled PUBLIC -fpch-preprocess)
endif()

# highlevel_share_precompiled(program source): <highlevel/highlevel.hpp> comes precompiled where the
# source includes it. No other header does, so that a program that includes too little still shows.
function(highlevel_share_precompiled program source)
    file(STRINGS "${source}" includes_it REGEX "^#include <highlevel/highlevel\\.hpp>")
    if(HIGHLEVEL_TEST_PCH AND includes_it)
        target_precompile_headers(${program} REUSE_FROM highlevel_compiled)
    endif()
endfunction()

# highlevel_add_program(NAME [HEADER_ONLY] SOURCES... [LIBRARIES...]): one of the project's own
# executables.
function(highlevel_add_program name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "HEADER_ONLY" "" "SOURCES;LIBRARIES")
    add_executable(${name} ${arg_SOURCES})
    target_link_libraries(
        ${name} PRIVATE highlevel::highlevel highlevel_development ${arg_LIBRARIES})
    if(NOT arg_HEADER_ONLY)
        target_link_libraries(${name} PRIVATE highlevel_compiled)
    endif()
endfunction()
