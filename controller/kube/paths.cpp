#include "controller/kube/paths.h"

#include "proxy/base/text.h"

namespace penstock::kube {

std::string encode_url(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const char lower = base::to_lower(c);
    const bool is_unreserved = base::is_digit(c) || (lower >= 'a' && lower <= 'z') || c == '-' ||
                               c == '.' || c == '_' || c == '~';
    if (is_unreserved) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

std::string collection_path(std::string_view api_version, std::string_view plural,
                            std::string_view name_space) {
  // The core group is the only one without a slash in its apiVersion.
  std::string path = api_version.find('/') == api_version.npos ? "/api/" : "/apis/";
  path.append(api_version);
  if (!name_space.empty()) path.append("/namespaces/").append(encode_url(name_space));
  return path.append("/").append(plural);
}

std::string object_path(std::string_view api_version, std::string_view plural,
                        std::string_view name_space, std::string_view name) {
  return collection_path(api_version, plural, name_space).append("/").append(encode_url(name));
}

}  // namespace penstock::kube
