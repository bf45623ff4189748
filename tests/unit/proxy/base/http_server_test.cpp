#include "proxy/base/http_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "proxy/base/json_writer.h"

namespace penstock::base {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class HttpServerTest : public testing::Test {
 protected:
  ~HttpServerTest() override {
    asio::post(io_, [this] { server_.reset(); });
    if (thread_.joinable()) thread_.join();
    std::filesystem::remove(path_);
  }

  void serve(HttpServer::Handler handler) {
    auto server = HttpServer::listen_local(io_, path_, std::move(handler));
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    thread_ = std::thread([this] { io_.run(); });
  }
  /// What comes back until the server closes.
  std::string ask(const std::string& text) const {
    asio::io_context io;
    LocalSocket socket(io);
    socket.connect(asio::local::stream_protocol::endpoint(path_));
    error_code code;
    asio::write(socket, asio::buffer(text), code);
    std::string answer;
    asio::read(socket, asio::dynamic_buffer(answer), code);
    return answer;
  }
  std::string get(const std::string& target) const {
    return ask("GET " + target + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

  std::string path_ = std::filesystem::temp_directory_path() /
                      ("http_server_test." + std::to_string(getpid()) + ".sock");
  asio::io_context io_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

TEST_F(HttpServerTest, HandsOverPathParametersAndAuthorization) {
  serve([](const HttpRequest& request, const HttpServer::Answer& answer) {
    answer({200,
            request.method + " " + request.path + " " + std::string(request.parameter("a")) + "|" +
                std::string(request.parameter("b")) + "|" + request.authorization,
            "text/plain",
            {}});
  });
  EXPECT_THAT(get("/p?a=1%2F2&b=x+y"), EndsWith("\r\n\r\nGET /p 1/2|x y|"));
  EXPECT_THAT(ask("POST /p?a=1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n"
                  "Content-Length: 7\r\nConnection: close\r\n\r\na=2&b=3"),
              EndsWith("POST /p 2|3|Bearer t"));
  EXPECT_THAT(get("/p?a=%2"), StartsWith("HTTP/1.1 400 "));
}

TEST_F(HttpServerTest, AnswersLaterAndKeepsTheConnection) {
  serve([this](const HttpRequest& request, const HttpServer::Answer& answer) {
    auto timer = std::make_shared<asio::steady_timer>(io_, std::chrono::milliseconds(20));
    timer->async_wait([timer, answer, path = request.path](error_code) {
      answer({200, path, "text/plain", {}});
    });
  });
  const auto both =
      ask("GET /one HTTP/1.1\r\nHost: x\r\n\r\n"
          "GET /two HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(both, HasSubstr("\r\n\r\n/oneHTTP/1.1 200 "));
  EXPECT_THAT(both, EndsWith("/two"));
}

TEST_F(HttpServerTest, BoundsWhatItReads) {
  serve([](const HttpRequest&, const HttpServer::Answer& answer) { answer({}); });
  const std::string large(40'000, 'x');
  EXPECT_EQ(ask("GET /" + large + " HTTP/1.1\r\n\r\n"), "");
  EXPECT_EQ(ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 40000\r\n\r\n" + large), "");
  EXPECT_EQ(ask("no http\r\n\r\n"), "");
  std::string many = "/?";
  for (int i = 0; i < 100; ++i) many += "p" + std::to_string(i) + "=1&";
  EXPECT_THAT(get(many), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, TheSocketIsOfThisUserAndOfOneServer) {
  serve([](const HttpRequest&, const HttpServer::Answer& answer) { answer({}); });
  struct stat status{};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const auto second = HttpServer::listen_local(io_, path_, {});
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("another process is listening here"));
}

TEST_F(HttpServerTest, LeavesAFileAloneAndTakesAnAbandonedSocket) {
  std::ofstream(path_) << "precious";
  const auto on_file = HttpServer::listen_local(io_, path_, {});
  ASSERT_FALSE(on_file);
  EXPECT_THAT(on_file.error().message, HasSubstr("found a file"));
  std::filesystem::remove(path_);
  {
    asio::io_context io;
    asio::local::stream_protocol::acceptor left(io, path_);
  }
  ASSERT_TRUE(std::filesystem::exists(path_));
  serve([](const HttpRequest&, const HttpServer::Answer& answer) { answer({}); });
  EXPECT_THAT(get("/"), StartsWith("HTTP/1.1 200 "));
  EXPECT_FALSE(HttpServer::listen_local(io_, std::string(200, 'p'), {}));
}

TEST(JsonWriter, WritesWhatItIsGiven) {
  JsonWriter json;
  json.begin_object().member("a", 1).member("b", true).member("c", "x\"\n").key("d");
  json.begin_array().value(-2).begin_object().end_object().value(0.5).end_array();
  json.key("e").begin_array().end_array().end_object();
  EXPECT_EQ(json.text(), R"({"a":1,"b":true,"c":"x\"\n","d":[-2,{},0.5],"e":[]})");
}

TEST(JsonWriter, WhatIsNoUtf8IsReplaced) {
  const auto written = [](std::string_view text) {
    JsonWriter json;
    json.value(text);
    return json.take();
  };
  EXPECT_EQ(written("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
            "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
  EXPECT_EQ(written("a\xff"), R"("a\ufffd")");
  EXPECT_EQ(written("\xc0\xaf"), R"("\ufffd\ufffd")");            // overlong
  EXPECT_EQ(written("\xed\xa0\x80"), R"("\ufffd\ufffd\ufffd")");  // surrogate
  EXPECT_EQ(written("\xe2\x82"), R"("\ufffd\ufffd")");            // cut short
  EXPECT_EQ(written("\xf4\x90\x80\x80").size(), 2U + 4 * 6);      // beyond U+10FFFF
  EXPECT_EQ(written(std::string_view("\0</script>", 10)), R"("\u0000</script>")");
}

}  // namespace
}  // namespace penstock::base
