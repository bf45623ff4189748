#pragma once
// The fields of one message head, in the order received, as views into the head's bytes. Names that
// the proxy itself looks at are known by id, so that nothing on the way compares text.
#include <cstdint>
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
};

class Headers {
 public:
  void add(std::string_view name, std::string_view value) {
    fields_.push_back({name, value, name_of(name)});
  }
  void clear() { fields_.clear(); }

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
};

/// True where a comma list (a Connection field) holds the token, in any case.
bool list_has(std::string_view list, std::string_view token);

}  // namespace penstock::http
