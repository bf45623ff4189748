#pragma once
// Key pairs in Secrets: are they whole, and which hosts do they name.
#include <memory>
#include <string>
#include <string_view>

#include "controller/objects/values.h"
#include "proxy/base/result.h"
#include "proxy/snapshot/tls.h"

namespace penstock::translate {

/// A certificate chain with its private key, checked to belong together. Holds key material: its
/// errors never do.
class KeyPair {
 public:
  /// Reads tls.crt and tls.key; `name` becomes the name of the part.
  static base::Result<std::shared_ptr<const KeyPair>> parse(const objects::Secret& secret,
                                                            std::string name);
  ~KeyPair();

  /// By subject alternative names; by common name only where there are none (RFC 6125).
  bool covers(const std::string& host) const;
  const snapshot::Certificate& part() const { return part_; }
  /// End of validity in seconds since 1970.
  std::int64_t expires() const { return expires_; }

 private:
  struct Leaf;
  KeyPair();

  std::unique_ptr<Leaf> leaf_;
  snapshot::Certificate part_;
  std::int64_t expires_ = 0;
};

/// Whether the text is PEM certificates and nothing else that could have been meant as one.
base::Result<void> check_authorities(const std::string& pem);

}  // namespace penstock::translate
