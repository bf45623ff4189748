#include "controller/annotations/row.h"
#include "proxy/base/text.h"

namespace penstock::annotations {
namespace {

using snapshot::Backend;
using snapshot::BackendProtocol;
using snapshot::RoutePolicy;

struct Protocol {
  static constexpr std::string_view kExpected = "HTTP or HTTPS";
  static base::Result<BackendProtocol> parse(std::string_view text) {
    if (base::equals_ignoring_case(text, "HTTP")) return BackendProtocol::kHttp;
    if (base::equals_ignoring_case(text, "HTTPS")) return BackendProtocol::kHttps;
    return base::fail("neither");
  }
  static std::string print(BackendProtocol value) {
    return value == BackendProtocol::kHttp ? "HTTP" : "HTTPS";
  }
};

constexpr Setting kBackend[] = {
    route<Protocol, &RoutePolicy::backend, &Backend::protocol>(
        "backend-protocol", "What the endpoints speak. Their certificate is not verified."),
    route<settings::HostName, &RoutePolicy::backend, &Backend::virtual_host>(
        "upstream-vhost", "Host header for the endpoints instead of the client's."),
};

}  // namespace

Table backend() { return kBackend; }

}  // namespace penstock::annotations
