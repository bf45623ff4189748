// `penstock status`: what became of the Ingresses, from the reports that the controller wrote.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdlib>
#include <iostream>

#include "controller/cli/commands.h"
#include "controller/cli/table.h"
#include "controller/kube/caller.h"
#include "controller/kube/paths.h"
#include "controller/program/flags.h"
#include "controller/status/ingress_report.h"
#include "proxy/base/log.h"

namespace penstock::cli {
namespace {

using status::NamedReport;

constexpr char kNotInstalled[] = "the kind IngressReport is not installed in this cluster";
constexpr std::size_t kHostsInTable = 3;

struct StatusFlags {
  program::Flags program;
  std::string name_space;
  std::string kind;
  std::string path;
};

class Reports {
 public:
  explicit Reports(const kube::ClusterAccess& access) : caller_(access) {}

  base::Result<std::vector<NamedReport>> list(const std::string& name_space) {
    std::vector<NamedReport> out;
    std::string unreadable;
    const auto listed =
        caller_.list(kube::collection_path(objects::kIngressReportKind, name_space), "",
                     [&](const kube::RawObject& item) {
                       auto report = status::parse_report(item.json);
                       if (report) return out.push_back(std::move(*report));
                       unreadable = item.name_space + "/" + item.name + report.error().message;
                     });
    if (!listed) return std::unexpected(listed.error());
    if (!*listed) return base::fail(kNotInstalled);
    if (!unreadable.empty()) return base::fail(unreadable);
    return out;
  }

  base::Result<NamedReport> get(const std::string& name_space, const std::string& name) {
    const auto response =
        caller_.get(kube::object_path({objects::Kind::kIngressReport, name_space, name}));
    if (response.status == 404) {
      return base::fail(fmt::format(
          "Ingress {}/{} has no report: it does not exist, or no Penstock serves its class",
          name_space, name));
    }
    if (!response.is_ok()) return base::fail(response.failure_text());
    return status::parse_report(response.body);
  }

 private:
  kube::Caller caller_;
};

std::string hosts_of(const status::IngressReport& report) {
  std::string out;
  const auto shown = std::min(kHostsInTable, report.hosts.size());
  for (std::size_t i = 0; i < shown; ++i) out += (i == 0 ? "" : ",") + report.hosts[i];
  if (report.host_count > shown) out += fmt::format(" + {} more", report.host_count - shown);
  return out;
}

void print_table(std::vector<NamedReport> reports) {
  std::ranges::sort(reports, {},
                    [](const NamedReport& each) { return std::pair(each.name_space, each.name); });
  std::vector<std::vector<std::string>> rows = {
      {"NAMESPACE", "NAME", "CLASS", "HOSTS", "STATE", "LIVE", "ISSUES"}};
  for (const auto& [name_space, name, report] : reports) {
    rows.push_back({name_space, name, report.ingress_class, hosts_of(report), report.state,
                    report.live, std::to_string(report.issue_count)});
  }
  std::cout << columns(rows);
}

void print_one(const NamedReport& one) {
  const auto& report = one.report;
  std::cout << fmt::format(
      "Ingress     {}/{} (generation {})\nClass       {}, served by {}\n"
      "Hosts       {}{}\nState       {} since {}\nLive        {} proxies, from table version {}\n",
      one.name_space, one.name, report.generation, report.ingress_class, report.controller,
      fmt::join(report.hosts, ", "),
      report.host_count > report.hosts.size()
          ? fmt::format(" and {} more", report.host_count - report.hosts.size())
          : "",
      report.state, report.since, report.live, report.version);
  if (report.issues.empty()) return;
  std::cout << "\nNot served as written:\n";
  for (const auto& each : report.issues) {
    std::cout << fmt::format("- {}: {}\n  at {}{}\n", each.reason, each.message, each.field,
                             each.by.empty() ? "" : "; taken by Ingress " + each.by);
  }
  if (report.issue_count > report.issues.size()) {
    std::cout << fmt::format("- and {} more\n", report.issue_count - report.issues.size());
  }
}

std::string default_kubeconfig() {
  if (const auto* named = std::getenv("KUBECONFIG")) return named;
  const auto* home = std::getenv("HOME");
  return home == nullptr ? "" : std::string(home) + "/.kube/config";
}

base::Result<void> show(const StatusFlags& flags) {
  const auto file =
      flags.program.kubeconfig.empty() ? default_kubeconfig() : flags.program.kubeconfig;
  const auto access =
      kube::read_kubeconfig(file, {flags.program.context, flags.program.may_skip_tls_verify});
  if (!access) return std::unexpected(access.error());
  Reports reports(*access);
  if (flags.path.empty()) {
    auto all = reports.list(flags.name_space);
    if (!all) return std::unexpected(all.error());
    print_table(std::move(*all));
    return {};
  }
  const auto slash = flags.path.find('/');
  const auto one =
      slash == std::string::npos
          ? reports.get(flags.name_space.empty() ? access->name_space : flags.name_space,
                        flags.path)
          : reports.get(flags.path.substr(0, slash), flags.path.substr(slash + 1));
  if (!one) return std::unexpected(one.error());
  print_one(*one);
  return {};
}

int run_status(const StatusFlags& flags) {
  base::log::start("penstock", base::log::Level::kWarn, base::log::Format::kText);
  if (!flags.kind.empty() && flags.path.empty()) {
    std::cerr << "penstock status: expected namespace/name after 'ingress'\n";
    return 2;
  }
  if (const auto shown = show(flags); !shown) {
    std::cerr << "penstock status: " << shown.error().message << "\n";
    return 1;
  }
  return 0;
}

}  // namespace

Subcommand add_status(CLI::App& app) {
  auto* command = app.add_subcommand(
      "status", "What became of the Ingresses of a cluster: all, or `ingress namespace/name`");
  auto flags = std::make_shared<StatusFlags>();
  command->add_option("kind", flags->kind, "ingress")->check(CLI::IsMember({"ingress"}));
  command->add_option("name", flags->path, "namespace/name of one, in detail");
  command->add_option("-n,--namespace", flags->name_space, "This namespace only");
  command->add_option("--kubeconfig", flags->program.kubeconfig,
                      "How to reach the API server; without: KUBECONFIG or ~/.kube/config");
  command->add_option("--kube-context", flags->program.context, "Context of the kubeconfig");
  command->add_flag("--allow-insecure-skip-tls-verify", flags->program.may_skip_tls_verify,
                    "Obey insecure-skip-tls-verify of the kubeconfig; else it is refused");
  return {command, [flags] { return run_status(*flags); }};
}

}  // namespace penstock::cli
