#include "controller/kube/kube_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/kube/scripted_server.h"

namespace penstock::kube {
namespace {

using objects::Kind;

std::string placed_object(std::string_view name_space, std::string_view name, int version) {
  return fmt::format(
      R"({{"metadata":{{"namespace":"{}","name":"{}","resourceVersion":"{}"}},"data":{{}}}})",
      name_space, name, version);
}

/// Answers lists and holds watches open; what it has is what the test puts in `lists`.
class KubeSourceTest : public testing::Test {
 protected:
  ScriptedServer::Reply handle(const ScriptedServer::Seen& seen) {
    const auto path = seen.target.substr(0, seen.target.find('?'));
    if (seen.target.find("watch=") != std::string::npos) {
      ScriptedServer::Reply reply{{ScriptedServer::stream_head()}, false};
      for (const auto& each : events_[path]) {
        reply.pieces.push_back(ScriptedServer::chunk(each + "\n"));
      }
      return reply;
    }
    if (absent_.contains(path)) return ScriptedServer::answer(404, "404 page not found");
    if (objects_.contains(path)) return ScriptedServer::answer(200, objects_[path]);
    if (path.find("/namespaces/") != std::string::npos &&
        path.find("/secrets/") != std::string::npos) {
      return ScriptedServer::answer(404, R"({"kind":"Status","message":"not found"})");
    }
    std::string items;
    for (const auto& each : lists_[path]) items += (items.empty() ? "" : ",") + each;
    return ScriptedServer::answer(
        200, fmt::format(R"({{"metadata":{{"resourceVersion":"5"}},"items":[{}]}})", items));
  }

  void start(KubeSource::Options options = {}) {
    options.timing.first_retry = std::chrono::milliseconds(10);
    options.timing.absent_kind_retry = std::chrono::milliseconds(30);
    access_.server = server_.url();
    client_.emplace(io_, access_);
    objects::SourceEvents events;
    events.on_change = [this](objects::Change change) {
      log_.push_back((change.is_removed ? "-" : "+") + objects::to_string(change.key));
    };
    events.on_synced = [this](Kind kind) { synced_.insert(kind); };
    events.on_settled = [] {};
    source_.emplace(io_, *client_, std::move(options), std::move(events), [] { return 0.5; });
    source_->start();
  }
  bool wait_synced() {
    return run_until(io_, [&] { return synced_.size() == objects::kKinds.size(); });
  }
  std::size_t count(std::string_view entry) const {
    return static_cast<std::size_t>(std::ranges::count(log_, entry));
  }

  asio::io_context io_;
  std::map<std::string, std::vector<std::string>> lists_;
  std::map<std::string, std::vector<std::string>> events_;
  std::map<std::string, std::string> objects_;
  std::set<std::string> absent_;
  ScriptedServer server_{io_, [this](const auto& seen) { return handle(seen); }};
  ClusterAccess access_;
  std::optional<Client> client_;
  std::vector<std::string> log_;
  std::set<Kind> synced_;
  std::optional<KubeSource> source_;
};

TEST_F(KubeSourceTest, DeliversEveryKindAndOnlyTheConfigMapsByName) {
  lists_["/apis/networking.k8s.io/v1/ingresses"] = {placed_object("n", "i", 1)};
  lists_["/api/v1/services"] = {placed_object("n", "s", 2)};
  lists_["/api/v1/namespaces/p/configmaps"] = {placed_object("p", "settings", 3)};
  KubeSource::Options options;
  options.config_maps = {"p/settings"};
  start(options);
  ASSERT_TRUE(wait_synced());
  EXPECT_THAT(
      log_, testing::UnorderedElementsAre("+Ingress n/i", "+Service n/s", "+ConfigMap p/settings"));
  for (const auto& seen : server_.seen()) {
    EXPECT_EQ(seen.target.find("secrets"), std::string::npos) << "no Secret is wanted";
    EXPECT_FALSE(seen.target.starts_with("/api/v1/namespaces?")) << "nobody reads them";
  }
}

TEST_F(KubeSourceTest, WatchesNamespacesWhereTheirLabelsDecide) {
  lists_["/api/v1/namespaces"] = {R"({"metadata":{"name":"n","resourceVersion":"1"}})"};
  KubeSource::Options options;
  options.watches_namespaces = true;
  start(options);
  ASSERT_TRUE(wait_synced());
  EXPECT_EQ(count("+Namespace n"), 1U);
}

TEST_F(KubeSourceTest, DeliversWantedSecretsAlone) {
  lists_["/api/v1/secrets"] = {placed_object("n", "a", 1), placed_object("n", "b", 2)};
  start();
  ASSERT_TRUE(wait_synced());
  EXPECT_TRUE(source_->has_settled());
  source_->change_wanted_secrets({{"n/a", "n/none"}, {}});
  EXPECT_FALSE(source_->has_settled());
  ASSERT_TRUE(run_until(io_, [&] { return source_->has_settled(); }));
  EXPECT_EQ(count("+Secret n/a"), 1U);
  EXPECT_EQ(count("+Secret n/b"), 0U);
  objects_["/api/v1/namespaces/n/secrets/b"] = placed_object("n", "b", 2);
  source_->change_wanted_secrets({{"n/b"}, {"n/a", "n/none"}});
  ASSERT_TRUE(run_until(io_, [&] { return count("+Secret n/b") == 1; }));
  EXPECT_EQ(count("-Secret n/a"), 1U);
  EXPECT_TRUE(source_->has_settled());
}

TEST_F(KubeSourceTest, FollowsWantedSecretsByTheWatch) {
  lists_["/api/v1/secrets"] = {placed_object("n", "a", 1)};
  events_["/api/v1/secrets"] = {
      R"({"type":"MODIFIED","object":)" + placed_object("n", "a", 9) + "}",
      R"({"type":"MODIFIED","object":)" + placed_object("n", "other", 10) + "}",
      R"({"type":"DELETED","object":)" + placed_object("n", "a", 11) + "}"};
  start();
  ASSERT_TRUE(wait_synced());
  source_->change_wanted_secrets({{"n/a"}, {}});
  ASSERT_TRUE(run_until(io_, [&] { return count("-Secret n/a") == 1; }));
  EXPECT_EQ(count("+Secret n/a"), 2U);
  EXPECT_EQ(count("+Secret n/other"), 0U);
}

TEST_F(KubeSourceTest, TakesAKindThatIsInstalledLater) {
  const std::string path = "/apis/penstock.dev/v1alpha1/tcpservices";
  absent_.insert(path);
  lists_[path] = {placed_object("n", "t", 1)};
  start();
  ASSERT_TRUE(wait_synced());
  EXPECT_EQ(count("+TCPService n/t"), 0U);
  absent_.clear();
  EXPECT_TRUE(run_until(io_, [&] { return count("+TCPService n/t") == 1; }));
}

TEST_F(KubeSourceTest, WatchesOneNamespaceWhereToldTo) {
  lists_["/apis/networking.k8s.io/v1/namespaces/only/ingresses"] = {placed_object("only", "i", 1)};
  KubeSource::Options options;
  options.watch_namespace = "only";
  start(options);
  ASSERT_TRUE(wait_synced());
  EXPECT_EQ(count("+Ingress only/i"), 1U);
  EXPECT_GE(source_->status().size(), 5U);
}

}  // namespace
}  // namespace penstock::kube
