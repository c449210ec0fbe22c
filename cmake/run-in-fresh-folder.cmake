# SPDX-License-Identifier: BSL-1.0
#
# Runs a program in an empty folder and fails as it fails.
#   cmake -DPROGRAM=path -DFOLDER=dir -P run-in-fresh-folder.cmake -- [arguments...]
set(arguments "")
set(seen_separator FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(index RANGE 1 ${last})
    if(seen_separator)
        list(APPEND arguments "${CMAKE_ARGV${index}}")
    elseif(CMAKE_ARGV${index} STREQUAL "--")
        set(seen_separator TRUE)
    endif()
endforeach()

file(REMOVE_RECURSE "${FOLDER}")
file(MAKE_DIRECTORY "${FOLDER}")
execute_process(COMMAND "${PROGRAM}" ${arguments} WORKING_DIRECTORY "${FOLDER}" RESULT_VARIABLE failed)
if(failed)
    message(FATAL_ERROR "${PROGRAM} ended with ${failed}")
endif()
