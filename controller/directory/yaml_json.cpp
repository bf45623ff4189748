#include "controller/directory/yaml_json.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <set>

#include "controller/objects/json.h"
#include "proxy/base/text.h"

namespace penstock::directory {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 1'000'000;
constexpr std::size_t kMaxJson = 64 << 20;

constexpr std::array<std::string_view, 5> kNull = {"", "~", "null", "Null", "NULL"};
// The words of YAML 1.1: kubectl reads them as booleans, and so must who checks manifests for it.
constexpr std::array<std::string_view, 9> kTrue = {"true", "True", "TRUE", "yes", "Yes",
                                                   "YES",  "on",   "On",   "ON"};
constexpr std::array<std::string_view, 9> kFalse = {"false", "False", "FALSE", "no", "No",
                                                    "NO",    "off",   "Off",   "OFF"};

bool is_one_of(const auto& words, std::string_view text) {
  return std::ranges::find(words, text) != words.end();
}

/// The text of a whole number in decimal, or nothing: "12", "-3", "0x1f", "0o17", "017".
std::optional<std::string> whole_number(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  auto digits = is_negative || text.starts_with('+') ? text.substr(1) : text;
  int radix = 10;
  if (digits.starts_with("0x")) {
    radix = 16;
  } else if (digits.starts_with("0o")) {
    radix = 8;
  } else if (digits.size() > 1 && digits.front() == '0') {
    radix = 8;
  }
  if (radix == 16 || digits.starts_with("0o")) digits.remove_prefix(2);
  std::uint64_t value = 0;
  const auto* end = digits.data() + digits.size();
  const auto [stop, code] = std::from_chars(digits.data(), end, value, radix);
  if (digits.empty() || code != std::errc() || stop != end) return std::nullopt;
  return fmt::format("{}{}", is_negative ? "-" : "", value);
}

bool is_decimal(std::string_view text) {
  const auto is_part = [](char c) {
    return base::is_digit(c) || c == '.' || c == 'e' || c == 'E' || c == '+' || c == '-';
  };
  return std::ranges::any_of(text, base::is_digit) && std::ranges::all_of(text, is_part);
}

std::optional<std::string> fraction(const std::string& text) {
  if (!is_decimal(text)) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (end != text.c_str() + text.size() || !std::isfinite(value)) return std::nullopt;
  return fmt::format("{}", value);
}

std::string json_text(std::string_view text) { return '"' + base::escape_json(text) + '"'; }

class Converter {
 public:
  Converter(LineMap& lines, int first_line) : lines_(lines), first_line_(first_line) {}

  bool write(const YAML::Node& node, const std::string& pointer, int depth) {
    const auto line = node.Mark().line + first_line_;
    if (++nodes_ > kMaxNodes || out.size() > kMaxJson) {
      return fail(line, "the document is too large once its aliases are followed");
    }
    if (depth > kMaxDepth) return fail(line, "values are nested too deeply");
    lines_.set(pointer, line);
    switch (node.Type()) {
      case YAML::NodeType::Sequence:
        return write_sequence(node, pointer, depth);
      case YAML::NodeType::Map:
        return write_map(node, pointer, depth);
      case YAML::NodeType::Scalar:
        out += scalar(node);
        return true;
      case YAML::NodeType::Null:
      case YAML::NodeType::Undefined:
        break;
    }
    out += "null";
    return true;
  }

  std::string out;
  YamlError error;

 private:
  bool write_sequence(const YAML::Node& node, const std::string& pointer, int depth) {
    out += '[';
    std::size_t index = 0;
    for (const auto& item : node) {
      if (index > 0) out += ',';
      if (!write(item, fmt::format("{}/{}", pointer, index), depth + 1)) return false;
      ++index;
    }
    out += ']';
    return true;
  }

  bool write_map(const YAML::Node& node, const std::string& pointer, int depth) {
    out += '{';
    std::set<std::string> seen;
    for (const auto& member : node) {
      const auto line = member.first.Mark().line + first_line_;
      if (!member.first.IsScalar()) return fail(line, "expected a text as key");
      const auto& key = member.first.Scalar();
      if (!seen.insert(key).second) return fail(line, fmt::format("key '{}' is there twice", key));
      if (seen.size() > 1) out += ',';
      out += json_text(key);
      out += ':';
      const auto place = pointer + "/" + objects::escape_pointer(key);
      if (!write(member.second, place, depth + 1)) return false;
      lines_.set(place, line);
    }
    out += '}';
    return true;
  }

  static std::string scalar(const YAML::Node& node) {
    const auto& text = node.Scalar();
    const auto& tag = node.Tag();
    if (tag == "!" || tag.ends_with(":str") || tag == "!!str") return json_text(text);
    if (is_one_of(kNull, text)) return "null";
    if (is_one_of(kTrue, text)) return "true";
    if (is_one_of(kFalse, text)) return "false";
    if (const auto number = whole_number(text)) return *number;
    if (const auto number = fraction(text)) return *number;
    return json_text(text);
  }

  bool fail(int line, std::string message) {
    error = {line, std::move(message)};
    return false;
  }

  LineMap& lines_;
  int first_line_;
  std::size_t nodes_ = 0;
};

}  // namespace

int LineMap::line_of(std::string_view pointer) const {
  for (;;) {
    const auto found = lines_.find(pointer);
    if (found != lines_.end()) return found->second;
    const auto slash = pointer.rfind('/');
    if (slash == std::string_view::npos) return 0;
    pointer = pointer.substr(0, slash);
  }
}

std::expected<std::string, YamlError> to_json(const YAML::Node& document, int first_line,
                                              LineMap& lines) {
  Converter converter(lines, first_line);
  if (!converter.write(document, "", 0)) return std::unexpected(std::move(converter.error));
  return std::move(converter.out);
}

}  // namespace penstock::directory
