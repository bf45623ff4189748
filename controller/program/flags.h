#pragma once
// The command line of the controller, shared by penstock-controller and `penstock run`. Names and
// defaults are those of ingress-nginx where it has the flag.
#include <CLI/App.hpp>

#include <memory>
#include <string>
#include <vector>

#include "controller/program/controller.h"
#include "controller/translate/options.h"

namespace penstock::program {

struct Flags {
  translate::Options translate;
  std::string kubeconfig;
  std::string context;
  bool may_skip_tls_verify = false;
  std::string watch_namespace;
  std::string watch_namespace_selector;
  bool obeys_port_policies = false;
  bool reads_zone = false;  // of our node, where `translate.zone` is empty
  std::string socket = "/run/penstock/snapshot.sock";
  std::string resolv_conf = "/etc/resolv.conf";
  std::string status_address = "127.0.0.1:10254";
  std::string publish_service;
  bool publishes_stream_ports = false;
  std::string publish_status_address;
  bool reports_internal_addresses = false;
  std::string election_id = "penstock-leader";
  base::Duration election_ttl{30'000};
  std::string api_server;  // goes before that of the kubeconfig
  std::string api_server_authority;
  std::string health_path = "/healthz";
  bool updates_status = true;
  bool clears_status_on_shutdown = true;
  std::uint16_t admin_port = 0;  // 0: no admin API
  std::string admin_address = "127.0.0.1";
  std::string admin_token_file;
  bool reviews_admin_tokens = false;
  std::string admin_certificate_file;
  std::string admin_key_file;
  std::string admin_proxy_socket;  // empty: admin.sock beside `socket`
  std::string webhook_address;
  std::string webhook_certificate;
  std::string webhook_key;
  std::string webhook_name = "penstock-admission";
  bool webhook_refuses_taken_ports = false;
  bool webhook_inspects_deeply = true;
  std::string log_level = "info";
  std::string log_format = "text";
  std::vector<std::string> warnings;  // flags that change nothing, one sentence each
};

/// What objects are served and how.
void add_translation_flags(CLI::App& app, Flags& flags);
/// Where objects come from and what is told back.
void add_kubernetes_flags(CLI::App& app, Flags& flags);
void add_webhook_flags(CLI::App& app, Flags& flags);
void add_program_flags(CLI::App& app, Flags& flags);
/// The admin API and the status page.
void add_admin_flags(CLI::App& app, Flags& flags);

/// What holds across flags of translation; a sentence where it does not.
base::Result<void> check_ports(const translate::Options& options);

/// Checks what holds across flags; fills in what is made at start. A sentence where it cannot be.
base::Result<Controller::Options> to_options(const Flags& flags);

/// Says the warnings, too.
void start_log(const char* program, const Flags& flags);

}  // namespace penstock::program
