#pragma once
// The TCP ports of one worker, in step with the table.
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "proxy/session/tcp_port.h"

namespace penstock::session {

class TcpPorts {
 public:
  TcpPorts(WorkerParts& worker, base::Gate& gate) : worker_(worker), gate_(gate) {}

  /// Opens, changes or closes the port of this name as the worker's table says. Fails with errno
  /// where it cannot be opened.
  base::IoResult<void> reconcile(const std::string& name);
  /// By the name of its part; null where there is none.
  std::shared_ptr<TcpPort> find(const std::string& name) const;
  /// No new sessions.
  void drain();
  /// Endpoints have left upstreams, or may have.
  void check_endpoints();
  /// The time of the drain is over: what is left ends.
  void end_all(base::EndReason reason);
  /// `port` is the one that clients come to, "tcp/443"; empty: all.
  void show_sessions(std::string_view port, BusiestSessions& busiest) const;
  /// Forgets ports that are gone and have no session any more.
  void sweep();

 private:
  void remove(const std::string& name);
  WorkerParts& worker_;
  base::Gate& gate_;
  std::map<std::string, std::shared_ptr<TcpPort>> ports_;
  std::vector<std::weak_ptr<TcpPort>> closed_;  // that may have sessions still
};

}  // namespace penstock::session
