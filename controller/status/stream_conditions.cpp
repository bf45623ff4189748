#include "controller/status/stream_conditions.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::status {
namespace {

using objects::Condition;
using translate::Diagnostic;
using translate::Reason;

constexpr std::size_t kMostInMessage = 5;

struct ReasonRow {
  Reason reason;
  std::string_view name;
  std::string_view condition;
};
// In the order of how much they matter.
constexpr ReasonRow kReasons[] = {
    {Reason::kInvalidSpec, "InvalidSpec", "Accepted"},
    {Reason::kPortNotAllowed, "PortNotAllowed", "Accepted"},
    {Reason::kPortPending, "PortPending", "Accepted"},
    {Reason::kPortReserved, "PortReserved", "Accepted"},
    {Reason::kPortConflict, "PortConflict", "Accepted"},
    {Reason::kSniConflict, "SNIConflict", "Accepted"},
    {Reason::kUnsupportedValue, "UnsupportedValue", "Accepted"},
    {Reason::kRefNotPermitted, "RefNotPermitted", "ResolvedRefs"},
    {Reason::kBackendNotFound, "BackendNotFound", "ResolvedRefs"},
    {Reason::kPortNotFound, "PortNotFound", "ResolvedRefs"},
    {Reason::kDnsUnresolved, "DNSUnresolved", "ResolvedRefs"},
    {Reason::kInvalidCertificate, "InvalidCertificate", "ResolvedRefs"},
};

/// True with `good`, unless a diagnostic of this condition says no.
Condition judged(std::string_view type, std::string_view good,
                 const std::vector<Diagnostic>& diagnostics) {
  for (const auto& row : kReasons) {
    if (row.condition != type) continue;
    std::string message;
    std::size_t count = 0;
    for (const auto& each : diagnostics) {
      if (each.reason != row.reason) continue;
      if (++count <= kMostInMessage) {
        message.append(message.empty() ? "" : "; ").append(translate::without_object(each));
      }
    }
    if (count == 0) continue;
    if (count > kMostInMessage) message += fmt::format("; and {} more", count - kMostInMessage);
    return {std::string(type), "False", std::string(row.name), std::move(message), 0, {}};
  }
  return {std::string(type), "True", std::string(good), "", 0, {}};
}

/// Of the whole object or of a listener, which has some ports or none.
Condition programmed(const StreamView& view, std::string_view who, bool has_ports,
                     const std::string& bind_problem) {
  Condition out{"Programmed", "False", "Pending", "", 0, {}};
  if (!has_ports) {
    out.reason = "NotAccepted";
    out.message = fmt::format("the {} has none of its ports", who);
  } else if (!bind_problem.empty()) {
    out.reason = "BindFailed";
    out.message = bind_problem;
  } else if (view.programmed == view.proxies && view.proxies > 0) {
    out.status = "True";
    out.reason = "Programmed";
    out.message =
        fmt::format("{} of {} proxies serve this generation", view.programmed, view.proxies);
  } else if (view.programmed > 0) {
    out.reason = "PartiallyProgrammed";
    out.message =
        fmt::format("{} of {} proxies serve this generation", view.programmed, view.proxies);
  } else {
    out.message = view.proxies == 0 ? "no proxy is connected" : "no proxy has taken it in yet";
  }
  return out;
}

/// The first few.
std::string listed(const std::vector<std::string>& all) {
  std::string out;
  for (std::size_t i = 0; i < std::min(all.size(), kMostInMessage); ++i) {
    out.append(out.empty() ? "" : "; ").append(all[i]);
  }
  if (all.size() > kMostInMessage) out += fmt::format("; and {} more", all.size() - kMostInMessage);
  return out;
}

Condition backends_healthy(const StreamView& view) {
  const auto message =
      fmt::format("{} of {} endpoints are ready", view.ready_endpoints, view.endpoints);
  if (view.ready_endpoints > 0)
    return {"BackendsHealthy", "True", "EndpointsReady", message, 0, {}};
  if (!view.down_endpoints.empty()) {
    return {"BackendsHealthy",
            "False",
            "AllUnhealthy",
            message + "; " + listed(view.down_endpoints),
            0,
            {}};
  }
  return {"BackendsHealthy", "False", "NoEndpoints", message, 0, {}};
}

Condition conflicted(const std::vector<Diagnostic>& diagnostics) {
  for (const auto& each : diagnostics) {
    if (!translate::is_conflict(each.reason)) continue;
    return {"Conflicted",
            "True",
            each.reason == Reason::kSniConflict ? "SNIConflict" : "PortConflict",
            translate::without_object(each),
            0,
            {}};
  }
  return {"Conflicted", "False", "NoConflict", "", 0, {}};
}

/// Who has a port that is wanted; "-": nobody else.
std::string conflict_with(const std::vector<Diagnostic>& diagnostics) {
  const auto found = std::ranges::find_if(
      diagnostics, [](const Diagnostic& each) { return translate::is_conflict(each.reason); });
  return found == diagnostics.end() ? "-" : objects::to_string(found->other);
}

/// A condition that does not change its status keeps its time.
void date(std::vector<Condition>& conditions, const std::vector<Condition>& before,
          std::int64_t generation, const std::string& now) {
  for (auto& each : conditions) {
    each.generation = generation;
    const auto* known = objects::find_condition(before, each.type);
    const bool stands = known != nullptr && known->status == each.status && !known->since.empty();
    each.since = stands ? known->since : now;
  }
}

objects::ListenerStatus listener_status(const objects::StreamStatus& before, const StreamView& view,
                                        const ListenerView& listener, const std::string& now) {
  objects::ListenerStatus out;
  out.name = listener.name;
  out.protocol = listener.protocol;
  out.ports = objects::print_ports(listener.ports);
  out.allocated_port = listener.allocated_port;
  out.owner = conflict_with(listener.diagnostics);
  if (out.owner == "-" && !listener.ports.empty()) out.owner = view.owner;
  out.conditions = {judged("Accepted", "Accepted", listener.diagnostics),
                    programmed(view, "listener", !listener.ports.empty(), listener.bind_problem),
                    conflicted(listener.diagnostics)};
  const auto* stands = before.find_listener(listener.name);
  date(out.conditions, stands == nullptr ? std::vector<Condition>() : stands->conditions,
       view.generation, now);
  return out;
}

/// A controller that starts has not read its own pod yet.
std::optional<Condition> exposure_of(const objects::StreamStatus& before, const StreamView& view) {
  if (!view.may_be_exposed || view.ports.empty()) return view.exposed;
  const auto* stands = before.find("Exposed");
  return stands == nullptr ? std::nullopt : std::optional(*stands);
}

}  // namespace

bool is_good(const Condition& condition) {
  return condition.status == (condition.type == "Conflicted" ? "False" : "True");
}

objects::StreamStatus make_status(const objects::StreamStatus& before, const StreamView& view,
                                  const std::string& now) {
  objects::StreamStatus out;
  out.generation = view.generation;
  out.ports = objects::print_ports(view.ports);
  out.backends = fmt::format("{}/{}", view.ready_endpoints, view.endpoints);
  out.replicas = fmt::format("{}/{}", view.programmed, view.proxies);
  out.columns = view.columns;
  out.columns.conflict_with = conflict_with(view.diagnostics);
  const auto& problems = view.bind_problems;
  out.conditions = {
      judged("Accepted", "Accepted", view.diagnostics),
      judged("ResolvedRefs", "ResolvedRefs", view.diagnostics),
      programmed(view, "object", !view.ports.empty(), problems.empty() ? "" : problems.back())};
  if (const auto exposure = exposure_of(before, view)) {
    out.conditions.push_back(*exposure);
    if (is_good(*exposure)) out.addresses = view.addresses.value_or(before.addresses);
  }
  out.conditions.push_back(backends_healthy(view));
  out.conditions.push_back(conflicted(view.diagnostics));
  // The table has other parts, too: its name tells of this object as long as the object stands.
  const bool is_same_object = before.generation == out.generation && before.ports == out.ports;
  out.config = is_same_object && !before.config.empty() ? before.config : view.config;
  if (view.ports.empty()) out.config.clear();
  out.reason = "Programmed";
  const auto worst = std::ranges::find_if_not(out.conditions, is_good);
  if (worst != out.conditions.end()) out.reason = worst->reason;
  date(out.conditions, before.conditions, view.generation, now);
  for (const auto& each : view.listeners) {
    out.listeners.push_back(listener_status(before, view, each, now));
  }
  return out;
}

std::vector<Condition> transitions(const objects::StreamStatus& before,
                                   const objects::StreamStatus& after) {
  std::vector<Condition> out;
  for (const auto& each : after.conditions) {
    const auto* known = before.find(each.type);
    const bool is_same =
        known != nullptr && known->status == each.status && known->reason == each.reason;
    // What is well from the beginning is not news, but for the one that people wait for.
    const bool is_news = known != nullptr || !is_good(each) || each.type == "Programmed";
    if (!is_same && is_news) out.push_back(each);
  }
  return out;
}

}  // namespace penstock::status
