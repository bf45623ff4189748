// What an API server, or somebody in its place, sends to the admission webhook.
#include <stdexcept>

#include "controller/admission/judge.h"

namespace {

using namespace penstock;
using objects::Kind;

/// A small cluster with which an object can be in conflict.
struct Cluster {
  Cluster() {
    put({Kind::kIngressClass, "", "nginx"}, R"("spec":{"controller":"k8s.io/ingress-nginx"})");
    put({Kind::kIngress, "shop", "web"},
        R"("spec":{"ingressClassName":"nginx","rules":[{"host":"one.test","http":{"paths":[{"path":"/"}]}}]})");
    constexpr char kStream[] =
        R"("spec":{"listeners":[{"name":"a","port":5000}],"rules":[{"backends":[{"service":{"name":"web","port":80}}]}]})";
    put({Kind::kTcpService, "shop", "db"}, kStream);
    put({Kind::kUdpService, "shop", "dns"}, kStream);
    translator.translate(world, touched);
  }
  void put(const objects::ObjectKey& key, const std::string& rest) {
    const auto json = R"({"metadata":{"namespace":")" + key.name_space + R"(","name":")" +
                      key.name + R"("},)" + rest + "}";
    world.apply({key, false, json, {}}, touched);
  }

  world::World world;
  world::Touched touched;
  translate::Translator translator{translate::Options{}};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static const Cluster cluster;
  admission::ReviewReader reader;
  const auto review = reader.read({reinterpret_cast<const char*>(data), size});
  if (!review) return 0;
  const auto verdict = admission::judge({cluster.world, cluster.translator, false}, *review);
  const auto answer = admission::write_answer(review->uid, verdict);
  simdjson::dom::parser parser;
  if (parser.parse(answer).error() != simdjson::SUCCESS) throw std::logic_error(answer);
  return 0;
}
