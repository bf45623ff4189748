// What a worker tells of its live sessions, and the lines of who follows a port.
#include <gmock/gmock.h>

#include <map>

#include "proxy/session/stream_log.h"
#include "tests/unit/proxy/session/stream_fixture.h"

namespace penstock::worker {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

void echo_all(Socket& socket) {
  std::array<char, 4096> buffer;
  boost::system::error_code code;
  for (;;) {
    const auto size = socket.read_some(asio::buffer(buffer), code);
    if (code) return;
    asio::write(socket, asio::buffer(buffer.data(), size), code);
  }
}

std::string text_of(const tcp::endpoint& endpoint) {
  return base::format_endpoint(endpoint.address(), endpoint.port());
}

class LiveSessionsTest : public StreamTest {
 protected:
  LiveSessionsTest() { stream_.owner = "TCPService db/orders"; }

  SessionsReport ask(const std::string& port, std::size_t most = 20) {
    ReportRequest request;
    request.sessions = {port, most};
    std::promise<Report> told;
    worker_.report(request, [&](Report report) {
      report.finish(request);
      told.set_value(std::move(report));
    });
    return *told.get_future().get().sessions;
  }
  Socket carry(std::size_t bytes) {
    auto socket = connect();
    std::string text(bytes, 'x');
    asio::write(socket, asio::buffer(text));
    asio::read(socket, asio::buffer(text));
    return socket;
  }
  std::shared_ptr<telemetry::TapLines> tap(const std::string& client, std::size_t bytes = 0) {
    auto written = std::make_shared<telemetry::TapLines>();
    taps_.push_back({stream_.name, {*base::IpNet::parse(client)}, written, bytes});
    worker_.set_taps(taps_);
    ask("");  // it has them
    return written;
  }
  std::vector<std::string> wait_for_lines(telemetry::TapLines& written, std::size_t count) {
    std::vector<std::string> out;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (out.size() < count && std::chrono::steady_clock::now() < end) {
      for (auto& each : written.take().lines) out.push_back(std::move(each));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return out;
  }

  std::vector<telemetry::Tap> taps_;
};

TEST_F(LiveSessionsTest, TheBusiestComeFirst) {
  Backend backend(echo_all);
  serve({backend.port()});
  auto few = carry(10);
  const auto many = carry(1000);
  const auto some = carry(100);
  const auto report = ask(stream_.name, 2);
  EXPECT_EQ(report.active, 3U);
  EXPECT_EQ(report.examined, 3U);
  ASSERT_EQ(report.busiest.size(), 2U);
  const auto& first = report.busiest[0];
  EXPECT_EQ(first.stream, stream_.name);
  EXPECT_EQ(first.owner, stream_.owner);
  EXPECT_EQ(first.protocol, "TCP");
  EXPECT_EQ(first.phase, "proxying");
  EXPECT_EQ(first.client, text_of(many.local_endpoint()));
  EXPECT_EQ(first.endpoint, "127.0.0.1:" + std::to_string(backend.port()));
  EXPECT_EQ(first.received, 1000U);
  EXPECT_EQ(first.sent, 1000U);
  EXPECT_EQ(report.busiest[1].client, text_of(some.local_endpoint()));
  few.close();
  expect_line("client_closed");
  // The port has moved on, its sessions have not.
  remove(snapshot::PartKind::kStream, stream_.name);
  ASSERT_TRUE(adopt().empty());
  const auto later = ask("");
  EXPECT_EQ(later.active, 2U);
  EXPECT_EQ(later.busiest.size(), 2U);
  EXPECT_EQ(later.ended[static_cast<std::size_t>(base::EndReason::kClientClosed)], 1U);
  const auto other = ask("tcp/1");
  EXPECT_EQ(other.active, 0U);
  EXPECT_TRUE(other.busiest.empty());
  EXPECT_EQ(other.ended[static_cast<std::size_t>(base::EndReason::kClientClosed)], 0U);
}

TEST_F(LiveSessionsTest, ATapHasALineForEachBeginningAndEnd) {
  Backend backend(echo_all);
  serve({backend.port()});
  const auto early = carry(1);
  const auto written = tap("127.0.0.0/8");
  const auto elsewhere = tap("192.0.2.0/24");
  auto socket = carry(10);
  const auto client = text_of(socket.local_endpoint());
  socket.close();
  const auto lines = wait_for_lines(*written, 2);
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0],
              EndsWith("Z begin " + client + " " + stream_.name + " TCPService db/orders"));
  EXPECT_THAT(lines[1], HasSubstr("Z end   " + client + " " + stream_.name +
                                  " TCPService db/orders reason=client_closed received=10 sent=10 "
                                  "time_ms="));
  EXPECT_THAT(lines[1], EndsWith(" endpoint=127.0.0.1:" + std::to_string(backend.port())));
  // One that fails says how.
  set_upstream("up", {free_port()});
  ASSERT_TRUE(adopt().empty());
  auto refused = connect();
  follow(refused);
  const auto failed = wait_for_lines(*written, 2);
  ASSERT_EQ(failed.size(), 2U);
  EXPECT_THAT(failed[1], HasSubstr(" reason=connect_refused received=0 sent=0 "));
  EXPECT_THAT(failed[1], EndsWith(" error=upstream: Connection refused"));
  const auto none = elsewhere->take();
  EXPECT_TRUE(none.lines.empty());
  EXPECT_EQ(none.dropped, 0U);
  // Nobody follows any more.
  set_upstream("up", {backend.port()});
  ASSERT_TRUE(adopt().empty());
  worker_.set_taps({});
  auto last = carry(1);
  last.close();
  expect_line("client_closed:1.");
  EXPECT_TRUE(written->take().lines.empty());
}

std::string after(const std::string& line, std::string_view text) {
  const auto at = line.find(text);
  return at == std::string::npos ? line : line.substr(at + text.size());
}

TEST_F(LiveSessionsTest, ATapWithBytesShowsThemAsTheyComeAndRedacted) {
  Backend backend(echo_all);
  serve({backend.port()});
  auto early = carry(1);
  const auto without = tap("127.0.0.0/8");
  const auto elsewhere = tap("192.0.2.0/24", 100);
  const auto written = tap("127.0.0.0/8", 8);
  std::string text = "x";
  asio::write(early, asio::buffer(text));
  asio::read(early, asio::buffer(text));
  auto socket = connect();
  for (const std::string_view said : {"hi 1\r", "secret", "more"}) {
    text.assign(said);
    asio::write(socket, asio::buffer(text));
    asio::read(socket, asio::buffer(text));
    EXPECT_EQ(text, said);
  }
  const auto lines = wait_for_lines(*written, 5);
  ASSERT_EQ(lines.size(), 5U) << "without the session's end, and without the one before";
  const auto who = text_of(socket.local_endpoint()) + " " + stream_.name + " TCPService db/orders";
  EXPECT_THAT(lines[0], EndsWith("Z begin " + who));
  EXPECT_THAT(lines[1],
              EndsWith("Z data  " + who + R"( from=client offset=0 bytes=5 text="aa 9\r")"));
  EXPECT_EQ(after(lines[2], " from="), R"(upstream offset=0 bytes=5 text="aa 9\r")");
  EXPECT_EQ(after(lines[3], " from="), R"(client offset=5 bytes=3 of=6 text="aaa")");
  EXPECT_EQ(after(lines[4], " from="), R"(upstream offset=5 bytes=3 of=6 text="aaa")");
  socket.close();
  EXPECT_THAT(wait_for_lines(*written, 1)[0], HasSubstr(" reason=client_closed received=15 "));
  EXPECT_EQ(wait_for_lines(*without, 2).size(), 2U);
  EXPECT_TRUE(without->take().lines.empty());
  EXPECT_TRUE(elsewhere->take().lines.empty());
}

TEST_F(LiveSessionsTest, TheFirstBytesOfABulkAreShownBeforeItGoesThroughAPipe) {
  Backend backend(echo_all);
  serve({backend.port()});
  constexpr auto kBytes = telemetry::Tap::kMostBytes;
  const auto written = tap("127.0.0.0/8", kBytes);
  std::string bulk(8'000'000, 'b');
  for (std::size_t i = 0; i < bulk.size(); i += 10) bulk[i] = static_cast<char>('0' + i / 10 % 10);
  auto socket = connect();
  std::thread sender([&] { asio::write(socket, asio::buffer(bulk)); });
  std::string back(bulk.size(), '\0');
  asio::read(socket, asio::buffer(back));
  sender.join();
  EXPECT_TRUE(back == bulk);
  socket.close();
  expect_line("client_closed:8000000.");
  std::map<std::string, std::string> shown;
  for (const auto& line : wait_for_lines(*written, 4)) {
    if (!line.contains(" data ")) continue;
    const auto from = after(line, " from=");
    const auto text = after(line, " text=\"");
    shown[from.substr(0, from.find(' '))] += text.substr(0, text.size() - 1);
  }
  std::string expected(kBytes, 'a');
  for (std::size_t i = 0; i < kBytes; i += 10) expected[i] = '9';
  EXPECT_EQ(shown["client"], expected);
  EXPECT_EQ(shown["upstream"], expected);
}

TEST_F(LiveSessionsTest, SessionsBeyondTheMostThatRecordHaveNoBytes) {
  Backend backend(echo_all);
  serve({backend.port()});
  const auto written = tap("127.0.0.0/8", 100);
  std::vector<Socket> sockets;
  for (std::size_t i = 0; i < telemetry::TapLines::kMostRecordings; ++i) {
    sockets.push_back(carry(1));
  }
  wait_for_lines(*written, 3 * telemetry::TapLines::kMostRecordings);
  auto beyond = carry(1);
  beyond.close();
  expect_line("client_closed:1.");
  const auto taken = written->take();
  ASSERT_EQ(taken.lines.size(), 2U);
  EXPECT_THAT(taken.lines[1], HasSubstr(" end "));
  EXPECT_EQ(taken.not_recorded, 1U);
  sockets.clear();
  wait_for_lines(*written, telemetry::TapLines::kMostRecordings);
  carry(1);
  EXPECT_EQ(wait_for_lines(*written, 4).size(), 4U) << "there is a place again";
  EXPECT_EQ(written->take().not_recorded, 0U);
}

TEST_F(LiveSessionsTest, ASessionUnderWayRecordsNoMoreOnceTheTapHasEnded) {
  Backend backend(echo_all);
  serve({backend.port()});
  const auto written = tap("127.0.0.0/8", 100);
  auto socket = carry(1);
  EXPECT_EQ(wait_for_lines(*written, 3).size(), 3U);
  written->end();
  taps_.clear();
  worker_.set_taps({});
  std::string text = "x";
  asio::write(socket, asio::buffer(text));
  asio::read(socket, asio::buffer(text));
  socket.close();
  expect_line("client_closed:2.");
  EXPECT_TRUE(written->take().lines.empty());
}

TEST(TapLines, KeepsABoundedNumberAndCountsTheRest) {
  telemetry::TapLines written;
  for (std::size_t i = 0; i < telemetry::TapLines::kMost + 3; ++i) {
    if (written.has_room()) written.add("line");
  }
  written.add("line");
  const auto taken = written.take();
  EXPECT_EQ(taken.lines.size(), telemetry::TapLines::kMost);
  EXPECT_EQ(taken.dropped, 4U);
  EXPECT_TRUE(written.has_room());
  EXPECT_EQ(written.take().dropped, 0U);
}

class Silent final : public session::Described {
 public:
  std::uint64_t carried() const override { return 0; }
  session::SessionReport describe() const override { return {}; }
};

TEST(BusiestSessions, LooksAtABoundedNumber) {
  const Silent one;
  session::BusiestSessions busiest(3);
  for (std::uint64_t i = 0; i < session::BusiestSessions::kMostExamined; ++i) {
    ASSERT_TRUE(busiest.offer(one));
  }
  EXPECT_FALSE(busiest.offer(one));
  EXPECT_EQ(busiest.examined(), session::BusiestSessions::kMostExamined);
  EXPECT_EQ(busiest.take().size(), 3U);
}

TEST(IsOfPort, APortIsThatOfEveryAddressAndOfEveryNameThatSharesIt) {
  using session::is_of_port;
  EXPECT_TRUE(is_of_port("tcp/5432", ""));
  EXPECT_TRUE(is_of_port("tcp/5432", "tcp/5432"));
  EXPECT_TRUE(is_of_port("tcp/5432/db/orders", "tcp/5432"));
  EXPECT_TRUE(is_of_port("tcp/10.0.0.1:5432", "tcp/5432"));
  EXPECT_TRUE(is_of_port("tcp/fd00::1:5432/db/orders", "tcp/5432"));
  EXPECT_TRUE(is_of_port("tcp/10.0.0.1:5432", "tcp/10.0.0.1:5432"));
  EXPECT_FALSE(is_of_port("tcp/10.0.0.2:5432", "tcp/10.0.0.1:5432"));
  EXPECT_FALSE(is_of_port("tcp/15432", "tcp/5432"));
  EXPECT_FALSE(is_of_port("tcp/10.0.0.1:15432", "tcp/5432"));
  EXPECT_FALSE(is_of_port("udp/10.0.0.1:53", "tcp/53"));
  EXPECT_FALSE(is_of_port("tcp/5432", "tcp"));
  EXPECT_FALSE(is_of_port("tcp/5432", "tcp/"));
}

}  // namespace
}  // namespace penstock::worker
