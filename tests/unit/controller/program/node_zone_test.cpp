#include "controller/program/node_zone.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "tests/unit/controller/kube/scripted_server.h"

namespace penstock::program {
namespace {

using testing::ElementsAre;

constexpr char kPodPath[] = "/api/v1/namespaces/edge/pods/one";
constexpr char kNodePath[] = "/api/v1/nodes/n1";
constexpr char kZoned[] = R"({"metadata":{"labels":{"topology.kubernetes.io/zone":"east"}}})";

TEST(NodeOfAPod, IsWhereItRuns) {
  EXPECT_EQ(node_of(R"({"spec":{"nodeName":"n1"}})"), "n1");
  EXPECT_EQ(node_of(R"({"spec":{}})").error().message, "the pod has no node");
  EXPECT_FALSE(node_of("["));
}

TEST(ZoneOfANode, IsItsLabel) {
  EXPECT_EQ(zone_of(kZoned), "east");
  EXPECT_EQ(zone_of(R"({"metadata":{"labels":{"zone":"east"}}})").error().message,
            "no label topology.kubernetes.io/zone");
  EXPECT_FALSE(zone_of(R"({"metadata":{"labels":{"topology.kubernetes.io/zone":7}}})"));
}

/// An API server that gives each path its answers in turn; the last one stays.
class ZoneAtStart : public testing::Test {
 protected:
  ZoneAtStart()
      : server_(io_, [this](const kube::ScriptedServer::Seen& seen) {
          asked_.push_back(seen.target);
          auto& answers = answers_.at(seen.target);
          const auto [status, body] = answers.front();
          if (answers.size() > 1) answers.erase(answers.begin());
          return kube::ScriptedServer::answer(status, body);
        }) {}

  std::string find() {
    kube::ClusterAccess access;
    access.server = server_.url();
    kube::Client client(io_, access);
    NodeZone zone(io_, client, "edge", "one", [] { return 0.0; },
                  std::chrono::milliseconds(10));
    std::optional<std::string> found;
    zone.start([&](std::string name) {
      found = std::move(name);
      io_.stop();
    });
    io_.restart();
    io_.run_for(std::chrono::seconds(10));
    return found.value_or("nothing was told");
  }

  using Answer = std::pair<int, std::string>;
  asio::io_context io_;
  std::map<std::string, std::vector<Answer>> answers_ = {
      {kPodPath, {{200, R"({"spec":{"nodeName":"n1"}})"}}}, {kNodePath, {{200, kZoned}}}};
  std::vector<std::string> asked_;
  kube::ScriptedServer server_;
};

TEST_F(ZoneAtStart, IsThatOfTheNodeOfOurPod) {
  EXPECT_EQ(find(), "east");
  EXPECT_THAT(asked_, ElementsAre(kPodPath, kNodePath));
}

TEST_F(ZoneAtStart, IsAskedForAgainWhileTheServerIsNotWell) {
  answers_[kPodPath].insert(answers_[kPodPath].begin(), {503, "{}"});
  answers_[kNodePath].insert(answers_[kNodePath].begin(), {403, "{}"});
  EXPECT_EQ(find(), "east");
  EXPECT_THAT(asked_, ElementsAre(kPodPath, kPodPath, kNodePath, kNodePath));
}

TEST_F(ZoneAtStart, IsNoneWhereItMustNotBeReadOrIsNotThere) {
  answers_[kNodePath] = {{403, R"({"message":"must not"})"}};
  EXPECT_EQ(find(), "");
  EXPECT_EQ(asked_.size(), 7U) << "the pod, and six times the node";
  answers_[kNodePath] = {{200, R"({"metadata":{}})"}};
  EXPECT_EQ(find(), "");
  answers_[kPodPath] = {{404, "{}"}};
  EXPECT_EQ(find(), "");
  answers_[kPodPath] = {{200, "no JSON"}};
  EXPECT_EQ(find(), "");
}

}  // namespace
}  // namespace penstock::program
