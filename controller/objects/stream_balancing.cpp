#include "controller/objects/stream_balancing.h"

#include <algorithm>
#include <array>
#include <span>

#include "controller/objects/parse.h"

namespace penstock::objects {
namespace {

constexpr std::int64_t kLeastBound = 100;
constexpr std::int64_t kMostBound = 1000;
constexpr base::Duration kLongestSlowStart{3'600'000};
constexpr std::array kAlgorithms = {
    Named<LoadBalancing>{"RoundRobin", LoadBalancing::kRoundRobin},
    Named<LoadBalancing>{"LeastConnections", LoadBalancing::kLeastConnections},
    Named<LoadBalancing>{"Random", LoadBalancing::kRandom},
    Named<LoadBalancing>{"Random2", LoadBalancing::kRandom2},
    Named<LoadBalancing>{"LeastTime", LoadBalancing::kLeastTime},
    Named<LoadBalancing>{"SourceIPHash", LoadBalancing::kSourceIpHash},
    Named<LoadBalancing>{"Hash", LoadBalancing::kHash},
};
constexpr std::array kTcpHashKeys = {
    Named<StreamHashKey>{"SourceIP", StreamHashKey::kSourceIp},
    Named<StreamHashKey>{"SourceIPPort", StreamHashKey::kSourceIpPort},
    Named<StreamHashKey>{"SNI", StreamHashKey::kServerName},
};
constexpr std::array kUdpHashKeys = {
    Named<StreamHashKey>{"SourceIP", StreamHashKey::kSourceIp},
    Named<StreamHashKey>{"SourceIPPort", StreamHashKey::kSourceIpPort},
    Named<StreamHashKey>{"QUICConnectionID", StreamHashKey::kQuicConnectionId},
};

StreamBalancing parse_balancing(const Json& spec, std::span<const Named<StreamHashKey>> hash_keys) {
  StreamBalancing balancing;
  const auto part = spec.get("loadBalancing");
  if (part.is_absent()) return balancing;
  part.allow_only({"algorithm", "hashKey", "boundedLoadPercent", "slowStart"});
  balancing.algorithm = choose(part, "algorithm", kAlgorithms, LoadBalancing::kRoundRobin);
  balancing.hash_key = choose(part, "hashKey", hash_keys, StreamHashKey::kSourceIp);
  balancing.bounded_load_percent =
      parse_count(part, "boundedLoadPercent", kLeastBound, kMostBound).value_or(0);
  balancing.slow_start = parse_duration(part, "slowStart").value_or(balancing.slow_start);
  if (balancing.slow_start > kLongestSlowStart) {
    part.get("slowStart").fail("expected at most an hour");
  }
  if (balancing.slow_start.count() != 0 && balancing.is_hashing()) {
    part.fail("slowStart: expected with an algorithm that is no hash");
  }
  if (!part.get("hashKey").is_absent() && balancing.algorithm != LoadBalancing::kHash) {
    part.fail("hashKey: expected with the algorithm Hash only");
  }
  if (balancing.bounded_load_percent != 0 && !balancing.is_hashing()) {
    part.fail("boundedLoadPercent: expected with the algorithms Hash and SourceIPHash only");
  }
  return balancing;
}

}  // namespace

std::string_view name_of(LoadBalancing algorithm) {
  return std::ranges::find(kAlgorithms, algorithm, &Named<LoadBalancing>::second)->first;
}

StreamBalancing parse_tcp_balancing(const Json& spec) {
  return parse_balancing(spec, kTcpHashKeys);
}

StreamBalancing parse_udp_balancing(const Json& spec) {
  return parse_balancing(spec, kUdpHashKeys);
}

void check_no_backup(const Json& json, const StreamBalancing& balancing,
                     const std::vector<StreamBackend>& backends) {
  if (balancing.is_hashing() && std::ranges::any_of(backends, &StreamBackend::is_backup)) {
    json.fail("backends: expected no backup with a hash algorithm, got one");
  }
}

}  // namespace penstock::objects
