#include "controller/settings/reference.h"

#include <fmt/format.h>

#include "controller/settings/global.h"
#include "controller/settings/unserved.h"

namespace penstock::settings {
namespace {

const char* scope_text(Scope scope) {
  switch (scope) {
    case Scope::kGlobal:
      return "proxy";
    case Scope::kIngress:
      return "Ingress";
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

std::string unserved_reference() {
  std::string out =
      "\n## Keys of ingress-nginx without effect\n\n"
      "They are reported with the reason, but for an empty value and the one that says what holds\n"
      "anyway.\n\n"
      "| key | holds anyway | why it has no effect |\n|---|---|---|\n";
  for (const auto& key : unserved_keys()) {
    out +=
        fmt::format("| `{}` | {} | {} |\n", key.name,
                    key.harmless.empty() ? "" : fmt::format("`{}`", key.harmless), cell(key.why));
  }
  return out;
}

}  // namespace

template <class Target>
std::string reference(Table<Target> table, const Target& defaults, const Column& more) {
  const bool has_more = !more.title.empty();
  auto out =
      fmt::format("| key | value | default | scope | {}what it does |\n|---|---|---|---|{}---|\n",
                  has_more ? fmt::format("{} | ", more.title) : "", has_more ? "---|" : "");
  for (const auto& row : table) {
    const auto value = row.print(defaults);
    out += fmt::format(
        "| `{}` | {} | {} | {} | {}{}{}{} |\n", row.name, cell(row.expected),
        value.empty() ? "" : "`" + cell(value) + "`", scope_text(row.scope),
        has_more ? more.text(row.name) + " | " : "", cell(row.doc),
        row.alias.empty() ? "" : fmt::format(" Also `{}`.", row.alias),
        row.on_bad == OnBad::kDeny ? " A value that cannot be read closes the route: 503." : "");
  }
  return out;
}

template std::string reference(Table<GlobalSettings>, const GlobalSettings&, const Column&);
template std::string reference(Table<IngressPolicy>, const IngressPolicy&, const Column&);

std::string configmap_reference() {
  return "# Keys of the global ConfigMap\n\n"
         "The ConfigMap is named by `--configmap`. A key that is not in this table, and a value\n"
         "that cannot be read, is reported in the controller's log and by `penstock check`, and\n"
         "changes nothing but where its row says so.\n\n" +
         reference(global_table(), GlobalSettings{}) + unserved_reference();
}

}  // namespace penstock::settings
