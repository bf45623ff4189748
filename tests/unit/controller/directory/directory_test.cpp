#include "controller/directory/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace penstock::directory {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kService = R"(apiVersion: v1
kind: Service
metadata:
  name: NAME
spec:
  ports:
  - port: PORT
)";

std::string service(std::string_view name, int port = 80) {
  std::string text(kService);
  text.replace(text.find("NAME"), 4, name);
  text.replace(text.find("PORT"), 4, std::to_string(port));
  return text;
}

TEST(Manifests, HoldSeveralDocumentsAndLists) {
  const auto out = parse_manifests(
      "web.yaml", service("a") + "---\n---\n# nothing\n---\n" + service("b") +
                      "---\napiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, "
                      "metadata: {name: c, namespace: n}}\n---\napiVersion: apps/v1\nkind: "
                      "Deployment\nmetadata: {name: d}\n");
  ASSERT_EQ(out.documents.size(), 3U);
  EXPECT_EQ(out.documents[0]->key, (objects::ObjectKey{objects::Kind::kService, "default", "a"}));
  EXPECT_EQ(out.documents[2]->key.name_space, "n");
  EXPECT_EQ(out.ignored, 1U);
  EXPECT_THAT(out.problems, IsEmpty());
}

TEST(Manifests, KnowTheLineOfEveryField) {
  const auto out = parse_manifests("web.yaml", service("a") + "---\n" + service("b"));
  ASSERT_EQ(out.documents.size(), 2U);
  EXPECT_EQ(out.documents[0]->where("/spec/ports/0/port"), "web.yaml:7");
  EXPECT_EQ(out.documents[1]->where("/spec/ports/0/port"), "web.yaml:15");
  EXPECT_EQ(out.documents[1]->where("/spec/ports/0/targetPort"), "web.yaml:15");
  EXPECT_EQ(out.documents[1]->where("/metadata/name"), "web.yaml:12");
}

TEST(Manifests, TypeScalarsAsKubectlDoes) {
  const auto out = parse_manifests("c.yaml", R"(apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {a: "1", b: 1, c: yes, d: 'no', e: ~, f: 017, g: 1.5, h: text, i: 0x10, j: !!str 7, k: on it}
)");
  ASSERT_EQ(out.documents.size(), 1U);
  EXPECT_THAT(out.documents[0]->json,
              HasSubstr(R"("data":{"a":"1","b":1,"c":true,"d":"no","e":null,"f":15,"g":1.5,)"
                        R"("h":"text","i":16,"j":"7","k":"on it"})"));
}

TEST(Manifests, TakeStringDataOfSecretsAsData) {
  const auto out = parse_manifests(
      "s.yaml", "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hello}\n");
  ASSERT_EQ(out.documents.size(), 1U);
  EXPECT_THAT(out.documents[0]->json, HasSubstr(R"("data":{"a":"aGVsbG8="})"));
}

TEST(Manifests, SayWhereAFileIsBroken) {
  const auto out = parse_manifests("bad.yaml", service("a") + "---\na: [1\nb: }\n");
  EXPECT_TRUE(out.is_broken);
  ASSERT_EQ(out.problems.size(), 1U);
  EXPECT_THAT(to_string(out.problems[0]), HasSubstr("bad.yaml:1"));
}

TEST(Manifests, RefuseTextThatIsNoDocument) {
  for (const auto* text : {",", "a: 1\n--- \n, b\n", "[1]\n[2]\n", ",# A\n\"x\nrpec:\n"}) {
    EXPECT_TRUE(parse_manifests("x.yaml", text).is_broken) << text;
  }
}

TEST(Manifests, HarmOnlyTheObjectThatIsIncomplete) {
  const auto out = parse_manifests(
      "x.yaml", "kind: Service\n---\napiVersion: v1\nkind: Service\nmetadata: {}\n---\n- 1\n---\n" +
                    service("a") +
                    "---\napiVersion: v1\nkind: Service\nmetadata: {name: a, name: b}\n");
  EXPECT_FALSE(out.is_broken);
  ASSERT_EQ(out.documents.size(), 1U);
  std::vector<std::string> problems;
  for (const auto& each : out.problems) problems.push_back(to_string(each));
  EXPECT_THAT(problems, ElementsAre(HasSubstr("x.yaml:1: apiVersion"),
                                    HasSubstr("x.yaml:3: Service: metadata.name"),
                                    HasSubstr("x.yaml:7: expected an object"), HasSubstr("twice")));
}

std::vector<std::string> problems_of(const std::string& text) {
  std::vector<std::string> out;
  for (const auto& each : parse_manifests("x.yaml", text).problems) out.push_back(to_string(each));
  return out;
}

TEST(Manifests, NameWhatWasMeantByANearMiss) {
  const auto of = [](std::string_view version, std::string_view kind) {
    return problems_of(
        fmt::format("apiVersion: {}\nkind: {}\nmetadata: {{name: a}}\n", version, kind));
  };
  EXPECT_THAT(of("penstock.dev/v1alpha1", "TcpService"),
              ElementsAre("x.yaml:1: TcpService of penstock.dev/v1alpha1 is not read, did you mean "
                          "TCPService of penstock.dev/v1alpha1?"));
  for (const auto& [version, kind] : std::initializer_list<std::pair<const char*, const char*>>{
           {"networking.k8s.io/v1", "ingress"},
           {"networking.k8s.io/v1", "Ingres"},
           {"networking.k8s.io/v1beta1", "Ingress"},
           {"extensions/v1beta1", "Ingress"},
           {"v1", "Ingress"},
           {"networking.k8s.io/v1beta1", "IngressClass"},
           {"penstock.dev/v1", "TCPService"},
           {"penstock.dev/v1alpha1", "TCPServices"},
           {"discovery.k8s.io/v1beta1", "EndpointSlice"}}) {
    EXPECT_THAT(of(version, kind), ElementsAre(HasSubstr("did you mean"))) << version << kind;
  }
  EXPECT_THAT(of("penstock.dev/v1alpha1", "Route"),
              ElementsAre(HasSubstr("has TCPService, UDPService and StreamPortPolicy alone")));
  for (const auto& [version, kind] : std::initializer_list<std::pair<const char*, const char*>>{
           {"apps/v1", "Deployment"},
           {"v1", "ServiceAccount"},
           {"v1", "Endpoints"},
           {"networking.k8s.io/v1", "NetworkPolicy"},
           {"config.openshift.io/v1", "Ingress"},
           {"serving.knative.dev/v1", "Service"},
           {"penstock.dev/v1alpha1", "IngressReport"}}) {
    EXPECT_THAT(of(version, kind), IsEmpty()) << version << kind;
  }
}

TEST(Manifests, TellOfFieldsOfAnIngressThatDoNotExist) {
  EXPECT_THAT(problems_of(R"(apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  annotation: {}
spec:
  ingressClass: nginx
  rule: []
  rules:
  - hosts: g.localhost
    http:
      paths:
      - path: /
        pathtype: Prefix
        backend: {serviceName: web, servicePort: 80}
  - host: F_x!.localhost
  - host: 10.0.0.1
  - host: '*.shop.example'
  tls:
  - hosts: [ok.example, NO.example]
status: {anything: 1}
)"),
              ElementsAre(HasSubstr("x.yaml:5: Ingress default/web: metadata.annotation: there is no "
                                    "such field, did you mean annotations?"),
                          HasSubstr("x.yaml:7: Ingress default/web: spec.ingressClass: there is no "
                                    "such field, did you mean ingressClassName?"),
                          HasSubstr("x.yaml:8: Ingress default/web: spec.rule: there is no such "
                                    "field, did you mean rules?"),
                          HasSubstr("x.yaml:10: Ingress default/web: spec.rules[0].hosts: there is no "
                                    "such field, did you mean host?"),
                          HasSubstr("x.yaml:14: Ingress default/web: "
                                    "spec.rules[0].http.paths[0].pathtype: there is no such field, "
                                    "did you mean pathType?"),
                          HasSubstr("backend.serviceName: there is no such field, did you mean "
                                    "service?"),
                          HasSubstr("backend.servicePort: there is no such field, did you mean "
                                    "service?"),
                          HasSubstr("x.yaml:16: Ingress default/web: spec.rules[1].host: expected a "
                                    "name of lower-case letters"),
                          HasSubstr("x.yaml:17: Ingress default/web: spec.rules[2].host: expected a "
                                    "name, got the address '10.0.0.1'"),
                          HasSubstr("x.yaml:20: Ingress default/web: spec.tls[0].hosts[1]: expected a "
                                    "name of lower-case letters")));
}

TEST(Manifests, TellOfNoMoreFieldsOfAnObjectThanAHundred) {
  std::string text =
      "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec:\n";
  for (int i = 0; i < 1000; ++i) text += fmt::format("  {}{}: 1\n", std::string(100, 'x'), i);
  const auto out = parse_manifests("x.yaml", text);
  EXPECT_EQ(out.problems.size(), 100U);
  EXPECT_EQ(out.documents.size(), 1U);
}

TEST(Manifests, TakeWhatAnApiServerTakesForHosts) {
  const auto label = std::string(70, 'a');  // it bounds the name, not its labels
  const auto out = parse_manifests(
      "x.yaml", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec:\n"
                "  tls: [{hosts: [10.0.0.1], secretName: s}]\n  rules: [{host: " +
                    label + ".example}]\n");
  EXPECT_THAT(out.problems, IsEmpty());
}

TEST(Manifests, GiveANamespaceTheLabelWithItsName) {
  const auto out = parse_manifests(
      "n.yaml",
      "apiVersion: v1\nkind: Namespace\nmetadata: {name: '007', labels: {team: data}}\n");
  ASSERT_EQ(out.documents.size(), 1U);
  EXPECT_THAT(out.documents[0]->json,
              HasSubstr(R"("labels":{"team":"data","kubernetes.io/metadata.name":"007"})"));
}

TEST(Manifests, RefuseAliasesThatUnfoldWithoutEnd) {
  std::string text =
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\nl0: &l0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 10; ++i) {
    text += fmt::format("l{0}: &l{0} [*l{1},*l{1},*l{1},*l{1},*l{1},*l{1},*l{1},*l{1},*l{1}]\n", i,
                        i - 1);
  }
  const auto out = parse_manifests("bomb.yaml", text);
  EXPECT_THAT(out.documents, IsEmpty());
  ASSERT_EQ(out.problems.size(), 1U);
  EXPECT_THAT(out.problems[0].message, HasSubstr("too large"));
}

class DirectoryTest : public testing::Test {
 protected:
  DirectoryTest() : folder_(fs::temp_directory_path() / ("directory." + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~DirectoryTest() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }
  void start(std::chrono::seconds remembers = Directory::kRemembers) {
    Directory::Events events;
    events.source.on_change = [this](objects::Change change) {
      if (change.key.kind == objects::Kind::kNamespace) {
        if (change.is_removed) {
          namespaces_.erase(change.key.name);
        } else {
          namespaces_[change.key.name] = change.json;
        }
        return;
      }
      if (change.is_removed) {
        objects_.erase(objects::to_string(change.key));
      } else {
        objects_[objects::to_string(change.key)] = change;
      }
      ++changes_;
    };
    events.source.on_synced = [this](objects::Kind) { ++synced_; };
    events.on_problems = [this](const std::vector<Problem>& problems) {
      problems_.clear();
      for (const auto& each : problems) problems_.push_back(to_string(each));
    };
    auto opened = Directory::open(io_, folder_, std::move(events), remembers);
    ASSERT_TRUE(opened.has_value());
    directory_ = std::move(*opened);
    directory_->start();
  }
  template <class Condition>
  bool wait_for(Condition condition) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!condition() && std::chrono::steady_clock::now() < end) {
      io_.restart();
      io_.run_one_for(std::chrono::milliseconds(50));
    }
    return condition();
  }
  bool has(const std::string& name, int port) {
    const auto found = objects_.find("Service default/" + name);
    return found != objects_.end() &&
           found->second.json.find(fmt::format("\"port\":{}}}", port)) != std::string::npos;
  }

  asio::io_context io_;
  fs::path folder_;
  std::int64_t age_of(const std::string& name) {
    return objects_.at("Service default/" + name).first_seen;
  }

  std::map<std::string, objects::Change> objects_;
  std::map<std::string, std::string> namespaces_;
  std::vector<std::string> problems_;
  std::size_t changes_ = 0;
  std::size_t synced_ = 0;
  std::unique_ptr<Directory> directory_;
};

TEST_F(DirectoryTest, DeliversWhatIsThere) {
  fs::create_directories(folder_ / "sub");
  write("a.yaml", service("a"));
  write("sub/b.yml", service("b"));
  write("notes.txt", "kind: nonsense");
  write(".hidden.yaml", service("c"));
  start();
  EXPECT_EQ(objects_.size(), 2U);
  EXPECT_EQ(objects_.at("Service default/b").origin, "sub/b.yml:1");
  EXPECT_EQ(synced_, objects::kKinds.size());
  EXPECT_EQ(directory_->where({objects::Kind::kService, "default", "b"}, "/spec/ports/0"),
            "sub/b.yml:7");
}

TEST_F(DirectoryTest, FollowsWritesRenamesAndRemovals) {
  write("a.yaml", service("a"));
  start();
  write("a.yaml", service("a", 81));
  EXPECT_TRUE(wait_for([&] { return has("a", 81); }));
  write(".a.yaml.swp", service("a", 82));
  fs::rename(folder_ / ".a.yaml.swp", folder_ / "a.yaml");
  EXPECT_TRUE(wait_for([&] { return has("a", 82); }));
  fs::create_directories(folder_ / "sub");
  write("sub/b.yaml", service("b"));
  EXPECT_TRUE(wait_for([&] { return has("b", 80); }));
  write("sub/b.yaml", service("b", 90));
  EXPECT_TRUE(wait_for([&] { return has("b", 90); }));
  fs::remove(folder_ / "a.yaml");
  EXPECT_TRUE(wait_for([&] { return objects_.size() == 1; }));
  fs::remove_all(folder_ / "sub");
  EXPECT_TRUE(wait_for([&] { return objects_.empty(); }));
}

TEST_F(DirectoryTest, FollowsAMountedConfigMap) {
  const auto publish = [&](const std::string& version, int port) {
    fs::create_directories(folder_ / ("..v" + version));
    write("..v" + version + "/a.yaml", service("a", port));
    fs::create_directory_symlink("..v" + version, folder_ / "..data.new");
    fs::rename(folder_ / "..data.new", folder_ / "..data");
  };
  publish("1", 80);
  fs::create_symlink("..data/a.yaml", folder_ / "a.yaml");
  start();
  EXPECT_TRUE(has("a", 80));
  publish("2", 81);
  EXPECT_TRUE(wait_for([&] { return has("a", 81); }));
}

TEST_F(DirectoryTest, KeepsTheLastGoodContentOfABrokenFile) {
  write("a.yaml", service("a"));
  start();
  write("a.yaml", "a: [1\nb: }");
  EXPECT_TRUE(wait_for([&] { return problems_.size() == 1; }));
  EXPECT_THAT(problems_[0], HasSubstr("a.yaml:2"));
  EXPECT_TRUE(has("a", 80));
  write("a.yaml", service("a", 81));
  EXPECT_TRUE(wait_for([&] { return has("a", 81); }));
  EXPECT_THAT(problems_, IsEmpty());
}

TEST_F(DirectoryTest, TakesTheFirstOfTwoAndTellsOfTheOther) {
  write("a.yaml", service("x", 1));
  write("b.yaml", service("x", 2));
  start();
  EXPECT_TRUE(has("x", 1));
  EXPECT_THAT(problems_, ElementsAre("b.yaml:1: Service default/x is already defined at a.yaml:1"));
  fs::remove(folder_ / "a.yaml");
  EXPECT_TRUE(wait_for([&] { return has("x", 2); }));
}

TEST_F(DirectoryTest, DeliversOnlyWhatHasChanged) {
  write("a.yaml", service("a") + "---\n" + service("b"));
  start();
  const auto before = changes_;
  write("a.yaml", "# moved down a line\n" + service("a") + "---\n" + service("b", 81));
  EXPECT_TRUE(wait_for([&] { return has("b", 81); }));
  EXPECT_EQ(changes_ - before, 1U);
}

TEST_F(DirectoryTest, WhatIsAddedIsYoungerThanWhatWasThere) {
  write("b.yaml", service("b"));
  write("c.yaml", service("c"));
  start();
  EXPECT_GT(age_of("b"), 0);
  EXPECT_EQ(age_of("b"), age_of("c"));
  const auto first = age_of("b");
  write("z.yaml", service("z"));
  EXPECT_TRUE(wait_for([&] { return has("z", 80); }));
  EXPECT_GT(age_of("z"), first);
  // Whoever is edited stays as old, and so does who is away for a moment.
  write("b.yaml", service("b", 81));
  EXPECT_TRUE(wait_for([&] { return has("b", 81); }));
  EXPECT_EQ(age_of("b"), first);
  fs::remove(folder_ / "c.yaml");
  EXPECT_TRUE(wait_for([&] { return !has("c", 80); }));
  write("c.yaml", service("c"));
  EXPECT_TRUE(wait_for([&] { return has("c", 80); }));
  EXPECT_EQ(age_of("c"), first);
}

TEST_F(DirectoryTest, WhoIsAwayForLongComesBackAsNew) {
  write("a.yaml", service("a"));
  write("b.yaml", service("b"));
  start(std::chrono::seconds(0));
  fs::remove(folder_ / "a.yaml");
  EXPECT_TRUE(wait_for([&] { return !has("a", 80); }));
  write("a.yaml", service("a"));
  EXPECT_TRUE(wait_for([&] { return has("a", 80); }));
  EXPECT_GT(age_of("a"), age_of("b"));
}

TEST_F(DirectoryTest, ImpliesNoNamespaceWhereOneMayBeWhatCouldNotBeRead) {
  write("a.yaml", service("a"));
  write("n.yaml", "apiVersion: v1\nkind: namespace\nmetadata: {name: default}\n");
  start();
  EXPECT_THAT(problems_, ElementsAre(HasSubstr("did you mean Namespace")));
  EXPECT_THAT(namespaces_, IsEmpty());
  write("n.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {team: data}}\n");
  EXPECT_TRUE(wait_for([&] { return namespaces_.size() == 1; }));
  // What was there stays, and does not become one with fewer labels.
  write("n.yaml", "apiVersion: v1\nkind: namespace\nmetadata: {name: default}\n");
  EXPECT_TRUE(wait_for([&] { return !problems_.empty(); }));
  EXPECT_THAT(namespaces_.at("default"), HasSubstr("team"));
}

TEST_F(DirectoryTest, ImpliesTheNamespacesOfItsObjects) {
  write("a.yaml", service("a"));
  start();
  EXPECT_THAT(namespaces_.at("default"), HasSubstr(R"("kubernetes.io/metadata.name":"default")"));
  write("n.yaml",
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {team: data}}\n");
  EXPECT_TRUE(wait_for([&] { return namespaces_.at("default").contains("team"); }));
  EXPECT_THAT(problems_, IsEmpty());
  fs::remove(folder_ / "n.yaml");
  fs::remove(folder_ / "a.yaml");
  EXPECT_TRUE(wait_for([&] { return namespaces_.empty(); }));
}

}  // namespace
}  // namespace penstock::directory
