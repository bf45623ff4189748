#include "proxy/base/status_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock::base {
namespace {

std::string ask(std::uint16_t port, const std::string& request) {
  asio::io_context io;
  asio::ip::tcp::socket socket(io);
  socket.connect({asio::ip::address_v4::loopback(), port});
  asio::write(socket, asio::buffer(request + " HTTP/1.0\r\n\r\n"));
  std::string answer;
  error_code code;
  asio::read(socket, asio::dynamic_buffer(answer), code);
  return answer;
}

TEST(StatusServer, AnswersItsPathsAndNothingElse) {
  const auto server = StatusServer::start(
      "127.0.0.1:0", {{"/healthz", [] { return StatusReply{200, "ok\n"}; }},
                      {"/readyz", [] { return StatusReply{503, "not yet\n"}; }}});
  ASSERT_TRUE(server.has_value()) << server.error().message;
  const auto port = (*server)->port();
  EXPECT_THAT(ask(port, "GET /healthz"), testing::EndsWith("\r\n\r\nok\n"));
  EXPECT_THAT(ask(port, "GET /readyz"), testing::StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(ask(port, "HEAD /healthz"), testing::EndsWith("\r\n\r\n"));
  EXPECT_THAT(ask(port, "GET /healthz/below"), testing::StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(ask(port, "GET /../../etc/passwd"), testing::HasSubstr(" 40"));
  EXPECT_THAT(ask(port, "POST /healthz"), testing::StartsWith("HTTP/1.1 405 "));
}

TEST(StatusServer, SaysWhyItCannotListen) {
  const auto first = StatusServer::start("127.0.0.1:0", {});
  ASSERT_TRUE(first.has_value());
  const auto second = StatusServer::start("127.0.0.1:" + std::to_string((*first)->port()), {});
  ASSERT_FALSE(second.has_value());
  EXPECT_THAT(second.error().message, testing::HasSubstr("cannot listen on 127.0.0.1:"));
}

}  // namespace
}  // namespace penstock::base
