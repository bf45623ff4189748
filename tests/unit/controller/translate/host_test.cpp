// ingress-nginx routing semantics: hosts, paths, ages, classes, default backends.
#include "tests/unit/controller/translate/fixture.h"

namespace penstock::translate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Cluster cluster(Options options = {}) {
  Cluster out(std::move(options));
  out.ingress_class().service("n/a").service("n/b").service("n/d");
  return out;
}

TEST(Hosts, HaveAnImplicitRootThatAnswers404) {
  auto c = cluster();
  c.ingress("n/i", rules("x.example", {"Prefix /a a"})).translate();
  EXPECT_THAT(c.routes("x.example"), ElementsAre("prefix / 404", "prefix /a a"));
  EXPECT_THAT(c.routes("_"), ElementsAre("prefix / 404"));
  EXPECT_THAT(c.diagnostics(), IsEmpty());
}

TEST(Hosts, TakeImplementationSpecificAndEmptyPathsAsPrefix) {
  auto c = cluster();
  c.ingress("n/i", rules("x.example", {"ImplementationSpecific /a a", "Prefix  b"})).translate();
  EXPECT_THAT(c.routes("x.example"), ElementsAre("prefix / b", "prefix /a a"));
}

TEST(Hosts, KeepExactAndPrefixOfOnePathApart) {
  auto c = cluster();
  c.ingress("n/i", rules("x.example", {"Exact /a a", "Prefix /a b"})).translate();
  EXPECT_THAT(c.routes("x.example"), ElementsAre("prefix / 404", "exact /a a", "prefix /a b"));
}

TEST(Hosts, GiveAPathToTheOldestIngressAndTellTheOther) {
  auto c = cluster();
  c.ingress("n/young", rules("x.example", {"Prefix /a b"}), "", 9);
  c.ingress("n/old", rules("x.example", {"Prefix /a a"}), "", 3);
  c.translate();
  EXPECT_THAT(c.routes("x.example"), ElementsAre("prefix / 404", "prefix /a a"));
  EXPECT_THAT(c.diagnostics(),
              ElementsAre("Ingress n/young: spec.rules[0].http.paths[0]: prefix /a of host "
                          "x.example is already taken by the older Ingress n/old"));
}

TEST(Hosts, SayWhatDecidesBetweenTwoOfOneAge) {
  auto c = cluster();
  c.ingress("n/a", rules("x.example", {"Prefix /a a"}), "", 3);
  c.ingress("n/z", rules("x.example", {"Prefix /a b", "Prefix /a a"}), "", 3);
  c.translate();
  EXPECT_THAT(c.routes("x.example"), ElementsAre("prefix / 404", "prefix /a b"));
  EXPECT_THAT(c.diagnostics(),
              ElementsAre(HasSubstr("is already taken by Ingress n/z, which is as old: then the "
                                    "later name in the alphabet goes first"),
                          HasSubstr("is already taken by another path of this Ingress")));
}

TEST(Hosts, ReplaceTheImplicitRootByARealOne) {
  auto c = cluster();
  c.ingress("n/old", rules("x.example", {"Prefix /a a"}), "", 1);
  c.ingress("n/young", rules("x.example", {"Prefix / b"}), "", 2);
  c.translate();
  EXPECT_THAT(c.routes("x.example"), ElementsAre("prefix / b", "prefix /a a"));
  EXPECT_THAT(c.diagnostics(), IsEmpty());
}

constexpr char kDefault[] = R"("defaultBackend":{"service":{"name":"d","port":{"number":80}}})";

TEST(DefaultBackends, AreRefusedWhereAnOperatorSaysSo) {
  Options options;
  options.refuses_catch_all = true;
  auto c = cluster(options);
  c.ingress("n/default", kDefault);
  c.ingress("n/both", fmt::format("{},{}", kDefault, rules("x.example", {"Prefix /a a"})));
  c.ingress("n/empty", rules("", {"Prefix /e a"})).translate();
  EXPECT_THAT(c.routes("_"), ElementsAre("prefix / 404", "prefix /e a"));
  EXPECT_EQ(c.host("x.example"), nullptr);
  EXPECT_THAT(c.diagnostics(),
              ElementsAre(HasSubstr("Ingress n/both: spec.defaultBackend: an Ingress with"),
                          HasSubstr("Ingress n/default: spec.defaultBackend: an Ingress with")));
  EXPECT_THAT(c.translator.served_ingresses(), ElementsAre("n/empty"));
}

Options with_config_map() {
  Options options;
  options.config_map = "n/settings";
  options.passes_tls_through = true;
  return options;
}

constexpr char kSize[] = R"("nginx.ingress.kubernetes.io/proxy-body-size":"2m")";

TEST(RefusedIngresses, AnswerFor503AndKeepTheirPaths) {
  auto c = cluster(with_config_map());
  c.ingress("n/old", rules("x.example", {"Prefix /a a"}), kSize, 1);
  c.ingress("n/young", rules("x.example", {"Prefix /a b", "Prefix /b b"}), "", 2);
  c.put(Kind::kConfigMap, "n/settings", R"("data":{"annotations-risk-level":"Medium"})");
  c.translate();
  EXPECT_THAT(c.translator.served_ingresses(), ElementsAre("n/old", "n/young"));
  EXPECT_EQ(c.host("x.example")->routes[1].denied_why, "");

  c.put(Kind::kConfigMap, "n/settings", R"("data":{"annotations-risk-level":"Low"})");
  c.translate();
  EXPECT_THAT(c.translator.served_ingresses(), ElementsAre("n/young"));
  EXPECT_THAT(c.routes("x.example"), ElementsAre("prefix / 404", "prefix /a a", "prefix /b b"));
  const auto& routes = c.host("x.example")->routes;
  EXPECT_THAT(routes[1].denied_why, HasSubstr("proxy-body-size: expected an annotation of at most "
                                              "the risk Low (annotations-risk-level), got one of "
                                              "the risk Medium"));
  EXPECT_EQ(routes[2].denied_why, "");
  EXPECT_THAT(c.diagnostics(),
              ElementsAre(HasSubstr("Ingress n/old: nginx.ingress.kubernetes.io/proxy-body-size: "),
                          HasSubstr("already taken by the older Ingress n/old")));

  c.remove(Kind::kConfigMap, "n/settings").translate();
  EXPECT_EQ(c.host("x.example")->routes[1].denied_why, "");
}

TEST(RefusedIngresses, AreClosedByAWordAsWell) {
  auto c = cluster(with_config_map());
  c.ingress("n/i", rules("x.example", {"Prefix / a"}),
            R"("nginx.ingress.kubernetes.io/ssl-passthrough":"true",
               "nginx.ingress.kubernetes.io/upstream-vhost":"lua.example")");
  c.translate();
  EXPECT_NE(c.stream("tcp/443/x.example"), nullptr);
  c.put(Kind::kConfigMap, "n/settings",
        R"("data":{"annotation-value-word-blocklist":"module,lua"})");
  c.translate();
  EXPECT_EQ(c.stream("tcp/443/x.example"), nullptr);
  EXPECT_THAT(c.host("x.example")->routes[0].denied_why,
              HasSubstr("annotation-value-word-blocklist, got one with 'lua'"));
  EXPECT_EQ(c.host("x.example")->routes[0].policy.backend.virtual_host, "");
}

TEST(ExternalNames, AreRefusedWhereAnOperatorSaysSo) {
  Options options;
  options.refuses_external_names = true;
  auto c = cluster(options);
  c.put(Kind::kService, "n/out", R"("spec":{"type":"ExternalName","externalName":"192.0.2.1"})");
  c.ingress("n/i", rules("x.example", {"Prefix /a out"})).translate();
  EXPECT_THAT(
      c.diagnostics(),
      ElementsAre(HasSubstr("Service 'n/out' is of type ExternalName, which is not served")));
  const auto* endpoints = c.part<snapshot::Endpoints>(snapshot::PartKind::kEndpoints, "n/out/80");
  ASSERT_NE(endpoints, nullptr);
  EXPECT_THAT(endpoints->endpoints, IsEmpty());
}

TEST(DefaultBackends, TakeOverTheCatchAllWithoutRules) {
  auto c = cluster();
  c.ingress("n/i", kDefault).translate();
  EXPECT_THAT(c.routes("_"), ElementsAre("prefix / d"));
}

TEST(DefaultBackends, ServeTheRootOfHostsThatTheirIngressCreated) {
  auto c = cluster();
  c.ingress("n/i", std::string(kDefault) + "," + rules("x.example", {"Prefix /a a"})).translate();
  EXPECT_THAT(c.routes("x.example"), ElementsAre("prefix / d", "prefix /a a"));
  EXPECT_THAT(c.routes("_"), ElementsAre("prefix / 404"));
}

TEST(DefaultBackends, AreThoseOfTheFlagElsewhere) {
  Options options;
  options.default_backend = "n/d";
  auto c = cluster(options);
  c.ingress("n/i", rules("x.example", {"Prefix /a a"})).translate();
  EXPECT_THAT(c.routes("x.example"), ElementsAre("prefix / d", "prefix /a a"));
  EXPECT_EQ(c.host("x.example")->routes[0].ingress, "");
  EXPECT_THAT(c.routes("_"), ElementsAre("prefix / d"));
}

TEST(CatchAll, TakesRulesWithoutAHost) {
  auto c = cluster();
  c.ingress("n/i", rules("", {"Prefix /a a"})).translate();
  EXPECT_THAT(c.routes("_"), ElementsAre("prefix / 404", "prefix /a a"));
}

TEST(Classes, DecideWhichIngressesAreServed) {
  auto c = cluster();
  c.put(Kind::kIngressClass, "other", R"("spec":{"controller":"example.com/other"})");
  const auto spec = [](std::string_view head, std::string_view host) {
    return fmt::format(R"("spec":{{{}{}}})", head, rules(host, {"Prefix / a"}));
  };
  c.put(Kind::kIngress, "n/ours", spec(R"("ingressClassName":"nginx",)", "ours.example"));
  c.put(Kind::kIngress, "n/other", spec(R"("ingressClassName":"other",)", "other.example"));
  c.put(Kind::kIngress, "n/gone", spec(R"("ingressClassName":"gone",)", "gone.example"));
  c.put(Kind::kIngress, "n/none", spec("", "none.example"));
  c.translate();
  EXPECT_NE(c.host("ours.example"), nullptr);
  EXPECT_EQ(c.host("other.example"), nullptr);
  EXPECT_EQ(c.host("gone.example"), nullptr);
  EXPECT_EQ(c.host("none.example"), nullptr);
}

TEST(Classes, MayComeAfterTheirIngresses) {
  Cluster c;
  c.service("n/a").ingress("n/i", rules("x.example", {"Prefix / a"})).translate();
  EXPECT_EQ(c.host("x.example"), nullptr);
  c.ingress_class().translate();
  EXPECT_NE(c.host("x.example"), nullptr);
}

TEST(Classes, AreTakenByNameOrFromTheAnnotationOrNotAtAll) {
  Options options;
  options.takes_class_by_name = true;
  options.takes_without_class = true;
  Cluster c(options);
  c.service("n/a").put(Kind::kIngressClass, "nginx", R"("spec":{"controller":"x"})");
  c.ingress("n/named", rules("named.example", {"Prefix / a"}));
  c.put(Kind::kIngress, "n/free", R"("spec":{)" + rules("free.example", {"Prefix / a"}) + "}");
  c.apply({{Kind::kIngress, "n", "old"},
           false,
           R"({"metadata":{"namespace":"n","name":"old","annotations":
             {"kubernetes.io/ingress.class":"haproxy"}},"spec":{)" +
               rules("old.example", {"Prefix / a"}) + "}}",
           {}});
  c.translate();
  EXPECT_NE(c.host("named.example"), nullptr);
  EXPECT_NE(c.host("free.example"), nullptr);
  EXPECT_EQ(c.host("old.example"), nullptr);
}

TEST(Annotations, ShapeTheRoutesOfTheirIngressAlone) {
  auto c = cluster();
  c.ingress("n/a", rules("x.example", {"Prefix /a a"}),
            R"("nginx.ingress.kubernetes.io/proxy-body-size":"7m")");
  c.ingress("n/b", rules("x.example", {"Prefix /b b"}), "", 2).translate();
  const auto* host = c.host("x.example");
  ASSERT_EQ(host->routes.size(), 3U);
  EXPECT_EQ(host->routes[1].policy.body.max_size.bytes, 7U << 20);
  EXPECT_EQ(host->routes[2].policy.body.max_size.bytes, 1U << 20);
}

TEST(Annotations, OfTheOldestIngressDecideHowAServiceBalances) {
  auto c = cluster();
  c.ingress("n/young", rules("x.example", {"Prefix /x a"}),
            R"("nginx.ingress.kubernetes.io/load-balance":"ip_hash")", 2);
  c.ingress("n/old", rules("y.example", {"Prefix / a"}),
            R"("nginx.ingress.kubernetes.io/load-balance":"ewma")", 1);
  c.translate();
  const auto* upstream = c.part<snapshot::Upstream>(snapshot::PartKind::kUpstream, "n/a/80");
  ASSERT_NE(upstream, nullptr);
  EXPECT_EQ(upstream->balancing.algorithm, snapshot::Algorithm::kEwma);
}

TEST(Annotations, ThatAreBrokenCloseOnlyTheirOwnRoutes) {
  auto c = cluster();
  c.ingress("n/bad", rules("x.example", {"Prefix /a a"}),
            R"("nginx.ingress.kubernetes.io/whitelist-source-range":"10.0.0.0/99")", 2);
  c.ingress("n/good", rules("x.example", {"Prefix /b b"}), "", 1).translate();
  const auto& routes = c.host("x.example")->routes;
  EXPECT_NE(routes[1].denied_why, "");
  EXPECT_EQ(routes[2].denied_why, "");
}

TEST(Diagnostics, NameTheFieldOfAMissingServiceOrPort) {
  auto c = cluster();
  c.ingress("n/i", rules("x.example", {"Prefix /a nosuch"}));
  c.service("n/odd", R"({"port":81})");
  c.ingress("n/j", rules("y.example", {"Prefix /a odd"})).translate();
  EXPECT_THAT(
      c.diagnostics(),
      ElementsAre("Ingress n/i: spec.rules[0].http.paths[0].backend.service.name: expected a "
                  "Service, 'n/nosuch' does not exist",
                  "Ingress n/j: spec.rules[0].http.paths[0].backend.service.port: expected a TCP "
                  "port of Service 'n/odd', got '80'"));
  EXPECT_NE(c.host("x.example"), nullptr) << "the route stays and answers 503";
}

TEST(Tls, TakesTheListedSecretAndRedirects) {
  auto c = cluster();
  c.secret("n/cert", {"x.example"});
  c.ingress("n/i",
            R"("tls":[{"hosts":["x.example"],"secretName":"cert"}],)" +
                rules("x.example", {"Prefix / a", "Prefix /.well-known/acme-challenge/x b"}));
  c.translate();
  const auto* host = c.host("x.example");
  EXPECT_EQ(host->certificate, "n/cert");
  EXPECT_TRUE(host->routes[0].policy.https_redirect.is_enabled);
  EXPECT_FALSE(host->routes[1].policy.https_redirect.is_enabled);
  EXPECT_NE(c.part<snapshot::Certificate>(snapshot::PartKind::kCertificate, "n/cert"), nullptr);
  EXPECT_THAT(c.diagnostics(), IsEmpty());
}

TEST(Tls, KeepsTheRedirectWhereTheSecretIsNotUsable) {
  auto c = cluster();
  c.ingress("n/i", R"("tls":[{"hosts":["x.example"],"secretName":"cert"}],)" +
                       rules("x.example", {"Prefix / a"}));
  c.translate();
  EXPECT_EQ(c.host("x.example")->certificate, "");
  EXPECT_TRUE(c.host("x.example")->routes[0].policy.https_redirect.is_enabled);
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("'n/cert' does not exist")));
  EXPECT_THAT(c.translator.wanted_secrets(), ElementsAre("n/cert"));
  c.secret("n/cert", {"other.example"}).translate();
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("does not name it")));
  c.secret("n/cert", {"x.example"}).translate();
  EXPECT_EQ(c.host("x.example")->certificate, "n/cert");
  EXPECT_THAT(c.diagnostics(), IsEmpty());
}

TEST(Tls, NamesTheSecretThatIsBrokenOrCannotBeRead) {
  auto c = cluster();
  c.ingress("n/i", R"("tls":[{"hosts":["x.example"],"secretName":"cert"}],)" +
                       rules("x.example", {"Prefix / a"}));
  c.put(Kind::kSecret, "n/cert", R"("data":{"tls.crt":"YQ==","tls.key":"YQ=="})").translate();
  EXPECT_THAT(c.diagnostics(),
              ElementsAre(HasSubstr("Secret 'n/cert': tls.crt: expected a PEM certificate")));
  c.remove(Kind::kSecret, "n/cert").translate();
  c.put(Kind::kSecret, "n/cert", R"("data":{"tls.crt":"not base64!"})").translate();
  EXPECT_THAT(c.diagnostics(),
              ElementsAre(HasSubstr("Secret 'n/cert' cannot be read"),
                          HasSubstr("Secret n/cert: tls.crt: expected base64")));
}

TEST(Tls, FindsASecretThatCoversAHostWhichNoEntryLists) {
  auto c = cluster();
  c.secret("n/wide", {"*.shop.test"});
  c.ingress("n/i", R"("tls":[{"secretName":"wide"}],)" + rules("x.shop.test", {"Prefix / a"}));
  c.translate();
  EXPECT_EQ(c.host("x.shop.test")->certificate, "n/wide");
}

TEST(Tls, OfAWildcardServesTheHostsBelowIt) {
  auto c = cluster();
  c.secret("n/wide", {"*.example"});
  c.ingress("n/w", R"("tls":[{"hosts":["*.example"],"secretName":"wide"}],)" +
                       rules("*.example", {"Prefix / a"}));
  c.ingress("n/i", rules("x.example", {"Prefix / b"})).translate();
  EXPECT_EQ(c.host("*.example")->certificate, "n/wide");
  EXPECT_EQ(c.host("x.example")->certificate, "n/wide");
  EXPECT_TRUE(c.host("x.example")->routes[0].policy.https_redirect.is_enabled);
}

TEST(Tls, RefusesAKeyThatDoesNotFitWithoutShowingIt) {
  auto c = cluster();
  const auto one = test::make_certificate({"x.example"});
  const auto two = test::make_certificate({"x.example"});
  c.put(Kind::kSecret, "n/cert",
        fmt::format(R"("data":{{"tls.crt":"{}","tls.key":"{}"}})", test::to_base64(one.chain),
                    test::to_base64(two.key)));
  c.ingress("n/i", R"("tls":[{"hosts":["x.example"],"secretName":"cert"}],)" +
                       rules("x.example", {"Prefix / a"}));
  c.translate();
  EXPECT_EQ(c.host("x.example")->certificate, "");
  EXPECT_THAT(c.diagnostics(), ElementsAre(HasSubstr("does not belong to the certificate")));
}

}  // namespace
}  // namespace penstock::translate
