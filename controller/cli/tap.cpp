// `penstock tap`: a line when a session of a port begins, and one when it ends; with --bytes its
// first bytes between them, as the proxy has redacted them.
#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <limits>
#include <thread>

#include "controller/cli/admin_socket.h"
#include "controller/cli/commands.h"
#include "controller/cli/table.h"
#include "controller/objects/json.h"
#include "proxy/base/duration.h"

namespace penstock::cli {
namespace {

constexpr std::chrono::milliseconds kTapPause{250};

struct TapFlags {
  std::string socket = kAdminSocket;
  std::string port;
  std::string client;
  std::string duration = "1m";
  std::size_t bytes = 0;  // 0: none
};

volatile std::sig_atomic_t is_tap_interrupted = 0;

/// Prints what has come; true where no more will.
base::Result<bool> print_tapped(const base::Result<std::string>& answer) {
  if (!answer) return std::unexpected(answer.error());
  return objects::read_json<bool>(*answer, [](const objects::Json& json) {
    for (const auto& line : json.texts("lines")) std::cout << printable(line) << "\n";
    const auto dropped = json.integer("dropped", 0, std::numeric_limits<std::int64_t>::max(), 0);
    if (dropped != 0) std::cout << fmt::format("{} lines were left out\n", dropped);
    const auto not_recorded =
        json.integer("not_recorded", 0, std::numeric_limits<std::int64_t>::max(), 0);
    if (not_recorded != 0) {
      std::cout << fmt::format("the bytes of {} sessions were left out\n", not_recorded);
    }
    std::cout << std::flush;
    return json.boolean("is_over", true);
  });
}

base::Result<void> follow(const TapFlags& flags) {
  const auto duration = base::parse_go_duration(flags.duration);
  if (!duration || *duration < std::chrono::seconds(1) || *duration > std::chrono::minutes(10)) {
    return base::fail(fmt::format("--duration: expected 1s to 10m, got '{}'", flags.duration));
  }
  std::signal(SIGINT, [](int) { is_tap_interrupted = 1; });
  std::signal(SIGTERM, [](int) { is_tap_interrupted = 1; });
  AdminSocket socket(flags.socket);
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*duration).count();
  AdminSocket::Parameters parameters{
      {"port", flags.port}, {"client", flags.client}, {"seconds", std::to_string(seconds)}};
  if (flags.bytes != 0) parameters["bytes"] = std::to_string(flags.bytes);
  const auto begun = socket.ask("POST", "/v1/tap", std::move(parameters));
  if (!begun) return std::unexpected(begun.error());
  socket.tell_of_unopened(flags.port);
  const auto id = objects::read_json<std::string>(
      *begun, [](const objects::Json& json) { return json.text("id"); });
  if (!id) return std::unexpected(id.error());
  for (;;) {
    const bool is_last = is_tap_interrupted != 0;
    const auto is_over = print_tapped(is_last ? socket.ask("POST", "/v1/tap-end", {{"id", *id}})
                                              : socket.ask("GET", "/v1/tap", {{"id", *id}}));
    if (!is_over) return std::unexpected(is_over.error());
    if (is_last || *is_over) return {};
    std::this_thread::sleep_for(kTapPause);
  }
}

int run_tap(const TapFlags& flags) {
  if (const auto done = follow(flags); !done) {
    std::cerr << "penstock tap: " << done.error().message << "\n";
    return 1;
  }
  return 0;
}

}  // namespace

Subcommand add_tap(CLI::App& app) {
  auto* command = app.add_subcommand(
      "tap",
      "Follow a TCP or UDP port: a line when a session begins, and one with the reason when it "
      "ends");
  auto flags = std::make_shared<TapFlags>();
  command->add_option("port", flags->port, "tcp/5432 or udp/53")->required();
  command->add_option("--client", flags->client, "Clients of this address or CIDR only");
  command
      ->add_option("--bytes", flags->bytes,
                   "Show the first N bytes of each direction of sessions that begin, with every "
                   "letter, digit and binary byte hidden")
      ->check(CLI::Range(1, 4096));
  command->add_option("--duration", flags->duration, "How long, 1s to 10m")->capture_default_str();
  command->add_option("--socket", flags->socket, "Admin socket of the running proxy")
      ->capture_default_str();
  return {command, [flags] { return run_tap(*flags); }};
}

}  // namespace penstock::cli
