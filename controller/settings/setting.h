#pragma once
// One row = one key that a user may write: its name, parser with bounds, destination, scope and
// documentation. Error texts and the reference pages are derived from the row.
#include <span>
#include <string>
#include <string_view>

#include "proxy/base/result.h"

namespace penstock::settings {

/// What one value of the key governs.
enum class Scope : char {
  kGlobal,    // the whole proxy
  kIngress,   // each Ingress as a whole: whether it is taken
  kRoute,     // each path of the Ingress
  kHost,      // each host of the Ingress, with the paths that other Ingresses give it
  kUpstream,  // a Service's port; the oldest Ingress that refers to it decides for all
};

/// What happens to a value that cannot be read. It is reported in either case.
enum class OnBad : char {
  kKeepDefault,  // as if the key were absent
  kDeny,         // a security setting: the Ingress's routes answer 503 until it is mended
};

/// A key of settings that live in a `Target`.
template <class Target>
struct Setting {
  std::string_view name;
  Scope scope;
  std::string_view expected;  // "whole seconds from 0 to 86400"
  base::Result<void> (*apply)(std::string_view text, Target& target);
  std::string (*print)(const Target& target);  // the value in the form of the key
  std::string_view doc;
  OnBad on_bad = OnBad::kKeepDefault;
  std::string_view alias = {};  // an older name, read where the name itself is absent or empty
};

template <class Target>
using Table = std::span<const Setting<Target>>;

namespace detail {

template <class Member>
struct MemberOf;
template <class Class, class Value>
struct MemberOf<Value Class::*> {
  using ClassType = Class;
};

template <class Target, class First, class... Rest>
auto& follow(Target& target, First first, Rest... rest) {
  if constexpr (sizeof...(rest) == 0) {
    return target.*first;
  } else {
    return follow(target.*first, rest...);
  }
}

template <auto First, auto...>
struct TargetOf {
  using Type = typename MemberOf<decltype(First)>::ClassType;
};

}  // namespace detail

/// A row whose value is at `target.*Path...`, read and printed by `Kind`.
template <class Kind, auto... Path>
constexpr auto setting(std::string_view name, Scope scope, std::string_view doc,
                       OnBad on_bad = OnBad::kKeepDefault, std::string_view alias = {}) {
  using Target = typename detail::TargetOf<Path...>::Type;
  return Setting<Target>{
      name,
      scope,
      Kind::kExpected,
      [](std::string_view text, Target& target) -> base::Result<void> {
        auto value = Kind::parse(text);
        if (!value) return std::unexpected(std::move(value.error()));
        detail::follow(target, Path...) = std::move(*value);
        return {};
      },
      [](const Target& target) { return Kind::print(detail::follow(target, Path...)); },
      doc,
      on_bad,
      alias};
}

/// "cors-max-age: expected whole seconds from 0 to 864000, got 'soon'".
std::string bad_value(std::string_view name, std::string_view expected, std::string_view got);

}  // namespace penstock::settings
