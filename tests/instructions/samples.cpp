#include "tests/instructions/samples.h"

#include <fmt/format.h>

#include <array>
#include <stdexcept>
#include <utility>

#include "proxy/http/h1_parser.h"
#include "proxy/http/path.h"

namespace penstock::instructions {
namespace {

constexpr std::array<const char*, 4> kRoutes = {"/", "/account", "/account/orders", "/static"};
constexpr std::array<const char*, 4> kTargets = {"/index.html", "/account/profile/edit",
                                                 "/account/orders/4711", "/static/js/app.js"};
const std::string kUpstream = "shop/web/80";

snapshot::PartPtr part(snapshot::Part value) {
  return std::make_shared<const snapshot::Part>(std::move(value));
}

snapshot::Host host(std::size_t number, const std::string& certificate) {
  snapshot::Host out{host_name(number), certificate, {}};
  for (const auto* each : kRoutes) {
    snapshot::Route route;
    route.path = each;
    route.name_space = "shop";
    route.ingress = "shop";
    route.service = "web";
    route.service_port = "80";
    route.upstream = kUpstream;
    out.routes.push_back(std::move(route));
  }
  return out;
}

snapshot::Stream stream() {
  snapshot::Stream out;
  out.name = "tcp/1";
  out.log_name = "tcp-shop-web-80";
  out.rules.push_back({{}, {{kUpstream, 1, snapshot::ProxyProtocolOut::kNone}}});
  return out;
}

}  // namespace

std::string host_name(std::size_t number) { return fmt::format("shop-{:04}.example.com", number); }

std::string path(std::size_t number) { return kTargets[number % kTargets.size()]; }

std::string browser_request(const std::string& host, const std::string& target) {
  return fmt::format(
      "GET {1}?page=2&sort=newest HTTP/1.1\r\n"
      "Host: {0}\r\n"
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
      "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
      "Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n"
      "Accept-Encoding: gzip, deflate, br\r\n"
      "Referer: https://{0}/account\r\n"
      "Connection: keep-alive\r\n"
      "Cookie: theme=dark; basket=6f1c2ab07d; visitor=5b0f9a3e77c1\r\n"
      "Upgrade-Insecure-Requests: 1\r\n"
      "Sec-Fetch-Dest: document\r\n"
      "Sec-Fetch-Mode: navigate\r\n"
      "Sec-Fetch-Site: same-origin\r\n\r\n",
      host, target);
}

std::string short_request(const std::string& host, const std::string& target,
                          const std::string& fields) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: bench/1\r\nAccept: */*\r\n{}\r\n",
                     target, host, fields);
}

std::string response_head(std::size_t size) {
  return fmt::format(
      "HTTP/1.1 200 OK\r\n"
      "Server: theirs\r\n"
      "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
      "Content-Type: text/html; charset=utf-8\r\n"
      "Content-Length: {}\r\n"
      "Last-Modified: Wed, 31 Dec 2025 10:00:00 GMT\r\n"
      "ETag: \"6954f5a0-400\"\r\n"
      "Cache-Control: max-age=60\r\n"
      "Vary: Accept-Encoding\r\n"
      "Accept-Ranges: bytes\r\n\r\n",
      size);
}

std::string response(std::size_t size) { return response_head(size) + std::string(size, 'x'); }

http::RequestHead parsed_request(const std::string& bytes) {
  http::RequestHead out;
  if (http::parse_request_head(bytes, {}, out)) throw std::logic_error("the request is refused");
  return out;
}

http::ResponseHead parsed_response(const std::string& bytes) {
  http::ResponseHead out;
  if (http::parse_response_head(bytes, {}, "GET", out)) {
    throw std::logic_error("the response is refused");
  }
  return out;
}

routing::Compiled table(std::size_t hosts, std::uint16_t port, const std::string& chain,
                        const std::string& key) {
  using snapshot::PartKind;
  const std::string certificate = chain.empty() ? "" : "shop/tls";
  snapshot::Update update{0, 1, {}};
  auto& parts = update.parts;
  parts.push_back({{PartKind::kGlobal, ""}, part(snapshot::Global())});
  if (!chain.empty()) {
    parts.push_back({{PartKind::kCertificate, certificate},
                     part(snapshot::Certificate{certificate, chain, key})});
  }
  parts.push_back({{PartKind::kUpstream, kUpstream},
                   part(snapshot::Upstream{kUpstream, "shop", "web", "80", {}, {}, {}})});
  parts.push_back({{PartKind::kEndpoints, kUpstream},
                   part(snapshot::Endpoints{kUpstream, {{"127.0.0.1", port, 1}}})});
  for (std::size_t i = 0; i < hosts; ++i) {
    parts.push_back({{PartKind::kHost, host_name(i)}, part(host(i, certificate))});
  }
  parts.push_back({{PartKind::kStream, "tcp/1"}, part(stream())});
  routing::Compiler compiler;
  auto compiled = compiler.compile(update);
  if (!compiled) throw std::logic_error(compiled.error().message);
  return std::move(*compiled);
}

session::ClientSide client_side() {
  session::ClientSide side;
  side.set_peer(asio::ip::make_address("192.0.2.17"));
  side.server_port = 80;
  side.socket_peer = {side.peer, 40'000};
  side.connection = 1;
  return side;
}

filters::Exchange exchange(const routing::RoutingTable& table, const http::RequestHead& request) {
  filters::Exchange out;
  out.request = &request;
  out.global = &table.global();
  out.texts = &table.texts();
  out.client_address = client_side().peer;
  out.host = request.host;
  out.path = request.path;
  out.request_id = "0123456789abcdef0123456789abcdef";
  out.status = 200;
  const auto match = table.find(out.host, out.path);
  if (match.route == nullptr) throw std::logic_error("there is no route");
  out.route = match.route->route;
  out.host_part = &match.host->part;
  auto& only = out.tries.emplace_back();
  only.address = {asio::ip::make_address("10.1.2.3"), 8080};
  only.status = 200;
  only.received = 1'300;
  only.connect = base::Duration(0);
  only.header = base::Duration(12);
  only.total = base::Duration(13);
  return out;
}

}  // namespace penstock::instructions
