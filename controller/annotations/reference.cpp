#include "controller/annotations/reference.h"

#include <algorithm>

#include "controller/annotations/annotations.h"
#include "controller/settings/reference.h"

namespace penstock::annotations {

std::string annotations_reference() {
  auto rows = all();
  std::ranges::sort(rows, {}, &Setting::name);
  return "# Annotations of Ingresses\n\n"
         "Each stands under `nginx.ingress.kubernetes.io/` (or the prefix of `--annotations-prefix`) "
         "and goes\nbefore the key of the same name in the ConfigMap. An annotation with the prefix "
         "that is not in this\ntable is reported on the Ingress and not served; an Ingress with "
         "`canary: \"true\"` is left out, for it\nwould take all of the traffic instead of a "
         "share.\n\n" +
         settings::reference(Table(rows), settings::IngressPolicy{}, "");
}

}  // namespace penstock::annotations
