#include "controller/status/stream_writer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "controller/kube/paths.h"
#include "controller/translate/class_selection.h"
#include "controller/translate/reference.h"
#include "proxy/base/log.h"

namespace penstock::status {
namespace {

using objects::StreamStatus;

constexpr std::chrono::milliseconds kStreamsSettle{100};
/// Until the watch must have shown what was written.
constexpr std::chrono::milliseconds kStreamRewrite{5'000};
/// Numbers of endpoints change often while a Deployment rolls.
constexpr std::chrono::milliseconds kCountsEvery{10'000};
/// For all replicas to serve what has changed: no status says in between that some do not.
constexpr std::chrono::milliseconds kCatchUp{3'000};
constexpr std::size_t kStreamsAtOnce = 8;
constexpr std::size_t kMostStreams = 100'000;

std::vector<const objects::StreamBackend*> backends_of(const objects::TcpService& service) {
  std::vector<const objects::StreamBackend*> out;
  for (const auto& rule : service.rules) {
    for (const auto& backend : rule.backends) out.push_back(&backend);
  }
  return out;
}
std::vector<const objects::StreamBackend*> backends_of(const objects::UdpService& service) {
  std::vector<const objects::StreamBackend*> out;
  for (const auto& backend : service.backends) out.push_back(&backend);
  return out;
}

template <class T>
objects::StreamColumns columns_of(const T& service) {
  std::set<std::string> addresses;
  for (const auto& listener : service.listeners) {
    addresses.insert(listener.address.empty() ? "*" : listener.address);
  }
  return {service.class_name.value_or("-"), fmt::format("{}", fmt::join(addresses, ", ")),
          std::string(objects::name_of(service.load_balancing.algorithm)), ""};
}

/// Of its Service. Of one that the object may not refer to there are none to be told of.
std::size_t endpoints_of(const StreamWriter::View& view, const translate::Transport& transport,
                         const objects::Meta& meta, const objects::StreamBackend& backend) {
  const auto& name_space = translate::namespace_of(meta, backend);
  const auto reference = objects::make_reference(
      transport.object_kind, meta.name_space, objects::Kind::kService, name_space, backend.service);
  translate::Reader reader(*view.world, view.translator->options());
  if (!translate::refused_because(reader, view.translator->options(), reference).empty()) return 0;
  std::size_t count = 0;
  for (const auto* slice : view.world->slices_of(name_space + "/" + backend.service)) {
    for (const auto& endpoint : slice->endpoints) count += endpoint.addresses.size();
  }
  return count;
}

/// How many of the endpoints fail their active checks.
std::size_t add_down(const std::vector<snapshot::EndpointDown>& down,
                     const snapshot::Endpoints& endpoints, std::vector<std::string>& out) {
  std::size_t count = 0;
  for (const auto& each : down) {
    if (each.upstream != endpoints.upstream) continue;
    const bool is_there = std::ranges::any_of(endpoints.endpoints, [&](const auto& other) {
      return other.address == each.address && other.port == each.port;
    });
    if (!is_there) continue;
    ++count;
    out.push_back(fmt::format("{}:{}: {}", each.address, each.port, each.finding));
  }
  return count;
}

std::string uid_of(const world::World& world, const objects::ObjectKey& key) {
  const auto path = world::path_of(key);
  if (key.kind == objects::Kind::kTcpService) {
    const auto* found = world.find<objects::TcpService>(path);
    return found == nullptr ? "" : found->meta.uid;
  }
  if (key.kind == objects::Kind::kIngress) {
    const auto* found = world.find<objects::Ingress>(path);
    return found == nullptr ? "" : found->meta.uid;
  }
  const auto* found = world.find<objects::UdpService>(path);
  return found == nullptr ? "" : found->meta.uid;
}

/// Apart from the numbers of endpoints.
bool is_same_but_counts(const StreamStatus& a, StreamStatus b) {
  b.backends = a.backends;
  for (auto& each : b.conditions) {
    const auto* other = a.find(each.type);
    if (each.type == "BackendsHealthy" && other != nullptr) each.message = other->message;
  }
  return a == b;
}

}  // namespace

StreamWriter::StreamWriter(asio::io_context& io, kube::Client& client, std::function<View()> view)
    : client_(client), events_(client), view_(std::move(view)), timer_(io) {}

void StreamWriter::set_leading(bool is_leading) {
  is_leading_ = is_leading;
  if (is_leading) return update();
  timer_.cancel();
  due_at_.reset();
  due_.clear();
  writing_.clear();
  allocations_.clear();
  events_.stop();
}

void StreamWriter::update() { update_after(kStreamsSettle); }

void StreamWriter::update_after(std::chrono::milliseconds delay) {
  const auto at = std::chrono::steady_clock::now() + delay;
  if (!is_leading_ || (due_at_ && *due_at_ <= at)) return;
  due_at_ = at;
  timer_.after(delay, [this] {
    due_at_.reset();
    compare();
  });
}

void StreamWriter::compare() {
  const auto view = view_();
  if (view.live.proxies == 0 || view.live.proxies_at(1) == 0) return;
  held_ = held_by_owner(view.translator->parts());
  if (known_.size() > kMostStreams) known_.clear();
  compare_kind<objects::TcpService>(view, translate::kTcp);
  compare_kind<objects::UdpService>(view, translate::kUdp);
  allocations_.end_round();
  compare_unreadable(view);
  report_config_maps(view);
  write_next();
}

template <class T>
void StreamWriter::compare_kind(const View& view, const translate::Transport& transport) {
  translate::Reader reader(*view.world, view.translator->options());
  view.world->for_each<T>([&](const T& service) {
    if (!translate::is_ours(reader, service, view.translator->options())) return;
    const objects::ObjectKey key{transport.object_kind, service.meta.name_space, service.meta.name};
    consider(key, service.meta, service.status, view_of(view, transport, service), *view.world);
  });
}

template <class T>
StreamView StreamWriter::view_of(const View& view, const translate::Transport& transport,
                                 const T& service) {
  const auto& meta = service.meta;
  const objects::ObjectKey key{transport.object_kind, meta.name_space, meta.name};
  StreamView out;
  out.columns = columns_of(service);
  out.generation = meta.generation;
  out.diagnostics = view.translator->diagnostics_of(key);
  const auto unreadable = view.world->unreadable().find(key);
  if (unreadable != view.world->unreadable().end()) {
    out.diagnostics.push_back({key, unreadable->second.pointer, unreadable->second.message,
                               translate::Reason::kInvalidSpec});
    out.generation = unreadable->second.meta.generation;
  }
  out.owner = objects::to_string(key);
  static const PortsAtAddress kNothing;
  const auto found_held = held_.find(out.owner);
  const auto& held = found_held == held_.end() ? kNothing : found_held->second;
  out.ports = ports_of(held);
  std::set<std::string> seen;
  for (const auto* backend : backends_of(service)) {
    const auto part = translate::upstream_part(transport, meta, *backend);
    if (!seen.insert(part).second) continue;
    const auto found = view.translator->parts().find({snapshot::PartKind::kEndpoints, part});
    static const snapshot::Endpoints kNone;
    const auto& listed = found == view.translator->parts().end()
                             ? kNone
                             : std::get<snapshot::Endpoints>(*found->second);
    const auto failing = add_down(view.live.down, listed, out.down_endpoints);
    const auto ready = listed.endpoints.size();
    const auto known = backend->host.empty() ? endpoints_of(view, transport, meta, *backend)
                                             : std::max<std::size_t>(ready, 1);
    out.ready_endpoints += ready - failing;
    out.endpoints += std::max(ready, known);
  }
  for (const auto& each : view.live.problems) {
    if (!each.starts_with(out.owner + ": ")) continue;
    out.bind_problems.push_back(each.substr(out.owner.size() + 2));
  }
  allocations_.give(*view.world, *view.translator, transport, service, out.diagnostics);
  out.listeners = listener_views(transport, view.translator->options(), service, held, out);
  for (std::size_t i = 0; i < out.listeners.size(); ++i) {
    out.listeners[i].allocated_port = allocations_.port_of(meta.uid, service.listeners[i]);
  }
  auto& remembered = known_[meta.uid];
  if (remembered.generation != out.generation || remembered.ports != out.ports) {
    remembered.generation = out.generation;
    remembered.ports = out.ports;
    remembered.version = view.live.version;
  }
  out.proxies = view.live.proxies;
  out.programmed = view.live.proxies_at(remembered.version);
  out.config = view.live.config;
  const bool is_tcp = transport.protocol == objects::Protocol::kTcp;
  out.exposed =
      exposed(view.exposure, is_tcp ? objects::Protocol::kTcp : objects::Protocol::kUdp, out.ports);
  out.may_be_exposed = view.exposure.is_pod_unread;
  if (const auto& known = view.exposure.addresses) out.addresses = stream_addresses(*known);
  return out;
}

void StreamWriter::consider(const objects::ObjectKey& object, const objects::Meta& meta,
                            const StreamStatus& stands, const StreamView& view,
                            const world::World& world) {
  auto& known = known_[meta.uid];
  const auto now = std::chrono::steady_clock::now();
  // The watch may still lag behind what was written last.
  const bool is_recent =
      !known.written.conditions.empty() && now - known.written_at < kStreamRewrite;
  auto before = is_recent ? known.written : stands;
  // Where the kind is of an older version, which has no such field, it would be written for ever.
  if (before.listeners.empty()) before.listeners = known.written.listeners;
  auto wanted = make_status(before, view, rfc3339_now());
  if (wanted == before) {
    due_.erase(meta.uid);
    known.lags_since.reset();
    return;
  }
  if (may_catch_up(known, view, now)) return update_after(kCatchUp + kStreamsSettle);
  const auto waited = now - known.written_at;
  if (is_same_but_counts(before, wanted) && waited < kCountsEvery) {
    return update_after(std::chrono::ceil<std::chrono::milliseconds>(kCountsEvery - waited) +
                        kStreamsSettle);
  }
  auto news = transitions(before, wanted);
  auto& due = due_[meta.uid] = {object, meta.uid, std::move(wanted), std::move(news), {}};
  const bool is_conflict_new = std::ranges::any_of(due.news, [](const objects::Condition& each) {
    return each.type == "Conflicted" && each.status == "True";
  });
  if (!is_conflict_new) return;
  for (const auto& each : view.diagnostics) {
    const auto uid = each.other.name.empty() ? "" : uid_of(world, each.other);
    if (uid.empty() || each.other == object) continue;
    due.for_owners.push_back({each.other, uid, "PortWanted",
                              fmt::format("{} wants it, too: {}", objects::to_string(object),
                                          translate::without_object(each)),
                              "", false});
  }
}

bool StreamWriter::may_catch_up(Known& known, const StreamView& view, base::SteadyTime now) {
  const bool is_pending = view.exposed && view.exposed->reason == kServicePortPending;
  if (view.ports.empty() || (view.programmed == view.proxies && !is_pending)) {
    known.lags_since.reset();
    return false;
  }
  if (!known.lags_since) known.lags_since = now;
  return now - *known.lags_since < kCatchUp;
}

/// Those that have never been readable; others have a last good form.
void StreamWriter::compare_unreadable(const View& view) {
  for (const auto& [key, error] : view.world->unreadable()) {
    const auto path = world::path_of(key);
    const bool is_new = (key.kind == objects::Kind::kTcpService &&
                         view.world->find<objects::TcpService>(path) == nullptr) ||
                        (key.kind == objects::Kind::kUdpService &&
                         view.world->find<objects::UdpService>(path) == nullptr);
    if (!is_new || error.meta.uid.empty()) continue;
    StreamView out;
    out.columns = {"-", "-", "-", ""};
    out.generation = error.meta.generation;
    out.diagnostics.push_back({key, error.pointer, error.message, translate::Reason::kInvalidSpec});
    out.proxies = view.live.proxies;
    consider(key, error.meta, known_[error.meta.uid].written, out, *view.world);
  }
}

void StreamWriter::report_config_maps(const View& view) {
  const auto& options = view.translator->options();
  if (said_.size() > kMostStreams) said_.clear();
  for (const auto* path : {&options.config_map, &options.tcp_services, &options.udp_services}) {
    const auto* map = view.world->find<objects::ConfigMap>(*path);
    if (map == nullptr) continue;
    const objects::ObjectKey key{objects::Kind::kConfigMap, map->meta.name_space, map->meta.name};
    for (const auto& each : view.translator->diagnostics_of(key)) {
      EventText text{key, map->meta.uid, "NotServed", each.message, "", true};
      if (said_.insert(event_name(text)).second) events_.write(text);
    }
  }
}

void StreamWriter::write_next() {
  for (auto next = due_.begin(); next != due_.end() && writing_.size() < kStreamsAtOnce;) {
    const auto current = next++;
    if (!writing_.contains(current->first)) write(due_.extract(current).mapped());
  }
}

void StreamWriter::write(Write next) {
  const auto uid = next.uid;
  auto path = kube::object_path(next.object) + "/status";
  auto body = R"({"status":)" + objects::status_json(next.status) + "}";
  writing_[uid] = client_.merge_patch(
      std::move(path), std::move(body),
      [this, uid, next = std::move(next)](const kube::Response& response) {
        const auto call = writing_.extract(uid);  // dropped last: this runs inside of it
        auto& known = known_[uid];
        known.written_at = std::chrono::steady_clock::now();
        if (response.is_ok()) {
          known.written = next.status;
          announce(next);
        } else if (response.status != 404) {
          base::log::warn("status of {}: {}", objects::to_string(next.object),
                          response.failure_text());
          update_after(kStreamRewrite);
        }
        write_next();
      });
}

void StreamWriter::announce(const Write& written) {
  for (const auto& each : written.news) {
    const auto message = each.message.empty() ? fmt::format("{} is {}", each.type, each.status)
                                              : fmt::format("{}: {}", each.type, each.message);
    events_.write({written.object, written.uid, each.reason, message,
                   fmt::format("{} {} {}", each.type, each.status, each.since), !is_good(each)});
  }
  for (const auto& each : written.for_owners) events_.write(each);
}

}  // namespace penstock::status
