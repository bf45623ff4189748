#include "controller/program/controller.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "proxy/base/log.h"

namespace penstock::program {
namespace {

/// How long the first publication waits for names to resolve: a name server that is away must not
/// keep everything else from being served.
constexpr std::chrono::seconds kLongestNameWait{3};
constexpr std::chrono::seconds kWatchMetrics{1};
constexpr std::chrono::milliseconds kLogDelay{300};
constexpr std::size_t kMostOnTheWay = 4096;
constexpr std::size_t kMostLogged = 100;  // new diagnostics of one batch

base::SteadyTime now() { return std::chrono::steady_clock::now(); }

}  // namespace

base::Result<std::unique_ptr<Controller>> Controller::make(asio::io_context& io, Options options,
                                                           Metrics& metrics) {
  auto socket = options.socket;
  std::unique_ptr<Controller> out(new Controller(io, std::move(options), metrics));
  publish::ServerEvents events;
  events.on_adopted = [self = out.get()](const snapshot::Adopted& adopted) {
    self->take_adopted(adopted);
  };
  events.on_refused = [self = out.get()](const snapshot::Refused& refused) {
    self->metrics_.add_refusal();
    base::log::error("the proxy refused version {}: {}", refused.version,
                     fmt::join(refused.reasons, "; "));
  };
  events.on_health = [self = out.get()](const snapshot::HealthReport& report) {
    self->endpoints_down_ = report.down;
    if (self->on_live) self->on_live();
  };
  events.on_proxies = [self = out.get()](std::size_t count) {
    self->metrics_.set_proxies(count);
    if (count == 0) self->endpoints_down_.clear();
    if (self->on_live) self->on_live();
  };
  auto server = publish::SnapshotServer::listen(io, socket, std::move(events));
  if (!server) return std::unexpected(server.error());
  out->server_ = std::move(*server);
  return out;
}

Controller::Controller(asio::io_context& io, Options options, Metrics& metrics)
    : io_(io),
      metrics_(metrics),
      translator_(std::move(options.translate)),
      resolver_(io, dns::read_resolv_conf(options.resolv_conf)),
      names_(io, resolver_,
             [this](const std::string& name, const dns::NameCache::Addresses& addresses) {
               if (dns::read_question(name).type == dns::Question::Type::kSrv) {
                 world_.set_targets(name, names_.targets_of(name), touched_);
               } else {
                 world_.set_addresses(name, addresses, touched_);
               }
               if (!batch_began_) batch_began_ = now();
               flush_soon();
             }),
      names_timer_(io),
      watch_timer_(io),
      log_timer_(io) {}

objects::SourceEvents Controller::source_events() {
  objects::SourceEvents events;
  events.on_change = [this](objects::Change change) { take(change); };
  events.on_synced = [this](objects::Kind kind) { take_synced(kind); };
  events.on_settled = [this] {
    if (!has_published_) flush_soon();
  };
  return events;
}

void Controller::run_from(objects::Source& source) {
  source_ = &source;
  schedule_watch_metrics();
  source.start();
}

void Controller::take(const objects::Change& change) {
  if (!batch_began_) batch_began_ = now();
  world_.apply(change, touched_);
  flush_soon();
}

void Controller::take_synced(objects::Kind kind) {
  synced_.insert(kind);
  flush_soon();
}

/// After whatever else the same wake-up brings.
void Controller::flush_soon() {
  if (is_flush_due_ || synced_.size() < objects::kKinds.size()) return;
  is_flush_due_ = true;
  asio::post(io_, [this] {
    is_flush_due_ = false;
    flush();
  });
}

void Controller::flush() {
  if (!has_translated_ || !touched_.empty()) {
    const auto began = now();
    const auto touched = std::exchange(touched_, {});
    auto changes = translator_.translate(world_, touched);
    metrics_.add_translation(now() - began, changes.size());
    metrics_.take_changes(changes);
    has_translated_ = true;
    for (auto& [key, part] : changes) pending_.insert_or_assign(key, std::move(part));
    metrics_.set_objects(world_);
    follow_wanted();
    log_diagnostics_soon();
    if (on_translated) on_translated();
  }
  if (may_publish()) publish();
}

void Controller::follow_wanted() {
  if (names_revision_ != translator_.names_revision()) {
    names_revision_ = translator_.names_revision();
    names_.set_names(translator_.wanted_names());
  }
  const auto secrets = translator_.take_secrets_change();
  if (!secrets.is_empty()) source_->change_wanted_secrets(secrets);
}

bool Controller::may_publish() {
  if (has_published_) return true;
  if (!source_->has_settled()) return false;
  const auto wanted = translator_.wanted_names();
  const bool waits_for_names = std::ranges::any_of(wanted, [&](const std::string& name) {
    return names_.find(name) == nullptr && !names_.failure_of(name);
  });
  if (!waits_for_names) return true;
  if (!names_wait_until_) {
    names_wait_until_ = now() + kLongestNameWait;
    names_timer_.expires_at(*names_wait_until_);
    names_timer_.async_wait([this](base::error_code code) {
      if (!code) flush_soon();
    });
  }
  return now() >= *names_wait_until_;
}

void Controller::publish() {
  const auto began = std::exchange(batch_began_, std::nullopt);
  if (pending_.empty() && has_published_) return;
  const auto version = server_->publish(std::exchange(pending_, {}));
  has_published_ = true;
  if (began && server_->proxies() > 0) on_the_way_.emplace_back(version, *began);
  if (on_the_way_.size() > kMostOnTheWay) on_the_way_.pop_front();
  metrics_.add_publication(server_->bytes_sent());
}

void Controller::take_adopted(const snapshot::Adopted& adopted) {
  metrics_.add_adoption();
  metrics_.set_unopened_ports(adopted.problems.size());
  port_problems_ = adopted.problems;
  if (on_live) on_live();
  is_ready_.set(true);
  // In a cluster a version is nothing that a person waits for.
  if (translator_.options().is_without_api_server) {
    base::log::info("version {} is live", adopted.version);
  }
  const auto live = now();
  while (!on_the_way_.empty() && on_the_way_.front().first <= adopted.version) {
    metrics_.add_change_to_live(live - on_the_way_.front().second);
    on_the_way_.pop_front();
  }
}

/// What stands for a moment only is not worth a line: a Secret that is being fetched, a Service
/// that is created after its Ingress.
void Controller::log_diagnostics_soon() {
  if (is_log_due_) return;
  is_log_due_ = true;
  log_timer_.expires_after(kLogDelay);
  log_timer_.async_wait([this](base::error_code code) {
    if (code) return;
    is_log_due_ = false;
    log_diagnostics();
  });
}

void Controller::log_diagnostics() {
  if (diagnostics_revision_ == translator_.diagnostics_revision() &&
      unreadable_revision_ == world_.unreadable_revision()) {
    return;
  }
  diagnostics_revision_ = translator_.diagnostics_revision();
  unreadable_revision_ = world_.unreadable_revision();
  std::set<std::string> current;
  std::size_t fresh = 0;
  std::size_t conflicts = 0;
  for (const auto& each : translator_.diagnostics(world_)) {
    conflicts += translate::is_conflict(each.reason) ? 1 : 0;
    auto text = translate::to_string(each);
    if (!logged_.contains(text) && ++fresh <= kMostLogged) {
      const auto where = source_->where(each.object, each.field);
      base::log::warn("{}{}{}", where, where.empty() ? "" : ": ", text);
    }
    current.insert(std::move(text));
  }
  if (fresh > kMostLogged) base::log::warn("and {} more", fresh - kMostLogged);
  if (translator_.options().is_without_api_server) log_mended(current);
  logged_ = std::move(current);
  metrics_.set_diagnostics(logged_.size());
  metrics_.set_port_conflicts(conflicts);
}

void Controller::log_mended(const std::set<std::string>& current) const {
  std::size_t count = 0;
  for (const auto& text : logged_) {
    if (!current.contains(text) && ++count <= kMostLogged) {
      base::log::info("no longer so: {}", text);
    }
  }
  if (count > kMostLogged) base::log::info("and {} more are no longer so", count - kMostLogged);
}

void Controller::schedule_watch_metrics() {
  metrics_.set_watches(source_->status(), now());
  watch_timer_.expires_after(kWatchMetrics);
  watch_timer_.async_wait([this](base::error_code code) {
    if (!code) schedule_watch_metrics();
  });
}

}  // namespace penstock::program
