#pragma once
// Whether an object that is about to be stored would be served as written. Looks up what the world
// already knows and translates nothing: the cost follows the object, not the cluster. What another
// controller serves is allowed without a look, whether it can be read or not. On the controller's
// thread, which owns the world.
#include <string>

#include "controller/admission/review.h"
#include "controller/translate/translator.h"
#include "controller/world/world.h"

namespace penstock::admission {

struct Site {
  const world::World& world;
  const translate::Translator& translator;
  /// Refuse an object that asks for a port that another one has. Otherwise it is taken with a
  /// warning, so that the order in which objects come does not matter.
  bool refuses_taken_ports = false;
  /// The only namespace whose objects are served; empty: all of them.
  std::string watch_namespace = {};
  /// Refuse Ingresses with text as from an attack on nginx in hosts, paths and names of Secrets.
  bool inspects_deeply = true;
};

Verdict judge(const Site& site, const Review& review);

// One for each kind that is long enough for a file of its own.
Verdict judge_ingress(const Site& site, const objects::Ingress& ingress);
Verdict judge_stream(const Site& site, const objects::TcpService& service);
Verdict judge_stream(const Site& site, const objects::UdpService& service);

}  // namespace penstock::admission
