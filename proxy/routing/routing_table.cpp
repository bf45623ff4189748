#include "proxy/routing/routing_table.h"

#include <algorithm>

#include "proxy/base/text.h"

namespace penstock::routing {
namespace {

/// "shop.example.com" -> "*.example.com". The original's pattern takes letters, digits, '_' and '-'
/// as the one label.
std::string wildcard_of(std::string_view host) {
  const auto dot = host.find('.');
  if (dot == 0 || dot == std::string_view::npos) return {};
  const auto is_label = [](char c) {
    return base::is_digit(c) || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
  };
  if (!std::ranges::all_of(host.substr(0, dot), is_label)) return {};
  return "*" + std::string(host.substr(dot));
}

}  // namespace

const CompiledHost* RoutingTable::find_host(std::string_view host) const {
  if (const auto* exact = hosts_.find(host)) return exact->get();
  if (const auto wildcard = wildcard_of(host); !wildcard.empty()) {
    if (const auto* found = hosts_.find(wildcard)) return found->get();
  }
  const auto* catch_all = hosts_.find("_");
  return catch_all == nullptr ? nullptr : catch_all->get();
}

RoutingTable::Match RoutingTable::find(std::string_view host, std::string_view path) const {
  const auto* found = find_host(host);
  if (found == nullptr) return {};
  const auto match = found->paths->find(path);
  if (!match) return {};
  return {&found->routes[match->route], match->redirects_to_slash, found};
}

std::shared_ptr<const net::TlsIdentity> RoutingTable::identity_for(
    std::string_view server_name) const {
  if (const auto* host = server_name.empty() ? nullptr : find_host(server_name)) {
    if (const auto* own = identities_.find(host->host->certificate)) return *own;
  }
  return identity(snapshot::kDefaultCertificate);
}

std::shared_ptr<const net::TlsIdentity> RoutingTable::identity(std::string_view certificate) const {
  const auto* found = identities_.find(certificate);
  return found == nullptr ? nullptr : *found;
}

const CompiledUpstream* RoutingTable::upstream(std::uint32_t slot) const {
  const auto chunk = slot / kChunk;
  return chunk < upstreams_.size() ? (*upstreams_[chunk])[slot % kChunk].get() : nullptr;
}

std::optional<std::uint32_t> RoutingTable::upstream_slot(std::string_view name) const {
  const auto* slot = slots_.find(name);
  return slot == nullptr ? std::nullopt : std::optional(*slot);
}

}  // namespace penstock::routing
