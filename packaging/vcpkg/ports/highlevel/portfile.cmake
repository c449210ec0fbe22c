# SPDX-License-Identifier: BSL-1.0
#
# An overlay port that installs the checkout it lies in; a registry's port would download a release
# instead, and be the same from there on.
cmake_path(SET SOURCE_PATH NORMALIZE "${CMAKE_CURRENT_LIST_DIR}/../../../..")

set(VCPKG_BUILD_TYPE release) # nothing is compiled

vcpkg_check_features(OUT_FEATURE_OPTIONS without INVERTED_FEATURES
                     zlib CMAKE_DISABLE_FIND_PACKAGE_ZLIB
                     sqlite CMAKE_DISABLE_FIND_PACKAGE_SQLite3)

vcpkg_cmake_configure(
    SOURCE_PATH "${SOURCE_PATH}"
    OPTIONS
        -DHIGHLEVEL_BUILD_TESTS=OFF
        -DHIGHLEVEL_BUILD_EXAMPLES=OFF
        -DHIGHLEVEL_BUILD_BENCHMARKS=OFF
        -DHIGHLEVEL_INSTALL=ON
        ${without})
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(PACKAGE_NAME highlevel CONFIG_PATH share/cmake/highlevel)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/licenses")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
