// The error lines of TCP sessions, on a real worker.
#include "proxy/base/log.h"
#include "tests/unit/proxy/session/stream_fixture.h"

namespace penstock::worker {
namespace {

class StreamErrorTest : public StreamTest {
 protected:
  StreamErrorTest() {
    base::log::start("proxy", base::log::Level::kInfo, base::log::Format::kJson);
    capture();
    stream_.owner = "TCPService n/s";
  }
  ~StreamErrorTest() override {
    stop();
    if (is_capturing_) captured();
    base::log::start("penstock", base::log::Level::kInfo, base::log::Format::kText);
  }
  void capture() {
    testing::internal::CaptureStderr();
    is_capturing_ = true;
  }
  std::string captured() {
    is_capturing_ = false;
    return testing::internal::GetCapturedStderr();
  }

 private:
  bool is_capturing_ = false;
};

std::size_t count_of(std::string_view text, std::string_view what) {
  std::size_t count = 0;
  for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
  return count;
}

TEST_F(StreamErrorTest, NamesErrnoSidePhaseAndAddresses) {
  const auto dead = free_port();
  serve({dead});
  const auto client = std::make_unique<Socket>(connect());
  const auto port = client->local_endpoint().port();
  follow(*client);
  expect_line("TCP 502 connect_refused:0.");
  const auto log = captured();
  for (const auto& part :
       {std::string(R"("level":"warning")"), std::string("TCPService n/s: TCP session: connect_"),
        R"("stream":")" + stream_.name + '"', std::string(R"("reason":"connect_refused")"),
        std::string(R"("side":"upstream","phase":"connecting")"),
        R"("client":"127.0.0.1:)" + std::to_string(port) + '"',
        R"("server":"127.0.0.1:)" + std::to_string(stream_.port) + '"',
        R"("upstream":"127.0.0.1:)" + std::to_string(dead) + '"',
        std::string(
            R"("bytes_received":0,"bytes_sent":0,"errno":111,"error":"Connection refused")")}) {
    EXPECT_TRUE(log.contains(part)) << part << " is not in " << log;
  }
  EXPECT_EQ(count_of(log, R"("reason")"), 1U) << "one failure, one line: " << log;
}

TEST_F(StreamErrorTest, SaysHowMuchHadBeenCarried) {
  Backend backend([&](Socket& socket) {
    std::array<char, 7> seven;
    asio::read(socket, asio::buffer(seven));
    asio::write(socket, asio::buffer(std::string_view("abc")));
    asio::read(socket, asio::buffer(seven, 1));
    reset(socket);
  });
  serve({backend.port()});
  auto client = connect();
  asio::write(client, asio::buffer(std::string_view("1234567")));
  std::array<char, 3> three;
  asio::read(client, asio::buffer(three));
  asio::write(client, asio::buffer(std::string_view("8")));
  follow(client);
  expect_line("TCP 200 upstream_reset:8.");
  const auto log = captured();
  EXPECT_TRUE(log.contains(R"("side":"upstream","phase":"proxying")")) << log;
  EXPECT_TRUE(log.contains(R"("bytes_received":8,"bytes_sent":3,"errno":104)")) << log;
}

TEST_F(StreamErrorTest, AFloodOfFailuresIsNoFloodOfLines) {
  serve({});
  constexpr int kFailures = 60;
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < kFailures; ++i) follow(*std::make_unique<Socket>(connect()));
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begun)
          .count();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  follow(*std::make_unique<Socket>(connect()));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto log = captured();
  const auto lines = count_of(log, R"("reason":"no_endpoint")");
  EXPECT_GE(lines, 11U) << log;
  EXPECT_LE(lines, static_cast<std::size_t>(10 * (seconds + 2) + 1)) << log;
  if (seconds == 0) {
    EXPECT_TRUE(log.contains(R"("not_logged":)")) << log;
  }
}

/// A failure of the backend warns; the object and the process say from where on there are lines.
TEST_F(StreamErrorTest, TheObjectsLevelGoesBeforeThatOfTheProcess) {
  using enum snapshot::ErrorLevel;
  struct Case {
    base::log::Level process;
    snapshot::ErrorLevel object;
    bool has_line;
  };
  const auto dead = free_port();
  int count = 0;
  for (const auto& each :
       {Case{base::log::Level::kWarn, kProcess, true},
        Case{base::log::Level::kError, kProcess, false},
        Case{base::log::Level::kError, kInfo, true}, Case{base::log::Level::kError, kWarn, true},
        Case{base::log::Level::kInfo, kError, false}, Case{base::log::Level::kInfo, kOff, false}}) {
    base::log::set_level(each.process);
    stream_.log.errors = each.object;
    // Each with a line of its own in the access log.
    global_.access_log.stream_format = fmt::format("{} $reason.", ++count);
    set(snapshot::PartKind::kGlobal, "", global_);
    serve({dead});
    follow(*std::make_unique<Socket>(connect()));
    expect_line(fmt::format("{} connect_refused.", count));
    const auto log = captured();
    EXPECT_EQ(log.contains(R"("reason":"connect_refused")"), each.has_line)
        << int(each.process) << " " << snapshot::name_of(each.object) << ": " << log;
    capture();
  }
}

TEST_F(StreamErrorTest, WhoEndsInOrderHasNoLine) {
  Backend backend(follow);
  serve({backend.port()});
  {
    auto client = connect();
    client.shutdown(Socket::shutdown_send);
    follow(client);
  }
  expect_line("TCP 200 client_closed:0.");
  EXPECT_EQ(captured(), "");
}

}  // namespace
}  // namespace penstock::worker
