// `penstock check`: everything in manifests that would not be served as written.
#include <CLI/CLI.hpp>

#include <iostream>

#include "controller/cli/commands.h"
#include "controller/cli/offline.h"

namespace penstock::cli {
namespace {

struct CheckFlags {
  program::Flags program;
  std::vector<std::string> paths;
  bool only_objects = false;
};

void print(const Finding& finding) {
  std::cout << finding.where << (finding.where.empty() ? "" : ": ") << finding.text << "\n";
}

int check(const CheckFlags& flags) {
  const Offline offline(flags.paths, flags.program.translate);
  const auto findings = flags.only_objects ? offline.unreadable() : offline.findings();
  for (const auto& finding : findings) print(finding);
  for (const auto& finding : offline.not_ours())
    std::cerr << finding.where << ": " << finding.text << "\n";
  std::cerr << offline.object_count() << " objects read";
  if (offline.ignored() > 0)
    std::cerr << ", " << offline.ignored() << " of other kinds passed over";
  std::cerr << ", " << findings.size() << (findings.size() == 1 ? " problem\n" : " problems\n");
  return findings.empty() ? 0 : 1;
}

}  // namespace

Subcommand add_check(CLI::App& app) {
  auto* command = app.add_subcommand(
      "check", "Validate manifests offline; exit code 1 where something would not be served");
  auto flags = std::make_shared<CheckFlags>();
  command->add_option("paths", flags->paths, "Files and directories of manifests")->required();
  command->add_flag("--objects", flags->only_objects,
                    "Only what an API server would refuse: objects that cannot be read");
  program::add_translation_flags(*command, flags->program);
  return {command, [flags] { return check(*flags); }};
}

}  // namespace penstock::cli
