#pragma once
// The tcp-services and udp-services ConfigMaps: port = "namespace/service:port[:PROXY[:PROXY]]".
#include <cstdint>
#include <map>
#include <string>

#include "controller/objects/ingress.h"
#include "controller/objects/values.h"
#include "controller/translate/diagnostic.h"

namespace penstock::translate {

struct StreamEntry {
  std::string key;  // of the ConfigMap
  std::string name_space;
  std::string service;
  objects::PortRef port;
  bool decodes_proxy = false;  // third field; without a meaning for UDP, as the next
  bool encodes_proxy = false;  // fourth field

  bool operator==(const StreamEntry&) const = default;
};

using StreamMap = std::map<std::uint16_t, StreamEntry>;

/// Entries by port. What cannot be read is reported under its key and left out.
StreamMap read_stream_map(const objects::ConfigMap& map, std::vector<Diagnostic>& diagnostics);

}  // namespace penstock::translate
