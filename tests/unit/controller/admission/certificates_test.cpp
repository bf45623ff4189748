#include "controller/admission/certificates.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/admission/own_certificate.h"
#include "proxy/base/base64.h"

namespace penstock::admission {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(CertificatesTest, AreMadeForAYear) {
  const auto made = make_certificates({"DNS:a.b.svc", "IP:10.0.0.1"});
  ASSERT_TRUE(made);
  const auto left = *end_of(made->chain_pem) - std::chrono::system_clock::now();
  EXPECT_GT(left, std::chrono::hours(24 * 364));
  EXPECT_FALSE(end_of("nothing"));
  EXPECT_FALSE(make_certificates({}));
}

TEST(CertificatesTest, AreOfTheirAuthority) {
  const auto one = make_certificates({"DNS:a"});
  const auto other = make_certificates({"DNS:a"});
  EXPECT_TRUE(is_signed_by(one->chain_pem, one->authority_pem + other->authority_pem));
  EXPECT_FALSE(is_signed_by(one->chain_pem, other->authority_pem + one->authority_pem));
  EXPECT_FALSE(is_signed_by(one->chain_pem, ""));
  EXPECT_FALSE(is_signed_by("", one->authority_pem));
}

TEST(CertificatesTest, AreTakenApart) {
  const auto made = make_certificates({"DNS:a"});
  const auto both = made->authority_pem + "between\n" + made->chain_pem;
  EXPECT_THAT(certificates_of(both, 9), ElementsAre(made->authority_pem, made->chain_pem));
  EXPECT_THAT(certificates_of(both, 1), ElementsAre(made->authority_pem));
  EXPECT_THAT(certificates_of("", 1), ElementsAre());
}

class AuthorityPatch : public testing::Test {
 protected:
  static std::string authority() { return make_certificates({"DNS:a"})->authority_pem; }
  static std::string configuration(const std::string& bundle) {
    return fmt::format(
        R"({{"metadata":{{"resourceVersion":"7"}},"webhooks":[{{"name":"a","clientConfig":{{"caBundle":"{}"}}}},{{"name":"b","clientConfig":{{}}}}]}})",
        base::encode_base64(bundle));
  }
  static std::string operation(int index, const std::string& bundle) {
    return fmt::format(R"({{"op":"add","path":"/webhooks/{}/clientConfig/caBundle","value":"{}"}})",
                       index, base::encode_base64(bundle));
  }

  const std::string known_ = authority();
  const std::string wanted_ = authority();
};

TEST_F(AuthorityPatch, PutsAnAuthorityBeforeThoseThatAreKnown) {
  EXPECT_EQ(authority_patch(configuration(known_), wanted_),
            R"([{"op":"test","path":"/metadata/resourceVersion","value":"7"},)" +
                operation(0, wanted_ + known_) + "," + operation(1, wanted_) + "]");
}

TEST_F(AuthorityPatch, LeavesAWebhookThatKnowsIt) {
  const auto patch = authority_patch(configuration(known_ + wanted_), wanted_);
  EXPECT_THAT(*patch, Not(HasSubstr("/webhooks/0/")));
  EXPECT_THAT(*patch, HasSubstr("/webhooks/1/"));
  const std::string one =
      R"({"metadata":{"resourceVersion":"7"},"webhooks":[{"clientConfig":{"caBundle":")" +
      base::encode_base64(known_) + "\"}}]}";
  EXPECT_EQ(authority_patch(one, known_), "");
}

TEST_F(AuthorityPatch, KeepsFew) {
  std::string many = known_;
  for (int i = 0; i < 5; ++i) many += authority();
  const auto four = certificates_of(many, 3);
  const auto patch = authority_patch(configuration(many), wanted_);
  EXPECT_THAT(*patch, HasSubstr(operation(0, wanted_ + four[0] + four[1] + four[2])));
}

TEST_F(AuthorityPatch, TellsWhatIsNoConfiguration) {
  EXPECT_FALSE(authority_patch("{}", wanted_));
  EXPECT_FALSE(authority_patch("", wanted_));
  EXPECT_FALSE(authority_patch(R"({"webhooks":[]})", wanted_));
  EXPECT_EQ(authority_patch(R"({"metadata":{"resourceVersion":"7"},"webhooks":[]})", wanted_), "");
}

}  // namespace
}  // namespace penstock::admission
