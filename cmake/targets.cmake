# One folder = one namespace = one target. A folder's library is made of every .cpp directly in
# it (and in its listed sub-folders); a folder of headers alone becomes an INTERFACE library.

add_library(penstock_options INTERFACE)
target_include_directories(penstock_options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(penstock_options INTERFACE PENSTOCK_VERSION="${PROJECT_VERSION}")
# Of files that are compiled as one, names of one may shadow those of another; within a file, the
# builds that compile each by itself tell.
target_compile_options(penstock_options INTERFACE
  -Wall -Wextra -Wpedantic $<$<NOT:$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>:-Wshadow> -Wnon-virtual-dtor -Woverloaded-virtual -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 reports false positives here through inlined standard library code at -O2.
  target_compile_options(penstock_options INTERFACE
    -fcoroutines -Wno-error=maybe-uninitialized -Wno-error=array-bounds
    -Wno-error=stringop-overflow -Wno-error=stringop-overread -Wno-error=restrict
    -Wno-mismatched-new-delete
    # The files of such a folder are no headers, whatever it looks like to the compiler.
    $<$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>:-Wno-subobject-linkage>)
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
if(MOLD AND CMAKE_CROSSCOMPILING)
  # A cross compiler looks for one with its own prefix; what is called `ld` it takes from any folder.
  find_path(MOLD_FOLDER ld PATHS /usr/libexec/mold NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
  if(MOLD_FOLDER)
    add_link_options(-B${MOLD_FOLDER})
  endif()
elseif(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# penstock_precompiled(<target> LINK targets... HEADERS headers...): an object library that others take
# precompiled headers from.
function(penstock_precompiled name)
  cmake_parse_arguments(ARG "" "" "LINK;HEADERS;OPTIONS" ${ARGN})
  file(WRITE ${CMAKE_BINARY_DIR}/${name}.cpp "")
  add_library(${name} OBJECT ${CMAKE_BINARY_DIR}/${name}.cpp)
  set_target_properties(${name} PROPERTIES UNITY_BUILD OFF)
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  target_compile_options(${name} PRIVATE ${ARG_OPTIONS})
  penstock_pch_options(${name})
  target_precompile_headers(${name} PRIVATE ${ARG_HEADERS})
endfunction()

function(penstock_pch_options target)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess)
  else()
    # With its own time in it, no two would be the same to ccache.
    target_compile_options(${target} PRIVATE "SHELL:-Xclang -fno-pch-timestamp")
  endif()
endfunction()

# penstock_use_pch(<target> [<whose>])
function(penstock_use_pch target)
  set(from penstock_pch)
  if(ARGC GREATER 1)
    set(from ${ARGV1})
  endif()
  if(PENSTOCK_PCH)
    target_precompile_headers(${target} REUSE_FROM ${from})
    penstock_pch_options(${target})
  endif()
endfunction()

set(penstock_heavy_headers
  ${CMAKE_SOURCE_DIR}/proxy/base/asio.h <fmt/format.h> <spdlog/spdlog.h> <algorithm> <chrono>
  <expected> <functional> <map> <memory> <optional> <string> <string_view> <unordered_map>
  <variant> <vector>)
# Tests compile in a third of the time where nobody waits for their speed; -O1 alone would let
# coroutines that resume each other fill the stack.
set(penstock_test_options)
if(NOT PENSTOCK_SANITIZE)
  set(penstock_test_options -O1 -foptimize-sibling-calls)
elseif(PENSTOCK_SANITIZE MATCHES "undefined")
  # Of the programs, not of their tests, whose compile time it would double.
  set(penstock_test_options -fno-sanitize=undefined)
endif()
if(PENSTOCK_PCH)
  penstock_precompiled(penstock_pch LINK penstock_options HEADERS ${penstock_heavy_headers})
  if(PENSTOCK_TESTS)
    penstock_precompiled(penstock_test_pch LINK penstock_options GTest::gtest GTest::gmock
      OPTIONS ${penstock_test_options}
      HEADERS ${penstock_heavy_headers} <gmock/gmock.h> <gtest/gtest.h>)
  endif()
endif()
# penstock_library(<program>_<folder> [UNITY] [LINK targets...] [SUBFOLDERS folders...]); UNITY: files
# are compiled several at a time, also where the preset does not say so.
function(penstock_library name)
  cmake_parse_arguments(ARG "UNITY" "" "LINK;SUBFOLDERS" ${ARGN})
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
    if(ARG_UNITY)
      set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 6)
    endif()
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
  target_compile_options(${name} PRIVATE ${penstock_test_options})
  # Several files at a time: what they share is read, and instantiated, once.
  set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 5)
  penstock_use_pch(${name} penstock_test_pch)
  gtest_discover_tests(${name} DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 120
    LABELS "unit;${ARG_LABELS}")
endfunction()
