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
  bool has_no_secrets = false;
};

void print(const Finding& finding, const char* kind = "") {
  std::cout << finding.where << (finding.where.empty() ? "" : ": ") << kind << finding.text << "\n";
}

int check(const CheckFlags& flags) {
  if (const auto ports = program::check_ports(flags.program.translate); !ports) {
    std::cerr << "penstock check: " << ports.error().message << "\n";
    return 2;
  }
  const Offline offline(flags.paths, flags.program.translate);
  const auto findings = flags.only_objects     ? offline.unreadable()
                        : flags.has_no_secrets ? offline.findings_without_secrets()
                                               : offline.findings();
  for (const auto& finding : findings) print(finding);
  const auto notes = flags.only_objects ? std::vector<Finding>() : offline.notes();
  for (const auto& finding : notes) print(finding, "note: ");
  if (!flags.only_objects) {
    for (const auto& text : offline.missing()) std::cerr << "note: " << text << "\n";
  }
  std::cerr << offline.object_count() << " objects read";
  if (offline.ignored() > 0)
    std::cerr << ", " << offline.ignored() << " of other kinds passed over";
  std::cerr << ", " << findings.size() << (findings.size() == 1 ? " problem" : " problems");
  if (!notes.empty()) std::cerr << ", " << notes.size() << (notes.size() == 1 ? " note" : " notes");
  std::cerr << "\n";
  return findings.empty() ? 0 : 1;
}

}  // namespace

Subcommand add_check(CLI::App& app) {
  auto* command = app.add_subcommand(
      "check", "Validate manifests offline; exit code 1 where something would not be served");
  auto flags = std::make_shared<CheckFlags>();
  command
      ->add_option("paths", flags->paths,
                   "Files and directories of manifests; - is standard input")
      ->required();
  command->add_flag("--objects", flags->only_objects,
                    "Only what an API server would refuse: objects that cannot be read");
  command->add_flag("--ignore-missing-secrets", flags->has_no_secrets,
                    "Say nothing of Secrets that no file holds");
  program::add_translation_flags(*command, flags->program);
  return {command, [flags] { return check(*flags); }};
}

}  // namespace penstock::cli
