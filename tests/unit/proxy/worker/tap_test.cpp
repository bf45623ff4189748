// The first bytes of sessions with TLS and of UDP, for who follows a port.
#include <gmock/gmock.h>

#include "tests/unit/proxy/worker/follower.h"
#include "tests/unit/proxy/worker/stream_tls_fixture.h"
#include "tests/unit/proxy/worker/udp_fixture.h"

namespace penstock::worker {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;

TEST_F(StreamTlsTest, OfTerminatedTlsATapShowsWhatIsInsideAndNoLessRedacted) {
  Backend backend(named("up"));
  set_upstream("up", {backend.port()});
  set_certificate("a/first", pair_);
  terminate({"a/first"});
  stream_.rules = {rule("up")};
  serve();
  Follower follower(worker_, stream_.name, 7);
  EXPECT_EQ(ask(), "up got hello");
  EXPECT_THAT(follower.until_end(), ElementsAre("begin", R"(client offset=0 bytes=5 text="aaaaa")",
                                                R"(upstream offset=0 bytes=7 of=12 text="aa aaa ")",
                                                "end reason=client_closed received=5 sent=12"));
}

TEST_F(StreamTlsTest, OfTlsThatIsPassedThroughATapShowsRecords) {
  TlsPeerOptions options;
  options.pair = pair_;
  Backend backend(secure_named("up", options));
  set_upstream("up", {backend.port()});
  stream_.tls.mode = StreamTlsMode::kPassthrough;
  stream_.rules = {rule("up")};
  serve();
  Follower follower(worker_, stream_.name, 4096);
  EXPECT_EQ(ask_for("db.example.com"), "up/db.example.com got hello");
  const auto lines = follower.until_end();
  ASSERT_GE(lines.size(), 4U);
  // A record of type 22 and version 3.1, and the name in the hello.
  EXPECT_TRUE(lines[1].starts_with("client offset=0 ")) << lines[1];
  EXPECT_THAT(lines[1], HasSubstr(" text=\"..."));
  EXPECT_THAT(lines[1], HasSubstr("aa.aaaaaaa.aaa"));
  for (const auto& line : lines) EXPECT_FALSE(line.contains("example")) << line;
  EXPECT_TRUE(lines[2].starts_with("upstream offset=0 ")) << lines[2];
}

}  // namespace

namespace udp_ports {
namespace {

TEST_F(UdpTest, ATapShowsEachDatagram) {
  UdpBackend backend([](const std::string& text) { return std::vector{text + "!", text + "?"}; });
  stream_.max_requests = 2;
  stream_.max_responses = 2;
  serve({backend.port()});
  Follower follower(worker_, stream_.name, 8);
  UdpClient client(stream_.port);
  for (const auto* text : {"ab1\n", "secret"}) {
    client.send(text);
    EXPECT_EQ(client.receive(), text + "!"s);
    EXPECT_EQ(client.receive(), text + "?"s);
  }
  EXPECT_THAT(follower.until_end(), ElementsAre("begin", R"(client offset=0 bytes=4 text="aa9\n")",
                                                R"(upstream offset=0 bytes=5 text="aa9\n!")",
                                                R"(upstream offset=5 bytes=3 of=5 text="aa9")",
                                                R"(client offset=4 bytes=4 of=6 text="aaaa")",
                                                "end reason=answered received=10 sent=24"));
}

TEST_F(UdpTest, ATapTellsOfASessionThatFailedAndOfOneThatWasRefused) {
  serve({free_port()});
  Follower follower(worker_, stream_.name, 8);
  UdpClient client(stream_.port);
  client.send("hello");
  EXPECT_THAT(follower.until_end(), ElementsAre("begin", R"(client offset=0 bytes=5 text="aaaaa")",
                                                "end reason=connect_refused received=5 sent=0"));
  stream_.access.denied = {*base::IpNet::parse("127.0.0.0/8")};
  set_stream();
  EXPECT_TRUE(adopt().empty());
  UdpClient other(stream_.port);
  other.send("hello");
  EXPECT_THAT(follower.until_end(), ElementsAre("begin", "end reason=denied received=0 sent=0"));
}

}  // namespace
}  // namespace udp_ports
}  // namespace penstock::worker
