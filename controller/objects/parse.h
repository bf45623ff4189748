#pragma once
// JSON of the Kubernetes API to typed objects.
#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "controller/objects/ingress.h"
#include "controller/objects/json.h"
#include "controller/objects/object.h"
#include "controller/objects/port_policy.h"
#include "controller/objects/reference_grant.h"
#include "controller/objects/service.h"
#include "controller/objects/tcp_service.h"
#include "controller/objects/udp_service.h"
#include "controller/objects/values.h"

namespace penstock::objects {

template <class T>
using Ptr = std::shared_ptr<const T>;

/// In the order of Kind.
using Object = std::variant<Ptr<Ingress>, Ptr<IngressClass>, Ptr<Service>, Ptr<EndpointSlice>,
                            Ptr<Secret>, Ptr<ConfigMap>, Ptr<Namespace>, Ptr<TcpService>,
                            Ptr<UdpService>, Ptr<StreamPortPolicy>, Ptr<ReferenceGrant>>;

/// Why an object could not be read: where, and a sentence with what was expected and found.
struct ParseError {
  std::string pointer;
  std::string message;  // with the key, where it is of an annotation or of data
  Meta meta;  // as far as it could be read
};

/// Keeps the JSON library's buffers between objects. One thread.
class Parser {
 public:
  /// `first_seen` as in Change.
  std::expected<Object, ParseError> parse(Kind kind, std::string_view json,
                                          std::int64_t first_seen = 0);

 private:
  simdjson::dom::parser parser_;
};

// One function for each kind that is long enough for a file of its own.
TcpService parse_tcp_service(const Json& json);
UdpService parse_udp_service(const Json& json);
StreamPortPolicy parse_port_policy(const Json& json);
ReferenceGrant parse_reference_grant(const Json& json);
Meta parse_meta(const Json& json);
/// A number or a name, at `key`.
PortRef parse_port(const Json& json, std::string_view key);

}  // namespace penstock::objects
