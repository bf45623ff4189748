#include "proxy/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <string>

#include "proxy/base/text.h"

namespace penstock::base::log {
namespace {

Format chosen_format = Format::kText;
std::atomic<Level> chosen_level = Level::kInfo;

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::shared_ptr<spdlog::logger>& logger() {
  static auto instance = [] {
    auto first = std::make_shared<spdlog::logger>(
        "penstock", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    first->set_level(spdlog::level::debug);
    return first;
  }();
  return instance;
}

/// Of a line of text: in quotes where it would not be one word.
std::string word(std::string_view value) {
  auto text = escape_controls(value);
  if (!text.empty() && text.find_first_of(" \"\\") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

}  // namespace

Level level_named(std::string_view name) {
  if (name == "debug") return Level::kDebug;
  if (name == "warn") return Level::kWarn;
  return name == "error" ? Level::kError : Level::kInfo;
}

void start(std::string_view program, Level level, Format format) {
  chosen_format = format;
  auto fresh = std::make_shared<spdlog::logger>(std::string(program),
                                                std::make_shared<spdlog::sinks::stderr_sink_mt>());
  fresh->set_pattern(format == Format::kJson
                         ? R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l","program":"%n",%v})"
                         : "%Y-%m-%dT%H:%M:%S.%e%z %l %n: %v");
  fresh->set_level(spdlog::level::debug);
  fresh->flush_on(spdlog::level::debug);
  logger() = std::move(fresh);
  set_level(level);
}

void set_level(Level level) { chosen_level.store(level, std::memory_order_relaxed); }

bool is_enabled(Level level) { return level >= chosen_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view message) { write(level, message, {}); }

void write(Level level, std::string_view message, std::span<const Field> fields) {
  if (is_enabled(level)) write_always(level, message, fields);
}

void write_always(Level level, std::string_view message, std::span<const Field> fields) {
  const bool is_json = chosen_format == Format::kJson;
  auto line =
      is_json ? fmt::format("\"message\":\"{}\"", escape_json(message)) : escape_controls(message);
  for (const auto& [key, value, is_number] : fields) {
    if (is_json) {
      const auto* quote = is_number ? "" : "\"";
      line += fmt::format(",\"{}\":{}{}{}", key, quote, escape_json(value), quote);
    } else {
      line += fmt::format(" {}={}", key, word(value));
    }
  }
  logger()->log(to_spdlog(level), "{}", line);
}

}  // namespace penstock::base::log
