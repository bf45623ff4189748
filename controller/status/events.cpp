#include "controller/status/events.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>

#include "controller/kube/paths.h"
#include "proxy/base/log.h"
#include "proxy/base/text.h"

namespace penstock::status {
namespace {

constexpr std::size_t kMostAtOnce = 100;
constexpr std::size_t kLongestMessage = 1000;  // the API takes 1024 bytes
constexpr std::size_t kLongestName = 200;

}  // namespace

std::string rfc3339_now() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

std::string event_name(const EventText& text) {
  auto hash = base::fnv1a(text.uid);
  for (const auto& each : {text.reason, text.message, text.moment}) {
    hash = base::fnv1a(each, base::fnv1a("/", hash));
  }
  return fmt::format("{}.{:016x}", text.object.name.substr(0, kLongestName), hash);
}

std::string event_json(const EventText& text, const std::string& now) {
  const auto& kind = objects::info_of(text.object.kind);
  return fmt::format(
      R"({{"apiVersion":"v1","kind":"Event","metadata":{{"name":"{}","namespace":"{}"}},)"
      R"("involvedObject":{{"apiVersion":"{}","kind":"{}","namespace":"{}","name":"{}","uid":"{}"}},)"
      R"("reason":"{}","message":"{}","type":"{}","count":1,"firstTimestamp":"{}","lastTimestamp":"{}",)"
      R"("source":{{"component":"penstock-controller"}},"reportingComponent":"penstock-controller",)"
      R"("reportingInstance":""}})",
      base::escape_json(event_name(text)), text.object.name_space, kind.api_version, kind.name,
      text.object.name_space, base::escape_json(text.object.name), base::escape_json(text.uid),
      text.reason, base::escape_json(text.message.substr(0, kLongestMessage)),
      text.is_warning ? "Warning" : "Normal", now, now);
}

void EventWriter::write(const EventText& text) {
  if (calls_.size() >= kMostAtOnce) {
    base::log::warn("too many Events at once: one for {} is dropped",
                    objects::to_string(text.object));
    return;
  }
  const auto place = calls_.emplace(calls_.end());
  *place = client_.create(
      kube::collection_path("v1", "events", text.object.name_space),
      event_json(text, rfc3339_now()),
      [this, place, object = objects::to_string(text.object)](const kube::Response& response) {
        std::list<kube::Call> done;  // dropped last: this runs inside of it
        done.splice(done.end(), calls_, place);
        if (response.is_ok() || response.status == 409) return;
        base::log::warn("Event for {}: {}", object, response.failure_text());
      });
}

}  // namespace penstock::status
