// What TCPServices and UDPServices may name of other namespaces.
#include "tests/unit/controller/translate/fixture.h"

namespace penstock::translate {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr std::string_view kTcpOfShop =
    R"({"group":"penstock.dev","kind":"TCPService","namespace":"shop"})";
constexpr std::string_view kUdpOfShop =
    R"({"group":"penstock.dev","kind":"UDPService","namespace":"shop"})";
constexpr std::string_view kServices = R"({"group":"","kind":"Service"})";
constexpr std::string_view kSecrets = R"({"group":"","kind":"Secret"})";
constexpr std::string_view kNoGrant =
    "TCPService shop/t: spec.rules[0].backends[1].service.namespace: expected a ReferenceGrant in "
    "namespace 'db' with from {group: penstock.dev, kind: TCPService, namespace: shop} and to "
    "{group: \"\", kind: Service, name: sql}, found none";

class ReferenceGrants : public testing::Test {
 protected:
  explicit ReferenceGrants(Options options = {}) : c(std::move(options)) {
    for (const std::string name : {"shop/own", "db/sql", "db/other"}) {
      c.service(name, R"({"port":3306})").slice(name, "10.0.0.1", 3306);
    }
    c.service("dns/dns", R"({"port":53,"protocol":"UDP"})");
  }

  void put_tcp(std::string_view service = "sql") {
    c.put(Kind::kTcpService, "shop/t",
          fmt::format(R"("spec":{{"listeners":[{{"name":"l","port":9000}}],"rules":[{{"backends":[
            {{"service":{{"name":"own","port":3306}}}},
            {{"service":{{"name":"{}","namespace":"db","port":3306}}}}]}}]}})",
                      service));
  }
  void put_tls(std::string_view secrets) {
    c.put(Kind::kTcpService, "shop/t",
          fmt::format(R"("spec":{{"listeners":[{{"name":"l","port":9000,"tls":{{"mode":"Terminate",
            "certificateRefs":[{}]}}}}],"rules":[{{"backends":[
            {{"service":{{"name":"own","port":3306}}}}]}}]}})",
                      secrets));
  }
  void grant(std::string_view from, std::string_view to, std::string_view path = "db/g") {
    c.put(Kind::kReferenceGrant, path,
          fmt::format(R"("spec":{{"from":[{}],"to":[{}]}})", from, to));
  }
  std::vector<std::string> backends(const std::string& stream = "tcp/9000") {
    c.translate();
    std::vector<std::string> out;
    for (const auto& each : c.stream(stream)->rules[0].backends) out.push_back(each.upstream);
    return out;
  }
  std::vector<std::string> certificates() {
    c.translate();
    return c.stream("tcp/9000/shop/t")->tls.certificates;  // behind its name of the port
  }

  const std::string own = "tcpservice/shop/t/own/3306";
  const std::string far = "tcpservice/shop/t/db/sql/3306";
  Cluster c;
};

TEST_F(ReferenceGrants, LetABackendBeOfAnotherNamespaceUntilTheyAreWithdrawn) {
  put_tcp();
  EXPECT_THAT(backends(), ElementsAre(own)) << "the others serve on";
  EXPECT_THAT(c.diagnostics(), ElementsAre(kNoGrant));
  grant(kTcpOfShop, kServices);
  EXPECT_THAT(backends(), ElementsAre(own, far));
  EXPECT_THAT(c.endpoints(far), ElementsAre("10.0.0.1:3306"));
  EXPECT_THAT(c.diagnostics(), IsEmpty());
  c.slice("db/sql", "10.0.0.9", 3306).translate();
  EXPECT_THAT(c.endpoints(far), ElementsAre("10.0.0.9:3306"));
  c.remove(Kind::kReferenceGrant, "db/g");
  EXPECT_THAT(backends(), ElementsAre(own));
  EXPECT_THAT(c.diagnostics(), ElementsAre(kNoGrant));
  EXPECT_EQ(c.part<snapshot::Endpoints>(snapshot::PartKind::kEndpoints, far), nullptr);
}

TEST_F(ReferenceGrants, SayTheDiagnosticsReason) {
  put_tcp();
  c.translate();
  const auto said = c.translator.diagnostics_of({Kind::kTcpService, "shop", "t"});
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].reason, Reason::kRefNotPermitted);
  EXPECT_EQ(said[0].field, "/spec/rules/0/backends/1/service/namespace");
}

TEST_F(ReferenceGrants, AreNarrowedByEachOfTheirFields) {
  put_tcp();
  const std::vector<std::pair<std::string_view, std::string_view>> others = {
      {kTcpOfShop, R"({"group":"","kind":"Service","name":"other"})"},
      {kTcpOfShop, kSecrets},
      {kTcpOfShop, R"({"group":"example.dev","kind":"Service"})"},
      {kUdpOfShop, kServices},
      {R"({"group":"penstock.dev","kind":"TCPService","namespace":"blog"})", kServices},
      {R"({"group":"example.dev","kind":"TCPService","namespace":"shop"})", kServices},
  };
  for (const auto& [from, to] : others) {
    grant(from, to);
    EXPECT_THAT(backends(), ElementsAre(own)) << from << to;
  }
  grant(kTcpOfShop, R"({"group":"","kind":"Service","name":"sql"})");
  EXPECT_THAT(backends(), ElementsAre(own, far));
  c.remove(Kind::kReferenceGrant, "db/g");
  grant(kTcpOfShop, kServices, "shop/g");
  EXPECT_THAT(backends(), ElementsAre(own)) << "who asks cannot grant it";
}

TEST_F(ReferenceGrants, AreEnoughIfOneOfThemPermits) {
  put_tcp();
  grant(kTcpOfShop, kServices, "db/a");
  grant(kTcpOfShop, R"({"group":"","kind":"Service","name":"sql"})", "db/b");
  EXPECT_THAT(backends(), ElementsAre(own, far));
  c.remove(Kind::kReferenceGrant, "db/a");
  EXPECT_THAT(backends(), ElementsAre(own, far));
  c.remove(Kind::kReferenceGrant, "db/b");
  EXPECT_THAT(backends(), ElementsAre(own));
}

/// Also what its last good form has permitted: it may have been written to take that back.
TEST_F(ReferenceGrants, PermitNothingWhereTheyCannotBeRead) {
  put_tcp();
  grant(kTcpOfShop, kServices);
  EXPECT_THAT(backends(), ElementsAre(own, far));
  c.put(Kind::kReferenceGrant, "db/g",
        fmt::format(R"("spec":{{"from":[{}],"to":[{}],"until":"noon"}})", kTcpOfShop, kServices));
  EXPECT_THAT(backends(), ElementsAre(own));
  EXPECT_THAT(c.diagnostics(),
              ElementsAre(kNoGrant, AllOf(HasSubstr("ReferenceGrant db/g"), HasSubstr("until"))));
  grant(kTcpOfShop, kServices);
  EXPECT_THAT(backends(), ElementsAre(own, far));
  EXPECT_THAT(c.diagnostics(), IsEmpty());
}

/// Neither what is said nor what is read differs, so that nobody learns what another has.
TEST_F(ReferenceGrants, TellNobodyElseWhatThereIs) {
  put_tcp();
  put_tls(R"({"name":"cert","namespace":"db"})");
  c.translate();
  const auto before = c.diagnostics();
  EXPECT_THAT(before, ElementsAre(HasSubstr("kind: Secret, name: cert}, found none")));
  EXPECT_THAT(c.translator.wanted_secrets(), IsEmpty()) << "none is fetched";
  c.secret("db/cert", {"shop.test"});
  EXPECT_THAT(certificates(), IsEmpty());
  EXPECT_EQ(c.diagnostics(), before);
  put_tcp();
  c.translate();
  const auto jobs = c.translator.jobs_run();
  c.remove(Kind::kService, "db/sql").remove(Kind::kEndpointSlice, "db/sql-1").translate();
  EXPECT_EQ(c.translator.jobs_run(), jobs) << "nothing has looked";
  EXPECT_THAT(c.diagnostics(), ElementsAre(kNoGrant));
  grant(kTcpOfShop, kServices);
  c.translate();
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("'db/sql' does not exist")));
}

TEST_F(ReferenceGrants, AreAskedAgainByThoseWhoHaveAskedAlone) {
  put_tcp();
  c.translate();
  const auto runs_for = [&](std::string_view from, std::string_view to, std::string_view path) {
    const auto before = c.translator.jobs_run();
    grant(from, to, path);
    c.translate();
    return c.translator.jobs_run() - before;
  };
  EXPECT_EQ(
      runs_for(R"({"group":"gateway.networking.k8s.io","kind":"TCPRoute","namespace":"shop"})",
               kServices, "db/routes"),
      0U);
  EXPECT_EQ(runs_for(kTcpOfShop, R"({"group":"","kind":"Service","name":"other"})", "db/g"), 0U);
  EXPECT_EQ(runs_for(kUdpOfShop, kServices, "db/udp"), 0U);
  EXPECT_EQ(runs_for(kTcpOfShop, kServices, "dns/g"), 0U);
  EXPECT_GT(runs_for(kTcpOfShop, R"({"group":"","kind":"Service","name":"sql"})", "db/g"), 0U);
}

TEST_F(ReferenceGrants, LetAUdpServiceHaveItsBackend) {
  c.put(Kind::kUdpService, "shop/u",
        R"("spec":{"listeners":[{"name":"l","port":9053}],"backends":[
          {"service":{"name":"dns","namespace":"dns","port":53}}]})");
  const auto count = [&] {
    c.translate();
    return c.part<snapshot::UdpStream>(snapshot::PartKind::kUdpStream, "udp/9053")->backends.size();
  };
  grant(kTcpOfShop, kServices, "dns/g");
  EXPECT_EQ(count(), 0U);
  EXPECT_THAT(c.diagnostics(),
              ElementsAre(HasSubstr("UDPService shop/u: spec.backends[0].service.namespace: "
                                    "expected a ReferenceGrant in namespace 'dns' with from "
                                    "{group: penstock.dev, kind: UDPService, namespace: shop}")));
  grant(kUdpOfShop, kServices, "dns/g");
  EXPECT_EQ(count(), 1U);
  EXPECT_THAT(c.diagnostics(), IsEmpty());
}

TEST_F(ReferenceGrants, LetAListenerHaveACertificate) {
  c.secret("shop/cert", {"shop.test"}).secret("db/cert", {"db.test"});
  put_tls(R"({"name":"cert"},{"name":"cert","namespace":"db"})");
  grant(kTcpOfShop, kServices);
  EXPECT_THAT(certificates(), ElementsAre("shop/cert"));
  EXPECT_THAT(c.diagnostics(),
              ElementsAre(AllOf(HasSubstr("certificateRefs[1].namespace: expected a "
                                          "ReferenceGrant in namespace 'db'"),
                                HasSubstr("kind: Secret, name: cert}"))));
  EXPECT_THAT(c.translator.wanted_secrets(), ElementsAre("shop/cert"));
  grant(kTcpOfShop, R"({"group":"","kind":"Secret","name":"cert"})");
  EXPECT_THAT(certificates(), ElementsAre("shop/cert", "db/cert"));
  EXPECT_THAT(c.translator.wanted_secrets(), ElementsAre("db/cert", "shop/cert"));
  EXPECT_NE(c.part<snapshot::Certificate>(snapshot::PartKind::kCertificate, "db/cert"), nullptr);
  c.remove(Kind::kReferenceGrant, "db/g");
  EXPECT_THAT(certificates(), ElementsAre("shop/cert"));
  EXPECT_EQ(c.part<snapshot::Certificate>(snapshot::PartKind::kCertificate, "db/cert"), nullptr)
      << "its key travels no further";
  EXPECT_THAT(c.translator.wanted_secrets(), ElementsAre("shop/cert"));
}

TEST_F(ReferenceGrants, MixNothingUpThatHasTheSameName) {
  c.service("shop/sql", R"({"port":3306})").slice("shop/sql", "10.0.0.2", 3306);
  grant(kTcpOfShop, kServices);
  c.put(Kind::kTcpService, "shop/t",
        R"("spec":{"listeners":[{"name":"l","port":9000}],"rules":[{"backends":[
          {"service":{"name":"sql","namespace":"shop","port":3306}},
          {"service":{"name":"sql","namespace":"db","port":3306}}]}]})");
  EXPECT_THAT(backends(), ElementsAre("tcpservice/shop/t/sql/3306", far));
  EXPECT_THAT(c.endpoints("tcpservice/shop/t/sql/3306"), ElementsAre("10.0.0.2:3306"));
  EXPECT_THAT(c.endpoints(far), ElementsAre("10.0.0.1:3306"));
}

Options narrowed() {
  Options out;
  out.namespace_selector = *objects::LabelSelector::parse("served=yes");
  out.secret_namespaces = {"shop"};
  return out;
}

class NarrowedGrants : public ReferenceGrants {
 protected:
  NarrowedGrants() : ReferenceGrants(narrowed()) { label("shop", "yes"); }
  void label(std::string_view name, std::string_view value) {
    c.apply(
        {{Kind::kNamespace, "", std::string(name)},
         false,
         fmt::format(R"({{"metadata":{{"name":"{}","labels":{{"served":"{}"}}}}}})", name, value),
         {}});
  }
};

TEST_F(NarrowedGrants, OfNamespacesThatAreServedCountAlone) {
  put_tcp();
  label("db", "no");
  EXPECT_THAT(backends(), ElementsAre(own));
  EXPECT_THAT(c.diagnostics(), ElementsAre(kNoGrant)) << "whatever its labels";
  grant(kTcpOfShop, kServices);
  EXPECT_THAT(backends(), ElementsAre(own));
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("namespace 'db' is not one that is served")));
  label("db", "yes");
  EXPECT_THAT(backends(), ElementsAre(own, far));
}

TEST_F(NarrowedGrants, GiveNoRightToReadASecret) {
  label("db", "yes");
  c.secret("db/cert", {"db.test"});
  put_tls(R"({"name":"cert","namespace":"db"})");
  grant(kTcpOfShop, kSecrets);
  EXPECT_THAT(certificates(), IsEmpty());
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("one of --secret-namespaces, got 'db/cert'")));
  EXPECT_THAT(c.translator.wanted_secrets(), Not(Contains("db/cert")));
}

}  // namespace
}  // namespace penstock::translate
