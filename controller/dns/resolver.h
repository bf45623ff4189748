#pragma once
// Names to addresses over DNS (c-ares), on the controller's io_context: no threads, no /etc/hosts.
// IPv4 goes first; IPv6 addresses are asked for only where a name has no IPv4 address, or where
// only they are wanted. SRV records give names, whose addresses are questions of their own.
#include <chrono>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controller/dns/resolv_conf.h"
#include "controller/world/srv_target.h"
#include "proxy/base/asio.h"

namespace penstock::dns {

struct Answer {
  std::vector<base::Address> addresses;        // sorted, without repetition, at most kMaxAddresses
  std::chrono::seconds ttl{0};                 // the smallest of the answer's, aliases included
  std::vector<world::SrvTarget> targets = {};  // of an SRV question; sorted, at most kMaxAddresses
};

/// What is asked for a name: "A db.example", "AAAA db.example", "SRV _pg._tcp.db.example"; without
/// a type, IPv4 addresses, or IPv6 where there are none.
struct Question {
  enum class Type : std::uint8_t { kAny, kA, kAaaa, kSrv };
  Type type = Type::kAny;
  std::string_view name;
};
Question read_question(std::string_view text);

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

  /// An address as a name is its own answer, with the longest TTL. `question`: see Question.
  void resolve(std::string_view question, std::function<void(ResolveResult)> on_done);

 private:
  class Channel;
  std::shared_ptr<Channel> channel_;
};

}  // namespace penstock::dns
