#pragma once
// What a listener with TLS asks of its port: connections by server name. Several may share a port
// as long as no name is asked for twice.
#include <optional>
#include <string>
#include <vector>

#include "controller/objects/tcp_service.h"
#include "controller/translate/diagnostic.h"
#include "controller/translate/options.h"
#include "controller/translate/reader.h"

namespace penstock::translate {

struct NameClaim {
  std::vector<std::string> names;  // sorted; empty text: every name that nobody else has, and none
  // What comes before a hello, and so cannot differ by name.
  objects::ProxyProtocolMode proxy_protocol = objects::ProxyProtocolMode::kOff;
  std::vector<base::IpNet> trusted_proxies;
  objects::StartTls start_tls = objects::StartTls::kOff;
};

/// Nothing where the listener needs the port as a whole: without TLS, or where the server speaks
/// before the client says a name.
std::optional<NameClaim> name_claim(const objects::TcpService& service,
                                    const objects::TcpListener& listener);

/// Of two that cannot share a port: why, and what of it `holder` has ("port 443").
struct Clash {
  Reason reason = Reason::kPortConflict;
  std::string what;
};
std::optional<Clash> clash(const NameClaim& holder, const NameClaim& wanted, std::uint16_t port);

/// Why the names cannot be had of the port of HTTPS; empty where they can.
std::string refused_by_https(const NameClaim& wanted, const objects::StreamListener& listener,
                             const Options& options);

/// The Ingress that has had a host for longest, or null.
const objects::Ingress* holder_of_host(Reader& reader, const Options& options,
                                       const std::string& host);
/// Where an Ingress names the host.
std::string field_of_host(const objects::Ingress& ingress, const std::string& host);

}  // namespace penstock::translate
