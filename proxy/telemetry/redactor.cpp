#include "proxy/telemetry/redactor.h"

#include <algorithm>
#include <array>

#include "proxy/base/text.h"

namespace penstock::telemetry {
namespace {

constexpr std::string_view kHidden = "***";
constexpr std::size_t kShortestBase64 = 16;

constexpr std::array<std::string_view, 8> kSecretNames = {
    "password", "passwd", "pwd", "secret", "token", "apikey", "api_key", "access_key"};
constexpr std::array<std::string_view, 6> kSecretHeaders = {"authorization", "cookie", "token",
                                                            "secret",        "api-key", "auth"};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equals_lower(std::string_view text, std::string_view word) {
  return text.size() == word.size() &&
         std::ranges::equal(text, word, [](char a, char b) { return lower(a) == b; });
}

/// Where `word` stands in `text`, whatever its case.
std::size_t find_lower(std::string_view text, std::string_view word) {
  const auto found = std::ranges::search(text, word, [](char a, char b) { return lower(a) == b; });
  return found.empty() ? std::string_view::npos
                       : static_cast<std::size_t>(found.begin() - text.begin());
}

bool is_base64(char c) {
  return base::is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '+' || c == '/' ||
         c == '=' || c == '-' || c == '_';
}

std::string_view next_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(' ');
  if (begin == std::string_view::npos) {
    line = {};
    return {};
  }
  line.remove_prefix(begin);
  const auto word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

/// A line with a command whose rest is a secret; `follow` is how many lines after it are, too.
struct Command {
  std::string_view word;
  std::uint32_t follow;
};
constexpr std::array<Command, 5> kCommands = {
    {{"pass", 0}, {"apop", 0}, {"auth", 4}, {"authenticate", 4}, {"login", 2}}};

/// How much of the line may be shown where it is such a command; everything else is npos.
std::size_t shown_of_command(std::string_view line, std::uint32_t& follow) {
  auto rest = line;
  // IMAP has a tag before the command, HELLO of Redis a version.
  for (int words = 0; words < 3; ++words) {
    const auto word = next_word(rest);
    const auto found = std::ranges::find_if(
        kCommands, [&](const Command& each) { return equals_lower(word, each.word); });
    if (found == kCommands.end()) continue;
    follow = found->follow;
    return line.size() - rest.size();
  }
  return std::string_view::npos;
}

/// The same for a header of HTTP.
std::size_t shown_of_header(std::string_view line) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos || colon > 64) return std::string_view::npos;
  const auto name = line.substr(0, colon);
  if (name.find_first_of(" \"'{=") != std::string_view::npos) return std::string_view::npos;
  const bool is_secret = std::ranges::any_of(kSecretHeaders, [&](std::string_view each) {
    return find_lower(name, each) != std::string_view::npos;
  });
  return is_secret ? colon + 1 : std::string_view::npos;
}

/// The end of the value that begins behind a name: `="x"`, `: x`, `":"x"`. 0: there is none.
std::size_t value_after(std::string_view text, std::size_t& begin) {
  constexpr std::string_view kBetween = " \t\"'";
  auto at = text.find_first_not_of(kBetween, begin);
  if (at == std::string_view::npos || (text[at] != '=' && text[at] != ':')) return 0;
  at = text.find_first_not_of(kBetween, at + 1);
  if (at == std::string_view::npos) return 0;
  begin = at;
  const auto end = text.find_first_of("&;, \t\"'\r\n", at);
  return end == std::string_view::npos ? text.size() : end;
}

void add_printable(std::string_view text, std::string& out) {
  for (const char c : text) out += (c >= 0x20 && c <= 0x7e) || c == '\t' ? c : '.';
}

/// `password=x` and the like anywhere in the line.
void add_values(std::string_view line, std::string& out) {
  for (;;) {
    std::size_t first = std::string_view::npos;
    std::size_t end = 0;
    std::size_t begin = 0;
    for (const auto name : kSecretNames) {
      for (auto at = find_lower(line, name); at != std::string_view::npos;) {
        auto value = at + name.size();
        const auto value_end = value_after(line, value);
        if (value_end != 0 && at < first) {
          first = at;
          begin = value;
          end = value_end;
        }
        if (value_end != 0) break;
        const auto next = find_lower(line.substr(at + 1), name);
        at = next == std::string_view::npos ? next : at + 1 + next;
      }
    }
    if (first == std::string_view::npos) return add_printable(line, out);
    add_printable(line.substr(0, begin), out);
    out += kHidden;
    line.remove_prefix(end);
  }
}

}  // namespace

/// PostgreSQL protocol 3.0: Byte1('p'), Int32 length. MySQL: 3 bytes of length, a sequence number.
/// In the handshake those of the client are odd or, after a TLS request, even; commands have 0.
bool Redactor::is_database_secret(std::string_view piece) const {
  if (!is_from_client_ || piece.size() < 5) return false;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(piece[i]); };
  if (piece[0] == 'p' && byte(1) == 0 && byte(2) == 0) return true;
  const auto length = std::size_t{byte(0)} | std::size_t{byte(1)} << 8 | std::size_t{byte(2)} << 16;
  return length > 0 && length < (1 << 16) && byte(3) > 0 && byte(3) < 8 &&
         (byte(2) == 0 && byte(1) < 8) && length + 4 >= piece.size();
}

void Redactor::add_line(std::string_view line, bool is_whole, std::string& out) {
  if (is_in_secret_) {
    out += kHidden;
    is_in_secret_ = !is_whole;
    return;
  }
  if (hidden_lines_ > 0 && !line.empty()) {
    --hidden_lines_;
    out += kHidden;
    is_in_secret_ = !is_whole;
    return;
  }
  const bool is_sasl = line.size() >= kShortestBase64 && std::ranges::all_of(line, is_base64);
  std::uint32_t follow = 0;
  auto shown = is_sasl ? 0 : shown_of_command(line, follow);
  if (shown == std::string_view::npos) shown = shown_of_header(line);
  if (shown == std::string_view::npos) return add_values(line, out);
  add_printable(line.substr(0, shown), out);
  if (shown < line.size()) out += kHidden;
  hidden_lines_ = follow;
  is_in_secret_ = !is_whole;
}

std::string Redactor::operator()(std::string_view piece) {
  std::string out;
  if (is_database_secret(piece)) return std::string(kHidden);
  while (!piece.empty()) {
    const auto end = piece.find_first_of("\r\n");
    const bool is_whole = end != std::string_view::npos;
    add_line(piece.substr(0, end), is_whole, out);
    if (!is_whole) break;
    piece.remove_prefix(end);
    const auto next = std::min(piece.find_first_not_of("\r\n"), piece.size());
    out += piece.substr(0, next);
    piece.remove_prefix(next);
  }
  return out;
}

}  // namespace penstock::telemetry
