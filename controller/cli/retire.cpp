// `penstock retire`: takes back what an installation has written into the cluster, before it is
// uninstalled. Takes the flags of the controller, of which many do not matter here.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <iostream>

#include "controller/cli/commands.h"
#include "controller/program/access.h"
#include "controller/program/flags.h"
#include "controller/program/pod.h"
#include "controller/status/retirement.h"
#include "proxy/base/duration.h"
#include "proxy/base/log.h"
#include "proxy/base/process.h"

namespace penstock::cli {
namespace {

constexpr base::Duration kShortestTimeout{1'000};
constexpr base::Duration kLongestTimeout{3'600'000};

struct RetireFlags {
  program::Flags program;
  std::string pod_selector;
  base::Duration timeout{60'000};
};

base::Result<status::Retirement::Options> retirement_options(const RetireFlags& flags) {
  const auto controller = program::to_options(flags.program);
  if (!controller) return std::unexpected(controller.error());
  status::Retirement::Options out;
  out.translate = controller->translate;
  out.lease = flags.program.election_id;
  out.lease_duration = flags.program.election_ttl;
  out.pod_selector = flags.pod_selector;
  out.watch_namespace = flags.program.watch_namespace;
  out.publish_service = flags.program.publish_service;
  out.addresses = status::parse_addresses(flags.program.publish_status_address);
  out.reports_internal_addresses = flags.program.reports_internal_addresses;
  out.publishes_stream_ports = flags.program.publishes_stream_ports;
  const auto pod = program::this_pod();
  out.name_space = pod.name_space;
  out.pod = pod.name;
  return out;
}

base::Result<void> retire(const RetireFlags& flags) {
  if (!flags.program.updates_status) {
    std::cout << "nothing to take back: --no-update-status writes nothing\n";
    return {};
  }
  auto options = retirement_options(flags);
  if (!options) return std::unexpected(options.error());
  const auto access = program::find_access(flags.program);
  if (!access) return std::unexpected(access.error());
  if (options->name_space.empty()) options->name_space = access->name_space;
  const auto wait = status::Retirement::longest_writing(options->lease_duration);
  kube::Caller caller(*access, std::chrono::steady_clock::now() + wait + flags.timeout);
  status::Retirement retirement(caller, std::move(*options), [](const std::string& line) {
    std::cout << line << std::endl;  // read while it runs
  });
  return retirement.run();
}

int run_retire(const RetireFlags& flags) {
  base::harden_process();
  base::log::start("penstock", base::log::Level::kWarn, base::log::Format::kText);
  if (const auto done = retire(flags); !done) {
    std::cerr << "penstock retire: " << done.error().message << "\n";
    return 1;
  }
  return 0;
}

}  // namespace

Subcommand add_retire(CLI::App& app) {
  auto* command = app.add_subcommand(
      "retire", "Take back what an installation has written into the cluster, before it goes");
  auto flags = std::make_shared<RetireFlags>();
  command->add_option("--pod-selector", flags->pod_selector,
                      "Labels of the installation's pods, a=b,c=d; without: those of the pod that "
                      "this runs in, or of the one that holds the Lease");
  command
      ->add_option_function<std::string>(
          "--timeout",
          [flags](const std::string& text) {
            const auto time = base::parse_go_duration(text);
            if (!time || *time < kShortestTimeout || *time > kLongestTimeout) {
              throw CLI::ValidationError(
                  fmt::format("--timeout: expected a duration from 1s to 1h, got '{}'", text));
            }
            flags->timeout = *time;
          },
          "How long it may take, besides half of --election-ttl for the replica that leads")
      ->default_str("60s");
  program::add_kubernetes_flags(*command, flags->program);
  program::add_translation_flags(*command, flags->program);
  program::add_program_flags(*command, flags->program);
  program::add_admin_flags(*command, flags->program);
  program::add_webhook_flags(*command, flags->program);
  return {command, [flags] { return run_retire(*flags); }};
}

}  // namespace penstock::cli
