#include <fmt/format.h>

#include <limits>

#include "controller/admission/judge.h"
#include "controller/translate/class_selection.h"
#include "controller/translate/port_claims.h"
#include "controller/translate/reference.h"

namespace penstock::admission {
namespace {

/// What is said of one object ends here; an object may ask for thousands of ports.
constexpr std::size_t kMostProblems = 100;

/// A Diagnostic tells the loser of a port, or of a name of it, who has it; before there is a loser
/// it is a warning.
std::string held_by(const translate::Transport& transport, const translate::Diagnostic& said) {
  constexpr std::string_view kTaken = " is already taken by ";
  const auto at = said.message.find(kTaken);
  if (at == said.message.npos) return translate::without_object(said);
  auto who = said.message.substr(at + kTaken.size());
  const auto& other = said.other;
  if (who.starts_with("the ")) who.erase(0, 4);
  if (other.kind == transport.object_kind && !(other == said.object)) {
    who = other.name_space + "/" + other.name;
  }
  return fmt::format("{} is held by {}", said.message.substr(0, at), who);
}

translate::Candidate candidate(const objects::TcpService& service) { return {&service, nullptr}; }
translate::Candidate candidate(const objects::UdpService& service) { return {nullptr, &service}; }

template <class T>
Verdict judge_service(const Site& site, const translate::Transport& transport,
                      const translate::StreamMap& map, T service) {
  const auto& translator = site.translator;
  translate::Reader reader(site.world, translator.options());
  Verdict out;
  if (!translate::is_ours(reader, service, translator.options())) return out;
  // One that the API server has not dated yet is the youngest.
  if (service.meta.created == 0) {
    service.meta.created = std::numeric_limits<std::int64_t>::max();
  }
  const auto& name_space = service.meta.name_space;
  const translate::Surpluses surpluses{
      {name_space,
       translate::surplus_of(reader, translator.options(), name_space, candidate(service))}};
  translate::KeyPairs no_pairs;  // a claim needs none
  const translate::StreamInput input{
      reader, translator.options(), translator.settings(), map, no_pairs, &surpluses};
  for (const auto& each : translate::portless(reader, translator.options(), service)) {
    if (each.reason == translate::Reason::kPortPending) continue;
    out.warnings.push_back(translate::without_object(each));
  }
  for (const auto port : world::ports_of(service)) {
    for (const auto& each : translate::refused_claims(transport, input, port, service)) {
      const bool is_taken = each.reason == translate::Reason::kPortConflict ||
                            each.reason == translate::Reason::kSniConflict;
      auto text = is_taken ? held_by(transport, each) : translate::without_object(each);
      if (is_taken && site.refuses_taken_ports) return refuse(std::move(text));
      out.warnings.push_back(std::move(text));
    }
    if (out.warnings.size() >= kMostProblems) break;
  }
  // A warning, so that the grant may come after the object.
  for (const auto& each : translate::refused_references(reader, translator.options(), service)) {
    if (out.warnings.size() >= kMostProblems) break;
    out.warnings.push_back(translate::without_object(each));
  }
  return out;
}

}  // namespace

Verdict judge_stream(const Site& site, const objects::TcpService& service) {
  return judge_service(site, translate::kTcp, site.translator.tcp_map(), service);
}

Verdict judge_stream(const Site& site, const objects::UdpService& service) {
  return judge_service(site, translate::kUdp, site.translator.udp_map(), service);
}

}  // namespace penstock::admission
