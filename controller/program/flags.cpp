#include "controller/program/flags.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <set>

#include "controller/objects/names.h"
#include "controller/program/nginx_flags.h"
#include "controller/program/pod.h"
#include "controller/program/self_signed.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::program {
namespace {

/// "namespace/name" or nothing.
std::string check_path(const std::string& text) {
  const auto slash = text.find('/');
  const bool is_path = slash != std::string::npos && slash > 0 && slash + 1 < text.size() &&
                       text.find('/', slash + 1) == std::string::npos;
  return text.empty() || is_path ? "" : "expected namespace/name, got '" + text + "'";
}

std::string check_port(const std::string& text) {
  return base::parse_integer<std::uint16_t>(text)
             ? ""
             : "expected a port from 0 to 65535, got '" + text + "'";
}

std::uint16_t port_of(const std::string& address) {
  const auto colon = address.rfind(':');
  return colon == std::string::npos
             ? 0
             : base::parse_integer<std::uint16_t>(address.substr(colon + 1)).value_or(0);
}

/// Of the proxy's admin server, which shares our network namespace.
constexpr std::uint16_t kAdminPort = 10246;

constexpr std::size_t kMostSecretNamespaces = 64;  // each has a watch of its own

/// Sorted, without repeats; throws what the command line is refused with.
std::vector<std::string> read_namespaces(const char* flag, const std::vector<std::string>& lists) {
  std::set<std::string> out;
  for (const auto& list : lists) {
    if (list.empty()) continue;
    for (const auto name : base::split(list, ',')) {
      if (!objects::is_dns_label(name)) {
        throw CLI::ValidationError(
            fmt::format("{}: expected names of namespaces (at most 63 lower-case letters, digits "
                        "and '-'), separated by commas, got '{}'",
                        flag, name));
      }
      out.emplace(name);
    }
  }
  if (out.size() > kMostSecretNamespaces) {
    throw CLI::ValidationError(fmt::format("{}: expected at most {} namespaces, got {}", flag,
                                           kMostSecretNamespaces, out.size()));
  }
  return {out.begin(), out.end()};
}

constexpr base::Duration kShortestLease{4'000};
constexpr base::Duration kLongestLease{3'600'000};

}  // namespace

void add_translation_flags(CLI::App& app, Flags& flags) {
  auto& options = flags.translate;
  const auto path = [&](const char* name, std::string& value, const char* help) {
    app.add_option(name, value, help)->check(check_path);
  };
  app.add_option("--ingress-class", options.ingress_class,
                 "Value of the annotation kubernetes.io/ingress.class that is served")
      ->capture_default_str();
  app.add_option("--controller-class", options.controller_class,
                 "spec.controller of the IngressClasses that are served")
      ->capture_default_str();
  app.add_flag("--ingress-class-by-name", options.takes_class_by_name,
               "Serve the IngressClass named like --ingress-class, too");
  app.add_flag("--disable-catch-all", options.refuses_catch_all,
               "Refuse Ingresses with a default backend");
  app.add_flag("--disable-svc-external-name", options.refuses_external_names,
               "Refuse Services of type ExternalName");
  app.add_flag("--watch-ingress-without-class", options.takes_without_class,
               "Serve Ingresses that name no class");
  path("--configmap", options.config_map, "ConfigMap of the global settings");
  path("--tcp-services-configmap", options.tcp_services, "ConfigMap of TCP ports");
  path("--udp-services-configmap", options.udp_services, "ConfigMap of UDP ports");
  path("--default-backend-service", options.default_backend,
       "Service that answers where no Ingress matches; without: 404");
  path("--default-ssl-certificate", options.default_certificate,
       "Secret that is presented where a host has none; without: a self-signed certificate");
  app.add_option_function<std::vector<std::string>>(
         "--secret-namespaces",
         [&options](const std::vector<std::string>& lists) {
           options.secret_namespaces = read_namespaces("--secret-namespaces", lists);
         },
         "Read the Secrets of these namespaces only, separated by commas, and the default "
         "certificate; empty: of every namespace that is served")
      ->allow_extra_args(false);
  app.add_option("--annotations-prefix", options.annotation_prefix, "Prefix of our annotations")
      ->capture_default_str();
  app.add_option("--zone", options.zone,
                 "Zone of the node, as in topology.kubernetes.io/zone: endpoints with hints for it "
                 "are used alone, as kube-proxy does; empty: hints are not looked at")
      ->envname("PENSTOCK_ZONE");
  app.add_option("--http-port", options.http_port, "Port for HTTP; 0: none")
      ->check(check_port)
      ->capture_default_str();
  app.add_option("--https-port", options.https_port, "Port for HTTPS; 0: none")
      ->check(check_port)
      ->capture_default_str();
  app.add_flag("--enable-ssl-passthrough", options.passes_tls_through,
               "Obey the annotation ssl-passthrough: TLS of a host is not ended here");
  app.add_option("--listen-address", options.listen_address,
                 "Address of those two; empty: every address");
}

void add_kubernetes_flags(CLI::App& app, Flags& flags) {
  app.add_option("--kubeconfig", flags.kubeconfig,
                 "How to reach the API server; without: as the pod's service account");
  app.add_option("--apiserver-host", flags.api_server,
                 "URL of the API server, in place of the kubeconfig's; http to this host alone");
  app.add_option("--certificate-authority", flags.api_server_authority,
                 "File with the authority of --apiserver-host, in PEM");
  app.add_option("--kube-context", flags.context, "Context of the kubeconfig");
  app.add_flag("--allow-insecure-skip-tls-verify", flags.may_skip_tls_verify,
               "Obey insecure-skip-tls-verify of the kubeconfig; else it is refused");
  app.add_option("--watch-namespace", flags.watch_namespace, "Serve this namespace only");
  app.add_option("--watch-namespace-selector", flags.watch_namespace_selector,
                 "Serve the namespaces with these labels only: team=a,env in (test,prod),!legacy");
  app.add_flag("--stream-port-policies", flags.obeys_port_policies,
               "Obey StreamPortPolicies; Namespaces are watched for them");
  app.add_flag("--enable-topology-aware-routing", flags.reads_zone,
               "Take --zone from the node of our pod (POD_NAME, POD_NAMESPACE)");
  app.add_option("--publish-service", flags.publish_service,
                 "Service whose address goes into the status of Ingresses")
      ->check(check_path);
  app.add_flag("--publish-stream-ports", flags.publishes_stream_ports,
               "Add the ports of TCPServices, UDPServices and the ConfigMaps of ports to that "
               "Service, and take them out again; what others have in it stays as it is");
  app.add_option("--publish-status-address", flags.publish_status_address,
                 "Addresses for the status of Ingresses, separated by commas");
  app.add_flag("--report-node-internal-ip-address", flags.reports_internal_addresses,
               "Where neither is given, and the nodes that run us have the addresses: their "
               "internal ones, also of nodes that have external ones");
  app.add_option("--election-id", flags.election_id, "Lease of the replica that writes statuses")
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--election-ttl",
         [&flags](const std::string& text) {
           const auto time = base::parse_go_duration(text);
           if (!time || *time < kShortestLease || *time > kLongestLease) {
             throw CLI::ValidationError(
                 fmt::format("--election-ttl: expected a duration from 4s to 1h, got '{}'", text));
           }
           flags.election_ttl = *time;
         },
         "How long a replica leads without renewing its Lease")
      ->default_str("30s");
  app.add_flag("--update-status,!--no-update-status", flags.updates_status,
               "Write the status of Ingresses");
  app.add_flag("--update-status-on-shutdown,!--no-update-status-on-shutdown",
               flags.clears_status_on_shutdown,
               "Clear it when the last pod with our labels ends (needs POD_NAME, POD_NAMESPACE)");
}

void add_webhook_flags(CLI::App& app, Flags& flags) {
  app.add_option("--validating-webhook", flags.webhook_address,
                 "Address of the admission webhook, such as :8443; empty: none");
  app.add_option("--validating-webhook-certificate", flags.webhook_certificate,
                 "Its certificate, a file that is read again when it changes; without: one of our "
                 "own, kept in a Secret");
  app.add_option("--validating-webhook-key", flags.webhook_key, "The certificate's key");
  app.add_option("--validating-webhook-name", flags.webhook_name,
                 "Of the Secret and the Service in our namespace, and of the "
                 "ValidatingWebhookConfiguration")
      ->capture_default_str();
  app.add_flag("--validating-webhook-strict", flags.webhook_refuses_taken_ports,
               "Refuse an object that asks for a port that another one has, instead of warning");
  app.add_flag("--deep-inspect,!--no-deep-inspect", flags.webhook_inspects_deeply,
               "The admission webhook refuses Ingresses with text as from an attack on nginx in "
               "hosts, paths and names of Secrets");
}

void add_program_flags(CLI::App& app, Flags& flags) {
  app.add_option("--socket", flags.socket, "Unix socket for the proxy")->capture_default_str();
  app.add_option("--resolv-conf", flags.resolv_conf, "Name servers and search list")
      ->capture_default_str();
  app.add_option("--status-address", flags.status_address,
                 "Address of /healthz, /readyz and /metrics; empty: none")
      ->capture_default_str();
  app.add_option("--health-check-path", flags.health_path,
                 "Path that answers as /healthz does, too")
      ->check([](const std::string& path) {
        return path.starts_with('/') ? "" : "expected a path, got '" + path + "'";
      })
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app.add_option("--log-format", flags.log_format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  add_nginx_flags(app, flags);
}

void add_admin_flags(CLI::App& app, Flags& flags) {
  app.add_option("--admin-port", flags.admin_port, "Port of the admin API and status page; 0: none")
      ->capture_default_str();
  app.add_option("--admin-bind-address", flags.admin_address,
                 "Its address; another one than loopback needs a certificate")
      ->capture_default_str();
  app.add_option("--admin-token-file", flags.admin_token_file,
                 "File with the secret that lets in, at least 16 characters");
  app.add_flag("--admin-token-review", flags.reviews_admin_tokens,
               "Let accounts of the cluster in that may get (read) or post (act) the non-resource "
               "URL /penstock/admin");
  app.add_option("--admin-certificate-file", flags.admin_certificate_file,
                 "Certificate chain of the admin port, PEM");
  app.add_option("--admin-key-file", flags.admin_key_file, "Its private key, PEM");
  app.add_option("--admin-proxy-socket", flags.admin_proxy_socket,
                 "Admin socket of the proxy; empty: admin.sock beside --socket");
}

base::Result<void> check_ports(const translate::Options& options) {
  if (options.http_port == 0 || options.http_port != options.https_port) return {};
  return base::fail(fmt::format("--http-port and --https-port: expected two ports, both are {}",
                                options.http_port));
}

base::Result<Controller::Options> to_options(const Flags& flags) {
  if (const auto ports = check_ports(flags.translate); !ports) {
    return std::unexpected(ports.error());
  }
  if (!flags.publish_service.empty() && !flags.publish_status_address.empty()) {
    return base::fail("--publish-service and --publish-status-address exclude each other");
  }
  if (flags.publishes_stream_ports && flags.publish_service.empty()) {
    return base::fail("--publish-stream-ports needs --publish-service");
  }
  if (!flags.watch_namespace.empty() && !flags.watch_namespace_selector.empty()) {
    return base::fail("--watch-namespace and --watch-namespace-selector exclude each other");
  }
  for (const auto& name : flags.translate.secret_namespaces) {
    if (flags.watch_namespace.empty() || name == flags.watch_namespace) continue;
    return base::fail(
        fmt::format("--secret-namespaces: expected '{}', the one of --watch-namespace, got '{}'",
                    flags.watch_namespace, name));
  }
  if (flags.webhook_certificate.empty() != flags.webhook_key.empty()) {
    return base::fail("--validating-webhook-certificate and --validating-webhook-key go together");
  }
  Controller::Options options;
  options.translate = flags.translate;
  if (!flags.watch_namespace_selector.empty()) {
    auto selector = objects::LabelSelector::parse(flags.watch_namespace_selector);
    if (!selector) {
      return base::fail("--watch-namespace-selector: " + selector.error().message);
    }
    options.translate.namespace_selector = std::move(*selector);
  }
  const auto pod = this_pod();
  options.translate.instance = {flags.translate.controller_class, pod.name_space, pod.name};
  options.socket = flags.socket;
  options.resolv_conf = flags.resolv_conf;
  options.translate.reserved_ports.push_back(kAdminPort);
  for (const auto* address : {&flags.status_address, &flags.webhook_address}) {
    if (const auto port = port_of(*address); port != 0) {
      options.translate.reserved_ports.push_back(port);
    }
  }
  if (flags.admin_port != 0) options.translate.reserved_ports.push_back(flags.admin_port);
  const auto pair = make_self_signed();
  if (!pair) return std::unexpected(pair.error());
  options.translate.fallback_chain_pem = pair->chain;
  options.translate.fallback_key_pem = pair->key;
  return options;
}

void start_log(const char* program, const Flags& flags) {
  base::log::start(
      program, base::log::level_named(flags.log_level),
      flags.log_format == "json" ? base::log::Format::kJson : base::log::Format::kText);
  for (const auto& warning : flags.warnings) base::log::warn("{}", warning);
}

}  // namespace penstock::program
