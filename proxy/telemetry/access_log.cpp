#include "proxy/telemetry/access_log.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proxy/base/log.h"

namespace penstock::telemetry {
namespace {

constexpr std::size_t kMostQueued = 16 << 20;
constexpr std::size_t kBuffer = 64 << 10;
constexpr int kLongestWait = 1'000;  // ms for a pipe whose reader is slow

}  // namespace

LogWriter::LogWriter() : thread_([this] { run(); }) {}

LogWriter::~LogWriter() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  wake_.notify_one();
  thread_.join();
  if (file_ > 2) close(file_);
}

void LogWriter::set_path(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (path == path_) return;
  path_ = path;
  is_reopening_ = true;
  wake_.notify_one();
}

void LogWriter::set_syslog(const SyslogTarget& target) {
  const std::lock_guard lock(mutex_);
  if (target == syslog_) return;
  syslog_ = target;
  is_reopening_ = true;
  wake_.notify_one();
}

void LogWriter::reopen() {
  const std::lock_guard lock(mutex_);
  is_reopening_ = true;
  wake_.notify_one();
}

bool LogWriter::submit(std::string lines, std::uint64_t count) {
  const std::lock_guard lock(mutex_);
  if (queued_ + lines.size() > kMostQueued) {
    lost_ += count;
    dropped_.set(lost_);
    return false;
  }
  queued_ += lines.size();
  queue_.push_back(std::move(lines));
  wake_.notify_one();
  return true;
}

void LogWriter::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return is_ending_ || is_reopening_ || !queue_.empty(); });
    if (is_reopening_) open();
    if (queue_.empty()) {
      if (is_ending_) return;
      continue;
    }
    const auto lines = std::move(queue_.front());
    queue_.pop_front();
    queued_ -= lines.size();
    lock.unlock();
    write_out(lines);
    lock.lock();
  }
}

void LogWriter::open() {
  is_reopening_ = false;
  sender_.reset();
  if (!syslog_.host.empty()) sender_.emplace(syslog_);
  int next = 1;
  if (!path_.empty()) {
    next = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (next < 0) {
      base::log::error("access log {}: {}; the one before is used", path_, std::strerror(errno));
      return;
    }
  }
  if (file_ > 2) close(file_);
  file_ = next;
}

void LogWriter::lose(std::uint64_t count) {
  if (count == 0) return;
  const std::lock_guard lock(mutex_);
  lost_ += count;
  dropped_.set(lost_);
}

void LogWriter::write_out(const std::string& lines) {
  sender_ ? lose(sender_->send(lines)) : write_file(lines);
}

void LogWriter::write_file(const std::string& lines) {
  std::string_view rest(lines);
  while (!rest.empty()) {
    const auto size = write(file_, rest.data(), rest.size());
    if (size > 0) {
      rest.remove_prefix(static_cast<std::size_t>(size));
      continue;
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) {
      pollfd ready{file_, POLLOUT, 0};
      if (poll(&ready, 1, kLongestWait) > 0) continue;
    }
    return lose(static_cast<std::uint64_t>(std::ranges::count(rest, '\n')));
  }
}

void LogBuffer::added() {
  ++count_;
  if (lines_.size() >= kBuffer) flush();
}

void LogBuffer::flush() {
  if (lines_.empty()) return;
  std::string lines;
  lines.reserve(kBuffer + 4096);
  lines.swap(lines_);
  const auto count = std::exchange(count_, 0);
  if (writer_ != nullptr) writer_->submit(std::move(lines), count);
}

}  // namespace penstock::telemetry
