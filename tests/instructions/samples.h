#pragma once
// What the paths work on: typical messages and tables of routes.
#include <cstddef>
#include <cstdint>
#include <string>

#include "proxy/filters/exchange.h"
#include "proxy/http/message.h"
#include "proxy/routing/compile.h"
#include "proxy/session/heads.h"

namespace penstock::instructions {

inline constexpr std::size_t kManyHosts = 5'000;

/// "shop-0042.example.com"
std::string host_name(std::size_t number);
/// Paths that lead to each of a host's four routes, in turn.
std::string path(std::size_t number);

/// As a browser sends it: twelve fields, about 600 bytes.
std::string browser_request(const std::string& host, const std::string& target);
/// As little as a client sends.
std::string short_request(const std::string& host, const std::string& target,
                          const std::string& fields = "");
/// With a body of `size` bytes.
std::string response(std::size_t size);
/// Its head alone.
std::string response_head(std::size_t size);

http::RequestHead parsed_request(const std::string& bytes);
http::ResponseHead parsed_response(const std::string& bytes);

/// `hosts` hosts of four paths each that lead to one endpoint on `port`, each with a certificate
/// where `certificate` is not empty, and a TCP stream "tcp/1" to the same endpoint.
routing::Compiled table(std::size_t hosts, std::uint16_t port, const std::string& chain = "",
                        const std::string& key = "");

session::ClientSide client_side();
/// Of `request`, which must outlive it, on its route of `table`.
filters::Exchange exchange(const routing::RoutingTable& table, const http::RequestHead& request);

}  // namespace penstock::instructions
