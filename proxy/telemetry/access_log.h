#pragma once
// Access log lines on their way to a file, to standard output or to a syslog server. A worker
// gathers lines in a buffer of its own and hands over whole buffers; one thread writes them.
// Nothing here ever makes a worker wait for a disk: what the writer cannot keep up with is dropped
// and counted.
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "proxy/base/published.h"
#include "proxy/telemetry/syslog.h"

namespace penstock::telemetry {

/// One for the process; outlives the workers.
class LogWriter {
 public:
  LogWriter();
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  /// From any thread. An empty path is standard output.
  void set_path(const std::string& path);
  /// Lines go there instead of the file, where it names a host. From any thread.
  void set_syslog(const SyslogTarget& target);
  /// Opens the file anew: someone has moved it away.
  void reopen();
  /// Whole lines. False where they were dropped.
  bool submit(std::string lines, std::uint64_t count);
  std::uint64_t dropped() const { return dropped_.get(); }

 private:
  void run();
  void open();
  void write_out(const std::string& lines);
  void write_file(const std::string& lines);
  void lose(std::uint64_t count);

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::string> queue_;
  std::size_t queued_ = 0;  // bytes
  std::string path_;
  bool is_reopening_ = false;
  SyslogTarget syslog_;
  std::optional<SyslogSender> sender_;  // of the writer's thread
  bool is_ending_ = false;
  std::uint64_t lost_ = 0;
  base::Published<std::uint64_t> dropped_{0};
  int file_ = 1;
  std::thread thread_;
};

/// A worker's end of it. One thread.
class LogBuffer {
 public:
  explicit LogBuffer(LogWriter* writer) : writer_(writer) {}
  /// Where the next line is written; call `added` after it.
  std::string& lines() { return lines_; }
  void added();
  /// Hands over what is there.
  void flush();

 private:
  LogWriter* writer_;
  std::string lines_;
  std::uint64_t count_ = 0;
};

}  // namespace penstock::telemetry
