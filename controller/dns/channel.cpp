#include "controller/dns/channel.h"

#include <arpa/nameser.h>
#include <fmt/format.h>

#include <stdexcept>

namespace penstock::dns {

namespace {

void start_library() {
  static const int code = ares_library_init(ARES_LIB_INIT_ALL);
  if (code != ARES_SUCCESS) throw std::runtime_error(ares_strerror(code));
}

}  // namespace

AresChannel::AresChannel(asio::io_context& io, const std::vector<std::string>& servers,
                         std::chrono::milliseconds timeout, int attempts)
    : io_(io), timer_(io) {
  start_library();
  ares_options options{};
  // The search list is ours (resolv_conf.h), so names go out as they are.
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_STAYOPEN;
  options.timeout = static_cast<int>(timeout.count());
  options.tries = attempts;
  options.sock_state_cb = &AresChannel::on_socket_state;
  options.sock_state_cb_data = this;
  const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
  if (const int code = ares_init_options(&channel_, &options, mask); code != ARES_SUCCESS) {
    throw std::runtime_error(fmt::format("DNS resolver: {}", ares_strerror(code)));
  }
  const auto list = fmt::format("{}", fmt::join(servers, ","));
  if (const int code = ares_set_servers_ports_csv(channel_, list.c_str()); code != ARES_SUCCESS) {
    ares_destroy(channel_);
    throw std::runtime_error(fmt::format("DNS servers '{}': {}", list, ares_strerror(code)));
  }
}

AresChannel::~AresChannel() {
  ares_destroy(channel_);
  // The library has closed its sockets by now, and told us of each before.
}

void AresChannel::query(const std::string& name, int type, ares_callback callback, void* argument) {
  ares_query(channel_, name.c_str(), ns_c_in, type, callback, argument);
  set_timer();
}

void AresChannel::on_socket_state(void* data, ares_socket_t fd, int readable, int writable) {
  auto& self = *static_cast<AresChannel*>(data);
  auto found = self.sockets_.find(fd);
  if (readable == 0 && writable == 0) {
    if (found == self.sockets_.end()) return;
    found->second->descriptor.release();  // the library closes it, right after this
    self.sockets_.erase(found);
    return;
  }
  if (found == self.sockets_.end()) {
    found = self.sockets_.emplace(fd, std::make_shared<Socket>(self.io_, fd)).first;
  }
  found->second->wants_read = readable != 0;
  found->second->wants_write = writable != 0;
  self.wait(fd, found->second);
}

void AresChannel::wait(ares_socket_t fd, const std::shared_ptr<Socket>& socket) {
  using Descriptor = asio::posix::stream_descriptor;
  const std::weak_ptr<Socket> weak = socket;
  // A socket that was let go in the meantime is expired, even if its number is in use again; this
  // object outlives all of its sockets.
  if (socket->wants_read && !std::exchange(socket->waits_read, true)) {
    socket->descriptor.async_wait(Descriptor::wait_read, [this, fd, weak](base::error_code code) {
      const auto self = weak.lock();
      if (!self || code) return;
      self->waits_read = false;
      process(fd, ARES_SOCKET_BAD);
    });
  }
  if (socket->wants_write && !std::exchange(socket->waits_write, true)) {
    socket->descriptor.async_wait(Descriptor::wait_write, [this, fd, weak](base::error_code code) {
      const auto self = weak.lock();
      if (!self || code) return;
      self->waits_write = false;
      process(ARES_SOCKET_BAD, fd);
    });
  }
}

void AresChannel::process(ares_socket_t readable, ares_socket_t writable) {
  ares_process_fd(channel_, readable, writable);
  for (const auto fd : {readable, writable}) {
    if (const auto found = sockets_.find(fd); found != sockets_.end()) wait(fd, found->second);
  }
  set_timer();
}

void AresChannel::set_timer() {
  timeval longest{5, 0};
  timeval next{};
  if (ares_timeout(channel_, nullptr, &next) == nullptr) {
    timer_.cancel();
    return;
  }
  const auto& wait = *ares_timeout(channel_, &longest, &next);
  timer_.expires_after(std::chrono::seconds(wait.tv_sec) + std::chrono::microseconds(wait.tv_usec));
  // A handler whose time had come runs even after its timer is gone.
  timer_.async_wait([this, alive = std::weak_ptr(alive_)](base::error_code code) {
    if (!code && !alive.expired()) process(ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  });
}

}  // namespace penstock::dns
