#pragma once
// YAML as Kubernetes reads it, to the JSON that the API would give, with the line of every value.
// Aliases are followed within bounds: a file of hostile aliases is refused, not unfolded.
#include <yaml-cpp/node/node.h>

#include <map>
#include <string>
#include <string_view>

#include "proxy/base/result.h"

namespace penstock::directory {

/// Lines, counted from 1, by JSON pointer.
class LineMap {
 public:
  void set(const std::string& pointer, int line) { lines_.insert_or_assign(pointer, line); }
  /// Of the value, else of the nearest value that holds it; 0 where nothing is known.
  int line_of(std::string_view pointer) const;

 private:
  std::map<std::string, int, std::less<>> lines_;
};

struct YamlError {
  int line = 0;
  std::string message;
};

/// The JSON text of one document; fills `lines`, counted from `first_line`.
std::expected<std::string, YamlError> to_json(const YAML::Node& document, int first_line,
                                              LineMap& lines);

}  // namespace penstock::directory
