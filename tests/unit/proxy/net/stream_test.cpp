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
    Listener::OnAccept keep = [this](base::TcpSocket socket) {
      server_ = std::make_unique<Stream>(std::move(socket));
    };
    Listener listener(io_, keep);
    EXPECT_TRUE(listener.open("127.0.0.1", 0));
    listener.start();
    base::TcpSocket socket(io_.get_executor());
    socket.connect({asio::ip::make_address("127.0.0.1"), listener.port()});
    client_ = std::make_unique<Stream>(std::move(socket));
    while (!server_) io_.run_one();
    listener.close();
    io_.restart();
  }

  asio::io_context io_{1};
  base::CoarseClock clock_;
  DeadlineWheel wheel_{io_, clock_};
  std::unique_ptr<Stream> server_;
  std::unique_ptr<Stream> client_;
};

base::Task<void> send_all(Stream& stream, std::string text) {
  const auto sent = co_await stream.write(text);
  EXPECT_TRUE(sent);
  stream.shutdown_send();
}

base::Task<void> read_all(Stream& stream, std::string& out) {
  std::array<char, 4096> buffer;
  for (;;) {
    const auto got = co_await stream.read_some(buffer);
    if (!got || *got == 0) co_return;
    out.append(buffer.data(), *got);
  }
}

TEST_F(StreamTest, CarriesMoreThanTheSocketBuffersHold) {
  const std::string text(8 << 20, 'x');
  std::string got;
  base::spawn("reader", read_all(*server_, got));
  base::spawn("writer", send_all(*client_, text));
  io_.run();
  EXPECT_EQ(got, text);
}

TEST_F(StreamTest, WritesTwoPiecesInOrder) {
  std::string got;
  auto writer = [](Stream& stream) -> base::Task<void> {
    EXPECT_TRUE(co_await stream.write("head ", "body"));
    EXPECT_TRUE(co_await stream.write("", "!"));
    stream.shutdown_send();
  };
  base::spawn("reader", read_all(*server_, got));
  base::spawn("writer", writer(*client_));
  io_.run();
  EXPECT_EQ(got, "head body!");
}

TEST_F(StreamTest, ADeadlineEndsAPendingRead) {
  Deadline deadline(wheel_, *server_);
  bool failed = false;
  auto reader = [](Stream& stream, bool& flag) -> base::Task<void> {
    std::array<char, 16> buffer;
    const auto got = co_await stream.read_some(buffer);
    flag = !got && got.error() == asio::error::operation_aborted;
  };
  deadline.expire_in(std::chrono::milliseconds(120));
  base::spawn("reader", reader(*server_, failed));
  io_.run();
  EXPECT_TRUE(failed);
  EXPECT_TRUE(deadline.has_expired());
}

TEST_F(StreamTest, ADeadlineThatMovedOnDoesNotFireEarly) {
  Deadline deadline(wheel_, *server_);
  deadline.expire_in(std::chrono::milliseconds(60));
  deadline.expire_in(std::chrono::hours(1));
  wheel_.sweep(std::chrono::steady_clock::now() + std::chrono::seconds(10));
  EXPECT_FALSE(deadline.has_expired());
  wheel_.sweep(std::chrono::steady_clock::now() + std::chrono::hours(2));
  EXPECT_TRUE(deadline.has_expired());
  EXPECT_FALSE(server_->is_open());
}

TEST_F(StreamTest, ACancelledDeadlineNeverFires) {
  Deadline deadline(wheel_, *server_);
  deadline.expire_in(std::chrono::milliseconds(60));
  deadline.cancel();
  wheel_.sweep(std::chrono::steady_clock::now() + std::chrono::seconds(10));
  EXPECT_FALSE(deadline.has_expired());
}

TEST_F(StreamTest, KnowsWhetherAnIdleConnectionIsQuiet) {
  EXPECT_TRUE(server_->is_quiet());
  base::spawn("writer", send_all(*client_, "x"));
  while (server_->is_quiet()) io_.poll();
  EXPECT_FALSE(server_->is_quiet());
}

TEST(Listener, ReportsATakenPort) {
  asio::io_context io{1};
  base::TcpAcceptor other(io.get_executor());
  other.open(asio::ip::tcp::v4());
  other.bind({asio::ip::make_address("127.0.0.1"), 0});
  other.listen();
  Listener listener(io, [](base::TcpSocket) {});
  const auto opened = listener.open("127.0.0.1", other.local_endpoint().port());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error(), asio::error::address_in_use);
}

}  // namespace
}  // namespace penstock::net
