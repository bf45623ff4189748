#include "controller/annotations/reference.h"

#include <fmt/format.h>

#include <algorithm>

#include "controller/annotations/annotations.h"
#include "controller/annotations/known.h"
#include "controller/settings/reference.h"

namespace penstock::annotations {
namespace {

std::string risk_of(std::string_view name) {
  const auto* found = find_known(name);
  return found == nullptr ? "" : settings::RiskLevel::print(found->risk);
}

std::string unserved_annotations(const std::vector<Setting>& rows) {
  std::string out =
      "\n## Annotations of ingress-nginx that are not served\n\n"
      "| annotation | risk |\n|---|---|\n";
  for (const auto& each : known()) {
    const bool is_served = std::ranges::any_of(
        rows, [&](const Setting& row) { return row.name == each.name || row.alias == each.name; });
    if (!is_served) out += fmt::format("| `{}` | {} |\n", each.name, risk_of(each.name));
  }
  return out;
}

}  // namespace

std::string annotations_reference() {
  auto rows = all();
  std::ranges::sort(rows, {}, &Setting::name);
  return "# Annotations of Ingresses\n\n"
         "Each stands under `nginx.ingress.kubernetes.io/` (or the prefix of\n"
         "`--annotations-prefix`) and goes before the key of the same name in the ConfigMap. An\n"
         "annotation with the prefix that is not in this table is reported on the Ingress and not\n"
         "served; an Ingress with `canary: \"true\"` is left out, for it would take all of the\n"
         "traffic instead of a share.\n\n"
         "An annotation of a higher risk than the ConfigMap's\n"
         "[`annotations-risk-level`](configmap.md) (High, where it does not say) is not taken: "
         "the\n"
         "admission webhook refuses its Ingress, and one that is stored already answers 503. That\n"
         "holds for annotations that are not served as well.\n\n" +
         settings::reference(Table(rows), settings::IngressPolicy{}, {"risk", risk_of}) +
         unserved_annotations(rows);
}

}  // namespace penstock::annotations
