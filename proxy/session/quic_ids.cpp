#include "proxy/session/quic_ids.h"

#include <algorithm>

#include "proxy/base/text.h"
#include "proxy/net/quic_header.h"

namespace penstock::session {
namespace {

/// So much of an id is hashed: what a client chooses for its first packet has as much at least
/// (RFC 9000 section 7.2), and in a short header nobody but its owner knows how long an id is.
constexpr std::size_t kHashed = 8;

}  // namespace

QuicIds::QuicIds(base::ConnectionIds& known, std::string_view first, base::SteadyTime forget_before)
    : known_(known) {
  find(first, forget_before);
}

void QuicIds::find(std::string_view first, base::SteadyTime forget_before) {
  std::string_view id;
  std::optional<base::ConnectionIds::Known> found;
  if (net::has_quic_long_header(first)) {
    const auto header = net::read_quic_long_header(first);
    if (!header || header->version == 0) return;
    id = header->destination;
    found = known_.hold(id, forget_before);
  } else {
    id = net::quic_short_header_id(first);
    found = known_.hold_prefix(id, forget_before);
  }
  if (!id.empty()) key_ = base::fnv1a(id.substr(0, kHashed));
  if (!found) return;
  endpoint_ = found->endpoint;
  held_.push_back(found->id);
}

void QuicIds::hear_endpoint(std::span<const std::string_view> datagrams) {
  for (const auto& each : datagrams) {
    if (!net::has_quic_long_header(each)) continue;
    const auto header = net::read_quic_long_header(each);
    // What a Version Negotiation has for the server's id is what the client has sent.
    if (!header || header->version == 0) continue;
    const auto id = base::ConnectionId::of(header->source);
    if (!id || std::ranges::find(held_, *id) != held_.end()) continue;
    if (std::ranges::find(offered_, *id) != offered_.end()) continue;
    if (offered_.size() == kMost) offered_.erase(offered_.begin());
    offered_.push_back(*id);
  }
}

void QuicIds::hear_client(std::span<const std::string_view> datagrams,
                          const base::TcpEndpoint& endpoint, std::size_t most,
                          base::SteadyTime forget_before) {
  if (offered_.empty()) return;
  for (const auto& each : datagrams) {
    if (!net::has_quic_long_header(each)) continue;
    const auto header = net::read_quic_long_header(each);
    const auto id = header ? base::ConnectionId::of(header->destination) : std::nullopt;
    if (!id || std::erase(offered_, *id) == 0) continue;
    if (held_.size() == kMost) {
      known_.forget(held_.front());
      held_.erase(held_.begin());
    }
    if (known_.learn(*id, endpoint, most, forget_before)) held_.push_back(*id);
  }
}

void QuicIds::release(base::SteadyTime now) {
  for (const auto& id : held_) known_.release(id, now);
  held_.clear();
}

}  // namespace penstock::session
