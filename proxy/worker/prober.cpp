#include "proxy/worker/prober.h"

#include "proxy/base/ip_net.h"
#include "proxy/upstream/health_name.h"

namespace penstock::worker {
namespace {

/// What changes together is reported together.
constexpr base::Duration kReportDelay{100};
constexpr std::size_t kMostReported = 4096;
/// Longer than any check may take.
constexpr std::chrono::hours kBeyondAll{24};

}  // namespace

Prober::Prober(std::shared_ptr<base::HealthTable> table, telemetry::EndpointHealth& metrics,
               OnReport on_report)
    : table_(std::move(table)),
      metrics_(metrics),
      on_report_(std::move(on_report)),
      report_timer_(reactor_, [this] { report(); }),
      parts_{reactor_, tls_, questions_, {}, [this] { report_timer_.start(kReportDelay); }} {
  parts_.random.seed(std::random_device{}());
}

Prober::~Prober() {
  if (!thread_.joinable()) return;
  reactor_.post([this] {
    for (const auto& [slot, asked] : asked_) release(asked);
    asked_.clear();
    base::spawn("health checks", end());
    // Every question has a deadline: that is how it ends now.
    reactor_.wheel().sweep(std::chrono::steady_clock::now() + kBeyondAll);
  });
  thread_.join();
}

base::Task<void> Prober::end() {
  co_await questions_.close();
  reactor_.stop();
}

void Prober::adopt(const routing::RoutingTable& table, const routing::TableChange& change) {
  std::vector<Wanted> wanted;
  for (const auto slot : change.upstreams) wanted.push_back(wanted_of(slot, table.upstream(slot)));
  const auto has_check = [](const Wanted& each) { return each.check != nullptr; };
  if (!thread_.joinable()) {
    if (std::ranges::none_of(wanted, has_check)) return;
    thread_ = std::thread([this] { reactor_.run(); });
  }
  reactor_.post([this, wanted = std::move(wanted)] { reconcile(wanted); });
}

Prober::Wanted Prober::wanted_of(std::uint32_t slot, const routing::CompiledUpstream* upstream) {
  Wanted wanted;
  wanted.slot = slot;
  if (upstream == nullptr) return wanted;
  const auto& check = upstream->upstream().health_check;
  if (check.type == snapshot::ProbeType::kNone) return wanted;
  wanted.upstream = upstream->upstream().name;
  wanted.check = std::make_shared<const health::Check>(check);
  for (const auto& each : upstream->endpoints().endpoints) {
    const auto address = base::parse_address(each.address);
    if (address) wanted.endpoints.emplace_back(*address, each.port);
  }
  return wanted;
}

void Prober::reconcile(const std::vector<Wanted>& wanted) {
  for (const auto& each : wanted) {
    auto before = asked_.extract(each.slot);
    // What stays is taken again before it is given up.
    Asked now;
    if (each.check) now = take(each);
    if (before) release(before.mapped());
    for (const auto& [name, target] : now.targets) {
      metrics_.add(now.upstream, target->text(), target->series());
    }
    if (each.check) asked_.emplace(each.slot, std::move(now));
  }
  parts_.on_change();
}

Prober::Asked Prober::take(const Wanted& wanted) {
  Asked out{wanted.upstream, {}};
  for (const auto& endpoint : wanted.endpoints) {
    const auto name = upstream::health_name(endpoint, wanted.check->settings);
    auto& shared = targets_[name];
    if (!shared.target) {
      shared.target =
          std::make_shared<health::Target>(parts_, wanted.check, endpoint, table_->of(name));
      shared.target->start();
    }
    if (out.targets.emplace(name, shared.target).second) ++shared.users;
  }
  return out;
}

void Prober::release(const Asked& asked) {
  for (const auto& [name, target] : asked.targets) {
    metrics_.remove(asked.upstream, target->text());
    const auto shared = targets_.find(name);
    if (--shared->second.users > 0) continue;
    target->stop();
    targets_.erase(shared);
  }
}

void Prober::report() {
  snapshot::HealthReport report;
  for (const auto& [slot, asked] : asked_) {
    for (const auto& [name, target] : asked.targets) {
      if (target->state() != base::Health::kDown) continue;
      if (report.down.size() >= kMostReported) break;
      report.down.push_back({asked.upstream, target->endpoint().address().to_string(),
                             target->endpoint().port(), target->finding()});
    }
  }
  on_report_(std::move(report));
}

}  // namespace penstock::worker
