# The libraries that ferry stands on, found by pkg-config. Sets
#   FERRY_LIBRARIES     what the library itself links
#   FERRY_DEFINITIONS   which choices the sources are to know of
#   FERRY_REQUIRES      the pkg-config names behind FERRY_LIBRARIES, for whoever links ferry statically

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

set(FERRY_LIBRARIES Threads::Threads)
set(FERRY_DEFINITIONS)
set(FERRY_REQUIRES)

# ferry_require(MODULE): the library needs this one. The target is named after the module, in the same
# way here and in packaging/ferry-config.cmake.in, because the exported static library refers to it.
macro(ferry_require module)
  pkg_check_modules(ferry_${module} REQUIRED IMPORTED_TARGET ${module})
  list(APPEND FERRY_LIBRARIES PkgConfig::ferry_${module})
  list(APPEND FERRY_REQUIRES ${module})
endmacro()

ferry_require(libcares)
ferry_require(liburiparser)
ferry_require(openssl)
if(FERRY_WITH_IDN)
  ferry_require(libidn2)
  list(APPEND FERRY_DEFINITIONS FERRY_WITH_IDN=1)
endif()

if(FERRY_WITH_ZLIB)
  ferry_require(zlib)
  list(APPEND FERRY_DEFINITIONS FERRY_WITH_ZLIB=1)
endif()
if(FERRY_WITH_BROTLI)
  ferry_require(libbrotlidec)
  list(APPEND FERRY_DEFINITIONS FERRY_WITH_BROTLI=1)
endif()
if(FERRY_WITH_ZSTD)
  ferry_require(libzstd)
  list(APPEND FERRY_DEFINITIONS FERRY_WITH_ZSTD=1)
endif()

if(FERRY_WITH_PSL)
  ferry_require(libpsl)
  list(APPEND FERRY_DEFINITIONS FERRY_WITH_PSL=1)
endif()

if(FERRY_SWITCH STREQUAL "ucontext")
  list(APPEND FERRY_DEFINITIONS FERRY_SWITCH_UCONTEXT=1)
endif()

# The sources look for Valgrind's header themselves; named here, its coming makes them be compiled again.
find_path(FERRY_VALGRIND_INCLUDE valgrind/valgrind.h)
mark_as_advanced(FERRY_VALGRIND_INCLUDE)
if(FERRY_VALGRIND_INCLUDE)
  list(APPEND FERRY_DEFINITIONS FERRY_HAVE_VALGRIND=1)
endif()

# Not the library's own: the command's server and the inspector's, the tests' framework.
if(FERRY_BUILD_CLI OR FERRY_BUILD_INSPECT)
  pkg_check_modules(MICROHTTPD REQUIRED IMPORTED_TARGET libmicrohttpd)
endif()
if(FERRY_BUILD_TESTS)
  pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()
