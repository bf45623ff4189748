#pragma once
// The UDP ports of one worker, in step with the table.
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/session/udp_port.h"

namespace penstock::session {

class UdpPorts {
 public:
  UdpPorts(WorkerParts& worker, base::Gate& gate) : worker_(worker), gate_(gate) {}

  /// Is this the name of a UDP port's part?
  static bool owns(std::string_view name) { return name.starts_with("udp/"); }
  /// Opens, changes or closes the port of this name as the worker's table says. Fails with errno
  /// where it cannot be opened.
  base::IoResult<void> reconcile(const std::string& name);
  void drain();
  /// `port` as "udp/53"; empty: all.
  void show_sessions(std::string_view port, BusiestSessions& busiest) const;

 private:
  WorkerParts& worker_;
  base::Gate& gate_;
  std::unique_ptr<UdpParts> parts_;  // made for the first port: it is large
  std::map<std::string, std::unique_ptr<UdpPort>> ports_;
};

}  // namespace penstock::session
