# The language, the warnings and the sanitizers: for everything that is built here, tests included.

include(CheckCCompilerFlag)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(ferry_warnings -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
  -Wwrite-strings)
if(FERRY_WERROR)
  list(APPEND ferry_warnings -Werror)
endif()
if(FERRY_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  # Instrumented code hides from GCC what bounds a number, and it warns of texts that do fit.
  list(APPEND ferry_warnings -Wno-format-truncation)
endif()
add_compile_options("$<$<COMPILE_LANGUAGE:C>:${ferry_warnings}>")

# A task's stack ends in one guard page. This makes a function with a large frame touch every page on
# its way down, so that it cannot step over the guard into a neighbour's stack.
check_c_compiler_flag(-fstack-clash-protection FERRY_HAVE_STACK_CLASH_PROTECTION)
if(FERRY_HAVE_STACK_CLASH_PROTECTION)
  add_compile_options("$<$<COMPILE_LANGUAGE:C>:-fstack-clash-protection>")
endif()

if(FERRY_SANITIZE)
  add_compile_options("-fsanitize=${FERRY_SANITIZE}" -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options("-fsanitize=${FERRY_SANITIZE}")
endif()

if(FERRY_BUILD_FUZZERS)
  if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "FERRY_BUILD_FUZZERS needs clang: its libFuzzer drives the fuzzers")
  endif()
  # Coverage everywhere; the fuzzers themselves link libFuzzer's main (fuzz/CMakeLists.txt).
  add_compile_options("$<$<COMPILE_LANGUAGE:C>:-fsanitize=fuzzer-no-link>")
endif()
