#pragma once
// The connection ids of the QUIC connections that one UDP session carries: what its endpoint is
// chosen by, and what other sessions can find that endpoint by when the client's address has
// changed. An id is learned when both sides have shown it in the clear: the endpoint has named it,
// and the client has used it since, so that a made-up address, which hears no answer, leaves
// nothing behind. Packets with short headers, which are nearly all, cost the look at one bit.
// Owned by the session; on its worker.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "proxy/base/asio.h"
#include "proxy/base/clock.h"
#include "proxy/base/connection_ids.h"

namespace penstock::session {

class QuicIds {
 public:
  /// Ids that a session has at a time; an earlier one is forgotten for a later one. So where as
  /// many are known of a stream as its sessions may have, there is always room for one that is
  /// learned.
  static constexpr std::size_t kMost = 4;

  /// `known` outlives this. `first` is the datagram that the session begins with.
  QuicIds(base::ConnectionIds& known, std::string_view first, base::SteadyTime forget_before);
  QuicIds(const QuicIds&) = delete;
  QuicIds& operator=(const QuicIds&) = delete;

  /// The hash of the id that the first datagram is for; none where it has none, or is not of QUIC.
  const std::optional<std::uint64_t>& key() const { return key_; }
  /// Whose id that is; none where it is not known.
  const std::optional<base::TcpEndpoint>& endpoint() const { return endpoint_; }

  void hear_endpoint(std::span<const std::string_view> datagrams);
  /// What is learned is of `endpoint`; `most` ids are known of the stream.
  void hear_client(std::span<const std::string_view> datagrams, const base::TcpEndpoint& endpoint,
                   std::size_t most, base::SteadyTime forget_before);
  /// The session ends. Its ids are found for a while, as far as `forget_before` goes back.
  void release(base::SteadyTime now);

 private:
  void find(std::string_view first, base::SteadyTime forget_before);

  base::ConnectionIds& known_;
  std::optional<std::uint64_t> key_;
  std::optional<base::TcpEndpoint> endpoint_;
  std::vector<base::ConnectionId> offered_;  // by the endpoint, not yet used by the client
  std::vector<base::ConnectionId> held_;
};

}  // namespace penstock::session
