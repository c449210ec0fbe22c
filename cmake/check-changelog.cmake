# SPDX-License-Identifier: BSL-1.0
#
# Fails unless the newest heading of the changelog is the library's version.
#   cmake -DCHANGELOG=file -DVERSION=x.y.z -P check-changelog.cmake
file(STRINGS "${CHANGELOG}" headings REGEX "^## ")
list(GET headings 0 newest)
if(NOT newest MATCHES "^## ([0-9]+\\.[0-9]+\\.[0-9]+)( |$)" OR NOT CMAKE_MATCH_1 STREQUAL VERSION)
    message(FATAL_ERROR "the library is ${VERSION}, the changelog's newest heading is '${newest}'")
endif()
