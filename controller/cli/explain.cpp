// `penstock explain`: which Ingress, path and endpoints would answer a request, and why not others.
// The answer comes from the code that serves: the same parser, table and filters.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <CLI/CLI.hpp>

#include <iostream>

#include "controller/cli/commands.h"
#include "controller/cli/offline.h"
#include "controller/cli/snapshot_reader.h"
#include "proxy/base/ip_net.h"
#include "proxy/base/process.h"
#include "proxy/base/text.h"
#include "proxy/http/h1_parser.h"
#include "proxy/http/path.h"
#include "proxy/routing/compile.h"
#include "proxy/routing/server_names.h"

namespace penstock::cli {
namespace {

struct ExplainFlags {
  program::Flags program;
  std::vector<std::string> manifests;
  std::string method;
  std::string url;
  std::vector<std::string> headers;
  std::string from = "127.0.0.1";
};

struct Url {
  bool is_tls = false;
  std::string authority;
  std::string target;
};

std::optional<Url> parse_url(std::string_view text) {
  Url url;
  if (text.starts_with("https://")) {
    url.is_tls = true;
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else if (text.substr(0, text.find_first_of("/?")).ends_with(':')) {
    return std::nullopt;  // of another scheme
  }
  const auto slash = text.find_first_of("/?");
  url.authority = text.substr(0, slash);
  url.target = slash == std::string_view::npos ? "/" : text.substr(slash);
  if (url.target.starts_with('?')) url.target = "/" + url.target;
  if (url.authority.empty()) return std::nullopt;
  return url;
}

std::string describe(const snapshot::Route& route) {
  const auto owner = route.ingress.empty()
                         ? std::string("no Ingress")
                         : fmt::format("Ingress {}/{}", route.name_space, route.ingress);
  const auto target = route.service.empty()
                          ? std::string("answers 404")
                          : fmt::format("Service {} port {}", route.service, route.service_port);
  return fmt::format("{} {}  ({}, {})", snapshot::name_of(route.match), route.path, owner, target);
}

const char* why_not(const snapshot::Route& route, const snapshot::Route& chosen,
                    std::string_view path) {
  const bool takes =
      route.match == snapshot::PathMatch::kExact
          ? path == route.path
          : path == route.path || route.path == "/" ||
                path.starts_with(route.path.ends_with('/') ? route.path : route.path + "/");
  if (!takes) return "does not match the path";
  return chosen.match == snapshot::PathMatch::kExact ? "an exact path goes before a prefix"
                                                     : "a longer prefix matches";
}

class Explanation {
 public:
  Explanation(const ExplainFlags& flags, const snapshot::Snapshot& snapshot)
      : flags_(flags), snapshot_(snapshot) {}

  int run() {
    const auto url = parse_url(flags_.url);
    if (!url) return fail("expected a URL such as http://shop.example/cart");
    const auto client = base::parse_address(flags_.from);
    if (!client) return fail("--from: " + client.error().message);
    text_ =
        fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", flags_.method, url->target, url->authority);
    for (const auto& header : flags_.headers) text_ += header + "\r\n";
    text_ += "\r\n";
    if (const auto failure = http::parse_request_head(text_, {}, head_)) {
      std::cout << fmt::format("answer    {}: {}\n", failure.status, failure.why);
      return 0;
    }
    snapshot::Update update;
    update.version = snapshot_.version;
    update.parts.assign(snapshot_.parts.begin(), snapshot_.parts.end());
    routing::Compiler compiler;
    auto compiled = compiler.compile(update);
    if (!compiled) return fail(compiled.error().message);
    table_ = compiled->table;
    exchange_.request = &head_;
    exchange_.global = &table_->global();
    exchange_.host = http::host_of(head_.authority);
    exchange_.is_tls = url->is_tls;
    exchange_.scheme = url->is_tls ? "https" : "http";
    exchange_.client_address = base::unmapped(*client);
    const auto path = http::normalised(head_.path, exchange_.path_storage);
    if (!path) {
      std::cout << "answer    400: the path is malformed\n";
      return 0;
    }
    exchange_.path = *path;
    print_route();
    return 0;
  }

 private:
  static int fail(const std::string& why) {
    std::cerr << "penstock explain: " << why << "\n";
    return 2;
  }

  void print_route() {
    const auto* host = table_->find_host(exchange_.host);
    if (host == nullptr) {
      std::cout << "answer    404: nothing is served\n";
      return;
    }
    const auto& name = host->host->name;
    const char* kind = "exact";
    if (name == "_") kind = "the catch-all: no Ingress that is served names the host";
    if (name.starts_with("*.")) kind = "wildcard";
    std::cout << fmt::format("request   {} {}{} from {}\n", flags_.method, exchange_.host,
                             exchange_.path, exchange_.client_address.to_string());
    if (exchange_.is_tls && print_stream()) return;
    std::cout << fmt::format("host      {} ({})\n", name, kind);
    if (exchange_.is_tls) {
      std::cout << fmt::format("presents  {}\n", host->host->certificate.empty()
                                                     ? "the default certificate"
                                                     : "Secret " + host->host->certificate);
    }
    const auto match = table_->find(exchange_.host, exchange_.path);
    if (match.route == nullptr) {
      std::cout << "answer    404: no path matches\n";
      return;
    }
    std::cout << "route     " << describe(*match.route->route) << "\n";
    print_answer(match);
    print_losers(*host->host, *match.route->route);
  }

  /// True where the connection is a stream's: no request of it is ever seen.
  bool print_stream() {
    const snapshot::StreamDelegate* delegate = nullptr;
    for (const auto& [key, part] : snapshot_.parts) {
      const auto* names = std::get_if<snapshot::Stream>(part.get());
      if (names == nullptr || names->entrance != snapshot::StreamEntrance::kHttps) continue;
      delegate = routing::find_https_delegate(*table_, *names, exchange_.host);
    }
    if (delegate == nullptr) return false;
    const auto* stream =
        snapshot_.find<snapshot::Stream>(snapshot::PartKind::kStream, delegate->stream);
    if (stream == nullptr) return false;
    std::cout << fmt::format("stream    {} of {}\n", delegate->server_name, stream->owner);
    std::cout << (stream->tls.mode == snapshot::StreamTlsMode::kPassthrough
                      ? "answer    by that stream, to which TLS is given as it is\n"
                      : "answer    by that stream, which ends TLS itself\n");
    return true;
  }

  void print_answer(const routing::RoutingTable::Match& match) {
    if (match.redirects_to_slash) {
      std::cout << "answer    301 to the path with a slash\n";
      return;
    }
    const auto& route = *match.route->route;
    const auto* upstream =
        route.upstream.empty() ? nullptr : table_->upstream(match.route->upstream);
    std::vector<std::string> endpoints;
    if (upstream != nullptr) {
      for (const auto& each : upstream->endpoints().endpoints) {
        endpoints.push_back(fmt::format("{}:{}", each.address, each.port));
      }
    }
    exchange_.has_endpoints = !endpoints.empty();
    for (const auto& filter : match.route->filters) {
      auto verdict = filter->on_request(exchange_);
      if (verdict.is_next()) continue;
      std::cout << fmt::format("answer    {}{}{}\n", verdict.status(),
                               verdict.location().empty() ? "" : " to " + verdict.location(),
                               route.denied_why.empty() ? "" : ": " + route.denied_why);
      return;
    }
    std::cout << fmt::format("answer    from one of {} ({})\n", fmt::join(endpoints, ", "),
                             snapshot::name_of(upstream->upstream().balancing.algorithm));
  }

  void print_losers(const snapshot::Host& host, const snapshot::Route& chosen) {
    for (const auto& route : host.routes) {
      if (&route == &chosen) continue;
      std::cout << fmt::format("not       {}: {}\n", describe(route),
                               why_not(route, chosen, exchange_.path));
    }
  }

  const ExplainFlags& flags_;
  const snapshot::Snapshot& snapshot_;
  std::string text_;
  http::RequestHead head_;
  filters::Exchange exchange_;
  std::shared_ptr<const routing::RoutingTable> table_;
};

int explain(const ExplainFlags& flags) {
  base::harden_process();
  if (flags.manifests.empty()) {
    const auto snapshot = read_snapshot(flags.program.socket);
    if (!snapshot) {
      std::cerr << "penstock explain: " << snapshot.error().message << "\n";
      return 2;
    }
    return Explanation(flags, *snapshot).run();
  }
  const Offline offline(flags.manifests, flags.program.translate);
  for (const auto& why : offline.unusable()) std::cerr << "penstock explain: " << why << "\n";
  if (!offline.unusable().empty()) return 2;
  const auto snapshot = offline.snapshot();
  const auto result = Explanation(flags, snapshot).run();
  if (const auto url = parse_url(flags.url)) {
    const auto host = base::to_lower(http::host_of(url->authority));
    for (const auto& loser : offline.not_served(host)) {
      std::cout << "not       " << loser.where << ": " << loser.text << "\n";
    }
  }
  for (const auto& finding : offline.findings()) {
    std::cout << "note      " << finding.where << ": " << finding.text << "\n";
  }
  return result;
}

}  // namespace

Subcommand add_explain(CLI::App& app) {
  auto* command =
      app.add_subcommand("explain", "Say what would answer a request, and why nothing else does");
  auto flags = std::make_shared<ExplainFlags>();
  command->add_option("method", flags->method, "GET, POST, ...")->required();
  command->add_option("url", flags->url, "http://host/path or https://host/path")->required();
  command->add_option("-H,--header", flags->headers, "'Name: value'; may be repeated");
  command->add_option("--from", flags->from, "Address of the client")->capture_default_str();
  command->add_option("--manifests", flags->manifests,
                      "Files and directories to read instead of a running controller");
  command->add_option("--socket", flags->program.socket, "Socket of the running controller")
      ->capture_default_str();
  program::add_translation_flags(*command, flags->program);
  return {command, [flags] { return explain(*flags); }};
}

}  // namespace penstock::cli
