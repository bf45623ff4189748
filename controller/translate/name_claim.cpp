#include "controller/translate/name_claim.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/translate/host_tls.h"

namespace penstock::translate {

std::optional<NameClaim> name_claim(const objects::TcpService& service,
                                    const objects::TcpListener& listener) {
  if (listener.tls.mode == objects::TlsMode::kOff ||
      listener.tls.start_tls == objects::StartTls::kMySql) {
    return std::nullopt;
  }
  NameClaim out;
  out.proxy_protocol = listener.proxy_protocol;
  out.trusted_proxies = listener.trusted_proxies;
  out.start_tls = listener.tls.start_tls;
  for (const auto& rule : service.rules) {
    out.names.insert(out.names.end(), rule.server_names.begin(), rule.server_names.end());
    if (rule.server_names.empty()) out.names.emplace_back();
  }
  std::ranges::sort(out.names);
  const auto repeats = std::ranges::unique(out.names);
  out.names.erase(repeats.begin(), repeats.end());
  return out;
}

std::optional<Clash> clash(const NameClaim& holder, const NameClaim& wanted, std::uint16_t port) {
  const auto port_with = [&](std::string_view what) {
    return Clash{Reason::kPortConflict, fmt::format("port {} with another {}", port, what)};
  };
  if (holder.proxy_protocol != wanted.proxy_protocol ||
      holder.trusted_proxies != wanted.trusted_proxies) {
    return port_with("proxyProtocol");
  }
  if (holder.start_tls != wanted.start_tls) return port_with("starttls");
  std::vector<std::string> both;
  std::ranges::set_intersection(holder.names, wanted.names, std::back_inserter(both));
  if (both.empty()) return std::nullopt;
  // A name says more than that both want what nobody else has.
  const auto& name = both.back();
  return Clash{Reason::kSniConflict,
               name.empty() ? fmt::format("port {} without a server name", port)
                            : fmt::format("the server name {} of port {}", name, port)};
}

std::string refused_by_https(const NameClaim& wanted, const objects::StreamListener& listener,
                             const Options& options) {
  const auto but = [&](std::string_view what) {
    return fmt::format("port {} is reserved for HTTPS but for server names: {}", options.https_port,
                       what);
  };
  if (wanted.names.empty() || wanted.names.front().empty()) {
    return but("expected sni in the match of every rule");
  }
  if (wanted.start_tls != objects::StartTls::kOff) return but("expected no starttls");
  if (wanted.proxy_protocol != objects::ProxyProtocolMode::kOff) {
    return but("expected no proxyProtocol, use-proxy-protocol of the ConfigMap holds there");
  }
  if (!listener.address.empty() && listener.address != options.listen_address) {
    return but("expected no address of its own");
  }
  return {};
}

const objects::Ingress* holder_of_host(Reader& reader, const Options& options,
                                       const std::string& host) {
  const auto ingresses = served_ingresses(reader, options, host);
  return ingresses.empty() ? nullptr : ingresses.front();
}

std::string field_of_host(const objects::Ingress& ingress, const std::string& host) {
  const auto rule = std::ranges::find(ingress.rules, host, &objects::IngressRule::host);
  return rule == ingress.rules.end()
             ? "/spec/rules"
             : fmt::format("/spec/rules/{}/host", rule - ingress.rules.begin());
}

}  // namespace penstock::translate
