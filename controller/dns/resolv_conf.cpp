#include "controller/dns/resolv_conf.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>

#include "proxy/base/text.h"

namespace penstock::dns {

namespace {

constexpr std::size_t kMaxFile = 64 << 10;
constexpr std::size_t kMaxServers = 3;  // libc's MAXNS
constexpr std::size_t kMaxSearch = 32;  // what Kubernetes allows in a pod's dnsConfig
constexpr std::size_t kMaxName = 253;

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  for (const char c : line) {
    if (c == '#' || c == ';') break;
    if (!base::is_space(c) && c != '\r') {
      word += c;
      continue;
    }
    if (!word.empty()) words.push_back(std::exchange(word, {}));
  }
  if (!word.empty()) words.push_back(word);
  return words;
}

void read_option(std::string_view option, ResolvConf& conf) {
  const auto number = [&](std::string_view prefix, int least, int most) -> std::optional<int> {
    if (!option.starts_with(prefix)) return std::nullopt;
    const auto value = base::parse_integer<int>(option.substr(prefix.size()));
    if (!value) return std::nullopt;
    return std::clamp(*value, least, most);
  };
  if (const auto ndots = number("ndots:", 0, 15)) conf.ndots = *ndots;
  if (const auto seconds = number("timeout:", 1, 30)) conf.timeout = std::chrono::seconds(*seconds);
  if (const auto attempts = number("attempts:", 1, 5)) conf.attempts = *attempts;
}

std::string without_final_dot(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  return std::string(name);
}

}  // namespace

ResolvConf parse_resolv_conf(std::string_view text) {
  ResolvConf conf;
  for (const auto line : base::split(text, '\n')) {
    const auto words = words_of(line);
    if (words.size() < 2) continue;
    if (words[0] == "nameserver" && conf.servers.size() < kMaxServers) {
      conf.servers.push_back(words[1]);
    } else if (words[0] == "search" || words[0] == "domain") {
      conf.search.clear();  // the last such line wins
      for (std::size_t i = 1; i < words.size() && i <= kMaxSearch; ++i) {
        if (words[i] != ".") conf.search.push_back(without_final_dot(words[i]));
      }
    } else if (words[0] == "options") {
      for (std::size_t i = 1; i < words.size(); ++i) read_option(words[i], conf);
    }
  }
  if (conf.servers.empty()) conf.servers.push_back("127.0.0.1");
  return conf;
}

ResolvConf read_resolv_conf(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxFile, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return parse_resolv_conf(text);
}

std::vector<std::string> candidates(std::string_view name, const ResolvConf& conf) {
  std::vector<std::string> names;
  const auto add = [&](std::string candidate) {
    if (candidate.size() <= kMaxName) names.push_back(std::move(candidate));
  };
  const std::string as_is = without_final_dot(name);
  if (as_is.empty()) return names;
  if (name.ends_with('.')) {
    add(as_is);
    return names;
  }
  const bool goes_first = std::count(as_is.begin(), as_is.end(), '.') >= conf.ndots;
  if (goes_first) add(as_is);
  for (const auto& domain : conf.search) add(as_is + '.' + domain);
  if (!goes_first) add(as_is);
  return names;
}

}  // namespace penstock::dns
