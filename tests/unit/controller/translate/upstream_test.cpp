// From Services to endpoints.
#include "tests/unit/controller/translate/fixture.h"

namespace penstock::translate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kSpec = R"("rules":[{"host":"x.example","http":{"paths":[{"pathType":"Prefix",
  "path":"/","backend":{"service":{"name":"s","port":PORT}}}]}}])";

Cluster with_port(std::string_view port, std::string_view ports) {
  std::string spec(kSpec);
  spec.replace(spec.find("PORT"), 4, port);
  Cluster c;
  c.ingress_class().service("n/s", ports).ingress("n/i", spec);
  return c;
}

TEST(Ports, AreFoundByNumberNameOrTarget) {
  constexpr auto kPorts = R"({"name":"web","port":80,"targetPort":8080})";
  for (const auto* port : {R"({"number":80})", R"({"name":"web"})", R"({"number":8080})"}) {
    auto c = with_port(port, kPorts);
    c.slice("n/s", "10.0.0.1").translate();
    EXPECT_THAT(c.diagnostics(), IsEmpty()) << port;
    ASSERT_EQ(c.host("x.example")->routes.size(), 1U);
  }
}

TEST(Endpoints, TakeThePortThatTheSliceNames) {
  auto c = with_port(R"({"number":80})", R"({"name":"web","port":80,"targetPort":"http"})");
  c.apply({{Kind::kEndpointSlice, "n", "s-1"},
           false,
           R"({"metadata":{"namespace":"n","name":"s-1",
    "labels":{"kubernetes.io/service-name":"s"}},"addressType":"IPv4",
    "ports":[{"name":"metrics","port":9},{"name":"web","port":8080}],
    "endpoints":[{"addresses":["10.0.0.2"]},{"addresses":["10.0.0.1"]},
      {"addresses":["10.0.0.3"],"conditions":{"ready":false}}]})",
           {}});
  c.slice("n/s", "10.0.0.1", 8080, "2").translate();
  EXPECT_THAT(c.endpoints("n/s/80"), ElementsAre("10.0.0.1:8080", "10.0.0.2:8080"));
}

TEST(Endpoints, ChangeWithoutTouchingARoute) {
  auto c = with_port(R"({"number":80})", R"({"port":80})");
  c.slice("n/s", "10.0.0.1").translate();
  const auto jobs = c.translator.jobs_run();
  const auto changes = c.slice("n/s", "10.0.0.2").translate();
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes.begin()->first.kind, snapshot::PartKind::kEndpoints);
  EXPECT_EQ(c.translator.jobs_run() - jobs, 1U);
}

TEST(Endpoints, OfAnExternalNameAreItsAddresses) {
  Cluster c;
  c.ingress_class().put(Kind::kService, "n/s",
                        R"("spec":{"type":"ExternalName","externalName":"DB.example"})");
  c.ingress("n/i", rules("x.example", {"Prefix / s"})).translate();
  EXPECT_THAT(c.translator.wanted_names(), ElementsAre("db.example"));
  EXPECT_THAT(c.endpoints("n/s/80"), IsEmpty());
  c.world.set_addresses("db.example", {asio::ip::make_address("192.0.2.7")}, c.touched);
  EXPECT_EQ(c.translate().size(), 1U);
  EXPECT_THAT(c.endpoints("n/s/80"), ElementsAre("192.0.2.7:80"));
  EXPECT_THAT(c.diagnostics(), IsEmpty());
}

TEST(Endpoints, AreNeverLocalAddressesOfACluster) {
  for (const auto* name : {"127.0.0.1", "localhost", "169.254.169.254", "::1", "fe80::1",
                           "::ffff:127.0.0.1", "0.0.0.0"}) {
    Cluster c;
    c.ingress_class().put(
        Kind::kService, "n/s",
        fmt::format(R"("spec":{{"type":"ExternalName","externalName":"{}"}})", name));
    c.ingress("n/i", rules("x.example", {"Prefix / s"})).translate();
    EXPECT_THAT(c.endpoints("n/s/80"), IsEmpty()) << name;
    EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("which no endpoint may have"))) << name;
  }
}

TEST(Upstreams, GoWithTheLastRouteThatNeedsThem) {
  auto c = with_port(R"({"number":80})", R"({"port":80})");
  c.ingress("n/j", rules("y.example", {"Prefix / s"})).translate();
  c.remove(Kind::kIngress, "n/i").translate();
  EXPECT_NE(c.part<snapshot::Upstream>(snapshot::PartKind::kUpstream, "n/s/80"), nullptr);
  c.remove(Kind::kIngress, "n/j").translate();
  EXPECT_EQ(c.part<snapshot::Upstream>(snapshot::PartKind::kUpstream, "n/s/80"), nullptr);
  EXPECT_EQ(c.part<snapshot::Endpoints>(snapshot::PartKind::kEndpoints, "n/s/80"), nullptr);
}

}  // namespace
}  // namespace penstock::translate
