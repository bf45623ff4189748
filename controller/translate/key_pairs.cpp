#include "controller/translate/key_pairs.h"

namespace penstock::translate {

const KeyPairs::Entry& KeyPairs::get(Reader& reader, const std::string& path) {
  const auto secret = reader.secret(path);
  const auto key = world::object_fact(objects::Kind::kSecret, path);
  const auto found = entries_.find(key);
  if (found != entries_.end()) return found->second;
  auto entry = secret ? KeyPair::parse(**secret, path) : Entry(std::unexpected(secret.error()));
  return entries_.emplace(key, std::move(entry)).first->second;
}

void KeyPairs::forget(const std::vector<world::Fact>& changed) {
  for (const auto fact : changed) entries_.erase(fact);
}

}  // namespace penstock::translate
