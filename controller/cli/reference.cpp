// `penstock reference`: the reference pages, from the tables that serve.
#include <CLI/CLI.hpp>

#include <iostream>

#include "controller/annotations/reference.h"
#include "controller/cli/commands.h"
#include "controller/settings/reference.h"

namespace penstock::cli {

Subcommand add_reference(CLI::App& app) {
  auto* command = app.add_subcommand("reference", "Print a reference page");
  auto page = std::make_shared<std::string>();
  command->add_option("page", *page, "annotations or configmap")
      ->required()
      ->check(CLI::IsMember({"annotations", "configmap"}));
  return {command, [page] {
            std::cout << (*page == "annotations" ? annotations::annotations_reference()
                                                 : settings::configmap_reference());
            return 0;
          }};
}

}  // namespace penstock::cli
