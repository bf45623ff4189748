#pragma once
// What is not wrong for the translator, which has neither a clock nor the code of the access log,
// and will be for whoever serves it.
#include <cstdint>
#include <vector>

#include "controller/translate/translator.h"

namespace penstock::cli {

/// Variables of log lines that are not known, and certificates that have expired at `now` (seconds
/// since 1970).
std::vector<translate::Diagnostic> lint(const translate::Translator& translator, std::int64_t now);

}  // namespace penstock::cli
