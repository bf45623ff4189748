#include "proxy/telemetry/trace_exporter.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::telemetry {
namespace {

constexpr std::string_view kPath = "/v1/traces";
constexpr std::size_t kMostQueuedBytes = 32 << 20;
constexpr std::size_t kMostMessage = 4 << 20;  // bytes; collectors take 20 MiB and more
constexpr std::size_t kBuffered = 32;          // spans that a worker hands over at once
constexpr int kMostAttempts = 5;
constexpr std::chrono::seconds kTimeout{5};
constexpr std::chrono::seconds kLastWords{3};
constexpr std::chrono::milliseconds kFirstPause{1'000};
constexpr std::size_t kShown = 200;

bool is_success(std::uint16_t status) { return status >= 200 && status < 300; }

/// What the protocol calls retryable; a connection that failed is, too.
bool may_retry(std::uint16_t status) {
  return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

/// Of a partial success (ExportTracePartialSuccess): a number, or a number in quotes.
std::size_t rejected_spans(std::string_view body) {
  constexpr std::string_view kKey = "\"rejectedSpans\"";
  const auto at = body.find(kKey);
  if (at == std::string_view::npos) return 0;
  body.remove_prefix(at + kKey.size());
  const auto digit = std::ranges::find_if(body, base::is_digit) - body.begin();
  if (digit > 8) return 0;  // of something else
  std::size_t count = 0;
  std::from_chars(body.data() + digit, body.data() + body.size(), count);
  return count;
}

}  // namespace

TraceExporter::~TraceExporter() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
    last_moment_ = std::chrono::steady_clock::now() + kLastWords;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void TraceExporter::configure(const snapshot::TraceSettings& settings,
                              const snapshot::Instance& instance) {
  const std::lock_guard lock(mutex_);
  is_moved_ |= settings.collector_host != settings_.collector_host ||
               settings.collector_port != settings_.collector_port;
  settings_ = settings;
  message_head_ = message_head(settings, instance);
  if (settings_.collector_host.empty()) {
    counts_.unreachable.add(queue_.size());
    queue_.clear();
    queued_bytes_ = 0;
  } else if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
  }
  wake_.notify_one();
}

void TraceExporter::submit(std::vector<std::string> spans) {
  const std::lock_guard lock(mutex_);
  for (auto& span : spans) {
    const bool has_room = !settings_.collector_host.empty() &&
                          queue_.size() + in_flight_ < settings_.max_queue &&
                          queued_bytes_ + span.size() <= kMostQueuedBytes;
    if (!has_room) {
      counts_.queue_full.add();
      continue;
    }
    queued_bytes_ += span.size();
    queue_.push_back(std::move(span));
  }
  wake_.notify_one();
}

void TraceExporter::run() {
  Lock lock(mutex_);
  for (;;) {
    wait_for_batch(lock);
    if (!queue_.empty()) send_batch(lock);
    if (!is_ending_) continue;
    if (queue_.empty()) return;
    if (std::chrono::steady_clock::now() < last_moment_) continue;
    counts_.unreachable.add(queue_.size());
    return;
  }
}

/// Until there is a whole batch, or the first span has waited for long enough.
void TraceExporter::wait_for_batch(Lock& lock) {
  wake_.wait(lock, [this] { return is_ending_ || !queue_.empty(); });
  const auto end = std::chrono::steady_clock::now() + settings_.delay;
  wake_.wait_until(lock, end, [this] {
    return is_ending_ || queue_.empty() || queue_.size() >= settings_.max_batch;
  });
}

TraceExporter::Batch TraceExporter::take_batch() {
  Batch batch;
  batch.message = message_head_;
  while (!queue_.empty() && batch.spans < settings_.max_batch &&
         batch.message.size() < kMostMessage) {
    if (batch.spans != 0) batch.message += ',';
    batch.message += queue_.front();
    queued_bytes_ -= queue_.front().size();
    queue_.pop_front();
    ++batch.spans;
  }
  batch.message += kMessageTail;
  return batch;
}

void TraceExporter::send_batch(Lock& lock) {
  const auto batch = take_batch();
  in_flight_ = batch.spans;
  for (int attempt = 1;; ++attempt) {
    const auto answer = post(lock, batch);
    if (is_success(answer.status)) {
      const auto rejected = std::min(rejected_spans(answer.body), batch.spans);
      counts_.refused.add(rejected);
      counts_.exported.add(batch.spans - rejected);
      break;
    }
    const bool is_last = attempt == kMostAttempts || is_ending_ || settings_.collector_host.empty();
    if (!may_retry(answer.status) || is_last) {
      auto& lost = may_retry(answer.status) ? counts_.unreachable : counts_.refused;
      lost.add(batch.spans);
      break;
    }
    wake_.wait_for(lock, pause_after(attempt, answer), [this] { return is_ending_ || is_moved_; });
  }
  in_flight_ = 0;
}

PostAnswer TraceExporter::post(Lock& lock, const Batch& batch) {
  if (std::exchange(is_moved_, false) || !poster_) {
    poster_.emplace(settings_.collector_host, settings_.collector_port);
  }
  const bool may_resolve = !is_ending_;
  auto deadline = std::chrono::steady_clock::now() + kTimeout;
  if (is_ending_) deadline = std::min(deadline, last_moment_);
  lock.unlock();
  auto answer = poster_->post(kPath, batch.message, deadline, may_resolve);
  tell(answer);  // without the lock: whoever reads our log may be slow
  lock.lock();
  return answer;
}

/// Twice as long each time, with up to a half more: the proxies of a cluster do not come at once.
std::chrono::milliseconds TraceExporter::pause_after(int attempt, const PostAnswer& answer) {
  draws_ = draws_ * 1664525U + 1013904223U;
  const std::chrono::milliseconds pause = kFirstPause * (1 << (attempt - 1));
  const std::chrono::milliseconds spread(pause.count() * (draws_ >> 16 & 0xff) / 512);
  return std::max<std::chrono::milliseconds>(pause + spread, answer.retry_after);
}

/// Once until it works again.
void TraceExporter::tell(const PostAnswer& answer) {
  if (is_success(answer.status)) {
    if (std::exchange(has_complained_, false)) {
      base::log::info("trace collector {}: takes spans again", poster_->authority());
    }
    return;
  }
  if (std::exchange(has_complained_, true)) return;
  const auto why = answer.status == 0
                       ? answer.failure
                       : fmt::format("answered {} {}", answer.status,
                                     base::escape_controls(answer.body.substr(0, kShown)));
  base::log::error("trace collector {}: {}", poster_->authority(), why);
}

void SpanBuffer::add(const HttpRecord& record, std::string_view name, const SpanTimes& times) {
  if (exporter_ == nullptr || !record.trace->server.is_sampled) return;
  for (auto& span : make_spans(record, name, times)) spans_.push_back(std::move(span));
  if (spans_.size() >= kBuffered) flush();
}

void SpanBuffer::flush() {
  if (spans_.empty()) return;
  exporter_->submit(std::exchange(spans_, {}));
}

}  // namespace penstock::telemetry
