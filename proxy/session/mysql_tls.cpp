#include "proxy/session/mysql_tls.h"

#include <fmt/format.h>

#include <cstdint>

#include "proxy/session/clear_io.h"

namespace penstock::session {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kHeader = 4;  // three bytes of length, one of number
constexpr std::size_t kMaxGreeting = 1024;
constexpr std::size_t kTlsRequest = 32;
constexpr std::size_t kMaxError = 120;
constexpr std::uint8_t kProtocolVersion = 10;
constexpr std::uint8_t kError = 0xff;
constexpr std::size_t kBeforeCapabilities =
    4 + 8 + 1;  // connection, begin of the scramble, a filler
constexpr std::uint16_t kClientSsl = 0x0800;
/// ERR packet, number 2: ER_SECURE_TRANSPORT_REQUIRED.
constexpr std::string_view kRefusal =
    "\x32\x00\x00\x02\xff\x57\x0c#HY000this port takes connections with TLS only"sv;
static_assert(kRefusal.size() == kHeader + 0x32);

std::uint8_t byte(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint8_t>(bytes[at]);
}

std::size_t size_of(std::string_view header) {
  return byte(header, 0) | static_cast<std::size_t>(byte(header, 1)) << 8 |
         static_cast<std::size_t>(byte(header, 2)) << 16;
}

std::uint16_t word(std::string_view bytes, std::size_t at) {
  return static_cast<std::uint16_t>(byte(bytes, at) | byte(bytes, at + 1) << 8);
}

/// What is wrong with a greeting without its header; empty where TLS may begin.
std::string fault_of(std::string_view greeting) {
  if (greeting.empty()) return "the endpoint does not speak MySQL";
  if (byte(greeting, 0) == kError) {
    std::string text(greeting.substr(1, kMaxError));
    for (auto& c : text) c = c >= ' ' && c <= '~' ? c : '.';
    return fmt::format("the endpoint refuses the connection: {}", text);
  }
  const auto end = greeting.find('\0', 1);
  if (byte(greeting, 0) != kProtocolVersion || end == greeting.npos) {
    return "the endpoint does not speak MySQL";
  }
  const auto at = end + 1 + kBeforeCapabilities;
  if (greeting.size() < at + 2) return "the endpoint does not speak MySQL";
  return (word(greeting, at) & kClientSsl) != 0 ? "" : "the endpoint does not offer TLS";
}

}  // namespace

base::Task<std::string> take_mysql_greeting(net::Stream& upstream, std::string& failure) {
  std::string packet;
  bool is_whole = co_await fill(upstream, packet, kHeader);
  if (is_whole && size_of(packet) > kMaxGreeting) {
    failure = "the endpoint does not speak MySQL";
    co_return std::string();
  }
  if (is_whole) is_whole = co_await fill(upstream, packet, kHeader + size_of(packet));
  if (!is_whole) {
    failure = "connection closed before the greeting";
    co_return std::string();
  }
  failure = fault_of(std::string_view(packet).substr(kHeader));
  if (!failure.empty()) packet.clear();
  co_return packet;
}

base::Task<std::string> await_mysql_request(net::Stream& client, std::string_view greeting,
                                            std::string& failure) {
  std::string packet;
  bool goes_on = co_await say(client, greeting);
  if (goes_on) goes_on = co_await fill(client, packet, kHeader);
  if (!goes_on) {
    failure = "connection closed before the request for TLS";
    co_return std::string();
  }
  bool is_asked = size_of(packet) == kTlsRequest && byte(packet, 3) == 1;
  if (is_asked) is_asked = co_await fill(client, packet, kHeader + kTlsRequest);
  if (is_asked && (word(packet, kHeader) & kClientSsl) != 0) co_return packet;
  failure = "the client does not ask for TLS";
  co_await say(client, kRefusal);
  co_return std::string();
}

}  // namespace penstock::session
