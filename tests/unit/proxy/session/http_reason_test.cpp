// Why an attempt on an HTTP upstream failed: $upstream_reason and the metric.
#include "tests/unit/proxy/worker/fixture.h"

namespace penstock::worker {
namespace {

using Socket = asio::ip::tcp::socket;

class HttpReasonTest : public WorkerTest {
 protected:
  HttpReasonTest() {
    log_.set_path(log_path_);
    global_.access_log.http_format = "$status [$upstream_reason] $request_uri.";
    set(snapshot::PartKind::kGlobal, "", global_);
    policy_.next_upstream.tries = 1;
    policy_.timeouts.read = base::Duration(200);
  }
  ~HttpReasonTest() override { std::filesystem::remove(log_path_); }

  void expect(const std::vector<std::uint16_t>& ports, std::string_view line) {
    set_upstream("up", ports);
    set_host("a.example", "up", policy_);
    adopt();
    // More than one: whichever endpoint has its turn first, each is the first once.
    for (std::size_t i = 0; i < ports.size(); ++i) Client(http_port_).ask(kGet);
    const auto log = wait_for_log(line);
    EXPECT_TRUE(log.contains(line)) << line << " is not in " << log;
  }
  /// Of a server that does `serve` once it has a head.
  void expect_of(const Backend::Serve& serve, std::string_view line) {
    Backend backend([&](Socket& socket) {
      std::string buffer;
      read_head(socket, buffer);
      serve(socket);
    });
    expect({backend.port()}, line);
  }

  snapshot::RoutePolicy policy_;
};

TEST_F(HttpReasonTest, NamesWhatTheUpstreamDid) {
  expect({free_port()}, "502 [connect_refused] /p?q.");
  expect_of([](Socket&) {}, "502 [upstream_closed] /p?q.");
  expect_of(reset, "502 [upstream_reset] /p?q.");
  expect_of(
      [](Socket& socket) { asio::write(socket, asio::buffer(std::string("no HTTP\r\n\r\n"))); },
      "502 [bad_response] /p?q.");
  expect_of([](Socket&) { std::this_thread::sleep_for(std::chrono::milliseconds(600)); },
            "504 [upstream_idle_timeout] /p?q.");
  const auto text = metrics_.text(0, 0);
  for (const auto* reason : {"connect_refused", "upstream_closed", "upstream_reset", "bad_response",
                             "upstream_idle_timeout"}) {
    const auto line = std::string(R"(penstock_upstream_failures_total{upstream="up",reason=")") +
                      reason + "\"} 1";
    EXPECT_TRUE(text.contains(line)) << line;
  }
}

TEST_F(HttpReasonTest, EachAttemptHasItsOwn) {
  Backend backend(echo_heads);
  policy_.next_upstream.tries = 3;
  expect({free_port(), backend.port()}, "200 [connect_refused, -] /p?q.");
}

TEST_F(HttpReasonTest, AnAnswerThatIsCutShortHasOne) {
  expect_of(
      [](Socket& socket) {
        asio::write(socket,
                    asio::buffer(std::string("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")));
      },
      "200 [upstream_closed] /p?q.");
}

TEST_F(HttpReasonTest, AStatusThatAnotherShallBetterIsOne) {
  Backend backend(echo_heads);
  Backend poor([](Socket& socket) {
    std::string buffer;
    read_head(socket, buffer);
    asio::write(socket, asio::buffer(std::string("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")));
  });
  policy_.next_upstream.tries = 2;
  policy_.next_upstream.on_status = {503};
  expect({poor.port(), backend.port()}, "200 [bad_status, -] /p?q.");
}

}  // namespace
}  // namespace penstock::worker
