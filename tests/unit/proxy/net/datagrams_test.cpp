// Datagrams that travel through the kernel as one are the same datagrams at the other end.
#include "proxy/net/datagrams.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <vector>

#include "proxy/base/descriptor.h"

namespace penstock::net {
namespace {

using Strings = std::vector<std::string>;

class DatagramsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    bind_to_loopback(receiver_);
    bind_to_loopback(sender_);
    const auto to = name_of(receiver_);
    ASSERT_EQ(::connect(sender_.get(), to.data(), static_cast<socklen_t>(to.size())), 0);
    const int room = 1 << 20;
    ::setsockopt(receiver_.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  }

  static base::Descriptor make_socket() {
    return base::Descriptor(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }
  static void bind_to_loopback(const base::Descriptor& socket) {
    const base::UdpEndpoint any(asio::ip::address_v4::loopback(), 0);
    ASSERT_EQ(::bind(socket.get(), any.data(), static_cast<socklen_t>(any.size())), 0);
  }
  static base::UdpEndpoint name_of(const base::Descriptor& socket) {
    base::UdpEndpoint out;
    auto size = static_cast<socklen_t>(out.capacity());
    EXPECT_EQ(::getsockname(socket.get(), out.data(), &size), 0);
    out.resize(size);
    return out;
  }

  static Strings letters(const std::vector<std::size_t>& sizes) {
    Strings out;
    for (const auto size : sizes) out.emplace_back(size, static_cast<char>('a' + out.size() % 26));
    return out;
  }
  Sent send(const Strings& datagrams, std::string_view head = {}) {
    const std::vector<std::string_view> views(datagrams.begin(), datagrams.end());
    return send_datagrams(sender_.get(), {}, head, views);
  }
  /// All that has come; `calls_` tells how much of it with each call.
  Strings receive() {
    Strings out;
    pollfd ready{receiver_.get(), POLLIN, 0};
    while (::poll(&ready, 1, 100) == 1) {
      const auto got = batch_.receive(receiver_.get());
      if (!got) break;
      for (const auto& each : *got) {
        EXPECT_EQ(each.peer, name_of(sender_));
        out.emplace_back(each.bytes);
      }
      calls_.push_back(got->size());
    }
    return out;
  }

  base::Descriptor receiver_ = make_socket(), sender_ = make_socket();
  DatagramBatch batch_;
  std::vector<std::size_t> calls_;
};

TEST_F(DatagramsTest, ArriveAsTheyWereSent) {
  const auto sent = letters({0, 10, 10, 5, 20, 0, 0, 100, 1200, 1200, 1200, 7, 1200});
  EXPECT_EQ(send(sent).count, sent.size());
  EXPECT_EQ(receive(), sent);
}

TEST_F(DatagramsTest, AreTakenApartWhereTheKernelHandsThemOverAsOne) {
  coalesce_received(receiver_.get());
  const auto sent = letters(std::vector<std::size_t>(100, 1200));
  EXPECT_EQ(send(sent).count, sent.size());
  EXPECT_EQ(receive(), sent);
  EXPECT_GT(calls_.front(), 32u) << "each came by itself";
  EXPECT_TRUE(batch_.has_drained());
}

TEST_F(DatagramsTest, TheLastOfSomeThatTravelAsOneMayBeShorter) {
  coalesce_received(receiver_.get());
  const auto sent = letters({300, 300, 300, 299, 300});
  EXPECT_EQ(send(sent).count, sent.size());
  EXPECT_EQ(receive(), sent);
}

TEST_F(DatagramsTest, MoreThanOnePacketCarriesTakesSeveral) {
  coalesce_received(receiver_.get());
  const auto sent = letters(std::vector<std::size_t>(12, 9000));
  EXPECT_EQ(send(sent).count, sent.size());
  EXPECT_EQ(receive(), sent);
}

TEST_F(DatagramsTest, EachHasTheHead) {
  EXPECT_EQ(send({"one", "two", "six"}, "head:").count, 3u);
  EXPECT_EQ(receive(), (Strings{"head:one", "head:two", "head:six"}));
}

TEST_F(DatagramsTest, LeaveOneByOneWhereTheKernelCannotSendThemAsOne) {
  const int on = 1;  // Without checksums it refuses to.
  ASSERT_EQ(::setsockopt(sender_.get(), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on), 0);
  const auto sent = letters({50, 50, 50, 20});
  const auto result = send(sent);
  EXPECT_EQ(result.count, sent.size()) << result.error.message();
  EXPECT_EQ(receive(), sent);
}

TEST_F(DatagramsTest, TellsWhatIsWrongWithOne) {
  const auto result = send({"fine", std::string(65'508, 'x'), "not reached"});
  EXPECT_EQ(result.count, 1u);
  EXPECT_EQ(result.error, asio::error::message_size);
}

}  // namespace
}  // namespace penstock::net
