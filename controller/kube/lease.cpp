#include "controller/kube/lease.h"

#include "controller/kube/list_page.h"
#include "controller/kube/paths.h"
#include "proxy/base/log.h"

namespace penstock::kube {

namespace log = base::log;

LeaderElection::LeaderElection(asio::io_context& io, Client& client, LeaseOptions options,
                               Events events, Random random, Clocks clocks)
    : client_(client),
      options_(std::move(options)),
      events_(std::move(events)),
      random_(std::move(random)),
      clocks_(std::move(clocks)),
      view_(options_),
      retry_timer_(io),
      deadline_timer_(io) {}

void LeaderElection::start() { attempt(); }

void LeaderElection::attempt() {
  attempted_at_ = clocks_.steady();
  call_ = client_.get(path(), [this](Response response) { on_read(std::move(response)); });
}

void LeaderElection::on_read(Response response) {
  if (response.status == 404) {
    view_.observe_absence();
    return try_to_write(true);
  }
  if (!response.is_ok()) {
    log::warn("lease {}/{}: cannot be read: {}", options_.name_space, options_.name,
              response.failure_text());
    return retry_later();
  }
  auto record = parse_lease(response.body);
  if (!record) {
    log::warn("lease {}/{}: {}", options_.name_space, options_.name, record.error().message);
    return retry_later();
  }
  view_.observe(std::move(*record), clocks_.steady());
  // Someone took it over while we could not renew.
  if (is_leading_ && !view_.is_mine()) stop_leading();
  if (is_stopping_) return;
  try_to_write(false);
}

void LeaderElection::try_to_write(bool is_new) {
  if (!view_.may_write(clocks_.steady())) return retry_later();
  write(view_.claim(clocks_.wall()), is_new);
}

void LeaderElection::write(const LeaseRecord& record, bool is_new) {
  auto done = [this](const Response& response) { on_written(response); };
  call_ = is_new ? client_.create(collection(), encode_lease(record), std::move(done))
                 : client_.put(path(), encode_lease(record), std::move(done));
}

void LeaderElection::on_written(const Response& response) {
  if (!response.is_ok()) {
    // 409: another was faster, which is no fault.
    if (response.status != 409) {
      log::warn("lease {}/{}: cannot be written: {}", options_.name_space, options_.name,
                response.failure_text());
    }
    return retry_later();
  }
  std::string body = response.body;
  if (auto record = parse_lease(body)) view_.observe(std::move(*record), clocks_.steady());
  hold_until_deadline();
  retry_later();
  if (std::exchange(is_leading_, true)) return;
  log::info("lease {}/{}: leading as {}", options_.name_space, options_.name, options_.identity);
  if (events_.on_started_leading) events_.on_started_leading();
}

void LeaderElection::retry_later() {
  auto delay = options_.retry();
  // Those who wait spread out, or all would come at once when a leader goes.
  if (!is_leading_) {
    delay += std::chrono::milliseconds(
        static_cast<std::int64_t>(static_cast<double>(delay.count()) * 0.2 * random_()));
  }
  retry_timer_.after(delay, [this] { attempt(); });
}

void LeaderElection::hold_until_deadline() {
  // From when the attempt began: the server may have written at any moment after it.
  const auto spent = clocks_.steady() - attempted_at_;
  deadline_timer_.after(options_.renew_deadline() - spent, [this] {
    if (!is_leading_) return;
    log::warn("lease {}/{}: not renewed in time", options_.name_space, options_.name);
    // A renewal may hang: a new attempt begins, or it would come back as if we still led.
    call_.cancel();
    retry_later();
    stop_leading();
  });
}

void LeaderElection::stop_leading() {
  if (!std::exchange(is_leading_, false)) return;
  deadline_timer_.cancel();
  log::info("lease {}/{}: no longer leading", options_.name_space, options_.name);
  if (events_.on_stopped_leading) events_.on_stopped_leading();
}

void LeaderElection::stop(std::function<void()> on_done) {
  is_stopping_ = true;
  on_stop_done_ = std::move(on_done);
  const bool is_ours = is_leading_ && view_.is_mine();
  stop_leading();
  retry_timer_.cancel();
  call_.cancel();
  if (!is_ours) return finish_stop();
  deadline_timer_.after(options_.renew_deadline(), [this] {
    call_.cancel();
    finish_stop();
  });
  call_ = client_.put(path(), encode_lease(view_.release(clocks_.wall())),
                      [this](const Response&) { finish_stop(); });
}

void LeaderElection::finish_stop() {
  deadline_timer_.cancel();
  if (const auto done = std::exchange(on_stop_done_, nullptr)) done();
}

std::string LeaderElection::collection() const {
  return collection_path("coordination.k8s.io/v1", "leases", options_.name_space);
}

std::string LeaderElection::path() const {
  return object_path("coordination.k8s.io/v1", "leases", options_.name_space, options_.name);
}

}  // namespace penstock::kube
