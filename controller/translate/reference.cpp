#include "controller/translate/reference.h"

#include <fmt/format.h>

#include "controller/translate/class_selection.h"

namespace penstock::translate {
namespace {

using objects::Kind;

/// Asks of each reference of an object.
class References {
 public:
  References(Reader& reader, const Options& options, Kind kind, const objects::Meta& meta)
      : reader_(reader), options_(options), kind_(kind), meta_(meta) {}

  void add(const std::vector<objects::StreamBackend>& backends, const std::string& field) {
    for (std::size_t i = 0; i < backends.size(); ++i) {
      const auto& each = backends[i];
      if (!each.host.empty()) continue;
      add(Kind::kService, namespace_of(meta_, each), each.service,
          fmt::format("{}/{}/service/namespace", field, i));
    }
  }
  void add(const std::vector<objects::SecretRef>& secrets, const std::string& field) {
    for (std::size_t i = 0; i < secrets.size(); ++i) {
      add(Kind::kSecret, namespace_of(meta_, secrets[i]), secrets[i].name,
          fmt::format("{}/{}/namespace", field, i));
    }
  }
  std::vector<Diagnostic> take() { return std::move(out_); }

 private:
  void add(Kind to, const std::string& name_space, const std::string& name, std::string field) {
    auto why = refused_because(
        reader_, options_, objects::make_reference(kind_, meta_.name_space, to, name_space, name));
    if (why.empty()) return;
    out_.push_back({{kind_, meta_.name_space, meta_.name},
                    std::move(field),
                    std::move(why),
                    Reason::kRefNotPermitted});
  }

  Reader& reader_;
  const Options& options_;
  Kind kind_;
  const objects::Meta& meta_;
  std::vector<Diagnostic> out_;
};

}  // namespace

std::string refused_because(Reader& reader, const Options& options,
                            const objects::Reference& reference) {
  const auto& [from, name_space, to] = reference;
  if (from.name_space == name_space) return {};
  if (!reader.is_granted(reference)) {
    return fmt::format(
        "expected a ReferenceGrant in namespace '{}' with from {{group: {}, kind: {}, namespace: "
        "{}}} and to {{group: \"{}\", kind: {}, name: {}}}, found none",
        name_space, from.group, from.kind, from.name_space, to.group, to.kind, to.name);
  }
  if (is_watched(reader, name_space, options)) return {};
  return fmt::format("namespace '{}' is not one that is served", name_space);
}

std::vector<Diagnostic> refused_references(Reader& reader, const Options& options,
                                           const objects::TcpService& service) {
  References out(reader, options, Kind::kTcpService, service.meta);
  for (std::size_t i = 0; i < service.listeners.size(); ++i) {
    out.add(service.listeners[i].tls.certificates,
            fmt::format("/spec/listeners/{}/tls/certificateRefs", i));
  }
  for (std::size_t i = 0; i < service.rules.size(); ++i) {
    out.add(service.rules[i].backends, fmt::format("/spec/rules/{}/backends", i));
  }
  return out.take();
}

std::vector<Diagnostic> refused_references(Reader& reader, const Options& options,
                                           const objects::UdpService& service) {
  References out(reader, options, Kind::kUdpService, service.meta);
  out.add(service.backends, "/spec/backends");
  return out.take();
}

}  // namespace penstock::translate
