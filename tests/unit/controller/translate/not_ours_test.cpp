// Which Ingresses are not served and what is said of them: in a cluster nothing, for another
// controller may serve them; of files the reason.
#include "controller/translate/certificate_facts.h"
#include "tests/unit/controller/translate/fixture.h"

namespace penstock::translate {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kDefaultClass = R"({"metadata":{"name":"NAME","annotations":{
  "ingressclass.kubernetes.io/is-default-class":"true"}},"spec":{"controller":"CONTROLLER"}})";

Options of_files() {
  Options out;
  out.is_without_api_server = true;
  return out;
}

class NotOursTest : public testing::Test {
 protected:
  explicit NotOursTest(Options options = of_files()) : c(std::move(options)) {
    c.service("n/a");
  }
  void put(std::string_view class_field, std::string_view annotations = "",
           std::int64_t age = 0) {
    c.apply({{Kind::kIngress, "n", "i"},
             false,
             fmt::format(R"({{"metadata":{{"namespace":"n","name":"i","annotations":{{{}}}}},)"
                         R"("spec":{{{}{}}}}})",
                         annotations, class_field, rules("x.example", {"Prefix / a"})),
             {},
             age});
  }
  void put_default_class(std::string name, std::string_view controller, std::int64_t age = 0) {
    std::string text(kDefaultClass);
    text.replace(text.find("NAME"), 4, name);
    text.replace(text.find("CONTROLLER"), 10, controller);
    c.apply({{Kind::kIngressClass, "", std::move(name)}, false, std::move(text), {}, age});
  }
  std::vector<std::string> said() {
    c.translate();
    for (const auto& each : c.translator.diagnostics(c.world)) {
      EXPECT_EQ(each.reason, Reason::kNotOurs);
    }
    return c.diagnostics();
  }
  bool is_served() { return !c.translator.served_ingresses().empty(); }

  Cluster c;
};

TEST_F(NotOursTest, WithoutAClassTheReasonIsSaidAndNothingElse) {
  put("", R"("nginx.ingress.kubernetes.io/proxy-body-size":"much")");
  EXPECT_THAT(said(), ElementsAre("Ingress n/i: spec: not served: expected ingressClassName, for no "
                                  "IngressClass is the default and --watch-ingress-without-class is "
                                  "not given"));
  EXPECT_FALSE(is_served());
}

TEST_F(NotOursTest, TheDefaultClassIsThatOfWhoNamesNone) {
  put("");
  put_default_class("ours", "k8s.io/ingress-nginx");
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_TRUE(is_served());
  c.remove(Kind::kIngressClass, "ours");
  put_default_class("theirs", "example.com/other");
  EXPECT_THAT(said(), ElementsAre(HasSubstr("names no class, and the default one, 'theirs', is of "
                                            "the controller 'example.com/other'")));
  EXPECT_FALSE(is_served());
}

TEST_F(NotOursTest, ADefaultClassThatComesLaterTakesNoneAway) {
  put("", "", 20);
  put_default_class("ours", "k8s.io/ingress-nginx", 10);
  put_default_class("theirs", "example.com/other", 30);
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_TRUE(is_served());
  // Who names none is of the first one that comes.
  put_default_class("ours", "k8s.io/ingress-nginx", 40);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("the default one, 'theirs'")));
  put_default_class("ours", "k8s.io/ingress-nginx", 15);
  put_default_class("theirs", "example.com/other", 18);
  EXPECT_THAT(said(), ElementsAre(HasSubstr("the default one, 'theirs'"))) << "the youngest before it";
}

TEST_F(NotOursTest, OurOwnClassIsThereThoughNoFileHasIt) {
  put(R"("ingressClassName":"nginx",)");
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_TRUE(is_served());
}

TEST_F(NotOursTest, OtherClasses) {
  put(R"("ingressClassName":"ngnix",)");
  EXPECT_THAT(said(), ElementsAre("Ingress n/i: spec.ingressClassName: not served: there is no "
                                  "IngressClass 'ngnix'"));
  put_default_class("ngnix", "example.com/other");
  EXPECT_THAT(said(), ElementsAre(HasSubstr("IngressClass 'ngnix' is of the controller "
                                            "'example.com/other'")));
  put("", R"("kubernetes.io/ingress.class":"other")");
  EXPECT_THAT(said(), ElementsAre("Ingress n/i: not served: kubernetes.io/ingress.class is 'other', "
                                  "expected 'nginx'"));
}

TEST_F(NotOursTest, StreamsOfAnotherClass) {
  c.put(Kind::kTcpService, "n/t",
        R"("spec":{"ingressClassName":"other","listeners":[{"name":"m","port":5432}],)"
        R"("rules":[{"backends":[{"service":{"name":"a","port":80}}]}]})");
  EXPECT_THAT(said(), ElementsAre(AllOf(HasSubstr("TCPService n/t"),
                                        HasSubstr("there is no IngressClass 'other'"))));
}

class OfACluster : public NotOursTest {
 protected:
  OfACluster() : NotOursTest(Options()) {}
};

TEST_F(OfACluster, NothingIsSaidAndTheDefaultClassIsNotOurBusiness) {
  put("");
  put_default_class("ours", "k8s.io/ingress-nginx");
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_FALSE(is_served());
}

TEST(CertificateFacts, SayWhenOneHasExpired) {
  const auto pair = test::make_certificate({"x.example"});
  const auto facts = certificate_facts(pair.chain);
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ(why_expired(*facts, facts->expires - 1), "");
  EXPECT_THAT(why_expired(*facts, facts->expires), HasSubstr("the certificate expired on 20"));
}

}  // namespace
}  // namespace penstock::translate
