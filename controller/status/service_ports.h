#pragma once
// Keeps the ports of the published Service in step with those of our streams, while this replica
// leads. By server-side apply under a name of its own it owns its entries alone: those of others
// stay as they are, and its own go when they are left out of the next apply. Runs on the
// controller's thread.
//
// One port that the API server refuses takes no other along: what is new is then applied by halves,
// down to the single port.
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "controller/kube/client.h"
#include "controller/kube/one_timer.h"
#include "controller/status/port_plan.h"
#include "controller/translate/translator.h"
#include "controller/world/world.h"
#include "proxy/base/asio.h"
#include "proxy/base/clock.h"

namespace penstock::status {

/// Of the apply that has our ports: the query of its path.
inline constexpr std::string_view kApplyPorts = "?fieldManager=penstock-streams&force=false";

class ServicePorts {
 public:
  struct View {
    const world::World* world;
    const translate::Translator* translator;
    bool is_translated;  // else nobody knows yet which ports are held, and none is taken out
  };

  /// `service` is its path; `on_change` is called when `refusals` may have changed.
  ServicePorts(asio::io_context& io, kube::Client& client, std::string service,
               std::function<View()> view, std::function<void()> on_change);

  void set_leading(bool is_leading);
  /// Something may have changed.
  void update();
  const Refusals& refusals() const { return refusals_; }

 private:
  struct Batch {
    std::vector<PortEntry> entries;
    std::vector<PortKey> fresh;  // that the Service has not

    std::set<PortKey> keys() const;
  };

  void update_after(std::chrono::milliseconds delay);
  void compare();
  Batch next_batch(const PortPlan& plan, const ServiceEntries& there) const;
  bool is_settled(const Batch& batch, const PortPlan& plan, const ServiceEntries& there);
  void keep_refusals(const PortPlan& plan);
  void send(const objects::Service& service, Batch batch);
  void take(const Batch& batch, const kube::Response& response);
  void take_refusal(const Batch& batch, const std::string& message);
  void retry_later();

  kube::Client& client_;
  std::string service_;
  std::function<View()> view_;
  std::function<void()> on_change_;
  bool is_leading_ = false;
  bool is_due_ = false;
  std::string uid_;                           // of the Service
  std::optional<std::set<PortKey>> applied_;  // nothing: not known what an earlier leader applied
  base::SteadyTime applied_at_;               // the watch may still lag
  std::size_t step_ = kMostServicePorts;      // new ports in one apply
  std::size_t refused_applies_ = 0;           // since the last retry
  std::set<PortKey> held_back_;               // until the next retry
  Refusals refusals_;
  std::string last_failure_;  // that was logged
  kube::Call call_;
  bool is_writing_ = false;
  kube::OneTimer timer_;
  kube::OneTimer retry_;
};

}  // namespace penstock::status
