#include "proxy/session/tcp_session.h"

#include <algorithm>
#include <optional>

#include "proxy/base/ip_net.h"
#include "proxy/session/relay.h"

namespace penstock::session {
namespace {

bool contains(const std::vector<base::IpNet>& nets, const base::Address& address) {
  return std::ranges::any_of(nets, [&](const base::IpNet& net) { return net.contains(address); });
}

}  // namespace

TcpSession::TcpSession(WorkerParts& worker, base::TcpSocket socket, snapshot::PartPtr stream)
    : worker_(worker),
      table_(worker.table),
      part_(std::move(stream)),
      stream_(std::get<snapshot::Stream>(*part_)),
      client_(std::move(socket)) {
  base::error_code code;
  peer_ = base::unmapped(client_.socket().remote_endpoint(code).address());
  client_.socket().set_option(asio::ip::tcp::no_delay(true), code);
}

base::Task<void> TcpSession::serve(std::unique_ptr<TcpSession> session, [[maybe_unused]] base::Gate::Pass pass) {
  ++session->worker_.counters.streams;
  co_await session->run();
}

const snapshot::StreamBackend* TcpSession::choose_backend() {
  const auto rule = std::ranges::find_if(stream_.rules, [&](const snapshot::StreamRule& each) {
    return each.source_networks.empty() || contains(each.source_networks, peer_);
  });
  if (rule == stream_.rules.end()) return nullptr;
  std::uint64_t total = 0;
  for (const auto& backend : rule->backends) total += backend.weight;
  if (total == 0) return nullptr;
  auto drawn = worker_.random() % total;
  for (const auto& backend : rule->backends) {
    if (drawn < backend.weight) return &backend;
    drawn -= backend.weight;
  }
  return nullptr;
}

base::Task<std::unique_ptr<UpstreamConnection>> TcpSession::connect(
    const snapshot::StreamBackend& backend) {
  const auto slot = table_->upstream_slot(backend.upstream);
  std::vector<upstream::EndpointPtr> tried;
  const auto begun = worker_.clock.now();
  while (slot) {
    auto* state = worker_.upstream(*slot);
    const upstream::PickInput input{peer_, worker_.clock.now()};
    auto lease = state == nullptr ? std::nullopt : state->pick(input, tried);
    if (!lease) break;
    auto connection =
        std::make_unique<UpstreamConnection>(worker_.io, worker_.wheel, worker_.clock.now());
    connection->deadline.expire_in(stream_.connect_timeout);
    const auto connected = co_await connection->stream.connect(lease->endpoint()->address);
    connection->deadline.cancel();
    state = worker_.upstream(*slot);
    if (connected) {
      if (state != nullptr) {
        const auto now = worker_.clock.now();
        state->report_success(*lease->endpoint(), now - begun, now);
      }
      connection->lease.emplace(std::move(*lease));
      co_return connection;
    }
    if (state != nullptr) state->report_failure(*lease->endpoint(), worker_.clock.now());
    tried.push_back(lease->endpoint());
    const bool is_late = stream_.retry_timeout.count() > 0 &&
                         worker_.clock.now() - begun >= stream_.retry_timeout;
    const bool is_last = stream_.tries != 0 && tried.size() >= stream_.tries;
    if (!stream_.retries_next_upstream || is_last || is_late) break;
  }
  co_return nullptr;
}

base::Task<void> TcpSession::run() {
  if (contains(stream_.access.denied, peer_) ||
      (!stream_.access.allowed.empty() && !contains(stream_.access.allowed, peer_))) {
    co_return;
  }
  const auto* backend = choose_backend();
  if (backend == nullptr) co_return;
  const auto connection = co_await connect(*backend);
  if (!connection) co_return;
  base::error_code ignored;
  connection->stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  connection->stream.socket().non_blocking(true, ignored);
  co_await relay(client_, connection->stream, worker_.wheel, stream_.idle_timeout);
}

}  // namespace penstock::session
