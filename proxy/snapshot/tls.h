#pragma once
#include <string>

namespace penstock::snapshot {

/// A key pair that listeners present. Holds a private key: never logged, dumped or compared aloud.
struct Certificate {
  std::string name;       // "<namespace>/<secret>", or "default"
  std::string chain_pem;  // leaf first
  std::string private_key_pem;

  template <class Archive>
  void describe(Archive& archive) {
    archive("name", name)("chain_pem", chain_pem).secret("private_key_pem", private_key_pem);
  }
  bool operator==(const Certificate&) const = default;
};

inline constexpr char kDefaultCertificate[] = "default";

}  // namespace penstock::snapshot
