#pragma once
// The first message of a TLS client, as far as it tells where a connection wants to go: the server
// name (RFC 6066 3) and the protocols on offer (RFC 7301 3.1). Nothing is decrypted or answered.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::net {

/// What is read before a hello must be whole, headers of records included.
inline constexpr std::size_t kMaxClientHello = 16 << 10;

struct ClientHello {
  std::string server_name;  // lower case, without trailing dot; empty: none was sent
  std::string protocols;    // ALPN as on the wire: a length byte before each name; empty: none

  bool offers(std::string_view protocol) const;
};

/// Follows a hello while its bytes arrive. A hello may be spread over several records, and each
/// record over several reads; every byte is looked at once.
class ClientHelloScanner {
 public:
  enum class State : std::uint8_t {
    kIncomplete,
    kDone,
    kNotTls,     // the first bytes are no handshake record of TLS
    kMalformed,  // it began as one
    kTooLong,    // not whole within kMaxClientHello
  };

  /// `bytes` are all that have arrived, those of earlier calls included. What comes behind the
  /// hello does not matter.
  State scan(std::string_view bytes);
  /// Whole once the state is kDone.
  const ClientHello& hello() const { return hello_; }

 private:
  State take_records(std::string_view bytes);
  State take_message();
  bool has_message() const;

  ClientHello hello_;
  std::string message_;    // the handshake message, without the headers of its records
  std::size_t taken_ = 0;  // bytes of complete records
  State state_ = State::kIncomplete;
};

}  // namespace penstock::net
