#include "controller/objects/reference_grant.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/objects/parse.h"

namespace penstock::objects {
namespace {

constexpr std::string_view kGatewayEntry =
    R"({"group":"gateway.networking.k8s.io","kind":"HTTPRoute","namespace":"web"})";
constexpr std::string_view kStreamEntry =
    R"({"group":"penstock.dev","kind":"TCPService","namespace":"shop"})";

std::expected<Object, ParseError> parse_grant(std::string_view spec) {
  return Parser().parse(
      Kind::kReferenceGrant,
      fmt::format(R"({{"metadata":{{"namespace":"db","name":"g"}},"spec":{}}})", spec));
}

std::string spec_of(std::string_view from, std::string_view to) {
  return fmt::format(R"({{"from":[{}],"to":[{}]}})", from, to);
}

Reference to_service(Kind from, const std::string& from_namespace, const std::string& name) {
  return make_reference(from, from_namespace, Kind::kService, "db", name);
}

TEST(ParseReferenceGrant, PermitsWhatItSaysAndNothingElse) {
  const auto parsed = parse_grant(
      spec_of(fmt::format("{},{}", kGatewayEntry, kStreamEntry),
              R"({"group":"","kind":"Service","name":"sql"},{"group":"","kind":"Secret"})"));
  ASSERT_TRUE(parsed) << parsed.error().message;
  const auto& grant = *std::get<Ptr<ReferenceGrant>>(*parsed);
  const auto secret_in = [](const std::string& name_space) {
    return make_reference(Kind::kTcpService, "shop", Kind::kSecret, name_space, "any");
  };
  EXPECT_TRUE(grant.permits(to_service(Kind::kTcpService, "shop", "sql")));
  EXPECT_TRUE(grant.permits(secret_in("db")));
  EXPECT_FALSE(grant.permits(secret_in("other"))) << "of its own namespace alone";
  EXPECT_FALSE(grant.permits(to_service(Kind::kTcpService, "shop", "other")));
  EXPECT_FALSE(grant.permits(to_service(Kind::kTcpService, "web", "sql")));
  EXPECT_FALSE(grant.permits(to_service(Kind::kUdpService, "shop", "sql")));
}

TEST(ParseReferenceGrant, AKindOfAnotherGroupIsAnotherKind) {
  const auto parsed =
      parse_grant(spec_of(R"({"group":"example.dev","kind":"TCPService","namespace":"shop"})",
                          R"({"group":"example.dev","kind":"Service"})"));
  ASSERT_TRUE(parsed);
  const auto& grant = *std::get<Ptr<ReferenceGrant>>(*parsed);
  EXPECT_FALSE(grant.permits(to_service(Kind::kTcpService, "shop", "sql")));
}

/// What is not known could narrow what the rest permits.
TEST(ParseReferenceGrant, RefusesWhatItDoesNotUnderstand) {
  constexpr std::string_view kTo = R"({"group":"","kind":"Service"})";
  const auto from = [&](std::string_view entry) { return spec_of(entry, kTo); };
  const auto to = [&](std::string_view entry) { return spec_of(kStreamEntry, entry); };
  std::string many;
  for (int i = 0; i < 17; ++i) many += (i == 0 ? "" : ",") + std::string(kTo);
  const auto text = [](std::size_t size) { return std::string(size, 'a'); };
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"null", "spec: expected an object, got none"},
      {"{}", "from: expected a list, got none"},
      {"7", "expected an object"},
      {fmt::format(R"({{"from":[{}]}})", kStreamEntry), "to: expected a list, got none"},
      {spec_of("", kTo), "from"},
      {to(many), "to"},
      {from("7"), "expected an object"},
      {from(R"({"kind":"TCPService","namespace":"shop"})"), "group: expected a text, got none"},
      {from(R"({"group":"penstock.dev","namespace":"shop"})"), "kind: expected a text, got none"},
      {from(R"({"group":"penstock.dev","kind":"TCPService"})"),
       "namespace: expected a text, got none"},
      {from(R"({"group":"penstock.dev","kind":"TCPService","namespace":""})"), ""},
      {from(R"({"group":"penstock.dev","kind":"TCPService","namespace":["shop"]})"),
       "expected a string"},
      {from(fmt::format(R"({{"group":"penstock.dev","kind":"TCPService","namespace":"{}"}})",
                        text(64))),
       ""},
      {from(R"({"group":"penstock.dev","kind":"TCPService","namespace":"shop","when":"night"})"),
       "when"},
      {to(R"({"group":"","kind":"Service","name":7})"), "expected a string"},
      {to(R"({"group":"","kind":"Service","selector":{}})"), "selector"},
      {to(fmt::format(R"({{"group":"","kind":"Service","name":"{}"}})", text(254))), ""},
      {fmt::format(R"({{"from":[{}],"to":[{}],"until":"noon"}})", kStreamEntry, kTo), "until"},
  };
  for (const auto& [spec, why] : bad) {
    const auto parsed = parse_grant(spec);
    ASSERT_FALSE(parsed) << spec;
    EXPECT_THAT(parsed.error().pointer + ": " + parsed.error().message, testing::HasSubstr(why))
        << spec;
  }
}

TEST(FindKind, KnowsBothVersionsOfAGrant) {
  for (const auto* version : {"v1", "v1beta1"}) {
    const auto* found =
        find_kind(std::string("gateway.networking.k8s.io/") + version, "ReferenceGrant");
    ASSERT_NE(found, nullptr) << version;
    EXPECT_EQ(found->kind, Kind::kReferenceGrant);
  }
  EXPECT_EQ(find_kind("gateway.networking.k8s.io/v1alpha2", "ReferenceGrant"), nullptr);
  EXPECT_EQ(find_kind("", "Ingress"), nullptr);
}

}  // namespace
}  // namespace penstock::objects
