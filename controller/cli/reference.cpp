// `penstock reference`: the reference pages, from the tables that serve.
#include <CLI/CLI.hpp>

#include <fmt/format.h>

#include <functional>
#include <iostream>
#include <map>

#include "controller/annotations/reference.h"
#include "controller/cli/commands.h"
#include "controller/settings/reference.h"
#include "proxy/base/end_reason.h"

namespace penstock::cli {
namespace {

std::string reasons_reference() {
  std::string out =
      "# Why a session has ended\n\n"
      "One word, the same in `$reason` of a log line, in the label `reason` of a metric and in "
      "the\n"
      "error line. `$status` is nginx's for the same.\n\n"
      "| reason | `$status` of a stream | meaning |\n|---|---|---|\n";
  for (const auto& row : base::end_reasons()) {
    out += fmt::format("| `{}` | {} | {} |\n", row.word, row.status, row.meaning);
  }
  return out;
}

const std::map<std::string, std::function<std::string()>>& pages() {
  static const std::map<std::string, std::function<std::string()>> kPages{
      {"annotations", annotations::annotations_reference},
      {"configmap", settings::configmap_reference},
      {"reasons", reasons_reference}};
  return kPages;
}

}  // namespace

Subcommand add_reference(CLI::App& app) {
  auto* command = app.add_subcommand("reference", "Print a reference page");
  auto page = std::make_shared<std::string>();
  command->add_option("page", *page, "annotations, configmap or reasons")
      ->required()
      ->check(CLI::IsMember({"annotations", "configmap", "reasons"}));
  return {command, [page] {
            std::cout << pages().at(*page)();
            return 0;
          }};
}

}  // namespace penstock::cli
