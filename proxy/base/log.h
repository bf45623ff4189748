#pragma once
// The process's own log (not the access log): one line a message on stderr, text or JSON. `error`
// means that a person must act; `warn` that something was refused or degraded; `info` is for what
// an operator wants to see once; `debug` for everything else. Never log a private key or a
// credential. Safe from any thread.
#include <fmt/format.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace penstock::base::log {

enum class Level { kDebug, kInfo, kWarn, kError };
enum class Format { kText, kJson };

/// "debug", "info", "warn" or "error"; anything else is info.
Level level_named(std::string_view name);
/// Call once at start-up, before any thread is made. `program` names the writer in each line.
void start(std::string_view program, Level level, Format format);
void set_level(Level level);
bool is_enabled(Level level);
void write(Level level, std::string_view message);

/// What a machine reads of a line: a member of the JSON object, key=value behind the text.
struct Field {
  Field(std::string_view name, std::string_view text) : key(name), value(text) {}
  Field(std::string_view name, std::uint64_t number)
      : key(name), value(std::to_string(number)), is_number(true) {}

  std::string_view key;
  std::string value;
  bool is_number = false;
};
void write(Level level, std::string_view message, std::span<const Field> fields);
/// Whatever the level of the process: somebody has asked for lines about this.
void write_always(Level level, std::string_view message, std::span<const Field> fields);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (is_enabled(Level::kDebug)) {
    write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
  }
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kWarn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace penstock::base::log
