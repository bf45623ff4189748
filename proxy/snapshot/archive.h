#pragma once
// How a value says what it is made of. Every struct of the snapshot has
//
//   template <class Archive> void describe(Archive& archive) { archive("port", port)("tls", tls); }
//
// and gets its encoder, decoder, YAML form and schema fingerprint from it. Field order is wire
// order. Enums name their values through `EnumNames`, which is also what bounds a decoded one.
#include <array>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "proxy/base/duration.h"
#include "proxy/base/ip_net.h"

namespace penstock::snapshot {

/// Specialise with `static constexpr std::array names = {"exact"sv, ...}` in enumerator order.
template <class E>
struct EnumNames;

template <class E>
constexpr std::string_view name_of(E value) {
  return EnumNames<E>::names[static_cast<std::size_t>(value)];
}

template <class E>
std::optional<E> enum_named(std::string_view name) {
  for (std::size_t i = 0; i < EnumNames<E>::names.size(); ++i) {
    if (EnumNames<E>::names[i] == name) return static_cast<E>(i);
  }
  return std::nullopt;
}

namespace detail {
struct NullArchive {
  template <class T>
  NullArchive& operator()(std::string_view, T&) {
    return *this;
  }
  template <class T>
  NullArchive& secret(std::string_view, T&) {
    return *this;
  }
};
}  // namespace detail

template <class T>
concept Described = requires(T& value, detail::NullArchive& archive) { value.describe(archive); };

}  // namespace penstock::snapshot
