#include "proxy/snapshot/wire.h"

#include <gtest/gtest.h>

#include "proxy/snapshot/codec.h"

namespace penstock::snapshot {
namespace {

std::string all_messages() {
  const Update update{3, 4, {{{PartKind::kHost, "gone"}, nullptr}}};
  return encode_frame(Hello{kProtocolVersion, schema_fingerprint(), "test", 9, false}) +
         encode_frame(update) + encode_frame(Adopted{4, {"port 80: taken"}}) +
         encode_frame(Refused{5, {"why"}}) +
         encode_frame(HealthReport{{{"db", "10.0.0.1", 80, "connect: refused"}}});
}

std::vector<Message> read_all(FrameReader& reader) {
  std::vector<Message> out;
  for (;;) {
    auto message = reader.next();
    EXPECT_TRUE(message) << message.error().message;
    if (!message || !*message) return out;
    out.push_back(std::move(**message));
  }
}

TEST(FrameReader, CutsMessagesAtEverySplit) {
  const auto bytes = all_messages();
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    FrameReader reader;
    reader.feed(std::string_view(bytes).substr(0, split));
    auto messages = read_all(reader);
    reader.feed(std::string_view(bytes).substr(split));
    for (auto& more : read_all(reader)) messages.push_back(std::move(more));
    ASSERT_EQ(messages.size(), 5U) << split;
    EXPECT_EQ(std::get<Hello>(messages[0]).serving, 9U);
    EXPECT_EQ(std::get<Update>(messages[1]).version, 4U);
    EXPECT_EQ(std::get<Adopted>(messages[2]).problems.size(), 1U);
    EXPECT_EQ(std::get<Refused>(messages[3]).reasons[0], "why");
    EXPECT_EQ(std::get<HealthReport>(messages[4]).down.at(0).finding, "connect: refused");
  }
}

TEST(FrameReader, RefusesHostileFrames) {
  const auto refuses = [](std::string_view bytes) {
    FrameReader reader;
    reader.feed(bytes);
    return !reader.next();
  };
  EXPECT_TRUE(refuses(std::string_view("\xff\xff\xff\xff\x01", 5))) << "beyond the largest frame";
  EXPECT_TRUE(refuses(std::string_view("\x00\x00\x00\x00\x63", 5))) << "unknown type";
  EXPECT_TRUE(refuses(std::string_view("\x01\x00\x00\x00\x00x", 6))) << "malformed hello";
}

TEST(Hello, OfAnotherVersionSaysSoWhateverItsShape) {
  FrameReader reader;
  std::string payload("\x07\x00\x00\x00", 4);
  payload += "what version 7 says of itself";
  std::string frame("\x00\x00\x00\x00\x00", 5);
  frame[0] = static_cast<char>(payload.size());
  reader.feed(frame + payload);
  const auto message = reader.next();
  ASSERT_TRUE(message && *message);
  EXPECT_TRUE(mismatch(std::get<Hello>(**message))->contains("protocol version 7"));
}

TEST(Hello, AMismatchSaysWhatDiffers) {
  EXPECT_FALSE(mismatch({kProtocolVersion, schema_fingerprint(), "controller", 0, false}));
  EXPECT_TRUE(mismatch({99, schema_fingerprint(), "controller", 0, false})->contains("version 99"));
  EXPECT_TRUE(mismatch({kProtocolVersion, 1, "controller", 0, false})->contains("same release"));
}

}  // namespace
}  // namespace penstock::snapshot
