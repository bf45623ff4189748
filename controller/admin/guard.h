#pragma once
// Who may ask the admin API. A bearer token is compared with a secret file in constant time, or
// given to a reviewer (the cluster's TokenReview and SubjectAccessReview). Failed attempts are
// bounded for each address, reviews as a whole; what was granted is remembered for a short while
// under the token's SHA-256. Without a way to check, nobody gets in.
//
// One thread: that of the io_context.
#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "proxy/base/asio.h"
#include "proxy/base/http_server.h"
#include "proxy/base/result.h"

namespace penstock::admin {

enum class Right : std::uint8_t { kRead, kAct };

struct Verdict {
  int status = 401;  // 200: may; 401: unknown; 403: known and may not; 429, 503: try later
  std::string user;
  std::string why;
};

class Guard {
 public:
  using OnVerdict = std::function<void(Verdict)>;
  /// Answers on the guard's thread, once.
  using Review = std::function<void(const std::string& token, Right right, OnVerdict on_verdict)>;
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  struct Options {
    std::string token_file;  // empty: none; read again for each attempt
    Review review;           // empty: none
  };

  explicit Guard(Options options, Clock clock = std::chrono::steady_clock::now)
      : options_(std::move(options)), clock_(std::move(clock)) {}

  void check(const base::HttpRequest& request, Right right, OnVerdict on_verdict);

 private:
  using Time = std::chrono::steady_clock::time_point;
  using Digest = std::array<unsigned char, 32>;
  struct Failures {
    std::uint32_t count = 0;
    Time since;
  };
  struct Granted {
    std::string user;
    Time until;
  };

  bool is_bounded_out(const base::Address& peer);
  void add_failure(const base::Address& peer);
  void review(const std::string& token, Right right, const base::Address& peer,
              const Digest& digest, OnVerdict on_verdict);

  Options options_;
  Clock clock_;
  std::map<base::Address, Failures> failures_;
  std::map<std::pair<Digest, Right>, Granted> granted_;
  std::size_t reviews_ = 0;  // under way
};

/// A name of the Host header that somebody else's DNS may have led to this host: everything but
/// addresses and localhost. What a page of such a name asks for in a browser would count as its
/// own.
bool is_foreign_name(std::string_view host);

/// The first line of a secret file. Errors: it cannot be read, or it is shorter than 16 characters.
base::Result<std::string> read_token(const std::string& path);

}  // namespace penstock::admin
