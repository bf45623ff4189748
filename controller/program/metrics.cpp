#include "controller/program/metrics.h"

#include <prometheus/text_serializer.h>

#include <map>

namespace penstock::program {
namespace {

using Seconds = std::chrono::duration<double>;

const prometheus::Histogram::BucketBoundaries kTimes = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

double now_seconds() {
  return Seconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace

Metrics::Metrics()
    : objects_(prometheus::BuildGauge()
                   .Name("penstock_controller_objects")
                   .Help("Objects that the controller knows.")
                   .Register(registry_)),
      watch_events_(prometheus::BuildGauge()
                        .Name("penstock_controller_watch_total")
                        .Help("Lists, restarts and failures of watches since the start.")
                        .Register(registry_)),
      disconnected_(prometheus::BuildGauge()
                        .Name("penstock_controller_api_disconnected_since_seconds")
                        .Help("Time since when a watch is broken and its objects may be out of "
                              "date; 0 while it stands.")
                        .Register(registry_)),
      translation_(prometheus::BuildHistogram()
                       .Name("penstock_controller_translation_seconds")
                       .Help("Time to translate one batch of changes.")
                       .Register(registry_)
                       .Add({}, kTimes)),
      change_to_live_(prometheus::BuildHistogram()
                          .Name("penstock_controller_change_to_live_seconds")
                          .Help("From a change's arrival to the acknowledgement of all workers.")
                          .Register(registry_)
                          .Add({}, kTimes)),
      changed_parts_(counter("penstock_controller_changed_parts_total",
                             "Parts of the snapshot that were published.")),
      publications_(counter("penstock_controller_publications_total", "Versions published.")),
      bytes_sent_(gauge("penstock_controller_sent_bytes", "Bytes sent to proxies.")),
      adoptions_(counter("penstock_controller_adoptions_total", "Versions that proxies adopted.")),
      refusals_(counter("penstock_controller_refusals_total", "Versions that proxies refused.")),
      last_adoption_(gauge("penstock_controller_last_adoption_timestamp_seconds",
                           "When a proxy last adopted a version.")),
      diagnostics_(gauge("penstock_controller_diagnostics",
                         "Things in objects that are not served as written.")),
      port_conflicts_(gauge("penstock_controller_stream_port_conflicts",
                            "Ports that an object wants and another one has.")),
      proxies_(gauge("penstock_controller_proxies", "Proxies that are connected.")),
      unopened_ports_(
          gauge("penstock_controller_unopened_ports", "Ports that the proxy cannot open.")),
      leading_(gauge("penstock_controller_leader", "1 while this replica writes statuses.")),
      review_(prometheus::BuildHistogram()
                  .Name("penstock_controller_admission_seconds")
                  .Help("Time of a review of the admission webhook, from request to verdict.")
                  .Register(registry_)
                  .Add({}, kTimes)),
      reviews_(prometheus::BuildCounter()
                   .Name("penstock_controller_admission_reviews_total")
                   .Help("Reviews of the admission webhook.")
                   .Register(registry_)),
      reviews_allowed_(reviews_.Add({{"allowed", "true"}})),
      reviews_refused_(reviews_.Add({{"allowed", "false"}})) {}

prometheus::Gauge& Metrics::gauge(const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry_).Add({});
}

prometheus::Counter& Metrics::counter(const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry_).Add({});
}

void Metrics::identify(const snapshot::Instance& instance, const std::string& election_id) {
  config_.emplace(registry_, instance, election_id);
}

void Metrics::take_changes(const translate::PartChanges& changes) {
  if (config_) config_->take_changes(changes);
}

void Metrics::set_objects(const world::World& world) {
  const auto set = [&](const char* kind, std::size_t count) {
    objects_.Add({{"kind", kind}}).Set(static_cast<double>(count));
  };
  set("Ingress", world.count<objects::Ingress>());
  set("IngressClass", world.count<objects::IngressClass>());
  set("Service", world.count<objects::Service>());
  set("EndpointSlice", world.count<objects::EndpointSlice>());
  set("Secret", world.count<objects::Secret>());
  set("ConfigMap", world.count<objects::ConfigMap>());
  set("Namespace", world.count<objects::Namespace>());
  set("TCPService", world.count<objects::TcpService>());
  set("UDPService", world.count<objects::UdpService>());
  set("StreamPortPolicy", world.count<objects::StreamPortPolicy>());
  set("ReferenceGrant", world.count<objects::ReferenceGrant>());
}

void Metrics::set_watches(const std::vector<objects::WatchStatus>& watches, base::SteadyTime now) {
  std::map<std::string_view, objects::WatchStatus> by_kind;
  for (const auto& each : watches) {
    auto& sum = by_kind[objects::info_of(each.kind).name];
    sum.lists += each.lists;
    sum.restarts += each.restarts;
    sum.failures += each.failures;
    if (each.disconnected_since &&
        (!sum.disconnected_since || *each.disconnected_since < *sum.disconnected_since)) {
      sum.disconnected_since = each.disconnected_since;
    }
  }
  for (const auto& [name, sum] : by_kind) {
    const std::string kind(name);
    const auto set = [&](const char* event, std::uint64_t count) {
      watch_events_.Add({{"kind", kind}, {"event", event}}).Set(static_cast<double>(count));
    };
    set("list", sum.lists);
    set("restart", sum.restarts);
    set("failure", sum.failures);
    disconnected_.Add({{"kind", kind}})
        .Set(sum.disconnected_since ? now_seconds() - Seconds(now - *sum.disconnected_since).count()
                                    : 0);
  }
}

void Metrics::add_translation(std::chrono::nanoseconds time, std::size_t changed_parts) {
  translation_.Observe(Seconds(time).count());
  changed_parts_.Increment(static_cast<double>(changed_parts));
}

void Metrics::add_publication(std::uint64_t bytes_sent) {
  publications_.Increment();
  bytes_sent_.Set(static_cast<double>(bytes_sent));
}

void Metrics::add_adoption() {
  adoptions_.Increment();
  last_adoption_.Set(now_seconds());
  if (config_) config_->set_adopted(true);
}

void Metrics::add_refusal() {
  refusals_.Increment();
  if (config_) config_->set_adopted(false);
}

void Metrics::add_change_to_live(std::chrono::nanoseconds time) {
  change_to_live_.Observe(Seconds(time).count());
}

void Metrics::set_diagnostics(std::size_t count) { diagnostics_.Set(static_cast<double>(count)); }
void Metrics::set_port_conflicts(std::size_t count) {
  port_conflicts_.Set(static_cast<double>(count));
}
void Metrics::set_proxies(std::size_t count) { proxies_.Set(static_cast<double>(count)); }
void Metrics::set_unopened_ports(std::size_t count) {
  unopened_ports_.Set(static_cast<double>(count));
}
void Metrics::set_leading(bool is_leading) {
  leading_.Set(is_leading ? 1 : 0);
  if (config_) config_->set_leading(is_leading);
}

void Metrics::add_review(bool is_allowed, std::chrono::nanoseconds time) {
  review_.Observe(Seconds(time).count());
  (is_allowed ? reviews_allowed_ : reviews_refused_).Increment();
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(registry_.Collect());
}

}  // namespace penstock::program
