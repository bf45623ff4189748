#include "proxy/http/headers.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "proxy/base/text.h"

namespace penstock::http {
namespace {

/// In the order of `Name`.
constexpr std::array<std::string_view, static_cast<std::size_t>(Name::kCount)> kNames = {
    "",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy",
    "proxy-connection",
    "referer",
    "server",
    "strict-transport-security",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-original-forwarded-for",
    "x-original-forwarded-host",
    "x-real-ip",
    "x-request-id",
    "x-scheme",
};

constexpr std::size_t kSlots = 256;

/// Length with first and last letter tells the known names apart almost always.
constexpr std::size_t slot_of(std::string_view text) {
  const auto first = static_cast<unsigned char>(base::to_lower(text.front()));
  const auto last = static_cast<unsigned char>(base::to_lower(text.back()));
  return (text.size() * 31 + first * 7 + last * 3) % kSlots;
}

struct Index {
  std::array<std::array<Name, 3>, kSlots> slots{};
};

constexpr Index make_index() {
  Index index;
  for (std::size_t i = 1; i < kNames.size(); ++i) {
    auto& slot = index.slots[slot_of(kNames[i])];
    std::size_t at = 0;
    while (slot.at(at) != Name::kOther) ++at;  // does not compile when a slot overflows
    slot[at] = static_cast<Name>(i);
  }
  return index;
}

constexpr Index kIndex = make_index();

std::uint64_t eight_bytes(const char* at) {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes;
}

/// `known` is in lower case and holds letters, digits and '-' alone; no other token character
/// becomes one of those when the bit that makes a letter small is set.
bool is_same_name(std::string_view known, std::string_view text) {
  constexpr std::uint64_t kSmall = 0x2020202020202020ULL;
  const auto size = known.size();
  if (text.size() != size) return false;
  if (size < 8) {
    for (std::size_t i = 0; i < size; ++i) {
      if ((text[i] | 0x20) != known[i]) return false;
    }
    return true;
  }
  for (std::size_t i = 0; i + 8 < size; i += 8) {
    if ((eight_bytes(text.data() + i) | kSmall) != eight_bytes(known.data() + i)) return false;
  }
  return (eight_bytes(text.data() + size - 8) | kSmall) == eight_bytes(known.data() + size - 8);
}

}  // namespace

Name name_of(std::string_view text) {
  if (text.empty()) return Name::kOther;
  for (const auto candidate : kIndex.slots[slot_of(text)]) {
    if (candidate == Name::kOther) break;
    if (is_same_name(kNames[static_cast<std::size_t>(candidate)], text)) return candidate;
  }
  return Name::kOther;
}

const Header* Headers::find(Name id) const {
  if (!has(id)) return nullptr;
  const auto found = std::ranges::find(fields_, id, &Header::id);
  return found == fields_.end() ? nullptr : &*found;
}

const Header* Headers::find(std::string_view name) const {
  const auto found = std::ranges::find_if(
      fields_, [&](const Header& field) { return base::equals_ignoring_case(field.name, name); });
  return found == fields_.end() ? nullptr : &*found;
}

bool list_has(std::string_view list, std::string_view token) {
  for (;;) {
    const auto comma = list.find(',');
    if (base::equals_ignoring_case(base::trim(list.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace penstock::http
