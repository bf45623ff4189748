#include "controller/program/config_metrics.h"

#include <chrono>
#include <ctime>

#include "controller/world/world.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"
#include "proxy/snapshot/codec.h"

namespace penstock::program {
namespace {

prometheus::Labels labels_of_instance(const snapshot::Instance& instance) {
  prometheus::Labels out;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) out.emplace(name, value);
  };
  add("controller_class", instance.controller_class);
  add("controller_namespace", instance.name_space);
  add("controller_pod", instance.pod);
  return out;
}

}  // namespace

ConfigMetrics::ConfigMetrics(prometheus::Registry& registry, const snapshot::Instance& instance,
                             std::string election_id)
    : class_(instance.controller_class),
      election_id_(std::move(election_id)),
      instance_(labels_of_instance(instance)),
      config_hash_(gauge(registry, "nginx_ingress_controller_config_hash",
                         "Hash of what is published, without endpoints; equal configurations have "
                         "equal hashes.")),
      last_successful_(gauge(registry, "nginx_ingress_controller_config_last_reload_successful",
                             "1 where the proxy adopted the last version that it decided on.")),
      last_successful_time_(gauge(
          registry, "nginx_ingress_controller_config_last_reload_successful_timestamp_seconds",
          "When it last adopted one.")),
      successes_(counter(registry, "nginx_ingress_controller_success",
                         "Versions that the proxy adopted.")),
      errors_(counter(registry, "nginx_ingress_controller_errors", "Versions that it refused.")),
      leader_(prometheus::BuildGauge()
                  .Name("nginx_ingress_controller_leader_election_status")
                  .Help("1 while this replica leads, 0 when it no longer does.")
                  .Register(registry)),
      certificate_info_(prometheus::BuildGauge()
                            .Name("nginx_ingress_controller_ssl_certificate_info")
                            .Help("The certificate of a host.")
                            .Register(registry)),
      expiry_(prometheus::BuildGauge()
                  .Name("nginx_ingress_controller_ssl_expire_time_seconds")
                  .Help("When the certificate of a host ends, as Unix time; told by the replica "
                        "that leads.")
                  .Register(registry)) {
  gauge(registry, "nginx_ingress_controller_build_info", "The version of the program.",
        {{"release", PENSTOCK_VERSION}, {"build", PENSTOCK_VERSION}, {"repository", "penstock"}})
      .Set(1);
}

prometheus::Gauge& ConfigMetrics::gauge(prometheus::Registry& registry, const char* name,
                                        const char* help, const prometheus::Labels& more) {
  auto labels = instance_;
  labels.insert(more.begin(), more.end());
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add(labels);
}

prometheus::Counter& ConfigMetrics::counter(prometheus::Registry& registry, const char* name,
                                            const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add(instance_);
}

void ConfigMetrics::take_changes(const translate::PartChanges& changes) {
  for (const auto& [key, part] : changes) {
    if (key.kind != snapshot::PartKind::kEndpoints) hash(key, part);
    if (key.kind == snapshot::PartKind::kCertificate) take_certificate(key.name, part);
    if (key.kind == snapshot::PartKind::kHost) take_host(key.name, part);
  }
  // 53 bits: all that a sample can tell apart.
  config_hash_.Set(static_cast<double>(hash_ >> 11));
}

/// Together they are a set: the order in which parts came does not show.
void ConfigMetrics::hash(const snapshot::PartKey& key, const snapshot::PartPtr& part) {
  auto& mine = hashes_[key];
  hash_ ^= mine;
  mine = 0;
  if (part == nullptr) {
    hashes_.erase(key);
    return;
  }
  // Who we are differs from replica to replica.
  if (key.kind == snapshot::PartKind::kGlobal) {
    auto global = std::get<snapshot::Global>(*part);
    global.instance = {};
    mine = base::fnv1a(snapshot::encode(snapshot::Part(std::move(global))));
  } else {
    mine = base::fnv1a(snapshot::encode(*part), base::fnv1a(key.name));
  }
  hash_ ^= mine;
}

void ConfigMetrics::take_certificate(const std::string& name, const snapshot::PartPtr& part) {
  certificates_.erase(name);
  if (part != nullptr) {
    const auto& certificate = std::get<snapshot::Certificate>(*part);
    if (auto facts = translate::certificate_facts(certificate.chain_pem)) {
      // Said here, where it has been read; one that expires later is told by its metric.
      const auto why = translate::why_expired(*facts, std::time(nullptr));
      const bool is_default = name == snapshot::kDefaultCertificate;
      if (!why.empty()) {
        base::log::warn("{}: {}", is_default ? "default certificate" : "Secret " + name, why);
      }
      certificates_.emplace(name, std::move(*facts));
    }
  }
  const auto users = users_.find(name);
  if (users == users_.end()) return;
  for (const auto& host : users->second) show(host, hosts_[host]);
}

void ConfigMetrics::take_host(const std::string& name, const snapshot::PartPtr& part) {
  auto& host = hosts_[name];
  auto& users = users_[host.certificate];
  users.erase(name);
  if (users.empty()) users_.erase(host.certificate);
  hide(host);
  if (part == nullptr) {
    hosts_.erase(name);
    return;
  }
  host.certificate = std::get<snapshot::Host>(*part).certificate;
  if (host.certificate.empty() && name == world::kCatchAll) {
    host.certificate = snapshot::kDefaultCertificate;
  }
  users_[host.certificate].insert(name);
  show(name, host);
}

void ConfigMetrics::hide(Host& host) {
  if (host.info != nullptr) certificate_info_.Remove(std::exchange(host.info, nullptr));
  if (host.expiry != nullptr) expiry_.Remove(std::exchange(host.expiry, nullptr));
}

prometheus::Labels ConfigMetrics::labels_of(const std::string& host, const std::string& certificate,
                                            const translate::CertificateFacts& facts) const {
  const auto slash = certificate.find('/');
  const bool is_secret = slash != std::string::npos;
  return {{"class", class_},
          {"host", host},
          {"identifier", facts.issuer_serial_number + "-" + facts.serial_number},
          {"namespace", is_secret ? certificate.substr(0, slash) : ""},
          {"secret_name", is_secret ? certificate.substr(slash + 1) : certificate}};
}

void ConfigMetrics::show(const std::string& name, Host& host) {
  hide(host);
  const auto found = certificates_.find(host.certificate);
  if (found == certificates_.end()) return;
  const auto& facts = found->second;
  auto labels = labels_of(name, host.certificate, facts);
  labels.insert({{"issuer_organization", facts.issuer_organization},
                 {"issuer_common_name", facts.issuer_common_name},
                 {"serial_number", facts.serial_number},
                 {"public_key_algorithm", facts.public_key_algorithm}});
  host.info = &certificate_info_.Add(labels);
  host.info->Set(1);
  show_expiry(name, host);
}

void ConfigMetrics::show_expiry(const std::string& name, Host& host) {
  if (host.expiry != nullptr) expiry_.Remove(std::exchange(host.expiry, nullptr));
  const auto found = certificates_.find(host.certificate);
  if (!is_leading_ || found == certificates_.end()) return;
  host.expiry = &expiry_.Add(labels_of(name, host.certificate, found->second));
  host.expiry->Set(static_cast<double>(found->second.expires));
}

void ConfigMetrics::set_adopted(bool is_adopted) {
  (is_adopted ? successes_ : errors_).Increment();
  last_successful_.Set(is_adopted ? 1 : 0);
  if (!is_adopted) return;
  const std::chrono::duration<double> now = std::chrono::system_clock::now().time_since_epoch();
  last_successful_time_.Set(now.count());
}

void ConfigMetrics::set_leading(bool is_leading) {
  is_leading_ = is_leading;
  auto labels = instance_;
  labels.emplace("name", election_id_);
  leader_.Add(labels).Set(is_leading ? 1 : 0);
  for (auto& [name, host] : hosts_) show_expiry(name, host);
}

}  // namespace penstock::program
