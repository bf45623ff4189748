#include "controller/objects/names.h"

#include <algorithm>

#include "proxy/base/text.h"

namespace penstock::objects {

bool is_dns_label(std::string_view text) {
  return !text.empty() && text.size() <= kLongestLabel && text.front() != '-' &&
         text.back() != '-' && std::ranges::all_of(text, [](char c) {
           return base::is_digit(c) || (c >= 'a' && c <= 'z') || c == '-';
         });
}

}  // namespace penstock::objects
