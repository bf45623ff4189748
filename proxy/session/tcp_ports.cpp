#include "proxy/session/tcp_ports.h"

#include "proxy/session/stream_log.h"

namespace penstock::session {
namespace {

snapshot::StreamEntrance entrance_of(const snapshot::PartPtr& part) {
  return std::get<snapshot::Stream>(*part).entrance;
}

}  // namespace

base::IoResult<void> TcpPorts::reconcile(const std::string& name) {
  const auto* part = worker_.table->streams().find(name);
  if (part == nullptr) {
    worker_.stream_tls.forget(name);
    remove(name);
    return {};
  }
  if (const auto known = ports_.find(name); known != ports_.end()) {
    const bool is_same_way = entrance_of(known->second->part()) == entrance_of(*part);
    if (is_same_way) known->second->update(*part);
    if (is_same_way) return {};
    remove(name);
  }
  if (worker_.is_draining) return {};
  auto port = std::make_shared<TcpPort>(worker_, gate_, *part, this);
  auto opened = port->open();
  if (!opened) return opened;
  if (entrance_of(*part) == snapshot::StreamEntrance::kHttps) worker_.https_names = port;
  ports_.emplace(name, std::move(port));
  return {};
}

void TcpPorts::remove(const std::string& name) {
  const auto known = ports_.find(name);
  if (known == ports_.end()) return;
  if (worker_.https_names == known->second) worker_.https_names.reset();
  known->second->retire();
  closed_.push_back(known->second);
  ports_.erase(known);
}

std::shared_ptr<TcpPort> TcpPorts::find(const std::string& name) const {
  const auto found = ports_.find(name);
  return found == ports_.end() ? nullptr : found->second;
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

void TcpPorts::show_sessions(std::string_view port, BusiestSessions& busiest) const {
  const auto show = [&](const TcpPort& each) {
    if (is_of_port(std::get<snapshot::Stream>(*each.part()).name, port)) {
      each.show_sessions(busiest);
    }
  };
  for (const auto& [name, each] : ports_) show(*each);
  for (const auto& closed : closed_) {
    if (const auto each = closed.lock()) show(*each);
  }
}

void TcpPorts::sweep() {
  std::erase_if(closed_, [](const auto& each) { return each.expired(); });
}

}  // namespace penstock::session
