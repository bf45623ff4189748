#include <CLI/CLI.hpp>

#include <csignal>
#include <iostream>

#include "tests/support/backends/backends.h"

namespace {

penstock::asio::ip::tcp::endpoint parse(const std::string& text) {
  const auto colon = text.rfind(':');
  auto address = text.substr(0, colon);
  if (address.starts_with('[')) address = address.substr(1, address.size() - 2);
  return {penstock::asio::ip::make_address(address),
          static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1)))};
}

}  // namespace

int main(int argc, char** argv) {
  using namespace penstock;
  CLI::App app("Servers to proxy to", "penstock-demo");
  std::vector<std::string> http;
  std::vector<std::string> tcp;
  app.add_option("--http", http, "NAME=ADDRESS:PORT of an HTTP server; may be repeated");
  app.add_option("--tcp", tcp, "ADDRESS:PORT of a TCP echo; may be repeated");
  CLI11_PARSE(app, argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  asio::io_context io{1};
  asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](boost::system::error_code, int) { io.stop(); });
  std::string_view at;
  try {
    for (const auto& each : http) {
      at = each;
      const auto equals = each.find('=');
      test::serve_http(io, parse(each.substr(equals + 1)), each.substr(0, equals));
    }
    for (const auto& each : tcp) {
      at = each;
      test::serve_tcp(io, parse(each));
    }
  } catch (const std::exception& error) {
    std::cerr << "penstock-demo: cannot listen on " << at << ": " << error.what() << "\n";
    return 1;
  }
  io.run();
  return 0;
}
