#pragma once
// The subcommands of `penstock`, one file each. Each adds itself to the command line and gives what
// runs when it is chosen: the exit code.
#include <CLI/App.hpp>

#include <functional>

namespace penstock::cli {

using Command = std::function<int()>;

/// The subcommand and what it does.
struct Subcommand {
  CLI::App* app = nullptr;
  Command run;
};

Subcommand add_run(CLI::App& app);
Subcommand add_check(CLI::App& app);
Subcommand add_explain(CLI::App& app);
Subcommand add_dump(CLI::App& app);
Subcommand add_status(CLI::App& app);
Subcommand add_top(CLI::App& app);
Subcommand add_tap(CLI::App& app);
Subcommand add_retire(CLI::App& app);
Subcommand add_reference(CLI::App& app);

}  // namespace penstock::cli
