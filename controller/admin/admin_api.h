#pragma once
// The admin API and the status page on a port of their own (docs/admin.md, ADR 15). It runs in a
// thread of its own, so that nobody who knocks can keep the controller from its work; what the
// controller knows is asked of its thread, what the proxy knows of the proxy's admin socket.
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "controller/admin/guard.h"
#include "controller/admin/proxy_client.h"
#include "proxy/base/http_server.h"
#include "proxy/base/line_rate.h"
#include "proxy/base/result.h"

namespace penstock::admin {

struct AdminOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any that is free
  std::optional<base::HttpServer::Pem> tls;
  std::string token_file;    // empty: none
  std::string proxy_socket;  // the proxy's admin socket
};

/// How the API reaches the controller. Both are called on the controller's thread and answer there.
struct AdminSources {
  /// The document of /api/v1/controller; parameters q, after and limit as for the proxy's lists.
  std::function<base::HttpReply(const base::HttpRequest&)> document;
  /// Asks the cluster about a token; empty without a cluster.
  Guard::Review review;
};

class AdminApi {
 public:
  /// `controller` is the loop of the controller's thread; it outlives this, and so does what the
  /// sources refer to.
  static base::Result<std::unique_ptr<AdminApi>> start(asio::io_context& controller,
                                                       AdminOptions options, AdminSources sources);
  ~AdminApi();
  std::uint16_t port() const { return server_->port(); }

 private:
  using Answer = base::HttpServer::Answer;

  AdminApi(asio::io_context& controller, AdminOptions options, AdminSources sources);
  void handle(const base::HttpRequest& request, const Answer& answer);
  void audit_refusal(const base::HttpRequest& request, const Verdict& verdict);
  void serve(const base::HttpRequest& request, const std::string& user, const Answer& answer);
  void ask_controller(const base::HttpRequest& request, const Answer& answer);
  Guard::Review posted_review();

  asio::io_context io_{1};
  asio::io_context& controller_;
  AdminOptions options_;
  AdminSources sources_;
  Guard guard_;
  base::LineRate refusals_{10};
  ProxyClient proxy_;
  std::unique_ptr<base::HttpServer> server_;
  std::shared_ptr<bool> is_alive_ = std::make_shared<bool>(true);  // of the controller's thread
  std::thread thread_;
};

}  // namespace penstock::admin
