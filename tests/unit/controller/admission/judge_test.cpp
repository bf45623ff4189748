#include "controller/admission/judge.h"

#include "tests/unit/controller/translate/fixture.h"

namespace penstock::admission {
namespace {

using testing::HasSubstr;

constexpr char kRule[] =
    R"("rules":[{"host":"one.test","http":{"paths":[{"path":"/","backend":{"service":{"name":"web","port":{"number":80}}}}]}}])";

class JudgeTest : public testing::Test {
 protected:
  JudgeTest() : cluster(options()) { cluster.ingress_class(); }

  static translate::Options options() {
    translate::Options out;
    out.config_map = "ingress/settings";
    return out;
  }
  void configure(std::string_view data) {
    cluster.put(objects::Kind::kConfigMap, "ingress/settings",
                fmt::format(R"("data":{{{}}})", data));
  }

  Verdict ask(std::string_view kind, std::string_view object, bool is_strict = false,
              std::string_view operation = "CREATE") {
    cluster.translate();
    const bool is_ingress = kind == "Ingress";
    const auto review = ReviewReader().read(fmt::format(
        R"({{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"u","operation":"{}","namespace":"shop","name":"new","kind":{{"group":"{}","version":"{}","kind":"{}"}},"object":{}}}}})",
        operation, is_ingress ? "networking.k8s.io" : "penstock.dev",
        is_ingress ? "v1" : "v1alpha1", kind, object));
    EXPECT_TRUE(review) << review.error().message;
    return judge({cluster.world, cluster.translator, is_strict, watched, is_deep}, *review);
  }
  Verdict ask_ingress(std::string_view spec, std::string_view annotations = "",
                      std::string_view more = "") {
    return ask(
        "Ingress",
        fmt::format(
            R"({{"metadata":{{"namespace":"shop","name":"new","annotations":{{{}}}{}}},"spec":{{"ingressClassName":"nginx",{}}}}})",
            annotations, more, spec));
  }
  Verdict ask_tcp(int port, bool is_strict = false) {
    return ask("TCPService", tcp(port), is_strict);
  }
  static std::string tcp(int port) {
    return fmt::format(
        R"({{"metadata":{{"namespace":"shop","name":"new"}},"spec":{{"listeners":[{{"name":"a","port":{}}}],"rules":[{{"backends":[{{"service":{{"name":"web","port":80}}}}]}}]}}}})",
        port);
  }

  translate::Cluster cluster;
  std::string watched;
  bool is_deep = true;
};

TEST_F(JudgeTest, TakesWhatIsRight) { EXPECT_EQ(ask_ingress(kRule), Verdict()); }

TEST_F(JudgeTest, RefusesAHostAndPathOfAnother) {
  cluster.ingress("shop/web", kRule);
  const auto verdict = ask_ingress(kRule);
  EXPECT_FALSE(verdict.is_allowed);
  EXPECT_EQ(verdict.message,
            R"(host "one.test" and path "/" is already defined in ingress shop/web)");
  cluster.remove(objects::Kind::kIngress, "shop/web").ingress("shop/new", kRule);
  EXPECT_EQ(ask_ingress(kRule), Verdict());  // itself
}

TEST_F(JudgeTest, ACanaryMayShareThePathOfOneThatIsNone) {
  cluster.ingress("shop/web", kRule);
  constexpr char kCanary[] = R"("nginx.ingress.kubernetes.io/canary":"true")";
  EXPECT_TRUE(ask_ingress(kRule, kCanary).is_allowed);
  EXPECT_TRUE(ask_ingress(kRule, R"("nginx.ingress.kubernetes.io/canary":"false")").is_allowed);
  cluster.ingress("shop/other", kRule, kCanary);
  EXPECT_FALSE(ask_ingress(kRule, kCanary).is_allowed);
}

TEST_F(JudgeTest, RefusesAValueAndWarnsOfWhatIsIgnored) {
  const auto bad = ask_ingress(kRule, R"("nginx.ingress.kubernetes.io/proxy-body-size":"much")");
  EXPECT_FALSE(bad.is_allowed);
  EXPECT_THAT(bad.message, HasSubstr("annotation nginx.ingress.kubernetes.io/proxy-body-size "
                                     "contains invalid value: "));
  const auto ignored = ask_ingress(kRule, R"("nginx.ingress.kubernetes.io/no-such-thing":"1")");
  EXPECT_TRUE(ignored.is_allowed);
  EXPECT_THAT(ignored.warnings, testing::ElementsAre(HasSubstr("no-such-thing")));
  const auto denied =
      ask_ingress(kRule, R"("nginx.ingress.kubernetes.io/whitelist-source-range":"all")");
  EXPECT_TRUE(denied.is_allowed);
  EXPECT_THAT(denied.warnings, testing::ElementsAre(HasSubstr("its routes answer 503")));
}

TEST_F(JudgeTest, RefusesSnippetsAndText) {
  EXPECT_THAT(ask_ingress(kRule, R"("any.prefix/server-snippet":"return 200;")").message,
              HasSubstr("any.prefix/server-snippet annotation cannot be used"));
  EXPECT_THAT(ask_ingress(R"("tls":[{"secretName":"a","hosts":["x root /; y"]}])").message,
              HasSubstr("invalid object: invalid rule in ingress shop/new: invalid host in ingress "
                        "tls config"));
  const auto path = [](std::string_view text) {
    return fmt::format(R"("rules":[{{"host":"a.test","http":{{"paths":[{{"path":"{}"}}]}}}}])",
                       text);
  };
  EXPECT_EQ(ask_ingress(path("/etc/passwd")).message,
            "invalid object: invalid rule in ingress shop/new: invalid http path: invalid value "
            "found: /etc/passwd");
  EXPECT_FALSE(ask_ingress(path("/roots/x;} root /;")).is_allowed);
  EXPECT_FALSE(ask_ingress(path(R"(/x;alias\t/;)")).is_allowed);
  EXPECT_TRUE(ask_ingress(path("/roots/alias;v=1")).is_allowed);
}

TEST_F(JudgeTest, RefusesByWord) {
  constexpr char kVhost[] = R"("nginx.ingress.kubernetes.io/upstream-vhost":"a.example")";
  EXPECT_TRUE(ask_ingress(kRule, kVhost).is_allowed);
  configure(R"("annotation-value-word-blocklist":"lua,exam")");
  EXPECT_EQ(ask_ingress(kRule, kVhost).message,
            "nginx.ingress.kubernetes.io/upstream-vhost annotation contains invalid word exam");
  EXPECT_TRUE(ask_ingress(kRule, R"("any.prefix/key":"example")").is_allowed);
  // Before snippets.
  EXPECT_EQ(ask_ingress(kRule, R"("nginx.ingress.kubernetes.io/server-snippet":"lua")").message,
            "nginx.ingress.kubernetes.io/server-snippet annotation contains invalid word lua");
}

TEST_F(JudgeTest, RefusesByRisk) {
  constexpr char kSize[] = R"("nginx.ingress.kubernetes.io/proxy-body-size":"1m")";
  constexpr char kSnippet[] = R"("nginx.ingress.kubernetes.io/server-snippet":"return 200;")";
  constexpr char kRisky[] = "contains risky annotation based on ingress configuration";
  EXPECT_EQ(ask_ingress(kRule, kSize), Verdict());
  configure(R"("annotations-risk-level":"Low")");
  EXPECT_EQ(ask_ingress(kRule, kSize).message,
            "annotation group Proxy contains risky annotation based on ingress configuration: "
            "nginx.ingress.kubernetes.io/proxy-body-size has the risk Medium, "
            "annotations-risk-level is Low");
  // Before what cannot be read, after snippets.
  EXPECT_THAT(ask_ingress(kRule, R"("nginx.ingress.kubernetes.io/proxy-body-size":"much")").message,
              HasSubstr(kRisky));
  EXPECT_THAT(ask_ingress(kRule, kSnippet).message, HasSubstr("annotation cannot be used"));
  configure(R"("allow-snippet-annotations":"True")");
  EXPECT_THAT(ask_ingress(kRule, kSnippet).message,
              testing::StartsWith(
                  "annotation group ServerSnippet contains risky annotation based on ingress "
                  "configuration: "));
  configure(R"("allow-snippet-annotations":"true","annotations-risk-level":"Critical")");
  const auto taken = ask_ingress(kRule, kSnippet);
  EXPECT_TRUE(taken.is_allowed);
  EXPECT_THAT(taken.warnings, testing::ElementsAre(HasSubstr("not served by this version")));
}

TEST_F(JudgeTest, RefusesPathsThatAreNoneOfTheirTypeOrWarns) {
  const auto rules = [](std::initializer_list<std::pair<std::string, std::string>> paths) {
    std::string out;
    for (const auto& [type, path] : paths) {
      out +=
          fmt::format(R"({}{{"pathType":"{}","path":"{}"}})", out.empty() ? "" : ",", type, path);
    }
    return fmt::format(R"("rules":[{{"host":"a.test","http":{{"paths":[{}]}}}}])", out);
  };
  const auto odd = rules({{"Prefix", "/a(/|$)"},
                          {"Exact", "/b.+"},
                          {"Exact", "/Fine_1.-/x"},
                          {"Prefix", ""},
                          {"ImplementationSpecific", "/c(.*)"}});
  EXPECT_EQ(ask_ingress(odd).message,
            "ingress contains invalid paths: path /a(/|$) cannot be used with pathType Prefix\n"
            "path /b.+ cannot be used with pathType Exact");
  EXPECT_FALSE(ask_ingress(rules({{"Exact", "b"}})).is_allowed) << "it begins with no /";
  configure(R"("strict-validate-path-type":"false")");
  const auto warned = ask_ingress(odd);
  EXPECT_TRUE(warned.is_allowed);
  EXPECT_THAT(warned.warnings,
              testing::ElementsAre("path /a(/|$) cannot be used with pathType Prefix",
                                   "path /b.+ cannot be used with pathType Exact"));
}

TEST_F(JudgeTest, InspectsHostsAndPathsUnlessAFlagSaysElse) {
  constexpr char kSuspect[] =
      R"("rules":[{"host":"a.test","http":{"paths":[{"path":"/etc/group"}]}}])";
  EXPECT_FALSE(ask_ingress(kSuspect).is_allowed);
  is_deep = false;
  EXPECT_TRUE(ask_ingress(kSuspect).is_allowed);
}

TEST_F(JudgeTest, LeavesAloneWhatIsNotOurs) {
  cluster.put(objects::Kind::kIngressClass, "other", R"("spec":{"controller":"other"})");
  EXPECT_EQ(
      ask("Ingress",
          R"({"metadata":{"namespace":"shop","name":"new","annotations":{"nginx.ingress.kubernetes.io/proxy-body-size":"much"}},"spec":{"ingressClassName":"other"}})"),
      Verdict());
  // Also where it cannot be read, and where it looks like an attack on another controller.
  EXPECT_TRUE(
      ask("Ingress", R"({"metadata":{"name":"new"},"spec":{"ingressClassName":"other","rules":7}})")
          .is_allowed);
  EXPECT_TRUE(
      ask("Ingress",
          R"({"metadata":{"name":"new"},"spec":{"ingressClassName":"other","tls":[{"secretName":"/etc/passwd"}]}})")
          .is_allowed);
  EXPECT_TRUE(ask("TCPService",
                  R"({"metadata":{"name":"new"},"spec":{"ingressClassName":"other","rules":7}})")
                  .is_allowed);
  EXPECT_TRUE(ask("NetworkPolicy", "{}").is_allowed);
  EXPECT_TRUE(ask("Ingress", R"({"spec":7})", false, "DELETE").is_allowed);
  EXPECT_TRUE(
      ask_ingress(R"("rules":7)", "", R"(,"deletionTimestamp":"2026-01-01T00:00:00Z")").is_allowed);
}

TEST_F(JudgeTest, LeavesAloneWhatIsOutsideOfItsNamespace) {
  constexpr char kBad[] =
      R"({"metadata":{"namespace":"shop","name":"new","annotations":{"a/b-snippet":"x"}},"spec":{"ingressClassName":"nginx"}})";
  EXPECT_FALSE(ask("Ingress", kBad).is_allowed);
  watched = "elsewhere";
  EXPECT_TRUE(ask("Ingress", kBad).is_allowed);
  watched = "shop";
  EXPECT_FALSE(ask("Ingress", kBad).is_allowed);
}

TEST_F(JudgeTest, NamesTheFirstPathThatIsTaken) {
  const auto rules = [](std::initializer_list<std::string> paths) {
    std::string out;
    for (const auto& each : paths) {
      out += fmt::format(R"({}{{"path":"{}"}})", out.empty() ? "" : ",", each);
    }
    return fmt::format(R"("rules":[{{"host":"ONE.test","http":{{"paths":[{}]}}}}])", out);
  };
  cluster.ingress("shop/b", rules({"/b"})).ingress("shop/c", rules({"/c", "/d"}));
  EXPECT_EQ(ask_ingress(rules({"/a", "/d", "/b"})).message,
            R"(host "one.test" and path "/d" is already defined in ingress shop/c)");
  EXPECT_EQ(ask_ingress(rules({"/b", "/d"})).message,
            R"(host "one.test" and path "/b" is already defined in ingress shop/b)");
  EXPECT_TRUE(ask_ingress(rules({"/a"})).is_allowed);
  cluster.ingress("shop/any", R"("rules":[{"http":{"paths":[{"path":"/"}]}}])");
  EXPECT_EQ(ask_ingress(R"("rules":[{"http":{"paths":[{"path":"/"}]}}])").message,
            R"(host "_" and path "/" is already defined in ingress shop/any)");
}

TEST_F(JudgeTest, ThousandsOfPathsOfOneHostAreQuick) {
  const auto rules = [](char letter) {
    std::string paths;
    for (int i = 0; i < 20'000; ++i) {
      paths += fmt::format(R"({}{{"path":"/{}{}"}})", i == 0 ? "" : ",", letter, i);
    }
    return fmt::format(R"("rules":[{{"host":"one.test","http":{{"paths":[{}]}}}}])", paths);
  };
  cluster.ingress("shop/large", rules('a'));
  cluster.translate();
  const auto text = fmt::format(
      R"({{"metadata":{{"namespace":"shop","name":"new"}},"spec":{{"ingressClassName":"nginx",{}}}}})",
      rules('b'));
  const auto began = std::chrono::steady_clock::now();
  EXPECT_TRUE(ask("Ingress", text).is_allowed);
  // Their product would take minutes.
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10));
}

TEST_F(JudgeTest, RefusesWhatCannotBeRead) {
  const auto verdict = ask("TCPService", R"({"metadata":{"name":"new"},"spec":{"rules":7}})");
  EXPECT_FALSE(verdict.is_allowed);
  EXPECT_THAT(verdict.message, HasSubstr("TCPService shop/new: spec.rules: expected a list"));
}

TEST_F(JudgeTest, WarnsOfAPortOfAnotherOrRefusesIt) {
  EXPECT_EQ(ask_tcp(5000), Verdict());
  cluster.put(
      objects::Kind::kTcpService, "shop/owner",
      R"("spec":{"listeners":[{"name":"a","port":5000}],"rules":[{"backends":[{"service":{"name":"web","port":80}}]}]})");
  const auto warned = ask_tcp(5000);
  EXPECT_TRUE(warned.is_allowed);
  EXPECT_THAT(warned.warnings, testing::ElementsAre(HasSubstr("port 5000 is held by shop/owner")));
  EXPECT_FALSE(ask_tcp(5000, true).is_allowed);
  EXPECT_THAT(ask_tcp(443).warnings, testing::ElementsAre(HasSubstr("reserved for HTTPS")));
}

TEST_F(JudgeTest, WarnsOfOnePortTooManyAndOfAPortThatNobodyGives) {
  cluster.put(objects::Kind::kStreamPortPolicy, "few",
              R"("spec":{"ports":[{"start":5000,"end":5009}],"maxListenersPerNamespace":1})");
  EXPECT_EQ(ask_tcp(5000), Verdict());
  cluster.put(
      objects::Kind::kTcpService, "shop/owner",
      R"("spec":{"listeners":[{"name":"a","port":5001}],"rules":[{"backends":[{"service":{"name":"web","port":80}}]}]})");
  EXPECT_THAT(ask_tcp(5000).warnings,
              testing::ElementsAre(HasSubstr("expected at most 1 ports of StreamPortPolicy few")));
  EXPECT_THAT(ask_tcp(0).warnings,
              testing::ElementsAre(HasSubstr("no StreamPortPolicy with autoAllocate")));
}

TEST_F(JudgeTest, WarnsOfAReferenceThatNobodyPermits) {
  const auto ask_far = [&] {
    return ask(
        "TCPService",
        R"({"metadata":{"namespace":"shop","name":"new"},"spec":{"listeners":[{"name":"a","port":5000,"tls":{"mode":"Terminate","certificateRefs":[{"name":"cert","namespace":"db"}]}}],"rules":[{"backends":[{"service":{"name":"sql","namespace":"db","port":80}}]}]}})");
  };
  const auto grant = [&](std::string_view to) {
    cluster.put(
        objects::Kind::kReferenceGrant, "db/g",
        fmt::format(
            R"("spec":{{"from":[{{"group":"penstock.dev","kind":"TCPService","namespace":"shop"}}],"to":[{}]}})",
            to));
  };
  const auto warned = ask_far();
  EXPECT_TRUE(warned.is_allowed) << "the grant may come later";
  EXPECT_THAT(
      warned.warnings,
      testing::ElementsAre(HasSubstr("certificateRefs[0].namespace: expected a ReferenceGrant"),
                           HasSubstr("backends[0].service.namespace: expected a ReferenceGrant")));
  grant(R"({"group":"","kind":"Secret"})");
  EXPECT_THAT(ask_far().warnings, testing::ElementsAre(HasSubstr("service.namespace")));
  grant(R"({"group":"","kind":"Secret"},{"group":"","kind":"Service","name":"sql"})");
  EXPECT_EQ(ask_far(), Verdict());
}

TEST_F(JudgeTest, NamesOfAPortAreHeldOneByOne) {
  const auto spec = [](std::string_view name) {
    return fmt::format(
        R"("spec":{{"listeners":[{{"name":"a","port":5000,"tls":{{"mode":"Passthrough"}}}}],"rules":[{{"match":{{"sni":["{}"]}},"backends":[{{"service":{{"name":"web","port":80}}}}]}}]}})",
        name);
  };
  const auto ask_name = [&](std::string_view name) {
    return ask("TCPService",
               fmt::format(R"({{"metadata":{{"namespace":"shop","name":"new"}},{}}})", spec(name)));
  };
  cluster.put(objects::Kind::kTcpService, "shop/owner", spec("a.test"));
  EXPECT_EQ(ask_name("b.test"), Verdict());
  EXPECT_THAT(
      ask_name("a.test").warnings,
      testing::ElementsAre(HasSubstr("the server name a.test of port 5000 is held by shop/owner")));
  EXPECT_THAT(ask_tcp(5000).warnings,
              testing::ElementsAre(HasSubstr("port 5000 is held by shop/owner")));
}

TEST(CatchAllTest, IsRefusedWhereTheFlagSaysSo) {
  translate::Options options;
  options.refuses_catch_all = true;
  translate::Cluster cluster(options);
  cluster.ingress_class();
  cluster.translate();
  const auto review = ReviewReader().read(
      R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u","operation":"CREATE","namespace":"shop","name":"new","kind":{"group":"networking.k8s.io","version":"v1","kind":"Ingress"},"object":{"metadata":{"namespace":"shop","name":"new"},"spec":{"ingressClassName":"nginx","defaultBackend":{"service":{"name":"web","port":{"number":80}}}}}}})");
  ASSERT_TRUE(review);
  EXPECT_THAT(judge({cluster.world, cluster.translator, false, ""}, *review).message,
              testing::StartsWith("this deployment is trying to create a catch-all ingress"));
}

TEST(ReviewTest, AnswersWithinBounds) {
  const Verdict verdict{true, "", std::vector<std::string>(100, std::string(1000, 'x'))};
  const auto text = write_answer("a\"b", verdict);
  EXPECT_LT(text.size(), 4500);
  EXPECT_THAT(text, HasSubstr(R"("uid":"a\"b","allowed":true,"warnings":[)"));
  EXPECT_THAT(text, HasSubstr("and 86 more"));
  EXPECT_EQ(
      write_answer("u", refuse("no")),
      R"({"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"u","allowed":false,"status":{"code":400,"reason":"BadRequest","message":"no"}}})");
}

TEST(ReviewTest, TellsWhatIsNoReview) {
  ReviewReader reader;
  for (const auto* text :
       {"", "{", "7", R"({"kind":"Pod"})",
        R"({"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"})",
        R"({"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":7})"}) {
    EXPECT_FALSE(reader.read(text)) << text;
  }
}

}  // namespace
}  // namespace penstock::admission
