# What can be chosen about a build. Everything here is a cache variable: -DFERRY_…=… or a preset sets it.

option(FERRY_BUILD_CLI "Build the ferry command (needs libmicrohttpd)" ${PROJECT_IS_TOP_LEVEL})
option(FERRY_BUILD_INSPECT "Build libferry-inspect (needs libmicrohttpd)" ${PROJECT_IS_TOP_LEVEL})
option(FERRY_BUILD_TESTS "Build the tests (needs cmocka)" ${PROJECT_IS_TOP_LEVEL})
option(FERRY_BUILD_EXAMPLES "Build the programs in examples/" ${PROJECT_IS_TOP_LEVEL})
option(FERRY_BUILD_BENCH "Build the programs in bench/" OFF)
option(FERRY_BUILD_FUZZERS "Build the fuzzers in fuzz/ (needs clang with libFuzzer)" OFF)
option(FERRY_WITH_IDN "Names beyond ASCII in URLs (needs libidn2)" ON)
option(FERRY_WITH_ZLIB "Decoding of gzip and deflate (needs zlib)" ON)
option(FERRY_WITH_BROTLI "Decoding of br (needs libbrotlidec)" ON)
option(FERRY_WITH_ZSTD "Decoding of zstd (needs libzstd)" ON)
option(FERRY_WITH_PSL "No cookies for public suffixes, by the list of libpsl" ON)
option(FERRY_WERROR "Treat warnings as errors" OFF)

set(FERRY_SANITIZE "" CACHE STRING
  "Sanitizers, separated by commas: address,undefined or thread; empty is none")
set_property(CACHE FERRY_SANITIZE PROPERTY STRINGS "" "address,undefined" "thread")

set(FERRY_SWITCH "auto" CACHE STRING
  "How tasks switch stacks: auto (assembly where there is some), asm, ucontext")
set_property(CACHE FERRY_SWITCH PROPERTY STRINGS auto asm ucontext)
if(NOT FERRY_SWITCH MATCHES "^(auto|asm|ucontext)$")
  message(FATAL_ERROR "FERRY_SWITCH is \"${FERRY_SWITCH}\"; it can be auto, asm or ucontext")
endif()
if(FERRY_SWITCH STREQUAL "asm" AND NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|aarch64|arm64)$")
  message(FATAL_ERROR "FERRY_SWITCH is asm, and there is no assembly for ${CMAKE_SYSTEM_PROCESSOR}")
endif()

get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(PROJECT_IS_TOP_LEVEL AND NOT multi_config AND NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "The kind of build" FORCE)
endif()

include(GNUInstallDirs)
