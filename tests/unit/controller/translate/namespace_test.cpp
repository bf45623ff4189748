// --watch-namespace-selector: what is in other namespaces is not served, from one moment to the
// next.
#include "tests/unit/controller/translate/fixture.h"

namespace penstock::translate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Options selecting(std::string_view selector) {
  Options out;
  out.namespace_selector = *objects::LabelSelector::parse(selector);
  out.tcp_services = "ingress/tcp";
  return out;
}

/// Two namespaces with the same things in them.
class Namespaces : public testing::Test {
 protected:
  Namespaces() : cluster(selecting("team=shop")) {
    cluster.ingress_class();
    for (const std::string name : {"shop", "pay"}) {
      cluster.service(name + "/web").slice(name + "/web", name == "shop" ? "10.0.0.1" : "10.0.0.2");
      cluster.ingress(name + "/web", rules(name + ".test", {"Prefix / web"}));
    }
    label("shop", R"("team":"shop")");
    label("pay", R"("team":"pay")");
  }
  void label(std::string_view name, std::string_view labels) {
    cluster.apply({{Kind::kNamespace, "", std::string(name)},
                   false,
                   fmt::format(R"({{"metadata":{{"name":"{}","labels":{{{}}}}}}})", name, labels),
                   {}});
  }

  Cluster cluster;
};

TEST_F(Namespaces, OnlySelectedOnesAreServed) {
  cluster.translate();
  EXPECT_THAT(cluster.routes("shop.test"), ElementsAre("prefix / web"));
  EXPECT_THAT(cluster.routes("pay.test"), IsEmpty());
  EXPECT_THAT(cluster.endpoints("pay/web/80"), IsEmpty());
  EXPECT_THAT(cluster.translator.served_ingresses(), ElementsAre("shop/web"));
}

TEST_F(Namespaces, FollowTheirLabels) {
  cluster.translate();
  label("pay", R"("team":"shop")");
  auto changes = cluster.translate();
  EXPECT_THAT(cluster.routes("pay.test"), ElementsAre("prefix / web"));
  EXPECT_THAT(cluster.endpoints("pay/web/80"), ElementsAre("10.0.0.2:8080"));
  EXPECT_FALSE(changes.contains({snapshot::PartKind::kHost, "shop.test"}));
  label("shop", "");
  changes = cluster.translate();
  EXPECT_THAT(cluster.routes("shop.test"), IsEmpty());
  EXPECT_FALSE(changes.contains({snapshot::PartKind::kHost, "pay.test"}));
  cluster.remove(Kind::kNamespace, "pay");
  cluster.translate();
  EXPECT_THAT(cluster.translator.served_ingresses(), IsEmpty());
}

TEST_F(Namespaces, CostOnlyWhatIsInThem) {
  cluster.translate();
  const auto before = cluster.translator.jobs_run();
  label("empty", R"("team":"shop")");
  EXPECT_TRUE(cluster.translate().empty());
  EXPECT_EQ(cluster.translator.jobs_run(), before);
  label("pay", R"("team":"pay","more":"yes")");
  EXPECT_TRUE(cluster.translate().empty());
  EXPECT_LE(cluster.translator.jobs_run(), before + 2) << "one Ingress and its host";
}

TEST_F(Namespaces, KeepTcpServicesOutAndIn) {
  for (const std::string name : {"shop", "pay"}) {
    cluster.put(Kind::kTcpService, name + "/db",
                fmt::format(R"("spec":{{"listeners":[{{"name":"main","port":{}}}],"rules":[
                  {{"backends":[{{"service":{{"name":"web","port":80}}}}]}}]}})",
                            name == "shop" ? 5001 : 5002));
  }
  cluster.translate();
  const auto has = [&](const char* name) {
    return cluster.part<snapshot::Stream>(snapshot::PartKind::kStream, name) != nullptr;
  };
  EXPECT_TRUE(has("tcp/5001"));
  EXPECT_FALSE(has("tcp/5002"));
  label("pay", R"("team":"shop")");
  cluster.translate();
  EXPECT_TRUE(has("tcp/5002"));
}

TEST_F(Namespaces, KeepServicesOutOfTheConfigMapOfPorts) {
  cluster.put(Kind::kConfigMap, "ingress/tcp",
              R"("data":{"6001":"shop/web:80","6002":"pay/web:80"})");
  cluster.translate();
  EXPECT_NE(cluster.part<snapshot::Stream>(snapshot::PartKind::kStream, "tcp/6001"), nullptr);
  EXPECT_EQ(cluster.part<snapshot::Stream>(snapshot::PartKind::kStream, "tcp/6002"), nullptr);
  EXPECT_THAT(cluster.diagnostics(),
              ElementsAre(HasSubstr("6002: namespace 'pay' is not one that is served")));
  label("pay", R"("team":"shop")");
  cluster.translate();
  EXPECT_NE(cluster.part<snapshot::Stream>(snapshot::PartKind::kStream, "tcp/6002"), nullptr);
  EXPECT_THAT(cluster.diagnostics(), IsEmpty());
}

}  // namespace
}  // namespace penstock::translate
