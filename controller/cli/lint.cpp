#include "controller/cli/lint.h"

#include <fmt/format.h>

#include "controller/translate/certificate_facts.h"
#include "proxy/telemetry/unknown_variables.h"

namespace penstock::cli {
namespace {

objects::ObjectKey object_at(objects::Kind kind, const std::string& path) {
  const auto slash = path.find('/');
  return {kind, path.substr(0, slash), path.substr(slash + 1)};
}

void lint_log_lines(const snapshot::Global& global, const std::string& config_map,
                    std::vector<translate::Diagnostic>& out) {
  for (auto& each : telemetry::unknown_variables(global)) {
    out.push_back({object_at(objects::Kind::kConfigMap, config_map),
                   fmt::format("/data/{}", each.key), std::move(each.message)});
  }
}

}  // namespace

std::vector<translate::Diagnostic> lint(const translate::Translator& translator, std::int64_t now) {
  std::vector<translate::Diagnostic> out;
  const auto& options = translator.options();
  for (const auto& [key, part] : translator.parts()) {
    const auto* global = std::get_if<snapshot::Global>(part.get());
    if (global != nullptr && !options.config_map.empty()) {
      lint_log_lines(*global, options.config_map, out);
    }
    const auto* certificate = std::get_if<snapshot::Certificate>(part.get());
    if (certificate == nullptr) continue;
    const auto secret =
        key.name == snapshot::kDefaultCertificate ? options.default_certificate : key.name;
    const auto facts = translate::certificate_facts(certificate->chain_pem);
    auto why = facts ? translate::why_expired(*facts, now) : std::string();
    if (secret.empty() || why.empty()) continue;
    out.push_back({object_at(objects::Kind::kSecret, secret),
                   "/data/tls.crt",
                   "tls.crt: " + std::move(why),
                   translate::Reason::kInvalidCertificate});
  }
  return out;
}

}  // namespace penstock::cli
