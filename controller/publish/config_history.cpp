#include "controller/publish/config_history.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "proxy/snapshot/codec.h"

namespace penstock::publish {
namespace {

constexpr std::size_t kMostRuns = 4096;

bool is_of_one_replica(const snapshot::PartKey& key) {
  return key.kind == snapshot::PartKind::kEndpoints ||
         (key.kind == snapshot::PartKind::kCertificate &&
          key.name == snapshot::kDefaultCertificate);
}

std::string encode_common(const snapshot::Part& part) {
  if (const auto* global = std::get_if<snapshot::Global>(&part)) {
    auto common = *global;
    common.instance = {};
    return snapshot::encode(snapshot::Part(std::move(common)));
  }
  return snapshot::encode(part);
}

std::uint64_t number_of(const snapshot::PartKey& key, const snapshot::Part& part) {
  const auto text =
      fmt::format("{}/{}\n", static_cast<int>(key.kind), key.name) + encode_common(part);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  std::uint64_t number = 0;
  std::memcpy(&number, digest, sizeof number);
  return number;
}

}  // namespace

void ConfigHistory::add(std::uint64_t version,
                        const std::map<snapshot::PartKey, snapshot::PartPtr>& changes) {
  for (const auto& [key, part] : changes) {
    if (is_of_one_replica(key)) continue;
    const auto before = parts_.find(key);
    if (before != parts_.end()) {
      sum_ -= before->second;
      if (!part) parts_.erase(before);
    }
    if (!part) continue;
    const auto number = number_of(key, *part);
    sum_ += number;
    parts_.insert_or_assign(key, number);
  }
  auto name = fmt::format("{:016x}", sum_);
  if (!runs_.empty() && runs_.back().second == name) return;
  last_[name] = version;
  runs_.emplace_back(version, std::move(name));
  if (runs_.size() <= kMostRuns) return;
  const auto oldest = last_.find(runs_.front().second);
  if (oldest->second == runs_.front().first) last_.erase(oldest);
  runs_.pop_front();
}

std::string ConfigHistory::name_at(std::uint64_t version) const {
  const auto after =
      std::ranges::upper_bound(runs_, version, {}, [](const auto& run) { return run.first; });
  return after == runs_.begin() ? "" : std::prev(after)->second;
}

std::uint64_t ConfigHistory::last_under(const std::string& name) const {
  const auto found = last_.find(name);
  if (found == last_.end()) return 0;
  const auto after =
      std::ranges::upper_bound(runs_, found->second, {}, [](const auto& run) { return run.first; });
  return after == runs_.end() ? std::numeric_limits<std::uint64_t>::max() : after->first - 1;
}

}  // namespace penstock::publish
