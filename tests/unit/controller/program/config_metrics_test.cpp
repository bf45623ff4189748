#include "controller/program/config_metrics.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "tests/support/certificates.h"

namespace penstock::program {
namespace {

using snapshot::PartKey;
using snapshot::PartKind;
using testing::HasSubstr;
using testing::Not;

class Config : public testing::Test {
 protected:
  template <class T>
  void put(PartKind kind, const std::string& name, T part) {
    metrics_.take_changes({{{kind, name}, std::make_shared<snapshot::Part>(std::move(part))}});
  }
  void remove(PartKind kind, const std::string& name) {
    metrics_.take_changes({{{kind, name}, nullptr}});
  }
  void put_host(const std::string& name, const std::string& certificate) {
    put(PartKind::kHost, name,
        snapshot::Host{.name = name, .certificate = certificate, .routes = {}});
  }
  void put_certificate(const std::string& name) {
    const auto pair = test::make_certificate({"a.test"});
    put(PartKind::kCertificate, name, snapshot::Certificate{name, pair.chain, pair.key});
  }
  std::string text() { return prometheus::TextSerializer().Serialize(registry_.Collect()); }
  std::string hash() {
    const auto all = text();
    const auto at = all.find("\nnginx_ingress_controller_config_hash{");
    return all.substr(at, all.find('\n', at + 1) - at);
  }

  prometheus::Registry registry_;
  ConfigMetrics metrics_{registry_, {"k8s.io/penstock", "ingress", "pod-a"}, "leader"};
};

TEST_F(Config, AHostShowsItsCertificateAndTheLeaderItsEnd) {
  put_host("a.test", "shop/cert");
  EXPECT_THAT(text(), Not(HasSubstr("ssl_certificate_info{")));
  put_certificate("shop/cert");
  EXPECT_THAT(text(), HasSubstr("nginx_ingress_controller_ssl_certificate_info{"
                                "class=\"k8s.io/penstock\",host=\"a.test\",identifier=\"-1\","
                                "issuer_common_name=\"test\",issuer_organization=\"\","
                                "namespace=\"shop\",public_key_algorithm=\"ECDSA\","
                                "secret_name=\"cert\",serial_number=\"1\"} 1\n"));
  EXPECT_THAT(text(), Not(HasSubstr("ssl_expire_time_seconds{")));
  metrics_.set_leading(true);
  EXPECT_THAT(text(), HasSubstr("nginx_ingress_controller_ssl_expire_time_seconds{"
                                "class=\"k8s.io/penstock\",host=\"a.test\",identifier=\"-1\","
                                "namespace=\"shop\",secret_name=\"cert\"} "));
  metrics_.set_leading(false);
  EXPECT_THAT(text(), Not(HasSubstr("ssl_expire_time_seconds{")));
}

TEST_F(Config, SeriesGoWithTheirHostAndTheirCertificate) {
  metrics_.set_leading(true);
  put_certificate("shop/cert");
  put_host("a.test", "shop/cert");
  put_host("b.test", "shop/cert");
  remove(PartKind::kHost, "a.test");
  EXPECT_THAT(text(), Not(HasSubstr("a.test")));
  EXPECT_THAT(text(), HasSubstr("host=\"b.test\""));
  remove(PartKind::kCertificate, "shop/cert");
  EXPECT_THAT(text(), Not(HasSubstr("b.test")));
  put_certificate("default");
  put_host("_", "");
  EXPECT_THAT(text(),
              HasSubstr("host=\"_\",identifier=\"-1\",namespace=\"\",secret_name=\"default\""));
}

TEST_F(Config, TheHashIsThatOfTheSetOfParts) {
  put_host("a.test", "");
  const auto one = hash();
  put_host("b.test", "");
  const auto two = hash();
  EXPECT_NE(one, two);
  put(PartKind::kEndpoints, "shop/web/80", snapshot::Endpoints{});
  EXPECT_EQ(hash(), two);
  remove(PartKind::kHost, "b.test");
  EXPECT_EQ(hash(), one);

  prometheus::Registry others;
  ConfigMetrics other(others, {"k8s.io/penstock", "ingress", "pod-b"}, "leader");
  other.take_changes({{{PartKind::kHost, "b.test"},
                       std::make_shared<snapshot::Part>(
                           snapshot::Host{.name = "b.test", .certificate = {}, .routes = {}})}});
  other.take_changes({{{PartKind::kHost, "a.test"},
                       std::make_shared<snapshot::Part>(
                           snapshot::Host{.name = "a.test", .certificate = {}, .routes = {}})}});
  const auto value = two.substr(two.rfind(' '));
  EXPECT_THAT(prometheus::TextSerializer().Serialize(others.Collect()),
              HasSubstr("controller_pod=\"pod-b\"}" + value));
}

TEST_F(Config, AdoptionsAndRefusalsAreReloads) {
  metrics_.set_adopted(true);
  EXPECT_THAT(text(),
              HasSubstr("config_last_reload_successful{controller_class=\"k8s.io/penstock\","
                        "controller_namespace=\"ingress\",controller_pod=\"pod-a\"} 1\n"));
  metrics_.set_adopted(false);
  EXPECT_THAT(text(),
              HasSubstr("config_last_reload_successful{controller_class=\"k8s.io/penstock\","
                        "controller_namespace=\"ingress\",controller_pod=\"pod-a\"} 0\n"));
  EXPECT_THAT(text(), HasSubstr("controller_pod=\"pod-a\"} 1\n"));
}

TEST(CertificateFacts, AreThoseOfTheFirstOfTheChain) {
  const auto pair = test::make_certificate({"a.test"});
  const auto facts = translate::certificate_facts(pair.chain);
  ASSERT_TRUE(facts);
  EXPECT_EQ(facts->serial_number, "1");
  EXPECT_EQ(facts->issuer_common_name, "test");
  EXPECT_EQ(facts->public_key_algorithm, "ECDSA");
  EXPECT_GT(facts->expires, 0);
  EXPECT_FALSE(translate::certificate_facts("nonsense"));
}

}  // namespace
}  // namespace penstock::program
