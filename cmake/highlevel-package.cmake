# SPDX-License-Identifier: BSL-1.0
#
# The Debian package libhighlevel-dev: `cpack -G DEB` in a build folder. It holds headers only and is
# the same for every architecture; what it depends on is what the CMake package and highlevel.pc in
# it ask for. tools/check package builds, installs and uses it.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME libhighlevel-dev)
set(CPACK_PACKAGE_VERSION "${PROJECT_VERSION}")
set(CPACK_PACKAGE_VENDOR "The highlevel authors")
set(CPACK_PACKAGE_CONTACT "The highlevel authors <noreply@example.org>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION} (headers)")
set(CPACK_PACKAGE_DESCRIPTION
    "Header-only client for the REST API of HighLevel on Boost.Asio, Boost.Beast,
Boost.JSON and OpenSSL: typed operations, a rate limiter that prevents
refusals, OAuth tokens, webhooks, and a stand-in server for tests.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR OFF)
set(CPACK_PACKAGE_RELOCATABLE OFF)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
                                                GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
# The names with a number come first where a system has both: Debian 12's default is Boost 1.74, and
# its 1.81 has packages of its own, which the plain name with a version excludes.
set(highlevel_deb_depends
    "libboost1.81-dev | libboost-dev (>= 1.81)" "libboost-json1.81-dev | libboost-json-dev (>= 1.81)"
    "libssl-dev (>= 1.1.1)")
# As with highlevel.pc: it can only say what was found here, and then asks for it.
if(TARGET ZLIB::ZLIB)
    list(APPEND highlevel_deb_depends zlib1g-dev)
endif()
string(JOIN ", " CPACK_DEBIAN_PACKAGE_DEPENDS ${highlevel_deb_depends})
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "g++ (>= 12) | clang-19, pkgconf | pkg-config | cmake")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "libsqlite3-dev (>= 3.35)")

# What Debian's policy wants beside the files of every other install.
set(highlevel_deb_doc "${CMAKE_CURRENT_BINARY_DIR}/deb-doc")
file(READ "${PROJECT_SOURCE_DIR}/LICENSE" highlevel_license)
file(WRITE "${highlevel_deb_doc}/copyright"
     "Copyright (C) 2026 the highlevel authors\n\n${highlevel_license}")
# Honours SOURCE_DATE_EPOCH, so that equal sources can make equal packages.
string(TIMESTAMP highlevel_now "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE "${highlevel_deb_doc}/changelog"
     "libhighlevel-dev (${PROJECT_VERSION}) unstable; urgency=medium\n\n"
     "  * Made from highlevel ${PROJECT_VERSION}; CHANGELOG.md there says what is new.\n\n"
     " -- ${CPACK_PACKAGE_CONTACT}  ${highlevel_now}\n")
find_program(HIGHLEVEL_GZIP gzip)
mark_as_advanced(HIGHLEVEL_GZIP)
if(HIGHLEVEL_GZIP)
    execute_process(COMMAND "${HIGHLEVEL_GZIP}" -9nf "${highlevel_deb_doc}/changelog")
endif()
set(CPACK_INSTALLED_DIRECTORIES "${highlevel_deb_doc}" usr/share/doc/libhighlevel-dev)
include(CPack)
