#pragma once
// Paths of the Kubernetes API. Names are percent-encoded, so that no name can change a path.
#include <string>
#include <string_view>

#include "controller/objects/object.h"

namespace penstock::kube {

/// Everything but unreserved characters (RFC 3986, 2.3) as %XX.
std::string encode_url(std::string_view text);

/// "/apis/networking.k8s.io/v1/namespaces/shop/ingresses"; without a namespace: of all namespaces.
std::string collection_path(std::string_view api_version, std::string_view plural,
                            std::string_view name_space = {});
std::string object_path(std::string_view api_version, std::string_view plural,
                        std::string_view name_space, std::string_view name);

inline std::string collection_path(const objects::KindInfo& kind, std::string_view name_space) {
  return collection_path(kind.api_version, kind.plural, name_space);
}
/// Append "/status" for the status.
inline std::string object_path(const objects::ObjectKey& key) {
  const auto& kind = objects::info_of(key.kind);
  return object_path(kind.api_version, kind.plural, key.name_space, key.name);
}

}  // namespace penstock::kube
