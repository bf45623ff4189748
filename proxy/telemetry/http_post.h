#pragma once
// One HTTP/1.1 POST after another to one server, for a thread that may wait: the exporter's. The
// server is not trusted: what it answers is read as far as a bound, and only for as long as the
// caller allows. No TLS, no redirects.
#include <sys/socket.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/clock.h"

namespace penstock::telemetry {

struct PostAnswer {
  std::uint16_t status = 0;  // 0: no answer, for the reason that `failure` has
  std::string failure;
  std::chrono::seconds retry_after{0};  // as the server asks
  std::string body;                     // its first 64 KiB, where its length was given
};

/// Reads the head of an answer, up to and with its empty line. False where it is none.
bool read_answer_head(std::string_view head, PostAnswer& answer, std::size_t& body_size);

class HttpPoster {
 public:
  HttpPoster(std::string host, std::uint16_t port);

  /// Asks a name server only where `may_resolve`: it may take longer than the deadline.
  PostAnswer post(std::string_view path, std::string_view body, base::SteadyTime deadline,
                  bool may_resolve);
  const std::string& authority() const { return authority_; }

 private:
  struct Address {
    sockaddr_storage bytes;
    socklen_t size;
  };

  std::string resolve(base::SteadyTime now, bool may_ask);

  std::string host_;
  std::uint16_t port_;
  std::string authority_;
  std::vector<Address> addresses_;
  base::SteadyTime resolved_at_;
  bool is_stale_ = true;  // the addresses: there are none, or none of them took a connection
};

}  // namespace penstock::telemetry
