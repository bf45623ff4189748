# Every library comes from Debian; docs/adr/0002-dependencies.md says why each one is here.
find_package(Boost 1.74 REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(Threads REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(cpprestsdk REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(simdjson REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(cares REQUIRED IMPORTED_TARGET libcares)
pkg_check_modules(re2 REQUIRED IMPORTED_TARGET re2)
# Its -pthread would not fit the precompiled header; Threads::Threads links what is needed.
set_property(TARGET PkgConfig::re2 PROPERTY INTERFACE_COMPILE_OPTIONS "")
pkg_check_modules(nghttp2 REQUIRED IMPORTED_TARGET libnghttp2)
if(PENSTOCK_TESTS)
  find_package(GTest REQUIRED)
endif()

# yaml-cpp of Debian 12 exports a bare target name and no include directory of its own.
add_library(penstock_yaml INTERFACE)
target_link_libraries(penstock_yaml INTERFACE yaml-cpp)

add_library(penstock_asio INTERFACE)
target_link_libraries(penstock_asio INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(penstock_asio INTERFACE
  BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_DISABLE_VISIBILITY BOOST_ASIO_HAS_CO_AWAIT
  BOOST_ASIO_HAS_STD_COROUTINE)
