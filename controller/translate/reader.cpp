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
  if (found != nullptr) return found;
  const auto slash = path.find('/');
  const auto& unreadable = world_.unreadable();
  const bool is_there = slash != std::string::npos &&
                        unreadable.contains({objects::Kind::kSecret, path.substr(0, slash),
                                             path.substr(slash + 1)});
  return base::fail(is_there ? fmt::format("Secret '{}' cannot be read", path)
                             : fmt::format("expected a Secret, '{}' does not exist", path));
}

}  // namespace penstock::translate
