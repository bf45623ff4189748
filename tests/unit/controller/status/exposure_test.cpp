#include "controller/status/exposure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::status {
namespace {

using objects::Protocol;
using objects::ServiceType;
using testing::HasSubstr;
using testing::Not;

class Exposed : public testing::Test {
 protected:
  Exposed() {
    service_.meta.name_space = "ingress";
    service_.meta.name = "edge";
    add("http", 80, Protocol::kTcp, 80);
  }
  void add(const std::string& name, std::uint16_t number, Protocol protocol, std::uint16_t target) {
    service_.ports.push_back({name, number, protocol, {target, {}}});
  }
  objects::Condition by_service(const std::vector<std::uint16_t>& ports,
                                Protocol protocol = Protocol::kTcp) {
    exposure_.service_path = "ingress/edge";
    exposure_.service = &service_;
    exposure_.entries = {world_, service_};
    return exposed(exposure_, protocol, ports).value_or(objects::Condition());
  }
  static std::string text(const objects::Condition& condition) {
    return condition.status + " " + condition.reason;
  }

  world::World world_;
  objects::Service service_;
  Exposure exposure_;
};

TEST_F(Exposed, WhereTheServiceLeadsToEachPort) {
  add("db", 5432, Protocol::kTcp, 5432);
  add("dns", 53, Protocol::kUdp, 1053);
  EXPECT_EQ(text(by_service({5432})), "True ServicePort");
  EXPECT_EQ(text(by_service({5432}, Protocol::kUdp)), "False ServicePortMissing");
  EXPECT_EQ(text(by_service({5432, 5433})), "False ServicePortMissing");
  const auto renumbered = by_service({1053}, Protocol::kUdp);
  EXPECT_EQ(text(renumbered), "True ServicePort");
  EXPECT_THAT(renumbered.message, HasSubstr("1053 as 53"));
}

TEST_F(Exposed, NamesTheCommandThatAddsThePort) {
  EXPECT_EQ(
      by_service({5432}).message,
      "Service ingress/edge does not lead to port 5432: kubectl patch service edge -n ingress "
      R"(--type=json -p '[{"op":"add","path":"/spec/ports/-","value":{"name":"tcp-5432",)"
      R"("port":5432,"protocol":"TCP","targetPort":5432}}]')");
  service_.ports[0].name.clear();
  EXPECT_THAT(by_service({53}, Protocol::kUdp).message,
              HasSubstr(R"('[{"op":"add","path":"/spec/ports/0/name","value":"tcp-80"},{"op")"))
      << "of several each needs a name";
  service_.ports.clear();
  EXPECT_THAT(by_service({53}, Protocol::kUdp).message,
              HasSubstr(R"('[{"op":"add","path":"/spec/ports","value":[{"name":"udp-53")"));
}

TEST_F(Exposed, MessagesOfRangesAreBounded) {
  std::vector<std::uint16_t> ports;
  for (std::uint16_t port = 2000; port < 4048; port += 2) ports.push_back(port);
  const auto message = by_service(ports).message;
  EXPECT_LT(message.size(), 2048U);
  EXPECT_THAT(message, HasSubstr("and the same for 1016 more"));
}

TEST_F(Exposed, SaysWhyAPortIsNotAdded) {
  exposure_.written = {{{Protocol::kTcp, 5432}, false}, {{Protocol::kTcp, 5433}, false}};
  EXPECT_EQ(text(by_service({5432})), "False ServicePortPending");
  exposure_.refusals[{Protocol::kTcp, 5433}] = {"ServicePortRefused", "no room"};
  const auto refused = by_service({5432, 5433});
  EXPECT_EQ(text(refused), "False ServicePortRefused") << "it goes before what ends by itself";
  EXPECT_EQ(refused.message, "Service ingress/edge does not lead to port 5433: no room");
  add("https", 8443, Protocol::kTcp, 443);
  const auto taken = by_service({8443});
  EXPECT_EQ(text(taken), "False ServicePortTaken");
  EXPECT_THAT(taken.message, Not(HasSubstr("kubectl")));
}

TEST_F(Exposed, WaitsForTheLoadBalancer) {
  add("db", 5432, Protocol::kTcp, 5432);
  service_.type = ServiceType::kLoadBalancer;
  EXPECT_EQ(text(by_service({5432})), "False LoadBalancerPending");
  service_.load_balancer = {"192.0.2.1"};
  EXPECT_EQ(text(by_service({5432})), "True ServicePort");
  service_.port_errors = {{5432, Protocol::kUdp, "MixedProtocolNotSupported"}};
  EXPECT_EQ(text(by_service({5432})), "True ServicePort");
  service_.port_errors[0].protocol = Protocol::kTcp;
  const auto refused = by_service({5432});
  EXPECT_EQ(text(refused), "False ServicePortRefused");
  EXPECT_THAT(refused.message, HasSubstr("the load balancer says: MixedProtocolNotSupported"));
}

TEST_F(Exposed, IsSilentWhereNothingIsKnown) {
  EXPECT_EQ(exposed(exposure_, Protocol::kTcp, {5432}), std::nullopt) << "outside of a pod";
  exposure_.service_path = "ingress/gone";
  EXPECT_EQ(exposed(exposure_, Protocol::kTcp, {5432}), std::nullopt);
  EXPECT_EQ(by_service({}).type, "") << "it has no port";
  service_.type = ServiceType::kExternalName;
  EXPECT_EQ(by_service({5432}).type, "");
}

TEST_F(Exposed, ByPortsOfTheNode) {
  constexpr auto kPod = R"({"metadata":{"namespace":"ingress","name":"penstock-1"},"spec":{)"
                        R"("containers":[{"name":"controller"},{"ports":[)"
                        R"({"containerPort":5432,"hostPort":15432},{"containerPort":5433},)"
                        R"({"containerPort":53,"hostPort":53,"protocol":"UDP"}]}]}})";
  const auto pod = pod_ports(kPod);
  ASSERT_TRUE(pod) << pod.error().message;
  exposure_.pod = *pod;
  EXPECT_EQ(text(*exposed(exposure_, Protocol::kUdp, {53})), "True HostPort");
  EXPECT_THAT(exposed(exposure_, Protocol::kTcp, {5432})->message, HasSubstr("5432 as 15432"));
  const auto missing = exposed(exposure_, Protocol::kTcp, {53, 5432, 5433});
  EXPECT_EQ(text(*missing), "False HostPortMissing");
  EXPECT_THAT(missing->message, HasSubstr("pod ingress/penstock-1 has ports 53, 5433"));
  exposure_.pod->has_host_network = true;
  EXPECT_EQ(text(*exposed(exposure_, Protocol::kTcp, {1})), "True HostNetwork");
}

TEST(OwnPodPorts, OfTheNetworkOfTheNode) {
  const auto pod = pod_ports(R"({"metadata":{},"spec":{"hostNetwork":true,"containers":[]}})");
  ASSERT_TRUE(pod);
  EXPECT_TRUE(pod->has_host_network);
  EXPECT_FALSE(pod_ports("[").has_value());
}

TEST(StreamAddresses, HaveTheirTypesAndAreBounded) {
  using Found = std::vector<objects::StreamAddress>;
  EXPECT_EQ(
      stream_addresses({"192.0.2.1", "2001:db8::1", "edge.test", std::string(300, 'x')}),
      (Found{{"IPAddress", "192.0.2.1"}, {"IPAddress", "2001:db8::1"}, {"Hostname", "edge.test"}}));
  EXPECT_EQ(stream_addresses(Addresses(100, "a.test")).size(), 16U);
}

}  // namespace
}  // namespace penstock::status
