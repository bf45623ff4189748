// penstock-proxy: reads flags, wires control to workers, waits for a signal.
#include <CLI/CLI.hpp>

#include <csignal>
#include <filesystem>
#include <thread>

#include "proxy/base/log.h"
#include "proxy/base/process.h"
#include "proxy/base/published.h"
#include "proxy/base/status_server.h"
#include "proxy/control/admin_server.h"
#include "proxy/control/snapshot_client.h"
#include "proxy/telemetry/unknown_variables.h"
#include "proxy/worker/prober.h"
#include "proxy/worker/worker_pool.h"

namespace {

using namespace penstock;

struct Flags {
  std::string socket = "/run/penstock/snapshot.sock";
  std::string state;
  std::string admin_address = "127.0.0.1:10246";
  std::string admin_socket;
  std::size_t workers = 0;
  std::string log_level = "info";
  std::string log_format = "text";
};

class Proxy {
 public:
  explicit Proxy(Flags flags) : flags_(std::move(flags)) {}

  int run() {
    std::optional<control::StateFile> state;
    if (!flags_.state.empty()) {
      auto opened = control::StateFile::open(flags_.state);
      if (!opened) return fail(opened.error().message);
      state.emplace(std::move(*opened));
    }
    auto admin = base::StatusServer::start(flags_.admin_address, handlers());
    if (!admin) return fail(admin.error().message);
    client_.emplace(io_, flags_.socket, std::move(state),
                    [this](auto table, const auto& change) { adopt(std::move(table), change); });
    prober_.emplace(health_, metrics_.endpoint_health(), [this](snapshot::HealthReport report) {
      asio::post(io_, [this, report = std::move(report)]() mutable {
        client_->report(std::move(report));
      });
    });
    start_admin();
    wait_for_signal();
    client_->start();
    io_.run();
    if (joiner_.joinable()) joiner_.join();  // two must not wait for one worker
    prober_.reset();
    pool_.reset();
    return 0;
  }

 private:
  static int fail(const std::string& why) {
    base::log::error("{}", why);
    return 1;
  }

  void start_admin() {
    if (flags_.admin_socket == "none") return;
    const auto path =
        flags_.admin_socket.empty()
            ? std::filesystem::path(flags_.socket).replace_filename("admin.sock").string()
            : flags_.admin_socket;
    control::AdminSources sources;
    sources.client = [this]() -> const control::SnapshotClient& { return *client_; };
    sources.pool = [this] { return pool_.get(); };
    admin_.emplace(io_, path, std::move(sources));
    admin_->start();
  }

  std::map<std::string, base::StatusHandler> handlers() {
    return {{"/healthz", [] { return base::StatusReply{200, "ok\n"}; }},
            {"/readyz",
             [this] {
               if (!is_ready_.get()) return base::StatusReply{503, "nothing is served\n"};
               return has_http_ports_.get()
                          ? base::StatusReply{200, "ok\n"}
                          : base::StatusReply{503, "a port of HTTP or HTTPS cannot be opened: the "
                                                   "log says which and why\n"};
             }},
            {"/metrics", [this] {
               return base::StatusReply{200, metrics_.text(log_.dropped(), serving_.get()),
                                        "text/plain; version=0.0.4; charset=utf-8"};
             }}};
  }

  void adopt(std::shared_ptr<const routing::RoutingTable> table,
             const routing::TableChange& change) {
    shutdown_timeout_ = table->global().shutdown_timeout;
    if (change.is_global_changed) metrics_.set_instance(table->global().instance);
    use_log_settings(table->global(), change.is_global_changed);
    if (!pool_) {
      auto count = flags_.workers != 0 ? flags_.workers : table->global().workers;
      if (count == 0) count = std::max(1U, std::thread::hardware_concurrency());
      pool_ = std::make_unique<worker::WorkerPool>(
          io_, count,
          [this](std::size_t index) {
            worker::Telemetry telemetry{&metrics_.worker(index), &log_, limits_, health_, &traces_};
            return std::make_unique<worker::Worker>(std::move(telemetry));
          },
          [this](std::uint64_t version, const std::vector<std::string>& problems) {
            serving_.set(version);
            has_http_ports_.set(pool_->has_http_ports());
            is_ready_.set(!is_draining_);
            client_->on_serving(version, problems);
            if (admin_) admin_->on_serving(version);
          });
      pool_->start();
      base::log::info("serving with {} workers", count);
    }
    prober_->adopt(*table, change);
    pool_->adopt(std::move(table), change);
  }

  void use_log_settings(const snapshot::Global& global, bool is_changed) {
    if (!is_changed) return;
    const auto& settings = global.access_log;
    log_.set_path(settings.path);
    traces_.configure(global.traces, global.instance);
    log_.set_syslog({global.syslog.is_enabled ? global.syslog.host : "", global.syslog.port});
    // Said once here rather than by every worker.
    for (const auto& each : telemetry::unknown_variables(global)) {
      base::log::warn("{}", each.message);
    }
  }

  void wait_for_signal() {
    signals_.async_wait([this](base::error_code code, int signal) {
      if (code) return;
      if (signal == SIGUSR1) {
        log_.reopen();
      } else {
        end();
      }
      wait_for_signal();
    });
  }

  /// The first time: stop accepting and let what runs finish. The second: end.
  void end() {
    is_ready_.set(false);
    if (is_draining_ || !pool_) {
      base::log::info("ending");
      if (pool_) pool_->drain(base::Duration(0));
      io_.stop();
      return;
    }
    is_draining_ = true;
    base::log::info("draining for up to {} s", shutdown_timeout_.count() / 1000);
    pool_->drain(shutdown_timeout_);
    // Joins in a thread of its own, so that signals and the controller are still heard.
    joiner_ = std::jthread([this] {
      pool_->join();
      asio::post(io_, [this] { io_.stop(); });
    });
  }

  Flags flags_;
  asio::io_context io_{1};
  asio::signal_set signals_{io_, SIGTERM, SIGINT, SIGUSR1};
  base::Published<bool> is_ready_{false};
  base::Published<bool> has_http_ports_{true};
  base::Published<std::uint64_t> serving_{0};
  telemetry::Metrics metrics_;
  telemetry::LogWriter log_;
  telemetry::TraceExporter traces_{metrics_.traces()};
  std::optional<control::SnapshotClient> client_;
  std::shared_ptr<base::LimitTable> limits_ = std::make_shared<base::LimitTable>();
  std::shared_ptr<base::HealthTable> health_ = std::make_shared<base::HealthTable>();
  std::optional<worker::Prober> prober_;
  std::unique_ptr<worker::WorkerPool> pool_;
  base::Duration shutdown_timeout_{0};
  std::optional<control::AdminServer> admin_;
  bool is_draining_ = false;
  std::jthread joiner_;
};

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app("The proxy of Penstock: serves what the controller publishes.", "penstock-proxy");
  app.set_version_flag("--version", PENSTOCK_VERSION);
  app.add_option("--socket", flags.socket, "Unix socket of the controller")->capture_default_str();
  app.add_option("--state", flags.state,
                 "File that keeps the last adopted snapshot (holds private keys; put it on a "
                 "memory-backed volume); empty: none");
  app.add_option("--admin-address", flags.admin_address, "Address of /healthz, /readyz, /metrics")
      ->capture_default_str();
  app.add_option("--admin-socket", flags.admin_socket,
                 "Unix socket that answers what is served and how it fares, for this user alone; "
                 "empty: admin.sock beside --socket; none: no such socket");
  app.add_option("--workers", flags.workers,
                 "Worker threads; 0: worker-processes of the ConfigMap, else one per processor");
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_option("--log-format", flags.log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  base::harden_process();
  base::raise_descriptor_limit();
  base::log::start(
      "proxy", base::log::level_named(flags.log_level),
      flags.log_format == "json" ? base::log::Format::kJson : base::log::Format::kText);
  return Proxy(std::move(flags)).run();
}
