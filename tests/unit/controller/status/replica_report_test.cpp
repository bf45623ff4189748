#include "controller/status/replica_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::status {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::SizeIs;

ReplicaReport full() {
  return {"k8s.io/ingress-nginx",
          "penstock-leader",
          "00ff00ff00ff00ff",
          2,
          {"TCPService db/mysql: port 3306: \"in use\""},
          "2026-01-31T12:00:00Z"};
}

TEST(ReplicaReport, ComesBackFromItsJson) {
  const auto json = replica_json({"ingress", "penstock-a", ""}, full());
  EXPECT_THAT(json, HasSubstr(R"("metadata":{"name":"penstock-a","namespace":"ingress"})"));
  const auto read = parse_replica(json);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(*read, full());
}

TEST(ReplicaReport, GoesWithItsPod) {
  const auto json = replica_json({"ingress", "penstock-a", "u-1"}, full());
  EXPECT_THAT(json, HasSubstr(R"("ownerReferences":[{"apiVersion":"v1","kind":"Pod",)"
                              R"("name":"penstock-a","uid":"u-1"}])"));
  EXPECT_EQ(has_owner(json), true);
  EXPECT_EQ(has_owner(replica_json({"ingress", "penstock-a", ""}, full())), false);
  EXPECT_FALSE(has_owner("nonsense"));
}

TEST(ReplicaReport, IsBoundedInBothDirections) {
  auto report = full();
  report.problems.assign(1000, std::string(511, 'x') + "\u00e9\u00e9");
  const auto read = parse_replica(replica_json({"ingress", "penstock-a", ""}, report));
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_THAT(read->problems, SizeIs(kMostProblems));
  EXPECT_THAT(read->problems[0], EndsWith("x..."));
  EXPECT_LE(read->problems[0].size(), 512U);
  EXPECT_FALSE(parse_replica(R"({"report":{"proxies":1000000}})"));
}

TEST(ReplicaReport, TheTimeIsNoNews) {
  auto later = full();
  later.renewed = "2026-01-31T12:00:10Z";
  EXPECT_TRUE(later.says_the_same(full()));
  later.proxies = 1;
  EXPECT_FALSE(later.says_the_same(full()));
}

}  // namespace
}  // namespace penstock::status
