#pragma once
// One file of manifests: several YAML documents, or JSON, which is YAML too.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "controller/directory/yaml_json.h"
#include "controller/objects/object.h"

namespace penstock::directory {

inline constexpr std::size_t kMaxFile = 64 << 20;

struct Document {
  objects::ObjectKey key;
  std::string json;
  std::string file;
  int line = 0;
  LineMap lines;

  /// "web.yaml:17"; empty for one that is in no file.
  std::string where(std::string_view pointer) const;
};

struct Problem {
  std::string file;
  int line = 0;
  std::string message;

  bool operator==(const Problem&) const = default;
};
/// "web.yaml:17: ..."
std::string to_string(const Problem& problem);

struct Manifests {
  std::vector<std::shared_ptr<const Document>> documents;
  std::vector<Problem> problems;  // the first of them
  bool is_broken = false;   // not YAML: nothing of the file can be trusted
  bool has_gaps = false;    // something that was to be an object is not among the documents
  std::size_t ignored = 0;  // objects of kinds that are not read, such as Deployments
};

/// `file` is the name for messages. A List is taken apart; an object without a namespace is in
/// "default"; a Secret's stringData counts as data; a Namespace has the label with its name. As
/// with kubectl, no other defaults are filled in. What an API server would refuse in an Ingress is
/// a problem, and so is a kind that is ours but for its spelling or version.
Manifests parse_manifests(const std::string& file, const std::string& text);
/// A Namespace that an object is in and no file has: in a cluster there would be one.
std::shared_ptr<const Document> implied_namespace(const std::string& name);
/// From disk; a file that cannot be read is broken.
Manifests read_manifests(const std::string& path, const std::string& name);

}  // namespace penstock::directory
