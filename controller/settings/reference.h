#pragma once
// The reference pages of keys, printed from their tables so that they cannot differ from the code.
#include <string>
#include <string_view>

#include "controller/settings/setting.h"

namespace penstock::settings {

/// One more column, which says something of the key of this name. No title: there is none.
struct Column {
  std::string_view title = {};
  std::string (*text)(std::string_view name) = nullptr;
};

/// Markdown: one table row for each key, with its default as `defaults` has it.
template <class Target>
std::string reference(Table<Target> table, const Target& defaults, const Column& more = {});

std::string configmap_reference();

}  // namespace penstock::settings
