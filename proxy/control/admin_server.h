#pragma once
// The proxy's admin socket: JSON over HTTP/1.1 on a Unix socket beside that of the controller, for
// processes of the same user (docs/admin.md). The controller puts authentication in front of it;
// here the socket's mode and the peer's user are all there is. Control thread.
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "proxy/base/http_server.h"
#include "proxy/control/admin_actions.h"
#include "proxy/control/snapshot_client.h"
#include "proxy/control/taps.h"
#include "proxy/worker/worker_pool.h"

namespace penstock::control {

/// What it tells of; everything outlives it.
struct AdminSources {
  std::function<const SnapshotClient&()> client;
  std::function<worker::WorkerPool*()> pool;  // null while nothing is served
};

class AdminServer {
 public:
  AdminServer(asio::io_context& io, std::string path, AdminSources sources);
  ~AdminServer();

  /// Listens; where another proxy does, again every few seconds until it has gone.
  void start();
  /// Every worker serves this version.
  void on_serving(std::uint64_t version);

 private:
  using Answer = base::HttpServer::Answer;
  using Respond = void (AdminServer::*)(const base::HttpRequest&, const Answer&);
  struct Row {
    const char* method;
    const char* path;
    Respond respond;
  };
  static const Row kRows[];

  void handle(const base::HttpRequest& request, const Answer& answer);
  void summary(const base::HttpRequest& request, const Answer& answer);
  void hosts(const base::HttpRequest& request, const Answer& answer);
  void upstreams(const base::HttpRequest& request, const Answer& answer);
  void streams(const base::HttpRequest& request, const Answer& answer);
  void certificates(const base::HttpRequest& request, const Answer& answer);
  void errors(const base::HttpRequest& request, const Answer& answer);
  void sessions(const base::HttpRequest& request, const Answer& answer);
  void tap_lines(const base::HttpRequest& request, const Answer& answer);
  void actions(const base::HttpRequest& request, const Answer& answer);
  void drain(const base::HttpRequest& request, const Answer& answer);
  void undrain(const base::HttpRequest& request, const Answer& answer);
  void log_level(const base::HttpRequest& request, const Answer& answer);
  void tap(const base::HttpRequest& request, const Answer& answer);
  void tap_end(const base::HttpRequest& request, const Answer& answer);
  /// Asks the workers; without any, `done` gets an empty report at once.
  void report(const worker::ReportRequest& request, std::function<void(worker::Report)> done);
  std::string summary_json(const worker::Report& report) const;

  asio::io_context& io_;
  std::string path_;
  AdminSources sources_;
  AdminActions actions_;
  Taps taps_;
  std::unique_ptr<base::HttpServer> server_;
  asio::steady_timer retry_timer_;
  bool is_failure_reported_ = false;
  std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point live_since_;
  std::uint64_t live_version_ = 0;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);
};

}  // namespace penstock::control
