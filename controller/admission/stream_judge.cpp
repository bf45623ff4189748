#include "controller/admission/judge.h"
#include "controller/translate/class_selection.h"
#include "controller/translate/port_claims.h"

namespace penstock::admission {
namespace {

template <class T>
Verdict judge_ports(const Site& site, const translate::Transport& transport,
                    const translate::StreamMap& map, const T& service) {
  const auto& translator = site.translator;
  translate::Reader reader(site.world);
  Verdict out;
  if (!translate::is_ours(reader, service, translator.options())) return out;
  const translate::StreamInput input{reader, translator.options(), translator.settings(), map};
  for (const auto port : world::ports_of(service)) {
    for (const auto& each : translate::refused_claims(transport, input, port, service)) {
      auto text = translate::without_object(each);
      const bool is_taken = each.reason == translate::Reason::kPortConflict;
      if (is_taken && site.refuses_taken_ports) return refuse(std::move(text));
      out.warnings.push_back(std::move(text));
    }
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
