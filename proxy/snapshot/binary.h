#pragma once
// The binary form of described values. Little endian, no padding, strings and lists behind a 32-bit
// count. The reader takes hostile bytes: a count is believed only as far as bytes are left.
#include <bit>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/snapshot/archive.h"

namespace penstock::snapshot {

static_assert(std::endian::native == std::endian::little, "the wire form is the memory form");

class BinaryWriter {
 public:
  explicit BinaryWriter(std::string& out) : out_(out) {}

  template <class T>
  BinaryWriter& operator()(std::string_view, T& value) {
    write(value);
    return *this;
  }
  template <class T>
  BinaryWriter& secret(std::string_view name, T& value) {
    return (*this)(name, value);
  }

  template <class T>
  void write(const T& value) {
    if constexpr (std::same_as<T, bool>) {
      out_.push_back(value ? 1 : 0);
    } else if constexpr (std::is_enum_v<T>) {
      write(static_cast<std::uint8_t>(value));
    } else if constexpr (std::integral<T>) {
      out_.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else if constexpr (std::same_as<T, std::string>) {
      write(static_cast<std::uint32_t>(value.size()));
      out_.append(value);
    } else if constexpr (std::same_as<T, base::Duration>) {
      write(static_cast<std::int64_t>(value.count()));
    } else if constexpr (std::same_as<T, base::ByteSize>) {
      write(value.bytes);
    } else if constexpr (std::same_as<T, base::IpNet>) {
      write(value.to_string());
    } else if constexpr (Described<T>) {
      const_cast<T&>(value).describe(*this);  // describe only reads for a writer
    } else {
      write(static_cast<std::uint32_t>(value.size()));
      for (const auto& item : value) write(item);
    }
  }

 private:
  std::string& out_;
};

class BinaryReader {
 public:
  explicit BinaryReader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  BinaryReader& operator()(std::string_view name, T& value) {
    if (why_.empty() && !read(value)) why_ = name;
    return *this;
  }
  template <class T>
  BinaryReader& secret(std::string_view name, T& value) {
    return (*this)(name, value);
  }

  /// The name of the first field that did not decode; empty while all is well.
  std::string_view failed_field() const { return why_; }
  bool is_at_end() const { return rest_.empty(); }

  template <class T>
  bool read(T& value) {
    if constexpr (std::same_as<T, bool>) {
      std::uint8_t byte = 0;
      if (!read(byte) || byte > 1) return false;
      value = byte == 1;
      return true;
    } else if constexpr (std::is_enum_v<T>) {
      std::uint8_t index = 0;
      if (!read(index) || index >= EnumNames<T>::names.size()) return false;
      value = static_cast<T>(index);
      return true;
    } else if constexpr (std::integral<T>) {
      if (rest_.size() < sizeof value) return false;
      std::memcpy(&value, rest_.data(), sizeof value);
      rest_.remove_prefix(sizeof value);
      return true;
    } else if constexpr (std::same_as<T, std::string>) {
      std::uint32_t size = 0;
      if (!read(size) || size > rest_.size()) return false;
      value.assign(rest_.substr(0, size));
      rest_.remove_prefix(size);
      return true;
    } else if constexpr (std::same_as<T, base::Duration>) {
      std::int64_t count = 0;
      if (!read(count) || count < 0) return false;
      value = base::Duration(count);
      return true;
    } else if constexpr (std::same_as<T, base::ByteSize>) {
      return read(value.bytes);
    } else if constexpr (std::same_as<T, base::IpNet>) {
      std::string text;
      if (!read(text)) return false;
      const auto net = base::IpNet::parse(text);
      if (net) value = *net;
      return net.has_value();
    } else if constexpr (Described<T>) {
      const auto outer = why_;
      value.describe(*this);
      return why_ == outer;
    } else {
      std::uint32_t count = 0;
      // Every item takes at least a byte, so more items than bytes cannot be.
      if (!read(count) || count > rest_.size()) return false;
      value.clear();
      for (std::uint32_t i = 0; i < count; ++i) {
        if (!read(value.emplace_back())) return false;
      }
      return true;
    }
  }

 private:
  std::string_view rest_;
  std::string_view why_;
};

}  // namespace penstock::snapshot
