#include "controller/status/report_writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/kube/paths.h"
#include "controller/translate/class_selection.h"
#include "proxy/base/log.h"

namespace penstock::status {
namespace {

using std::chrono::steady_clock;

/// What stands for a moment only is not worth a write: a Service that comes after its Ingress.
constexpr std::chrono::milliseconds kReportSettle{300};
constexpr std::chrono::seconds kReportRetry{5};
constexpr std::chrono::seconds kAbsentKindRetry{60};
constexpr std::size_t kReportsAtOnce = 8;
constexpr std::size_t kLooksAtOnce = 500;

objects::ObjectKey key_of(const std::string& path) {
  const auto slash = path.find('/');
  return {objects::Kind::kIngress, path.substr(0, slash), path.substr(slash + 1)};
}

std::string report_path(const std::string& path) {
  auto key = key_of(path);
  key.kind = objects::Kind::kIngressReport;
  return kube::object_path(key);
}

}  // namespace

ReportWriter::ReportWriter(asio::io_context& io, kube::Client& client, Options options,
                           kube::Random random, std::function<View()> view)
    : io_(io),
      client_(client),
      options_(std::move(options)),
      random_(std::move(random)),
      events_(client),
      view_(std::move(view)),
      timer_(io) {}

void ReportWriter::set_leading(bool is_leading) {
  is_leading_ = is_leading;
  timer_.cancel();
  looks_at_.reset();
  watcher_.reset();
  known_.clear();
  open_.clear();
  due_.clear();
  writing_.clear();
  proxies_ = 0;
  if (!is_leading) return;
  kube::WatchTarget target;
  target.kind = objects::Kind::kIngressReport;
  target.name_space = options_.watch_namespace;
  objects::SourceEvents events;
  events.on_change = [this](const objects::Change& change) { take_standing(change); };
  events.on_synced = [this](objects::Kind) { update_live(); };
  watcher_ =
      std::make_unique<kube::Watcher>(io_, client_, std::move(target), std::move(events), random_);
  watcher_->start();
}

void ReportWriter::take_standing(const objects::Change& change) {
  const auto path = world::path_of(change.key);
  auto& known = known_[path];
  if (change.is_removed) {
    known.stands = false;
  } else {
    auto parsed = parse_report(change.json);
    if (!parsed) {
      base::log::warn("{}: {}", objects::to_string(change.key), parsed.error().message);
      parsed.emplace();  // is overwritten
    }
    // The watch may lag behind what was written last.
    if (known.stands && parsed->report.version < known.report.version) return;
    known.stands = true;
    known.report = std::move(parsed->report);
  }
  open_[path] = steady_clock::now() + kReportSettle;
  look_at(open_[path]);
}

void ReportWriter::update() {
  if (!is_leading_) return;
  const auto& translator = *view_().translator;
  const auto when = steady_clock::now() + kReportSettle;
  for (const auto* some : {&translator.reviewed_ingresses(), &translator.diagnosed_ingresses()}) {
    for (const auto& path : *some) open_.try_emplace(path, when);
  }
  if (!open_.empty()) look_at(when);
}

void ReportWriter::update_live() {
  if (!is_leading_) return;
  const auto now = steady_clock::now();
  for (auto& [path, when] : open_) when = std::min(when, now);
  look_at(now);
}

void ReportWriter::open_all(const View& view) {
  const auto now = steady_clock::now();
  view.world->for_each<objects::Ingress>([&](const objects::Ingress& ingress) {
    open_[ingress.meta.name_space + "/" + ingress.meta.name] = now;
  });
  for (const auto& [path, known] : known_) open_[path] = now;
}

void ReportWriter::look_at(base::SteadyTime when) {
  if (looks_at_ && *looks_at_ <= when) return;
  looks_at_ = when;
  timer_.after(std::max<base::SteadyTime::duration>(when - steady_clock::now(), {}), [this] {
    looks_at_.reset();
    compare();
  });
}

void ReportWriter::compare() {
  const auto view = view_();
  const bool serves = view.live.proxies > 0 && view.live.proxies_at(1) > 0;
  if (!is_leading_ || !watcher_->is_synced() || !serves) return;
  if (std::exchange(proxies_, view.live.proxies) != view.live.proxies) open_all(view);
  const auto now = steady_clock::now();
  std::size_t looked = 0;
  auto next_look = base::SteadyTime::max();
  for (auto next = open_.begin(); next != open_.end();) {
    if (next->second <= now && looked < kLooksAtOnce) {
      ++looked;
      const auto again = consider(view, next->first, now);
      if (!again) {
        next = open_.erase(next);
        continue;
      }
      next->second = *again;
    }
    next_look = std::min(next_look, next->second);
    ++next;
  }
  write_next();
  if (next_look != base::SteadyTime::max()) look_at(next_look);
}

std::optional<IngressReport> ReportWriter::wanted_of(const View& view, const std::string& path) {
  const auto* ingress = view.world->find<objects::Ingress>(path);
  if (ingress == nullptr) return std::nullopt;
  const auto& translator = *view.translator;
  translate::Reader reader(*view.world, translator.options());
  if (!translate::is_ours(reader, *ingress, translator.options())) return std::nullopt;
  IngressView out;
  out.ingress = ingress;
  out.controller = translator.options().controller_class;
  out.is_served = translator.served_ingresses().contains(path);
  const auto key = key_of(path);
  out.diagnostics = translator.diagnostics_of(key);
  if (const auto found = view.world->unreadable().find(key);
      found != view.world->unreadable().end()) {
    out.diagnostics.push_back({key, found->second.pointer,
                               found->second.message + "; the last good form is served",
                               translate::Reason::kInvalidSpec});
  }
  return make_report(out);
}

std::optional<base::SteadyTime> ReportWriter::consider(const View& view, const std::string& path,
                                                       base::SteadyTime now) {
  auto wanted = wanted_of(view, path);
  if (!wanted) {
    let_go(view, path);
    return std::nullopt;
  }
  auto& known = known_[path];
  if (known.version == 0 || !wanted->says_the_same(known.form)) {
    known.form = *wanted;
    known.version = view.live.version;
    known.changed_at = now;
  }
  wanted->version = known.version;
  wanted->live = fmt::format("{}/{}", view.live.proxies_at(known.version), view.live.proxies);
  due_.erase(path);
  if (writing_.contains(path)) return now + kReportSettle;
  const bool is_known = known.stands && wanted->says_the_same(known.report);
  // Other replicas come and go, and bring what is served with them: not worth a write to each.
  const bool is_live_as_before = wanted->is_live() && known.report.is_live();
  if (is_known && (is_live_as_before || wanted->live == known.report.live)) {
    known.lives_differ_since.reset();
    return std::nullopt;
  }
  if (is_known) {
    if (!known.lives_differ_since) known.lives_differ_since = now;
    const auto settles = *known.lives_differ_since + options_.live_settles;
    if (now < settles) return settles;
  } else {
    const auto waits =
        known.changed_at + (wanted->is_live() ? kReportSettle : options_.longest_wait);
    if (now < waits) return waits;
  }
  const bool says_anew =
      !known.stands || wanted->state != known.report.state || wanted->issues != known.report.issues;
  wanted->since = says_anew ? rfc3339_now() : known.report.since;
  const auto* ingress = view.world->find<objects::Ingress>(path);
  due_[path] = {ingress->meta.uid, std::move(*wanted), says_anew};
  return now + kReportRetry;  // until it is known to stand
}

/// One that is not ours, or not any more.
void ReportWriter::let_go(const View& view, const std::string& path) {
  due_.erase(path);
  const auto found = known_.find(path);
  if (found == known_.end()) return;
  const bool is_mine = found->second.stands && found->second.report.controller ==
                                                   view.translator->options().controller_class;
  known_.erase(found);
  if (is_mine) due_[path] = {};
}

void ReportWriter::write_next() {
  if (steady_clock::now() < paused_until_) return;
  for (auto next = due_.begin(); next != due_.end() && writing_.size() < kReportsAtOnce;) {
    const auto current = next++;
    if (writing_.contains(current->first)) continue;
    auto taken = due_.extract(current);
    write(taken.key(), std::move(taken.mapped()));
  }
}

void ReportWriter::write(const std::string& path, Write next) {
  kube::Request request;
  request.path = report_path(path);
  request.method = "DELETE";
  if (!next.uid.empty()) {
    request.method = "PATCH";
    request.path += "?fieldManager=penstock&force=true";
    request.content_type = "application/apply-patch+yaml";  // JSON is YAML
    request.body = report_json(path, next.uid, next.report);
  }
  writing_[path] = client_.send(
      std::move(request), [this, path, next = std::move(next)](const kube::Response& response) {
        take_written(path, next, response);
      });
}

void ReportWriter::take_written(const std::string& path, const Write& written,
                                const kube::Response& response) {
  const auto call = writing_.extract(path);  // dropped last: this runs inside of it
  const bool is_deletion = written.uid.empty();
  if (!response.is_ok() && !(is_deletion && response.status == 404)) {
    if (is_deletion) due_.try_emplace(path);
    return pause(path, response);
  }
  if (!is_deletion) {
    auto& known = known_[path];
    known.stands = true;
    known.report = written.report;
    known.lives_differ_since.reset();
    if (written.is_news) events_.write(report_event(key_of(path), written.uid, written.report));
  }
  write_next();
}

/// All wait: what one write meets the next would, too.
void ReportWriter::pause(const std::string& path, const kube::Response& response) {
  const auto now = steady_clock::now();
  const bool is_absent = response.status == 404;
  if (paused_until_ <= now) {
    base::log::warn(
        "IngressReport {}: {}", path,
        is_absent ? "the kind IngressReport is not installed" : response.failure_text());
  }
  paused_until_ = now + (is_absent ? kAbsentKindRetry : kReportRetry);
  for (auto& [each, when] : open_) when = std::max(when, paused_until_);
  open_[path] = paused_until_;
  look_at(paused_until_);
}

}  // namespace penstock::status
