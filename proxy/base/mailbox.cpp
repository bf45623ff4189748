#include "proxy/base/mailbox.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace penstock::base {

Mailbox::Mailbox() : wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (!wake_) throw std::system_error(errno, std::system_category(), "eventfd");
}

void Mailbox::post(Work work) {
  bool is_first = false;
  {
    const std::lock_guard lock(mutex_);
    is_first = waiting_.empty();
    waiting_.push_back(std::move(work));
  }
  if (!is_first) return;
  const std::uint64_t one = 1;
  // The counter cannot overflow, so the only failure would be a bug of ours.
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void Mailbox::run_all() {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
  std::vector<Work> work;
  {
    const std::lock_guard lock(mutex_);
    work.swap(waiting_);
  }
  for (auto& each : work) each();
}

}  // namespace penstock::base
