#include "controller/annotations/reference.h"

#include <algorithm>

#include "controller/annotations/annotations.h"
#include "controller/settings/reference.h"

namespace penstock::annotations {

std::string annotations_reference() {
  auto rows = all();
  std::ranges::sort(rows, {}, &Setting::name);
  return "# Annotations of Ingresses\n\n"
         "Each stands under `nginx.ingress.kubernetes.io/` (or the prefix of\n"
         "`--annotations-prefix`) and goes before the key of the same name in the ConfigMap. An\n"
         "annotation with the prefix that is not in this table is reported on the Ingress and not\n"
         "served; an Ingress with `canary: \"true\"` is left out, for it would take all of the\n"
         "traffic instead of a share.\n\n" +
         settings::reference(Table(rows), settings::IngressPolicy{}, "");
}

}  // namespace penstock::annotations
