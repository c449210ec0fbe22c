# SPDX-License-Identifier: BSL-1.0
#
# Fails when a header that must stay light includes a heavy one, and prints the chain of includes that
# brought it in. Users who only make calls compile the light headers; one stray include would cost
# each of their files seconds.
#   cmake -DCOMPILER=g++ -DINCLUDE_DIR=include [-DSYSTEM_INCLUDE_DIRS=...] -DWORK_DIR=dir -P <this>

# highlevel_check_layer(NAME FORBIDDEN regex HEADERS globs...)
function(highlevel_check_layer name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "FORBIDDEN" "HEADERS")
    set(headers "")
    foreach(pattern IN LISTS arg_HEADERS)
        file(GLOB found RELATIVE "${INCLUDE_DIR}" "${INCLUDE_DIR}/highlevel/${pattern}")
        if(NOT found)
            message(FATAL_ERROR "${name}: there is no header ${pattern}")
        endif()
        list(APPEND headers ${found})
    endforeach()

    set(source "${WORK_DIR}/layer_${name}.cpp")
    list(TRANSFORM headers REPLACE "(.+)" "#include <\\1>\n" OUTPUT_VARIABLE text)
    string(JOIN "" text ${text})
    file(WRITE "${source}" "${text}")

    set(includes "-I${INCLUDE_DIR}")
    foreach(directory IN LISTS SYSTEM_INCLUDE_DIRS)
        # Not -isystem: for /usr/include, that would hide the compiler's own headers.
        list(APPEND includes -idirafter "${directory}")
    endforeach()
    execute_process(
        COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C "${COMPILER}" -std=c++20 ${includes} -E -H "${source}"
                -o "${source}.ii"
        ERROR_VARIABLE tree
        RESULT_VARIABLE failed)
    file(REMOVE "${source}.ii")
    if(failed)
        string(REGEX REPLACE "(^|\n)\\.+ [^\n]*" "" errors "${tree}")
        message(FATAL_ERROR "${name}: does not preprocess\n${errors}")
    endif()

    # -H prints one line per include: as many dots as it is deep, a space, the path.
    string(REGEX MATCHALL "\n\\.+ [^\n]+" lines "\n${tree}")
    foreach(line IN LISTS lines)
        string(REGEX MATCH "^\n(\\.+) (.+)$" line "${line}")
        string(LENGTH "${CMAKE_MATCH_1}" depth)
        set(at_${depth} "${CMAKE_MATCH_2}")
        if(CMAKE_MATCH_2 MATCHES "${arg_FORBIDDEN}")
            set(chain "")
            foreach(level RANGE 1 ${depth})
                string(APPEND chain "\n  ${at_${level}}")
            endforeach()
            message(FATAL_ERROR "${name}: a header includes one that it must not:${chain}")
        endif()
    endforeach()
    list(LENGTH headers count)
    message(STATUS "${name}: ${count} headers are free of ${arg_FORBIDDEN}")
endfunction()

# Families and the codec are plain values: no Asio, no Beast, no TLS.
highlevel_check_layer(
    families
    FORBIDDEN "/(boost/(asio|beast)|openssl)/"
    HEADERS v2/*.hpp v3/*.hpp json/*.hpp operation.hpp)

# What makes calls may name Asio's coroutine types, never the transport's implementation; and what
# watches calls is no business of those who make them.
highlevel_check_layer(
    callers
    FORBIDDEN "/boost/(beast|asio/ssl)/|/boost/asio/ssl\\.hpp|/openssl/ssl\\.h|/highlevel/(observer|metrics)"
    HEADERS client.hpp pages.hpp batch.hpp search.hpp lookup.hpp media.hpp safe_write.hpp response.hpp
            error.hpp)

# Layers know what is below them: of the three siblings no one includes another, but auth has http's
# transport interface, never what implements it, and none knows the client. Failures name the phase of http that they reached,
# so that http/phase.hpp is everyone's.
set(http "http/([^p]|p[^h])")
set(above "client\\.hpp|pages\\.hpp|batch\\.hpp|v[0-9]/")
highlevel_check_layer(
    json
    FORBIDDEN "/highlevel/(${http}|quota/|auth/|webhooks/|sandbox/|operation\\.hpp|${above})"
    HEADERS json/*.hpp)
highlevel_check_layer(
    http
    FORBIDDEN "/highlevel/(json/|quota/|auth/|webhooks/|sandbox/|operation\\.hpp|${above})"
    HEADERS http/*.hpp)
highlevel_check_layer(
    quota
    FORBIDDEN "/highlevel/(json/|${http}|auth/|webhooks/|sandbox/|operation\\.hpp|${above})"
    HEADERS quota/*.hpp)
highlevel_check_layer(
    auth
    FORBIDDEN "/highlevel/(quota/|webhooks/|sandbox/|http/(impl/)?http1_transport|${above})"
    # Not sqlite_token_store.hpp: SQLite need not be there.
    HEADERS auth/[a-r]*.hpp auth/secret.hpp auth/[t-z]*.hpp)
highlevel_check_layer(
    sandbox
    FORBIDDEN "/highlevel/(quota/|auth/|webhooks/|${above})"
    HEADERS sandbox/*.hpp)

# Who hears of connections and renewals is named by its own layer, not by the client's observer.
highlevel_check_layer(
    listeners
    FORBIDDEN "/boost/(asio|beast)/|/highlevel/(observer|client)"
    HEADERS http/connection_listener.hpp auth/renewal_listener.hpp)

# Judging and reading webhooks needs the codec and OpenSSL's digests, no sockets; with an inbox come
# coroutines and the library's bell, and of http/ only its values.
highlevel_check_layer(
    webhooks
    FORBIDDEN "/(boost/(asio|beast)|highlevel/(quota|sandbox|v[0-9]))/|/openssl/ssl\\.h|/highlevel/client\\.hpp"
    HEADERS webhooks/signature.hpp webhooks/event_kind.hpp webhooks/event.hpp webhooks/types.hpp
            webhooks/replay.hpp webhooks/guard.hpp)
highlevel_check_layer(
    webhook_inbox
    FORBIDDEN "/(boost/(beast|asio/ssl)|highlevel/(quota|sandbox|v[0-9]))/|/openssl/ssl\\.h|/highlevel/client\\.hpp"
    HEADERS webhooks/inbox.hpp)
