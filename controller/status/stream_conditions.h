#pragma once
// From what is known of a TCPService or UDPService to the conditions of its status. Pure.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controller/objects/stream_status.h"
#include "controller/translate/diagnostic.h"

namespace penstock::status {

/// What is known of one listener now.
struct ListenerView {
  std::string name;
  std::string_view protocol;         // "TCP"
  std::vector<std::uint16_t> ports;  // that it has; sorted
  std::uint16_t allocated_port = 0;  // that it was given
  std::vector<translate::Diagnostic> diagnostics;
  std::string bind_problem;
};

/// What is known of one object now.
struct StreamView {
  std::int64_t generation = 0;
  std::vector<translate::Diagnostic> diagnostics;  // of this object
  std::vector<std::uint16_t> ports;                // that it has; sorted
  std::string owner;                               // itself: "TCPService db/mysql"
  std::vector<ListenerView> listeners;
  std::size_t ready_endpoints = 0;          // of the Services, that pass their checks
  std::vector<std::string> down_endpoints;  // "10.0.0.1:80: connect: Connection refused"
  std::size_t endpoints = 0;
  std::size_t programmed = 0;  // proxies that serve it as it is
  std::size_t proxies = 0;
  objects::StreamColumns columns;             // but for conflict_with
  std::string config;                         // name of the table that holds it now
  std::vector<std::string> bind_problems;     // of its ports; empty: all are open
  std::optional<objects::Condition> exposed;  // nothing: nobody can tell
  bool may_be_exposed = false;                // it is not read yet: what stands holds on
  std::optional<std::vector<objects::StreamAddress>> addresses;  // nothing: the same
};

/// `before` is the status that stands: a condition that does not change its status keeps its time.
objects::StreamStatus make_status(const objects::StreamStatus& before, const StreamView& view,
                                  const std::string& now);

/// The conditions that differ in status or reason: one Event each.
std::vector<objects::Condition> transitions(const objects::StreamStatus& before,
                                            const objects::StreamStatus& after);
/// Whether the condition, as it is, is what people want.
bool is_good(const objects::Condition& condition);

}  // namespace penstock::status
