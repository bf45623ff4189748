#include "controller/directory/near_text.h"

#include <algorithm>
#include <vector>

#include "proxy/base/text.h"

namespace penstock::directory {
namespace {

constexpr std::size_t kShortest = 4;   // of shorter names all are near to each other
constexpr std::size_t kLongest = 128;
constexpr std::size_t kMostEdits = 2;

/// Levenshtein's distance.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const auto replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string_view nearest(std::string_view text, std::span<const std::string_view> known) {
  if (text.size() < kShortest || text.size() > kLongest) return {};
  for (const auto each : known) {
    if (base::equals_ignoring_case(text, each)) return each;
  }
  for (const auto each : known) {
    const bool is_end = text.starts_with(each) || each.starts_with(text);
    if (is_end && each.size() >= kShortest) return each;
  }
  for (const auto each : known) {
    const auto difference = std::max(text.size(), each.size()) - std::min(text.size(), each.size());
    if (difference > kMostEdits) continue;  // the work grows with the square
    if (each.size() > kShortest && edits_between(text, each) <= kMostEdits) return each;
  }
  return {};
}

}  // namespace penstock::directory
