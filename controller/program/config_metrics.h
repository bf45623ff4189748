#pragma once
// The metrics of ingress-nginx's controller that its dashboards and alerts ask for: what is
// configured, whether it is live, which certificates expire. Names and labels are its own
// (docs/observability.md). Set on the controller's thread, read by the status server's.
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "controller/translate/certificate_facts.h"
#include "controller/translate/translator.h"
#include "proxy/snapshot/global.h"

namespace penstock::program {

class ConfigMetrics {
 public:
  /// The registry must outlive it.
  ConfigMetrics(prometheus::Registry& registry, const snapshot::Instance& instance,
                std::string election_id);

  /// Costs what has changed, not what there is.
  void take_changes(const translate::PartChanges& changes);
  void set_adopted(bool is_adopted);
  /// Expiry is told by the replica that leads, or an alert would fire once for each.
  void set_leading(bool is_leading);

 private:
  struct Host {
    std::string certificate;
    prometheus::Gauge* info = nullptr;
    prometheus::Gauge* expiry = nullptr;
  };

  void hash(const snapshot::PartKey& key, const snapshot::PartPtr& part);
  void take_certificate(const std::string& name, const snapshot::PartPtr& part);
  void take_host(const std::string& name, const snapshot::PartPtr& part);
  void show(const std::string& name, Host& host);
  void show_expiry(const std::string& name, Host& host);
  void hide(Host& host);
  prometheus::Labels labels_of(const std::string& host, const std::string& certificate,
                               const translate::CertificateFacts& facts) const;
  prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help,
                           const prometheus::Labels& more = {});
  prometheus::Counter& counter(prometheus::Registry& registry, const char* name, const char* help);

  std::string class_;
  std::string election_id_;
  prometheus::Labels instance_;
  prometheus::Gauge& config_hash_;
  prometheus::Gauge& last_successful_;
  prometheus::Gauge& last_successful_time_;
  prometheus::Counter& successes_;
  prometheus::Counter& errors_;
  prometheus::Family<prometheus::Gauge>& leader_;
  prometheus::Family<prometheus::Gauge>& certificate_info_;
  prometheus::Family<prometheus::Gauge>& expiry_;

  std::map<snapshot::PartKey, std::uint64_t> hashes_;
  std::uint64_t hash_ = 0;
  std::map<std::string, translate::CertificateFacts> certificates_;
  std::map<std::string, std::set<std::string>> users_;  // hosts by certificate
  std::map<std::string, Host> hosts_;
  bool is_leading_ = false;
};

}  // namespace penstock::program
