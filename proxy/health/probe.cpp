#include "proxy/health/probe.h"

#include <fmt/format.h>

#include <array>

#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"
#include "proxy/http/h1_parser.h"

namespace penstock::health {
namespace {

using snapshot::ProbeType;

/// Reads until `is_done` says so of all that has come, or until there is no more.
template <class IsDone>
base::Task<Finding> read_until(net::Stream& stream, std::string& all, const IsDone& is_done) {
  constexpr std::size_t kPiece = 2048;
  std::array<char, kPiece> piece;
  for (;;) {
    const auto got = co_await stream.read_some(piece);
    if (!got) co_return finding_of("receive", got.error());
    if (*got == 0) co_return fmt::format("closed the connection after {} bytes", all.size());
    all.append(piece.data(), *got);
    if (is_done(all)) co_return Finding();
    if (all.size() >= kMostRead) {
      co_return fmt::format("sent {} bytes without what is expected", all.size());
    }
  }
}

base::Task<Finding> probe_stream(net::Reactor& reactor, net::TlsClientContext& tls,
                                 const Check& check, base::TcpEndpoint peer) {
  net::Stream stream(reactor);
  net::Deadline deadline(reactor.wheel(), stream);
  deadline.expire_in(check.settings.timeout);
  const auto connected = co_await stream.connect(peer);
  Finding finding;
  std::string_view phase = "connect";
  if (!connected) {
    finding = finding_of(phase, connected.error());
  } else if (check.settings.type == ProbeType::kTls) {
    phase = "TLS handshake";
    finding = co_await probe_tls(tls, check, stream);
  } else if (check.settings.type == ProbeType::kSendExpect) {
    phase = "answer";
    finding = co_await probe_send_expect(check, stream);
  } else if (check.settings.type == ProbeType::kHttp) {
    phase = "answer";
    finding = co_await probe_http(check, stream, peer);
  } else if (check.settings.type == ProbeType::kGrpc) {
    phase = "answer";
    finding = co_await probe_grpc(check, stream, peer);
  }
  if (!deadline.has_expired()) co_return finding;
  co_return fmt::format("{}: nothing within {}", phase,
                        base::format_duration(check.settings.timeout));
}

}  // namespace

Check::Check(snapshot::HealthCheck from) : settings(std::move(from)) {
  if (settings.expect_pattern.empty()) return;
  auto compiled = base::Pattern::compile(settings.expect_pattern);
  is_broken = !compiled.has_value();
  if (compiled) pattern.emplace(std::move(*compiled));
}

bool Check::is_expected(std::string_view answer) const {
  if (is_broken) return false;
  if (pattern) return pattern->matches(answer);
  return answer.find(settings.expect) != std::string_view::npos;
}

Finding finding_of(std::string_view phase, base::error_code code) {
  return fmt::format("{}: {} (errno {})", phase, code.message(), code.value());
}

base::Task<Finding> probe(net::Reactor& reactor, net::TlsClientContext& tls, const Check& check,
                          base::TcpEndpoint peer) {
  if (check.settings.is_udp) co_return co_await probe_datagram(reactor, check, peer);
  co_return co_await probe_stream(reactor, tls, check, peer);
}

base::Task<Finding> probe_tls(net::TlsClientContext& tls, const Check& check, net::Stream& stream) {
  auto ssl = tls.new_session(check.settings.host, false);
  const auto shaken = co_await stream.handshake(std::move(ssl));
  if (shaken) {
    stream.shutdown_send();
    co_return Finding();
  }
  const std::string_view said = stream.tls_error();
  if (said.empty()) co_return finding_of("TLS handshake", shaken.error());
  co_return fmt::format("TLS handshake: {}", said);
}

base::Task<Finding> probe_send_expect(const Check& check, net::Stream& stream) {
  if (!check.settings.send.empty()) {
    const auto sent = co_await stream.write(check.settings.send);
    if (!sent) co_return finding_of("send", sent.error());
  }
  std::string all;
  const auto is_done = [&](std::string_view bytes) { return check.is_expected(bytes); };
  co_return co_await read_until(stream, all, is_done);
}

base::Task<Finding> probe_http(const Check& check, net::Stream& stream, base::TcpEndpoint peer) {
  const auto& settings = check.settings;
  const auto host =
      settings.host.empty() ? base::format_endpoint(peer.address(), peer.port()) : settings.host;
  const auto request = fmt::format(
      "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: penstock-health\r\nAccept: */*\r\n"
      "Connection: close\r\n\r\n",
      settings.path, host);
  const auto sent = co_await stream.write(request);
  if (!sent) co_return finding_of("send", sent.error());
  std::string all;
  http::HeadScanner scanner;
  std::size_t size = 0;
  const auto is_done = [&](std::string_view bytes) {
    size = scanner.scan(bytes);
    return size != 0;
  };
  auto finding = co_await read_until(stream, all, is_done);
  if (!finding.empty()) co_return finding;
  http::ResponseHead head;
  const auto failure = http::parse_response_head(std::string_view(all).substr(0, size),
                                                 http::HeadLimits(), "GET", head);
  if (failure) co_return fmt::format("no HTTP/1.1 answer: {}", failure.why);
  if (head.status < settings.lowest_status || head.status > settings.highest_status) {
    co_return fmt::format("status {}, expected {} to {}", head.status, settings.lowest_status,
                          settings.highest_status);
  }
  co_return Finding();
}

}  // namespace penstock::health
