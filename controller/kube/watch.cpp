#include "controller/kube/watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "controller/kube/paths.h"
#include "proxy/base/log.h"

namespace penstock::kube {

namespace log = base::log;
using std::chrono::steady_clock;

namespace {

constexpr int kForbidden = 403;
constexpr int kGone = 410;
constexpr std::size_t kMaxRefusal = 4096;

std::string id_of(const RawObject& object) { return object.name_space + '/' + object.name; }

/// Kinds that a CustomResourceDefinition brings: they may be missing without anything being wrong.
bool may_be_absent(const objects::KindInfo& kind) {
  return kind.api_version.starts_with("penstock.dev/") ||
         kind.api_version.starts_with("gateway.networking.k8s.io/");
}

}  // namespace

std::string selector_query(const WatchTarget& target) {
  std::string selector = target.field_selector;
  if (!target.name.empty()) {
    if (!selector.empty()) selector += ',';
    selector += "metadata.name=" + target.name;
  }
  std::string query = selector.empty() ? selector : "fieldSelector=" + encode_url(selector);
  if (!target.label_selector.empty()) {
    query +=
        (query.empty() ? "labelSelector=" : "&labelSelector=") + encode_url(target.label_selector);
  }
  return query;
}

Watcher::Watcher(asio::io_context& io, Client& client, WatchTarget target,
                 objects::SourceEvents events, Random random, WatchTiming timing)
    : client_(client),
      target_(std::move(target)),
      events_(std::move(events)),
      random_(random),
      timing_(timing),
      backoff_(timing.first_retry, timing.longest_retry, std::move(random)),
      timer_(io),
      lines_(timing.max_line),
      api_version_(objects::info_of(target_.kind).api_version),
      page_size_(timing.page_size) {}

void Watcher::start() {
  disconnected_since_ = steady_clock::now();
  begin_list();
}

void Watcher::stop() {
  is_stopped_ = true;
  timer_.cancel();
  call_.cancel();
}

// --- list ----------------------------------------------------------------------------------------

void Watcher::begin_list() {
  ++counters_.lists;
  ++generation_;
  continue_token_.clear();
  request_page();
}

void Watcher::request_page() {
  Request request;
  request.max_body = timing_.max_page;
  request.path = fmt::format(
      "{}?limit={}",
      collection_path(api_version_, objects::info_of(target_.kind).plural, target_.name_space),
      page_size_);
  if (const auto selector = selector_query(target_); !selector.empty()) {
    request.path += '&' + selector;
  }
  if (!continue_token_.empty()) request.path += "&continue=" + encode_url(continue_token_);
  call_ =
      client_.send(std::move(request), [this](Response response) { on_page(std::move(response)); });
}

void Watcher::on_page(Response response) {
  if (response.status != 0) counters_.last_contact = std::chrono::system_clock::now();
  if (response.is_ok()) return take_page(std::move(response.body));
  if (response.status == 404 && may_be_absent(objects::info_of(target_.kind))) {
    return turn_to_other_version() ? begin_list() : on_kind_absent();
  }
  on_page_refused(response);
}

void Watcher::on_page_refused(const Response& response) {
  // Pages of one list come from one moment; when the server has compacted it, all begins again.
  if (response.status == kGone && !continue_token_.empty()) {
    return relist_gone("the list took too long to read in pages");
  }
  if (response.is_too_large && page_size_ > 1) {
    page_size_ = std::max(1, page_size_ / 4);
    return fail(fmt::format("a page is too large, trying {} objects a page", page_size_), {},
                &Watcher::begin_list);
  }
  if (response.status == kForbidden) {
    ++counters_.refused_lists;
    if (events_.on_settled) events_.on_settled();
    if (is_stopped_) return;
  }
  // A page that failed for a moment is asked for again; the continue token stays good for minutes.
  const bool may_continue =
      response.status == 0 || response.status == 429 || response.status >= 500;
  fail(response.failure_text(), response.retry_after,
       may_continue ? &Watcher::request_page : &Watcher::begin_list);
}

void Watcher::take_page(std::string body) {
  const auto page = parse_list_page(body);
  if (!page) return fail(page.error().message, {}, &Watcher::begin_list);
  for (const auto& item : page->items) {
    deliver(item);
    if (is_stopped_) return;
  }
  continue_token_ = page->continue_token;
  if (!continue_token_.empty()) return request_page();
  resource_version_ = page->resource_version;
  finish_list();
}

void Watcher::finish_list() {
  counters_.refused_lists = 0;
  has_turned_ = false;
  remove_unseen();
  if (is_stopped_) return;
  note_contact();
  mark_synced();
  if (!is_stopped_) begin_watch();
}

bool Watcher::turn_to_other_version() {
  const auto& info = objects::info_of(target_.kind);
  has_turned_ = !has_turned_ && !info.older_version.empty();
  if (!has_turned_) return false;
  api_version_ = api_version_ == info.api_version ? info.older_version : info.api_version;
  return true;
}

void Watcher::on_kind_absent() {
  log::debug("{}: not known to the API server, so there are none", label());
  remove_unseen();
  if (is_stopped_) return;
  note_contact();
  mark_synced();
  const double jitter = 1 + 0.2 * random_();
  const auto delay = std::chrono::duration<double, std::milli>(timing_.absent_kind_retry) * jitter;
  later(std::chrono::duration_cast<std::chrono::milliseconds>(delay), &Watcher::begin_list);
}

// --- watch ---------------------------------------------------------------------------------------

void Watcher::begin_watch() {
  if (!std::exchange(is_first_watch_, false)) ++counters_.restarts;
  const auto length = static_cast<double>(timing_.watch_length.count()) * (1 + 0.5 * random_());
  Request request;
  request.path = fmt::format(
      "{}?watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
      collection_path(api_version_, objects::info_of(target_.kind).plural, target_.name_space),
      std::max(1, static_cast<int>(length)), encode_url(resource_version_));
  if (const auto selector = selector_query(target_); !selector.empty()) {
    request.path += '&' + selector;
  }
  watch_began_ = steady_clock::now();
  watch_head_ = {};
  refusal_.clear();
  lines_ = LineSplitter(timing_.max_line);
  StreamEvents events;
  events.on_head = [this](const Response& head) { on_watch_head(head); };
  events.on_data = [this](std::string_view piece) { on_watch_data(piece); };
  events.on_end = [this](const std::string& failure) { on_watch_end(failure); };
  call_ = client_.stream(std::move(request), std::move(events));
}

void Watcher::on_watch_head(const Response& head) {
  watch_head_ = head;
  // The back-off goes on until the watch has proved itself (an event, or a decent length).
  if (head.is_ok()) disconnected_since_.reset();
  counters_.last_contact = std::chrono::system_clock::now();
}

void Watcher::on_watch_data(std::string_view piece) {
  if (!watch_head_.is_ok()) {
    refusal_.append(piece.substr(0, kMaxRefusal - std::min(kMaxRefusal, refusal_.size())));
    return;
  }
  counters_.last_contact = std::chrono::system_clock::now();
  lines_.push(piece);
  while (const auto line = lines_.take()) {
    if (line->empty()) continue;
    std::string text(*line);
    const auto event = parse_watch_event(text);
    if (!event) return relist_later(event.error().message);
    if (!take_event(*event) || is_stopped_) return;
  }
  if (lines_.is_too_long()) relist_later("an event is too large");
}

bool Watcher::take_event(const WatchEvent& event) {
  if (event.type == WatchEventType::kError) {
    if (event.status_code == kGone) {
      relist_gone("the resource version is too old");
    } else {
      call_.cancel();
      fail(fmt::format("status {}: {}", event.status_code, event.message), {},
           &Watcher::begin_watch);
    }
    return false;
  }
  note_progress();
  resource_version_ = event.object.resource_version;
  if (event.type == WatchEventType::kDeleted) {
    deliver_removed(id_of(event.object));
  } else if (event.type != WatchEventType::kBookmark) {
    deliver(event.object);
  }
  return true;
}

void Watcher::on_watch_end(const std::string& failure) {
  if (watch_head_.status == kGone) return relist_gone("the resource version is too old");
  if (watch_head_.status != 0 && !watch_head_.is_ok()) {
    watch_head_.body = refusal_;
    // Refused for what we asked, as by a kind that is gone or a right that was taken: the list is
    // what tells the difference.
    const bool is_momentary = watch_head_.status == 429 || watch_head_.status >= 500;
    return fail(watch_head_.failure_text(), watch_head_.retry_after,
                is_momentary ? &Watcher::begin_watch : &Watcher::begin_list);
  }
  const auto lived = steady_clock::now() - watch_began_;
  if (lived >= timing_.shortest_watch) note_progress();
  if (failure.empty() && lived >= timing_.shortest_watch) return begin_watch();
  fail(failure.empty() ? "the watch ended at once" : failure, {}, &Watcher::begin_watch);
}

// --- what is known -------------------------------------------------------------------------------

void Watcher::deliver(const RawObject& object) {
  auto& known = known_[id_of(object)];
  known.generation = generation_;
  counters_.objects = known_.size();
  if (known.resource_version == object.resource_version && !object.resource_version.empty()) return;
  known.resource_version = object.resource_version;
  objects::Change change;
  change.key = {target_.kind, object.name_space, object.name};
  change.json = std::string(object.json);
  events_.on_change(std::move(change));
}

void Watcher::deliver_removed(const std::string& id) {
  if (known_.erase(id) == 0) return;
  counters_.objects = known_.size();
  const auto slash = id.find('/');
  objects::Change change;
  change.key = {target_.kind, id.substr(0, slash), id.substr(slash + 1)};
  change.is_removed = true;
  events_.on_change(std::move(change));
}

void Watcher::remove_unseen() {
  std::vector<std::string> gone;
  for (const auto& [id, known] : known_) {
    if (known.generation != generation_) gone.push_back(id);
  }
  std::sort(gone.begin(), gone.end());
  for (const auto& id : gone) {
    if (is_stopped_) return;
    deliver_removed(id);
  }
}

void Watcher::mark_synced() {
  if (std::exchange(is_synced_, true)) return;
  if (events_.on_synced) events_.on_synced(target_.kind);
}

// --- failures ------------------------------------------------------------------------------------

void Watcher::note_contact() {
  disconnected_since_.reset();
  counters_.last_contact = std::chrono::system_clock::now();
}

void Watcher::fail(const std::string& why, std::optional<std::chrono::seconds> retry_after,
                   void (Watcher::*next)()) {
  ++counters_.failures;
  if (!disconnected_since_) disconnected_since_ = steady_clock::now();
  const auto delay = backoff_.next(retry_after);
  // A single broken watch is everyday life (a load balancer, a restarted server).
  const auto level = backoff_.failures() > 1 ? log::Level::kWarn : log::Level::kDebug;
  if (log::is_enabled(level)) {
    log::write(level, fmt::format("{}: {}; trying again in {} ms", label(), why, delay.count()));
  }
  later(delay, next);
}

void Watcher::note_progress() {
  backoff_.reset();
  has_relisted_ = false;
}

void Watcher::relist_gone(const std::string& why) {
  if (std::exchange(has_relisted_, true)) return relist_later(why);
  call_.cancel();
  ++counters_.relists;
  log::debug("{}: {}; listing again", label(), why);
  later(std::chrono::milliseconds(0), &Watcher::begin_list);
}

void Watcher::relist_later(const std::string& why) {
  call_.cancel();
  ++counters_.relists;
  fail(why, {}, &Watcher::begin_list);
}

void Watcher::later(std::chrono::milliseconds delay, void (Watcher::*next)()) {
  timer_.after(delay, [this, next] { (this->*next)(); });
}

std::string Watcher::label() const {
  const auto& info = objects::info_of(target_.kind);
  std::string text = fmt::format("watch of {}", info.plural);
  if (!target_.name_space.empty()) text += " in " + target_.name_space;
  if (!target_.name.empty()) text += " named " + target_.name;
  return text;
}

}  // namespace penstock::kube
