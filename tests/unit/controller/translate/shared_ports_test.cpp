// Ports that several share by server names, and names beside HTTPS.
#include "tests/unit/controller/translate/fixture.h"

namespace penstock::translate {
namespace {

using snapshot::StreamEntrance;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kPass = R"("tls":{"mode":"Passthrough"})";

/// A TCPService with one rule for these names, or for all where there are none.
std::string names_of(int port, std::string_view names, std::string_view more = kPass) {
  const auto match = names.empty() ? "" : fmt::format(R"("match":{{"sni":[{}]}},)", names);
  return fmt::format(
      R"("spec":{{"listeners":[{{"name":"l","port":{}{}{}}}],"rules":[{{{}"backends":[
      {{"service":{{"name":"db","port":5432}}}}]}}]}})",
      port, more.empty() ? "" : ",", more, match);
}

Cluster make_cluster(bool passes_tls_through = false) {
  Options options;
  options.tcp_services = "p/tcp";
  options.https_port = 8443;
  options.passes_tls_through = passes_tls_through;
  Cluster c(options);
  c.ingress_class().service("data/db", R"({"port":5432})").service("shop/web");
  return c;
}

/// "db.example.com data/a" for each delegate of a port.
std::vector<std::string> delegates(Cluster& c, const std::string& name) {
  std::vector<std::string> out;
  const auto* found = c.stream(name);
  if (found == nullptr) return out;
  for (const auto& each : found->delegates) {
    out.push_back(each.server_name + " " + each.stream.substr(name.size() + 1));
  }
  return out;
}

TEST(SharedPorts, AreOpenedOnceForDisjointNames) {
  auto c = make_cluster();
  c.put(Kind::kTcpService, "data/a", names_of(9000, R"("a.test","*.wild.test")"), 1);
  c.put(Kind::kTcpService, "data/b", names_of(9000, R"("b.test","x.wild.test")"), 2);
  c.put(Kind::kTcpService, "data/c", names_of(9000, ""), 3).translate();
  EXPECT_THAT(c.diagnostics(), IsEmpty()) << "a name in full beats a wildcard, and that none";
  EXPECT_THAT(delegates(c, "tcp/9000"),
              ElementsAre(" data/c", "*.wild.test data/a", "a.test data/a", "b.test data/b",
                          "x.wild.test data/b"));
  EXPECT_EQ(c.stream("tcp/9000")->owner, "TCPService data/a");
  EXPECT_TRUE(c.stream("tcp/9000")->rules.empty());
  const auto* member = c.stream("tcp/9000/data/b");
  ASSERT_NE(member, nullptr);
  EXPECT_EQ(member->entrance, StreamEntrance::kNames);
  EXPECT_EQ(member->log_name, "tcp-data-b-9000");
  EXPECT_EQ(member->rules.size(), 1U);
}

TEST(SharedPorts, TheOneThatGoesChangesNothingOfTheOthers) {
  auto c = make_cluster();
  c.put(Kind::kTcpService, "data/a", names_of(9000, R"("a.test")"), 1).translate();
  const auto changes =
      c.put(Kind::kTcpService, "data/b", names_of(9000, R"("b.test")"), 2).translate();
  EXPECT_FALSE(changes.contains({snapshot::PartKind::kStream, "tcp/9000/data/a"}));
  const auto after = c.remove(Kind::kTcpService, "data/a").translate();
  EXPECT_FALSE(after.contains({snapshot::PartKind::kStream, "tcp/9000/data/b"}));
  EXPECT_EQ(after.at({snapshot::PartKind::kStream, "tcp/9000/data/a"}), nullptr);
  EXPECT_EQ(c.stream("tcp/9000")->owner, "TCPService data/b");
  c.remove(Kind::kTcpService, "data/b").translate();
  EXPECT_EQ(c.stream("tcp/9000"), nullptr);
}

TEST(SharedPorts, ANameThatAnotherHasIsAConflict) {
  auto c = make_cluster();
  c.put(Kind::kTcpService, "data/a", names_of(9000, R"("a.test","both.test")"), 1);
  c.put(Kind::kTcpService, "data/b", names_of(9000, R"("b.test","both.test")"), 2);
  c.put(Kind::kTcpService, "data/c", names_of(9000, R"("b.test")"), 3).translate();
  EXPECT_THAT(c.diagnostics(),
              ElementsAre("TCPService data/b: spec.listeners[0].port: the server name both.test of "
                          "port 9000 is already taken by the TCPService data/a"));
  const auto found = c.translator.diagnostics_of({Kind::kTcpService, "data", "b"});
  EXPECT_EQ(found[0].reason, Reason::kSniConflict);
  EXPECT_EQ(found[0].other.name, "a");
  EXPECT_EQ(c.stream("tcp/9000/data/b"), nullptr);
  EXPECT_NE(c.stream("tcp/9000/data/c"), nullptr) << "who has nothing keeps nobody out";
  // The owner goes: the next one has it in the same change, and another waits.
  c.remove(Kind::kTcpService, "data/a").translate();
  EXPECT_THAT(delegates(c, "tcp/9000"), ElementsAre("b.test data/b", "both.test data/b"));
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("the server name b.test of port 9000")));
  c.put(Kind::kTcpService, "data/b", names_of(9000, ""), 2);
  c.put(Kind::kTcpService, "data/d", names_of(9000, ""), 4).translate();
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("port 9000 without a server name is already "
                                                     "taken by the TCPService data/b")));
}

TEST(SharedPorts, WhoHasHadThePortKeepsItsNames) {
  auto c = make_cluster();
  c.put(Kind::kTcpService, "data/young",
        names_of(9000, R"("a.test")") + R"(,"status":{"ports":"9000"})", 5);
  c.put(Kind::kTcpService, "data/old", names_of(9000, R"("a.test")"), 1).translate();
  EXPECT_THAT(delegates(c, "tcp/9000"), ElementsAre("a.test data/young"));
}

TEST(SharedPorts, NobodySharesWhatComesBeforeAName) {
  auto c = make_cluster();
  c.put(Kind::kTcpService, "data/a", names_of(9000, R"("a.test")"), 1);
  c.put(Kind::kTcpService, "data/raw", names_of(9000, "", ""), 2);
  c.put(Kind::kTcpService, "data/proxied",
        names_of(9000, R"("b.test")",
                 R"("tls":{"mode":"Passthrough"},
                 "proxyProtocol":{"mode":"Required","trustedCIDRs":["10.0.0.0/8"]})"),
        3);
  c.put(Kind::kTcpService, "data/start",
        names_of(
            9000, R"("c.test")",
            R"("tls":{"mode":"Terminate","starttls":"Postgres","certificateRefs":[{"name":"x"}]})"),
        4);
  c.put(Kind::kTcpService, "data/one",
        names_of(9000, R"("d.test")", R"("tls":{"mode":"Passthrough"},"address":"10.0.0.1")"), 5);
  c.translate();
  EXPECT_THAT(c.diagnostics(),
              ElementsAre(HasSubstr("data/one: spec.listeners[0].port: port 9000 is already taken"),
                          HasSubstr("port 9000 with another proxyProtocol is already taken"),
                          HasSubstr("data/raw: spec.listeners[0].port: port 9000 is already taken"),
                          HasSubstr("port 9000 with another starttls is already taken")));
  EXPECT_THAT(delegates(c, "tcp/9000"), ElementsAre("a.test data/a"));
}

TEST(SharedPorts, AConfigMapHasAPortAlone) {
  auto c = make_cluster();
  c.put(Kind::kConfigMap, "p/tcp", R"("data":{"9000":"data/db:5432"})");
  c.put(Kind::kTcpService, "data/a", names_of(9000, R"("a.test")"), 1).translate();
  EXPECT_EQ(c.stream("tcp/9000")->entrance, StreamEntrance::kPort);
  EXPECT_THAT(delegates(c, "tcp/9000"), IsEmpty());
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("already taken by the ConfigMap p/tcp")));
}

TEST(NamesOfHttps, AreHadByTcpServicesBesideHosts) {
  auto c = make_cluster();
  c.ingress("shop/web", rules("web.test", {"Prefix / web"}));
  c.put(Kind::kTcpService, "data/a", names_of(8443, R"("db.test","*.web.test")"), 2).translate();
  EXPECT_THAT(c.diagnostics(), IsEmpty());
  EXPECT_EQ(c.stream("tcp/8443")->entrance, StreamEntrance::kHttps);
  EXPECT_THAT(delegates(c, "tcp/8443"), ElementsAre("*.web.test data/a", "db.test data/a"));
  c.remove(Kind::kTcpService, "data/a").translate();
  EXPECT_EQ(c.stream("tcp/8443"), nullptr) << "nobody pays for names that nobody has";
}

TEST(NamesOfHttps, AreAllThatCanBeHadOfThePort) {
  for (const auto& [spec, expected] : std::vector<std::pair<std::string, std::string>>{
           {names_of(8443, "", ""), "port 8443 is reserved for HTTPS"},
           {names_of(8443, ""), "expected sni in the match of every rule"},
           {names_of(8443, R"("a.test")", R"("tls":{"mode":"Passthrough"},"address":"10.0.0.1")"),
            "expected no address of its own"},
           {names_of(8443, R"("a.test")", R"("tls":{"mode":"Passthrough"},
             "proxyProtocol":{"mode":"Required","trustedCIDRs":["10.0.0.0/8"]})"),
            "use-proxy-protocol of the ConfigMap"},
           {names_of(8443, R"("a.test")", R"("tls":{"mode":"Terminate","starttls":"SMTP",
             "certificateRefs":[{"name":"x"}]})"),
            "expected no starttls"}}) {
    auto c = make_cluster();
    c.put(Kind::kTcpService, "data/a", spec).translate();
    EXPECT_EQ(c.stream("tcp/8443"), nullptr) << spec;
    const auto found = c.translator.diagnostics_of({Kind::kTcpService, "data", "a"});
    ASSERT_FALSE(found.empty()) << spec;
    EXPECT_EQ(found[0].reason, Reason::kPortReserved);
    EXPECT_THAT(found[0].message, HasSubstr(expected));
  }
}

TEST(NamesOfHttps, GoToWhoIsOlderOfAHostAndATcpService) {
  auto c = make_cluster();
  c.ingress("shop/web", rules("web.test", {"Prefix / web"}), "", 1);
  c.put(Kind::kTcpService, "data/a", names_of(8443, R"("web.test")"), 2).translate();
  EXPECT_THAT(c.diagnostics(),
              ElementsAre("TCPService data/a: spec.listeners[0].port: the server name web.test of "
                          "port 8443 is already taken by the Ingress shop/web"));
  // The Ingress is made anew, and so is the younger.
  c.remove(Kind::kIngress, "shop/web").translate();
  EXPECT_THAT(delegates(c, "tcp/8443"), ElementsAre("web.test data/a"));
  c.ingress("shop/web", rules("web.test", {"Prefix / web"}), "", 3).translate();
  EXPECT_THAT(delegates(c, "tcp/8443"), ElementsAre("web.test data/a"));
  const auto found = c.translator.diagnostics_of({Kind::kIngress, "shop", "web"});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].reason, Reason::kPathTaken);
  EXPECT_EQ(found[0].field, "/spec/rules/0/host");
  EXPECT_EQ(found[0].other.name, "a");
}

TEST(NamesOfHttps, OfAPrivilegedPortNeedAPolicy) {
  Cluster c;
  c.service("data/db", R"({"port":5432})");
  c.put(Kind::kTcpService, "data/a", names_of(443, R"("a.test")")).translate();
  EXPECT_EQ(c.translator.diagnostics_of({Kind::kTcpService, "data", "a"})[0].reason,
            Reason::kPortNotAllowed);
  c.put(Kind::kStreamPortPolicy, "p",
        R"("spec":{"ports":[{"start":443,"end":443}],"allowPrivileged":true})")
      .translate();
  EXPECT_THAT(c.diagnostics(), IsEmpty());
  EXPECT_THAT(delegates(c, "tcp/443"), ElementsAre("a.test data/a"));
}

constexpr std::string_view kPassed = R"("nginx.ingress.kubernetes.io/ssl-passthrough":"true")";

TEST(PassedHosts, GoToTheBackendOfTheirRoot) {
  auto c = make_cluster(true);
  c.service("shop/api");
  c.ingress("shop/api", rules("web.test", {"Prefix /api api", "Prefix / web"}), "", 1);
  c.ingress("shop/web", rules("web.test", {"Prefix /x web"}), kPassed, 2).translate();
  EXPECT_THAT(c.diagnostics(), IsEmpty()) << "any Ingress of the host says it";
  EXPECT_EQ(c.stream("tcp/8443")->entrance, StreamEntrance::kHttps);
  EXPECT_THAT(delegates(c, "tcp/8443"), ElementsAre("web.test web.test"));
  const auto* passed = c.stream("tcp/8443/web.test");
  ASSERT_NE(passed, nullptr);
  EXPECT_EQ(passed->owner, "Ingress shop/api");
  EXPECT_EQ(passed->rules[0].backends[0].upstream, "shop/web/80");
  for (const auto& route : c.host("web.test")->routes) {
    EXPECT_EQ(route.policy.backend.protocol, snapshot::BackendProtocol::kHttps) << route.path;
  }
  c.remove(Kind::kIngress, "shop/web").translate();
  EXPECT_EQ(c.stream("tcp/8443"), nullptr);
  EXPECT_EQ(c.stream("tcp/8443/web.test"), nullptr);
}

TEST(PassedHosts, KeepTheirAccessList) {
  auto c = make_cluster(true);
  const std::string list = R"(,"nginx.ingress.kubernetes.io/whitelist-source-range":)";
  c.ingress("shop/web", rules("web.test", {"Prefix / web"}),
            std::string(kPassed) + list + R"("10.0.0.0/8")")
      .translate();
  EXPECT_EQ(c.stream("tcp/8443/web.test")->access.allowed.size(), 1U);
  c.ingress("shop/web", rules("web.test", {"Prefix / web"}), std::string(kPassed) + list + R"("x")")
      .translate();
  EXPECT_THAT(c.stream("tcp/8443/web.test")->rules, IsEmpty()) << "a broken one lets nobody in";
}

TEST(PassedHosts, NeedTheFlagARootAndAName) {
  auto without = make_cluster();
  without.ingress("shop/web", rules("web.test", {"Prefix / web"}), kPassed).translate();
  EXPECT_THAT(without.diagnostics(), ElementsAre(HasSubstr("--enable-ssl-passthrough")));
  EXPECT_EQ(without.stream("tcp/8443"), nullptr);
  auto c = make_cluster(true);
  c.ingress("shop/web", rules("web.test", {"Prefix /x web"}), kPassed);
  c.ingress("shop/wild", rules("*.web.test", {"Prefix / web"}), kPassed).translate();
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("expected a path / of host web.test"),
                                           HasSubstr("wildcard hosts are not passed through")));
  EXPECT_EQ(c.stream("tcp/8443"), nullptr);
  c.ingress("shop/web",
            rules("web.test", {"Prefix /x web"}) +
                R"(,"defaultBackend":{"service":{"name":"web","port":{"number":80}}})",
            kPassed)
      .translate();
  EXPECT_NE(c.stream("tcp/8443/web.test"), nullptr);
}

TEST(PassedHosts, YieldToAnOlderTcpService) {
  auto c = make_cluster(true);
  c.put(Kind::kTcpService, "data/a", names_of(8443, R"("web.test")"), 1);
  c.ingress("shop/web", rules("web.test", {"Prefix / web"}), kPassed, 2).translate();
  EXPECT_THAT(delegates(c, "tcp/8443"), ElementsAre("web.test data/a"));
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("already taken by TCPService")));
  c.remove(Kind::kTcpService, "data/a").translate();
  EXPECT_THAT(delegates(c, "tcp/8443"), ElementsAre("web.test web.test"));
}

}  // namespace
}  // namespace penstock::translate
