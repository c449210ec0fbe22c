# SPDX-License-Identifier: BSL-1.0
#
# Compiles a file and links two copies of its object, as two files of one program would be: whatever
# is defined in a header without `inline` is then defined twice.
#   cmake -DCOMPILER= -DFLAGS= -DSOURCE= -DINCLUDE_DIRS= -DWORK= [-DLAUNCHER=] -P link-twice.cmake
file(REMOVE_RECURSE "${WORK}")
file(MAKE_DIRECTORY "${WORK}")
list(TRANSFORM INCLUDE_DIRS PREPEND -I)
execute_process(
    COMMAND ${LAUNCHER} "${COMPILER}" ${FLAGS} ${INCLUDE_DIRS} -c "${SOURCE}" -o "${WORK}/one.o"
    RESULT_VARIABLE failed)
if(failed)
    message(FATAL_ERROR "does not compile with ${FLAGS}")
endif()
file(COPY_FILE "${WORK}/one.o" "${WORK}/two.o")
execute_process(COMMAND "${COMPILER}" -r -nostdlib "${WORK}/one.o" "${WORK}/two.o" -o "${WORK}/both.o"
                RESULT_VARIABLE failed)
if(failed)
    message(FATAL_ERROR "two files that include the same headers do not link")
endif()
