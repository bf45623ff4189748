#pragma once
#include <string>

namespace penstock::annotations {

/// The reference page of annotations, from their tables.
std::string annotations_reference();

}  // namespace penstock::annotations
