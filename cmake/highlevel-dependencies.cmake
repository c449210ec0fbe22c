# SPDX-License-Identifier: BSL-1.0
#
# Finds what highlevel::highlevel links: Boost 1.81 or newer (headers and Boost.JSON), OpenSSL,
# threads, and zlib where there is one. The build tree and the installed package both include this
# file, so both find the same.
#
# Components: `zlib` and `sqlite` are found where they are there anyway; who names one in
# find_package(highlevel COMPONENTS ...) insists on it.
#
# Sets highlevel_dependencies_missing to a sentence when something is absent (and stops there when
# this is the build tree). Defines Boost::headers, Boost::json, OpenSSL::SSL, OpenSSL::Crypto and
# Threads::Threads.
set(highlevel_dependencies_missing "")

# In a subdirectory of another project, what is found here must be seen by that project's targets.
if(CMAKE_FIND_PACKAGE_NAME)
    set(highlevel_scope "")
else()
    set(highlevel_scope GLOBAL)
endif()

# Boost's own package files are asked first: FindBoost is gone from CMake's newest policies and knows
# no release that came after it. A Boost without package files is still found as plain headers.
if(NOT TARGET Boost::json)
    find_package(Boost 1.81 QUIET CONFIG ${highlevel_scope} OPTIONAL_COMPONENTS headers json)
endif()
if(NOT TARGET Boost::headers)
    find_path(HIGHLEVEL_BOOST_INCLUDE_DIR boost/json/src.hpp)
    mark_as_advanced(HIGHLEVEL_BOOST_INCLUDE_DIR)
    if(HIGHLEVEL_BOOST_INCLUDE_DIR)
        file(STRINGS "${HIGHLEVEL_BOOST_INCLUDE_DIR}/boost/version.hpp" highlevel_boost_line
             REGEX "#define BOOST_VERSION ")
        string(REGEX REPLACE ".*BOOST_VERSION +([0-9]+).*" "\\1" highlevel_boost_number
                             "${highlevel_boost_line}")
        if(highlevel_boost_number GREATER_EQUAL 108100)
            add_library(Boost::headers INTERFACE IMPORTED ${highlevel_scope})
            set_target_properties(
                Boost::headers PROPERTIES INTERFACE_INCLUDE_DIRECTORIES
                                          "${HIGHLEVEL_BOOST_INCLUDE_DIR}")
        endif()
    endif()
endif()
if(NOT TARGET Boost::headers)
    string(APPEND highlevel_dependencies_missing
           " Boost 1.81 or newer was not found (Debian 12: libboost1.81-dev libboost-json1.81-dev).")
endif()

find_package(OpenSSL 1.1.1 QUIET ${highlevel_scope} COMPONENTS SSL Crypto)
if(NOT TARGET OpenSSL::SSL)
    string(APPEND highlevel_dependencies_missing " OpenSSL was not found (Debian: libssl-dev).")
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads QUIET ${highlevel_scope})
if(NOT TARGET Threads::Threads)
    string(APPEND highlevel_dependencies_missing " No threads library was found.")
endif()

# Used where it is found and not disabled (CMAKE_DISABLE_FIND_PACKAGE_ZLIB): without it, responses are
# not asked for in compressed form.
if(NOT TARGET ZLIB::ZLIB)
    find_package(ZLIB QUIET ${highlevel_scope})
endif()
if(TARGET ZLIB::ZLIB)
    set(highlevel_zlib_FOUND TRUE)
endif()

# The component `sqlite`: the target highlevel::sqlite is what auth/sqlite_token_store.hpp needs
# beside highlevel::highlevel, and exists where SQLite does.
if(NOT TARGET SQLite::SQLite3)
    find_package(SQLite3 3.35 QUIET ${highlevel_scope})
endif()
if(TARGET SQLite::SQLite3)
    set(highlevel_sqlite_FOUND TRUE)
    if(NOT TARGET highlevel::sqlite)
        add_library(highlevel::sqlite INTERFACE IMPORTED ${highlevel_scope})
        set_property(TARGET highlevel::sqlite PROPERTY INTERFACE_LINK_LIBRARIES
                                                       highlevel::highlevel SQLite::SQLite3)
    endif()
endif()

# Where Boost came as headers only, Boost.JSON's one source file is compiled here.
if(TARGET Boost::headers AND NOT TARGET Boost::json)
    add_library(highlevel_boost_json STATIC EXCLUDE_FROM_ALL
                "${CMAKE_CURRENT_LIST_DIR}/boost_json.cpp")
    target_compile_features(highlevel_boost_json PUBLIC cxx_std_20)
    target_link_libraries(highlevel_boost_json PUBLIC Boost::headers)
    # Otherwise a static Boost elsewhere on the link path would be asked for by MSVC's auto-linking.
    target_compile_definitions(highlevel_boost_json PUBLIC BOOST_JSON_NO_LIB BOOST_CONTAINER_NO_LIB)
    set_target_properties(highlevel_boost_json PROPERTIES POSITION_INDEPENDENT_CODE ON)
    add_library(Boost::json ALIAS highlevel_boost_json)
endif()

if(highlevel_dependencies_missing AND NOT CMAKE_FIND_PACKAGE_NAME)
    message(FATAL_ERROR "highlevel:${highlevel_dependencies_missing}\n"
                        "tools/setup installs what is missing on Debian and Ubuntu.")
endif()
