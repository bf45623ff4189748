#include "controller/status/replicas.h"

#include <gtest/gtest.h>

namespace penstock::status {
namespace {

TEST(Replicas, AreFoundByLabelsThatAllGenerationsShare) {
  EXPECT_EQ(replica_selector({{"app", "penstock"},
                              {"pod-template-hash", "5d8"},
                              {"controller-revision-hash", "7c"},
                              {"tier", "edge"}}),
            "app=penstock,tier=edge");
  EXPECT_EQ(replica_selector({{"pod-template-hash", "5d8"}}), "");
}

TEST(Replicas, LabelsOfAPod) {
  const auto labels = pod_labels(R"({"metadata":{"name":"p","labels":{"app":"penstock"}}})");
  ASSERT_TRUE(labels);
  EXPECT_EQ(*labels, (std::map<std::string, std::string>{{"app", "penstock"}}));
  EXPECT_TRUE(pod_labels(R"({"metadata":{}})")->empty());
  EXPECT_FALSE(pod_labels("<html>"));
  EXPECT_FALSE(pod_labels(R"({"metadata":{"labels":{"app":7}}})"));
}

TEST(Replicas, CountsThoseThatRunOrWillRun) {
  const std::string list = R"({"items":[
    {"metadata":{"name":"me"},"status":{"phase":"Running"}},
    {"metadata":{"name":"running"},"status":{"phase":"Running"}},
    {"metadata":{"name":"pending"},"status":{"phase":"Pending"}},
    {"metadata":{"name":"fresh"}},
    {"metadata":{"name":"done"},"status":{"phase":"Succeeded"}},
    {"metadata":{"name":"failed"},"status":{"phase":"Failed"}},
    {"metadata":{"name":"going","deletionTimestamp":"2026-01-01T00:00:00Z"},
     "status":{"phase":"Running"}}]})";
  EXPECT_EQ(count_others(list, "me"), 3U);
  EXPECT_EQ(count_others(R"({"items":[{"metadata":{"name":"me"}}]})", "me"), 0U);
  EXPECT_EQ(count_others(R"({"items":[]})", "me"), 0U);
  EXPECT_FALSE(count_others("nonsense", "me"));
}

}  // namespace
}  // namespace penstock::status
