#pragma once
// Active health checks: one thread for the whole proxy, that asks each endpoint once however many
// upstreams, ports and workers have to do with it. Workers read what it finds from the table of
// cells.
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/base/gate.h"
#include "proxy/base/health.h"
#include "proxy/health/target.h"
#include "proxy/net/reactor.h"
#include "proxy/net/tls_context.h"
#include "proxy/routing/compile.h"
#include "proxy/snapshot/wire.h"
#include "proxy/telemetry/endpoint_health.h"

namespace penstock::worker {

class Prober {
 public:
  /// All endpoints that are down, whenever that has changed. On the prober's thread.
  using OnReport = std::function<void(snapshot::HealthReport)>;

  Prober(std::shared_ptr<base::HealthTable> table, telemetry::EndpointHealth& metrics,
         OnReport on_report);
  ~Prober();
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;

  /// From any thread: ask what the table wants from now on. The first call starts the thread where
  /// something is to be asked.
  void adopt(const routing::RoutingTable& table, const routing::TableChange& change);

 private:
  using TargetPtr = std::shared_ptr<health::Target>;
  /// What an upstream wants; without a check nothing.
  struct Wanted {
    std::uint32_t slot = 0;
    std::string upstream;
    std::shared_ptr<const health::Check> check;
    std::vector<base::TcpEndpoint> endpoints;
  };
  struct Asked {
    std::string upstream;
    std::map<std::string, TargetPtr> targets;  // by the name of what is asked
  };

  struct Shared {
    TargetPtr target;
    std::size_t users = 0;  // upstreams
  };

  static Wanted wanted_of(std::uint32_t slot, const routing::CompiledUpstream* upstream);
  void reconcile(const std::vector<Wanted>& wanted);
  Asked take(const Wanted& wanted);
  void release(const Asked& asked);
  void report();
  base::Task<void> end();

  std::shared_ptr<base::HealthTable> table_;
  telemetry::EndpointHealth& metrics_;
  OnReport on_report_;
  net::Reactor reactor_;
  net::TlsClientContext tls_;
  base::Gate questions_;
  net::Timer report_timer_;
  health::TargetParts parts_;
  std::map<std::string, Shared> targets_;
  std::map<std::uint32_t, Asked> asked_;  // by slot
  std::thread thread_;
};

}  // namespace penstock::worker
