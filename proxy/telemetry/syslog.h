#pragma once
// Log lines to a syslog server as nginx sends them: RFC 3164 over UDP, a datagram for each line,
// facility local7, severity info, tag "nginx", by which collectors select. Owned and used by the
// log writer's thread; it may wait for a name server or for a full socket, nobody else does.
#include <netinet/in.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/base/clock.h"

namespace penstock::telemetry {

struct SyslogTarget {
  std::string host;  // an address or a name; empty: no syslog
  std::uint16_t port = 514;

  bool operator==(const SyslogTarget&) const = default;
};

/// "<190>Jan  5 09:03:07 edge nginx: " (RFC 3164, 4.1): local time.
std::string syslog_header(std::time_t now, std::string_view host_name);

/// Longer lines are cut: a datagram must arrive as one.
inline constexpr std::size_t kLongestSyslogLine = 8192;

class SyslogSender {
 public:
  explicit SyslogSender(SyslogTarget target);
  ~SyslogSender() { close(); }
  SyslogSender(const SyslogSender&) = delete;
  SyslogSender& operator=(const SyslogSender&) = delete;

  /// Whole lines. How many of them could not be sent: the name does not resolve, the server's host
  /// says that nobody listens, the socket stays full for a second.
  std::uint64_t send(std::string_view lines);

 private:
  bool is_open(base::SteadyTime now);
  bool open();
  void close();
  bool send_line(std::string_view line);

  SyslogTarget target_;
  std::string host_name_;
  std::string datagram_;
  std::size_t header_size_ = 0;
  std::time_t header_time_ = 0;
  int socket_ = -1;
  base::SteadyTime opened_at_;  // or tried
  bool has_tried_ = false;
  bool has_complained_ = false;
};

}  // namespace penstock::telemetry
