#include "controller/translate/host_tls.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/translate/class_selection.h"

namespace penstock::translate {
namespace {

using objects::Ingress;

/// Annotation `canary: "true"`: such an Ingress takes part in nothing.
bool is_canary(const Ingress& ingress, const Options& options) {
  const auto found = ingress.meta.annotations.find(options.annotation_prefix + "/canary");
  return found != ingress.meta.annotations.end() && found->second == "true";
}

struct Choice {
  std::string secret;  // path; empty = none named
  std::size_t index = 0;
};

/// The entry that lists the host, else the first whose certificate covers it.
Choice choose(Reader& reader, KeyPairs& pairs, const Ingress& ingress, const std::string& host) {
  const auto path_of = [&](const std::string& secret) {
    return secret.empty() ? "" : ingress.meta.name_space + "/" + secret;
  };
  for (std::size_t i = 0; i < ingress.tls.size(); ++i) {
    const auto& hosts = ingress.tls[i].hosts;
    if (std::ranges::find(hosts, host) != hosts.end()) return {path_of(ingress.tls[i].secret), i};
  }
  for (std::size_t i = 0; i < ingress.tls.size(); ++i) {
    const auto path = path_of(ingress.tls[i].secret);
    if (path.empty()) continue;
    const auto& pair = pairs.get(reader, path);
    if (pair && (*pair)->covers(host)) return {path, i};
  }
  return {};
}

HostTls decide(Reader& reader, KeyPairs& pairs, const Ingress& ingress, const std::string& host,
               std::vector<Diagnostic>& diagnostics) {
  const auto choice = choose(reader, pairs, ingress, host);
  HostTls out{true, {}};
  if (choice.secret.empty()) return out;
  const auto& pair = pairs.get(reader, choice.secret);
  const auto report = [&](std::string message) {
    diagnostics.push_back({{objects::Kind::kIngress, ingress.meta.name_space, ingress.meta.name},
                           fmt::format("/spec/tls/{}/secretName", choice.index),
                           message + "; " + host + " presents the default certificate",
                           Reason::kCertificateNotUsed});
  };
  if (!pair) {
    const auto& why = pair.error().message;
    const bool is_named = why.contains(choice.secret);
    report(is_named ? why : fmt::format("Secret '{}': {}", choice.secret, why));
  } else if (!(*pair)->covers(host)) {
    report(fmt::format("expected a certificate for {}, that of Secret '{}' does not name it", host,
                       choice.secret));
  } else {
    out.certificate = choice.secret;
  }
  return out;
}

}  // namespace

std::string wildcard_of(const std::string& host) {
  const auto dot = host.find('.');
  if (dot == std::string::npos || dot == 0 || host.starts_with("*.")) return {};
  return "*" + host.substr(dot);
}

std::vector<const Ingress*> served_ingresses(Reader& reader, const Options& options,
                                             const std::string& host) {
  auto ingresses = reader.ingresses_of(host);
  std::erase_if(ingresses, [&](const Ingress* each) {
    return !is_ours(reader, *each, options) || is_canary(*each, options) ||
           is_refused(*each, options);
  });
  std::ranges::sort(ingresses, [](const Ingress* a, const Ingress* b) {
    return objects::is_older(a->meta, b->meta);
  });
  return ingresses;
}

HostTls tls_of(Reader& reader, KeyPairs& pairs, const Options& options, const std::string& host,
               std::vector<Diagnostic>& diagnostics) {
  if (host == world::kCatchAll) return {};
  const auto has_tls = [](const Ingress* each) { return !each->tls.empty(); };
  const auto own = served_ingresses(reader, options, host);
  const auto first = std::ranges::find_if(own, has_tls);
  if (first != own.end()) return decide(reader, pairs, **first, host, diagnostics);
  const auto wildcard = wildcard_of(host);
  if (wildcard.empty()) return {};
  const auto others = served_ingresses(reader, options, wildcard);
  const auto other = std::ranges::find_if(others, has_tls);
  std::vector<Diagnostic> theirs;
  return other == others.end() ? HostTls{} : decide(reader, pairs, **other, wildcard, theirs);
}

}  // namespace penstock::translate
