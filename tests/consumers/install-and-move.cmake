# SPDX-License-Identifier: BSL-1.0
#
# Installs the library and then moves the tree: nothing in it may know where it was installed.
#   cmake -DBUILD=dir -DPREFIX=dir -P install-and-move.cmake
file(REMOVE_RECURSE "${PREFIX}" "${PREFIX}.first")
execute_process(COMMAND "${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${PREFIX}.first"
                OUTPUT_QUIET RESULT_VARIABLE failed)
if(failed)
    message(FATAL_ERROR "the install failed: ${failed}")
endif()
file(RENAME "${PREFIX}.first" "${PREFIX}")
