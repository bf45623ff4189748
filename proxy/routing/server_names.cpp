#include "proxy/routing/server_names.h"

#include <algorithm>
#include <string>

namespace penstock::routing {

const snapshot::StreamDelegate* find_delegate(std::span<const snapshot::StreamDelegate> delegates,
                                              std::string_view server_name) {
  const auto find = [&](std::string_view name) -> const snapshot::StreamDelegate* {
    const auto at = std::ranges::lower_bound(
        delegates, name, {},
        [](const snapshot::StreamDelegate& each) { return std::string_view(each.server_name); });
    return at != delegates.end() && at->server_name == name ? &*at : nullptr;
  };
  if (!server_name.empty()) {
    if (const auto* whole = find(server_name)) return whole;
    std::string wildcard;
    for (auto dot = server_name.find('.'); dot != std::string_view::npos;
         dot = server_name.find('.', dot + 1)) {
      wildcard.assign("*").append(server_name.substr(dot));
      if (const auto* wild = find(wildcard)) return wild;
    }
  }
  return find({});
}

const snapshot::StreamDelegate* find_https_delegate(const RoutingTable& table,
                                                    const snapshot::Stream& names,
                                                    std::string_view server_name) {
  const auto* delegate = find_delegate(names.delegates, server_name);
  if (delegate == nullptr || delegate->server_name == server_name) return delegate;
  const auto* host = table.find_host(server_name);
  if (host == nullptr) return delegate;
  const std::string_view name = host->host->name;
  const bool is_closer =
      name == server_name || (name.starts_with("*.") && name.size() > delegate->server_name.size());
  return is_closer ? nullptr : delegate;
}

}  // namespace penstock::routing
