// Compiled with Asio's deprecated names, which this header of the library needs (CMakeLists.txt).
#include "controller/kube/library_threads.h"

#include "proxy/base/asio.h"

#include <pplx/threadpool.h>

#include <exception>

namespace penstock::kube {

void limit_library_threads() {
  [[maybe_unused]] static const bool is_done = [] {
    try {
      crossplat::threadpool::initialize_with_threads(4);
    } catch (const std::exception&) {
      return false;  // somebody used the library before: only more threads than needed
    }
    return true;
  }();
}

}  // namespace penstock::kube
