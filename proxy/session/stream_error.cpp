#include "proxy/session/stream_error.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <vector>

#include "proxy/base/log.h"

namespace penstock::session {
namespace {

using base::log::Field;
using base::log::Level;

/// What is of this machine needs a person; what clients do is told, but warns nobody.
Level level_of(const StreamError& error) {
  using enum base::EndReason;
  if (error.reason == kOutOfResources || error.reason == kInternal) return Level::kError;
  return error.side == base::Side::kClient ? Level::kInfo : Level::kWarn;
}

bool is_wanted(snapshot::ErrorLevel wanted, Level level) {
  switch (wanted) {
    case snapshot::ErrorLevel::kProcess:
      break;
    case snapshot::ErrorLevel::kInfo:
      return level >= Level::kInfo;
    case snapshot::ErrorLevel::kWarn:
      return level >= Level::kWarn;
    case snapshot::ErrorLevel::kError:
      return level >= Level::kError;
    case snapshot::ErrorLevel::kOff:
      return false;
  }
  return base::log::is_enabled(level);
}

std::string message_of(const StreamError& error) {
  auto text =
      fmt::format("{}: {} session: {}", error.owner, error.protocol, base::word_of(error.reason));
  if (error.code) text += fmt::format(": {} (errno {})", error.code.message(), error.code.value());
  if (!error.detail.empty()) text += fmt::format(": {}", error.detail);
  return text;
}

void note(WorkerParts& worker, const StreamError& error) {
  auto& entry = worker.errors.note(error.reason, worker.clock.wall());
  entry.status = base::status_of(error.reason);
  entry.what = error.stream;
  entry.client = error.client;
  entry.endpoint = error.upstream;
}

}  // namespace

std::string_view word_of(Phase phase) {
  static constexpr std::array<std::string_view, 6> kWords = {
      "proxy_header", "tls_handshake", "admission", "choosing", "connecting", "proxying"};
  return kWords[static_cast<std::size_t>(phase)];
}

void log_error(WorkerParts& worker, const StreamError& error) {
  note(worker, error);
  const auto level = level_of(error);
  if (!is_wanted(error.level, level)) return;
  const auto suppressed = worker.error_lines.admit(worker.clock.now());
  if (!suppressed) return;
  std::vector<Field> fields{{"stream", error.stream},
                            {"reason", base::word_of(error.reason)},
                            {"side", error.side == base::Side::kClient ? "client" : "upstream"},
                            {"phase", word_of(error.phase)},
                            {"client", error.client}};
  if (!error.server.empty()) fields.emplace_back("server", error.server);
  if (!error.upstream.empty()) fields.emplace_back("upstream", error.upstream);
  fields.emplace_back("bytes_received", error.received);
  fields.emplace_back("bytes_sent", error.sent);
  if (error.code) {
    fields.emplace_back("errno", static_cast<std::uint64_t>(error.code.value()));
    fields.emplace_back("error", error.code.message());
  }
  if (!error.detail.empty()) fields.emplace_back("detail", error.detail);
  if (*suppressed != 0) fields.emplace_back("not_logged", *suppressed);
  base::log::write_always(level, message_of(error), fields);
}

}  // namespace penstock::session
