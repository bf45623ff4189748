#include "controller/translate/class_selection.h"

namespace penstock::translate {
namespace {

constexpr char kClassAnnotation[] = "kubernetes.io/ingress.class";

bool is_class_ours(Reader& reader, const std::string& name, const Options& options) {
  const auto* found = reader.find<objects::IngressClass>(name);
  if (found == nullptr) return false;
  return found->controller == options.controller_class ||
         (options.takes_class_by_name && name == options.ingress_class);
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
  return options.takes_without_class;
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
