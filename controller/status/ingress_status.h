#pragma once
// Writes the addresses at which Ingresses are reached into their status, while this replica leads.
// Looks only at those that have changed and those whose status is not yet as it should be; at all
// where it begins to lead and where the addresses change. Runs on the controller's thread.
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/kube/client.h"
#include "controller/kube/one_timer.h"
#include "controller/world/world.h"
#include "proxy/base/asio.h"
#include "proxy/base/clock.h"

namespace penstock::status {

/// IP addresses and names, in the order of the status.
using Addresses = std::vector<std::string>;

/// The text of --publish-status-address.
Addresses parse_addresses(const std::string& text);
/// What the Service of --publish-service says: its load balancer and external IPs; its cluster IP
/// where it has neither; the name of an ExternalName.
Addresses addresses_of(const objects::Service& service);
/// The merge patch of an Ingress's status.
std::string status_patch(const Addresses& addresses);

class IngressStatus {
 public:
  struct Options {
    std::string publish_service;  // path; empty: the addresses below
    Addresses addresses;
    /// Where neither is given: those of our nodes, nothing as long as they are not known. `update`
    /// tells that they have changed.
    std::function<std::optional<Addresses>()> nodes = {};
  };
  /// What is served now.
  struct View {
    const world::World* world;
    const std::set<std::string>* served;  // paths of Ingresses
  };

  IngressStatus(asio::io_context& io, kube::Client& client, Options options,
                std::function<View()> view);

  void set_leading(bool is_leading);
  /// Nothing where what has the addresses is not there.
  std::optional<Addresses> addresses(const world::World& world) const;
  /// These Ingresses may have changed, or the Service that has the addresses.
  void update(const std::set<std::string>& changed);
  /// Takes the address out of every status that has it, once; then `on_done`. Nothing is written
  /// after it. Where there are several addresses the others may still be reached: they stay.
  void clear(std::function<void()> on_done);

 private:
  enum class State { kSettled, kDue, kIsWritten };
  void look_soon();
  void compare();
  State state_of(const View& view, const std::string& path);
  bool find_wanted(const View& view);
  void begin_clearing();
  void end_clearing_if_done();
  void write_next();
  void take_written(const std::string& path, const std::string& uid,
                    const kube::Response& response);
  void write(const std::string& path, const std::string& uid);

  kube::Client& client_;
  Options options_;
  std::function<View()> view_;
  bool is_leading_ = false;
  bool is_due_ = false;
  Addresses wanted_;
  bool is_all_open_ = false;
  std::set<std::string> open_;                       // paths of Ingresses to be looked at
  std::map<std::string, base::SteadyTime> written_;  // by uid; the watch may still lag
  std::map<std::string, std::string> due_;           // uid by path
  std::map<std::string, kube::Call> writing_;
  kube::OneTimer timer_;
  std::function<void()> on_cleared_;
  bool is_clearing_ = false;
};

}  // namespace penstock::status
