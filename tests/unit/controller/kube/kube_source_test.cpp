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
      if (const auto later = after_gone_.extract(path)) {
        lists_[path] = later.mapped();
        return ScriptedServer::answer(410, "{}");
      }
      ScriptedServer::Reply reply{{ScriptedServer::stream_head()}, false};
      for (const auto& each : events_[path]) {
        reply.pieces.push_back(ScriptedServer::chunk(each + "\n"));
      }
      return reply;
    }
    if (forbidden_.contains(path)) {
      return ScriptedServer::answer(403, R"({"kind":"Status","message":"forbidden"})");
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
    options.timing.longest_retry = std::chrono::milliseconds(100);
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
  /// How often something was asked for whose target begins so.
  std::size_t asked(std::string_view begin) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        server_.seen(), [&](const auto& seen) { return seen.target.starts_with(begin); }));
  }
  std::size_t count(std::string_view entry) const {
    return static_cast<std::size_t>(std::ranges::count(log_, entry));
  }

  asio::io_context io_;
  std::map<std::string, std::vector<std::string>> lists_;
  std::map<std::string, std::vector<std::string>> events_;
  /// The first watch of these is refused as too old, and the list after it is this one.
  std::map<std::string, std::vector<std::string>> after_gone_;
  std::map<std::string, std::string> objects_;
  std::set<std::string> absent_;
  std::set<std::string> forbidden_;
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

constexpr char kGrantsV1[] = "/apis/gateway.networking.k8s.io/v1/referencegrants";
constexpr char kGrantsV1Beta1[] = "/apis/gateway.networking.k8s.io/v1beta1/referencegrants";

TEST_F(KubeSourceTest, TakesGrantsOfAGatewayApiThatIsInstalledLater) {
  absent_ = {kGrantsV1, kGrantsV1Beta1};
  lists_[kGrantsV1] = lists_[kGrantsV1Beta1] = {placed_object("n", "g", 1)};
  start();
  ASSERT_TRUE(wait_synced());
  for (const auto& each : source_->status()) {
    EXPECT_EQ(each.failures, 0U) << objects::info_of(each.kind).name;
  }
  ASSERT_TRUE(run_until(io_, [&] { return asked(kGrantsV1) >= 2 && asked(kGrantsV1Beta1) >= 2; }));
  EXPECT_LT(asked(kGrantsV1), 5U) << "slowly";
  absent_.erase(kGrantsV1Beta1);
  ASSERT_TRUE(run_until(io_, [&] { return count("+ReferenceGrant n/g") == 1; }));
  EXPECT_TRUE(run_until(io_, [&] { return asked(std::string(kGrantsV1Beta1) + "?watch=1") == 1; }))
      << "the older version, for it is the one that is served";
}

TEST_F(KubeSourceTest, PrefersTheNewVersionOfGrants) {
  lists_[kGrantsV1] = {placed_object("n", "g", 1)};
  start();
  ASSERT_TRUE(wait_synced());
  EXPECT_EQ(count("+ReferenceGrant n/g"), 1U);
  EXPECT_EQ(asked(kGrantsV1Beta1), 0U);
}

TEST_F(KubeSourceTest, AMissingRightToGrantsHoldsUpNobodyForLong) {
  lists_[kGrantsV1] = {placed_object("n", "g", 1)};
  forbidden_ = {kGrantsV1};
  start();
  ASSERT_TRUE(wait_synced());
  EXPECT_GE(asked(kGrantsV1), 6U) << "a server that starts may refuse for a moment";
  forbidden_.clear();
  EXPECT_TRUE(run_until(io_, [&] { return count("+ReferenceGrant n/g") == 1; }));
}

TEST_F(KubeSourceTest, ReadsGrantsOfTheWatchedNamespaceAlone) {
  KubeSource::Options options;
  options.watch_namespace = "only";
  start(options);
  ASSERT_TRUE(wait_synced());
  EXPECT_EQ(asked("/apis/gateway.networking.k8s.io/v1/namespaces/only/referencegrants?limit="), 1U);
  EXPECT_EQ(asked(kGrantsV1), 0U);
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

/// One namespace is served, and a Secret of another one is named.
class SecretElsewhereTest : public KubeSourceTest {
 protected:
  static constexpr char kElsewhere[] = "/api/v1/namespaces/certificates/secrets";

  SecretElsewhereTest() {
    lists_["/api/v1/namespaces/only/secrets"] = {placed_object("only", "a", 1)};
    lists_[kElsewhere] = {placed_object("certificates", "wildcard", 2)};
    objects_[std::string(kElsewhere) + "/wildcard"] = placed_object("certificates", "wildcard", 2);
  }
  void start_and_want() {
    KubeSource::Options options;
    options.watch_namespace = "only";
    options.named_secrets = {"certificates/wildcard"};
    start(options);
    ASSERT_TRUE(wait_synced());
    source_->change_wanted_secrets(
        {{"certificates/wildcard", "certificates/other", "only/a"}, {}});
    ASSERT_TRUE(run_until(io_, [&] { return source_->has_settled(); }));
  }
};

TEST_F(SecretElsewhereTest, IsFollowedByItsName) {
  events_[kElsewhere] = {
      R"({"type":"MODIFIED","object":)" + placed_object("certificates", "wildcard", 7) + "}"};
  start_and_want();
  EXPECT_EQ(count("+Secret only/a"), 1U);
  EXPECT_TRUE(run_until(io_, [&] { return count("+Secret certificates/wildcard") == 2; }));
  EXPECT_EQ(count("+Secret certificates/other"), 0U);
  EXPECT_EQ(asked(std::string(kElsewhere) + "/"), 0U);
}

TEST_F(SecretElsewhereTest, IsFetchedOnceWhereItMustNotBeListed) {
  forbidden_.insert(kElsewhere);
  start_and_want();
  EXPECT_EQ(count("+Secret certificates/wildcard"), 1U);
  EXPECT_EQ(asked(std::string(kElsewhere) + "/wildcard"), 1U);
}

/// Secrets of the namespaces a and b alone, and of one path.
class SecretNamespacesTest : public KubeSourceTest {
 protected:
  static std::string secrets_of(std::string_view name_space) {
    return fmt::format("/api/v1/namespaces/{}/secrets", name_space);
  }
  void start_with(std::set<std::string> wanted) {
    KubeSource::Options options;
    options.secret_namespaces = {"a", "b"};
    options.named_secrets = {"certificates/wildcard"};
    start(options);
    ASSERT_TRUE(wait_synced());
    source_->change_wanted_secrets({std::move(wanted), {}});
  }
  bool wait_settled() {
    return run_until(io_, [&] { return source_->has_settled(); });
  }
  std::size_t watches(std::string_view name_space) const {
    return asked(secrets_of(name_space) + "?watch=1");
  }
};

TEST_F(SecretNamespacesTest, AreWatchedOneByOneAndNothingElseIs) {
  lists_[secrets_of("a")] = {placed_object("a", "x", 1), placed_object("a", "other", 2)};
  lists_[secrets_of("b")] = {placed_object("b", "x", 1)};
  lists_[secrets_of("certificates")] = {placed_object("certificates", "wildcard", 3)};
  start_with({"a/x", "b/x", "c/x", "certificates/wildcard", "certificates/other"});
  EXPECT_FALSE(source_->has_settled());
  ASSERT_TRUE(wait_settled());
  EXPECT_THAT(log_, testing::UnorderedElementsAre("+Secret a/x", "+Secret b/x",
                                                  "+Secret certificates/wildcard"));
  ASSERT_TRUE(
      run_until(io_, [&] { return watches("a") + watches("b") + watches("certificates") == 3; }));
  EXPECT_EQ(asked("/api/v1/secrets"), 0U);
  EXPECT_EQ(asked(secrets_of("c")), 0U);
  for (const auto& seen : server_.seen()) {
    if (!seen.target.starts_with(secrets_of("certificates"))) continue;
    EXPECT_THAT(seen.target, testing::HasSubstr("fieldSelector=metadata.name%3Dwildcard"));
  }
}

TEST_F(SecretNamespacesTest, EachWatchBeginsWithTheFirstThatIsWantedOfIt) {
  lists_[secrets_of("a")] = {placed_object("a", "x", 1)};
  lists_[secrets_of("b")] = {placed_object("b", "x", 1), placed_object("b", "y", 2)};
  objects_[secrets_of("b") + "/y"] = placed_object("b", "y", 2);
  start_with({"a/x"});
  ASSERT_TRUE(wait_settled());
  EXPECT_EQ(asked(secrets_of("b")), 0U);
  source_->change_wanted_secrets({{"b/x"}, {}});
  EXPECT_FALSE(source_->has_settled());
  ASSERT_TRUE(wait_settled());
  EXPECT_EQ(count("+Secret b/x"), 1U);
  source_->change_wanted_secrets({{"b/y"}, {}});
  ASSERT_TRUE(wait_settled());
  EXPECT_EQ(count("+Secret b/y"), 1U);
  EXPECT_EQ(asked(secrets_of("b") + "?limit="), 1U) << "one list, and y by its name";
}

TEST_F(SecretNamespacesTest, ARelistOfOneRemovesNothingOfAnother) {
  lists_[secrets_of("a")] = {placed_object("a", "x", 1), placed_object("a", "gone", 2)};
  lists_[secrets_of("b")] = {placed_object("b", "x", 1), placed_object("b", "gone", 2)};
  after_gone_[secrets_of("a")] = {placed_object("a", "x", 7)};
  start_with({"a/x", "a/gone", "b/x", "b/gone"});
  ASSERT_TRUE(run_until(io_, [&] { return watches("a") == 2 && watches("b") == 1; }));
  EXPECT_EQ(count("+Secret a/x"), 2U);
  EXPECT_THAT(log_,
              testing::UnorderedElementsAre("+Secret a/x", "+Secret a/gone", "+Secret b/x",
                                            "+Secret b/gone", "+Secret a/x", "-Secret a/gone"));
  EXPECT_EQ(asked(secrets_of("b") + "?limit="), 1U);
}

TEST_F(SecretNamespacesTest, OneThatMayNotBeReadHoldsUpNobodyForLong) {
  lists_[secrets_of("a")] = {placed_object("a", "x", 1)};
  lists_[secrets_of("b")] = {placed_object("b", "x", 1)};
  forbidden_.insert(secrets_of("b"));
  start_with({"a/x", "b/x"});
  ASSERT_TRUE(run_until(io_, [&] { return count("+Secret a/x") == 1; }));
  EXPECT_FALSE(source_->has_settled()) << "a server that starts may refuse for a moment";
  ASSERT_TRUE(wait_settled());
  EXPECT_GE(asked(secrets_of("b") + "?limit="), 6U);
  EXPECT_EQ(count("+Secret b/x"), 0U);
  forbidden_.clear();
  ASSERT_TRUE(run_until(io_, [&] { return count("+Secret b/x") == 1; }));
}

TEST_F(SecretNamespacesTest, AFetchThatIsRefusedIsNoReasonForOthersToWait) {
  for (const std::string name : {"a", "b"}) {
    lists_[secrets_of(name)] = {placed_object(name, "x", 1), placed_object(name, "y", 2),
                                placed_object(name, "z", 3)};
    objects_[secrets_of(name) + "/y"] = placed_object(name, "y", 2);
    objects_[secrets_of(name) + "/z"] = placed_object(name, "z", 3);
  }
  start_with({"a/x", "b/x"});
  ASSERT_TRUE(wait_settled());
  forbidden_ = {secrets_of("b") + "/y", secrets_of("b") + "/z"};
  source_->change_wanted_secrets({{"b/y", "b/z"}, {}});
  ASSERT_TRUE(run_until(io_, [&] { return asked(secrets_of("b") + "/y") == 3; }));
  EXPECT_EQ(asked(secrets_of("b") + "/z"), 1U) << "one is tried again for both";
  source_->change_wanted_secrets({{"a/y"}, {}});
  ASSERT_TRUE(wait_settled());
  EXPECT_EQ(count("+Secret a/y"), 1U);
  EXPECT_EQ(count("+Secret b/y"), 0U);
  forbidden_.clear();
  ASSERT_TRUE(run_until(io_, [&] { return count("+Secret b/z") == 1; }));
  EXPECT_EQ(count("+Secret b/y"), 1U);
}

TEST_F(SecretNamespacesTest, WhatIsNoLongerWantedIsNotTriedAgain) {
  lists_[secrets_of("b")] = {placed_object("b", "x", 1), placed_object("b", "y", 2)};
  forbidden_ = {secrets_of("b") + "/y"};
  start_with({"b/x"});
  ASSERT_TRUE(wait_settled());
  source_->change_wanted_secrets({{"b/y"}, {}});
  ASSERT_TRUE(run_until(io_, [&] { return asked(secrets_of("b") + "/y") == 1; }));
  ASSERT_TRUE(wait_settled());
  source_->change_wanted_secrets({{}, {"b/y"}});
  EXPECT_FALSE(run_until(
      io_, [&] { return asked(secrets_of("b") + "/y") > 1; }, std::chrono::milliseconds(300)));
}

}  // namespace
}  // namespace penstock::kube
