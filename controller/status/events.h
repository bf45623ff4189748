#pragma once
// Events of the Kubernetes API. The name of one is made from what it says, so that saying it twice,
// also by another replica or after a restart, makes one Event. Runs on the controller's thread.
#include <cstdint>
#include <list>
#include <string>
#include <string_view>

#include "controller/kube/client.h"
#include "controller/objects/meta.h"
#include "controller/objects/object.h"

namespace penstock::status {

struct EventText {
  objects::ObjectKey object;
  std::string uid;     // of the object
  std::string reason;  // "PortConflict"
  std::string message;
  std::string moment;  // tells one occurrence from another; empty: there is but one
  bool is_warning = false;
};

/// Name and JSON of the Event; `now` as RFC 3339.
std::string event_name(const EventText& text);
std::string event_json(const EventText& text, const std::string& now);

class EventWriter {
 public:
  explicit EventWriter(kube::Client& client) : client_(client) {}
  /// Without an answer worth waiting for; too many at once are dropped and counted in the log.
  void write(const EventText& text);
  void stop() { calls_.clear(); }

 private:
  kube::Client& client_;
  std::list<kube::Call> calls_;
};

/// "2026-01-31T12:00:00Z"
std::string rfc3339_now();

}  // namespace penstock::status
