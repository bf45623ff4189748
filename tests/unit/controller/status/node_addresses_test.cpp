#include "controller/status/node_addresses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "tests/unit/controller/kube/scripted_server.h"

namespace penstock::status {
namespace {

using testing::ElementsAre;

std::string pod(const std::string& name, const std::string& node, const std::string& ready,
                const std::string& more = "") {
  return fmt::format(
      R"({{"metadata":{{"namespace":"a","name":"{0}","resourceVersion":"{0}{2}","labels":{{"app":"p"}}{3}}},)"
      R"("spec":{{"nodeName":"{1}"}},"status":{{"phase":"Running",)"
      R"("conditions":[{{"type":"PodScheduled","status":"True"}},{{"type":"Ready","status":"{2}"}}]}}}})",
      name, node, ready, more);
}

std::string node(const std::string& addresses) {
  return fmt::format(R"({{"metadata":{{"name":"n"}},"status":{{"addresses":[{}]}}}})", addresses);
}

TEST(ServingNode, IsThatOfAPodThatRunsIsReadyAndStays) {
  EXPECT_EQ(serving_node(pod("one", "n1", "True")), "n1");
  EXPECT_EQ(serving_node(pod("one", "n1", "False")), "");
  EXPECT_EQ(
      serving_node(pod("one", "n1", "True", R"(,"deletionTimestamp":"2026-01-01T00:00:00Z")")), "");
  EXPECT_EQ(serving_node(R"({"metadata":{},"spec":{"nodeName":"n1"},"status":{}})"), "");
  EXPECT_FALSE(serving_node("nonsense"));
  EXPECT_FALSE(serving_node(R"({"status":{"phase":7}})"));
}

TEST(NodeAddress, IsTheExternalOneBeforeTheInternalOne) {
  const auto both =
      node(R"({"type":"Hostname","address":"h"},{"type":"InternalIP","address":"10.0.0.1"},
      {"type":"InternalIP","address":"fd00::1"},{"type":"ExternalIP","address":"192.0.2.1"})");
  EXPECT_EQ(node_address(both, false), "192.0.2.1");
  EXPECT_EQ(node_address(both, true), "10.0.0.1");
  EXPECT_EQ(node_address(node(R"({"type":"InternalIP","address":"10.0.0.2"})"), false), "10.0.0.2");
  EXPECT_EQ(node_address(node(R"({"type":"ExternalIP","address":"192.0.2.1"})"), true), "");
  EXPECT_EQ(node_address(node(""), false), "");
  EXPECT_FALSE(node_address("[]", false));
}

/// An API server with our pod, a list of pods that stays as it is, and nodes.
class Nodes : public testing::Test {
 protected:
  Nodes()
      : server_(io_, [this](const kube::ScriptedServer::Seen& seen) { return answer(seen); }),
        client_(io_, access(server_)) {}

  static kube::ClusterAccess access(const kube::ScriptedServer& server) {
    kube::ClusterAccess out;
    out.server = server.url();
    return out;
  }

  kube::ScriptedServer::Reply answer(const kube::ScriptedServer::Seen& seen) {
    using Server = kube::ScriptedServer;
    const auto& target = seen.target;
    if (target == "/api/v1/namespaces/a/pods/one") {
      return Server::answer(200, pod("one", "n1", "True"));
    }
    if (target.find("watch=1") != target.npos) return {{Server::stream_head()}, false};
    if (target.find("/pods?") != target.npos) {
      selector_ = target.substr(target.find("labelSelector"));
      return Server::answer(
          200, fmt::format(R"({{"metadata":{{"resourceVersion":"5"}},"items":[{}]}})", pods_));
    }
    const auto name = target.substr(target.rfind('/') + 1);
    read_.push_back(name);
    const auto found = nodes_.find(name);
    if (found == nodes_.end()) return Server::answer(404, "{}");
    return Server::answer(
        200, node(fmt::format(R"({{"type":"InternalIP","address":"{}"}})", found->second)));
  }

  bool run_until_changes(int count) {
    return kube::run_until(io_, [&] { return changes_ >= count; });
  }

  asio::io_context io_;
  std::string pods_;
  std::string selector_;
  std::map<std::string, std::string> nodes_;
  std::vector<std::string> read_;
  int changes_ = 0;
  kube::ScriptedServer server_;
  kube::Client client_;
};

TEST_F(Nodes, EachIsReadOnceAndTellsItsAddress) {
  pods_ = pod("one", "n1", "True") + "," + pod("two", "n2", "True") + "," +
          pod("three", "n2", "True") + "," + pod("four", "n3", "False");
  nodes_ = {{"n1", "10.0.0.9"}, {"n2", "10.0.0.1"}, {"n3", "10.0.0.3"}};
  NodeAddresses addresses(io_, client_, {"a", "one"}, [] { return 0.5; }, [&] { ++changes_; });
  addresses.start();
  EXPECT_FALSE(addresses.addresses());
  ASSERT_TRUE(run_until_changes(1));
  EXPECT_EQ(selector_, "labelSelector=app%3Dp");
  EXPECT_THAT(*addresses.addresses(), ElementsAre("10.0.0.1", "10.0.0.9"));
  EXPECT_THAT(read_, ElementsAre("n1", "n2"));
}

TEST_F(Nodes, ChangesOnTheirOwnAreFound) {
  pods_ = pod("one", "n1", "True");
  nodes_ = {{"n1", "10.0.0.9"}};
  NodeAddresses addresses(
      io_, client_, {"a", "one", false, std::chrono::milliseconds(1)}, [] { return 0.5; },
      [&] { ++changes_; });
  addresses.start();
  ASSERT_TRUE(run_until_changes(1));
  nodes_["n1"] = "10.0.0.7";
  ASSERT_TRUE(run_until_changes(2));
  EXPECT_THAT(*addresses.addresses(), ElementsAre("10.0.0.7"));
}

TEST_F(Nodes, OneThatIsGoneTakesNotTheLastAddressAway) {
  pods_ = pod("one", "n1", "True");
  nodes_ = {{"n1", "10.0.0.9"}};
  NodeAddresses addresses(
      io_, client_, {"a", "one", false, std::chrono::milliseconds(1)}, [] { return 0.5; },
      [&] { ++changes_; });
  addresses.start();
  ASSERT_TRUE(run_until_changes(1));
  nodes_.clear();
  const auto reads = read_.size();
  ASSERT_TRUE(kube::run_until(io_, [&] { return read_.size() > reads; }));
  kube::run_until(io_, [] { return false; }, std::chrono::milliseconds(50));
  EXPECT_THAT(*addresses.addresses(), ElementsAre("10.0.0.9"));
  EXPECT_EQ(changes_, 1);
}

}  // namespace
}  // namespace penstock::status
