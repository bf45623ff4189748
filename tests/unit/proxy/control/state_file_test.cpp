#include "proxy/control/state_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace penstock::control {
namespace {

namespace fs = std::filesystem;
using snapshot::PartKind;

class StateFileTest : public testing::Test {
 protected:
  StateFileTest() : folder_(fs::temp_directory_path() / ("state." + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~StateFileTest() override { fs::remove_all(folder_); }

  std::string path() const { return folder_ / "state"; }
  StateFile open() {
    auto state = StateFile::open(path());
    EXPECT_TRUE(state.has_value()) << (state ? "" : state.error().message);
    return std::move(*state);
  }
  /// Sets one host's certificate name to the text.
  void change(StateFile& state, const std::string& host, const std::string& text) {
    snapshot::Update update;
    update.base = current_.version;
    update.version = current_.version + 1;
    snapshot::Host part;
    part.name = host;
    part.certificate = text;
    update.parts.emplace_back(snapshot::PartKey{PartKind::kHost, host},
                              std::make_shared<const snapshot::Part>(part));
    snapshot::apply(update, current_);
    ASSERT_TRUE(state.append(update, current_).has_value());
  }
  static std::string value(const snapshot::Snapshot& snapshot, const std::string& host) {
    const auto* found = snapshot.find<snapshot::Host>(PartKind::kHost, host);
    return found == nullptr ? "none" : found->certificate;
  }

  fs::path folder_;
  snapshot::Snapshot current_;
};

TEST_F(StateFileTest, GivesBackWhatWasAppended) {
  {
    auto state = open();
    EXPECT_EQ(state.load().version, 0U);
    change(state, "a", "1");
    change(state, "b", "2");
    change(state, "a", "3");
  }
  auto state = open();
  const auto loaded = state.load();
  EXPECT_EQ(loaded.version, 3U);
  EXPECT_EQ(value(loaded, "a"), "3");
  EXPECT_EQ(value(loaded, "b"), "2");
}

TEST_F(StateFileTest, IsForItsUserAlone) {
  auto state = open();
  state.load();
  change(state, "a", "1");
  struct stat status{};
  ASSERT_EQ(stat(path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  EXPECT_FALSE(StateFile::open(path()).has_value()) << "a second proxy must be refused";
}

TEST_F(StateFileTest, CutsOffADamagedTailAndGoesOn) {
  {
    auto state = open();
    state.load();
    change(state, "a", "1");
    change(state, "a", "2");
    change(state, "a", "3");
  }
  fs::resize_file(path(), fs::file_size(path()) - 3);
  {
    auto state = open();
    current_ = state.load();
    EXPECT_EQ(value(current_, "a"), "2");
    change(state, "a", "4");
  }
  auto state = open();
  EXPECT_EQ(value(state.load(), "a"), "4");
}

TEST_F(StateFileTest, NoticesAFlippedBitAnywhere) {
  {
    auto state = open();
    state.load();
    change(state, "host", std::string(64, 'x'));
  }
  std::ifstream in(path(), std::ios::binary);
  const std::string good((std::istreambuf_iterator<char>(in)), {});
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    std::ofstream(path(), std::ios::binary | std::ios::trunc) << bad;
    auto state = open();
    EXPECT_EQ(state.load().version, 0U) << "byte " << at;
  }
}

TEST_F(StateFileTest, GrowsWithItsContentAndNotWithItsHistory) {
  auto state = open();
  state.load();
  const std::string text(100'000, 'x');
  for (int i = 0; i < 400; ++i) change(state, "a", text + std::to_string(i));
  EXPECT_LT(fs::file_size(path()), 6U << 20);
  EXPECT_FALSE(fs::exists(path() + ".new"));
}

TEST_F(StateFileTest, IsEmptyWhereAnotherReleaseWroteIt) {
  std::ofstream(path()) << "penstock-state-0 something else";
  auto state = open();
  EXPECT_EQ(state.load().version, 0U);
  change(state, "a", "1");
}

TEST_F(StateFileTest, FollowsNoLink) {
  std::ofstream(folder_ / "other") << "";
  fs::create_symlink(folder_ / "other", path());
  EXPECT_FALSE(StateFile::open(path()).has_value());
}

}  // namespace
}  // namespace penstock::control
