#pragma once
// What is noted of exchanges and streams that did not go well, and the detailed lines that somebody
// has asked for. Nothing here costs a good exchange more than a comparison.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/clock.h"
#include "proxy/base/end_reason.h"
#include "proxy/base/ip_net.h"
#include "proxy/base/line_rate.h"
#include "proxy/filters/exchange.h"
#include "proxy/telemetry/recent_errors.h"
#include "proxy/telemetry/record.h"

namespace penstock::session {

/// A detailed line in the process's log for what matches, until a time. One of host, client and
/// port decides; the others are empty.
struct LogRule {
  std::string host;  // as a request names it, in lower case
  std::vector<base::IpNet> clients;
  std::uint16_t port = 0;         // that the client came to
  std::uint16_t from_status = 0;  // answers from this status on: 0 all, 400, 500
  base::SteadyTime until;

  bool operator==(const LogRule&) const = default;
};

/// The rules of one worker. Lines are bounded: beyond kMostLines in a second they are counted.
class LogRules {
 public:
  static constexpr std::uint32_t kMostLines = 100;

  void set(std::vector<LogRule> rules) { rules_ = std::move(rules); }
  bool empty() const { return rules_.empty(); }
  void apply(const telemetry::HttpRecord& record, base::SteadyTime now);
  void apply(const telemetry::StreamRecord& record, base::SteadyTime now);

 private:
  bool wants(std::string_view host, const telemetry::Client& client, std::uint16_t status,
             base::SteadyTime now);
  bool has_room(base::SteadyTime now);

  std::vector<LogRule> rules_;
  base::LineRate rate_{kMostLines};
};

/// Notes an exchange that is over, if it is worth it.
void note_exchange(telemetry::RecentErrors& errors, const filters::Exchange& exchange,
                   bool is_parsed, base::WallTime now);
/// Of a connection that came to no request.
void note_connection(telemetry::RecentErrors& errors, base::EndReason reason,
                     const base::Address& client, base::WallTime now);

}  // namespace penstock::session
