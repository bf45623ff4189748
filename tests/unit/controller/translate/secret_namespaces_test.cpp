// --secret-namespaces: what names a Secret of another namespace is told so, and nobody asks for it.
#include "tests/unit/controller/translate/fixture.h"

namespace penstock::translate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

Options reading_of_shop() {
  Options out;
  out.secret_namespaces = {"pay", "shop"};
  out.default_certificate = "certificates/wildcard";
  return out;
}

class SecretNamespaces : public testing::Test {
 protected:
  SecretNamespaces() : cluster(reading_of_shop()) {
    cluster.ingress_class();
    cluster.secret("certificates/wildcard", {"*.test"});
    for (const std::string name : {"shop", "blog"}) {
      cluster.service(name + "/web").slice(name + "/web", "10.0.0.1");
      cluster.secret(name + "/cert", {name + ".test"});
    }
  }
  void tls_ingress(const std::string& name_space, const std::string& secret = "cert") {
    const auto host = name_space + ".test";
    cluster.ingress(name_space + "/web",
                    fmt::format(R"("tls":[{{"hosts":["{}"],"secretName":"{}"}}],)", host, secret) +
                        rules(host, {"Prefix / web"}));
  }
  bool has_certificate(const std::string& name) {
    return cluster.part<snapshot::Certificate>(snapshot::PartKind::kCertificate, name) != nullptr;
  }

  Cluster cluster;
};

TEST_F(SecretNamespaces, ServeTheirOwnAndTellOthers) {
  tls_ingress("shop");
  tls_ingress("blog");
  cluster.translate();
  EXPECT_EQ(cluster.host("shop.test")->certificate, "shop/cert");
  EXPECT_EQ(cluster.host("blog.test")->certificate, "");
  EXPECT_TRUE(cluster.host("blog.test")->routes[0].policy.https_redirect.is_enabled);
  EXPECT_FALSE(has_certificate("blog/cert"));
  EXPECT_THAT(cluster.diagnostics(),
              ElementsAre(HasSubstr("Ingress blog/web: spec.tls[0].secretName: expected a Secret "
                                    "of one of --secret-namespaces, got 'blog/cert'; blog.test "
                                    "presents the default certificate")));
  EXPECT_THAT(cluster.translator.wanted_secrets(),
              UnorderedElementsAre("shop/cert", "certificates/wildcard"));
}

TEST_F(SecretNamespaces, SayOfOneThatIsMissingThatItDoesNotExist) {
  tls_ingress("shop", "nosuch");
  cluster.translate();
  EXPECT_THAT(cluster.diagnostics(), ElementsAre(HasSubstr("'shop/nosuch' does not exist")));
}

TEST_F(SecretNamespaces, DoNotBindTheDefaultCertificate) {
  cluster.translate();
  EXPECT_THAT(cluster.diagnostics(), IsEmpty());
  const auto* part = cluster.part<snapshot::Certificate>(
      snapshot::PartKind::kCertificate, std::string(snapshot::kDefaultCertificate));
  ASSERT_NE(part, nullptr);
  cluster.remove(Kind::kSecret, "certificates/wildcard").translate();
  EXPECT_THAT(cluster.diagnostics(),
              ElementsAre(HasSubstr("'certificates/wildcard' does not exist")));
}

TEST_F(SecretNamespaces, BindTheCertificatesAndAuthoritiesOfStreams) {
  cluster.put(Kind::kTcpService, "blog/db",
              R"("spec":{"ingressClassName":"nginx","listeners":[{"name":"main","port":5001,"tls":{
                "mode":"Terminate","certificateRefs":[{"name":"cert"}],
                "clientAuth":{"mode":"Required","caRef":{"name":"clients"}}}}],
              "rules":[{"backends":[{"service":{"name":"web","port":80},
                "tls":{"serverName":"db.test","caRef":{"name":"servers"}}}]}]})");
  cluster.translate();
  EXPECT_THAT(cluster.diagnostics(),
              testing::IsSupersetOf(
                  {HasSubstr("certificateRefs[0].name: Secret 'blog/cert': expected a Secret of "
                             "one of --secret-namespaces, got 'blog/cert'"),
                   HasSubstr("clientAuth.caRef.name: expected a Secret of one of "
                             "--secret-namespaces, got 'blog/clients'"),
                   HasSubstr("backends[0].tls.caRef.name: expected a Secret of one of "
                             "--secret-namespaces, got 'blog/servers'")}));
  EXPECT_THAT(cluster.translator.wanted_secrets(), ElementsAre("certificates/wildcard"));
  const auto* stream = cluster.stream("tcp/5001");
  EXPECT_TRUE(stream == nullptr || stream->tls.certificates.empty()) << "it takes no connection";
}

}  // namespace
}  // namespace penstock::translate
