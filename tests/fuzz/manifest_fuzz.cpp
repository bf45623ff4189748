// Files of manifests, all the way to the parts of a snapshot.
#include <cstdlib>
#include <string>

#include "controller/directory/manifest_file.h"
#include "controller/translate/translator.h"
#include "proxy/snapshot/validate.h"

using namespace penstock;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto manifests = directory::parse_manifests("fuzz.yaml", text);
  world::World world;
  world::Touched touched;
  for (const auto& document : manifests.documents) {
    world.apply({document->key, false, document->json, {}}, touched);
  }
  translate::Options options;
  options.takes_without_class = true;
  options.config_map = "default/settings";
  options.tcp_services = "default/tcp";
  translate::Translator translator(options);
  translator.translate(world, touched);
  translator.diagnostics(world);
  snapshot::Update update;
  snapshot::Snapshot snapshot;
  update.parts.assign(translator.parts().begin(), translator.parts().end());
  snapshot::apply(update, snapshot);
  // Whatever a user writes, the proxy must never have to refuse what we make of it.
  if (!snapshot::validate(update, snapshot).empty()) std::abort();
  return 0;
}
