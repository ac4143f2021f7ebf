# Programs come from lists that both builds read: test/list.txt, example/list.txt, bench/list.txt.
# A line is `<path without .cpp> [library ...] [timeout=<seconds>] [test]`; # starts a comment.
# A path that ends in .sh or .py is a test that is run as it stands.

add_library(replica_own INTERFACE)
target_link_libraries(replica_own INTERFACE replica)
target_compile_options(replica_own INTERFACE -Wall -Wextra -Wpedantic -Wconversion)
# Lets ccache look into objects that were built with a precompiled header.
target_compile_options(replica_own INTERFACE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
# g++ looks for garbage from 250 MB on, although most of our programs need more: 24 unit tests
# compile in 18 CPU seconds with 1050 MB, and, when it looks from 2 GB on, in 14 with 1220 MB.
target_compile_options(
    replica_own INTERFACE $<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=1000000>)
if(REPLICA_SANITIZE)
    target_compile_options(
        replica_own INTERFACE -fsanitize=${REPLICA_SANITIZE} -fno-sanitize-recover=all
                              -fno-omit-frame-pointer)
    target_link_options(replica_own INTERFACE -fsanitize=${REPLICA_SANITIZE})
    if(REPLICA_SANITIZE STREQUAL "thread")
        # The sanitizer does not know fences; what Asio orders with them is under a mutex as well.
        target_compile_definitions(replica_own INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
    endif()
endif()

# Asio's and Beast's own code is compiled once for all programs that list `beast`.
find_package(Boost 1.81 REQUIRED COMPONENTS unit_test_framework context)
add_library(replica_asio_beast STATIC ${PROJECT_SOURCE_DIR}/test/support/asio_beast.cpp)
target_link_libraries(replica_asio_beast PRIVATE replica_own PUBLIC replica::beast)
target_compile_definitions(
    replica_asio_beast PUBLIC BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION)

set(replica_library_json Boost::json)
set(replica_library_sqlite SQLite::SQLite3)
set(replica_library_crypto OpenSSL::Crypto)
set(replica_library_zlib ZLIB::ZLIB)
set(replica_library_beast replica_asio_beast)
set(replica_library_process Boost::filesystem)
set(replica_library_fiber Boost::context)
set(replica_library_spdlog spdlog::spdlog)
set(replica_library_cli CLI11::CLI11)

# Reads `file` into `lines`, one element per line that is neither empty nor a comment, with the
# words of a line separated by one space.
function(replica_read_list file lines)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    file(STRINGS ${file} all)
    list(TRANSFORM all REPLACE "#.*$" "")
    list(TRANSFORM all REPLACE "[ \t]+" " ")
    list(TRANSFORM all STRIP)
    list(FILTER all EXCLUDE REGEX "^$")
    set(${lines} "${all}" PARENT_SCOPE)
endfunction()

# Splits a line of `file` into `path`, `libraries` (targets), `timeout` and `is_test`.
function(replica_parse_line file line)
    separate_arguments(words UNIX_COMMAND "${line}")
    list(POP_FRONT words first)
    set(targets replica_own)
    set(seconds 150)
    set(test OFF)
    foreach(word IN LISTS words)
        if(word MATCHES "^timeout=([0-9]+)$")
            set(seconds ${CMAKE_MATCH_1})
        elseif(word STREQUAL "test")
            set(test ON)
        elseif(NOT DEFINED replica_library_${word})
            message(FATAL_ERROR "${file}: '${word}' of '${first}' is not a library we know")
        elseif(NOT TARGET ${replica_library_${word}})
            message(FATAL_ERROR "${file}: '${first}' needs ${replica_library_${word}}: not found")
        else()
            list(APPEND targets ${replica_library_${word}})
        endif()
    endforeach()
    math(EXPR seconds "${seconds} * ${REPLICA_TEST_TIMEOUT_SCALE}")
    set(path ${first} PARENT_SCOPE)
    set(libraries ${targets} PARENT_SCOPE)
    set(timeout ${seconds} PARENT_SCOPE)
    set(is_test ${test} PARENT_SCOPE)
endfunction()

# Tests run in the root of the source tree and find both trees in the environment. What must be
# built for a test is kept for test-targets.txt: a script may run any program of example/. Those
# that may take longest begin first: else the last of the list, of 198 s, has a core for itself at
# the end while the other idles.
function(replica_add_test name timeout)
    list(GET ARGN 0 target)
    if(NOT TARGET ${target})
        set(target examples)
    endif()
    set_property(GLOBAL APPEND_STRING PROPERTY replica_test_targets "${name} ${target}\n")
    add_test(NAME ${name} COMMAND ${ARGN} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set(environment
        REPLICA_SOURCE_DIR=${PROJECT_SOURCE_DIR}
        REPLICA_BUILD_DIR=${PROJECT_BINARY_DIR}
        REPLICA_VERSION=${PROJECT_VERSION}
        CXX=${CMAKE_CXX_COMPILER})
    # As with Meson, a script ends with 77 where it cannot be run, and says why.
    set_tests_properties(${name} PROPERTIES TIMEOUT ${timeout} COST ${timeout} SKIP_RETURN_CODE 77
                                            ENVIRONMENT "${environment}")
endfunction()
