# What `cmake --install` puts in place: the header, both libraries, the pkg-config file, the CMake
# package. (The command installs itself: cli/CMakeLists.txt.) The installed tree can be moved: what is
# written into it finds its neighbours from where it stands. tests/install builds programs against it.

include(CMakePackageConfigHelpers)

install(FILES include/ferry.h include/ferry_test.h DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")

# The debugger's script: where GDB looks for what belongs to a library, which is below its own data folder
# by the library's full path (so it is not found any more when the tree was moved, or below another
# prefix than GDB's); and where a person finds it. docs/gdb.md
install(FILES tools/gdb/ferry-gdb.py DESTINATION "${CMAKE_INSTALL_DATADIR}/ferry")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
  set(ferry_library_path "${CMAKE_INSTALL_LIBDIR}")
else()
  set(ferry_library_path "\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_LIBDIR}") # known when it is installed
endif()
install(FILES tools/gdb/ferry-gdb.py
  DESTINATION "${CMAKE_INSTALL_DATADIR}/gdb/auto-load${ferry_library_path}"
  RENAME "libferry.so.${PROJECT_VERSION}-gdb.py")

# Two export sets, because only whoever links the static library needs its dependencies found.
install(TARGETS ferry-shared EXPORT ferry-targets
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(TARGETS ferry-static EXPORT ferry-static-targets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")

set(ferry_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/ferry")
install(EXPORT ferry-targets NAMESPACE ferry:: DESTINATION "${ferry_package_dir}")
install(EXPORT ferry-static-targets NAMESPACE ferry:: DESTINATION "${ferry_package_dir}")
list(JOIN FERRY_REQUIRES " " FERRY_PC_REQUIRES)

configure_package_config_file(packaging/ferry-config.cmake.in
  "${PROJECT_BINARY_DIR}/packaging/ferry-config.cmake"
  INSTALL_DESTINATION "${ferry_package_dir}")
# Before 1.0 a new minor version may change what programs see.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/packaging/ferry-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/packaging/ferry-config.cmake"
  "${PROJECT_BINARY_DIR}/packaging/ferry-config-version.cmake"
  DESTINATION "${ferry_package_dir}")

# The .pc file names its prefix as seen from its own folder, unless the folders were given as absolute
# paths, which then are what was asked for.
set(ferry_pc_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(FERRY_PC_PREFIX "${CMAKE_INSTALL_PREFIX}")
  set(FERRY_PC_LIBDIR "${CMAKE_INSTALL_FULL_LIBDIR}")
  set(FERRY_PC_INCLUDEDIR "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
else()
  file(RELATIVE_PATH FERRY_PC_PREFIX "/prefix/${ferry_pc_dir}" "/prefix")
  string(REGEX REPLACE "/$" "" FERRY_PC_PREFIX "\${pcfiledir}/${FERRY_PC_PREFIX}")
  set(FERRY_PC_LIBDIR "\${prefix}/${CMAKE_INSTALL_LIBDIR}")
  set(FERRY_PC_INCLUDEDIR "\${prefix}/${CMAKE_INSTALL_INCLUDEDIR}")
endif()
configure_file(packaging/ferry.pc.in "${PROJECT_BINARY_DIR}/packaging/ferry.pc" @ONLY)
if(FERRY_BUILD_INSPECT)
  configure_file(packaging/ferry-inspect.pc.in "${PROJECT_BINARY_DIR}/packaging/ferry-inspect.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/packaging/ferry-inspect.pc" DESTINATION "${ferry_pc_dir}")
endif()
install(FILES "${PROJECT_BINARY_DIR}/packaging/ferry.pc" DESTINATION "${ferry_pc_dir}")
