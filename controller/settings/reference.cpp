#include "controller/settings/reference.h"

#include <fmt/format.h>

#include "controller/settings/global.h"

namespace penstock::settings {
namespace {

const char* scope_text(Scope scope) {
  switch (scope) {
    case Scope::kGlobal:
      return "proxy";
    case Scope::kRoute:
      return "route";
    case Scope::kHost:
      return "host";
    case Scope::kUpstream:
      break;
  }
  return "upstream";
}

std::string cell(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

template <class Target>
std::string reference(Table<Target> table, const Target& defaults, const std::string& prefix) {
  std::string out = "| key | value | default | scope | what it does |\n|---|---|---|---|---|\n";
  for (const auto& row : table) {
    const auto value = row.print(defaults);
    out += fmt::format(
        "| `{}{}` | {} | {} | {} | {}{}{} |\n", prefix, row.name, cell(row.expected),
        value.empty() ? "" : "`" + cell(value) + "`", scope_text(row.scope), cell(row.doc),
        row.alias.empty() ? "" : fmt::format(" Also `{}{}`.", prefix, row.alias),
        row.on_bad == OnBad::kDeny ? " A value that cannot be read closes the route: 503." : "");
  }
  return out;
}

template std::string reference(Table<GlobalSettings>, const GlobalSettings&, const std::string&);
template std::string reference(Table<IngressPolicy>, const IngressPolicy&, const std::string&);

std::string configmap_reference() {
  return "# Keys of the global ConfigMap\n\n"
         "The ConfigMap is named by `--configmap`. A key that is not in this table, and a value\n"
         "that cannot be read, is reported in the controller's log and by `penstock check`, and\n"
         "changes nothing.\n\n" +
         reference(global_table(), GlobalSettings{}, "");
}

}  // namespace penstock::settings
