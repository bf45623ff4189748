#pragma once
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "controller/translate/certificate.h"
#include "controller/translate/reader.h"

namespace penstock::translate {

/// Parsed key pairs by Secret, so that a host that is translated again does not parse them again.
/// A memo of a pure function: forgetting an entry changes nothing but time.
class KeyPairs {
 public:
  using Entry = base::Result<std::shared_ptr<const KeyPair>>;

  /// The pair of an existing Secret or why it has none; a missing Secret is an error as well.
  const Entry& get(Reader& reader, const std::string& path);
  /// Secrets among the changed facts are parsed anew.
  void forget(const std::vector<world::Fact>& changed);

 private:
  std::unordered_map<world::Fact, Entry> entries_;
};

}  // namespace penstock::translate
