#include <fmt/format.h>

#include <limits>

#include "controller/admission/judge.h"
#include "controller/translate/class_selection.h"
#include "controller/translate/port_claims.h"

namespace penstock::admission {
namespace {

/// What is said of one object ends here; an object may ask for thousands of ports.
constexpr std::size_t kMostProblems = 100;

/// A Diagnostic tells the loser of a port who has it; before there is a loser it is a warning.
std::string held_by(const Site& site, const translate::Transport& transport, std::uint16_t port,
                    const translate::Diagnostic& said) {
  if (said.other.kind == transport.object_kind && !said.other.name.empty()) {
    return fmt::format("port {} is held by {}/{}", port, said.other.name_space, said.other.name);
  }
  const auto& path = site.translator.options().*transport.path;
  const bool is_of_map = said.message.ends_with("ConfigMap " + path);
  return is_of_map ? fmt::format("port {} is held by ConfigMap {}", port, path)
                   : translate::without_object(said);  // two listeners of this very object
}

template <class T>
Verdict judge_ports(const Site& site, const translate::Transport& transport,
                    const translate::StreamMap& map, T service) {
  const auto& translator = site.translator;
  translate::Reader reader(site.world);
  Verdict out;
  if (!translate::is_ours(reader, service, translator.options())) return out;
  // One that the API server has not dated yet is the youngest.
  if (service.meta.created == 0) {
    service.meta.created = std::numeric_limits<std::int64_t>::max();
  }
  translate::KeyPairs no_pairs;  // a claim needs none
  const translate::StreamInput input{reader, translator.options(), translator.settings(), map,
                                     no_pairs};
  for (const auto port : world::ports_of(service)) {
    for (const auto& each : translate::refused_claims(transport, input, port, service)) {
      const bool is_taken = each.reason == translate::Reason::kPortConflict;
      auto text = is_taken ? held_by(site, transport, port, each) : translate::without_object(each);
      if (is_taken && site.refuses_taken_ports) return refuse(std::move(text));
      out.warnings.push_back(std::move(text));
    }
    if (out.warnings.size() >= kMostProblems) break;
  }
  return out;
}

}  // namespace

Verdict judge_stream(const Site& site, const objects::TcpService& service) {
  return judge_ports(site, translate::kTcp, site.translator.tcp_map(), service);
}

Verdict judge_stream(const Site& site, const objects::UdpService& service) {
  return judge_ports(site, translate::kUdp, site.translator.udp_map(), service);
}

}  // namespace penstock::admission
