#pragma once
// penstock.dev/v1alpha1 UDPService: UDP ports of the proxy and where their datagrams go
// (crds/udpservices.yaml describes every field).
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controller/objects/stream_balancing.h"
#include "controller/objects/stream_fields.h"
#include "controller/objects/stream_health.h"
#include "controller/objects/stream_status.h"

namespace penstock::objects {

struct UdpService {
  Meta meta;
  std::optional<std::string> class_name;
  std::vector<StreamListener> listeners;
  std::vector<StreamBackend> backends;
  StreamBalancing load_balancing;
  StreamHealth health;
  std::optional<base::Duration> idle_timeout;  // absent: that of proxy-stream-timeout
  std::optional<std::uint32_t> max_responses;  // absent: as many as come; 0: none is awaited
  std::optional<std::uint32_t> max_requests;
  std::optional<std::uint32_t> max_sessions;
  std::optional<std::uint32_t> max_sessions_per_address;
  std::optional<std::uint32_t> packets_per_second_per_address;
  StreamAccess access;
  StreamLogSettings log;
  StreamStatus status;
};

}  // namespace penstock::objects
