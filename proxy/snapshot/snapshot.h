#pragma once
// The only contract between controller and proxy: a set of named, plain, immutable parts under one
// version. The same types in memory, on the wire and in golden files. Only changed parts travel.
#include <array>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proxy/snapshot/global.h"
#include "proxy/snapshot/route.h"
#include "proxy/snapshot/stream.h"
#include "proxy/snapshot/tls.h"
#include "proxy/snapshot/udp_stream.h"
#include "proxy/snapshot/upstream.h"

namespace penstock::snapshot {

/// In the order in which a version is applied: what is referred to comes before what refers.
enum class PartKind : std::uint8_t {
  kGlobal,
  kCertificate,
  kUpstream,
  kEndpoints,
  kHost,
  kStream,
  kUdpStream,
};
template <>
struct EnumNames<PartKind> {
  static constexpr std::array<std::string_view, 7> names = {
      "global", "certificate", "upstream", "endpoints", "host", "stream", "udp_stream"};
};

/// "host/shop.example.com"; the one global part has an empty name.
struct PartKey {
  PartKind kind = PartKind::kGlobal;
  std::string name;

  template <class Archive>
  void describe(Archive& archive) {
    archive("kind", kind)("name", name);
  }
  auto operator<=>(const PartKey&) const = default;
  bool operator==(const PartKey&) const = default;
};

/// The alternatives stand in the order of PartKind.
using Part = std::variant<Global, Certificate, Upstream, Endpoints, Host, Stream, UdpStream>;
using PartPtr = std::shared_ptr<const Part>;

struct Snapshot {
  std::uint64_t version = 0;
  std::map<PartKey, PartPtr> parts;

  template <class T>
  const T* find(PartKind kind, std::string_view name) const {
    const auto found = parts.find(PartKey{kind, std::string(name)});
    return found == parts.end() ? nullptr : std::get_if<T>(found->second.get());
  }
};

/// What turns one version into the next: a null part is removed. `base` 0 means "from nothing".
struct Update {
  std::uint64_t base = 0;
  std::uint64_t version = 0;
  std::vector<std::pair<PartKey, PartPtr>> parts;
};

/// Applies the update in place; the caller has checked that `base` fits.
void apply(const Update& update, Snapshot& snapshot);

}  // namespace penstock::snapshot
