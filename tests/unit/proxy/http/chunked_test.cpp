#include "proxy/http/chunked.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/http/path.h"

namespace penstock::http {
namespace {

struct Decoded {
  std::string body;
  std::size_t consumed = 0;
  ChunkedDecoder::State state = ChunkedDecoder::State::kMore;
};

void feed_all(ChunkedDecoder& decoder, std::string_view bytes, Decoded& out) {
  while (!bytes.empty()) {
    const auto step = decoder.feed(bytes);
    out.body += step.data;
    out.consumed += step.consumed;
    bytes.remove_prefix(step.consumed);
    if (step.consumed == 0) break;
  }
  out.state = decoder.state();
}

Decoded decode(std::string_view bytes) {
  ChunkedDecoder decoder;
  Decoded out;
  feed_all(decoder, bytes, out);
  return out;
}

constexpr std::string_view kMessage = "5\r\nhello\r\n1;name=value\r\n!\r\n0\r\nX-T: 1\r\n\r\n";

TEST(Chunked, GivesTheSameAtEverySplit) {
  for (std::size_t split = 0; split <= kMessage.size(); ++split) {
    ChunkedDecoder decoder;
    Decoded out;
    feed_all(decoder, kMessage.substr(0, split), out);
    feed_all(decoder, kMessage.substr(split), out);
    EXPECT_EQ(out.body, "hello!") << split;
    EXPECT_EQ(out.state, ChunkedDecoder::State::kDone) << split;
  }
}

TEST(Chunked, LeavesWhatFollowsAlone) {
  const auto out = decode(std::string(kMessage) + "GET / HTTP/1.1\r\n");
  EXPECT_EQ(out.consumed, kMessage.size());
}

TEST(Chunked, RefusesEverythingOdd) {
  for (const auto* bad :
       {"\r\n", "+5\r\nhello\r\n", "0x5\r\nhello\r\n", " 5\r\nhello\r\n", "5 \r\nhello\r\n",
        "5\nhello\r\n", "5\r\nhelloX\r\n", "5\r\nhello\n", "g\r\n", "-1\r\n", "5\rhello",
        "1234567890abcdef0\r\n", "0\r\n X: y\r\n\r\n", "0\r\nnocolon\r\n\r\n", "0\r\n: v\r\n\r\n",
        "5;a\x01\r\nhello\r\n", "0\r\nA: b\n\r\n"}) {
    EXPECT_EQ(decode(bad).state, ChunkedDecoder::State::kFailed) << bad;
  }
}

TEST(Chunked, BoundsExtensionsAndTrailersOfTheWholeMessage) {
  std::string many;
  for (int i = 0; i < 100; ++i) many += "1;" + std::string(64, 'e') + "\r\nx\r\n";
  EXPECT_EQ(decode(many).state, ChunkedDecoder::State::kFailed);
  EXPECT_EQ(decode("0\r\nX: " + std::string(9000, 't')).state, ChunkedDecoder::State::kFailed);
}

std::string normal(std::string_view path) {
  std::string whole;
  std::string storage;
  const bool is_good = normalise_path(path, whole);
  const auto fast = normalised(path, storage);
  EXPECT_EQ(fast.has_value(), is_good) << path;
  EXPECT_EQ(fast.value_or(""), is_good ? whole : "");
  return is_good ? whole : "(refused)";
}

TEST(Path, IsDecodedMergedAndResolved) {
  EXPECT_EQ(normal("/"), "/");
  EXPECT_EQ(normal("/a/b"), "/a/b");
  EXPECT_EQ(normal("/a%2fb"), "/a/b");
  EXPECT_EQ(normal("/a//b///c"), "/a/b/c");
  EXPECT_EQ(normal("/a/./b/."), "/a/b/");
  EXPECT_EQ(normal("/a/../b"), "/b");
  EXPECT_EQ(normal("/a/b/.."), "/a/");
  EXPECT_EQ(normal("/a/%2e%2e/b"), "/b");
  EXPECT_EQ(normal("/a..b/..c"), "/a..b/..c");
  EXPECT_EQ(normal("/%41"), "/A");
}

TEST(Path, ThatLeavesTheRootOrIsBrokenIsRefused) {
  for (const auto* bad : {"/..", "/../a", "/a/../../b", "/%", "/%4", "/%zz", "/%00", "/%2e%2e/"}) {
    EXPECT_EQ(normal(bad), "(refused)") << bad;
  }
}

}  // namespace
}  // namespace penstock::http
