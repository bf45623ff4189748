#pragma once
// One endpoint that is asked again and again. Belongs to the thread of its reactor; held by whoever
// wants it asked and, while a question is on its way, by that.
#include <functional>
#include <memory>
#include <random>
#include <string>

#include "proxy/base/gate.h"
#include "proxy/base/health.h"
#include "proxy/health/judge.h"
#include "proxy/health/probe.h"
#include "proxy/telemetry/endpoint_health.h"

namespace penstock::health {

/// What all targets share.
struct TargetParts {
  net::Reactor& reactor;
  net::TlsClientContext& tls;
  base::Gate& questions;  // on their way
  std::minstd_rand random{std::random_device{}()};
  std::function<void()> on_change;  // the state of some target
};

class Target : public std::enable_shared_from_this<Target> {
 public:
  Target(TargetParts& parts, std::shared_ptr<const Check> check, const base::TcpEndpoint& endpoint,
         std::shared_ptr<base::HealthCell> cell);

  void start();
  /// Nobody wants it any more.
  void stop();

  base::Health state() const { return judge_.state(); }
  /// Why it is down.
  const Finding& finding() const { return finding_; }
  const base::TcpEndpoint& endpoint() const { return endpoint_; }
  const std::string& text() const { return text_; }
  const std::shared_ptr<telemetry::HealthSeries>& series() const { return series_; }

 private:
  void ask();
  static base::Task<void> question(std::shared_ptr<Target> self, base::Gate::Pass pass);
  void take(Finding finding);
  base::Duration up_to(base::Duration most);

  TargetParts& parts_;
  std::shared_ptr<const Check> check_;
  base::TcpEndpoint endpoint_;
  std::string text_;
  std::shared_ptr<base::HealthCell> cell_;
  std::shared_ptr<telemetry::HealthSeries> series_;
  Judge judge_;
  Finding finding_;
  net::Timer timer_;
  bool is_stopped_ = false;
};

}  // namespace penstock::health
