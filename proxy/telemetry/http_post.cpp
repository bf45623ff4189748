#include "proxy/telemetry/http_post.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proxy/base/text.h"

namespace penstock::telemetry {
namespace {

constexpr std::chrono::seconds kResolveEvery{60};
constexpr std::size_t kMostAddresses = 4;
constexpr std::size_t kMostHead = 16 << 10;
constexpr std::size_t kMostBody = 64 << 10;
constexpr std::int64_t kLongestRetryAfter = 300;  // seconds
constexpr std::string_view kTooLate = "no answer in time";

/// A socket with a deadline over all that is done with it. `failure` says what went wrong.
class Wire {
 public:
  explicit Wire(base::SteadyTime deadline) : deadline_(deadline) {}
  ~Wire() { close(); }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  bool connect(const sockaddr* address, socklen_t size) {
    close();
    socket_ = ::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (socket_ < 0) return fail(errno);
    if (::connect(socket_, address, size) == 0) return true;
    if (errno != EINPROGRESS) return fail(errno);
    if (!wait(POLLOUT)) return false;
    int code = 0;
    socklen_t code_size = sizeof code;
    if (getsockopt(socket_, SOL_SOCKET, SO_ERROR, &code, &code_size) != 0) code = errno;
    return code == 0 || fail(code);
  }

  bool send(std::string_view rest) {
    while (!rest.empty()) {
      const auto sent = ::send(socket_, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (sent > 0) {
        rest.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        if (!wait(POLLOUT)) return false;
      } else if (errno != EINTR) {
        return fail(errno);
      }
    }
    return true;
  }

  /// More of the answer. False at its end, too.
  bool receive(std::string& out) {
    char buffer[4096];
    for (;;) {
      const auto got = ::recv(socket_, buffer, sizeof buffer, 0);
      if (got > 0) {
        out.append(buffer, static_cast<std::size_t>(got));
        return true;
      }
      if (got == 0) {
        failure = "the connection was closed before the answer";
        return false;
      }
      if (errno == EAGAIN) {
        if (!wait(POLLIN)) return false;
      } else if (errno != EINTR) {
        return fail(errno);
      }
    }
  }

  std::string failure;

 private:
  bool fail(int code) {
    failure = std::strerror(code);
    return false;
  }
  bool wait(short events) {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(
          deadline_ - std::chrono::steady_clock::now());
      if (left.count() <= 0) {
        failure = kTooLate;
        return false;
      }
      pollfd ready{socket_, events, 0};
      const int count = poll(&ready, 1, static_cast<int>(left.count()));
      if (count > 0) return true;
      if (count < 0 && errno != EINTR) return fail(errno);
    }
  }
  void close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  base::SteadyTime deadline_;
  int socket_ = -1;
};

PostAnswer failed(std::string why) {
  PostAnswer answer;
  answer.failure = std::move(why);
  return answer;
}

PostAnswer read_answer(Wire& wire) {
  std::string text;
  std::size_t end = std::string::npos;
  while (end == std::string::npos) {
    if (text.size() > kMostHead) return failed("the answer's head is too long");
    const auto seen = text.size() < 3 ? 0 : text.size() - 3;
    if (!wire.receive(text)) return failed(wire.failure);
    end = text.find("\r\n\r\n", seen);
  }
  PostAnswer answer;
  std::size_t body_size = 0;
  if (!read_answer_head(std::string_view(text).substr(0, end + 4), answer, body_size)) {
    return failed("the answer is not HTTP");
  }
  answer.body = text.substr(end + 4);
  body_size = std::min(body_size, kMostBody);
  while (answer.body.size() < body_size && wire.receive(answer.body)) {
  }
  answer.body.resize(std::min(answer.body.size(), body_size));
  return answer;
}

}  // namespace

bool read_answer_head(std::string_view head, PostAnswer& answer, std::size_t& body_size) {
  const bool is_http = head.size() > 12 && head.starts_with("HTTP/1.") && head[8] == ' ' &&
                       base::is_digit(head[7]) && (head[12] == ' ' || head[12] == '\r');
  const auto status =
      is_http ? base::parse_integer<std::uint16_t>(head.substr(9, 3)) : std::nullopt;
  if (!status || *status < 200 || *status > 599) return false;
  answer.status = *status;
  body_size = 0;
  for (const auto line : base::split(head, '\n')) {
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const auto name = line.substr(0, colon);
    const auto value = base::trim(line.substr(colon + 1));
    if (base::equals_ignoring_case(name, "content-length")) {
      body_size = base::parse_integer<std::size_t>(value).value_or(0);
    } else if (base::equals_ignoring_case(name, "retry-after")) {
      const auto seconds = base::parse_integer<std::uint32_t>(value).value_or(0);
      answer.retry_after =
          std::chrono::seconds(std::min<std::int64_t>(seconds, kLongestRetryAfter));
    }
  }
  return true;
}

HttpPoster::HttpPoster(std::string host, std::uint16_t port)
    : host_(std::move(host)),
      port_(port),
      authority_(host_.contains(':') ? fmt::format("[{}]:{}", host_, port_)
                                     : fmt::format("{}:{}", host_, port_)) {}

/// Empty where there are addresses: those of before go on where the name server has none now.
std::string HttpPoster::resolve(base::SteadyTime now, bool may_ask) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV | (may_ask ? 0 : AI_NUMERICHOST);
  addrinfo* found = nullptr;
  const auto port = std::to_string(port_);
  const int code = getaddrinfo(host_.c_str(), port.c_str(), &hints, &found);
  if (code != 0) return addresses_.empty() ? gai_strerror(code) : "";
  resolved_at_ = now;
  is_stale_ = false;
  addresses_.clear();
  for (const auto* each = found; each != nullptr; each = each->ai_next) {
    if (addresses_.size() == kMostAddresses) break;
    Address address{{}, each->ai_addrlen};
    std::memcpy(&address.bytes, each->ai_addr, each->ai_addrlen);
    addresses_.push_back(address);
  }
  freeaddrinfo(found);
  return {};
}

PostAnswer HttpPoster::post(std::string_view path, std::string_view body, base::SteadyTime deadline,
                            bool may_resolve) {
  const auto now = std::chrono::steady_clock::now();
  if (is_stale_ || now - resolved_at_ > kResolveEvery) {
    if (auto why = resolve(now, may_resolve); !why.empty()) return failed(std::move(why));
  }
  const auto head = fmt::format(
      "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: penstock/{}\r\nContent-Type: application/json"
      "\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
      path, authority_, PENSTOCK_VERSION, body.size());
  Wire wire(deadline);
  for (const auto& address : addresses_) {
    if (!wire.connect(reinterpret_cast<const sockaddr*>(&address.bytes), address.size)) continue;
    if (!wire.send(head) || !wire.send(body)) return failed(wire.failure);
    return read_answer(wire);
  }
  is_stale_ = true;
  return failed(wire.failure);
}

}  // namespace penstock::telemetry
