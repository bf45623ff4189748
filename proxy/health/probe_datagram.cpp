// UDP: an answer as expected, or at least no ICMP message that nobody is there.
#include <fmt/format.h>
#include <sys/socket.h>

#include <array>
#include <memory>

#include "proxy/base/descriptor.h"
#include "proxy/base/event.h"
#include "proxy/health/probe.h"

namespace penstock::health {
namespace {

/// The socket of one question. Its answer is one datagram.
class Datagrams final : public net::Watched {
 public:
  Datagrams(net::Reactor& reactor, const Check& check)
      : reactor_(reactor), check_(check), deadline_(reactor.wheel(), *this) {}
  ~Datagrams() {
    if (socket_) reactor_.forget(*this);
  }

  base::Task<Finding> ask(base::TcpEndpoint peer) {
    if (!open({peer.address(), peer.port()})) co_return finding_of("send", base::last_error());
    deadline_.expire_in(check_.settings.timeout);
    co_await is_over_;
    co_return finding_;
  }

 private:
  bool open(const base::UdpEndpoint& peer) {
    const auto& send = check_.settings.send;
    socket_ = base::Descriptor(
        ::socket(peer.protocol().family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    return socket_ &&
           ::connect(socket_.get(), peer.data(), static_cast<socklen_t>(peer.size())) == 0 &&
           reactor_.watch_level(socket_.get(), *this) &&
           ::send(socket_.get(), send.data(), send.size(), 0) >= 0;
  }

  void on_events(std::uint32_t) override {
    const auto got = ::recv(socket_.get(), buffer_.data(), buffer_.size(), 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got < 0) return finish(finding_of("receive", base::last_error()));
    const std::string_view answer(buffer_.data(), static_cast<std::size_t>(got));
    if (check_.settings.type == snapshot::ProbeType::kIcmpUnreachable ||
        check_.is_expected(answer)) {
      return finish("");
    }
    finish(fmt::format("sent {} bytes that are not what is expected", answer.size()));
  }

  /// The time is over.
  void close() override {
    if (check_.settings.type == snapshot::ProbeType::kIcmpUnreachable) return finish("");
    finish(
        fmt::format("answer: nothing within {}", base::format_duration(check_.settings.timeout)));
  }

  void finish(Finding finding) {
    if (is_over_.is_set()) return;
    finding_ = std::move(finding);
    reactor_.forget(*this);
    socket_.reset();
    is_over_.set();
  }

  net::Reactor& reactor_;
  const Check& check_;
  net::Deadline deadline_;
  base::Descriptor socket_;
  base::Event is_over_;
  Finding finding_;
  std::array<char, kMostRead> buffer_;
};

}  // namespace

base::Task<Finding> probe_datagram(net::Reactor& reactor, const Check& check,
                                   base::TcpEndpoint peer) {
  const auto datagrams = std::make_unique<Datagrams>(reactor, check);
  co_return co_await datagrams->ask(peer);
}

}  // namespace penstock::health
