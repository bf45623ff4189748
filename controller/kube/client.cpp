#include "controller/kube/client.h"

#include <cpprest/http_client.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <limits>
#include <set>

#include "controller/kube/library_threads.h"
#include "controller/kube/list_page.h"
#include "proxy/base/text.h"

namespace penstock::kube {

namespace {

using HttpClient = web::http::client::http_client;
using HttpConfig = web::http::client::http_client_config;
using Buffer = concurrency::streams::streambuf<std::uint8_t>;

constexpr std::size_t kMaxPiece = 256 << 10;
constexpr std::string_view kTooLarge = "the answer is too large";

void set_up_tls(const ClusterAccess& access, asio::ssl::context& context) {
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  if (!access.ca_pem.empty()) {
    // The library has loaded the system's authorities; a cluster trusts its own alone.
    SSL_CTX_set_cert_store(context.native_handle(), X509_STORE_new());
    context.add_certificate_authority(asio::buffer(access.ca_pem));
  }
  if (access.client_certificate_pem.empty()) return;
  context.use_certificate_chain(asio::buffer(access.client_certificate_pem));
  context.use_private_key(asio::buffer(access.client_key_pem), asio::ssl::context::pem);
}

HttpConfig make_config(const ClusterAccess& access, std::chrono::seconds timeout) {
  HttpConfig config;
  config.set_timeout(timeout);
  config.set_max_redirects(0);
  config.set_validate_certificates(!access.skips_tls_verify);
  config.set_ssl_context_callback(
      [access](asio::ssl::context& context) { set_up_tls(access, context); });
  return config;
}

std::string text_of_current_exception() {
  try {
    throw;
  } catch (const std::exception& error) {
    return base::escape_controls(error.what());
  } catch (...) {
    return "unknown failure";
  }
}

}  // namespace

std::string Response::failure_text() const {
  return status == 0 ? failure : "status " + std::to_string(status) + ": " + status_message(body);
}

/// One request and its answer. Every member but `cancel_source` belongs to the controller's thread.
/// At any time at most one library task is under way for it: `pending`.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(asio::io_context& io, StreamEvents events, std::size_t max_body)
      : io_(io), events_(std::move(events)), left_(max_body) {}

  void start(HttpClient& client, const web::http::http_request& request) {
    pending_ = client.request(request, cancel_source_.get_token())
                   .then([self = shared_from_this()](pplx::task<web::http::http_response> done) {
                     self->post_head(done);
                   });
  }

  void cancel() {
    if (is_done_) return;
    is_done_ = true;
    release();
    cancel_source_.cancel();
  }

  void wait_for_library() {
    try {
      pending_.wait();
    } catch (...) {  // nothing escapes our continuations: only the library's own can
    }
  }

  std::function<void()> on_released;

 private:
  // --- library threads ---------------------------------------------------------------------------
  void post_head(const pplx::task<web::http::http_response>& done) {
    Response head;
    Buffer body;
    try {
      auto response = done.get();
      head.status = response.status_code();
      const auto retry = response.headers().find("Retry-After");
      if (retry != response.headers().end()) head.retry_after = parse_retry_after(retry->second);
      body = response.body().streambuf();
    } catch (...) {
      head.status = 0;
      head.failure = text_of_current_exception();
    }
    asio::post(io_, [self = shared_from_this(), head = std::move(head), body]() mutable {
      self->take_head(head, std::move(body));
    });
  }

  void post_piece(std::shared_ptr<std::string> piece, std::string failure, bool is_end) {
    asio::post(io_, [self = shared_from_this(), piece, failure = std::move(failure), is_end] {
      self->take_piece(piece ? *piece : std::string(), failure, is_end);
    });
  }

  // getn(n) completes only with all n bytes, so ask first how many there are.
  static pplx::task<void> read_piece(std::shared_ptr<Exchange> self, Buffer buffer) {
    auto piece = std::make_shared<std::string>();
    return buffer.getc()
        .then([buffer, piece](int first) mutable {
          if (first == Buffer::traits::eof()) return pplx::task_from_result<std::size_t>(0);
          piece->resize(std::clamp<std::size_t>(buffer.in_avail(), 1, kMaxPiece));
          return buffer.getn(reinterpret_cast<std::uint8_t*>(piece->data()), piece->size());
        })
        .then([self, piece](pplx::task<std::size_t> done) {
          try {
            piece->resize(done.get());
            self->post_piece(piece, {}, piece->empty());
          } catch (...) {
            self->post_piece({}, text_of_current_exception(), true);
          }
        });
  }

  // --- controller's thread -----------------------------------------------------------------------
  void take_head(const Response& head, Buffer body) {
    if (is_done_) return;
    if (head.status == 0) return finish(head.failure);
    body_ = std::move(body);
    const auto on_head = events_.on_head;
    if (on_head) on_head(head);
    if (!is_done_) pending_ = read_piece(shared_from_this(), body_);
  }

  void take_piece(const std::string& piece, const std::string& failure, bool is_end) {
    if (is_done_) return;
    if (is_end) return finish(failure);
    if (piece.size() > left_) {
      cancel_source_.cancel();
      return finish(std::string(kTooLarge));
    }
    left_ -= piece.size();
    // A copy: the handler may drop the call, and with it the events.
    const auto on_data = events_.on_data;
    if (on_data) on_data(piece);
    if (!is_done_) pending_ = read_piece(shared_from_this(), body_);
  }

  void finish(const std::string& failure) {
    is_done_ = true;
    const auto on_end = std::move(events_.on_end);
    release();
    if (on_end) on_end(failure);
  }

  void release() {
    // Posted: a handler of these events may be what is running.
    asio::post(io_, [old = std::move(events_)] {});
    events_ = {};
    if (const auto released = std::exchange(on_released, nullptr)) released();
  }

  asio::io_context& io_;
  StreamEvents events_;
  pplx::cancellation_token_source cancel_source_;
  pplx::task<void> pending_ = pplx::task_from_result();
  Buffer body_;
  std::size_t left_;  // of the answer's bound
  bool is_done_ = false;
};

void Call::cancel() {
  if (const auto exchange = std::exchange(exchange_, nullptr)) exchange->cancel();
}

struct Client::State {
  State(asio::io_context& context, const ClusterAccess& access, Options given)
      : io(context),
        options(std::move(given)),
        tokens(access),
        calls(access.server, make_config(access, options.call_timeout)),
        streams(access.server, make_config(access, options.stream_timeout)) {}

  asio::io_context& io;
  Options options;
  TokenSource tokens;
  HttpClient calls;
  HttpClient streams;
  std::set<std::shared_ptr<Exchange>> under_way;
  /// Cancelled, but a library thread may still hold them; swept whenever a call starts.
  std::vector<std::weak_ptr<Exchange>> leaving;

  void leave(const std::shared_ptr<Exchange>& exchange) {
    under_way.erase(exchange);
    std::erase_if(leaving, [](const auto& weak) { return weak.expired(); });
    leaving.push_back(exchange);
  }

  Call start(HttpClient& client, const Request& request, StreamEvents events) {
    web::http::http_request message(request.method);
    message.set_request_uri(web::uri(request.path));
    message.headers().add("User-Agent", options.user_agent);
    message.headers().add("Accept", "application/json");
    const auto& token = tokens.token(std::chrono::steady_clock::now());
    if (!token.empty()) message.headers().add("Authorization", "Bearer " + token);
    if (!request.content_type.empty()) message.set_body(request.body, request.content_type);
    auto exchange =
        std::make_shared<Exchange>(io, watch_for_refusal(std::move(events)), request.max_body);
    exchange->on_released = [this, weak = std::weak_ptr(exchange)] {
      if (const auto self = weak.lock()) leave(self);
    };
    under_way.insert(exchange);
    exchange->start(client, message);
    return Call(exchange);
  }

  StreamEvents watch_for_refusal(StreamEvents events) {
    events.on_head = [this, next = std::move(events.on_head)](const Response& head) {
      if (head.status == 401) tokens.expire();
      if (next) next(head);
    };
    return events;
  }
};

Client::Client(asio::io_context& io, const ClusterAccess& access, Options options) {
  limit_library_threads();
  state_ = std::make_shared<State>(io, access, std::move(options));
}

Client::~Client() {
  auto held = std::vector(state_->under_way.begin(), state_->under_way.end());
  for (const auto& weak : state_->leaving) {
    if (auto exchange = weak.lock()) held.push_back(std::move(exchange));
  }
  for (const auto& exchange : held) exchange->cancel();
  for (const auto& exchange : held) exchange->wait_for_library();
}

Call Client::stream(Request request, StreamEvents events) {
  request.max_body = std::numeric_limits<std::size_t>::max();
  return state_->start(state_->streams, request, std::move(events));
}

Call Client::send(Request request, OnResponse on_response) {
  struct Gathered {
    Response response;
    OnResponse done;
  };
  auto gathered = std::make_shared<Gathered>();
  gathered->done = std::move(on_response);
  StreamEvents events;
  events.on_head = [gathered](const Response& head) { gathered->response = head; };
  events.on_data = [gathered](std::string_view piece) { gathered->response.body.append(piece); };
  events.on_end = [gathered](const std::string& failure) {
    auto& response = gathered->response;
    response.failure = failure;
    if (!failure.empty()) {
      response.is_too_large = failure == kTooLarge;
      response.status = 0;
      response.body.clear();
    }
    const auto done = std::move(gathered->done);
    done(std::move(response));
  };
  return state_->start(state_->calls, request, std::move(events));
}

Call Client::get(std::string path, OnResponse on_response) {
  Request request;
  request.path = std::move(path);
  return send(std::move(request), std::move(on_response));
}

Call Client::create(std::string collection, std::string json, OnResponse on_response) {
  Request request{"POST", std::move(collection), std::move(json), "application/json"};
  return send(std::move(request), std::move(on_response));
}

Call Client::put(std::string path, std::string json, OnResponse on_response) {
  Request request{"PUT", std::move(path), std::move(json), "application/json"};
  return send(std::move(request), std::move(on_response));
}

Call Client::merge_patch(std::string path, std::string json, OnResponse on_response) {
  Request request{"PATCH", std::move(path), std::move(json), "application/merge-patch+json"};
  return send(std::move(request), std::move(on_response));
}

Call Client::apply(std::string path, std::string json, OnResponse on_response) {
  Request request{"PATCH", std::move(path), std::move(json),
                  "application/apply-patch+yaml"};  // JSON is YAML
  return send(std::move(request), std::move(on_response));
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view text) {
  const auto seconds = base::parse_integer<std::uint32_t>(base::trim(text));
  if (!seconds) return std::nullopt;
  return std::chrono::seconds(*seconds);
}

}  // namespace penstock::kube
