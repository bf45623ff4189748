// Routes and certificates by name.
#include <string>
#include <vector>

#include "tests/instructions/collect.h"
#include "tests/instructions/paths.h"
#include "tests/instructions/samples.h"
#include "tests/support/certificates.h"

namespace penstock::instructions {
namespace {

/// Far enough from its neighbour to share nothing with it in a table.
constexpr std::size_t kStride = 1'237;

struct Wanted {
  std::string host;
  std::string path;
};

/// All four paths of some hosts.
std::vector<Wanted> wanted(std::size_t hosts) {
  std::vector<Wanted> out;
  for (std::size_t i = 0; i < 100; ++i) out.push_back({host_name(i * kStride % hosts), path(i)});
  return out;
}

void find_route(int times, std::size_t hosts) {
  const auto compiled = table(hosts, 80);
  const auto all = wanted(hosts);
  auto next = all.begin();
  measure(times, [&] {
    keep(compiled.table->find(next->host, next->path));
    if (++next == all.end()) next = all.begin();
  });
}

}  // namespace

void find_route_of_1_host(int times) { find_route(times, 1); }

void find_route_of_5000_hosts(int times) { find_route(times, kManyHosts); }

void find_identity(int times) {
  const auto pair = test::make_certificate({"*.example.com"});
  const auto compiled = table(kManyHosts, 80, pair.chain, pair.key);
  const auto all = wanted(kManyHosts);
  auto next = all.begin();
  measure(times, [&] {
    keep(compiled.table->identity_for(next->host));
    if (++next == all.end()) next = all.begin();
  });
}

}  // namespace penstock::instructions
