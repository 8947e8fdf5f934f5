# What most files include, parsed once a build: half of what a file costs the compiler. Off in an
# ordinary build, which so finds a file that forgot to include what it uses; the presets have it on.
# Not with GCC: it gains a quarter, and takes what is in the system's headers for ours to warn about.
option(ATLS_PRECOMPILE "Precompile the headers of the standard library, Boost, OpenSSL and nlohmann" OFF)

set(headers_of_core
    <algorithm> <array> <chrono> <filesystem> <fstream> <functional> <map> <memory> <mutex> <optional> <set> <span>
    <string> <string_view> <variant> <vector>
    <boost/system/result.hpp> <nlohmann/json.hpp> <openssl/evp.h> <openssl/ssl.h> <openssl/x509.h>)
set(headers_of_asio ${headers_of_core} <boost/asio.hpp>)
set(headers_of_tests ${headers_of_asio} <catch2/catch.hpp>)

# atls_precompile(TARGET HEADERS): TARGET compiles its own.
# atls_precompile(TARGET FROM OTHER): those of OTHER, whose options and definitions TARGET shares.
function(atls_precompile target)
  cmake_parse_arguments(ARG "" "FROM" "" ${ARGN})
  if(NOT ATLS_PRECOMPILE OR NOT CMAKE_CXX_COMPILER_ID STREQUAL Clang)
    return()
  endif()
  if(ARG_FROM)
    target_precompile_headers(${target} REUSE_FROM ${ARG_FROM})
  else()
    target_precompile_headers(${target} PRIVATE ${ARG_UNPARSED_ARGUMENTS})
  endif()
endfunction()
