#pragma once
// Which objects are for this controller: their namespace, their IngressClass, the older annotation.
#include <optional>
#include <string>

#include "controller/objects/ingress.h"
#include "controller/objects/port_policy.h"
#include "controller/objects/tcp_service.h"
#include "controller/objects/udp_service.h"
#include "controller/translate/options.h"
#include "controller/translate/reader.h"

namespace penstock::translate {

/// Whether what is in this namespace is served. Without a selector every one that is watched is.
bool is_watched(Reader& reader, const std::string& name_space, const Options& options);

bool is_ours(Reader& reader, const objects::Ingress& ingress, const Options& options);

/// Why an object is not for this controller: the field that decides, and a sentence.
struct NotOurs {
  std::string field;  // a JSON pointer; may be empty
  std::string message;
};
NotOurs why_not_ours(Reader& reader, const objects::Ingress& ingress, const Options& options);
/// Of a TCPService or UDPService.
NotOurs why_not_ours(Reader& reader, const objects::Meta& meta,
                     const std::optional<std::string>& class_name, const Options& options);

/// An Ingress with a default backend, where an operator has said that there are none.
inline bool is_refused(const objects::Ingress& ingress, const Options& options) {
  return options.refuses_catch_all && ingress.default_backend.has_value();
}
/// One without a class is taken.
bool is_ours(Reader& reader, const objects::TcpService& service, const Options& options);
bool is_ours(Reader& reader, const objects::UdpService& service, const Options& options);
bool is_ours(Reader& reader, const objects::StreamPortPolicy& policy, const Options& options);

}  // namespace penstock::translate
