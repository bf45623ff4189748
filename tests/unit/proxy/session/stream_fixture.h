#pragma once
// One TCP port of a real worker, with an access log that has the reason in each line.
#include "proxy/base/end_reason.h"
#include "tests/unit/proxy/worker/fixture.h"

namespace penstock::worker {

using asio::ip::tcp;
using Socket = tcp::socket;

/// Reads until the end, then ends, too.
inline void follow(Socket& socket) {
  std::string all;
  boost::system::error_code code;
  asio::read(socket, asio::dynamic_buffer(all), code);
}

class StreamTest : public WorkerTest {
 protected:
  StreamTest() {
    log_.set_path(log_path_);
    global_.access_log.stream_format = "$protocol $status $reason:$bytes_received.";
    set(snapshot::PartKind::kGlobal, "", global_);
    stream_.address = "127.0.0.1";
    stream_.port = free_port();
    stream_.name = "tcp/" + std::to_string(stream_.port);
    stream_.rules = {{{}, {{"up"}}}};
    stream_.retries_next_upstream = false;
  }
  ~StreamTest() override { std::filesystem::remove(log_path_); }

  void serve(const std::vector<std::uint16_t>& endpoints) {
    set_upstream("up", endpoints);
    set(snapshot::PartKind::kStream, stream_.name, stream_);
    ASSERT_TRUE(adopt().empty());
  }
  Socket connect() {
    Socket socket(io_);
    socket.connect({asio::ip::make_address("127.0.0.1"), stream_.port});
    return socket;
  }
  void expect_line(std::string_view line) {
    const auto log = wait_for_log(line);
    EXPECT_TRUE(log.contains(line)) << line << " is not in " << log;
  }

  /// Sessions of the port now.
  double metrics_active() {
    const auto text = metrics_.text(0, 0);
    const auto line = "penstock_stream_sessions_active{stream=\"" + stream_.name + '"';
    const auto at = text.find(line);
    if (at == std::string::npos) return -1;
    return std::stod(text.substr(text.find("} ", at) + 2));
  }

  asio::io_context io_;
  snapshot::Stream stream_;
};

}  // namespace penstock::worker
