#pragma once
// Keeps one kind of object in step with the API server: lists it in pages, then watches from the
// list's resource version, and starts over as the API's rules say (410 Gone). Runs on the
// controller's thread; delivers through objects::SourceEvents.
//
// What a consumer may rely on: an object is delivered when its resource version has changed and
// not otherwise; whatever vanished while nobody watched is delivered as removed after the next
// whole list; on_synced comes once, after the first whole list. A failure never removes anything.
// on_settled comes with every list that is refused for want of a right.
// Where the kind itself does not exist (its CRD is not installed) the list counts as empty and is
// tried again slowly; one that has an older version is asked for in that one, too, and stays with
// the version that is served.
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "controller/kube/backoff.h"
#include "controller/kube/client.h"
#include "controller/kube/line_splitter.h"
#include "controller/kube/list_page.h"
#include "controller/kube/one_timer.h"
#include "controller/objects/source.h"
#include "proxy/base/clock.h"

namespace penstock::kube {

struct WatchTarget {
  objects::Kind kind = objects::Kind::kIngress;
  std::string name_space;           // empty: all
  std::string name;                 // empty: all; else this one object
  std::string field_selector;       // "type!=helm.sh/release.v1"
  std::string label_selector = {};  // "app=penstock"
};

/// The query of a target's list or watch without its paging: "fieldSelector=..." or empty.
std::string selector_query(const WatchTarget& target);

struct WatchTiming {
  std::chrono::milliseconds first_retry{500};
  std::chrono::milliseconds longest_retry{30'000};
  std::chrono::milliseconds absent_kind_retry{60'000};
  /// A watch that ended in order sooner than this counts as a failure, so that no server can make
  /// us spin.
  std::chrono::milliseconds shortest_watch{1'000};
  /// The watch asks for between this and one and a half times this; the client's stream timeout
  /// must be longer. Short, because HTTP/1.1 has no ping: it bounds how long a dead server goes
  /// unnoticed.
  std::chrono::seconds watch_length{60};
  int page_size = 500;
  std::size_t max_page = 64 << 20;  // bytes; a larger page is asked for again in smaller parts
  std::size_t max_line = 64 << 20;
};

struct WatchCounters {
  std::uint64_t lists = 0;     // begun
  std::uint64_t relists = 0;   // begun because the watch could not be resumed
  std::uint64_t restarts = 0;  // watches opened after the first
  std::uint64_t failures = 0;
  std::uint64_t refused_lists = 0;  // since the last good one, for want of a right (403)
  std::uint64_t objects = 0;        // known now
  std::optional<base::WallTime> last_contact;
};

/// Must not be destroyed within on_change or on_synced; stop() may be called there.
class Watcher {
 public:
  Watcher(asio::io_context& io, Client& client, WatchTarget target, objects::SourceEvents events,
          Random random, WatchTiming timing = {});
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;
  ~Watcher() { stop(); }

  void start();
  /// Nothing is delivered any more. Final.
  void stop();

  bool is_synced() const { return is_synced_; }
  const WatchTarget& target() const { return target_; }
  const WatchCounters& counters() const { return counters_; }
  /// Since when what was delivered may be out of date; nothing while the watch stands.
  std::optional<base::SteadyTime> disconnected_since() const { return disconnected_since_; }

 private:
  struct Known {
    std::string resource_version;
    std::uint64_t generation = 0;  // of the list that saw it last
  };

  void begin_list();
  void request_page();
  void on_page(Response response);
  void on_page_refused(const Response& response);
  void take_page(std::string body);
  void finish_list();
  void on_kind_absent();
  /// True where there is another version, which has not been asked for since the last good list.
  bool turn_to_other_version();

  void begin_watch();
  void on_watch_head(const Response& head);
  void on_watch_data(std::string_view piece);
  void on_watch_end(const std::string& failure);
  /// False when the watch is over with this event.
  bool take_event(const WatchEvent& event);

  void deliver(const RawObject& object);
  void deliver_removed(const std::string& id);
  void remove_unseen();
  void mark_synced();

  void note_contact();
  void fail(const std::string& why, std::optional<std::chrono::seconds> retry_after,
            void (Watcher::*next)());
  /// What we have or asked for is too old for the server, which is its right at any time.
  void relist_gone(const std::string& why);
  void relist_later(const std::string& why);
  /// The watch has proved itself: an event, or a decent length.
  void note_progress();
  void later(std::chrono::milliseconds delay, void (Watcher::*next)());
  std::string label() const;

  Client& client_;
  WatchTarget target_;
  objects::SourceEvents events_;
  Random random_;
  WatchTiming timing_;
  Backoff backoff_;
  OneTimer timer_;
  Call call_;
  LineSplitter lines_;
  Response watch_head_;
  std::string refusal_;  // first bytes of a refused watch's body

  std::unordered_map<std::string, Known> known_;  // "namespace/name"
  std::string_view api_version_;
  bool has_turned_ = false;
  std::string resource_version_;
  std::string continue_token_;
  int page_size_;
  std::uint64_t generation_ = 0;
  base::SteadyTime watch_began_;
  bool is_first_watch_ = true;
  bool has_relisted_ = false;  // since the watch last proved itself
  bool is_synced_ = false;
  bool is_stopped_ = false;
  std::optional<base::SteadyTime> disconnected_since_;
  WatchCounters counters_;
};

}  // namespace penstock::kube
