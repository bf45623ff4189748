#include "controller/translate/reader.h"

#include <fmt/format.h>

namespace penstock::translate {
namespace {

bool may_read_secret(const Options& options, const std::string& path) {
  if (options.secret_namespaces.empty() || path == options.default_certificate) return true;
  const auto name_space = path.substr(0, path.find('/'));
  return std::ranges::find(options.secret_namespaces, name_space) !=
         options.secret_namespaces.end();
}

}  // namespace

base::Result<const objects::Secret*> Reader::secret(const std::string& path) {
  if (!may_read_secret(options_, path)) {
    return base::fail(
        fmt::format("expected a Secret of one of --secret-namespaces, got '{}'", path));
  }
  secrets_.insert(path);
  const auto* found = find<objects::Secret>(path);
  if (found == nullptr)
    return base::fail(fmt::format("expected a Secret, '{}' does not exist", path));
  return found;
}

}  // namespace penstock::translate
