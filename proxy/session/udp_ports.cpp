#include "proxy/session/udp_ports.h"

#include "proxy/session/stream_log.h"

namespace penstock::session {

base::IoResult<void> UdpPorts::reconcile(const std::string& name) {
  const auto* part = worker_.table->streams().find(name);
  const auto known = ports_.find(name);
  if (part == nullptr) {
    if (known == ports_.end()) return {};
    known->second->close();
    ports_.erase(known);
    return {};
  }
  if (known != ports_.end()) {
    known->second->update(*part);
    return {};
  }
  if (worker_.is_draining) return {};
  if (!parts_) parts_.reset(new UdpParts{worker_, gate_, {}});
  auto port = std::make_unique<UdpPort>(*parts_, *part);
  auto opened = port->open();
  if (opened) ports_.emplace(name, std::move(port));
  return opened;
}

void UdpPorts::show_sessions(std::string_view port, BusiestSessions& busiest) const {
  for (const auto& [name, each] : ports_) {
    if (is_of_port(name, port)) each->show_sessions(busiest);
  }
}

void UdpPorts::drain() {
  for (auto& [name, port] : ports_) port->drain();
}

}  // namespace penstock::session
