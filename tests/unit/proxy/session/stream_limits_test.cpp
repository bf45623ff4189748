// Timeouts of one side, half-closed connections, drain rules and bandwidth of TCP ports.
#include "tests/unit/proxy/session/stream_fixture.h"

namespace penstock::worker {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Sends a byte every few milliseconds for as long as it can.
void drip(Socket& socket) {
  boost::system::error_code code;
  while (!code) {
    asio::write(socket, asio::buffer(std::string_view("x")), code);
    std::this_thread::sleep_for(20ms);
  }
}

class StreamLimitsTest : public StreamTest {
 protected:
  /// A connection that has reached its backend.
  Socket connect_through(Backend& backend) {
    const auto before = backend.accepted.load();
    auto client = connect();
    while (backend.accepted == before) std::this_thread::sleep_for(5ms);
    return client;
  }
};

TEST_F(StreamLimitsTest, AClientMayBeSilentForSoLong) {
  Backend backend(drip);
  stream_.client_idle_timeout = base::Duration(300);
  serve({backend.port()});
  auto client = connect();
  const auto begun = Clock::now();
  follow(client);
  EXPECT_GE(Clock::now() - begun, 250ms) << "what comes the other way does not count";
  expect_line("TCP 200 client_idle_timeout:0.");
}

TEST_F(StreamLimitsTest, AnUpstreamMayBeSilentForSoLong) {
  Backend backend(follow);
  stream_.upstream_idle_timeout = base::Duration(300);
  serve({backend.port()});
  auto client = connect();
  drip(client);
  EXPECT_TRUE(wait_for_log("upstream_idle_timeout").contains("TCP 200 upstream_idle_timeout:"));
}

TEST_F(StreamLimitsTest, WhoHasEndedIsNotSilent) {
  Backend backend([](Socket& socket) {
    follow(socket);
    std::this_thread::sleep_for(700ms);
    asio::write(socket, asio::buffer(std::string_view("late")));
  });
  stream_.client_idle_timeout = base::Duration(200);
  serve({backend.port()});
  auto client = connect();
  client.shutdown(Socket::shutdown_send);
  std::string all;
  boost::system::error_code code;
  asio::read(client, asio::dynamic_buffer(all), code);
  EXPECT_EQ(all, "late");
  expect_line("TCP 200 client_closed:0.");
}

TEST_F(StreamLimitsTest, AHalfClosedConnectionHasATimeOfItsOwn) {
  std::atomic<bool> is_slow = true;
  Backend backend([&](Socket& socket) {
    follow(socket);
    // Slow, but moving: not cut.
    for (int i = 0; i < 10 && is_slow; ++i) {
      asio::write(socket, asio::buffer(std::string_view("x")));
      std::this_thread::sleep_for(100ms);
    }
    if (!is_slow) std::this_thread::sleep_for(3s);
  });
  stream_.half_close_timeout = base::Duration(300);
  serve({backend.port()});
  auto client = connect();
  client.shutdown(Socket::shutdown_send);
  std::string all;
  boost::system::error_code code;
  asio::read(client, asio::dynamic_buffer(all), code);
  EXPECT_EQ(all.size(), 10U);
  expect_line("TCP 200 client_closed:0.");
  is_slow = false;
  auto other = connect();
  const auto begun = Clock::now();
  other.shutdown(Socket::shutdown_send);
  follow(other);
  EXPECT_LT(Clock::now() - begun, 2s);
  expect_line("TCP 200 half_close_timeout:0.");
}

TEST_F(StreamLimitsTest, SessionsStayWithAnEndpointThatIsGone) {
  Backend backend(drip);
  serve({backend.port()});
  auto client = connect_through(backend);
  set_upstream("up", {free_port()});
  adopt();
  std::array<char, 20> bytes;
  asio::read(client, asio::buffer(bytes));
}

TEST_F(StreamLimitsTest, SessionsEndWithTheirEndpointWhereTheyAreTo) {
  Backend leaves(follow);
  Backend stays(follow);
  stream_.drain.on_endpoint_removal = snapshot::EndpointRemoval::kClose;
  serve({leaves.port(), stays.port()});
  // Round robin: one on each.
  auto first = connect();
  auto second = connect();
  while (leaves.accepted == 0 || stays.accepted == 0) std::this_thread::sleep_for(5ms);
  set_upstream("up", {stays.port()});
  adopt();
  expect_line("TCP 200 endpoint_removed:0.");
  // The other one goes on.
  EXPECT_EQ(metrics_active(), 1);
}

TEST_F(StreamLimitsTest, OrAfterAWhile) {
  Backend backend(follow);
  stream_.drain = {snapshot::EndpointRemoval::kCloseAfter, base::Duration(400), false};
  serve({backend.port()});
  auto client = connect_through(backend);
  set_upstream("up", {free_port()});
  const auto begun = Clock::now();
  adopt();
  follow(client);
  EXPECT_GE(Clock::now() - begun, 350ms);
  expect_line("TCP 200 endpoint_removed:0.");
}

TEST_F(StreamLimitsTest, SessionsEndWithTheSpecWhereTheyAreTo) {
  Backend backend(follow);
  serve({backend.port()});
  auto kept = connect_through(backend);
  stream_.idle_timeout = base::Duration(50'000);
  serve({backend.port()});
  EXPECT_EQ(metrics_active(), 1) << "a change ends nothing";
  stream_.drain.ends_on_change = true;
  serve({backend.port()});
  follow(kept);
  expect_line("TCP 200 spec_changed:0.");
  auto last = connect_through(backend);
  remove(snapshot::PartKind::kStream, stream_.name);
  adopt();
  follow(last);
  expect_line("TCP 200 port_closed:0.");
}

TEST_F(StreamLimitsTest, ADrainThatIsOverEndsWhatIsLeft) {
  Backend backend(follow);
  serve({backend.port()});
  auto client = connect_through(backend);
  worker_.drain(base::Duration(200));
  follow(client);
  worker_.join();
  expect_line("TCP 200 drained:0.");
}

/// What `carry` has moved in a while, in units of the rate's bytes of a second.
class BandwidthTest : public StreamLimitsTest, public testing::WithParamInterface<std::uint32_t> {};

TEST_P(BandwidthTest, HoldsADownloadToItsRate) {
  const auto rate = GetParam();
  const std::string data(rate * 3UL, 'x');
  Backend backend([&](Socket& socket) {
    boost::system::error_code code;
    asio::write(socket, asio::buffer(data), code);
  });
  stream_.bandwidth.download = rate;
  serve({backend.port()});
  auto client = connect();
  const auto begun = Clock::now();
  std::string all;
  boost::system::error_code code;
  asio::read(client, asio::dynamic_buffer(all), code);
  const std::chrono::duration<double> took = Clock::now() - begun;
  EXPECT_EQ(all.size(), data.size());
  // A second's worth comes at once, the rest takes two seconds.
  EXPECT_GT(took.count(), 1.7);
  EXPECT_LT(took.count(), 10);
}

TEST_P(BandwidthTest, HoldsAnUploadToItsRate) {
  const auto rate = GetParam();
  const std::string data(rate * 3UL, 'x');
  Backend backend([&](Socket& socket) {
    std::string all;
    boost::system::error_code code;
    asio::read(socket, asio::dynamic_buffer(all), code);
    asio::write(socket, asio::buffer(std::to_string(all.size())), code);
  });
  stream_.bandwidth.upload = rate;
  serve({backend.port()});
  auto client = connect();
  const auto begun = Clock::now();
  asio::write(client, asio::buffer(data));
  client.shutdown(Socket::shutdown_send);
  std::string all;
  boost::system::error_code code;
  asio::read(client, asio::dynamic_buffer(all), code);
  const std::chrono::duration<double> took = Clock::now() - begun;
  EXPECT_EQ(all, std::to_string(data.size()));
  EXPECT_GT(took.count(), 1.7);
  EXPECT_LT(took.count(), 10);
}

/// The second one goes through pipes.
INSTANTIATE_TEST_SUITE_P(Rates, BandwidthTest, testing::Values(20'000, 20'000'000));

}  // namespace
}  // namespace penstock::worker
