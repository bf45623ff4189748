#include "controller/admission/own_certificate.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <simdjson.h>

#include "controller/admission/certificates.h"
#include "proxy/base/base64.h"
#include "tests/unit/controller/kube/scripted_server.h"

namespace penstock::admission {
namespace {

using kube::ScriptedServer;
using Reply = ScriptedServer::Reply;
using Seen = ScriptedServer::Seen;
using testing::Contains;
using testing::HasSubstr;

constexpr char kSecret[] = "/api/v1/namespaces/ns/secrets/hook";
constexpr char kConfiguration[] =
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hook";

/// What an API server keeps of the two objects, with its check of versions.
class OwnCertificateTest : public testing::Test {
 protected:
  OwnCertificateTest() {
    kube::ClusterAccess access;
    access.server = server_.url();
    client_.emplace(io_, access);
  }

  void start() {
    own_.emplace(io_, *client_, OwnCertificate::Options{"ns", "hook", ""},
                 [this](const std::string& chain, const std::string& key) {
                   in_use_ = chain;
                   keys_.push_back(key);
                   return base::Result<void>();
                 });
    own_->start();
  }
  void keep(const CertificateSet& set) {
    data_ = {{"ca", set.authority_pem}, {"cert", set.chain_pem}, {"key", set.key_pem}};
  }
  bool runs_until(const std::function<bool()>& is_done) { return kube::run_until(io_, is_done); }

  Reply answer(const Seen& seen) {
    log_.push_back(seen.method + " " + seen.target);
    if (before_) before_(seen);
    if (seen.target == kSecret && seen.method == "GET") return secret();
    if (seen.target == kSecret && seen.method == "PATCH") return patch_secret(seen.body);
    if (seen.target == kConfiguration && seen.method == "GET") return configuration();
    if (seen.target == kConfiguration && seen.method == "PATCH") {
      return patch_configuration(seen.body);
    }
    return ScriptedServer::answer(404, "{}");
  }
  Reply secret() const {
    std::string fields;
    for (const auto& [name, value] : data_) {
      fields += fmt::format(R"({}"{}":"{}")", fields.empty() ? "" : ",", name,
                            base::encode_base64(value));
    }
    return ScriptedServer::answer(
        200,
        fmt::format(
            R"({{"metadata":{{"namespace":"ns","name":"hook","resourceVersion":"{}"}},"type":"Opaque","data":{{{}}}}})",
            version_, fields));
  }
  Reply patch_secret(const std::string& body) {
    if (secret_status_ != 200) return ScriptedServer::answer(secret_status_, "{}");
    simdjson::dom::parser parser;
    const auto json = parser.parse(body);
    const std::string_view given = json["metadata"]["resourceVersion"];
    if (given != std::to_string(version_)) return ScriptedServer::answer(409, "{}");
    for (const auto* name : {"ca", "cert", "key"}) {
      data_[name] = *base::decode_base64(std::string_view(json["data"][name]));
    }
    ++version_;
    return secret();
  }
  Reply configuration() const {
    return ScriptedServer::answer(
        200,
        fmt::format(
            R"({{"metadata":{{"name":"hook","resourceVersion":"{}"}},"webhooks":[{{"name":"a","clientConfig":{{"caBundle":"{}"}}}}]}})",
            configuration_version_, base::encode_base64(bundle_)));
  }
  Reply patch_configuration(const std::string& body) {
    simdjson::dom::parser parser;
    const auto operations = parser.parse(body);
    const std::string_view given = operations.at(0)["value"];
    if (given != std::to_string(configuration_version_)) return ScriptedServer::answer(422, "{}");
    bundle_ = *base::decode_base64(std::string_view(operations.at(1)["value"]));
    ++configuration_version_;
    return configuration();
  }

  asio::io_context io_;
  std::vector<std::string> log_;
  std::function<void(const Seen&)> before_;
  std::map<std::string, std::string> data_;
  int version_ = 1;
  int secret_status_ = 200;
  std::string bundle_;
  int configuration_version_ = 1;
  std::string in_use_;
  std::vector<std::string> keys_;
  ScriptedServer server_{io_, [this](const Seen& seen) { return answer(seen); }};
  std::optional<kube::Client> client_;
  std::optional<OwnCertificate> own_;
};

TEST_F(OwnCertificateTest, FillsAnEmptySecretAndTellsTheAuthorityBefore) {
  start();
  ASSERT_TRUE(runs_until([&] { return !in_use_.empty(); }));
  EXPECT_EQ(in_use_, data_["cert"]);
  EXPECT_EQ(keys_.back(), data_["key"]);
  EXPECT_EQ(bundle_, data_["ca"]);
  EXPECT_TRUE(is_signed_by(data_["cert"], data_["ca"]));
  const auto told = std::ranges::find(log_, std::string("PATCH ") + kConfiguration);
  const auto written = std::ranges::find(log_, std::string("PATCH ") + kSecret);
  ASSERT_NE(written, log_.end());
  EXPECT_LT(told, written);
}

TEST_F(OwnCertificateTest, TakesTheOneOfAnotherReplica) {
  const auto kept = *make_certificates({"DNS:hook.ns.svc"});
  keep(kept);
  start();
  ASSERT_TRUE(runs_until([&] { return !in_use_.empty(); }));
  EXPECT_EQ(in_use_, kept.chain_pem);
  EXPECT_EQ(bundle_, kept.authority_pem);
  EXPECT_EQ(version_, 1);  // nothing was written
}

TEST_F(OwnCertificateTest, OfTwoThatMakeOneTheFirstWins) {
  const auto rival = *make_certificates({"DNS:hook.ns.svc"});
  before_ = [&](const Seen& seen) {
    if (seen.method != "PATCH" || seen.target != kSecret || version_ != 1) return;
    keep(rival);
    ++version_;
    bundle_ = rival.authority_pem + bundle_;
  };
  start();
  ASSERT_TRUE(runs_until([&] { return !in_use_.empty(); }));
  EXPECT_EQ(in_use_, rival.chain_pem);
  EXPECT_EQ(version_, 2);
  EXPECT_EQ(certificates_of(bundle_, 1).front(), rival.authority_pem);
}

TEST_F(OwnCertificateTest, WhatDoesNotBelongTogetherIsReplaced) {
  auto broken = *make_certificates({"DNS:hook.ns.svc"});
  broken.authority_pem = make_certificates({"DNS:x"})->authority_pem;
  keep(broken);
  start();
  ASSERT_TRUE(runs_until([&] { return !in_use_.empty(); }));
  EXPECT_NE(in_use_, broken.chain_pem);
  // The authority before it stays known until no replica can have one of its certificates.
  EXPECT_EQ(bundle_, data_["ca"]);
  EXPECT_THAT(certificates_of(bundle_, 9), Contains(broken.authority_pem));
}

TEST_F(OwnCertificateTest, NothingIsUsedThatCannotBeShared) {
  secret_status_ = 403;
  start();
  ASSERT_TRUE(runs_until(
      [&] { return std::ranges::find(log_, std::string("PATCH ") + kSecret) != log_.end(); }));
  EXPECT_TRUE(in_use_.empty());
}

}  // namespace
}  // namespace penstock::admission
