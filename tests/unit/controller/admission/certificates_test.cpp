#include "controller/admission/certificates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/admission/own_certificate.h"
#include "controller/admission/server.h"

namespace penstock::admission {
namespace {

TEST(CertificatesTest, AreMadeForAYear) {
  const auto made = make_certificates({"DNS:a.b.svc", "IP:10.0.0.1"});
  ASSERT_TRUE(made);
  const auto left = *end_of(made->chain_pem) - std::chrono::system_clock::now();
  EXPECT_GT(left, std::chrono::hours(24 * 364));
  EXPECT_EQ(first_of(made->authority_pem + made->chain_pem), made->authority_pem);
  EXPECT_FALSE(end_of("nothing"));
  EXPECT_FALSE(make_certificates({}));
}

TEST(CertificatesTest, TheServerTakesAPairThatFits) {
  auto server = Server::start("127.0.0.1:0", [](const Review&, const Answer&) {});
  ASSERT_TRUE(server) << server.error().message;
  const auto one = make_certificates({"DNS:a"});
  const auto other = make_certificates({"DNS:a"});
  EXPECT_TRUE((*server)->set_certificate(one->chain_pem, one->key_pem));
  EXPECT_FALSE((*server)->set_certificate(one->chain_pem, other->key_pem));
  EXPECT_FALSE((*server)->set_certificate("", ""));
  EXPECT_FALSE(Server::start("8443", [](const Review&, const Answer&) {}));
}

TEST(OwnCertificateTest, PatchesWhatHasAnotherAuthority) {
  EXPECT_EQ(
      authority_patch(
          R"({"webhooks":[{"name":"a","clientConfig":{"caBundle":"cGVt"}},{"name":"b","clientConfig":{}}]})",
          "pem"),
      R"([{"op":"test","path":"/webhooks/1/name","value":"b"},{"op":"add","path":"/webhooks/1/clientConfig/caBundle","value":"cGVt"}])");
  EXPECT_EQ(
      authority_patch(R"({"webhooks":[{"name":"a","clientConfig":{"caBundle":"cGVt"}}]})", "pem"),
      "");
  EXPECT_FALSE(authority_patch("{}", "pem"));
}

}  // namespace
}  // namespace penstock::admission
