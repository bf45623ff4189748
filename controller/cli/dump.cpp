// `penstock dump`: the effective table as YAML, without private keys.
#include <CLI/CLI.hpp>

#include <iostream>

#include "controller/cli/commands.h"
#include "controller/cli/offline.h"
#include "controller/cli/snapshot_reader.h"
#include "proxy/base/process.h"
#include "proxy/snapshot/yaml.h"

namespace penstock::cli {
namespace {

struct DumpFlags {
  program::Flags program;
  std::vector<std::string> manifests;
};

int dump(const DumpFlags& flags) {
  base::harden_process();
  if (!flags.manifests.empty()) {
    const Offline offline(flags.manifests, flags.program.translate);
    for (const auto& why : offline.unusable()) std::cerr << "penstock dump: " << why << "\n";
    if (!offline.unusable().empty()) return 2;
    std::cout << snapshot::to_yaml(offline.snapshot());
    return 0;
  }
  const auto snapshot = read_snapshot(flags.program.socket);
  if (!snapshot) {
    std::cerr << "penstock dump: " << snapshot.error().message << "\n";
    return 2;
  }
  std::cout << "# version " << snapshot->version << "\n" << snapshot::to_yaml(*snapshot);
  return 0;
}

}  // namespace

Subcommand add_dump(CLI::App& app) {
  auto* command = app.add_subcommand("dump", "Print the effective table as YAML");
  auto flags = std::make_shared<DumpFlags>();
  command->add_option("--manifests", flags->manifests,
                      "Files and directories to read instead of a running controller");
  command->add_option("--socket", flags->program.socket, "Socket of the running controller")
      ->capture_default_str();
  program::add_translation_flags(*command, flags->program);
  return {command, [flags] { return dump(*flags); }};
}

}  // namespace penstock::cli
