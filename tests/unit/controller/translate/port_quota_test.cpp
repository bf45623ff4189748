// How many ports of a StreamPortPolicy a namespace may have, and listeners that take any.
#include "tests/unit/controller/translate/fixture.h"

namespace penstock::translate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class PortQuota : public testing::Test {
 protected:
  PortQuota() {
    c.service("db/mysql", R"({"port":3306},{"port":53,"protocol":"UDP"})");
    c.service("web/mysql", R"({"port":3306})");
    c.put(Kind::kNamespace, "db", R"("spec":{})");
    c.put(Kind::kNamespace, "web", R"("spec":{})");
  }
  /// Of ports 9000 to 9009.
  void policy(std::string_view name, std::string_view more) {
    c.put(Kind::kStreamPortPolicy, name,
          fmt::format(R"("spec":{{"ports":[{{"start":9000,"end":9009}}]{}}})", more));
  }
  void tcp(std::string_view path, std::string_view listener, int created,
           std::string_view status = "") {
    c.put(Kind::kTcpService, path,
          fmt::format(R"("spec":{{"listeners":[{{"name":"l",{}}}],"rules":[{{"backends":[
            {{"service":{{"name":"mysql","port":3306}}}}]}}]}}{})",
                      listener, status),
          created);
  }
  void udp(std::string_view path, int port, int created) {
    c.put(Kind::kUdpService, path,
          fmt::format(R"("spec":{{"listeners":[{{"name":"l","port":{}}}],"backends":[
            {{"service":{{"name":"mysql","port":53}}}}]}})",
                      port),
          created);
  }
  bool has(int port) { return c.stream(fmt::format("tcp/{}", port)) != nullptr; }

  Cluster c;
};

TEST_F(PortQuota, TheOlderObjectsOfANamespaceGetThePorts) {
  policy("few", R"(,"maxListenersPerNamespace":2)");
  tcp("db/young", R"("port":9001)", 3);
  tcp("db/old", R"("port":9002)", 1);
  udp("db/names", 9001, 2);
  tcp("web/one", R"("port":9003)", 9);
  c.translate();
  EXPECT_TRUE(has(9002));
  EXPECT_TRUE(has(9003)) << "another namespace";
  EXPECT_NE(c.part<snapshot::UdpStream>(snapshot::PartKind::kUdpStream, "udp/9001"), nullptr);
  EXPECT_FALSE(has(9001));
  EXPECT_THAT(
      c.diagnostics(),
      ElementsAre("TCPService db/young: spec.listeners[0].port: expected at most 2 ports of "
                  "StreamPortPolicy few for the namespace db (maxListenersPerNamespace), "
                  "port 9001 is one more"));
  c.remove(Kind::kTcpService, "db/old").translate();
  EXPECT_TRUE(has(9001)) << "there is room";
  EXPECT_THAT(c.diagnostics(), IsEmpty());
}

TEST_F(PortQuota, EachPortOfARangeCounts) {
  policy("few", R"(,"maxListenersPerNamespace":3)");
  tcp("db/range", R"("portRange":{"start":9000,"end":9009})", 1);
  c.translate();
  for (int port = 9000; port <= 9009; ++port) EXPECT_EQ(has(port), port < 9003) << port;
}

TEST_F(PortQuota, WhoHasHadAPortKeepsIt) {
  policy("few", R"(,"maxListenersPerNamespace":1)");
  tcp("db/young", R"("port":9001)", 3, R"(,"status":{"ports":"9001"})");
  tcp("db/old", R"("port":9002)", 1);
  c.translate();
  EXPECT_TRUE(has(9001));
  EXPECT_FALSE(has(9002));
}

TEST_F(PortQuota, ChangesOfThePolicyAreObeyed) {
  policy("few", R"(,"maxListenersPerNamespace":1)");
  tcp("db/a", R"("port":9001)", 1);
  tcp("db/b", R"("port":9002)", 2);
  c.translate();
  EXPECT_FALSE(has(9002));
  policy("few", "");
  c.translate();
  EXPECT_TRUE(has(9002));
  policy("few", R"(,"maxListenersPerNamespace":1)");
  policy("many", R"(,"namespaceSelector":{"matchLabels":{"rich":"yes"}})");
  c.translate();
  EXPECT_FALSE(has(9002));
  c.apply({{Kind::kNamespace, "", "db"},
           false,
           R"({"metadata":{"name":"db","labels":{"rich":"yes"}}})",
           {}})
      .translate();
  EXPECT_TRUE(has(9002)) << "another policy gives it";
}

TEST_F(PortQuota, APortThatNobodyGivesWaits) {
  tcp("db/any", R"("port":0)", 1);
  c.translate();
  EXPECT_THAT(
      c.diagnostics(),
      ElementsAre("TCPService db/any: spec.listeners[0].port: expected a port, got 0, and no "
                  "StreamPortPolicy with autoAllocate has TCP ports for the namespace db"));
  policy("pool", R"(,"autoAllocate":true)");
  c.translate();
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("gives it one of StreamPortPolicy pool")));
  tcp("db/any", R"("port":0)", 1, R"(,"status":{"listeners":[{"name":"l","allocatedPort":9004}]})");
  c.translate();
  EXPECT_TRUE(has(9004));
  EXPECT_THAT(c.diagnostics(), IsEmpty());
  c.remove(Kind::kTcpService, "db/any").translate();
  EXPECT_FALSE(has(9004));
}

TEST_F(PortQuota, AnAllocatedPortIsAskedForAsAnyOther) {
  policy("pool", R"(,"autoAllocate":true)");
  tcp("db/any", R"("port":0)", 1, R"(,"status":{"listeners":[{"name":"l","allocatedPort":8080}]})");
  c.translate();
  EXPECT_FALSE(has(8080));
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("no StreamPortPolicy gives port 8080")));
}

}  // namespace
}  // namespace penstock::translate
