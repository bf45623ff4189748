#include "proxy/snapshot/codec.h"

#include <fmt/format.h>

#include <array>

#include "proxy/base/text.h"
#include "proxy/snapshot/binary.h"

namespace penstock::snapshot {
namespace {

/// Walks the shape of a described type: names and types of every field, in order.
class ShapeHasher {
 public:
  template <class T>
  ShapeHasher& operator()(std::string_view name, T&) {
    hash_ = base::fnv1a(name, hash_);
    add<T>();
    return *this;
  }
  template <class T>
  ShapeHasher& secret(std::string_view name, T& value) {
    return (*this)(name, value);
  }

  template <class T>
  void add() {
    if constexpr (std::is_enum_v<T>) {
      word("enum");
      for (const auto name : EnumNames<T>::names) word(name);
    } else if constexpr (std::integral<T>) {
      word(std::same_as<T, bool> ? "bool" : std::is_signed_v<T> ? "int" : "unsigned");
      word(std::string(1, static_cast<char>('0' + sizeof(T))));
    } else if constexpr (std::same_as<T, std::string>) {
      word("text");
    } else if constexpr (std::same_as<T, base::Duration>) {
      word("milliseconds");
    } else if constexpr (std::same_as<T, base::ByteSize>) {
      word("bytes");
    } else if constexpr (std::same_as<T, base::IpNet>) {
      word("net");
    } else if constexpr (Described<T>) {
      word("{");
      T value{};
      value.describe(*this);
      word("}");
    } else {
      word("list");
      add<typename T::value_type>();
    }
  }
  std::uint64_t hash() const { return hash_; }

 private:
  // The zero byte keeps "ab","c" and "a","bc" apart.
  void word(std::string_view text) {
    hash_ = base::fnv1a(std::string_view("\0", 1), base::fnv1a(text, hash_));
  }
  std::uint64_t hash_ = base::fnv1a("penstock snapshot");
};

template <std::size_t... I>
std::uint64_t hash_parts(std::index_sequence<I...>) {
  ShapeHasher hasher;
  (hasher.add<std::variant_alternative_t<I, Part>>(), ...);
  return hasher.hash();
}

template <class T>
base::Result<PartPtr> decode_as(std::string_view bytes) {
  T value;
  BinaryReader reader(bytes);
  if (!reader.read(value)) {
    return base::fail(fmt::format("field {}: not decodable", reader.failed_field()));
  }
  if (!reader.is_at_end()) return base::fail("bytes after the last field");
  return std::make_shared<const Part>(std::move(value));
}

using Decode = base::Result<PartPtr> (*)(std::string_view);

template <std::size_t... I>
constexpr auto make_decoders(std::index_sequence<I...>) {
  return std::array<Decode, sizeof...(I)>{decode_as<std::variant_alternative_t<I, Part>>...};
}
constexpr auto kKinds = std::make_index_sequence<std::variant_size_v<Part>>();
constexpr auto kDecoders = make_decoders(kKinds);
static_assert(kDecoders.size() == EnumNames<PartKind>::names.size());

}  // namespace

std::string encode(const Part& part) {
  std::string out;
  BinaryWriter writer(out);
  std::visit([&](const auto& value) { writer.write(value); }, part);
  return out;
}

base::Result<PartPtr> decode_part(PartKind kind, std::string_view bytes) {
  return kDecoders.at(static_cast<std::size_t>(kind))(bytes);
}

std::string encode(const Update& update) {
  std::string out;
  BinaryWriter writer(out);
  writer.write(update.base);
  writer.write(update.version);
  writer.write(static_cast<std::uint32_t>(update.parts.size()));
  for (const auto& [key, part] : update.parts) {
    writer.write(key);
    writer.write(part != nullptr);
    if (part) writer.write(encode(*part));
  }
  return out;
}

base::Result<Update> decode_update(std::string_view bytes) {
  Update update;
  BinaryReader reader(bytes);
  std::uint32_t count = 0;
  if (!reader.read(update.base) || !reader.read(update.version) || !reader.read(count)) {
    return base::fail("the update's head is cut short");
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    PartKey key;
    bool is_present = false;
    std::string encoded;
    if (!reader.read(key) || !reader.read(is_present) || (is_present && !reader.read(encoded))) {
      return base::fail(fmt::format("part {} of {} is cut short or malformed", i + 1, count));
    }
    PartPtr part;
    if (is_present) {
      auto decoded = decode_part(key.kind, encoded);
      if (!decoded) {
        return base::fail(fmt::format("{} {}: {}", name_of(key.kind),
                                      base::escape_controls(key.name), decoded.error().message));
      }
      part = std::move(*decoded);
    }
    update.parts.emplace_back(std::move(key), std::move(part));
  }
  if (!reader.is_at_end()) return base::fail("bytes after the last part");
  return update;
}

std::uint64_t schema_fingerprint() {
  static const auto hash = hash_parts(kKinds);
  return hash;
}

}  // namespace penstock::snapshot
