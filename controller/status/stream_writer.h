#pragma once
// Writes the statuses of TCPServices and UDPServices and an Event for each of their transitions,
// and Events for entries of our ConfigMaps that cannot be served, while this replica leads. Runs on
// the controller's thread.
//
// A status says nothing before a proxy of ours has taken a version in: a controller that starts
// flips no condition.
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/kube/client.h"
#include "controller/kube/one_timer.h"
#include "controller/status/events.h"
#include "controller/status/exposure.h"
#include "controller/status/port_allocations.h"
#include "controller/status/stream_conditions.h"
#include "controller/status/stream_listeners.h"
#include "controller/translate/stream_port.h"
#include "controller/translate/translator.h"
#include "controller/world/world.h"
#include "proxy/base/asio.h"
#include "proxy/base/clock.h"
#include "proxy/snapshot/wire.h"

namespace penstock::status {

/// What proxies serve, those of all replicas.
struct Live {
  std::uint64_t version = 0;  // that holds all that the controller knows
  std::string config;         // its name, the same on every replica that holds the same
  std::size_t proxies = 0;
  std::function<std::size_t(std::uint64_t version)>
      proxies_at;                     // how many serve it, or a later one
  std::vector<std::string> problems;  // ports that are not open: "TCPService db/mysql: cannot ..."
  std::vector<snapshot::EndpointDown> down = {};  // fail their active checks
};

class StreamWriter {
 public:
  struct View {
    const world::World* world;
    const translate::Translator* translator;
    Live live;
    Exposure exposure = {};
  };

  StreamWriter(asio::io_context& io, kube::Client& client, std::function<View()> view);

  void set_leading(bool is_leading);
  /// Something may have changed.
  void update();

 private:
  struct Known {
    std::int64_t generation = -1;
    std::vector<std::uint16_t> ports;
    std::uint64_t version = 0;  // the first that held this generation with these ports
    objects::StreamStatus written;
    base::SteadyTime written_at;
    std::optional<base::SteadyTime> lags_since;  // some proxies do not serve it yet
  };
  struct Write {
    objects::ObjectKey object;
    std::string uid;
    objects::StreamStatus status;
    std::vector<objects::Condition> news;
    std::vector<EventText> for_owners;  // of ports that this object wants and does not get
  };

  void compare();
  template <class T>
  void compare_kind(const View& view, const translate::Transport& transport);
  template <class T>
  StreamView view_of(const View& view, const translate::Transport& transport, const T& service);
  void consider(const objects::ObjectKey& object, const objects::Meta& meta,
                const objects::StreamStatus& stands, const StreamView& view,
                const world::World& world);
  bool may_catch_up(Known& known, const StreamView& view, base::SteadyTime now);
  void compare_unreadable(const View& view);
  void report_config_maps(const View& view);
  void update_after(std::chrono::milliseconds delay);
  void write_next();
  void write(Write next);
  void announce(const Write& written);

  kube::Client& client_;
  EventWriter events_;
  std::function<View()> view_;
  bool is_leading_ = false;
  std::optional<base::SteadyTime> due_at_;
  std::map<std::string, Known> known_;  // by uid
  HeldByOwner held_;                    // for one comparison
  PortAllocations allocations_;
  std::set<std::string> said_;        // names of Events about ConfigMaps
  std::map<std::string, Write> due_;  // by uid
  std::map<std::string, kube::Call> writing_;
  kube::OneTimer timer_;
};

}  // namespace penstock::status
