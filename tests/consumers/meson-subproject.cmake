# SPDX-License-Identifier: BSL-1.0
#
# Lays out a Meson project that has the checkout as its subproject, then builds and tests it.
#   cmake -DMESON= -DHERE= -DCHECKOUT= -DWORK= -DCOMPILER= -P meson-subproject.cmake
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}/subprojects")
file(COPY "${HERE}/meson/meson.build" "${HERE}/types.cpp" DESTINATION "${WORK}")
file(CREATE_LINK "${CHECKOUT}" "${WORK}/subprojects/highlevel" SYMBOLIC)
foreach(command IN ITEMS "setup;${WORK}/build;${WORK}" "test;-C;${WORK}/build;--print-errorlogs")
    execute_process(
        COMMAND "${CMAKE_COMMAND}" -E env "CXX=${COMPILER}" "${MESON}" ${command}
        RESULT_VARIABLE failed)
    if(failed)
        message(FATAL_ERROR "meson failed")
    endif()
endforeach()
