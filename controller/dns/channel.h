#pragma once
// A c-ares channel driven by an io_context: waits on the library's sockets and for its time-outs.
#include <ares.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "proxy/base/asio.h"

namespace penstock::dns {

class AresChannel {
 public:
  /// Throws std::runtime_error when a server's address cannot be read (start-up).
  AresChannel(asio::io_context& io, const std::vector<std::string>& servers,
              std::chrono::milliseconds timeout, int attempts);
  AresChannel(const AresChannel&) = delete;
  AresChannel& operator=(const AresChannel&) = delete;
  /// Every query's callback is called with ARES_EDESTRUCTION.
  ~AresChannel();

  /// `type` is ns_t_a or ns_t_aaaa. The callback may come within this call.
  void query(const std::string& name, int type, ares_callback callback, void* argument);

 private:
  struct Socket {
    explicit Socket(asio::io_context& io, int fd) : descriptor(io, fd) {}
    asio::posix::stream_descriptor descriptor;
    bool wants_read = false;
    bool wants_write = false;
    bool waits_read = false;
    bool waits_write = false;
  };

  static void on_socket_state(void* self, ares_socket_t fd, int readable, int writable);
  void wait(ares_socket_t fd, const std::shared_ptr<Socket>& socket);
  void process(ares_socket_t readable, ares_socket_t writable);
  void set_timer();

  asio::io_context& io_;
  asio::steady_timer timer_;
  std::map<ares_socket_t, std::shared_ptr<Socket>> sockets_;
  ares_channel channel_ = nullptr;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace penstock::dns
