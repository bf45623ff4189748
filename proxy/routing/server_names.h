#pragma once
// Who has a server name: of a port that streams share, and of the HTTPS port, where hosts have
// theirs.
#include <span>
#include <string_view>

#include "proxy/routing/routing_table.h"
#include "proxy/snapshot/stream_names.h"

namespace penstock::routing {

/// By the whole name, else by the longest wildcard, else whoever has the names that nobody else
/// has; null where nobody does. `delegates` are sorted, and the name is in lower case. By search:
/// an HTTPS port may have thousands.
const snapshot::StreamDelegate* find_delegate(std::span<const snapshot::StreamDelegate> delegates,
                                              std::string_view server_name);

/// The same on the HTTPS port, where `names` are those of streams: null where a host of the table
/// has the name more closely, or nobody does. A host and a delegate of the same name are never both
/// meant: it was settled whose it is before the delegate came here.
const snapshot::StreamDelegate* find_https_delegate(const RoutingTable& table,
                                                    const snapshot::Stream& names,
                                                    std::string_view server_name);

}  // namespace penstock::routing
