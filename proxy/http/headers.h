#pragma once
// The fields of one message head, in the order received, as views into the head's bytes. Names that
// the proxy itself looks at are known by id, so that nothing on the way compares text.
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace penstock::http {

enum class Name : std::uint8_t {
  kOther,
  kAcceptEncoding,
  kAuthorization,
  kConnection,
  kContentLength,
  kContentType,
  kCookie,
  kDate,
  kExpect,
  kHost,
  kHttp2Settings,
  kKeepAlive,
  kProxy,
  kProxyConnection,
  kReferer,
  kServer,
  kStrictTransportSecurity,
  kTe,
  kTraceparent,
  kTracestate,
  kTrailer,
  kTransferEncoding,
  kUpgrade,
  kUserAgent,
  kXForwardedFor,
  kXForwardedHost,
  kXForwardedPort,
  kXForwardedProto,
  kXForwardedScheme,
  kXOriginalForwardedFor,
  kXOriginalForwardedHost,
  kXRealIp,
  kXRequestId,
  kXScheme,
  kCount,
};

/// The id of a field name of any case.
Name name_of(std::string_view text);

struct Header {
  std::string_view name;
  std::string_view value;  // without surrounding white space
  Name id = Name::kOther;
  std::uint32_t line_size = 0;  // of the whole line with its CRLF, which begins at `name`

  /// As received, byte for byte: what is passed on unchanged is copied whole.
  std::string_view line() const { return {name.data(), line_size}; }
};

/// A set of names.
class NameSet {
 public:
  constexpr NameSet() = default;
  constexpr NameSet(std::initializer_list<Name> names) {
    for (const auto name : names) add(name);
  }
  constexpr void add(Name name) { bits_ |= std::uint64_t{1} << static_cast<unsigned>(name); }
  constexpr bool has(Name name) const { return (bits_ >> static_cast<unsigned>(name) & 1) != 0; }
  constexpr bool meets(NameSet other) const { return (bits_ & other.bits_) != 0; }

 private:
  static_assert(static_cast<unsigned>(Name::kCount) <= 64);
  std::uint64_t bits_ = 0;
};

class Headers {
 public:
  void add(std::string_view name, std::string_view value, std::uint32_t line_size = 0) {
    const auto id = name_of(name);
    fields_.push_back({name, value, id, line_size});
    present_.add(id);
  }
  void clear() {
    fields_.clear();
    present_ = {};
  }

  bool has(Name id) const { return present_.has(id); }
  NameSet present() const { return present_; }
  /// The first field of that name, or null.
  const Header* find(Name id) const;
  /// Any case; for names that have no id, such as a log format's $http_x_thing.
  const Header* find(std::string_view name) const;
  std::string_view value_of(Name id) const {
    const auto* found = find(id);
    return found == nullptr ? std::string_view() : found->value;
  }

  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }
  std::size_t size() const { return fields_.size(); }

 private:
  std::vector<Header> fields_;
  NameSet present_;
};

/// True where a comma list (a Connection field) holds the token, in any case.
bool list_has(std::string_view list, std::string_view token);

}  // namespace penstock::http
