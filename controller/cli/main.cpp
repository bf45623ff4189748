// penstock: the command for people.
#include <CLI/CLI.hpp>

#include <iostream>
#include <string>

#include "controller/cli/commands.h"

namespace {

/// Where the first word is no command: without it the library only says that one is required.
bool is_unknown_command(const CLI::App& app, const char* word) {
  if (word == nullptr || *word == '-') return false;
  std::string names;
  for (const auto* each : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (each->check_name(word)) return false;
    names.append(names.empty() ? "" : ", ").append(each->get_name());
  }
  std::cerr << "penstock: there is no command '" << word << "', only " << names << "\n";
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace penstock;
  CLI::App app("Penstock: Kubernetes ingress and TCP streams with a proxy of its own", "penstock");
  app.set_version_flag("--version", PENSTOCK_VERSION);
  app.require_subcommand(1);
  const cli::Subcommand commands[] = {
      cli::add_run(app),  cli::add_check(app),  cli::add_explain(app),
      cli::add_dump(app), cli::add_status(app), cli::add_top(app),
      cli::add_tap(app),  cli::add_retire(app), cli::add_reference(app)};
  if (is_unknown_command(app, argc > 1 ? argv[1] : nullptr)) return 2;
  CLI11_PARSE(app, argc, argv);
  for (const auto& command : commands) {
    if (command.app->parsed()) return command.run();
  }
  return 2;
}
