#pragma once
// An HTTP/1.1 server on a loopback port that does to each request exactly what the test says:
// answers in pieces, waits, cuts the connection. Runs on the test's io_context.
#include <fmt/format.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/asio.h"
#include "proxy/base/text.h"

namespace penstock::kube {

class ScriptedServer {
 public:
  struct Seen {
    std::string method;
    std::string target;
    std::string head;  // all lines
    std::string body;
  };
  struct Reply {
    std::vector<std::string> pieces;  // written one by one, with a turn of the loop between
    bool cuts = false;                // close after the last piece; else keep the connection
  };
  using Handler = std::function<Reply(const Seen&)>;

  ScriptedServer(asio::io_context& io, Handler handler)
      : acceptor_(io, {asio::ip::address_v4::loopback(), 0}), handler_(std::move(handler)) {
    accept();
  }
  std::string url() const {
    return fmt::format("http://127.0.0.1:{}", acceptor_.local_endpoint().port());
  }
  const std::vector<Seen>& seen() const { return seen_; }

  static Reply answer(int status, const std::string& body, const std::string& headers = "") {
    return {{fmt::format("HTTP/1.1 {} X\r\nContent-Type: application/json\r\n{}"
                         "Content-Length: {}\r\n\r\n{}",
                         status, headers, body.size(), body)},
            false};
  }
  static std::string stream_head() {
    return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: "
           "chunked\r\n\r\n";
  }
  static std::string chunk(const std::string& data) {
    return fmt::format("{:x}\r\n{}\r\n", data.size(), data);
  }
  static std::string last_chunk() { return "0\r\n\r\n"; }

 private:
  struct Session : std::enable_shared_from_this<Session> {
    Session(asio::ip::tcp::socket s, ScriptedServer& o)
        : socket(std::move(s)), timer(socket.get_executor()), owner(o) {}

    void read() {
      asio::async_read_until(
          socket, asio::dynamic_buffer(input), "\r\n\r\n",
          [self = shared_from_this()](boost::system::error_code code, std::size_t size) {
            if (!code) self->take_head(size);
          });
    }
    void take_head(std::size_t size) {
      seen.head = input.substr(0, size);
      input.erase(0, size);
      const auto line = std::string_view(seen.head).substr(0, seen.head.find('\r'));
      const auto words = base::split(line, ' ');
      seen.method = words.at(0);
      seen.target = words.at(1);
      std::size_t length = 0;
      const auto lower = base::to_lower(seen.head);
      if (const auto at = lower.find("content-length:"); at != lower.npos) {
        length = std::stoul(lower.substr(at + 15));
      }
      const auto missing = length > input.size() ? length - input.size() : 0;
      asio::async_read(
          socket, asio::dynamic_buffer(input), asio::transfer_exactly(missing),
          [self = shared_from_this(), length](boost::system::error_code code, std::size_t) {
            if (code) return;
            self->seen.body = self->input.substr(0, length);
            self->input.erase(0, length);
            self->respond();
          });
    }
    void respond() {
      owner.seen_.push_back(seen);
      auto reply = owner.handler_(seen);
      pieces.assign(reply.pieces.begin(), reply.pieces.end());
      cuts = reply.cuts;
      write();
    }
    void write() {
      if (pieces.empty()) {
        if (cuts) return socket.close();
        return read();
      }
      output = std::move(pieces.front());
      pieces.pop_front();
      asio::async_write(socket, asio::buffer(output),
                        [self = shared_from_this()](boost::system::error_code code, std::size_t) {
                          if (!code) self->pause();
                        });
    }
    /// So that pieces arrive as pieces.
    void pause() {
      timer.expires_after(std::chrono::milliseconds(1));
      timer.async_wait([self = shared_from_this()](boost::system::error_code code) {
        if (!code) self->write();
      });
    }

    asio::ip::tcp::socket socket;
    asio::steady_timer timer;
    ScriptedServer& owner;
    std::string input;
    std::string output;
    Seen seen;
    std::deque<std::string> pieces;
    bool cuts = false;
  };

  void accept() {
    acceptor_.async_accept([this](boost::system::error_code code, asio::ip::tcp::socket socket) {
      if (code) return;
      socket.set_option(asio::ip::tcp::no_delay(true));
      std::make_shared<Session>(std::move(socket), *this)->read();
      accept();
    });
  }

  asio::ip::tcp::acceptor acceptor_;
  Handler handler_;
  std::vector<Seen> seen_;
};

/// Runs the loop until `is_done` holds; false when it does not within the time.
template <class Predicate>
bool run_until(asio::io_context& io, Predicate is_done,
               std::chrono::milliseconds most = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + most;
  while (!is_done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    io.restart();
    io.run_one_for(std::chrono::milliseconds(50));
  }
  return true;
}

}  // namespace penstock::kube
