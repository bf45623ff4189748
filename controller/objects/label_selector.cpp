#include "controller/objects/label_selector.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "proxy/base/text.h"

namespace penstock::objects {
namespace {

constexpr std::size_t kMaxLabelText = 63;
constexpr std::size_t kMaxPrefix = 253;

bool is_alphanumeric(char c) {
  const char lower = base::to_lower(c);
  return base::is_digit(c) || (lower >= 'a' && lower <= 'z');
}

/// What labels are made of: letters, digits, '-', '_' and '.', the first two at both ends.
bool is_label_text(std::string_view text) {
  return !text.empty() && text.size() <= kMaxLabelText && is_alphanumeric(text.front()) &&
         is_alphanumeric(text.back()) && std::ranges::all_of(text, [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
         });
}

bool is_prefix(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPrefix && std::ranges::all_of(text, [](char c) {
    return base::is_digit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.';
  });
}

bool is_key(std::string_view text) {
  const auto slash = text.find('/');
  if (slash == std::string_view::npos) return is_label_text(text);
  return is_prefix(text.substr(0, slash)) && is_label_text(text.substr(slash + 1));
}

/// At commas that stand outside of parentheses.
std::vector<std::string_view> split_requirements(std::string_view text) {
  std::vector<std::string_view> out;
  std::size_t begin = 0;
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')') --depth;
    if (text[i] != ',' || depth > 0) continue;
    out.push_back(base::trim(text.substr(begin, i - begin)));
    begin = i + 1;
  }
  out.push_back(base::trim(text.substr(begin)));
  return out;
}

/// "key in (a, b)" cut into its key, its word and what stands in the parentheses.
struct SetForm {
  std::string_view key;
  std::string_view word;
  std::string_view list;
};

std::optional<SetForm> cut_set_form(std::string_view text) {
  const auto open = text.find('(');
  if (open == std::string_view::npos || !text.ends_with(')')) return std::nullopt;
  const auto head = base::trim(text.substr(0, open));
  const auto space = head.find_first_of(" \t");
  if (space == std::string_view::npos) return std::nullopt;
  return SetForm{head.substr(0, space), base::trim(head.substr(space)),
                 text.substr(open + 1, text.size() - open - 2)};
}

}  // namespace

base::Result<LabelSelector::Requirement> LabelSelector::parse_requirement(std::string_view text) {
  const auto refuse = [&] {
    return base::fail(
        fmt::format("expected k=v, k!=v, k in (a,b), k notin (a,b), k or !k, got '{}'", text));
  };
  Requirement out;
  std::string_view key = text;
  if (const auto set = cut_set_form(text)) {
    if (set->word != "in" && set->word != "notin") return refuse();
    key = set->key;
    out.must_match = set->word == "in";
    for (const auto value : base::split(set->list, ',')) out.values.emplace_back(base::trim(value));
  } else if (const auto equals = text.find('='); equals != std::string_view::npos) {
    const bool is_negated = equals > 0 && text[equals - 1] == '!';
    const bool is_doubled = !is_negated && text.substr(equals).starts_with("==");
    key = base::trim(text.substr(0, is_negated ? equals - 1 : equals));
    out.must_match = !is_negated;
    out.values.emplace_back(base::trim(text.substr(equals + (is_doubled ? 2 : 1))));
  } else {
    out.is_presence = true;
    out.must_match = !text.starts_with('!');
    if (!out.must_match) key = base::trim(text.substr(1));
  }
  const bool are_values_good = std::ranges::all_of(
      out.values, [](const std::string& value) { return value.empty() || is_label_text(value); });
  if (!is_key(key) || !are_values_good) return refuse();
  out.key = key;
  return out;
}

base::Result<LabelSelector> LabelSelector::parse(std::string_view text) {
  LabelSelector out;
  for (const auto part : split_requirements(text)) {
    auto requirement = parse_requirement(part);
    if (!requirement) return std::unexpected(requirement.error());
    out.requirements_.push_back(std::move(*requirement));
  }
  return out;
}

bool LabelSelector::matches(const std::map<std::string, std::string>& labels) const {
  return std::ranges::all_of(requirements_, [&](const Requirement& each) {
    const auto found = labels.find(each.key);
    bool matches = found != labels.end();
    if (matches && !each.is_presence) {
      matches = std::ranges::find(each.values, found->second) != each.values.end();
    }
    return matches == each.must_match;
  });
}

}  // namespace penstock::objects
