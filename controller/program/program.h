#pragma once
// What both commands that are a controller do: make it, serve its status, run until a signal.
#include <memory>
#include <optional>
#include <string>

#include "controller/admin/admin_api.h"
#include "controller/admin/token_review.h"
#include "controller/directory/directory.h"
#include "controller/program/cluster.h"
#include "controller/program/controller.h"
#include "controller/program/flags.h"
#include "proxy/base/status_server.h"

namespace penstock::program {

class Program {
 public:
  explicit Program(Flags flags) : flags_(std::move(flags)) {}

  /// Manifests from a directory where `manifests` is not empty, else from the API. On failure a
  /// sentence for the user.
  base::Result<void> prepare(const std::string& manifests);
  /// Runs until SIGTERM or SIGINT, or until `stop`.
  void run();
  void stop();

  asio::io_context& io() { return io_; }
  Controller& controller() { return *controller_; }

 private:
  base::Result<void> prepare_directory(const std::string& path);
  base::Result<void> serve_status();
  base::Result<void> serve_admin();
  void wait_for_signal();

  Flags flags_;
  asio::io_context io_{1};
  Metrics metrics_;
  std::unique_ptr<Controller> controller_;
  std::unique_ptr<Cluster> cluster_;
  std::unique_ptr<directory::Directory> directory_;
  std::unique_ptr<base::StatusServer> status_;
  std::optional<admin::TokenReview> token_review_;
  std::unique_ptr<admin::AdminApi> admin_;
  asio::signal_set signals_{io_, SIGTERM, SIGINT};
  bool is_stopping_ = false;
};

}  // namespace penstock::program
