#include "controller/settings/ingress_rules.h"

#include <algorithm>

namespace penstock::settings {

base::Result<std::vector<std::string>> WordList::parse(std::string_view text) {
  auto words = TextList::parse(text);
  if (!words) return words;
  const bool is_bounded =
      words->size() <= kMost &&
      std::ranges::all_of(*words, [](const std::string& word) { return word.size() <= kLongest; });
  if (!is_bounded) return base::fail("too much");
  return words;
}

}  // namespace penstock::settings
