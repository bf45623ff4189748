# One folder = one namespace = one target. A folder's library is made of every .cpp directly in
# it (and in its listed sub-folders); a folder of headers alone becomes an INTERFACE library.

add_library(penstock_options INTERFACE)
target_include_directories(penstock_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(penstock_options INTERFACE PENSTOCK_VERSION="${PROJECT_VERSION}")
target_compile_options(penstock_options INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports false positives here through inlined standard library code at -O2.
  target_compile_options(penstock_options INTERFACE
    -fcoroutines -Wno-error=maybe-uninitialized -Wno-error=array-bounds
    -Wno-error=stringop-overflow -Wno-error=stringop-overread -Wno-error=restrict
    -Wno-mismatched-new-delete)
else()
  target_compile_options(penstock_options INTERFACE -Wno-unused-command-line-argument)
endif()
if(PENSTOCK_FUZZ)
  # A fuzzer learns from what its inputs reach within the libraries.
  target_compile_options(penstock_options INTERFACE -fsanitize=fuzzer-no-link)
  target_link_options(penstock_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
if(PENSTOCK_SANITIZE)
  target_compile_options(penstock_options INTERFACE
    -fsanitize=${PENSTOCK_SANITIZE} -fno-omit-frame-pointer)
  if(PENSTOCK_SANITIZE MATCHES "undefined")
    # What these look for the address sanitizer finds, and they take a third of the compile time.
    target_compile_options(penstock_options INTERFACE -fno-sanitize=null,object-size,vptr,alignment)
  endif()
  target_link_options(penstock_options INTERFACE -fsanitize=${PENSTOCK_SANITIZE})
  if(PENSTOCK_SANITIZE STREQUAL "thread")
    # The sanitizer does not understand fences; the locks of the loop's queue order it all anyway.
    target_compile_definitions(penstock_options INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()
target_link_libraries(penstock_options INTERFACE penstock_asio fmt::fmt spdlog::spdlog)

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER
    # Checkouts in other folders share what was compiled.
    ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

if(PENSTOCK_PCH)
  file(WRITE ${CMAKE_BINARY_DIR}/pch.cpp "")
  add_library(penstock_pch OBJECT ${CMAKE_BINARY_DIR}/pch.cpp)
  target_link_libraries(penstock_pch PUBLIC penstock_options)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(penstock_pch PRIVATE -fpch-preprocess)
  else()
    # With its own time in it, no two would be the same to ccache.
    target_compile_options(penstock_pch PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
  target_precompile_headers(penstock_pch PRIVATE
    ${CMAKE_SOURCE_DIR}/proxy/base/asio.h <fmt/format.h> <spdlog/spdlog.h> <algorithm> <chrono>
    <expected> <functional> <map> <memory> <optional> <string> <string_view> <unordered_map>
    <variant> <vector>)
endif()

function(penstock_use_pch target)
  if(PENSTOCK_PCH)
    target_precompile_headers(${target} REUSE_FROM penstock_pch)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(${target} PRIVATE -fpch-preprocess)
    else()
      target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
    endif()
  endif()
endfunction()

# penstock_library(<program>_<folder> FOLDER <folder> [LINK targets...])
function(penstock_library name)
  cmake_parse_arguments(ARG "" "" "LINK;SUBFOLDERS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  foreach(folder ${ARG_SUBFOLDERS})
    file(GLOB more CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*.cpp)
    list(APPEND sources ${more})
  endforeach()
  list(FILTER sources EXCLUDE REGEX "/main\\.cpp$")
  if(sources)
    add_library(${name} STATIC ${sources})
    target_link_libraries(${name} PUBLIC penstock_options ${ARG_LINK})
    penstock_use_pch(${name})
  else()
    add_library(${name} INTERFACE)
    target_link_libraries(${name} INTERFACE penstock_options ${ARG_LINK})
  endif()
endfunction()

# One test program per folder of sources: tests/unit/<program>/<folder>/*_test.cpp
function(penstock_unit_tests program folder)
  cmake_parse_arguments(ARG "" "" "LINK;LABELS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS
    ${CMAKE_SOURCE_DIR}/tests/unit/${program}/${folder}/*.cpp)
  if(NOT sources)
    return()
  endif()
  set(name unit_${program}_${folder})
  add_executable(${name} ${sources})
  target_link_libraries(${name} PRIVATE ${program}_${folder} ${ARG_LINK}
    GTest::gtest GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name} PRIVATE
    PENSTOCK_SOURCE_DIR="${CMAKE_SOURCE_DIR}" PENSTOCK_BINARY_DIR="${CMAKE_BINARY_DIR}")
  if(PENSTOCK_SANITIZE MATCHES "undefined")
    # Of the programs, not of their tests, whose compile time it would double.
    target_compile_options(${name} PRIVATE -fno-sanitize=undefined)
  endif()
  penstock_use_pch(${name})
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120
    LABELS "unit;${ARG_LABELS}")
endfunction()
