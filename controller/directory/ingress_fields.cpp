#include "controller/directory/ingress_fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include <algorithm>
#include <span>

#include "controller/directory/near_text.h"
#include "controller/objects/json.h"
#include "proxy/base/ip_net.h"
#include "proxy/base/text.h"

namespace penstock::directory {
namespace {

namespace dom = simdjson::dom;

/// A field and those below it; without any it is not looked into.
struct Field {
  std::string_view name;
  std::span<const Field> below = {};
};

// Table of networking.k8s.io/v1 Ingress: the API of Kubernetes 1.33.
constexpr Field kMetadata[] = {{"annotations"},
                               {"creationTimestamp"},
                               {"deletionGracePeriodSeconds"},
                               {"deletionTimestamp"},
                               {"finalizers"},
                               {"generateName"},
                               {"generation"},
                               {"labels"},
                               {"managedFields"},
                               {"name"},
                               {"namespace"},
                               {"ownerReferences"},
                               {"resourceVersion"},
                               {"selfLink"},
                               {"uid"}};
constexpr Field kPort[] = {{"name"}, {"number"}};
constexpr Field kService[] = {{"name"}, {"port", kPort}};
constexpr Field kResource[] = {{"apiGroup"}, {"kind"}, {"name"}};
constexpr Field kBackend[] = {{"resource", kResource}, {"service", kService}};
constexpr Field kPath[] = {{"backend", kBackend}, {"path"}, {"pathType"}};
constexpr Field kHttp[] = {{"paths", kPath}};
constexpr Field kRule[] = {{"host"}, {"http", kHttp}};
constexpr Field kTls[] = {{"hosts"}, {"secretName"}};
constexpr Field kSpec[] = {
    {"defaultBackend", kBackend}, {"ingressClassName"}, {"rules", kRule}, {"tls", kTls}};
constexpr Field kIngress[] = {
    {"apiVersion"}, {"kind"}, {"metadata", kMetadata}, {"spec", kSpec}, {"status"}};

constexpr std::size_t kLongestName = 253;
constexpr std::size_t kMostProblems = 100;  // of one object

bool is_label(std::string_view text) {
  const auto is_inner = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && std::ranges::all_of(text, is_inner) && text.front() != '-' &&
         text.back() != '-';
}

/// RFC 1123, with a wildcard as the first label. Kubernetes does not bound a label, only the name.
bool is_host(std::string_view text) {
  if (text.size() > kLongestName) return false;
  if (text.starts_with("*.")) text.remove_prefix(2);
  return std::ranges::all_of(base::split(text, '.'), is_label);
}

class IngressCheck {
 public:
  void run(const dom::element& ingress) {
    look(ingress, kIngress, "");
    dom::element spec;
    if (ingress["spec"].get(spec) != simdjson::SUCCESS) return;
    each(spec, "rules", "/spec", [&](const dom::element& rule, const std::string& at) {
      std::string_view host;
      if (rule["host"].get(host) != simdjson::SUCCESS) return;
      if (base::parse_address(host)) {
        add(at + "/host", fmt::format("expected a name, got the address '{}'", host));
      } else {
        check_host(host, at + "/host");
      }
    });
    each(spec, "tls", "/spec", [&](const dom::element& tls, const std::string& at) {
      each(tls, "hosts", at, [&](const dom::element& item, const std::string& place) {
        std::string_view host;
        if (item.get(host) == simdjson::SUCCESS) check_host(host, place);
      });
    });
  }

  std::vector<FieldProblem> out;

 private:
  bool is_full() const { return out.size() >= kMostProblems; }
  void add(std::string at, std::string why) {
    if (!is_full()) out.push_back({std::move(at), std::move(why)});
  }

  /// What is of a wrong type is told of by the parser of objects.
  void look(const dom::element& value, std::span<const Field> fields, const std::string& at) {
    dom::array list;
    if (value.get(list) == simdjson::SUCCESS) {
      std::size_t index = 0;
      for (const auto item : list) look(item, fields, fmt::format("{}/{}", at, index++));
      return;
    }
    dom::object object;
    if (value.get(object) != simdjson::SUCCESS) return;
    for (const auto member : object) {
      if (is_full()) return;
      const auto place = at + "/" + objects::escape_pointer(member.key);
      const auto found = std::ranges::find(fields, member.key, &Field::name);
      if (found == fields.end()) {
        if (!is_full()) add(place, what_is_known(member.key, fields));
      } else if (!found->below.empty()) {
        look(member.value, found->below, place);
      }
    }
  }

  static std::string what_is_known(std::string_view key, std::span<const Field> fields) {
    std::vector<std::string_view> names;
    for (const auto& field : fields) names.push_back(field.name);
    const auto near = nearest(key, names);
    return near.empty() ? fmt::format("there is no such field, only {}", fmt::join(names, ", "))
                        : fmt::format("there is no such field, did you mean {}?", near);
  }

  template <class Visit>
  static void each(const dom::element& value, std::string_view key, const std::string& at,
                   Visit visit) {
    dom::array list;
    if (value[key].get(list) != simdjson::SUCCESS) return;
    std::size_t index = 0;
    for (const auto item : list) visit(item, fmt::format("{}/{}/{}", at, key, index++));
  }

  void check_host(std::string_view host, const std::string& at) {
    if (host.empty() || is_host(host)) return;
    add(at, fmt::format("expected a name of lower-case letters, digits and '-' such as "
                        "shop.example or *.shop.example, got '{}'",
                        host.substr(0, kLongestName)));
  }
};

}  // namespace

std::vector<FieldProblem> check_ingress(std::string_view json) {
  dom::parser parser;
  dom::element root;
  if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS) return {};
  IngressCheck check;
  check.run(root);
  return std::move(check.out);
}

}  // namespace penstock::directory
