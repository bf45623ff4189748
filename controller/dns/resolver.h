#pragma once
// Names to addresses over DNS (c-ares), on the controller's io_context: no threads, no /etc/hosts.
// IPv4 goes first; IPv6 addresses are asked for only where a name has no IPv4 address.
#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controller/dns/resolv_conf.h"
#include "proxy/base/asio.h"

namespace penstock::dns {

struct Answer {
  std::vector<base::Address> addresses;  // sorted, without repetition, at most kMaxAddresses
  std::chrono::seconds ttl{0};           // the smallest of the answer's, aliases included
};

enum class Failure {
  kBadName,      // no name that DNS could carry
  kNotFound,     // the servers say so: the name, or any address of it, does not exist
  kUnavailable,  // no server gave a usable answer
  kTooMany,      // too many names are being resolved already
};
std::string_view to_string(Failure failure);

using ResolveResult = std::expected<Answer, Failure>;

inline constexpr std::size_t kMaxAddresses = 256;
inline constexpr std::size_t kMaxLookups = 4096;

/// Owned by main. Callbacks are posted, never called within resolve(); after the resolver is gone
/// none comes any more.
class Resolver {
 public:
  Resolver(asio::io_context& io, ResolvConf conf);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();

  /// An address as a name is its own answer, with the longest TTL.
  void resolve(std::string_view name, std::function<void(ResolveResult)> on_done);

 private:
  class Channel;
  std::shared_ptr<Channel> channel_;
};

}  // namespace penstock::dns
