#pragma once
// How the values of keys are written. Each kind reads a text, prints a value in the same form and
// says what it expects; a value that is out of bounds is refused, never clipped.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/duration.h"
#include "proxy/base/ip_net.h"
#include "proxy/base/result.h"
#include "proxy/snapshot/archive.h"
#include "proxy/snapshot/policy/next_upstream.h"

namespace penstock::settings {

/// Go's set, as the Kubernetes world writes booleans.
struct Boolean {
  static constexpr std::string_view kExpected = "true or false";
  static base::Result<bool> parse(std::string_view text);
  static std::string print(bool value) { return value ? "true" : "false"; }
};

/// The negation of a boolean key: `disable-...`.
struct NotBoolean {
  static constexpr std::string_view kExpected = "true or false";
  static base::Result<bool> parse(std::string_view text);
  static std::string print(bool value) { return value ? "false" : "true"; }
};

struct OnOff {
  static constexpr std::string_view kExpected = "on or off";
  static base::Result<bool> parse(std::string_view text);
  static std::string print(bool value) { return value ? "on" : "off"; }
};

base::Result<std::int64_t> parse_whole(std::string_view text, std::int64_t low, std::int64_t high);

/// Whole seconds, without a unit.
struct Seconds {
  static constexpr std::string_view kExpected = "whole seconds from 0 to 31536000";
  static base::Result<base::Duration> parse(std::string_view text);
  static std::string print(base::Duration value);
};

/// Seconds of which there must be some: a wait that nothing would ever satisfy is no setting.
struct PositiveSeconds {
  static constexpr std::string_view kExpected = "whole seconds from 1 to 31536000";
  static base::Result<base::Duration> parse(std::string_view text);
  static std::string print(base::Duration value) { return Seconds::print(value); }
};

/// nginx time: "600s", "1m 30s", "500ms".
struct Time {
  static constexpr std::string_view kExpected = "a time such as 30s, 10m or 500ms";
  static base::Result<base::Duration> parse(std::string_view text);
  static std::string print(base::Duration value);
};

/// nginx size: "8k", "1m"; a bare number is bytes.
struct Size {
  static constexpr std::string_view kExpected = "a size such as 512k, 8m or 1g";
  static base::Result<base::ByteSize> parse(std::string_view text);
  static std::string print(base::ByteSize value);
};

/// A size that a buffer can have.
struct BufferSize {
  static constexpr std::string_view kExpected = "a size from 512 to 16m";
  static base::Result<base::ByteSize> parse(std::string_view text);
  static std::string print(base::ByteSize value) { return Size::print(value); }
};

struct Count {
  static constexpr std::string_view kExpected = "a whole number from 0 to 1000000";
  static base::Result<std::uint32_t> parse(std::string_view text);
  static std::string print(std::uint64_t value) { return std::to_string(value); }
};

/// A number of seconds kept as a number: it is sent in a header, not waited for.
struct HeaderSeconds {
  static constexpr std::string_view kExpected = "whole seconds from 0 to 3153600000";
  static base::Result<std::uint64_t> parse(std::string_view text);
  static std::string print(std::uint64_t value) { return std::to_string(value); }
};

/// `auto` or a count; 0 stands for auto.
struct WorkerCount {
  static constexpr std::string_view kExpected = "auto or a whole number from 1 to 256";
  static base::Result<std::uint32_t> parse(std::string_view text);
  static std::string print(std::uint32_t value);
};

struct RedirectCode {
  static constexpr std::string_view kExpected = "301, 302, 307 or 308";
  static base::Result<std::uint16_t> parse(std::string_view text);
  static std::string print(std::uint16_t value) { return std::to_string(value); }
};

/// Comma-separated IP addresses and networks. An empty list is refused: it would admit everybody.
struct Networks {
  static constexpr std::string_view kExpected =
      "a comma-separated list of IP addresses and CIDR networks";
  static base::Result<std::vector<base::IpNet>> parse(std::string_view text);
  static std::string print(const std::vector<base::IpNet>& value);
};

/// The same, where nothing means nothing: keys of the ConfigMap.
struct OptionalNetworks {
  static constexpr std::string_view kExpected = Networks::kExpected;
  static base::Result<std::vector<base::IpNet>> parse(std::string_view text);
  static std::string print(const std::vector<base::IpNet>& value) { return Networks::print(value); }
};

/// Comma-separated texts.
struct TextList {
  static constexpr std::string_view kExpected = "a comma-separated list";
  static base::Result<std::vector<std::string>> parse(std::string_view text);
  static std::string print(const std::vector<std::string>& value);
};

/// One line without control bytes, of at most 8 KiB.
struct Line {
  static constexpr std::string_view kExpected = "one line of text";
  static base::Result<std::string> parse(std::string_view text);
  static std::string print(const std::string& value) { return value; }
};

/// What may stand in a Host header, with an optional port.
struct HostName {
  static constexpr std::string_view kExpected = "a host name, with a port if need be";
  static base::Result<std::string> parse(std::string_view text);
  static std::string print(const std::string& value) { return value; }
};

/// `4 8k`: how many large header buffers, and their size.
/// Where a server is: without a port; empty: nowhere.
struct Server {
  static constexpr std::string_view kExpected = "an address or a host name";
  static base::Result<std::string> parse(std::string_view text);
  static std::string print(const std::string& value) { return value; }
};

struct PortNumber {
  static constexpr std::string_view kExpected = "a port from 1 to 65535";
  static base::Result<std::uint16_t> parse(std::string_view text);
  static std::string print(std::uint16_t value) { return std::to_string(value); }
};

struct HeaderBuffers {
  static constexpr std::string_view kExpected = "a number and a size such as '4 8k'";
  struct Value {
    std::uint32_t number;
    base::ByteSize size;
  };
  static base::Result<Value> parse(std::string_view text);
};

/// One of an enumeration's texts. `Names` holds pairs of text and value.
template <class E, const auto& Names, const std::string_view& Expected>
struct Choice {
  static constexpr std::string_view kExpected = Expected;
  static base::Result<E> parse(std::string_view text) {
    for (const auto& [name, value] : Names) {
      if (name == text) return value;
    }
    return base::fail("not one of them");
  }
  static std::string print(E value) {
    for (const auto& [name, each] : Names) {
      if (each == value) return std::string(name);
    }
    return {};
  }
};

/// nginx proxy_next_upstream: when to try another endpoint. Leaves tries and timeout alone.
inline constexpr std::string_view kNextUpstreamExpected =
    "words of error, timeout, invalid_header, http_403, http_404, http_429, http_500, http_502, "
    "http_503, http_504, non_idempotent, or off alone";
base::Result<void> parse_next_upstream(std::string_view text, snapshot::NextUpstream& policy);
std::string print_next_upstream(const snapshot::NextUpstream& policy);

}  // namespace penstock::settings
