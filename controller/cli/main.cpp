// penstock: the command for people.
#include <CLI/CLI.hpp>

#include "controller/cli/commands.h"

int main(int argc, char** argv) {
  using namespace penstock;
  CLI::App app("Penstock: Kubernetes ingress and TCP streams with a proxy of its own", "penstock");
  app.set_version_flag("--version", PENSTOCK_VERSION);
  app.require_subcommand(1);
  const cli::Subcommand commands[] = {
      cli::add_run(app),  cli::add_check(app),  cli::add_explain(app),
      cli::add_dump(app), cli::add_status(app), cli::add_top(app),
      cli::add_tap(app),  cli::add_retire(app), cli::add_reference(app)};
  CLI11_PARSE(app, argc, argv);
  for (const auto& command : commands) {
    if (command.app->parsed()) return command.run();
  }
  return 2;
}
