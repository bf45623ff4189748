#include "controller/translate/class_selection.h"

#include <fmt/format.h>

#include "controller/translate/diagnostic.h"

namespace penstock::translate {
namespace {

constexpr char kClassAnnotation[] = "kubernetes.io/ingress.class";

bool is_class_ours(Reader& reader, const std::string& name, const Options& options) {
  const auto* found = reader.find<objects::IngressClass>(name);
  if (found == nullptr) return options.is_without_api_server && name == options.ingress_class;
  return found->controller == options.controller_class ||
         (options.takes_class_by_name && name == options.ingress_class);
}

NotOurs not_watched(const std::string& name_space) {
  return {"", fmt::format("not served: its namespace '{}' is not one that is served", name_space)};
}

NotOurs not_our_class(Reader& reader, const std::string& name) {
  const auto* found = reader.find<objects::IngressClass>(name);
  if (found == nullptr) {
    return {"/spec/ingressClassName",
            fmt::format("not served: there is no IngressClass '{}'", name)};
  }
  return {"/spec/ingressClassName",
          fmt::format("not served: IngressClass '{}' is of the controller '{}'", name,
                      found->controller)};
}

}  // namespace

bool is_watched(Reader& reader, const std::string& name_space, const Options& options) {
  if (!options.namespace_selector) return true;
  const auto* found = reader.find<objects::Namespace>(name_space);
  return found != nullptr && options.namespace_selector->matches(found->meta.labels);
}

bool is_ours(Reader& reader, const objects::Ingress& ingress, const Options& options) {
  if (!is_watched(reader, ingress.meta.name_space, options)) return false;
  if (ingress.class_name) return is_class_ours(reader, *ingress.class_name, options);
  const auto annotation = ingress.meta.annotations.find(kClassAnnotation);
  if (annotation != ingress.meta.annotations.end()) {
    return annotation->second == options.ingress_class;
  }
  if (options.is_without_api_server) {
    if (const auto* found = reader.default_class(ingress.meta.created)) {
      return is_class_ours(reader, found->meta.name, options);
    }
  }
  return options.takes_without_class;
}

NotOurs why_not_ours(Reader& reader, const objects::Ingress& ingress, const Options& options) {
  if (!is_watched(reader, ingress.meta.name_space, options)) {
    return not_watched(ingress.meta.name_space);
  }
  if (ingress.class_name) return not_our_class(reader, *ingress.class_name);
  const auto annotation = ingress.meta.annotations.find(kClassAnnotation);
  if (annotation != ingress.meta.annotations.end()) {
    return {annotation_field(kClassAnnotation),
            fmt::format("not served: {} is '{}', expected '{}'", kClassAnnotation,
                        annotation->second, options.ingress_class)};
  }
  if (const auto* found = reader.default_class(ingress.meta.created)) {
    return {"/spec", fmt::format("not served: it names no class, and the default one, '{}', is of "
                                 "the controller '{}'",
                                 found->meta.name, found->controller)};
  }
  return {"/spec",
          "not served: expected ingressClassName, for no IngressClass is the default and "
          "--watch-ingress-without-class is not given"};
}

NotOurs why_not_ours(Reader& reader, const objects::Meta& meta,
                     const std::optional<std::string>& class_name, const Options& options) {
  if (!is_watched(reader, meta.name_space, options)) return not_watched(meta.name_space);
  return not_our_class(reader, class_name.value_or(""));
}

bool is_ours(Reader& reader, const objects::TcpService& service, const Options& options) {
  if (!is_watched(reader, service.meta.name_space, options)) return false;
  return !service.class_name || is_class_ours(reader, *service.class_name, options);
}

bool is_ours(Reader& reader, const objects::UdpService& service, const Options& options) {
  if (!is_watched(reader, service.meta.name_space, options)) return false;
  return !service.class_name || is_class_ours(reader, *service.class_name, options);
}

bool is_ours(Reader& reader, const objects::StreamPortPolicy& policy, const Options& options) {
  return !policy.class_name || is_class_ours(reader, *policy.class_name, options);
}

}  // namespace penstock::translate
