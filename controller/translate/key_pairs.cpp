#include "controller/translate/key_pairs.h"

#include <fmt/format.h>

namespace penstock::translate {

const KeyPairs::Entry& KeyPairs::get(Reader& reader, const std::string& path) {
  const auto* secret = reader.secret(path);
  const auto key = world::object_fact(objects::Kind::kSecret, path);
  const auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  auto entry = secret == nullptr
                   ? Entry(base::fail(fmt::format("expected a Secret, '{}' does not exist", path)))
                   : KeyPair::parse(*secret, path);
  return entries_.emplace(key, std::move(entry)).first->second;
}

void KeyPairs::forget(const std::vector<world::Fact>& changed) {
  for (const auto fact : changed) entries_.erase(fact);
}

}  // namespace penstock::translate
