#pragma once
// The status of a TCPService or UDPService as it was last written, and as it is to be written.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controller/objects/json.h"

namespace penstock::objects {

struct Condition {
  std::string type;
  std::string status;  // "True", "False", "Unknown"
  std::string reason;
  std::string message;
  std::int64_t generation = 0;  // observedGeneration
  std::string since;            // lastTransitionTime

  bool operator==(const Condition&) const = default;
};

/// What kubectl shows in columns, each as one text that is never empty.
struct StreamColumns {
  std::string class_name;     // "-": of none
  std::string address;        // "*": every one; "10.0.0.1, 10.0.0.2"
  std::string algorithm;      // "RoundRobin"
  std::string conflict_with;  // "TCPService db/mysql"; "-": nobody

  bool operator==(const StreamColumns&) const = default;
};

struct StreamAddress {
  std::string type;  // "IPAddress", "Hostname"
  std::string value;

  bool operator==(const StreamAddress&) const = default;
};

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type);

/// What stands of one listener.
struct ListenerStatus {
  std::string name;
  std::string protocol;              // "TCP", "UDP"
  std::string ports;                 // that it has: "5432, 6000-6100"
  std::string owner;                 // who has its ports, the object itself or another; "-": nobody
  std::uint16_t allocated_port = 0;  // that it was given; 0: it names its ports itself
  std::vector<Condition> conditions;  // Accepted, Programmed, Conflicted

  bool operator==(const ListenerStatus&) const = default;
};

struct StreamStatus {
  std::int64_t generation = 0;  // observedGeneration; 0: never written
  std::string ports;            // that the object has: "5432, 6000-6100"
  std::string backends;         // endpoints that are ready of all: "2/3"
  std::string replicas;         // proxies that serve it of all: "1/1"
  std::string config;           // name of the first table that held this generation
  std::string reason;           // of the worst condition
  StreamColumns columns;
  std::vector<StreamAddress> addresses;  // where clients reach the ports
  std::vector<Condition> conditions;
  std::vector<ListenerStatus> listeners;

  const Condition* find(std::string_view type) const;
  const ListenerStatus* find_listener(std::string_view name) const;
  /// Whether the object has had this port.
  bool has_port(std::uint16_t port) const;
  bool operator==(const StreamStatus&) const = default;
};

StreamStatus parse_stream_status(const Json& object);
/// "5432, 6000-6100"; `ports` is sorted.
std::string print_ports(const std::vector<std::uint16_t>& ports);
/// The JSON of a merge patch that takes the status back, but for ports that listeners were given:
/// those are the object's as long as it is there.
std::string retired_status_json(const StreamStatus& status);
/// The JSON of the status, for a merge patch.
std::string status_json(const StreamStatus& status);

}  // namespace penstock::objects
