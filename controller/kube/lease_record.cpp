#include <fmt/chrono.h>
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

#include "controller/kube/lease.h"
#include "proxy/base/text.h"

namespace penstock::kube {

using namespace simdjson;

namespace {

std::string text_or_empty(ondemand::value value) {
  if (value.is_null()) return {};
  return std::string(std::string_view(value.get_string()));
}

int count_or_zero(ondemand::value value) {
  if (value.is_null()) return 0;
  return static_cast<int>(std::clamp<std::int64_t>(value.get_int64(), 0, 1 << 30));
}

void read_spec(ondemand::object spec, LeaseRecord& record) {
  for (auto field : spec) {
    const std::string_view key = field.unescaped_key();
    if (key == "holderIdentity") record.holder = text_or_empty(field.value());
    if (key == "leaseDurationSeconds") record.duration_seconds = count_or_zero(field.value());
    if (key == "acquireTime") record.acquire_time = text_or_empty(field.value());
    if (key == "renewTime") record.renew_time = text_or_empty(field.value());
    if (key == "leaseTransitions") record.transitions = count_or_zero(field.value());
  }
}

}  // namespace

base::Result<LeaseRecord> parse_lease(std::string& json) {
  try {
    LeaseRecord record;
    ondemand::parser parser;
    json.reserve(json.size() + SIMDJSON_PADDING);
    auto document = parser.iterate(json.data(), json.size(), json.size() + SIMDJSON_PADDING);
    for (auto field : document.get_object()) {
      const std::string_view key = field.unescaped_key();
      if (key == "metadata") {
        ondemand::object metadata = field.value();
        record.metadata_json = std::string(std::string_view(metadata.raw_json()));
      } else if (key == "spec") {
        read_spec(field.value().get_object(), record);
      }
    }
    if (record.metadata_json.empty())
      return base::fail("the lease was not understood: no metadata");
    return record;
  } catch (const simdjson_error& error) {
    return base::fail(fmt::format("the lease was not understood: {}", error.what()));
  }
}

std::string encode_lease(const LeaseRecord& record) {
  return fmt::format(
      R"({{"apiVersion":"coordination.k8s.io/v1","kind":"Lease","metadata":{},)"
      R"("spec":{{"holderIdentity":"{}","leaseDurationSeconds":{},"acquireTime":"{}",)"
      R"("renewTime":"{}","leaseTransitions":{}}}}})",
      record.metadata_json, base::escape_json(record.holder), record.duration_seconds,
      record.acquire_time, record.renew_time, record.transitions);
}

std::string format_micro_time(base::WallTime time) {
  const auto micros =
      std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(static_cast<std::time_t>(micros / 1'000'000)), micros % 1'000'000);
}

void LeaseView::observe(LeaseRecord record, base::SteadyTime now) {
  is_absent_ = false;
  if (record_ == record) return;
  record_ = std::move(record);
  observed_at_ = now;
}

void LeaseView::observe_absence() { is_absent_ = true; }

bool LeaseView::may_write(base::SteadyTime now) const {
  if (!record_ || record_->holder.empty() || is_mine()) return true;
  // The longer of theirs and ours: a holder with a long lease is not cut short by our option.
  const auto theirs = std::chrono::seconds(record_->duration_seconds);
  return now >= observed_at_ + std::max<std::chrono::milliseconds>(options_.duration, theirs);
}

LeaseRecord LeaseView::blank() const {
  LeaseRecord out;
  out.metadata_json =
      fmt::format(R"({{"name":"{}","namespace":"{}"}})", base::escape_json(options_.name),
                  base::escape_json(options_.name_space));
  return out;
}

LeaseRecord LeaseView::claim(base::WallTime now) const {
  const bool is_there = record_ && !is_absent_;
  auto mine = is_there ? *record_ : blank();
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(options_.duration);
  mine.duration_seconds = std::max(1, static_cast<int>(seconds.count()));
  mine.renew_time = format_micro_time(now);
  if (!is_there || !is_mine()) {
    mine.acquire_time = mine.renew_time;
    if (is_there) ++mine.transitions;
  }
  mine.holder = options_.identity;
  return mine;
}

LeaseRecord LeaseView::release(base::WallTime now) const {
  auto free = record_ && !is_absent_ ? *record_ : blank();
  free.holder.clear();
  free.duration_seconds = 1;
  free.renew_time = format_micro_time(now);
  free.acquire_time = free.renew_time;
  return free;
}

const std::string& LeaseView::holder() const {
  static const std::string kNobody;
  return record_ ? record_->holder : kNobody;
}

}  // namespace penstock::kube
