#pragma once
// The reference pages of keys, printed from their tables so that they cannot differ from the code.
#include <string>

#include "controller/settings/setting.h"

namespace penstock::settings {

/// Markdown: one table row for each key, with its default as `defaults` has it.
template <class Target>
std::string reference(Table<Target> table, const Target& defaults, const std::string& prefix);

std::string configmap_reference();

}  // namespace penstock::settings
