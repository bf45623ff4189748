#include "controller/objects/parse.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::objects {
namespace {

template <class T>
T read(Kind kind, std::string_view json) {
  Parser parser;
  const auto object = parser.parse(kind, json);
  EXPECT_TRUE(object.has_value()) << (object ? "" : object.error().message);
  return object ? *std::get<Ptr<T>>(*object) : T{};
}

ParseError refused(Kind kind, std::string_view json) {
  Parser parser;
  const auto object = parser.parse(kind, json);
  EXPECT_FALSE(object.has_value());
  return object ? ParseError{} : object.error();
}

TEST(ParseIngress, ReadsEveryFieldThatIsServed) {
  const auto ingress = read<Ingress>(Kind::kIngress, R"({
    "metadata": {"namespace": "shop", "name": "web", "creationTimestamp": "2026-01-31T12:00:01Z",
      "generation": 3, "annotations": {"a/b": "c",
      "kubectl.kubernetes.io/last-applied-configuration": "{}"}},
    "spec": {"ingressClassName": "nginx",
      "defaultBackend": {"service": {"name": "fallback", "port": {"name": "http"}}},
      "tls": [{"hosts": ["Shop.Example"], "secretName": "cert"}],
      "rules": [{"host": "Shop.Example", "http": {"paths": [
        {"path": "/a", "pathType": "Exact", "backend": {"service": {"name": "s", "port": {"number": 80}}}},
        {"path": "/b", "pathType": "Prefix", "backend": {"resource": {"kind": "Bucket", "name": "x"}}}
      ]}}]}})");
  EXPECT_EQ(ingress.meta.name_space, "shop");
  EXPECT_EQ(ingress.meta.created, 1769860801);
  EXPECT_EQ(ingress.meta.annotations.size(), 1U);
  EXPECT_EQ(ingress.class_name, "nginx");
  EXPECT_EQ(ingress.default_backend->port.text(), "http");
  EXPECT_EQ(ingress.tls.at(0).hosts.at(0), "shop.example");
  ASSERT_EQ(ingress.rules.at(0).paths.size(), 2U);
  EXPECT_EQ(ingress.rules[0].host, "shop.example");
  EXPECT_EQ(ingress.rules[0].paths[0].type, PathType::kExact);
  EXPECT_EQ(ingress.rules[0].paths[0].backend->port.number, 80);
  EXPECT_FALSE(ingress.rules[0].paths[1].backend.has_value());
}

TEST(ParseIngress, NamesTheFieldThatIsWrong) {
  const auto error = refused(Kind::kIngress, R"({"metadata": {"name": "x"}, "spec": {"rules": [
    {"host": "a", "http": {"paths": [{"path": 7}]}}]}})");
  EXPECT_EQ(error.pointer, "/spec/rules/0/http/paths/0/path");
  EXPECT_THAT(error.message, testing::HasSubstr("expected a string"));
}

TEST(ParseIngress, NamesTheAnnotationThatIsNoText) {
  const auto error = refused(Kind::kIngress, R"({"metadata": {"name": "x", "annotations": {
    "a.example/b~c": 10}}})");
  EXPECT_EQ(error.message, "a.example/b~c: expected a string, got a number");
}

TEST(ParseIngress, IsAsOldAsItsSourceSaysWhereItDoesNotSayItself) {
  Parser parser;
  const auto created = [&](std::string_view metadata) {
    const auto object =
        parser.parse(Kind::kIngress, fmt::format(R"({{"metadata": {{{}}}}})", metadata), 7);
    return std::get<Ptr<Ingress>>(*object)->meta.created;
  };
  EXPECT_EQ(created(R"("name": "x")"), 7);
  EXPECT_EQ(created(R"("name": "x", "creationTimestamp": null)"), 7);
  EXPECT_EQ(created(R"("name": "x", "creationTimestamp": "1970-01-01T00:00:09Z")"), 9);
}

TEST(ParseIngress, RefusesWhatIsNoJson) {
  EXPECT_THAT(refused(Kind::kIngress, "{").message, testing::HasSubstr("expected JSON"));
}

TEST(ParseService, DefaultsTheTargetPort) {
  const auto service = read<Service>(Kind::kService, R"({"metadata": {"name": "s"}, "spec": {
    "clusterIP": "None", "ports": [{"name": "a", "port": 80},
    {"port": 81, "targetPort": "web", "protocol": "UDP"}]},
    "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb.example"}]}}})");
  EXPECT_EQ(service.cluster_ip, "None");
  EXPECT_EQ(service.ports.at(0).target.number, 80);
  EXPECT_EQ(service.ports.at(1).target.name, "web");
  EXPECT_EQ(service.ports.at(1).protocol, Protocol::kUdp);
  EXPECT_EQ(service.load_balancer, (std::vector<std::string>{"192.0.2.1", "lb.example"}));
}

TEST(ParseService, RefusesAPortOutOfRange) {
  EXPECT_EQ(refused(Kind::kService, R"({"spec": {"ports": [{"port": 65536}]}})").pointer,
            "/spec/ports/0/port");
}

TEST(ParseEndpointSlice, CountsAbsentReadinessAsReady) {
  const auto slice = read<EndpointSlice>(Kind::kEndpointSlice, R"({
    "metadata": {"name": "s-1", "labels": {"kubernetes.io/service-name": "s"}},
    "addressType": "IPv6", "ports": [{"port": 8080}],
    "endpoints": [{"addresses": ["fd00::1"]},
      {"addresses": ["fd00::2"], "conditions": {"ready": false}}]})");
  EXPECT_EQ(slice.service, "s");
  EXPECT_TRUE(slice.has_ip_addresses);
  EXPECT_TRUE(slice.endpoints.at(0).is_ready);
  EXPECT_FALSE(slice.endpoints.at(1).is_ready);
}

TEST(ParseSecret, DecodesItsData) {
  const auto secret = read<Secret>(Kind::kSecret, R"({"type": "kubernetes.io/tls",
    "data": {"tls.crt": "Y2VydA==", "tls.key": "a2V5"}})");
  EXPECT_EQ(secret.data.at("tls.crt"), "cert");
  EXPECT_EQ(secret.data.at("tls.key"), "key");
}

TEST(ParseSecret, RefusesWhatIsNoBase64WithoutShowingIt) {
  const auto error = refused(Kind::kSecret, R"({"data": {"tls.key": "!very-secret!"}})");
  EXPECT_EQ(error.pointer, "/data/tls.key");
  EXPECT_THAT(error.message, testing::StartsWith("tls.key: expected base64"));
  EXPECT_THAT(error.message, testing::Not(testing::HasSubstr("secret!")));
}

constexpr std::string_view kTcpService = R"({"metadata": {"namespace": "db", "name": "mysql"},
  "spec": {"listeners": [{"name": "main", "port": 3306}], "rules": [{"backends": [
  {"service": {"name": "mysql", "port": 3306}}]}], "timeouts": {"idle": "10m"}}})";

TEST(ParseTcpService, ReadsTheShortForm) {
  const auto service = read<TcpService>(Kind::kTcpService, kTcpService);
  EXPECT_EQ(service.listeners.at(0).ports.first, 3306);
  EXPECT_EQ(service.rules.at(0).backends.at(0).service, "mysql");
  EXPECT_EQ(service.idle_timeout, base::Duration(600'000));
  EXPECT_FALSE(service.connect_timeout.has_value());
}

TEST(ParseTcpService, RefusesFieldsItDoesNotKnow) {
  std::string json(kTcpService);
  json.replace(json.find("\"timeouts\""), 10, "\"tiemouts\"");
  const auto error = refused(Kind::kTcpService, json);
  EXPECT_THAT(error.pointer + error.message, testing::HasSubstr("tiemouts"));
}

TEST(ParseTcpService, AsksForTrustedNetworksWithTheProxyProtocol) {
  const auto error =
      refused(Kind::kTcpService, R"({"spec": {"listeners": [{"name": "main", "port": 1,
    "proxyProtocol": {"mode": "Required"}}], "rules": [{"backends": [
    {"host": {"name": "h", "port": 1}}]}]}})");
  EXPECT_EQ(error.pointer, "/spec/listeners/0/proxyProtocol");
}

TEST(ParseTcpService, ReadsPortRanges) {
  const auto with = [](std::string_view listener) {
    return fmt::format(R"({{"spec": {{"listeners": [{}], "rules": [{{"backends": [
      {{"host": {{"name": "h", "port": 1}}}}]}}]}}}})",
                       listener);
  };
  const auto service = read<TcpService>(
      Kind::kTcpService, with(R"({"name": "main", "portRange": {"start": 2000, "end": 3023}})"));
  EXPECT_EQ(service.listeners.at(0).ports.first, 2000);
  EXPECT_EQ(service.listeners.at(0).ports.last, 3023);
  for (const auto* bad :
       {R"({"name": "main"})",
        R"({"name": "main", "port": 1, "portRange": {"start": 1, "end": 2}})",
        R"({"name": "main", "portRange": {"start": 2, "end": 1}})",
        R"({"name": "main", "portRange": {"start": 2000, "end": 3024}})",
        R"({"name": "main", "portRange": {"start": 0, "end": 1}})",
        R"({"name": "main", "port": -1})", R"({"name": "main", "portRange": {"start": 1}})"}) {
    refused(Kind::kTcpService, with(bad));
  }
}

TEST(ParseTcpService, AListenerThatTakesAnyPortHasTheOneOfItsStatus) {
  const auto with = [](std::string_view status) {
    return fmt::format(R"({{"metadata": {{"name": "s", "namespace": "n"}}, "spec": {{
      "listeners": [{{"name": "a", "port": 0}}, {{"name": "b", "port": 0}}, {{"name": "c", "port": 7}}],
      "rules": [{{"backends": [{{"host": {{"name": "h", "port": 1}}}}]}}]}},
      "status": {{"listeners": [{}]}}}})",
                       status);
  };
  const auto fresh = read<TcpService>(Kind::kTcpService, with(""));
  EXPECT_TRUE(fresh.listeners[0].takes_any_port);
  EXPECT_EQ(fresh.listeners[0].ports.first, 0);
  const auto given = read<TcpService>(Kind::kTcpService,
                                      with(R"({"name": "b", "allocatedPort": 9000, "ports": "9000"},
                                 {"name": "c", "allocatedPort": 9001})"));
  EXPECT_EQ(given.listeners[0].ports.last, 0);
  EXPECT_EQ(given.listeners[1].ports.first, 9000);
  EXPECT_EQ(given.listeners[1].ports.last, 9000);
  EXPECT_EQ(given.listeners[2].ports.first, 7) << "it names its own";
}

TEST(ParseTcpService, RefusesWhatHasNoMeaning) {
  const auto with = [](std::string_view more) {
    return fmt::format(
        R"({{"spec": {{"listeners": [{{"name": "main", "port": 1}}], "rules": [{{"backends": [
      {{"host": {{"name": "h", "port": 1}}}}]}}]{}}}}})",
        more);
  };
  for (const auto* bad :
       {R"(, "keepalive": {"interval": "1s"})",
        R"(, "keepalive": {"idle": "1s", "probes": 0})",
        R"(, "limits": {"connections": -1})",
        R"(, "limits": {"conections": 1})",
        R"(, "accessLog": {"format": "XML"})",
        R"(, "accessLog": {"sampleRatio": "1.5"})",
        R"(, "accessLog": {"sampleRatio": "0."})",
        R"(, "accessLog": {"sampleRatio": "0.1234567"})",
        R"(, "accessLog": {"sampleRatio": ".5"})",
        R"(, "timeouts": {"maxSession": "soon"})",
        R"(, "loadBalancing": {"hashKey": "SourceIP"})",
        R"(, "loadBalancing": {"algorithm": "Hash", "boundedLoadPercent": 99})",
        R"(, "loadBalancing": {"algorithm": "Random", "boundedLoadPercent": 125})",
        R"(, "loadBalancing": {"algorithm": "Hash", "slowStart": "1m"})",
        R"(, "health": {"passive": {"recovery": "Slow"}})",
        R"(, "health": {"active": {}})",
        R"(, "health": {"active": {"type": "SendExpect"}})",
        R"(, "health": {"active": {"type": "SendExpect", "expect": "a", "expectRegex": "a"}})",
        R"(, "health": {"active": {"type": "SendExpect", "expectRegex": "(a"}})",
        R"(, "health": {"active": {"type": "SendExpect", "expect": "a", "sendHex": "1"}})",
        R"(, "health": {"active": {"type": "SendExpect", "expect": "a", "sendHex": "zz"}})",
        R"(, "health": {"active": {"type": "Connect", "path": "/"}})",
        R"(, "health": {"active": {"type": "HTTP", "path": "ready"}})",
        R"(, "health": {"active": {"type": "HTTP", "path": "/a b"}})",
        R"(, "health": {"active": {"type": "HTTP", "host": "a\r\nb"}})",
        R"(, "health": {"active": {"type": "HTTP", "status": "399-200"}})",
        R"(, "health": {"active": {"type": "HTTP", "status": "2xx"}})",
        R"(, "health": {"active": {"type": "ICMPUnreachable"}})",
        R"(, "health": {"active": {"type": "Connect", "interval": "1ms"}})",
        R"(, "health": {"active": {"type": "Connect", "fails": 0}})"}) {
    refused(Kind::kTcpService, with(bad));
  }
  const auto good = read<TcpService>(
      Kind::kTcpService, with(R"(, "accessLog": {"format": "JSON", "sampleRatio": "0.05"})"));
  EXPECT_TRUE(good.log.is_json);
  EXPECT_EQ(good.log.per_million, 50'000U);
  EXPECT_EQ(read<TcpService>(Kind::kTcpService, with(R"(, "accessLog": {"sampleRatio": "1"})"))
                .log.per_million,
            1'000'000U);
}

TEST(ParseTcpService, HostsBringTheirPortsWithSrvRecords) {
  const auto with = [](std::string_view host) {
    return fmt::format(
        R"({{"spec": {{"listeners": [{{"name": "main", "port": 1}}], "rules": [{{"backends": [
      {{"host": {}}}]}}]}}}})",
        host);
  };
  const auto records_of = [&](std::string_view host) {
    return read<TcpService>(Kind::kTcpService, with(host)).rules.at(0).backends.at(0).records;
  };
  EXPECT_EQ(records_of(R"({"name": "h", "port": 1})"), HostRecords::kAuto);
  EXPECT_EQ(records_of(R"({"name": "h", "port": 1, "resolve": "AAAA"})"), HostRecords::kAaaa);
  EXPECT_EQ(records_of(R"({"name": "_pg._tcp.h"})"), HostRecords::kSrv);
  EXPECT_EQ(records_of(R"({"name": "h", "resolve": "SRV"})"), HostRecords::kSrv);
  for (const auto* bad : {R"({"name": "h"})", R"({"name": "_pg._tcp.h", "port": 1})",
                          R"({"name": "h", "port": 1, "resolve": "SRV"})",
                          R"({"name": "h", "port": 1, "resolve": "MX"})"}) {
    refused(Kind::kTcpService, with(bad));
  }
}

TEST(ParseTcpService, RefusesBackupsAlone) {
  refused(Kind::kTcpService,
          R"({"spec": {"listeners": [{"name": "main", "port": 1}], "rules": [{"backends": [
    {"host": {"name": "h", "port": 1}, "backup": true}]}]}})");
}

std::string udp_service(std::string_view more) {
  return fmt::format(R"({{"metadata": {{"namespace": "a", "name": "dns"}}, "spec": {{
    "listeners": [{{"name": "main", "port": 53}}], "backends": [{{"service": {{"name": "d", "port": 53}}}}]{}}}}})",
                     more);
}

TEST(ParseTcpService, MayHashTheServerName) {
  const auto read_back = read<TcpService>(Kind::kTcpService,
                                          R"({"metadata": {"namespace": "a", "name": "t"}, "spec": {
    "listeners": [{"name": "main", "port": 1}],
    "rules": [{"backends": [{"host": {"name": "h", "port": 1}}]}],
    "loadBalancing": {"algorithm": "Hash", "hashKey": "SNI"}}})");
  EXPECT_EQ(read_back.load_balancing.hash_key, StreamHashKey::kServerName);
}

TEST(ParseUdpService, MayHashTheConnectionId) {
  const auto quic = read<UdpService>(
      Kind::kUdpService,
      udp_service(R"(, "loadBalancing": {"algorithm": "Hash", "hashKey": "QUICConnectionID"})"));
  EXPECT_EQ(quic.load_balancing.hash_key, StreamHashKey::kQuicConnectionId);
  refused(Kind::kTcpService, R"({"metadata": {"namespace": "a", "name": "t"}, "spec": {
    "listeners": [{"name": "main", "port": 1}],
    "rules": [{"backends": [{"host": {"name": "h", "port": 1}}]}],
    "loadBalancing": {"algorithm": "Hash", "hashKey": "QUICConnectionID"}}})");
}

TEST(ParseUdpService, TellsZeroFromAbsent) {
  const auto plain = read<UdpService>(Kind::kUdpService, udp_service(""));
  EXPECT_EQ(plain.max_responses, std::nullopt);
  EXPECT_EQ(plain.max_sessions, std::nullopt);
  const auto zero =
      read<UdpService>(Kind::kUdpService, udp_service(R"(, "session": {"maxResponses": 0})"));
  EXPECT_EQ(zero.max_responses, 0U);
}

TEST(ParseUdpService, RefusesWhatHasNoMeaning) {
  for (const auto* bad :
       {R"(, "session": {"maxSessions": 0})", R"(, "session": {"maxResponses": -1})",
        R"(, "session": {"idleTimeout": "ten"})", R"(, "loadBalancing": {"hashKey": "SourceIP"})",
        R"(, "loadBalancing": {"algorithm": "Hash", "hashKey": "SNI"})",
        R"(, "loadBalancing": {"algorithm": "SourceIPHash", "hashKey": "QUICConnectionID"})",
        R"(, "timeouts": {"idle": "1s"})", R"(, "access": {"alow": []})",
        R"(, "access": {"allow": ["x"]})", R"(, "limits": {"packetsPerSecondPerIP": 1.5})"}) {
    refused(Kind::kUdpService, udp_service(bad));
  }
}

TEST(ParseStreamPortPolicy, ReadsSelectorsAsKubernetesHasThem) {
  const auto policy = read<StreamPortPolicy>(Kind::kStreamPortPolicy, R"({"spec": {
    "ports": [{"start": 53, "end": 53, "protocol": "UDP"}, {"start": 2000, "end": 2010}],
    "namespaceSelector": {"matchLabels": {"team": "data"}, "matchExpressions": [
      {"key": "env", "operator": "NotIn", "values": ["prod", "stage"]},
      {"key": "legacy", "operator": "DoesNotExist"}]}}})");
  ASSERT_TRUE(policy.namespaces);
  EXPECT_TRUE(policy.namespaces->matches({{"team", "data"}}));
  EXPECT_TRUE(policy.namespaces->matches({{"team", "data"}, {"env", "test"}}));
  EXPECT_FALSE(policy.namespaces->matches({{"team", "data"}, {"env", "prod"}}));
  EXPECT_FALSE(policy.namespaces->matches({{"team", "data"}, {"legacy", ""}}));
  EXPECT_FALSE(policy.namespaces->matches({}));
  EXPECT_TRUE(policy.has(Protocol::kTcp, 2010));
  EXPECT_TRUE(policy.has(Protocol::kUdp, 2000));
  EXPECT_FALSE(policy.has(Protocol::kTcp, 2011));
  EXPECT_FALSE(policy.has(Protocol::kUdp, 53)) << "not without allowPrivileged";
}

TEST(ParseStreamPortPolicy, RefusesWhatItDoesNotUnderstand) {
  for (
      const auto* bad :
      {R"({})", R"({"spec": {"ports": [{"start": 5, "end": 4}]}})",
       R"({"spec": {"ports": [{"start": 5, "end": 5, "protocol": "SCTP"}]}})",
       R"({"spec": {"namespaceSelector": {"matchLabels": {"a": "b", "c": "d,e"}}}})",
       R"({"spec": {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "Gt"}]}}})",
       R"({"spec": {"namespaceSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}})",
       R"({"spec": {"namespaceSelector": {"matchLabels": {"a,b": "c"}}}})",
       R"({"spec": {"namespaceSelector": {"matchExpressions": [
          {"key": "a", "operator": "In", "values": ["b),!c,d in (e"]}]}}})",
       R"({"spec": {"maxListeners": 1}})"}) {
    refused(Kind::kStreamPortPolicy, bad);
  }
}

Meta meta(std::string name, std::int64_t created) {
  Meta out;
  out.name_space = "a";
  out.name = std::move(name);
  out.created = created;
  return out;
}

TEST(Meta, OrdersByAgeThenByNameDescending) {
  const auto old = meta("x", 1);
  const auto young = meta("y", 2);
  const auto same = meta("z", 1);
  EXPECT_TRUE(is_older(old, young));
  EXPECT_FALSE(is_older(young, old));
  EXPECT_TRUE(is_older(same, old));
}

TEST(Kinds, StandInTheOrderOfTheEnumeration) {
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    EXPECT_EQ(static_cast<std::size_t>(kKinds[i].kind), i) << kKinds[i].name;
  }
  EXPECT_EQ(find_kind("v1", "Service")->kind, Kind::kService);
  EXPECT_EQ(find_kind("v2", "Service"), nullptr);
}

}  // namespace
}  // namespace penstock::objects
