#pragma once
// The job that makes one TCP port: of the ConfigMap's entry and the TCPServices that ask for it,
// one gets it and the others are told.
#include <cstdint>

#include "controller/settings/global.h"
#include "controller/translate/job.h"
#include "controller/translate/options.h"
#include "controller/translate/reader.h"
#include "controller/translate/stream_map.h"

namespace penstock::translate {

struct StreamInput {
  Reader& reader;
  const Options& options;
  const settings::GlobalSettings& settings;
  const std::map<std::uint16_t, StreamEntry>& config_map;
};

/// The ConfigMap goes before every TCPService, an older TCPService before a younger. The port is
/// open also while nothing is behind it: a client then sees a closed connection, not a closed port.
Output translate_stream(StreamInput input, std::uint16_t port);

}  // namespace penstock::translate
