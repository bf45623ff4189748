// `penstock top`: the live sessions of TCP and UDP ports, and why others have ended.
#include <fmt/format.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <iostream>
#include <limits>
#include <thread>

#include "controller/cli/admin_socket.h"
#include "controller/cli/commands.h"
#include "controller/cli/table.h"
#include "controller/objects/json.h"

namespace penstock::cli {
namespace {

constexpr std::chrono::seconds kRefresh{2};
constexpr auto kMostNumber = std::numeric_limits<std::int64_t>::max();

struct TopFlags {
  std::string socket = kAdminSocket;
  std::string port;
  std::size_t limit = 20;
  bool is_once = false;
};

/// "12s", "3m05s", "2h03m", "4d05h".
std::string age_text(std::int64_t milliseconds) {
  const auto seconds = milliseconds / 1000;
  const auto minutes = seconds / 60;
  const auto hours = minutes / 60;
  if (minutes == 0) return fmt::format("{}s", seconds);
  if (hours == 0) return fmt::format("{}m{:02}s", minutes, seconds % 60);
  if (hours < 24) return fmt::format("{}h{:02}m", hours, minutes % 60);
  return fmt::format("{}d{:02}h", hours / 24, hours % 24);
}

std::int64_t number(const objects::Json& json, std::string_view key) {
  return json.integer(key, 0, kMostNumber, 0);
}

std::string session_tables(const objects::Json& answer) {
  std::vector<std::vector<std::string>> sessions = {
      {"STREAM", "OWNER", "CLIENT", "ENDPOINT", "PHASE", "AGE", "RECEIVED", "SENT"}};
  answer.for_each("items", [&](const objects::Json& each) {
    const auto endpoint = each.text("endpoint");
    sessions.push_back({printable(each.text("stream")), printable(each.text("owner")),
                        printable(each.text("client")),
                        endpoint.empty() ? "-" : printable(endpoint), printable(each.text("phase")),
                        age_text(number(each, "age_ms")),
                        std::to_string(number(each, "bytes_received")),
                        std::to_string(number(each, "bytes_sent"))});
  });
  std::vector<std::vector<std::string>> ended = {{"ENDED", "REASON"}};
  answer.for_each("ended", [&](const objects::Json& each) {
    ended.push_back({std::to_string(number(each, "count")), printable(each.text("reason"))});
  });
  const auto active = number(answer, "active");
  const auto examined = number(answer, "examined");
  auto out =
      fmt::format("{} live sessions, the {} that have carried most", active, sessions.size() - 1);
  if (examined < active) out += fmt::format(" of {} that were looked at", examined);
  out += ":\n" + columns(sessions) + "\n" + columns(ended);
  return out;
}

int run_top(const TopFlags& flags) {
  AdminSocket socket(flags.socket);
  const bool is_screen = !flags.is_once && isatty(STDOUT_FILENO) == 1;
  if (!flags.port.empty()) socket.tell_of_unopened(flags.port);
  for (bool is_first = true;; is_first = false) {
    const auto answer = socket.ask("GET", "/v1/sessions",
                                   {{"port", flags.port}, {"limit", std::to_string(flags.limit)}});
    const auto text = answer ? objects::read_json<std::string>(*answer, session_tables)
                             : base::Result<std::string>(std::unexpected(answer.error()));
    if (!text) {
      std::cerr << "penstock top: " << text.error().message << "\n";
      return 1;
    }
    if (is_screen) {
      std::cout << "\x1b[H\x1b[J";
    } else if (!is_first) {
      std::cout << "\n";
    }
    std::cout << *text << std::flush;
    if (flags.is_once) return 0;
    std::this_thread::sleep_for(kRefresh);
  }
}

}  // namespace

Subcommand add_top(CLI::App& app) {
  auto* command = app.add_subcommand(
      "top", "Live sessions of TCP and UDP ports by what they have carried, and why others ended");
  auto flags = std::make_shared<TopFlags>();
  command->add_option("--socket", flags->socket, "Admin socket of the running proxy")
      ->capture_default_str();
  command->add_option("--by", flags->port, "This port only: tcp/5432 or udp/53");
  command->add_option("--limit", flags->limit, "Most sessions")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_flag("--once", flags->is_once, "Print once, rather than every two seconds");
  return {command, [flags] { return run_top(*flags); }};
}

}  // namespace penstock::cli
