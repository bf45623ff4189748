#pragma once
// Servers to proxy to, for the demonstration and the end-to-end tests.
#include <string>

#include "proxy/base/asio.h"

namespace penstock::test {

/// Prints "listening on ADDRESS:PORT" and serves until the loop ends.
///
/// HTTP/1.1 with keepalive: GET answers with the server's name, the request line and every request
/// header, one a line; /status/N with that status; /bytes/N with N bytes; /delay/MS after that
/// time; a body is answered with its length and SHA-256; /ws is a WebSocket echo.
void serve_http(asio::io_context& io, const asio::ip::tcp::endpoint& at, const std::string& name);
/// Echoes bytes; closes its half when the client has closed its own.
void serve_tcp(asio::io_context& io, const asio::ip::tcp::endpoint& at);

asio::ip::tcp::acceptor listen(asio::io_context& io, const asio::ip::tcp::endpoint& at);

}  // namespace penstock::test
