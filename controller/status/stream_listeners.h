#pragma once
// What each listener of a TCPService or UDPService has, for its status. Pure.
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "controller/status/stream_conditions.h"
#include "controller/translate/options.h"
#include "controller/translate/stream_port.h"

namespace penstock::status {

/// Ports with the address that each is held at; empty: every address.
using PortsAtAddress = std::set<std::pair<std::uint16_t, std::string>>;
/// What streams hold, by the owner: "TCPService db/mysql".
using HeldByOwner = std::map<std::string, PortsAtAddress>;
HeldByOwner held_by_owner(const std::map<snapshot::PartKey, snapshot::PartPtr>& parts);

/// Sorted, without repeats.
std::vector<std::uint16_t> ports_of(const PortsAtAddress& held);

/// Whether the diagnostic of an object is about this one of its listeners.
bool is_about(const translate::Diagnostic& diagnostic, std::size_t listener);

/// `bind_problems` are those of the object's streams: "cannot open tcp/3306: ...".
template <class T>
std::vector<ListenerView> listener_views(const translate::Transport& transport,
                                         const translate::Options& options, const T& service,
                                         const PortsAtAddress& held, const StreamView& view);

}  // namespace penstock::status
