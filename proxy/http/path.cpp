#include "proxy/http/path.h"

#include "proxy/base/text.h"

namespace penstock::http {
namespace {

/// Called at the end of each segment: merges and resolves what `out` ends in.
bool close_segment(std::string& out) {
  if (out.ends_with("/.")) {
    out.pop_back();
  } else if (out.ends_with("/..")) {
    out.resize(out.size() - 3);
    const auto parent = out.rfind('/');
    if (parent == std::string::npos) return false;
    out.resize(parent + 1);
  }
  return true;
}

}  // namespace

namespace {

/// Nothing to decode, merge or resolve.
bool is_normal(std::string_view path) {
  if (!path.starts_with('/')) return false;
  char before = '\0';
  for (const char c : path) {
    if (c == '%' || (before == '/' && (c == '/' || c == '.'))) return false;
    before = c;
  }
  return true;
}

}  // namespace

std::optional<std::string_view> normalised(std::string_view path, std::string& storage) {
  if (is_normal(path)) return path;
  if (!normalise_path(path, storage)) return std::nullopt;
  return storage;
}

bool normalise_path(std::string_view path, std::string& out) {
  out.clear();
  for (std::size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      if (path.size() - i < 3) return false;
      const auto high = base::hex_value(path[i + 1]);
      const auto low = base::hex_value(path[i + 2]);
      if (high < 0 || low < 0) return false;
      c = static_cast<char>(high * 16 + low);
      if (c == '\0') return false;
      i += 2;
    }
    if (c != '/') {
      out += c;
      continue;
    }
    if (!close_segment(out)) return false;
    if (!out.ends_with('/')) out += '/';
  }
  return close_segment(out) && out.starts_with('/');
}

}  // namespace penstock::http
