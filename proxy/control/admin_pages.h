#pragma once
// What the proxy serves and how it fares, as JSON for tools and the status page: docs/admin.md
// lists the fields. Lists come in pages, so that an answer is bounded whatever the cluster holds.
// Control thread.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/http_server.h"
#include "proxy/base/json_writer.h"
#include "proxy/base/result.h"
#include "proxy/snapshot/snapshot.h"
#include "proxy/worker/report.h"

namespace penstock::control {

/// Which items of a list are wanted.
struct PageRequest {
  std::string contains;     // in the name, ignoring case; empty: all
  std::string after;        // the last name of the page before
  std::size_t limit = 200;  // most items

  /// Of the parameters q, after and limit (1 to 1000).
  static base::Result<PageRequest> from(const base::HttpRequest& request);
};

struct Page {
  using Item = std::pair<const snapshot::PartKey*, const snapshot::Part*>;
  std::vector<Item> items;
  std::string next;       // `after` of the next page; empty: this is the last
  std::size_t total = 0;  // that match
};

/// The parts of these kinds by name; kinds that follow each other in PartKind are one list.
Page page_of(const snapshot::Snapshot& snapshot, snapshot::PartKind first, snapshot::PartKind last,
             const PageRequest& request);

/// Of upstreams. Shorter where they have many endpoints: workers tell of each one, and serve nobody
/// for as long as that takes.
Page page_of_upstreams(const snapshot::Snapshot& snapshot, const PageRequest& request);

/// {"total": n, "next": "name" or null, "items": [...]}
using WriteItem = std::function<void(base::JsonWriter&, const Page::Item&)>;
std::string page_json(const Page& page, const WriteItem& write);

void write_host(base::JsonWriter& json, const snapshot::Host& host);
void write_certificate(base::JsonWriter& json, const snapshot::Certificate& certificate);
/// `endpoints` may be null; `reports` are by address.
void write_upstream(base::JsonWriter& json, const snapshot::Upstream& upstream,
                    const snapshot::Endpoints* endpoints,
                    const std::map<std::string, worker::EndpointReport>& reports);
/// {"items": [...]}: each reason that there was, with its count and the last errors, the latest
/// first.
std::string errors_json(const worker::Report& report);
/// Of the parameters port ("tcp/443"; empty: all) and limit (1 to 1000).
base::Result<worker::SessionsRequest> sessions_request(const base::HttpRequest& request);
/// {"active": n, "examined": n, "items": [...], "ended": [{"reason": word, "count": n}]}, the most
/// frequent reason first.
std::string sessions_json(const worker::SessionsReport& report);
/// `problem` says why the port is not open; empty: it is.
void write_stream(base::JsonWriter& json, const snapshot::Part& part,
                  const worker::StreamReport& report, std::string_view problem);

}  // namespace penstock::control
