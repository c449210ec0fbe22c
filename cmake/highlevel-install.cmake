# SPDX-License-Identifier: BSL-1.0
#
# Install rules: headers, an exported target with its version, and a pkg-config file. Everything goes
# under include/ and share/, because nothing here depends on the machine it was made on.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(HIGHLEVEL_INSTALL_CMAKEDIR
    "${CMAKE_INSTALL_DATADIR}/cmake/highlevel"
    CACHE STRING "Where the CMake package goes, relative to the prefix")
set(HIGHLEVEL_INSTALL_PKGCONFIGDIR
    "${CMAKE_INSTALL_DATADIR}/pkgconfig"
    CACHE STRING "Where highlevel.pc goes, relative to the prefix")
mark_as_advanced(HIGHLEVEL_INSTALL_CMAKEDIR HIGHLEVEL_INSTALL_PKGCONFIGDIR)

install(
    DIRECTORY "${PROJECT_SOURCE_DIR}/include/highlevel"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING
    PATTERN "*.hpp"
    PATTERN "*.ipp")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/highlevel")

install(
    TARGETS highlevel
    EXPORT highlevel-targets
    INCLUDES
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(
    EXPORT highlevel-targets
    NAMESPACE highlevel::
    DESTINATION "${HIGHLEVEL_INSTALL_CMAKEDIR}")

configure_package_config_file(
    "${CMAKE_CURRENT_LIST_DIR}/highlevel-config.cmake.in" highlevel-config.cmake
    INSTALL_DESTINATION "${HIGHLEVEL_INSTALL_CMAKEDIR}" NO_SET_AND_CHECK_MACRO)
# While the version is 0.x, a new minor number may break sources.
if(PROJECT_VERSION_MAJOR EQUAL 0)
    set(highlevel_compatibility SameMinorVersion)
else()
    set(highlevel_compatibility SameMajorVersion)
endif()
write_basic_package_version_file(
    highlevel-config-version.cmake COMPATIBILITY ${highlevel_compatibility} ARCH_INDEPENDENT)
install(
    FILES "${CMAKE_CURRENT_BINARY_DIR}/highlevel-config.cmake"
          "${CMAKE_CURRENT_BINARY_DIR}/highlevel-config-version.cmake"
          "${CMAKE_CURRENT_LIST_DIR}/highlevel-dependencies.cmake"
          "${CMAKE_CURRENT_LIST_DIR}/boost_json.cpp"
    DESTINATION "${HIGHLEVEL_INSTALL_CMAKEDIR}")

# The way up from the .pc file to the prefix, so that the installed tree can be moved.
file(RELATIVE_PATH highlevel_pc_to_prefix "/prefix/${HIGHLEVEL_INSTALL_PKGCONFIGDIR}" "/prefix")
string(REGEX REPLACE "/$" "" highlevel_pc_to_prefix "${highlevel_pc_to_prefix}")
# Unlike the CMake package, which looks for zlib where it is used, this file can only say what was
# found here.
if(TARGET ZLIB::ZLIB)
    set(highlevel_pc_zlib " zlib")
    set(highlevel_pc_zlib_flag " -DHIGHLEVEL_WITH_ZLIB")
endif()
configure_file("${CMAKE_CURRENT_LIST_DIR}/highlevel.pc.in" highlevel.pc @ONLY)
configure_file("${CMAKE_CURRENT_LIST_DIR}/highlevel-sqlite.pc.in" highlevel-sqlite.pc @ONLY)
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/highlevel.pc"
              "${CMAKE_CURRENT_BINARY_DIR}/highlevel-sqlite.pc"
        DESTINATION "${HIGHLEVEL_INSTALL_PKGCONFIGDIR}")

# Packages are made by the project itself only; another's CPack is its own matter.
if(PROJECT_IS_TOP_LEVEL)
    include("${CMAKE_CURRENT_LIST_DIR}/highlevel-package.cmake")
endif()
