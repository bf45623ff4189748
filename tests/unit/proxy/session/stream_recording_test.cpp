#include "proxy/session/stream_recording.h"

#include <gmock/gmock.h>

namespace penstock::session {
namespace {

using base::Side;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::MatchesRegex;

class StreamRecordingTest : public testing::Test {
 protected:
  std::shared_ptr<telemetry::TapLines> follow(std::size_t bytes) {
    telemetry::Tap tap;
    tap.written = std::make_shared<telemetry::TapLines>();
    tap.bytes = bytes;
    recording_.enter(tap);
    return tap.written;
  }
  /// What stands behind "from=".
  static std::vector<std::string> told(telemetry::TapLines& written) {
    auto lines = written.take().lines;
    for (auto& each : lines) each.erase(0, each.find(" from=") + 6);
    return lines;
  }

  base::CoarseClock clock_;
  StreamRecording recording_{clock_, "10.9.0.7:41224 tcp/5432 TCPService db/orders"};
};

TEST_F(StreamRecordingTest, EachPieceIsALineOfTheSession) {
  const auto written = follow(100);
  recording_.add(Side::kClient, "GET 1\r\n");
  const auto lines = written->take().lines;
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines[0], MatchesRegex("....-..-..T..:..:..Z data  10.9.0.7:41224 tcp/5432 "
                                     "TCPService db/orders from=client offset=0 bytes=7 "
                                     "text=\"AAA 9.r.n\""));
  recording_.add(Side::kUpstream, "+OK \"x\"\n");
  recording_.add(Side::kClient, "more");
  EXPECT_THAT(told(*written), ElementsAre(R"(upstream offset=0 bytes=8 text="+AA \"a\"\n")",
                                          R"(client offset=7 bytes=4 text="aaaa")"));
}

TEST_F(StreamRecordingTest, EndsAtItsNumberOfBytesInEachDirection) {
  const auto written = follow(5);
  recording_.add(Side::kClient, "abc");
  recording_.add(Side::kClient, "defgh");
  recording_.add(Side::kClient, "ijk");
  EXPECT_THAT(told(*written), ElementsAre(R"(client offset=0 bytes=3 text="aaa")",
                                          R"(client offset=3 bytes=2 of=5 text="aa")"));
  EXPECT_FALSE(recording_.is_done()) << "the other direction";
  recording_.add(Side::kUpstream, "12345");
  EXPECT_THAT(told(*written), ElementsAre(R"(upstream offset=0 bytes=5 text="99999")"));
  EXPECT_TRUE(recording_.is_done());
  recording_.add(Side::kUpstream, "678");
  EXPECT_TRUE(written->take().lines.empty());
}

TEST_F(StreamRecordingTest, WhoDripsFillsNoMoreThanAFewLines) {
  const auto written = follow(telemetry::Tap::kMostBytes);
  constexpr auto kLines = StreamRecording::kMostPieces;
  for (std::size_t i = 0; i < telemetry::Tap::kMostBytes; ++i) {
    recording_.add(Side::kClient, i % 2 == 0 ? "x" : "\n");
  }
  const auto lines = told(*written);
  ASSERT_EQ(lines.size(), kLines + 1);
  EXPECT_EQ(lines[kLines - 1], R"(client offset=31 bytes=1 text="\n")");
  EXPECT_THAT(lines.back(), HasSubstr(R"(client offset=32 bytes=4064 gathered text="a\na\na)"));
  // A direction that ends before all that is wanted has come.
  for (std::size_t i = 0; i < kLines + 2; ++i) recording_.add(Side::kUpstream, "7");
  EXPECT_EQ(told(*written).size(), kLines);
  recording_.end();
  EXPECT_THAT(told(*written), ElementsAre(R"(upstream offset=32 bytes=2 gathered text="99")"));
  EXPECT_TRUE(recording_.is_done());
}

TEST_F(StreamRecordingTest, EachWhoFollowsGetsAsMuchAsWasAskedFor) {
  const auto few = follow(2);
  const auto many = follow(6);
  recording_.add(Side::kClient, "abcdefgh");
  EXPECT_THAT(told(*few), ElementsAre(R"(client offset=0 bytes=2 of=8 text="aa")"));
  EXPECT_THAT(told(*many), ElementsAre(R"(client offset=0 bytes=6 of=8 text="aaaaaa")"));
}

TEST_F(StreamRecordingTest, StopsOnceNobodyFollows) {
  const auto left = follow(100);
  const auto stays = follow(100);
  left->end();
  recording_.add(Side::kClient, "abc");
  EXPECT_TRUE(left->take().lines.empty());
  EXPECT_EQ(stays->take().lines.size(), 1U);
  EXPECT_EQ(left.use_count(), 1) << "it has been let go";
  stays->end();
  recording_.add(Side::kClient, "abc");
  EXPECT_TRUE(recording_.is_done());
}

TEST_F(StreamRecordingTest, GivesItsPlaceBackWhenItHasAll) {
  const auto written = follow(1);
  for (std::size_t i = 1; i < telemetry::TapLines::kMostRecordings; ++i) {
    ASSERT_TRUE(written->enter_recording());
  }
  EXPECT_FALSE(written->enter_recording());
  recording_.add(Side::kClient, "a");
  EXPECT_FALSE(written->enter_recording());
  recording_.add(Side::kUpstream, "a");
  EXPECT_TRUE(written->enter_recording());
}

TEST_F(StreamRecordingTest, EmptyDatagramsAreTold) {
  const auto written = follow(3);
  recording_.add(Side::kClient, "");
  EXPECT_THAT(told(*written), ElementsAre(R"(client offset=0 bytes=0 text="")"));
}

}  // namespace
}  // namespace penstock::session
