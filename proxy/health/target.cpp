#include "proxy/health/target.h"

#include <algorithm>

#include "proxy/base/ip_net.h"
#include "proxy/base/log.h"

namespace penstock::health {
namespace {

/// Questions on their way at a time; the others wait a little.
constexpr std::size_t kMostAtOnce = 256;
constexpr base::Duration kWait{50};
/// The first questions of a new upstream are spread over so long.
constexpr base::Duration kFirstSpread{200};

}  // namespace

Target::Target(TargetParts& parts, std::shared_ptr<const Check> check,
               const base::TcpEndpoint& endpoint, std::shared_ptr<base::HealthCell> cell)
    : parts_(parts),
      check_(std::move(check)),
      endpoint_(endpoint),
      text_(base::format_endpoint(endpoint.address(), endpoint.port())),
      cell_(std::move(cell)),
      series_(std::make_shared<telemetry::HealthSeries>()),
      timer_(parts.reactor, [this] { ask(); }) {
  series_->healthy.add();  // as long as nothing else is known
}

void Target::start() {
  timer_.start(
      std::max(base::Duration(1), up_to(std::min(kFirstSpread, check_->settings.interval))));
}

void Target::stop() {
  is_stopped_ = true;
  timer_.cancel();
}

void Target::ask() {
  if (parts_.questions.inside() >= kMostAtOnce) return timer_.start(kWait);
  auto pass = parts_.questions.try_enter();
  if (pass) base::spawn("health check", question(shared_from_this(), std::move(*pass)));
}

base::Task<void> Target::question(std::shared_ptr<Target> self,
                                  [[maybe_unused]] base::Gate::Pass pass) {
  auto peer = self->endpoint_;
  if (self->check_->settings.port != 0) peer.port(self->check_->settings.port);
  auto finding = co_await probe(self->parts_.reactor, self->parts_.tls, *self->check_, peer);
  if (!self->is_stopped_) self->take(std::move(finding));
}

void Target::take(Finding finding) {
  const bool is_well = finding.empty();
  (is_well ? series_->passed : series_->failed).add();
  const bool is_news = judge_.take(is_well, check_->settings);
  finding_ = std::move(finding);
  if (is_news) {
    const bool was_healthy = cell_->get() != base::Health::kDown;
    cell_->set(judge_.state());
    if (is_well) {
      if (!was_healthy) base::log::info("endpoint {} passes its health checks again", text_);
      if (!was_healthy) series_->healthy.add();
    } else {
      base::log::warn("endpoint {} fails its health checks: {}", text_, finding_);
      series_->healthy.subtract();
    }
    parts_.on_change();
  }
  timer_.start(check_->settings.interval + up_to(check_->settings.jitter));
}

base::Duration Target::up_to(base::Duration most) {
  if (most.count() <= 0) return base::Duration(0);
  return base::Duration(parts_.random() % static_cast<std::uint64_t>(most.count() + 1));
}

}  // namespace penstock::health
