#include "controller/program/nginx_flags.h"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "controller/program/flags.h"
#include "proxy/base/text.h"

namespace penstock::program {
namespace {

using enum NginxFlag::Fate;

bool set_status_host(Flags& flags, const std::string& value) {
  const auto colon = flags.status_address.rfind(':');
  const auto port = colon == std::string::npos ? ":10254" : flags.status_address.substr(colon);
  const bool is_v6 = value.find(':') != std::string::npos && !value.starts_with('[');
  flags.status_address = (value.empty() ? "0.0.0.0" : is_v6 ? "[" + value + "]" : value) + port;
  return true;
}

bool set_status_port(Flags& flags, const std::string& value) {
  const auto port = base::parse_integer<std::uint16_t>(value);
  if (!port || *port == 0) return false;
  const auto colon = flags.status_address.rfind(':');
  flags.status_address =
      (colon == std::string::npos ? "0.0.0.0" : flags.status_address.substr(0, colon)) + ":" +
      std::to_string(*port);
  return true;
}

bool set_no_election(Flags& flags, const std::string& value) {
  if (value != "true" && value != "false") return false;
  if (value == "true") flags.updates_status = false;
  return true;
}

/// From 3 on the original logs each object; from 5 on its proxy, too.
bool set_verbosity(Flags& flags, const std::string& value) {
  const auto level =
      base::parse_integer<unsigned>(value.starts_with('=') ? value.substr(1) : value);
  if (!level) return false;
  if (*level >= 3) flags.log_level = "debug";
  return true;
}

constexpr std::string_view kNoMaxMind = "there is no geography of addresses (GeoIP)";
constexpr std::string_view kNoGoProfiler =
    "there is no profiler of Go; perf and gdb read the programs as they are";
constexpr std::string_view kNoNativeHistograms =
    "histograms have fixed buckets; there are no native histograms";
constexpr std::string_view kFixedBuckets = "buckets are the original's defaults";
constexpr std::string_view kNoLogFiles = "the log goes to standard error";
constexpr std::string_view kNoLogHeader = "each line says time and level; see --log-format";

// Table of the flags of ingress-nginx.
constexpr NginxFlag kFlags[] = {
    {"annotations-prefix", "nginx.ingress.kubernetes.io", kServed, "", ""},
    {"apiserver-host", "", kServed, "", ""},
    {"bucket-factor", "0", kIgnored, kNoNativeHistograms, "0"},
    {"certificate-authority", "", kServed, "", ""},
    {"configmap", "", kServed, "", ""},
    {"controller-class", "k8s.io/ingress-nginx", kServed, "", ""},
    {"deep-inspect", "true", kServed,
     "By the admission webhook alone: text of an Ingress never becomes configuration text.", ""},
    {"default-backend-service", "", kServed, "It may come later than the controller.", ""},
    {"default-server-port", "8181", kIgnored,
     "the proxy itself answers where no Ingress matches; no port is opened for it", "8181"},
    {"default-ssl-certificate", "", kServed, "", ""},
    {"disable-catch-all", "false", kServed, "", ""},
    {"disable-full-test", "false", kIgnored, "an Ingress is always reviewed by itself", ""},
    {"disable-leader-election", "false", kMapped,
     "`--no-update-status`: no replica writes statuses.", "", set_no_election, "true or false"},
    {"disable-svc-external-name", "false", kServed, "", ""},
    {"disable-sync-events", "false", kIgnored, "no Event is written for each change", ""},
    {"dynamic-configuration-retries", "15", kIgnored,
     "the proxy acknowledges each version, and what it refused goes along with the next", "15"},
    {"election-id", "ingress-controller-leader", kServed, "Its default is penstock-leader.", ""},
    {"election-ttl", "30s", kServed, "", ""},
    {"enable-annotation-validation", "true", kIgnored,
     "a value that an annotation cannot have is never served", "true"},
    {"enable-metrics", "false", kIgnored, "metrics are always there; they cost a request nothing",
     "true"},
    {"enable-ssl-chain-completion", "false", kIgnored,
     "nothing is fetched from issuers; put the whole chain into the Secret", "false"},
    {"enable-ssl-passthrough", "false", kServed, "For TCPServices it is not needed.", ""},
    {"enable-topology-aware-routing", "false", kServed,
     "Where every ready endpoint has a hint and one is for the zone, as kube-proxy has it.", ""},
    {"exclude-socket-metrics", "", kIgnored,
     "every metric is exported; metricRelabelings of a ServiceMonitor drop what is not wanted", ""},
    {"health-check-path", "/healthz", kServed, "", ""},
    {"health-check-timeout", "10", kIgnored, "a check asks nobody else and waits for nothing",
     "10"},
    {"healthz-host", "", kMapped,
     "The host of `--status-address`, whose default is 127.0.0.1; empty: every IPv4 address.", "",
     set_status_host, "an address"},
    {"healthz-port", "10254", kMapped, "The port of `--status-address`.", "", set_status_port,
     "a port from 1 to 65535"},
    {"http-port", "80", kServed, "", ""},
    {"https-port", "443", kServed, "", ""},
    {"ingress-class", "nginx", kServed, "", ""},
    {"ingress-class-by-name", "false", kServed, "", ""},
    {"internal-logger-address", "127.0.0.1:11514", kIgnored,
     "the proxy writes its log itself; nothing stands between", "127.0.0.1:11514"},
    {"kubeconfig", "", kServed, "Plugins and passwords in it are refused.", ""},
    {"length-buckets", "10,20,...,100", kIgnored, kFixedBuckets, "10,20,30,40,50,60,70,80,90,100"},
    {"max-buckets", "100", kIgnored, kNoNativeHistograms, "100"},
    {"maxmind-edition-ids", "GeoLite2-City,GeoLite2-ASN", kIgnored, kNoMaxMind, ""},
    {"maxmind-license-key", "", kIgnored, kNoMaxMind, ""},
    {"maxmind-mirror", "", kIgnored, kNoMaxMind, ""},
    {"maxmind-retries-count", "1", kIgnored, kNoMaxMind, ""},
    {"maxmind-retries-timeout", "0s", kIgnored, kNoMaxMind, ""},
    {"metrics-per-host", "true", kIgnored, "series of requests always have the label host", "true"},
    {"metrics-per-undefined-host", "false", kIgnored,
     "a host of no Ingress never makes a series, for clients choose it", "false"},
    {"monitor-max-batch-size", "10000", kIgnored,
     "requests are counted where they are served; there are no batches", ""},
    {"post-shutdown-grace-period", "10", kIgnored,
     "the proxy ends when its last connection has, at worker-shutdown-timeout at the latest", ""},
    {"profiler-address", "127.0.0.1", kIgnored, kNoGoProfiler, ""},
    {"profiler-port", "10245", kIgnored, kNoGoProfiler, ""},
    {"profiling", "true", kIgnored, kNoGoProfiler, "false"},
    {"publish-service", "", kServed, "It may come later than the controller.", ""},
    {"publish-status-address", "", kServed, "", ""},
    {"report-node-internal-ip-address", "false", kServed, "", ""},
    {"report-status-classes", "false", kIgnored, "the label status has three digits", "false"},
    {"shutdown-grace-period", "0", kIgnored,
     "the proxy serves on while its preStop hook waits: proxy.preStopSeconds of the chart", "0"},
    {"size-buckets", "10,100,...,1e7", kIgnored, kFixedBuckets,
     "10,100,1000,10000,100000,1e+06,1e+07"},
    {"ssl-passthrough-proxy-port", "442", kIgnored,
     "the HTTPS port reads names itself; there is no second one behind it", "442"},
    {"status-port", "10246", kIgnored, "it is that of --admin-address of penstock-proxy", "10246"},
    {"status-update-interval", "60", kIgnored,
     "a status is written when it changes, not at intervals", ""},
    {"stream-port", "10247", kIgnored, "streams need no port of their own inside the pod", "10247"},
    {"sync-period", "0", kIgnored,
     "watches bring every change, and begin anew where they break; nothing is read at intervals",
     "0"},
    {"sync-rate-limit", "0.3", kIgnored,
     "a change costs only what it touches; none waits for another", ""},
    {"tcp-services-configmap", "", kServed, "", ""},
    {"time-buckets", "0.005,...,10", kIgnored, kFixedBuckets,
     "0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10"},
    {"udp-services-configmap", "", kServed, "", ""},
    {"update-status", "true", kServed, "", ""},
    {"update-status-on-shutdown", "true", kServed, "", ""},
    {"validating-webhook", "", kServed, "", ""},
    {"validating-webhook-certificate", "", kServed, "", ""},
    {"validating-webhook-key", "", kServed, "", ""},
    {"version", "false", kServed, "", ""},
    {"watch-ingress-without-class", "false", kServed, "", ""},
    {"watch-namespace", "", kServed, "", ""},
    {"watch-namespace-selector", "", kServed, "A label that changes takes effect at once.", ""},
    // Of its log library.
    {"add_dir_header", "false", kIgnored, kNoLogHeader, "false"},
    {"alsologtostderr", "false", kIgnored, kNoLogFiles, ""},
    {"log_backtrace_at", ":0", kIgnored, "lines of the log are not those of its sources", ""},
    {"log_dir", "", kIgnored, kNoLogFiles, ""},
    {"log_file", "", kIgnored, kNoLogFiles, ""},
    {"log_file_max_size", "1800", kIgnored, kNoLogFiles, ""},
    {"logtostderr", "true", kIgnored, kNoLogFiles, "true"},
    {"one_output", "false", kIgnored, kNoLogFiles, ""},
    {"skip_headers", "false", kIgnored, kNoLogHeader, "false"},
    {"skip_log_headers", "false", kIgnored, kNoLogHeader, ""},
    {"stderrthreshold", "2", kIgnored, kNoLogFiles, ""},
    {"v", "0", kMapped, "`--log-level=debug` from 3 on.", "", set_verbosity, "a whole number"},
    {"vmodule", "", kIgnored, "--log-level holds for all parts of the program", ""},
};

/// Once for each flag; a value that says what we do anyway needs no word. The parser gives "true"
/// for an empty value, which only a boolean means by it.
void take(Flags& flags, const NginxFlag& row, const std::string& given) {
  const bool is_boolean = row.default_value == "true" || row.default_value == "false";
  const std::string value = given == "true" && !is_boolean ? "" : given;
  if (row.fate == kMapped) {
    if (row.apply(flags, value)) return;
    throw CLI::ValidationError(
        fmt::format("--{}: expected {}, got '{}'", row.name, row.expected, value));
  }
  if (value == row.harmless) return;
  flags.warnings.push_back(fmt::format("--{} has no effect: {}", row.name, row.doc));
}

const char* fate_text(NginxFlag::Fate fate) {
  switch (fate) {
    case kServed:
      return "served";
    case kMapped:
      return "mapped";
    case kIgnored:
      break;
  }
  return "no effect";
}

}  // namespace

std::span<const NginxFlag> nginx_flags() { return kFlags; }

void add_nginx_flags(CLI::App& app, Flags& flags) {
  for (const auto& row : kFlags) {
    if (row.fate == kServed) continue;
    const std::string name(row.name);
    // A flag without a value says true, as everywhere.
    app.add_option_function<std::string>(
           name.size() == 1 ? "-" + name + ",--" + name : "--" + name,
           [&flags, &row](const std::string& value) { take(flags, row, value); })
        ->expected(0, 1)
        ->default_str("true")
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
        ->group("");
  }
  app.add_flag_callback(
      "--help-ingress-nginx", [] { throw CLI::CallForVersion(nginx_flags_reference(), 0); },
      "Print what becomes of each flag of ingress-nginx, and exit");
}

std::string nginx_flags_reference() {
  std::string out =
      "| flag | default there | here | |\n"
      "|---|---|---|---|\n";
  for (const auto& row : kFlags) {
    std::string note(row.doc);
    if (row.fate == kIgnored && !row.harmless.empty()) {
      note += fmt::format(". `{}` says what holds anyway and is not warned of", row.harmless);
    }
    if (row.fate == kIgnored) note[0] = static_cast<char>(std::toupper(note[0])), note += ".";
    out += fmt::format("| `--{}` | {} | {} | {} |\n", row.name,
                       row.default_value.empty() ? "" : fmt::format("`{}`", row.default_value),
                       fate_text(row.fate), note);
  }
  return out;
}

}  // namespace penstock::program
