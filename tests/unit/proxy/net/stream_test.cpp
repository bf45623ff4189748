#include "proxy/net/stream.h"

#include <gtest/gtest.h>

#include <string>

#include "proxy/base/task.h"
#include "proxy/net/listener.h"

namespace penstock::net {
namespace {

/// A connected pair over loopback, both ends on one loop.
class StreamTest : public testing::Test {
 protected:
  StreamTest() {
    Listener listener(reactor_, [this](Listener::Accepted accepted) {
      server_ = std::make_unique<Stream>(reactor_, std::move(accepted.descriptor));
    });
    EXPECT_TRUE(listener.open("127.0.0.1", 0));
    listener.start();
    client_ = std::make_unique<Stream>(reactor_);
    base::spawn("client",
                connect(*client_, {asio::ip::make_address("127.0.0.1"), listener.port()}));
    run_until([&] { return server_ != nullptr && is_connected_; });
  }

  base::Task<void> connect(Stream& stream, base::TcpEndpoint peer) {
    const auto connected = co_await stream.connect(peer);
    EXPECT_TRUE(connected);
    is_connected_ = true;
  }

  template <class Condition>
  void run_until(Condition condition) {
    while (!condition()) reactor_.turn(base::Duration(100));
  }

  Reactor reactor_;
  bool is_connected_ = false;
  std::unique_ptr<Stream> server_;
  std::unique_ptr<Stream> client_;
};

base::Task<void> send_all(Stream& stream, std::string text) {
  const auto sent = co_await stream.write(text);
  EXPECT_TRUE(sent);
  stream.shutdown_send();
}

base::Task<void> read_all(Stream& stream, std::string& out, bool& is_over) {
  std::array<char, 4096> buffer;
  for (;;) {
    const auto got = co_await stream.read_some(buffer);
    is_over = !got || *got == 0;
    if (is_over) co_return;
    out.append(buffer.data(), *got);
  }
}

base::Task<void> read_some(Stream& stream, std::string& out) {
  std::array<char, 4096> buffer;
  const auto got = co_await stream.read_some(buffer);
  if (got) out.append(buffer.data(), *got);
}

TEST_F(StreamTest, GivesItsConnectionAwayWithWhatIsStillToCome) {
  std::string first;
  base::spawn("reader", read_some(*server_, first));
  base::spawn("client", [](Stream& stream) -> base::Task<void> {
    const auto sent = co_await stream.write("one");
    EXPECT_TRUE(sent);
  }(*client_));
  run_until([&] { return first == "one"; });
  base::spawn("client", send_all(*client_, "two"));
  // The old one may have heard of it or not: the new one is told again.
  for (const bool has_heard : {false, true}) {
    if (has_heard) reactor_.turn(base::Duration(20));
    auto taken = std::make_unique<Stream>(reactor_, server_->release(), 3);
    EXPECT_FALSE(server_->is_open());
    server_->close();
    server_ = std::move(taken);
  }
  std::string rest;
  bool is_over = false;
  base::spawn("reader", read_all(*server_, rest, is_over));
  run_until([&] { return is_over; });
  EXPECT_EQ(rest, "two");
  EXPECT_EQ(server_->received(), 6U);
}

TEST_F(StreamTest, CarriesMoreThanTheSocketBuffersHold) {
  const std::string text(8 << 20, 'x');
  std::string got;
  bool is_over = false;
  base::spawn("reader", read_all(*server_, got, is_over));
  base::spawn("writer", send_all(*client_, text));
  run_until([&] { return is_over; });
  EXPECT_EQ(got, text);
}

TEST_F(StreamTest, WritesTwoPiecesInOrder) {
  std::string got;
  auto writer = [](Stream& stream) -> base::Task<void> {
    EXPECT_TRUE(co_await stream.write("head ", "body"));
    EXPECT_TRUE(co_await stream.write("", "!"));
    stream.shutdown_send();
  };
  bool is_over = false;
  base::spawn("reader", read_all(*server_, got, is_over));
  base::spawn("writer", writer(*client_));
  run_until([&] { return is_over; });
  EXPECT_EQ(got, "head body!");
}

TEST_F(StreamTest, ADeadlineEndsAPendingRead) {
  Deadline deadline(reactor_.wheel(), *server_);
  bool failed = false;
  auto reader = [](Stream& stream, bool& flag) -> base::Task<void> {
    std::array<char, 16> buffer;
    const auto got = co_await stream.read_some(buffer);
    flag = !got && got.error() == asio::error::operation_aborted;
  };
  deadline.expire_in(std::chrono::milliseconds(120));
  base::spawn("reader", reader(*server_, failed));
  run_until([&] { return failed; });
  EXPECT_TRUE(failed);
  EXPECT_TRUE(deadline.has_expired());
}

TEST_F(StreamTest, ADeadlineThatMovedOnDoesNotFireEarly) {
  Deadline deadline(reactor_.wheel(), *server_);
  deadline.expire_in(std::chrono::milliseconds(60));
  deadline.expire_in(std::chrono::hours(1));
  reactor_.wheel().sweep(std::chrono::steady_clock::now() + std::chrono::seconds(10));
  EXPECT_FALSE(deadline.has_expired());
  reactor_.wheel().sweep(std::chrono::steady_clock::now() + std::chrono::hours(2));
  EXPECT_TRUE(deadline.has_expired());
  EXPECT_FALSE(server_->is_open());
}

TEST_F(StreamTest, ACancelledDeadlineNeverFires) {
  Deadline deadline(reactor_.wheel(), *server_);
  deadline.expire_in(std::chrono::milliseconds(60));
  deadline.cancel();
  reactor_.wheel().sweep(std::chrono::steady_clock::now() + std::chrono::seconds(10));
  EXPECT_FALSE(deadline.has_expired());
}

TEST_F(StreamTest, KnowsWhetherAnIdleConnectionIsQuiet) {
  EXPECT_TRUE(server_->is_quiet());
  EXPECT_TRUE(server_->is_surely_quiet());
  base::spawn("writer", send_all(*client_, "x"));
  EXPECT_FALSE(server_->is_surely_quiet());
  run_until([&] { return !server_->is_quiet(); });
}

TEST(Listener, ReportsATakenPort) {
  asio::io_context io{1};
  base::TcpAcceptor other(io.get_executor());
  other.open(asio::ip::tcp::v4());
  other.bind({asio::ip::make_address("127.0.0.1"), 0});
  other.listen();
  Reactor reactor;
  Listener listener(reactor, [](Listener::Accepted) {});
  const auto opened = listener.open("127.0.0.1", other.local_endpoint().port());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), asio::error::address_in_use);
}

}  // namespace
}  // namespace penstock::net
