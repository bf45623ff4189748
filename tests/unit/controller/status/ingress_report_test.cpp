#include "controller/status/ingress_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::status {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using translate::Reason;

objects::Ingress make_ingress() {
  objects::Ingress out;
  out.meta.name_space = "shop";
  out.meta.name = "web";
  out.meta.generation = 7;
  out.class_name = "edge";
  out.rules = {{"b.test", {}}, {"", {}}, {"a.test", {}}};
  return out;
}

translate::Diagnostic problem(Reason reason, const std::string& message) {
  return {{objects::Kind::kIngress, "shop", "web"}, "/spec", message, reason, {}};
}

TEST(IngressReport, SaysWhetherItIsServedAsWritten) {
  const auto ingress = make_ingress();
  auto report = make_report({&ingress, "c", true, {}});
  EXPECT_EQ(report.state, kServed);
  EXPECT_THAT(report.hosts, ElementsAre("*", "a.test", "b.test"));
  EXPECT_EQ(report.ingress_class, "edge");
  EXPECT_EQ(report.generation, 7);
  report = make_report({&ingress, "c", true, {problem(Reason::kAnnotationIgnored, "m")}});
  EXPECT_EQ(report.state, kDegraded);
  EXPECT_EQ(report.issues, (std::vector<Issue>{{"AnnotationIgnored", "/spec", "m", ""}}));
  EXPECT_EQ(make_report({&ingress, "c", false, {}}).state, kRejected);
}

TEST(IngressReport, IsBounded) {
  auto ingress = make_ingress();
  ingress.rules.clear();
  for (int i = 0; i < 100; ++i) ingress.rules.push_back({"h" + std::to_string(i), {}});
  std::string wide(509, 'x');
  for (int i = 0; i < 9; ++i) wide += "\xC3\xA4";  // of two bytes
  IngressView view{&ingress, "c", true, {}};
  for (int i = 0; i < 100; ++i) view.diagnostics.push_back(problem(Reason::kNone, wide));
  const auto report = make_report(view);
  EXPECT_EQ(report.hosts.size(), kMostHosts);
  EXPECT_EQ(report.host_count, 100U);
  EXPECT_EQ(report.issues.size(), kMostIssues);
  EXPECT_EQ(report.issue_count, 100U);
  EXPECT_EQ(report.issues[0].message, std::string(509, 'x') + "...");
  wide.erase(0, 1);  // the bound falls within a character
  view.diagnostics = {problem(Reason::kNone, wide)};
  EXPECT_EQ(make_report(view).issues[0].message, std::string(508, 'x') + "...");
}

TEST(IngressReport, IsReadAsItWasWritten) {
  const auto ingress = make_ingress();
  auto taken = problem(Reason::kPathTaken, "\"quoted\"\n");
  taken.other = {objects::Kind::kIngress, "shop", "older"};
  auto report = make_report({&ingress, "k8s.io/p", true, {taken}});
  report.live = "1/2";
  report.version = 1'764'000'000'000'000;
  report.since = "2026-01-01T00:00:00Z";
  const auto json = report_json("shop/web", "u-1", report);
  EXPECT_THAT(json, HasSubstr(R"("ownerReferences":[{"apiVersion":"networking.k8s.io/v1",)"
                              R"("kind":"Ingress","name":"web","uid":"u-1"}])"));
  const auto read = parse_report(json);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->name_space, "shop");
  EXPECT_EQ(read->name, "web");
  EXPECT_EQ(read->report, report);
  EXPECT_EQ(read->report.issues[0].by, "shop/older");
  EXPECT_FALSE(parse_report("nonsense"));
  EXPECT_FALSE(parse_report(R"({"report":{"version":-1}})"));
}

TEST(IngressReport, CountsAndTimesSayNothingNew) {
  const auto ingress = make_ingress();
  const auto one = make_report({&ingress, "c", true, {}});
  auto two = one;
  two.live = "1/2";
  two.version = 5;
  two.since = "now";
  EXPECT_TRUE(one.says_the_same(two));
  two.generation = 8;
  EXPECT_FALSE(one.says_the_same(two));
  EXPECT_FALSE(two.is_live());
  two.live = "2/2";
  EXPECT_TRUE(two.is_live());
  two.live = "0/0";
  EXPECT_FALSE(two.is_live());
}

TEST(IngressReport, ItsEventNamesTheFirstIssues) {
  const auto ingress = make_ingress();
  IngressView view{&ingress, "c", true, {}};
  const objects::ObjectKey key{objects::Kind::kIngress, "shop", "web"};
  auto event = report_event(key, "u", make_report(view));
  EXPECT_EQ(event.reason, "Served");
  EXPECT_EQ(event.message, "served as written");
  EXPECT_FALSE(event.is_warning);
  for (int i = 0; i < 7; ++i) {
    view.diagnostics.push_back(problem(Reason::kBackendNotFound, "m" + std::to_string(i)));
  }
  event = report_event(key, "u", make_report(view));
  EXPECT_EQ(event.message,
            "BackendNotFound: m0; BackendNotFound: m1; BackendNotFound: m2; BackendNotFound: m3; "
            "BackendNotFound: m4; and 2 more");
  EXPECT_TRUE(event.is_warning);
}

}  // namespace
}  // namespace penstock::status
