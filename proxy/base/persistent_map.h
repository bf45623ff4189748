#pragma once
// An immutable-by-sharing map: copying it costs a fixed number of pointers and a change copies one
// bucket, so that a table of ten thousand hosts is swapped at the cost of the one that changed.
// Reads are two array steps and a hash lookup. A copy may be read from any thread while another
// copy is changed.
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace penstock::base {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

/// Map from text to `Value` (cheap to copy: a shared_ptr or an id). Changed only through an Editor.
template <class Value>
class PersistentMap {
 public:
  class Editor;

  const Value* find(std::string_view key) const {
    const auto& bucket = buckets_[index_of(key)];
    if (!bucket) return nullptr;
    const auto found = bucket->find(key);
    return found == bucket->end() ? nullptr : &found->second;
  }

  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& bucket : buckets_) {
      if (!bucket) continue;
      for (const auto& [key, value] : *bucket) visit(key, value);
    }
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  static constexpr std::size_t kBuckets = 256;
  using Bucket = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

  static std::size_t index_of(std::string_view key) {
    // The high bits, since the bucket's own table uses the low ones.
    return (TextHash{}(key) >> 48) % kBuckets;
  }

  std::array<std::shared_ptr<const Bucket>, kBuckets> buckets_;
  std::size_t size_ = 0;
};

/// A set of changes to one map: each bucket touched is cloned once, however many keys change in it.
template <class Value>
class PersistentMap<Value>::Editor {
 public:
  explicit Editor(PersistentMap base) : map_(std::move(base)) {}

  const Value* find(std::string_view key) const { return map_.find(key); }

  void set(std::string_view key, Value value) {
    const auto [place, inserted] = own(key).insert_or_assign(std::string(key), std::move(value));
    if (inserted) ++map_.size_;
  }

  void erase(std::string_view key) {
    if (map_.find(key) == nullptr) return;
    auto& bucket = own(key);
    bucket.erase(bucket.find(key));
    --map_.size_;
  }

  /// The changed map; the editor starts anew from it.
  PersistentMap finish() {
    owned_ = {};
    return map_;
  }

 private:
  Bucket& own(std::string_view key) {
    const auto index = index_of(key);
    if (owned_[index] == nullptr) {
      const auto& shared = map_.buckets_[index];
      auto fresh = shared ? std::make_shared<Bucket>(*shared) : std::make_shared<Bucket>();
      owned_[index] = fresh.get();
      map_.buckets_[index] = std::move(fresh);
    }
    return *owned_[index];
  }

  PersistentMap map_;
  std::array<Bucket*, kBuckets> owned_{};
};

}  // namespace penstock::base
