#pragma once
// Spans on their way to a collector by OTLP over HTTP, in JSON. A worker gathers spans in a buffer
// of its own and hands over whole buffers; one thread sends them. Nothing here ever makes a worker
// wait for the collector: what the bounded queue has no room for is dropped and counted.
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "proxy/snapshot/global.h"
#include "proxy/telemetry/http_post.h"
#include "proxy/telemetry/spans.h"
#include "proxy/telemetry/trace_counts.h"

namespace penstock::telemetry {

/// One for the process; outlives the workers, and is outlived by `counts`.
class TraceExporter {
 public:
  explicit TraceExporter(TraceCounts& counts) : counts_(counts) {}
  /// Sends what is left, as far as that goes within a few seconds.
  ~TraceExporter();
  TraceExporter(const TraceExporter&) = delete;
  TraceExporter& operator=(const TraceExporter&) = delete;

  /// From any one thread. The thread is started where there is a collector for the first time.
  void configure(const snapshot::TraceSettings& settings, const snapshot::Instance& instance);
  /// From any thread.
  void submit(std::vector<std::string> spans);

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Batch {
    std::string message;
    std::size_t spans = 0;
  };

  void run();
  void wait_for_batch(Lock& lock);
  Batch take_batch();
  void send_batch(Lock& lock);
  PostAnswer post(Lock& lock, const Batch& batch);
  void tell(const PostAnswer& answer);
  std::chrono::milliseconds pause_after(int attempt, const PostAnswer& answer);

  TraceCounts& counts_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  std::size_t in_flight_ = 0;  // spans of the batch that is being sent
  snapshot::TraceSettings settings_;
  std::string message_head_;
  bool is_moved_ = false;  // the collector, since the thread has last looked
  bool is_ending_ = false;
  base::SteadyTime last_moment_;       // while ending
  std::optional<HttpPoster> poster_;   // of the thread
  bool has_complained_ = false;        // of the thread
  std::uint32_t draws_ = 0x9e3779b9U;  // of the thread: for pauses
  std::thread thread_;
};

/// A worker's end of it. One thread.
class SpanBuffer {
 public:
  void use(TraceExporter* exporter) { exporter_ = exporter; }
  /// The spans of a request that is over; nothing where its trace is not kept.
  void add(const HttpRecord& record, std::string_view name, const SpanTimes& times);
  /// Hands over what is there.
  void flush();

 private:
  TraceExporter* exporter_ = nullptr;
  std::vector<std::string> spans_;
};

}  // namespace penstock::telemetry
