# SPDX-License-Identifier: BSL-1.0
#
# Reads the version from the header that holds it, so that no second number can drift from it.

function(highlevel_read_version header result)
    file(STRINGS "${header}" line REGEX "version_string = \"[0-9.]+\"")
    if(NOT line MATCHES "\"([0-9]+\\.[0-9]+\\.[0-9]+)\"")
        message(FATAL_ERROR "highlevel: no version_string in ${header}")
    endif()
    set(${result} "${CMAKE_MATCH_1}" PARENT_SCOPE)
    # A changed header configures again.
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${header}")
endfunction()
