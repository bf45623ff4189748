#pragma once
// What an administrator allows in Ingresses at all: keys of the ConfigMap that no annotation goes
// before.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controller/settings/kinds.h"

namespace penstock::settings {

/// How much harm an annotation can do in the hands of who may write Ingresses, as ingress-nginx
/// rates it.
enum class Risk : std::uint8_t { kLow, kMedium, kHigh, kCritical };

struct IngressRules {
  std::vector<std::string> blocked_words;  // what no annotation's value may contain
  Risk highest_risk = Risk::kHigh;         // of an annotation that an Ingress may have
  bool allows_snippets = false;            // for the admission webhook; nobody runs them
  bool is_strict_on_paths = true;          // the same; what may stand in Exact and Prefix paths

  bool operator==(const IngressRules&) const = default;
};

inline constexpr std::array kRisks = {
    std::pair{std::string_view("Low"), Risk::kLow},
    std::pair{std::string_view("Medium"), Risk::kMedium},
    std::pair{std::string_view("High"), Risk::kHigh},
    std::pair{std::string_view("Critical"), Risk::kCritical},
};
inline constexpr std::string_view kRisksExpected = "Low, Medium, High or Critical";
using RiskLevel = Choice<Risk, kRisks, kRisksExpected>;

/// Comma-separated words. Bounded, for each is looked for in each value.
struct WordList {
  static constexpr std::size_t kMost = 128;
  static constexpr std::size_t kLongest = 256;
  static constexpr std::string_view kExpected =
      "a comma-separated list of at most 128 words of at most 256 bytes";
  static base::Result<std::vector<std::string>> parse(std::string_view text);
  static std::string print(const std::vector<std::string>& value) { return TextList::print(value); }
};

}  // namespace penstock::settings
