#include "controller/translate/translator.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "controller/translate/host.h"
#include "controller/translate/tcp_stream.h"
#include "controller/translate/udp_stream.h"
#include "controller/translate/upstream.h"
#include "proxy/base/text.h"

namespace penstock::translate {
namespace {

/// Also a job when no Secret is named: it gives the self-signed certificate.
constexpr char kDefault[] = "";

}  // namespace

Translator::Translator(Options options)
    : options_(std::move(options)),
      default_policy_(std::make_shared<const settings::IngressPolicy>()) {}

PartChanges Translator::translate(const world::World& world, const world::Touched& touched) {
  changes_.clear();
  reviewed_.clear();
  diagnosed_.clear();
  if (is_first_) {
    mark_everything(world);
    is_first_ = false;
  } else {
    mark(world, touched);
  }
  pairs_.forget(touched.facts);
  // In the order of what builds on what: a later kind may be marked by an earlier one.
  for (const auto kind :
       {JobKind::kSettings, JobKind::kReview, JobKind::kHost, JobKind::kPortQuota,
        JobKind::kTcpStream, JobKind::kUdpStream, JobKind::kUpstream, JobKind::kCertificate}) {
    run_kind(kind, world);
  }
  dirty_.clear();
  return std::move(changes_);
}

void Translator::mark_everything(const world::World& world) {
  dirty_.insert({JobKind::kSettings, ""});
  dirty_.insert({JobKind::kHost, std::string(world::kCatchAll)});
  dirty_.insert({JobKind::kCertificate, kDefault});
  world.for_each<objects::Ingress>([&](const objects::Ingress& ingress) {
    dirty_.insert({JobKind::kReview, ingress.meta.name_space + "/" + ingress.meta.name});
    for (const auto& host : world::hosts_of(ingress)) dirty_.insert({JobKind::kHost, host});
  });
  world.for_each<objects::TcpService>([&](const objects::TcpService& service) {
    mark_ports(JobKind::kTcpStream, world::ports_of(service));
    dirty_.insert({JobKind::kPortQuota, service.meta.name_space});
  });
  world.for_each<objects::UdpService>([&](const objects::UdpService& service) {
    mark_ports(JobKind::kUdpStream, world::ports_of(service));
    dirty_.insert({JobKind::kPortQuota, service.meta.name_space});
  });
}

void Translator::mark(const world::World&, const world::Touched& touched) {
  for (const auto fact : touched.facts) {
    const auto found = readers_.find(fact);
    if (found == readers_.end()) continue;
    for (const auto* key : found->second) dirty_.insert(*key);
  }
  for (const auto& host : touched.hosts) dirty_.insert({JobKind::kHost, host});
  for (const auto& key : touched.ingresses) {
    dirty_.insert({JobKind::kReview, world::path_of(key)});
  }
  for (const auto& each : touched.stream_namespaces) dirty_.insert({JobKind::kPortQuota, each});
  mark_ports(JobKind::kTcpStream, touched.tcp_ports);
  mark_ports(JobKind::kUdpStream, touched.udp_ports);
}

void Translator::mark_ports(JobKind kind, const std::set<std::uint16_t>& ports) {
  for (const auto port : ports) dirty_.insert({kind, std::to_string(port)});
}

void Translator::mark_all(JobKind kind) {
  for (auto job = jobs_.lower_bound({kind, ""}); job != jobs_.end() && job->first.first == kind;
       ++job) {
    dirty_.insert(job->first);
  }
}

void Translator::run_kind(JobKind kind, const world::World& world) {
  for (auto next = dirty_.lower_bound({kind, ""}); next != dirty_.end() && next->first == kind;
       ++next) {
    run(*next, world);
  }
}

void Translator::run(const JobKey& key, const world::World& world) {
  ++jobs_run_;
  Reader reader(world, options_);
  auto output = compute(key, reader, world);
  finish(key, reader, std::move(output));
}

Output Translator::compute(const JobKey& key, Reader& reader, const world::World& world) {
  const auto& name = key.second;
  switch (key.first) {
    case JobKind::kSettings:
      return run_settings(reader);
    case JobKind::kReview: {
      reviewed_.insert(name);
      const auto* ingress = world.find<objects::Ingress>(name);
      if (ingress != nullptr) return run_review(reader, *ingress);
      policies_.erase(name);
      served_.erase(name);
      return {};
    }
    case JobKind::kHost:
      if (name != world::kCatchAll && world.ingresses_of(name).empty()) return {};
      return translate_host({reader, pairs_, options_, settings_,
                             [this](const objects::Ingress& each) { return policy_of(each); }},
                            name);
    case JobKind::kPortQuota:
      return run_quota(reader, name, world);
    case JobKind::kTcpStream: {
      const auto port = base::parse_integer<std::uint16_t>(name).value_or(0);
      const bool has_hosts = port == options_.https_port && !passed_hosts_.empty();
      if (!tcp_map_.contains(port) && world.tcp_services_of(port).empty() && !has_hosts) return {};
      return translate_tcp_stream(
          {reader, options_, settings_, tcp_map_, pairs_, &surpluses_, &passed_hosts_}, port);
    }
    case JobKind::kUdpStream: {
      const auto port = base::parse_integer<std::uint16_t>(name).value_or(0);
      if (!udp_map_.contains(port) && world.udp_services_of(port).empty()) return {};
      return translate_udp_stream({reader, options_, settings_, udp_map_, pairs_, &surpluses_},
                                  port);
    }
    case JobKind::kUpstream: {
      const auto found = demands_.find(name);
      if (found == demands_.end()) return {};
      return translate_upstream(reader, options_, found->second.begin()->second);
    }
    case JobKind::kCertificate:
      break;
  }
  if (name == kDefault) return translate_default_certificate(reader, pairs_, options_);
  return certificate_counts_.contains(name) ? translate_certificate(reader, pairs_, name)
                                            : Output{};
}

void Translator::finish(const JobKey& key, Reader& reader, Output output) {
  if (key.first == JobKind::kHost) note_passed_host(key.second, output.is_passed_through);
  auto facts = reader.take_facts();
  const auto job = jobs_.try_emplace(key).first;
  set_demands(job, output);
  set_parts(job->second, output);
  set_diagnostics(job->second, output);
  note_secrets(count(secrets_, job->second.secrets, reader.secrets()));
  if (!count(names_, job->second.names, reader.names()).is_empty()) ++names_revision_;
  set_facts(job, std::move(facts));
  const auto& state = job->second;
  if (state.parts.empty() && state.facts.empty() && state.diagnostics.empty()) jobs_.erase(job);
}

void Translator::set_facts(Jobs::iterator job, std::vector<world::Fact> facts) {
  auto& before = job->second.facts;
  if (before == facts) return;
  std::vector<world::Fact> gone;
  std::vector<world::Fact> added;
  std::ranges::set_difference(before, facts, std::back_inserter(gone));
  std::ranges::set_difference(facts, before, std::back_inserter(added));
  for (const auto fact : gone) {
    auto& readers = readers_[fact];
    std::erase(readers, &job->first);
    if (readers.empty()) readers_.erase(fact);
  }
  for (const auto fact : added) readers_[fact].push_back(&job->first);
  before = std::move(facts);
}

void Translator::set_demands(Jobs::iterator job, Output& output) {
  auto& state = job->second;
  for (const auto& [rank, part] : state.upstreams) {
    const auto group = demands_.find(part);
    group->second.erase({rank, job->first});
    if (group->second.empty()) demands_.erase(group);
    dirty_.insert({JobKind::kUpstream, part});
  }
  state.upstreams.clear();
  for (auto& [rank, demand] : output.upstreams) {
    const auto part = demand.part;
    const DemandKey place{rank, job->first};
    dirty_.insert({JobKind::kUpstream, part});
    if (demands_[part].try_emplace(place, std::move(demand)).second) {
      state.upstreams.emplace_back(rank, part);
    }
  }
  for (const auto& path : state.certificates) dirty_.insert({JobKind::kCertificate, path});
  const std::set<std::string> wanted(output.certificates.begin(), output.certificates.end());
  for (const auto& path : wanted) dirty_.insert({JobKind::kCertificate, path});
  count(certificate_counts_, state.certificates, wanted);
}

void Translator::set_parts(Job& job, Output& output) {
  std::vector<snapshot::PartKey> now;
  for (auto& [key, part] : output.parts) {
    now.push_back(key);
    const auto found = parts_.find(key);
    if (found != parts_.end() && *found->second == *part) continue;
    parts_.insert_or_assign(key, part);
    changes_.insert_or_assign(key, std::move(part));
  }
  std::ranges::sort(now);
  for (const auto& key : job.parts) {
    if (std::ranges::binary_search(now, key)) continue;
    parts_.erase(key);
    changes_.insert_or_assign(key, nullptr);
  }
  job.parts = std::move(now);
}

void Translator::set_diagnostics(Job& job, Output& output) {
  if (job.diagnostics == output.diagnostics) return;
  ++diagnostics_revision_;
  for (const auto* some : {&job.diagnostics, &output.diagnostics}) {
    for (const auto& each : *some) {
      if (each.object.kind == objects::Kind::kIngress) {
        diagnosed_.insert(world::path_of(each.object));
      }
    }
  }
  for (const auto& each : job.diagnostics) {
    const auto found = diagnostics_.find(each);
    if (--found->second == 0) diagnostics_.erase(found);
  }
  for (const auto& each : output.diagnostics) ++diagnostics_[each];
  job.diagnostics = std::move(output.diagnostics);
}

/// What is counted for the first time, and what no longer is.
objects::WantedChange Translator::count(Counts& counts, std::vector<std::string>& before,
                                        const std::set<std::string>& now) {
  objects::WantedChange change;
  for (const auto& name : now) {
    if (std::ranges::binary_search(before, name)) continue;
    if (++counts[name] == 1) change.begun.insert(name);
  }
  for (const auto& name : before) {
    if (now.contains(name)) continue;
    if (--counts[name] > 0) continue;
    counts.erase(name);
    change.ceased.insert(name);
  }
  before.assign(now.begin(), now.end());
  return change;
}

/// Which hosts they are is said by the port that they share.
void Translator::note_passed_host(const std::string& host, bool is_passed) {
  const bool is_change =
      is_passed ? passed_hosts_.insert(host).second : passed_hosts_.erase(host) != 0;
  if (is_change) dirty_.insert({JobKind::kTcpStream, std::to_string(options_.https_port)});
}

/// One that goes and comes back within a batch has not changed.
void Translator::note_secrets(const objects::WantedChange& change) {
  for (const auto& path : change.begun) {
    if (secrets_change_.ceased.erase(path) == 0) secrets_change_.begun.insert(path);
  }
  for (const auto& path : change.ceased) {
    if (secrets_change_.begun.erase(path) == 0) secrets_change_.ceased.insert(path);
  }
}

std::set<std::string> Translator::keys_of(const Counts& counts) {
  std::set<std::string> keys;
  for (const auto& [name, number] : counts) keys.insert(name);
  return keys;
}

std::vector<Diagnostic> Translator::diagnostics_of(const objects::ObjectKey& object) const {
  std::vector<Diagnostic> out;
  for (auto each = diagnostics_.lower_bound({object, "", ""});
       each != diagnostics_.end() && each->first.object == object; ++each) {
    out.push_back(each->first);
  }
  return out;
}

std::vector<Diagnostic> Translator::diagnostics(const world::World& world) const {
  std::set<Diagnostic> all;
  for (const auto& [diagnostic, jobs] : diagnostics_) all.insert(diagnostic);
  for (const auto& [key, error] : world.unreadable()) {
    all.insert({key, error.pointer, error.message, Reason::kInvalidSpec});
  }
  return {all.begin(), all.end()};
}

}  // namespace penstock::translate
