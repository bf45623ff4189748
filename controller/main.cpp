// penstock-controller: reads flags, wires the API to the translation and the proxy, waits.
#include <CLI/CLI.hpp>

#include "controller/program/program.h"
#include "proxy/base/log.h"
#include "proxy/base/process.h"

int main(int argc, char** argv) {
  using namespace penstock;
  program::Flags flags;
  CLI::App app("The controller of Penstock: watches a cluster and publishes what is served.",
               "penstock-controller");
  app.set_version_flag("--version", PENSTOCK_VERSION);
  program::add_kubernetes_flags(app, flags);
  program::add_translation_flags(app, flags);
  program::add_program_flags(app, flags);
  program::add_admin_flags(app, flags);
  program::add_webhook_flags(app, flags);
  CLI11_PARSE(app, argc, argv);
  base::harden_process();
  program::start_log("controller", flags);
  program::Program program(std::move(flags));
  if (const auto ready = program.prepare(""); !ready) {
    base::log::error("{}", ready.error().message);
    return 1;
  }
  program.run();
  return 0;
}
