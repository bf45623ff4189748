#pragma once
#include <string>

#include "proxy/base/result.h"

namespace penstock::program {

struct PemPair {
  std::string chain;
  std::string key;
};

/// What hosts present that have no certificate of their own: P-256, made at each start, valid for a
/// year, trusted by nobody.
base::Result<PemPair> make_self_signed();

}  // namespace penstock::program
