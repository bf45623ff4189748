// `penstock run`: controller and proxy together, from a directory of manifests or a cluster.
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <filesystem>
#include <iostream>

#include "controller/cli/child.h"
#include "controller/cli/commands.h"
#include "controller/program/program.h"
#include "proxy/base/log.h"
#include "proxy/base/process.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;

struct RunFlags {
  program::Flags program;
  std::string manifests;
  std::string state;
  std::string admin_address = "127.0.0.1:10246";
  std::size_t workers = 0;
};

/// Where the socket is unless a flag says: a folder of our own, for nobody else.
class RunFolder {
 public:
  RunFolder() {
    std::string pattern = fs::temp_directory_path() / "penstock.XXXXXX";
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  ~RunFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::vector<std::string> proxy_arguments(const RunFlags& flags) {
  std::vector<std::string> out = {
      "--socket",    flags.program.socket,    "--admin-address", flags.admin_address,
      "--log-level", flags.program.log_level, "--log-format",    flags.program.log_format};
  if (!flags.state.empty()) out.insert(out.end(), {"--state", flags.state});
  if (flags.workers != 0) out.insert(out.end(), {"--workers", std::to_string(flags.workers)});
  return out;
}

/// Ends the program when the proxy ends.
void watch_child(asio::signal_set& signals, Child& child, program::Program& program, int& result) {
  signals.async_wait([&](base::error_code code, int) {
    if (code) return;
    int status = 0;
    if (!child.has_ended(status)) return watch_child(signals, child, program, result);
    base::log::error("the proxy has ended");
    result = 1;
    program.stop();
  });
}

/// A sentence where nothing says what to serve, or two things do; else empty.
std::string what_is_wrong(const RunFlags& flags) {
  if (!flags.manifests.empty() && !flags.program.kubeconfig.empty()) {
    return "--manifests and --kubeconfig exclude each other";
  }
  if (!flags.manifests.empty() && !flags.program.api_server.empty()) {
    return "--manifests and --apiserver-host exclude each other";
  }
  const bool is_in_pod = getenv("KUBERNETES_SERVICE_HOST") != nullptr;
  if (is_in_pod || !flags.manifests.empty() || !flags.program.kubeconfig.empty()) return {};
  return "expected --manifests DIR (a directory of manifests) or --kubeconfig FILE (a cluster): "
         "without both it runs in a pod alone, and KUBERNETES_SERVICE_HOST is not set";
}

int run(RunFlags flags) {
  base::harden_process();
  if (const auto why = what_is_wrong(flags); !why.empty()) {
    std::cerr << "penstock run: " << why << "\n";
    return 2;
  }
  program::start_log("controller", flags.program);
  const RunFolder folder;
  if (flags.program.socket.empty()) flags.program.socket = folder.path() + "/snapshot.sock";
  program::Program program(flags.program);
  int result = 0;
  if (const auto ready = program.prepare(flags.manifests); !ready) {
    std::cerr << "penstock run: " << ready.error().message << "\n";
    return 1;
  }
  asio::signal_set signals(program.io(), SIGCHLD);
  auto child = Child::start("penstock-proxy", proxy_arguments(flags));
  if (!child) {
    std::cerr << "penstock run: " << child.error().message << "\n";
    return 1;
  }
  const auto& socket = flags.program.socket;
  base::log::info("dump and explain ask --socket {}, top and tap --socket {}", socket,
                  (fs::path(socket).parent_path() / "admin.sock").string());
  watch_child(signals, *child, program, result);
  program.run();
  return result;
}

}  // namespace

Subcommand add_run(CLI::App& app) {
  auto* command = app.add_subcommand("run", "Run controller and proxy together");
  auto flags = std::make_shared<RunFlags>();
  flags->program.socket.clear();
  command->add_option("--manifests", flags->manifests,
                      "Directory of manifests to serve instead of a cluster's objects");
  command->add_option("--state", flags->state, "File that keeps the last adopted snapshot");
  command
      ->add_option("--admin-address", flags->admin_address,
                   "Address of the proxy's /healthz, /readyz, /metrics")
      ->capture_default_str();
  command->add_option("--workers", flags->workers, "Worker threads of the proxy; 0: see its help");
  program::add_kubernetes_flags(*command, flags->program);
  program::add_translation_flags(*command, flags->program);
  program::add_program_flags(*command, flags->program);
  program::add_admin_flags(*command, flags->program);
  program::add_webhook_flags(*command, flags->program);
  return {command, [flags] { return run(std::move(*flags)); }};
}

}  // namespace penstock::cli
