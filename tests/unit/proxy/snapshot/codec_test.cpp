#include "proxy/snapshot/codec.h"

#include <gtest/gtest.h>

#include <random>

#include "proxy/snapshot/validate.h"

namespace penstock::snapshot {
namespace {

PartPtr part(Part value) { return std::make_shared<const Part>(std::move(value)); }

/// One part of every kind, with no field left at its default where that is easy.
Update everything() {
  Global global;
  global.listeners = {{"", 80, false}, {"::1", 443, true}};
  global.access_log.escape = LogEscape::kJson;
  global.forwarded.trusted_networks = {*base::IpNet::parse("10.0.0.0/8")};
  Certificate certificate{"ns/tls", "chain", "key"};
  Upstream upstream;
  upstream.name = "ns-svc-80";
  upstream.balancing.algorithm = Algorithm::kEwma;
  upstream.passive_health.max_fails = 3;
  Endpoints endpoints{"ns-svc-80", {{"10.0.0.1", 80, 1}, {"2001:db8::1", 81, 5}}};
  Route route;
  route.path = "/a";
  route.match = PathMatch::kExact;
  route.upstream = "ns-svc-80";
  route.policy.timeouts.read = base::Duration(1'500);
  route.policy.next_upstream.on_status = {502, 503};
  route.policy.ip_access.denied = {*base::IpNet::parse("2001:db8::/32")};
  Host host{"a.example", "ns/tls", {route}};
  Stream stream;
  stream.name = "tcp/3306";
  stream.port = 3306;
  stream.rules = {{{*base::IpNet::parse("10.0.0.0/8")}, {{"ns-svc-80", 2, ProxyProtocolOut::kV2}}}};
  return {0,
          7,
          {{{PartKind::kGlobal, ""}, part(global)},
           {{PartKind::kCertificate, "ns/tls"}, part(certificate)},
           {{PartKind::kUpstream, "ns-svc-80"}, part(upstream)},
           {{PartKind::kEndpoints, "ns-svc-80"}, part(endpoints)},
           {{PartKind::kHost, "a.example"}, part(host)},
           {{PartKind::kStream, "tcp/3306"}, part(stream)},
           {{PartKind::kHost, "gone.example"}, nullptr}}};
}

TEST(Codec, EveryPartComesBackEqual) {
  const auto update = everything();
  const auto decoded = decode_update(encode(update));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->base, 0U);
  EXPECT_EQ(decoded->version, 7U);
  ASSERT_EQ(decoded->parts.size(), update.parts.size());
  for (std::size_t i = 0; i < update.parts.size(); ++i) {
    EXPECT_EQ(decoded->parts[i].first, update.parts[i].first);
    ASSERT_EQ(decoded->parts[i].second != nullptr, update.parts[i].second != nullptr);
    if (update.parts[i].second) {
      EXPECT_TRUE(*decoded->parts[i].second == *update.parts[i].second);
    }
  }
}

TEST(Codec, RefusesEveryTruncation) {
  const auto bytes = encode(everything());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_update(std::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_update(bytes + "x")) << "bytes after the end";
}

TEST(Codec, LivesThroughRandomDamage) {
  const auto good = encode(everything());
  std::minstd_rand random(42);
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = good;
    for (int n = 0; n < 3; ++n) bytes[random() % bytes.size()] = static_cast<char>(random());
    // Whatever decodes can be encoded again: nothing half-read comes out.
    if (const auto decoded = decode_update(bytes)) {
      ++accepted;
      EXPECT_TRUE(decode_update(encode(*decoded)));
    }
  }
  EXPECT_LT(accepted, 20'000);
}

TEST(Codec, ACountBeyondTheBytesAllocatesNothing) {
  std::string bytes = encode(Part(Endpoints{"up", {}}));
  bytes.resize(bytes.size() - 4);
  bytes += "\xff\xff\xff\xff";
  const auto decoded = decode_part(PartKind::kEndpoints, bytes);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().message, "field endpoints: not decodable");
}

TEST(Codec, AnUnknownEnumValueIsRefused) {
  auto bytes = encode(Part(Upstream{}));
  // name, namespace, service, port are empty: four counts, then the algorithm.
  bytes[16] = 99;
  EXPECT_FALSE(decode_part(PartKind::kUpstream, bytes));
}

TEST(Codec, TheFingerprintIsStable) { EXPECT_EQ(schema_fingerprint(), schema_fingerprint()); }

TEST(Apply, SetsAndRemovesParts) {
  Snapshot snapshot;
  apply(everything(), snapshot);
  EXPECT_EQ(snapshot.version, 7U);
  EXPECT_EQ(snapshot.parts.size(), 6U);
  apply({7, 8, {{{PartKind::kStream, "tcp/3306"}, nullptr}}}, snapshot);
  EXPECT_EQ(snapshot.parts.size(), 5U);
  apply({0, 9, {}}, snapshot);
  EXPECT_TRUE(snapshot.parts.empty());
}

std::vector<std::string> problems(const Update& update) {
  Snapshot after;
  apply(update, after);
  return validate(update, after);
}

TEST(Validate, AcceptsAWholeSnapshot) { EXPECT_TRUE(problems(everything()).empty()); }

TEST(Validate, NamesPartFieldExpectedAndFound) {
  auto update = everything();
  update.parts.erase(update.parts.begin() + 2);  // the upstream
  const auto reasons = problems(update);
  ASSERT_EQ(reasons.size(), 2U);
  EXPECT_EQ(reasons[0], "host a.example: upstream: 'ns-svc-80' is not in the snapshot");
  EXPECT_EQ(reasons[1], "stream tcp/3306: upstream: 'ns-svc-80' is not in the snapshot");
}

TEST(Validate, DelegatesAreStreamsThatAreEnteredByNames) {
  const auto check = [](std::vector<StreamDelegate> delegates, StreamEntrance entrance) {
    Stream member;
    member.name = "tcp/9000/n/a";
    member.port = 9000;
    member.entrance = entrance;
    Stream shared;
    shared.name = "tcp/9000";
    shared.port = 9000;
    shared.delegates = std::move(delegates);
    return problems({0,
                     1,
                     {{{PartKind::kStream, shared.name}, part(shared)},
                      {{PartKind::kStream, member.name}, part(member)}}});
  };
  constexpr auto kNames = StreamEntrance::kNames;
  EXPECT_TRUE(check({{"*.a", "tcp/9000/n/a"}, {"b", "tcp/9000/n/a"}}, kNames).empty());
  EXPECT_FALSE(check({{"b", "tcp/9000/n/a"}, {"*.a", "tcp/9000/n/a"}}, kNames).empty());
  EXPECT_FALSE(check({{"b", "tcp/9000/n/a"}, {"b", "tcp/9000/n/a"}}, kNames).empty());
  EXPECT_FALSE(check({{"b", "tcp/9000/n/gone"}}, kNames).empty());
  EXPECT_FALSE(check({{"b", "tcp/9000/n/a"}}, StreamEntrance::kPort).empty());
  Stream https;
  https.name = "tcp/443";
  https.port = 443;
  https.entrance = StreamEntrance::kHttps;
  EXPECT_FALSE(problems({0, 1, {{{PartKind::kStream, "tcp/443"}, part(https)}}}).empty());
}

TEST(Validate, RefusesWhatCannotBeServed) {
  const auto one = [](PartKind kind, const std::string& name, Part value) {
    return problems({0, 1, {{{kind, name}, part(std::move(value))}}});
  };
  EXPECT_FALSE(one(PartKind::kEndpoints, "up", Endpoints{"up", {{"not an ip", 80, 1}}}).empty());
  EXPECT_FALSE(one(PartKind::kEndpoints, "up", Endpoints{"up", {{"1.2.3.4", 0, 1}}}).empty());
  EXPECT_FALSE(one(PartKind::kEndpoints, "up", Endpoints{"other", {}}).empty());
  EXPECT_FALSE(one(PartKind::kHost, "h", Endpoints{"h", {}}).empty()) << "a part of another kind";
  Route first;
  first.path = "/b";
  Route second;
  second.path = "/a";
  EXPECT_FALSE(one(PartKind::kHost, "h", Host{"h", "", {first, second}}).empty()) << "unsorted";
  EXPECT_FALSE(one(PartKind::kHost, "h", Host{"h", "", {first, first}}).empty()) << "repeated";
  EXPECT_FALSE(one(PartKind::kHost, "h", Host{"h", "none", {}}).empty()) << "no certificate";
  EXPECT_FALSE(one(PartKind::kStream, "s", Stream{}).empty()) << "no port";
  UdpStream udp;
  udp.name = "udp/53";
  udp.port = 53;
  EXPECT_TRUE(one(PartKind::kUdpStream, "udp/53", udp).empty());
  udp.name = "tcp/53";
  EXPECT_FALSE(one(PartKind::kUdpStream, "tcp/53", udp).empty()) << "the name tells the transport";
  udp.name = "udp/53";
  udp.hash_key = HashKey::kServerName;
  EXPECT_FALSE(one(PartKind::kUdpStream, "udp/53", udp).empty());
  udp.hash_key = HashKey::kQuicConnectionId;
  EXPECT_TRUE(one(PartKind::kUdpStream, "udp/53", udp).empty());
  udp.max_sessions = 0;
  EXPECT_FALSE(one(PartKind::kUdpStream, "udp/53", udp).empty());
}

}  // namespace
}  // namespace penstock::snapshot
