#pragma once
// What identifies an object of the Kubernetes API here, and the order in which sources deliver.
#include <array>
#include <compare>
#include <string>
#include <string_view>

namespace penstock::objects {

enum class Kind {
  kIngress,
  kIngressClass,
  kService,
  kEndpointSlice,
  kSecret,
  kConfigMap,
  kNamespace,
  kTcpService,
  kUdpService,
  kStreamPortPolicy,
  kReferenceGrant,
  kPod,
  kIngressReport,
  kReplicaReport,
};

/// One row per kind that the world holds: everything that a source must know of it.
struct KindInfo {
  Kind kind;
  std::string_view name;         // "Ingress"
  std::string_view api_version;  // "networking.k8s.io/v1"
  std::string_view plural;       // "ingresses"
  bool is_namespaced;
  /// Read where the API server does not serve the other; empty = there is none.
  std::string_view older_version = {};
};

inline constexpr std::array kKinds = {
    KindInfo{Kind::kIngress, "Ingress", "networking.k8s.io/v1", "ingresses", true},
    KindInfo{Kind::kIngressClass, "IngressClass", "networking.k8s.io/v1", "ingressclasses", false},
    KindInfo{Kind::kService, "Service", "v1", "services", true},
    KindInfo{Kind::kEndpointSlice, "EndpointSlice", "discovery.k8s.io/v1", "endpointslices", true},
    KindInfo{Kind::kSecret, "Secret", "v1", "secrets", true},
    KindInfo{Kind::kConfigMap, "ConfigMap", "v1", "configmaps", true},
    KindInfo{Kind::kNamespace, "Namespace", "v1", "namespaces", false},
    KindInfo{Kind::kTcpService, "TCPService", "penstock.dev/v1alpha1", "tcpservices", true},
    KindInfo{Kind::kUdpService, "UDPService", "penstock.dev/v1alpha1", "udpservices", true},
    KindInfo{Kind::kStreamPortPolicy, "StreamPortPolicy", "penstock.dev/v1alpha1",
             "streamportpolicies", false},
    KindInfo{Kind::kReferenceGrant, "ReferenceGrant", "gateway.networking.k8s.io/v1",
             "referencegrants", true, "gateway.networking.k8s.io/v1beta1"},
};

/// Of no concern to what is served: read for statuses alone.
inline constexpr KindInfo kPodKind{Kind::kPod, "Pod", "v1", "pods", true};

inline constexpr KindInfo kIngressReportKind{Kind::kIngressReport, "IngressReport",
                                             "penstock.dev/v1alpha1", "ingressreports", true};

inline constexpr KindInfo kReplicaReportKind{Kind::kReplicaReport, "ReplicaReport",
                                             "penstock.dev/v1alpha1", "replicareports", true};

constexpr const KindInfo& info_of(Kind kind) {
  switch (kind) {
    case Kind::kPod:
      return kPodKind;
    case Kind::kIngressReport:
      return kIngressReportKind;
    case Kind::kReplicaReport:
      return kReplicaReportKind;
    default:
      return kKinds[static_cast<std::size_t>(kind)];
  }
}

/// Null where the kind is not one that is read.
constexpr const KindInfo* find_kind(std::string_view api_version, std::string_view name) {
  for (const auto& info : kKinds) {
    const bool is_version = api_version == info.api_version ||
                            (!api_version.empty() && api_version == info.older_version);
    if (is_version && info.name == name) return &info;
  }
  return nullptr;
}

struct ObjectKey {
  Kind kind = Kind::kIngress;
  std::string name_space;  // empty for cluster-wide kinds
  std::string name;

  auto operator<=>(const ObjectKey&) const = default;
  bool operator==(const ObjectKey&) const = default;
};

/// "Ingress shop/web", "IngressClass nginx": how messages name an object.
inline std::string to_string(const ObjectKey& key) {
  std::string text(info_of(key.kind).name);
  text += ' ';
  if (!key.name_space.empty()) text.append(key.name_space).append("/");
  return text + key.name;
}

}  // namespace penstock::objects
