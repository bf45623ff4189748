#pragma once
// Which labels an object must have, as kubectl writes it: "team=a,env in (test, prod),!legacy".
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"

namespace penstock::objects {

class LabelSelector {
 public:
  /// Requirements separated by commas: `k=v`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`, `k`,
  /// `!k`. At least one.
  static base::Result<LabelSelector> parse(std::string_view text);

  /// All requirements hold. `!=` and `notin` hold also where the label is missing.
  bool matches(const std::map<std::string, std::string>& labels) const;

 private:
  struct Requirement {
    std::string key;
    std::vector<std::string> values;
    bool must_match = true;    // else the opposite
    bool is_presence = false;  // of the label, whatever its value
  };
  static base::Result<Requirement> parse_requirement(std::string_view text);

  std::vector<Requirement> requirements_;
};

}  // namespace penstock::objects
