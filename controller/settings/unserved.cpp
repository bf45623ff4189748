#include "controller/settings/unserved.h"

#include <algorithm>
#include <iterator>

namespace penstock::settings {
namespace {

constexpr std::string_view kNoGzip =
    "answers are passed on as the endpoints send them, compressed or not";
constexpr std::string_view kNoHttp2 = "clients are served HTTP/1.1";
constexpr std::string_view kNoAuth = "requests are not authenticated: the application must do it";
constexpr std::string_view kNoLimits = "requests are not limited";
constexpr std::string_view kNoWaf = "there is no web application firewall";
constexpr std::string_view kNoSnippets = "there is no configuration text to put a snippet into";
constexpr std::string_view kNoHeaders =
    "headers of one's own are not served: set them in the application";
constexpr std::string_view kNoRewrite = "an answer's headers are passed on as they are";
constexpr std::string_view kNoPages =
    "errors are passed on as they are; there are no pages for them";
constexpr std::string_view kNoTables = "there are no tables of nginx to size";
constexpr std::string_view kNoGeo = "there is no geography of addresses (GeoIP)";
constexpr std::string_view kNoBuffers = "answers are streamed as they are read";
constexpr std::string_view kNoUpstreamTls =
    "the certificate of an endpoint is not verified, and no client certificate is sent";
constexpr std::string_view kNoStatusPage =
    "there is no /nginx_status; metrics have a port of their own";
constexpr std::string_view kOneLog = "lines of HTTP and of streams go to access-log-path both";
constexpr std::string_view kLog =
    "the log goes to standard output, and --log-level says how much of it";
constexpr std::string_view kNetworks =
    "clients are refused by denylist-source-range and whitelist-source-range alone";
constexpr std::string_view kNames = "the headers of a proxy in front have their usual names";
constexpr std::string_view kListen = "ports listen on --listen-address";
constexpr std::string_view kHash = "ingress-nginx takes it without effect as well";
constexpr std::string_view kTickets =
    "TLS sessions are resumed from the memory of the worker, without tickets";
constexpr std::string_view kRedirects = "redirects name the host without a port";

constexpr UnservedKey kUnserved[] = {
    {"access-log-params", "lines are written as they come"},
    {"add-headers", kNoHeaders},
    {"allow-backend-server-header", "answers carry Server: penstock", "false"},
    {"allow-cross-namespace-resources",
     "no annotation that is served names an object of another namespace", "false"},
    {"app-root", kHash},
    {"bind-address", kListen},
    {"block-cidrs", "use denylist-source-range"},
    {"block-referers", kNetworks},
    {"block-user-agents", kNetworks},
    {"brotli-level", kNoGzip},
    {"brotli-min-length", kNoGzip},
    {"brotli-types", kNoGzip},
    {"custom-http-errors", kNoPages},
    {"debug-connections", "`penstock tap` follows sessions"},
    {"default-type", "an answer without a Content-Type stays without"},
    {"disable-ipv6", kListen, "false"},
    {"disable-ipv6-dns", "names are resolved to both kinds of addresses", "false"},
    {"disable-proxy-intercept-errors", kNoPages, "false"},
    {"enable-aio-write", "nothing is written to files"},
    {"enable-auth-access-log", kNoAuth, "false"},
    {"enable-brotli", kNoGzip, "false"},
    {"enable-modsecurity", kNoWaf, "false"},
    {"enable-multi-accept", "a worker accepts what waits", "true"},
    {"enable-ocsp", "certificates are presented without an OCSP answer", "false"},
    {"enable-owasp-modsecurity-crs", kNoWaf, "false"},
    {"enable-real-ip", "use-forwarded-headers is what makes forwarded addresses believed", "false"},
    {"enable-serial-reloads", "there is no reload", "false"},
    {"error-log-level", kLog, "notice"},
    {"error-log-path", kLog, "/var/log/nginx/error.log"},
    {"forwarded-for-header", kNames, "X-Forwarded-For"},
    {"forwarded-for-proxy-protocol-header", kNames, "X-Forwarded-For-Proxy-Protocol"},
    {"forwarded-host-header", kNames, "X-Forwarded-Host"},
    {"generate-request-id", "a request without X-Request-ID is given one", "true"},
    {"geoip2-autoreload-in-minutes", kNoGeo, "0"},
    {"global-allowed-response-headers", kNoHeaders},
    {"global-auth-always-set-cookie", kNoAuth, "false"},
    {"global-auth-cache-duration", kNoAuth},
    {"global-auth-cache-key", kNoAuth},
    {"global-auth-method", kNoAuth},
    {"global-auth-request-redirect", kNoAuth},
    {"global-auth-response-headers", kNoAuth},
    {"global-auth-signin", kNoAuth},
    {"global-auth-signin-redirect-param", kNoAuth},
    {"global-auth-snippet", kNoSnippets},
    {"global-auth-url", kNoAuth},
    {"grpc-buffer-size-kb", "endpoints are asked by HTTP/1.1", "0"},
    {"gzip-disable", kNoGzip},
    {"gzip-level", kNoGzip},
    {"gzip-min-length", kNoGzip},
    {"gzip-types", kNoGzip},
    {"hide-headers", kNoHeaders},
    {"http-access-log-path", kOneLog},
    {"http-snippet", kNoSnippets},
    {"http2-max-concurrent-streams", kNoHttp2},
    {"http2-max-field-size", kNoHttp2},
    {"http2-max-header-size", kNoHttp2},
    {"http2-max-requests", kNoHttp2},
    {"ignore-invalid-headers", "a request with a header name that is none is refused"},
    {"limit-conn-status-code", kNoLimits},
    {"limit-conn-zone-variable", kNoLimits},
    {"limit-rate", "the speed of an answer is not limited", "0"},
    {"limit-rate-after", "the speed of an answer is not limited", "0"},
    {"limit-req-status-code", kNoLimits},
    {"location-snippet", kNoSnippets},
    {"lua-shared-dicts", "there is no Lua"},
    {"main-snippet", kNoSnippets},
    {"map-hash-bucket-size", kNoTables},
    {"max-worker-connections",
     "connections are bounded by the descriptors that the process may open"},
    {"max-worker-open-files", "the process takes all descriptors that it may open"},
    {"modsecurity-snippet", kNoWaf},
    {"nginx-status-ipv4-whitelist", kNoStatusPage, "127.0.0.1"},
    {"nginx-status-ipv6-whitelist", kNoStatusPage, "::1"},
    {"no-auth-locations", kNoAuth, "/.well-known/acme-challenge"},
    {"opentelemetry-config", "keys of the ConfigMap say all that is to be said of traces"},
    {"preserve-trailing-slash", "the annotation preserve-trailing-slash is served, the key is not",
     "false"},
    {"proxy-add-original-uri-header", "endpoints are not sent X-Original-URI", "false"},
    {"proxy-buffer-size", kNoBuffers},
    {"proxy-buffering", kNoBuffers, "off"},
    {"proxy-buffers-number", kNoBuffers},
    {"proxy-busy-buffers-size", kNoBuffers},
    {"proxy-cookie-domain", kNoRewrite, "off"},
    {"proxy-cookie-path", kNoRewrite, "off"},
    {"proxy-headers-hash-bucket-size", kNoTables},
    {"proxy-headers-hash-max-size", kNoTables},
    {"proxy-http-version", "endpoints are asked by HTTP/1.1", "1.1"},
    {"proxy-max-temp-file-size", "nothing is written to files"},
    {"proxy-protocol-header-timeout", "no listener stands in front of the one for HTTPS"},
    {"proxy-redirect-from", kNoRewrite, "off"},
    {"proxy-redirect-to", kNoRewrite, "off"},
    {"proxy-set-headers", kNoHeaders},
    {"proxy-ssl-location-only", kNoUpstreamTls, "false"},
    {"relative-redirects", "redirects name scheme and host", "false"},
    {"reuse-port", "each worker has a socket of its own for a port", "true"},
    {"server-name-hash-bucket-size", kNoTables},
    {"server-name-hash-max-size", kNoTables},
    {"server-snippet", kNoSnippets},
    {"server-tokens", "answers carry Server: penstock, without a version"},
    {"service-upstream", "connections go to the endpoints of a Service, not to its address",
     "false"},
    {"skip-access-log-urls", "all requests are logged, or none"},
    {"ssl-buffer-size", "the size of TLS records is not a setting"},
    {"ssl-dh-param", "key exchange is by elliptic curves"},
    {"ssl-early-data", "early data is not taken", "false"},
    {"ssl-ecdh-curve", "OpenSSL chooses the curve", "auto"},
    {"ssl-reject-handshake", "where no certificate fits, the default one is presented", "false"},
    {"ssl-session-cache", kTickets, "true"},
    {"ssl-session-cache-size", kTickets},
    {"ssl-session-ticket-key", kTickets},
    {"ssl-session-tickets", kTickets, "false"},
    {"stream-access-log-path", kOneLog},
    {"stream-snippet", kNoSnippets},
    {"upstream-hash-by", kHash},
    {"upstream-hash-by-subset", kHash},
    {"upstream-hash-by-subset-size", kHash},
    {"use-geoip2", kNoGeo, "false"},
    {"use-gzip", kNoGzip, "false"},
    {"use-http2", kNoHttp2, "false"},
    {"use-port-in-redirects", kRedirects, "false"},
    {"variables-hash-bucket-size", kNoTables},
    {"variables-hash-max-size", kNoTables},
    {"worker-cpu-affinity", "the kernel places the workers"},
};

}  // namespace

std::span<const UnservedKey> unserved_keys() { return kUnserved; }

const UnservedKey* find_unserved(std::string_view name) {
  const auto found = std::ranges::lower_bound(kUnserved, name, {}, &UnservedKey::name);
  return found == std::end(kUnserved) || found->name != name ? nullptr : found;
}

}  // namespace penstock::settings
