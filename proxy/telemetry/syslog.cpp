#include "proxy/telemetry/syslog.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include "proxy/base/log.h"

namespace penstock::telemetry {
namespace {

constexpr int kPriority = 23 * 8 + 6;  // local7, info
constexpr std::chrono::seconds kLookUpEvery{60};
constexpr std::chrono::seconds kRetry{5};
constexpr int kLongestSend = 1'000;  // ms

std::string own_name() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

}  // namespace

std::string syslog_header(std::time_t now, std::string_view host_name) {
  std::tm local{};
  localtime_r(&now, &local);
  char time[32] = {};
  std::strftime(time, sizeof time, "%b %e %H:%M:%S", &local);
  return fmt::format("<{}>{} {} nginx: ", kPriority, time, host_name);
}

SyslogSender::SyslogSender(SyslogTarget target)
    : target_(std::move(target)), host_name_(own_name()) {}

void SyslogSender::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

/// A name is resolved again once a minute: collectors move.
bool SyslogSender::is_open(base::SteadyTime now) {
  const auto age = now - opened_at_;
  const bool is_fresh = has_tried_ && (socket_ >= 0 ? age < kLookUpEvery : age < kRetry);
  if (is_fresh) return socket_ >= 0;
  has_tried_ = true;
  opened_at_ = now;
  return open() || socket_ >= 0;
}

/// Where that fails the socket that there is goes on.
bool SyslogSender::open() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const auto port = std::to_string(target_.port);
  const int code = getaddrinfo(target_.host.c_str(), port.c_str(), &hints, &found);
  std::string failure = code == 0 ? "" : gai_strerror(code);
  int next = -1;
  for (const auto* each = found; each != nullptr && next < 0; each = each->ai_next) {
    next = socket(each->ai_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (next >= 0 && connect(next, each->ai_addr, each->ai_addrlen) == 0) break;
    failure = std::strerror(errno);
    if (next >= 0) ::close(next);
    next = -1;
  }
  if (found != nullptr) freeaddrinfo(found);
  if (next < 0) {
    if (!std::exchange(has_complained_, true)) {
      base::log::error("syslog server {}:{}: {}", target_.host, target_.port, failure);
    }
    return false;
  }
  has_complained_ = false;
  close();
  socket_ = next;
  return true;
}

bool SyslogSender::send_line(std::string_view line) {
  datagram_.resize(header_size_);
  datagram_.append(line.substr(0, kLongestSyslogLine));
  for (;;) {
    if (::send(socket_, datagram_.data(), datagram_.size(), MSG_NOSIGNAL) >= 0) return true;
    if (errno == EINTR) continue;
    pollfd ready{socket_, POLLOUT, 0};
    if (errno == EAGAIN && poll(&ready, 1, kLongestSend) > 0) continue;
    return false;
  }
}

std::uint64_t SyslogSender::send(std::string_view lines) {
  const bool may_send = is_open(std::chrono::steady_clock::now());
  const auto now = std::time(nullptr);
  if (now != header_time_) {
    header_time_ = now;
    datagram_ = syslog_header(now, host_name_);
    header_size_ = datagram_.size();
  }
  std::uint64_t lost = 0;
  while (!lines.empty()) {
    const auto end = std::min(lines.find('\n'), lines.size());
    if (!may_send || !send_line(lines.substr(0, end))) ++lost;
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return lost;
}

}  // namespace penstock::telemetry
