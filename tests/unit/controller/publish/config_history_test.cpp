#include "controller/publish/config_history.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/unit/controller/publish/changes.h"

namespace penstock::publish {
namespace {

using snapshot::PartKey;
using snapshot::PartKind;

Changes host(const std::string& name, const std::string& certificate = "") {
  return {{{PartKind::kHost, name}, part(snapshot::Host{name, certificate, {}})}};
}
Changes no_host(const std::string& name) { return {{{PartKind::kHost, name}, nullptr}}; }

constexpr auto kStill = std::numeric_limits<std::uint64_t>::max();

TEST(ConfigHistory, WhatHoldsTheSameHasTheSameNameHoweverItCameAbout) {
  ConfigHistory one;
  one.add(10, host("a"));
  one.add(20, host("b"));
  ConfigHistory other;
  other.add(1, host("b", "old"));
  other.add(2, host("c"));
  other.add(3, host("b"));
  other.add(4, host("a"));
  other.add(5, no_host("c"));
  EXPECT_EQ(one.name_at(20), other.name_at(5));
  EXPECT_NE(one.name_at(20), other.name_at(4));
  EXPECT_NE(one.name_at(10), one.name_at(20));
}

TEST(ConfigHistory, ANameStandsUntilItIsReplaced) {
  ConfigHistory history;
  EXPECT_EQ(history.name_at(5), "");
  history.add(10, host("a"));
  const auto first = history.name_at(10);
  history.add(20, host("b"));
  const auto second = history.name_at(25);
  EXPECT_EQ(history.name_at(9), "");
  EXPECT_EQ(history.name_at(19), first);
  EXPECT_EQ(history.last_under(first), 19U);
  EXPECT_EQ(history.last_under(second), kStill);
  EXPECT_EQ(history.last_under("0000000000000000"), 0U);
  history.add(30, no_host("b"));
  EXPECT_EQ(history.name_at(30), first);
  EXPECT_EQ(history.last_under(first), kStill) << "it has come back";
  EXPECT_EQ(history.last_under(second), 29U);
}

TEST(ConfigHistory, WhatIsOfOneReplicaHasNoPartInIt) {
  ConfigHistory history;
  history.add(1, host("a"));
  const auto name = history.name_at(1);
  snapshot::Endpoints endpoints;
  endpoints.upstream = "up";
  snapshot::Global global;
  history.add(2, {{{PartKind::kGlobal, ""}, part(global)}});
  const auto with_global = history.name_at(2);
  EXPECT_NE(name, with_global);
  global.instance.pod = "penstock-b";
  history.add(3, {{{PartKind::kGlobal, ""}, part(global)},
                  {{PartKind::kEndpoints, "up"}, part(endpoints)},
                  {{PartKind::kCertificate, snapshot::kDefaultCertificate},
                   part(snapshot::Certificate{snapshot::kDefaultCertificate, "chain", "key"})}});
  EXPECT_EQ(history.name_at(3), with_global);
  history.add(4, {{{PartKind::kCertificate, "shop/tls"},
                   part(snapshot::Certificate{"shop/tls", "chain", "key"})}});
  EXPECT_NE(history.name_at(4), with_global);
}

TEST(ConfigHistory, ForgetsWhatIsLongPast) {
  ConfigHistory history;
  history.add(1, host("a"));
  const auto first = history.name_at(1);
  for (std::uint64_t i = 2; i < 5000; ++i) history.add(i, host("b", std::to_string(i)));
  EXPECT_EQ(history.name_at(1), "");
  EXPECT_EQ(history.last_under(first), 0U);
  EXPECT_EQ(history.last_under(history.name_at(4999)), kStill);
}

}  // namespace
}  // namespace penstock::publish
