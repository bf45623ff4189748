#include "controller/status/replica_board.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/kube/paths.h"
#include "controller/status/events.h"
#include "proxy/base/log.h"

namespace penstock::status {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// Several versions may come in a moment.
constexpr milliseconds kSaySettle{100};
constexpr milliseconds kSayRetry{5'000};
constexpr milliseconds kLooksForSilence{5'000};
constexpr milliseconds kLongestGoodbye{2'000};
constexpr std::size_t kMostReplicas = 4096;

}  // namespace

ReplicaBoard::ReplicaBoard(asio::io_context& io, kube::Client& client, Options options,
                           Events events, kube::Random random)
    : io_(io),
      client_(client),
      options_(std::move(options)),
      events_(std::move(events)),
      random_(std::move(random)),
      group_(events_.mine().group),
      say_timer_(io),
      renew_timer_(io),
      silence_timer_(io) {}

std::string ReplicaBoard::path_of(const std::string& pod) const {
  return kube::object_path({objects::Kind::kReplicaReport, options_.name_space, pod});
}

void ReplicaBoard::update() { say_later(kSaySettle); }

void ReplicaBoard::say_later(milliseconds delay) {
  if (is_stopped_ || std::exchange(is_due_, true)) return;
  say_timer_.after(delay, [this] {
    is_due_ = false;
    say();
  });
}

void ReplicaBoard::say() {
  if (is_stopped_) return;
  if (is_saying_) return say_later(kSaySettle);
  auto mine = events_.mine();
  const auto now = steady_clock::now();
  if (mine.proxies > 0) {
    served_at_ = now;
  } else if (said_.renewed.empty()) {
    return;  // the first table is still to come
  } else if (const auto away = now - served_at_; away < options_.absence) {
    say_later(std::chrono::ceil<milliseconds>(options_.absence - away));
    return;
  }
  const bool is_renewal = now - said_at_ >= options_.renew_every;
  if (!is_renewal && mine.says_the_same(said_)) return;
  mine.renewed = rfc3339_now();
  is_saying_ = true;
  saying_ =
      client_.apply(path_of(options_.pod) + "?fieldManager=penstock&force=true",
                    replica_json({options_.name_space, options_.pod, options_.uid}, mine),
                    [this, mine](const kube::Response& response) { take_said(mine, response); });
}

void ReplicaBoard::take_said(const ReplicaReport& said, const kube::Response& response) {
  const auto call = std::move(saying_);  // dropped last: this runs inside of it
  is_saying_ = false;
  if (response.is_ok()) {
    said_ = said;
    said_at_ = steady_clock::now();
    is_absent_logged_ = false;
    renew_timer_.after(options_.renew_every, [this] { say(); });
    return update();  // what has changed meanwhile
  }
  if (!std::exchange(is_absent_logged_, true)) {
    base::log::warn("ReplicaReport {}/{}: {}", options_.name_space, options_.pod,
                    response.status == 404 ? "the kind ReplicaReport is not installed"
                                           : response.failure_text());
  }
  renew_timer_.after(response.status == 404 ? options_.renew_every * 6 : kSayRetry,
                     [this] { say(); });
}

void ReplicaBoard::set_leading(bool is_leading) {
  watcher_.reset();
  known_.clear();
  silence_timer_.cancel();
  has_waited_ = false;
  if (!is_leading || is_stopped_) return;
  kube::WatchTarget target;
  target.kind = objects::Kind::kReplicaReport;
  target.name_space = options_.name_space;
  objects::SourceEvents events;
  events.on_change = [this](const objects::Change& change) { take(change); };
  events.on_synced = [this](objects::Kind) { events_.on_change(); };
  watcher_ =
      std::make_unique<kube::Watcher>(io_, client_, std::move(target), std::move(events), random_);
  watcher_->start();
  look_for_silence();
}

void ReplicaBoard::take(const objects::Change& change) {
  const auto& pod = change.key.name;
  if (pod == options_.pod) return;
  if (change.is_removed) {
    if (known_.erase(pod) > 0) events_.on_change();
    return;
  }
  auto report = parse_replica(change.json);
  if (!report) {
    return base::log::warn("{}: {}", objects::to_string(change.key), report.error().message);
  }
  if (report->group != group_ || (known_.size() >= kMostReplicas && !known_.contains(pod))) return;
  auto& known = known_[pod];
  const bool is_news = !known.was_fresh || !report->says_the_same(known.other.report);
  known.other.pod = pod;
  known.other.report = std::move(*report);
  known.heard_at = steady_clock::now();
  known.was_fresh = true;
  if (is_news) events_.on_change();
}

bool ReplicaBoard::is_fresh(const Known& known, base::SteadyTime now) const {
  return now - known.heard_at < options_.stale_after;
}

void ReplicaBoard::look_for_silence() {
  silence_timer_.after(std::min(kLooksForSilence, options_.stale_after), [this] {
    const auto now = steady_clock::now();
    bool is_news = !std::exchange(has_waited_, true) && !watcher_->is_synced();
    for (auto& [pod, known] : known_) {
      if (std::exchange(known.was_fresh, is_fresh(known, now)) != known.was_fresh) {
        base::log::warn("replica {} has not been heard of for {} s", pod,
                        options_.stale_after.count() / 1000);
        is_news = true;
      }
      if (now - known.heard_at < options_.forgotten_after) continue;
      known.heard_at = now - options_.stale_after;  // once in a while
      deleting_ =
          client_.send({"DELETE", path_of(pod), "", "", 64 << 10}, [](const kube::Response&) {});
    }
    if (is_news) events_.on_change();
    look_for_silence();
  });
}

std::vector<ReplicaBoard::Other> ReplicaBoard::others(const LastUnder& last_under) {
  std::vector<Other> out;
  const auto now = steady_clock::now();
  for (auto& [pod, known] : known_) {
    auto& other = known.other;
    other.reached = std::max(other.reached, last_under(other.report.config));
    if (is_fresh(known, now)) out.push_back(other);
  }
  return out;
}

void ReplicaBoard::stop(std::function<void()> on_done) {
  set_leading(false);
  is_stopped_ = true;
  say_timer_.cancel();
  renew_timer_.cancel();
  saying_.cancel();
  if (said_.renewed.empty()) return on_done();
  const auto done = std::make_shared<std::function<void()>>(std::move(on_done));
  const auto finish = [this, done] {
    silence_timer_.cancel();
    if (auto call = std::exchange(*done, nullptr)) call();
  };
  silence_timer_.after(kLongestGoodbye, finish);
  deleting_ = client_.send({"DELETE", path_of(options_.pod), "", "", 64 << 10},
                           [finish](const kube::Response&) { finish(); });
}

}  // namespace penstock::status
