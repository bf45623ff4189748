#pragma once
// HTTP to the Kubernetes API server, and the only user of cpprestsdk. All calls and all callbacks
// happen on the controller's thread (the io_context given); the library's own threads only post.
//
// TLS is verified against the cluster's own authority alone, redirects are not followed (they would
// carry the token elsewhere), bodies are bounded. One piece of a body is handed over at a time; the
// library itself reads ahead without a bound, so the API server is trusted not to flood.
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "controller/kube/kubeconfig.h"
#include "proxy/base/asio.h"

namespace penstock::kube {

struct Request {
  std::string method = "GET";
  std::string path;  // encoded, with its query
  std::string body;
  std::string content_type;
  std::size_t max_body = 64 << 20;  // of the answer; a stream has no bound as a whole
};

struct Response {
  int status = 0;  // 0: no answer, `failure` says why
  std::string body;
  std::optional<std::chrono::seconds> retry_after;
  std::string failure;
  bool is_too_large = false;  // the body exceeded max_body and was dropped

  bool is_ok() const { return status >= 200 && status < 300; }
  /// For a message: what broke, or the status and what the API server says of it.
  std::string failure_text() const;
};

/// What a stream tells, in this order: on_head once, on_data any number of times, on_end once (also
/// without the others). A non-empty text in on_end says what broke. A handler may drop its Call.
struct StreamEvents {
  std::function<void(const Response& head)> on_head;
  std::function<void(std::string_view piece)> on_data;
  std::function<void(const std::string& failure)> on_end;
};

class Exchange;

/// A call under way. When it is dropped or cancelled nothing is called any more and the connection
/// is given up. Must not outlive the io_context.
class [[nodiscard]] Call {
 public:
  Call() = default;
  explicit Call(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  Call(Call&&) noexcept = default;
  Call& operator=(Call&& other) noexcept {
    if (this != &other) {
      cancel();
      exchange_ = std::move(other.exchange_);
    }
    return *this;
  }
  ~Call() { cancel(); }
  void cancel();

 private:
  std::shared_ptr<Exchange> exchange_;
};

/// Owned by main; must go before the io_context and outlive its users. Its destructor cancels all
/// calls and waits until the library's threads have let go of them.
class Client {
 public:
  struct Options {
    std::string user_agent = "penstock-controller/" PENSTOCK_VERSION;
    /// Longest silence within an ordinary call.
    std::chrono::seconds call_timeout{30};
    /// Longest silence within a stream: must exceed the timeoutSeconds that a watch asks for.
    std::chrono::seconds stream_timeout{100};
  };
  using OnResponse = std::function<void(Response)>;

  Client(asio::io_context& io, const ClusterAccess& access, Options options);
  Client(asio::io_context& io, const ClusterAccess& access) : Client(io, access, Options()) {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  Call send(Request request, OnResponse on_response);
  Call get(std::string path, OnResponse on_response);
  Call create(std::string collection, std::string json, OnResponse on_response);
  Call put(std::string path, std::string json, OnResponse on_response);
  /// RFC 7396; with metadata.resourceVersion inside it is refused (409) when the object has
  /// changed.
  Call merge_patch(std::string path, std::string json, OnResponse on_response);
  /// Server-side apply; the path's query names the field manager.
  Call apply(std::string path, std::string json, OnResponse on_response);
  Call stream(Request request, StreamEvents events);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Whole seconds as in RFC 9110, 10.2.3; a date (which the API server never sends) is ignored.
std::optional<std::chrono::seconds> parse_retry_after(std::string_view text);

}  // namespace penstock::kube
