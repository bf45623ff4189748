#include "proxy/session/tcp_ports.h"

namespace penstock::session {

base::IoResult<void> TcpPorts::reconcile(const std::string& name) {
  const auto* part = worker_.table->streams().find(name);
  const auto known = ports_.find(name);
  if (part == nullptr) {
    worker_.stream_tls.forget(name);
    if (known == ports_.end()) return {};
    known->second->retire();
    closed_.push_back(known->second);
    ports_.erase(known);
    return {};
  }
  if (known != ports_.end()) {
    known->second->update(*part);
    return {};
  }
  if (worker_.is_draining) return {};
  auto port = std::make_shared<TcpPort>(worker_, gate_, *part);
  auto opened = port->open();
  if (opened) ports_.emplace(name, std::move(port));
  return opened;
}

void TcpPorts::drain() {
  for (auto& [name, port] : ports_) port->drain();
}

void TcpPorts::check_endpoints() {
  for (auto& [name, port] : ports_) port->check_endpoints();
  for (auto& closed : closed_) {
    if (auto port = closed.lock()) port->check_endpoints();
  }
}

void TcpPorts::end_all(base::EndReason reason) {
  for (auto& [name, port] : ports_) port->end_all(reason);
  for (auto& closed : closed_) {
    if (auto port = closed.lock()) port->end_all(reason);
  }
}

void TcpPorts::sweep() {
  std::erase_if(closed_, [](const auto& each) { return each.expired(); });
}

}  // namespace penstock::session
