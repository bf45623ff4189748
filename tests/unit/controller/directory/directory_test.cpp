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
  void start() {
    Directory::Events events;
    events.source.on_change = [this](objects::Change change) {
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
    auto opened = Directory::open(io_, folder_, std::move(events));
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
  std::map<std::string, objects::Change> objects_;
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

}  // namespace
}  // namespace penstock::directory
