#include "proxy/telemetry/syslog.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <optional>

#include "proxy/telemetry/access_log.h"

namespace penstock::telemetry {
namespace {

using testing::EndsWith;
using testing::MatchesRegex;
using testing::StartsWith;

/// A syslog server on loopback.
class Receiver {
 public:
  Receiver() : socket_(socket(AF_INET, SOCK_DGRAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
  }
  ~Receiver() { close(); }
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }
  std::uint16_t port() const { return port_; }
  /// The next datagram; nothing where none comes within five seconds.
  std::optional<std::string> take() {
    pollfd ready{socket_, POLLIN, 0};
    if (poll(&ready, 1, 5'000) <= 0) return std::nullopt;
    std::string out(65'536, '\0');
    const auto size = recv(socket_, out.data(), out.size(), 0);
    out.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return out;
  }

 private:
  int socket_;
  std::uint16_t port_ = 0;
};

TEST(SyslogHeader, IsThatOfRfc3164) {
  std::tm time{};
  time.tm_year = 126;
  time.tm_mday = 5;
  time.tm_hour = 9;
  time.tm_min = 3;
  time.tm_sec = 7;
  time.tm_isdst = -1;
  EXPECT_EQ(syslog_header(std::mktime(&time), "edge"), "<190>Jan  5 09:03:07 edge nginx: ");
}

TEST(Syslog, EachLineIsADatagram) {
  Receiver server;
  SyslogSender sender({"127.0.0.1", server.port()});
  EXPECT_EQ(sender.send("one\ntwo words\nlast"), 0U);
  EXPECT_THAT(server.take().value_or(""),
              MatchesRegex("<190>[A-Z][a-z][a-z] [ 0-9][0-9] [0-9:]{8} [^ ]+ nginx: one"));
  EXPECT_THAT(server.take().value_or(""), EndsWith(" nginx: two words"));
  EXPECT_THAT(server.take().value_or(""), EndsWith(" nginx: last"));
}

TEST(Syslog, LongLinesAreCut) {
  Receiver server;
  SyslogSender sender({"127.0.0.1", server.port()});
  EXPECT_EQ(sender.send(std::string(20'000, 'z') + "\n"), 0U);
  const auto got = server.take().value_or("");
  EXPECT_THAT(got, StartsWith("<190>"));
  EXPECT_EQ(std::ranges::count(got, 'z'), static_cast<std::ptrdiff_t>(kLongestSyslogLine));
}

TEST(Syslog, WhatCannotBeSentIsCounted) {
  SyslogSender nowhere({"no-such-host.invalid", 514});
  EXPECT_EQ(nowhere.send("one\ntwo\n"), 2U);
  Receiver server;
  SyslogSender sender({"127.0.0.1", server.port()});
  EXPECT_EQ(sender.send("one\n"), 0U);
  server.close();
  std::uint64_t lost = 0;  // the kernel tells of it with the send after the one that met nobody
  for (int i = 0; i < 100 && lost == 0; ++i) lost += sender.send("two\n");
  EXPECT_GT(lost, 0U);
}

TEST(LogWriter, LinesGoToSyslogWhereThereIsOne) {
  Receiver server;
  LogWriter writer;
  writer.set_syslog({"127.0.0.1", server.port()});
  LogBuffer buffer(&writer);
  buffer.lines() += "a line\n";
  buffer.added();
  buffer.flush();
  EXPECT_THAT(server.take().value_or(""), EndsWith(" nginx: a line"));
  EXPECT_EQ(writer.dropped(), 0U);
}

TEST(LogWriter, CountsWhatSyslogLoses) {
  LogWriter writer;
  writer.set_syslog({"no-such-host.invalid", 514});
  EXPECT_TRUE(writer.submit("one\ntwo\n", 2));
  for (int i = 0; i < 1000 && writer.dropped() < 2; ++i) usleep(10'000);
  EXPECT_EQ(writer.dropped(), 2U);
}

}  // namespace
}  // namespace penstock::telemetry
