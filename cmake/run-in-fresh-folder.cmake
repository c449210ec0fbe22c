# SPDX-License-Identifier: BSL-1.0
#
# Runs a program in an empty folder and fails as it fails, or when it did not print what is expected:
# lines, in this order, but not necessarily one right after the other.
#   cmake -DPROGRAM=path -DFOLDER=dir [-DEXPECTED=file] -P run-in-fresh-folder.cmake -- [arguments...]
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
execute_process(
    COMMAND "${PROGRAM}" ${arguments} WORKING_DIRECTORY "${FOLDER}" RESULT_VARIABLE failed
    OUTPUT_VARIABLE printed ECHO_OUTPUT_VARIABLE)
if(failed)
    message(FATAL_ERROR "${PROGRAM} ended with ${failed}")
endif()
if(EXPECTED)
    file(STRINGS "${EXPECTED}" lines)
    string(PREPEND printed "\n")
    foreach(line IN LISTS lines)
        string(FIND "${printed}" "\n${line}\n" at)
        if(at EQUAL -1)
            message(FATAL_ERROR "${PROGRAM} did not print, or not in this order: ${line}")
        endif()
        string(LENGTH "\n${line}" length)
        math(EXPR at "${at} + ${length}")
        string(SUBSTRING "${printed}" ${at} -1 printed)
    endforeach()
endif()
