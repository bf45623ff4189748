#include "controller/translate/stream_tls.h"

#include <fmt/format.h>

#include "controller/translate/reference.h"
#include "controller/translate/tls_names.h"

namespace penstock::translate {
namespace {

/// "ca.crt" of a Secret of the object's namespace; empty where it is not usable, which is reported.
std::string authorities(StreamPort& port, const objects::Meta& meta, const std::string& secret,
                        const std::string& field) {
  const auto path = meta.name_space + "/" + secret;
  const auto report = [&](std::string message) {
    port.report(meta, field, Reason::kInvalidCertificate, std::move(message));
    return std::string();
  };
  const auto found = port.input().reader.secret(path);
  if (!found) return report(found.error().message);
  const auto& data = (*found)->data;
  const auto pem = data.find("ca.crt");
  if (pem == data.end()) {
    return report(fmt::format("Secret '{}': ca.crt: expected certificates, got none", path));
  }
  if (const auto checked = check_authorities(pem->second); !checked) {
    return report(fmt::format("Secret '{}': ca.crt: {}", path, checked.error().message));
  }
  return pem->second;
}

/// The part's name of a usable pair; empty where there is none, which is reported.
std::string certificate(StreamPort& port, const objects::Meta& meta, const std::string& path,
                        const std::string& field) {
  const auto& pair = port.input().pairs.get(port.input().reader, path);
  if (!pair) {
    port.report(meta, field, Reason::kInvalidCertificate,
                fmt::format("Secret '{}': {}", path, pair.error().message));
    return {};
  }
  port.want_certificate(path);
  return path;
}

class ListenerWork {
 public:
  ListenerWork(StreamPort& port, const objects::Meta& meta, const objects::ListenerTls& from,
               const std::string& field)
      : port_(port), meta_(meta), from_(from), field_(field) {}

  snapshot::StreamTls take() {
    out_.mode = static_cast<snapshot::StreamTlsMode>(from_.mode);
    if (from_.mode != objects::TlsMode::kTerminate) return std::move(out_);
    out_.allows_tls12 = from_.allows_tls12;
    out_.protocols = from_.protocols;
    out_.start_tls = static_cast<snapshot::StartTls>(from_.start_tls);
    // A client that begins with TLS at once insists on it (PostgreSQL 17, sslnegotiation=direct).
    if (from_.start_tls == objects::StartTls::kPostgres && out_.protocols.empty()) {
      out_.protocols = {"postgresql"};
    }
    take_certificates();
    take_names();
    take_client_auth();
    if (is_closed_) out_.certificates.clear();
    return std::move(out_);
  }

 private:
  void take_certificates() {
    for (std::size_t i = 0; i < from_.certificates.size(); ++i) {
      const auto& ref = from_.certificates[i];
      const auto field = fmt::format("{}/certificateRefs/{}", field_, i);
      const auto& name_space = namespace_of(meta_, ref);
      if (!port_.may_refer(meta_, field + "/namespace", objects::Kind::kSecret, name_space,
                           ref.name)) {
        continue;
      }
      auto name = certificate(port_, meta_, name_space + "/" + ref.name, field + "/name");
      if (!name.empty()) out_.certificates.push_back(std::move(name));
    }
  }

  void take_names() {
    const auto ciphers = cipher_lists(from_.ciphers);
    if (ciphers) {
      out_.ciphers = ciphers->ciphers;
      out_.tls13_ciphers = ciphers->tls13;
    } else {
      close("/cipherSuites", Reason::kUnsupportedValue, ciphers.error().message);
    }
    const auto curves = curve_list(from_.curves);
    if (curves) {
      out_.curves = *curves;
    } else {
      close("/curves", Reason::kUnsupportedValue, curves.error().message);
    }
  }

  void take_client_auth() {
    if (from_.client_auth == objects::ClientAuthMode::kOff) return;
    out_.client_auth = static_cast<snapshot::ClientAuth>(from_.client_auth);
    out_.client_authorities_pem =
        authorities(port_, meta_, from_.client_authority, field_ + "/clientAuth/caRef/name");
    if (out_.client_authorities_pem.empty()) is_closed_ = true;
  }

  void close(std::string_view below, Reason reason, const std::string& message) {
    is_closed_ = true;
    port_.report(meta_, field_ + std::string(below), reason, message);
  }

  StreamPort& port_;
  const objects::Meta& meta_;
  const objects::ListenerTls& from_;
  const std::string& field_;
  snapshot::StreamTls out_;
  bool is_closed_ = false;
};

}  // namespace

snapshot::StreamTls listener_tls(StreamPort& port, const objects::Meta& meta,
                                 const objects::ListenerTls& from, const std::string& field) {
  const auto tls = field + "/tls";
  return ListenerWork(port, meta, from, tls).take();
}

std::optional<snapshot::BackendTls> backend_tls(StreamPort& port, const objects::Meta& meta,
                                                const objects::BackendTls& from,
                                                const std::string& field) {
  snapshot::BackendTls out;
  if (!from.is_enabled) return out;
  out.is_enabled = true;
  out.server_name = from.server_name;
  out.verifies = from.verifies;
  if (!from.authority.empty()) {
    out.authorities_pem = authorities(port, meta, from.authority, field + "/tls/caRef/name");
    if (out.authorities_pem.empty()) return std::nullopt;
  }
  if (!from.certificate.empty()) {
    out.certificate = certificate(port, meta, meta.name_space + "/" + from.certificate,
                                  field + "/tls/clientCertRef/name");
    if (out.certificate.empty()) return std::nullopt;
  }
  return out;
}

}  // namespace penstock::translate
