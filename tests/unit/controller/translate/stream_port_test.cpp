// Ports of ConfigMaps, TCPServices and UDPServices.
#include "tests/unit/controller/translate/fixture.h"

namespace penstock::translate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Options stream_options() {
  Options options;
  options.tcp_services = "p/tcp";
  options.udp_services = "p/udp";
  options.reserved_ports = {10254};
  return options;
}

TEST(Streams, ComeFromTheConfigMap) {
  Cluster c(stream_options());
  c.service("db/mysql", R"({"name":"sql","port":3306})").slice("db/mysql", "10.0.0.1", 3306);
  c.put(Kind::kConfigMap, "p/tcp",
        R"("data":{"9000":"db/mysql:3306","9001":"db/mysql:sql:PROXY:PROXY"})");
  c.translate();
  ASSERT_NE(c.stream("tcp/9000"), nullptr);
  EXPECT_EQ(c.stream("tcp/9000")->log_name, "tcp-db-mysql-3306");
  EXPECT_EQ(c.stream("tcp/9001")->proxy_protocol, snapshot::ProxyProtocolIn::kRequired);
  EXPECT_EQ(c.stream("tcp/9001")->rules[0].backends[0].proxy_protocol,
            snapshot::ProxyProtocolOut::kV1);
  EXPECT_THAT(c.endpoints("tcp/db/mysql/3306"), ElementsAre("10.0.0.1:3306"));
  EXPECT_THAT(c.diagnostics(), IsEmpty());
  c.put(Kind::kConfigMap, "p/tcp", R"("data":{})").translate();
  EXPECT_EQ(c.stream("tcp/9000"), nullptr);
}

TEST(Streams, ReportWhatTheConfigMapHasWrong) {
  Cluster c(stream_options());
  c.service("db/mysql", R"({"port":3306})");
  c.put(Kind::kConfigMap, "p/tcp", R"("data":{"x":"db/mysql:1","1":"db/mysql","80":"db/mysql:3306",
    "10254":"db/mysql:3306","2":"db/none:1","3":"db/mysql:9"})");
  c.put(Kind::kConfigMap, "p/udp", R"("data":{"53":"db/mysql:3306","x":"y"})").translate();
  EXPECT_THAT(
      c.diagnostics(),
      ElementsAre(
          "ConfigMap p/tcp: 1: expected namespace/service:port, followed by nothing, :PROXY (from "
          "clients), ::PROXY (to endpoints) or :PROXY:PROXY (both), got 'db/mysql'",
          "ConfigMap p/tcp: 10254: port 10254 is reserved for Penstock itself",
          "ConfigMap p/tcp: 2: expected a Service, 'db/none' does not exist",
          "ConfigMap p/tcp: 3: expected a TCP port of Service 'db/mysql', got '9'",
          "ConfigMap p/tcp: 80: port 80 is reserved for HTTP",
          "ConfigMap p/tcp: x: expected a port from 1 to 65535 as the key, got 'x'",
          "ConfigMap p/udp: 53: expected a UDP port of Service 'db/mysql', got '3306'",
          "ConfigMap p/udp: x: expected a port from 1 to 65535 as the key, got 'x'"));
}

std::string tcp_service(int port, std::string_view more = "") {
  return fmt::format(R"("spec":{{"listeners":[{{"name":"l","port":{}}}],"rules":[{{"backends":[
    {{"service":{{"name":"mysql","port":3306}}}}]}}]{}}})",
                     port, more);
}

TEST(Streams, ComeFromTcpServices) {
  Cluster c(stream_options());
  c.service("db/mysql", R"({"port":3306})").slice("db/mysql", "10.0.0.1", 3306);
  c.put(Kind::kTcpService, "db/t", tcp_service(9000, R"(,"timeouts":{"idle":"5m"},
    "loadBalancing":{"algorithm":"LeastConnections"},"access":{"deny":["10.0.0.0/8"]})"));
  c.translate();
  const auto* found = c.stream("tcp/9000");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->idle_timeout, base::Duration(300'000));
  EXPECT_EQ(found->access.denied.size(), 1U);
  const auto& backend = found->rules[0].backends[0].upstream;
  EXPECT_EQ(backend, "tcpservice/db/t/mysql/3306");
  EXPECT_THAT(c.endpoints(backend), ElementsAre("10.0.0.1:3306"));
}

std::string host_service(std::string_view host) {
  return fmt::format(R"("spec":{{"listeners":[{{"name":"l","port":9000}}],"rules":[{{"backends":[
    {{"host":{}}}]}}]}})",
                     host);
}

TEST(Streams, SrvRecordsBringPortsAndWeights) {
  Cluster c(stream_options());
  c.put(Kind::kTcpService, "db/t", host_service(R"({"name":"_pg._tcp.DB.example"})")).translate();
  const auto part = c.stream("tcp/9000")->rules[0].backends[0].upstream;
  EXPECT_EQ(part, "tcpservice/db/t/host/_pg._tcp.DB.example:SRV");
  EXPECT_THAT(c.translator.wanted_names(), ElementsAre("SRV _pg._tcp.db.example"));
  EXPECT_THAT(c.diagnostics(), IsEmpty()) << "not asked yet";
  c.world.set_targets(
      "SRV _pg._tcp.db.example",
      {{10, 0, 5433, "b.example"}, {10, 30, 5432, "a.example"}, {20, 1, 5434, "c.example"}},
      c.touched);
  c.translate();
  EXPECT_THAT(c.translator.wanted_names(),
              ElementsAre("SRV _pg._tcp.db.example", "a.example", "b.example", "c.example"));
  c.world.set_addresses("c.example", {asio::ip::make_address("192.0.2.3")}, c.touched);
  c.translate();
  EXPECT_THAT(c.endpoints(part), ElementsAre("192.0.2.3:5434")) << "the others lead nowhere";
  c.world.set_addresses("a.example", {asio::ip::make_address("192.0.2.1")}, c.touched);
  c.world.set_addresses("b.example", {asio::ip::make_address("192.0.2.2")}, c.touched);
  c.translate();
  EXPECT_THAT(c.endpoints(part), ElementsAre("192.0.2.1:5432", "192.0.2.2:5433"));
  const auto& list = c.part<snapshot::Endpoints>(snapshot::PartKind::kEndpoints, part)->endpoints;
  EXPECT_EQ(list[0].weight, 30U);
  EXPECT_EQ(list[1].weight, 1U);
}

TEST(Streams, ANameWithoutAddressIsReported) {
  Cluster c(stream_options());
  c.put(Kind::kTcpService, "db/t",
        host_service(R"({"name":"db.example","port":5432,"resolve":"AAAA"})"))
      .translate();
  EXPECT_THAT(c.translator.wanted_names(), ElementsAre("AAAA db.example"));
  c.world.set_addresses("AAAA db.example", {}, c.touched);
  c.translate();
  EXPECT_THAT(c.diagnostics(),
              ElementsAre("TCPService db/t: host 'db.example' has no address that DNS tells"));
  c.world.set_addresses("AAAA db.example", {asio::ip::make_address("2001:db8::1")}, c.touched);
  c.translate();
  EXPECT_THAT(c.diagnostics(), IsEmpty());
  EXPECT_THAT(c.endpoints("tcpservice/db/t/host/db.example:5432/AAAA"),
              ElementsAre("2001:db8::1:5432"));
}

TEST(Streams, GiveAPortToTheConfigMapThenToTheOldest) {
  Cluster c(stream_options());
  c.service("db/mysql", R"({"port":3306})");
  c.put(Kind::kTcpService, "db/young", tcp_service(9000), 5);
  c.put(Kind::kTcpService, "db/old", tcp_service(9000), 4);
  c.translate();
  EXPECT_EQ(c.stream("tcp/9000")->owner, "TCPService db/old");
  EXPECT_THAT(c.diagnostics(), ElementsAre("TCPService db/young: spec.listeners[0].port: port 9000 "
                                           "is already taken by the TCPService db/old"));
  c.put(Kind::kConfigMap, "p/tcp", R"("data":{"9000":"db/mysql:3306"})").translate();
  EXPECT_EQ(c.stream("tcp/9000")->owner, "ConfigMap p/tcp");
  EXPECT_EQ(c.diagnostics().size(), 2U);
  c.put(Kind::kConfigMap, "p/tcp", R"("data":{})").remove(Kind::kTcpService, "db/old").translate();
  EXPECT_EQ(c.stream("tcp/9000")->owner, "TCPService db/young");
  EXPECT_THAT(c.diagnostics(), IsEmpty());
}

TEST(Streams, ObeyPortPolicies) {
  Cluster c(stream_options());
  c.service("db/mysql", R"({"port":3306})");
  c.put(Kind::kNamespace, "db", R"("spec":{})");
  c.put(Kind::kTcpService, "db/high", tcp_service(9000));
  c.put(Kind::kTcpService, "db/low", tcp_service(53)).translate();
  EXPECT_NE(c.stream("tcp/9000"), nullptr);
  EXPECT_EQ(c.stream("tcp/53"), nullptr);
  const auto policy = [](std::string_view more) {
    return fmt::format(R"("spec":{{"ports":[{{"start":53,"end":53}}],"allowPrivileged":true{}}})",
                       more);
  };
  c.put(Kind::kStreamPortPolicy, "dns", policy("")).translate();
  EXPECT_EQ(c.stream("tcp/9000"), nullptr) << "now only what a policy gives";
  EXPECT_NE(c.stream("tcp/53"), nullptr);
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("no StreamPortPolicy gives port 9000 to the "
                                                     "namespace db")));
  c.put(Kind::kStreamPortPolicy, "dns",
        policy(R"(,"namespaceSelector":{"matchLabels":{"team":"dns"}})"))
      .translate();
  EXPECT_EQ(c.stream("tcp/53"), nullptr);
  c.apply({{Kind::kNamespace, "", "db"},
           false,
           R"({"metadata":{"name":"db","labels":{"team":"dns"}}})",
           {}})
      .translate();
  EXPECT_NE(c.stream("tcp/53"), nullptr) << "a label opens it";
  c.put(Kind::kStreamPortPolicy, "dns", policy(R"(,"ingressClassName":"other")")).translate();
  EXPECT_NE(c.stream("tcp/9000"), nullptr) << "a policy of another class is none of ours";
}

/// What cannot be read must not open what it may have been meant to close.
TEST(Streams, APolicyThatCannotBeReadGivesNothing) {
  Cluster c(stream_options());
  c.service("db/mysql", R"({"port":3306})");
  c.put(Kind::kTcpService, "db/high", tcp_service(9000));
  c.put(Kind::kStreamPortPolicy, "broken", R"("spec":{"prots":[]})").translate();
  EXPECT_EQ(c.stream("tcp/9000"), nullptr);
  c.remove(Kind::kStreamPortPolicy, "broken").translate();
  EXPECT_NE(c.stream("tcp/9000"), nullptr);
}

/// From a backup, for instance: with its old creation time.
TEST(Streams, AnOlderObjectThatComesBackTakesNoPortAway) {
  Cluster c(stream_options());
  c.service("db/mysql", R"({"port":3306})");
  c.put(Kind::kTcpService, "db/young", tcp_service(9000) + R"(,"status":{"ports":"8999-9001"})", 5);
  c.put(Kind::kTcpService, "db/old", tcp_service(9000), 4).translate();
  EXPECT_EQ(c.stream("tcp/9000")->owner, "TCPService db/young");
  c.put(Kind::kTcpService, "db/young", tcp_service(9000), 5).translate();
  EXPECT_EQ(c.stream("tcp/9000")->owner, "TCPService db/old");
}

TEST(Streams, RefuseLowPortsAndOtherNamespacesToTcpServices) {
  Cluster c(stream_options());
  c.service("db/mysql", R"({"port":3306})");
  c.put(Kind::kTcpService, "db/low", tcp_service(22));
  c.put(Kind::kTcpService, "db/far",
        R"("spec":{"listeners":[{"name":"main","port":9000}],"rules":[{"backends":[
    {"service":{"name":"mysql","namespace":"other","port":3306}}]}]})");
  c.translate();
  EXPECT_EQ(c.stream("tcp/22"), nullptr);
  EXPECT_TRUE(c.stream("tcp/9000")->rules[0].backends.empty());
  EXPECT_THAT(c.diagnostics(),
              ElementsAre(HasSubstr("in namespace 'other'"), HasSubstr("from 1024 up")));
}

const snapshot::UdpStream* udp_stream(Cluster& c, const std::string& name) {
  return c.part<snapshot::UdpStream>(snapshot::PartKind::kUdpStream, name);
}

/// kube-dns: one number for both transports.
constexpr std::string_view kDnsPorts =
    R"({"name":"dns-tcp","port":53},{"name":"dns","port":53,"protocol":"UDP"})";

Cluster& add_dns(Cluster& c) {
  c.service("dns/dns", kDnsPorts);
  return c.apply({{Kind::kEndpointSlice, "dns", "dns-1"},
                  false,
                  R"({"metadata":{"namespace":"dns","name":"dns-1",
                  "labels":{"kubernetes.io/service-name":"dns"}},"addressType":"IPv4",
                  "ports":[{"name":"dns-tcp","port":5301},
                  {"name":"dns","port":5302,"protocol":"UDP"}],
                  "endpoints":[{"addresses":["10.0.0.1"]}]})",
                  {}});
}

TEST(UdpStreams, ComeFromTheConfigMap) {
  auto options = stream_options();
  options.config_map = "p/settings";
  Cluster c(options);
  add_dns(c);
  c.put(Kind::kConfigMap, "p/udp", R"("data":{"53":"dns/dns:53","443":"dns/dns:dns:PROXY:PROXY"})");
  c.put(Kind::kConfigMap, "p/tcp", R"("data":{"53":"dns/dns:53"})").translate();
  EXPECT_THAT(c.diagnostics(), IsEmpty()) << "443 is HTTPS for TCP only";
  const auto* found = udp_stream(c, "udp/53");
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->log_name, "udp-dns-dns-53");
  EXPECT_EQ(found->max_responses, 1U);
  EXPECT_EQ(udp_stream(c, "udp/443")->backends[0].proxy_protocol,
            snapshot::ProxyProtocolOut::kNone);
  EXPECT_THAT(c.endpoints("udp/dns/dns/53"), ElementsAre("10.0.0.1:5302"));
  EXPECT_THAT(c.endpoints("tcp/dns/dns/53"), ElementsAre("10.0.0.1:5301"));
  c.put(Kind::kConfigMap, "p/settings",
        R"("data":{"proxy-stream-responses":"2","proxy-stream-timeout":"9s"})")
      .translate();
  EXPECT_EQ(udp_stream(c, "udp/53")->max_responses, 2U);
  EXPECT_EQ(udp_stream(c, "udp/53")->idle_timeout, base::Duration(9000));
  c.put(Kind::kConfigMap, "p/udp", R"("data":{})").translate();
  EXPECT_EQ(udp_stream(c, "udp/53"), nullptr);
  EXPECT_NE(c.stream("tcp/53"), nullptr);
}

TEST(UdpStreams, ComeFromUdpServices) {
  Cluster c(stream_options());
  add_dns(c);
  c.put(Kind::kUdpService, "dns/u", R"("spec":{"listeners":[{"name":"main","port":5353},
    {"name":"more","portRange":{"start":6000,"end":6002}}],"backends":[{"service":{"name":"dns","port":53}}],
    "session":{"maxResponses":0,"idleTimeout":"3s"}})");
  c.translate();
  EXPECT_THAT(c.diagnostics(), IsEmpty());
  for (const auto* name : {"udp/5353", "udp/6000", "udp/6001", "udp/6002"}) {
    ASSERT_NE(udp_stream(c, name), nullptr) << name;
  }
  EXPECT_EQ(udp_stream(c, "udp/5353")->max_responses, 0U);
  EXPECT_EQ(udp_stream(c, "udp/6003"), nullptr);
  EXPECT_THAT(c.endpoints("udpservice/dns/u/dns/53"), ElementsAre("10.0.0.1:5302"));
  c.remove(Kind::kUdpService, "dns/u").translate();
  EXPECT_EQ(udp_stream(c, "udp/6001"), nullptr);
}

TEST(Streams, ShareAPortAtDifferentAddresses) {
  Cluster c(stream_options());
  c.service("db/mysql", R"({"port":3306})");
  const auto at = [](std::string_view address) {
    return fmt::format(
        R"("spec":{{"listeners":[{{"name":"main","port":9000,"address":"{}"}}],"rules":[{{
      "backends":[{{"service":{{"name":"mysql","port":3306}}}}]}}]}})",
        address);
  };
  c.put(Kind::kTcpService, "db/a", at("10.0.0.1"), 1);
  c.put(Kind::kTcpService, "db/b", at("10.0.0.2"), 2).translate();
  EXPECT_THAT(c.diagnostics(), IsEmpty());
  EXPECT_NE(c.stream("tcp/10.0.0.1:9000"), nullptr);
  EXPECT_NE(c.stream("tcp/10.0.0.2:9000"), nullptr);
  c.put(Kind::kTcpService, "db/every", tcp_service(9000), 3).translate();
  EXPECT_EQ(c.stream("tcp/9000"), nullptr) << "every address is also those two";
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("already taken by the TCPService db/a")));
}

TEST(Streams, TakeTheirDefaultsFromTheConfigMapOfSettings) {
  auto options = stream_options();
  options.config_map = "p/settings";
  Cluster c(options);
  c.service("db/mysql", R"({"port":3306})");
  c.put(Kind::kTcpService, "db/t", tcp_service(9000)).translate();
  const auto changes =
      c.put(Kind::kConfigMap, "p/settings", R"("data":{"proxy-stream-timeout":"7s"})").translate();
  EXPECT_EQ(c.stream("tcp/9000")->idle_timeout, base::Duration(7000));
  EXPECT_EQ(changes.size(), 1U);
}

Cluster& zonal_slice(Cluster& c, std::string_view endpoints) {
  c.apply({{Kind::kEndpointSlice, "db", "mysql-1"},
           false,
           fmt::format(R"({{"metadata":{{"namespace":"db","name":"mysql-1",
             "labels":{{"kubernetes.io/service-name":"mysql"}}}},"addressType":"IPv4",
             "ports":[{{"port":3306}}],"endpoints":[{}]}})",
                       endpoints),
           {}});
  return c;
}
constexpr std::string_view kInA =
    R"({"addresses":["10.0.0.1"],"hints":{"forZones":[{"name":"a"}]}})";
constexpr std::string_view kInB =
    R"({"addresses":["10.0.0.2"],"hints":{"forZones":[{"name":"b"},{"name":"c"}]}})";

TEST(Zones, EndpointsWithHintsForOursAreUsedAlone) {
  for (const auto& [zone, expected] :
       std::map<std::string, std::vector<std::string>>{{"a", {"10.0.0.1:3306"}},
                                                       {"c", {"10.0.0.2:3306"}},
                                                       {"d", {"10.0.0.1:3306", "10.0.0.2:3306"}},
                                                       {"", {"10.0.0.1:3306", "10.0.0.2:3306"}}}) {
    auto options = stream_options();
    options.zone = zone;
    Cluster c(options);
    c.service("db/mysql", R"({"port":3306})");
    zonal_slice(c, fmt::format("{},{}", kInA, kInB));
    c.put(Kind::kTcpService, "db/t", tcp_service(9000)).translate();
    EXPECT_EQ(c.endpoints("tcpservice/db/t/mysql/3306"), expected) << zone;
    zonal_slice(c, fmt::format("{},{},{}", kInA, kInB, R"({"addresses":["10.0.0.3"]})"))
        .translate();
    EXPECT_EQ(c.endpoints("tcpservice/db/t/mysql/3306").size(), 3U) << "one has none";
  }
}

}  // namespace
}  // namespace penstock::translate
