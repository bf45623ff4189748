#include "proxy/base/task.h"

#include "proxy/base/log.h"

namespace penstock::base::detail {

void report_escaped(std::string_view name, std::exception_ptr error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& escaped) {
    log::error("{}: an exception escaped: {}", name, escaped.what());
  } catch (...) {
    log::error("{}: an unknown exception escaped", name);
  }
}

}  // namespace penstock::base::detail
