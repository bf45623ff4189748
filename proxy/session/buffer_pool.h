#pragma once
// Large buffers of one worker, lent while bytes are in them and given back while a connection
// waits, so that idle connections cost none.
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace penstock::session {

class BufferPool {
 public:
  static constexpr std::size_t kSize = 64 << 10;

  /// Returns its buffer when it goes. Must not outlive the pool.
  class Loan {
   public:
    Loan() = default;
    Loan(Loan&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), bytes_(std::move(other.bytes_)) {}
    Loan& operator=(Loan&& other) noexcept {
      give_back();
      pool_ = std::exchange(other.pool_, nullptr);
      bytes_ = std::move(other.bytes_);
      return *this;
    }
    ~Loan() { give_back(); }

    explicit operator bool() const { return bytes_ != nullptr; }
    std::span<char> span() const { return {bytes_.get(), kSize}; }
    void give_back() {
      if (bytes_ && pool_->free_.size() < kMostKept) pool_->free_.push_back(std::move(bytes_));
      bytes_.reset();
    }

   private:
    friend class BufferPool;
    Loan(BufferPool& pool, std::unique_ptr<char[]> bytes)
        : pool_(&pool), bytes_(std::move(bytes)) {}
    BufferPool* pool_ = nullptr;
    std::unique_ptr<char[]> bytes_;
  };

  Loan lend() {
    if (free_.empty()) return {*this, std::make_unique_for_overwrite<char[]>(kSize)};
    auto bytes = std::move(free_.back());
    free_.pop_back();
    return {*this, std::move(bytes)};
  }

 private:
  static constexpr std::size_t kMostKept = 64;
  std::vector<std::unique_ptr<char[]>> free_;
};

}  // namespace penstock::session
