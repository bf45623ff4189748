#pragma once
// What a namespace asks for as a whole: how many ports of a StreamPortPolicy it may have, and
// listeners that take any port.
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "controller/objects/port_policy.h"
#include "controller/objects/service.h"
#include "controller/objects/tcp_service.h"
#include "controller/objects/udp_service.h"
#include "controller/translate/diagnostic.h"
#include "controller/translate/options.h"
#include "controller/translate/reader.h"

namespace penstock::translate {

/// A port of a policy that a namespace has asked for beyond what the policy lets it have: name of
/// the policy, protocol, port.
using Surplus = std::set<std::tuple<std::string, objects::Protocol, std::uint16_t>>;
using Surpluses = std::map<std::string, Surplus>;  // by namespace; one without any is not there

/// An object that is not in the world as it is to be counted; both may be null.
struct Candidate {
  const objects::TcpService* tcp = nullptr;
  const objects::UdpService* udp = nullptr;
};

/// Who has had a port keeps it, then the older object goes first, then the lower port. A port
/// counts once, however many objects of the namespace ask for it, whether they get it or not.
Surplus surplus_of(Reader& reader, const Options& options, const std::string& name_space,
                   const Candidate& candidate = {});

/// How many ports of the policy objects of the namespace ask for.
std::size_t ports_asked_of(Reader& reader, const Options& options,
                           const objects::StreamPortPolicy& policy, const std::string& name_space);

/// Why listeners of the object that take any port have none yet.
std::vector<Diagnostic> portless(Reader& reader, const Options& options,
                                 const objects::TcpService& service);
std::vector<Diagnostic> portless(Reader& reader, const Options& options,
                                 const objects::UdpService& service);

}  // namespace penstock::translate
