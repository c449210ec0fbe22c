# SPDX-License-Identifier: BSL-1.0
#
# Checks that a file does not compile, that the errors match its MESSAGE line, and that the mended
# form of it does compile.
#   cmake -DCOMPILER= -DSOURCE= -DINCLUDE_DIR= [-DSYSTEM_INCLUDE_DIRS=] -P check.cmake
file(STRINGS "${SOURCE}" message REGEX "^// MESSAGE: ")
if(NOT message)
    message(FATAL_ERROR "${SOURCE}: no line '// MESSAGE: '")
endif()
string(REGEX REPLACE "^// MESSAGE: " "" message "${message}")

set(includes "-I${INCLUDE_DIR}")
foreach(directory IN LISTS SYSTEM_INCLUDE_DIRS)
    # Not -isystem: for /usr/include, that would hide the compiler's own headers.
    list(APPEND includes -idirafter "${directory}")
endforeach()
set(command "${CMAKE_COMMAND}" -E env LC_ALL=C "${COMPILER}" -std=c++20 -fsyntax-only ${includes}
            -DHIGHLEVEL_SEPARATE_COMPILATION)

execute_process(COMMAND ${command} "${SOURCE}" ERROR_VARIABLE errors RESULT_VARIABLE failed)
if(NOT failed)
    message(FATAL_ERROR "${SOURCE} compiles, and should not")
endif()
# Compilers break the lines of long messages, and split adjacent literals, at their own places.
string(REGEX REPLACE "[ \n]+" " " flat "${errors}")
if(NOT flat MATCHES "${message}")
    message(FATAL_ERROR "the errors do not say '${message}':\n${errors}")
endif()

execute_process(COMMAND ${command} -DHIGHLEVEL_TEST_GOOD "${SOURCE}" ERROR_VARIABLE errors
                RESULT_VARIABLE failed)
if(failed)
    message(FATAL_ERROR "the mended form of ${SOURCE} does not compile:\n${errors}")
endif()
