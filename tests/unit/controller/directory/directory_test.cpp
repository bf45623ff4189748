#include "controller/directory/directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/controller/directory/service_manifest.h"

namespace penstock::directory {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

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
